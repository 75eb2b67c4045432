//! What is moderated and classified: texts, or chats.

use super::Reader;
use super::path::Path;
use crate::json::{Cursor, Fault, Kind};

impl Reader {
    /// Reads a chat or a list of chats to be moderated: a list of messages, or a list of such lists.
    pub(super) fn moderated_chats(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Array {
            self.refuse_at(path, "list_type", "Input should be a valid list");
            return cursor.skip();
        }
        let mut lists = None;
        cursor.array(|cursor, index| {
            let list = cursor.kind()? == Kind::Array;
            // One chat or many: what is both could be read as either.
            if *lists.get_or_insert(list) != list {
                self.refuse_at(
                    &path.element(index),
                    "list_type",
                    "Input should be messages or lists of them",
                );
            }
            if list {
                self.messages(cursor, &path.element(index))
            } else {
                self.message(cursor, &path.element(index))
            }
        })?;
        if lists.is_none() {
            self.refuse_at(path, "too_short", "List should have at least 1 item");
        }
        Ok(())
    }

    /// Reads a chat or a list of chats to be classified, each an object with messages.
    pub(super) fn classified_chats(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Array {
            return self.classified_chat(cursor, path);
        }
        let mut empty = true;
        cursor.array(|cursor, index| {
            empty = false;
            self.classified_chat(cursor, &path.element(index))
        })?;
        if empty {
            self.refuse_at(path, "too_short", "List should have at least 1 item");
        }
        Ok(())
    }

    fn classified_chat(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        let mut said = false;
        let read = self.object(cursor, path, |reader, cursor, name| {
            let place = path.member(name);
            match name {
                "messages" => {
                    said = true;
                    reader.messages(cursor, &place)
                }
                _ => reader.extra(cursor, &place),
            }
        })?;
        if read && !said {
            self.refuse_at(&path.member("messages"), "missing", "Field required");
        }
        Ok(())
    }
}
