//! The chunks that the content of a message is made of: texts, images, documents, files and sound.

use super::path::Path;
use super::written::whole;
use super::{Reader, Reference, ReferenceKind};
use crate::json::{Cursor, Fault, Kind};

/// Whose chunks they are.
#[derive(Clone, Copy)]
pub(super) enum Family {
    /// Of chats.
    Chat,
    /// Of responses.
    Responses,
}

/// What the value of a chunk's key is.
#[derive(Clone, Copy)]
enum Part {
    Type,
    Image,
    Document,
    Sound,
    File,
    Thinking,
    /// The bytes of a file.
    Bytes,
    /// A text or a scalar.
    Plain,
    /// A list or an object that the model reads.
    Whole,
}

/// What a chunk brings along.
#[derive(Default)]
struct Chunk {
    image: bool,
    /// Of a file by its id.
    file: bool,
    file_id: bool,
    /// Something of which nobody knows here how many tokens it has.
    unbounded: bool,
    unknown: bool,
}

/// The key of a chunk; anything else is refused.
fn part(family: Family, name: &str) -> Option<Part> {
    Some(match (family, name) {
        (_, "type") => Part::Type,
        (_, "image_url") => Part::Image,
        (_, "file_id") => Part::File,
        (_, "text") => Part::Plain,
        (Family::Chat, "document_url") | (Family::Responses, "file_url") => Part::Document,
        (Family::Chat, "input_audio") => Part::Sound,
        (Family::Chat, "thinking") => Part::Thinking,
        (Family::Chat, "document_name" | "closed" | "signature" | "file_name" | "file_type" | "tool") => {
            Part::Plain
        }
        (Family::Chat, "title" | "url" | "description" | "favicon") => Part::Plain,
        (Family::Chat, "reference_ids") => Part::Whole,
        (Family::Responses, "file_data") => Part::Bytes,
        (Family::Responses, "detail" | "filename" | "refusal") => Part::Plain,
        (Family::Responses, "annotations" | "logprobs" | "prompt_cache_breakpoint") => Part::Whole,
        _ => return None,
    })
}

impl Chunk {
    /// Takes note of a chunk's type.
    fn is_a(&mut self, family: Family, kind: &str) {
        match (family, kind) {
            (Family::Chat, "text" | "thinking" | "reference" | "tool_reference") => {}
            (Family::Chat, "image_url") | (Family::Responses, "input_image") => self.image = true,
            (Family::Chat, "file" | "tool_file") => self.file = true,
            (Family::Chat, "document_url" | "input_audio") | (Family::Responses, "input_file") => {
                self.unbounded = true;
            }
            (
                Family::Responses,
                "input_text" | "output_text" | "refusal" | "reasoning_text" | "summary_text",
            ) => {}
            _ => self.unknown = true,
        }
    }
}

impl Reader {
    /// Reads a chunk.
    pub(super) fn chunk(
        &mut self,
        cursor: &mut Cursor<'_>,
        family: Family,
        path: &Path<'_>,
    ) -> Result<(), Fault> {
        let mut chunk = Chunk::default();
        let read = self.object(cursor, path, |reader, cursor, name| {
            let place = path.member(name);
            match part(family, name) {
                Some(part) => reader.part(cursor, (family, part), &mut chunk, &place),
                None => reader.extra(cursor, &place),
            }
        })?;
        if read {
            self.judge(&chunk, path);
        }
        Ok(())
    }

    fn part(
        &mut self,
        cursor: &mut Cursor<'_>,
        (family, part): (Family, Part),
        chunk: &mut Chunk,
        path: &Path<'_>,
    ) -> Result<(), Fault> {
        match part {
            Part::Type => {
                if let Some(kind) = self.needed_string(cursor, path)? {
                    chunk.is_a(family, &kind);
                }
            }
            Part::Image => {
                chunk.image |= cursor.kind()? != Kind::Null;
                return self.image(cursor, path);
            }
            Part::Document => {
                chunk.unbounded = true;
                return self.optional_url(cursor, path);
            }
            Part::Sound => {
                chunk.unbounded = true;
                return self.sound(cursor, path);
            }
            Part::File => {
                if let Some(id) = self.string(cursor, path)? {
                    chunk.file_id = true;
                    self.request.references.push(Reference { kind: ReferenceKind::File, id });
                }
            }
            Part::Thinking if cursor.kind()? == Kind::Array => {
                return cursor.array(|cursor, index| self.chunk(cursor, family, &path.element(index)));
            }
            Part::Bytes => {
                chunk.unbounded = true;
                return self.bytes(cursor, path);
            }
            Part::Thinking | Part::Plain => return self.scalar(cursor, path),
            Part::Whole => return whole(cursor, Cursor::skip),
        }
        Ok(())
    }

    /// What a chunk comes to when all of it was read.
    fn judge(&mut self, chunk: &Chunk, path: &Path<'_>) {
        if chunk.image {
            self.request.images = self.request.images.saturating_add(1);
        }
        if chunk.file && !chunk.file_id {
            self.refuse_at(&path.member("file_id"), "missing", "Field required");
        }
        self.request.fills_context |= chunk.unbounded || chunk.file_id;
        if chunk.unknown {
            let msg = "Input tag does not match any of the expected tags";
            self.refuse_at(path, "union_tag_invalid", msg);
        }
    }

    /// Reads an image: an address, or an object with one.
    pub(super) fn image(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Object => cursor.object(|cursor, name| {
                let place = path.member(name);
                match name {
                    "url" => self.url(cursor, &place, |_, _| {}),
                    "detail" => self.text(cursor, &place),
                    _ => self.extra(cursor, &place),
                }
            }),
            _ => self.optional_url(cursor, path),
        }
    }

    fn optional_url(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Null => cursor.skip(),
            _ => self.url(cursor, path, |_, _| {}),
        }
    }

    /// Reads sound: its bytes or its address, or an object with either.
    fn sound(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Object => cursor.object(|cursor, name| {
                let place = path.member(name);
                match name {
                    "data" => self.bytes(cursor, &place),
                    "format" => self.text(cursor, &place),
                    _ => self.extra(cursor, &place),
                }
            }),
            _ => self.bytes(cursor, path),
        }
    }

    /// Reads bytes in base 64, which are no text; what has a scheme is an address.
    pub(super) fn bytes(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        let before = cursor.string_bytes();
        let Some(text) = self.string(cursor, path)? else { return Ok(()) };
        cursor.set_string_bytes(before);
        let plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
        if !text.bytes().all(plain) {
            self.judge_url(&text, path);
        }
        Ok(())
    }

    /// Reads a string, number or truth; a structure could hold what is not looked for in it.
    fn scalar(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        let kinds = [Kind::String, Kind::Number, Kind::Bool];
        self.plain(cursor, path, &kinds, "string_type", "a valid string")
    }
}
