//! API keys in the database: everything but their secrets.

use crate::db::{Row, Store, Tx, Value};
use crate::dialect::{Dialect, Made};
use crate::error::StoreError;
use crate::old_secrets::{self, Of};
use crate::organizations::{read_json, write_json};
use louver_domain::access::Permit;
use louver_domain::folding::folded;
use louver_domain::id::{KeyId, OrganizationId, ServiceAccountId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, KeyStatus, Owner, PublicId};
use louver_domain::limits::Limits;
use louver_domain::time::Timestamp;
use std::collections::HashMap;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, workspace_id, user_id, service_account_id, name, description, public_id, ",
            "fingerprint, last_four, limits, role, allowed_cidrs, created_at, expires_at, ",
            "last_used_at, status, created_by, canary, enabled_at FROM api_keys ",
            $rest
        )
    };
}

const ONE: &str = select!("WHERE organization_id = $1 AND id = $2");

/// Which keys a list shows; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of one workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of exactly this name.
    pub name: Option<String>,
    /// Of this status: `active`, `disabled`, `revoked` or `expired`. `None` is all but the revoked ones: a key that was
    /// deleted is seen only by who asks for it.
    pub status: Option<String>,
    /// Not used (nor made) since then.
    pub unused_since: Option<Timestamp>,
    /// Of this person.
    pub owner: Option<UserId>,
    /// Whose name holds this, whatever the case and the accents, or whose secret ends in it.
    pub search: Option<String>,
    /// Made after this key, in the order of ids.
    pub after: Option<KeyId>,
    /// How many to leave out at the front.
    pub offset: u64,
}

/// More than are left out at the front by anybody; a limit added to it is still a number of 64 bits.
const FURTHEST: u64 = 1 << 62;

/// The page of `ids`, which an index finds alone, in their order.
macro_rules! page {
    ($ids:expr) => {
        concat!(
            select!("WHERE id IN (SELECT id FROM api_keys WHERE organization_id = $1 AND "),
            $ids,
            ") ORDER BY id"
        )
    };
}

/// All that are not revoked: `$2` is the key before the page, `$3` and `$4` its size and offset.
const ALL: &str = page!("status <> 'revoked' AND id > $2 ORDER BY id LIMIT $3 OFFSET $4");

/// Of those the ones whose names hold the text `$5`. `LIKE` would do as well, and twice as slowly.
macro_rules! holding {
    ($position:literal) => {
        page!(concat!(
            "status <> 'revoked' AND id > $2 AND ",
            $position,
            "(folded, $5) > 0 ORDER BY id LIMIT $3 OFFSET $4"
        ))
    };
}

/// Also the ones whose secrets end in it, which have an index of their own.
macro_rules! holding_or_ending {
    ($position:literal) => {
        concat!(
            select!("WHERE id IN (SELECT id FROM (SELECT id FROM api_keys WHERE organization_id = $1 "),
            "AND status <> 'revoked' AND id > $2 AND ",
            $position,
            "(folded, $5) > 0 ORDER BY id LIMIT $3 + $4) AS held UNION SELECT id FROM api_keys \
             WHERE organization_id = $1 AND lower(last_four) = $5 AND status <> 'revoked' AND id > $2 \
             ORDER BY id LIMIT $3 OFFSET $4) ORDER BY id"
        )
    };
}

/// The characters of the end of a secret that are kept.
const LAST: usize = 4;

/// One page of the keys of an organization in the order they were made; at most `limit`. `now` decides what has
/// expired.
pub async fn list(
    store: &Store,
    organization: OrganizationId,
    filter: Filter,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<ApiKey>, StoreError> {
    let rows = if filter.narrows() {
        let made = narrowed(store.dialect(), organization, &filter, limit, now);
        store.fetch_made(made.sql, made.values).await?
    } else {
        let (sql, values) = unfiltered(store, organization, &filter, limit);
        store.fetch(sql, values).await?
    };
    rows.iter().map(read).collect()
}

impl Filter {
    /// Whether more is asked than a page of a search over all keys.
    const fn narrows(&self) -> bool {
        self.workspace.is_some()
            || self.name.is_some()
            || self.status.is_some()
            || self.unused_since.is_some()
            || self.owner.is_some()
    }
}

fn unfiltered(
    store: &Store,
    organization: OrganizationId,
    filter: &Filter,
    limit: u32,
) -> (&'static str, Vec<Value>) {
    let mut values: Vec<Value> = vec![
        organization.bytes().into(),
        filter.after.map(|k| k.bytes()).unwrap_or_default().into(),
        i64::from(limit).into(),
        filter.offset.min(FURTHEST).into(),
    ];
    // Every text holds the empty one.
    let Some(text) = filter.search.as_deref().map(folded).filter(|text| !text.is_empty()) else {
        return (ALL, values);
    };
    let sql = match text.chars().count() == LAST {
        true => store.dialect().pick(holding_or_ending!("instr"), holding_or_ending!("strpos")),
        false => store.dialect().pick(holding!("instr"), holding!("strpos")),
    };
    values.push(text.into());
    (sql, values)
}

/// A statement that asks only what the filter names, for the planner to see which index fits: walked in the order of ids,
/// each holds what may be asked besides, so that a page without a match reads no row.
fn narrowed(
    dialect: Dialect,
    organization: OrganizationId,
    filter: &Filter,
    limit: u32,
    now: Timestamp,
) -> Made {
    let mut made = Made::new(dialect, select!("WHERE id IN (SELECT id FROM api_keys WHERE "));
    made.is("organization_id = ", organization.bytes());
    if let Some(user) = filter.owner {
        made.is(" AND user_id = ", user.bytes());
    }
    if let Some(workspace) = filter.workspace {
        made.is(" AND workspace_id = ", workspace.bytes());
    }
    if let Some(name) = &filter.name {
        made.is(" AND name = ", name.as_str());
    }
    narrow_status(&mut made, filter.status.as_deref(), now);
    if let Some(since) = filter.unused_since {
        made.is(" AND COALESCE(last_used_at, created_at) < ", since.micros());
    }
    if let Some(text) = filter.search.as_deref().map(folded).filter(|text| !text.is_empty()) {
        made.is(dialect.pick(" AND (instr(folded, ", " AND (strpos(folded, "), text.as_str());
        made.is(") > 0 OR lower(last_four) = ", text.as_str());
        made.put(")");
    }
    if let Some(after) = filter.after {
        made.is(" AND id > ", after.bytes());
    }
    made.is(" ORDER BY id LIMIT ", i64::from(limit));
    made.is(" OFFSET ", filter.offset.min(FURTHEST));
    made.put(") ORDER BY id");
    made
}

/// What has expired is stored as active.
fn narrow_status(made: &mut Made, status: Option<&str>, now: Timestamp) {
    match status {
        None => made.put(" AND status <> 'revoked'"),
        Some("expired") => made.is(" AND status = 'active' AND expires_at <= ", now.micros()),
        Some("active") => {
            made.is(" AND status = 'active' AND (expires_at IS NULL OR expires_at > ", now.micros());
            made.put(")");
        }
        Some(other) => made.is(" AND status = ", other),
    }
}

/// The names of all keys of an organization, revoked ones too: what was used is shown with them.
pub async fn names(
    store: &Store,
    organization: OrganizationId,
) -> Result<HashMap<KeyId, String>, StoreError> {
    let sql = "SELECT id, name FROM api_keys WHERE organization_id = $1";
    let rows = store.fetch(sql, vec![organization.bytes().into()]).await?;
    rows.iter().map(|row| Ok((KeyId::from_bytes(row.id(0)?), row.text(1)?))).collect()
}

/// How many keys of each workspace are not revoked. All are counted by an index alone, and the few that are revoked
/// taken away again.
pub async fn count_by_workspace(
    store: &Store,
    organization: OrganizationId,
) -> Result<HashMap<WorkspaceId, u64>, StoreError> {
    let all = "SELECT workspace_id, COUNT(*) FROM api_keys WHERE organization_id = $1 GROUP BY workspace_id";
    let revoked = "SELECT workspace_id, COUNT(*) FROM api_keys WHERE organization_id = $1 AND status = 'revoked' \
                   GROUP BY workspace_id";
    let mut counts: HashMap<WorkspaceId, u64> = HashMap::new();
    for row in &store.fetch(all, vec![organization.bytes().into()]).await? {
        counts.insert(WorkspaceId::from_bytes(row.id(0)?), row.count(1)?);
    }
    for row in &store.fetch(revoked, vec![organization.bytes().into()]).await? {
        let revoked = row.count(1)?;
        counts.entry(WorkspaceId::from_bytes(row.id(0)?)).and_modify(|n| *n = n.saturating_sub(revoked));
    }
    Ok(counts)
}

/// The names of these keys of an organization.
pub async fn names_of(
    store: &Store,
    organization: OrganizationId,
    keys: &[KeyId],
) -> Result<HashMap<KeyId, String>, StoreError> {
    let Some((first, rest)) = keys.split_first() else { return Ok(HashMap::new()) };
    let mut made = Made::new(store.dialect(), "SELECT id, name FROM api_keys WHERE organization_id = ");
    made.is("", organization.bytes());
    made.is(" AND id IN (", first.bytes());
    rest.iter().for_each(|key| made.is(", ", key.bytes()));
    made.put(")");
    let rows = store.fetch_made(made.sql, made.values).await?;
    rows.iter().map(|row| Ok((KeyId::from_bytes(row.id(0)?), row.text(1)?))).collect()
}

/// Keys that have a budget of their own, in the order they were made: those after `after`, at most `limit`.
pub async fn with_budgets(
    store: &Store,
    organization: OrganizationId,
    after: Option<KeyId>,
    limit: u64,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql = select!(
        "WHERE organization_id = $1 AND id > $2 AND status <> 'revoked' AND NOT (\
         limits LIKE '%\"hourly_budget_usd\":null%' AND limits LIKE '%\"daily_budget_usd\":null%' \
         AND limits LIKE '%\"monthly_budget_usd\":null%' AND limits LIKE '%\"tokens_per_month\":null%') \
         ORDER BY id LIMIT $3"
    );
    let after = after.map(|id| id.bytes()).unwrap_or_default();
    let values = vec![organization.bytes().into(), after.into(), limit.into()];
    store.fetch(sql, values).await?.iter().map(read).collect()
}

/// Every key that is not revoked.
pub(crate) async fn all_live(tx: &mut Tx) -> Result<Vec<ApiKey>, StoreError> {
    tx.fetch(select!("WHERE status <> 'revoked'"), vec![]).await?.iter().map(read).collect()
}

/// One key of an organization.
pub async fn get(
    store: &Store,
    organization: OrganizationId,
    id: KeyId,
) -> Result<Option<ApiKey>, StoreError> {
    store
        .fetch(ONE, vec![organization.bytes().into(), id.bytes().into()])
        .await?
        .first()
        .map(read)
        .transpose()
}

/// The key of that id, of whatever organization.
pub async fn find_by_id(store: &Store, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
    store.fetch(select!("WHERE id = $1"), vec![id.bytes().into()]).await?.first().map(read).transpose()
}

/// One key of an organization, inside a transaction.
pub async fn load(
    tx: &mut Tx,
    organization: OrganizationId,
    id: KeyId,
) -> Result<Option<ApiKey>, StoreError> {
    tx.fetch(ONE, vec![organization.bytes().into(), id.bytes().into()]).await?.first().map(read).transpose()
}

/// The keys of a person that are not revoked, inside a transaction.
pub async fn load_of_user(
    tx: &mut Tx,
    organization: OrganizationId,
    user: UserId,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql = select!("WHERE organization_id = $1 AND user_id = $2 AND status <> 'revoked' ORDER BY id");
    tx.fetch(sql, vec![organization.bytes().into(), user.bytes().into()]).await?.iter().map(read).collect()
}

/// The keys of a service account that are not revoked, inside a transaction.
pub async fn load_of_account(
    tx: &mut Tx,
    organization: OrganizationId,
    account: ServiceAccountId,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql =
        select!("WHERE organization_id = $1 AND service_account_id = $2 AND status <> 'revoked' ORDER BY id");
    tx.fetch(sql, vec![organization.bytes().into(), account.bytes().into()]).await?.iter().map(read).collect()
}

/// The key with that public id, of whatever organization.
pub async fn find(store: &Store, public_id: PublicId) -> Result<Option<ApiKey>, StoreError> {
    let sql = select!("WHERE public_id = $1");
    store.fetch(sql, vec![public_id.as_str().into()]).await?.first().map(read).transpose()
}

/// Adds a key.
pub async fn insert(tx: &mut Tx, permit: &Permit, key: &ApiKey) -> Result<(), StoreError> {
    let (user, account) = owner_ids(key.owner);
    let values: Vec<Value> = vec![
        key.id.bytes().into(),
        permit.organization_id().bytes().into(),
        key.workspace_id.bytes().into(),
        user.into(),
        account.into(),
        key.name.clone().into(),
        key.description.clone().into(),
        key.public_id.as_str().into(),
        key.fingerprint.into(),
        key.last_four.clone().into(),
        write_json(&key.limits)?.into(),
        key.role.clone().into(),
        optional_json(key.allowed_cidrs.as_ref())?.into(),
        key.created_at.micros().into(),
        key.expires_at.map(Timestamp::micros).into(),
        key.status.as_str().into(),
        key.created_by.clone().into(),
        folded(&key.name).into(),
        key.canary.into(),
    ];
    tx.execute(
        "INSERT INTO api_keys (id, organization_id, workspace_id, user_id, service_account_id, name, description, \
         public_id, fingerprint, last_four, limits, role, allowed_cidrs, created_at, expires_at, \
         status, created_by, folded, canary) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
         $17, $18, $19)",
        values,
    )
    .await?;
    Ok(())
}

/// Writes what can change of a key. What is revoked has no old secrets any more.
pub async fn save(tx: &mut Tx, permit: &Permit, key: &ApiKey) -> Result<(), StoreError> {
    let values: Vec<Value> = vec![
        key.name.clone().into(),
        key.description.clone().into(),
        write_json(&key.limits)?.into(),
        key.role.clone().into(),
        optional_json(key.allowed_cidrs.as_ref())?.into(),
        key.expires_at.map(Timestamp::micros).into(),
        key.status.as_str().into(),
        permit.organization_id().bytes().into(),
        key.id.bytes().into(),
        folded(&key.name).into(),
        key.enabled_at.map(Timestamp::micros).into(),
    ];
    tx.execute(
        "UPDATE api_keys SET name = $1, description = $2, limits = $3, role = $4, allowed_cidrs = $5, \
         expires_at = $6, status = $7, folded = $10, enabled_at = $11 WHERE organization_id = $8 AND id = $9",
        values,
    )
    .await?;
    match key.status {
        KeyStatus::Revoked => old_secrets::retire_all(tx, permit, Of::Api(key.id)).await,
        KeyStatus::Active | KeyStatus::Disabled => Ok(()),
    }
}

fn owner_ids(owner: Owner) -> (Option<[u8; 16]>, Option<[u8; 16]>) {
    match owner {
        Owner::Workspace => (None, None),
        Owner::User(id) => (Some(id.bytes()), None),
        Owner::ServiceAccount(id) => (None, Some(id.bytes())),
    }
}

fn optional_json<T: serde::Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    value.map(write_json).transpose()
}

fn read(row: &Row) -> Result<ApiKey, StoreError> {
    let user = row.opt_id(3)?.map(UserId::from_bytes).map(Owner::User);
    let account = row.opt_id(4)?.map(ServiceAccountId::from_bytes).map(Owner::ServiceAccount);
    let corrupt = |what: &str| StoreError::Corrupt(format!("the {what} of an API key"));
    Ok(ApiKey {
        id: KeyId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        workspace_id: WorkspaceId::from_bytes(row.id(2)?),
        owner: user.or(account).unwrap_or(Owner::Workspace),
        name: row.text(5)?,
        description: row.opt_text(6)?,
        public_id: PublicId::parse(&row.text(7)?).ok_or_else(|| corrupt("public id"))?,
        fingerprint: row.array(8)?,
        last_four: row.text(9)?,
        limits: read_json::<Limits>(&row.text(10)?)?,
        role: row.opt_text(11)?,
        allowed_cidrs: row.opt_text(12)?.map(|text| read_json(&text)).transpose()?,
        created_at: Timestamp::from_micros(row.int(13)?),
        expires_at: row.opt_int(14)?.map(Timestamp::from_micros),
        last_used_at: row.opt_int(15)?.map(Timestamp::from_micros),
        status: KeyStatus::parse(&row.text(16)?).ok_or_else(|| corrupt("status"))?,
        created_by: row.opt_text(17)?,
        canary: row.int(18)? != 0,
        enabled_at: row.opt_int(19)?.map(Timestamp::from_micros),
    })
}
