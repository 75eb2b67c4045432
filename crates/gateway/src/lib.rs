//! The data plane: a call comes in, is judged by a snapshot of the rules, goes upstream, and leaves its usage.
//!
//! `pipeline.rs` reads like the list of what happens to a call; each step takes the value that the step before made.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod admit;
mod asker;
mod attempts;
mod authn;
mod batches;
mod connection;
mod credentials;
mod documents;
mod edge;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod head_check;
mod intake;
mod judge;
mod last_used;
mod ledger;
mod listing;
mod model_sightings;
mod objects;
mod pipeline;
mod realtime;
mod redact;
mod references;
mod relay;
mod reply;
mod reserve;
mod rounds;
mod servers;
mod settings;
mod settle;
mod snapshot;
mod spool;
mod turns;
mod uploads;
mod upstream;
mod worker;

pub use batches::Batches;
pub use documents::Documents;
pub use ledger::{Ledger, Refiller};
pub use model_sightings::{Lookout, Shelf};
pub use pipeline::{Fallback, Gateway, Plane, State, Visitor};
pub use reply::{Body, BoxError};
pub use settings::{CallBounds, ExactInput, ServerKind, Settings, Timeouts, UpstreamTarget};
pub use settle::UsageWriter;
pub use snapshot::{Snapshot, SnapshotError, Source};
pub use worker::{Workers, serve};
