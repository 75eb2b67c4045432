//! The messages of a chat, and what stands in them beside content.

use super::Reader;
use super::chunks::Family;
use super::path::Path;
use super::written::{self, whole};
use crate::json::{Cursor, Fault, Kind};

impl Reader {
    /// Reads the messages of a chat, and counts them.
    pub(super) fn messages(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Array {
            self.refuse_at(path, "list_type", "Input should be a valid list");
            return cursor.skip();
        }
        let mut count = 0_u64;
        cursor.array(|cursor, index| {
            count = count.saturating_add(1);
            self.message(cursor, &path.element(index))
        })?;
        if count == 0 {
            self.refuse_at(path, "too_short", "List should have at least 1 item");
        }
        Ok(())
    }

    pub(super) fn message(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.request.messages = self.request.messages.saturating_add(1);
        self.object(cursor, path, |reader, cursor, name| {
            let place = path.member(name);
            match name {
                "content" => reader.content(cursor, Family::Chat, &place),
                "role" | "name" | "tool_call_id" => reader.text(cursor, &place),
                "prefix" => reader.boolean(cursor, &place).map(|_| ()),
                // Tool calls go into the prompt as they are written.
                "tool_calls" => whole(cursor, |cursor| {
                    reader.plain(cursor, &place, &[Kind::Array], "list_type", "a valid list")
                }),
                _ => reader.extra(cursor, &place),
            }
        })
        .map(|_| ())
    }

    /// Reads a content: a text, or chunks.
    pub(super) fn content(
        &mut self,
        cursor: &mut Cursor<'_>,
        family: Family,
        path: &Path<'_>,
    ) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::String => written::content(cursor),
            Kind::Null => cursor.skip(),
            Kind::Array => cursor.array(|cursor, index| self.chunk(cursor, family, &path.element(index))),
            Kind::Object | Kind::Number | Kind::Bool => {
                self.refuse_at(path, "string_type", "Input should be a valid string or list of chunks");
                cursor.skip()
            }
        }
    }

    /// A predicted answer: chunks in it would escape the rules of messages, so it must be plain text.
    pub(super) fn prediction(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Object => cursor.object(|cursor, name| {
                if cursor.kind()? != Kind::String {
                    self.refuse_at(&path.member(name), "string_type", "Input should be a valid string");
                }
                cursor.skip()
            }),
            _ => self.plain(cursor, path, &[], "dict_type", "a valid object"),
        }
    }
}
