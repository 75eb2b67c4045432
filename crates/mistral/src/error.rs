//! Answers that refuse a call, in the shapes Mistral's clients parse.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::request::Detail;

/// The body of every 401. It has no request id, so that all of them are equal byte for byte.
pub const UNAUTHORIZED: &[u8] = br#"{"detail":"Unauthorized"}"#;

/// The body of a 404 for a path that does not exist, as Mistral's gateway words it.
pub const NO_ROUTE: &[u8] = br#"{"message":"no Route matched with those values"}"#;

/// The envelope of the inference API (`"object":"error"`), as observed in Mistral's answers.
///
/// It is kept flat because the four common clients read a flat one; `code` is always a
/// string, the `type` itself where Mistral has no number.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "object", rename = "error")]
pub struct ErrorBody<'a> {
    /// One sentence for the caller.
    pub message: Cow<'a, str>,
    /// What went wrong, `type` on the wire.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The field at fault.
    pub param: Option<&'a str>,
    /// Mistral's number, as a string.
    pub code: Cow<'a, str>,
    /// The status of the answer.
    pub raw_status_code: u16,
    /// Id of the call, as in `x-request-id`.
    pub request_id: &'a str,
    /// The limit that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitInfo<'a>>,
    /// What is wrong with the shape of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Vec<Detail>>,
    /// Line of a fault in the JSON, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column of a fault in the JSON, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// A limit that refused a call, with the numbers it saw.
#[derive(Debug, Clone, Serialize)]
pub struct LimitInfo<'a> {
    /// Level it stands on: organization, workspace, role, user or key.
    pub scope: &'a str,
    /// Whose limit it is.
    pub id: Cow<'a, str>,
    /// Period it counts over.
    pub window: &'a str,
    /// The limit itself.
    pub limit: Amount,
    /// What was used of it.
    pub used: Amount,
    /// What is left of it.
    pub remaining: Amount,
    /// When the window turns, RFC 3339 in UTC.
    pub resets_at: Option<Cow<'a, str>>,
}

/// An amount in a limit; printed as a JSON number, money exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Requests or tokens.
    Count(u64),
    /// Nano-dollars (10^-9 USD), printed in dollars.
    Usd(i64),
}

impl<'a> ErrorBody<'a> {
    /// An error with `code` equal to its type and nothing optional.
    pub fn new(status: u16, kind: &'a str, message: impl Into<Cow<'a, str>>, request_id: &'a str) -> Self {
        Self {
            message: message.into(),
            kind,
            param: None,
            code: Cow::Borrowed(kind),
            raw_status_code: status,
            request_id,
            limit: None,
            detail: None,
            line: None,
            column: None,
        }
    }

    /// The body as JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers only: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Usd(nano) => {
                let number = RawValue::from_string(dollars(*nano)).map_err(serde::ser::Error::custom)?;
                number.serialize(serializer)
            }
        }
    }
}

/// Nano-dollars as a decimal number of dollars, without a detour through floats.
fn dollars(nano: i64) -> String {
    const NANO: u64 = 1_000_000_000;
    let sign = if nano < 0 { "-" } else { "" };
    let amount = nano.unsigned_abs();
    let (whole, part) = (amount / NANO, amount % NANO);
    let text = format!("{sign}{whole}.{part:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact() {
        for (nano, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (-1, "-0.000000001"),
            (1_500_000_000, "1.5"),
            (200_000_000_000, "200"),
            (123_456_789_012, "123.456789012"),
            (i64::MAX, "9223372036.854775807"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(dollars(nano), text);
        }
    }
}
