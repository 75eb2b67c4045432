//! The tools that a request offers: functions of the client, and those that the provider runs by itself.

use super::chunks::Family;
use super::path::Path;
use super::written::whole;
use super::{Reader, Reference, ReferenceKind, shortened};
use crate::json::{Cursor, Fault, Kind};

/// The tools that the provider runs.
const PROVIDER_TOOLS: [&str; 6] = [
    "web_search",
    "web_search_premium",
    "code_interpreter",
    "image_generation",
    "document_library",
    "connector",
];

/// What the keys of one tool say.
#[derive(Default)]
struct Offer {
    kind: Option<String>,
    keys: Vec<String>,
    references: Vec<Reference>,
}

/// The keys that a tool may have beside `type`.
fn keys(family: Family, kind: &str) -> &'static [&'static str] {
    match (family, kind) {
        (Family::Chat, "function") => &["function"],
        (Family::Chat, "document_library") => &["library_ids", "tool_configuration"],
        (Family::Chat, "connector") => &["connector_id", "authorization", "tool_configuration"],
        (Family::Chat, _) => &["tool_configuration"],
        (Family::Responses, _) => &[
            "name",
            "description",
            "parameters",
            "strict",
            "allowed_callers",
            "defer_loading",
            "output_schema",
        ],
    }
}

/// The key that a tool cannot be without.
fn required(family: Family, kind: &str) -> Option<&'static str> {
    match (family, kind) {
        (Family::Chat, "function") => Some("function"),
        (Family::Chat, "document_library") => Some("library_ids"),
        (Family::Chat, "connector") => Some("connector_id"),
        (Family::Chat, _) => None,
        (Family::Responses, _) => Some("name"),
    }
}

impl Reader {
    pub(super) fn tools(
        &mut self,
        cursor: &mut Cursor<'_>,
        family: Family,
        path: &Path<'_>,
    ) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Array => whole(cursor, |cursor| {
                cursor.array(|cursor, index| self.tool(cursor, family, &path.element(index)))
            }),
            _ => self.plain(cursor, path, &[], "list_type", "a valid list"),
        }
    }

    fn tool(&mut self, cursor: &mut Cursor<'_>, family: Family, path: &Path<'_>) -> Result<(), Fault> {
        self.request.tools = self.request.tools.saturating_add(1);
        let mut offer = Offer::default();
        let read = self.object(cursor, path, |reader, cursor, name| {
            let place = path.member(name);
            match name {
                "type" => {
                    offer.kind = reader.needed_string(cursor, &place)?;
                    return Ok(());
                }
                "function" if cursor.kind()? != Kind::Object => {
                    reader.refuse_at(&place, "dict_type", "Input should be a valid object");
                    cursor.skip()?;
                }
                "library_ids" => reader.libraries(cursor, &mut offer.references, &place)?,
                "connector_id" => {
                    let id = reader.needed_string(cursor, &place)?.unwrap_or_default();
                    offer.references.push(Reference { kind: ReferenceKind::Unowned, id });
                }
                "tool_configuration" if cursor.kind()? != Kind::Null => {
                    reader.configuration(cursor, &place)?
                }
                _ => cursor.skip()?,
            }
            offer.keys.push(shortened(name));
            Ok(())
        })?;
        if read {
            self.offered(offer, family, path);
        }
        Ok(())
    }

    /// Which functions of a tool may be called: names of them, and nothing else.
    fn configuration(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.object(cursor, path, |reader, cursor, name| {
            let place = path.member(name);
            match (name, cursor.kind()?) {
                ("include" | "exclude" | "requires_confirmation", Kind::Array) => {
                    reader.strings(cursor, &place).map(|_| ())
                }
                ("include" | "exclude" | "requires_confirmation", _) => {
                    reader.plain(cursor, &place, &[], "list_type", "a valid list")
                }
                _ => reader.extra(cursor, &place),
            }
        })
        .map(|_| ())
    }

    fn libraries(
        &mut self,
        cursor: &mut Cursor<'_>,
        found: &mut Vec<Reference>,
        path: &Path<'_>,
    ) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Array {
            self.refuse_at(path, "list_type", "Input should be a valid list");
            return cursor.skip();
        }
        cursor.array(|cursor, index| {
            let id = self.needed_string(cursor, &path.element(index))?;
            found.extend(id.map(|id| Reference { kind: ReferenceKind::Library, id }));
            Ok(())
        })
    }

    /// A tool without a type is a function, and has nothing else.
    fn offered(&mut self, offer: Offer, family: Family, path: &Path<'_>) {
        let Offer { kind, keys: named, references } = offer;
        let kind = kind.unwrap_or_else(|| "function".to_owned());
        let provided = PROVIDER_TOOLS.contains(&kind.as_str());
        let known = match family {
            Family::Chat => kind == "function" || provided,
            Family::Responses => kind == "function",
        };
        if !known {
            let msg = "Input tag does not match any of the expected tags";
            return self.refuse_at(&path.member("type"), "union_tag_invalid", msg);
        }
        for name in named.iter().filter(|name| !keys(family, &kind).contains(&name.as_str())) {
            self.refuse_at(&path.member(name), "extra_forbidden", "Extra inputs are not permitted");
        }
        if let Some(name) = required(family, &kind).filter(|name| !named.iter().any(|given| given == name)) {
            self.refuse_at(&path.member(name), "missing", "Field required");
        }
        self.request.references.extend(references);
        if provided && !self.request.provider_tools.contains(&kind) {
            self.request.provider_tools.push(kind);
        }
    }
}
