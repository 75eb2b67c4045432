//! Groups in the database: what they are, how they lie in each other, who is in them, and where they have roles.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect;
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::folding::folded;
use louver_domain::groups::{Group, GroupTarget, Nesting};
use louver_domain::id::{GroupId, OrganizationId, RoleId, UserId, WorkspaceId};
use louver_domain::time::Timestamp;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, name, description, target, organization_role, externally_managed, created_at ",
            "FROM user_groups ",
            $rest
        )
    };
}

/// The roles of a group in a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupWorkspace {
    /// The group.
    pub group_id: GroupId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Its members' roles there, besides their own.
    pub roles: Vec<RoleId>,
    /// The model role of members who have none of their own there.
    pub model_role: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
}

/// One page of the groups of an organization by name, and how many there are on all pages; `search` is part of a name.
pub async fn page(
    store: &Store,
    organization: OrganizationId,
    search: &str,
    offset: u64,
    limit: u64,
) -> Result<(Vec<Group>, u64), StoreError> {
    let values: Vec<Value> = vec![organization.bytes().into(), dialect::holding(&folded(search)).into()];
    let count = "SELECT COUNT(*) FROM user_groups WHERE organization_id = $1 AND folded LIKE $2 ESCAPE '\\'";
    let total = store.fetch(count, values.clone()).await?;
    let total = total.first().map_or(Ok(0), |row| row.count(0))?;
    let sql =
        select!("WHERE organization_id = $1 AND folded LIKE $2 ESCAPE '\\' ORDER BY name LIMIT $3 OFFSET $4");
    let paging = [Value::from(limit), Value::from(offset)];
    let rows = store.fetch(sql, values.into_iter().chain(paging).collect()).await?;
    Ok((rows.iter().map(read).collect::<Result<_, _>>()?, total))
}

/// One group of an organization.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    id: GroupId,
) -> Result<Option<Group>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    store
        .fetch(sql, vec![organization.bytes().into(), id.bytes().into()])
        .await?
        .first()
        .map(read)
        .transpose()
}

/// One group of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: GroupId,
) -> Result<Option<Group>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND id = $2");
    tx.fetch(sql, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// The groups of an organization, inside a transaction.
pub async fn load_all(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<Group>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY id");
    tx.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// Adds a group; its name must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, group: &Group) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO user_groups (id, organization_id, name, folded, description, target, organization_role, \
         externally_managed, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        vec![
            group.id.bytes().into(),
            permit.organization_id().bytes().into(),
            group.name.clone().into(),
            folded(&group.name).into(),
            group.description.clone().into(),
            group.target.map(|target| target.as_str().to_owned()).into(),
            group.organization_role.map(|id| id.bytes()).into(),
            group.externally_managed.into(),
            group.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of a group.
pub async fn save(tx: &mut Tx, permit: &Permit, group: &Group) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE user_groups SET name = $1, folded = $2, description = $3, target = $4, organization_role = $5 \
         WHERE organization_id = $6 AND id = $7",
        vec![
            group.name.clone().into(),
            folded(&group.name).into(),
            group.description.clone().into(),
            group.target.map(|target| target.as_str().to_owned()).into(),
            group.organization_role.map(|id| id.bytes()).into(),
            permit.organization_id().bytes().into(),
            group.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Deletes a group with everything that hangs on it.
pub async fn delete(tx: &mut Tx, permit: &Permit, id: GroupId) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM user_group_workspaces WHERE group_id = $1",
        "DELETE FROM user_group_members WHERE group_id = $1",
        "DELETE FROM user_group_parents WHERE child_id = $1 OR parent_id = $1",
    ] {
        tx.execute(sql, vec![id.bytes().into()]).await?;
    }
    let sql = "DELETE FROM user_groups WHERE organization_id = $1 AND id = $2";
    tx.execute(sql, vec![permit.organization_id().bytes().into(), id.bytes().into()]).await?;
    Ok(())
}

const PARENTS: &str = "SELECT p.child_id, p.parent_id FROM user_group_parents p \
     JOIN user_groups g ON g.id = p.child_id WHERE g.organization_id = $1 ORDER BY p.child_id, p.parent_id";

/// The pairs of child and parent among the groups of an organization.
pub async fn parents(
    store: &Store,
    organization: OrganizationId,
) -> Result<Vec<(GroupId, GroupId)>, StoreError> {
    store.fetch(PARENTS, vec![organization.bytes().into()]).await?.iter().map(read_pair).collect()
}

/// The same inside a transaction.
pub async fn load_parents(
    tx: &mut Tx,
    organization: OrganizationId,
) -> Result<Vec<(GroupId, GroupId)>, StoreError> {
    tx.fetch(PARENTS, vec![organization.bytes().into()]).await?.iter().map(read_pair).collect()
}

/// How the groups of an organization lie in each other, inside a transaction.
pub async fn nesting(tx: &mut Tx, organization: OrganizationId) -> Result<Nesting, StoreError> {
    Ok(Nesting::new(load_parents(tx, organization).await?))
}

/// The groups that lie in a group itself, with their names, by name.
pub async fn children(store: &Store, id: GroupId) -> Result<Vec<(GroupId, String)>, StoreError> {
    let sql = "SELECT g.id, g.name FROM user_group_parents p JOIN user_groups g ON g.id = p.child_id \
         WHERE p.parent_id = $1 ORDER BY g.name";
    let child = |row: &Row| Ok((GroupId::from_bytes(row.id(0)?), row.text(1)?));
    store.fetch(sql, vec![id.bytes().into()]).await?.iter().map(child).collect()
}

/// Puts `child` into `parent`, where it does not lie there yet.
pub async fn nest(tx: &mut Tx, _permit: &Permit, child: GroupId, parent: GroupId) -> Result<(), StoreError> {
    let sql = "INSERT INTO user_group_parents (child_id, parent_id) VALUES ($1, $2) \
         ON CONFLICT (child_id, parent_id) DO NOTHING";
    tx.execute(sql, vec![child.bytes().into(), parent.bytes().into()]).await?;
    Ok(())
}

/// Takes `child` out of all groups.
pub async fn take_out(tx: &mut Tx, _permit: &Permit, child: GroupId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM user_group_parents WHERE child_id = $1", vec![child.bytes().into()]).await?;
    Ok(())
}

/// Takes all groups out of `parent`.
pub async fn empty(tx: &mut Tx, _permit: &Permit, parent: GroupId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM user_group_parents WHERE parent_id = $1", vec![parent.bytes().into()]).await?;
    Ok(())
}

/// One page of who is in a group itself (id, name, mail address), in the order of ids, and how many they are.
pub async fn members(
    store: &Store,
    id: GroupId,
    offset: u64,
    limit: u64,
) -> Result<(Vec<(UserId, Option<String>, String)>, u64), StoreError> {
    let count = "SELECT COUNT(*) FROM user_group_members WHERE group_id = $1";
    let total = store.fetch(count, vec![id.bytes().into()]).await?;
    let total = total.first().map_or(Ok(0), |row| row.count(0))?;
    // The way to a far page is along the group's index alone.
    let sql = "SELECT u.id, u.name, u.email FROM (SELECT user_id FROM user_group_members WHERE group_id = $1 \
         ORDER BY user_id LIMIT $2 OFFSET $3) AS m JOIN users u ON u.id = m.user_id ORDER BY u.id";
    let rows = store.fetch(sql, vec![id.bytes().into(), limit.into(), offset.into()]).await?;
    let member = |row: &Row| Ok((UserId::from_bytes(row.id(0)?), row.opt_text(1)?, row.text(2)?));
    Ok((rows.iter().map(member).collect::<Result<_, StoreError>>()?, total))
}

/// Puts a person into a group; answers whether they were not in it yet.
pub async fn add_member(
    tx: &mut Tx,
    _permit: &Permit,
    group: GroupId,
    user: UserId,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO user_group_members (group_id, user_id) VALUES ($1, $2) \
         ON CONFLICT (group_id, user_id) DO NOTHING";
    Ok(tx.execute(sql, vec![group.bytes().into(), user.bytes().into()]).await? > 0)
}

/// Takes a person out of a group; answers whether they were in it.
pub async fn remove_member(
    tx: &mut Tx,
    _permit: &Permit,
    group: GroupId,
    user: UserId,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM user_group_members WHERE group_id = $1 AND user_id = $2";
    Ok(tx.execute(sql, vec![group.bytes().into(), user.bytes().into()]).await? > 0)
}

/// Everybody who is in a group of the organization themselves, with the group.
pub async fn all_members(
    tx: &mut Tx,
    organization: OrganizationId,
) -> Result<Vec<(GroupId, UserId)>, StoreError> {
    let sql = "SELECT m.group_id, m.user_id FROM user_group_members m JOIN user_groups g ON g.id = m.group_id \
         WHERE g.organization_id = $1 ORDER BY m.group_id, m.user_id";
    let member = |row: &Row| Ok((GroupId::from_bytes(row.id(0)?), UserId::from_bytes(row.id(1)?)));
    tx.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(member).collect()
}

macro_rules! select_workspaces {
    ($rest:literal) => {
        concat!(
            "SELECT gw.group_id, gw.workspace_id, gw.roles, gw.model_role, gw.created_at ",
            "FROM user_group_workspaces gw ",
            $rest
        )
    };
}

/// One page of where a group has roles, with the names of the workspaces, oldest first, and how many these are.
/// Archived workspaces are left out.
pub async fn workspaces(
    store: &Store,
    id: GroupId,
    offset: u64,
    limit: u64,
) -> Result<(Vec<(GroupWorkspace, String)>, u64), StoreError> {
    let count = "SELECT COUNT(*) FROM user_group_workspaces gw JOIN workspaces w ON w.id = gw.workspace_id \
         WHERE gw.group_id = $1 AND w.archived_at IS NULL";
    let total = store.fetch(count, vec![id.bytes().into()]).await?;
    let total = total.first().map_or(Ok(0), |row| row.count(0))?;
    let sql = "SELECT gw.group_id, gw.workspace_id, gw.roles, gw.model_role, gw.created_at, w.name \
         FROM user_group_workspaces gw JOIN workspaces w ON w.id = gw.workspace_id \
         WHERE gw.group_id = $1 AND w.archived_at IS NULL ORDER BY gw.created_at, gw.workspace_id LIMIT $2 OFFSET $3";
    let rows = store.fetch(sql, vec![id.bytes().into(), limit.into(), offset.into()]).await?;
    let place = |row: &Row| Ok((read_workspace(row)?, row.text(5)?));
    Ok((rows.iter().map(place).collect::<Result<_, StoreError>>()?, total))
}

/// At most `limit` of the groups with roles in a workspace, with their names, in the order of their ids, from behind
/// `after`.
pub async fn in_workspace(
    store: &Store,
    workspace: WorkspaceId,
    after: Option<GroupId>,
    limit: u64,
) -> Result<Vec<(GroupWorkspace, String)>, StoreError> {
    let sql = "SELECT gw.group_id, gw.workspace_id, gw.roles, gw.model_role, gw.created_at, g.name \
         FROM user_group_workspaces gw JOIN user_groups g ON g.id = gw.group_id \
         WHERE gw.workspace_id = $1 AND gw.group_id > $2 ORDER BY gw.group_id LIMIT $3";
    let after = after.map(|id| id.bytes()).unwrap_or_default();
    let rows = store.fetch(sql, vec![workspace.bytes().into(), after.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((read_workspace(row)?, row.text(5)?))).collect()
}

/// Where the groups of an organization have roles, inside a transaction.
pub async fn all_workspaces(
    tx: &mut Tx,
    organization: OrganizationId,
) -> Result<Vec<GroupWorkspace>, StoreError> {
    let sql = select_workspaces!(
        "JOIN user_groups g ON g.id = gw.group_id WHERE g.organization_id = $1 ORDER BY gw.group_id, gw.workspace_id"
    );
    tx.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read_workspace).collect()
}

/// The roles of a group in a workspace, inside a transaction.
pub async fn load_workspace(
    tx: &mut Tx,
    group: GroupId,
    workspace: WorkspaceId,
) -> Result<Option<GroupWorkspace>, StoreError> {
    let sql = select_workspaces!("WHERE gw.group_id = $1 AND gw.workspace_id = $2");
    let rows = tx.fetch(sql, vec![group.bytes().into(), workspace.bytes().into()]).await?;
    rows.first().map(read_workspace).transpose()
}

/// Gives a group roles in a workspace, or changes them.
pub async fn save_workspace(tx: &mut Tx, _permit: &Permit, place: &GroupWorkspace) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO user_group_workspaces (group_id, workspace_id, roles, model_role, created_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (group_id, workspace_id) \
         DO UPDATE SET roles = excluded.roles, model_role = excluded.model_role",
        vec![
            place.group_id.bytes().into(),
            place.workspace_id.bytes().into(),
            write_json(&place.roles)?.into(),
            place.model_role.clone().into(),
            place.created_at.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Takes a group's roles in a workspace.
pub async fn delete_workspace(
    tx: &mut Tx,
    _permit: &Permit,
    group: GroupId,
    workspace: WorkspaceId,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM user_group_workspaces WHERE group_id = $1 AND workspace_id = $2";
    tx.execute(sql, vec![group.bytes().into(), workspace.bytes().into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<Group, StoreError> {
    Ok(Group {
        id: GroupId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        name: row.text(2)?,
        description: row.opt_text(3)?,
        target: row.opt_text(4)?.as_deref().and_then(GroupTarget::parse),
        organization_role: row.opt_id(5)?.map(RoleId::from_bytes),
        externally_managed: row.int(6)? != 0,
        created_at: Timestamp::from_micros(row.int(7)?),
    })
}

fn read_pair(row: &Row) -> Result<(GroupId, GroupId), StoreError> {
    Ok((GroupId::from_bytes(row.id(0)?), GroupId::from_bytes(row.id(1)?)))
}

fn read_workspace(row: &Row) -> Result<GroupWorkspace, StoreError> {
    Ok(GroupWorkspace {
        group_id: GroupId::from_bytes(row.id(0)?),
        workspace_id: WorkspaceId::from_bytes(row.id(1)?),
        roles: read_json(&row.text(2)?)?,
        model_role: row.opt_text(3)?,
        created_at: Timestamp::from_micros(row.int(4)?),
    })
}
