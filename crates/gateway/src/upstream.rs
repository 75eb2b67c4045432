//! The connections to upstream: one pool per worker with a part for each server, HTTP/1.1 or HTTP/2 as it offers.
//!
//! Idle HTTP/1.1 connections are taken last in, first out; one HTTP/2 connection carries all calls of a worker. What
//! was once sent is never sent again: only an idle connection that has ended is passed over.

mod connect;
mod http1;
mod payload;
mod socket;

#[cfg(any(test, feature = "fuzzing"))]
pub use http1::read_answer;

pub(crate) use socket::Socket;

use crate::credentials::Credential;
use crate::pipeline::Gateway;
use crate::settings::{Timeouts, UpstreamTarget};
use bytes::Bytes;
use connect::{Opened, connect};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::SizeHint;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http2;
use louver_domain::health::Sign;
use louver_domain::time::Timestamp;
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

pub(crate) use payload::Payload;
use payload::Pieces;

/// What upstream is told of us.
const USER_AGENT: &str = concat!("louver/", env!("CARGO_PKG_VERSION"));
/// When a model will end: of upstream's headers, one that clients warn by.
pub(crate) const DEPRECATION: HeaderName = HeaderName::from_static("x-model-deprecation-timestamp");
/// The headers of an answer that are read at all.
const PASSED: [HeaderName; 3] = [CONTENT_TYPE, RETRY_AFTER, DEPRECATION];

/// Why a call has no answer.
pub(crate) enum SendError {
    /// No byte was sent.
    NotSent(String),
    /// No head of an answer in time.
    TimedOut,
    /// The connection broke after something was sent.
    Broken(String),
}

/// A call as it goes upstream: our address, our credential, and of the client's request only the body. A credential is
/// for one server, so that no key ever goes to another.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query, made by us.
    pub(crate) target: Cow<'static, str>,
    pub(crate) to: Arc<Credential>,
    pub(crate) accept: &'static str,
    pub(crate) body: Payload,
}

/// The type of a body in JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

type Http2 = http2::SendRequest<Pieces>;

/// Idle connections kept at most.
const MAX_IDLE: usize = 512;
/// How long an idle connection is trusted.
const IDLE_TRUST: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Connections {
    idle: Vec<(http1::Connection, Instant)>,
    shared: Option<Http2>,
}

/// The connections of one worker.
#[derive(Clone)]
pub(crate) struct Pool {
    gateway: Arc<Gateway>,
    servers: Arc<[Server]>,
    left: TaskTracker,
}

/// The connections of one worker to one server.
struct Server {
    target: UpstreamTarget,
    timeouts: Timeouts,
    connections: Arc<Mutex<Connections>>,
}

impl Pool {
    pub(crate) fn new(gateway: &Arc<Gateway>) -> Self {
        let settings = gateway.settings();
        let timeouts = settings.timeouts;
        let server = |target: &UpstreamTarget| Server {
            target: target.clone(),
            timeouts,
            connections: Arc::default(),
        };
        let servers = settings.servers.iter().map(server).collect();
        Self { gateway: Arc::clone(gateway), servers, left: TaskTracker::new() }
    }

    /// The calls of this worker that go on although their client has left.
    pub(crate) const fn left(&self) -> &TaskTracker {
        &self.left
    }

    /// Sends a call and answers when the head of the answer is there.
    ///
    /// Whatever comes of it is noted on its credential.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<AnswerBody>, SendError> {
        let credential = Arc::clone(&call.to);
        let Some(server) = self.servers.get(credential.server) else {
            return Err(SendError::NotSent("the credential is for no server of this node".into()));
        };
        let Timeouts { first_byte, total, .. } = server.timeouts;
        // A file takes its time to be sent before there can be an answer.
        let patience = if call.body.is_long() { first_byte.max(total) } else { first_byte };
        let answer = timeout(patience, server.send(call)).await;
        let answer = answer.unwrap_or(Err(SendError::TimedOut));
        self.note(&credential, &answer);
        answer
    }

    fn note(&self, credential: &Credential, answer: &Result<Response<AnswerBody>, SendError>) {
        let now = self.gateway.clock().monotonic_micros();
        let sign = match answer {
            Ok(response) => sign(response, self.gateway.clock().now()),
            Err(SendError::NotSent(_) | SendError::TimedOut | SendError::Broken(_)) => {
                Sign::Failed { retry_after_micros: None }
            }
        };
        credential.note(sign, now, || self.gateway.lot());
    }
}

/// What an answer says of the health of its credential.
fn sign(response: &Response<AnswerBody>, now: Timestamp) -> Sign {
    let asked = || {
        let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
        retry_after(text, now)
    };
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => Sign::Limited { retry_after_micros: asked() },
        status if status.is_server_error() => Sign::Failed { retry_after_micros: asked() },
        _ => Sign::Well,
    }
}

/// Reads a `Retry-After`: seconds, or a date. A date that is over asks for no wait.
fn retry_after(text: &str, now: Timestamp) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(i64::MAX).saturating_mul(1_000_000));
    }
    let date = Timestamp::parse_http_date(text)?;
    Some(date.micros().saturating_sub(now.micros()).max(0))
}

impl Server {
    async fn send(&self, call: Call) -> Result<Response<AnswerBody>, SendError> {
        if let Some(connection) = self.take_idle() {
            return self.send_http1(connection, &call).await;
        }
        // What is rarer is boxed: a call's future is copied about, and a TLS handshake's would make it large.
        Box::pin(self.send_otherwise(call)).await
    }

    /// On the shared HTTP/2 connection, or on a new one of either kind.
    async fn send_otherwise(&self, call: Call) -> Result<Response<AnswerBody>, SendError> {
        let shared = lock(&self.connections).shared.clone().filter(|sender| !sender.is_closed());
        match shared {
            Some(sender) => self.send_http2(sender, call).await,
            None => match self.open().await? {
                Opened::Http1(connection) => self.send_http1(connection, &call).await,
                Opened::Http2(sender) => self.send_http2(sender, call).await,
            },
        }
    }

    async fn open(&self) -> Result<Opened, SendError> {
        let opened = timeout(self.timeouts.connect, connect(&self.target)).await;
        let opened = opened.map_err(|_| SendError::NotSent("no connection in time".into()))?;
        let opened = opened.map_err(SendError::NotSent)?;
        if let Opened::Http2(shared) = &opened {
            lock(&self.connections).shared = Some(shared.clone());
        }
        Ok(opened)
    }

    async fn send_http1(
        &self,
        connection: http1::Connection,
        call: &Call,
    ) -> Result<Response<AnswerBody>, SendError> {
        let response = connection.send(call, &self.target.authority).await?;
        Ok(response.map(|body| AnswerBody::Http1 { body, pool: Arc::clone(&self.connections) }))
    }

    async fn send_http2(&self, mut sender: Http2, call: Call) -> Result<Response<AnswerBody>, SendError> {
        let scheme = if self.target.tls.is_some() { "https" } else { "http" };
        let uri = format!("{scheme}://{}{}", self.target.authority.to_str().unwrap_or_default(), call.target);
        let mut request = Request::new(call.body.pieces());
        *request.method_mut() = call.method;
        *request.uri_mut() =
            uri.parse().map_err(|_| SendError::NotSent("the upstream address is not a URI".into()))?;
        let headers = request.headers_mut();
        headers.extend(call.to.authorization.clone().map(|value| (AUTHORIZATION, value)));
        headers.extend(call.body.content_type().map(|content_type| (CONTENT_TYPE, content_type.clone())));
        headers.insert(ACCEPT, HeaderValue::from_static(call.accept));
        headers.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        sender.ready().await.map_err(|error| SendError::NotSent(error.to_string()))?;
        let response =
            sender.send_request(request).await.map_err(|error| SendError::Broken(error.to_string()))?;
        Ok(response.map(AnswerBody::Http2))
    }

    fn take_idle(&self) -> Option<http1::Connection> {
        let mut connections = lock(&self.connections);
        while let Some((connection, since)) = connections.idle.pop() {
            if since.elapsed() >= IDLE_TRUST {
                // The rest is older still.
                connections.idle.clear();
            } else if connection.is_reusable() {
                return Some(connection);
            }
        }
        None
    }
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an answer broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer. A connection goes back to its pool when its answer was read to the end; else it is closed.
pub(crate) enum AnswerBody {
    /// Of a connection that carries one call at a time.
    Http1 { body: http1::Body, pool: Arc<Mutex<Connections>> },
    /// Of a shared connection.
    Http2(Incoming),
    /// What was read ahead of it, and the rest, if it goes on.
    Ahead { first: Option<Bytes>, rest: Option<Box<AnswerBody>> },
}

impl AnswerBody {
    /// The next piece: what has arrived.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self {
            Self::Http1 { body, pool } => {
                let piece = ready!(body.poll_piece(cx));
                if let Some(connection) = body.reclaim() {
                    let mut connections = lock(pool);
                    if connections.idle.len() < MAX_IDLE {
                        connections.idle.push((connection, Instant::now()));
                    }
                }
                Poll::Ready(piece.map(|piece| piece.map_err(Into::into)))
            }
            Self::Http2(incoming) => loop {
                // Trailers are dropped.
                match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    None => return Poll::Ready(None),
                }
            },
            Self::Ahead { first, rest } => match (first.take().filter(|first| !first.is_empty()), rest) {
                (Some(first), _) => Poll::Ready(Some(Ok(first))),
                (None, Some(rest)) => rest.poll_piece(cx),
                (None, None) => Poll::Ready(None),
            },
        }
    }

    /// Whether the whole body was handed out.
    pub(crate) fn is_ended(&self) -> bool {
        match self {
            Self::Http1 { body, .. } => body.is_ended(),
            Self::Http2(incoming) => incoming.is_end_stream(),
            Self::Ahead { first, rest } => {
                first.as_ref().is_none_or(Bytes::is_empty) && rest.as_ref().is_none_or(|rest| rest.is_ended())
            }
        }
    }

    /// What is known of the length of the rest.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1 { body, .. } => body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact),
            Self::Http2(incoming) => incoming.size_hint(),
            Self::Ahead { first, rest: None } => {
                let length = first.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Ahead { .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2026-11-21T10:00:00Z").unwrap();
        for (text, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sat, 21 Nov 2026 10:00:30 GMT", Some(30)),
            ("Sat, 21 Nov 2026 09:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(|s: i64| s * 1_000_000), "{text}");
        }
        assert_eq!(retry_after("99999999999999999999", now), Some(i64::MAX));
    }
}
