//! The body of a request for a batch job: the fields that Louver reads and lets pass, and no others.

use super::requests::maybe;
use crate::batch::{ENDPOINTS, MOST_INLINE};
use serde_json::{Map, Value, json};

/// Its fields; a job has files or requests.
pub(super) fn job() -> Map<String, Value> {
    let paths: Vec<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.path()).collect();
    let line = json!({
        "type": "object",
        "required": ["custom_id", "body"],
        "properties": {
            "custom_id": {"type": "string", "minLength": 1, "maxLength": 512, "description": "Names it in the output."},
            "method": {"const": "POST"},
            "url": {"enum": paths},
            "body": {"type": "object", "description": "As a call of its own, and never streamed."},
        },
        "additionalProperties": false,
    });
    let files = json!({
        "type": ["array", "null"],
        "maxItems": 100,
        "items": {"type": "string"},
        "description": "Files of the workspace that were uploaded for a batch.",
    });
    let requests = json!({
        "type": ["array", "null"],
        "maxItems": MOST_INLINE,
        "items": line,
        "description": "The requests themselves, in the place of files.",
    });
    let hours = json!({
        "type": ["integer", "null"], "minimum": 1, "maximum": 168, "description": "Hours that it may take; 24 if not said.",
    });
    let fields = [
        (
            "endpoint",
            json!({"enum": paths, "description": "Where its requests go; a permission of its own."}),
        ),
        ("model", maybe("string", "The model of requests that name none.")),
        ("input_files", files),
        ("requests", requests),
        ("timeout_hours", hours),
        ("metadata", maybe("object", "Handed on. `louver_intent` is Louver's own.")),
    ];
    fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
