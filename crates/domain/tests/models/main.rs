//! The ledger's promise, tried out in every state of four small models, and the mistakes that break it.
//!
//! > What the provider bills never exceeds the limit: with any number of calls at once, on any number of nodes, whatever
//! > crashes, and whatever becomes of a message.
//!
//! A model is the ledger with all numbers small. `search.rs` visits every state that it can reach, so that what holds
//! there holds for every order of events. A *mutant* is the same model with one thing done wrong, the way it is easily
//! done wrong; a mutant that keeps the promise is a failed test, since then the model does not see what it is there for.
//! `cargo test -p louver-domain --test models -- --show-output` tells the story of each mutant, step by step.
//!
//! | Model | Variant | Result |
//! |---|---|---|
//! | A, `one_node.rs`: a durable reservation for each call | faithful, limit 4, bound 1 | holds, 12,123 states |
//! | | faithful, limit 5, bound 2 | holds, 15,011 states |
//! | | charged after the call, as is often done | breaks, 4 steps, no crash |
//! | | sent before the reservation is durable | breaks, 5 steps |
//! | | unknown outcome refunded | breaks, 7 steps |
//! | | open reservations refunded at recovery | breaks, 7 steps |
//! | B, `leases.rs`: leases over a wire that fails | faithful, two nodes, limit 4, bound 2 | holds, 80,492 states |
//! | | faithful, three nodes, limit 3, bound 1 | holds, 399,384 states |
//! | | faithful, asks given up, two nodes, limit 2, bound 1 | holds, 77,496 states |
//! | | expiry re-grants the lease of a slow node | breaks, 10 steps |
//! | | a running node's lease reclaimed by its last report | breaks, 10 steps |
//! | | resize not idempotent | breaks, 12 steps |
//! | | a refused ask leaves its number to the next | breaks, 18 steps |
//! | | store told of a shrink before the right is dropped | breaks, 11 steps |
//! | | an answer taken for a new lease | breaks, 9 steps |
//! | | asynchronous failover loses a grant | breaks, 10 steps |
//! | C, `chain.rs`: two budgets to hold at once, limits edited | faithful, one node, limits to 3, bound 1 | holds, 180,224 states |
//! | | faithful, two nodes, limits to 3, bound 1 | holds, 243,712 states |
//! | | faithful, two nodes, limits to 3, bound 2 | holds, 56,512 states |
//! | | a pool of what is free, clamped at zero | breaks, 10 steps |
//! | | parent unchecked | breaks, 6 steps |
//! | | in-flight amounts returned with the idle rest | breaks, 9 steps |
//! | | half a chain compensated twice | breaks, 11 steps |
//! | D, `journal.rs`: a slice and a journal in the page cache | faithful, limit 4, bound 1 | holds, 70,888 states |
//! | | faithful, limit 5, bound 2 | holds, 110,907 states |
//! | | journal trusted after power loss | breaks, 11 steps |
//! | | record written after dispatch | breaks, 8 steps |
//! | | slice spent from before it is durable | breaks, 10 steps |
//! | | a bound's rest reserved again before the charge is written | keeps to the limit, books wrong after 7 steps |
//!
//! The tests hold these figures fast: a change of a model shows here.
//!
//! **The provider bills at once.** In all models the bill is chosen when a call is sent, anything from nothing to its
//! bound, and counts from then on, whether or not the node ever hears of it. A real bill may come later. But no step looks
//! at a bill before its answer, and sums of bills only rise: whatever a later bill could break, the early one breaks.
//! A request that is lost on its way is one with a bill of nothing.
//!
//! **The books.** The faithful variants also keep, in every state, the rules of the ledger that are about its books:
//!
//! | Rule | |
//! |---|---|
//! | I1 | what is billed is no more than what is allocated, and no node may spend more than its lease |
//! | I2 | allocated is the sum of the leases, and no lease is charged more than its amount |
//! | I3 | a grant never brings what is allocated above the limit |
//! | I4 | on its node, a lease is what is left, reserved and charged |
//! | I11 | after a crash and the recovery from it, no less is charged than was billed |
//! | I15 | what is charged to the parent is what is charged to its children |
//!
//! **Not modelled**: the end of a period, bills above their bound, prices that change, a store restored from a copy, and
//! stranded money that an operator releases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests fail loudly, and these say what they found"
)]

mod chain;
mod journal;
mod leases;
mod one_node;
mod search;
