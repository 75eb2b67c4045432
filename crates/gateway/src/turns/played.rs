//! What a call to an agent or in a conversation turned out to be: who spoke, at which price, and how much was added.

use super::Growth;
use crate::authn::Caller;
use crate::snapshot::Snapshot;
use louver_domain::prices::{Price, Terms};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};
use std::sync::Arc;

/// A model that may come to speak, with its price.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) price_version: u32,
}

impl Speaker {
    /// A model of the catalogue, at the price of now.
    pub(crate) fn of(snapshot: &Snapshot, id: &str, now: Timestamp) -> Self {
        let model = snapshot.model(id);
        let price = model.and_then(|model| model.prices.at(now));
        Self {
            model: model.map_or_else(|| id.into(), |model| Arc::clone(&model.name)),
            price: price.map(|(_, price)| price.clone()),
            price_version: price.map_or(0, |(version, _)| version),
        }
    }
}

/// A call on its way, as far as its agents and its conversation go.
pub(crate) struct Played {
    snapshot: Arc<Snapshot>,
    /// The models that may come to speak.
    speakers: Vec<Speaker>,
    pub(crate) growth: Option<Growth>,
    /// The models that upstream named.
    pub(super) spoken: Vec<String>,
}

impl Played {
    /// `dearest` of those who may speak, and the others.
    pub(crate) fn new(
        caller: &Caller,
        dearest: Speaker,
        others: Vec<Speaker>,
        growth: Option<Growth>,
    ) -> Box<Self> {
        let mut speakers = others;
        speakers.insert(0, dearest);
        Box::new(Self { snapshot: Arc::clone(&caller.snapshot), speakers, growth, spoken: Vec::new() })
    }

    /// The dearest of those who spoke, as upstream told, here and in a stream. `None`: it named nobody, or a stranger.
    pub(crate) fn spoke(&self, streamed: &[String]) -> Option<&Speaker> {
        let named: Vec<&str> = self.spoken.iter().chain(streamed).map(|name| self.known(name)).collect();
        if named.iter().any(|name| !self.speakers.iter().any(|speaker| *speaker.model == **name)) {
            return None;
        }
        let tokens = Tokens { input: 1_000, cached: 0, output: 1_000 };
        let cost = |speaker: &&Speaker| {
            speaker.price.as_ref().map(|price| price.most(tokens, &Units::default(), Terms::default()))
        };
        self.speakers.iter().filter(|speaker| named.contains(&&*speaker.model)).max_by_key(cost)
    }

    /// Models that upstream named and that could not come to speak.
    pub(crate) fn strangers<'a>(&'a self, streamed: &'a [String]) -> impl Iterator<Item = &'a str> {
        let named = self.spoken.iter().chain(streamed).map(|name| self.known(name));
        named.filter(|name| !self.speakers.iter().any(|speaker| *speaker.model == **name))
    }

    fn known<'a>(&'a self, name: &'a str) -> &'a str {
        self.snapshot.catalogue.find(name).map_or(name, |(_, model)| model.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use louver_domain::money::Money;

    fn played(spoken: &[&str]) -> Played {
        let speaker = |(name, nanos): (&str, i64)| {
            let price = Money::from_nanos(nanos);
            Speaker {
                model: name.into(),
                price: Some(Price::of_tokens(Timestamp::from_micros(0), price, price, price)),
                price_version: 1,
            }
        };
        let speakers = [("cheap", 1_000), ("dear", 9_000)].map(speaker).to_vec();
        let spoken = spoken.iter().map(|name| (*name).to_owned()).collect();
        Played { snapshot: Arc::default(), speakers, growth: None, spoken }
    }

    #[test]
    fn b3_strangers_are_named_and_the_dearest_who_spoke_is_paid() {
        let who = |spoken: &[&str], streamed: &[&str]| {
            let played = played(spoken);
            let streamed: Vec<String> = streamed.iter().map(|name| (*name).to_owned()).collect();
            let speaker = played.spoke(&streamed).map(|speaker| speaker.model.to_string());
            (speaker, played.strangers(&streamed).map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(who(&["cheap"], &[]), (Some("cheap".into()), vec![]));
        assert_eq!(who(&[], &["dear", "cheap"]), (Some("dear".into()), vec![]));
        assert_eq!(
            who(&["cheap"], &["stranger"]),
            (None, vec!["stranger".into()]),
            "the reserved price stays"
        );
        assert_eq!(who(&[], &[]), (None, vec![]));
    }
}
