//! Usage in the database: one record per call, and hourly sums that answers are made of.

pub mod charged;
pub mod history;
mod hours;
mod of_key;
pub mod parts;

pub(crate) use hours::{add_to_hours, adjust_hour};
pub use of_key::of_key;

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use louver_domain::budgets::{Scope, Unit};
use louver_domain::calendar::Window;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, OrganizationId, RequestId, UserId, WorkspaceId};
use louver_domain::money::Money;
use louver_domain::settlement::{Charge, Why};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units, UsageRecord};
use std::collections::{BTreeMap, HashMap};

const COLUMNS: usize = 26;
/// Rows of one statement: few sizes, so that the prepared statements are few.
const BATCHES: [usize; 3] = [128, 16, 1];
const ESTIMATED: i64 = 1;
const CLIENT_LEFT: i64 = 2;
const WOULD_REFUSE: i64 = 4;
const OVERRUN: i64 = 8;
const RECOVERED: i64 = 16;
const PRIORITY: i64 = 32;
const BATCH: i64 = 64;
const REGIONAL: i64 = 128;
const AHEAD: i64 = 256;

/// Writes records that are not there yet, inside a transaction; answers how many were new.
pub(crate) async fn insert_new(tx: &mut Tx, records: &[&UsageRecord]) -> Result<u64, StoreError> {
    let mut rest = records;
    let mut new = 0_u64;
    for size in BATCHES {
        while let Some((batch, later)) = rest.split_at_checked(size) {
            new = new.saturating_add(insert_rows(tx, batch).await?);
            rest = later;
        }
    }
    Ok(new)
}

async fn insert_rows(tx: &mut Tx, records: &[&UsageRecord]) -> Result<u64, StoreError> {
    let mut values: Vec<Value> = Vec::with_capacity(records.len().saturating_mul(COLUMNS));
    for record in records {
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
            record.charge.tokens.input.into(),
            record.charge.tokens.cached.into(),
            record.charge.tokens.output.into(),
            record.charge.cost.nanos().into(),
            i64::from(record.price_version).into(),
            i64::from(record.status).into(),
            record.first_byte_micros.into(),
            record.total_micros.into(),
            flags(record).into(),
            record.bound.cost.nanos().into(),
            record.bound.tokens().into(),
            record.charge.units.pages.into(),
            record.charge.units.annotated_pages.into(),
            record.charge.units.audio_seconds.into(),
            record.charge.units.characters.into(),
            record.charge.units.tool_calls.into(),
        ];
        values.extend(row);
    }
    let sql = format!(
        "INSERT INTO usage_records (request_id, at, organization_id, workspace_id, key_id, user_id, role, endpoint, \
         model_asked, model, input_tokens, cached_tokens, output_tokens, cost_nanos, price_version, status, \
         first_byte_micros, total_micros, flags, bound_nanos, bound_tokens, pages, annotated_pages, audio_seconds, \
         characters, tool_calls) {} ON CONFLICT (request_id) DO NOTHING",
        tx.dialect().values(records.len(), COLUMNS)
    );
    tx.execute_made(sql, values).await
}

fn flags(record: &UsageRecord) -> i64 {
    let Charge { terms, why, .. } = record.charge;
    [
        (why.estimated(), ESTIMATED),
        (record.client_left, CLIENT_LEFT),
        (record.would_refuse, WOULD_REFUSE),
        (why == Why::Overrun, OVERRUN),
        (record.recovered, RECOVERED),
        (terms.priority, PRIORITY),
        (terms.batch, BATCH),
        (terms.regional, REGIONAL),
        (why == Why::Ahead, AHEAD),
    ]
    .into_iter()
    .fold(0, |flags, (set, flag)| if set { flags | flag } else { flags })
}

/// Sums of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls.
    pub requests: u64,
    /// Tokens.
    pub tokens: Tokens,
    /// What else was used.
    pub units: Units,
    /// Cost.
    pub cost: Money,
    /// Calls whose tokens were estimated.
    pub estimated: u64,
    /// Calls that a limit in the shadow would have refused.
    pub would_refuse: u64,
}

impl Sums {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let add = u64::saturating_add;
        Self {
            requests: add(self.requests, other.requests),
            tokens: Tokens {
                input: add(self.tokens.input, other.tokens.input),
                cached: add(self.tokens.cached, other.tokens.cached),
                output: add(self.tokens.output, other.tokens.output),
            },
            units: self.units.plus(&other.units),
            cost: self.cost.checked_add(other.cost).unwrap_or(Money::from_nanos(i64::MAX)),
            estimated: add(self.estimated, other.estimated),
            would_refuse: add(self.would_refuse, other.would_refuse),
        }
    }
}

/// One row of the hourly sums.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The hour.
    pub hour: Timestamp,
    /// The key.
    pub key: KeyId,
    /// The person who owned it, if one did.
    pub user: Option<UserId>,
    /// The model role, if one judged the calls.
    pub role: Option<String>,
    /// The endpoint.
    pub endpoint: EndpointKind,
    /// The sums.
    pub sums: Sums,
}

/// The hourly sums of a workspace and a model in `[from, to)`, row by row, inside a transaction that will change them.
pub async fn cells(
    tx: &mut Tx,
    organization: OrganizationId,
    workspace: WorkspaceId,
    model: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Cell>, StoreError> {
    let sql = "SELECT hour, workspace_id, key_id, user_id, role, endpoint, model, requests, input_tokens, cached_tokens, \
               output_tokens, cost_nanos, estimated, would_refuse, pages, annotated_pages, audio_seconds, characters, \
               tool_calls FROM usage_hourly WHERE hour >= $1 AND hour < $2 AND organization_id = $3 AND workspace_id = $4 \
               AND model = $5 ORDER BY hour, key_id, user_id, role, endpoint";
    let values: Vec<Value> = vec![
        from.micros().into(),
        to.micros().into(),
        organization.bytes().into(),
        workspace.bytes().into(),
        model.into(),
    ];
    let cell = |row: &Row| {
        let user = row.id(3)?;
        let endpoint = EndpointKind::parse(&row.text(5)?);
        Ok(Cell {
            hour: Timestamp::from_micros(row.int(0)?),
            key: KeyId::from_bytes(row.id(2)?),
            user: (user != [0; 16]).then(|| UserId::from_bytes(user)),
            role: Some(row.text(4)?).filter(|role| !role.is_empty()),
            endpoint: endpoint.ok_or_else(|| StoreError::Corrupt("the endpoint of a sum".into()))?,
            sums: read_sums(row)?,
        })
    };
    tx.fetch(sql, values).await?.iter().map(cell).collect()
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
    pub granularity: Option<Window>,
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

/// Whose calls are summed; `None` does not narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whose {
    /// Of one workspace.
    pub workspace: Option<WorkspaceId>,
    /// Of one person.
    pub user: Option<UserId>,
}

/// The sums of an organization in `[from, to)`, kept apart as asked.
pub async fn sums(
    store: &Store,
    organization: OrganizationId,
    from: Timestamp,
    to: Timestamp,
    whose: Whose,
    by: GroupBy,
) -> Result<BTreeMap<Group, Sums>, StoreError> {
    let rows = store
        .fetch(
            "SELECT hour, workspace_id, key_id, user_id, role, endpoint, model, requests, input_tokens, \
             cached_tokens, output_tokens, cost_nanos, estimated, would_refuse, pages, annotated_pages, audio_seconds, \
             characters, tool_calls FROM usage_hourly \
             WHERE hour >= $1 AND hour < $2 AND organization_id = $3 AND (workspace_id = $4 OR $5 = 0) \
             AND (user_id = $6 OR $7 = 0)",
            vec![
                from.micros().into(),
                to.micros().into(),
                organization.bytes().into(),
                whose.workspace.map(|id| id.bytes()).unwrap_or_default().into(),
                whose.workspace.is_some().into(),
                whose.user.map(|id| id.bytes()).unwrap_or_default().into(),
                whose.user.is_some().into(),
            ],
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
        units: Units {
            pages: row.count(14)?,
            annotated_pages: row.count(15)?,
            audio_seconds: row.count(16)?,
            characters: row.count(17)?,
            tool_calls: row.count(18)?,
        },
        cost: Money::from_nanos(row.int(11)?),
        estimated: row.count(12)?,
        would_refuse: row.count(13)?,
    })
}

/// What each workspace spent in the hours from `from` to `to`, as far as it is written.
pub async fn spent_by_workspace(
    store: &Store,
    organization: OrganizationId,
    from: Timestamp,
    to: Timestamp,
) -> Result<HashMap<WorkspaceId, Money>, StoreError> {
    let sql = "SELECT workspace_id, CAST(SUM(cost_nanos) AS BIGINT) FROM usage_hourly WHERE hour >= $1 AND hour < $2 \
               AND organization_id = $3 GROUP BY workspace_id";
    let values = vec![from.micros().into(), to.micros().into(), organization.bytes().into()];
    let rows = store.fetch(sql, values).await?;
    rows.iter().map(|row| Ok((WorkspaceId::from_bytes(row.id(0)?), Money::from_nanos(row.int(1)?)))).collect()
}

/// What a scope used from `from` up to and with `to`, as far as it is written.
pub async fn spent_of(
    store: &Store,
    organization: OrganizationId,
    scope: &Scope,
    unit: Unit,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64, StoreError> {
    let mut tx = store.begin_read().await?;
    let spent = spent(&mut tx, organization, scope, unit, from, to).await?;
    tx.commit_plain().await?;
    Ok(spent)
}

/// What a scope used from `from` up to and with `to`: whole hours from the sums, the broken ones from the records.
pub(crate) async fn spent(
    tx: &mut Tx,
    organization: OrganizationId,
    scope: &Scope,
    unit: Unit,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64, StoreError> {
    const HOUR: i64 = 3600;
    let first = from.floor(Window::Hour);
    let first = if first == from { first } else { first.plus_seconds(HOUR) };
    let last = to.floor(Window::Hour);
    if first >= last {
        return of_records(tx, organization, scope, unit, from, to).await;
    }
    let whole = of_hours(tx, organization, scope, unit, first, last).await?;
    let just_before = Timestamp::from_micros(first.micros().saturating_sub(1));
    let before = of_records(tx, organization, scope, unit, from, just_before).await?;
    let after = of_records(tx, organization, scope, unit, last, to).await?;
    Ok(whole.saturating_add(before).saturating_add(after))
}

/// A sum in one unit over the calls of one scope: `$1` and `$2` are the time, `$3` the organization, `$4` the unit, `$5`
/// the level, `$6` the scope's id, `$7` its model role.
macro_rules! spent {
    ($from:literal) => {
        concat!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN $4 = 'usd' THEN cost_nanos ELSE input_tokens + output_tokens END), 0) ",
            "AS BIGINT) FROM ",
            $from,
            " AND organization_id = $3 AND ($5 = 'organization' OR ($5 = 'workspace' AND workspace_id = $6) ",
            "OR ($5 = 'user' AND user_id = $6) OR ($5 = 'key' AND key_id = $6) ",
            "OR ($5 = 'model_role' AND role = $7 AND (user_id = $6 OR key_id = $6)))"
        )
    };
}

async fn of_hours(
    tx: &mut Tx,
    organization: OrganizationId,
    scope: &Scope,
    unit: Unit,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64, StoreError> {
    let values = scope_values(organization, scope, unit, from, to);
    first_int(&tx.fetch(spent!("usage_hourly WHERE hour >= $1 AND hour < $2"), values).await?)
}

/// Ids begin with the time of their request, so that the records of a time stand together: `at` is written some moments
/// later, never earlier.
async fn of_records(
    tx: &mut Tx,
    organization: OrganizationId,
    scope: &Scope,
    unit: Unit,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64, StoreError> {
    const SLACK_SECONDS: i64 = -3600;
    if from > to {
        return Ok(0);
    }
    let mut values = scope_values(organization, scope, unit, from, to);
    values.push(RequestId::first_of(from.plus_seconds(SLACK_SECONDS)).bytes().into());
    let sql = spent!("usage_records WHERE at >= $1 AND at <= $2 AND request_id >= $8");
    let of_calls = first_int(&tx.fetch(sql, values).await?)?;
    Ok(of_calls.saturating_add(adjusted(tx, organization, scope, unit, from, to).await?))
}

/// What adjustments in a time changed, up and down together.
pub(crate) async fn adjusted(
    tx: &mut Tx,
    organization: OrganizationId,
    scope: &Scope,
    unit: Unit,
    from: Timestamp,
    to: Timestamp,
) -> Result<i64, StoreError> {
    let values = scope_values(organization, scope, unit, from, to);
    first_int(&tx.fetch(spent!("adjustments WHERE at >= $1 AND at <= $2"), values).await?)
}

fn scope_values(
    organization: OrganizationId,
    scope: &Scope,
    unit: Unit,
    from: Timestamp,
    to: Timestamp,
) -> Vec<Value> {
    vec![
        from.micros().into(),
        to.micros().into(),
        organization.bytes().into(),
        unit.as_str().into(),
        scope.level.as_str().into(),
        scope.id.into(),
        scope.role.as_deref().unwrap_or_default().into(),
    ]
}

fn first_int(rows: &[Row]) -> Result<i64, StoreError> {
    rows.first().map_or(Ok(0), |row| row.int(0))
}
