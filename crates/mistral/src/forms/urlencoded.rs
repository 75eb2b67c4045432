//! The strict reading of `application/x-www-form-urlencoded`: Mistral's Python client sends a form so that has no file.
//!
//! Such a form is never sent on as it came: it is written anew as `multipart/form-data`.

use super::Fields;
use crate::multipart::{Form, MultipartError};
use crate::request::Detail;

/// The type of such a body.
pub const URLENCODED: &str = "application/x-www-form-urlencoded";

/// Reads a body. A name must stand as it is, a value in the one way that encoders write it, and each field that is no
/// list once.
///
/// # Errors
/// [`MultipartError::Malformed`], or [`MultipartError::Shape`] for the fields themselves.
pub fn urlencoded(form: &'static Form, body: &[u8]) -> Result<Fields, MultipartError> {
    let text = std::str::from_utf8(body).map_err(|_| MultipartError::Malformed("the form is not UTF-8"))?;
    let mut fields = Fields::new();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').ok_or(MultipartError::Malformed("a field has no value"))?;
        let known = |names: &'static [&'static str]| names.iter().copied().find(|known| *known == name);
        let Some(field) = known(form.scalars).or_else(|| known(form.lists)) else {
            return Err(wrong(name, "extra_forbidden", "Extra inputs are not permitted"));
        };
        if known(form.scalars).is_some() && fields.iter().any(|(other, _)| *other == field) {
            return Err(wrong(name, "duplicate_field", "Input should be given once"));
        }
        fields.push((field, decoded(value)?));
    }
    Ok(fields)
}

fn wrong(name: &str, kind: &'static str, msg: &'static str) -> MultipartError {
    let shortened = name.get(..name.floor_char_boundary(128)).unwrap_or_default();
    let loc = vec!["body".to_owned(), shortened.to_owned()];
    MultipartError::Shape(Box::new(Detail { loc, msg: msg.into(), kind }))
}

fn decoded(value: &str) -> Result<String, MultipartError> {
    let malformed = MultipartError::Malformed("a value of the form is not encoded as it must be");
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(malformed);
                };
                let code = high.saturating_mul(16).saturating_add(low);
                u8::try_from(code).map_err(|_| malformed.clone())?
            }
            byte if byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) => byte,
            _ => return Err(malformed),
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed)
}

#[cfg(test)]
mod tests {
    use super::super::TRANSCRIPTION;
    use super::*;

    fn read(text: &str) -> Result<Fields, MultipartError> {
        urlencoded(&TRANSCRIPTION, text.as_bytes())
    }

    #[test]
    fn a_form_of_mistrals_python_client_is_read() {
        let fields = read("model=m&file_url=https%3A%2F%2Fa.test%2Fb+c&context_bias=%C3%A9&context_bias=x");
        let wanted = [
            ("model", "m"),
            ("file_url", "https://a.test/b c"),
            ("context_bias", "é"),
            ("context_bias", "x"),
        ];
        assert_eq!(fields.unwrap(), wanted.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (bad, status) in [
            ("", 400),
            ("model", 400),
            ("model=a&", 400),
            ("&model=a", 400),
            ("model=a;model=b", 400),
            ("model=a=b", 400),
            ("model=%", 400),
            ("model=%4", 400),
            ("model=%zz", 400),
            ("model=%ff", 400),
            ("model=é", 400),
            ("model=a b", 400),
            ("model=a\r\n", 400),
            ("model=a&model=b", 422),
            ("model=a&mod%65l=b", 422),
            ("Model=a", 422),
            (" model=a", 422),
            ("model[]=a", 422),
            ("file=a", 422),
            ("metadata=%7B%7D", 422),
        ] {
            assert_eq!(read(bad).map_err(|error| error.status()), Err(status), "{bad}");
        }
    }
}
