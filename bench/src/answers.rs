//! The fixed answers of the benchmark's upstream, in the shapes of Mistral's API.

use serde_json::{Value, json};

/// Chunks of one streamed answer, `[DONE]` not counted.
pub const CHUNKS: usize = 100;
/// The text of the answer that is not streamed.
pub const TEXT: &str =
    "Rivers carry water, silt and stories from the hills down to the sea, and never the same water twice.";
/// The model every call names.
pub const MODEL: &str = "mistral-small-latest";

/// The answer that is not streamed, head and body.
pub fn whole() -> Vec<u8> {
    json_answer(&json!({
        "id": "cmpl-e5cc70bb28c444948073e77776eb30ef",
        "object": "chat.completion",
        "created": 1_702_256_327,
        "model": MODEL,
        "usage": usage(),
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": TEXT, "tool_calls": null},
            "finish_reason": "stop",
        }],
    }))
}

/// A model listing with the one model, for gateways that ask.
pub fn models() -> Vec<u8> {
    json_answer(&json!({"object": "list", "data": [{
        "id": MODEL, "object": "model", "created": 1_702_256_327, "owned_by": "mistralai",
        "name": MODEL, "aliases": [], "max_context_length": 131_072, "type": "base",
        "capabilities": {"completion_chat": true, "completion_fim": false, "function_calling": true,
            "fine_tuning": false, "vision": false, "classification": false},
    }]}))
}

/// A JSON value as a whole answer of status 200.
pub fn json_answer(value: &Value) -> Vec<u8> {
    let body = value.to_string();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The head of a streamed answer.
pub const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// The events of a streamed answer, each framed as one HTTP chunk; `[DONE]` and the end are one last piece.
pub fn stream_pieces() -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = (0..CHUNKS).map(|n| framed(&chunk(n).to_string())).collect();
    let mut end = framed("[DONE]");
    end.extend_from_slice(b"0\r\n\r\n");
    pieces.push(end);
    pieces
}

/// The text a client puts together from all chunks.
pub fn streamed_text() -> String {
    (0..CHUNKS).map(word).collect()
}

fn word(n: usize) -> String {
    if n == 0 || n == CHUNKS - 1 { String::new() } else { format!(" river{n:02}") }
}

fn chunk(n: usize) -> Value {
    let delta =
        if n == 0 { json!({"role": "assistant", "content": ""}) } else { json!({"content": word(n)}) };
    let last = n == CHUNKS - 1;
    let mut chunk = json!({
        "id": "cmpl-e5cc70bb28c444948073e77776eb30ef",
        "object": "chat.completion.chunk",
        "created": 1_702_256_327,
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": if last { json!("stop") } else { Value::Null }}],
    });
    if let (true, Some(fields)) = (last, chunk.as_object_mut()) {
        fields.insert("usage".to_owned(), usage());
    }
    chunk
}

fn usage() -> Value {
    json!({"prompt_tokens": 16, "completion_tokens": 98, "total_tokens": 114})
}

fn framed(data: &str) -> Vec<u8> {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}
