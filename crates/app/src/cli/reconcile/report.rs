//! The upstream's own usage report, read as sums by day, model and unit.

use super::drift::{Cell, Sums, Unit};
use louver_domain::calendar::Window;
use louver_domain::time::Timestamp;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// What the report says of some days.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What can be compared.
    pub(super) sums: Sums,
    /// What was used and cannot be compared, in words.
    pub(super) unknown: BTreeSet<String>,
}

/// Parts of the report for what does not go through a gateway, or is counted by nobody else.
const APART: [&str; 3] = ["libraries_api", "fine_tuning", "vibe_code"];

impl Report {
    /// Adds a month's report, as far as it is of `[from, to)`. `names` leads from every name of a model to its id.
    pub(super) fn add(
        &mut self,
        report: &Value,
        from: Timestamp,
        to: Timestamp,
        names: &HashMap<String, String>,
    ) -> Result<(), String> {
        if !report.is_object() {
            return Err("the upstream's usage report is no object".into());
        }
        for section in ["chat", "completion", "ocr", "audio", "audio_characters", "connectors"] {
            let models = report.pointer(&format!("/{section}/models")).and_then(Value::as_object);
            let models =
                models.ok_or_else(|| format!("the upstream's usage report has no {section}.models"))?;
            for (model, groups) in models {
                for (group, leaves) in groups.as_object().into_iter().flatten() {
                    let wrong =
                        || format!("the upstream's usage report counts {section} of {model} unclearly");
                    for leaf in leaves.as_array().ok_or_else(wrong)? {
                        self.leaf(leaf, (section, model, group), (from, to), names).ok_or_else(wrong)?;
                    }
                }
            }
        }
        for section in APART.into_iter().filter(|section| counts(report.get(*section))) {
            self.unknown.insert(format!("{section} is not in the ledger"));
        }
        Ok(())
    }

    /// One sum of a day; `None` is one that cannot be read.
    fn leaf(
        &mut self,
        leaf: &Value,
        (section, model, group): (&str, &str, &str),
        (from, to): (Timestamp, Timestamp),
        names: &HashMap<String, String>,
    ) -> Option<()> {
        let value = leaf.get("value")?.as_u64()?;
        let day = Timestamp::parse(leaf.get("timestamp")?.as_str()?)?.floor(Window::Day);
        if value == 0 || day < from || day >= to {
            return Some(());
        }
        let Some(units) = units(section, group) else {
            self.unknown.insert(format!("{section}: {group} of {model} is not known to this version"));
            return Some(());
        };
        // Calls of tools stand under the tool there, and under the model here.
        let model =
            if section == "connectors" { None } else { Some(names.get(model).map_or(model, String::as_str)) };
        for unit in units {
            let cell = Cell { day, model: model.map(str::to_owned), unit: *unit };
            let sum = self.sums.entry(cell).or_default();
            *sum = sum.saturating_add(value);
        }
        Some(())
    }
}

/// What a billing group counts. What was in the cache counts as input too, as in the ledger.
fn units(section: &str, group: &str) -> Option<&'static [Unit]> {
    Some(match (section, group) {
        ("chat" | "completion", "input") => &[Unit::Input],
        ("chat" | "completion", "cached") => &[Unit::Input, Unit::Cached],
        ("chat" | "completion", "output") => &[Unit::Output],
        ("ocr", "pages") => &[Unit::Pages],
        ("ocr", "annotated_pages") => &[Unit::AnnotatedPages],
        ("audio", _) => &[Unit::AudioSeconds],
        ("audio_characters", _) => &[Unit::Characters],
        ("connectors", _) => &[Unit::ToolCalls],
        _ => return None,
    })
}

/// Whether something in there is more than nothing.
fn counts(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(members)) => members.iter().any(|(name, value)| match value {
            Value::Number(number) => name == "value" && number.as_f64().is_some_and(|number| number > 0.0),
            other => counts(Some(other)),
        }),
        Some(Value::Array(items)) => items.iter().any(|item| counts(Some(item))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn empty() -> Value {
        json!({"chat": {"models": {}}, "completion": {"models": {}}, "ocr": {"models": {}}, "audio": {"models": {}},
            "audio_characters": {"models": {}}, "connectors": {"models": {}}})
    }

    fn read(report: &Value) -> Result<Report, String> {
        let at = |day: &str| Timestamp::parse(day).unwrap();
        let names = HashMap::from([("small-latest".to_owned(), "small-1".to_owned())]);
        let mut read = Report::default();
        read.add(report, at("2026-11-02"), at("2026-11-03"), &names).map(|()| read)
    }

    #[test]
    fn a_report_is_summed_by_day_model_and_unit() {
        let leaf =
            |day: &str, value: u64| json!({"timestamp": format!("2026-11-{day}T00:00:00Z"), "value": value});
        let mut report = empty();
        report["completion"]["models"] = json!({
            "small-latest": {"input": [leaf("02", 5), leaf("03", 50)], "cached": [leaf("02", 2)], "odd": [leaf("02", 1)]},
            "small-1": {"input": [leaf("02", 10)], "output": [leaf("02", 3), leaf("02", 4)]},
        });
        report["connectors"]["models"] = json!({"web_search": {"calls": [leaf("02", 6)]}});
        report["libraries_api"] = json!({"pages": {"models": {"x": {"pages": [leaf("02", 1)]}}}});
        let read = read(&report).unwrap();
        let shown: Vec<(Option<&str>, &str, u64)> =
            read.sums.iter().map(|(cell, sum)| (cell.model.as_deref(), cell.unit.as_str(), *sum)).collect();
        let small = Some("small-1");
        assert_eq!(
            shown,
            [
                (None, "tool_calls", 6),
                (small, "input_tokens", 17),
                (small, "cached_input_tokens", 2),
                (small, "output_tokens", 7),
            ]
        );
        let unknown: Vec<&str> = read.unknown.iter().map(String::as_str).collect();
        assert_eq!(
            unknown,
            [
                "completion: odd of small-latest is not known to this version",
                "libraries_api is not in the ledger"
            ]
        );
    }

    #[test]
    fn what_is_no_report_is_not_taken_for_an_empty_one() {
        assert!(read(&json!([])).is_err() && read(&json!({})).is_err());
        for leaf in [json!({"value": 1}), json!({"timestamp": "2026-11-02", "value": -1}), json!("x")] {
            let mut report = empty();
            report["ocr"]["models"] = json!({"m": {"pages": [leaf]}});
            assert!(read(&report).is_err(), "{report}");
        }
    }
}
