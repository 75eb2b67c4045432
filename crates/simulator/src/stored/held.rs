//! What tests see of the stored objects, and what they may do to them.

use std::sync::{MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{BatchFault, Stored, Turn, agents::Agent, batches::Job, libraries::Library, world::World};
use crate::simulator::Simulator;

/// A stored object as upstream holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The credential whose organization it is in, where credentials are separate; empty otherwise.
    pub organization: String,
    /// Its id.
    pub id: String,
    /// The object in Mistral's shape; a conversation has its `entries`, a library its `documents` in addition.
    pub object: Value,
}

impl Stored {
    /// The fault of the next batch, if one is scripted.
    pub(super) fn next_batch_fault(&self) -> Option<BatchFault> {
        let mut faults = self.batch_faults.lock().unwrap_or_else(PoisonError::into_inner);
        (!faults.is_empty()).then(|| faults.remove(0))
    }

    pub(super) fn turns(&self) -> MutexGuard<'_, Vec<Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, of: impl Fn(&World) -> Vec<Map<String, Value>>) -> Vec<Held> {
        let held = |world: &World, object: Map<String, Value>| {
            let id = object.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            Held { organization: world.key.clone(), id, object: Value::Object(object) }
        };
        let worlds = self.worlds();
        worlds.values().flat_map(|world| of(world).into_iter().map(|object| held(world, object))).collect()
    }
}

impl Simulator {
    /// All files, also those that batches have made, oldest first.
    pub fn files(&self) -> Vec<Held> {
        self.inner.stored.held(|world| world.files.iter().map(|file| file.object.clone()).collect())
    }

    /// The content of a file.
    pub fn file_content(&self, id: &str) -> Option<Vec<u8>> {
        let spool =
            self.inner.stored.worlds().values().find_map(|world| Some(world.files.get(id)?.spool.clone()));
        spool?.all().ok()
    }

    /// All batch jobs, oldest first.
    pub fn batches(&self) -> Vec<Held> {
        self.inner.stored.held(|world| world.jobs.iter().map(Job::object).collect())
    }

    /// All agents in their current versions, oldest first.
    pub fn agents(&self) -> Vec<Held> {
        self.inner.stored.held(|world| world.agents.iter().map(Agent::object).collect())
    }

    /// All conversations that are stored, oldest first.
    pub fn conversations(&self) -> Vec<Held> {
        self.inner.stored.held(|world| {
            let with_entries = |conversation: &super::conversations::Conversation| {
                let mut object = conversation.object.clone();
                object.insert("entries".to_owned(), json!(conversation.entries));
                object
            };
            world.conversations.iter().map(with_entries).collect()
        })
    }

    /// What each model did in the turns of conversations, oldest first; the last 100,000, stored or not.
    pub fn turns(&self) -> Vec<Turn> {
        self.inner.stored.turns().clone()
    }

    /// All libraries, oldest first.
    pub fn libraries(&self) -> Vec<Held> {
        self.inner.stored.held(|world| {
            let with_documents = |library: &Library| {
                let mut object = library.object();
                object.insert("documents".to_owned(), json!(library.documents().collect::<Vec<_>>()));
                object
            };
            world.libraries.iter().map(with_documents).collect()
        })
    }

    /// All fine-tuned models.
    pub fn tuned_models(&self) -> Vec<Held> {
        self.inner.stored.held(|world| world.tuned.iter().map(|model| model.object.clone()).collect())
    }

    /// Adds a fault for the next batch that is made and has none in its own metadata.
    pub fn script_batch(&self, fault: BatchFault) {
        self.inner.stored.batch_faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Forgets all stored objects, and faults for batches to come.
    pub fn forget(&self) {
        self.inner.stored.worlds().clear();
        self.inner.stored.turns().clear();
        self.inner.stored.batch_faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
