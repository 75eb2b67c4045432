//! The boundary of a form: read from the `Content-Type` of a request, or made of randomness for a new one.

use std::fmt::Write;

use super::{MultipartError, parameters};

/// What separates the parts of a form: 1 to 70 characters of RFC 2046, 5.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// Reads the `Content-Type` of a request; that there is just one such header is for the caller to know.
    ///
    /// Besides the boundary only `charset=utf-8` may stand there, as some clients write it.
    ///
    /// # Errors
    /// [`MultipartError::MediaType`] when it is something else than `multipart/form-data`, and
    /// [`MultipartError::Malformed`] when it has not exactly one sound boundary.
    pub fn of_content_type(value: &str) -> Result<Self, MultipartError> {
        let essence = value.split(';').next().unwrap_or_default().trim_end_matches(' ');
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            return Err(MultipartError::MediaType("the content type must be multipart/form-data"));
        }
        let mut boundary = None;
        for (name, value) in parameters::parse(value).map_err(MultipartError::Malformed)?.list {
            if name.eq_ignore_ascii_case("boundary") {
                boundary = Some(Self::checked(value)?);
            } else if !(name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")) {
                return Err(MultipartError::Malformed(
                    "the content type has a parameter other than boundary",
                ));
            }
        }
        boundary.ok_or(MultipartError::Malformed("the content type has no boundary"))
    }

    /// The boundary of a new form, of 128 bits that nobody could foresee: no file can contain it but by
    /// chance.
    pub fn of_entropy(entropy: [u8; 16]) -> Self {
        let mut text = String::from("----form-");
        for byte in entropy {
            // Writing into a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The characters, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `Content-Type` of a request with this boundary; quoted only when it must be.
    pub fn content_type(&self) -> String {
        let quote = if parameters::is_token(&self.0) { "" } else { "\"" };
        format!("multipart/form-data; boundary={quote}{}{quote}", self.0)
    }

    fn checked(text: &str) -> Result<Self, MultipartError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        if matches!(text.len(), 1..=70) && text.bytes().all(allowed) && !text.ends_with(' ') {
            Ok(Self(text.to_owned()))
        } else {
            Err(MultipartError::Malformed("the boundary is not 1 to 70 of the characters allowed in one"))
        }
    }
}
