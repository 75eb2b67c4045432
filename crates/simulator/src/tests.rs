//! Talks to a simulator over loopback sockets.

mod agents;
mod answers;
mod api_keys;
mod audio;
mod batches;
mod conversations;
mod documents;
mod faults;
mod files;
mod libraries;
mod moderation;
mod prompts;
mod realtime;
mod records;
mod responses;
mod tuned;
mod usage_report;

use std::{future::Future, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::{Account, Config, Endpoint, Entry, Model, Simulator, Totals};

/// A simulator on a free port; dropped, it stops.
struct Served {
    simulator: Simulator,
    address: std::net::SocketAddr,
    _stop: oneshot::Sender<()>,
}

/// A whole answer.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

fn config(seed: u64) -> Config {
    let models = vec![
        Model::new("mistral-small-2603", 10_000, &[Endpoint::Chat, Endpoint::Responses])
            .alias("mistral-small-latest"),
        Model::new("codestral-2404", 10_000, &[Endpoint::Chat, Endpoint::Fim]),
        Model::new("mistral-embed", 8_000, &[Endpoint::Embeddings]),
        Model::new("mistral-moderation-2603", 8_000, &[Endpoint::Moderations, Endpoint::ChatModerations]),
        Model::new("mood", 8_000, &[Endpoint::Classifications, Endpoint::ChatClassifications]),
        Model::new("mistral-ocr-2512", 8_000, &[Endpoint::Ocr]).alias("mistral-ocr-latest"),
        Model::new("voxtral-mini-2602", 8_000, &[Endpoint::Transcriptions]),
        Model::new("voxtral-realtime-2602", 8_000, &[Endpoint::Realtime]),
        Model::new("voxtral-realtime-dear", 8_000, &[Endpoint::Realtime]),
        Model::new("voxtral-mini-tts-2603", 8_000, &[Endpoint::Speech]),
    ];
    Config::new(seed, models, || 1_790_000_000)
}

async fn serve(config: Config) -> Served {
    let simulator = Simulator::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = simulator.clone();
    tokio::spawn(async move {
        let stopped = async move { drop(stopped.await) };
        served.serve(listener, stopped).await;
    });
    Served { simulator, address, _stop: stop }
}

fn request(method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", "simulator");
    let request =
        request.header("authorization", "Bearer sk-upstream").header("content-type", "application/json");
    request.body(Full::new(body.into())).unwrap()
}

/// A form with a file.
fn form(path: &str, name: &str, content: &[u8], parts: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut body = Vec::new();
    for (part, value) in parts {
        let head = format!("--Part\r\nContent-Disposition: form-data; name=\"{part}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    let head =
        format!("--Part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--Part--\r\n");
    let mut sent = request("POST", path, body);
    sent.headers_mut().insert("content-type", "multipart/form-data; boundary=Part".parse().unwrap());
    sent
}

/// No test waits longer than this for anything.
async fn guarded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

impl Served {
    async fn send(&self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let socket = TokioIo::new(TcpStream::connect(self.address).await.unwrap());
        let (mut sender, connection) = conn::http1::handshake(socket).await?;
        tokio::spawn(connection);
        guarded(sender.send_request(request)).await
    }

    async fn send_2(&self, path: &str, body: &Value) -> hyper::Result<Response<Incoming>> {
        let socket = TokioIo::new(TcpStream::connect(self.address).await.unwrap());
        let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), socket).await?;
        tokio::spawn(connection);
        let uri = format!("http://{}{path}", self.address);
        guarded(sender.send_request(request("POST", &uri, body.to_string()))).await
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        Got::from(self.send(request("POST", path, body.to_string())).await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Got {
        Got::from(self.send(request("GET", path, "")).await.unwrap()).await
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Got {
        Got::from(self.send(request(method, path, body.to_string())).await.unwrap()).await
    }

    /// Sends as another credential.
    async fn call_as(&self, bearer: &str, method: &str, path: &str, body: &Value) -> Got {
        let mut sent = request(method, path, body.to_string());
        sent.headers_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
        Got::from(self.send(sent).await.unwrap()).await
    }

    /// Uploads a file, with further parts of the form.
    async fn upload(&self, path: &str, name: &str, content: &[u8], parts: &[(&str, &str)]) -> Got {
        let sent = form(path, name, content, parts);
        Got::from(self.send(sent).await.unwrap()).await
    }

    /// What the books say of the only account of this model.
    async fn booked(&self, model: &str) -> (Account, Totals) {
        guarded(self.simulator.idle()).await;
        let books = self.simulator.books();
        let mut found = books.into_iter().filter(|(account, _)| account.model.as_deref() == Some(model));
        let one = found.next().unwrap();
        assert!(found.next().is_none(), "several accounts of {model}");
        one
    }

    /// The last call, when no call is under way.
    async fn last(&self) -> Entry {
        guarded(self.simulator.idle()).await;
        self.simulator.ledger().pop().unwrap()
    }

    async fn chat(&self, body: &Value) -> Got {
        self.post("/v1/chat/completions", body).await
    }
}

impl Got {
    async fn from(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = guarded(body.collect()).await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The data of all events, the end mark being checked and left out.
    fn events(&self) -> Vec<Value> {
        let (events, rest) = self.text().split_at(self.text().len() - "data: [DONE]\n\n".len());
        assert_eq!(rest, "data: [DONE]\n\n");
        parse(events)
    }
}

/// Events in the form the simulator sends them.
fn parse(events: &str) -> Vec<Value> {
    let events = events.split_terminator("\n\n");
    events.map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

/// Events with names, each with its data, whose `type` is the name.
fn named(events: &str) -> Vec<(String, Value)> {
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        (name.to_owned(), data)
    };
    events.split_terminator("\n\n").map(event).collect()
}

/// A simulator that keeps books, too.
async fn booking() -> Served {
    serve(Config { books: true, ..config(1) }).await
}

/// All that comes of a body before its end or the connection's, and whether it ended properly.
async fn until_cut(response: Response<Incoming>) -> (String, bool) {
    let mut body = response.into_body();
    let mut text = String::new();
    while let Some(frame) = guarded(body.frame()).await {
        let Ok(frame) = frame else { return (text, false) };
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    (text, true)
}

/// A chat request with these further fields.
fn ask(more: Value) -> Value {
    let mut body = json!({"model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "Tell me of the river and of the light."}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// A chat request that steers its answer.
fn steered(stream: bool, simulator: Value) -> Value {
    ask(json!({"stream": stream, "metadata": {"simulator": simulator}}))
}
