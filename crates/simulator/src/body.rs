//! The body of an answer: sent at its pace, cut off where a fault says so, noted in the ledger as it goes.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::{
    fault::Cut,
    ledger::{Call, End},
    refusal,
    reply::Content,
    stored::Spool,
};

/// How long a reset waits, so that what was said before it reaches the client first.
const FLUSH: Duration = Duration::from_millis(5);

enum Step {
    /// Bytes with the tokens in them.
    Data(Bytes, u64),
    /// A piece of a spool, from here on, with its length.
    Piece(Arc<Spool>, u64, u64),
    /// Nothing more, for ever.
    Hang,
    /// A moment in which all before is sent.
    Flush,
    /// An error, by which the connection is cut.
    Reset,
}

/// The body of a simulated answer.
pub struct Answer {
    steps: std::vec::IntoIter<Step>,
    /// Bytes still to come, if their number was promised.
    length: Option<u64>,
    pace: Duration,
    wait: Option<Pin<Box<Sleep>>>,
    hung: bool,
    /// How the call has ended when all steps are done.
    done: End,
    /// The call, unless it goes on as something else.
    call: Option<Call>,
}

impl Answer {
    pub(crate) fn new(content: Content, cut: Option<(u64, Cut)>, pace: Duration, call: Call) -> Self {
        let (steps, length, cut_off) = match content {
            Content::Whole(bytes) => {
                let length = bytes.len() as u64;
                (whole(bytes, cut), Some(length), cut.is_some())
            }
            Content::Spooled(spool) => {
                let length = spool.length();
                (pieces(&spool, cut), Some(length), cut.is_some())
            }
            Content::Events(events) => {
                let cut_off = cut.is_some_and(|(after, _)| after < events.len() as u64);
                (stream(events, cut, error_event()), None, cut_off)
            }
            Content::Named(events) => {
                let cut_off = cut.is_some_and(|(after, _)| after < events.len() as u64);
                (stream(events, cut, Bytes::from_static(NAMED_ERROR)), None, cut_off)
            }
        };
        let done = if cut_off { End::Broken } else { End::Whole };
        if steps.is_empty() || length == Some(0) {
            // Of an empty body the connection asks nothing.
            call.end(done);
        }
        Self { steps: steps.into_iter(), length, pace, wait: None, hung: false, done, call: Some(call) }
    }

    /// A body without bytes, with which no call ends.
    pub(crate) fn empty() -> Self {
        let (steps, pace) = (Vec::new().into_iter(), Duration::ZERO);
        Self { steps, length: None, pace, wait: None, hung: false, done: End::Whole, call: None }
    }

    fn end(&self, end: End) {
        if let Some(call) = &self.call {
            call.end(end);
        }
    }

    fn data(&mut self, bytes: Bytes, tokens: u64) -> Frame<Bytes> {
        if let Some(call) = &self.call {
            call.sent(tokens);
        }
        if self.steps.as_slice().is_empty() {
            self.end(self.done);
        } else if !self.pace.is_zero() {
            self.wait = Some(Box::pin(sleep(self.pace)));
        }
        self.length = self.length.map(|length| length.saturating_sub(bytes.len() as u64));
        Frame::data(bytes)
    }
}

/// A whole answer; of one that is cut off after all half is sent.
fn whole(bytes: Bytes, cut: Option<(u64, Cut)>) -> Vec<Step> {
    let Some((after, cut)) = cut.filter(|(_, cut)| *cut != Cut::Error) else {
        return vec![Step::Data(bytes, 0)];
    };
    let mut steps = Vec::new();
    if after > 0 {
        steps.push(Step::Data(bytes.slice(..bytes.len() / 2), 0));
    }
    // A body with a promised length cannot end early in any proper way.
    if cut == Cut::Hang {
        steps.push(Step::Hang)
    } else {
        steps.extend([Step::Flush, Step::Reset])
    }
    steps
}

/// What a spool holds, which is read only when its turn comes.
fn pieces(spool: &Arc<Spool>, cut: Option<(u64, Cut)>) -> Vec<Step> {
    const PIECE: u64 = 1 << 20;
    let length = if cut.is_some() { spool.length() / 2 } else { spool.length() };
    let mut steps = Vec::new();
    let mut from = 0;
    while from < length {
        let some = PIECE.min(length - from);
        steps.push(Step::Piece(Arc::clone(spool), from, some));
        from += some;
    }
    match cut.map(|(_, cut)| cut) {
        Some(Cut::Hang) => steps.push(Step::Hang),
        Some(Cut::Reset | Cut::End | Cut::Error) => steps.extend([Step::Flush, Step::Reset]),
        None => {}
    }
    steps
}

fn stream(events: Vec<(Bytes, u64)>, cut: Option<(u64, Cut)>, error: Bytes) -> Vec<Step> {
    let kept = cut.map_or(usize::MAX, |(after, _)| usize::try_from(after).unwrap_or(usize::MAX));
    let sent = events.into_iter().take(kept);
    let mut steps: Vec<Step> = sent.map(|(bytes, tokens)| Step::Data(bytes, tokens)).collect();
    match cut.map(|(_, cut)| cut) {
        Some(Cut::Hang) => steps.push(Step::Hang),
        Some(Cut::Reset) => steps.extend([Step::Flush, Step::Reset]),
        Some(Cut::Error) => steps.push(Step::Data(error, 0)),
        Some(Cut::End) | None => {}
    }
    steps
}

/// The error of a conversation's stream.
const NAMED_ERROR: &[u8] = b"event: conversation.response.error\n\
    data: {\"type\":\"conversation.response.error\",\"message\":\"Internal error\",\"code\":3000}\n\n";

/// Mistral's internal error as an event.
fn error_event() -> Bytes {
    let mut event = b"data: ".to_vec();
    if let Content::Whole(body) = refusal::status(500, None).content {
        event.extend_from_slice(&body);
    }
    event.extend_from_slice(b"\n\n");
    event.into()
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            if this.hung {
                return Poll::Pending;
            }
            if let Some(wait) = &mut this.wait {
                ready!(wait.as_mut().poll(cx));
                this.wait = None;
            }
            match this.steps.next() {
                Some(Step::Data(bytes, tokens)) => return Poll::Ready(Some(Ok(this.data(bytes, tokens)))),
                Some(Step::Piece(spool, from, length)) => {
                    return Poll::Ready(Some(
                        spool.read(from, length).map(|bytes| this.data(bytes.into(), 0)),
                    ));
                }
                Some(Step::Hang) => this.hung = true,
                Some(Step::Flush) => this.wait = Some(Box::pin(sleep(FLUSH))),
                Some(Step::Reset) => {
                    this.end(End::Broken);
                    return Poll::Ready(Some(Err(io::Error::other("simulated reset"))));
                }
                None => {
                    this.end(this.done);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.as_slice().is_empty() && !self.hung && self.wait.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
