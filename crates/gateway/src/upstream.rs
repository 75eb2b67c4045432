//! The connections to upstream: one pool per worker, HTTP/1.1 or HTTP/2 as upstream offers.
//!
//! Idle HTTP/1.1 connections are taken last in, first out; one HTTP/2 connection carries all calls of a worker. A
//! request is tried again only when provably no byte of it was sent.

mod connect;

use crate::settings::{Timeouts, UpstreamTarget};
use bytes::Bytes;
use connect::{Sender, connect};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::{http1, http2};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Why a request has no answer.
pub(crate) enum SendError {
    /// No byte was sent.
    NotSent(String),
    /// No head of an answer in time.
    TimedOut,
    /// The connection broke after something was sent.
    Broken(String),
}

type Http1 = http1::SendRequest<Full<Bytes>>;
type Http2 = http2::SendRequest<Full<Bytes>>;

/// Idle connections kept at most.
const MAX_IDLE: usize = 512;
/// How long an idle connection is trusted.
const IDLE_TRUST: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Connections {
    idle: Vec<(Http1, Instant)>,
    shared: Option<Http2>,
}

/// The connections of one worker.
#[derive(Clone)]
pub(crate) struct Pool {
    target: Arc<UpstreamTarget>,
    timeouts: Timeouts,
    connections: Arc<Mutex<Connections>>,
}

impl Pool {
    pub(crate) fn new(target: Arc<UpstreamTarget>, timeouts: Timeouts) -> Self {
        Self { target, timeouts, connections: Arc::default() }
    }

    /// Sends a request and answers when the head of the answer is there.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, SendError> {
        let first_byte = self.timeouts.first_byte;
        timeout(first_byte, self.send_untimed(request)).await.unwrap_or(Err(SendError::TimedOut))
    }

    async fn send_untimed(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, SendError> {
        while let Some(mut sender) = self.take_idle() {
            // A connection that upstream closed meanwhile gives the request back untouched.
            if sender.ready().await.is_err() {
                continue;
            }
            match self.send_http1(sender, request).await {
                Err(Retry::Again(back)) => request = *back,
                Err(Retry::Never(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        let shared = self.lock().shared.clone().filter(|sender| !sender.is_closed());
        let sender = match shared {
            Some(sender) => Sender::Http2(sender),
            None => self.open().await?,
        };
        match sender {
            Sender::Http1(sender) => self.send_http1(sender, request).await.map_err(|retry| match retry {
                Retry::Again(_) => SendError::NotSent("a new connection was closed at once".into()),
                Retry::Never(error) => error,
            }),
            Sender::Http2(sender) => self.send_http2(sender, request).await,
        }
    }

    async fn open(&self) -> Result<Sender, SendError> {
        let opened = timeout(self.timeouts.connect, connect(&self.target)).await;
        let sender = opened
            .map_err(|_| SendError::NotSent("no connection in time".into()))?
            .map_err(SendError::NotSent)?;
        if let Sender::Http2(shared) = &sender {
            self.lock().shared = Some(shared.clone());
        }
        Ok(sender)
    }

    async fn send_http1(
        &self,
        mut sender: Http1,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, Retry> {
        match sender.try_send_request(request).await {
            Ok(response) => {
                let pooled = Pooled { pool: Arc::clone(&self.connections), sender: Some(sender) };
                Ok(response.map(|incoming| AnswerBody { incoming, pooled: Some(pooled) }))
            }
            Err(mut error) => match error.take_message() {
                Some(request) => Err(Retry::Again(Box::new(request))),
                None => Err(Retry::Never(SendError::Broken(error.into_error().to_string()))),
            },
        }
    }

    async fn send_http2(
        &self,
        mut sender: Http2,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, SendError> {
        let scheme = if self.target.tls.is_some() { "https" } else { "http" };
        let authority = self.target.authority.to_str().unwrap_or_default();
        let uri = format!("{scheme}://{authority}{}", request.uri().path());
        *request.uri_mut() =
            uri.parse().map_err(|_| SendError::NotSent("the upstream address is not a URI".into()))?;
        request.headers_mut().remove(http::header::HOST);
        sender.ready().await.map_err(|error| SendError::NotSent(error.to_string()))?;
        let response =
            sender.send_request(request).await.map_err(|error| SendError::Broken(error.to_string()))?;
        Ok(response.map(|incoming| AnswerBody { incoming, pooled: None }))
    }

    fn take_idle(&self) -> Option<Http1> {
        let now = Instant::now();
        let mut connections = self.lock();
        while let Some((sender, since)) = connections.idle.pop() {
            if now.duration_since(since) < IDLE_TRUST {
                if !sender.is_closed() {
                    return Some(sender);
                }
            } else {
                // The rest is older still.
                connections.idle.clear();
            }
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Retry {
    Again(Box<Request<Full<Bytes>>>),
    Never(SendError),
}

/// A connection that goes back to the pool when its answer was read to the end, and is dropped otherwise.
struct Pooled {
    pool: Arc<Mutex<Connections>>,
    sender: Option<Http1>,
}

impl Pooled {
    fn give_back(mut self) {
        let Some(sender) = self.sender.take() else { return };
        let mut connections = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.idle.len() < MAX_IDLE {
            connections.idle.push((sender, Instant::now()));
        }
    }
}

/// The body of an answer.
pub(crate) struct AnswerBody {
    incoming: Incoming,
    pooled: Option<Pooled>,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let ended = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.incoming.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if ended && let Some(pooled) = self.pooled.take() {
            pooled.give_back();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
