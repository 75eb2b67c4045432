//! Model A: one node that makes a durable reservation in the store for each call.
//!
//! **The rules.** A call is reserved at its bound if that fits under the limit beside all that is charged and reserved. It
//! is sent when its reservation is on the disk. An answer with usage in it is charged at that usage, a call that was not
//! sent at nothing, and any other at its bound. After a crash the disk is read, and reservations that are still open are
//! charged at their bound.
//!
//! **The faults.** The node crashes at any time, as often as it will; what was written and not synced is lost, for each
//! entry on its own. Answers do not come. A crash and the recovery after it are one step, since the node does nothing
//! between them.
//!
//! The book may come to more than the limit: a charge below the bound is on the way to the disk, its rest is reserved by
//! another call, and the crash brings the bound back. That errs on the safe side, and only until then.

use crate::search::{Model, breaks, holds};
use std::cmp::Ordering;

/// Calls in one run.
const CALLS: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mutation {
    Faithful,
    /// The sum is looked at before a call and raised after it; nothing is reserved.
    ChargeAfter,
    /// A call is sent while its reservation is on the way to the disk.
    DispatchBeforeDurable,
    /// A call of unknown outcome is charged at nothing.
    UnknownRefunded,
    /// Recovery charges open reservations at nothing.
    RecoveryRefunds,
}

struct OneNode {
    limit: u8,
    /// What each call reserves. The provider bills any amount up to it.
    bound: u8,
    mutation: Mutation,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    calls: [Call; CALLS],
    billed: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Call {
    phase: Phase,
    /// Its entry, as the running store has it.
    book: Entry,
    /// Its entry, as it will be after a crash.
    disk: Entry,
}

/// What the node knows of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    New,
    Reserved,
    /// Sent, and what the provider takes for it.
    Sent(u8),
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Entry {
    None,
    Reserved,
    Charged(u8),
}

#[derive(Debug)]
#[allow(dead_code, reason = "the fields are there to be printed")]
enum Step {
    // It fits under the limit, and is reserved.
    Admit { call: usize },
    Sync { call: usize },
    Send { call: usize, bill: u8 },
    // No connection: provably nothing was sent.
    NotSent { call: usize },
    Settle { call: usize },
    // No answer, or none with usage in it.
    GiveUp { call: usize },
    CrashAndRecover,
}

impl OneNode {
    fn booked(&self, state: &State) -> u8 {
        let counts = |call: &Call| match call.book {
            Entry::None => 0,
            Entry::Reserved => self.bound,
            Entry::Charged(amount) => amount,
        };
        state.calls.iter().map(counts).sum()
    }

    fn steps_of(&self, state: &State, at: usize, next: &mut Vec<(Step, State)>) {
        let call = state.calls[at];
        let mut put = |step, after: Call, bill: u8| {
            let mut state = State { billed: state.billed + bill, ..*state };
            state.calls[at] = after;
            next.push((step, state));
        };
        let ended = |charge| Call { phase: Phase::Ended, book: Entry::Charged(charge), ..call };
        match call.phase {
            Phase::New if self.booked(state) + self.bound <= self.limit => {
                let reserves = self.mutation != Mutation::ChargeAfter;
                let book = if reserves { Entry::Reserved } else { Entry::None };
                put(Step::Admit { call: at }, Call { phase: Phase::Reserved, book, ..call }, 0);
            }
            Phase::Reserved => {
                let hasty = matches!(self.mutation, Mutation::DispatchBeforeDurable | Mutation::ChargeAfter);
                for bill in (0..=self.bound).filter(|_| hasty || call.disk == Entry::Reserved) {
                    put(Step::Send { call: at, bill }, Call { phase: Phase::Sent(bill), ..call }, bill);
                }
                put(Step::NotSent { call: at }, ended(0), 0);
            }
            Phase::Sent(bill) => {
                put(Step::Settle { call: at }, ended(bill), 0);
                let unknown = if self.mutation == Mutation::UnknownRefunded { 0 } else { self.bound };
                put(Step::GiveUp { call: at }, ended(unknown), 0);
            }
            Phase::New | Phase::Ended => {}
        }
        if call.disk != call.book {
            put(Step::Sync { call: at }, Call { disk: call.book, ..call }, 0);
        }
    }

    fn recovered(&self, call: Call) -> Call {
        let open = if self.mutation == Mutation::RecoveryRefunds { 0 } else { self.bound };
        match (call.phase, call.disk) {
            (Phase::New, _) => call,
            (_, Entry::Reserved) => Call { phase: Phase::Ended, book: Entry::Charged(open), ..call },
            (_, disk) => Call { phase: Phase::Ended, book: disk, ..call },
        }
    }
}

impl Model for OneNode {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let call = Call { phase: Phase::New, book: Entry::None, disk: Entry::None };
        State { calls: [call; CALLS], billed: 0 }
    }

    fn successors(&self, state: &State, next: &mut Vec<(Step, State)>) {
        for at in 0..CALLS {
            self.steps_of(state, at, next);
        }
        let calls = state.calls.map(|call| self.recovered(call));
        next.push((Step::CrashAndRecover, State { calls, ..*state }));
    }

    fn billed_against_limit(&self, state: &State) -> Ordering {
        state.billed.cmp(&self.limit)
    }

    fn books(&self, state: &State) -> Result<(), &'static str> {
        if state.billed > self.booked(state) {
            return Err("I11: more is billed than charged and reserved");
        }
        Ok(())
    }

    /// Calls are alike: they are put in an order.
    fn canonical(&self, state: &State) -> State {
        let mut state = *state;
        state.calls.sort_unstable();
        state
    }
}

fn faithful(limit: u8, bound: u8) -> OneNode {
    OneNode { limit, bound, mutation: Mutation::Faithful }
}

/// One call fits, and two are too many.
fn mutant(mutation: Mutation) -> OneNode {
    OneNode { limit: 3, bound: 2, mutation }
}

#[test]
fn holds_with_small_calls() {
    holds("A, bound 1", &faithful(4, 1), 12_123);
}

#[test]
fn holds_with_larger_calls() {
    holds("A, bound 2", &faithful(5, 2), 15_011);
}

#[test]
fn breaks_when_charged_after() {
    breaks("A, charge after", &mutant(Mutation::ChargeAfter), 4);
}

#[test]
fn breaks_when_sent_before_durable() {
    breaks("A, dispatch before durable", &mutant(Mutation::DispatchBeforeDurable), 5);
}

#[test]
fn breaks_when_the_unknown_is_refunded() {
    breaks("A, unknown refunded", &mutant(Mutation::UnknownRefunded), 7);
}

#[test]
fn breaks_when_recovery_refunds() {
    breaks("A, open refunded at recovery", &mutant(Mutation::RecoveryRefunds), 7);
}
