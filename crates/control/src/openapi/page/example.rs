//! An example of each call, for a shell.

use super::{Entry, at, list, members, shape, text};
use serde_json::{Map, Value, json};

/// How deep examples of bodies go.
const DEPTH: u8 = 4;

/// A line of curl.
pub(super) fn curl(document: &Value, entry: &Entry<'_>) -> String {
    let mut line = match entry.method {
        "get" => String::from("curl"),
        method => format!("curl -X {}", method.to_uppercase()),
    };
    line.push_str(&format!(" \"$LOUVER_URL{}\"", address(entry)));
    if let Some(header) = credential(entry) {
        line.push_str(&format!(" \\\n  -H \"Authorization: Bearer ${header}\""));
    }
    if let Some(schema) = at(entry.told, &["requestBody", "content", "application/json", "schema"]) {
        let body = example(document, schema, DEPTH).to_string().replace('\'', "'\\''");
        line.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"));
    }
    line
}

/// The path with a variable of the shell for each parameter, and the parameters of the query that must be there.
fn address(entry: &Entry<'_>) -> String {
    let variable = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        // `$USER` is the shell's own.
        Some(name @ ("user" | "workspace" | "account")) => format!("${}_ID", name.to_uppercase()),
        Some(name) => format!("${}", name.to_uppercase()),
        None => part.to_owned(),
    };
    let path: Vec<String> = entry.path.split('/').map(variable).collect();
    let needed = list(entry.told, "parameters")
        .filter(|parameter| text(parameter, "in") == "query")
        .filter(|parameter| parameter.get("required") == Some(&Value::Bool(true)))
        .map(|parameter| text(parameter, "name"))
        .map(|name| format!("{name}=${}", name.to_uppercase()));
    let query: Vec<String> = needed.collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{mark}{}", path.join("/"), query.join("&"))
}

fn credential(entry: &Entry<'_>) -> Option<&'static str> {
    let scheme = list(entry.told, "security").next()?.as_object()?.keys().next()?;
    Some(if scheme.starts_with("Admin") { "LOUVER_ADMIN_KEY" } else { "LOUVER_API_KEY" })
}

/// A value of a schema: what must be there, and the first field where nothing must.
fn example(document: &Value, schema: &Value, depth: u8) -> Value {
    let schema = shape::resolved(document, schema);
    if let Some(given) = list(schema, "examples").next().or_else(|| schema.get("const")) {
        return given.clone();
    }
    if let Some(word) = list(schema, "enum").next() {
        return word.clone();
    }
    let inner = ["anyOf", "oneOf", "allOf"].into_iter().find_map(|name| list(schema, name).next());
    if let Some(inner) = inner {
        return example(document, inner, depth);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or_default(),
        _ => text(schema, "type"),
    };
    match kind {
        "object" => object(document, schema, depth),
        "array" => match (schema.get("items"), depth.checked_sub(1)) {
            (Some(items), Some(depth)) => json!([example(document, items, depth)]),
            _ => json!([]),
        },
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        _ => json!(string(schema)),
    }
}

fn object(document: &Value, schema: &Value, depth: u8) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return json!({}) };
    let needed: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
    let all = members(schema, "properties").enumerate();
    let shown = all.filter(|(place, (name, _))| match needed.is_empty() {
        true => *place == 0,
        false => needed.contains(&name.as_str()),
    });
    let shown = shown.map(|(_, (name, inner))| (name.clone(), example(document, inner, depth)));
    Value::Object(shown.collect::<Map<_, _>>())
}

fn string(schema: &Value) -> &'static str {
    match text(schema, "format") {
        "date-time" => "2026-12-31T23:59:59Z",
        "date" => "2026-12-31",
        "uuid" => "0199aa3c-7d2e-7c44-9d0e-2f6d3a1b5c70",
        _ if text(schema, "pattern").contains("[0-9A-Fa-f]") => "0199aa3c-7d2e-7c44-9d0e-2f6d3a1b5c70",
        _ => "…",
    }
}
