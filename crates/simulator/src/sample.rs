//! The smallest JSON value that fits a JSON schema, as an answer or a tool's arguments.

use serde_json::{Map, Value, json};

/// How deep a schema is followed.
const DEPTH: u8 = 12;

/// A value that fits the common parts of JSON schema: `const`, `enum`, `default`, `anyOf`, `type`,
/// `properties`, `required`, `items` with `minItems`, `minimum`.
pub(crate) fn fitting(schema: &Value) -> Value {
    at_depth(schema, DEPTH)
}

fn at_depth(schema: &Value, depth: u8) -> Value {
    let Some(deeper) = depth.checked_sub(1) else { return Value::Null };
    let first = |key: &str| schema.get(key).and_then(|list| list.get(0));
    if let Some(value) = schema.get("const").or_else(|| first("enum")).or_else(|| schema.get("default")) {
        return value.clone();
    }
    if let Some(option) = first("anyOf").or_else(|| first("oneOf")).or_else(|| first("allOf")) {
        return at_depth(option, deeper);
    }
    let kind = schema.get("type").and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    match kind {
        Some("string") => json!("simulated"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => array(schema, deeper),
        _ => object(schema, deeper),
    }
}

fn array(schema: &Value, depth: u8) -> Value {
    let wanted = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(16);
    let item = schema.get("items").unwrap_or(&Value::Null);
    (0..wanted).map(|_| at_depth(item, depth)).collect()
}

fn object(schema: &Value, depth: u8) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return json!({}) };
    let fields = properties.iter().map(|(name, schema)| (name.clone(), at_depth(schema, depth)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A value's JSON text in ASCII only, so that it can be cut at any byte.
pub(crate) fn ascii(value: &Value) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for letter in value.to_string().chars() {
        if letter.is_ascii() {
            text.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing into a String never fails.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_the_schema() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "unit": {"enum": ["é", "b"]}, "days": {"type": "integer", "minimum": 3},
            "list": {"type": "array", "items": {"type": "boolean"}, "minItems": 2}}});
        let value = fitting(&schema);
        assert_eq!(value, json!({"city": "simulated", "unit": "é", "days": 3, "list": [true, true]}));
        let text = ascii(&value);
        assert!(text.is_ascii());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
