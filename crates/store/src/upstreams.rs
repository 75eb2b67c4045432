//! Upstream credentials in the database, sealed.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, UpstreamId, WorkspaceId};
use louver_domain::time::Timestamp;

/// An upstream credential as stored. Its key is never shown again, not even in part.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its id.
    pub id: UpstreamId,
    /// The organization whose calls it pays for.
    pub organization_id: OrganizationId,
    /// The one workspace it serves; `None` serves those that have none of their own.
    pub workspace_id: Option<WorkspaceId>,
    /// A name for people, unique in the organization.
    pub name: String,
    /// The key, sealed for this row.
    pub sealed_key: Vec<u8>,
    /// Whether calls use it.
    pub enabled: bool,
    /// When it was stored.
    pub created_at: Timestamp,
    /// The named upstream that it is for; `None` is the first one.
    pub server: Option<String>,
    /// An admin key of the server, sealed for this row, where Louver may rotate the key there.
    pub sealed_admin_key: Option<Vec<u8>>,
    /// The server's user that new keys are made for; `None` is whoever made the present one.
    pub admin_user_id: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, workspace_id, name, sealed_key, enabled, created_at, server, ",
            "sealed_admin_key, admin_user_id FROM upstreams ",
            $rest
        )
    };
}

/// The upstream credentials of an organization, by name.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<Upstream>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY name");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// The upstream credentials of all organizations, inside a transaction.
pub async fn all(tx: &mut Tx) -> Result<Vec<Upstream>, StoreError> {
    tx.fetch(select!("ORDER BY id"), vec![]).await?.iter().map(read).collect()
}

/// One upstream credential of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UpstreamId,
) -> Result<Option<Upstream>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// Adds an upstream credential; its name must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, upstream: &Upstream) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO upstreams (id, organization_id, workspace_id, name, sealed_key, enabled, created_at, server, \
         sealed_admin_key, admin_user_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        vec![
            upstream.id.bytes().into(),
            permit.organization_id().bytes().into(),
            upstream.workspace_id.map(|id| id.bytes()).into(),
            upstream.name.clone().into(),
            upstream.sealed_key.clone().into(),
            upstream.enabled.into(),
            upstream.created_at.micros().into(),
            upstream.server.clone().into(),
            Value::Bytes(upstream.sealed_admin_key.clone()),
            upstream.admin_user_id.clone().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of an upstream credential.
pub async fn save(tx: &mut Tx, permit: &Permit, upstream: &Upstream) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE upstreams SET name = $1, sealed_key = $2, enabled = $3, sealed_admin_key = $4, admin_user_id = $5 \
         WHERE organization_id = $6 AND id = $7",
        vec![
            upstream.name.clone().into(),
            upstream.sealed_key.clone().into(),
            upstream.enabled.into(),
            Value::Bytes(upstream.sealed_admin_key.clone()),
            upstream.admin_user_id.clone().into(),
            permit.organization_id().bytes().into(),
            upstream.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Removes an upstream credential, and when its keys were used.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: UpstreamId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM upstream_uses WHERE upstream_id = $1", vec![id.bytes().into()]).await?;
    tx.execute(
        "DELETE FROM upstreams WHERE organization_id = $1 AND id = $2",
        vec![permit.organization_id().bytes().into(), id.bytes().into()],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Upstream, StoreError> {
    Ok(Upstream {
        id: UpstreamId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        workspace_id: row.opt_id(2)?.map(WorkspaceId::from_bytes),
        name: row.text(3)?,
        sealed_key: row.bytes(4)?,
        enabled: row.int(5)? != 0,
        created_at: Timestamp::from_micros(row.int(6)?),
        server: row.opt_text(7)?,
        sealed_admin_key: row.opt_bytes(8)?,
        admin_user_id: row.opt_text(9)?,
    })
}
