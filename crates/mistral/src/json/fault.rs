//! What can be wrong with a JSON document, and where.

/// The four ways in which a document is not one unambiguous JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonErrorKind {
    /// The grammar of RFC 8259 is broken, or a number does not fit a finite `f64`.
    InvalidJson,
    /// One object has the same key twice, however it is written.
    DuplicateKey,
    /// Not UTF-8, a byte order mark, or UTF-16/32.
    InvalidEncoding,
    /// More than [`super::MAX_DEPTH`] arrays and objects inside each other.
    TooDeep,
}

impl JsonErrorKind {
    /// The error type on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::DuplicateKey => "duplicate_key",
            Self::InvalidEncoding => "invalid_encoding",
            Self::TooDeep => "too_deep",
        }
    }
}

/// A refused document: what is wrong and at which place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line} column {column}")]
pub struct JsonError {
    /// The kind of fault.
    pub kind: JsonErrorKind,
    /// Line of the first offending byte, from 1; lines end at `\n`.
    pub line: usize,
    /// Column of the first offending byte, from 1, in characters (Unicode scalar values).
    pub column: usize,
    /// One sentence for the caller; it never quotes the document.
    pub message: String,
}

/// A fault found by a [`super::Cursor`]; [`super::scan`] turns it into a [`JsonError`] with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    kind: JsonErrorKind,
    offset: usize,
    message: &'static str,
}

impl Fault {
    pub(crate) const fn new(kind: JsonErrorKind, offset: usize, message: &'static str) -> Self {
        Self { kind, offset, message }
    }

    pub(crate) const fn syntax(offset: usize, message: &'static str) -> Self {
        Self::new(JsonErrorKind::InvalidJson, offset, message)
    }

    /// Counts lines and columns up to the fault: only refused documents pay for that.
    pub(crate) fn locate(self, bytes: &[u8]) -> JsonError {
        let before = bytes.get(..self.offset.min(bytes.len())).unwrap_or_default();
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at.saturating_add(1));
        let on_line = before.get(line_start..).unwrap_or_default();
        let characters = on_line.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        JsonError {
            kind: self.kind,
            line: memchr::memchr_iter(b'\n', before).count().saturating_add(1),
            column: characters.saturating_add(1),
            message: self.message.to_owned(),
        }
    }
}
