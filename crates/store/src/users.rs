//! People and their memberships of workspaces in the database.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect::Made;
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::id::{OrganizationId, RoleId, UserId, WorkspaceId};
use louver_domain::limits::Limits;
use louver_domain::time::Timestamp;
use louver_domain::users::{Membership, User};
use std::collections::HashMap;

macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, email, name, first_name, last_name, roles, limits, created_at, removed_at ",
            "FROM users ",
            $rest
        )
    };
}

macro_rules! select_memberships {
    ($rest:literal) => {
        concat!("SELECT workspace_id, user_id, roles, model_role FROM memberships ", $rest)
    };
}

/// The people of an organization, by mail address.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<User>, StoreError> {
    let sql = select_users!("WHERE organization_id = $1 AND removed_at IS NULL ORDER BY email");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read_user).collect()
}

/// Which people a page shows.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Whose mail address holds this, in small letters; empty is everybody.
    pub email: String,
    /// How many to leave out at the front.
    pub offset: u64,
    /// At most so many.
    pub limit: u64,
}

/// One page of the people of an organization by mail address, and how many there are on all pages.
pub async fn page(
    store: &Store,
    organization: OrganizationId,
    filter: &Filter,
) -> Result<(Vec<User>, u64), StoreError> {
    let pattern = crate::dialect::holding(&filter.email);
    let values: Vec<Value> = vec![organization.bytes().into(), pattern.into()];
    let count = "SELECT COUNT(*) FROM users WHERE organization_id = $1 AND removed_at IS NULL AND email LIKE $2 ESCAPE '\\'";
    let total = store.fetch(count, values.clone()).await?;
    let total = total.first().map_or(Ok(0), |row| row.count(0))?;
    let sql = select_users!(
        "WHERE organization_id = $1 AND removed_at IS NULL AND email LIKE $2 ESCAPE '\\' \
         ORDER BY email LIMIT $3 OFFSET $4"
    );
    let paging = [Value::from(filter.limit), Value::from(filter.offset)];
    let rows = store.fetch(sql, values.into_iter().chain(paging).collect()).await?;
    Ok((rows.iter().map(read_user).collect::<Result<_, _>>()?, total))
}

/// Up to `limit` people of an organization by mail address: from the beginning, or those after that one.
pub async fn after(
    store: &Store,
    organization: OrganizationId,
    after: Option<&User>,
    limit: u64,
) -> Result<Vec<User>, StoreError> {
    let sql = select_users!(
        "WHERE organization_id = $1 AND removed_at IS NULL AND email > $2 ORDER BY email LIMIT $3"
    );
    let email = after.map_or("", |user| user.email.as_str());
    let values = vec![organization.bytes().into(), email.into(), limit.into()];
    store.fetch(sql, values).await?.iter().map(read_user).collect()
}

/// The mail addresses of these people of an organization, of those who left too.
pub async fn emails_of(
    store: &Store,
    organization: OrganizationId,
    users: &[UserId],
) -> Result<HashMap<UserId, String>, StoreError> {
    let Some((first, rest)) = users.split_first() else { return Ok(HashMap::new()) };
    let mut made = Made::new(store.dialect(), "SELECT id, email FROM users WHERE organization_id = ");
    made.is("", organization.bytes());
    made.is(" AND id IN (", first.bytes());
    rest.iter().for_each(|user| made.is(", ", user.bytes()));
    made.put(")");
    let rows = store.fetch_made(made.sql, made.values).await?;
    rows.iter().map(|row| Ok((UserId::from_bytes(row.id(0)?), row.text(1)?))).collect()
}

/// People who have a budget of their own, in the order they were added: those after `after`, at most `limit`.
pub async fn with_budgets(
    store: &Store,
    organization: OrganizationId,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<User>, StoreError> {
    let sql = select_users!(
        "WHERE organization_id = $1 AND id > $2 AND removed_at IS NULL AND NOT (\
         limits LIKE '%\"hourly_budget_usd\":null%' AND limits LIKE '%\"daily_budget_usd\":null%' \
         AND limits LIKE '%\"monthly_budget_usd\":null%' AND limits LIKE '%\"tokens_per_month\":null%') \
         ORDER BY id LIMIT $3"
    );
    let after = after.map(|id| id.bytes()).unwrap_or_default();
    let values = vec![organization.bytes().into(), after.into(), limit.into()];
    store.fetch(sql, values).await?.iter().map(read_user).collect()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<User>, StoreError> {
    tx.fetch(select_users!("WHERE removed_at IS NULL ORDER BY id"), vec![])
        .await?
        .iter()
        .map(read_user)
        .collect()
}

/// The people of an organization, inside a transaction.
pub async fn load_all(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<User>, StoreError> {
    let sql = select_users!("WHERE organization_id = $1 AND removed_at IS NULL ORDER BY id");
    tx.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read_user).collect()
}

const ONE: &str = select_users!("WHERE organization_id = $1 AND id = $2 AND removed_at IS NULL");

/// One person of an organization.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    let rows = store.fetch(ONE, vec![organization.bytes().into(), id.bytes().into()]).await?;
    rows.first().map(read_user).transpose()
}

/// One person of an organization, inside a transaction.
pub async fn load(tx: &mut Tx, organization: OrganizationId, id: UserId) -> Result<Option<User>, StoreError> {
    let rows = tx.fetch(ONE, vec![organization.bytes().into(), id.bytes().into()]).await?;
    rows.first().map(read_user).transpose()
}

/// The person of that mail address, also one who was removed.
pub async fn load_by_email(
    tx: &mut Tx,
    organization: OrganizationId,
    email: &str,
) -> Result<Option<User>, StoreError> {
    let sql = select_users!("WHERE organization_id = $1 AND email = $2");
    tx.fetch(sql, vec![organization.bytes().into(), email.into()]).await?.first().map(read_user).transpose()
}

/// Adds a person; the mail address must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (id, organization_id, email, name, first_name, last_name, roles, limits, created_at, \
         removed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        vec![
            user.id.bytes().into(),
            permit.organization_id().bytes().into(),
            user.email.clone().into(),
            user.name.clone().into(),
            user.first_name.clone().into(),
            user.last_name.clone().into(),
            write_json(&user.roles)?.into(),
            write_json(&user.limits)?.into(),
            user.created_at.micros().into(),
            user.removed_at.map(Timestamp::micros).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of a person.
pub async fn save(tx: &mut Tx, permit: &Permit, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET name = $1, first_name = $2, last_name = $3, roles = $4, limits = $5, created_at = $6, \
         removed_at = $7 WHERE organization_id = $8 AND id = $9",
        vec![
            user.name.clone().into(),
            user.first_name.clone().into(),
            user.last_name.clone().into(),
            write_json(&user.roles)?.into(),
            write_json(&user.limits)?.into(),
            user.created_at.micros().into(),
            user.removed_at.map(Timestamp::micros).into(),
            permit.organization_id().bytes().into(),
            user.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn all_memberships(tx: &mut Tx) -> Result<Vec<Membership>, StoreError> {
    tx.fetch(select_memberships!(""), vec![]).await?.iter().map(read_membership).collect()
}

/// The memberships of a person.
pub async fn memberships_of(tx: &mut Tx, user: UserId) -> Result<Vec<Membership>, StoreError> {
    let sql = select_memberships!("WHERE user_id = $1 ORDER BY workspace_id");
    tx.fetch(sql, vec![user.bytes().into()]).await?.iter().map(read_membership).collect()
}

/// The memberships of a workspace.
pub async fn members_of(tx: &mut Tx, workspace: WorkspaceId) -> Result<Vec<Membership>, StoreError> {
    let sql = select_memberships!("WHERE workspace_id = $1 ORDER BY user_id");
    tx.fetch(sql, vec![workspace.bytes().into()]).await?.iter().map(read_membership).collect()
}

/// Makes a person a member of a workspace with those roles, or changes the roles of one who is.
pub async fn save_membership(
    tx: &mut Tx,
    _permit: &Permit,
    membership: &Membership,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO memberships (workspace_id, user_id, roles, model_role) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (workspace_id, user_id) DO UPDATE SET roles = excluded.roles, model_role = excluded.model_role",
        vec![
            membership.workspace_id.bytes().into(),
            membership.user_id.bytes().into(),
            write_json(&membership.roles)?.into(),
            membership.model_role.clone().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Ends a membership; answers whether there was one.
pub async fn delete_membership(
    tx: &mut Tx,
    _permit: &Permit,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2";
    Ok(tx.execute(sql, vec![workspace.bytes().into(), user.bytes().into()]).await? > 0)
}

/// Ends all memberships of a person, of workspaces and of groups.
pub async fn delete_memberships(tx: &mut Tx, _permit: &Permit, user: UserId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM memberships WHERE user_id = $1", vec![user.bytes().into()]).await?;
    tx.execute("DELETE FROM user_group_members WHERE user_id = $1", vec![user.bytes().into()]).await?;
    Ok(())
}

/// A person's membership of a workspace, inside a transaction.
pub async fn load_membership(
    tx: &mut Tx,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<Membership>, StoreError> {
    let sql = select_memberships!("WHERE workspace_id = $1 AND user_id = $2");
    let rows = tx.fetch(sql, vec![workspace.bytes().into(), user.bytes().into()]).await?;
    rows.first().map(read_membership).transpose()
}

fn read_user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        email: row.text(2)?,
        name: row.opt_text(3)?,
        first_name: row.opt_text(4)?,
        last_name: row.opt_text(5)?,
        roles: read_json::<Vec<RoleId>>(&row.text(6)?)?,
        limits: read_json::<Limits>(&row.text(7)?)?,
        created_at: Timestamp::from_micros(row.int(8)?),
        removed_at: row.opt_int(9)?.map(Timestamp::from_micros),
    })
}

fn read_membership(row: &Row) -> Result<Membership, StoreError> {
    Ok(Membership {
        workspace_id: WorkspaceId::from_bytes(row.id(0)?),
        user_id: UserId::from_bytes(row.id(1)?),
        roles: read_json::<Vec<RoleId>>(&row.text(2)?)?,
        model_role: row.opt_text(3)?,
    })
}
