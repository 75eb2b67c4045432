//! The plain types that fields have, read without any coercion.

use super::Reader;
use super::path::Path;
use crate::json::{Cursor, Fault, Kind};

impl Reader {
    /// Consumes an optional value that must be of one of these types.
    pub(super) fn plain(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
        kinds: &[Kind],
        rule: &'static str,
        what: &str,
    ) -> Result<(), Fault> {
        let kind = cursor.kind()?;
        if kind != Kind::Null && !kinds.contains(&kind) {
            self.refuse_at(path, rule, format!("Input should be {what}"));
        }
        cursor.skip()
    }

    /// Consumes an optional string.
    pub(super) fn text(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.plain(cursor, path, &[Kind::String], "string_type", "a valid string")
    }

    /// Consumes an optional string, and returns it.
    pub(super) fn string(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
    ) -> Result<Option<String>, Fault> {
        if cursor.kind()? == Kind::String {
            return Ok(Some(cursor.string()?.decoded().into_owned()));
        }
        self.text(cursor, path).map(|()| None)
    }

    /// Consumes a string that must be there, and returns it.
    pub(super) fn needed_string(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
    ) -> Result<Option<String>, Fault> {
        if cursor.kind()? == Kind::Null {
            self.refuse_at(path, "string_type", "Input should be a valid string");
        }
        self.string(cursor, path)
    }

    /// Consumes an optional string that must be one of these.
    pub(super) fn one_of(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
        words: &[&str],
    ) -> Result<(), Fault> {
        let known = match cursor.kind()? {
            Kind::String => words.contains(&&*cursor.string()?.decoded()),
            kind => cursor.skip().map(|()| kind == Kind::Null)?,
        };
        if !known {
            self.refuse_at(path, "literal_error", format!("Input should be one of: {}", words.join(", ")));
        }
        Ok(())
    }

    pub(super) fn text_or_list(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        if cursor.kind()? == Kind::Array {
            return self.strings(cursor, path).map(|_| ());
        }
        self.plain(cursor, path, &[Kind::String], "string_type", "a valid string or list of strings")
    }

    /// Consumes an array of strings and counts them.
    pub(super) fn strings(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<u64, Fault> {
        let mut count = 0_u64;
        cursor.array(|cursor, index| {
            count = count.saturating_add(1);
            if cursor.kind()? != Kind::String {
                self.refuse_at(&path.element(index), "string_type", "Input should be a valid string");
            }
            cursor.skip()
        })?;
        Ok(count)
    }

    pub(super) fn boolean(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
    ) -> Result<Option<bool>, Fault> {
        if cursor.kind()? == Kind::Bool {
            return cursor.boolean().map(Some);
        }
        self.plain(cursor, path, &[], "bool_type", "a valid boolean").map(|()| None)
    }

    /// Consumes an integer in plain digits, at least `least` and below 2^63.
    pub(super) fn integer(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
        least: u64,
    ) -> Result<Option<u64>, Fault> {
        if cursor.kind()? != Kind::Number {
            return self.plain(cursor, path, &[], "int_type", "a valid integer").map(|()| None);
        }
        let literal = cursor.number()?;
        if literal.contains(['.', 'e', 'E']) {
            self.refuse_at(path, "int_type", "Input should be a valid integer");
            return Ok(None);
        }
        let too_small = || format!("Input should be greater than or equal to {least}");
        if literal.starts_with('-') {
            self.refuse_at(path, "greater_than_equal", too_small());
            return Ok(None);
        }
        match literal.parse::<i64>().ok().and_then(|value| u64::try_from(value).ok()) {
            Some(value) if value < least => {
                self.refuse_at(path, "greater_than_equal", too_small());
                Ok(None)
            }
            Some(value) => Ok(Some(value)),
            None => {
                let msg = "Input should be less than 9223372036854775808";
                self.refuse_at(path, "less_than_equal", msg);
                Ok(None)
            }
        }
    }

    /// Consumes a value that must be an object; `visit` gets each key.
    pub(super) fn object(
        &mut self,
        cursor: &mut Cursor<'_>,
        path: &Path<'_>,
        mut visit: impl FnMut(&mut Self, &mut Cursor<'_>, &str) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        if cursor.kind()? == Kind::Object {
            return cursor.object(|cursor, name| visit(self, cursor, name)).map(|()| true);
        }
        self.refuse_at(path, "model_attributes_type", "Input should be an object");
        cursor.skip().map(|()| false)
    }

    /// Consumes the value of a key that is not known here.
    pub(super) fn extra(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.refuse_at(path, "extra_forbidden", "Extra inputs are not permitted");
        cursor.skip()
    }
}
