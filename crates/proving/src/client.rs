//! Clients of the tests: one that speaks HTTP properly, one that writes raw bytes.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing in a test takes as long; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status, and the `type` of a refusal.
    pub fn verdict(&self) -> (u16, String) {
        let kind = serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|v| Some(v["type"].as_str()?.to_owned()));
        (self.status.as_u16(), kind.unwrap_or_default())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }
}

/// Sends a request on a connection of its own and answers with the head; the body is still to come.
pub async fn open(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    try_open(address, request).await.unwrap()
}

/// The same, where the other end may be gone.
pub async fn try_open(
    address: SocketAddr,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, String> {
    let stream = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    if !request.headers().contains_key("host") {
        request.headers_mut().insert("host", address.to_string().parse().unwrap());
    }
    let answer = tokio::time::timeout(PATIENCE, sender.send_request(request)).await;
    answer.expect("an answer in time").map_err(|e| e.to_string())
}

/// Sends a request and reads the whole answer.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    try_send(address, request).await.unwrap()
}

/// The same, where the other end may be gone.
pub async fn try_send(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let (head, body) = try_open(address, request).await?.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("a body in time");
    let body = body.map_err(|e| e.to_string())?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// A request with a bearer credential; a body makes it JSON.
pub fn request(method: &str, path: &str, bearer: &str, body: Option<&[u8]>) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    builder = builder.header("authorization", format!("Bearer {bearer}"));
    if body.is_some() {
        builder = builder.header("content-type", "application/json");
    }
    builder.body(Full::new(Bytes::copy_from_slice(body.unwrap_or_default()))).unwrap()
}

/// Writes raw bytes on a connection of its own and reads until the other end closes it.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the connection is closed");
    String::from_utf8_lossy(&answer).into_owned()
}
