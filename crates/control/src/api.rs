//! The admin API in JSON: each file reads and shows one noun, and decides nothing.

pub(crate) mod actors;
pub(crate) mod adjustments;
pub(crate) mod admin_keys;
pub(crate) mod alert_channels;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod budgets;
pub(crate) mod custom_roles;
pub(crate) mod explain;
pub(crate) mod groups;
pub(crate) mod invitations;
pub(crate) mod key_hygiene;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod mistral;
pub(crate) mod model_roles;
pub(crate) mod model_sightings;
pub(crate) mod models;
pub(crate) mod objects;
pub(crate) mod old_secrets;
pub(crate) mod organizations;
pub(crate) mod rotation_policies;
pub(crate) mod rotations;
pub(crate) mod secret_destinations;
pub(crate) mod service_accounts;
pub(crate) mod simulation;
pub(crate) mod upstreams;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod workspaces;

use axum::response::Response;
use std::sync::Arc;

/// The state of every handler.
type Shared = axum::extract::State<Arc<crate::Control>>;
/// What every handler answers.
type Answer = Result<Response, crate::error::ControlError>;
