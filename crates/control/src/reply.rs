//! How an answer is written: JSON, and the tag of its state.

use crate::Control;
use crate::error::ControlError;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use std::fmt::Write as _;

/// An answer in JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    let (status, bytes) = match serde_json::to_vec(value) {
        Ok(bytes) => (status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, b"{\"object\":\"error\"}".to_vec())
        }
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A 200 in JSON.
pub(crate) fn ok<T: Serialize>(value: &T) -> Response {
    json(StatusCode::OK, value)
}

/// A 200 in JSON with the tag that `If-Match` takes.
pub(crate) fn tagged<T: Serialize>(control: &Control, value: &T) -> Result<Response, ControlError> {
    let tag = etag(control, value)?;
    let mut response = ok(value);
    let header = HeaderValue::from_str(&tag).map_err(|error| ControlError::Internal(error.to_string()))?;
    response.headers_mut().insert(ETAG, header);
    Ok(response)
}

/// The tag of what is shown: half of a keyed hash of its JSON, the same on every node.
pub(crate) fn etag<T: Serialize>(control: &Control, value: &T) -> Result<String, ControlError> {
    let hash = control.pepper.fingerprint(&serde_json::to_string(value)?);
    let mut tag = String::from("\"");
    for byte in hash.iter().take(16) {
        write!(tag, "{byte:02x}").map_err(|error| ControlError::Internal(error.to_string()))?;
    }
    tag.push('"');
    Ok(tag)
}
