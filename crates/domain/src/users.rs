//! People and machines that own keys, and which model role each has in a workspace.

use crate::id::{OrganizationId, RoleId, ServiceAccountId, UserId, WorkspaceId};
use crate::limits::Limits;
use crate::time::Timestamp;

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The organization they belong to.
    pub organization_id: OrganizationId,
    /// Their mail address, unique in the organization.
    pub email: String,
    /// A name for people.
    pub name: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// Their roles in the organization, besides those that come through groups.
    pub roles: Vec<RoleId>,
    /// Limits over all their keys together.
    pub limits: Limits,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they were removed; what they did stays under their name.
    pub removed_at: Option<Timestamp>,
}

/// A machine's account: it owns keys that stay when people leave.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// The organization it belongs to.
    pub organization_id: OrganizationId,
    /// The workspace it belongs to.
    pub workspace_id: WorkspaceId,
    /// A name for people, unique in the workspace.
    pub name: String,
    /// Its model role, if any.
    pub role: Option<String>,
    /// Its roles in its workspace on the admin side.
    pub roles: Vec<RoleId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A person's membership of a workspace.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The person.
    pub user_id: UserId,
    /// The roles the person has there on the admin side, besides those that come through groups.
    pub roles: Vec<RoleId>,
    /// The model role the person has there, if any.
    pub model_role: Option<String>,
}
