//! The catalogue of LLM models: names, aliases and families, and the allow-lists that speak of them.

use crate::endpoints::EndpointKind;
use crate::id::WorkspaceId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// The allow-list entry that matches every model.
pub const MATCH_ALL: &str = "*";

/// Where a model is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Served.
    Active,
    /// Served, with an end in sight.
    Deprecated,
    /// Not served any more: refused like an unknown one.
    Retired,
}

impl ModelStatus {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Deprecated, Self::Retired].into_iter().find(|s| s.as_str() == text)
    }
}

/// One model of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The pinned id: what goes upstream.
    pub id: String,
    /// Other names of the same model.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The name of its line, such as `mistral-small`.
    pub family: String,
    /// A name for people.
    pub name: String,
    /// Tokens of input and output together.
    pub context: u64,
    /// The endpoints that serve it.
    #[serde(default)]
    pub endpoints: Vec<EndpointKind>,
    /// What it can do, by Mistral's names (`function_calling`, `vision`, …).
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Where it is in its life.
    pub status: ModelStatus,
    /// When it ends, if that is known.
    #[serde(default)]
    pub deprecation: Option<Timestamp>,
    /// What takes its place.
    #[serde(default)]
    pub replacement: Option<String>,
    /// The named upstream that serves it; `None` is the first one, Mistral itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The one workspace that may use it, as with fine-tuned models; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<WorkspaceId>,
}

impl Model {
    /// Whether `endpoint` serves it.
    pub fn serves(&self, endpoint: EndpointKind) -> bool {
        self.endpoints.contains(&endpoint)
    }
}

/// A model's place in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelIndex(usize);

/// All models that are served, found by every name they have.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    models: Vec<Model>,
    by_name: HashMap<String, ModelIndex>,
    /// Aliases that calls may not name for now.
    quarantined: HashSet<String>,
}

impl Catalogue {
    /// Of `models`, without the retired ones. An id wins over an alias of the same name; of two aliases, the first.
    pub fn new(models: Vec<Model>) -> Self {
        let models: Vec<Model> = models.into_iter().filter(|m| m.status != ModelStatus::Retired).collect();
        let mut by_name = HashMap::new();
        for (index, model) in models.iter().enumerate() {
            by_name.insert(model.id.clone(), ModelIndex(index));
        }
        for (index, model) in models.iter().enumerate() {
            for alias in &model.aliases {
                by_name.entry(alias.clone()).or_insert(ModelIndex(index));
            }
        }
        Self { models, by_name, quarantined: HashSet::new() }
    }

    /// The same, where calls may not name these aliases: upstream gives them to other models now. Allow-lists mean by them
    /// what they always meant, and pinned ids are as they were.
    #[must_use]
    pub fn without_calls_by(mut self, aliases: impl IntoIterator<Item = String>) -> Self {
        let by_name = &self.by_name;
        let models = &self.models;
        let is_id = |name: &str| {
            by_name.get(name).and_then(|index| models.get(index.0)).is_some_and(|model| model.id == name)
        };
        self.quarantined = aliases.into_iter().filter(|name| !is_id(name)).collect();
        self
    }

    /// Whether calls may not name this alias for now.
    pub fn is_quarantined(&self, name: &str) -> bool {
        self.quarantined.contains(name)
    }

    /// The model that a call names so exactly.
    pub fn find(&self, name: &str) -> Option<(ModelIndex, &Model)> {
        if self.is_quarantined(name) { None } else { self.named(name) }
    }

    fn named(&self, name: &str) -> Option<(ModelIndex, &Model)> {
        let index = *self.by_name.get(name)?;
        Some((index, self.models.get(index.0)?))
    }

    /// Every model with its place.
    pub fn iter(&self) -> impl Iterator<Item = (ModelIndex, &Model)> {
        self.models.iter().enumerate().map(|(index, model)| (ModelIndex(index), model))
    }

    /// The models that one allow-list entry names: an id or alias, a family, a glob, or all.
    pub fn matching(&self, entry: &str) -> ModelSet {
        let mut set = self.none();
        if let Some((index, _)) = self.named(entry) {
            set.insert(index);
        }
        for (index, model) in self.iter() {
            let names = || std::iter::once(&model.id).chain(&model.aliases);
            let named = entry == MATCH_ALL
                || model.family == entry
                || (entry.contains('*') && names().any(|name| glob(entry, name)));
            if named {
                set.insert(index);
            }
        }
        set
    }

    /// The models that any entry of an allow-list names; no list names all of them.
    pub fn allowed(&self, list: Option<&[String]>) -> ModelSet {
        let Some(entries) = list else { return self.matching(MATCH_ALL) };
        entries.iter().fold(self.none(), |set, entry| set.union(&self.matching(entry)))
    }

    /// The models that keys of a workspace may use at all: those that belong to no other one.
    pub fn usable_in(&self, workspace: WorkspaceId) -> ModelSet {
        let mut set = self.none();
        for (index, model) in self.iter() {
            if model.workspace_id.is_none_or(|owner| owner == workspace) {
                set.insert(index);
            }
        }
        set
    }

    /// The first entry of a list that names no model.
    pub fn unmatched<'a>(&self, entries: &'a [String]) -> Option<&'a str> {
        entries
            .iter()
            .map(String::as_str)
            .find(|entry| *entry != MATCH_ALL && self.matching(entry).is_empty())
    }

    fn none(&self) -> ModelSet {
        ModelSet { words: vec![0; self.models.len().div_ceil(64)] }
    }
}

/// Whether `name` has the shape of `pattern`, in which `*` stands for any characters. The first fitting place of each
/// piece is enough, so that the work is bounded by the product of the lengths.
fn glob(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut tail) = name.strip_prefix(head) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        // An empty piece (two stars in a row) fits at once.
        let Some(at) = tail.find(piece) else { return false };
        tail = tail.get(at.saturating_add(piece.len())..).unwrap_or_default();
    }
    tail.ends_with(last)
}

/// A set of models of one catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSet {
    words: Vec<u64>,
}

impl ModelSet {
    /// Whether the model is in the set.
    pub fn contains(&self, index: ModelIndex) -> bool {
        let bit = 1_u64.checked_shl(u32::try_from(index.0 % 64).unwrap_or(0)).unwrap_or(0);
        self.words.get(index.0 / 64).is_some_and(|word| word & bit != 0)
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// What is in both.
    pub fn intersection(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect() }
    }

    fn union(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a | b).collect() }
    }

    fn insert(&mut self, index: ModelIndex) {
        let bit = 1_u64.checked_shl(u32::try_from(index.0 % 64).unwrap_or(0)).unwrap_or(0);
        if let Some(word) = self.words.get_mut(index.0 / 64) {
            *word |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let model = |id: &str, aliases: &[&str], family: &str, status| Model {
            id: id.into(),
            aliases: aliases.iter().map(|a| (*a).into()).collect(),
            family: family.into(),
            name: id.into(),
            context: 1000,
            endpoints: vec![EndpointKind::Chat],
            capabilities: vec![],
            status,
            deprecation: None,
            replacement: None,
            upstream: None,
            workspace_id: None,
        };
        Catalogue::new(vec![
            model("mistral-small-2603", &["mistral-small-latest"], "mistral-small", ModelStatus::Active),
            model("mistral-small-2506", &[], "mistral-small", ModelStatus::Deprecated),
            model("mistral-large-2512", &["mistral-large-latest"], "mistral-large", ModelStatus::Active),
            model("ministral-3b-2512", &["ministral-3b-latest"], "ministral-3b", ModelStatus::Active),
            model("mistral-tiny-2312", &["mistral-tiny"], "mistral-tiny", ModelStatus::Retired),
        ])
    }

    fn ids(entries: &[&str]) -> Vec<String> {
        let catalogue = catalogue();
        let entries: Vec<String> = entries.iter().map(|e| (*e).to_owned()).collect();
        let set = catalogue.allowed(Some(&entries));
        catalogue.iter().filter(|(index, _)| set.contains(*index)).map(|(_, m)| m.id.clone()).collect()
    }

    #[test]
    fn entries_name_models_by_id_alias_family_glob_or_all() {
        assert_eq!(ids(&["mistral-small-2506"]), ["mistral-small-2506"]);
        assert_eq!(ids(&["mistral-small-latest"]), ["mistral-small-2603"]);
        assert_eq!(ids(&["mistral-small"]), ["mistral-small-2603", "mistral-small-2506"]);
        assert_eq!(ids(&["ministral-*"]), ["ministral-3b-2512"]);
        assert_eq!(ids(&["*-large-*"]), ["mistral-large-2512"]);
        assert_eq!(ids(&["*m*i*-3b-*"]), ["ministral-3b-2512"]);
        assert_eq!(ids(&["mi**-2603", "*-3b", "mistral-small-26*2603"]), ["mistral-small-2603"]);
        assert_eq!(ids(&["*"]).len(), 4, "retired models are in no list");
        assert_eq!(ids(&[]), Vec::<String>::new());
        assert_eq!(ids(&["Mistral-Small", "mistral-small ", "mistral-tiny", ""]), Vec::<String>::new());
    }

    #[test]
    fn a4_a_quarantined_alias_names_nothing_in_calls_and_the_same_in_lists() {
        let aliases = ["mistral-small-latest".to_owned(), "mistral-large-2512".to_owned(), "nope".to_owned()];
        let catalogue = catalogue().without_calls_by(aliases);
        assert_eq!(catalogue.find("mistral-small-latest"), None);
        assert!(catalogue.find("mistral-small-2603").is_some(), "the pinned id goes on");
        assert!(catalogue.find("mistral-large-2512").is_some(), "an id is never quarantined");
        assert_eq!(
            catalogue.matching("mistral-small-latest"),
            catalogue.matching("mistral-small-2603"),
            "who allowed the alias allowed the model"
        );
    }

    #[test]
    fn no_list_is_all_and_lists_only_narrow() {
        let catalogue = catalogue();
        let all = catalogue.allowed(None);
        let small = catalogue.matching("mistral-small");
        let large = catalogue.matching("mistral-large");
        assert_eq!(all.intersection(&small), small);
        assert!(small.intersection(&large).is_empty());
        assert_eq!(catalogue.unmatched(&["*".into(), "nope".into()]), Some("nope"));
    }
}
