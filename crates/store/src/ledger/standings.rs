//! How budgets stand: what is used, given out and stranded of each in the period that runs, and whether the books agree.

use crate::db::{Row, Store, Tx, Value};
use crate::error::StoreError;
use crate::ledger::Holder;
use louver_domain::access::Permit;
use louver_domain::calendar::Period;
use louver_domain::id::{BudgetId, OrganizationId};
use louver_domain::time::Timestamp;

/// One budget in one period, by the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The budget.
    pub budget: BudgetId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The period.
    pub period: Period,
    /// Given out of the limit: used, or on leases.
    pub allocated: i64,
    /// Used: by calls that ended.
    pub spent: i64,
    /// On leases of living nodes, not used yet.
    pub leased: i64,
    /// On leases that will not come back by themselves.
    pub stranded: i64,
    /// Billed beyond leases.
    pub overrun: i64,
    /// Nothing is given out until a person has looked.
    pub blocked: bool,
    /// The limit under which a call was last refused for good in this period.
    pub refused_under: Option<i64>,
    /// It had no limit for a while: what was used meanwhile is not counted before the next call asks for it.
    pub stale: bool,
    /// Of what is spent: on leases of the process that asks.
    pub own_used: i64,
    /// Of what is leased: to the process that asks.
    pub own_leased: i64,
}

/// As many budgets are asked for at once.
const AT_ONCE: usize = 500;

macro_rules! columns {
    () => {
        concat!(
            "SELECT p.budget_id, p.organization_id, p.starts, p.ends, p.allocated, ",
            "p.carried + CAST(COALESCE(SUM(l.used), 0) AS BIGINT), ",
            "CAST(COALESCE(SUM(CASE WHEN l.state = 'open' THEN l.amount - l.used ELSE 0 END), 0) AS BIGINT), ",
            "CAST(COALESCE(SUM(CASE WHEN l.state = 'stranded' THEN l.amount - l.used ELSE 0 END), 0) AS BIGINT), ",
            "p.overrun, p.blocked, p.refused_under, p.stale, ",
            "CAST(COALESCE(SUM(CASE WHEN l.node_id = $2 AND l.epoch = $3 THEN l.used ELSE 0 END), 0) AS BIGINT), ",
            "CAST(COALESCE(SUM(CASE WHEN l.node_id = $2 AND l.epoch = $3 AND l.state = 'open' THEN l.amount - l.used ",
            "ELSE 0 END), 0) AS BIGINT) FROM budget_periods p ",
            "LEFT JOIN leases l ON l.budget_id = p.budget_id AND l.starts = p.starts "
        )
    };
}

macro_rules! grouped {
    () => {
        concat!(
            " GROUP BY p.budget_id, p.organization_id, p.starts, p.ends, p.allocated, p.carried, p.overrun, p.blocked, ",
            "p.refused_under, p.stale ORDER BY p.budget_id, p.starts"
        )
    };
}

macro_rules! standings {
    ($rest:literal) => {
        concat!(columns!(), $rest, grouped!())
    };
}

/// The budgets of an organization in the periods that run at `at`. Of `own`, the process that asks, is told apart what
/// the database knows: it knows more itself.
pub async fn of_organization(
    store: &Store,
    organization: OrganizationId,
    at: Timestamp,
    own: Option<Holder>,
) -> Result<Vec<Standing>, StoreError> {
    let sql = standings!("WHERE p.ends > $1 AND p.organization_id = $4");
    let (node, epoch) = own.map_or(([0; 16], 0), |own| (own.node.bytes(), own.epoch));
    let values = vec![at.micros().into(), node.into(), epoch.into(), organization.bytes().into()];
    store.fetch(sql, values).await?.iter().map(read).collect()
}

/// These budgets of an organization, as [`of_organization`] has all of them.
pub async fn of_budgets(
    store: &Store,
    organization: OrganizationId,
    budgets: &[BudgetId],
    at: Timestamp,
    own: Option<Holder>,
) -> Result<Vec<Standing>, StoreError> {
    let (node, epoch) = own.map_or(([0; 16], 0), |own| (own.node.bytes(), own.epoch));
    let mut all = Vec::with_capacity(budgets.len());
    for some in budgets.chunks(AT_ONCE) {
        let mut values: Vec<Value> =
            vec![at.micros().into(), node.into(), epoch.into(), organization.bytes().into()];
        let mut sql = String::from(concat!(columns!(), "WHERE p.ends > $1 AND p.organization_id = $4"));
        for (place, budget) in some.iter().enumerate() {
            values.push(budget.bytes().into());
            sql.push_str(if place == 0 { " AND p.budget_id IN ($" } else { ", $" });
            sql.push_str(&values.len().to_string());
        }
        sql.push_str(concat!(")", grouped!()));
        let rows = store.fetch_made(sql, values).await?;
        for row in &rows {
            all.push(read(row)?);
        }
    }
    Ok(all)
}

/// All budgets in the periods that run at `at`.
pub async fn running(store: &Store, at: Timestamp) -> Result<Vec<Standing>, StoreError> {
    let sql = standings!("WHERE p.ends > $1");
    let nobody: [u8; 16] = [0; 16];
    store.fetch(sql, vec![at.micros().into(), nobody.into(), 0_i64.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Standing, StoreError> {
    Ok(Standing {
        budget: BudgetId::from_bytes(row.id(0)?),
        organization_id: OrganizationId::from_bytes(row.id(1)?),
        period: Period {
            starts: Timestamp::from_micros(row.int(2)?),
            ends: Timestamp::from_micros(row.int(3)?),
        },
        allocated: row.int(4)?,
        spent: row.int(5)?,
        leased: row.int(6)?,
        stranded: row.int(7)?,
        overrun: row.int(8)?,
        blocked: row.int(9)? != 0,
        refused_under: Some(row.int(10)?).filter(|limit| *limit >= 0),
        stale: row.int(11)? != 0,
        own_used: row.int(12)?,
        own_leased: row.int(13)?,
    })
}

/// Lets a blocked budget be given out again, after a person has looked. Answers false when it was not blocked.
pub async fn unblock(tx: &mut Tx, permit: &Permit, budget: BudgetId) -> Result<bool, StoreError> {
    let sql =
        "UPDATE budget_periods SET blocked = 0 WHERE organization_id = $1 AND budget_id = $2 AND blocked = 1";
    let values = vec![permit.organization_id().bytes().into(), budget.bytes().into()];
    Ok(tx.execute(sql, values).await? > 0)
}
