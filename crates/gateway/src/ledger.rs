//! The ledger of one node: what it holds of rates and budgets in memory, its journal, and its way to the store.
//!
//! A call takes what it needs of every level at once or of none (`take.rs`), without a round trip. When a slice is short
//! the call waits while `refill.rs`, one task for the whole node, asks the store for more. At the end the call settles on
//! the same slices. What was spent reaches the store with the usage records (`settle.rs`).

mod book;
mod refill;
mod scope;
mod take;

use crate::snapshot::KeyEntry;
use louver_domain::budgets::{Budget, Scope};
use louver_domain::calendar::Period;
use louver_domain::id::{BudgetId, LeaseId, NodeId, OrganizationId};
use louver_domain::ledger::{InHand, RatesInUse, Slice};
use louver_domain::settlement::Charge;
use louver_domain::time::{Clock, Timestamp};
use louver_store::Store;
use louver_store::journal::Journal;
use louver_store::ledger::Holder;
use louver_store::ledger::entries::Entry;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

pub use refill::Refiller;
pub(crate) use scope::SharedScope;
pub(crate) use take::{Allowance, Demand, Left, Shortage, Taken, Verdict, room, take, would_pass};

/// Without a word from the store for so long, nothing is taken of a budget: a limit may have been lowered meanwhile.
const VALID_MICROS: i64 = 30_000_000;

/// How long a call waits for the store.
const PATIENCE: Duration = Duration::from_secs(5);

/// The ledger of one node.
pub struct Ledger {
    scopes: Mutex<HashMap<Scope, Arc<SharedScope>>>,
    /// Which scope has the book of a budget.
    budgets: Mutex<HashMap<BudgetId, Weak<SharedScope>>>,
    /// Charges that the store knows, by lease.
    stored: Mutex<HashMap<u32, i64>>,
    journal: Journal,
    clock: Arc<dyn Clock>,
    next_lease: AtomicU32,
    asks: mpsc::UnboundedSender<refill::Request>,
    /// The store's time less this node's monotonic time.
    ahead_micros: AtomicI64,
    /// The monotonic time of the last word from the store.
    contact_micros: AtomicI64,
    nodes: i64,
}

impl Ledger {
    /// A ledger on that journal, and the task that keeps it supplied.
    pub fn new(journal: Journal, store: Store, clock: Arc<dyn Clock>) -> (Arc<Self>, Refiller) {
        let (asks, requests) = mpsc::unbounded_channel();
        let now = clock.monotonic_micros();
        let ahead = clock.now().micros().saturating_sub(now);
        let nodes = if store.is_shared() { 4 } else { 1 };
        let ledger = Arc::new(Self {
            scopes: Mutex::default(),
            budgets: Mutex::default(),
            stored: Mutex::default(),
            journal,
            clock,
            next_lease: AtomicU32::new(1),
            asks,
            ahead_micros: AtomicI64::new(ahead),
            contact_micros: AtomicI64::new(now),
            nodes,
        });
        let refiller = Refiller::new(Arc::clone(&ledger), requests, store);
        (ledger, refiller)
    }

    /// The store's time, as far as this node knows it.
    pub(crate) fn store_time(&self, now_micros: i64) -> Timestamp {
        Timestamp::from_micros(now_micros.saturating_add(self.ahead_micros.load(Ordering::Relaxed)))
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Answers when the journal has failed: the process must end then.
    pub async fn failed(&self) {
        self.journal.failed().await;
    }

    /// Ends the journal, when no call is open any more.
    pub fn close_journal(&self) {
        self.journal.close();
    }

    /// Whether the last word from the store is recent enough to live from what it gave.
    pub(crate) fn is_fresh(&self, now_micros: i64) -> bool {
        now_micros.saturating_sub(self.contact_micros.load(Ordering::Relaxed)) < VALID_MICROS
    }

    /// The store answered.
    pub fn contact(&self) {
        self.contact_micros.fetch_max(self.clock.monotonic_micros(), Ordering::Relaxed);
    }

    /// Asks for what calls are short of and waits for the answer. `false`: the store did not answer.
    pub(crate) async fn refill(&self, organization: OrganizationId, shortages: Vec<Shortage>) -> bool {
        let (done, answered) = oneshot::channel();
        let request = refill::Request::Refill { organization, shortages, done: Some(done) };
        self.asks.send(request).is_ok() && in_time(answered).await
    }

    /// Asks the store for a word, after it was silent for long.
    pub(crate) async fn ask_for_word(&self) -> bool {
        let (done, answered) = oneshot::channel();
        self.asks.send(refill::Request::Word { done }).is_ok() && in_time(answered).await
    }

    /// Asks for more of what runs low; nobody waits for it.
    pub(crate) fn refill_soon(&self, organization: OrganizationId, low: Vec<Shortage>) {
        let request = refill::Request::Refill { organization, shortages: low, done: None };
        // Without a refiller the node is on its way out.
        drop(self.asks.send(request));
    }

    /// Gives back at once what limits that changed have made nodes let go of.
    pub fn tend(&self) {
        drop(self.asks.send(refill::Request::Tend));
    }

    /// Puts the budgets of a scope as the rules now have them and answers its counters and books. A scope without limits
    /// has some only if it had limits before.
    pub(crate) fn put(
        &self,
        scope: &Scope,
        budgets: &[Arc<Budget>],
        limited: bool,
    ) -> Option<Arc<SharedScope>> {
        let shared = {
            let mut scopes = lock(&self.scopes);
            match limited {
                true => Arc::clone(scopes.entry(scope.clone()).or_default()),
                false => Arc::clone(scopes.get(scope)?),
            }
        };
        shared.lock().set_budgets(budgets);
        let mut by_id = lock(&self.budgets);
        for budget in budgets {
            by_id.insert(budget.id, Arc::downgrade(&shared));
        }
        Some(shared)
    }

    /// Settles what a call took.
    pub(crate) fn settle(&self, key: &KeyEntry, taken: &Taken, charge: &Charge) {
        take::settle(&key.levels, taken, charge);
    }

    /// Puts back what a call took that was never sent.
    pub(crate) fn undo(&self, key: &KeyEntry, taken: &Taken) {
        take::undo(&key.levels, taken);
    }

    /// The store knows the charges of these calls.
    pub(crate) fn note_stored(&self, entries: &[Entry]) {
        let mut stored = lock(&self.stored);
        for entry in entries {
            for (hold, (_, charge)) in entry.holds.iter().zip(entry.charges()) {
                let sum = stored.entry(hold.lease).or_default();
                *sum = sum.saturating_add(charge);
            }
        }
    }

    fn stored_of(&self, lease: u32) -> i64 {
        lock(&self.stored).get(&lease).copied().unwrap_or_default()
    }

    fn holder(&self) -> Holder {
        let identity = self.journal.identity();
        Holder { node: identity.node, epoch: identity.epoch }
    }

    fn lease_id(&self, number: u32) -> LeaseId {
        LeaseId::of(self.journal.identity().epoch, number)
    }

    fn new_lease(&self) -> u32 {
        self.next_lease.fetch_add(1, Ordering::Relaxed)
    }

    fn all_scopes(&self) -> Vec<Arc<SharedScope>> {
        lock(&self.scopes).values().cloned().collect()
    }

    /// Forgets scopes that no key needs any more and in which nothing counts.
    pub fn forget_unused(&self, now_micros: i64) {
        lock(&self.budgets).retain(|_, shared| shared.strong_count() > 0);
        lock(&self.scopes)
            .retain(|_, shared| Arc::strong_count(shared) > 1 || !shared.lock().is_idle(now_micros));
    }
}

impl InHand for Ledger {
    fn of(&self, budget: BudgetId) -> Option<(Period, Slice)> {
        let shared = lock(&self.budgets).get(&budget)?.upgrade()?;
        shared.lock().in_hand(budget, self.clock.monotonic_micros())
    }

    fn process(&self) -> (NodeId, i64) {
        let identity = self.journal.identity();
        (identity.node, identity.epoch)
    }

    fn rates(&self, scope: &Scope) -> RatesInUse {
        let now_micros = self.clock.monotonic_micros();
        let shared = lock(&self.scopes).get(scope).cloned();
        shared.map_or_else(
            || RatesInUse { now_micros, ..RatesInUse::default() },
            |shared| shared.lock().rates(now_micros),
        )
    }
}

/// Whether the store answered, and in time: a call does not wait longer for a database that is locked or slow.
async fn in_time(answered: oneshot::Receiver<bool>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, answered).await, Ok(Ok(true)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
