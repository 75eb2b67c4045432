//! Custom roles in the database.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::{Action, ActionSet, Permit};
use louver_domain::id::{OrganizationId, RoleId};
use louver_domain::roles::{CustomRole, RoleLevel, Roles};
use louver_domain::time::Timestamp;

const OF_ORGANIZATION: &str = "SELECT id, name, description, level, permissions, created_at FROM custom_roles \
     WHERE organization_id = $1 ORDER BY name";

/// The roles of an organization.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Roles, StoreError> {
    let rows = store.fetch(OF_ORGANIZATION, vec![organization.bytes().into()]).await?;
    Ok(Roles::new(rows.iter().map(read).collect::<Result<_, _>>()?))
}

/// The roles of an organization, inside a transaction.
pub async fn load(tx: &mut Tx, organization: OrganizationId) -> Result<Roles, StoreError> {
    let rows = tx.fetch(OF_ORGANIZATION, vec![organization.bytes().into()]).await?;
    Ok(Roles::new(rows.iter().map(read).collect::<Result<_, _>>()?))
}

/// Adds a custom role; its name must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, role: &CustomRole) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO custom_roles (id, organization_id, name, description, level, permissions, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        vec![
            role.id.bytes().into(),
            permit.organization_id().bytes().into(),
            role.name.clone().into(),
            role.description.clone().into(),
            role.level.as_str().into(),
            write_json(&names(role.actions))?.into(),
            role.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of a custom role.
pub async fn save(tx: &mut Tx, permit: &Permit, role: &CustomRole) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE custom_roles SET name = $1, description = $2, permissions = $3 WHERE organization_id = $4 AND id = $5",
        vec![
            role.name.clone().into(),
            role.description.clone().into(),
            write_json(&names(role.actions))?.into(),
            permit.organization_id().bytes().into(),
            role.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Deletes a custom role.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: RoleId) -> Result<(), StoreError> {
    let sql = "DELETE FROM custom_roles WHERE organization_id = $1 AND id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), id.bytes().into()]).await?;
    Ok(())
}

/// Whether anybody has the role: a person, a member, a service account, a group, or somebody invited.
pub async fn is_given(tx: &mut Tx, organization: OrganizationId, id: RoleId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM users WHERE organization_id = $1 AND removed_at IS NULL AND roles LIKE $2 \
         UNION ALL SELECT 1 FROM memberships m JOIN workspaces w ON w.id = m.workspace_id \
           WHERE w.organization_id = $1 AND m.roles LIKE $2 \
         UNION ALL SELECT 1 FROM service_accounts WHERE organization_id = $1 AND removed_at IS NULL AND roles LIKE $2 \
         UNION ALL SELECT 1 FROM user_groups WHERE organization_id = $1 AND organization_role = $3 \
         UNION ALL SELECT 1 FROM user_group_workspaces g JOIN workspaces w ON w.id = g.workspace_id \
           WHERE w.organization_id = $1 AND g.roles LIKE $2 \
         UNION ALL SELECT 1 FROM invitations WHERE organization_id = $1 AND roles LIKE $2 LIMIT 1";
    let values = vec![organization.bytes().into(), format!("%{id}%").into(), id.bytes().into()];
    Ok(!tx.fetch(sql, values).await?.is_empty())
}

fn names(actions: ActionSet) -> Vec<&'static str> {
    actions.iter().map(Action::as_str).collect()
}

fn read(row: &Row) -> Result<CustomRole, StoreError> {
    let level = row.text(3)?;
    let permissions = read_json::<Vec<String>>(&row.text(4)?)?;
    Ok(CustomRole {
        id: RoleId::from_bytes(row.id(0)?),
        name: row.text(1)?,
        description: row.text(2)?,
        level: RoleLevel::parse(&level).ok_or_else(|| StoreError::Corrupt("the level of a role".into()))?,
        // A permission that this program does not know allows nothing.
        actions: permissions.iter().filter_map(|name| Action::parse(name)).collect(),
        created_at: Timestamp::from_micros(row.int(5)?),
    })
}
