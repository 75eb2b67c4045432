//! The same steps where upstream makes the keys: killed, held up and called off at random, no call ever has a key that upstream
//! does not take, and in the end there is one key, and no other.

use super::*;
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Nodes take another key over within that time, and their calls end within that time.
const TAKEN_OVER: i64 = 2;
const LONGEST_CALL: i64 = 20;

fn plan(overlap_seconds: i64, on_old_use: OnOldUse) -> Plan {
    Plan { overlap_seconds, propagation_seconds: UPSTREAM_SPREAD_SECONDS, on_old_use, destinations: vec![] }
}

/// A key upstream: 0 is the old one, all others were made by the rotation.
type Made = usize;

#[derive(Debug)]
struct World {
    now: Timestamp,
    state: State,
    /// The keys that upstream takes.
    upstream: Vec<Made>,
    next: Made,
    /// The one that was noted.
    noted: Option<Made>,
    /// What is stored in Louver, and since when.
    stored: (Made, Timestamp),
    /// What was stored before that, which calls may still have.
    before: Made,
}

impl World {
    fn new() -> Self {
        let state = State::begin(START);
        Self { now: START, state, upstream: vec![0], next: 1, noted: None, stored: (0, START), before: 0 }
    }

    fn store(&mut self, key: Made) {
        if self.stored.0 != key {
            self.before = self.stored.0;
            self.stored = (key, self.now);
        }
    }

    fn takes(&self, key: Made) -> bool {
        self.upstream.contains(&key)
    }

    /// The keys that some call may have now.
    fn in_calls(&self) -> Vec<Made> {
        let left = self.now < self.stored.1.plus_seconds(TAKEN_OVER + LONGEST_CALL);
        if left { vec![self.stored.0, self.before] } else { vec![self.stored.0] }
    }

    fn step(&mut self, plan: &Plan, (killed, fails): (bool, bool)) {
        if self.state.next_at > self.now || !self.state.step.is_live() {
            return;
        }
        let mut stored = None;
        let outcome = match self.state.step {
            _ if fails => Outcome::Failed,
            Step::Creating => {
                // What an earlier try left goes first: nobody knows its secret.
                self.upstream.retain(|key| *key == 0);
                self.upstream.push(self.next);
                self.next += 1;
                Outcome::Worked
            }
            Step::Writing => {
                stored = self.noted.filter(|new| self.takes(*new));
                if stored.is_some() { Outcome::Worked } else { Outcome::Failed }
            }
            Step::Verifying if !self.takes(self.stored.0) => Outcome::Failed,
            Step::Overlapping => Outcome::Looked { in_use: false },
            Step::Retiring => {
                self.upstream.retain(|key| *key != 0);
                Outcome::Worked
            }
            Step::Checking if self.takes(0) => Outcome::Failed,
            Step::Undoing => {
                stored = Some(0);
                Outcome::Worked
            }
            Step::Settling => {
                self.upstream.retain(|key| *key == 0);
                Outcome::Worked
            }
            Step::Propagating | Step::Verifying | Step::Checking | Step::Done | Step::Cancelled => {
                Outcome::Worked
            }
        };
        if killed {
            return;
        }
        let next = self.state.after(plan, outcome, self.now);
        if self.state.step == Step::Creating && next.step != Step::Creating {
            self.noted = self.upstream.last().copied();
        }
        if let Some(key) = stored {
            self.store(key);
        }
        self.state = next;
    }

    fn call_off(&mut self, plan: &Plan) {
        if let Some(next) = self.state.called_off_elsewhere(plan, self.now) {
            self.state = next;
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Step(bool, bool),
    Pass(i64),
    CallOff,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (any::<bool>(), any::<bool>()).prop_map(|(killed, fails)| Event::Step(killed, fails)),
        6 => Just(Event::Step(false, false)),
        6 => prop_oneof![0..5i64, 0..90i64, 0..2_000i64].prop_map(Event::Pass),
        1 => Just(Event::CallOff),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whatever_happens_upstream_takes_the_keys_of_all_calls_and_one_is_left(
        events in proptest::collection::vec(event(), 0..80),
        overlap in prop_oneof![Just(0i64), Just(100), Just(5_000)],
        hold: bool,
    ) {
        let plan = plan(overlap, if hold { OnOldUse::Hold } else { OnOldUse::Cut });
        let mut world = World::new();
        for event in events {
            match event {
                Event::Step(killed, fails) => world.step(&plan, (killed, fails)),
                Event::Pass(seconds) => world.now = world.now.plus_seconds(seconds),
                Event::CallOff => world.call_off(&plan),
            }
            prop_assert!(world.in_calls().iter().all(|key| world.takes(*key)), "{world:?}");
        }
        for _ in 0..60 {
            world.step(&plan, (false, false));
            let wait = (world.state.next_at.micros() - world.now.micros()).max(0) / 1_000_000 + 1;
            world.now = world.now.plus_seconds(wait);
            prop_assert!(world.in_calls().iter().all(|key| world.takes(*key)), "{world:?}");
        }
        prop_assert!(!world.state.step.is_live(), "{world:?}");
        prop_assert_eq!(&world.upstream, &vec![world.stored.0], "{:?}", &world);
        prop_assert_eq!(world.state.step == Step::Done, world.stored.0 != 0, "{:?}", &world);
    }
}

#[test]
fn called_off_while_a_key_may_be_made_upstream_it_is_looked_for() {
    let plan = plan(100, OnOldUse::Cut);
    let undoing = State::begin(START).called_off_elsewhere(&plan, START).unwrap();
    assert_eq!((undoing.step, undoing.written), (Step::Undoing, false));
    let settling = undoing.after(&plan, Outcome::Worked, START);
    assert_eq!((settling.step, settling.next_at), (Step::Settling, START), "nothing had moved");
    assert_eq!(settling.called_off_elsewhere(&plan, START), None);
    let subject = Subject::Upstream(UpstreamId::from_bytes([3; 16]));
    assert_eq!(Subject::read(subject.kind(), subject.bytes()), Some(subject));
}
