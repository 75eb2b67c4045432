//! Runs the system whole: a node or several, the simulator as upstream, a hand-moved clock, and clients over HTTP.
//!
//! Nothing depends on this crate. Its failures are failures of a test, so that it may panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test harness fails loudly"
)]

pub mod client;
pub mod clock;
pub mod database;
pub mod system;
