//! Schemas on the page: a type in a few words, and the fields of an object as a table.

use super::{list, members, prose, text};
use maud::{Markup, html};
use serde_json::Value;

/// Where shared schemas stand.
const SHARED: &str = "#/components/schemas/";

/// Marks a field that must be there.
pub(super) fn required() -> Markup {
    html! { " " span class="required" { "required" } }
}

/// The schema behind a reference, or the schema itself.
pub(super) fn resolved<'v>(document: &'v Value, schema: &'v Value) -> &'v Value {
    let name = text(schema, "$ref").strip_prefix(SHARED);
    let shared = name.and_then(|name| document.get("components")?.get("schemas")?.get(name));
    shared.unwrap_or(schema)
}

/// A type in a few words; shared ones are linked.
pub(super) fn name(schema: &Value) -> Markup {
    if let Some(name) = text(schema, "$ref").strip_prefix(SHARED) {
        return html! { a href=(format!("#shape-{name}")) { (name) } };
    }
    if let Some(value) = schema.get("const") {
        return html! { code { (value) } };
    }
    if schema.get("enum").is_some() {
        return separated(list(schema, "enum").map(|word| html! { code { (word) } }));
    }
    for one_of in ["anyOf", "oneOf", "allOf"] {
        if schema.get(one_of).is_some() {
            return separated(list(schema, one_of).map(name));
        }
    }
    match schema.get("type") {
        Some(Value::String(kind)) => simple(schema, kind),
        Some(Value::Array(kinds)) => {
            separated(kinds.iter().filter_map(Value::as_str).map(|kind| simple(schema, kind)))
        }
        _ => html! { "anything" },
    }
}

fn separated(parts: impl Iterator<Item = Markup>) -> Markup {
    html! { @for (place, part) in parts.enumerate() { @if place > 0 { " or " } (part) } }
}

fn simple(schema: &Value, kind: &str) -> Markup {
    match kind {
        "array" => html! { "list of " (name(schema.get("items").unwrap_or(&Value::Null))) },
        "object" => match schema.get("additionalProperties") {
            Some(inner @ Value::Object(_)) => html! { "object of " (name(inner)) },
            _ => html! { "object" },
        },
        "string" => match (text(schema, "format"), text(schema, "pattern")) {
            ("", "") => html! { "string" },
            ("", pattern) => html! { "string like " code { (pattern) } },
            (format, _) => html! { (format) },
        },
        "integer" | "number" => html! { (kind) (bounds(schema)) },
        other => html! { (other) },
    }
}

fn bounds(schema: &Value) -> Markup {
    let (least, most) = (schema.get("minimum"), schema.get("maximum"));
    html! {
        @if let Some(least) = least { " from " (least) }
        @if let Some(most) = most { " to " (most) }
    }
}

/// The fields of an object as a table; nothing for other schemas.
pub(super) fn fields(schema: &Value) -> Markup {
    let needed: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
    let mut fields = members(schema, "properties").peekable();
    html! {
        @if fields.peek().is_some() {
            div class="wide" { table {
                thead { tr { th { "Field" } th { "Holds" } th { "Meaning" } } }
                tbody { @for (field, inner) in fields { tr {
                    td { code { (field) } @if needed.contains(&field.as_str()) { (required()) } }
                    td { (name(inner)) @if let Some(value) = inner.get("default") { "; " code { (value) } } }
                    td { (prose(text(inner, "description"))) }
                } } }
            } }
        }
    }
}

/// All shared schemas.
pub(super) fn all(document: &Value) -> Markup {
    let components = document.get("components").unwrap_or(&Value::Null);
    html! {
        section id="shapes" {
            h2 { a href="#shapes" { "Shapes" } }
            @for (title, schema) in members(components, "schemas") {
                article id=(format!("shape-{title}")) {
                    h3 { a href=(format!("#shape-{title}")) { (title) } }
                    @if !text(schema, "description").is_empty() { p { (prose(text(schema, "description"))) } }
                    @if schema.get("properties").is_none() { p { (name(schema)) } }
                    (fields(schema))
                }
            }
        }
    }
}
