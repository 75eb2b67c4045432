//! The ledger as a state machine: any schedule of calls, crashes, lost and late messages keeps the invariants, and every
//! broken variant of the glue is found out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

mod mutants;
mod node;
mod reference;
mod store;
mod world;

use mutants::Mutant;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{NODES, Op, World};

fn run(mutant: Option<Mutant>, ops: &[Op]) {
    let mut world = World::new(mutant);
    for op in ops {
        world.step(op);
    }
    (0..NODES).for_each(|node| world.stop(node));
}

proptest! {
    #![proptest_config(Config { cases: 500, failure_persistence: None, ..Config::default() })]
    #[test]
    fn any_schedule_keeps_the_invariants(ops in vec(world::op(), 1..250)) {
        run(None, &ops);
    }
}

/// The rule that a run broke.
fn broken(mutant: Option<Mutant>, ops: &[Op]) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| run(mutant, ops))).err()?;
    let text = panic.downcast::<String>().map(|text| *text);
    Some(text.or_else(|other| other.downcast::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}

/// For each broken glue a schedule is found that shows it, and on which the true glue keeps every invariant.
#[test]
fn every_mutant_is_found() {
    const SCHEDULES: usize = 3000;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut left = Mutant::ALL.to_vec();
    for _ in 0..SCHEDULES {
        let ops = vec(world::op(), 120).new_tree(&mut runner).unwrap().current();
        let found = |mutant: &Mutant| broken(Some(*mutant), &ops).map(|rule| (*mutant, rule));
        let found: Vec<(Mutant, String)> = left.iter().filter_map(found).collect();
        if !found.is_empty() {
            run(None, &ops);
        }
        for (mutant, rule) in found {
            let named = rule.starts_with('I') || rule.contains("failed: I");
            assert!(named, "{mutant:?} must break an invariant, not the machine: {rule}");
            left.retain(|other| *other != mutant);
        }
        if left.is_empty() {
            return;
        }
    }
    panic!("{left:?} break nothing that is seen");
}
