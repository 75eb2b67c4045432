//! What calls are answered: upstream's bodies as far as Louver relies on them, its own lists, and refusals.

use super::Endpoint;
use serde_json::{Value, json};

/// The name of an endpoint's answer.
pub(super) const fn name(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ChatCompletions => "ChatCompletionResponse",
        Endpoint::FimCompletions => "FimCompletionResponse",
        Endpoint::Embeddings => "EmbeddingResponse",
        Endpoint::ListModels => "ModelList",
        Endpoint::GetModel => "ModelCard",
        _ => "UpstreamObject",
    }
}

pub(super) fn schemas() -> Vec<(String, Value)> {
    let schemas = [
        ("ChatCompletionResponse", completion("Upstream's answer to a chat, as it came.")),
        ("FimCompletionResponse", completion("Upstream's answer to code with a gap, as it came.")),
        ("EmbeddingResponse", embeddings()),
        ("UsageInfo", usage()),
        ("ModelList", models()),
        ("ModelCard", card()),
        ("UpstreamObject", json!({"type": "object", "description": "Upstream's answer."})),
        ("CallRefusal", refusal()),
        (
            "Unauthorized",
            json!({
                "type": "object",
                "description": "No key that is accepted; which part failed is not told.",
                "required": ["detail"],
                "properties": {"detail": {"const": "Unauthorized"}},
            }),
        ),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn shared(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn completion(description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": ["id", "object", "model", "usage", "choices"],
        "properties": {
            "id": {"type": "string"},
            "object": {"type": "string"},
            "created": {"type": "integer"},
            "model": {"type": "string"},
            "usage": shared("UsageInfo"),
            "choices": {"type": "array", "items": {"type": "object"}},
        },
    })
}

fn embeddings() -> Value {
    json!({
        "type": "object",
        "description": "Upstream's vectors, as they came.",
        "required": ["id", "object", "model", "usage", "data"],
        "properties": {
            "id": {"type": "string"},
            "object": {"type": "string"},
            "model": {"type": "string"},
            "usage": shared("UsageInfo"),
            "data": {"type": "array", "items": {"type": "object"}},
        },
    })
}

fn usage() -> Value {
    json!({
        "type": "object",
        "description": "What the call used, and is charged for.",
        "required": ["prompt_tokens", "total_tokens"],
        "properties": {
            "prompt_tokens": {"type": "integer"},
            "completion_tokens": {"type": "integer"},
            "total_tokens": {"type": "integer"},
        },
    })
}

fn models() -> Value {
    json!({
        "type": "object",
        "required": ["object", "data"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": shared("ModelCard")},
        },
    })
}

fn card() -> Value {
    let capabilities = [
        "completion_chat",
        "function_calling",
        "reasoning",
        "completion_fim",
        "fine_tuning",
        "vision",
        "ocr",
        "classification",
        "moderation",
        "audio",
        "audio_transcription",
        "audio_transcription_realtime",
        "audio_speech",
        "unified_resources",
    ];
    let flags = capabilities.map(|name| (name.to_owned(), json!({"type": "boolean"})));
    let flags: serde_json::Map<String, Value> = flags.into_iter().collect();
    json!({
        "type": "object",
        "required": [
            "id", "object", "created", "owned_by", "capabilities", "name", "description", "max_context_length",
            "aliases", "deprecation", "deprecation_replacement_model", "default_model_temperature", "type",
        ],
        "properties": {
            "id": {"type": "string", "description": "The name to call it by."},
            "object": {"const": "model"},
            "created": {"type": "integer"},
            "owned_by": {"type": "string"},
            "capabilities": {"type": "object", "required": capabilities, "properties": flags},
            "name": {"type": ["string", "null"], "description": "The pinned id."},
            "description": {"type": ["string", "null"]},
            "max_context_length": {"type": "integer", "description": "Tokens of input and output together."},
            "aliases": {"type": "array", "items": {"type": "string"}, "description": "Its other names."},
            "deprecation": {"type": ["string", "null"], "format": "date-time", "description": "When it ends."},
            "deprecation_replacement_model": {"type": ["string", "null"]},
            "default_model_temperature": {"type": ["number", "null"]},
            "internal": {"type": "boolean"},
            "billing_model_name": {"type": "string"},
            "type": {"type": "string"},
        },
    })
}

fn refusal() -> Value {
    let fault = json!({
        "type": "object",
        "required": ["loc", "msg", "type"],
        "properties": {
            "loc": {"type": "array", "items": {"type": "string"}, "description": "The way to the field."},
            "msg": {"type": "string", "description": "What is wrong."},
            "type": {"type": "string", "description": "The kind of fault."},
        },
    });
    let limit = json!({
        "type": "object",
        "description": "The limit that was reached.",
        "required": ["scope", "id", "window", "limit", "used", "remaining", "resets_at"],
        "properties": {
            "scope": {"type": "string", "description": "The level it stands on."},
            "id": {"type": "string", "description": "Whose limit it is."},
            "window": {"type": "string", "description": "The period it counts over."},
            "limit": {"type": "number", "description": "The limit."},
            "used": {"type": "number", "description": "What was used of it."},
            "remaining": {"type": "number", "description": "What is left of it."},
            "resets_at": {"type": ["string", "null"], "format": "date-time", "description": "When it turns."},
        },
    });
    json!({
        "type": "object",
        "description": "Why a call was refused. Upstream's own refusals come with upstream's body.",
        "required": ["object", "message", "type", "param", "code", "raw_status_code", "request_id"],
        "properties": {
            "object": {"const": "error"},
            "message": {"type": "string", "description": "One sentence for the caller."},
            "type": {"type": "string", "description": "What went wrong, for programs."},
            "param": {"type": ["string", "null"], "description": "The field at fault."},
            "code": {"type": "string", "description": "Mistral's number as a text, or the same as `type`."},
            "raw_status_code": {"type": "integer", "description": "The status of the answer."},
            "request_id": {"type": "string", "description": "The call's id, as in `x-request-id`."},
            "limit": limit,
            "detail": {"type": "array", "items": fault},
            "line": {"type": "integer", "description": "The line of a fault in the JSON, from 1."},
            "column": {"type": "integer", "description": "The column of a fault in the JSON, from 1."},
        },
    })
}
