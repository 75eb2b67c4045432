//! Organizations in the database.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::OrganizationId;
use louver_domain::limits::Limits;
use louver_domain::organizations::Organization;
use louver_domain::time::Timestamp;

const ALL: &str =
    "SELECT id, name, billing_active, limits, created_at FROM organizations ORDER BY created_at, id";
const ONE: &str = "SELECT id, name, billing_active, limits, created_at FROM organizations WHERE id = $1";

/// Every organization, the oldest first.
pub async fn list(store: &Store) -> Result<Vec<Organization>, StoreError> {
    store.fetch(ALL, vec![]).await?.iter().map(read).collect()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Organization>, StoreError> {
    tx.fetch(ALL, vec![]).await?.iter().map(read).collect()
}

/// One organization.
pub async fn get(store: &Store, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
    store.fetch(ONE, vec![id.bytes().into()]).await?.first().map(read).transpose()
}

/// One organization, inside a transaction.
pub async fn load(tx: &mut Tx, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
    tx.fetch(ONE, vec![id.bytes().into()]).await?.first().map(read).transpose()
}

/// Adds an organization.
pub async fn insert(tx: &mut Tx, _permit: &Permit, organization: &Organization) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO organizations (id, name, billing_active, limits, created_at) VALUES ($1, $2, $3, $4, $5)",
        vec![
            organization.id.bytes().into(),
            organization.name.clone().into(),
            organization.billing_active.into(),
            write_json(&organization.limits)?.into(),
            organization.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of an organization.
pub async fn save(tx: &mut Tx, permit: &Permit, organization: &Organization) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE organizations SET name = $1, billing_active = $2, limits = $3 WHERE id = $4",
        vec![
            organization.name.clone().into(),
            organization.billing_active.into(),
            write_json(&organization.limits)?.into(),
            permit.organization_id().bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Organization, StoreError> {
    Ok(Organization {
        id: OrganizationId::from_bytes(row.id(0)?),
        name: row.text(1)?,
        billing_active: row.int(2)? != 0,
        limits: read_json::<Limits>(&row.text(3)?)?,
        created_at: Timestamp::from_micros(row.int(4)?),
    })
}

pub(crate) fn write_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}
