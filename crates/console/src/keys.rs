//! Keys: which there are, one of them, and everything that can be done with one.

mod create;
mod edit;
mod form;
mod leaked;
mod list;
mod one;
mod rotate;
mod secret;
mod turns;
mod unused;
mod words;

use crate::failure::Failure;
use crate::frame::Visit;
use axum::Router;
use axum::routing::{get, post};
use louver_control::Control;
use louver_control::actions::keys;
use louver_control::error::ControlError;
use louver_control::idempotency::Once;
use louver_domain::id::KeyId;
use louver_domain::keys::ApiKey;
use std::sync::Arc;

const KEYS: (&str, &str) = ("Keys", "/console/keys");

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/keys", get(list::show))
        .route("/console/keys/new", get(create::ask).post(Once(create::make)))
        .route("/console/keys/unused", get(unused::show).post(unused::act))
        .route("/console/keys/leaked", get(leaked::ask).post(leaked::report))
        .route("/console/keys/{key}", get(one::show))
        .route("/console/keys/{key}/edit", get(edit::ask).post(edit::change))
        .route("/console/keys/{key}/rotate", get(rotate::ask).post(Once(rotate::rotate)))
        .route("/console/keys/{key}/rotation", post(rotate::begin))
        .route("/console/keys/{key}/disable", post(turns::disable))
        .route("/console/keys/{key}/enable", post(turns::enable))
        .route("/console/keys/{key}/revoke", post(turns::revoke))
        .route("/console/keys/{key}/exemption", get(turns::ask_exemption).post(turns::exempt))
        .route("/console/keys/{key}/exemption/lift", post(turns::lift))
}

/// The key that an address names.
async fn find(control: &Control, visit: &Visit, text: &str) -> Result<ApiKey, Failure> {
    let id = KeyId::parse(text).ok_or(ControlError::NotFound)?;
    Ok(keys::get(control, &visit.context, id).await?)
}

/// The address of a key's page.
fn place(key: &ApiKey) -> String {
    format!("/console/keys/{}", key.id)
}
