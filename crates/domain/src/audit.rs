//! What is written down of each admin deed, and of each that was refused.

use crate::access::{Actor, Identity, Permit};
use crate::id::{EventId, WorkspaceId};
use crate::time::Timestamp;

/// What became of what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused, and nothing changed.
    Refused,
}

impl Outcome {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// What kind of actor stands in the log. The names are those of Mistral's audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A person.
    Human,
    /// A key that is nobody's own, or a service account's.
    ApiKey,
    /// The program itself.
    Other,
}

impl ActorKind {
    /// Of an actor.
    pub const fn of(actor: &Actor) -> Self {
        match actor.identity {
            Identity::Person { .. } => Self::Human,
            Identity::AdminKey { .. } | Identity::ServiceAccount { .. } => Self::ApiKey,
            Identity::System => Self::Other,
        }
    }

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "HUMAN",
            Self::ApiKey => "API_KEY",
            Self::Other => "OTHER",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Human, Self::ApiKey, Self::Other].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One admin deed: who did what to what, from where, and how it looked before and after.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What, and in which organization.
    pub permit: Permit,
    /// What became of it.
    pub outcome: Outcome,
    /// The workspace it was done in, where it was one.
    pub workspace_id: Option<WorkspaceId>,
    /// The id of the object.
    pub target_id: String,
    /// The object's name for people.
    pub target_name: String,
    /// The object before, as JSON without secrets.
    pub before: Option<String>,
    /// The object after, as JSON without secrets.
    pub after: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// The address it came from.
    pub address: Option<String>,
}
