//! Transcriptions: forms are read strictly, sent anew, and billed by the second; what is odd never reaches upstream.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use louver_proving::client::{open, raw, request, send};
use louver_proving::form::{BOUNDARY, Form, body, wav};
use louver_proving::system::{Setup, System, UPSTREAM_KEY, eventually};
use louver_simulator::Fault;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATH: &str = "/v1/audio/transcriptions";
const MODEL: &str = "voxtral-mini-latest";
/// Nano-dollars of a minute, and of a second.
const MINUTE: u64 = 3_000_000;

fn form() -> Form {
    Form::default().field("model", MODEL).file("talk.wav", &wav(10))
}

/// A system with a budget, and a key that may use that model only.
async fn budgeted() -> (System, String) {
    let system = System::start().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": 10})).await;
    let (key, _) = system.key(json!({"allowed_models": [MODEL]})).await;
    (system, key)
}

/// In nano-dollars what is spent when nothing is in flight.
async fn spent(system: &System) -> u64 {
    let spent = eventually(async || {
        let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
        let budget = &budgets["data"][0];
        (budget["reserved"] == 0).then(|| budget["spent"].as_f64().unwrap())
    });
    (spent.await * 1e9).round() as u64
}

/// In nano-dollars what the simulator bills for its calls, each rounded up.
fn billed(system: &System) -> u64 {
    let of = |seconds: u64| (seconds * MINUTE).div_ceil(60);
    system.simulator.ledger().iter().map(|entry| of(entry.billed.audio_seconds)).sum()
}

#[tokio::test]
async fn a_file_is_written_down_and_billed_to_the_nano_dollar() {
    let (system, key) = budgeted().await;
    for (number, stream) in [(1, None), (2, Some("false")), (3, Some("true"))] {
        let form = stream.map_or_else(form, |stream| form().field("stream", stream));
        let form = form.field("context_bias", "Louver").field("timestamp_granularities[]", "segment");
        let answer = send(system.address, form.request(PATH, &key)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.text().contains("transcription.done"), stream == Some("true"));
        assert!(answer.text().contains("\"prompt_audio_seconds\":10"), "{}", answer.text());
        let seen = system.simulator.ledger().pop().unwrap();
        let sent = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(!sent.contains(BOUNDARY), "the form is written anew");
        assert!(sent.contains("\r\n\r\nvoxtral-mini-2602\r\n"), "the pinned model: {sent}");
        assert!(sent.contains("name=\"timestamp_granularities\"") && sent.contains("filename=\"talk.wav\""));
        assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
        assert_eq!((seen.bearer.as_deref(), spent(&system).await), (Some(UPSTREAM_KEY), number * MINUTE / 6));
    }
    assert_eq!(spent(&system).await, billed(&system));
}

#[tokio::test]
async fn an_address_and_what_cannot_be_measured_are_bounded_by_the_longest_audio() {
    let system = System::start().await;
    // Three hours cost 0.54 dollars.
    let (poor, _) = system.key(json!({"monthly_budget_usd": 0.53})).await;
    let (rich, _) = system.key(json!({"monthly_budget_usd": 0.55})).await;
    let model = Form::default().field("model", MODEL);
    let form = model.clone().field("file_url", "https://talks.test/a.mp3?seconds=90");
    for form in [form.clone(), model.file("a.mp3", b"ID3 nobody knows how long this is")] {
        let answer = send(system.address, form.request(PATH, &poor)).await;
        assert_eq!(answer.status, 429, "{}", answer.text());
    }
    assert_eq!(system.simulator.calls(), 0);
    let answer = send(system.address, form.request(PATH, &rich)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = system.simulator.ledger().pop().unwrap();
    assert_eq!(seen.billed.audio_seconds, 90);
}

#[tokio::test]
async fn mistrals_python_client_sends_no_multipart_without_a_file_and_upstream_gets_one() {
    let (system, key) = budgeted().await;
    let kind = "application/x-www-form-urlencoded";
    let text = format!("model={MODEL}&file_url=https%3A%2F%2Ftalks.test%2Fa.mp3%3Fseconds%3D7&stream=false");
    let answer = send(system.address, body(PATH, &key, kind, text.into_bytes())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = system.simulator.ledger().pop().unwrap();
    assert!(seen.header("content-type").unwrap().starts_with("multipart/form-data; boundary=----form-"));
    assert_eq!((spent(&system).await, seen.billed.audio_seconds), (billed(&system), 7));
}

/// Each must get that answer, upstream must see none of them, and nothing is spent.
async fn refused(cases: Vec<(&str, Request<Full<Bytes>>, u16, &str)>, system: &System, key: &str) {
    for (what, call, status, kind) in cases {
        let answer = send(system.address, call).await;
        assert_eq!(answer.verdict(), (status, kind.to_owned()), "{what}: {}", answer.text());
    }
    assert_eq!((system.simulator.calls(), spent(system).await), (0, 0), "upstream saw something");
    let answer = send(system.address, form().request(PATH, key)).await;
    assert_eq!(answer.status, 200, "and the honest call passes: {}", answer.text());
}

#[tokio::test]
async fn a11_forms_that_two_readers_understand_differently() {
    let (system, key) = budgeted().await;
    let of = |form: Form| form.request(PATH, &key);
    let file = || Form::default().file("talk.wav", &wav(1));
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let with = |kind: &str, bytes: Vec<u8>| body(PATH, &key, kind, bytes);
    let dear = "voxtral-small-latest";
    let head = |text: &str| Form::default().part(text, MODEL.as_bytes()).file("talk.wav", &wav(1));
    let disposition = |rest: &str| head(&format!("Content-Disposition: form-data; {rest}"));
    let preamble = [format!("x\r\nmodel={MODEL}\r\n").into_bytes(), form().bytes()].concat();
    let epilogue = [form().bytes(), file().field("model", dear).bytes()].concat();
    let urlencoded = "application/x-www-form-urlencoded";
    let pairs =
        |text: &str| with(urlencoded, text.replace("URL", "file_url=https%3A%2F%2Fa.test").into_bytes());
    let mut two_types = of(form());
    two_types.headers_mut().append("content-type", "multipart/form-data; boundary=b".parse().unwrap());
    let mut compressed = of(form());
    compressed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    let cases = vec![
        ("two models", of(form().field("model", dear)), 422, "invalid_request"),
        ("a forbidden model behind the file", of(file().field("model", dear)), 403, "model_not_allowed"),
        ("no model", of(file()), 422, "invalid_request"),
        ("the model as a file", of(disposition("name=\"model\"; filename=\"m\"")), 422, "invalid_request"),
        ("two names", of(disposition("name=\"x\"; name=\"model\"")), 400, "invalid_request"),
        ("an extended name", of(disposition("name*=utf-8''model")), 400, "invalid_request"),
        ("no name", of(disposition("filename=\"x\"")), 400, "invalid_request"),
        ("no disposition", of(head("Content-Type: text/plain")), 400, "invalid_request"),
        (
            "a transfer encoding",
            of(head("Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64")),
            400,
            "invalid_request",
        ),
        (
            "another charset",
            of(head(
                "Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=utf-16",
            )),
            400,
            "invalid_request",
        ),
        ("a preamble", with(&kind, preamble), 400, "invalid_request"),
        ("an epilogue", with(&kind, epilogue), 400, "invalid_request"),
        ("no end", with(&kind, form().bytes()[..400].to_vec()), 400, "invalid_request"),
        ("two boundaries", with(&format!("{kind}; boundary=b"), form().bytes()), 400, "invalid_request"),
        ("no boundary", with("multipart/form-data", form().bytes()), 400, "invalid_request"),
        (
            "mixed parts",
            with(&kind.replace("form-data", "mixed"), form().bytes()),
            415,
            "unsupported_media_type",
        ),
        ("two types", two_types, 415, "unsupported_media_type"),
        ("compressed", compressed, 415, "unsupported_media_type"),
        ("pairs: two models", pairs(&format!("model={MODEL}&model={dear}&URL")), 422, "invalid_request"),
        ("pairs: a hidden name", pairs(&format!("mod%65l={dear}&model={MODEL}&URL")), 422, "invalid_request"),
        ("pairs: a semicolon", pairs(&format!("model={MODEL};model={dear}&URL")), 400, "invalid_request"),
        ("pairs: a forbidden model", pairs(&format!("model={dear}&URL")), 403, "model_not_allowed"),
        ("an unknown field", of(form().field("prompt", "x")), 422, "invalid_request"),
        ("two files", of(form().file("b.wav", &wav(1))), 422, "invalid_request"),
        ("no file", of(Form::default().field("model", MODEL)), 422, "invalid_request"),
        ("a file and an address", of(form().field("file_url", "https://a.test/b")), 422, "invalid_request"),
    ];
    refused(cases, &system, &key).await;
}

#[tokio::test]
async fn a12_bodies_of_another_kind_and_values_of_another_spelling() {
    let (system, key) = budgeted().await;
    let json = json!({"model": MODEL, "file_url": "https://a.test/b"}).to_string();
    let as_json = send(system.address, request("POST", PATH, &key, Some(json.as_bytes()))).await;
    assert_eq!(as_json.verdict(), (422, "invalid_request".into()));
    assert!(as_json.text().contains("make sure the request is formatted as a multipart/form-data request"));
    let of = |form: Form| form.request(PATH, &key);
    let with = |kind: &str, bytes: &[u8]| body(PATH, &key, kind, bytes.to_vec());
    let mut query = of(form());
    *query.uri_mut() = format!("{PATH}?model={MODEL}").parse().unwrap();
    let cases = vec![
        ("text", with("text/plain", json.as_bytes()), 415, "unsupported_media_type"),
        ("a vendor's", with("application/vnd.api+json", json.as_bytes()), 415, "unsupported_media_type"),
        (
            "JSON as a form",
            with(&format!("multipart/form-data; boundary={BOUNDARY}"), json.as_bytes()),
            400,
            "invalid_request",
        ),
        ("a query", query, 400, "invalid_request"),
        ("Python's True", of(form().field("stream", "True")), 422, "invalid_request"),
        ("one", of(form().field("stream", "1")), 422, "invalid_request"),
        ("a word", of(form().field("diarize", "yes")), 422, "invalid_request"),
        ("no number", of(form().field("temperature", "warm")), 422, "invalid_request"),
    ];
    refused(cases, &system, &key).await;
}

#[tokio::test]
async fn b13_addresses_of_this_gateway_and_of_other_schemes() {
    let (system, key) = budgeted().await;
    let own = format!("https://{}/v1/files/x/content", system.address);
    for url in
        [own.as_str(), "http://a.test/b", "file:///etc/passwd", "https://u@a.test/", "https://a.test\\@b/"]
    {
        let form = Form::default().field("model", MODEL).field("file_url", url);
        let answer = send(system.address, form.request(PATH, &key)).await;
        assert_eq!(answer.verdict(), (422, "invalid_request".into()), "{url}: {}", answer.text());
    }
    assert_eq!((system.simulator.calls(), spent(&system).await), (0, 0));
}

#[tokio::test]
async fn the_key_its_rules_and_its_rates_are_asked_before_the_body() {
    let system = System::start().await;
    let (limited, _) = system.key(json!({"rate_limit_rpm": 1})).await;
    let (elsewhere, _) = system.key(json!({"allowed_endpoints": ["chat.completions"]})).await;
    assert_eq!(send(system.address, form().request(PATH, &limited)).await.status, 200);
    assert_eq!(system.simulator.calls(), 1, "one request is one request");
    // None of the body is sent: the answer comes without it.
    for (key, status) in [("lvr_nobody", 401), (elsewhere.as_str(), 403), (limited.as_str(), 429)] {
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {key}\r\ncontent-type: \
             multipart/form-data; boundary=b\r\ncontent-length: 100000000\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(system.address, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    assert_eq!(system.simulator.calls(), 1);
}

#[tokio::test]
async fn a_file_that_is_too_large_or_comes_too_slowly_is_not_waited_for() {
    let setup = Setup {
        change: Some(|config| {
            config.bounds.upload_bytes = 1 << 20;
            config.timeouts.body_grace = Duration::from_millis(100);
            config.min_body_bytes_per_second = 1 << 20;
        }),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    let (key, _) = system.key(json!({})).await;
    let large = Form::default().field("model", MODEL).file("a.mp3", &vec![1; (1 << 20) + 1]);
    let answer = send(system.address, large.request(PATH, &key)).await;
    assert_eq!(answer.verdict(), (413, "request_too_large".into()), "{}", answer.text());
    let fits = Form::default().field("model", MODEL).file("a.mp3", &vec![1; 1 << 20]);
    assert_eq!(
        send(system.address, fits.request(PATH, &key)).await.status,
        200,
        "just as large is not too large"
    );
    let bytes = form().bytes();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {key}\r\ncontent-type: \
         multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    let slow = [head.as_bytes(), &bytes[..1000]].concat();
    let answer = raw(system.address, &slow).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(system.simulator.calls(), 1);
}

#[tokio::test]
async fn who_hangs_up_in_the_middle_sends_nothing_and_who_hangs_up_behind_it_pays() {
    let (system, key) = budgeted().await;
    let bytes = form().bytes();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {key}\r\ncontent-type: \
         multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    let mut stream = TcpStream::connect(system.address).await.unwrap();
    stream.write_all(&[head.as_bytes(), &bytes[..bytes.len() / 2]].concat()).await.unwrap();
    drop(stream);
    system.simulator.script(Fault::Delay { ms: 200 });
    let mut stream = TcpStream::connect(system.address).await.unwrap();
    stream.write_all(&[head.as_bytes(), &bytes].concat()).await.unwrap();
    eventually(async || (system.simulator.calls() == 1).then_some(())).await;
    drop(stream);
    let spent = eventually(async || Some(spent(&system).await).filter(|spent| *spent > 0)).await;
    assert_eq!((spent, system.simulator.calls()), (billed(&system), 1));
}

#[tokio::test]
async fn faults_of_upstream_are_charged_as_those_of_any_call() {
    let (system, key) = budgeted().await;
    system.simulator.script(Fault::Status { status: 400, retry_after: None, body: None });
    assert_eq!(send(system.address, form().request(PATH, &key)).await.status, 400);
    assert_eq!(spent(&system).await, 0, "a refusal costs nothing");
    system.simulator.script(Fault::NoUsage);
    assert_eq!(send(system.address, form().request(PATH, &key)).await.status, 200);
    assert_eq!(spent(&system).await, 11 * MINUTE / 60, "at the bound, which is the file's whole length");
    system.simulator.script(Fault::EchoCredential);
    let answer = send(system.address, form().request(PATH, &key)).await;
    assert_eq!(answer.verdict(), (502, "upstream_credential_rejected".into()));
    system.simulator.script(Fault::ResetAfter { after: 2 });
    let mut answer = open(system.address, form().field("stream", "true").request(PATH, &key)).await;
    while let Some(Ok(_)) = http_body_util::BodyExt::frame(answer.body_mut()).await {}
    assert_eq!(spent(&system).await, 22 * MINUTE / 60, "nobody said what it used");
}

/// An upstream that says no as soon as it has read a head, and reads no further.
async fn impatient() -> (std::net::SocketAddr, tokio::task::JoinHandle<usize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 512];
        let read = stream.read(&mut head).await.unwrap();
        let body = json!({"detail": "File too large"}).to_string();
        let answer = format!(
            "HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        // What is still to come is not read.
        drop(stream);
        read
    });
    (address, serving)
}

#[tokio::test]
async fn an_upstream_that_answers_before_it_has_read_all_is_heard() {
    let (address, serving) = impatient().await;
    let mut system = System::start().await;
    system.config.upstream_url = format!("http://{address}");
    system.restart().await;
    let (key, _) = system.key(json!({})).await;
    let form = Form::default().field("model", MODEL).file("a.mp3", &vec![1; 64 << 20]);
    let answer = send(system.address, form.request(PATH, &key)).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (413, json!({"detail": "File too large"})));
    assert!(serving.await.unwrap() <= 512);
}

#[tokio::test]
async fn usage_shows_seconds_and_no_tokens() {
    let (system, key) = budgeted().await;
    assert_eq!(send(system.address, form().request(PATH, &key)).await.status, 200);
    let row = eventually(async || {
        let usage = system.get(&system.admin_key, "/v1/gateway/usage").await.json();
        usage["data"].as_array().and_then(|rows| rows.first()).cloned()
    });
    let row: Value = row.await;
    assert_eq!(
        row["input_tokens"].as_u64().unwrap_or(0) + row["output_tokens"].as_u64().unwrap_or(0),
        0,
        "{row}"
    );
    assert_eq!(row["requests"], 1, "{row}");
}
