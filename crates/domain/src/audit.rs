//! What is written down of each admin deed.

use crate::access::{Actor, Permit};
use crate::id::EventId;
use crate::time::Timestamp;

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
