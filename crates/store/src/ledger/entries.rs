//! What calls used, written down: the record of each call, and in the same transaction its charge on every lease it held.

use crate::db::{Store, Tx, Value};
use crate::error::StoreError;
use crate::ledger::{accounts, both};
use crate::usage;
use louver_domain::budgets::BudgetKind;
use louver_domain::id::{LeaseId, RequestId};
use louver_domain::settlement::Why;
use louver_domain::usage::UsageRecord;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Leases of one statement: few sizes, so that the prepared statements are few.
const BATCHES: [usize; 4] = [256, 16, 4, 1];

/// A lease that a call held a part of, by its number in the process, and the budget's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The number of the lease in its process.
    pub lease: u32,
    /// The kind of the budget it is of, which names the unit.
    pub kind: BudgetKind,
}

/// The leases that a call held; most calls hold a few.
pub type Holds = SmallVec<[Hold; 12]>;

/// A call that ended, and what it is charged to.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record.
    pub record: UsageRecord,
    /// The epoch of the process whose leases it held.
    pub epoch: i64,
    /// The leases.
    pub holds: Holds,
}

impl Entry {
    /// What it takes of each lease.
    pub fn charges(&self) -> impl Iterator<Item = (LeaseId, i64)> {
        let charge = self.record.charge;
        self.holds.iter().map(move |hold| (LeaseId::of(self.epoch, hold.lease), charge.of(hold.kind.unit())))
    }
}

/// Writes entries that are not there yet, with their sums and charges, in one transaction: an entry that was written
/// before, since the answer was lost or the journal still names it, counts once.
pub async fn insert(store: &Store, entries: &[Entry]) -> Result<(), StoreError> {
    if insert_all(store, entries).await? {
        return Ok(());
    }
    let there = there(store, entries).await?;
    let new: Vec<Entry> = entries.iter().filter(|e| !there.contains(&e.record.request_id)).cloned().collect();
    match insert_all(store, &new).await? {
        true => Ok(()),
        false => Err(StoreError::Unavailable("another process writes the same entries".into())),
    }
}

/// The requests among those of the entries that are written already. Ids begin with their time: they stand together.
async fn there(store: &Store, entries: &[Entry]) -> Result<HashSet<RequestId>, StoreError> {
    let ids = || entries.iter().map(|entry| entry.record.request_id);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(HashSet::new()) };
    let sql = "SELECT request_id FROM usage_records WHERE request_id >= $1 AND request_id <= $2";
    let rows = store.fetch(sql, vec![first.bytes().into(), last.bytes().into()]).await?;
    rows.iter().map(|row| Ok(RequestId::from_bytes(row.id(0)?))).collect()
}

/// Writes all entries if all are new; else changes nothing and answers false.
async fn insert_all(store: &Store, entries: &[Entry]) -> Result<bool, StoreError> {
    if entries.is_empty() {
        return Ok(true);
    }
    for way in [Way::Together, Way::One] {
        let mut tx = store.begin().await?;
        let records: Vec<&UsageRecord> = entries.iter().map(|entry| &entry.record).collect();
        let new = usage::insert_new(&mut tx, &records).await?;
        if usize::try_from(new).ok() != Some(records.len()) {
            return Ok(false);
        }
        usage::add_to_hours(&mut tx, &records).await?;
        if charge(&mut tx, entries, way).await? {
            tx.commit_plain().await?;
            return Ok(true);
        }
    }
    Err(StoreError::Corrupt("charges that fit no lease".into()))
}

/// How leases are charged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Many in one statement, which does it only as far as leases reach.
    Together,
    /// Each by itself: one of them is used beyond its amount.
    One,
}

/// Charges leases. False: not all could be charged in this way, and the transaction must not be committed.
async fn charge(tx: &mut Tx, entries: &[Entry], way: Way) -> Result<bool, StoreError> {
    let mut sums: BTreeMap<LeaseId, i64> = BTreeMap::new();
    for (lease, charge) in entries.iter().flat_map(Entry::charges) {
        let sum = sums.entry(lease).or_default();
        *sum = sum.saturating_add(charge);
    }
    let overrun: BTreeSet<LeaseId> = entries
        .iter()
        .filter(|entry| entry.record.charge.why == Why::Overrun)
        .flat_map(|entry| entry.charges().map(|(lease, _)| lease))
        .collect();
    for lease in &overrun {
        spend(tx, *lease, sums.remove(lease).unwrap_or_default(), true).await?;
    }
    if way == Way::Together {
        return Ok(add_to_leases(tx, &sums).await? == sums.len());
    }
    for (lease, used) in sums {
        if accounts::is_there(tx, lease).await? {
            spend(tx, lease, used, false).await?;
        }
    }
    Ok(true)
}

/// Adds to leases as far as they reach; answers to how many.
async fn add_to_leases(tx: &mut Tx, sums: &BTreeMap<LeaseId, i64>) -> Result<usize, StoreError> {
    let all: Vec<(LeaseId, i64)> = sums.iter().map(|(id, sum)| (*id, *sum)).collect();
    let mut rest = all.as_slice();
    let mut charged = 0_u64;
    for size in BATCHES {
        while let Some((batch, later)) = rest.split_at_checked(size) {
            let sql = format!(
                "UPDATE leases SET used = leases.used + v.more FROM \
                 (SELECT l.id AS id, c.column2 AS more FROM leases l JOIN ({}) AS c ON l.id = c.column1{}) AS v \
                 WHERE leases.id = v.id AND leases.used + v.more <= leases.amount",
                tx.dialect().values(size, 2),
                tx.dialect().leases_in_order()
            );
            let values = batch.iter().flat_map(|(id, sum)| [Value::from(id.bytes()), Value::from(*sum)]);
            charged = charged.saturating_add(tx.execute_made(sql, values.collect()).await?);
            rest = later;
        }
    }
    Ok(usize::try_from(charged).unwrap_or(usize::MAX))
}

/// Charges one lease, beyond its amount if need be: what was billed counts, and what goes beyond raises lease and
/// account. An `overrun`, a bill above its bound, also lets nothing more be given out of the budget until a person has
/// looked; calls beside it may then find that it used up what they had reserved.
async fn spend(tx: &mut Tx, lease: LeaseId, used: i64, overrun: bool) -> Result<(), StoreError> {
    let (mut account, _) = both(tx, lease).await?;
    tx.execute("UPDATE leases SET used = used + $1 WHERE id = $2", vec![used.into(), lease.bytes().into()])
        .await?;
    let mut held = accounts::lease(tx, lease).await?;
    held.lease.used = held.lease.used.saturating_sub(used);
    let over = account.account.spend(&mut held.lease, used);
    account.account.blocked |= overrun;
    let amount = held.lease.amount.into();
    tx.execute("UPDATE leases SET amount = $1 WHERE id = $2", vec![amount, lease.bytes().into()]).await?;
    accounts::save(tx, &account).await?;
    let sql = "UPDATE budget_periods SET overrun = overrun + $1 WHERE budget_id = $2 AND starts = $3";
    tx.execute(sql, vec![over.into(), account.budget.bytes().into(), account.period.starts.micros().into()])
        .await?;
    Ok(())
}
