//! Leases that did not come back: stranded ones, and ones that a node still holds of a period that is long over.

use crate::db::{Row, Store};
use crate::error::StoreError;
use louver_domain::budgets::BudgetKind;
use louver_domain::calendar::Period;
use louver_domain::id::{BudgetId, LeaseId, NodeId, OrganizationId};
use louver_domain::time::Timestamp;

/// A lease of which something was not used and not given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreturned {
    /// The lease.
    pub lease: LeaseId,
    /// Its budget.
    pub budget: BudgetId,
    /// What that counts.
    pub kind: BudgetKind,
    /// Whose budget it is.
    pub organization_id: OrganizationId,
    /// The period.
    pub period: Period,
    /// The node.
    pub node: NodeId,
    /// What is out, in the budget's unit.
    pub amount: i64,
}

macro_rules! leases {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.budget_id, p.kind, p.organization_id, p.starts, p.ends, l.node_id, l.amount - l.used ",
            "FROM leases l JOIN budget_periods p ON p.budget_id = l.budget_id AND p.starts = l.starts ",
            "WHERE l.amount > l.used AND ",
            $rest,
            " ORDER BY p.starts, l.budget_id, l.id"
        )
    };
}

/// What is stranded of budgets in the periods that run at `at`: it stays out of reach until a person releases it.
pub async fn stranded(store: &Store, at: Timestamp) -> Result<Vec<Unreturned>, StoreError> {
    let sql = leases!("l.state = 'stranded' AND p.ends > $1");
    store.fetch(sql, vec![at.micros().into()]).await?.iter().map(read).collect()
}

/// What nodes still hold of periods that ended before `before`. A living node gives back what it does not use.
pub async fn forgotten(store: &Store, before: Timestamp) -> Result<Vec<Unreturned>, StoreError> {
    let sql = leases!("l.state = 'open' AND p.ends < $1");
    store.fetch(sql, vec![before.micros().into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Unreturned, StoreError> {
    let kind = row.text(2)?;
    let unknown = || StoreError::Corrupt(format!("a budget of the kind {kind}"));
    Ok(Unreturned {
        lease: LeaseId::from_bytes(row.id(0)?),
        budget: BudgetId::from_bytes(row.id(1)?),
        kind: BudgetKind::parse(&kind).ok_or_else(unknown)?,
        organization_id: OrganizationId::from_bytes(row.id(3)?),
        period: Period {
            starts: Timestamp::from_micros(row.int(4)?),
            ends: Timestamp::from_micros(row.int(5)?),
        },
        node: NodeId::from_bytes(row.id(6)?),
        amount: row.int(7)?,
    })
}
