//! The whole-system tests, one file per noun.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "tests fail loudly, and their tables are long"
)]
#[macro_use]
mod contract;

mod adjustments;
mod agents;
mod alerts;
mod apply;
mod attacks;
mod audit;
mod audit_chain;
mod batch_lines;
mod batch_program;
mod batches;
mod budgets;
mod calls;
mod catalogue_sync;
mod classifiers;
mod cli;
mod conversations;
mod doctor;
mod explain;
mod files;
mod fine_tuned;
mod fixtures;
mod groups;
mod hard_limits;
mod idempotency;
mod key_hygiene;
mod keys;
mod ledger;
mod libraries;
mod listener;
mod model_roles;
mod ocr;
mod old_secrets;
mod oracle;
mod people;
mod program;
mod rates;
mod realtime;
mod reconcile;
mod responses;
mod retention;
mod rotation_servers;
mod rotations;
mod secret_destinations;
mod secrets;
mod servers;
mod settlement;
mod sign_in;
mod simulation;
mod speech;
mod store;
mod transcriptions;
mod upstream_rotations;
mod upstreams;
mod verify;
