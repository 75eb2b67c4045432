//! What a request to Louver may come to instead of an answer, told so that a person can act on it.

use serde_json::Value;
use std::fmt;

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody answered, or not whole; a write may have been done all the same.
    Unreachable(String),
    /// Louver said no.
    Refused(Refusal),
    /// What came is not of the shape that this command knows.
    Unreadable(String),
}

impl ClientError {
    /// The same, with what was asked.
    pub(super) fn at(self, what: &str) -> Self {
        match self {
            Self::Unreachable(why) => Self::Unreachable(format!("{what}: {why}")),
            other @ (Self::Refused(_) | Self::Unreadable(_)) => other,
        }
    }

    /// Whether the Louver that answered does not have that path at all.
    pub fn unknown_path(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404 && refusal.message.starts_with(NO_ROUTE))
    }

    /// Whether the request may have been carried out although there is no answer.
    pub fn in_doubt(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Unreadable(_) => true,
            Self::Refused(refusal) => refusal.status >= 500,
        }
    }
}

const NO_ROUTE: &str = "no Route matched";

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Unreadable(text) => f.write_str(text),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

/// A refusal as Louver put it.
#[derive(Debug)]
pub struct Refusal {
    /// The method and the path.
    pub what: String,
    /// The status.
    pub status: u16,
    /// Its sentence, with the field before it where one is to blame.
    pub message: String,
    /// The request's id, by which the log is searched.
    pub request_id: Option<String>,
}

impl Refusal {
    /// Reads Louver's own shape, Mistral's, or whatever else stands there.
    pub(super) fn read(what: String, status: u16, header: Option<String>, bytes: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let message = body.get("message").and_then(Value::as_str).map(str::to_owned);
        let message = message.or_else(|| body.get("detail").and_then(detail));
        let message = message.unwrap_or_else(|| "without a reason".into());
        let own = body.get("request_id").and_then(Value::as_str).map(str::to_owned);
        Self { what, status, message: plain(&message), request_id: own.or(header).map(|id| plain(&id)) }
    }
}

/// `detail` as a sentence: it is one, or it lists the faults of fields.
fn detail(detail: &Value) -> Option<String> {
    if let Some(sentence) = detail.as_str() {
        return Some(sentence.to_owned());
    }
    let fault = |fault: &Value| {
        let steps = fault.get("loc")?.as_array()?.iter().skip(1);
        let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
        let way: Vec<String> = steps.map(step).collect();
        Some(format!("{}: {}", way.join("."), fault.get("msg")?.as_str()?))
    };
    let faults: Vec<String> = detail.as_array()?.iter().filter_map(fault).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was refused with {}: {}", self.what, self.status, self.message)?;
        if self.status == 401 {
            f.write_str(" (is LOUVER_ADMIN_KEY an admin key of this Louver?)")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " [request {id}]")?;
        }
        Ok(())
    }
}

/// Text from elsewhere, so that it cannot steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_refusal_is_told() {
        for (status, body, said) in [
            (
                422,
                r#"{"message":"name: is required","param":"name","request_id":"r1"}"#,
                "GET /x was refused with 422: name: is required [request r1]",
            ),
            (
                422,
                r#"{"detail":[{"loc":["body",0,"role"],"msg":"is unknown","type":"value_error"}]}"#,
                "GET /x was refused with 422: 0.role: is unknown [request h]",
            ),
            (404, r#"{"detail":"Not Found"}"#, "GET /x was refused with 404: Not Found [request h]"),
            (502, "<html>", "GET /x was refused with 502: without a reason [request h]"),
            (
                409,
                "{\"message\":\"a\u{1b}[2Jb\"}",
                "GET /x was refused with 409: without a reason [request h]",
            ),
            (409, "{\"message\":\"a\\u001b[2Jb\"}", "GET /x was refused with 409: a\u{fffd}[2Jb [request h]"),
        ] {
            let refusal = Refusal::read("GET /x".into(), status, Some("h".into()), body.as_bytes());
            assert_eq!(refusal.to_string(), said);
        }
        let refusal = Refusal::read("GET /x".into(), 401, None, br#"{"detail":"Unauthorized"}"#);
        assert!(refusal.to_string().contains("LOUVER_ADMIN_KEY"));
    }

    #[test]
    fn a_missing_path_is_told_from_a_missing_thing() {
        let refused =
            |body: &str| ClientError::Refused(Refusal::read(String::new(), 404, None, body.as_bytes()));
        assert!(refused(r#"{"message":"no Route matched with those values"}"#).unknown_path());
        assert!(!refused(r#"{"detail":"not found"}"#).unknown_path());
    }
}
