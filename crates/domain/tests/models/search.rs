//! Visits every state that a model can reach, breadth first, or finds the shortest way to a wrong one.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A system as the states that it can be in and the steps between them.
pub trait Model {
    /// All that the future depends on.
    type State: Copy + Eq + Hash;
    /// What happens between two states, for the reader of a trace.
    type Step: Debug;

    /// The state in which the system begins.
    fn initial(&self) -> Self::State;

    /// Puts every step that is possible in `state`, with the state after it, into `next`.
    fn successors(&self, state: &Self::State, next: &mut Vec<(Self::Step, Self::State)>);

    /// What the provider has billed, held against what it may bill: [`Ordering::Greater`] is the disaster.
    fn billed_against_limit(&self, state: &Self::State) -> Ordering;

    /// Whether the books are in order; the rule that they break if not.
    fn books(&self, state: &Self::State) -> Result<(), &'static str>;

    /// The one state that stands for all that have the same future as `state`, but for the names of what is alike in it.
    fn canonical(&self, state: &Self::State) -> Self::State {
        *state
    }
}

/// The faithful variant: it keeps to the limit, with its books in order, in each of its `states` states. It is alive,
/// too: in some of them the limit is billed to the last unit.
pub fn holds<M: Model>(name: &str, model: &M, states: usize) {
    match search(model, M::canonical, |state| overspent(model, state).and_then(|()| model.books(state))) {
        Found::Nothing { states: reached, spent_out } => {
            println!("{name}: holds in {reached} states, {spent_out} of them with the limit used up");
            assert!(spent_out > 0, "{name}: nothing is tried, since no run uses the limit up");
            assert_eq!(reached, states, "{name}: the table in main.rs is about another model");
        }
        Found::Violation { rule, trace } => panic!("{name}: {rule}, after {trace:#?}"),
    }
}

/// A mutant that loses money: not only its books are wrong. The shortest way there has so many `steps`.
pub fn breaks<M: Model>(name: &str, model: &M, steps: usize) {
    expect_violation(name, search(model, same::<M>, |state| overspent(model, state)), steps);
}

/// A mutant that keeps to the limit all the same, and whose books break a rule after so many `steps`.
pub fn misbooks<M: Model>(name: &str, model: &M, steps: usize) {
    let found = search(model, M::canonical, |state| overspent(model, state));
    assert!(matches!(found, Found::Nothing { .. }), "{name}: it loses money, too");
    expect_violation(name, search(model, same::<M>, |state| model.books(state)), steps);
}

fn expect_violation<Step: Debug>(name: &str, found: Found<Step>, steps: usize) {
    match found {
        Found::Nothing { states, .. } => panic!("{name}: a mutant lives, unharmed in {states} states"),
        Found::Violation { rule, trace } => {
            println!("{name}: {rule}, after {} steps", trace.len());
            trace.iter().for_each(|step| println!("    {step:?}"));
            assert_eq!(trace.len(), steps, "{name}: the table in main.rs is about another model");
        }
    }
}

fn overspent<M: Model>(model: &M, state: &M::State) -> Result<(), &'static str> {
    match model.billed_against_limit(state) {
        Ordering::Greater => Err("the provider bills more than the limit"),
        Ordering::Less | Ordering::Equal => Ok(()),
    }
}

/// A mutant's states are taken as they are, so that its trace is one story with one name for each in it.
fn same<M: Model>(_: &M, state: &M::State) -> M::State {
    *state
}

enum Found<Step> {
    Nothing { states: usize, spent_out: usize },
    Violation { rule: &'static str, trace: Vec<Step> },
}

/// The states in the order in which they were found, each with the place of the one before it, are queue, memory and
/// trace in one. Steps are not kept: those of a trace are found again.
fn search<M: Model>(
    model: &M,
    alike: fn(&M, &M::State) -> M::State,
    judge: impl Fn(&M::State) -> Result<(), &'static str>,
) -> Found<M::Step> {
    let initial = alike(model, &model.initial());
    let mut seen: HashSet<M::State, BuildHasherDefault<Fnv>> = HashSet::from_iter([initial]);
    let mut found = vec![(initial, 0)];
    let mut next = Vec::new();
    let (mut at, mut spent_out) = (0, 0);
    while let Some(&(state, _)) = found.get(at) {
        if let Err(rule) = judge(&state) {
            return Found::Violation { rule, trace: trace(model, alike, &found, at) };
        }
        spent_out += usize::from(model.billed_against_limit(&state) == Ordering::Equal);
        model.successors(&state, &mut next);
        for (_, after) in next.drain(..) {
            let after = alike(model, &after);
            if seen.insert(after) {
                found.push((after, at));
            }
        }
        at += 1;
    }
    Found::Nothing { states: found.len(), spent_out }
}

fn trace<M: Model>(
    model: &M,
    alike: fn(&M, &M::State) -> M::State,
    found: &[(M::State, usize)],
    mut at: usize,
) -> Vec<M::Step> {
    let mut steps = Vec::new();
    while at > 0 {
        let (state, before) = found[at];
        let mut next = Vec::new();
        model.successors(&found[before].0, &mut next);
        steps.extend(next.into_iter().find(|(_, after)| alike(model, after) == state).map(|(step, _)| step));
        at = before;
    }
    steps.reverse();
    steps
}

/// FNV-1a, a number at a time. The standard hasher would be most of the work of a search that is not optimized.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn mix(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
