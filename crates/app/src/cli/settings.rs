//! Values of flags as members of a body: a number, dollars, a list, a word, or `none` for null.

use serde_json::{Map, Value};

const NONE: &str = "none";

fn setting(text: &str, read: impl FnOnce(&str) -> Result<Value, String>) -> Result<Value, String> {
    if text == NONE { Ok(Value::Null) } else { read(text) }
}

fn whole(text: &str) -> Result<Value, String> {
    let digits = text.replace('_', "");
    digits.parse::<u64>().map(Value::from).map_err(|_| "a whole number, or none".into())
}

/// A whole number; `_` may stand between thousands.
pub(super) fn count(text: &str) -> Result<Value, String> {
    setting(text, whole)
}

/// Several whole numbers, separated by commas.
pub(super) fn counts(text: &str) -> Result<Value, String> {
    setting(text, |text| {
        text.split(',').map(|part| whole(part.trim())).collect::<Result<_, _>>().map(Value::Array)
    })
}

/// An amount in dollars. It is sent as the number that was written.
pub(super) fn dollars(text: &str) -> Result<Value, String> {
    let wrong = || "dollars such as 50 or 12.50, or none".to_owned();
    setting(text, |text| {
        let number: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        if number.is_number() { Ok(number) } else { Err(wrong()) }
    })
}

/// A list, separated by commas.
pub(super) fn names(text: &str) -> Result<Value, String> {
    setting(text, |text| {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Ok(parts.map(Value::from).collect())
    })
}

/// One word.
pub(super) fn choice(text: &str) -> Result<Value, String> {
    setting(text, |text| Ok(text.into()))
}

/// The members that were given.
pub(super) fn body(all: &[(&str, &Option<Value>)]) -> Map<String, Value> {
    let given = all.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value).clone()?)));
    given.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_say_numbers_lists_words_and_nothing() {
        for (read, text, value) in [
            (count("60"), "60", Some(json!(60))),
            (count("1_000_000"), "1_000_000", Some(json!(1_000_000))),
            (count("none"), "none", Some(Value::Null)),
            (count("-1"), "-1", None),
            (count("ten"), "ten", None),
            (counts("50, 80"), "50, 80", Some(json!([50, 80]))),
            (counts("50,x"), "50,x", None),
            (dollars("12.50"), "12.50", Some(json!(12.5))),
            (dollars("\"5\""), "\"5\"", None),
            (dollars("5 USD"), "5 USD", None),
            (names("a, b,"), "a, b,", Some(json!(["a", "b"]))),
            (names("none"), "none", Some(Value::Null)),
            (choice("eu"), "eu", Some(json!("eu"))),
        ] {
            assert_eq!(read.ok(), value, "{text}");
        }
        let (some, none) = (Some(json!(1)), None);
        assert_eq!(Value::Object(body(&[("a", &some), ("b", &none)])), json!({"a": 1}));
    }
}
