//! Takes the body in: capped, at a minimum rate, then read strictly once.

use crate::edge;
use crate::reply::Failure;
use crate::settings::Settings;
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

/// What a call asks for, with the bytes it came in.
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) body: Bytes,
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
    Ok(Ask { request, body })
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
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if declared.is_some_and(|length| length > settings.max_body_bytes) {
        return Err(Failure::BodyTooLarge { limit: settings.max_body_bytes });
    }
    collect(settings, body).await
}

/// Collects a body. It has its grace, and from then on must come at the minimum rate. Most bodies are there at once:
/// the timer is armed by the first wait only.
async fn collect(settings: &Settings, mut body: Incoming) -> Result<Bytes, Failure> {
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut received: usize = 0;
    let start = Instant::now();
    while !body.is_end_stream() {
        let frame = timeout_at(deadline(settings, start, received), body.frame());
        let Some(frame) = frame.await.map_err(|_| Failure::RequestTimeout)? else { break };
        let frame = frame.map_err(|_| Failure::BadRequest { message: "the body broke off" })?;
        // Trailers are dropped.
        let Ok(data) = frame.into_data() else { continue };
        received = received.saturating_add(data.len());
        if received > settings.max_body_bytes {
            return Err(Failure::BodyTooLarge { limit: settings.max_body_bytes });
        }
        pieces.push(data);
    }
    if let [only] = pieces.as_mut_slice() {
        return Ok(std::mem::take(only));
    }
    let mut whole = BytesMut::with_capacity(received);
    pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
    Ok(whole.freeze())
}

fn deadline(settings: &Settings, start: Instant, received: usize) -> Instant {
    let earned = u64::try_from(received).unwrap_or(u64::MAX).checked_div(settings.min_body_rate).unwrap_or(0);
    let allowed = settings.timeouts.body_grace.saturating_add(Duration::from_secs(earned));
    start.checked_add(allowed.min(settings.timeouts.total)).unwrap_or(start)
}
