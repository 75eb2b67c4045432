//! The text that is to be spoken, and the voice.

use super::path::Path;
use super::{Reader, Reference, ReferenceKind};
use crate::json::{Cursor, Fault, Kind};

/// The forms that sound can have.
pub(super) const FORMATS: [&str; 5] = ["pcm", "wav", "mp3", "flac", "opus"];

impl Reader {
    /// Reads the text; it is billed by its characters, which are Unicode's scalar values.
    pub(super) fn spoken(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::String {
            self.refuse_at(path, "string_type", "Input should be a valid string");
            return cursor.skip();
        }
        let characters = cursor.string()?.decoded().chars().count();
        self.request.quantities.characters = u64::try_from(characters).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Reads the id of a voice: voices belong to the account upstream, and to no workspace here.
    pub(super) fn voice(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        let id = self.string(cursor, path)?;
        let reference = id.map(|id| Reference { kind: ReferenceKind::Unowned, id });
        self.request.references.extend(reference);
        Ok(())
    }
}
