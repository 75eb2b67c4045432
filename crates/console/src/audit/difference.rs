//! What a deed changed, out of what stood in the log before and after: one line for each value that differs.

use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;

/// A value that differs: where it stands, and what it was and is.
type Line = (String, Option<String>, Option<String>);

/// Draws what differs; nothing where neither is there.
pub(crate) fn draw(before: Option<&str>, after: Option<&str>) -> Option<Markup> {
    let lines = lines(before, after);
    (!lines.is_empty()).then(|| {
        html! {
            dl.diff {
                @for (name, was, is) in &lines {
                    div {
                        dt { (name) }
                        @if let Some(was) = was { dd { del { (was) } } }
                        @if let Some(is) = is { dd { ins { (is) } } }
                    }
                }
            }
        }
    })
}

fn lines(before: Option<&str>, after: Option<&str>) -> Vec<Line> {
    let (before, after) = (leaves(before), leaves(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let line = |name: &String| (name.clone(), before.get(name).cloned(), after.get(name).cloned());
    names.into_iter().map(line).filter(|(_, was, is)| was != is).collect()
}

/// Each value by the way to it. What is not JSON, because somebody changed it, is shown as the text that it is.
fn leaves(text: Option<&str>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let Some(text) = text else { return all };
    match serde_json::from_str(text) {
        Ok(value) => gather(String::new(), &value, &mut all),
        Err(_) => drop(all.insert("text".to_owned(), text.to_owned())),
    }
    all
}

/// Depth is bounded by what the parser takes.
fn gather(name: String, value: &Value, all: &mut BTreeMap<String, String>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(members) => members.iter().for_each(|(key, value)| gather(below(key), value, all)),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let words: Vec<String> = items.iter().map(plain).collect();
            all.insert(name, if words.is_empty() { "none".to_owned() } else { words.join(", ") });
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                gather(below(&place.to_string()), item, all);
            }
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => drop(all.insert(name, plain(value))),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, was: Option<&str>, is: Option<&str>) -> Line {
        (name.to_owned(), was.map(str::to_owned), is.map(str::to_owned))
    }

    #[test]
    fn what_differs_is_told_by_the_way_to_it() {
        let before = r#"{"id": "1", "limits": {"models": ["a", "b"], "rpm": 5}, "note": null}"#;
        let after = r#"{"id": "1", "limits": {"models": ["a"]}, "note": "x", "open": false}"#;
        let expected = [
            line("limits.models", Some("a, b"), Some("a")),
            line("limits.rpm", Some("5"), None),
            line("note", None, Some("x")),
            line("open", None, Some("false")),
        ];
        assert_eq!(lines(Some(before), Some(after)), expected);
    }

    #[test]
    fn what_was_made_or_removed_is_shown_whole_and_what_is_no_json_as_text() {
        assert_eq!(lines(None, Some(r#"{"a": []}"#)), [line("a", None, Some("none"))]);
        assert_eq!(
            lines(Some(r#"[{"a": 1}, {"a": 2}]"#), None),
            [line("0.a", Some("1"), None), line("1.a", Some("2"), None)]
        );
        assert_eq!(lines(None, Some("{broken")), [line("text", None, Some("{broken"))]);
        assert!(draw(None, None).is_none());
        assert!(draw(Some("{}"), Some("{}")).is_none());
    }

    #[test]
    fn text_of_people_stays_text() {
        let drawn = draw(None, Some(r#"{"<b>": "<script>"}"#)).unwrap().into_string();
        assert!(
            drawn.contains("&lt;b&gt;") && drawn.contains("&lt;script&gt;") && !drawn.contains("<script>")
        );
    }
}
