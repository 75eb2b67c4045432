//! Running sums of what would be billed, apart by credential, account and model.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use crate::ledger::Billed;

/// Whom a call is billed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// The bearer token.
    pub bearer: Option<String>,
    /// What the request named in `metadata.simulator.account`.
    pub name: Option<String>,
    /// The model as the simulator read it.
    pub model: Option<String>,
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
pub(crate) struct Sums {
    calls: AtomicU64,
    billed: Pair,
    worked: Pair,
}

#[derive(Default)]
struct Pair {
    prompt: AtomicU64,
    completion: AtomicU64,
}

impl Pair {
    fn add(&self, billed: Billed) {
        self.prompt.fetch_add(billed.prompt, SeqCst);
        self.completion.fetch_add(billed.completion, SeqCst);
    }

    fn get(&self) -> Billed {
        Billed::new(self.prompt.load(SeqCst), self.completion.load(SeqCst))
    }
}

impl Sums {
    pub(crate) fn bill(&self, billed: Billed) {
        self.billed.add(billed);
    }

    pub(crate) fn work(&self, worked: Billed) {
        self.worked.add(worked);
    }
}

/// All accounts.
#[derive(Default)]
pub(crate) struct Books(Mutex<BTreeMap<Account, Arc<Sums>>>);

impl Books {
    /// The sums of an account, with one more call.
    pub(crate) fn call(&self, account: Account) -> Arc<Sums> {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sums = accounts.entry(account).or_default();
        sums.calls.fetch_add(1, SeqCst);
        Arc::clone(sums)
    }

    pub(crate) fn totals(&self) -> BTreeMap<Account, Totals> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let totals = |sums: &Sums| Totals {
            calls: sums.calls.load(SeqCst),
            billed: sums.billed.get(),
            worked: sums.worked.get(),
        };
        accounts.iter().map(|(account, sums)| (account.clone(), totals(sums))).collect()
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
