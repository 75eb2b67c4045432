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

pub mod browser;
pub mod caller;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod database;
pub mod faults;
pub mod form;
pub mod installation;
pub mod oracle;
pub mod program;
pub mod random;
pub mod run;
pub mod scene;
pub mod system;
pub mod workload;
