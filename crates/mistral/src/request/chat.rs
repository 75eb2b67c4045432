//! The messages, content chunks and tools of a chat: what they hold and what they may not hold.

use crate::json::{Cursor, Fault, Kind};

use super::written::{self, whole};
use super::{Reader, shortened};

/// Place of a content chunk, for errors.
#[derive(Clone, Copy)]
struct Spot {
    message: usize,
    chunk: usize,
}

/// What the keys and the type of one content chunk say.
#[derive(Default)]
struct Chunk {
    image: bool,
    file: bool,
    /// The part that has no bound on its cost yet.
    unbounded: Option<&'static str>,
    unknown: bool,
}

impl Reader {
    pub(super) fn messages(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        self.content = true;
        if cursor.kind()? != Kind::Array {
            self.refuse(&["messages"], "list_type", "Input should be a valid list");
            return cursor.skip();
        }
        let mut count = 0_u64;
        cursor.array(|cursor, index| {
            count = count.saturating_add(1);
            self.message(cursor, index)
        })?;
        if count == 0 {
            self.refuse(&["messages"], "too_short", "List should have at least 1 item");
        }
        self.request.messages = count;
        Ok(())
    }

    fn message(&mut self, cursor: &mut Cursor<'_>, index: usize) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            let path = ["messages", &index.to_string()];
            self.refuse(&path, "model_attributes_type", "Input should be an object");
            return cursor.skip();
        }
        cursor.object(|cursor, name| match name {
            "content" => self.content(cursor, index),
            "file_id" => {
                self.file = true;
                cursor.skip()
            }
            // Tool calls go into the prompt as they are written.
            _ => match cursor.kind()? {
                Kind::Array | Kind::Object => whole(cursor, Cursor::skip),
                _ => cursor.skip(),
            },
        })
    }

    pub(super) fn content(&mut self, cursor: &mut Cursor<'_>, message: usize) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::String => written::content(cursor),
            Kind::Null => cursor.skip(),
            Kind::Array => cursor.array(|cursor, chunk| self.chunk(cursor, Spot { message, chunk })),
            _ => {
                let path = ["messages", &message.to_string(), "content"];
                self.refuse(&path, "string_type", "Input should be a valid string or list of chunks");
                cursor.skip()
            }
        }
    }

    fn chunk(&mut self, cursor: &mut Cursor<'_>, spot: Spot) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.refuse_chunk(spot, "model_attributes_type", "Input should be an object");
            return cursor.skip();
        }
        let mut chunk = Chunk::default();
        cursor.object(|cursor, name| {
            match name {
                "type" => return self.chunk_type(cursor, spot, &mut chunk),
                "image_url" => {
                    chunk.image = true;
                    return image(cursor);
                }
                "thinking" if cursor.kind()? == Kind::Array => {
                    return cursor.array(|cursor, _| self.chunk(cursor, spot));
                }
                "file_id" | "file" => chunk.file = true,
                "document_url" => chunk.unbounded = Some("document_url"),
                "input_audio" | "audio_url" => chunk.unbounded = Some("input_audio"),
                _ => {}
            }
            match cursor.kind()? {
                Kind::Array | Kind::Object => whole(cursor, Cursor::skip),
                _ => cursor.skip(),
            }
        })?;
        self.judge(&chunk, spot);
        Ok(())
    }

    fn chunk_type(&mut self, cursor: &mut Cursor<'_>, spot: Spot, chunk: &mut Chunk) -> Result<(), Fault> {
        if cursor.kind()? != Kind::String {
            self.refuse_chunk(spot, "string_type", "The type of a chunk should be a valid string");
            return cursor.skip();
        }
        match &*cursor.string()?.decoded() {
            "text" | "thinking" | "reference" => {}
            "image_url" => chunk.image = true,
            "file" | "tool_file" => chunk.file = true,
            "document_url" => chunk.unbounded = Some("document_url"),
            "input_audio" | "audio" | "audio_url" => chunk.unbounded = Some("input_audio"),
            _ => chunk.unknown = true,
        }
        Ok(())
    }

    fn judge(&mut self, chunk: &Chunk, spot: Spot) {
        if chunk.image {
            self.request.images = self.request.images.saturating_add(1);
        }
        self.file |= chunk.file;
        match chunk.unbounded {
            Some("document_url") => {
                let msg = "document_url chunks are not available through this gateway yet";
                self.refuse_chunk(spot, "value_error", msg);
            }
            Some(_) => {
                let msg = "input_audio chunks are not available through this gateway yet";
                self.refuse_chunk(spot, "value_error", msg);
            }
            None if chunk.unknown => {
                let msg = "Input tag does not match any of the expected tags: 'text', 'image_url', 'thinking', 'reference'";
                self.refuse_chunk(spot, "union_tag_invalid", msg);
            }
            None => {}
        }
    }

    fn refuse_chunk(&mut self, spot: Spot, kind: &'static str, msg: &'static str) {
        let (message, chunk) = (spot.message.to_string(), spot.chunk.to_string());
        self.refuse(&["messages", &message, "content", &chunk], kind, msg);
    }

    /// A predicted answer: chunks in it would escape the rules of messages, so it must be plain text.
    pub(super) fn prediction(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Object => cursor.object(|cursor, name| {
                if cursor.kind()? != Kind::String {
                    self.refuse(&["prediction", name], "string_type", "Input should be a valid string");
                }
                cursor.skip()
            }),
            Kind::Null => cursor.skip(),
            _ => {
                self.refuse(&["prediction"], "dict_type", "Input should be a valid object");
                cursor.skip()
            }
        }
    }

    pub(super) fn tools(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Array => {
                whole(cursor, |cursor| cursor.array(|cursor, index| self.tool_offer(cursor, index)))
            }
            Kind::Null => cursor.skip(),
            _ => {
                self.refuse(&["tools"], "list_type", "Input should be a valid list");
                cursor.skip()
            }
        }
    }

    /// Only functions have a price, and a tool without a type is whatever its keys say.
    fn tool_offer(&mut self, cursor: &mut Cursor<'_>, index: usize) -> Result<(), Fault> {
        self.request.tools = self.request.tools.saturating_add(1);
        let index = index.to_string();
        if cursor.kind()? != Kind::Object {
            self.refuse(&["tools", &index], "model_attributes_type", "Input should be an object");
            return cursor.skip();
        }
        let (mut function, mut builtin) = (false, None);
        cursor.object(|cursor, name| {
            let kind = cursor.kind()?;
            match (name, kind) {
                ("type", Kind::String) => {
                    let tool_type = cursor.string()?.decoded();
                    builtin = (tool_type != "function").then(|| shortened(&tool_type));
                    return Ok(());
                }
                ("type", _) => {
                    self.refuse(&["tools", &index, "type"], "string_type", "Input should be a valid string");
                }
                ("function", _) => function = kind == Kind::Object,
                _ => {}
            }
            cursor.skip()
        })?;
        if builtin.is_some() {
            self.tool = self.tool.take().or(builtin);
        } else if !function {
            self.refuse(&["tools", &index, "function"], "missing", "Field required");
        }
        Ok(())
    }
}

/// Reads the value of `image_url`: a URL, or an object with one. A `data:` URL is the image, not text.
fn image(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    match cursor.kind()? {
        Kind::String => url(cursor),
        Kind::Object => cursor.object(|cursor, name| match (name, cursor.kind()?) {
            ("url", Kind::String) => url(cursor),
            _ => cursor.skip(),
        }),
        _ => cursor.skip(),
    }
}

fn url(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let before = cursor.string_bytes();
    let scheme = cursor.string()?.raw().as_bytes().get(..5).unwrap_or_default();
    if scheme.eq_ignore_ascii_case(b"data:") {
        cursor.set_string_bytes(before);
    }
    Ok(())
}
