//! What is written down of each admin deed, and of each that was refused.

pub mod chain;
pub mod checkpoint;

use crate::access::{Actor, Identity, Permit};
use crate::id::{EventId, OrganizationId, WorkspaceId};
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

/// An event as it stands in the log, at its place in the chain of its organization. The words are kept as they were
/// written: what somebody changed behind the program's back must still be readable as what it now says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// The organization whose chain it is in.
    pub organization_id: OrganizationId,
    /// 1, 2, 3 and so on within the organization.
    pub place: u64,
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// The kind of actor: `HUMAN`, `API_KEY` or `OTHER`.
    pub actor_kind: String,
    /// By what the actor is known: `admin_key`, `user`, `service_account` or `system`.
    pub identity: String,
    /// The actor's id; empty for the program itself.
    pub actor_id: String,
    /// The actor's name for people.
    pub actor_name: String,
    /// What happened, such as `api_key.create`.
    pub event: String,
    /// The permission that it needed.
    pub permission: String,
    /// The kind of object, such as `API_KEY`.
    pub target_type: String,
    /// The id of the object.
    pub target_id: String,
    /// The object's name for people.
    pub target_name: String,
    /// The workspace it was done in.
    pub workspace_id: Option<WorkspaceId>,
    /// `done` or `refused`.
    pub outcome: String,
    /// The object before, as JSON.
    pub before: Option<String>,
    /// The object after, as JSON.
    pub after: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// The address it came from.
    pub address: Option<String>,
}

impl AuditEvent {
    /// The organization whose log it belongs in.
    pub const fn organization_id(&self) -> OrganizationId {
        self.permit.organization_id()
    }

    /// How it stands in the log at that place.
    pub fn record(&self, place: u64) -> AuditRecord {
        let action = self.permit.action();
        let (identity, actor_id) = match &self.actor.identity {
            Identity::AdminKey { id, .. } => ("admin_key", id.to_string()),
            Identity::Person { id, .. } => ("user", id.to_string()),
            Identity::ServiceAccount { id, .. } => ("service_account", id.to_string()),
            Identity::System => ("system", String::new()),
        };
        AuditRecord {
            organization_id: self.organization_id(),
            place,
            id: self.id,
            at: self.at,
            actor_kind: ActorKind::of(&self.actor).as_str().to_owned(),
            identity: identity.to_owned(),
            actor_id,
            actor_name: self.actor.name().to_owned(),
            event: action.event().to_owned(),
            permission: action.as_str().to_owned(),
            target_type: action.target().as_str().to_owned(),
            target_id: self.target_id.clone(),
            target_name: self.target_name.clone(),
            workspace_id: self.workspace_id,
            outcome: self.outcome.as_str().to_owned(),
            before: self.before.clone(),
            after: self.after.clone(),
            request_id: self.request_id.clone(),
            address: self.address.clone(),
        }
    }
}
