//! Passes the answer on as it comes, and looks on: usage is found in the bytes, and at the end the call is settled.
//!
//! Nothing is held back. What has arrived together goes on together, since `upstream` hands out all there is.

use crate::forward::Answered;
use crate::settings::Timeouts;
use crate::settle::{Outcome, Ticket};
use crate::upstream::{AnswerBody, BodyError};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use louver_domain::endpoints::EndpointKind;
use louver_mistral::usage::UsageFinder;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tokio_util::task::TaskTracker;

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("upstream broke off: {0}")]
    Upstream(BodyError),
    #[error("upstream fell silent")]
    Silent,
    #[error("the call took too long")]
    TooLong,
}

/// What a client is told when a stream breaks off: an event, then the connection ends without `[DONE]`. Mistral's clients
/// read the flat fields, openai's the `error` member.
const STREAM_ERROR: &[u8] = concat!(
    "data: {\"object\":\"error\",\"message\":\"The answer broke off upstream.\",\"type\":\"upstream_error\",",
    "\"param\":null,\"code\":\"upstream_error\",\"error\":{\"message\":\"The answer broke off upstream.\",",
    "\"type\":\"upstream_error\",\"param\":null,\"code\":\"upstream_error\"}}\n\n",
)
.as_bytes();

/// The body of the answer to the client.
pub(crate) struct Relay {
    /// Taken out when the client leaves and the rest is read without it.
    upstream: Option<AnswerBody>,
    finder: Option<UsageFinder>,
    ticket: Option<Ticket>,
    stream: bool,
    broken: Option<Broken>,
    flushed: bool,
    timer: Timer,
    patience: Duration,
    left: TaskTracker,
}

impl Relay {
    pub(crate) fn new(
        upstream: AnswerBody,
        ticket: Ticket,
        stream: bool,
        timeouts: &Timeouts,
        left: TaskTracker,
    ) -> Self {
        Self {
            upstream: Some(upstream),
            finder: Some(finder(stream, &ticket)),
            ticket: Some(ticket),
            stream,
            broken: None,
            flushed: false,
            timer: Timer::new(timeouts),
            patience: timeouts.client_left,
            left,
        }
    }

    fn settle(&mut self, whole: bool) {
        let Some(ticket) = self.ticket.take() else { return };
        let found = self.finder.take().map(UsageFinder::finish).unwrap_or_default();
        ticket.settle(&if whole { Outcome::Whole(&found) } else { Outcome::Broken(&found) });
    }

    fn is_ended(&self) -> bool {
        self.upstream.as_ref().is_none_or(AnswerBody::is_ended)
    }

    /// Ends a broken answer: a stream says so in an event first, then (and otherwise at once) the connection is cut.
    fn break_off(&mut self, broken: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        tracing::warn!(error = %broken, "an answer broke off");
        self.settle(false);
        if !self.stream {
            return Poll::Ready(Some(Err(broken)));
        }
        self.broken = Some(broken);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(STREAM_ERROR)))))
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if this.broken.is_some() && !std::mem::replace(&mut this.flushed, true) {
            // An error drops what is still in the connection's buffer: one turn for the last event to go out.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(broken) = this.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        let Some(upstream) = &mut this.upstream else { return Poll::Ready(None) };
        match upstream.poll_piece(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                if let Some(finder) = &mut this.finder {
                    finder.feed(&piece);
                }
                this.timer.touched = true;
                if upstream.is_ended() {
                    this.settle(true);
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(error))) => this.break_off(Broken::Upstream(error)),
            Poll::Ready(None) => {
                this.settle(true);
                Poll::Ready(None)
            }
            Poll::Pending => {
                let broken = ready!(this.timer.poll(cx));
                this.break_off(broken)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.upstream {
            Some(upstream) if !self.stream => upstream.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Relay {
    /// The client left, or its connection ended, before the answer did: the rest is read without it.
    fn drop(&mut self) {
        let (Some(mut ticket), Some(finder), Some(upstream)) =
            (self.ticket.take(), self.finder.take(), self.upstream.take())
        else {
            return;
        };
        ticket.client_left = true;
        // Outside of a runtime nothing can be read on; the ticket settles by its guard.
        let Ok(runtime) = Handle::try_current() else { return };
        let now = Instant::now();
        let end = now.checked_add(self.patience).unwrap_or(now);
        self.left.spawn_on(read_on(upstream, ticket, finder, end), &runtime);
    }
}

pub(crate) fn finder(stream: bool, ticket: &Ticket) -> UsageFinder {
    match (stream, &ticket.turn) {
        _ if ticket.endpoint == EndpointKind::Responses => UsageFinder::for_response(stream),
        (false, _) => UsageFinder::for_answer(),
        (true, None) => UsageFinder::for_stream(),
        (true, Some(_)) => UsageFinder::for_conversation(),
    }
}

/// Reads an answer whose client left before its head was there, until `end`.
pub(crate) async fn read_alone(answered: Answered, end: Instant) {
    let Answered { mut ticket, response, stream, .. } = answered;
    ticket.client_left = true;
    let stream = stream && is_events(response.headers());
    let finder = finder(stream, &ticket);
    read_on(response.into_body(), ticket, finder, end).await;
}

/// Reads the rest of an answer, until `end`, and settles by what was seen.
async fn read_on(mut upstream: AnswerBody, ticket: Ticket, mut finder: UsageFinder, end: Instant) {
    loop {
        match timeout_at(end, poll_fn(|cx| upstream.poll_piece(cx))).await {
            Ok(Some(Ok(piece))) => finder.feed(&piece),
            Ok(None) => return ticket.settle(&Outcome::Whole(&finder.finish())),
            Ok(Some(Err(_))) | Err(_) => return ticket.settle(&Outcome::Broken(&finder.finish())),
        }
    }
}

/// Whether an answer is a stream of server-sent events.
pub(crate) fn is_events(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// Two limits in one timer: silence between pieces, and the whole call. It is armed by the first wait and looks once
/// per idle time whether something came, so that a piece costs no timer.
struct Timer {
    idle: Duration,
    total: Duration,
    end: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    touched: bool,
}

impl Timer {
    fn new(timeouts: &Timeouts) -> Self {
        Self { idle: timeouts.idle, total: timeouts.total, end: None, sleep: None, touched: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        loop {
            let now = Instant::now();
            let end = *self.end.get_or_insert_with(|| now.checked_add(self.total).unwrap_or(now));
            let next = now.checked_add(self.idle).unwrap_or(end).min(end);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(next)));
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= end {
                return Poll::Ready(Broken::TooLong);
            }
            if !std::mem::take(&mut self.touched) {
                return Poll::Ready(Broken::Silent);
            }
            self.sleep = None;
        }
    }
}
