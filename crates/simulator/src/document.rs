//! The documents that are read: where they lie, how many pages they have, and which of those are wanted.

use serde_json::{Map, Value};

use crate::{
    audio, lenient,
    prose::{Random, hash},
    route,
};

/// A document of which nothing is known has no more pages than this.
const THICK: u64 = 5;
/// And none has more than this.
const THICKEST: u64 = 10_000;

/// A document.
#[derive(Debug, PartialEq)]
pub(crate) struct Document {
    /// How many pages it has.
    pub(crate) pages: u64,
    /// How many bytes, as far as they are known.
    pub(crate) bytes: Option<u64>,
}

/// Why there is no document.
#[derive(Debug, PartialEq)]
pub(crate) enum Missing {
    /// The request names none.
    Unnamed,
    /// What it names cannot be had.
    Unreachable,
}

/// The document that a request names: `type` decides, and where it is missing the first kind that is there.
pub(crate) fn named(document: &Map<String, Value>) -> Result<Document, Missing> {
    let text = |name: &str| {
        let value = document.get(name)?;
        value.as_str().or_else(|| value.get("url")?.as_str())
    };
    let kind = match document.get("type").and_then(Value::as_str) {
        Some("file") => &["file_id"][..],
        Some("document_url") => &["document_url"],
        Some("image_url") => &["image_url"],
        _ => &["file_id", "document_url", "image_url"],
    };
    let (kind, address) = kind.iter().find_map(|kind| Some((*kind, text(kind)?))).ok_or(Missing::Unnamed)?;
    if address.starts_with("data:") {
        let bytes = audio::decode(address).ok_or(Missing::Unreachable)?;
        let pages = if kind == "image_url" { 1 } else { pages(&bytes) };
        return Ok(Document { pages, bytes: Some(bytes.len() as u64) });
    }
    if kind != "file_id" && !address.starts_with("https://") && !address.starts_with("http://") {
        return Err(Missing::Unreachable);
    }
    let mut random = Random::of(&[hash(10, address.as_bytes())]);
    let said = address.split_once('?').and_then(|(_, query)| route::parameter(query, "pages")?.parse().ok());
    let drawn = if kind == "image_url" { 1 } else { random.between(1, THICK) };
    Ok(Document { pages: said.unwrap_or(drawn).clamp(1, THICKEST), bytes: None })
}

/// How many pages are in a PDF, by its page objects; anything else has one.
fn pages(bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    let mut pages = 0_u64;
    while let Some(at) = memchr::memmem::find(rest, b"/Type") {
        rest = rest.get(at + 5..).unwrap_or_default().trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"/Page") {
            pages += u64::from(!after.first().is_some_and(u8::is_ascii_alphanumeric));
        }
    }
    pages.clamp(1, THICKEST)
}

/// Which of so many pages are wanted, from 0: a number, a range such as `"2-5"`, a list of both, or all.
pub(crate) fn selected(wanted: &Value, pages: u64) -> Option<Vec<u64>> {
    let mut chosen = Vec::new();
    match wanted {
        Value::Null => chosen.extend(0..pages),
        Value::Array(list) => {
            for part in list {
                chosen.extend(selected(part, pages)?);
            }
        }
        Value::String(text) => {
            for part in text.split(',') {
                let (from, to) = part.split_once('-').unwrap_or((part, part));
                let (from, to) = (from.trim().parse::<u64>().ok()?, to.trim().parse::<u64>().ok()?);
                chosen.extend((from..=to.min(pages)).take_while(|page| *page < pages));
            }
        }
        other => chosen.extend(u64::try_from(lenient::integer(other)?).ok().filter(|page| *page < pages)),
    }
    chosen.sort_unstable();
    chosen.dedup();
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_are_counted_and_chosen() {
        assert_eq!(pages(b"%PDF <</Type /Pages>> <</Type/Page>> <</Type\n/Page /Parent>>"), 2);
        assert_eq!(pages(b"no pdf"), 1);
        for (wanted, chosen) in [
            (json!(null), Some(vec![0, 1, 2, 3])),
            (json!(2), Some(vec![2])),
            (json!("1-2"), Some(vec![1, 2])),
            (json!([0, "2-9", "2"]), Some(vec![0, 2, 3])),
            (json!("0,3"), Some(vec![0, 3])),
            (json!([9]), Some(vec![])),
            (json!(["x"]), None),
            (json!({}), None),
        ] {
            assert_eq!(selected(&wanted, 4), chosen, "{wanted}");
        }
    }

    #[test]
    fn a_document_is_found_by_its_type() {
        let read = |value: Value| named(value.as_object().unwrap());
        let both =
            json!({"document_url": "https://a.test/x?pages=7", "image_url": {"url": "https://a.test/i"}});
        assert_eq!(read(both.clone()).unwrap().pages, 7);
        let mut image = both;
        image["type"] = json!("image_url");
        assert_eq!(read(image).unwrap().pages, 1);
        assert_eq!(read(json!({})), Err(Missing::Unnamed));
        assert_eq!(read(json!({"document_url": "file:///etc/passwd"})), Err(Missing::Unreachable));
        let inline = json!({"document_url": "data:application/pdf;base64,L1R5cGUvUGFnZSAvVHlwZS9QYWdl"});
        assert_eq!(read(inline), Ok(Document { pages: 2, bytes: Some(21) }));
    }
}
