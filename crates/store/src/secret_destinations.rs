//! Destinations of secrets in the database: settings in clear, credentials sealed.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, SecretDestinationId, WorkspaceId};
use louver_domain::secret_destinations::Settings;
use louver_domain::time::Timestamp;

/// A destination of secrets as stored.
#[derive(Clone, Debug)]
pub struct SecretDestination {
    /// Its id.
    pub id: SecretDestinationId,
    /// The organization whose keys it takes.
    pub organization_id: OrganizationId,
    /// The one workspace whose keys it takes; none is any.
    pub workspace_id: Option<WorkspaceId>,
    /// A name for people, unique in the organization.
    pub name: String,
    /// What it is, and where.
    pub settings: Settings,
    /// The names of its credentials.
    pub credential_names: Vec<String>,
    /// The credentials, sealed for this row; none where it needs none.
    pub sealed_credentials: Option<Vec<u8>>,
    /// Whether secrets are written there.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, workspace_id, name, settings, credential_names, sealed_credentials, \
             enabled, created_at FROM secret_destinations ",
            $rest
        )
    };
}

/// The destinations of an organization, by name.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<SecretDestination>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY name");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// One destination of an organization.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    id: SecretDestinationId,
) -> Result<Option<SecretDestination>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    let values = vec![organization.bytes().into(), id.bytes().into()];
    store.fetch(sql, values).await?.first().map(read).transpose()
}

/// One destination of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: SecretDestinationId,
) -> Result<Option<SecretDestination>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// Adds a destination; its name must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, destination: &SecretDestination) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO secret_destinations (id, organization_id, workspace_id, name, settings, credential_names, \
         sealed_credentials, enabled, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        vec![
            destination.id.bytes().into(),
            permit.organization_id().bytes().into(),
            Value::Bytes(destination.workspace_id.map(|id| id.bytes().to_vec())),
            destination.name.clone().into(),
            write_json(&destination.settings)?.into(),
            write_json(&destination.credential_names)?.into(),
            Value::Bytes(destination.sealed_credentials.clone()),
            destination.enabled.into(),
            destination.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of a destination.
pub async fn save(tx: &mut Tx, permit: &Permit, destination: &SecretDestination) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE secret_destinations SET name = $1, settings = $2, credential_names = $3, sealed_credentials = $4, \
         enabled = $5 WHERE organization_id = $6 AND id = $7",
        vec![
            destination.name.clone().into(),
            write_json(&destination.settings)?.into(),
            write_json(&destination.credential_names)?.into(),
            Value::Bytes(destination.sealed_credentials.clone()),
            destination.enabled.into(),
            permit.organization_id().bytes().into(),
            destination.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes a destination. What was written there stays there.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: SecretDestinationId) -> Result<(), StoreError> {
    let values = vec![permit.organization_id().bytes().into(), id.bytes().into()];
    tx.execute("DELETE FROM secret_destinations WHERE organization_id = $1 AND id = $2", values).await?;
    Ok(())
}

fn read(row: &Row) -> Result<SecretDestination, StoreError> {
    Ok(SecretDestination {
        id: SecretDestinationId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        workspace_id: row.opt_id(2)?.map(WorkspaceId::from_bytes),
        name: row.text(3)?,
        settings: read_json(&row.text(4)?)?,
        credential_names: read_json(&row.text(5)?)?,
        sealed_credentials: row.opt_bytes(6)?,
        enabled: row.int(7)? != 0,
        created_at: Timestamp::from_micros(row.int(8)?),
    })
}
