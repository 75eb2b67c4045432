//! What is rotated, read alike whatever it is: an API key or an admin key.

use super::steps::Halt;
use louver_domain::access::Actor;
use louver_domain::access::{Action, Permit, decide};
use louver_domain::id::OrganizationId;
use louver_domain::keys::{KeyKind, KeyStatus, PublicId};
use louver_domain::rotations::Subject;
use louver_domain::time::Timestamp;
use louver_store::old_secrets::Of;
use louver_store::{Tx, admin_keys, keys};

/// A key as a rotation needs it.
pub(super) struct Key {
    pub(super) of: Of,
    pub(super) kind: KeyKind,
    pub(super) prefixed: String,
    pub(super) public_id: PublicId,
    pub(super) status: KeyStatus,
    pub(super) expires_at: Option<Timestamp>,
}

/// The secrets of a subject, where they are Louver's.
pub(super) const fn of(subject: Subject) -> Option<Of> {
    match subject {
        Subject::ApiKey(id) => Some(Of::Api(id)),
        Subject::AdminKey(id) => Some(Of::Admin(id)),
        Subject::Upstream(_) => None,
    }
}

/// The permission that giving it a secret needs.
pub(super) const fn action(subject: Subject) -> Action {
    match subject {
        Subject::ApiKey(_) => Action::RotateApiKey,
        Subject::AdminKey(_) => Action::RotateAdminKey,
        Subject::Upstream(_) => Action::UpdateUpstream,
    }
}

/// Reads a key inside a transaction.
pub(super) async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    subject: Subject,
) -> Result<Option<Key>, Halt> {
    Ok(match subject {
        Subject::ApiKey(id) => keys::load(tx, organization, id).await?.map(|key| Key {
            of: Of::Api(id),
            kind: KeyKind::Api,
            prefixed: key.id.prefixed(),
            public_id: key.public_id,
            status: key.status,
            expires_at: key.expires_at,
        }),
        Subject::AdminKey(id) => admin_keys::load(tx, organization, id).await?.map(|key| Key {
            of: Of::Admin(id),
            kind: KeyKind::Admin,
            prefixed: key.id.prefixed(),
            public_id: key.public_id,
            status: key.status,
            expires_at: key.expires_at,
        }),
        // Upstream's keys have steps of their own.
        Subject::Upstream(_) => None,
    })
}

impl Key {
    /// Refuses where a rotation has nothing more to do: the key is gone, or got its secrets elsewhere.
    pub(super) fn must_live(&self, now: Timestamp) -> Result<(), Halt> {
        match self.status {
            KeyStatus::Revoked => Err(Halt::never("the key was revoked")),
            KeyStatus::Active | KeyStatus::Disabled if self.expires_at.is_some_and(|end| end <= now) => {
                // Not given up: who extends the key finds its secrets as this rotation left them.
                Err(Halt::later("the key has expired: the rotation goes on when it is extended"))
            }
            KeyStatus::Disabled => {
                Err(Halt::later("the key is disabled: the rotation goes on when it is enabled"))
            }
            KeyStatus::Active => Ok(()),
        }
    }
}

/// The program's permit to give a secret, or to take one.
pub(super) fn permit(organization: OrganizationId, action: Action) -> Result<Permit, Halt> {
    decide(&Actor::system(organization), action, organization).map_err(|_| Halt::later("not permitted"))
}
