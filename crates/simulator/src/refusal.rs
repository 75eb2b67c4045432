//! Mistral's error bodies.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{lenient::Problem, reply::Reply};

/// The flat envelope of the inference service.
#[derive(Serialize)]
struct Envelope<M> {
    object: &'static str,
    message: M,
    r#type: &'static str,
    param: Option<()>,
    code: Option<&'static str>,
    raw_status_code: u16,
}

fn envelope<M: Serialize>(
    status: StatusCode,
    message: M,
    kind: &'static str,
    code: Option<&'static str>,
) -> Reply {
    let raw_status_code = status.as_u16();
    let body = Envelope { object: "error", message, r#type: kind, param: None, code, raw_status_code };
    Reply::json(status, &body)
}

/// No such path; said by the proxy in front.
pub(crate) fn no_route() -> Reply {
    Reply::json(StatusCode::NOT_FOUND, &json!({"message": "no Route matched with those values"}))
}

/// No credential.
pub(crate) fn unauthorized() -> Reply {
    Reply::json(StatusCode::UNAUTHORIZED, &json!({"detail": "Unauthorized"}))
}

/// A model that is not served, or not here.
pub(crate) fn invalid_model(name: &str) -> Reply {
    let message = format!("Invalid model: {name}");
    envelope(StatusCode::BAD_REQUEST, message, "invalid_model", Some("1500"))
}

/// A card that does not exist. The real body is not known; this one has the usual shape.
pub(crate) fn no_model(name: &str) -> Reply {
    envelope(StatusCode::NOT_FOUND, format!("Invalid model: {name}"), "invalid_model", Some("1500"))
}

/// A prompt longer than the model's context.
pub(crate) fn too_long(prompt: u64, context: u64) -> Reply {
    let message = format!(
        "Prompt contains {prompt} tokens and 0 draft tokens, too large for model with {context} maximum context length"
    );
    envelope(StatusCode::BAD_REQUEST, message, "invalid_request_invalid_args", Some("3051"))
}

/// An embeddings request with more inputs than are taken at once.
pub(crate) fn too_many() -> Reply {
    let message = "Too many inputs in request, split into more batches.";
    envelope(StatusCode::BAD_REQUEST, message, "invalid_request_prompt", Some("3210"))
}

/// A `metadata.simulator` that cannot be followed.
pub(crate) fn misdirected(why: &str) -> Reply {
    let message = format!("metadata.simulator is not understood by the simulator: {why}");
    envelope(StatusCode::BAD_REQUEST, message, "simulator_directions", None)
}

/// A line of a batch that is no request.
pub(crate) fn misread(why: &str) -> Reply {
    envelope(StatusCode::BAD_REQUEST, why, "invalid_request_error", None)
}

/// A body that could not be received.
pub(crate) fn unreadable() -> Reply {
    envelope(StatusCode::BAD_REQUEST, "Request body could not be read", "invalid_request_error", None)
}

/// A request that fails validation; the message is an object.
pub(crate) fn unprocessable(problems: &[Problem]) -> Reply {
    envelope(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": problems }), "invalid_request_error", None)
}

/// A request that is none of the endpoint's, in these words.
pub(crate) fn unprocessable_as(message: &str) -> Reply {
    envelope(StatusCode::UNPROCESSABLE_ENTITY, message, "invalid_request_error", None)
}

/// A file or a document that cannot be fetched. Mistral's words are not known, only the type and the code.
pub(crate) fn unfetchable() -> Reply {
    let message = "File could not be fetched from url";
    envelope(StatusCode::BAD_REQUEST, message, "invalid_request_file", Some("3310"))
}

/// The usual body of a status, or the given one.
pub(crate) fn status(status: u16, body: Option<&Value>) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        Some(Value::String(text)) => return Reply::whole(status, Bytes::from(text.clone())),
        Some(value) => return Reply::json(status, value),
        None => {}
    }
    let (message, kind, code) = match status.as_u16() {
        401 => return unauthorized(),
        404 => return no_route(),
        402 => ("API budget exhausted.", "billing_api_budget_exhausted", Some("2303")),
        403 => ("This model is not available in your subscription tier", "tier_not_allowed", Some("1910")),
        429 => ("Rate limit exceeded", "rate_limited", Some("1300")),
        500 => ("Internal error", "internal_error", Some("3000")),
        503 => ("Internal server error", "unreachable_backend", Some("1100")),
        _ => ("Simulated error", "simulated_error", None),
    };
    envelope(status, message, kind, code)
}
