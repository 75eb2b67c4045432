//! The bodies that calls bring: the fields that Louver reads and lets pass, and no others.

mod calls;

use super::{Endpoint, agents, batch};
use serde_json::{Map, Value, json};

/// The name of an endpoint's body.
pub(super) const fn name(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions => Some("ChatCompletionRequest"),
        Endpoint::FimCompletions => Some("FimCompletionRequest"),
        Endpoint::Embeddings => Some("EmbeddingRequest"),
        Endpoint::Moderations | Endpoint::Classifications => Some("ClassificationRequest"),
        Endpoint::ChatModerations => Some("ChatModerationRequest"),
        Endpoint::ChatClassifications => Some("ChatClassificationRequest"),
        Endpoint::Ocr => Some("OcrRequest"),
        Endpoint::Speech => Some("SpeechRequest"),
        Endpoint::Responses => Some("ResponseRequest"),
        Endpoint::CountResponseTokens => Some("ResponseInputTokensRequest"),
        Endpoint::CreateBatchJob => Some("BatchJobRequest"),
        other => agents::name(other),
    }
}

pub(super) fn schemas() -> Vec<(String, Value)> {
    let bodies = [
        ("ChatCompletionRequest", body(chat(), &["model", "messages"])),
        ("FimCompletionRequest", body(fim(), &["model", "prompt"])),
        ("EmbeddingRequest", body(embeddings(), &["model", "input"])),
        ("ClassificationRequest", body(calls::classification(), &["model", "input"])),
        ("ChatModerationRequest", body(calls::chat_moderation(), &["model", "input"])),
        ("ChatClassificationRequest", body(calls::chat_classification(), &["model", "input"])),
        ("OcrRequest", body(calls::ocr(), &["model", "document"])),
        ("SpeechRequest", body(calls::speech(), &["model", "input"])),
        ("ResponseRequest", body(calls::response(), &["model", "input"])),
        ("ResponseInputTokensRequest", body(calls::counted(), &["model", "input"])),
        ("BatchJobRequest", body(batch::job(), &["endpoint"])),
    ];
    let of_agents = agents::bodies().into_iter().map(|(name, fields, needed)| (name, body(fields, needed)));
    bodies.into_iter().chain(of_agents).map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn body(properties: Map<String, Value>, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A field that may be absent or `null`.
pub(super) fn maybe(kind: &str, description: &str) -> Value {
    json!({"type": [kind, "null"], "description": description})
}

/// A whole number that may be absent or `null`.
fn count(least: u64, description: &str) -> Value {
    json!({"type": ["integer", "null"], "minimum": least, "description": description})
}

fn model() -> Value {
    json!({"type": "string", "minLength": 1, "description": "The model: an id or another name of it."})
}

/// The fields that all completions have.
fn completion() -> [(&'static str, Value); 11] {
    [
        ("model", model()),
        ("max_tokens", count(0, "Tokens of output at most; absent is what the rules leave.")),
        ("stream", maybe("boolean", "The answer comes as events.")),
        ("stream_options", maybe("object", "Handed on.")),
        ("temperature", maybe("number", "Handed on.")),
        ("top_p", maybe("number", "Handed on.")),
        (
            "stop",
            json!({"anyOf": [
                {"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}
            ], "description": "Handed on."}),
        ),
        ("random_seed", count(0, "Handed on.")),
        ("min_tokens", count(0, "Handed on.")),
        ("prompt_cache_key", cache_key()),
        ("metadata", maybe("object", "Handed on.")),
    ]
}

/// A name for prompts that upstream may keep.
fn cache_key() -> Value {
    maybe("string", "A name of the workspace's own: the same words of another workspace are another name.")
}

fn message() -> Value {
    json!({
        "type": "object",
        "description": "A message of Mistral's chat.",
        "properties": {
            "role": {"type": "string"},
            "content": {"description": "A text, or chunks."},
            "name": {"type": ["string", "null"]},
            "prefix": {"type": ["boolean", "null"]},
            "tool_calls": {"type": ["array", "null"], "items": {"type": "object"}},
            "tool_call_id": {"type": ["string", "null"]},
        },
        "additionalProperties": false,
    })
}

pub(super) fn chat() -> Map<String, Value> {
    let message = message();
    let list = |description: &str| json!({"type": ["array", "null"], "items": {"type": "object"}, "description": description});
    let choice = json!([{"type": "string"}, {"type": "object"}, {"type": "null"}]);
    let own = [
        ("messages", json!({"type": "array", "minItems": 1, "items": message, "description": "The chat."})),
        (
            "tools",
            list("Functions that the model may ask for, and tools of the provider that the rules allow."),
        ),
        ("tool_choice", json!({"anyOf": choice, "description": "Handed on."})),
        ("parallel_tool_calls", maybe("boolean", "Handed on.")),
        ("guardrails", list("Models that they name are judged too.")),
        (
            "n",
            json!({
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 128,
                "description": "Answers to one call.",
            }),
        ),
        (
            "service_tier",
            json!({"enum": ["standard_only", "auto", null], "description": "`auto` where the rules allow it; else \
                `standard_only` is sent."}),
        ),
        ("presence_penalty", maybe("number", "Handed on.")),
        ("frequency_penalty", maybe("number", "Handed on.")),
        ("repetition_penalty", maybe("number", "Handed on.")),
        ("top_k", count(0, "Handed on.")),
        ("logprobs", maybe("boolean", "Handed on.")),
        ("top_logprobs", count(0, "Handed on.")),
        ("prompt_logprobs", maybe("boolean", "Handed on.")),
        ("top_prompt_logprobs", count(0, "Handed on.")),
        ("response_format", maybe("object", "Handed on.")),
        ("prediction", maybe("object", "Plain text only.")),
        ("safe_prompt", maybe("boolean", "Its prompt is counted.")),
        ("prompt_mode", maybe("string", "Its prompt is counted.")),
        ("reasoning_effort", maybe("string", "Handed on.")),
    ];
    named(completion().into_iter().chain(own))
}

fn fim() -> Map<String, Value> {
    let own = [
        ("prompt", json!({"type": "string", "description": "The code before."})),
        ("suffix", maybe("string", "The code after.")),
    ];
    named(completion().into_iter().chain(own))
}

fn embeddings() -> Map<String, Value> {
    named([
        ("model", model()),
        ("input", texts()),
        ("metadata", maybe("object", "Handed on.")),
        ("output_dimension", count(0, "Handed on.")),
        ("output_dtype", maybe("string", "Handed on.")),
        ("encoding_format", maybe("string", "Handed on.")),
    ])
}

fn texts() -> Value {
    json!({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "One text, or many.",
    })
}

fn named(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
