//! The bodies that calls bring: the fields that Louver reads and lets pass, and no others.

use super::{Endpoint, agents};
use serde_json::{Map, Value, json};

/// The name of an endpoint's body.
pub(super) const fn name(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions => Some("ChatCompletionRequest"),
        Endpoint::FimCompletions => Some("FimCompletionRequest"),
        Endpoint::Embeddings => Some("EmbeddingRequest"),
        other => agents::name(other),
    }
}

pub(super) fn schemas() -> Vec<(String, Value)> {
    let bodies = [
        ("ChatCompletionRequest", body(chat(), &["model", "messages"])),
        ("FimCompletionRequest", body(fim(), &["model", "prompt"])),
        ("EmbeddingRequest", body(embeddings(), &["model", "input"])),
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
fn completion() -> [(&'static str, Value); 9] {
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
        ("metadata", maybe("object", "Handed on.")),
    ]
}

pub(super) fn chat() -> Map<String, Value> {
    let message = json!({
        "type": "object",
        "description": "A message of Mistral's chat: `role`, `content`, and what tools need.",
        "properties": {"role": {"type": "string"}},
        "additionalProperties": true,
    });
    let list = |description: &str| json!({"type": ["array", "null"], "items": {"type": "object"}, "description": description});
    let choice = json!([{"type": "string"}, {"type": "object"}, {"type": "null"}]);
    let own = [
        ("messages", json!({"type": "array", "minItems": 1, "items": message, "description": "The chat."})),
        ("tools", list("Functions that the model may ask for; other tools are refused.")),
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
            json!({"enum": ["standard_only", "auto", null], "description": "Only `standard_only` is served."}),
        ),
        ("presence_penalty", maybe("number", "Handed on.")),
        ("frequency_penalty", maybe("number", "Handed on.")),
        ("response_format", maybe("object", "Handed on.")),
        ("prediction", maybe("object", "Plain text only.")),
        ("safe_prompt", maybe("boolean", "Its prompt is counted.")),
        ("prompt_mode", maybe("string", "Its prompt is counted.")),
        ("reasoning_effort", maybe("string", "Handed on.")),
        ("prompt_cache_key", maybe("string", "Handed on.")),
    ];
    named(completion().into_iter().chain(own))
}

fn fim() -> Map<String, Value> {
    let own = [
        ("prompt", json!({"type": "string", "description": "The code before."})),
        ("suffix", maybe("string", "The code after.")),
        ("min_tokens", count(0, "Handed on.")),
        ("prompt_cache_key", maybe("string", "Handed on.")),
    ];
    named(completion().into_iter().chain(own))
}

fn embeddings() -> Map<String, Value> {
    let input = json!({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "One text, or many.",
    });
    named([
        ("model", model()),
        ("input", input),
        ("metadata", maybe("object", "Handed on.")),
        ("output_dimension", count(0, "Handed on.")),
        ("output_dtype", maybe("string", "Handed on.")),
        ("encoding_format", maybe("string", "Handed on.")),
    ])
}

fn named(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
