//! Refusals in the description: which operation has which, and their two shapes.

use super::about::About;
use super::{is_mistrals, names_in};
use crate::routes::{Access, Operation};
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The refusals of an operation: those that follow from what it is, and those that it names.
pub(super) fn of(operation: &Operation, about: &About) -> Map<String, Value> {
    let mistral = is_mistrals(operation.path);
    let mut statuses = BTreeSet::from([400, 503]);
    statuses.extend(&about.refuses);
    if matches!(operation.access, Access::Admin(_) | Access::AnyAdmin | Access::ApiKey) {
        statuses.insert(401);
    }
    if matches!(operation.access, Access::Admin(_)) {
        statuses.insert(403);
    }
    if names_in(operation.path).next().is_some() {
        statuses.insert(404);
    }
    if about.body.is_some() {
        statuses.extend([413, 422]);
    }
    if !about.query.is_empty() || (mistral && names_in(operation.path).next().is_some()) {
        statuses.insert(422);
    }
    if operation.is_once() {
        statuses.extend([409, 413, 422, 429]);
    }
    if about.edited && operation.method != Method::GET {
        statuses.insert(412);
    }
    statuses.into_iter().map(|status| (status.to_string(), response(status, mistral))).collect()
}

fn response(status: u16, mistral: bool) -> Value {
    let schema = match (status, mistral) {
        (401, _) => "Detail",
        (422, true) => "InvalidRequest",
        (_, true) => "Detail",
        (_, false) => "Refusal",
    };
    let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
    json!({"description": meaning(status), "content": {"application/json": {"schema": schema}}})
}

/// What a status says.
pub(super) const fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Done.",
        201 => "Made.",
        202 => "Begun.",
        204 => "Done; there is nothing to tell.",
        400 => "The body is not one unambiguous JSON value, or the address holds a key.",
        401 => "No credential that is accepted.",
        403 => "The caller may not do this.",
        404 => "It is not there, or not in the caller's organization.",
        409 => {
            "It does not fit what is there, or the request of this idempotency key cannot be answered again."
        }
        412 => "It has changed since the state that `If-Match` names.",
        413 => "The body is larger than 1 MiB.",
        422 => "A field, a parameter or a header is of the wrong shape.",
        429 => "The caller has too many requests with an idempotency key that are not answered.",
        503 => "The database does not answer; try again.",
        _ => "Refused.",
    }
}

/// The shapes of refusals.
pub(super) fn schemas() -> Map<String, Value> {
    let fault = json!({
        "type": "object",
        "description": "What is wrong with one field or parameter.",
        "required": ["loc", "msg", "type"],
        "properties": {
            "loc": {
                "type": "array",
                "minItems": 1,
                "items": {"type": ["string", "integer"]},
                "description": "The way to the field: `body`, `query` or `header`, then names and places in lists.",
            },
            "msg": {"type": "string", "description": "What is wrong, without the value."},
            "type": {"type": "string", "description": "The kind of fault."},
        },
    });
    let faults = json!({"type": "array", "items": {"$ref": "#/components/schemas/Fault"}});
    let detail = json!({
        "type": "object",
        "description": "A refusal in Mistral's shape.",
        "required": ["detail"],
        "properties": {"detail": {"type": "string", "description": "One sentence for the caller."}},
    });
    let invalid = json!({
        "type": "object",
        "description": "A refusal of the shape of a request, in Mistral's shape.",
        "required": ["detail"],
        "properties": {"detail": faults},
    });
    let mut schemas = Map::new();
    for (name, schema) in
        [("Fault", fault), ("Detail", detail), ("InvalidRequest", invalid), ("Refusal", refusal(&faults))]
    {
        schemas.insert(name.to_owned(), schema);
    }
    schemas
}

fn refusal(faults: &Value) -> Value {
    json!({
        "type": "object",
        "description": "A refusal of the admin side.",
        "required": ["object", "message", "type", "param", "code", "raw_status_code", "request_id", "detail"],
        "properties": {
            "object": {"const": "error"},
            "message": {"type": "string", "description": "One sentence for the caller."},
            "type": {"type": "string", "description": "What went wrong, for programs."},
            "param": {"type": ["string", "null"], "description": "The field at fault."},
            "code": {"type": "string", "description": "The same as `type`, or `invalid_json`."},
            "raw_status_code": {"type": "integer", "description": "The status of the answer."},
            "request_id": {"type": "string", "description": "The request's id, as in `x-request-id`."},
            "detail": {"anyOf": [{"type": "string"}, faults]},
            "line": {"type": "integer", "description": "The line of a fault in the JSON, from 1."},
            "column": {"type": "integer", "description": "The column of a fault in the JSON, from 1."},
        },
    })
}
