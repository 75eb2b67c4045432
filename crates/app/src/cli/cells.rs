//! Members of the API's answers as cells for people.

use super::figures;
use super::table::{Cell, Look};
use louver_domain::time::Timestamp;
use serde_json::Value;

/// The text of a member; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member as it is.
pub(super) fn plain(value: &Value, name: &str) -> Cell {
    match value.get(name) {
        None | Some(Value::Null) => Cell::none(),
        Some(Value::String(text)) if text.is_empty() => Cell::none(),
        Some(Value::String(text)) => Cell::new(text),
        Some(Value::Number(number)) => Cell::new(figures::count(&number.to_string())).number(),
        Some(Value::Bool(true)) => Cell::new("yes"),
        Some(Value::Bool(false)) => Cell::new("no"),
        Some(Value::Array(items)) => Cell::new(listed(items)),
        Some(other @ Value::Object(_)) => Cell::new(other.to_string()),
    }
}

fn listed(items: &[Value]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let texts: Vec<String> =
        items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
    texts.join(", ")
}

/// The name of something.
pub(super) fn name(value: &Value, member: &str) -> Cell {
    plain(value, member).look(Look::Strong)
}

/// An id.
pub(super) fn id(value: &Value, member: &str) -> Cell {
    plain(value, member).look(Look::Faint)
}

/// An amount in dollars.
pub(super) fn money(value: &Value, name: &str) -> Cell {
    let dollars = value.get(name).and_then(figures::dollars);
    dollars.map_or_else(|| plain(value, name), |text| Cell::new(text).number())
}

/// An amount in the unit that stands beside it.
pub(super) fn amount(value: &Value, name: &str, unit: &str) -> Cell {
    if unit == "usd" {
        return money(value, name);
    }
    let number = plain(value, name);
    if number == Cell::none() { number } else { Cell::new(format!("{} {unit}", number.text())).number() }
}

/// A moment, seen from now; another word where there is none.
pub(super) fn ago(value: &Value, name: &str, now: Timestamp, none: &str) -> Cell {
    match Timestamp::parse(text(value, name)) {
        Some(at) => Cell::new(figures::relative(at, now)),
        None => Cell::new(none).look(Look::Faint),
    }
}

/// A moment in full; another word where there is none.
pub(super) fn moment(value: &Value, name: &str, now: Timestamp, none: &str) -> Cell {
    match Timestamp::parse(text(value, name)) {
        Some(at) => Cell::new(figures::moment(at, now)),
        None => Cell::new(none).look(Look::Faint),
    }
}

/// A state, in the colour of what it means.
pub(super) fn state(word: &str) -> Cell {
    let look = match word {
        "active" | "enabled" | "closed" | "live" | "done" | "delivered" | "sent" | "allowed" => Look::Good,
        "disabled" | "expired" | "resting" | "half_open" | "pending" | "archived" | "shadow" | "held"
        | "waiting" | "cancelled" | "retrying" => Look::Warn,
        "revoked" | "exhausted" | "blocked" | "open" | "failed" | "given_up" | "refused" => Look::Bad,
        _ => Look::Plain,
    };
    if word.is_empty() { Cell::none() } else { Cell::new(word).look(look) }
}

/// Whether it is enabled, as a state.
pub(super) fn enabled(value: &Value) -> Cell {
    match value.get("enabled").and_then(Value::as_bool) {
        Some(true) => state("enabled"),
        Some(false) => state("disabled"),
        None => Cell::none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_member_has_its_cell() {
        let value = json!({
            "s": "x", "e": "", "n": 1200, "b": true, "l": ["a", "b"], "z": [], "usd": 12.5, "t": 5, "nothing": null,
        });
        for (name, said) in [
            ("s", "x"),
            ("e", "-"),
            ("n", "1,200"),
            ("b", "yes"),
            ("l", "a, b"),
            ("z", "none"),
            ("nothing", "-"),
            ("absent", "-"),
        ] {
            assert_eq!(plain(&value, name).text(), said, "{name}");
        }
        assert_eq!(money(&value, "usd").text(), "12.50 USD");
        assert_eq!(amount(&value, "t", "tokens").text(), "5 tokens");
        assert_eq!(amount(&value, "nothing", "tokens").text(), "-");
        let now = Timestamp::parse("2026-11-21T10:00:00Z").unwrap();
        assert_eq!(ago(&json!({"at": "2026-11-21T08:00:00Z"}), "at", now, "never").text(), "2 h ago");
        assert_eq!(ago(&value, "at", now, "never").text(), "never");
        assert_eq!(enabled(&json!({"enabled": false})).text(), "disabled");
    }
}
