//! The console: what people see of the admin side in a browser, rendered here and without a script.
//!
//! Law of this crate: it turns the actions of `control` into pages and decides nothing. It cannot see the store. Every page
//! works without JavaScript; nothing is loaded from elsewhere, and nothing stands inline that a policy would have to allow.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod access;
mod account;
mod admin_keys;
mod alert_channels;
mod alerts;
mod answer;
mod assets;
mod audit;
mod budgets;
mod confirm;
mod courses;
mod csv;
mod destinations;
mod door;
mod failure;
mod fields;
mod figures;
mod frame;
mod groups;
mod headers;
mod keys;
mod kit;
mod limits_form;
mod members;
mod models;
mod overview;
mod own;
mod roles;
mod rotation_policies;
mod rotations;
mod sign_in;
mod sign_in_links;
mod simulation;
mod upstreams;
mod usage;
mod workspaces;

use axum::Router;
use axum::middleware;
use louver_control::Control;
use std::sync::Arc;

/// Where the console begins.
pub const HOME: &str = "/console";

/// The pages. Each request needs a [`louver_control::context::RequestContext`] among its extensions.
pub fn router(control: Arc<Control>) -> Router {
    let guard = middleware::from_fn_with_state(Arc::clone(&control), door::guard);
    let pages = Router::new()
        .merge(overview::pages())
        .merge(account::pages())
        .merge(keys::pages())
        .merge(access::pages())
        .merge(audit::pages())
        .merge(upstreams::pages())
        .merge(models::pages())
        .merge(rotations::pages())
        .merge(rotation_policies::pages())
        .merge(destinations::pages())
        .merge(admin_keys::pages())
        .merge(own::pages())
        .merge(workspaces::pages())
        .merge(members::pages())
        .merge(groups::pages())
        .merge(roles::pages())
        .merge(usage::pages())
        .merge(budgets::pages())
        .merge(simulation::pages())
        .merge(alerts::pages())
        .merge(alert_channels::pages())
        .fallback(failure::no_page)
        .method_not_allowed_fallback(failure::no_page)
        .layer(guard);
    Router::new()
        .merge(sign_in::pages())
        .merge(sign_in_links::pages())
        .merge(assets::pages())
        .merge(pages)
        .layer(middleware::from_fn_with_state(Arc::clone(&control), headers::add))
        .with_state(control)
}
