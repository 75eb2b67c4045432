//! The rules that every other crate obeys, with no IO: who a caller is, what a call may do, what it costs.
//!
//! Law of this crate: no IO, no async, no ambient clock or randomness, no vendor's wire. Time comes in as
//! [`time::Timestamp`], randomness as [`entropy::Entropy`].
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod access;
pub mod actions;
pub mod admission;
pub mod alert_channels;
pub mod alerts;
pub mod audit;
pub mod budgets;
pub mod calendar;
pub mod chain;
pub mod deliveries;
pub mod endpoints;
pub mod entropy;
pub mod explanation;
pub mod folding;
pub mod groups;
pub mod health;
pub mod id;
pub mod invitations;
pub mod key_hygiene;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod model_roles;
pub mod model_sightings;
pub mod models;
pub mod money;
pub mod network;
pub mod objects;
pub mod old_secrets;
pub mod one_time_codes;
pub mod organizations;
pub mod passwords;
pub mod prices;
pub mod rates;
pub mod refusal;
pub mod reserve;
pub mod roles;
pub mod rotation_policies;
pub mod rotations;
pub mod secret;
pub mod secret_destinations;
pub mod sessions;
pub mod settlement;
pub mod sign_in;
pub mod sign_in_links;
pub mod simulation;
pub mod storage;
pub mod time;
pub mod tokens;
pub mod trials;
pub mod usage;
pub mod users;
pub mod workspaces;
