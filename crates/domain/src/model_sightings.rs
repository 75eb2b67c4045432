//! What upstream's list of models says, held against the catalogue: names that are new, and names that moved.
//!
//! Nothing that is found is ever allowed or added by itself. An alias that now stands for something else is in
//! quarantine until a person has looked: calls that name it are refused, calls that name the pinned id go on.

use crate::models::Model;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One entry of an upstream's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// Other names of the same model, where upstream tells them.
    pub aliases: Vec<String>,
    /// The name on the bill, where upstream tells it.
    pub billing_name: Option<String>,
}

/// What was found about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The catalogue has it, and upstream says nothing else.
    Known,
    /// The catalogue does not have it.
    New,
    /// It stands for another model than in the catalogue, or is billed as another than before.
    Moved,
    /// The catalogue has it, and upstream does not.
    Gone,
}

impl Finding {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::New => "new",
            Self::Moved => "moved",
            Self::Gone => "gone",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Known, Self::New, Self::Moved, Self::Gone].into_iter().find(|found| found.as_str() == text)
    }
}

/// Whether a person has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SightingState {
    /// Nobody has: an alias that moved is refused.
    Quarantined,
    /// Somebody has, or there is nothing to look at.
    Dismissed,
}

impl SightingState {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Dismissed => "dismissed",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Quarantined, Self::Dismissed].into_iter().find(|state| state.as_str() == text)
    }
}

/// What is known of one name on one upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The named upstream; empty for the first one.
    pub server: String,
    /// The name.
    pub name: String,
    /// What was found.
    pub finding: Finding,
    /// The name on the bill, as last told.
    pub billing_name: Option<String>,
    /// What it stands for upstream, where that is another model than in the catalogue.
    pub same_as: Option<String>,
    /// When it was first seen, or first missed.
    pub first_seen: Timestamp,
    /// When it was last seen, or last missed.
    pub last_seen: Timestamp,
    /// Whether a person has looked.
    pub state: SightingState,
}

impl Sighting {
    /// Whether it is a name that moved and nobody has looked at.
    pub fn is_alarming(&self) -> bool {
        self.finding == Finding::Moved && self.state == SightingState::Quarantined
    }
}

/// What a comparison comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// All that is known now.
    pub now: Vec<Sighting>,
    /// Of it, the names that moved since the last time.
    pub alarms: Vec<Sighting>,
}

/// Holds a list against the models that the server serves by the catalogue. An empty list says nothing: upstream that has
/// no model at all has another trouble.
pub fn compare(
    server: &str,
    models: &[&Model],
    listed: &[Listed],
    before: &[Sighting],
    at: Timestamp,
) -> Compared {
    let mut compared = Compared::default();
    if listed.is_empty() {
        return compared;
    }
    let look = Look::new(models, listed);
    let before: HashMap<&str, &Sighting> = before.iter().map(|seen| (seen.name.as_str(), seen)).collect();
    let gone = models.iter().map(|model| model.id.as_str()).filter(|id| !look.entries.contains_key(id));
    let names: BTreeSet<&str> = look.entries.keys().copied().chain(gone).collect();
    for name in names {
        let known = before.get(name).copied();
        let (finding, same_as) = look.at(name, known);
        let entry = look.entries.get(name);
        let billing_name = entry
            .and_then(|entry| entry.billing_name.clone())
            .or_else(|| known.and_then(|known| known.billing_name.clone()));
        let mut sighting = Sighting {
            server: server.to_owned(),
            name: name.to_owned(),
            finding,
            billing_name,
            same_as,
            first_seen: known.map_or(at, |known| known.first_seen),
            last_seen: at,
            state: SightingState::Quarantined,
        };
        sighting.settle(known);
        if sighting.is_alarming() && !known.is_some_and(Sighting::is_alarming) {
            compared.alarms.push(sighting.clone());
        }
        compared.now.push(sighting);
    }
    compared
}

impl Sighting {
    /// What the last look leaves standing: an alarm stays until a person has dismissed it, and what was dismissed stays
    /// so for as long as nothing else is found.
    fn settle(&mut self, known: Option<&Self>) {
        let quarantined = known.is_some_and(Self::is_alarming);
        if quarantined && self.finding != Finding::Moved {
            self.finding = Finding::Moved;
            self.same_as = known.and_then(|known| known.same_as.clone());
        }
        let is_same = |known: &Self| {
            known.finding == self.finding
                && known.same_as == self.same_as
                && known.billing_name == self.billing_name
        };
        self.state = match (self.finding, known) {
            (Finding::Known, _) => SightingState::Dismissed,
            (_, Some(known)) if is_same(known) => known.state,
            (Finding::New | Finding::Moved | Finding::Gone, _) => SightingState::Quarantined,
        };
    }
}

/// Both sides, found by name.
struct Look<'a> {
    entries: BTreeMap<&'a str, &'a Listed>,
    catalogue: HashMap<&'a str, &'a Model>,
}

impl<'a> Look<'a> {
    fn new(models: &[&'a Model], listed: &'a [Listed]) -> Self {
        let mut catalogue: HashMap<&str, &Model> = HashMap::new();
        for model in models {
            for alias in &model.aliases {
                catalogue.entry(alias).or_insert(model);
            }
        }
        catalogue.extend(models.iter().map(|model| (model.id.as_str(), *model)));
        Self { entries: listed.iter().map(|entry| (entry.name.as_str(), entry)).collect(), catalogue }
    }

    fn at(&self, name: &str, known: Option<&Sighting>) -> (Finding, Option<String>) {
        let (Some(entry), Some(model)) = (self.entries.get(name), self.catalogue.get(name)) else {
            let finding = if self.entries.contains_key(name) { Finding::New } else { Finding::Gone };
            return (finding, None);
        };
        if let Some(other) = self.elsewhere(entry, model) {
            return (Finding::Moved, Some(other));
        }
        let billed = known.and_then(|known| known.billing_name.as_ref()).zip(entry.billing_name.as_ref());
        if billed.is_some_and(|(before, now)| before != now) {
            return (Finding::Moved, None);
        }
        // Dismissed under this very name on the bill: it stays known as moved.
        match known.filter(|known| known.finding == Finding::Moved && known.same_as.is_none()) {
            Some(_) => (Finding::Moved, None),
            None => (Finding::Known, None),
        }
    }

    /// What an alias stands for upstream, if that is not the model that it stands for in the catalogue.
    fn elsewhere(&self, entry: &Listed, model: &Model) -> Option<String> {
        if entry.name == model.id {
            return None;
        }
        let own = self.entries.get(model.id.as_str());
        let tied =
            entry.aliases.contains(&model.id) || own.is_some_and(|own| own.aliases.contains(&entry.name));
        if tied {
            return None;
        }
        let billed_apart = own
            .and_then(|own| own.billing_name.as_ref())
            .zip(entry.billing_name.as_ref())
            .is_some_and(|(own, its)| own != its);
        // A server that tells no aliases at all says nothing of what a name stands for.
        let tells = !entry.aliases.is_empty() || own.is_some_and(|own| !own.aliases.is_empty());
        if !tells && !billed_apart {
            return None;
        }
        let ids = entry
            .aliases
            .iter()
            .find(|name| self.catalogue.get(name.as_str()).is_some_and(|m| m.id == **name));
        let other = ids.or_else(|| entry.aliases.first()).or(entry.billing_name.as_ref());
        Some(other.cloned().unwrap_or_else(|| entry.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelStatus;

    fn model(id: &str, aliases: &[&str]) -> Model {
        Model {
            id: id.into(),
            aliases: aliases.iter().map(|alias| (*alias).into()).collect(),
            family: "small".into(),
            name: id.into(),
            context: 1,
            endpoints: vec![],
            capabilities: vec![],
            status: ModelStatus::Active,
            deprecation: None,
            replacement: None,
            upstream: None,
            workspace_id: None,
        }
    }

    fn group(names: &[&str], billing: Option<&str>) -> Vec<Listed> {
        let others = |name: &&str| names.iter().filter(|n| n != &name).map(|n| (*n).to_owned()).collect();
        names
            .iter()
            .map(|name| Listed {
                name: (*name).into(),
                aliases: others(name),
                billing_name: billing.map(Into::into),
            })
            .collect()
    }

    fn looked(listed: &[Vec<Listed>], before: &[Sighting]) -> Compared {
        let models = [model("small-1", &["small-latest"]), model("large-1", &[])];
        let models: Vec<&Model> = models.iter().collect();
        compare("", &models, &listed.concat(), before, Timestamp::from_micros(7))
    }

    fn of<'a>(compared: &'a Compared, name: &str) -> &'a Sighting {
        compared.now.iter().find(|seen| seen.name == name).unwrap()
    }

    fn small() -> Vec<Listed> {
        group(&["small-1", "small-latest"], Some("small"))
    }

    #[test]
    fn a4_what_is_new_or_missing_is_noted_and_alarms_nobody() {
        let compared = looked(&[small(), group(&["huge-9"], None)], &[]);
        assert_eq!(of(&compared, "small-latest").finding, Finding::Known);
        assert_eq!(of(&compared, "huge-9").finding, Finding::New);
        assert_eq!(of(&compared, "large-1").finding, Finding::Gone);
        assert!(compared.alarms.is_empty());
        let mut before = compared.now;
        before.iter_mut().for_each(|seen| seen.state = SightingState::Dismissed);
        let again = looked(&[small(), group(&["huge-9"], None)], &before);
        assert_eq!(of(&again, "huge-9").state, SightingState::Dismissed, "it stays dismissed");
        assert_eq!(looked(&[], &before), Compared::default(), "an empty list says nothing");
    }

    #[test]
    fn a4_an_alias_that_stands_for_another_model_moved_until_somebody_looks() {
        let moved = [group(&["small-1"], Some("small")), group(&["small-2", "small-latest"], Some("small"))];
        let compared = looked(&moved, &[]);
        let seen = of(&compared, "small-latest");
        assert_eq!((seen.finding, seen.same_as.as_deref()), (Finding::Moved, Some("small-2")));
        assert_eq!(compared.alarms, std::slice::from_ref(seen));
        let again = looked(&moved, &compared.now);
        assert!(again.alarms.is_empty() && of(&again, "small-latest").is_alarming(), "told once");
        let back = looked(&[small()], &again.now);
        assert!(of(&back, "small-latest").is_alarming(), "it stays until somebody has looked");
        let mut dismissed = again.now;
        dismissed.iter_mut().for_each(|seen| seen.state = SightingState::Dismissed);
        assert!(!of(&looked(&moved, &dismissed), "small-latest").is_alarming());
        let further =
            [group(&["small-1"], Some("small")), group(&["small-3", "small-latest"], Some("small"))];
        assert_eq!(looked(&further, &dismissed).alarms.len(), 1, "it moved on");
        let without_the_old = [group(&["small-2", "small-latest"], Some("small"))];
        assert_eq!(looked(&without_the_old, &[]).alarms.len(), 1);
    }

    #[test]
    fn a4_another_name_on_the_bill_is_a_move() {
        let before = looked(&[small()], &[]).now;
        let dearer = [group(&["small-1", "small-latest"], Some("small-dear"))];
        let compared = looked(&dearer, &before);
        assert_eq!(compared.alarms.len(), 2, "both names are billed as something else");
        let mut dismissed = compared.now;
        dismissed.iter_mut().for_each(|seen| seen.state = SightingState::Dismissed);
        let settled = looked(&dearer, &dismissed);
        assert!(settled.alarms.is_empty() && !of(&settled, "small-latest").is_alarming());
        assert_eq!(looked(&[small()], &settled.now).alarms.len(), 2, "and back again");
        let apart = [group(&["small-1"], Some("small")), group(&["small-latest"], Some("large"))];
        assert_eq!(looked(&apart, &[]).alarms.len(), 1, "entries of one model share it");
    }

    #[test]
    fn a_server_that_tells_only_names_moves_nothing() {
        let plain = [group(&["small-1"], None), group(&["small-latest"], None)];
        assert_eq!(of(&looked(&plain, &[]), "small-latest").finding, Finding::Known);
    }
}
