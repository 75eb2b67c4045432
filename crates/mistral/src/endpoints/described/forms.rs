//! The forms that are sent with files: the fields that Louver reads and lets pass, and no others.

use super::Endpoint;
use serde_json::{Value, json};

/// The name of an endpoint's form.
pub(super) const fn name(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::Transcriptions => Some("TranscriptionForm"),
        Endpoint::UploadFile => Some("FileUploadForm"),
        _ => None,
    }
}

pub(super) fn schemas() -> Vec<(String, Value)> {
    let file = json!({"type": "string", "format": "binary", "description": "The file, with a name."});
    let text = |description: &str| json!({"type": "string", "description": description});
    let flag = |description: &str| json!({"type": "boolean", "description": description});
    let transcription = json!({
        "model": text("The model: an id or another name of it."),
        "file": file,
        "file_url": text("Where the audio lies, in place of the file: an https URL."),
        "file_id": text("A file of the workspace, in place of the file."),
        "language": text("Handed on."),
        "temperature": {"type": "number", "description": "Handed on."},
        "stream": flag("The answer comes as events."),
        "diarize": flag("Handed on."),
        "context_bias": {"type": "array", "items": {"type": "string"}, "description": "Handed on."},
        "timestamp_granularities": {
            "type": "array",
            "items": {"type": "string", "enum": ["segment", "word"]},
            "description": "Handed on.",
        },
    });
    let upload = json!({
        "file": file,
        "purpose": {"type": "string", "enum": ["fine-tune", "batch", "ocr", "audio"], "description": "What the file is for."},
        "visibility": {"type": "string", "enum": ["workspace"], "description": "A file is its workspace's."},
        "expiry": {"type": "integer", "minimum": 0, "description": "Hours; handed on."},
    });
    let form = |properties: Value, required: &str| {
        json!({
            "type": "object",
            "required": [required],
            "properties": properties,
            "additionalProperties": false,
        })
    };
    vec![
        ("TranscriptionForm".to_owned(), form(transcription, "model")),
        ("FileUploadForm".to_owned(), form(upload, "file")),
    ]
}
