//! Service accounts in the database.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, RoleId, ServiceAccountId, WorkspaceId};
use louver_domain::time::Timestamp;
use louver_domain::users::ServiceAccount;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, workspace_id, name, role, roles, created_at FROM service_accounts ",
            $rest
        )
    };
}

/// The service accounts of an organization, by name.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<ServiceAccount>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND removed_at IS NULL ORDER BY name, id");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<ServiceAccount>, StoreError> {
    tx.fetch(select!("WHERE removed_at IS NULL ORDER BY id"), vec![]).await?.iter().map(read).collect()
}

/// One service account of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ServiceAccountId,
) -> Result<Option<ServiceAccount>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2 AND removed_at IS NULL");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// Adds a service account; its name must be new in the workspace.
pub async fn insert(tx: &mut Tx, permit: &Permit, account: &ServiceAccount) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO service_accounts (id, organization_id, workspace_id, name, role, roles, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        vec![
            account.id.bytes().into(),
            permit.organization_id().bytes().into(),
            account.workspace_id.bytes().into(),
            account.name.clone().into(),
            account.role.clone().into(),
            write_json(&account.roles)?.into(),
            account.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of a service account.
pub async fn save(tx: &mut Tx, permit: &Permit, account: &ServiceAccount) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE service_accounts SET name = $1, role = $2, roles = $3 WHERE organization_id = $4 AND id = $5",
        vec![
            account.name.clone().into(),
            account.role.clone().into(),
            write_json(&account.roles)?.into(),
            permit.organization_id().bytes().into(),
            account.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes a service account. Its row stays, for the keys and the usage that name it; its name is free again.
pub async fn remove(
    tx: &mut Tx,
    permit: &Permit,
    account: &ServiceAccount,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE service_accounts SET name = $1, removed_at = $2 WHERE organization_id = $3 AND id = $4",
        vec![
            format!("{} (removed {})", account.name, now.rfc3339()).into(),
            now.micros().into(),
            permit.organization_id().bytes().into(),
            account.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<ServiceAccount, StoreError> {
    Ok(ServiceAccount {
        id: ServiceAccountId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        workspace_id: WorkspaceId::from_bytes(row.id(2)?),
        name: row.text(3)?,
        role: row.opt_text(4)?,
        roles: read_json::<Vec<RoleId>>(&row.text(5)?)?,
        created_at: Timestamp::from_micros(row.int(6)?),
    })
}
