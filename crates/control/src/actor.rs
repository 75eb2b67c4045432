//! Who is calling: the holder of an admin key, or nobody.

use crate::Control;
use crate::error::ControlError;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use louver_domain::access::Actor;
use louver_domain::keys::{KeyKind, read_public_id, same_fingerprint};
use louver_store::admin_keys;
use std::sync::Arc;

const API_KEY_HEADER: &str = "x-api-key";

/// Lets a request through with its [`Actor`] among the extensions, before its body is read; all failures look alike.
pub(crate) async fn authenticate(
    State(control): State<Arc<Control>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ControlError> {
    let actor = match presented(request.headers()) {
        Some(key) => holder(&control, key).await?,
        None => return Err(ControlError::Unauthorized),
    };
    request.extensions_mut().insert(actor);
    Ok(next.run(request).await)
}

/// The one key that the headers present; none when there are two that differ, or a header twice.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = single(headers, AUTHORIZATION.as_str())?.map(read_bearer);
    let plain = single(headers, API_KEY_HEADER)?;
    match (bearer, plain) {
        (Some(bearer), None) => bearer,
        (None, plain) => plain,
        (Some(bearer), Some(plain)) => bearer.filter(|key| *key == plain),
    }
}

/// The header's one value, or that it is absent; `None` when it is there twice or is no text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

fn read_bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key)
}

async fn holder(control: &Control, key: &str) -> Result<Actor, ControlError> {
    let public_id = read_public_id(KeyKind::Admin, key).ok_or(ControlError::Unauthorized)?;
    let found = admin_keys::find(&control.store, public_id).await?;
    let fingerprint = control.pepper.fingerprint(key);
    // An unknown id is compared too, so that the time does not tell which ids exist.
    let stored = found.as_ref().map_or([0; 32], |known| known.fingerprint);
    let same = same_fingerprint(&fingerprint, &stored);
    let known = found.filter(|known| same && known.is_accepted(control.clock.now()));
    let known = known.ok_or(ControlError::Unauthorized)?;
    Ok(Actor::AdminKey { id: known.id, name: known.name, organization_id: known.organization_id })
}
