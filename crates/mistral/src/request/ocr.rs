//! The document that is to be read, and how many pages of it at most.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::path::Path;
use super::{Reader, Reference, ReferenceKind};
use crate::json::{Cursor, Fault, Kind};
use crate::pdf::page_bound;

/// A document to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Document {
    /// Pages it has at most, where that can be seen from here.
    pub pages: Option<u64>,
    /// Pages that the request names; `None` is all.
    pub named: Option<u64>,
    /// Whether they are annotated, which has a price of its own.
    pub annotated: bool,
}

impl Document {
    /// Pages that are read at most, where a document that cannot be seen has no more than `unseen`.
    ///
    /// Who names more pages of it has them set aside: a list of pages is a bound by itself.
    pub fn bound(&self, unseen: u64) -> u64 {
        match (self.pages, self.named) {
            (Some(pages), Some(named)) => pages.min(named),
            (Some(pages), None) => pages,
            (None, Some(named)) => named,
            (None, None) => unseen,
        }
    }
}

/// How a document can be named: the key, and the type that goes with it.
const NAMES: [(&str, &str); 3] =
    [("file_id", "file"), ("document_url", "document_url"), ("image_url", "image_url")];

impl Reader {
    /// Reads the document. It is named in exactly one way, since upstream could take another.
    pub(super) fn document_chunk(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        let (mut kind, mut keys) = (None, Vec::new());
        let read = self.object(cursor, path, |reader, cursor, name| {
            let place = path.member(name);
            keys.extend(NAMES.iter().filter(|(key, _)| *key == name));
            match name {
                "type" => {
                    kind = reader.string(cursor, &place)?;
                    Ok(())
                }
                "file_id" => reader.document_file(cursor, &place),
                "document_url" => reader.url(cursor, &place, Self::see),
                "image_url" if cursor.kind()? == Kind::Object => reader.image_object(cursor, &place),
                "image_url" => reader.url(cursor, &place, Self::see),
                "document_name" => reader.text(cursor, &place),
                _ => reader.extra(cursor, &place),
            }
        })?;
        let agrees = |(_, expected): &(&str, &str)| kind.as_deref().is_none_or(|kind| kind == *expected);
        if read && !matches!(keys.as_slice(), [only] if agrees(only)) {
            let msg = "Input should be one of file_id, document_url and image_url, with its type";
            self.refuse_at(path, "union_tag_invalid", msg);
        }
        Ok(())
    }

    fn document_file(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        // Its pages cannot be seen from here.
        self.document_mut();
        let id = self.needed_string(cursor, path)?;
        self.request.references.extend(id.map(|id| Reference { kind: ReferenceKind::File, id }));
        Ok(())
    }

    fn image_object(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        let mut named = false;
        cursor.object(|cursor, name| {
            let place = path.member(name);
            match name {
                "url" => {
                    named = true;
                    self.url(cursor, &place, Self::see)
                }
                "detail" => self.text(cursor, &place),
                _ => self.extra(cursor, &place),
            }
        })?;
        if !named {
            self.refuse_at(&path.member("url"), "missing", "Field required");
        }
        Ok(())
    }

    /// Looks into a document that came along.
    fn see(&mut self, inline: Option<&str>) {
        self.document_mut().pages = inline.and_then(pages_of);
    }

    /// Reads the pages that are wanted: numbers, or a text of numbers and ranges.
    pub(super) fn pages(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Array => {
                let mut named = 0_u64;
                cursor.array(|cursor, index| {
                    named = named.saturating_add(1);
                    let place = path.element(index);
                    if cursor.kind()? != Kind::Number {
                        self.refuse_at(&place, "int_type", "Input should be a valid integer");
                    }
                    self.integer(cursor, &place, 0).map(|_| ())
                })?;
                // An empty list may be read as none and as all.
                self.document_mut().named = (named > 0).then_some(named);
                Ok(())
            }
            Kind::String => {
                let named = count_pages(&cursor.string()?.decoded());
                self.document_mut().named = named;
                if named.is_none() {
                    self.refuse_at(
                        path,
                        "value_error",
                        "Input should be page numbers and ranges, as in 0,2-4",
                    );
                }
                Ok(())
            }
            _ => self.plain(cursor, path, &[], "list_type", "a valid list or string of pages"),
        }
    }

    pub(super) fn annotation(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.document_mut().annotated |= cursor.kind()? != Kind::Null;
        self.plain(cursor, path, &[Kind::Object], "dict_type", "a valid object")
    }

    fn document_mut(&mut self) -> &mut Document {
        self.request.document.get_or_insert_default()
    }
}

/// How many pages a text such as `0,2-4` names.
fn count_pages(text: &str) -> Option<u64> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u32>().ok()).flatten().map(u64::from)
    };
    text.split(',').try_fold(0_u64, |sum, part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (number(from)?, number(to)?);
        sum.checked_add(to.checked_sub(from)?.checked_add(1)?)
    })
}

/// Pages at most of what stands behind `data:`. A picture of one of the usual kinds is a page; what is neither that nor
/// a plain PDF has no bound, whatever it calls itself.
fn pages_of(inline: &str) -> Option<u64> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let (head, payload) = inline.split_once(',')?;
    let bytes = head.to_ascii_lowercase().ends_with(";base64").then(|| LENIENT.decode(payload).ok())??;
    if bytes.starts_with(b"%PDF") { page_bound(&bytes) } else { is_picture(&bytes).then_some(1) }
}

/// Whether a file is a picture of a kind that has no pages.
fn is_picture(bytes: &[u8]) -> bool {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(b"\xff\xd8\xff") || webp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_as_they_are_named() {
        for (text, pages) in [
            ("0", Some(1)),
            ("0,2-4", Some(4)),
            ("7-7", Some(1)),
            ("1,1", Some(2)),
            ("0-4294967295", Some(1 << 32)),
        ] {
            assert_eq!(count_pages(text), pages, "{text}");
        }
        for text in ["", ",", "1,", "-1", "1-", "4-2", "a", "1 ", "+1", "0-4294967296", "1--2", "0x1"] {
            assert_eq!(count_pages(text), None, "{text}");
        }
    }

    #[test]
    fn a_bound_is_the_least_that_is_known() {
        let document = |pages, named| Document { pages, named, annotated: false }.bound(1000);
        assert_eq!(document(Some(5), Some(2)), 2);
        assert_eq!(document(Some(2), Some(5)), 2);
        assert_eq!(document(Some(2000), None), 2000);
        assert_eq!(document(None, Some(3000)), 3000);
        assert_eq!(document(None, None), 1000);
    }

    #[test]
    fn a_document_is_what_its_bytes_say() {
        assert_eq!(pages_of("image/png;base64,iVBORw0KGgo="), Some(1));
        assert_eq!(pages_of("application/pdf;base64,iVBORw0KGgo"), Some(1));
        assert_eq!(pages_of("image/jpeg;BASE64,/9j/4AAQ"), Some(1));
        assert_eq!(pages_of("image/webp;base64,UklGRgAAAABXRUJQ"), Some(1));
        for inline in [
            "image/png;base64,JVBERi0xLjQ=",
            "image/tiff;base64,SUkqAA==",
            "image/png,iVBORw0KGgo=",
            "image/png;base64,iVBOR w0KGgo=",
            "image/png;base64",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation;base64,UEsDBA==",
        ] {
            assert_eq!(pages_of(inline), None, "{inline}");
        }
    }
}
