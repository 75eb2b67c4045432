//! Model roles in the database.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::OrganizationId;
use louver_domain::model_roles::ModelRole;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT organization_id, name, allowed_models, max_tokens_per_request, daily_token_budget, builtin, ",
            "allowed_endpoints, allowed_tools, allowed_service_tiers, max_signed_url_hours FROM model_roles ",
            $rest
        )
    };
}

/// The model roles of an organization: the built-in ones first, then by name.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<ModelRole>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY builtin DESC, name");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<(OrganizationId, ModelRole)>, StoreError> {
    let rows = tx.fetch(select!("ORDER BY organization_id, name"), vec![]).await?;
    rows.iter().map(|row| Ok((OrganizationId::from_bytes(row.id(0)?), read(row)?))).collect()
}

/// One model role, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    name: &str,
) -> Result<Option<ModelRole>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND name = $2");
    tx.fetch(sql, vec![organization.bytes().into(), name.into()]).await?.first().map(read).transpose()
}

/// Adds a model role, or writes one that is there.
pub async fn save(tx: &mut Tx, permit: &Permit, role: &ModelRole) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO model_roles (organization_id, name, allowed_models, max_tokens_per_request, daily_token_budget, \
         builtin, allowed_endpoints, allowed_tools, allowed_service_tiers, max_signed_url_hours) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (organization_id, name) DO UPDATE SET \
         allowed_models = excluded.allowed_models, max_tokens_per_request = excluded.max_tokens_per_request, \
         daily_token_budget = excluded.daily_token_budget, allowed_endpoints = excluded.allowed_endpoints, \
         allowed_tools = excluded.allowed_tools, allowed_service_tiers = excluded.allowed_service_tiers, \
         max_signed_url_hours = excluded.max_signed_url_hours",
        vec![
            permit.organization_id().bytes().into(),
            role.name.clone().into(),
            write_json(&role.allowed_models)?.into(),
            role.max_tokens_per_request.into(),
            role.daily_token_budget.into(),
            role.builtin.into(),
            role.allowed_endpoints.as_ref().map(write_json).transpose()?.into(),
            role.allowed_tools.as_ref().map(write_json).transpose()?.into(),
            role.allowed_service_tiers.as_ref().map(write_json).transpose()?.into(),
            role.max_signed_url_hours.map(u64::from).into(),
        ],
    )
    .await?;
    Ok(())
}

/// How many members, keys and service accounts have the role.
pub async fn holders(tx: &mut Tx, organization: OrganizationId, name: &str) -> Result<u64, StoreError> {
    let rows = tx
        .fetch(
            "SELECT CAST((SELECT COUNT(*) FROM memberships m JOIN workspaces w ON w.id = m.workspace_id \
             WHERE w.organization_id = $1 AND m.model_role = $2) \
             + (SELECT COUNT(*) FROM user_group_workspaces g JOIN workspaces w ON w.id = g.workspace_id \
             WHERE w.organization_id = $1 AND g.model_role = $2) \
             + (SELECT COUNT(*) FROM api_keys WHERE organization_id = $1 AND role = $2 AND status <> 'revoked') \
             + (SELECT COUNT(*) FROM service_accounts WHERE organization_id = $1 AND role = $2 \
             AND removed_at IS NULL) AS BIGINT)",
            vec![organization.bytes().into(), name.into()],
        )
        .await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

/// Deletes a model role.
pub async fn delete(tx: &mut Tx, permit: &Permit, name: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM model_roles WHERE organization_id = $1 AND name = $2",
        vec![permit.organization_id().bytes().into(), name.into()],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<ModelRole, StoreError> {
    Ok(ModelRole {
        name: row.text(1)?,
        allowed_models: read_json(&row.text(2)?)?,
        max_tokens_per_request: row.opt_count(3)?,
        daily_token_budget: row.opt_count(4)?,
        builtin: row.int(5)? != 0,
        allowed_endpoints: row.opt_text(6)?.map(|text| read_json(&text)).transpose()?,
        allowed_tools: row.opt_text(7)?.map(|text| read_json(&text)).transpose()?,
        allowed_service_tiers: row.opt_text(8)?.map(|text| read_json(&text)).transpose()?,
        max_signed_url_hours: row.opt_count(9)?.map(|hours| u32::try_from(hours).unwrap_or(u32::MAX)),
    })
}
