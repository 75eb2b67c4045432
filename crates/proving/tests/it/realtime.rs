//! Realtime transcriptions over a WebSocket: what passes, what is cut, and what it costs.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use louver::config::Config;
use louver_proving::client::{Answer, send};
use louver_proving::system::{Setup, System, UPSTREAM_KEY, eventually};
use louver_simulator::{Endpoint, Fault, Model};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, frame::Frame};

const PATH: &str = "/v1/audio/transcriptions/realtime";
const PINNED: &str = "voxtral-realtime-2602";
const MODEL: &str = "voxtral-realtime-latest";
/// Nano-dollars of a minute, so that no second costs a whole number of them.
const MINUTE: i64 = 6_100_001;
/// Bytes of a second.
const SECOND: usize = 32_000;
const PATIENCE: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A system that serves a model for realtime transcriptions, and another one that keys may not use.
async fn system(change: Option<fn(&mut Config)>) -> System {
    let model = |id: &str, alias: &str| {
        let served = Model::new(id, 32_768, &[Endpoint::Realtime]).alias(alias);
        let priced = json!({"id": id, "aliases": [alias], "family": id, "name": id, "context": 32_768,
            "endpoints": ["audio.transcriptions.realtime"], "status": "active", "prices":
            [{"effective_from": "2026-02-01T00:00:00Z", "usd_per_audio_minute": MINUTE}]});
        (served, priced)
    };
    let models = [model(PINNED, MODEL), model("voxtral-dear-2602", "voxtral-dear")];
    let money = louver_domain::money::Money::from_nanos(MINUTE);
    let models = models.map(|(served, mut priced)| {
        priced["prices"][0]["usd_per_audio_minute"] = serde_json::to_value(money).unwrap();
        (served, serde_json::from_value(priced).unwrap())
    });
    System::with(Setup { change, models: models.into(), ..Setup::default() }).await
}

/// A key of a workspace with that budget in dollars.
async fn key(system: &System, budget: f64) -> (String, String) {
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": budget})).await;
    system.key(json!({"allowed_models": [MODEL]})).await
}

/// Nano-dollars that are spent, once nothing is in flight.
async fn spent(system: &System) -> i64 {
    eventually(async || {
        let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
        let budget = &budgets["data"][0];
        (budget["reserved"] == 0).then(|| (budget["spent"].as_f64().unwrap() * 1e9).round() as i64)
    })
    .await
}

/// What so many seconds cost, rounded up once.
const fn cost(seconds: i64) -> i64 {
    (seconds * MINUTE).unsigned_abs().div_ceil(60) as i64
}

/// A sound handshake, with these headers beside it or in place of its own.
fn knock(key: &str, query: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().uri(format!("{PATH}{query}"));
    let authorization = format!("Bearer {key}");
    for (name, value) in [
        ("host", "louver.test"),
        ("authorization", authorization.as_str()),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        if !headers.iter().any(|(changed, _)| *changed == name) {
            request = request.header(name, value);
        }
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

async fn try_open(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap()
}

async fn open_at(address: SocketAddr, key: &str) -> Socket {
    let response = try_open(address, knock(key, &format!("?model={MODEL}"), &[])).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert!(response.headers().contains_key("x-request-id"));
    let upgraded = timeout(PATIENCE, hyper::upgrade::on(response)).await.unwrap().unwrap();
    Socket::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

/// A session that has begun.
async fn open(system: &System, key: &str) -> Socket {
    let mut socket = open_at(system.address, key).await;
    let created = hear(&mut socket).await;
    assert_eq!((&created["type"], &created["session"]["model"]), (&json!("session.created"), &json!(PINNED)));
    socket
}

async fn refused(system: &System, request: Request<Full<Bytes>>) -> (u16, String) {
    let answer: Answer = send(system.address, request).await;
    answer.verdict()
}

async fn say(socket: &mut Socket, message: Value) {
    timeout(PATIENCE, socket.send(Message::text(message.to_string()))).await.unwrap().unwrap();
}

fn audio(bytes: usize) -> Value {
    use base64::Engine;
    let audio = base64::engine::general_purpose::STANDARD.encode(vec![1; bytes]);
    json!({"type": "input_audio.append", "audio": audio})
}

/// The next event; a close is one, too.
async fn hear(socket: &mut Socket) -> Value {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("an event in time") {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(text.as_str()).unwrap(),
            Some(Ok(Message::Close(frame))) => {
                return json!({"type": "close", "code": frame.map_or(1005, |frame| frame.code.into())});
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return json!({"type": "gone"}),
        }
    }
}

/// The next event of that type; those before it are passed over.
async fn hear_of(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let event = hear(socket).await;
        if event["type"] == kind {
            return event;
        }
        assert!(!["close", "gone"].contains(&event["type"].as_str().unwrap()), "no {kind}: {event}");
    }
}

/// The error and the close that end a session: the type of the one, the code of the other.
async fn cut(socket: &mut Socket) -> (String, u64) {
    let error = hear_of(socket, "error").await;
    assert!(error["error"]["message"].is_string() && error["error"]["code"].is_u64(), "{error}");
    let close = hear_of(socket, "close").await;
    (error["error"]["type"].as_str().unwrap_or_default().to_owned(), close["code"].as_u64().unwrap())
}

/// The seconds that the simulator would bill for each session, once all have ended.
async fn billed(system: &System) -> Vec<u64> {
    eventually(async || {
        let ledger = system.simulator.ledger();
        let open = ledger.iter().any(|entry| entry.end == louver_simulator::End::Open);
        (!open).then(|| ledger.iter().map(|entry| entry.billed.audio_seconds).collect())
    })
    .await
}

#[tokio::test]
async fn a_session_of_the_official_client_passes_and_costs_what_upstream_bills() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    let mut socket = open(&system, &key).await;
    let format = json!({"encoding": "pcm_s16le", "sample_rate": 16_000});
    say(&mut socket, json!({"type": "session.update", "session": {"audio_format": format}})).await;
    assert_eq!(hear(&mut socket).await["type"], "session.updated");
    // 181.5 seconds: four slices, the last one begun.
    for _ in 0..90 {
        say(&mut socket, audio(2 * SECOND)).await;
    }
    say(&mut socket, audio(SECOND + SECOND / 2)).await;
    say(&mut socket, json!({"type": "input_audio.flush"})).await;
    say(&mut socket, json!({"type": "input_audio.end"})).await;
    let done = hear_of(&mut socket, "transcription.done").await;
    assert_eq!(done["usage"]["prompt_audio_seconds"], 182);
    assert_eq!(hear(&mut socket).await, json!({"type": "close", "code": 1000}));
    assert_eq!((spent(&system).await, billed(&system).await), (cost(182), vec![182]));
    let entry = system.simulator.ledger().pop().unwrap();
    assert_eq!(entry.target, format!("{PATH}?model={PINNED}"));
    assert_eq!(entry.bearer.as_deref(), Some(UPSTREAM_KEY));
    let mut names: Vec<&str> = entry.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let ours = [
        "authorization",
        "connection",
        "host",
        "sec-websocket-key",
        "sec-websocket-version",
        "upgrade",
        "user-agent",
    ];
    assert_eq!(names, ours);
    eventually(async || {
        let usage = system.get(&system.admin_key, "/v1/gateway/usage?group_by=endpoint").await.json();
        let row = &usage["data"][0];
        // A record for each slice.
        (row["requests"] == 4 && row["endpoint"] == "audio.transcriptions.realtime").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_declared_decides_how_long_audio_is() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    let mut socket = open(&system, &key).await;
    let format = json!({"encoding": "pcm_s16le", "sample_rate": 8_000});
    say(&mut socket, json!({"type": "session.update", "session": {"audio_format": format}})).await;
    // Audio that follows at once is read in the format that upstream has agreed to.
    say(&mut socket, audio(16_001)).await;
    say(&mut socket, json!({"type": "input_audio.end"})).await;
    hear_of(&mut socket, "transcription.done").await;
    assert_eq!((spent(&system).await, billed(&system).await), (cost(2), vec![2]));
    // This upstream refuses the format: the audio is still the longer one.
    let mut socket = open(&system, &key).await;
    let wide = json!({"encoding": "pcm_f32le", "sample_rate": 48_000});
    say(&mut socket, json!({"type": "session.update", "session": {"audio_format": wide}})).await;
    assert_eq!(hear(&mut socket).await["type"], "error");
    say(&mut socket, audio(4 * SECOND)).await;
    hear_of(&mut socket, "transcription.text.delta").await;
    say(&mut socket, json!({"type": "session.update", "session": {"audio_format": format}})).await;
    assert_eq!(cut(&mut socket).await, ("invalid_request".into(), 1008), "not after audio was sent");
    assert_eq!((spent(&system).await, billed(&system).await), (cost(2) + cost(4), vec![2, 4]));
}

#[tokio::test]
async fn a14_the_query_names_one_model_once() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    for (query, status) in [
        (format!("?model={MODEL}&model=voxtral-dear"), 400),
        (format!("?model={MODEL}&model={MODEL}"), 400),
        (format!("?Model={MODEL}"), 400),
        (format!("?%6dodel={MODEL}"), 400),
        (format!("?model={MODEL}&%6dodel=voxtral-dear"), 400),
        (format!("?model={MODEL}&Model=voxtral-dear"), 400),
        (format!("?model%00={MODEL}"), 400),
        (format!("?model={MODEL};model=voxtral-dear"), 403),
        (format!("?model={MODEL}%26model=voxtral-dear"), 403),
        ("?model=voxtral-dear".to_owned(), 403),
        ("?model=voxtral%2Ddear".to_owned(), 403),
        ("?model=nobody".to_owned(), 403),
        ("?model=mistral-small-latest".to_owned(), 403),
        ("?model=".to_owned(), 403),
        ("?".to_owned(), 422),
        (String::new(), 422),
    ] {
        assert_eq!(refused(&system, knock(&key, &query, &[])).await.0, status, "{query}");
    }
    assert_eq!((system.simulator.calls(), spent(&system).await), (0, 0));
    let answer = try_open(system.address, knock(&key, "?model=voxtral%2Drealtime%2Dlatest", &[])).await;
    assert_eq!(answer.status(), 101, "the same name, written otherwise, is the same model");
    eventually(async || {
        (system.simulator.ledger().first()?.target == format!("{PATH}?model={PINNED}")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a14_no_message_changes_the_model() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    for message in [
        r#"{"type":"session.update","session":{"model":"voxtral-dear-2602"}}"#,
        r#"{"type":"session.update","session":{"model":"voxtral-realtime-2602"}}"#,
        r#"{"type":"session.update","session":{},"model":"voxtral-dear-2602"}"#,
        r#"{"type":"session.update","session":{},"session":{"model":"voxtral-dear-2602"}}"#,
        r#"{"type":"session.update","session":{"\u006dodel":"voxtral-dear-2602"}}"#,
        r#"{"type":"input_audio.flush","model":"voxtral-dear-2602"}"#,
        r#"{"type":"session.create","session":{}}"#,
        "[]",
        "not JSON",
    ] {
        let mut socket = open(&system, &key).await;
        socket.send(Message::text(message)).await.unwrap();
        assert_eq!(cut(&mut socket).await, ("invalid_request".into(), 1008), "{message}");
    }
    assert_eq!(billed(&system).await, vec![0; 9]);
    let ledger = system.simulator.ledger();
    assert!(ledger.iter().all(|entry| entry.body.is_empty() && entry.model.as_deref() == Some(PINNED)));
    assert_eq!(spent(&system).await, 0);
}

/// An upstream that says these things, one after each message, and then listens.
async fn liar(words: Vec<Value>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        for word in words {
            socket.send(Message::text(word.to_string())).await.unwrap();
            if !matches!(socket.next().await, Some(Ok(Message::Text(_)))) {
                return;
            }
        }
        while let Some(Ok(_)) = socket.next().await {}
    });
    address
}

fn session(kind: &str, model: &str) -> Value {
    json!({"type": kind, "session": {"model": model, "request_id": "upstream-id", "organization_id": "upstream-org",
        "audio_format": {"encoding": "pcm_s16le", "sample_rate": 16_000}}})
}

/// What a client hears of an upstream that says these things, when it sends a second of audio after each: the types, and
/// the whole of it as text. And the nano-dollars of it.
async fn lied_to(words: Vec<Value>) -> (Vec<String>, String, i64) {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    let upstream_url = format!("http://{}", liar(words).await);
    let node = system.second_node_with(&Config { upstream_url, ..system.config.clone() }).await;
    let mut socket = open_at(node.address, &key).await;
    let (mut kinds, mut text) = (Vec::new(), String::new());
    loop {
        let event = hear(&mut socket).await;
        text.push_str(&event.to_string());
        let kind = event["type"].as_str().unwrap().to_owned();
        let over = ["close", "gone"].contains(&kind.as_str());
        kinds.push(if kind == "close" { event["code"].to_string() } else { kind });
        if over {
            drop(socket);
            node.stop().await;
            return (kinds, text, spent(&system).await);
        }
        // It may be over meanwhile.
        let _ = socket.send(Message::text(audio(SECOND).to_string())).await;
    }
}

#[tokio::test]
async fn a14_an_upstream_with_another_model_is_left() {
    let (kinds, _, spent) = lied_to(vec![session("session.created", "voxtral-dear-2602")]).await;
    assert_eq!((kinds, spent), (vec!["error".into(), "1008".into()], 0));
    let (kinds, _, spent) = lied_to(vec![json!({"type": "session.created", "session": {}})]).await;
    assert_eq!((kinds, spent), (vec!["error".into(), "1008".into()], 0));
    let words = vec![session("session.created", MODEL), session("session.updated", "voxtral-dear-2602")];
    let (kinds, text, spent) = lied_to(words).await;
    assert_eq!(kinds, ["session.created", "error", "1008"], "an alias is the same model");
    assert_eq!(spent, cost(1));
    assert!(!text.contains("upstream-"), "{text}");
}

#[tokio::test]
async fn upstream_errors_pass_without_its_secrets() {
    let error = json!({"type": "error", "organization_id": "upstream-org",
        "error": {"message": format!("no such key: {UPSTREAM_KEY}"), "code": 7, "key": UPSTREAM_KEY}});
    let done = |seconds: u64| {
        json!({"type": "transcription.done", "model": PINNED, "text": "",
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_audio_seconds": seconds}})
    };
    let created = session("session.created", PINNED);
    let (kinds, text, _) = lied_to(vec![created.clone(), error, json!({"type": "garbage"}), json!(1)]).await;
    assert_eq!(kinds, ["session.created", "error", "garbage", "error", "1011"]);
    assert!(
        text.contains("no such key: [redacted]")
            && !text.contains(UPSTREAM_KEY)
            && !text.contains("upstream-org")
    );
    // What upstream has heard is charged, where it can have heard it.
    for (told, charged) in [(1, 1), (2, 2), (70, 70), (73, 3), (999_999, 3)] {
        let (_, _, spent) = lied_to(vec![created.clone(), json!({"type": "x"}), done(told), json!(1)]).await;
        assert_eq!(spent, cost(charged), "{told}");
    }
}

#[tokio::test]
async fn c19_frames_are_text_plain_and_short() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    let offer = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
    let response = try_open(system.address, knock(&key, &format!("?model={MODEL}"), &offer)).await;
    assert_eq!(response.status(), 101);
    assert!(!response.headers().contains_key("sec-websocket-extensions"), "compression is not agreed on");
    drop(response);
    let mut socket = open(&system, &key).await;
    socket.send(Message::binary(vec![1; 100])).await.unwrap();
    assert_eq!(cut(&mut socket).await, ("invalid_request".into(), 1008));
    let mut socket = open(&system, &key).await;
    // It is refused by its head: the rest need not arrive.
    let _ = socket.send(Message::text("x".repeat((1 << 20) + 1))).await;
    let end = hear(&mut socket).await;
    assert!(["error", "gone"].contains(&end["type"].as_str().unwrap()), "{end}");
    // In pieces it is as long.
    let mut socket = open(&system, &key).await;
    for piece in 0..5 {
        let opcode = OpCode::Data(if piece == 0 { Data::Text } else { Data::Continue });
        let frame = Frame::message("x".repeat(1 << 18), opcode, false);
        let _ = socket.send(Message::Frame(frame)).await;
    }
    let end = hear(&mut socket).await;
    assert!(["error", "gone"].contains(&end["type"].as_str().unwrap()), "{end}");
    let mut socket = open(&system, &key).await;
    let mut frame = Frame::message("x", OpCode::Data(Data::Text), true);
    frame.header_mut().rsv1 = true;
    socket.send(Message::Frame(frame)).await.unwrap();
    assert!(["close", "gone"].contains(&hear(&mut socket).await["type"].as_str().unwrap()), "compressed");
    let mut socket = open(&system, &key).await;
    say(&mut socket, audio(262_145)).await;
    assert_eq!(cut(&mut socket).await, ("invalid_request".into(), 1008));
    assert_eq!((billed(&system).await, spent(&system).await), (vec![0; 6], 0));
}

#[tokio::test]
async fn c19_a_session_without_words_and_a_session_without_end_are_ended() {
    for change in
        [(|config| config.timeouts.idle = Duration::from_millis(100)) as fn(&mut Config), |config| {
            config.timeouts.total = Duration::from_millis(100)
        }]
    {
        let system = system(Some(change)).await;
        let (key, _) = key(&system, 1.0).await;
        let mut socket = open(&system, &key).await;
        // A ping is no word.
        socket.send(Message::Ping(Bytes::new())).await.unwrap();
        assert_eq!(cut(&mut socket).await, ("request_timeout".into(), 1008));
        assert_eq!((billed(&system).await, spent(&system).await), (vec![0], 0));
    }
}

#[tokio::test]
async fn c19_a_budget_that_is_used_up_cuts_to_the_second() {
    for (seconds, slack) in [(90, 0), (91, MINUTE / 60 - 1), (1, 0), (60, 0), (150, 1)] {
        let system = system(None).await;
        let budget = cost(seconds) + slack;
        let (key, _) = key(&system, budget as f64 / 1e9).await;
        let mut socket = open(&system, &key).await;
        for _ in 0..seconds {
            say(&mut socket, audio(SECOND)).await;
        }
        // All of it has gone upstream, when the text of its last second is there.
        say(&mut socket, json!({"type": "input_audio.flush"})).await;
        say(&mut socket, audio(1)).await;
        // Its own slices count as held until it ends.
        let (kind, code) = cut(&mut socket).await;
        assert!(["budget_exhausted", "budget_reserved"].contains(&kind.as_str()), "{kind}");
        assert_eq!(code, 1008, "{seconds}");
        assert_eq!(billed(&system).await, vec![u64::try_from(seconds).unwrap()]);
        assert_eq!(spent(&system).await, cost(seconds), "{seconds}");
        let (status, kind) = refused(&system, knock(&key, &format!("?model={MODEL}"), &[])).await;
        assert_eq!((status, kind.as_str()), (429, "budget_exhausted"), "nothing is left to begin with");
    }
}

#[tokio::test]
async fn d8_nothing_switches_before_key_model_and_origin_are_known() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    let query = format!("?model={MODEL}");
    let strange = "nobody";
    for (name, request, status) in [
        ("no key", knock(&key, &query, &[("authorization", "")]), 401),
        ("unknown key", knock(strange, &query, &[]), 401),
        ("a token of a browser", knock(&key, &query, &[("sec-websocket-protocol", "realtime, rt_x")]), 401),
        (
            "such a token alone",
            knock(&key, &query, &[("sec-websocket-protocol", "rt_x"), ("authorization", "")]),
            401,
        ),
        (
            "our key as such",
            knock(&key, &query, &[("sec-websocket-protocol", &key), ("authorization", "")]),
            401,
        ),
        ("key in the address", knock(&key, &format!("{query}&key={key}"), &[("authorization", "")]), 400),
        ("foreign page", knock(&key, &query, &[("origin", "https://evil.test")]), 403),
        ("no upgrade", knock(&key, &query, &[("upgrade", "")]), 400),
        ("h2c", knock(&key, &query, &[("upgrade", "h2c")]), 400),
        ("other version", knock(&key, &query, &[("sec-websocket-version", "8")]), 400),
        ("no key of the socket", knock(&key, &query, &[("sec-websocket-key", "")]), 400),
        ("body", knock(&key, &query, &[("content-length", "5")]), 400),
    ] {
        assert_eq!(refused(&system, request).await.0, status, "{name}");
    }
    let (narrow, _) = system.key(json!({"allowed_endpoints": ["chat.completions"]})).await;
    assert_eq!(refused(&system, knock(&narrow, &query, &[])).await, (403, "endpoint_not_allowed".into()));
    assert_eq!((system.simulator.calls(), spent(&system).await), (0, 0));
    let own = [("origin", "https://louver.test"), ("sec-websocket-protocol", "realtime")];
    let response = try_open(system.address, knock(&key, &query, &own)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["sec-websocket-protocol"]),
        (101, &"realtime".parse().unwrap())
    );
}

#[tokio::test]
async fn e6_a_key_that_is_revoked_rotated_or_narrowed_ends_its_session() {
    let system = system(None).await;
    for deed in ["narrowed", "revoked", "rotated"] {
        let (key, id) = key(&system, 1.0).await;
        let mut socket = open(&system, &key).await;
        say(&mut socket, audio(SECOND)).await;
        hear_of(&mut socket, "transcription.text.delta").await;
        let (method, path, body) = match deed {
            "narrowed" => {
                let limits = json!({"allowed_models": ["mistral-small"]});
                ("PATCH", format!("/v1/gateway/keys/{id}/limits"), Some(limits))
            }
            "revoked" => ("DELETE", format!("/v1/api-keys/{id}"), None),
            // The key is still there: its session came with the secret that ends.
            _ => ("POST", format!("/v1/api-keys/{id}/rotate"), Some(json!({"overlap": "0s"}))),
        };
        assert!(system.admin(method, &path, body).await.status.is_success());
        // It ends by itself, and what comes meanwhile goes nowhere.
        let _ = socket.send(Message::text(audio(SECOND).to_string())).await;
        let (kind, code) = cut(&mut socket).await;
        assert_eq!((kind.as_str(), code), (if deed == "narrowed" { "model_not_allowed" } else { "" }, 1008));
    }
    assert_eq!((billed(&system).await, spent(&system).await), (vec![1, 1, 1], 3 * cost(1)));
}

#[tokio::test]
async fn what_was_sent_is_charged_when_the_client_leaves() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    let mut socket = open(&system, &key).await;
    for _ in 0..70 {
        say(&mut socket, audio(SECOND)).await;
    }
    say(&mut socket, audio(1)).await;
    say(&mut socket, json!({"type": "input_audio.flush"})).await;
    eventually(async || (system.simulator.ledger()[0].billed.audio_seconds == 71).then_some(())).await;
    // Without a word.
    drop(socket);
    assert_eq!((spent(&system).await, billed(&system).await), (cost(71), vec![71]));
}

#[tokio::test]
async fn what_was_sent_is_charged_when_upstream_leaves() {
    let system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    for fault in [Fault::ResetAfter { after: 2 }, Fault::ErrorInStream { after: 2 }] {
        let before = spent(&system).await;
        system.simulator.script(fault.clone());
        let mut socket = open(&system, &key).await;
        say(&mut socket, audio(SECOND)).await;
        let (_, code) = cut(&mut socket).await;
        assert_eq!(code, 1011, "{fault:?}");
        assert_eq!(spent(&system).await - before, cost(1), "{fault:?}");
    }
    // An upstream that refuses, or is not there.
    let before = spent(&system).await;
    for (fault, status) in [(Fault::EchoCredential, 502), (Fault::Redirect { location: None }, 502)] {
        system.simulator.script(fault);
        let answer = send(system.address, knock(&key, &format!("?model={MODEL}"), &[])).await;
        assert_eq!(answer.status, status);
        assert!(!answer.text().contains(UPSTREAM_KEY));
    }
    assert_eq!(spent(&system).await, before);
}

#[tokio::test]
async fn a_session_is_one_call_at_the_same_time_and_one_request() {
    let mut system = system(None).await;
    let (key, _) = key(&system, 1.0).await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"max_concurrent_requests": 1, "requests_per_minute": 2})).await;
    let mut socket = open(&system, &key).await;
    for _ in 0..130 {
        say(&mut socket, audio(SECOND)).await;
    }
    say(&mut socket, json!({"type": "input_audio.flush"})).await;
    eventually(async || (system.simulator.ledger()[0].billed.audio_seconds == 130).then_some(())).await;
    let query = format!("?model={MODEL}");
    assert_eq!(refused(&system, knock(&key, &query, &[])).await.0, 429, "its place is taken");
    drop(socket);
    assert_eq!(spent(&system).await, cost(130));
    let mut socket = open(&system, &key).await;
    say(&mut socket, audio(SECOND)).await;
    hear_of(&mut socket, "transcription.text.delta").await;
    // A node that is told to stop tells its clients, and settles.
    let (_, ()) = tokio::join!(
        async { assert_eq!(cut(&mut socket).await, ("overloaded".into(), 1001)) },
        system.stop()
    );
    system.restart().await;
    assert_eq!(spent(&system).await, cost(130) + cost(1));
}
