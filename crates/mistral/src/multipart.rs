//! The strict, incremental reading of `multipart/form-data` (RFC 7578), and its writing anew.
//!
//! Parsers of forms disagree on nearly everything that the grammar leaves open: which of two equal names
//! wins, what a backslash in a file name means, what stands before the first delimiter. So nothing open is
//! accepted, and what was read is never sent on as it came: [`encode`] writes a new form around the same
//! file, under a boundary of its own, that can be read in one way only.
//!
//! The memory is constant: a file is handed out in the pieces it arrives in, and of what may be a delimiter
//! only its length is kept.
//!
//! ```
//! # use bytes::Bytes;
//! # use louver_mistral::multipart::{Boundary, Event, Form, Limits, Reader};
//! static FORM: Form = Form { scalars: &["model"], lists: &[], files: &["file"] };
//! let boundary = Boundary::of_content_type("multipart/form-data; boundary=b")?;
//! let mut reader = Reader::new(&boundary, &FORM, Limits::default());
//! let part = "Content-Disposition: form-data; name=\"model\"\r\n\r\nvoxtral";
//! let mut chunk = Bytes::from(format!("--b\r\n{part}\r\n--b--"));
//! while let Some(event) = reader.next(&mut chunk)? {
//!     assert_eq!(event, Event::Field { name: "model", value: "voxtral".to_owned() });
//! }
//! reader.finish()?;
//! # Ok::<(), louver_mistral::multipart::MultipartError>(())
//! ```

mod boundary;
mod delimiter;
mod encode;
mod media_type;
mod parameters;
mod part;
mod reader;

use bytes::Bytes;

use crate::request::Detail;

pub use boundary::Boundary;
pub use encode::{Envelope, FilePart, encode};
pub use media_type::MediaType;
pub use reader::Reader;

/// The fields that a form may have; all others are refused. A name stands in one of the lists only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Text fields that stand in a form at most once.
    pub scalars: &'static [&'static str],
    /// Text fields that may be repeated, as `timestamp_granularities` and `timestamp_granularities[]`.
    pub lists: &'static [&'static str],
    /// Fields that are files, each at most once and always with a file name.
    pub files: &'static [&'static str],
}

/// How much of a form is read. All sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Parts, files among them.
    pub max_fields: u64,
    /// The value of one text field.
    pub max_field_bytes: u64,
    /// The headers of one part, with their line ends.
    pub max_header_bytes: u64,
    /// One file.
    pub max_file_bytes: u64,
    /// The values of all text fields together.
    pub max_scalar_total: u64,
}

impl Default for Limits {
    /// 64 parts, 64 KiB a field and for all fields together, 4 KiB of headers a part, and Mistral's 512 MiB a
    /// file.
    fn default() -> Self {
        Self {
            max_fields: 64,
            max_field_bytes: 64 << 10,
            max_header_bytes: 4 << 10,
            max_file_bytes: 512 << 20,
            max_scalar_total: 64 << 10,
        }
    }
}

/// What a form says, in its own order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole text field.
    Field {
        /// As in the [`Form`].
        name: &'static str,
        /// As sent, and UTF-8; empty is possible.
        value: String,
    },
    /// A file begins.
    FileStart(FileHead),
    /// The next piece of the file, never empty.
    FileData(Bytes),
    /// The file is complete; the form may still be refused for what follows.
    FileEnd,
}

/// What a part says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHead {
    /// The field, as in the [`Form`].
    pub name: &'static str,
    /// As sent: not empty, without control characters, quotes and backslashes.
    pub filename: String,
    /// The declared type, if any.
    pub content_type: Option<MediaType>,
}

/// Why a form is refused. No message quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// It is not declared to be a form of this kind (415).
    #[error("{0}")]
    MediaType(&'static str),
    /// The form cannot be read in exactly one way (400).
    #[error("{0}")]
    Malformed(&'static str),
    /// It is larger than is read here (413).
    #[error("the form has more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much of it is read.
        limit: u64,
    },
    /// It is a form, but not with these fields (422).
    #[error("{}", .0.msg)]
    Shape(Box<Detail>),
}

impl MultipartError {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::MediaType(_) => 415,
            Self::Malformed(_) => 400,
            Self::TooLarge { .. } => 413,
            Self::Shape(_) => 422,
        }
    }

    /// A finding about the field `name`.
    fn shape(name: &str, kind: &'static str, msg: &'static str) -> Self {
        let shortened = name.get(..name.floor_char_boundary(128)).unwrap_or_default();
        let loc = vec!["body".to_owned(), shortened.to_owned()];
        Self::Shape(Box::new(Detail { loc, msg: msg.into(), kind }))
    }
}
