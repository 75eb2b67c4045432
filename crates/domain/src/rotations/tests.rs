//! The way of a rotation step by step, and a small world in which it is killed, held up and called off at random.

use super::*;
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const SPREAD: i64 = 60;

fn at(seconds: i64) -> Timestamp {
    START.plus_seconds(seconds)
}

fn plan(overlap_seconds: i64, on_old_use: OnOldUse) -> Plan {
    Plan { overlap_seconds, propagation_seconds: SPREAD, on_old_use, destinations: vec![] }
}

fn worked(state: State, plan: &Plan, steps: &[i64]) -> State {
    steps.iter().fold(state, |state, seconds| state.after(plan, Outcome::Worked, at(*seconds)))
}

#[test]
fn a_rotation_goes_its_way() {
    let plan = plan(36_000, OnOldUse::Hold);
    let state = State::begin(at(0));
    let way: Vec<(Step, i64)> = (0..8)
        .scan(state, |state, _| {
            let now = state.next_at;
            *state = state.after(&plan, Outcome::Worked, now);
            Some((state.step, (state.next_at.micros() - START.micros()) / 1_000_000))
        })
        .collect();
    assert_eq!(
        way,
        [
            (Step::Writing, KNOWN_SECONDS),
            (Step::Propagating, 65),
            (Step::Verifying, 65),
            (Step::Overlapping, 65 + 36_000 - 3_600),
            (Step::Overlapping, 65 + 36_000),
            (Step::Retiring, 65 + 36_000),
            (Step::Checking, 65 + 36_000),
            (Step::Done, 65 + 36_000),
        ]
    );
    for step in Step::ALL {
        assert_eq!(Step::parse(step.as_str()), Some(step));
    }
    assert_eq!(Step::parse("Done"), None);
}

#[test]
fn the_old_secret_in_use_is_held_or_cut() {
    let looked = Outcome::Looked { in_use: true };
    for (policy, end) in [(OnOldUse::Hold, Some(at(2 * 1_000 + 60))), (OnOldUse::Cut, Some(at(1_000 + 60)))] {
        let plan = plan(1_000, policy);
        let state = worked(State::begin(at(0)), &plan, &[0, 0, 60, 60]);
        assert_eq!((state.step, state.ends_at), (Step::Overlapping, Some(at(1_060))));
        assert_eq!(state.next_at, at(960));
        let state = state.after(&plan, looked, at(960));
        assert_eq!((state.step, state.ends_at), (Step::Overlapping, end));
        // Each end that was held off is looked at anew.
        assert_eq!(state.looked, policy == OnOldUse::Cut);
        assert_eq!(state.next_at, if policy == OnOldUse::Hold { at(1_960) } else { at(1_060) });
    }
}

#[test]
fn no_end_passes_without_the_look_where_it_may_be_held() {
    let state = |plan: &Plan| worked(State::begin(at(0)), plan, &[0, 0, 60, 60]);
    let (hold, cut) = (plan(1_000, OnOldUse::Hold), plan(1_000, OnOldUse::Cut));
    // What is cut ends by itself, whatever happens to this program; what may be held does not before the look.
    assert_eq!(state(&cut).hard_end(&cut), Some(at(1_060)));
    assert_eq!(state(&hold).hard_end(&hold), None);
    let looked = state(&hold).after(&hold, Outcome::Looked { in_use: false }, at(960));
    assert_eq!((looked.step, looked.hard_end(&hold)), (Step::Overlapping, Some(at(1_060))));
    assert_eq!(looked.after(&hold, Outcome::Looked { in_use: true }, at(1_060)).step, Step::Retiring);
    // Who comes late looks all the same: then a whole overlap begins, or the end is now.
    let late = state(&hold).after(&hold, Outcome::Looked { in_use: true }, at(5_000));
    assert_eq!((late.step, late.ends_at, late.next_at), (Step::Overlapping, Some(at(6_000)), at(5_900)));
    let late = state(&hold).after(&hold, Outcome::Looked { in_use: false }, at(5_000));
    assert_eq!((late.step, late.ends_at), (Step::Retiring, Some(at(5_000))));
    let late = state(&cut).after(&cut, Outcome::Looked { in_use: true }, at(5_000));
    assert_eq!((late.step, late.ends_at), (Step::Retiring, Some(at(1_060))));
    // Called off it can be as long as the old secret works.
    assert_eq!(state(&hold).called_off(&hold, at(5_000), true).unwrap().step, Step::Undoing);
    assert_eq!(state(&cut).called_off(&cut, at(5_000), true), None);
    assert_eq!(looked.called_off(&hold, at(1_060), true), None);
}

#[test]
fn an_old_secret_is_used_by_what_was_seen_of_the_new_one() {
    let plan = plan(1_000, OnOldUse::Hold);
    let unseen = worked(State::begin(at(0)), &plan, &[0, 0, 60, 60]);
    let seen = State { observed_at: Some(at(70)), ..unseen };
    for (used, while_unseen, while_seen) in [
        (None, false, false),
        // Before both could be read it says nothing.
        (Some(at(59)), false, false),
        (Some(at(60)), true, false),
        (Some(at(559)), true, false),
        (Some(at(560)), true, true),
        (Some(at(2_000)), true, true),
    ] {
        assert_eq!(unseen.is_old_used(&plan, used), while_unseen, "{used:?}");
        assert_eq!(seen.is_old_used(&plan, used), while_seen, "{used:?}");
    }
    // Each overlap that follows counts by itself: a key that nobody uses any more is not held for ever.
    let held = unseen.after(&plan, Outcome::Looked { in_use: true }, at(960));
    assert!(!held.is_old_used(&plan, Some(at(1_059))) && held.is_old_used(&plan, Some(at(1_060))));
}

#[test]
fn an_emergency_has_no_overlap_but_verifies_first() {
    let plan = plan(0, OnOldUse::Hold);
    let state = worked(State::begin(at(0)), &plan, &[0, 0, 60]);
    assert_eq!((state.step, state.ends_at), (Step::Verifying, None));
    let state = state.after(&plan, Outcome::Worked, at(61));
    assert_eq!((state.step, state.ends_at, state.next_at), (Step::Retiring, Some(at(61)), at(61)));
}

#[test]
fn tries_in_vain_wait_ever_longer_and_a_success_forgets_them() {
    let plan = plan(100, OnOldUse::Cut);
    let mut state = worked(State::begin(at(0)), &plan, &[0]);
    let mut waits = vec![];
    for _ in 0..7 {
        let now = state.next_at;
        state = state.after(&plan, Outcome::Failed, now);
        waits.push((state.next_at.micros() - now.micros()) / 1_000_000);
    }
    assert_eq!(waits, [5, 30, 120, 600, 1_800, 1_800, 1_800]);
    assert_eq!((state.step, state.attempts), (Step::Writing, 7));
    assert_eq!(state.after(&plan, Outcome::Worked, at(9_999)).attempts, 0);
}

#[test]
fn it_is_called_off_only_while_the_old_secret_lives_and_is_known() {
    let plan = plan(100, OnOldUse::Cut);
    let mut state = State::begin(at(0));
    assert_eq!(state.called_off(&plan, at(0), false).unwrap().step, Step::Cancelled);
    state = worked(state, &plan, &[0]);
    let undoing = state.called_off(&plan, at(1), false).unwrap();
    assert_eq!((undoing.step, undoing.written), (Step::Undoing, false));
    assert_eq!(undoing.after(&plan, Outcome::Worked, at(2)).next_at, at(2), "nothing was written");
    state = worked(state, &plan, &[0]);
    assert_eq!(state.called_off(&plan, at(1), false), None, "nobody could write it back");
    let undoing = state.called_off(&plan, at(1), true).unwrap();
    assert_eq!(undoing.after(&plan, Outcome::Worked, at(2)).next_at, at(62));
    state = worked(state, &plan, &[60, 60]);
    assert_eq!(state.step, Step::Overlapping);
    assert_eq!(state.called_off(&plan, at(159), true).unwrap().ends_at, None);
    assert_eq!(state.called_off(&plan, at(160), true), None, "it has ended");
    for done in [Step::Retiring, Step::Checking, Step::Done, Step::Undoing, Step::Settling, Step::Cancelled] {
        assert_eq!(State { step: done, ..state }.called_off(&plan, at(0), true), None, "{done:?}");
    }
}

/// The world around a rotation: two secrets, a destination, a client that reads it within the time it is given, and one that
/// reads when it likes and calls all the time.
#[derive(Debug)]
struct World {
    now: Timestamp,
    state: State,
    /// Whether each secret, old and new, is accepted, and until when.
    accepted: [Option<Option<Timestamp>>; 2],
    destination: usize,
    client: usize,
    reads_at: Option<Timestamp>,
    slow: usize,
    used: [Option<Timestamp>; 2],
    called_off: bool,
}

impl World {
    fn new() -> Self {
        let accepted = [Some(None), None];
        Self {
            now: at(0),
            state: State::begin(at(0)),
            accepted,
            destination: 0,
            client: 0,
            reads_at: None,
            slow: 0,
            used: [None; 2],
            called_off: false,
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
        if self.reads_at.is_some_and(|at| at <= self.now) {
            (self.client, self.reads_at) = (self.destination, None);
        }
        self.call();
    }

    /// Both clients call; what they use is seen.
    fn call(&mut self) {
        self.used[self.client] = Some(self.now);
        self.used[self.slow] = Some(self.now);
    }

    fn write(&mut self, secret: usize) {
        if self.destination != secret {
            // At the last moment that it has.
            (self.destination, self.reads_at) = (secret, Some(self.now.plus_seconds(SPREAD)));
        }
    }

    /// Does what the step asks for. A process that is killed has done part of it, and noted nothing; what the database does
    /// is done with the note or not at all.
    fn step(&mut self, plan: &Plan, killed: bool, fails: bool) {
        if self.state.next_at > self.now || !self.state.step.is_live() {
            return;
        }
        let outcome = match self.state.step {
            _ if fails => Outcome::Failed,
            Step::Writing => {
                self.state.written = true;
                self.write(1);
                Outcome::Worked
            }
            Step::Undoing => {
                self.write(0);
                Outcome::Worked
            }
            Step::Verifying if !self.works(1) => Outcome::Failed,
            Step::Overlapping => {
                self.state.observed_at = self.state.observed_at.or(self.used[1]);
                Outcome::Looked { in_use: self.state.is_old_used(plan, self.used[0]) }
            }
            Step::Creating
            | Step::Propagating
            | Step::Verifying
            | Step::Retiring
            | Step::Checking
            | Step::Settling
            | Step::Done
            | Step::Cancelled => Outcome::Worked,
        };
        if killed {
            return;
        }
        let next = self.state.after(plan, outcome, self.now);
        match (self.state.step, next.step) {
            (Step::Creating, Step::Writing) => self.accepted[1] = Some(None),
            (Step::Verifying | Step::Overlapping, Step::Overlapping) => {
                self.accepted[0] = Some(next.hard_end(plan));
            }
            (Step::Retiring, Step::Checking) => self.accepted[0] = None,
            (Step::Settling, Step::Cancelled) => self.accepted[1] = None,
            _ => {}
        }
        self.state = next;
    }

    fn call_off(&mut self, plan: &Plan) {
        if let Some(next) = self.state.called_off(plan, self.now, true) {
            if self.state.step != Step::Creating {
                self.accepted[0] = Some(None);
            }
            self.state = next;
            self.called_off = true;
        }
    }

    fn works(&self, secret: usize) -> bool {
        self.accepted[secret].is_some_and(|end| end.is_none_or(|end| self.now < end))
    }
}

#[derive(Clone, Debug)]
enum Event {
    Step {
        killed: bool,
        fails: bool,
    },
    Pass(i64),
    CallOff,
    /// The one who reads when it likes does.
    Read,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (any::<bool>(), any::<bool>()).prop_map(|(killed, fails)| Event::Step { killed, fails }),
        6 => Just(Event::Step { killed: false, fails: false }),
        6 => prop_oneof![0..5i64, 0..90i64, 0..2_000i64].prop_map(Event::Pass),
        1 => Just(Event::CallOff),
        2 => Just(Event::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whatever_happens_the_client_has_a_secret_that_works_and_it_ends(
        events in proptest::collection::vec(event(), 0..80),
        overlap in prop_oneof![Just(0i64), Just(100), Just(5_000)],
        hold: bool,
    ) {
        let plan = plan(overlap, if hold { OnOldUse::Hold } else { OnOldUse::Cut });
        let mut world = World::new();
        for event in events {
            match event {
                Event::Step { killed, fails } => world.step(&plan, killed, fails),
                Event::Pass(seconds) => world.pass(seconds),
                Event::Read => world.slow = world.destination,
                Event::CallOff => world.call_off(&plan),
            }
            prop_assert!(world.works(world.client), "{world:?}");
            prop_assert!(world.works(world.destination), "{world:?}");
            // Where it may be held, nobody who goes on using the old secret loses it, however late anybody looks.
            let is_held = hold && overlap > 0 && !world.called_off;
            prop_assert!(!is_held || world.works(world.slow), "{world:?}");
        }
        // Once nothing is in its way it ends, with one secret that works: the one that the destination has.
        for _ in 0..60 {
            world.step(&plan, false, false);
            let wait = (world.state.next_at.micros() - world.now.micros()).max(0) / 1_000_000 + 1;
            world.pass(if world.state.step.is_live() { wait } else { SPREAD });
            world.slow = world.client;
            prop_assert!(world.works(world.client), "{world:?}");
        }
        prop_assert!(!world.state.step.is_live(), "{world:?}");
        let left = if world.state.step == Step::Done { 1 } else { 0 };
        prop_assert_eq!((world.client, world.destination), (left, left));
        prop_assert!(world.works(left) && !world.works(1 - left), "{:?}", world);
    }
}
