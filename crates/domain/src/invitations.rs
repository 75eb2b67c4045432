//! Invitations into an organization: a link that works once, for a while.

use crate::entropy::Entropy;
use crate::id::{InvitationId, OrganizationId, RoleId, UserId, WorkspaceId};
use crate::keys::{Fingerprint, Pepper, base62};
use crate::secret::Secret;
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

/// Characters of a link's secret part: 256 bits in base 62.
const TOKEN: usize = 43;

/// Makes the secret part of a link.
pub fn mint_token(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    Secret::new(base62(Secret::new(bytes).expose(), TOKEN))
}

/// The fingerprint of a link's secret part; `None` for what cannot be one.
pub fn fingerprint(pepper: &Pepper, token: &str) -> Option<Fingerprint> {
    let sound = token.len() == TOKEN && token.bytes().all(|b| b.is_ascii_alphanumeric());
    sound.then(|| pepper.fingerprint(&format!("invitation {token}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    fn tokens_differ_and_nothing_else_has_a_fingerprint() {
        let (entropy, pepper) = (Counting(250.into()), Pepper::new(&[9; 32]));
        let (one, two) = (mint_token(&entropy), mint_token(&entropy));
        assert_ne!(one.expose(), two.expose());
        let prints = [&one, &two].map(|token| fingerprint(&pepper, token.expose()));
        assert!(prints[0].is_some() && prints[1].is_some() && prints[0] != prints[1]);
        assert_ne!(prints[0], Some(pepper.fingerprint(one.expose())), "keys have fingerprints of their own");
        for bad in ["", "x", &one.expose()[1..], &format!("{}0", one.expose()), &"/".repeat(TOKEN)] {
            assert_eq!(fingerprint(&pepper, bad), None, "{bad}");
        }
    }
}
