//! Who has which roles, their own and those that come through groups.

use crate::db::{Row, Store, Tx};
use crate::error::StoreError;
use crate::organizations::read_json;
use crate::{custom_roles, service_accounts, users};
use louver_domain::access::{Grants, Rights};
use louver_domain::id::{GroupId, OrganizationId, RoleId, ServiceAccountId, UserId, WorkspaceId};
use louver_domain::roles::ORGANIZATION_ADMIN;
use louver_domain::users::{ServiceAccount, User};
use std::collections::BTreeMap;

/// A person, with what they may do at this moment; `None` when they are not in the organization any more.
pub async fn rights_of(
    store: &Store,
    organization: OrganizationId,
    id: UserId,
) -> Result<Option<(User, Rights)>, StoreError> {
    let mut tx = store.begin_read().await?;
    let found = load_rights_of(&mut tx, organization, id).await?;
    tx.commit_plain().await?;
    Ok(found)
}

/// The same inside a transaction.
pub async fn load_rights_of(
    tx: &mut Tx,
    organization: OrganizationId,
    id: UserId,
) -> Result<Option<(User, Rights)>, StoreError> {
    let Some(user) = users::load(tx, organization, id).await? else { return Ok(None) };
    let grants = of(tx, &user).await?;
    let roles = custom_roles::load(tx, organization).await?;
    let rights = Rights::of(Some(user.id), &grants, &roles);
    Ok(Some((user, rights)))
}

/// A service account, with what it may do at this moment; `None` when it is gone.
pub async fn rights_of_account(
    store: &Store,
    organization: OrganizationId,
    id: ServiceAccountId,
) -> Result<Option<(ServiceAccount, Rights)>, StoreError> {
    let mut tx = store.begin_read().await?;
    let found = load_rights_of_account(&mut tx, organization, id).await?;
    tx.commit_plain().await?;
    Ok(found)
}

/// The same inside a transaction.
pub async fn load_rights_of_account(
    tx: &mut Tx,
    organization: OrganizationId,
    id: ServiceAccountId,
) -> Result<Option<(ServiceAccount, Rights)>, StoreError> {
    let Some(account) = service_accounts::load(tx, organization, id).await? else { return Ok(None) };
    let roles = custom_roles::load(tx, organization).await?;
    let grants =
        Grants { workspaces: vec![(account.workspace_id, account.roles.clone())], ..Grants::default() };
    let rights = Rights::of(None, &grants, &roles);
    Ok(Some((account, rights)))
}

/// The roles of a person.
pub async fn read_of(store: &Store, user: &User) -> Result<Grants, StoreError> {
    let mut tx = store.begin_read().await?;
    let grants = of(&mut tx, user).await?;
    tx.commit_plain().await?;
    Ok(grants)
}

/// The roles of a person, inside a transaction.
pub async fn of(tx: &mut Tx, user: &User) -> Result<Grants, StoreError> {
    let mut organization = user.roles.clone();
    let sql = "WITH RECURSIVE mine (id) AS ( \
           SELECT group_id FROM user_group_members WHERE user_id = $1 \
           UNION SELECT p.parent_id FROM user_group_parents p JOIN mine ON p.child_id = mine.id) \
         SELECT organization_role FROM user_groups WHERE organization_role IS NOT NULL AND id IN (SELECT id FROM mine)";
    for row in tx.fetch(sql, vec![user.id.bytes().into()]).await? {
        organization.push(RoleId::from_bytes(row.id(0)?));
    }
    let own = users::memberships_of(tx, user.id).await?;
    let mut workspaces: Vec<_> = own.into_iter().map(|m| (m.workspace_id, m.roles)).collect();
    workspaces.extend(through_groups(tx, user.id).await?.into_iter().map(|(id, _, roles)| (id, roles)));
    Ok(Grants { organization, workspaces })
}

/// The roles that a person has in workspaces through groups, with the group that has them there.
pub async fn through_groups(
    tx: &mut Tx,
    user: UserId,
) -> Result<Vec<(WorkspaceId, GroupId, Vec<RoleId>)>, StoreError> {
    let sql = "WITH RECURSIVE mine (id) AS ( \
           SELECT group_id FROM user_group_members WHERE user_id = $1 \
           UNION SELECT p.parent_id FROM user_group_parents p JOIN mine ON p.child_id = mine.id) \
         SELECT workspace_id, group_id, roles FROM user_group_workspaces WHERE group_id IN (SELECT id FROM mine) \
         ORDER BY workspace_id, group_id";
    let place = |row: &Row| {
        let roles = read_json::<Vec<RoleId>>(&row.text(2)?)?;
        Ok((WorkspaceId::from_bytes(row.id(0)?), GroupId::from_bytes(row.id(1)?), roles))
    };
    tx.fetch(sql, vec![user.bytes().into()]).await?.iter().map(place).collect()
}

/// The roles that somebody has in one workspace, their own and those that come through groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The workspace; none that is archived.
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// Whether it is the organization's default one.
    pub is_default: bool,
    /// The roles, each once.
    pub roles: Vec<RoleId>,
}

/// The workspaces of people, by their names; in one query for all of them.
pub async fn places_of(store: &Store, users: &[UserId]) -> Result<BTreeMap<UserId, Vec<Place>>, StoreError> {
    let mut places: BTreeMap<UserId, Vec<Place>> = BTreeMap::new();
    if users.is_empty() {
        return Ok(places);
    }
    let asked = store.dialect().values(users.len(), 1);
    let sql = format!(
        "WITH RECURSIVE asked (id) AS ({asked}), mine (user_id, id) AS ( \
           SELECT user_id, group_id FROM user_group_members WHERE user_id IN (SELECT id FROM asked) \
           UNION SELECT mine.user_id, p.parent_id FROM user_group_parents p JOIN mine ON p.child_id = mine.id) \
         SELECT p.user_id, w.id, w.name, w.is_default, p.roles FROM ( \
           SELECT user_id, workspace_id, roles, 0 AS step FROM memberships WHERE user_id IN (SELECT id FROM asked) \
           UNION ALL SELECT mine.user_id, g.workspace_id, g.roles, 1 AS step FROM mine \
             JOIN user_group_workspaces g ON g.group_id = mine.id) AS p \
         JOIN workspaces w ON w.id = p.workspace_id WHERE w.archived_at IS NULL \
         ORDER BY p.user_id, w.name, w.id, p.step"
    );
    let values = users.iter().map(|id| id.bytes().into()).collect();
    for row in &store.fetch_made(sql, values).await? {
        let (user, workspace) = (UserId::from_bytes(row.id(0)?), WorkspaceId::from_bytes(row.id(1)?));
        let roles = read_json::<Vec<RoleId>>(&row.text(4)?)?;
        let of_user = places.entry(user).or_default();
        match of_user.last_mut().filter(|place| place.workspace_id == workspace) {
            Some(place) => {
                let new: Vec<_> = roles.into_iter().filter(|id| !place.roles.contains(id)).collect();
                place.roles.extend(new);
            }
            None => of_user.push(Place {
                workspace_id: workspace,
                name: row.text(2)?,
                is_default: row.int(3)? != 0,
                roles,
            }),
        }
    }
    Ok(places)
}

/// How many people are organization admins, by themselves or through groups.
pub async fn count_admins(tx: &mut Tx, organization: OrganizationId) -> Result<u64, StoreError> {
    let sql = "WITH RECURSIVE giving (id) AS ( \
           SELECT id FROM user_groups WHERE organization_id = $1 AND organization_role = $2 \
           UNION SELECT p.child_id FROM user_group_parents p JOIN giving ON p.parent_id = giving.id) \
         SELECT COUNT(*) FROM ( \
           SELECT id FROM users WHERE organization_id = $1 AND removed_at IS NULL AND roles LIKE $3 \
           UNION SELECT u.id FROM user_group_members m JOIN users u ON u.id = m.user_id \
             WHERE m.group_id IN (SELECT id FROM giving) AND u.removed_at IS NULL) AS admins";
    let role = ORGANIZATION_ADMIN;
    let values = vec![organization.bytes().into(), role.bytes().into(), format!("%{role}%").into()];
    let rows = tx.fetch(sql, values).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}
