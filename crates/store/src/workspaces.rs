//! Workspaces in the database.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect;
use crate::error::StoreError;
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::folding::folded;
use louver_domain::id::{OrganizationId, WorkspaceId};
use louver_domain::limits::Limits;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, name, description, icon, is_default, limits, created_at, archived_at ",
            "FROM workspaces ",
            $rest
        )
    };
}

const ONE: &str = select!("WHERE organization_id = $1 AND id = $2");

/// The workspaces of an organization, by name.
pub async fn list(store: &Store, organization: OrganizationId) -> Result<Vec<Workspace>, StoreError> {
    let sql = select!("WHERE organization_id = $1 ORDER BY name");
    store.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// Which workspaces a page shows.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Archived ones too.
    pub archived: bool,
    /// What their names hold, whatever the case and the accents; empty is anything.
    pub search: String,
    /// Only these; `None` is all of them.
    pub among: Option<Vec<WorkspaceId>>,
    /// How many to leave out at the front.
    pub offset: u64,
    /// At most so many.
    pub limit: u64,
}

/// One page of the workspaces of an organization by name, and how many there are on all pages.
pub async fn page(
    store: &Store,
    organization: OrganizationId,
    filter: &Filter,
) -> Result<(Vec<Workspace>, u64), StoreError> {
    if let Some(among) = &filter.among {
        return page_among(store, organization, filter, among).await;
    }
    let pattern = dialect::holding(&folded(&filter.search));
    let values: Vec<Value> = vec![organization.bytes().into(), pattern.into(), filter.archived.into()];
    let count = "SELECT COUNT(*) FROM workspaces WHERE organization_id = $1 AND folded LIKE $2 ESCAPE '\\' \
         AND (archived_at IS NULL OR $3 = 1)";
    let total = store.fetch(count, values.clone()).await?;
    let total = total.first().map_or(Ok(0), |row| row.count(0))?;
    let sql = select!(
        "WHERE organization_id = $1 AND folded LIKE $2 ESCAPE '\\' AND (archived_at IS NULL OR $3 = 1) \
         ORDER BY name LIMIT $4 OFFSET $5"
    );
    let paging = [Value::from(filter.limit), Value::from(filter.offset)];
    let rows = store.fetch(sql, values.into_iter().chain(paging).collect()).await?;
    Ok((rows.iter().map(read).collect::<Result<_, _>>()?, total))
}

/// The same for somebody who sees few: what they do not see is left out here, and no statement carries a list.
async fn page_among(
    store: &Store,
    organization: OrganizationId,
    filter: &Filter,
    among: &[WorkspaceId],
) -> Result<(Vec<Workspace>, u64), StoreError> {
    let mut all = list(store, organization).await?;
    let search = folded(&filter.search);
    all.retain(|workspace| {
        let wanted = filter.archived || workspace.archived_at.is_none();
        wanted && among.contains(&workspace.id) && folded(&workspace.name).contains(&search)
    });
    let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let at = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok((all.into_iter().skip(at(filter.offset)).take(at(filter.limit)).collect(), total))
}

/// The names of all workspaces of an organization, also of those that are archived, inside a transaction.
pub async fn load_names(
    tx: &mut Tx,
    organization: OrganizationId,
) -> Result<Vec<(WorkspaceId, String)>, StoreError> {
    let sql = "SELECT id, name FROM workspaces WHERE organization_id = $1";
    let read = |row: &Row| Ok((WorkspaceId::from_bytes(row.id(0)?), row.text(1)?));
    tx.fetch(sql, vec![organization.bytes().into()]).await?.iter().map(read).collect()
}

/// How many workspaces of an organization are not archived, inside a transaction.
pub async fn count_active(tx: &mut Tx, organization: OrganizationId) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM workspaces WHERE organization_id = $1 AND archived_at IS NULL";
    let rows = tx.fetch(sql, vec![organization.bytes().into()]).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Workspace>, StoreError> {
    tx.fetch(select!("ORDER BY id"), vec![]).await?.iter().map(read).collect()
}

/// One workspace of an organization.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    id: WorkspaceId,
) -> Result<Option<Workspace>, StoreError> {
    store
        .fetch(ONE, vec![organization.bytes().into(), id.bytes().into()])
        .await?
        .first()
        .map(read)
        .transpose()
}

/// One workspace of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: WorkspaceId,
) -> Result<Option<Workspace>, StoreError> {
    tx.fetch(ONE, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// The workspace that keys go to when none is named.
pub async fn load_default(
    tx: &mut Tx,
    organization: OrganizationId,
) -> Result<Option<Workspace>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND is_default = 1");
    tx.fetch(sql, vec![organization.bytes().into()]).await?.first().map(read).transpose()
}

/// Adds a workspace; its name must be new in the organization.
pub async fn insert(tx: &mut Tx, permit: &Permit, workspace: &Workspace) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO workspaces (id, organization_id, name, folded, description, icon, is_default, limits, created_at, \
         archived_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        vec![
            workspace.id.bytes().into(),
            permit.organization_id().bytes().into(),
            workspace.name.clone().into(),
            folded(&workspace.name).into(),
            workspace.description.clone().into(),
            workspace.icon.clone().into(),
            workspace.is_default.into(),
            write_json(&workspace.limits)?.into(),
            workspace.created_at.micros().into(),
            workspace.archived_at.map(Timestamp::micros).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Writes what can change of a workspace.
pub async fn save(tx: &mut Tx, permit: &Permit, workspace: &Workspace) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE workspaces SET name = $1, folded = $2, description = $3, icon = $4, limits = $5, archived_at = $6 \
         WHERE organization_id = $7 AND id = $8",
        vec![
            workspace.name.clone().into(),
            folded(&workspace.name).into(),
            workspace.description.clone().into(),
            workspace.icon.clone().into(),
            write_json(&workspace.limits)?.into(),
            workspace.archived_at.map(Timestamp::micros).into(),
            permit.organization_id().bytes().into(),
            workspace.id.bytes().into(),
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Workspace, StoreError> {
    Ok(Workspace {
        id: WorkspaceId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        name: row.text(2)?,
        description: row.opt_text(3)?,
        icon: row.opt_text(4)?,
        is_default: row.int(5)? != 0,
        limits: read_json::<Limits>(&row.text(6)?)?,
        created_at: Timestamp::from_micros(row.int(7)?),
        archived_at: row.opt_int(8)?.map(Timestamp::from_micros),
    })
}
