//! What the strict scan accepts is what `serde_json` accepts without a key that stands twice and without too deep a
//! nesting, and both read the same strings in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use louver_mistral::json::{self, MAX_DEPTH};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// A document read by `serde_json`: its depth, and the bytes of its strings without keys.
#[derive(Default)]
struct Document {
    depth: u8,
    string_bytes: u64,
}

impl Document {
    fn take(&mut self, inner: &Document) {
        self.depth = self.depth.max(inner.depth);
        self.string_bytes += inner.string_bytes;
    }

    fn around(mut self) -> Self {
        self.depth += 1;
        self
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_unit<E>(self) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Document, E> {
        Ok(Document { depth: 0, string_bytes: text.len() as u64 })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Document, A::Error> {
        let mut all = Document::default();
        while let Some(item) = items.next_element::<Document>()? {
            all.take(&item);
        }
        Ok(all.around())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Document, A::Error> {
        let (mut all, mut names) = (Document::default(), HashSet::new());
        while let Some((name, value)) = fields.next_entry::<String, Document>()? {
            all.take(&value);
            if !names.insert(name) {
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(all.around())
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let ours = json::scan(bytes, |cursor| {
        cursor.skip()?;
        Ok(cursor.string_bytes())
    });
    let theirs = serde_json::from_slice::<Document>(bytes).ok().filter(|d| d.depth <= MAX_DEPTH);
    assert_eq!(ours.as_ref().ok(), theirs.map(|document| document.string_bytes).as_ref(), "{ours:?}");
    assert_eq!(json::check(bytes).is_ok(), ours.is_ok());
    if let Err(error) = ours {
        assert!(error.line >= 1 && error.column >= 1);
    }
});
