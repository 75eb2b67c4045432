//! Passes the answer on as it comes, and looks on: usage is found in the bytes, and at the end the call is settled.
//!
//! Pieces that have already arrived go on together: one write to the client for a burst, not one for each piece.
//! Nothing is held back for longer than one turn of the event loop.

use crate::settings::Timeouts;
use crate::settle::{Outcome, Ticket};
use crate::upstream::AnswerBody;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use louver_mistral::usage::UsageFinder;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("upstream broke off: {0}")]
    Upstream(hyper::Error),
    #[error("upstream fell silent")]
    Silent,
    #[error("the call took too long")]
    TooLong,
}

/// What a client is told when a stream breaks off: an event, then the connection ends without `[DONE]`.
const STREAM_ERROR: &[u8] = b"data: {\"object\":\"error\",\"message\":\"The answer broke off upstream.\",\"type\":\"upstream_error\",\"param\":null,\"code\":\"upstream_error\"}\n\n";
/// More than this is not gathered into one piece.
const GATHER_BYTES: usize = 64 * 1024;

/// The body of the answer to the client.
pub(crate) struct Relay {
    upstream: AnswerBody,
    finder: Option<UsageFinder>,
    ticket: Option<Ticket>,
    stream: bool,
    gathered: BytesMut,
    first: Option<Bytes>,
    yielded: bool,
    broken: Option<Broken>,
    flushed: bool,
    timer: Timer,
}

impl Relay {
    pub(crate) fn new(upstream: AnswerBody, ticket: Ticket, stream: bool, timeouts: &Timeouts) -> Self {
        let finder = if stream { UsageFinder::for_stream() } else { UsageFinder::for_answer() };
        Self {
            upstream,
            finder: Some(finder),
            ticket: Some(ticket),
            stream,
            gathered: BytesMut::new(),
            first: None,
            yielded: false,
            broken: None,
            flushed: false,
            timer: Timer::new(timeouts),
        }
    }

    fn settle(&mut self, broken: Option<bool>) {
        let Some(ticket) = self.ticket.take() else { return };
        let found = self.finder.take().map(UsageFinder::finish).unwrap_or_default();
        match broken {
            None => ticket.settle(&Outcome::Whole(&found)),
            Some(client_left) => ticket.settle(&Outcome::Broken { seen: &found, client_left }),
        }
    }

    /// Ends a broken answer: a stream says so in an event first, then (and otherwise at once) the connection is cut.
    fn break_off(&mut self, broken: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        tracing::warn!(error = %broken, "an answer broke off");
        self.settle(Some(false));
        if !self.stream {
            return Poll::Ready(Some(Err(broken)));
        }
        self.broken = Some(broken);
        let mut last = self.take_gathered().map_or_else(BytesMut::new, BytesMut::from);
        last.extend_from_slice(STREAM_ERROR);
        Poll::Ready(Some(Ok(Frame::data(last.freeze()))))
    }

    /// Keeps a piece of a stream: the first as it is, more of them copied together.
    fn gather(&mut self, data: Bytes) {
        if self.gathered.is_empty() && self.first.is_none() {
            self.first = Some(data);
            return;
        }
        if let Some(first) = self.first.take() {
            self.gathered.reserve(first.len().saturating_add(data.len()).max(4096));
            self.gathered.extend_from_slice(&first);
        }
        self.gathered.extend_from_slice(&data);
    }

    fn take_gathered(&mut self) -> Option<Bytes> {
        self.yielded = false;
        self.first.take().or_else(|| (!self.gathered.is_empty()).then(|| self.gathered.split().freeze()))
    }

    fn has_gathered(&self) -> bool {
        self.first.is_some() || !self.gathered.is_empty()
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
        loop {
            match Pin::new(&mut this.upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are dropped.
                    let Ok(data) = frame.into_data() else { continue };
                    if let Some(finder) = &mut this.finder {
                        finder.feed(&data);
                    }
                    this.timer.touched = true;
                    if this.upstream.is_end_stream() {
                        this.settle(None);
                    }
                    if !this.stream {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    this.gather(data);
                    this.yielded = false;
                    if this.gathered.len() >= GATHER_BYTES {
                        return Poll::Ready(this.take_gathered().map(|data| Ok(Frame::data(data))));
                    }
                }
                Poll::Ready(Some(Err(error))) => return this.break_off(Broken::Upstream(error)),
                Poll::Ready(None) => {
                    this.settle(None);
                    return Poll::Ready(this.take_gathered().map(|data| Ok(Frame::data(data))));
                }
                Poll::Pending if this.has_gathered() => {
                    if this.yielded {
                        return Poll::Ready(this.take_gathered().map(|data| Ok(Frame::data(data))));
                    }
                    // One turn for the connection's task to hand over what it has read already.
                    this.yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => {
                    let broken = ready!(this.timer.poll(cx));
                    return this.break_off(broken);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.is_end_stream() && !self.has_gathered() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.stream { SizeHint::default() } else { self.upstream.size_hint() }
    }
}

impl Drop for Relay {
    /// The client left, or the connection ended, before the answer did.
    fn drop(&mut self) {
        self.settle(Some(true));
    }
}

/// Two limits in one timer: silence between pieces, and the whole call. It is armed by the first wait and looks once
/// per idle time whether something came, so that a piece costs no timer.
struct Timer {
    idle: std::time::Duration,
    total: std::time::Duration,
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
