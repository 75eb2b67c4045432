//! A node of the machine: slices of the domain, glued as `gateway/src/ledger/{book,take,refill}.rs` glues them.

use crate::mutants::Mutant;
use crate::store::{Ask, BUDGETS, BudgetNo, CHAINS, Entry, LeaseNo, Message, PeriodNo, Reply};
use louver_domain::budgets::Unit;
use louver_domain::ledger::{Answer, Slice, Wish};
use louver_domain::settlement::{Bound, Charge, Outcome, Why, settle};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Held {
    pub lease: u32,
    pub period: PeriodNo,
    /// Whether the node's clock says that its period is over.
    pub ended: bool,
    pub slice: Slice,
    pub sequence: i64,
    pub charged_before: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Book {
    /// As the node's rules have it.
    pub rule: Option<(i64, bool)>,
    pub current: Option<Held>,
    pub older: Vec<Held>,
    pub fresh: Option<u32>,
    pub lifted: bool,
    pub denied: bool,
    /// Overruns that the store has yet to hear of.
    pub overruns: u32,
    pub suspended: bool,
}

/// A call in flight, which is also its record in the journal.
#[derive(Clone, Debug)]
pub struct Call {
    pub request: u32,
    pub bound: i64,
    pub met: Vec<(BudgetNo, PeriodNo, Option<LeaseNo>)>,
}

/// A question that the node's one task waits for.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The budget, the number of the lease as the node sees it, and the overruns that the store is told of.
    pub asked: Vec<(BudgetNo, u32, u32)>,
    pub replies: Vec<Reply>,
    /// What the answer says of limits that are gone is old by now.
    pub old: bool,
}

/// Whether a call may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    Short(Vec<BudgetNo>),
    Refused,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub no: usize,
    pub epoch: u32,
    pub books: [Book; BUDGETS],
    pub calls: Vec<Call>,
    /// Settled, and not known to be stored.
    pub queue: Vec<Entry>,
    pub pending: Option<Pending>,
    /// Leases at their end that could not be closed yet.
    pub unclosed: Vec<LeaseNo>,
    /// The periods below are over by the node's clock.
    over: PeriodNo,
    stored: BTreeMap<u32, i64>,
    next_lease: u32,
    mutant: Option<Mutant>,
}

fn bound_of(tokens: i64) -> Bound {
    Bound { input: u64::try_from(tokens).unwrap(), plausible: 10_000, ..Bound::default() }
}

/// What a call of that bound is charged.
pub fn charge(bound: i64, outcome: Outcome) -> Charge {
    settle(&bound_of(bound), None, outcome)
}

impl Node {
    pub fn new(no: usize, epoch: u32, mutant: Option<Mutant>) -> Self {
        let (calls, queue, unclosed, stored) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        let books = Default::default();
        Self {
            no,
            epoch,
            books,
            calls,
            queue,
            pending: None,
            unclosed,
            over: 0,
            stored,
            next_lease: 1,
            mutant,
        }
    }

    pub const fn lease_no(&self, lease: u32) -> LeaseNo {
        (self.no, self.epoch, lease)
    }

    /// The rules as the database has them.
    pub fn learn(&mut self, limits: &[Option<(i64, bool)>; BUDGETS]) {
        let kept = self.mutant == Some(Mutant::LiftedForGood);
        for (book, limit) in self.books.iter_mut().zip(limits) {
            if !kept || (limit.is_some() && *limit != book.rule) {
                book.lifted = false;
            }
            if *limit != book.rule {
                book.denied = false;
                book.older.extend(book.current.take());
            }
            book.rule = limit.or(if kept { book.rule } else { None });
        }
    }

    /// Time passes: what the store said of limits that were used up or gone is not believed any more.
    pub fn wait(&mut self) {
        for book in &mut self.books {
            book.denied = false;
            book.lifted &= self.mutant == Some(Mutant::LiftedForGood);
        }
        self.pending.iter_mut().for_each(|pending| pending.old = true);
    }

    /// The node's clock says that the periods are over whose number is at most that.
    pub fn notice(&mut self, over: PeriodNo) {
        let current = self.books.iter_mut().filter_map(|book| book.current.as_mut());
        current.filter(|held| held.period <= over).for_each(|held| held.ended = true);
    }

    /// The clock of this node and the store's agree that the periods are over whose number is at most that.
    pub fn know_over(&mut self, over: PeriodNo) {
        self.over = over + 1;
        self.notice(over);
    }

    fn needs(&self, budget: BudgetNo) -> bool {
        self.books[budget].rule.is_some() && !self.books[budget].lifted
    }

    /// Takes the bound of every budget of the chain, or of none.
    pub fn take(&mut self, chain: usize, bound: i64, request: u32, period: PeriodNo) -> Verdict {
        let mut short = Vec::new();
        let mut refused = false;
        for budget in CHAINS[chain].into_iter().filter(|budget| self.needs(*budget)) {
            let book = &self.books[budget];
            let held = book.current.as_ref().filter(|held| !held.ended);
            match held {
                Some(held) if !book.suspended && held.slice.covers(bound) => {}
                Some(_) if book.denied => refused = true,
                _ => short.push(budget),
            }
        }
        let whole = short.is_empty() && !refused;
        if !whole && self.mutant == Some(Mutant::HalfAReservation) {
            for budget in CHAINS[chain] {
                let held = self.books[budget].current.as_mut().filter(|held| held.slice.covers(bound));
                held.into_iter().for_each(|held| held.slice.reserve(bound));
            }
        }
        if refused {
            return Verdict::Refused;
        }
        if !whole {
            return Verdict::Short(short);
        }
        let mut met = Vec::new();
        for budget in CHAINS[chain] {
            let needs = self.needs(budget);
            let held = self.books[budget].current.as_mut().filter(|_| needs);
            let none = (budget, period, None);
            let number = |held: &Held| (budget, held.period, Some((self.no, self.epoch, held.lease)));
            met.push(held.as_deref().map_or(none, number));
            held.into_iter().for_each(|held| held.slice.reserve(bound));
        }
        self.calls.push(Call { request, bound, met });
        Verdict::Taken
    }

    fn held(&mut self, budget: BudgetNo, lease: u32) -> Option<&mut Held> {
        let book = &mut self.books[budget];
        book.current.iter_mut().chain(&mut book.older).find(|held| held.lease == lease)
    }

    /// Settles one call in flight; answers its entry.
    pub fn settle(&mut self, index: usize, outcome: Outcome) -> Entry {
        let call = self.calls.remove(index);
        let entry = entry_of(&call, outcome, self.mutant);
        for (budget, _, lease) in &call.met {
            let Some((.., lease)) = *lease else { continue };
            self.held(*budget, lease).unwrap().slice.settle(call.bound, entry.charge);
            if entry.why == Why::Overrun {
                self.books[*budget].overruns += 1;
                self.books[*budget].suspended = true;
            }
        }
        self.queue.push(entry.clone());
        entry
    }

    /// The store knows these.
    pub fn note_stored(&mut self, entries: &[Entry]) {
        self.queue.retain(|entry| entries.iter().all(|stored| stored.request != entry.request));
        for entry in entries {
            for (.., number) in entry.met.iter().filter_map(|(.., lease)| *lease) {
                *self.stored.entry(number).or_default() += entry.charge;
            }
        }
    }

    fn let_go_older(&mut self, budget: BudgetNo, returns: &mut Vec<(LeaseNo, i64, i64)>) {
        let (no, epoch) = (self.no, self.epoch);
        for held in self.books[budget].older.iter_mut().filter(|held| held.slice.left > 0) {
            held.sequence += 1;
            returns.push(((no, epoch, held.lease), held.sequence, held.slice.let_go()));
        }
    }

    /// Makes the question for budgets of which a call needs so much: first what older leases have left goes back.
    pub fn ask(&mut self, budgets: &[BudgetNo], need: i64) -> (Message, Message) {
        let (mut returns, mut asks, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for budget in budgets.iter().copied() {
            if self.books[budget].current.as_ref().is_some_and(|held| held.ended) {
                self.retire(budget);
            }
            self.let_go_older(budget, &mut returns);
            let number = match (&self.books[budget].current, self.books[budget].fresh) {
                (Some(held), _) => held.lease,
                (None, Some(fresh)) => fresh,
                (None, None) => {
                    self.next_lease += 1;
                    self.next_lease
                }
            };
            let book = &mut self.books[budget];
            if book.current.is_none() {
                book.fresh = Some(number);
            }
            let book = &self.books[budget];
            let current = book.current.as_ref();
            let left = current.map_or(0, |held| held.slice.left);
            let least = (need - left).max(1);
            asked.push((budget, number, book.overruns));
            asks.push(Ask {
                budget,
                held: current.map(|held| (self.lease_no(held.lease), held.period)),
                fresh: self.lease_no(number),
                sequence: current.map_or(1, |held| held.sequence + 1),
                wish: Wish { least, all: least, nodes: 2 },
                overrun: book.overruns > 0,
            });
        }
        self.pending = Some(Pending { asked, replies: Vec::new(), old: false });
        (Message::Shrink(returns), Message::Grow(asks))
    }

    fn retire(&mut self, budget: BudgetNo) {
        let book = &mut self.books[budget];
        book.older.extend(book.current.take());
    }

    /// Takes the answer in that came for what is pending.
    pub fn answer(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        for (reply, (budget, number, told)) in pending.replies.iter().zip(&pending.asked) {
            self.take_in(*budget, *number, reply, (*told, pending.old));
        }
    }

    fn take_in(&mut self, budget: BudgetNo, number: u32, reply: &Reply, (told, old): (u32, bool)) {
        let (mutant, over) = (self.mutant, self.over);
        let book = &mut self.books[budget];
        book.fresh = None;
        let older = book.older.iter().position(|held| held.lease == number);
        let older = older.filter(|_| mutant != Some(Mutant::AnswerRevivesLease));
        if older.is_none() && book.current.as_ref().is_some_and(|held| held.lease != number) {
            book.older.extend(book.current.take());
        }
        let new = || Held {
            lease: number,
            period: reply.period,
            ended: false,
            slice: Slice::default(),
            sequence: 0,
            charged_before: 0,
        };
        let held = match older {
            Some(index) => &mut book.older[index],
            None => book.current.get_or_insert_with(new),
        };
        // A lease of a period that is over is not taken in hand any more.
        if !reply.ended {
            let in_hand = if mutant == Some(Mutant::GrowthTakenTwice) { 0 } else { held.slice.amount() };
            held.slice.grow((reply.lease.amount - in_hand).max(0));
            held.sequence = reply.lease.sequence;
        }
        held.ended |= reply.ended || held.period < over;
        book.overruns -= told;
        book.suspended = match reply.answer {
            Answer::Blocked => true,
            Answer::Repeated => book.suspended,
            _ => book.overruns > 0 && mutant != Some(Mutant::AnswerForgetsOverrun),
        };
        book.denied = matches!(reply.answer, Answer::Short { .. } | Answer::Blocked);
        book.lifted = reply.answer == Answer::Unlimited && !old;
    }

    /// Gives back what is not needed, and closes what is at its end. The returns go first.
    pub fn tend(&mut self, idle: bool) -> (Message, Vec<LeaseNo>) {
        let (mut returns, mut ended) = (Vec::new(), std::mem::take(&mut self.unclosed));
        let early = self.mutant == Some(Mutant::ReturnBeforeLetGo);
        for budget in 0..BUDGETS {
            let (no, epoch) = (self.no, self.epoch);
            if let Some(held) = self.books[budget].current.as_mut().filter(|_| idle) {
                let quiet = held.slice.is_quiet() && held.slice.charged == held.charged_before;
                held.charged_before = held.slice.charged;
                if quiet && held.slice.left > 0 {
                    held.sequence += 1;
                    let by = if early { held.slice.left } else { held.slice.let_go() };
                    returns.push(((no, epoch, held.lease), held.sequence, by));
                    self.books[budget].denied = false;
                }
            }
            self.let_go_older(budget, &mut returns);
            let rash = self.mutant == Some(Mutant::ClosedInFlight);
            let stored = self.stored.clone();
            let done = |held: &Held| {
                let all = stored.get(&held.lease).copied().unwrap_or(0) == held.slice.charged;
                rash || (held.slice.is_quiet() && all)
            };
            ended.extend(
                self.books[budget].older.iter().filter(|held| done(held)).map(|h| (no, epoch, h.lease)),
            );
            if !rash {
                self.books[budget].older.retain(|held| !done(held));
            }
        }
        (Message::Shrink(returns), ended)
    }

    /// The last thing that a process does: lives from nothing any more.
    pub fn retire_all(&mut self) {
        (0..BUDGETS).for_each(|budget| self.retire(budget));
    }

    /// What the journal says after the process died: settled calls, and open ones at their bound.
    pub fn journal(&self) -> Vec<Entry> {
        let forgotten = self.mutant == Some(Mutant::OpenCallsForgotten);
        let open = self.calls.iter().filter(|_| !forgotten);
        let open = open.map(|call| entry_of(call, Outcome::Unknown, self.mutant));
        self.queue.iter().cloned().chain(open).collect()
    }
}

fn entry_of(call: &Call, outcome: Outcome, mutant: Option<Mutant>) -> Entry {
    let charge = charge(call.bound, outcome);
    let free = charge.why == Why::Unknown && mutant == Some(Mutant::UnknownIsFree);
    let amount = if free { 0 } else { charge.of(Unit::Tokens) };
    Entry { request: call.request, met: call.met.clone(), charge: amount, why: charge.why }
}
