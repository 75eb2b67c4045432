//! The only crate that names a database: one set of SQL for SQLite and PostgreSQL, one file per noun.
//!
//! Reads take the [`Store`]; admin writes take a [`Tx`], which commits only together with its audit event and bumps
//! the revision in the same transaction, so that every gateway learns of it.

pub mod admin_keys;
pub mod alert_channels;
pub mod alerts;
pub mod audit;
pub mod custom_roles;
pub mod db;
pub mod deliveries;
mod dialect;
pub mod error;
pub mod grants;
pub mod groups;
pub mod idempotency;
pub mod invitations;
pub mod journal;
pub mod key_hygiene;
pub mod keys;
pub mod ledger;
pub mod members;
mod migrations;
pub mod model_roles;
pub mod model_sightings;
pub mod models;
pub mod objects;
pub mod old_secrets;
pub mod organizations;
pub mod passwords;
pub mod retention;
pub mod revision;
pub mod rotation_policies;
pub mod rotations;
pub mod seal;
pub mod second_factors;
pub mod secret_destinations;
pub mod service_accounts;
pub mod sessions;
pub mod sign_in_attempts;
pub mod sign_in_links;
pub mod snapshot;
pub mod upstream_rotations;
pub mod upstreams;
pub mod usage;
pub mod users;
pub mod workspaces;

pub use db::{Store, Tx};
pub use error::StoreError;
pub use migrations::{Schema, schema};
