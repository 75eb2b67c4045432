//! The control plane: who may change the rules, how they change, and the admin API that asks for it.
//!
//! `actions` holds the rules, one file per noun; `api` reads and shows JSON only; `error` is the one place where an
//! error becomes an answer. A change is loaded within its organization, decided, written with its audit event in one
//! transaction, and answered when the gateway of this process has taken it over.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod actions;
mod actor;
pub mod alerting;
mod api;
pub mod auditing;
pub mod context;
pub mod delivery;
pub mod destinations;
pub mod error;
mod exchange;
pub mod idempotency;
mod intake;
mod key_holder;
pub mod key_watch;
pub mod last_used;
pub mod openapi;
mod page;
pub mod passwords;
mod reply;
pub mod retention;
pub mod rotating;
pub mod routes;
pub mod session;
mod visible;

use crate::context::Context;
use crate::error::ControlError;
use axum::Router;
use axum::middleware;
use louver_domain::entropy::Entropy;
use louver_domain::health::Watch;
use louver_domain::keys::Pepper;
use louver_domain::ledger::InHand;
use louver_domain::time::Clock;
use louver_store::revision;
use louver_store::seal::MasterKey;
use louver_store::{Store, Tx};
use routes::{Operation, Routes};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The longest an answer waits for the gateway beside it to take a change over.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Calls of tools that a call is taken to make at most, where the settings say nothing else.
pub const DEFAULT_TOOL_CALLS: u64 = 16;

/// What the control plane works with.
pub struct Control {
    /// The database.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids and secrets.
    pub entropy: Arc<dyn Entropy>,
    /// Makes the fingerprints of keys.
    pub pepper: Arc<Pepper>,
    /// Seals upstream credentials, the addresses of alert channels, and credentials of destinations.
    pub master: Arc<MasterKey>,
    /// The revision that the gateway in this process decides by.
    pub applied: watch::Receiver<i64>,
    /// What the gateway in this process has in hand of budgets, where there is one.
    pub in_hand: Option<Arc<dyn InHand>>,
    /// What the gateway in this process knows of upstream servers and credentials, where there is one.
    pub upstreams: Option<Arc<dyn Watch>>,
    /// What alerts leave by.
    pub outbound: Arc<delivery::Outbound>,
    /// How many workspaces an organization may have that are not archived.
    pub max_active_workspaces: u64,
    /// The names of upstreams in the settings, beside the first one.
    pub servers: Vec<String>,
    /// Calls of tools that a call is taken to make at most, as the gateway has it.
    pub max_tool_calls: u64,
    /// What this node knows of its audit log.
    pub audit: Arc<auditing::Auditing>,
    /// The last uses of admin keys that wait to be written down.
    pub last_used: last_used::LastUsed,
    /// Where new secrets are tried, and what wakes the watch over rotations.
    pub rotating: rotating::Rotating,
    /// Hashes passwords.
    pub passwords: passwords::Passwords,
    /// The cookie of sessions.
    pub cookie: session::Cookie,
    /// What the settings of this node let destinations of secrets do.
    pub destinations: destinations::Bounds,
    /// How long is kept what is over.
    pub retention: retention::Retention,
}

impl Control {
    /// For a process without a gateway (`init`, `admin-key`): nothing is waited for after a change.
    pub fn offline(
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        pepper: Arc<Pepper>,
        master: Arc<MasterKey>,
    ) -> Self {
        let (_, applied) = watch::channel(i64::MAX);
        Self {
            store,
            clock,
            entropy,
            pepper,
            master,
            applied,
            in_hand: None,
            upstreams: None,
            outbound: Arc::default(),
            max_active_workspaces: actions::workspaces::DEFAULT_MAX_ACTIVE,
            servers: Vec::new(),
            max_tool_calls: DEFAULT_TOOL_CALLS,
            audit: Arc::default(),
            last_used: last_used::LastUsed::default(),
            rotating: rotating::Rotating::default(),
            passwords: passwords::Passwords::default(),
            cookie: session::Cookie::default(),
            destinations: destinations::Bounds::default(),
            retention: retention::Retention::default(),
        }
    }

    /// Begins a deed: what is loaded from here on stays true until the commit, and so does what the actor may do. None
    /// begins while the audit log cannot be kept.
    pub(crate) async fn begin(&self, context: &Context) -> Result<Tx, ControlError> {
        self.audit.admits_changes(self.clock.now())?;
        let mut tx = revision::begin_deed(&self.store).await?;
        actor::must_be_unchanged(self, context, &mut tx).await?;
        idempotency::mark(context, &mut tx).await?;
        Ok(tx)
    }

    /// Waits until the gateway beside us decides by `revision`, so that the caller's next request meets the change.
    /// The change is committed in any case; a gateway that lags is only warned about.
    pub(crate) async fn settle(&self, revision: i64) {
        let mut applied = self.applied.clone();
        let caught_up = tokio::time::timeout(LONGEST_WAIT, applied.wait_for(|seen| *seen >= revision)).await;
        if !matches!(caught_up, Ok(Ok(_))) {
            tracing::warn!(revision, "the gateway has not taken over a committed change yet");
        }
    }
}

/// The routes of the admin API.
fn routes() -> Routes {
    api::keys::routes()
        .and(api::old_secrets::routes())
        .and(api::rotations::routes())
        .and(api::rotation_policies::routes())
        .and(api::budgets::routes())
        .and(api::explain::routes())
        .and(api::actors::routes())
        .and(api::organizations::routes())
        .and(api::workspaces::routes())
        .and(api::members::routes())
        .and(api::groups::routes())
        .and(api::users::routes())
        .and(api::invitations::routes())
        .and(api::custom_roles::routes())
        .and(api::service_accounts::routes())
        .and(api::model_roles::routes())
        .and(api::model_sightings::routes())
        .and(api::models::routes())
        .and(api::upstreams::routes())
        .and(api::usage::routes())
        .and(api::adjustments::routes())
        .and(api::objects::routes())
        .and(api::simulation::routes())
        .and(api::alert_channels::routes())
        .and(api::alerts::routes())
        .and(api::secret_destinations::routes())
        .and(api::key_hygiene::routes())
        .and(api::audit::routes())
        .and(api::mistral::routes())
}

/// The table of the routes.
pub fn operations() -> Vec<Operation> {
    routes().operations().to_vec()
}

/// The admin API: `/v1/api-keys`, `/v1/gateway/…` and `/v1/admin/…`. Each request needs a
/// [`context::RequestContext`] among its extensions.
pub fn router(control: Arc<Control>) -> Router {
    router_with(control, None)
}

/// The admin API, and its description.
pub fn router_with(control: Arc<Control>, site: Option<openapi::Site>) -> Router {
    let guard = middleware::from_fn_with_state(Arc::clone(&control), actor::authenticate);
    let (mut guarded, mut open) = routes().into_routers();
    match site.map(|site| (site.access(), site.router())) {
        Some((openapi::Access::Admin, site)) => guarded = guarded.merge(site),
        Some((openapi::Access::Open, site)) => open = open.merge(site),
        None => {}
    }
    guarded
        .method_not_allowed_fallback(error::method_not_allowed)
        .route_layer(guard)
        .merge(open.method_not_allowed_fallback(error::method_not_allowed))
        .fallback(error::no_route)
        .layer(middleware::from_fn(error::funnel))
        .with_state(control)
}

#[cfg(test)]
mod tests;
