//! The reference: what the provider billed and what was admitted, and the invariants I1 to I15 checked against it.
//!
//! I5 (nothing is sent before it is in the journal) is not the pure core's; it is tested with the journal.

use crate::node::{Call, Held, Node};
use crate::store::{BUDGETS, BudgetNo, Entry, LeaseNo, LeaseRow, Message, PeriodNo, State, Store};
use louver_domain::settlement::Why;
use std::collections::{BTreeMap, BTreeSet};

/// A call as the provider knows it.
#[derive(Clone, Debug)]
struct Truth {
    met: Vec<(BudgetNo, PeriodNo, Option<LeaseNo>)>,
    bound: i64,
    /// `None` while the call runs: up to its bound may be billed.
    bill: Option<i64>,
    /// What its node charged it.
    charge: Option<i64>,
}

impl Truth {
    fn bill(&self) -> i64 {
        self.bill.unwrap_or(self.bound)
    }

    fn over(&self) -> i64 {
        (self.bill() - self.bound).max(0)
    }
}

/// How much a node knows of the newest change of a limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    No,
    Learned,
    /// And what the store said before is not believed any more.
    Settled,
}

pub struct Reference {
    calls: BTreeMap<u32, Truth>,
    /// The highest limit that stood in a period, or what was given out already when one appeared in its middle.
    ceilings: BTreeMap<(BudgetNo, PeriodNo), i64>,
    carried: BTreeMap<(BudgetNo, PeriodNo), i64>,
    /// Bills on leases that an operator released although records of their calls were lost.
    forgiven: BTreeMap<LeaseNo, i64>,
    /// Overruns that the store has not heard of.
    alarms: BTreeSet<(usize, BudgetNo)>,
    known: BTreeMap<(usize, BudgetNo), Known>,
    lifted: bool,
    pub late_clocks: bool,
}

impl Reference {
    pub fn new(store: &Store) -> Self {
        let mut new = Self {
            calls: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            carried: BTreeMap::new(),
            forgiven: BTreeMap::new(),
            alarms: BTreeSet::new(),
            known: BTreeMap::new(),
            lifted: false,
            late_clocks: false,
        };
        new.note_limits(store);
        new
    }

    pub fn admitted(&mut self, node: usize, call: &Call, store: &Store) {
        for (budget, period, lease) in &call.met {
            let known = self.known.get(&(node, *budget)).copied().unwrap_or(Known::Settled);
            let needed = store.limits[*budget].is_some() && known == Known::Settled;
            assert!(lease.is_some() || !needed, "I9: a call does not meet the limit of budget {budget}");
            let alarm = lease.is_some() && self.alarms.contains(&(node, *budget));
            assert!(!alarm, "I8: node {node} goes on after an overrun that the store has not heard of");
            let row = lease.and_then(|lease| store.leases.get(&lease));
            assert!(row.is_none_or(|row| row.period == *period), "I13: a call counts in another period");
        }
        let truth = Truth { met: call.met.clone(), bound: call.bound, bill: None, charge: None };
        self.calls.insert(call.request, truth);
    }

    pub fn settled(&mut self, node: usize, entry: &Entry, bill: i64) {
        let truth = self.calls.get_mut(&entry.request).unwrap();
        assert!(truth.bill.is_none(), "I6: settled twice");
        (truth.bill, truth.charge) = (Some(bill), Some(entry.charge));
        if entry.why == Why::Overrun {
            let held = entry.met.iter().filter(|(.., lease)| lease.is_some());
            self.alarms.extend(held.map(|(budget, ..)| (node, *budget)));
        }
    }

    /// The process of a call died: nobody learns how it ended.
    pub fn died(&mut self, call: &Call, bill: i64) {
        self.calls.get_mut(&call.request).unwrap().bill = Some(bill);
    }

    pub fn buried(&mut self, node: usize) {
        self.alarms.retain(|(of, _)| *of != node);
    }

    /// An operator said that nothing more can be billed on these.
    pub fn forgive(&mut self, store: &Store, released: &[LeaseNo]) {
        for no in released {
            let lost = self.billed(*no) - store.leases[no].lease.used;
            self.forgiven.insert(*no, lost.max(0));
        }
    }

    pub fn changed(&mut self, budget: BudgetNo) {
        self.known.extend((0..crate::world::NODES).map(|node| ((node, budget), Known::No)));
    }

    pub fn learned(&mut self, node: usize) {
        for budget in 0..BUDGETS {
            let known = self.known.entry((node, budget)).or_insert(Known::Settled);
            *known = (*known).max(Known::Learned);
        }
    }

    pub fn waited(&mut self, node: usize) {
        let of = self.known.iter_mut().filter(|((of, _), _)| *of == node);
        of.filter(|(_, known)| **known == Known::Learned).for_each(|(_, known)| *known = Known::Settled);
    }

    fn on(&self, no: LeaseNo) -> impl Iterator<Item = &Truth> {
        self.calls.values().filter(move |truth| truth.met.iter().any(|(.., lease)| *lease == Some(no)))
    }

    fn billed(&self, no: LeaseNo) -> i64 {
        self.on(no).map(Truth::bill).sum()
    }

    fn note_limits(&mut self, store: &Store) {
        for (budget, limit) in store.limits.iter().enumerate() {
            self.lifted |= limit.is_none();
            let limit = limit.map_or(0, |(limit, enforced)| if enforced { limit } else { i64::MAX / 4 });
            let ceiling = self.ceilings.entry((budget, store.period)).or_default();
            *ceiling = (*ceiling).max(limit);
        }
    }

    /// A message changed what it is about, and nothing else.
    pub fn check_message(&mut self, before: &Store, message: &Message, after: &Store) {
        for (place, row) in &before.accounts {
            let grown = matches!(message, Message::Grow(_));
            let elsewhere = grown && place.1 != after.period;
            assert!(!elsewhere || after.accounts[place] == *row, "I13: a grant changed another period");
            let gives = grown || after.accounts[place].account.allocated <= row.account.allocated;
            let over = after.accounts[place].overrun - row.overrun;
            let raised = after.accounts[place].account.allocated - row.account.allocated;
            assert!(gives || raised == over, "I3: allocated rose without a grant or an overrun");
        }
        for (no, row) in &before.leases {
            let now = &after.leases[no];
            assert_eq!((row.budget, row.period), (now.budget, now.period), "I13: a lease changed its place");
            let ended = row.state == State::Closed;
            assert!(!ended || row.lease.amount == now.lease.amount, "I10: a closed lease changed");
        }
        let blocked =
            |budget: BudgetNo| after.accounts.iter().any(|((b, _), row)| *b == budget && row.account.blocked);
        self.alarms.retain(|(_, budget)| !blocked(*budget));
    }

    pub fn check(&mut self, store: &Store, nodes: &[Node]) {
        self.note_limits(store);
        for (place, row) in &store.accounts {
            self.check_account(store, *place, row.carried, row.account.allocated);
            let billed: i64 = self.bills(*place).map(Truth::bill).sum();
            let over: i64 = self.bills(*place).map(Truth::over).sum();
            let forgiven = self.forgiven.iter().filter(|(no, _)| place_of(store, **no) == *place);
            let allowed = self.ceilings[place] + over + forgiven.map(|(_, lost)| lost).sum::<i64>();
            assert!(billed + row.carried <= allowed, "I1: {billed} billed in {place:?}, {allowed} allowed");
        }
        for (no, row) in &store.leases {
            self.check_lease(store, *no, row);
        }
        for node in nodes {
            self.check_hand(store, node);
        }
        if !self.lifted && !self.late_clocks {
            check_chain(store);
        }
    }

    /// The calls that hold of a budget in a period.
    fn bills(&self, place: (BudgetNo, PeriodNo)) -> impl Iterator<Item = &Truth> {
        let met =
            move |(b, p, lease): &(BudgetNo, PeriodNo, Option<LeaseNo>)| (*b, *p) == place && lease.is_some();
        self.calls.values().filter(move |truth| truth.met.iter().any(met))
    }

    fn check_account(&mut self, store: &Store, place: (BudgetNo, PeriodNo), carried: i64, allocated: i64) {
        let leases = store.leases.values().filter(|row| (row.budget, row.period) == place);
        let held = |row: &LeaseRow| match row.state {
            State::Closed => row.lease.used,
            State::Open | State::Stranded => row.lease.amount,
        };
        let given: i64 = leases.map(held).sum();
        assert_eq!(allocated, carried + given, "I2: what is given out in {place:?}");
        let before = self.carried.insert(place, carried);
        if before != Some(carried) {
            let unheld = |entry: &&Entry| entry.met.contains(&(place.0, place.1, None));
            let sum: i64 = store.entries.values().filter(unheld).map(|entry| entry.charge).sum();
            // A period that follows on one with a limit begins with nothing. What nodes that have yet to learn of the
            // limit use of it meanwhile is on no account.
            let follows = before.is_none() && carried == 0;
            assert!(follows || carried == sum, "I14: {carried} carried, {sum} used without a limit");
            let ceiling = self.ceilings.entry(place).or_default();
            *ceiling = (*ceiling).max(allocated);
        }
    }

    fn check_lease(&self, store: &Store, no: LeaseNo, row: &LeaseRow) {
        let (used, amount) = (row.lease.used, row.lease.amount);
        assert!(0 <= used && used <= amount, "I2: lease {no:?} used {used} of {amount}");
        let on = |entry: &&Entry| entry.met.iter().any(|(.., lease)| *lease == Some(no));
        let replayed: i64 = store.entries.values().filter(on).map(|entry| entry.charge).sum();
        assert_eq!(used, replayed, "I14: the entries of lease {no:?}");
        let counted = if row.state == State::Closed { used } else { amount };
        let over: i64 = self.on(no).map(Truth::over).sum();
        let allowed = counted + over + self.forgiven.get(&no).copied().unwrap_or(0);
        assert!(self.billed(no) <= allowed, "I11: lease {no:?} counts {allowed}, billed {}", self.billed(no));
    }

    /// What a living node has in hand.
    fn check_hand(&self, store: &Store, node: &Node) {
        let mut slices: BTreeMap<LeaseNo, (i64, i64, i64)> = BTreeMap::new();
        for held in node.books.iter().flat_map(|book| book.older.iter().chain(&book.current)) {
            let Held { lease, slice, .. } = held;
            let sum = slices.entry(node.lease_no(*lease)).or_default();
            *sum = (sum.0 + slice.left, sum.1 + slice.reserved, sum.2 + slice.charged);
        }
        for (no, (left, reserved, charged)) in slices {
            assert!(left >= 0 && reserved >= 0, "I4: less than nothing left of {no:?}");
            let open: i64 = self.on(no).filter(|t| t.bill.is_none()).map(|t| t.bound).sum();
            assert_eq!(reserved, open, "I4: reserved of {no:?} is what open calls may use");
            let settled: i64 = self.on(no).filter_map(|t| t.charge).sum();
            assert_eq!(charged, settled, "I4, I6: charged to {no:?} is what calls were charged, once each");
            let over: i64 = self.on(no).map(Truth::over).sum();
            let (hand, amount) = (left + reserved + charged, store.leases[&no].lease.amount);
            assert!(hand <= amount + over, "I1: {hand} in hand of {no:?}, which has {amount}");
        }
    }

    /// After an end in order the leases of the process are closed, and used is what was charged.
    pub fn check_ended(&self, store: &Store, node: &Node) {
        let unheard: Vec<LeaseNo> =
            node.books.iter().filter_map(|book| book.fresh).map(|lease| node.lease_no(lease)).collect();
        let own = |no: &LeaseNo| (no.0, no.1) == (node.no, node.epoch) && !unheard.contains(no);
        for (no, row) in store.leases.iter().filter(|(no, _)| own(no)) {
            assert_eq!(row.state, State::Closed, "I12: lease {no:?} after an end in order");
            let charged: i64 = self.on(*no).filter_map(|truth| truth.charge).sum();
            assert_eq!(row.lease.used, charged, "I12: lease {no:?}");
        }
    }
}

fn place_of(store: &Store, no: LeaseNo) -> (BudgetNo, PeriodNo) {
    (store.leases[&no].budget, store.leases[&no].period)
}

/// While all budgets have limits, every call of a workspace also counts for the organization, in the same period.
fn check_chain(store: &Store) {
    let mut used: BTreeMap<PeriodNo, (i64, i64)> = BTreeMap::new();
    for row in store.leases.values() {
        let sums = used.entry(row.period).or_default();
        *if row.budget == 0 { &mut sums.0 } else { &mut sums.1 } += row.lease.used;
    }
    for (period, (parent, children)) in used {
        assert!(parent >= children, "I15: {parent} at the organization, {children} below it in {period}");
    }
}
