//! Admin keys in the database: everything but their secrets.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::old_secrets::{self, Of};
use louver_domain::access::Permit;
use louver_domain::id::{AdminKeyId, OrganizationId, ServiceAccountId, UserId};
use louver_domain::keys::{AdminHolder, AdminKey, KeyStatus, PublicId};
use louver_domain::time::Timestamp;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, name, public_id, fingerprint, last_four, created_at, expires_at, status, ",
            "user_id, service_account_id FROM admin_keys ",
            $rest
        )
    };
}

/// The admin keys of an organization, in the order they were made.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<AdminKey>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY id");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// The admin key with that public id, of whatever organization.
pub async fn find(store: &Store, public_id: PublicId) -> Result<Option<AdminKey>, StoreError> {
    let sql = select!("WHERE public_id = $1");
    store.fetch(sql, vec![public_id.as_str().into()]).await?.first().map(read).transpose()
}

/// One admin key of whatever organization.
pub async fn get(store: &Store, id: AdminKeyId) -> Result<Option<AdminKey>, StoreError> {
    store.fetch(select!("WHERE id = $1"), vec![id.bytes().into()]).await?.first().map(read).transpose()
}

/// One admin key of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: AdminKeyId,
) -> Result<Option<AdminKey>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// The admin keys of a person that are not revoked, inside a transaction.
pub async fn load_of_user(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
) -> Result<Vec<AdminKey>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND user_id = $2 AND status <> 'revoked' ORDER BY id");
    tx.fetch(sql, vec![organization.bytes().into(), user.bytes().into()]).await?.iter().map(read).collect()
}

/// Adds an admin key.
pub async fn insert(tx: &mut Tx, permit: &Permit, key: &AdminKey) -> Result<(), StoreError> {
    let (user, account) = match key.holder {
        AdminHolder::Organization => (None, None),
        AdminHolder::User(id) => (Some(id.bytes()), None),
        AdminHolder::ServiceAccount(id) => (None, Some(id.bytes())),
    };
    tx.execute(
        "INSERT INTO admin_keys (id, organization_id, name, public_id, fingerprint, last_four, created_at, \
         expires_at, status, user_id, service_account_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        vec![
            key.id.bytes().into(),
            permit.organization_id().bytes().into(),
            key.name.clone().into(),
            key.public_id.as_str().into(),
            key.fingerprint.into(),
            key.last_four.clone().into(),
            key.created_at.micros().into(),
            key.expires_at.map(Timestamp::micros).into(),
            key.status.as_str().into(),
            user.into(),
            account.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes the status of an admin key. What is revoked has no old secrets any more.
pub async fn save_status(tx: &mut Tx, permit: &Permit, key: &AdminKey) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE admin_keys SET status = $1 WHERE organization_id = $2 AND id = $3",
        vec![key.status.as_str().into(), permit.organization_id().bytes().into(), key.id.bytes().into()],
    )
    .await?;
    match key.status {
        KeyStatus::Revoked => old_secrets::retire_all(tx, permit, Of::Admin(key.id)).await,
        KeyStatus::Active | KeyStatus::Disabled => Ok(()),
    }
}

fn read(row: &Row) -> Result<AdminKey, StoreError> {
    let user = row.opt_id(9)?.map(UserId::from_bytes).map(AdminHolder::User);
    let account = row.opt_id(10)?.map(ServiceAccountId::from_bytes).map(AdminHolder::ServiceAccount);
    let corrupt = |what: &str| StoreError::Corrupt(format!("the {what} of an admin key"));
    Ok(AdminKey {
        id: AdminKeyId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        name: row.text(2)?,
        public_id: PublicId::parse(&row.text(3)?).ok_or_else(|| corrupt("public id"))?,
        fingerprint: row.array(4)?,
        last_four: row.text(5)?,
        created_at: Timestamp::from_micros(row.int(6)?),
        expires_at: row.opt_int(7)?.map(Timestamp::from_micros),
        status: KeyStatus::parse(&row.text(8)?).ok_or_else(|| corrupt("status"))?,
        holder: user.or(account).unwrap_or(AdminHolder::Organization),
    })
}
