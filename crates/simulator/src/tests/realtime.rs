//! Sessions over a WebSocket.

use super::*;
use crate::{Billed, End, Fault, Rule};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

const MODEL: &str = "voxtral-realtime-2602";

fn knock(query: &str) -> Request<Full<Bytes>> {
    let mut request = request("GET", &format!("/v1/audio/transcriptions/realtime{query}"), "");
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

async fn open(served: &Served, query: &str) -> Socket {
    let socket = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
    let (mut sender, connection) = conn::http1::handshake(socket).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    let response = guarded(sender.send_request(knock(query))).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.headers()["x-louver-simulator"], "true");
    let upgraded = guarded(hyper::upgrade::on(response)).await.unwrap();
    Socket::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

async fn say(socket: &mut Socket, message: Value) {
    guarded(socket.send(Message::text(message.to_string()))).await.unwrap();
}

async fn append(socket: &mut Socket, bytes: usize) {
    let audio = STANDARD.encode(vec![1; bytes]);
    say(socket, json!({"type": "input_audio.append", "audio": audio})).await;
}

/// The next message; nothing if there is none.
async fn hear(socket: &mut Socket) -> Option<Value> {
    loop {
        match guarded(socket.next()).await? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(text.as_str()).unwrap()),
            Ok(Message::Close(frame)) => {
                let code: u16 = frame.map_or(1005, |frame| frame.code.into());
                return Some(json!({"type": "close", "code": code}));
            }
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[tokio::test]
async fn audio_is_written_down_while_it_comes() {
    let served = booking().await;
    let mut socket = open(&served, &format!("?model=x&model={MODEL}")).await;
    let created = hear(&mut socket).await.unwrap();
    assert_eq!((&created["type"], &created["session"]["model"]), (&json!("session.created"), &json!(MODEL)));
    assert_eq!(created["session"]["request_id"].as_str().unwrap().len(), 32);
    append(&mut socket, 64_000).await;
    assert_eq!(hear(&mut socket).await.unwrap()["type"], "transcription.language");
    let mut text = String::new();
    let mut delta = async |socket: &mut Socket| {
        let event = hear(socket).await.unwrap();
        assert_eq!(event["type"], "transcription.text.delta");
        text.push_str(event["text"].as_str().unwrap());
    };
    delta(&mut socket).await;
    append(&mut socket, 2).await;
    say(&mut socket, json!({"type": "input_audio.flush"})).await;
    delta(&mut socket).await;
    append(&mut socket, 32_000).await;
    say(&mut socket, json!({"type": "input_audio.end"})).await;
    delta(&mut socket).await;
    let done = hear(&mut socket).await.unwrap();
    assert_eq!((&done["type"], &done["text"]), (&json!("transcription.done"), &json!(text)));
    assert_eq!(
        done["usage"],
        json!({"prompt_audio_seconds": 4, "prompt_tokens": 4, "completion_tokens": 12, "total_tokens": 66,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 50}})
    );
    assert_eq!(hear(&mut socket).await.unwrap(), json!({"type": "close", "code": 1000}));
    drop(socket);
    let billed = Billed { audio_seconds: 4, ..Billed::new(4, 12).with_audio(50) };
    let entry = served.last().await;
    assert_eq!((entry.status, entry.end, entry.billed), (Some(101), End::Whole, billed));
    assert_eq!(entry.body.iter().filter(|byte| **byte == b'\n').count(), 5);
    let (account, totals) = served.booked(MODEL).await;
    assert_eq!((account.endpoint, totals.calls), (Endpoint::Realtime, 1));
    assert_eq!((totals.billed, totals.worked), (billed, billed));
}

#[tokio::test]
async fn the_model_of_an_update_is_honoured() {
    let served = booking().await;
    let mut socket = open(&served, &format!("?model={MODEL}")).await;
    hear(&mut socket).await.unwrap();
    say(&mut socket, json!({"type": "session.update", "session": {"model": "voxtral-realtime-dear"}})).await;
    let updated = hear(&mut socket).await.unwrap();
    assert_eq!(
        (&updated["type"], &updated["session"]["model"]),
        (&json!("session.updated"), &json!("voxtral-realtime-dear"))
    );
    append(&mut socket, 1).await;
    // The client goes without a word.
    drop(socket);
    let entry = served.last().await;
    assert_eq!((entry.end, entry.model.as_deref()), (End::Cut, Some("voxtral-realtime-dear")));
    let (_, totals) = served.booked("voxtral-realtime-dear").await;
    assert_eq!((totals.calls, totals.billed.audio_seconds), (1, 1));
}

#[tokio::test]
async fn another_rate_makes_other_seconds() {
    let served = serve(config(1)).await;
    let mut socket = open(&served, &format!("?model={MODEL}")).await;
    hear(&mut socket).await.unwrap();
    let format = json!({"encoding": "pcm_s16le", "sample_rate": "8000"});
    say(
        &mut socket,
        json!({"type": "session.update", "session": {"audio_format": format, "language": "fr"}}),
    )
    .await;
    assert_eq!(hear(&mut socket).await.unwrap()["session"]["audio_format"]["sample_rate"], 8000);
    append(&mut socket, 32_000).await;
    assert_eq!(hear(&mut socket).await.unwrap()["audio_language"], "fr");
    assert_eq!(hear(&mut socket).await.unwrap()["type"], "transcription.text.delta");
    say(&mut socket, json!({"type": "session.update", "session": {"audio_format": {"sample_rate": 9000}}}))
        .await;
    assert_eq!(hear(&mut socket).await.unwrap()["error"]["message"], "Invalid sample_rate");
    drop(socket);
    assert_eq!(served.last().await.billed.audio_seconds, 2);
}

#[tokio::test]
async fn what_is_not_understood_is_told() {
    let served = serve(config(1)).await;
    for (query, code) in [("?model=gpt", 1500), ("", 422), ("?Model=voxtral-realtime-2602", 422)] {
        let mut socket = open(&served, query).await;
        let error = hear(&mut socket).await.unwrap();
        assert_eq!((&error["type"], &error["error"]["code"]), (&json!("error"), &json!(code)));
        assert_eq!(hear(&mut socket).await.unwrap()["code"], 1008);
    }
    let mut socket = open(&served, &format!("?mod%65l={MODEL}")).await;
    assert_eq!(hear(&mut socket).await.unwrap()["type"], "session.created");
    for bad in [json!({"type": "x"}), json!([]), json!({"type": "input_audio.append", "audio": "%"})] {
        say(&mut socket, bad).await;
        assert_eq!(hear(&mut socket).await.unwrap()["error"]["code"], 422);
    }
    guarded(socket.send(Message::binary(vec![1]))).await.unwrap();
    assert_eq!(hear(&mut socket).await.unwrap()["type"], "error");
    say(&mut socket, json!({"type": "session.update", "session": {"model": "gpt"}})).await;
    assert_eq!(hear(&mut socket).await.unwrap()["error"]["message"], "Invalid model: gpt");
    drop(socket);
    guarded(served.simulator.idle()).await;
    assert!(served.simulator.ledger().iter().all(|entry| entry.billed == Billed::default()));
}

#[tokio::test]
async fn no_socket_without_credential_or_upgrade() {
    let served = serve(config(1)).await;
    let path = format!("/v1/audio/transcriptions/realtime?model={MODEL}");
    assert_eq!(served.get(&path).await.status, 404);
    let mut bare = knock("?model=x");
    bare.headers_mut().remove("authorization");
    assert_eq!(served.send(bare).await.unwrap().status(), 401);
    let mut browser = knock("?model=x");
    browser.headers_mut().remove("authorization");
    browser.headers_mut().insert("sec-websocket-protocol", "realtime, rt_1".parse().unwrap());
    let answer = served.send(browser).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["sec-websocket-protocol"]),
        (StatusCode::SWITCHING_PROTOCOLS, &"realtime".parse().unwrap())
    );
    drop(answer);
    assert_eq!(served.last().await.bearer.as_deref(), Some("rt_1"));
    for (fault, status) in [
        (Fault::Status { status: 429, retry_after: Some(1), body: None }, 429),
        (Fault::EchoCredential, 401),
        (Fault::Redirect { location: None }, 307),
        (Fault::Garbage, 200),
    ] {
        served.simulator.script(Rule::new(fault).at(Endpoint::Realtime));
        assert_eq!(served.send(knock(&format!("?model={MODEL}"))).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn sessions_are_cut_by_faults() {
    for (fault, heard) in [
        (Fault::ResetAfter { after: 1 }, vec!["session.created"]),
        (Fault::EndAfter { after: 1 }, vec!["session.created", "close"]),
        (Fault::ErrorInStream { after: 1 }, vec!["session.created", "error", "close"]),
        (Fault::EndAfter { after: 0 }, vec!["close"]),
    ] {
        let served = booking().await;
        served.simulator.script(fault.clone());
        let mut socket = open(&served, &format!("?model={MODEL}")).await;
        if heard.len() > 1 || matches!(fault, Fault::ResetAfter { .. }) {
            append(&mut socket, 32_000).await;
        }
        let mut kinds = Vec::new();
        while let Some(event) = hear(&mut socket).await {
            kinds.push(event["type"].as_str().unwrap().to_owned());
        }
        assert_eq!(kinds, heard, "{fault:?}");
        drop(socket);
        assert_eq!(served.last().await.end, End::Broken);
        let seconds = u64::from(heard[0] == "session.created");
        assert_eq!(served.booked(MODEL).await.1.billed.audio_seconds, seconds);
    }
}

#[tokio::test]
async fn usage_may_be_missing_wrong_or_doubled() {
    for (fault, seconds) in [
        (Fault::NoUsage, vec![json!(null)]),
        (Fault::WrongUsage { prompt: -5, completion: 0, total: 0 }, vec![json!(-5)]),
        (Fault::TwoUsages, vec![json!(1), json!(2)]),
    ] {
        let served = serve(config(1)).await;
        served.simulator.script(fault);
        let mut socket = open(&served, &format!("?model={MODEL}")).await;
        append(&mut socket, 64_000).await;
        say(&mut socket, json!({"type": "input_audio.end"})).await;
        let mut told = Vec::new();
        while let Some(event) = hear(&mut socket).await {
            if event["type"] == "transcription.done" {
                told.push(event["usage"]["prompt_audio_seconds"].clone());
            }
        }
        assert_eq!(told, seconds);
        drop(socket);
        assert_eq!(served.last().await.billed.audio_seconds, 2);
    }
}

#[tokio::test]
async fn a_session_that_hangs_ends_with_its_server() {
    let served = booking().await;
    let simulator = served.simulator.clone();
    simulator.script(Fault::HangAfter { after: 1 });
    let mut socket = open(&served, &format!("?model={MODEL}")).await;
    assert_eq!(hear(&mut socket).await.unwrap()["type"], "session.created");
    append(&mut socket, 40_000).await;
    let heard = async {
        while simulator.ledger().pop().unwrap().billed.audio_seconds < 2 {
            tokio::task::yield_now().await;
        }
    };
    guarded(heard).await;
    drop(served);
    assert_eq!(hear(&mut socket).await, None);
    guarded(simulator.idle()).await;
    assert_eq!(simulator.books().into_values().next().unwrap().billed.audio_seconds, 2);
}
