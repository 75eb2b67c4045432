//! Invitations in the database: those that can still be taken up, or have expired unseen.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{InvitationId, OrganizationId};
use louver_domain::invitations::Invitation;
use louver_domain::keys::Fingerprint;
use louver_domain::time::Timestamp;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, email, roles, workspaces, fingerprint, created_at, expires_at, sealed_token ",
            "FROM invitations ",
            $rest
        )
    };
}

/// An invitation with the sealed secret part of its link.
#[derive(Clone, Debug)]
pub struct StoredInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// The secret part of its link, sealed.
    pub sealed_token: Vec<u8>,
}

/// The invitations of an organization, by mail address.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<StoredInvitation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY email");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// One invitation of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: InvitationId,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// The invitation of that mail address, inside a transaction.
pub async fn load_by_email(
    tx: &mut Tx,
    organization: OrganizationId,
    email: &str,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND email = $2");
    tx.fetch(sql, vec![organization.bytes().into(), email.into()]).await?.first().map(read).transpose()
}

/// The invitation whose link has that fingerprint, of whatever organization.
pub async fn load_by_token(
    tx: &mut Tx,
    fingerprint: &Fingerprint,
) -> Result<Option<StoredInvitation>, StoreError> {
    let sql = select!("WHERE fingerprint = $1");
    tx.fetch(sql, vec![(*fingerprint).into()]).await?.first().map(read).transpose()
}

/// Adds an invitation; there is one for each mail address.
pub async fn insert(tx: &mut Tx, permit: &Permit, stored: &StoredInvitation) -> Result<(), StoreError> {
    let invitation = &stored.invitation;
    tx.execute(
        "INSERT INTO invitations (id, organization_id, email, roles, workspaces, fingerprint, sealed_token, \
         created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        vec![
            invitation.id.bytes().into(),
            permit.organization_id().bytes().into(),
            invitation.email.clone().into(),
            write_json(&invitation.roles)?.into(),
            write_json(&invitation.workspaces)?.into(),
            invitation.fingerprint.into(),
            stored.sealed_token.clone().into(),
            invitation.created_at.micros().into(),
            invitation.expires_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Deletes an invitation: it was taken up, taken back or sent anew.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: InvitationId) -> Result<(), StoreError> {
    let sql = "DELETE FROM invitations WHERE organization_id = $1 AND id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), id.bytes().into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<StoredInvitation, StoreError> {
    let invitation = Invitation {
        id: InvitationId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        email: row.text(2)?,
        roles: read_json(&row.text(3)?)?,
        workspaces: read_json(&row.text(4)?)?,
        fingerprint: row.array(5)?,
        created_at: Timestamp::from_micros(row.int(6)?),
        expires_at: Timestamp::from_micros(row.int(7)?),
    };
    Ok(StoredInvitation { invitation, sealed_token: row.bytes(8)? })
}
