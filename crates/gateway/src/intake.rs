//! Takes the body in: capped, at a minimum rate, then read strictly once.

use crate::edge;
use crate::reply::Failure;
use crate::settings::Settings;
use crate::uploads::Filled;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use louver_mistral::endpoints::Endpoint;
use louver_mistral::json::{self, Cursor};
use louver_mistral::request::{self, Request};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What a call asks for, with what it came in.
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) body: Given,
}

/// What a call came in.
pub(crate) enum Given {
    /// A document in JSON, as it was sent.
    Json(Bytes),
    /// A form, taken apart.
    Form(Filled),
}

/// Reads and understands the body of a call.
pub(crate) async fn read(
    settings: &Settings,
    endpoint: Endpoint,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Ask, Failure> {
    let body = bytes(settings, headers, body).await?;
    let request = request::read(endpoint, &body).map_err(Failure::Request)?;
    Ok(Ask { request, body: Given::Json(body) })
}

/// Reads the body of a request about an object: one sound JSON document.
pub(crate) async fn json(settings: &Settings, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Failure> {
    let body = bytes(settings, headers, body).await?;
    json::scan(&body, Cursor::skip).map_err(|error| Failure::Request(error.into()))?;
    Ok(body)
}

/// The bytes of a body in JSON.
async fn bytes(settings: &Settings, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Failure> {
    edge::json_body(headers)?;
    let mut flow = Flow::new(settings, headers, body, settings.max_body_bytes)?;
    let mut pieces: Vec<Bytes> = Vec::new();
    while let Some(piece) = flow.next().await? {
        pieces.push(piece);
    }
    if let [only] = pieces.as_mut_slice() {
        return Ok(std::mem::take(only));
    }
    let mut whole = BytesMut::with_capacity(flow.received);
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    Ok(whole.freeze())
}

/// A body as it comes: up to a size, with its grace, and from then on at the minimum rate. Most bodies are there at
/// once: the timer is armed by the first wait only.
pub(crate) struct Flow<'a> {
    settings: &'a Settings,
    body: Incoming,
    start: Instant,
    received: usize,
    most: usize,
}

impl<'a> Flow<'a> {
    /// A body of so many bytes at most; one that says that it is longer is not even begun.
    pub(crate) fn new(
        settings: &'a Settings,
        headers: &HeaderMap,
        body: Incoming,
        most: usize,
    ) -> Result<Self, Failure> {
        let declared = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        if declared.is_some_and(|length: usize| length > most) {
            return Err(Failure::BodyTooLarge { limit: most });
        }
        Ok(Self { settings, body, start: Instant::now(), received: 0, most })
    }

    /// The next piece, or `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while !self.body.is_end_stream() {
            let deadline = deadline(self.settings, self.start, self.received);
            let frame = timeout_at(deadline, self.body.frame()).await.map_err(|_| Failure::RequestTimeout)?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| Failure::BadRequest { message: "the body broke off" })?;
            // Trailers are dropped.
            let Ok(data) = frame.into_data() else { continue };
            self.received = self.received.saturating_add(data.len());
            if self.received > self.most {
                return Err(Failure::BodyTooLarge { limit: self.most });
            }
            return Ok(Some(data));
        }
        Ok(None)
    }
}

fn deadline(settings: &Settings, start: Instant, received: usize) -> Instant {
    let earned = u64::try_from(received).unwrap_or(u64::MAX).checked_div(settings.min_body_rate).unwrap_or(0);
    let allowed = settings.timeouts.body_grace.saturating_add(Duration::from_secs(earned));
    start.checked_add(allowed.min(settings.timeouts.total)).unwrap_or(start)
}
