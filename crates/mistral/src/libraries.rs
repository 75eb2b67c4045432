//! The bodies of requests about libraries, documents and fine-tuned models: known fields of known types, written anew.

use crate::endpoints::Endpoint;
use crate::json;
use crate::request::{Detail, RequestError};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The longest name, in bytes.
const NAME: usize = 4 << 10;
/// The longest other text, and the most that all attributes have together, in bytes.
const TEXT: usize = 64 << 10;

/// A field of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether the body must have it, and not as `null`.
    pub(crate) needed: bool,
    pub(crate) holds: Holds,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holds {
    /// A text of so many bytes at most.
    Text(usize),
    /// A number of at least one.
    Count,
    /// Words, numbers and truths by name, or lists of such.
    Attributes,
}

const fn field(name: &'static str, holds: Holds) -> Field {
    Field { name, needed: false, holds }
}

const NEW_LIBRARY: &[Field] = &[
    Field { name: "name", needed: true, holds: Holds::Text(NAME) },
    field("description", Holds::Text(TEXT)),
    field("chunk_size", Holds::Count),
];
const NAMED: &[Field] = &[field("name", Holds::Text(NAME)), field("description", Holds::Text(TEXT))];
const DOCUMENT: &[Field] = &[
    field("name", Holds::Text(NAME)),
    field("attributes", Holds::Attributes),
    field("expires_at", Holds::Text(NAME)),
];

/// The fields that a body may have, where the endpoint is one of these.
pub(crate) const fn fields(endpoint: Endpoint) -> Option<&'static [Field]> {
    match endpoint {
        Endpoint::CreateLibrary => Some(NEW_LIBRARY),
        Endpoint::UpdateLibrary | Endpoint::PatchLibrary | Endpoint::UpdateFineTunedModel => Some(NAMED),
        Endpoint::UpdateDocument | Endpoint::PatchDocument => Some(DOCUMENT),
        _ => None,
    }
}

/// Reads a body, and answers it as it goes upstream.
///
/// # Errors
/// It is not one unambiguous document, or says something else than the endpoint asks for.
pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<String, RequestError> {
    json::check(body)?;
    let refuse = |details| Err(RequestError::Shape(details));
    let mut details = Vec::new();
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(body) else {
        return refuse(vec![detail("", "dict_type", "Input should be a valid dictionary")]);
    };
    let known = fields(endpoint).unwrap_or_default();
    for name in members.keys().filter(|name| !known.iter().any(|field| field.name == name.as_str())) {
        let shown = name.get(..name.floor_char_boundary(128)).unwrap_or_default();
        details.push(detail(shown, "extra_forbidden", "Extra inputs are not permitted"));
    }
    let mut written = Map::new();
    for field in known {
        match members.get(field.name) {
            None if field.needed => details.push(detail(field.name, "missing", "Field required")),
            Some(value) => match field.judge(value) {
                Ok(()) => drop(written.insert(field.name.to_owned(), value.clone())),
                Err((kind, msg)) => details.push(detail(field.name, kind, msg)),
            },
            None => {}
        }
    }
    details.truncate(16);
    if details.is_empty() { Ok(Value::Object(written).to_string()) } else { refuse(details) }
}

impl Field {
    fn judge(&self, value: &Value) -> Result<(), (&'static str, &'static str)> {
        if value.is_null() && !self.needed {
            return Ok(());
        }
        match self.holds {
            Holds::Text(most) => match value.as_str() {
                None => Err(("string_type", "Input should be a valid string")),
                Some("") if self.needed => Err(("string_too_short", "String should not be empty")),
                Some(text) if text.len() > most => Err(("string_too_long", "String is too long")),
                Some(_) => Ok(()),
            },
            Holds::Count => match value.as_u64() {
                Some(1..) => Ok(()),
                _ => Err(("int_type", "Input should be a valid integer, at least 1")),
            },
            Holds::Attributes => attributes(value),
        }
    }
}

fn attributes(value: &Value) -> Result<(), (&'static str, &'static str)> {
    let plain = |value: &Value| !value.is_array() && !value.is_object();
    let sound = |value: &Value| match value {
        Value::Array(items) => items.iter().all(plain),
        other => plain(other),
    };
    match value.as_object() {
        None => Err(("dict_type", "Input should be a valid dictionary")),
        Some(members) if !members.values().all(sound) => {
            Err(("value_error", "Attributes should be texts, numbers, truths, or lists of them"))
        }
        Some(_) if value.to_string().len() > TEXT => Err(("too_long", "Attributes are too long")),
        Some(_) => Ok(()),
    }
}

fn detail(name: &str, kind: &'static str, msg: &'static str) -> Detail {
    let named = Some(name).filter(|name| !name.is_empty());
    let loc = std::iter::once("body").chain(named).map(str::to_owned).collect();
    Detail { loc, msg: Cow::Borrowed(msg), kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(endpoint: Endpoint, body: &str) -> Vec<(String, &'static str)> {
        match read(endpoint, body.as_bytes()) {
            Err(RequestError::Shape(details)) => {
                details.into_iter().map(|one| (one.loc.last().cloned().unwrap(), one.kind)).collect()
            }
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_is_known_goes_upstream_and_nothing_else() {
        for (endpoint, body) in [
            (Endpoint::CreateLibrary, json!({"name": "a", "description": null, "chunk_size": 512})),
            (Endpoint::UpdateLibrary, json!({"description": "b"})),
            (Endpoint::UpdateLibrary, json!({})),
            (
                Endpoint::UpdateDocument,
                json!({"name": "b.pdf", "attributes": {"a": 1, "b": ["x"], "c": null}}),
            ),
            (Endpoint::UpdateFineTunedModel, json!({"name": null, "description": "ours"})),
        ] {
            let written = read(endpoint, body.to_string().as_bytes()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), body);
        }
    }

    #[test]
    fn what_is_odd_is_refused() {
        use Endpoint::{CreateLibrary as New, UpdateDocument as Document, UpdateLibrary as Change};
        for (endpoint, body, name, kind) in [
            (New, r"{}", "name", "missing"),
            (New, r#"{"name":null}"#, "name", "string_type"),
            (New, r#"{"name":""}"#, "name", "string_too_short"),
            (New, r#"{"name":7}"#, "name", "string_type"),
            (New, r#"{"name":"a","chunk_size":0}"#, "chunk_size", "int_type"),
            (New, r#"{"name":"a","chunk_size":"8"}"#, "chunk_size", "int_type"),
            (New, r#"{"name":"a","chunk_size":8.0}"#, "chunk_size", "int_type"),
            (New, r#"{"name":"a","visibility":"organization"}"#, "visibility", "extra_forbidden"),
            (New, r#"{"name":"a","owner_type":"Workspace"}"#, "owner_type", "extra_forbidden"),
            (Change, r#"{"chunk_size":8}"#, "chunk_size", "extra_forbidden"),
            (Change, r#"{"deployment_chat":true}"#, "deployment_chat", "extra_forbidden"),
            (Change, r#"["name"]"#, "body", "dict_type"),
            (Document, r#"{"library_id":"x"}"#, "library_id", "extra_forbidden"),
            (Document, r#"{"attributes":[]}"#, "attributes", "dict_type"),
            (Document, r#"{"attributes":{"a":{"b":1}}}"#, "attributes", "value_error"),
            (Document, r#"{"attributes":{"a":[[1]]}}"#, "attributes", "value_error"),
        ] {
            assert_eq!(findings(endpoint, body), [(name.to_owned(), kind)], "{body}");
        }
        let long = json!({"name": "x".repeat(NAME + 1)}).to_string();
        assert_eq!(findings(New, &long), [("name".to_owned(), "string_too_long")]);
        for body in [r#"{"name":"a","name":"b"}"#, r#"{"name":"a","\u006eame":"b"}"#, r#"{"name":"a"} x"#, ""]
        {
            assert!(matches!(read(New, body.as_bytes()), Err(RequestError::Json(_))), "{body}");
        }
    }
}
