//! Usage in the database: one record per call, and hourly sums that answers are made of.

pub mod history;

use crate::db::{Row, Store, Tx, Value};
use crate::dialect::Dialect;
use crate::error::StoreError;
use louver_domain::id::{KeyId, OrganizationId, UserId, WorkspaceId};
use louver_domain::money::Money;
use louver_domain::time::{Granularity, Timestamp};
use louver_domain::usage::{Tokens, UsageRecord};
use std::collections::BTreeMap;

const COLUMNS: usize = 19;
/// Rows of one statement: few sizes, so that the prepared statements are few.
const BATCHES: [usize; 3] = [128, 16, 1];
const ESTIMATED: i64 = 1;
const CLIENT_LEFT: i64 = 2;

/// Writes a batch of records and adds them to the hourly sums, in one transaction.
pub async fn insert(store: &Store, records: &[UsageRecord]) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let mut rest = records;
    for size in BATCHES {
        while let Some((batch, later)) = rest.split_at_checked(size) {
            insert_rows(&mut tx, store.dialect(), batch).await?;
            rest = later;
        }
    }
    for (scope, sums) in sum_by_hour(records) {
        add_to_hour(&mut tx, &scope, &sums).await?;
    }
    tx.commit_plain().await
}

async fn insert_rows(tx: &mut Tx, dialect: Dialect, records: &[UsageRecord]) -> Result<(), StoreError> {
    let mut values: Vec<Value> = Vec::with_capacity(records.len().saturating_mul(COLUMNS));
    for record in records {
        let flags = i64::from(record.estimated) * ESTIMATED + i64::from(record.client_left) * CLIENT_LEFT;
        let row: [Value; COLUMNS] = [
            record.request_id.bytes().into(),
            record.at.micros().into(),
            record.organization_id.bytes().into(),
            record.workspace_id.bytes().into(),
            record.key_id.bytes().into(),
            record.user_id.map(|id| id.bytes()).into(),
            record.role.as_deref().map(str::to_owned).into(),
            record.endpoint.as_str().into(),
            record.model_asked.as_str().into(),
            (&*record.model).into(),
            record.tokens.input.into(),
            record.tokens.cached.into(),
            record.tokens.output.into(),
            record.cost.nanos().into(),
            i64::from(record.price_version).into(),
            i64::from(record.status).into(),
            record.first_byte_micros.into(),
            record.total_micros.into(),
            flags.into(),
        ];
        values.extend(row);
    }
    let sql = format!(
        "INSERT INTO usage_records (request_id, at, organization_id, workspace_id, key_id, user_id, role, endpoint, \
         model_asked, model, input_tokens, cached_tokens, output_tokens, cost_nanos, price_version, status, \
         first_byte_micros, total_micros, flags) {}",
        dialect.values(records.len(), COLUMNS)
    );
    tx.execute_made(sql, values).await?;
    Ok(())
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct HourScope {
    hour: i64,
    organization: OrganizationId,
    workspace: WorkspaceId,
    key: KeyId,
    user: Option<UserId>,
    role: String,
    endpoint: &'static str,
    model: String,
}

/// Sums of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls.
    pub requests: u64,
    /// Tokens.
    pub tokens: Tokens,
    /// Cost.
    pub cost: Money,
    /// Calls whose tokens were estimated.
    pub estimated: u64,
}

fn sum_by_hour(records: &[UsageRecord]) -> BTreeMap<HourScope, Sums> {
    let mut hours: BTreeMap<HourScope, Sums> = BTreeMap::new();
    for record in records {
        let scope = HourScope {
            hour: record.at.floor(Granularity::Hour).micros(),
            organization: record.organization_id,
            workspace: record.workspace_id,
            key: record.key_id,
            user: record.user_id,
            role: record.role.as_deref().unwrap_or_default().to_owned(),
            endpoint: record.endpoint.as_str(),
            model: record.model.to_string(),
        };
        let one = Sums {
            requests: 1,
            tokens: record.tokens,
            cost: record.cost,
            estimated: u64::from(record.estimated),
        };
        let sums = hours.entry(scope).or_default();
        *sums = sums.plus(&one);
    }
    hours
}

impl Sums {
    fn plus(&self, other: &Self) -> Self {
        let add = u64::saturating_add;
        Self {
            requests: add(self.requests, other.requests),
            tokens: Tokens {
                input: add(self.tokens.input, other.tokens.input),
                cached: add(self.tokens.cached, other.tokens.cached),
                output: add(self.tokens.output, other.tokens.output),
            },
            cost: self.cost.checked_add(other.cost).unwrap_or(Money::from_nanos(i64::MAX)),
            estimated: add(self.estimated, other.estimated),
        }
    }
}

async fn add_to_hour(tx: &mut Tx, scope: &HourScope, sums: &Sums) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO usage_hourly AS h (hour, organization_id, workspace_id, key_id, user_id, role, endpoint, model, \
         requests, input_tokens, cached_tokens, output_tokens, cost_nanos, estimated) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (hour, organization_id, workspace_id, key_id, user_id, role, endpoint, model) DO UPDATE SET \
         requests = h.requests + excluded.requests, input_tokens = h.input_tokens + excluded.input_tokens, \
         cached_tokens = h.cached_tokens + excluded.cached_tokens, \
         output_tokens = h.output_tokens + excluded.output_tokens, \
         cost_nanos = h.cost_nanos + excluded.cost_nanos, estimated = h.estimated + excluded.estimated",
        vec![
            scope.hour.into(),
            scope.organization.bytes().into(),
            scope.workspace.bytes().into(),
            scope.key.bytes().into(),
            // No user is the id of zeros here: a key column cannot be null.
            scope.user.map(|id| id.bytes()).unwrap_or_default().into(),
            scope.role.clone().into(),
            scope.endpoint.into(),
            scope.model.clone().into(),
            sums.requests.into(),
            sums.tokens.input.into(),
            sums.tokens.cached.into(),
            sums.tokens.output.into(),
            sums.cost.nanos().into(),
            sums.estimated.into(),
        ],
    )
    .await?;
    Ok(())
}

/// What sums are kept apart by; `None` and empty are summed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The start of the hour, day or month.
    pub period: Option<Timestamp>,
    /// The workspace.
    pub workspace: Option<WorkspaceId>,
    /// The key.
    pub key: Option<KeyId>,
    /// The person.
    pub user: Option<UserId>,
    /// The model.
    pub model: Option<String>,
    /// The model role.
    pub role: Option<String>,
    /// The endpoint.
    pub endpoint: Option<String>,
}

/// What to keep apart by.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupBy {
    /// By hour, day or month.
    pub granularity: Option<Granularity>,
    /// By workspace.
    pub workspace: bool,
    /// By key.
    pub key: bool,
    /// By person.
    pub user: bool,
    /// By model.
    pub model: bool,
    /// By model role.
    pub role: bool,
    /// By endpoint.
    pub endpoint: bool,
}

/// The sums of an organization in `[from, to)`, kept apart as asked.
pub async fn sums(
    store: &Store,
    organization: OrganizationId,
    from: Timestamp,
    to: Timestamp,
    by: GroupBy,
) -> Result<BTreeMap<Group, Sums>, StoreError> {
    let rows = store
        .fetch(
            "SELECT hour, workspace_id, key_id, user_id, role, endpoint, model, requests, input_tokens, \
             cached_tokens, output_tokens, cost_nanos, estimated FROM usage_hourly \
             WHERE hour >= $1 AND hour < $2 AND organization_id = $3",
            vec![from.micros().into(), to.micros().into(), organization.bytes().into()],
        )
        .await?;
    let mut groups: BTreeMap<Group, Sums> = BTreeMap::new();
    for row in &rows {
        let sums = groups.entry(group(row, by)?).or_default();
        *sums = sums.plus(&read_sums(row)?);
    }
    Ok(groups)
}

fn group(row: &Row, by: GroupBy) -> Result<Group, StoreError> {
    let hour = Timestamp::from_micros(row.int(0)?);
    let user = row.id(3)?;
    let text = |wanted: bool, column| wanted.then(|| row.text(column)).transpose();
    Ok(Group {
        period: by.granularity.map(|granularity| hour.floor(granularity)),
        workspace: by.workspace.then(|| row.id(1).map(WorkspaceId::from_bytes)).transpose()?,
        key: by.key.then(|| row.id(2).map(KeyId::from_bytes)).transpose()?,
        user: (by.user && user != [0; 16]).then(|| UserId::from_bytes(user)),
        role: text(by.role, 4)?.filter(|role| !role.is_empty()),
        endpoint: text(by.endpoint, 5)?,
        model: text(by.model, 6)?,
    })
}

fn read_sums(row: &Row) -> Result<Sums, StoreError> {
    Ok(Sums {
        requests: row.count(7)?,
        tokens: Tokens { input: row.count(8)?, cached: row.count(9)?, output: row.count(10)? },
        cost: Money::from_nanos(row.int(11)?),
        estimated: row.count(12)?,
    })
}
