//! The organization: the tenant that everything else belongs to.

use crate::id::OrganizationId;
use crate::limits::Limits;
use crate::time::Timestamp;

/// An organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// A name for people.
    pub name: String,
    /// Whether calls are paid for; when not, each is refused with 402.
    pub billing_active: bool,
    /// The limits of all its workspaces together.
    pub limits: Limits,
    /// When it was made.
    pub created_at: Timestamp,
}
