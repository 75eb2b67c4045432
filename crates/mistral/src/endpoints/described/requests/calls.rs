//! The bodies of calls that are no completions: what is classified, read, spoken, and responses.

use super::{cache_key, count, maybe, message, model, named, texts};
use serde_json::{Map, Value, json};

/// A word out of these, or nothing.
fn word(words: &[&str]) -> Value {
    let words: Vec<Value> = words.iter().map(|word| (*word).into()).chain([Value::Null]).collect();
    json!({"enum": words, "description": "Handed on."})
}

pub(super) fn classification() -> Map<String, Value> {
    named([("model", model()), ("input", texts()), ("metadata", maybe("object", "Handed on."))])
}

pub(super) fn chat_moderation() -> Map<String, Value> {
    let chat = json!({"type": "array", "minItems": 1, "items": message()});
    let input = json!({
        "anyOf": [chat, {"type": "array", "minItems": 1, "items": chat}],
        "description": "A chat, or a list of chats.",
    });
    named([("model", model()), ("input", input)])
}

pub(super) fn chat_classification() -> Map<String, Value> {
    let chat = json!({
        "type": "object",
        "required": ["messages"],
        "properties": {"messages": {"type": "array", "minItems": 1, "items": message()}},
        "additionalProperties": false,
    });
    let input = json!({
        "anyOf": [chat, {"type": "array", "minItems": 1, "items": chat}],
        "description": "A chat, or a list of chats.",
    });
    named([("model", model()), ("input", input)])
}

pub(super) fn ocr() -> Map<String, Value> {
    let document = json!({
        "type": "object",
        "description": "The document, named in one way: a file of the workspace, or an `https` or `data` URL.",
        "properties": {
            "type": {"enum": ["file", "document_url", "image_url", null]},
            "file_id": {"type": "string"},
            "document_url": {"type": "string"},
            "document_name": {"type": ["string", "null"]},
            "image_url": {"anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "required": ["url"],
                    "properties": {"url": {"type": "string"}, "detail": {"type": ["string", "null"]}},
                    "additionalProperties": false,
                },
            ]},
        },
        "additionalProperties": false,
    });
    let pages = json!({
        "anyOf": [
            {"type": "array", "items": {"type": "integer", "minimum": 0}},
            {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"},
            {"type": "null"},
        ],
        "description": "The pages to be read, from 0. Without it a document whose pages cannot be counted is taken at \
            the most pages that are set aside for one.",
    });
    named([
        ("model", model()),
        ("document", document),
        ("pages", pages),
        ("bbox_annotation_format", maybe("object", "Handed on. Annotated pages have a price of their own.")),
        (
            "document_annotation_format",
            maybe("object", "Handed on. Annotated pages have a price of their own."),
        ),
        ("document_annotation_prompt", maybe("string", "Handed on.")),
        ("include_image_base64", maybe("boolean", "Handed on.")),
        ("image_limit", count(0, "Handed on.")),
        ("image_min_size", count(0, "Handed on.")),
        ("table_format", word(&["markdown", "html"])),
        ("extract_header", maybe("boolean", "Handed on.")),
        ("extract_footer", maybe("boolean", "Handed on.")),
        ("include_blocks", maybe("boolean", "Handed on.")),
        ("confidence_scores_granularity", word(&["word", "page", "block"])),
    ])
}

pub(super) fn speech() -> Map<String, Value> {
    named([
        ("model", model()),
        ("input", json!({"type": "string", "description": "The text; each character is billed."})),
        ("stream", maybe("boolean", "The answer comes as events.")),
        (
            "voice_id",
            maybe("string", "Voices belong to no workspace: any is answered like one that is not there."),
        ),
        ("ref_audio", maybe("string", "A voice to be like, in base 64.")),
        ("response_format", word(&["pcm", "wav", "mp3", "flac", "opus"])),
        ("expressiveness", maybe("number", "Handed on.")),
        ("phoneme_hints", maybe("object", "Handed on.")),
        ("prompt_cache_key", cache_key()),
        ("metadata", maybe("object", "Handed on.")),
    ])
}

fn off() -> Value {
    json!({"type": ["boolean", "null"], "description": "`false` or nothing: what upstream keeps has no owner here."})
}

fn nothing() -> Value {
    json!({"type": "null", "description": "What upstream has kept has no owner here."})
}

pub(super) fn counted() -> Map<String, Value> {
    let either = json!([{"type": "string"}, {"type": "object"}, {"type": "null"}]);
    let input = json!({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}],
        "description": "A text, or items: messages, calls of functions and their results, reasoning.",
    });
    let tools =
        json!({"type": ["array", "null"], "items": {"type": "object"}, "description": "Functions only."});
    named([
        ("model", model()),
        ("input", input),
        ("instructions", maybe("string", "Handed on.")),
        ("tools", tools),
        ("tool_choice", json!({"anyOf": either, "description": "Handed on."})),
        ("parallel_tool_calls", maybe("boolean", "Handed on.")),
        ("reasoning", maybe("object", "Handed on.")),
        ("text", maybe("object", "Handed on.")),
        ("truncation", word(&["disabled"])),
        ("previous_response_id", nothing()),
        ("conversation", nothing()),
        ("prompt", nothing()),
    ])
}

pub(super) fn response() -> Map<String, Value> {
    let own = named([
        ("stream", maybe("boolean", "The answer comes as events.")),
        ("store", off()),
        ("background", off()),
        ("max_output_tokens", count(0, "Tokens of output at most; absent is what the rules leave.")),
        ("temperature", maybe("number", "Handed on.")),
        ("top_p", maybe("number", "Handed on.")),
        ("top_logprobs", count(0, "Handed on.")),
        ("max_tool_calls", count(0, "Handed on.")),
        ("metadata", maybe("object", "Handed on.")),
        ("moderation", nothing()),
        ("prompt_cache_key", cache_key()),
    ]);
    counted().into_iter().chain(own).collect()
}
