//! Running sums of what would be billed, apart by all that makes another price.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{billed::Billed, route::Endpoint};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Whom a call is billed to, and at which prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// The bearer token.
    pub bearer: Option<String>,
    /// What the request named in `metadata.simulator.account`.
    pub name: Option<String>,
    /// The model as the simulator read it.
    pub model: Option<String>,
    /// The endpoint; of a job in a batch the one that the job names.
    pub endpoint: Endpoint,
    /// Whether the priority tier answers.
    pub priority: bool,
    /// Whether it was asked in a batch.
    pub batch: bool,
}

/// The sums of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that were read to the end of their body.
    pub calls: u64,
    /// What was billed for what was handed to the connection, as in the ledger's entries.
    pub billed: Billed,
    /// What a provider would bill that counts all it generated, whether or not it could be delivered: also of a
    /// call that was never answered, cut off, or answered with garbage.
    pub worked: Billed,
}

/// The sums of one account as they grow.
#[derive(Default)]
pub(crate) struct Sums(Mutex<Totals>);

impl Sums {
    pub(crate) fn bill(&self, billed: Billed) {
        locked(&self.0).billed.add(billed);
    }

    pub(crate) fn work(&self, worked: Billed) {
        locked(&self.0).worked.add(worked);
    }
}

/// All accounts, day by day.
#[derive(Default)]
pub(crate) struct Books(Mutex<BTreeMap<(Account, i64), Arc<Sums>>>);

impl Books {
    /// The sums of an account on the day of this moment, with one more call.
    pub(crate) fn call(&self, account: Account, now: i64) -> Arc<Sums> {
        let mut accounts = locked(&self.0);
        let sums = accounts.entry((account, now.div_euclid(DAY))).or_default();
        let mut totals = locked(&sums.0);
        totals.calls = totals.calls.saturating_add(1);
        drop(totals);
        Arc::clone(sums)
    }

    pub(crate) fn totals(&self) -> BTreeMap<Account, Totals> {
        let mut all: BTreeMap<Account, Totals> = BTreeMap::new();
        for ((account, _), totals) in self.days() {
            let sum = all.entry(account).or_default();
            sum.calls = sum.calls.saturating_add(totals.calls);
            sum.billed.add(totals.billed);
            sum.worked.add(totals.worked);
        }
        all
    }

    /// The sums of each account on each day, days being counted from 1970 in UTC.
    pub(crate) fn days(&self) -> Vec<((Account, i64), Totals)> {
        locked(&self.0).iter().map(|(account, sums)| (account.clone(), *locked(&sums.0))).collect()
    }

    pub(crate) fn clear(&self) {
        locked(&self.0).clear();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
