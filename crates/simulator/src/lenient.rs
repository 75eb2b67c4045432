//! Reads JSON as leniently as a Python service with pydantic would, and notes what even it refuses.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// One complaint of a 422 answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    r#type: &'static str,
    loc: Vec<Value>,
    msg: &'static str,
    input: Value,
}

impl Problem {
    /// The body is no JSON.
    pub(crate) fn no_json() -> Self {
        Self {
            r#type: "json_invalid",
            loc: vec![json!("body"), json!(0)],
            msg: "JSON decode error",
            input: json!({}),
        }
    }

    /// A part of the request is wrong.
    pub(crate) fn field(place: &[&str], kind: &'static str, msg: &'static str, input: Value) -> Self {
        Self { r#type: kind, loc: place.iter().map(|step| json!(step)).collect(), msg, input }
    }

    /// The body is JSON, but no object.
    pub(crate) fn no_object(body: &Value) -> Self {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        Self { r#type: "model_attributes_type", loc: vec![json!("body")], msg, input: body.clone() }
    }
}

/// A body's value; a byte order mark before it is no matter, and UTF-16 is found out.
pub(crate) fn parse(body: &[u8]) -> Option<Value> {
    let (pairs, rest) = body.as_chunks::<2>();
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units = pairs.iter().map(|pair| unit(*pair)).filter(|unit| *unit != 0xfeff);
        let text: Option<String> = char::decode_utf16(units).map(Result::ok).collect();
        serde_json::from_str(&text?).ok()
    };
    match pairs.first() {
        Some([0xff, 0xfe] | [1..=255, 0]) if rest.is_empty() => wide(u16::from_le_bytes),
        Some([0xfe, 0xff] | [0, 1..=255]) if rest.is_empty() => wide(u16::from_be_bytes),
        _ => serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok(),
    }
}

/// What pydantic takes for a boolean.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::String(word) => match word.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// What pydantic takes for an integer: also a float without fraction, a string of digits, a boolean.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        _ => None,
    }
}

/// A float without fraction; anything beyond an integer's range counts as its end.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is meant")]
    (number.is_finite() && number.fract() == 0.0).then_some(number as i64)
}

/// The fields of a request, with the complaints gathered while they are read.
pub(crate) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    place: Vec<Value>,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// Reads an object whose fields must be among the known; `place` is where errors are said to be.
    pub(crate) fn of(fields: &'a Map<String, Value>, place: &[&str], known: &[&str]) -> Self {
        let place: Vec<Value> = place.iter().map(|step| json!(step)).collect();
        let mut this = Self { fields, place, problems: Vec::new() };
        for (name, value) in fields.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            this.complain(name, "extra_forbidden", "Extra inputs are not permitted", value.clone());
        }
        this
    }

    /// Notes a complaint about a field.
    pub(crate) fn complain(&mut self, name: &str, kind: &'static str, msg: &'static str, input: Value) {
        let loc = self.place.iter().cloned().chain([json!(name)]).collect();
        self.problems.push(Problem { r#type: kind, loc, msg, input });
    }

    /// All fields.
    pub(crate) fn all(&self) -> &'a Map<String, Value> {
        self.fields
    }

    /// A field that is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field that must be there.
    pub(crate) fn required(&mut self, name: &str) -> Option<&'a Value> {
        let value = self.fields.get(name);
        if value.is_none() {
            self.complain(name, "missing", "Field required", Value::Object(self.fields.clone()));
        }
        value
    }

    /// A field that must be a string.
    pub(crate) fn string(&mut self, name: &str) -> Option<&'a str> {
        let value = self.required(name)?;
        if !value.is_string() {
            self.complain(name, "string_type", "Input should be a valid string", value.clone());
        }
        value.as_str()
    }

    /// A field that is a boolean if it is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let Some(value) = self.get(name) else { return false };
        let flag = boolean(value);
        if flag.is_none() {
            let msg = "Input should be a valid boolean, unable to interpret input";
            self.complain(name, "bool_parsing", msg, value.clone());
        }
        flag.unwrap_or(false)
    }

    /// A field that is an integer in this range if it is there.
    pub(crate) fn count(&mut self, name: &str, least: i64, most: i64) -> Option<u64> {
        let value = self.get(name)?;
        match integer(value) {
            None => self.complain(name, "int_type", "Input should be a valid integer", value.clone()),
            Some(number) if number < least => {
                self.complain(name, "greater_than_equal", "Input is less than it may be", value.clone());
            }
            Some(number) if number > most => {
                self.complain(name, "less_than_equal", "Input is greater than it may be", value.clone());
            }
            Some(number) => return u64::try_from(number).ok(),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_pydantic_takes() {
        assert_eq!(boolean(&json!("Yes")), Some(true));
        assert_eq!(boolean(&json!(1.0)), Some(true));
        assert_eq!(boolean(&json!(2)), None);
        assert_eq!(integer(&json!("5")), Some(5));
        assert_eq!(integer(&json!(5.0)), Some(5));
        assert_eq!(integer(&json!(5.5)), None);
        assert_eq!(integer(&json!(true)), Some(1));
        assert_eq!(parse(b"[\0]\0"), parse(b"\xfe\xff\0[\0]"));
        assert_eq!(parse(b"[\0]\0"), Some(json!([])));
        assert_eq!(parse(b"\xef\xbb\xbf{\"a\":1,\"a\":2}").unwrap(), json!({"a": 2}));
    }
}
