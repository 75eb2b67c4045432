//! What a simulator is told when it starts: its seed, its models, its clock and its pace.

use std::{sync::Arc, time::Duration};

use crate::route::Endpoint;

/// Gives the current time in unix seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// One model the simulator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The model's own id, such as `mistral-small-2603`.
    pub id: String,
    /// Further names it answers to, such as `mistral-small-latest`.
    pub aliases: Vec<String>,
    /// How many tokens prompt and completion may have together.
    pub context: u64,
    /// Where the model may be named: any of the endpoints of inference, and `Realtime`. `Responses` stands for
    /// `ResponseTokens`, too.
    pub endpoints: Vec<Endpoint>,
}

impl Model {
    /// A model without aliases.
    pub fn new(id: impl Into<String>, context: u64, endpoints: &[Endpoint]) -> Self {
        Self { id: id.into(), aliases: Vec::new(), context, endpoints: endpoints.to_vec() }
    }

    /// The same model with one more alias.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.aliases.push(name.into());
        self
    }

    /// Its id and then its aliases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

/// A fine-tuned model, which answers as the model that it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuned {
    /// Its id, such as `ft:open-mistral-nemo:xyz`.
    pub id: String,
    /// The model that it is made of.
    pub root: String,
    /// The credential whose organization has it, where credentials are separate; without one all have it.
    pub bearer: Option<String>,
}

/// How a simulator behaves.
#[derive(Clone)]
pub struct Config {
    /// From it all texts, vectors and ids are made.
    pub seed: u64,
    /// The models it serves.
    pub models: Vec<Model>,
    /// Where `created` comes from.
    pub now: Clock,
    /// How long it waits between two events of a stream; zero by default.
    pub pace: Duration,
    /// Whether the ledger keeps entries; calls are counted in any case. True by default.
    pub record: bool,
    /// Whether running sums are kept by credential, account and model. False by default, since whoever names accounts
    /// decides how many there are.
    pub books: bool,
    /// Whether each credential is an organization of its own. False by default: all credentials are of one
    /// organization and see each other's objects, as at Mistral.
    pub separate: bool,
    /// The fine-tuned models that each organization begins with.
    pub tuned: Vec<Tuned>,
    /// How long a batch waits before it runs, by the simulator's clock; zero by default.
    pub batch_delay: Duration,
    /// Whether batches run only when a test says so, by [`crate::Simulator::run_batches`]. False by default.
    pub hold_batches: bool,
    /// Whether documents of libraries are read only when a test says so, by [`crate::Simulator::read_documents`]. False by
    /// default.
    pub hold_documents: bool,
    /// The credential of the admin API, which is not there without one: the usage report, which needs the books, and the API
    /// keys.
    pub admin_key: Option<String>,
    /// The API keys that are there from the beginning. With any, calls are answered with keys only that are there; without,
    /// with any key that was not deleted. None by default.
    pub api_keys: Vec<String>,
}

impl Config {
    /// A recording simulator without pace.
    pub fn new(seed: u64, models: Vec<Model>, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self {
            seed,
            models,
            now: Arc::new(now),
            pace: Duration::ZERO,
            record: true,
            books: false,
            separate: false,
            tuned: Vec::new(),
            batch_delay: Duration::ZERO,
            hold_batches: false,
            hold_documents: false,
            admin_key: None,
            api_keys: Vec::new(),
        }
    }

    /// The model of this name, if it is served at this endpoint.
    pub(crate) fn model(&self, name: &str, endpoint: Endpoint) -> Option<&Model> {
        let name = self.tuned.iter().find(|tuned| tuned.id == name).map_or(name, |tuned| tuned.root.as_str());
        let named = |model: &&Model| model.names().any(|known| known == name);
        self.models.iter().find(named).filter(|model| model.endpoints.contains(&endpoint))
    }
}
