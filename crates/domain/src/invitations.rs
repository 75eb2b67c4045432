//! Invitations into an organization: a link that works once, for a while.

use crate::id::{InvitationId, OrganizationId, RoleId, UserId, WorkspaceId};
use crate::keys::Fingerprint;
use crate::time::Timestamp;

/// How long an invitation can be taken up.
pub const LIFETIME_DAYS: i64 = 7;

/// An invitation.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The organization it leads into.
    pub organization_id: OrganizationId,
    /// Who is invited, by mail address.
    pub email: String,
    /// The roles that the person will have in the organization.
    pub roles: Vec<RoleId>,
    /// The workspaces that the person will be a member of.
    pub workspaces: Vec<WorkspaceId>,
    /// The fingerprint of the link's secret part.
    pub fingerprint: Fingerprint,
    /// The person who sent it; none for a key that is nobody's own.
    pub invited_by: Option<UserId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it can no longer be taken up.
    pub expires_at: Timestamp,
}

impl Invitation {
    /// Whether it can no longer be taken up.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}
