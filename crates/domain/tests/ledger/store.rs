//! The store of the machine: accounts and leases changed by the domain, glued as `store/src/ledger` glues them.

use crate::mutants::Mutant;
use louver_domain::ledger::{Account, Answer, Lease, Wish};
use louver_domain::settlement::Why;
use std::collections::BTreeMap;

/// A budget by its number: 0 is the organization's, the others are of its two workspaces.
pub type BudgetNo = usize;
pub const BUDGETS: usize = 3;
/// The budgets that a call of each workspace meets.
pub const CHAINS: [[BudgetNo; 2]; 2] = [[0, 1], [0, 2]];
/// A turn of the calendar.
pub type PeriodNo = u32;
/// Node, process, number.
pub type LeaseNo = (usize, u32, u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub account: Account,
    pub carried: i64,
    pub overrun: i64,
    pub stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
    Stranded,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    pub budget: BudgetNo,
    pub period: PeriodNo,
    pub lease: Lease,
    pub state: State,
}

/// A call that ended. `at` is the period it counts in, by budget of its chain; a hold is `None` where it met no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub request: u32,
    pub met: Vec<(BudgetNo, PeriodNo, Option<LeaseNo>)>,
    pub charge: i64,
    pub why: Why,
}

#[derive(Clone, Debug)]
pub struct Ask {
    pub budget: BudgetNo,
    pub held: Option<(LeaseNo, PeriodNo)>,
    pub fresh: LeaseNo,
    pub sequence: i64,
    pub wish: Wish,
    pub overrun: bool,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub lease: Lease,
    /// The lease's.
    pub period: PeriodNo,
    /// Whether that period is over.
    pub ended: bool,
    pub answer: Answer,
}

/// What a node sends.
#[derive(Clone, Debug)]
pub enum Message {
    Grow(Vec<Ask>),
    Shrink(Vec<(LeaseNo, i64, i64)>),
    Close(Vec<LeaseNo>),
    Insert(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    pub accounts: BTreeMap<(BudgetNo, PeriodNo), AccountRow>,
    pub leases: BTreeMap<LeaseNo, LeaseRow>,
    pub entries: BTreeMap<u32, Entry>,
    pub limits: [Option<(i64, bool)>; BUDGETS],
    pub period: PeriodNo,
    pub mutant: Option<Mutant>,
}

impl Store {
    pub fn new(mutant: Option<Mutant>) -> Self {
        let limits = [Some((300, true)); BUDGETS];
        let (accounts, leases, entries) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { accounts, leases, entries, limits, period: 0, mutant }
    }

    pub fn deliver(&mut self, message: &Message) -> Vec<Reply> {
        match message {
            Message::Grow(asks) => return asks.iter().map(|ask| self.grow(ask)).collect(),
            Message::Shrink(returns) => returns.iter().for_each(|(no, seq, by)| self.shrink(*no, *seq, *by)),
            Message::Close(leases) => leases.iter().for_each(|no| self.close(*no)),
            Message::Insert(entries) => self.insert(entries),
        }
        Vec::new()
    }

    fn grow(&mut self, ask: &Ask) -> Reply {
        let place = self.open(ask.budget);
        let limit = self.limits[ask.budget];
        let row = self.accounts.get_mut(&place).unwrap();
        row.account.limit = limit.map(|(limit, _)| limit);
        row.account.enforced = limit.is_none_or(|(_, enforced)| enforced);
        row.account.blocked |= ask.overrun;
        let held = ask.held.filter(|(_, period)| *period == place.1).map(|(no, _)| no);
        let no = held.unwrap_or(ask.fresh);
        let lease = Lease { open: true, ..Lease::default() };
        let made = LeaseRow { budget: ask.budget, period: place.1, lease, state: State::Open };
        let lease = self.leases.entry(no).or_insert(made);
        if lease.period != place.1 && self.mutant != Some(Mutant::OldLeaseForNewPeriod) {
            let (lease, period) = (lease.lease, lease.period);
            return Reply { lease, period, ended: true, answer: Answer::Repeated };
        }
        let sequence = if held.is_some() { ask.sequence } else { 1 };
        let before = lease.lease.sequence;
        let answer = row.account.grow(&mut lease.lease, sequence, ask.wish);
        if self.mutant == Some(Mutant::RefusalTakesNoNumber) && !matches!(answer, Answer::Granted(_)) {
            lease.lease.sequence = before;
        }
        if let (Answer::Granted(_), Some((limit, true))) = (answer, limit) {
            assert!(row.account.allocated <= limit, "I3: granted beyond the limit");
        }
        if let (Answer::Short { left }, Some((limit, _))) = (answer, limit) {
            assert!(left < ask.wish.least, "I17: refused although enough was left");
            assert_eq!(left, (limit - row.account.allocated).max(0), "I17");
        }
        Reply { lease: lease.lease, period: place.1, ended: false, answer }
    }

    /// The account of the period that runs.
    fn open(&mut self, budget: BudgetNo) -> (BudgetNo, PeriodNo) {
        let newest = self.accounts.range((budget, 0)..=(budget, u32::MAX)).next_back();
        let (place, stale) = ((budget, self.period), newest.is_none_or(|(_, row)| row.stale));
        if !self.accounts.contains_key(&place) {
            let carried = if stale { self.used(place) } else { 0 };
            let account = Account { allocated: carried, enforced: true, ..Account::default() };
            self.accounts.insert(place, AccountRow { account, carried, overrun: 0, stale: false });
        } else if stale {
            let leases = self.leases.values().filter(|row| (row.budget, row.period) == place);
            let (mut on_leases, mut held) = (0, 0);
            for row in leases {
                on_leases += row.lease.used;
                held += if row.state == State::Closed { row.lease.used } else { row.lease.amount };
            }
            let carried = (self.used(place) - on_leases).max(0);
            let row = self.accounts.get_mut(&place).unwrap();
            (row.carried, row.account.allocated, row.stale) = (carried, carried + held, false);
        }
        place
    }

    /// What all calls used of a budget in a period, with a lease or without.
    fn used(&self, (budget, period): (BudgetNo, PeriodNo)) -> i64 {
        let met = |entry: &&Entry| entry.met.iter().any(|(b, p, _)| (*b, *p) == (budget, period));
        self.entries.values().filter(met).map(|entry| entry.charge).sum()
    }

    fn both(&mut self, no: LeaseNo) -> Option<(&mut AccountRow, &mut LeaseRow)> {
        let lease = self.leases.get_mut(&no)?;
        Some((self.accounts.get_mut(&(lease.budget, lease.period))?, lease))
    }

    fn shrink(&mut self, no: LeaseNo, sequence: i64, by: i64) {
        let anew = self.mutant == Some(Mutant::ReturnCountsTwice);
        let Some((account, lease)) = self.both(no) else { return };
        if anew {
            lease.lease.sequence = lease.lease.sequence.min(sequence - 1);
        }
        account.account.shrink(&mut lease.lease, sequence, by);
    }

    fn close(&mut self, no: LeaseNo) {
        let Some((account, lease)) = self.both(no) else { return };
        if account.account.close(&mut lease.lease) {
            lease.state = State::Closed;
        }
    }

    fn insert(&mut self, entries: &[Entry]) {
        let twice = self.mutant == Some(Mutant::EntryCountsTwice);
        let new = entries.iter().filter(|entry| !self.entries.contains_key(&entry.request));
        let new: Vec<Entry> = if twice { entries.to_vec() } else { new.cloned().collect() };
        let mut sums: BTreeMap<LeaseNo, (i64, bool)> = BTreeMap::new();
        for entry in new {
            for lease in entry.met.iter().filter_map(|(.., lease)| *lease) {
                let sum = sums.entry(lease).or_default();
                *sum = (sum.0 + entry.charge, sum.1 || entry.why == Why::Overrun);
            }
            self.entries.insert(entry.request, entry);
        }
        let plain = self.mutant == Some(Mutant::UseBeyondTheLeaseIsPlain);
        for (no, (used, overrun)) in sums {
            let (account, lease) = self.both(no).unwrap();
            if plain && !overrun {
                lease.lease.used += used;
                continue;
            }
            account.overrun += account.account.spend(&mut lease.lease, used);
            account.account.blocked |= overrun;
        }
    }

    /// Settles what a dead process left: its journal's entries, then its leases. Closed when the journal is believed.
    pub fn recover(&mut self, node: usize, epoch: u32, entries: &[Entry], believed: bool) {
        self.insert(entries);
        let open = |(no, row): (&LeaseNo, &LeaseRow)| {
            (no.0 == node && no.1 != epoch && row.state == State::Open).then_some(*no)
        };
        let left: Vec<LeaseNo> = self.leases.iter().filter_map(open).collect();
        for no in left {
            if believed || self.mutant == Some(Mutant::JournalBelievedAfterPowerLoss) {
                self.close(no);
            } else {
                let lease = self.leases.get_mut(&no).unwrap();
                (lease.state, lease.lease.open) = (State::Stranded, false);
            }
        }
    }

    /// An operator releases what is stranded. Answers the leases.
    pub fn release(&mut self) -> Vec<LeaseNo> {
        let stranded = |(no, row): (&LeaseNo, &LeaseRow)| (row.state == State::Stranded).then_some(*no);
        let all: Vec<LeaseNo> = self.leases.iter().filter_map(stranded).collect();
        for no in &all {
            self.leases.get_mut(no).unwrap().lease.open = true;
            self.close(*no);
        }
        all
    }

    pub fn unblock(&mut self) {
        self.accounts.values_mut().for_each(|row| row.account.blocked = false);
    }

    /// An admin deed; a limit where there was none counts what was used without it.
    pub fn set_limit(&mut self, budget: BudgetNo, limit: Option<(i64, bool)>) {
        if self.limits[budget].is_none() && limit.is_some() {
            self.accounts.iter_mut().filter(|((b, _), _)| *b == budget).for_each(|(_, row)| row.stale = true);
        }
        self.limits[budget] = limit;
    }
}
