//! The rows of the ledger: a budget's account in one period, and the leases on it.

use crate::db::{Row, Tx};
use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::ledger::Holder;
use crate::usage;
use louver_domain::budgets::Budget;
use louver_domain::calendar::Period;
use louver_domain::id::{BudgetId, LeaseId, OrganizationId};
use louver_domain::ledger::{Account, Lease};
use louver_domain::time::Timestamp;

/// An account as stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredAccount {
    pub(super) budget: BudgetId,
    pub(super) period: Period,
    pub(super) account: Account,
    /// The limit under which the last grant was made.
    pub(super) granted_under: i64,
    /// The limit under which a call was last refused for good; -1 is none.
    pub(super) refused_under: i64,
}

impl StoredAccount {
    /// Puts the account under the limit of this moment; `None` when there is none any more.
    pub(super) fn stand_under(&mut self, limit: Option<(i64, bool)>) {
        self.account.limit = limit.map(|(limit, _)| limit);
        self.account.enforced = limit.is_none_or(|(_, enforced)| enforced);
    }
}

/// A lease as stored. `open` of the domain is the state `open` here; the others are ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredLease {
    pub(super) id: LeaseId,
    /// The period that it is of, by its start.
    pub(super) starts: Timestamp,
    pub(super) lease: Lease,
}

macro_rules! account {
    ($rest:literal) => {
        concat!(
            "SELECT budget_id, starts, ends, allocated, granted_under, blocked, refused_under, stale FROM budget_periods ",
            $rest
        )
    };
}

/// The account of the period that runs at `at`, locked; made when it is new.
///
/// The newest period that has not ended is the one that runs, also when the clock was set back or the zone was changed:
/// a period once begun is lived to its end.
pub(super) async fn open(
    tx: &mut Tx,
    organization: OrganizationId,
    budget: &Budget,
    at: Timestamp,
) -> Result<StoredAccount, StoreError> {
    let newest = match tx.dialect() {
        Dialect::Sqlite => account!("WHERE budget_id = $1 ORDER BY starts DESC LIMIT 1"),
        Dialect::Postgres => account!("WHERE budget_id = $1 ORDER BY starts DESC LIMIT 1 FOR UPDATE"),
    };
    for _ in 0..3 {
        let rows = tx.fetch(newest, vec![budget.id.bytes().into()]).await?;
        let last = rows.first().map(|row| Ok::<_, StoreError>((read(row)?, row.int(7)? != 0))).transpose()?;
        let ended = match last {
            Some((account, stale)) if at < account.period.ends => {
                return if stale { carry(tx, organization, budget, account, at).await } else { Ok(account) };
            }
            Some((_, true)) | None => None,
            Some((account, false)) => Some(account.period.ends),
        };
        let floor = last.map(|(account, _)| account.period.ends);
        begin(tx, organization, budget, ended, floor, at).await?;
    }
    Err(StoreError::Unavailable("another node begins the period".into()))
}

/// Begins a period, not before `floor`. What was used in it before the budget was there counts from the start: where the
/// last period `ended` without a gap, nothing was but adjustments.
async fn begin(
    tx: &mut Tx,
    organization: OrganizationId,
    budget: &Budget,
    ended: Option<Timestamp>,
    floor: Option<Timestamp>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let calendar = budget.kind.window().period(&budget.zone, at);
    let period = Period { starts: floor.map_or(calendar.starts, |end| end.max(calendar.starts)), ..calendar };
    let carried = match ended {
        Some(end) if end >= period.starts => {
            usage::adjusted(tx, organization, &budget.scope, budget.kind.unit(), period.starts, at)
                .await?
                .max(0)
        }
        _ => usage::spent(tx, organization, &budget.scope, budget.kind.unit(), period.starts, at).await?,
    };
    tx.execute(
        "INSERT INTO budget_periods (budget_id, starts, ends, organization_id, level, scope_id, role, kind, allocated, \
         carried, granted_under, overrun, blocked, refused_under, stale) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 0, 0, 0, -1, 0) ON CONFLICT (budget_id, starts) DO NOTHING",
        vec![
            budget.id.bytes().into(),
            period.starts.micros().into(),
            period.ends.micros().into(),
            organization.bytes().into(),
            budget.scope.level.as_str().into(),
            budget.scope.id.into(),
            budget.scope.role.as_deref().unwrap_or_default().into(),
            budget.kind.as_str().into(),
            carried.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Counts anew what was used while a budget had no limit: all use of the period that is on no lease.
async fn carry(
    tx: &mut Tx,
    organization: OrganizationId,
    budget: &Budget,
    mut account: StoredAccount,
    at: Timestamp,
) -> Result<StoredAccount, StoreError> {
    let used =
        usage::spent(tx, organization, &budget.scope, budget.kind.unit(), account.period.starts, at).await?;
    let sums = tx
        .fetch(
            "SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT), \
             CAST(COALESCE(SUM(CASE WHEN state = 'closed' THEN used ELSE amount END), 0) AS BIGINT) \
             FROM leases WHERE budget_id = $1 AND starts = $2",
            vec![account.budget.bytes().into(), account.period.starts.micros().into()],
        )
        .await?;
    let (on_leases, held) = match sums.first() {
        Some(row) => (row.int(0)?, row.int(1)?),
        None => (0, 0),
    };
    // Below nothing, where an adjustment took back some of what is on leases.
    let carried = used.saturating_sub(on_leases);
    account.account.allocated = carried.saturating_add(held).max(0);
    // The last grant knew nothing of it.
    account.granted_under = 0;
    tx.execute(
        "UPDATE budget_periods SET carried = $1, allocated = $2, stale = 0 WHERE budget_id = $3 AND starts = $4",
        vec![
            carried.into(),
            account.account.allocated.into(),
            account.budget.bytes().into(),
            account.period.starts.micros().into(),
        ],
    )
    .await?;
    Ok(account)
}

/// The account of a period, locked.
pub(super) async fn load(tx: &mut Tx, budget: BudgetId, starts: i64) -> Result<StoredAccount, StoreError> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => account!("WHERE budget_id = $1 AND starts = $2"),
        Dialect::Postgres => account!("WHERE budget_id = $1 AND starts = $2 FOR UPDATE"),
    };
    let rows = tx.fetch(sql, vec![budget.bytes().into(), starts.into()]).await?;
    rows.first().map(read).transpose()?.ok_or_else(|| missing("an account"))
}

pub(super) async fn save(tx: &mut Tx, account: &StoredAccount) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE budget_periods SET allocated = $1, granted_under = $2, blocked = $3, refused_under = $4 \
         WHERE budget_id = $5 AND starts = $6",
        vec![
            account.account.allocated.into(),
            account.granted_under.into(),
            account.account.blocked.into(),
            account.refused_under.into(),
            account.budget.bytes().into(),
            account.period.starts.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Makes an empty lease; one that was made before (the answer was lost) is answered as it is.
pub(super) async fn new_lease(
    tx: &mut Tx,
    holder: Holder,
    id: LeaseId,
    account: &StoredAccount,
) -> Result<StoredLease, StoreError> {
    tx.execute(
        "INSERT INTO leases (id, budget_id, starts, node_id, epoch, amount, used, sequence, state) \
         VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 'open') ON CONFLICT (id) DO NOTHING",
        vec![
            id.bytes().into(),
            account.budget.bytes().into(),
            account.period.starts.micros().into(),
            holder.node.bytes().into(),
            holder.epoch.into(),
        ],
    )
    .await?;
    lease(tx, id).await
}

/// A lease, inside a transaction that holds its account.
pub(super) async fn lease(tx: &mut Tx, id: LeaseId) -> Result<StoredLease, StoreError> {
    let sql = "SELECT amount, used, sequence, state, starts FROM leases WHERE id = $1";
    let rows = tx.fetch(sql, vec![id.bytes().into()]).await?;
    let row = rows.first().ok_or_else(|| missing("a lease"))?;
    let lease =
        Lease { amount: row.int(0)?, used: row.int(1)?, sequence: row.int(2)?, open: row.text(3)? == "open" };
    Ok(StoredLease { id, starts: Timestamp::from_micros(row.int(4)?), lease })
}

/// Whether there is such a lease.
pub(super) async fn is_there(tx: &mut Tx, id: LeaseId) -> Result<bool, StoreError> {
    Ok(!tx.fetch("SELECT sequence FROM leases WHERE id = $1", vec![id.bytes().into()]).await?.is_empty())
}

/// Writes down how a lease stands, but for what was used of it: charges are added to it at the same time, and are not
/// kept from it by the lock on its account.
pub(super) async fn save_lease(tx: &mut Tx, lease: &StoredLease) -> Result<(), StoreError> {
    let state = if lease.lease.open { "open" } else { "closed" };
    tx.execute(
        "UPDATE leases SET amount = $1, sequence = $2, state = $3 WHERE id = $4",
        vec![lease.lease.amount.into(), lease.lease.sequence.into(), state.into(), lease.id.bytes().into()],
    )
    .await?;
    Ok(())
}

/// The budget and period that a lease is of.
pub(super) async fn place_of(tx: &mut Tx, id: LeaseId) -> Result<(BudgetId, i64), StoreError> {
    let rows =
        tx.fetch("SELECT budget_id, starts FROM leases WHERE id = $1", vec![id.bytes().into()]).await?;
    let row = rows.first().ok_or_else(|| missing("a lease"))?;
    Ok((BudgetId::from_bytes(row.id(0)?), row.int(1)?))
}

/// The period that a lease is of.
pub(super) async fn period_of(tx: &mut Tx, id: LeaseId) -> Result<Period, StoreError> {
    let sql = "SELECT p.starts, p.ends FROM leases l \
               JOIN budget_periods p ON p.budget_id = l.budget_id AND p.starts = l.starts WHERE l.id = $1";
    let rows = tx.fetch(sql, vec![id.bytes().into()]).await?;
    let row = rows.first().ok_or_else(|| missing("a period"))?;
    Ok(Period { starts: Timestamp::from_micros(row.int(0)?), ends: Timestamp::from_micros(row.int(1)?) })
}

/// What other open leases on the account still hold and may give back.
pub(super) async fn outstanding(
    tx: &mut Tx,
    account: &StoredAccount,
    except: LeaseId,
) -> Result<i64, StoreError> {
    let rows = tx
        .fetch(
            "SELECT CAST(COALESCE(SUM(amount - used), 0) AS BIGINT) FROM leases \
             WHERE budget_id = $1 AND starts = $2 AND state = 'open' AND id <> $3",
            vec![account.budget.bytes().into(), account.period.starts.micros().into(), except.bytes().into()],
        )
        .await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

fn read(row: &Row) -> Result<StoredAccount, StoreError> {
    Ok(StoredAccount {
        budget: BudgetId::from_bytes(row.id(0)?),
        period: Period {
            starts: Timestamp::from_micros(row.int(1)?),
            ends: Timestamp::from_micros(row.int(2)?),
        },
        account: Account { allocated: row.int(3)?, limit: None, enforced: true, blocked: row.int(5)? != 0 },
        granted_under: row.int(4)?,
        refused_under: row.int(6)?,
    })
}

fn missing(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} of the ledger is missing"))
}
