//! Writes a form anew, so that it can be read in one way only.

use super::{Boundary, MediaType};

/// A form with a hole where its file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The `Content-Type` of the request.
    pub content_type: String,
    /// The `Content-Length` of the request: head, file and tail, in bytes.
    pub content_length: u64,
    /// What goes before the file; without a file, all of the form but its end.
    pub head: Vec<u8>,
    /// What goes behind the file.
    pub tail: Vec<u8>,
}

/// The file of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePart<'a> {
    /// The field.
    pub name: &'a str,
    /// What the file is called.
    pub filename: &'a str,
    /// What it is said to be; without it, `application/octet-stream`.
    pub content_type: Option<&'a MediaType>,
    /// Its length in bytes: just as many must be sent between head and tail.
    pub length: u64,
}

/// Writes the fields in their order, and the file behind them.
///
/// The boundary must be of fresh randomness ([`Boundary::of_entropy`]), made after the values and the file
/// were received: then nobody can have put it into them.
pub fn encode(boundary: &Boundary, fields: &[(&str, &str)], file: Option<FilePart<'_>>) -> Envelope {
    let mut head = String::new();
    for (name, value) in fields {
        open(&mut head, boundary, name);
        head.push_str("\r\n\r\n");
        head.push_str(value);
        head.push_str("\r\n");
    }
    if let Some(file) = &file {
        open(&mut head, boundary, file.name);
        head.push_str("; filename=\"");
        escape(&mut head, file.filename);
        head.push_str("\"\r\nContent-Type: ");
        head.push_str(file.content_type.map_or("application/octet-stream", MediaType::as_str));
        head.push_str("\r\n\r\n");
    }
    let line_end = if file.is_some() { "\r\n" } else { "" };
    let tail = format!("{line_end}--{}--\r\n", boundary.as_str());
    let ours = (head.len() as u64).saturating_add(tail.len() as u64);
    Envelope {
        content_type: boundary.content_type(),
        content_length: ours.saturating_add(file.map_or(0, |file| file.length)),
        head: head.into_bytes(),
        tail: tail.into_bytes(),
    }
}

fn open(head: &mut String, boundary: &Boundary, name: &str) {
    head.push_str("--");
    head.push_str(boundary.as_str());
    head.push_str("\r\nContent-Disposition: form-data; name=\"");
    escape(head, name);
    head.push('"');
}

/// As browsers do (WHATWG, "multipart/form-data encoding algorithm"): `"`, CR and LF as percent codes. The
/// backslash and other control characters too, since parsers differ on them.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        if character == '"' || character == '\\' || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(character);
        }
    }
}
