//! The ledger in the database: a node asks for more of a budget, gives back what it does not need, and closes its lease.
//!
//! What may be given out is decided by `domain/ledger.rs` alone. Here its account and lease are read under a lock,
//! changed by it, and written back in the same transaction, together with the limit as it stands at that moment.

mod accounts;
pub mod entries;
mod limits;
pub mod recovery;
pub mod standings;
pub mod verify;

use crate::db::{Store, Tx};
use crate::error::StoreError;
use accounts::{StoredAccount, StoredLease};
use louver_domain::budgets::Budget;
use louver_domain::calendar::Period;
use louver_domain::id::{BudgetId, LeaseId, NodeId, OrganizationId};
use louver_domain::ledger::{Answer, Lease, Wish};
use louver_domain::time::Timestamp;
use std::sync::Arc;

pub use limits::{reopen, reopen_role};

/// The process that holds leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The node, which outlives its processes.
    pub node: NodeId,
    /// The process: another at every start.
    pub epoch: i64,
}

/// A node asks for more of one budget.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The budget.
    pub budget: Arc<Budget>,
    /// The lease it holds, with the period it is for.
    pub held: Option<(LeaseId, Period)>,
    /// The id of a lease to be made when it holds none of the period that runs.
    pub fresh: LeaseId,
    /// The number of this change.
    pub sequence: i64,
    /// How much.
    pub wish: Wish,
    /// What the node knows to be used of its lease, which the database may not know yet.
    pub charged: i64,
    /// A bill went beyond its bound: the budget is to be blocked.
    pub overrun: bool,
}

/// What came of an ask.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The lease that was changed.
    pub lease_id: LeaseId,
    /// As it stands now.
    pub lease: Lease,
    /// The period.
    pub period: Period,
    /// What was decided.
    pub answer: Answer,
    /// What is used of the limit for good: by calls that ended, on any node, and by leases that will not come back.
    pub spent: i64,
    /// What the store could still give out after it.
    pub left: i64,
    /// The store's time of the decision.
    pub at: Timestamp,
}

/// Decides the asks of one node, all in one transaction. Each budget may be asked for once.
pub async fn grow(store: &Store, holder: Holder, asks: &[Ask]) -> Result<Vec<Reply>, StoreError> {
    let mut order: Vec<usize> = (0..asks.len()).collect();
    // Rows are locked in one order by all nodes: no two can wait for each other.
    order.sort_by_key(|index| asks.get(*index).map(|ask| ask.budget.id));
    let mut tx = store.begin().await?;
    limits::freeze(&mut tx).await?;
    let at = tx.now().await?;
    let mut replies: Vec<Option<Reply>> = vec![None; asks.len()];
    for index in order {
        if let (Some(ask), Some(slot)) = (asks.get(index), replies.get_mut(index)) {
            *slot = Some(grow_one(&mut tx, holder, ask, at).await?);
        }
    }
    tx.commit_plain().await?;
    Ok(replies.into_iter().flatten().collect())
}

async fn grow_one(tx: &mut Tx, holder: Holder, ask: &Ask, at: Timestamp) -> Result<Reply, StoreError> {
    let mut account = accounts::open(tx, ask.organization_id, &ask.budget, at).await?;
    let limit = limits::current(tx, ask.organization_id, &ask.budget).await?;
    account.stand_under(limit);
    account.account.blocked |= ask.overrun;
    let held = ask.held.filter(|(_, period)| *period == account.period).map(|(id, _)| id);
    let mut lease = match held {
        Some(id) => accounts::lease(tx, id).await?,
        None => accounts::new_lease(tx, holder, ask.fresh, &account).await?,
    };
    let sequence = if held.is_some() { ask.sequence } else { 1 };
    let answer = account.account.grow(&mut lease.lease, sequence, ask.wish);
    let refused = matches!(answer, Answer::Short { .. } | Answer::Blocked);
    if matches!(answer, Answer::Granted(_)) {
        accounts::save_lease(tx, &lease).await?;
        account.granted_under = limit.map_or(0, |(limit, _)| limit);
    }
    let spent = if refused || !ask.budget.enforced {
        let outstanding = accounts::outstanding(tx, &account, lease.id).await?;
        let own = lease.lease.amount.saturating_sub(ask.charged.max(lease.lease.used));
        account.account.allocated.saturating_sub(outstanding).saturating_sub(own)
    } else {
        account.account.allocated
    };
    account.refused |=
        refused && account.account.limit.is_some_and(|limit| spent.saturating_add(ask.wish.least) > limit);
    accounts::save(tx, &account).await?;
    Ok(Reply {
        lease_id: lease.id,
        lease: lease.lease,
        period: account.period,
        answer,
        spent,
        left: account.account.left(),
        at,
    })
}

/// A node gives back what it has already let go of.
#[derive(Clone, Copy, Debug)]
pub struct Return {
    /// The budget.
    pub budget: BudgetId,
    /// The lease.
    pub lease: LeaseId,
    /// The number of this change.
    pub sequence: i64,
    /// How much.
    pub by: i64,
}

/// Takes back what nodes let go of; a return that was made before changes nothing.
pub async fn shrink(store: &Store, returns: &[Return]) -> Result<(), StoreError> {
    let mut returns = returns.to_vec();
    returns.sort_by_key(|r| r.budget);
    let mut tx = store.begin().await?;
    for given in &returns {
        let (mut account, mut lease) = both(&mut tx, given.lease).await?;
        if account.account.shrink(&mut lease.lease, given.sequence, given.by) {
            accounts::save_lease(&mut tx, &lease).await?;
            accounts::save(&mut tx, &account).await?;
        }
    }
    tx.commit_plain().await
}

/// Ends leases on which nothing is in flight and whose charges are all stored.
pub async fn close(store: &Store, leases: &[(BudgetId, LeaseId)]) -> Result<(), StoreError> {
    let mut leases = leases.to_vec();
    leases.sort();
    let mut tx = store.begin().await?;
    for (_, id) in leases {
        close_one(&mut tx, id).await?;
    }
    tx.commit_plain().await
}

async fn close_one(tx: &mut Tx, id: LeaseId) -> Result<(), StoreError> {
    let (mut account, mut lease) = both(tx, id).await?;
    if account.account.close(&mut lease.lease) {
        accounts::save_lease(tx, &lease).await?;
        accounts::save(tx, &account).await?;
    }
    Ok(())
}

/// A lease and the account it is of, both locked, the account first.
async fn both(tx: &mut Tx, id: LeaseId) -> Result<(StoredAccount, StoredLease), StoreError> {
    let (budget, starts) = accounts::place_of(tx, id).await?;
    let account = accounts::load(tx, budget, starts).await?;
    Ok((account, accounts::lease(tx, id).await?))
}
