//! Who belongs to a workspace, by themselves or through groups, however these lie in each other.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::organizations::read_json;
use louver_domain::id::{GroupId, RoleId, UserId, WorkspaceId};
use std::collections::HashMap;

/// Somebody who belongs to a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub user_id: UserId,
    /// Their mail address.
    pub email: String,
    /// A name for people.
    pub name: Option<String>,
    /// The roles that they have there by themselves; none when they belong through groups only.
    pub roles: Vec<RoleId>,
    /// The model role that they have there by themselves.
    pub model_role: Option<String>,
    /// The groups with roles there that they are in, themselves or through groups within.
    pub via_groups: Vec<GroupId>,
}

/// How many people belong to each of those workspaces; nobody counts twice. One query, however many are asked for.
pub async fn count(
    store: &Store,
    workspaces: &[WorkspaceId],
) -> Result<HashMap<WorkspaceId, u64>, StoreError> {
    if workspaces.is_empty() {
        return Ok(HashMap::new());
    }
    let asked = store.dialect().values(workspaces.len(), 1);
    let ids =
        store.dialect().pick("group_concat(hex(user_id), '')", "string_agg(encode(user_id, 'hex'), '')");
    // Each group and each workspace with all its people in one value: thousands of them are counted here sooner than
    // they are sorted there for each workspace anew.
    let sql = format!(
        "WITH RECURSIVE asked (id) AS ({asked}), places (workspace_id, group_id) AS ( \
           SELECT workspace_id, group_id FROM user_group_workspaces WHERE workspace_id IN (SELECT id FROM asked) \
           UNION SELECT p.workspace_id, c.child_id FROM user_group_parents c JOIN places p \
             ON c.parent_id = p.group_id) \
         SELECT workspace_id, group_id, '' FROM places \
         UNION ALL SELECT NULL, group_id, {ids} FROM user_group_members \
           WHERE group_id IN (SELECT group_id FROM places) GROUP BY group_id \
         UNION ALL SELECT workspace_id, NULL, {ids} FROM memberships \
           WHERE workspace_id IN (SELECT id FROM asked) GROUP BY workspace_id"
    );
    let values = workspaces.iter().map(|id| Value::from(id.bytes())).collect();
    let mut people = People::default();
    for row in &store.fetch_made(sql, values).await? {
        people.take(row)?;
    }
    Ok(workspaces.iter().map(|id| (*id, people.count(*id))).collect())
}

/// The hexadecimal digits of a person's id.
const DIGITS: usize = 32;

/// The people of workspaces and groups, each person by a number.
#[derive(Default)]
struct People {
    numbers: HashMap<[u8; DIGITS], usize>,
    own: HashMap<WorkspaceId, Vec<usize>>,
    in_group: HashMap<GroupId, Vec<usize>>,
    groups: HashMap<WorkspaceId, Vec<GroupId>>,
}

impl People {
    fn take(&mut self, row: &Row) -> Result<(), StoreError> {
        let workspace = row.opt_id(0)?.map(WorkspaceId::from_bytes);
        let group = row.opt_id(1)?.map(GroupId::from_bytes);
        match (workspace, group) {
            (Some(workspace), Some(group)) => self.groups.entry(workspace).or_default().push(group),
            (Some(workspace), None) => {
                let people = self.numbered(&row.text(2)?);
                self.own.insert(workspace, people);
            }
            (None, Some(group)) => {
                let people = self.numbered(&row.text(2)?);
                self.in_group.insert(group, people);
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn numbered(&mut self, ids: &str) -> Vec<usize> {
        let (people, _) = ids.as_bytes().as_chunks::<DIGITS>();
        let number = |id: &[u8; DIGITS]| {
            let next = self.numbers.len();
            *self.numbers.entry(*id).or_insert(next)
        };
        people.iter().map(number).collect()
    }

    fn count(&self, workspace: WorkspaceId) -> u64 {
        let groups = self.groups.get(&workspace).into_iter().flatten();
        let through = groups.filter_map(|group| self.in_group.get(group)).flatten();
        let mut seen = vec![false; self.numbers.len()];
        for number in self.own.get(&workspace).into_iter().flatten().chain(through) {
            if let Some(seen) = seen.get_mut(*number) {
                *seen = true;
            }
        }
        let count = seen.into_iter().filter(|seen| *seen).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

macro_rules! with_places {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE places (group_id, top) AS ( ",
            "SELECT group_id, group_id FROM user_group_workspaces WHERE workspace_id = $1 ",
            "UNION SELECT c.child_id, p.top FROM user_group_parents c JOIN places p ON c.parent_id = p.group_id) ",
            $rest
        )
    };
}

/// At most `limit` of those who belong to a workspace, in the order of their ids, from behind `after`.
pub async fn page(
    store: &Store,
    workspace: WorkspaceId,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<Member>, StoreError> {
    let mut tx = store.begin_read().await?;
    let sql = with_places!(
        ", people (id) AS ( \
           SELECT user_id FROM memberships WHERE workspace_id = $1 AND user_id > $2 \
           UNION SELECT user_id FROM user_group_members \
             WHERE user_id > $2 AND group_id IN (SELECT group_id FROM places)) \
         SELECT u.id, u.email, u.name, m.roles, m.model_role FROM people JOIN users u ON u.id = people.id \
         LEFT JOIN memberships m ON m.workspace_id = $1 AND m.user_id = u.id \
         WHERE u.removed_at IS NULL ORDER BY u.id LIMIT $3"
    );
    let after = after.map(|id| id.bytes()).unwrap_or_default();
    let rows = tx.fetch(sql, vec![workspace.bytes().into(), after.into(), limit.into()]).await?;
    let mut members = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if let (Some(first), Some(last)) = (members.first(), members.last()) {
        let mut groups = groups_between(&mut tx, workspace, first.user_id, last.user_id).await?;
        for member in &mut members {
            member.via_groups = groups.remove(&member.user_id).unwrap_or_default();
        }
    }
    tx.commit_plain().await?;
    Ok(members)
}

async fn groups_between(
    tx: &mut Tx,
    workspace: WorkspaceId,
    first: UserId,
    last: UserId,
) -> Result<HashMap<UserId, Vec<GroupId>>, StoreError> {
    let sql = with_places!(
        "SELECT DISTINCT g.user_id, p.top FROM places p JOIN user_group_members g ON g.group_id = p.group_id \
         WHERE g.user_id >= $2 AND g.user_id <= $3 ORDER BY g.user_id, p.top"
    );
    let values = vec![workspace.bytes().into(), first.bytes().into(), last.bytes().into()];
    let mut groups: HashMap<UserId, Vec<GroupId>> = HashMap::new();
    for row in tx.fetch(sql, values).await? {
        let user = UserId::from_bytes(row.id(0)?);
        groups.entry(user).or_default().push(GroupId::from_bytes(row.id(1)?));
    }
    Ok(groups)
}

fn read(row: &Row) -> Result<Member, StoreError> {
    Ok(Member {
        user_id: UserId::from_bytes(row.id(0)?),
        email: row.text(1)?,
        name: row.opt_text(2)?,
        roles: row.opt_text(3)?.map_or_else(|| Ok(vec![]), |text| read_json(&text))?,
        model_role: row.opt_text(4)?,
        via_groups: vec![],
    })
}
