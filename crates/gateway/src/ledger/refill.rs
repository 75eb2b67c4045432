//! One task for the node: asks the store for more of what calls are short of, and gives back what is not needed.
//!
//! All that wait at one moment go into one transaction, so that however many calls are short, one round trip serves them.

use crate::ledger::book::{Asked, Book};
use crate::ledger::{Ledger, SharedScope, Shortage};
use louver_domain::budgets::Budget;
use louver_domain::id::{BudgetId, LeaseId, OrganizationId};
use louver_domain::ledger::Wish;
use louver_store::ledger::{self as store, Ask, Return};
use louver_store::{Store, StoreError, revision};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

/// Requests of one round at most.
const ROUND: usize = 1024;
/// Budgets of one transaction at most.
const ASKS: usize = 256;
/// How often slices that nothing was charged to are given back, and ended leases closed.
const TEND: Duration = Duration::from_secs(20);

pub(super) enum Request {
    /// Calls are short of these.
    Refill { organization: OrganizationId, shortages: Vec<Shortage>, done: Option<oneshot::Sender<bool>> },
    /// Limits changed: give back what was let go of.
    Tend,
    /// A call waits for any word from the store.
    Word { done: oneshot::Sender<bool> },
}

/// The task that keeps a ledger supplied.
pub struct Refiller {
    ledger: Arc<Ledger>,
    requests: mpsc::UnboundedReceiver<Request>,
    store: Store,
    /// Leases at their end that could not be closed yet.
    unclosed: Vec<(BudgetId, LeaseId)>,
}

/// What all calls of a round want of one budget.
struct Want {
    organization: OrganizationId,
    shared: Arc<SharedScope>,
    budget: Arc<Budget>,
    least: i64,
    all: i64,
}

/// An ask, and whose book waits for its answer.
struct Pending {
    shared: Arc<SharedScope>,
    budget: BudgetId,
    asked: Asked,
}

impl Refiller {
    pub(super) const fn new(
        ledger: Arc<Ledger>,
        requests: mpsc::UnboundedReceiver<Request>,
        store: Store,
    ) -> Self {
        Self { ledger, requests, store, unclosed: Vec::new() }
    }

    /// Serves until `stop`; then everything is given back and closed.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut tick = interval(TEND);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        let mut round = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                received = self.requests.recv_many(&mut round, ROUND) => {
                    if received == 0 { break }
                    self.serve(&mut round).await;
                }
                _ = tick.tick() => self.tend(true).await,
            }
        }
        self.close_all().await;
    }

    async fn serve(&mut self, round: &mut Vec<Request>) {
        let mut wants: HashMap<BudgetId, Want> = HashMap::new();
        let (mut waiting, mut silent) = (Vec::new(), Vec::new());
        let mut tend = false;
        for request in round.drain(..) {
            match request {
                Request::Refill { organization, shortages, done } => {
                    waiting.extend(done);
                    shortages.into_iter().for_each(|shortage| add(&mut wants, organization, shortage));
                }
                Request::Tend => tend = true,
                Request::Word { done } => silent.push(done),
            }
        }
        if tend {
            self.tend(false).await;
        }
        if !silent.is_empty() {
            let word = revision::current(&self.store).await.inspect(|_| self.ledger.contact()).is_ok();
            silent.into_iter().for_each(|done| answer(done, word));
        }
        let mut wants: Vec<Want> = wants.into_values().collect();
        let mut good = true;
        while !wants.is_empty() {
            let rest = wants.split_off(wants.len().min(ASKS));
            if let Err(error) = self.refill(&wants).await {
                tracing::error!(%error, budgets = wants.len(), "no more of the budgets can be had");
                good = false;
            }
            wants = rest;
        }
        waiting.into_iter().for_each(|done| answer(done, good));
    }

    async fn refill(&self, wants: &[Want]) -> Result<(), StoreError> {
        let mut returns = Vec::new();
        let (mut asks, mut pending) = (Vec::new(), Vec::new());
        for want in wants {
            self.prepare(want, &mut returns, &mut asks, &mut pending);
        }
        if !returns.is_empty() {
            store::shrink(&self.store, &returns).await?;
        }
        if asks.is_empty() {
            return Ok(());
        }
        let before = self.ledger.clock.monotonic_micros();
        let replies = store::grow(&self.store, self.ledger.holder(), &asks).await?;
        self.ledger.contact();
        for (reply, pending) in replies.iter().zip(&pending) {
            // Time as it was before the question: a period seems to end a little too early, never too late.
            let mut state = pending.shared.lock();
            if let Some(book) = state.book(pending.budget) {
                book.take_in(pending.asked, reply, before);
            }
        }
        if let Some(reply) = replies.first() {
            self.note_time(reply.at.micros(), before);
        }
        Ok(())
    }

    /// The store's time decides periods. A small difference is the network's; only a clock that was set changes it.
    fn note_time(&self, store_micros: i64, node_micros: i64) {
        const SMALL: u64 = 1_000_000;
        let ahead = store_micros.saturating_sub(node_micros);
        let known = self.ledger.ahead_micros.load(Ordering::Relaxed);
        if ahead.abs_diff(known) > SMALL {
            self.ledger.ahead_micros.store(ahead, Ordering::Relaxed);
        }
    }

    /// Makes the ask of one budget, with what older leases of it have left given back first.
    fn prepare(
        &self,
        want: &Want,
        returns: &mut Vec<Return>,
        asks: &mut Vec<Ask>,
        pending: &mut Vec<Pending>,
    ) {
        let now = self.ledger.clock.monotonic_micros();
        let mut state = want.shared.lock();
        let Some(book) = state.book_of(&want.budget) else { return };
        if book.current.as_ref().is_some_and(|held| held.ends_micros <= now) {
            book.retire();
        }
        self.let_go_older(book, returns);
        let (left, charged, sequence) = book
            .current
            .as_ref()
            .map_or((0, 0, 1), |held| (held.slice.left, held.slice.charged, held.sequence.saturating_add(1)));
        let number = match (&book.current, book.fresh) {
            (Some(held), _) => held.lease,
            (None, Some(fresh)) => fresh,
            (None, None) => self.ledger.new_lease(),
        };
        if book.current.is_none() {
            book.fresh = Some(number);
        }
        let wish = Wish {
            least: want.least.saturating_sub(left).max(1),
            all: want.all.saturating_sub(left).max(1),
            nodes: self.ledger.nodes,
        };
        asks.push(Ask {
            organization_id: want.organization,
            budget: Arc::clone(&book.budget),
            held: book.current.as_ref().map(|held| (self.ledger.lease_id(held.lease), held.period)),
            fresh: self.ledger.lease_id(number),
            sequence,
            wish,
            left,
            charged,
            overrun: book.overruns > 0,
        });
        let asked = Asked { lease: number, overruns: book.overruns };
        pending.push(Pending { shared: Arc::clone(&want.shared), budget: want.budget.id, asked });
    }

    fn let_go_older(&self, book: &mut Book, returns: &mut Vec<Return>) {
        let budget = book.budget.id;
        for held in book.older.iter_mut().filter(|held| held.slice.left > 0) {
            held.sequence = held.sequence.saturating_add(1);
            let lease = self.ledger.lease_id(held.lease);
            returns.push(Return { budget, lease, sequence: held.sequence, by: held.slice.let_go() });
        }
    }

    /// Gives back what older leases have left (and, when `idle` ones are to go, what was not charged since the last
    /// time), and closes leases that are at their end.
    async fn tend(&mut self, idle: bool) {
        let (mut returns, mut ended) = (Vec::new(), std::mem::take(&mut self.unclosed));
        for shared in self.ledger.all_scopes() {
            let mut state = shared.lock();
            for book in &mut state.books {
                if idle {
                    let_go_idle(book, |lease| self.ledger.lease_id(lease), &mut returns);
                }
                self.let_go_older(book, &mut returns);
                self.take_ended(book, &mut ended);
            }
        }
        if let Err(error) = self.give_back(&returns, &ended).await {
            // What the store does not know to be returned comes back into the slices with its next answer.
            tracing::warn!(%error, "parts of budgets wait to be given back");
            self.unclosed = ended;
        }
    }

    async fn give_back(&self, returns: &[Return], ended: &[(BudgetId, LeaseId)]) -> Result<(), StoreError> {
        for returns in returns.chunks(ASKS) {
            store::shrink(&self.store, returns).await?;
        }
        for ended in ended.chunks(ASKS) {
            store::close(&self.store, ended).await?;
        }
        Ok(())
    }

    /// Older leases that no call holds and whose charges the store knows.
    fn take_ended(&self, book: &mut Book, ended: &mut Vec<(BudgetId, LeaseId)>) {
        let budget = book.budget.id;
        book.older.retain(|held| {
            let done = held.slice.is_quiet() && held.slice.charged == self.ledger.stored_of(held.lease);
            if done {
                ended.push((budget, self.ledger.lease_id(held.lease)));
            }
            !done
        });
    }

    /// At the end of the process: every lease on which nothing is open is closed.
    async fn close_all(&mut self) {
        for shared in self.ledger.all_scopes() {
            shared.lock().books.iter_mut().for_each(Book::retire);
        }
        self.tend(false).await;
    }
}

/// Answers a call. One whose client left does not wait any more.
fn answer(done: oneshot::Sender<bool>, good: bool) {
    let _ = done.send(good);
}

fn add(wants: &mut HashMap<BudgetId, Want>, organization: OrganizationId, shortage: Shortage) {
    let want = wants.entry(shortage.budget.id).or_insert_with(|| Want {
        organization,
        shared: Arc::clone(&shortage.shared),
        budget: Arc::clone(&shortage.budget),
        least: i64::MAX,
        all: 0,
    });
    want.least = want.least.min(shortage.need);
    want.all = want.all.saturating_add(shortage.need);
}

fn let_go_idle(book: &mut Book, lease_id: impl Fn(u32) -> LeaseId, returns: &mut Vec<Return>) {
    let budget = book.budget.id;
    let Some(held) = &mut book.current else { return };
    let idle = held.slice.is_quiet() && held.slice.charged == held.charged_before;
    held.charged_before = held.slice.charged;
    if idle && held.slice.left > 0 {
        held.sequence = held.sequence.saturating_add(1);
        let lease = lease_id(held.lease);
        returns.push(Return { budget, lease, sequence: held.sequence, by: held.slice.let_go() });
        book.forget_denial();
    }
}
