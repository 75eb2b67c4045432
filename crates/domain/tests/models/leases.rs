//! Model B: several nodes spend from leases, over a wire that loses, repeats and delays.
//!
//! **The rules.** A node process holds one lease of the budget and asks the store to *resize* it. Each ask has the next
//! number of its lease. The store decides an ask whose number is next, and only then: it grows the lease if the growth
//! fits under the limit, and shrinks it in any case. An ask that is refused has used up its number as well. An ask decided
//! before changes nothing; the last one is answered again with the amount that stands. The node takes for its right the
//! amount that it is answered. To shrink, it first drops the right in memory and then asks. To close, it stops for good,
//! with nothing in flight, and then reports what it used; the store takes back the rest, once. The lease of a process
//! that died stays allocated for ever.
//!
//! **The faults.** All that was ever sent stays on the wire, and may be delivered at any time, any number of times, or
//! never: lost, repeated, late and overtaken messages are all in that. A process may crash at any time, with calls in
//! flight and asks under way; its node then starts another one with a new lease. The store may give a lease up
//! ([`Step::Strand`]) whether its process is dead or not: one that lives on is the zombie.
//!
//! **What is bounded.** Only the limit, the number of nodes, and how many undecided asks of one node are under way. Asks,
//! calls, crashes and restarts have no end, since [`Model::canonical`] forgets what can not matter any more.

use crate::search::{Model, breaks, holds};
use std::cmp::Ordering;
use std::ops::RangeInclusive;

/// Asks on the wire of a node. A mutant has no more of them in a run; decided ones are forgotten in the faithful variant.
const ASKS: usize = 3;
/// The highest bound of a call, in units.
const MAX_BOUND: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mutation {
    Faithful,
    /// The store takes back the lease of a silent node, less what is used by then, which it even knows to the last
    /// unit. But the node was slow, not dead.
    ExpiryRegrants,
    /// The store cuts the lease of a node that runs down to the use it last reported.
    ReclaimByReport,
    /// A resize is applied as a difference, each time that it arrives.
    ResizeNotIdempotent,
    /// A refused ask does not use up its number: the next ask has the same one, and hears the old answer.
    RefusalFreesNumber,
    /// A node that shrinks tells the store first, and drops the right when it hears the answer.
    ToldBeforeDropped,
    /// The answer to an ask is taken for a lease of its own, beside what is charged and reserved on the one that grew.
    AnswerTakenForNew,
    /// A grant is answered before the standby has it, and then the standby takes over.
    AsyncFailover,
}

struct Leases<const NODES: usize> {
    limit: u8,
    /// What each call reserves. The provider bills any amount up to it.
    bound: u8,
    patience: Patience,
    mutation: Mutation,
}

/// What a node does that gets no answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It sends no other ask before the last is answered; the store decides the number that is next.
    Waits,
    /// It goes on with another ask, of the next number; the store decides any number that is higher than the last one.
    GoesOn,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State<const NODES: usize> {
    nodes: [Node; NODES],
    store: Book,
    /// The store's state on its standby, where that can differ: `store` and the leases.
    standby: Option<(Book, [Lease; NODES])>,
    billed: u8,
}

/// What the store holds beside the leases.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Book {
    allocated: u8,
    /// How much of that belongs to leases of processes long gone.
    past: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Node {
    process: Process,
    wire: Wire,
    lease: Lease,
}

/// What a process has in memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Process {
    /// Neither crashed nor closed.
    runs: bool,
    /// What it may spend in all.
    right: u8,
    /// What it has charged to calls that are settled.
    used: u8,
    /// How many calls are in flight, by what the provider takes for them.
    flying: [u8; MAX_BOUND + 1],
    /// The number of its last ask.
    asked: u8,
    /// That ask is not answered.
    waits: bool,
}

/// What process and store have said to each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Wire {
    asks: [Ask; ASKS],
    /// The store's last answer; a node does not listen to older ones, which it knows by their number.
    answer: Answer,
    /// The amount used, once the process has asked to close.
    close: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Ask {
    /// From 1; 0 is no ask.
    number: u8,
    /// What the node held when it asked: for the mutant that reckons with differences.
    from: u8,
    to: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Answer {
    number: u8,
    /// What the lease amounts to.
    amount: u8,
    /// The number may be used again: for the mutant that does so.
    frees_number: bool,
}

/// A row of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Lease {
    life: Life,
    amount: u8,
    /// What its holder reported when it closed.
    used: u8,
    /// The number of the last ask that was decided.
    decided: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Life {
    Open,
    /// Given up: it no longer changes, but its own holder may still close it.
    Stranded,
    Closed,
}

#[derive(Debug)]
#[allow(dead_code, reason = "the fields are there to be printed")]
enum Step {
    // A call is admitted and sent; the provider will take `bill` for it.
    Call { node: usize, bill: u8 },
    // Its answer came with the usage in it.
    Settle { node: usize, bill: u8 },
    // Its outcome stays unknown: it is charged at its bound.
    GiveUp { node: usize },
    AskToGrow { node: usize, to: u8 },
    AskToShrink { node: usize, to: u8 },
    AskToClose { node: usize },
    // The wire delivers an ask, for the first time or again.
    Decide { node: usize, ask: usize },
    // The wire delivers an answer.
    Hear { node: usize },
    // The wire delivers what was used.
    Close { node: usize },
    Strand { node: usize },
    Crash { node: usize },
    // A new process, when nothing that the last one sent is still to come.
    Restart { node: usize },
    Report { node: usize },
    Reclaim { node: usize },
    Replicate,
    Failover,
}

const NO_ASK: Ask = Ask { number: 0, from: 0, to: 0 };
const NO_ANSWER: Answer = Answer { number: 0, amount: 0, frees_number: false };
const GONE: Process =
    Process { runs: false, right: 0, used: 0, flying: [0; MAX_BOUND + 1], asked: 0, waits: false };
const FRESH: Node = Node {
    process: Process { runs: true, ..GONE },
    wire: Wire { asks: [NO_ASK; ASKS], answer: NO_ANSWER, close: None },
    lease: Lease { life: Life::Open, amount: 0, used: 0, decided: 0 },
};

impl Process {
    fn in_flight(&self) -> u8 {
        self.flying.iter().sum()
    }

    /// What is charged or reserved, and so can not be dropped.
    fn needs(&self, bound: u8) -> u8 {
        self.used + self.in_flight() * bound
    }
}

impl Lease {
    /// What it takes from the budget.
    fn counts(&self) -> u8 {
        if self.life == Life::Closed { self.used } else { self.amount }
    }

    /// Gives back what was not used, once.
    fn close(&mut self, used: u8, store: &mut Book) {
        if self.life != Life::Closed && used <= self.amount {
            store.allocated -= self.amount - used;
            *self = Self { life: Life::Closed, used, ..*self };
        }
    }
}

/// A new process in the place of one that is gone, once nothing that it sent is still to come.
fn restarted<const NODES: usize>(state: &State<NODES>, at: usize) -> Option<State<NODES>> {
    let Node { process, wire, lease } = state.nodes[at];
    let closed = wire.close.is_none() || lease.life == Life::Closed;
    if process.runs || !closed || wire.asks.iter().any(|ask| ask.number > lease.decided) {
        return None;
    }
    let mut after = *state;
    after.store.past += lease.counts();
    after.nodes[at] = FRESH;
    Some(after)
}

impl<const NODES: usize> Leases<NODES> {
    /// What the provider may take for a call. The shortest trace of a mutant has the highest bills in it: it looks no
    /// further.
    fn bills(&self) -> RangeInclusive<u8> {
        if self.mutation == Mutation::Faithful { 0..=self.bound } else { self.bound..=self.bound }
    }

    /// Calls begin and end.
    fn calls(&self, node: &Node, at: usize, put: &mut impl FnMut(Step, Node, u8)) {
        let process = node.process;
        for bill in self.bills() {
            let mut more = process;
            more.flying[usize::from(bill)] += 1;
            if more.needs(self.bound) <= process.right {
                put(Step::Call { node: at, bill }, Node { process: more, ..*node }, bill);
            }
        }
        for bill in self.bills().filter(|bill| process.flying[usize::from(*bill)] > 0) {
            let mut ended = process;
            ended.flying[usize::from(bill)] -= 1;
            for (step, charge) in
                [(Step::Settle { node: at, bill }, bill), (Step::GiveUp { node: at }, self.bound)]
            {
                put(step, Node { process: Process { used: ended.used + charge, ..ended }, ..*node }, 0);
            }
        }
    }

    /// What a process says and hears.
    fn talk(&self, node: &Node, at: usize, put: &mut impl FnMut(Step, Node, u8)) {
        let Node { process, wire, .. } = *node;
        let place = wire.asks.iter().position(|ask| *ask == NO_ASK);
        let may_ask = !process.waits || self.patience == Patience::GoesOn;
        if let Some(place) = place.filter(|_| may_ask) {
            for to in (process.needs(self.bound)..=self.limit).filter(|to| *to != process.right) {
                let mut after = *node;
                let asked = process.asked + 1;
                after.wire.asks[place] = Ask { number: asked, from: process.right, to };
                after.process = Process { asked, waits: true, ..process };
                if to > process.right {
                    put(Step::AskToGrow { node: at, to }, after, 0);
                } else {
                    if self.mutation != Mutation::ToldBeforeDropped {
                        after.process.right = to;
                    }
                    put(Step::AskToShrink { node: at, to }, after, 0);
                }
            }
        }
        let answer = wire.answer;
        if process.waits && answer.number == process.asked {
            let asked = process.asked - u8::from(answer.frees_number);
            let beside =
                if self.mutation == Mutation::AnswerTakenForNew { process.needs(self.bound) } else { 0 };
            let process = Process { right: answer.amount + beside, asked, waits: false, ..process };
            put(Step::Hear { node: at }, Node { process, ..*node }, 0);
        }
        if process.in_flight() == 0 {
            let wire = Wire { close: Some(process.used), ..wire };
            put(Step::AskToClose { node: at }, Node { process: GONE, wire, ..*node }, 0);
        }
    }

    /// What the store does when the wire delivers, and on its own.
    fn keep(&self, state: &State<NODES>, at: usize, next: &mut Vec<(Step, State<NODES>)>) {
        let Node { process, wire, lease } = state.nodes[at];
        for (index, ask) in wire.asks.into_iter().enumerate().filter(|(_, ask)| *ask != NO_ASK) {
            let mut after = *state;
            if let Some(answer) = self.decide(&mut after.store, &mut after.nodes[at].lease, ask) {
                after.nodes[at].wire.answer = answer;
                next.push((Step::Decide { node: at, ask: index }, after));
            }
        }
        if let Some(used) = wire.close {
            let mut after = *state;
            after.nodes[at].lease.close(used, &mut after.store);
            next.push((Step::Close { node: at }, after));
        }
        if lease.life == Life::Open && lease.amount > 0 {
            let mut after = *state;
            if self.mutation == Mutation::ExpiryRegrants && process.runs {
                let in_flight: u8 = process.flying.iter().zip(0..).map(|(calls, bill)| calls * bill).sum();
                after.nodes[at].lease.close(process.used + in_flight, &mut after.store);
            } else {
                after.nodes[at].lease.life = Life::Stranded;
            }
            next.push((Step::Strand { node: at }, after));
        }
        if let Some(after) = restarted(state, at) {
            next.push((Step::Restart { node: at }, after));
        }
    }

    /// Decides an ask that is next, and answers it unless it is an old one.
    fn decide(&self, store: &mut Book, lease: &mut Lease, ask: Ask) -> Option<Answer> {
        let differences = self.mutation == Mutation::ResizeNotIdempotent;
        let next = match self.patience {
            Patience::Waits => ask.number == lease.decided + 1,
            Patience::GoesOn => ask.number > lease.decided,
        };
        if lease.life == Life::Closed || !(differences || next || ask.number == lease.decided) {
            return None;
        }
        let amount = match () {
            () if differences => (lease.amount + ask.to).saturating_sub(ask.from),
            () if next && lease.life == Life::Open => ask.to,
            () => lease.amount,
        };
        let allocated = (store.allocated + amount).saturating_sub(lease.amount);
        if amount > lease.amount && allocated > self.limit {
            let frees_number = self.mutation == Mutation::RefusalFreesNumber;
            lease.decided = ask.number - u8::from(frees_number);
            return Some(Answer { number: ask.number, amount: lease.amount, frees_number });
        }
        store.allocated = allocated;
        *lease = Lease { amount, decided: ask.number, ..*lease };
        Some(Answer { number: ask.number, amount, frees_number: false })
    }

    /// What only a mutant does.
    fn go_wrong(&self, state: &State<NODES>, next: &mut Vec<(Step, State<NODES>)>) {
        let reclaims = self.mutation == Mutation::ReclaimByReport;
        for at in (0..NODES).filter(|at| reclaims && state.nodes[*at].process.runs) {
            let mut after = *state;
            after.nodes[at].lease.used = state.nodes[at].process.used;
            next.push((Step::Report { node: at }, after));
            let mut after = *state;
            let Lease { amount, used, .. } = state.nodes[at].lease;
            after.store.allocated -= amount.saturating_sub(used);
            after.nodes[at].lease.amount = amount.min(used);
            next.push((Step::Reclaim { node: at }, after));
        }
        if let Some((store, leases)) = state.standby {
            let standby = Some((state.store, state.nodes.map(|node| node.lease)));
            next.push((Step::Replicate, State { standby, ..*state }));
            let mut after = State { store, ..*state };
            for (node, lease) in after.nodes.iter_mut().zip(leases) {
                node.lease = lease;
            }
            next.push((Step::Failover, after));
        }
    }

    /// Forgets what can not matter any more: asks that are decided (which is tried out), answers that nobody waits for,
    /// and how many asks came before.
    fn forget(&self, node: &Node, store: &Book) -> Node {
        let mut left = *node;
        let Lease { life, decided, .. } = node.lease;
        for ask in left.wire.asks.iter_mut().filter(|ask| **ask != NO_ASK) {
            if ask.number <= decided || life == Life::Closed {
                let (mut store_after, mut lease_after) = (*store, node.lease);
                self.decide(&mut store_after, &mut lease_after, *ask);
                assert!((store_after, lease_after) == (*store, node.lease), "a decided ask has an effect");
                *ask = NO_ASK;
            } else {
                *ask = Ask { number: ask.number - decided, from: 0, to: ask.to };
            }
        }
        left.wire.asks.sort_unstable();
        left.lease.decided = 0;
        if life == Life::Closed {
            left.wire.close = None;
            left.lease.amount = left.lease.used;
        }
        left.process.asked = left.process.asked.saturating_sub(decided);
        if !left.process.waits || left.wire.answer.number != node.process.asked {
            left.wire.answer = NO_ANSWER;
        } else {
            left.wire.answer.number -= decided;
        }
        left
    }
}

impl<const NODES: usize> Model for Leases<NODES> {
    type State = State<NODES>;
    type Step = Step;

    fn initial(&self) -> State<NODES> {
        let store = Book { allocated: 0, past: 0 };
        let standby = (self.mutation == Mutation::AsyncFailover).then_some((store, [FRESH.lease; NODES]));
        State { nodes: [FRESH; NODES], store, standby, billed: 0 }
    }

    fn successors(&self, state: &State<NODES>, next: &mut Vec<(Step, State<NODES>)>) {
        for (at, node) in state.nodes.iter().enumerate() {
            let mut put = |step, node, bill: u8| {
                let mut after = State { billed: state.billed + bill, ..*state };
                after.nodes[at] = node;
                next.push((step, after));
            };
            if node.process.runs {
                self.calls(node, at, &mut put);
                self.talk(node, at, &mut put);
                put(Step::Crash { node: at }, Node { process: GONE, ..*node }, 0);
            }
            self.keep(state, at, next);
        }
        self.go_wrong(state, next);
    }

    /// What can not matter is forgotten, a node with nothing left to do restarts, and nodes are put in an order: they are
    /// alike.
    fn canonical(&self, state: &State<NODES>) -> State<NODES> {
        let mut state = *state;
        for at in 0..NODES {
            state = restarted(&state, at).unwrap_or(state);
        }
        state.nodes = state.nodes.map(|node| self.forget(&node, &state.store));
        state.nodes.sort_unstable();
        state
    }

    fn billed_against_limit(&self, state: &State<NODES>) -> Ordering {
        state.billed.cmp(&self.limit)
    }

    fn books(&self, state: &State<NODES>) -> Result<(), &'static str> {
        let Book { allocated, past } = state.store;
        if allocated != past + state.nodes.iter().map(|node| node.lease.counts()).sum::<u8>() {
            return Err("I2: allocated is not the sum of the leases");
        }
        if allocated > self.limit {
            return Err("I3: more is allocated than the limit");
        }
        if state.billed > allocated {
            return Err("I1: more is billed than allocated");
        }
        for Node { process, lease, .. } in &state.nodes {
            if process.needs(self.bound) > process.right {
                return Err("I4: more is charged and reserved than the node may spend");
            }
            if process.right > lease.amount {
                return Err("I1: a node may spend more than its lease");
            }
        }
        Ok(())
    }
}

fn faithful<const NODES: usize>(limit: u8, bound: u8, patience: Patience) -> Leases<NODES> {
    Leases { limit, bound, patience, mutation: Mutation::Faithful }
}

fn mutant(mutation: Mutation) -> Leases<2> {
    Leases { limit: 2, bound: 1, patience: Patience::Waits, mutation }
}

#[test]
fn holds_with_two_nodes() {
    holds("B, two nodes", &faithful::<2>(4, 2, Patience::Waits), 80_492);
}

#[test]
fn holds_with_three_nodes() {
    holds("B, three nodes", &faithful::<3>(3, 1, Patience::Waits), 399_384);
}

#[test]
fn holds_with_asks_given_up() {
    holds("B, asks given up", &faithful::<2>(2, 1, Patience::GoesOn), 77_496);
}

#[test]
fn breaks_when_expiry_regrants() {
    breaks("B, expiry re-grants", &mutant(Mutation::ExpiryRegrants), 10);
}

#[test]
fn breaks_when_reclaimed_by_report() {
    breaks("B, reclaim by last report", &mutant(Mutation::ReclaimByReport), 10);
}

#[test]
fn breaks_when_resize_is_not_idempotent() {
    breaks("B, resize not idempotent", &mutant(Mutation::ResizeNotIdempotent), 12);
}

#[test]
fn breaks_when_a_refusal_frees_its_number() {
    breaks("B, refusal frees its number", &mutant(Mutation::RefusalFreesNumber), 18);
}

#[test]
fn breaks_when_told_before_dropped() {
    breaks("B, told before dropped", &mutant(Mutation::ToldBeforeDropped), 11);
}

#[test]
fn breaks_when_an_answer_is_taken_for_a_new_lease() {
    breaks("B, answer taken for a new lease", &mutant(Mutation::AnswerTakenForNew), 9);
}

#[test]
fn breaks_when_the_failover_is_asynchronous() {
    breaks("B, asynchronous failover", &mutant(Mutation::AsyncFailover), 10);
}
