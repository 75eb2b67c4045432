//! People, service accounts and memberships in the database.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, ServiceAccountId, UserId, WorkspaceId};
use louver_domain::limits::Limits;
use louver_domain::time::Timestamp;
use louver_domain::users::{Membership, ServiceAccount, User};

macro_rules! select_users {
    ($rest:literal) => {
        concat!("SELECT id, organization_id, email, name, limits, created_at FROM users ", $rest)
    };
}

macro_rules! select_accounts {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, workspace_id, name, role, created_at FROM service_accounts ",
            $rest
        )
    };
}

/// The people of an organization, by mail address.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<User>, StoreError> {
    let sql = select_users!("WHERE organization_id = $1 ORDER BY email");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read_user).collect()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<User>, StoreError> {
    tx.fetch(select_users!("ORDER BY id"), vec![]).await?.iter().map(read_user).collect()
}

/// One person of an organization, inside a transaction.
pub async fn load(tx: &mut Tx, organization: OrganizationId, id: UserId) -> Result<Option<User>, StoreError> {
    let sql = select_users!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()])
        .await?
        .first()
        .map(read_user)
        .transpose()
}

/// Adds a person; the mail address must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (id, organization_id, email, name, limits, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        vec![
            user.id.bytes().into(),
            permit.organization_id().bytes().into(),
            user.email.clone().into(),
            user.name.clone().into(),
            write_json(&user.limits)?.into(),
            user.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes a person's limits.
pub async fn save_limits(tx: &mut Tx, permit: &Permit, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET limits = $1 WHERE organization_id = $2 AND id = $3",
        vec![
            write_json(&user.limits)?.into(),
            permit.organization_id().bytes().into(),
            user.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

/// The service accounts of an organization, by name.
pub async fn list_accounts(
    store: &Store,
    organization: OrganizationId,
) -> Result<Vec<ServiceAccount>, StoreError> {
    let sql = select_accounts!("WHERE organization_id = $1 ORDER BY name, id");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read_account).collect()
}

pub(crate) async fn all_accounts(tx: &mut Tx) -> Result<Vec<ServiceAccount>, StoreError> {
    tx.fetch(select_accounts!("ORDER BY id"), vec![]).await?.iter().map(read_account).collect()
}

/// One service account of an organization, inside a transaction.
pub async fn load_account(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ServiceAccountId,
) -> Result<Option<ServiceAccount>, StoreError> {
    let sql = select_accounts!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()])
        .await?
        .first()
        .map(read_account)
        .transpose()
}

/// Adds a service account; its name must be new in the workspace.
pub async fn insert_account(
    tx: &mut Tx,
    permit: &Permit,
    account: &ServiceAccount,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO service_accounts (id, organization_id, workspace_id, name, role, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        vec![
            account.id.bytes().into(),
            permit.organization_id().bytes().into(),
            account.workspace_id.bytes().into(),
            account.name.clone().into(),
            account.role.clone().into(),
            account.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Gives a service account a model role, or takes it.
pub async fn save_account_role(
    tx: &mut Tx,
    permit: &Permit,
    id: ServiceAccountId,
    role: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE service_accounts SET role = $1 WHERE organization_id = $2 AND id = $3",
        vec![role.map(str::to_owned).into(), permit.organization_id().bytes().into(), id.bytes().into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn all_memberships(tx: &mut Tx) -> Result<Vec<Membership>, StoreError> {
    tx.fetch("SELECT workspace_id, user_id, role FROM memberships", vec![])
        .await?
        .iter()
        .map(read_membership)
        .collect()
}

/// Makes a person a member of a workspace with that model role, or changes the role of one who is.
pub async fn save_membership(
    tx: &mut Tx,
    _permit: &Permit,
    membership: &Membership,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO memberships (workspace_id, user_id, role) VALUES ($1, $2, $3) \
         ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role",
        vec![
            membership.workspace_id.bytes().into(),
            membership.user_id.bytes().into(),
            membership.role.clone().into(),
        ],
    )
    .await?;
    Ok(())
}

/// A person's membership of a workspace, inside a transaction.
pub async fn load_membership(
    tx: &mut Tx,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<Membership>, StoreError> {
    let sql = "SELECT workspace_id, user_id, role FROM memberships WHERE workspace_id = $1 AND user_id = $2";
    let rows = tx.fetch(sql, vec![workspace.bytes().into(), user.bytes().into()]).await?;
    rows.first().map(read_membership).transpose()
}

fn read_user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        email: row.text(2)?,
        name: row.opt_text(3)?,
        limits: read_json::<Limits>(&row.text(4)?)?,
        created_at: Timestamp::from_micros(row.int(5)?),
    })
}

fn read_account(row: &Row) -> Result<ServiceAccount, StoreError> {
    Ok(ServiceAccount {
        id: ServiceAccountId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        workspace_id: WorkspaceId::from_bytes(row.id(2)?),
        name: row.text(3)?,
        role: row.opt_text(4)?,
        created_at: Timestamp::from_micros(row.int(5)?),
    })
}

fn read_membership(row: &Row) -> Result<Membership, StoreError> {
    Ok(Membership {
        workspace_id: WorkspaceId::from_bytes(row.id(0)?),
        user_id: UserId::from_bytes(row.id(1)?),
        role: row.opt_text(2)?,
    })
}
