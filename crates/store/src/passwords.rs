//! Passwords of people, as argon2id hashes in the PHC format.

use crate::db::{Store, Tx};
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, UserId};
use louver_domain::time::Timestamp;

/// A person who may sign in with a password.
#[derive(Clone, Debug)]
pub struct Known {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The person.
    pub user_id: UserId,
    /// The hash of their password.
    pub hash: String,
}

/// Who signs in with that mail address: one person in each organization that knows it.
pub async fn find(store: &Store, email: &str) -> Result<Vec<Known>, StoreError> {
    let sql = "SELECT p.organization_id, p.user_id, p.hash FROM passwords p JOIN users u ON u.id = p.user_id \
               WHERE u.email = $1 AND u.removed_at IS NULL ORDER BY p.organization_id LIMIT 10";
    let rows = store.fetch(sql, vec![email.into()]).await?;
    let read = |row: &crate::db::Row| {
        Ok(Known {
            organization_id: OrganizationId::from_bytes(row.id(0)?),
            user_id: UserId::from_bytes(row.id(1)?),
            hash: row.text(2)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The hash of a person's password, and when it was set.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<(String, Timestamp)>, StoreError> {
    let sql = "SELECT hash, changed_at FROM passwords WHERE organization_id = $1 AND user_id = $2";
    let rows = store.fetch(sql, vec![organization.bytes().into(), user.bytes().into()]).await?;
    let row = rows.first();
    row.map(|row| Ok((row.text(0)?, Timestamp::from_micros(row.int(1)?)))).transpose()
}

/// The hash of a person's password, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT hash FROM passwords WHERE organization_id = $1 AND user_id = $2";
    let rows = tx.fetch(sql, vec![organization.bytes().into(), user.bytes().into()]).await?;
    rows.first().map(|row| row.text(0)).transpose()
}

/// Sets a person's password.
pub async fn save(
    tx: &mut Tx,
    permit: &Permit,
    user: UserId,
    hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO passwords (user_id, organization_id, hash, changed_at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at";
    let values = vec![
        user.bytes().into(),
        permit.organization_id().bytes().into(),
        hash.to_owned().into(),
        now.micros().into(),
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Takes a person's password away.
pub async fn delete(tx: &mut Tx, permit: &Permit, user: UserId) -> Result<(), StoreError> {
    let sql = "DELETE FROM passwords WHERE organization_id = $1 AND user_id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), user.bytes().into()]).await.map(drop)
}
