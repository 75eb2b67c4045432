//! What the forms of the API mean: their fields read strictly, and written anew.

mod files;
mod transcription;
mod urlencoded;

use crate::request::{Detail, RequestError};
use std::borrow::Cow;

pub use files::{FILE_UPLOAD, FileUpload};
pub use transcription::{NO_FORM, TRANSCRIPTION, Transcription};
pub use urlencoded::{URLENCODED, urlencoded};

/// The text fields of a form, in the order in which they came, and later in that in which they are sent.
pub type Fields = Vec<(&'static str, String)>;

/// The findings about a form.
#[derive(Default)]
struct Findings(Vec<Detail>);

impl Findings {
    fn refuse(&mut self, name: &str, kind: &'static str, msg: impl Into<Cow<'static, str>>) {
        self.0.push(Detail { loc: vec!["body".into(), name.into()], msg: msg.into(), kind });
    }

    fn judge(&mut self, sound: bool, name: &str, kind: &'static str, msg: &'static str) {
        if !sound {
            self.refuse(name, kind, msg);
        }
    }

    fn done(self) -> Result<(), RequestError> {
        if self.0.is_empty() { Ok(()) } else { Err(RequestError::Shape(self.0)) }
    }
}

/// The value of a field that stands in a form at most once.
fn value<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
}

/// A boolean as Mistral's own clients write it, and in no other spelling.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Whether a text is a whole number in plain digits.
fn is_whole(text: &str) -> bool {
    matches!(text.len(), 1..=18) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with("00")
}

/// Whether a text is a number as JSON writes it.
fn is_number(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.len() <= 32 && text.bytes().all(plain) && serde_json::from_str::<f64>(text).is_ok()
}
