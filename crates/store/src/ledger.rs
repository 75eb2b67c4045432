//! The ledger in the database: a node asks for more of a budget, gives back what it does not need, and closes its lease.
//!
//! What may be given out is decided by `domain/ledger.rs` alone. Here its account and lease are read under a lock,
//! changed by it, and written back in the same transaction, together with the limit as it stands at that moment.

mod accounts;
pub mod adjustments;
pub mod entries;
mod limits;
pub mod recovery;
pub mod standings;
pub mod storage;
pub mod unreturned;
pub mod verify;

use crate::db::{Store, Tx};
use crate::error::StoreError;
use accounts::{StoredAccount, StoredLease};
use louver_domain::budgets::Budget;
use louver_domain::calendar::Period;
use louver_domain::id::{BudgetId, LeaseId, NodeId, OrganizationId};
use louver_domain::ledger::{Answer, Lease, Wish};
use louver_domain::time::Timestamp;
use std::collections::BTreeMap;
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
    /// The id of a lease to be made when it holds none of the period that runs; never that of the one it holds.
    pub fresh: LeaseId,
    /// The number of this change.
    pub sequence: i64,
    /// How much.
    pub wish: Wish,
    /// What the node has in hand of its lease, free for calls.
    pub left: i64,
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
    let mut changed = Changed::new();
    for index in order {
        if let (Some(ask), Some(slot)) = (asks.get(index), replies.get_mut(index)) {
            *slot = Some(grow_one(&mut tx, holder, ask, at, &mut changed).await?);
        }
    }
    save_leases(&mut tx, changed).await?;
    tx.commit_plain().await?;
    Ok(replies.into_iter().flatten().collect())
}

/// Leases that a transaction changed. They are written last, in the order of their ids: entries are charged to leases in
/// that order without a lock on accounts, and two transactions must not wait for each other in a circle.
type Changed = BTreeMap<LeaseId, StoredLease>;

async fn save_leases(tx: &mut Tx, changed: Changed) -> Result<(), StoreError> {
    for lease in changed.values() {
        accounts::save_lease(tx, lease).await?;
    }
    Ok(())
}

async fn grow_one(
    tx: &mut Tx,
    holder: Holder,
    ask: &Ask,
    at: Timestamp,
    changed: &mut Changed,
) -> Result<Reply, StoreError> {
    let mut account = accounts::open(tx, ask.organization_id, &ask.budget, at).await?;
    let limit = limits::current(tx, ask.organization_id, &ask.budget).await?;
    account.stand_under(limit);
    account.account.blocked |= ask.overrun;
    let held = ask.held.filter(|(_, period)| *period == account.period).map(|(id, _)| id);
    let mut lease = match held {
        Some(id) => accounts::lease(tx, id).await?,
        None => accounts::new_lease(tx, holder, ask.fresh, &account).await?,
    };
    if lease.starts != account.period.starts {
        return of_before(tx, &lease, at).await;
    }
    let sequence = if held.is_some() { ask.sequence } else { 1 };
    let before = lease.lease.sequence;
    let answer = account.account.grow(&mut lease.lease, sequence, ask.wish);
    let refused = matches!(answer, Answer::Short { .. } | Answer::Blocked);
    if lease.lease.sequence != before {
        changed.insert(lease.id, lease);
    }
    if matches!(answer, Answer::Granted(_)) {
        // In the shadow a budget gives out without end: no limit bounds it.
        account.granted_under = limit.filter(|(_, enforced)| *enforced).map_or(0, |(limit, _)| limit);
    }
    let spent = if refused || !ask.budget.enforced {
        let outstanding = accounts::outstanding(tx, &account, lease.id).await?;
        let own = lease.lease.amount.saturating_sub(ask.charged.max(lease.lease.used));
        account.account.allocated.saturating_sub(outstanding).saturating_sub(own)
    } else {
        account.account.allocated
    };
    // Refused for good: not even what calls in flight hold would be enough, if it came back.
    let need = ask.wish.least.saturating_add(ask.left);
    let for_good = account.account.limit.filter(|limit| refused && spent.saturating_add(need) > *limit);
    account.refused_under = for_good.unwrap_or(account.refused_under);
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

/// The answer about a lease of a period that is over: the one that the node holds, or one that was made for it and that it
/// never heard of. It is not grown: it would count in one period and be charged in another.
async fn of_before(tx: &mut Tx, lease: &StoredLease, at: Timestamp) -> Result<Reply, StoreError> {
    let period = accounts::period_of(tx, lease.id).await?;
    // It is over although its end may be to come: a newer one was begun before the clock was set back.
    let period = Period { ends: period.ends.min(at), ..period };
    Ok(Reply {
        lease_id: lease.id,
        lease: lease.lease,
        period,
        answer: Answer::Repeated,
        spent: lease.lease.amount,
        left: 0,
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
    let mut changed = Changed::new();
    for given in &returns {
        let (mut account, stored) = both(&mut tx, given.lease).await?;
        let mut lease = changed.get(&given.lease).copied().unwrap_or(stored);
        if account.account.shrink(&mut lease.lease, given.sequence, given.by) {
            changed.insert(lease.id, lease);
            accounts::save(&mut tx, &account).await?;
        }
    }
    save_leases(&mut tx, changed).await?;
    tx.commit_plain().await
}

/// Ends leases on which nothing is in flight and whose charges are all stored.
pub async fn close(store: &Store, leases: &[(BudgetId, LeaseId)]) -> Result<(), StoreError> {
    let mut leases = leases.to_vec();
    leases.sort();
    leases.dedup();
    let mut tx = store.begin().await?;
    let mut changed = Changed::new();
    for (_, id) in leases {
        let (mut account, mut lease) = both(&mut tx, id).await?;
        if account.account.close(&mut lease.lease) {
            changed.insert(lease.id, lease);
            accounts::save(&mut tx, &account).await?;
        }
    }
    save_leases(&mut tx, changed).await?;
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
