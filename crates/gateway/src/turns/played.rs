//! What a call to an agent or in a conversation turned out to be: who spoke, at which price, and how much was added.

use super::Growth;
use crate::authn::Caller;
use louver_domain::prices::Price;
use std::sync::Arc;

/// A model that may come to speak, with its price.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) price_version: u32,
}

/// A call on its way, as far as its agents and its conversation go.
pub(crate) struct Played {
    snapshot: Arc<crate::snapshot::Snapshot>,
    /// The models that may come to speak, the dearest one first.
    speakers: Vec<Speaker>,
    pub(crate) growth: Option<Growth>,
    /// The models that upstream named.
    pub(super) spoken: Vec<String>,
}

impl Played {
    pub(crate) fn new(caller: &Caller, speakers: Vec<Speaker>, growth: Option<Growth>) -> Box<Self> {
        Box::new(Self { snapshot: Arc::clone(&caller.snapshot), speakers, growth, spoken: Vec::new() })
    }

    /// The dearest of those who spoke, as upstream told, here and in a stream; `None` when it named nobody known.
    pub(crate) fn spoke(&self, streamed: &[String]) -> Option<&Speaker> {
        let named: Vec<&str> = self.spoken.iter().chain(streamed).map(|name| self.known(name)).collect();
        if named.iter().any(|name| !self.speakers.iter().any(|speaker| *speaker.model == **name)) {
            return None;
        }
        self.speakers.iter().find(|speaker| named.contains(&&*speaker.model))
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
