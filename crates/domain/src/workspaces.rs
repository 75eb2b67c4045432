//! The workspace: a team or an environment, with its own keys and limits.

use crate::id::{OrganizationId, WorkspaceId};
use crate::limits::Limits;
use crate::time::Timestamp;

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// The organization it belongs to.
    pub organization_id: OrganizationId,
    /// Its name, unique in the organization.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
    /// One or two characters, such as an emoji.
    pub icon: Option<String>,
    /// Whether keys without a workspace go here; one per organization.
    pub is_default: bool,
    /// Its limits; they can only narrow the organization's.
    pub limits: Limits,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was archived; from then on its keys are refused.
    pub archived_at: Option<Timestamp>,
}
