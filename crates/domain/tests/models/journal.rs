//! Model D: one node that spends a slice and keeps a journal of it in the page cache.
//!
//! **The rules.** The slice is durable in the store before it is spent from. A call is reserved in memory, written to the
//! journal, and only then sent. When it ends, its charge is written to the journal before the rest of its bound can be
//! reserved again. A write goes to the page cache, and a sync brings the cache to the disk at some time after.
//!
//! **The faults.** `kill -9` takes the memory of the process and leaves the page cache. Power loss takes both: of what was
//! written and not synced, each record is lost or not, on its own. Either may come at any time, as often as it will, and
//! power loss while the process is down, too.
//!
//! **Recovery.** If the machine was not started since, the journal is whole: a call is charged what it says, or its bound
//! where it does not say how the call ended, and the rest of the slice goes back. If it was, the journal is not believed:
//! the slice is stranded, which is to say charged whole.

use crate::search::{Model, breaks, holds, misbooks};
use std::cmp::Ordering;

/// Calls that one slice serves at most.
const CALLS: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mutation {
    Faithful,
    /// After power loss, what is left of the journal is taken for all of it.
    JournalTrusted,
    /// A call is sent first and written down after.
    RecordAfterDispatch,
    /// The slice is spent from while its grant is on the way to the disk.
    SliceNotSynced,
    /// The rest of a bound can be reserved again before the charge is in the journal.
    MemoryBeforeRecord,
}

struct Journal {
    limit: u8,
    /// What each call reserves. The provider bills any amount up to it.
    bound: u8,
    mutation: Mutation,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    /// The process runs.
    up: bool,
    /// The machine was started since the slice was granted.
    restarted: bool,
    /// The slice, as the running store has it.
    slice: u8,
    /// The slice, as it will be after power loss.
    slice_on_disk: u8,
    /// What slices of the past are charged.
    past: u8,
    calls: [Call; CALLS],
    billed: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Call {
    memory: Memory,
    reservation: Record,
    settlement: Record,
    /// What the settlement says.
    charge: u8,
}

/// What the process knows of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Memory {
    Nothing,
    Reserved,
    /// Sent, and what the provider takes for it.
    Sent(u8),
    Charged(u8),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Record {
    None,
    InCache,
    OnDisk,
}

#[derive(Debug)]
#[allow(dead_code, reason = "the fields are there to be printed")]
enum Step {
    // The store grants the slice, or more of it.
    Grow { to: u8 },
    // The sync of a grant that was not waited for.
    SyncSlice,
    Reserve { call: usize },
    WriteReservation { call: usize },
    Send { call: usize, bill: u8 },
    // Given up before its reservation was written, or provably before a byte was sent.
    NotSent { call: usize },
    Settle { call: usize },
    // No answer, or none with usage in it.
    GiveUp { call: usize },
    WriteSettlement { call: usize },
    SyncJournal,
    // With nothing in flight the slice is closed, and its rest goes back.
    Close,
    Kill,
    LosePower,
    LoseReservation { call: usize },
    LoseSettlement { call: usize },
    Recover,
}

const NO_CALL: Call =
    Call { memory: Memory::Nothing, reservation: Record::None, settlement: Record::None, charge: 0 };

impl Journal {
    /// What the process has taken from the slice.
    fn taken(&self, state: &State) -> u8 {
        let takes = |call: &Call| match call.memory {
            Memory::Nothing => 0,
            Memory::Reserved | Memory::Sent(_) => self.bound,
            Memory::Charged(amount) => amount,
        };
        state.calls.iter().map(takes).sum()
    }

    /// What the journal says was taken.
    fn told(&self, state: &State) -> u8 {
        let says = |call: &Call| match (call.reservation, call.settlement) {
            (Record::None, Record::None) => 0,
            (_, Record::None) => self.bound,
            (_, Record::InCache | Record::OnDisk) => call.charge,
        };
        state.calls.iter().map(says).sum()
    }

    fn call_steps(&self, state: &State, at: usize, next: &mut Vec<(Step, State)>) {
        let call = state.calls[at];
        let written = call.reservation != Record::None;
        let late = self.mutation == Mutation::RecordAfterDispatch;
        let mut put = |step, after: Call, bill: u8| {
            let mut state = State { billed: state.billed + bill, ..*state };
            state.calls[at] = after;
            next.push((step, state));
        };
        let ended = |charge| {
            let now = self.mutation != Mutation::MemoryBeforeRecord;
            let settlement = if now { Record::InCache } else { Record::None };
            Call { memory: Memory::Charged(charge), settlement, charge, ..call }
        };
        match call.memory {
            Memory::Nothing if self.taken(state) + self.bound <= state.slice => {
                put(Step::Reserve { call: at }, Call { memory: Memory::Reserved, ..call }, 0);
            }
            Memory::Reserved => {
                for bill in (0..=self.bound).filter(|_| written || late) {
                    put(Step::Send { call: at, bill }, Call { memory: Memory::Sent(bill), ..call }, bill);
                }
                put(Step::NotSent { call: at }, if written { ended(0) } else { NO_CALL }, 0);
            }
            Memory::Sent(bill) => {
                put(Step::Settle { call: at }, ended(bill), 0);
                put(Step::GiveUp { call: at }, ended(self.bound), 0);
            }
            Memory::Charged(_) if call.settlement == Record::None => {
                put(Step::WriteSettlement { call: at }, Call { settlement: Record::InCache, ..call }, 0);
            }
            Memory::Nothing | Memory::Charged(_) => {}
        }
        let due = if late { matches!(call.memory, Memory::Sent(_)) } else { call.memory == Memory::Reserved };
        if due && !written {
            put(Step::WriteReservation { call: at }, Call { reservation: Record::InCache, ..call }, 0);
        }
    }

    fn slice_steps(&self, state: &State, next: &mut Vec<(Step, State)>) {
        for to in state.slice + 1..=self.limit.saturating_sub(state.past) {
            let waits = self.mutation != Mutation::SliceNotSynced;
            let slice_on_disk = if waits { to } else { state.slice_on_disk };
            next.push((Step::Grow { to }, State { slice: to, slice_on_disk, ..*state }));
        }
        if state.slice_on_disk != state.slice {
            next.push((Step::SyncSlice, State { slice_on_disk: state.slice, ..*state }));
        }
        let quiet = |call: &Call| matches!(call.memory, Memory::Nothing | Memory::Charged(_));
        if state.slice > 0 && state.calls.iter().all(quiet) {
            next.push((Step::Close, Self::after_slice(state, self.taken(state))));
        }
        let mut synced = *state;
        for record in synced.calls.iter_mut().flat_map(|call| [&mut call.reservation, &mut call.settlement]) {
            if *record == Record::InCache {
                *record = Record::OnDisk;
            }
        }
        next.push((Step::SyncJournal, synced));
    }

    /// The slice is charged so much, and gone.
    fn after_slice(state: &State, charge: u8) -> State {
        State {
            up: true,
            restarted: false,
            slice: 0,
            slice_on_disk: 0,
            past: state.past + charge,
            calls: [NO_CALL; CALLS],
            billed: state.billed,
        }
    }

    fn faults(state: &State, next: &mut Vec<(Step, State)>) {
        let mut down = State { up: false, ..*state };
        down.calls.iter_mut().for_each(|call| call.memory = Memory::Nothing);
        if state.up {
            next.push((Step::Kill, down));
        }
        if !state.restarted {
            next.push((Step::LosePower, State { restarted: true, slice: state.slice_on_disk, ..down }));
            return;
        }
        for (at, call) in state.calls.iter().enumerate() {
            if call.reservation == Record::InCache {
                let mut after = *state;
                after.calls[at].reservation = Record::None;
                next.push((Step::LoseReservation { call: at }, after));
            }
            if call.settlement == Record::InCache {
                let mut after = *state;
                after.calls[at].settlement = Record::None;
                next.push((Step::LoseSettlement { call: at }, after));
            }
        }
    }
}

impl Model for Journal {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        State {
            up: true,
            restarted: false,
            slice: 0,
            slice_on_disk: 0,
            past: 0,
            calls: [NO_CALL; CALLS],
            billed: 0,
        }
    }

    fn successors(&self, state: &State, next: &mut Vec<(Step, State)>) {
        Self::faults(state, next);
        if !state.up {
            let believed = !state.restarted || self.mutation == Mutation::JournalTrusted;
            let charge = if believed { self.told(state) } else { state.slice };
            next.push((Step::Recover, Self::after_slice(state, charge)));
            return;
        }
        for at in 0..CALLS {
            self.call_steps(state, at, next);
        }
        self.slice_steps(state, next);
    }

    fn billed_against_limit(&self, state: &State) -> Ordering {
        state.billed.cmp(&self.limit)
    }

    fn books(&self, state: &State) -> Result<(), &'static str> {
        if state.past + state.slice > self.limit {
            return Err("I3: more is allocated than the limit");
        }
        if state.billed > state.past + state.slice {
            return Err("I1: more is billed than allocated");
        }
        if self.taken(state) > state.slice {
            return Err("I4: more is charged and reserved than the slice");
        }
        if !state.up && !state.restarted && self.told(state) > state.slice {
            return Err("I2: recovery charges more than the slice");
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

fn faithful(limit: u8, bound: u8) -> Journal {
    Journal { limit, bound, mutation: Mutation::Faithful }
}

/// The limit is the bound of one call, so that the second is one too many.
fn mutant(mutation: Mutation) -> Journal {
    Journal { limit: 1, bound: 1, mutation }
}

#[test]
fn holds_with_small_calls() {
    holds("D, bound 1", &faithful(4, 1), 70_888);
}

#[test]
fn holds_with_larger_calls() {
    holds("D, bound 2", &faithful(5, 2), 110_907);
}

#[test]
fn breaks_when_the_journal_is_trusted_after_power_loss() {
    breaks("D, journal trusted after power loss", &mutant(Mutation::JournalTrusted), 11);
}

#[test]
fn breaks_when_recorded_after_dispatch() {
    breaks("D, record after dispatch", &mutant(Mutation::RecordAfterDispatch), 8);
}

#[test]
fn breaks_when_the_slice_is_not_synced() {
    breaks("D, slice not synced", &mutant(Mutation::SliceNotSynced), 10);
}

#[test]
fn misbooks_when_memory_is_before_the_record() {
    misbooks("D, memory before record", &mutant(Mutation::MemoryBeforeRecord), 7);
}
