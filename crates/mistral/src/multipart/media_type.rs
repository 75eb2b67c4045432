//! The declared type of a file in a form, checked so that it can be written anew as it stands.

use super::{MultipartError, parameters};

/// A media type with its parameters, ASCII, without anything that a header could be broken with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// Checks a type as it stands in a header.
    ///
    /// # Errors
    /// [`MultipartError::Malformed`] when it is not `type/subtype` with sound parameters, when it is
    /// `multipart/…` or `message/…` (a form inside a form), or when its charset is not UTF-8.
    pub fn parse(text: &str) -> Result<Self, MultipartError> {
        let malformed = |why| Err(MultipartError::Malformed(why));
        let parsed = parameters::parse(text).map_err(MultipartError::Malformed)?;
        let Some((kind, subtype)) = parsed.head.split_once('/') else {
            return malformed("a part has a malformed content type");
        };
        if !text.is_ascii() || !parameters::is_token(kind) || !parameters::is_token(subtype) {
            return malformed("a part has a malformed content type");
        }
        if kind.eq_ignore_ascii_case("multipart") || kind.eq_ignore_ascii_case("message") {
            return malformed("a part must not be composed of parts");
        }
        let mut charset = parsed.list.iter().filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
        if charset.any(|(_, value)| !value.eq_ignore_ascii_case("utf-8")) {
            return malformed("a part has a charset other than utf-8");
        }
        Ok(Self(text.to_owned()))
    }

    /// As it stands in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `type/subtype` without parameters, in the case it was written in.
    pub fn essence(&self) -> &str {
        self.0.split(';').next().unwrap_or_default().trim_end_matches(' ')
    }
}
