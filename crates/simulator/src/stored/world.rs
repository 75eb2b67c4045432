//! The objects of one organization, and the ids that it gives them.

use serde_json::{Map, Value, json};

use super::{agents::Agent, batches::Job, conversations::Conversation, files::File, libraries::Library};
use super::{shelf::Shelf, tuned::TunedModel};
use crate::{
    config::Config,
    prose::{Random, hash},
};

/// The objects of one organization.
pub(crate) struct World {
    pub(crate) key: String,
    /// Where ids come from.
    pub(crate) random: Random,
    organization: String,
    workspace: String,
    user: String,
    pub(crate) files: Shelf<File>,
    pub(crate) jobs: Shelf<Job>,
    pub(crate) agents: Shelf<Agent>,
    pub(crate) conversations: Shelf<Conversation>,
    pub(crate) libraries: Shelf<Library>,
    pub(crate) tuned: Shelf<TunedModel>,
    /// What was read of documents, also of those that are gone.
    pub(crate) processed: Vec<Processed>,
}

/// What was read of one document.
pub(crate) struct Processed {
    /// Counted from 1970 in UTC.
    pub(crate) day: i64,
    pub(crate) pages: u64,
    pub(crate) tokens: u64,
}

impl World {
    /// An organization without objects but for its fine-tuned models.
    pub(crate) fn new(config: &Config, key: &str) -> Self {
        let mut random = Random::of(&[config.seed, hash(7, key.as_bytes())]);
        let (organization, workspace, user) = (uuid(&mut random), uuid(&mut random), uuid(&mut random));
        let mut tuned = Shelf::default();
        let own =
            |bearer: &Option<String>| !config.separate || bearer.as_ref().is_none_or(|bearer| bearer == key);
        for model in config.tuned.iter().filter(|tuned| own(&tuned.bearer)) {
            let model = TunedModel::new(model, uuid(&mut random), (config.now)(), config);
            tuned.put(&model.id.clone(), model);
        }
        let key = key.to_owned();
        let (files, jobs, agents) = (Shelf::default(), Shelf::default(), Shelf::default());
        let (conversations, libraries) = (Shelf::default(), Shelf::default());
        Self {
            key,
            random,
            organization,
            workspace,
            user,
            files,
            jobs,
            agents,
            conversations,
            libraries,
            tuned,
            processed: Vec::new(),
        }
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid(&mut self.random)
    }

    /// An id of 32 hexadecimal digits behind a prefix.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.random.id())
    }

    /// The uuid of the organization's workspace, which the usage report names.
    pub(crate) fn workspace(&self) -> &str {
        &self.workspace
    }

    /// Adds whose the object is, as upstream does.
    pub(crate) fn owned(&self, mut object: Map<String, Value>) -> Map<String, Value> {
        object.insert("org_id".to_owned(), json!(self.organization));
        object.insert("workspace_id".to_owned(), json!(self.workspace));
        object.insert("owner_id".to_owned(), json!(self.user));
        object.insert("user_id".to_owned(), json!(self.user));
        object
    }

    /// The organization and the user.
    pub(crate) fn owners(&self) -> (&str, &str) {
        (&self.organization, &self.user)
    }
}

/// A random UUID.
pub(super) fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    let version = high & 0xffff_ffff_ffff_0fff | 0x4000;
    let variant = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        version >> 32,
        version >> 16 & 0xffff,
        version & 0xffff,
        variant >> 48,
        variant & 0xffff_ffff_ffff
    )
}
