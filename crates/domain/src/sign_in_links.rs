//! Links that sign a person in once: the first admin after an installation, and whoever lost their password.

use crate::id::{OrganizationId, SignInLinkId, UserId};
use crate::keys::Fingerprint;
use crate::time::Timestamp;

/// How long a link is good that was printed in a terminal.
pub const TERMINAL_SECONDS: i64 = 15 * 60;

/// How long a link is good that an admin hands to somebody.
pub const RECOVERY_SECONDS: i64 = 24 * 3600;

/// A link. It is gone once it was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInLink {
    /// Its id, which is no secret.
    pub id: SignInLinkId,
    /// The organization it leads into.
    pub organization_id: OrganizationId,
    /// Whom it signs in; nobody yet where it makes the organization's first person.
    pub user_id: Option<UserId>,
    /// The fingerprint of its token.
    pub fingerprint: Fingerprint,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

impl SignInLink {
    /// Whether it can still be used.
    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
