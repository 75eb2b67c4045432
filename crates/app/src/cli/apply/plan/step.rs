//! The steps of a plan, and how they read to people and to scripts.

use super::{Id, Noun};
use crate::client::plain;
use serde_json::{Value, json};
use std::fmt;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Action {
    /// Makes it.
    Create,
    /// Changes some of its fields.
    Update,
    /// Takes it away: deletes, archives or revokes it.
    Delete,
}

impl Action {
    const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Delete => '-',
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A field before and after; null is none. Never a secret.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Change {
    pub(in crate::cli) field: String,
    pub(in crate::cli) before: Value,
    pub(in crate::cli) after: Value,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Step {
    pub(in crate::cli) action: Action,
    pub(in crate::cli) id: Id,
    pub(in crate::cli) changes: Vec<Change>,
}

impl Step {
    /// A step that changes something, when there is something to change.
    pub(super) fn update(id: &Id, changes: Vec<Change>) -> Option<Self> {
        (!changes.is_empty()).then(|| Self { action: Action::Update, id: id.clone(), changes })
    }

    /// What a field is to be; none when the step does not touch it.
    pub(in crate::cli) fn after(&self, field: &str) -> Option<&Value> {
        self.changes.iter().find(|change| change.field == field).map(|change| &change.after)
    }

    fn to_json(&self) -> Value {
        let change =
            |change: &Change| json!({"field": change.field, "before": change.before, "after": change.after});
        let mut shown = named(&self.id);
        if let Some(members) = shown.as_object_mut() {
            members.insert("action".into(), self.action.text().into());
            members.insert("changes".into(), self.changes.iter().map(change).collect());
        }
        shown
    }
}

fn named(id: &Id) -> Value {
    json!({"noun": id.noun.text().replace(' ', "_"), "name": id.name, "within": id.within})
}

/// What is to be done, and what is there beyond the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct Plan {
    pub(in crate::cli) steps: Vec<Step>,
    /// Left alone, since nothing was to be pruned.
    pub(in crate::cli) extra: Vec<Id>,
}

impl Plan {
    /// For scripts.
    pub(in crate::cli) fn to_json(&self) -> Value {
        let steps: Value = self.steps.iter().map(Step::to_json).collect();
        let extra: Value = self.extra.iter().map(named).collect();
        json!({"object": "plan", "steps": steps, "left_alone": extra})
    }

    /// The line that names what the file does not, when there is such.
    pub(in crate::cli) fn left_alone(&self) -> Option<String> {
        const MOST: usize = 20;
        let mut names: Vec<String> = self.extra.iter().take(MOST).map(Id::to_string).collect();
        let more = self.extra.len().saturating_sub(MOST);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        (!names.is_empty())
            .then(|| format!("Not in the file and left alone (--prune removes them): {}", names.join(", ")))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.noun.text())?;
        if self.noun != Noun::Organization {
            write!(f, " {}", plain(&self.name))?;
        }
        if let Some(within) = &self.within {
            write!(f, " in {}", plain(within))?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action.sign(), self.id)?;
        for (place, change) in self.changes.iter().enumerate() {
            f.write_str(if place == 0 { ": " } else { ", " })?;
            f.write_str(&change.field)?;
            if self.action == Action::Update {
                write!(f, " {} ->", shown(&change.before))?;
            }
            write!(f, " {}", shown(&change.after))?;
        }
        Ok(())
    }
}

/// A value for people: a plain word as it is, everything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) if is_word(text) => text.clone(),
        other => plain(&other.to_string()),
    }
}

fn is_word(text: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || "-_.:@/*+".contains(c);
    !text.is_empty() && text != "none" && text.chars().all(fine)
}
