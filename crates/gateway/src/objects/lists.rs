//! How lists of objects are asked for: by pages, and by the metadata that things were made with.

use super::Deed;
use crate::references::shelf;
use crate::reply::Failure;
use louver_domain::objects::ObjectKind;
use louver_store::objects::{self, Object};
use serde_json::{Map, Value};

/// Objects of one query, while a filtered list is gathered.
const CHUNK: u64 = 500;
/// Entries of a page at most.
pub(super) const LARGEST_PAGE: u64 = 1000;

/// What Mistral's Python client sends (3.7.0) where its caller says nothing of metadata.
const UNSET: &str = "~?~unset~?~sentinel~?~";

/// How many to skip, and how many to show: `default` if the request does not say.
pub(super) fn page(deed: &Deed<'_>, default: u64) -> Result<(usize, usize), Failure> {
    let size = size(deed, default)?;
    let page = number(deed, "page", 0)?;
    let size_wide = u64::try_from(size).unwrap_or(u64::MAX);
    Ok((usize::try_from(page.saturating_mul(size_wide)).unwrap_or(usize::MAX), size))
}

/// How many to show.
pub(super) fn size(deed: &Deed<'_>, default: u64) -> Result<usize, Failure> {
    let size = number(deed, "page_size", default)?.min(LARGEST_PAGE);
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

/// A whole number of the query.
pub(super) fn number(deed: &Deed<'_>, name: &'static str, default: u64) -> Result<u64, Failure> {
    let read = |text: &str| text.parse().map_err(|_| Failure::BadParameter { name });
    deed.query.get(name).map_or(Ok(default), read)
}

/// What `take` makes of the objects of the workspace in `parent`, newest first: at least the first `most`, as far as there
/// are so many.
pub(super) async fn gather<T>(
    deed: &Deed<'_>,
    kind: ObjectKind,
    parent: &str,
    most: usize,
    take: impl Fn(&Object) -> Option<T>,
) -> Result<Vec<T>, Failure> {
    let mut gathered = Vec::new();
    let mut seen = 0_u64;
    loop {
        let place = shelf(&deed.caller.key, kind, parent);
        let found = objects::list(deed.gateway.store(), place, seen, CHUNK).await.map_err(Failure::store)?;
        gathered.extend(found.objects.iter().filter_map(&take));
        seen = seen.saturating_add(CHUNK);
        if seen >= found.total || gathered.len() >= most {
            return Ok(gathered);
        }
    }
}

/// The members that the metadata of what is listed must have.
pub(super) fn metadata(deed: &Deed<'_>) -> Result<Map<String, Value>, Failure> {
    let asked = deed.query.get("metadata");
    asked.map_or(Ok(Map::new()), |text| wanted(text).ok_or(Failure::BadParameter { name: "metadata" }))
}

fn wanted(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text).ok()? {
        Value::Object(members) => Some(members),
        Value::Null => Some(Map::new()),
        Value::String(text) if text == UNSET => Some(Map::new()),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Whether something has all these members in its metadata.
pub(super) fn has(shown: &Value, wanted: &Map<String, Value>) -> bool {
    let metadata = shown.get("metadata");
    wanted.iter().all(|(name, value)| metadata.and_then(|metadata| metadata.get(name)) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_is_an_object_or_nothing() {
        let read = |text| wanted(text).map(Value::Object);
        assert_eq!(read(r#"{"team":"ml","n":1}"#), Some(json!({"team": "ml", "n": 1})));
        for nothing in ["null", "{}", r#""~?~unset~?~sentinel~?~""#] {
            assert_eq!(read(nothing), Some(json!({})), "{nothing}");
        }
        for odd in ["", "team", r#""team""#, "[]", "1", "{", r#"{"a":1}{"#, "~?~unset~?~sentinel~?~"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn all_members_that_are_asked_for_must_be_there() {
        let thing = json!({"metadata": {"team": "ml", "stage": "test"}});
        let fits = |asked: Value| has(&thing, asked.as_object().unwrap());
        assert!(
            fits(json!({})) && fits(json!({"team": "ml"})) && fits(json!({"team": "ml", "stage": "test"}))
        );
        assert!(!fits(json!({"team": "dev"})) && !fits(json!({"team": "ml", "x": null})));
        assert!(!has(&json!({"metadata": null}), json!({"team": "ml"}).as_object().unwrap()));
    }
}
