//! A secret that is one member of a JSON object: the others stay as they are.

use super::trouble::DestinationError;
use louver_domain::secret::Secret;
use serde_json::{Map, Value};

const NO_OBJECT: DestinationError =
    DestinationError::Refused("what is there is not a JSON object, so that a field of it cannot be set");

/// The content with the secret in it: the secret itself, or what was there with one member changed.
pub(super) fn put(
    field: Option<&str>,
    before: Option<&Secret<String>>,
    secret: &Secret<String>,
) -> Result<Secret<String>, DestinationError> {
    let Some(field) = field else { return Ok(secret.clone()) };
    let mut members = before.map_or_else(|| Ok(Map::new()), object)?;
    members.insert(field.to_owned(), Value::from(secret.expose().as_str()));
    Ok(Secret::new(Value::from(members).to_string()))
}

/// The secret out of the content; none when the member is not there.
pub(super) fn get(
    field: Option<&str>,
    content: Secret<String>,
) -> Result<Option<Secret<String>>, DestinationError> {
    let Some(field) = field else { return Ok(Some(content)) };
    Ok(member(&object(&content)?, field))
}

/// A member that is a text.
pub(super) fn member(members: &Map<String, Value>, field: &str) -> Option<Secret<String>> {
    members.get(field).and_then(Value::as_str).map(|text| Secret::new(text.to_owned()))
}

fn object(text: &Secret<String>) -> Result<Map<String, Value>, DestinationError> {
    serde_json::from_str(text.expose()).map_err(|_| NO_OBJECT)
}
