//! An answer before it is sent: status, headers and what the body is made of.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use std::sync::Arc;

use crate::{
    billed::Billed,
    fault::{Fault, Plan},
    refusal,
    stored::Spool,
    usage::{Reported, Reports},
};

/// The media type of a whole answer.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The media type of a stream.
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// Headers in order.
pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

/// What a body is made of.
pub(crate) enum Content {
    /// All at once, with a length.
    Whole(Bytes),
    /// Event by event, each with the tokens generated for it.
    Events(Vec<(Bytes, u64)>),
    /// The same, of events with names.
    Named(Vec<(Bytes, u64)>),
    /// What a spool holds, piece by piece, with a length.
    Spooled(Arc<Spool>),
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    pub(crate) content: Content,
    /// What is billed when the head goes out.
    pub(crate) billed: Box<Billed>,
}

impl Reply {
    /// A whole answer of these bytes.
    pub(crate) fn whole(status: StatusCode, bytes: impl Into<Bytes>) -> Self {
        let headers = vec![(header::CONTENT_TYPE, JSON)];
        Self { status, headers, content: Content::Whole(bytes.into()), billed: Box::default() }
    }

    /// A whole answer in JSON.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // The simulator's own shapes have string keys only, so that serializing cannot fail.
        Self::whole(status, serde_json::to_vec(value).unwrap_or_default())
    }

    /// A stream of events.
    pub(crate) fn events(events: Vec<(Bytes, u64)>) -> Self {
        let headers = vec![
            (header::CONTENT_TYPE, EVENTS),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        Self { status: StatusCode::OK, headers, content: Content::Events(events), billed: Box::default() }
    }

    /// The bytes of a spool.
    pub(crate) fn spooled(spool: Arc<Spool>, kind: &str) -> Self {
        let kind =
            HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let headers = vec![(header::CONTENT_TYPE, kind)];
        Self { status: StatusCode::OK, headers, content: Content::Spooled(spool), billed: Box::default() }
    }

    /// Nothing, with this status.
    pub(crate) fn empty(status: StatusCode) -> Self {
        let content = Content::Whole(Bytes::new());
        Self { status, headers: Vec::new(), content, billed: Box::default() }
    }

    /// A stream of events with names.
    pub(crate) fn named_events(events: Vec<(Bytes, u64)>) -> Self {
        Self { content: Content::Named(events), ..Self::events(Vec::new()) }
    }

    /// A whole answer that reports what it used under this name.
    pub(crate) fn reporting<U: Serialize>(
        body: &Map<String, Value>,
        name: &'static str,
        reports: &Reports<U>,
    ) -> Self {
        Self::json(StatusCode::OK, &Reported { body, name, reports })
    }

    /// The same, billed so when its head goes out.
    pub(crate) fn bill(mut self, billed: Billed) -> Self {
        *self.billed = billed;
        self
    }

    /// All that was generated for it.
    pub(crate) fn worked(&self) -> Billed {
        let said: u64 = match &self.content {
            Content::Whole(_) | Content::Spooled(_) => 0,
            Content::Events(events) | Content::Named(events) => events.iter().map(|(_, tokens)| tokens).sum(),
        };
        let mut worked = *self.billed;
        worked.add(Billed::new(0, said));
        worked
    }

    /// The same with the header that tells what it counts for.
    pub(crate) fn cost(self, tokens: u64) -> Self {
        self.with(HeaderName::from_static("x-ratelimit-tokens-query-cost"), &tokens.to_string())
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The answer a fault puts in place of any other, if one does.
    pub(crate) fn instead(plan: &Plan, stream: bool, bearer: &str) -> Option<Self> {
        plan.faults.iter().find_map(|fault| match fault {
            Fault::Status { status, retry_after, body } => {
                let reply = refusal::status(*status, body.as_ref());
                Some(match retry_after {
                    Some(seconds) => reply.with(header::RETRY_AFTER, &seconds.to_string()),
                    None => reply,
                })
            }
            Fault::Garbage if stream => Some(Self::events(vec![(Bytes::from_static(GARBAGE), 0)])),
            Fault::Garbage => Some(Self::whole(StatusCode::OK, GARBAGE)),
            Fault::ErrorInStream { .. } if !stream => {
                Some(Self { status: StatusCode::OK, ..refusal::status(500, None) })
            }
            Fault::Redirect { location } => {
                let location = location.as_deref().unwrap_or("https://simulator.invalid/elsewhere");
                let body = serde_json::json!({"message": "simulated redirect"});
                Some(Self::json(StatusCode::TEMPORARY_REDIRECT, &body).with(header::LOCATION, location))
            }
            Fault::EchoCredential => {
                let body = serde_json::json!({"detail": format!("Unauthorized: Bearer {bearer}")});
                Some(Self::json(StatusCode::UNAUTHORIZED, &body))
            }
            _ => None,
        })
    }

    /// The same answer with the headers that faults add.
    pub(crate) fn adorned(mut self, plan: &Plan) -> Self {
        for fault in &plan.faults {
            self = match fault {
                Fault::BigHeader { bytes } => {
                    self.with(HeaderName::from_static("x-simulated-big"), &"a".repeat((*bytes).min(BIGGEST)))
                }
                Fault::SetCookie => self.with(header::SET_COOKIE, "simulated=1; Path=/; HttpOnly"),
                _ => self,
            };
        }
        self
    }
}

/// One named event with its data; Mistral names the events of everything but completions.
pub(crate) fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut text = format!("event: {name}\ndata: ").into_bytes();
    // Shapes with string keys only cannot fail to be written into memory.
    let _ = serde_json::to_writer(&mut text, data);
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// No header is bigger.
const BIGGEST: usize = 1 << 20;
/// Neither JSON nor an event nor UTF-8.
const GARBAGE: &[u8] =
    b"\x00\xff<<< simulated garbage >>>\x80\xfe {\"usage\": {\"prompt_tokens\": nope\r\r\n";
