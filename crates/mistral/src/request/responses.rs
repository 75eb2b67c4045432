//! The input of a response: a text, or items. What upstream would keep, or has kept, has no owner here.

use super::Reader;
use super::chunks::Family;
use super::path::Path;
use super::written::whole;
use crate::json::{Cursor, Fault, Kind};

/// What an item is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Message,
    Call,
    Output,
    Reasoning,
}

impl Item {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "message" => Self::Message,
            "function_call" => Self::Call,
            "function_call_output" => Self::Output,
            "reasoning" => Self::Reasoning,
            _ => return None,
        })
    }

    /// The keys that it may have beside `type`.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Message => &["content", "role", "phase", "status", "id"],
            Self::Call => &["arguments", "call_id", "name", "id", "caller", "namespace", "status"],
            Self::Output => &["call_id", "output", "id", "caller", "status"],
            Self::Reasoning => &["id", "summary", "content", "encrypted_content", "status"],
        }
    }
}

impl Reader {
    pub(super) fn items(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::String => {
                self.request.messages = self.request.messages.saturating_add(1);
                cursor.skip()
            }
            Kind::Array => cursor.array(|cursor, index| self.item(cursor, &path.element(index))),
            _ => {
                self.refuse_at(path, "string_type", "Input should be a valid string or list of items");
                cursor.skip()
            }
        }
    }

    fn item(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.request.messages = self.request.messages.saturating_add(1);
        let (mut kind, mut keys) = (None, Vec::new());
        let read = self.object(cursor, path, |reader, cursor, name| {
            let place = path.member(name);
            match name {
                "type" => {
                    kind = reader.string(cursor, &place)?;
                    return Ok(());
                }
                "content" | "output" | "summary" => reader.content(cursor, Family::Responses, &place)?,
                "caller" => whole(cursor, |cursor| {
                    reader.plain(cursor, &place, &[Kind::Object], "dict_type", "a valid object")
                })?,
                // Arguments are written into the prompt as they stand, or anew.
                "arguments" => whole(cursor, |cursor| reader.text(cursor, &place))?,
                _ => reader.text(cursor, &place)?,
            }
            keys.push(super::shortened(name));
            Ok(())
        })?;
        if read {
            self.item_read(kind.as_deref().unwrap_or("message"), &keys, path);
        }
        Ok(())
    }

    fn item_read(&mut self, kind: &str, keys: &[String], path: &Path<'_>) {
        let Some(item) = Item::of(kind) else {
            let msg = "Input tag does not match any of the expected tags";
            return self.refuse_at(&path.member("type"), "union_tag_invalid", msg);
        };
        for name in keys.iter().filter(|name| !item.keys().contains(&name.as_str())) {
            self.refuse_at(&path.member(name), "extra_forbidden", "Extra inputs are not permitted");
        }
    }

    /// Reads a field that may be there, but must ask for nothing: `false`, or nothing at all.
    pub(super) fn off(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        if self.boolean(cursor, path)? == Some(true) {
            let msg = "Input should be false: what upstream keeps has no owner here";
            self.refuse_at(path, "literal_error", msg);
        }
        Ok(())
    }

    /// Reads a field that names what upstream has kept: it must be `null`.
    pub(super) fn nothing(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.plain(cursor, path, &[], "none_required", "null: what upstream has kept has no owner here")
    }
}
