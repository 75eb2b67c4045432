//! Where the ledger and the upstream's report differ: pure, so that it can be tried on anything.

use louver_domain::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Input,
    Cached,
    Output,
    Pages,
    AnnotatedPages,
    AudioSeconds,
    Characters,
    ToolCalls,
}

impl Unit {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Input,
        Self::Cached,
        Self::Output,
        Self::Pages,
        Self::AnnotatedPages,
        Self::AudioSeconds,
        Self::Characters,
        Self::ToolCalls,
    ];

    /// As in the usage that Louver shows.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input_tokens",
            Self::Cached => "cached_input_tokens",
            Self::Output => "output_tokens",
            Self::Pages => "pages",
            Self::AnnotatedPages => "annotated_pages",
            Self::AudioSeconds => "audio_seconds",
            Self::Characters => "characters",
            Self::ToolCalls => "tool_calls",
        }
    }

    /// Whether it is tokens.
    pub(super) const fn is_tokens(self) -> bool {
        matches!(self, Self::Input | Self::Cached | Self::Output)
    }
}

/// What is compared: a unit of a model on a day; calls of tools are compared over all models.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) day: Timestamp,
    pub(super) model: Option<String>,
    pub(super) unit: Unit,
}

/// Sums by cell; what is not there is nothing.
pub(super) type Sums = BTreeMap<Cell, u64>;

/// A cell in which ledger and report differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drift {
    pub(super) cell: Cell,
    pub(super) ledger: u64,
    pub(super) reported: u64,
}

/// Every difference, in the order of days and models.
pub(super) fn between(ledger: &Sums, reported: &Sums) -> Vec<Drift> {
    let cells: BTreeSet<&Cell> = ledger.keys().chain(reported.keys()).collect();
    let of = |sums: &Sums, cell: &Cell| sums.get(cell).copied().unwrap_or(0);
    let drift =
        |cell: &Cell| Drift { ledger: of(ledger, cell), reported: of(reported, cell), cell: cell.clone() };
    cells.into_iter().map(drift).filter(|drift| drift.ledger != drift.reported).collect()
}

impl Drift {
    /// How much more the report says; below zero is less.
    pub(super) fn more(&self) -> i128 {
        i128::from(self.reported).saturating_sub(i128::from(self.ledger))
    }

    /// The day as a date.
    pub(super) fn date(&self) -> String {
        self.cell.day.rfc3339().chars().take(10).collect()
    }

    /// For scripts.
    pub(super) fn to_json(&self, workspaces: &[String]) -> Value {
        json!({
            "workspaces": workspaces, "day": self.date(), "model": self.cell.model, "unit": self.cell.unit.as_str(),
            "ledger": self.ledger, "reported": self.reported, "drift": i64::try_from(self.more()).unwrap_or(i64::MAX),
        })
    }
}

/// What is to be posted: for each day and model, what its drifting units should come to.
pub(super) fn corrections(drifts: &[Drift]) -> BTreeMap<(String, String), BTreeMap<&'static str, u64>> {
    let mut all: BTreeMap<(String, String), BTreeMap<&'static str, u64>> = BTreeMap::new();
    for drift in drifts {
        if let Some(model) = &drift.cell.model {
            let units = all.entry((drift.date(), model.clone())).or_default();
            units.insert(drift.cell.unit.as_str(), drift.reported);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_and_posted() {
        let cell = |day: &str, model: Option<&str>, unit| Cell {
            day: Timestamp::parse(day).unwrap(),
            model: model.map(str::to_owned),
            unit,
        };
        let same = cell("2026-11-01", Some("m"), Unit::Input);
        let less = cell("2026-11-01", Some("m"), Unit::Output);
        let gone = cell("2026-11-02", Some("m"), Unit::Pages);
        let new = cell("2026-11-02", None, Unit::ToolCalls);
        let ledger = Sums::from([(same.clone(), 5), (less.clone(), 9), (gone.clone(), 2)]);
        let reported = Sums::from([(same, 5), (less, 7), (new, 3)]);
        let drifts = between(&ledger, &reported);
        let shown: Vec<(String, i128)> = drifts.iter().map(|one| (one.date(), one.more())).collect();
        assert_eq!(shown, [("2026-11-01".into(), -2), ("2026-11-02".into(), 3), ("2026-11-02".into(), -2)]);
        let posted = corrections(&drifts);
        assert_eq!(posted.len(), 2, "calls of tools are of no model, and not posted");
        assert_eq!(posted[&("2026-11-01".into(), "m".into())], BTreeMap::from([("output_tokens", 7)]));
        assert_eq!(posted[&("2026-11-02".into(), "m".into())], BTreeMap::from([("pages", 0)]));
        assert!(between(&ledger, &ledger).is_empty());
    }
}
