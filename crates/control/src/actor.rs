//! Who is calling: the holder of an admin key, a person in a session, or nobody.

use crate::Control;
use crate::auditing::attempts::{self, Asked};
use crate::context::{Context, Credential, RequestContext};
use crate::error::ControlError;
use crate::routes::AskedFor;
use crate::session;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use louver_domain::access::{Actor, Identity, Rights};
use louver_domain::id::{AdminKeyId, SessionId};
use louver_domain::keys::{
    AdminHolder, AdminKey, Fingerprint, KeyKind, KeyStatus, PublicId, read_public_id, same_fingerprint,
};
use louver_domain::time::Timestamp;
use louver_domain::trials;
use louver_store::old_secrets::Of;
use louver_store::{Tx, admin_keys, grants, old_secrets, sessions};
use std::sync::Arc;

const API_KEY_HEADER: &str = "x-api-key";

/// Lets a request through with its [`Actor`] among the extensions, before its body is read; all failures look alike.
pub(crate) async fn authenticate(
    State(control): State<Arc<Control>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ControlError> {
    let origin = request.extensions().get::<RequestContext>().copied();
    let (actor, credential) =
        caller(&control, request.method().clone(), request.headers().clone(), origin).await?;
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let asked = Asked::new(request.method().as_str(), route, request.uri().path(), origin);
    let address = origin.map(|origin| origin.address);
    if let Credential::AdminKey { key, secret } = credential
        && !is_try(&control, secret, request.headers())
    {
        control.last_used.note((key, secret), control.clock.now(), address, request.headers());
    }
    request.extensions_mut().insert(actor.clone());
    request.extensions_mut().insert(credential);
    let response = next.run(request).await;
    // What a path names and is not there counts as a refusal too: it may be somebody else's.
    let named = asked.route.contains('{');
    let error = response.extensions().get::<Arc<ControlError>>().filter(|e| e.is_refusal(named)).cloned();
    let action = response.extensions().get::<AskedFor>().map(|asked| asked.0);
    if let Some(error) = error {
        attempts::refused(&control, &actor, action, &error, asked).await;
    }
    Ok(response)
}

/// Whether this is a try of the secret by a rotation, which is no use of it.
fn is_try(control: &Control, secret: PublicId, headers: &HeaderMap) -> bool {
    let now = control.clock.now();
    let mark = headers.get(trials::HEADER).and_then(|mark| mark.to_str().ok());
    let shown = mark.zip(presented(headers));
    let marked_at = shown.and_then(|(mark, key)| trials::read(&control.pepper, key, mark, now));
    marked_at.is_some_and(|at| control.last_used.is_first_try(secret, at, now))
}

/// Who a request is by: a key in its headers decides, and only where there is none the cookie of a session.
async fn caller(
    control: &Arc<Control>,
    method: Method,
    headers: HeaderMap,
    origin: Option<RequestContext>,
) -> Result<(Actor, Credential), ControlError> {
    if headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY_HEADER) {
        let key = presented(&headers).ok_or(ControlError::Unauthorized)?;
        return holder(control, key, origin).await;
    }
    let found = session::of_api(control, &method, &headers).await?;
    let found = found.ok_or(ControlError::Unauthorized)?;
    let credential = found.credential();
    Ok((found.actor, credential))
}

/// The one key that the headers present; none when there are two that differ, or a header twice.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
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

async fn holder(
    control: &Arc<Control>,
    key: &str,
    origin: Option<RequestContext>,
) -> Result<(Actor, Credential), ControlError> {
    let public_id = read_public_id(KeyKind::Admin, key).ok_or(ControlError::Unauthorized)?;
    let found = find(control, public_id).await?;
    let fingerprint = control.pepper.fingerprint(key);
    // An unknown id is compared too, so that the time does not tell which ids exist.
    let stored = found.as_ref().map_or([0; 32], |found| found.fingerprint);
    let same = same_fingerprint(&fingerprint, &stored);
    let Some(Found { key: known, retires_at, .. }) = found else {
        let request = origin.map(|origin| origin.request_id.to_string());
        tracing::info!(request_id = request, "an unknown admin key was shown");
        return Err(ControlError::Unauthorized);
    };
    let now = control.clock.now();
    let reason = match (same, known.status) {
        (false, _) => Some("wrong_secret"),
        (true, _) if retires_at.is_some_and(|end| end <= now) => Some("rotated"),
        (true, KeyStatus::Active) if known.is_accepted(now) => None,
        (true, KeyStatus::Active) => Some("expired"),
        (true, status) => Some(status.as_str()),
    };
    if let Some(reason) = reason {
        attempts::not_accepted(control, &known, reason, origin);
        return Err(ControlError::Unauthorized);
    }
    let actor = actor_of(control, &known).await;
    if matches!(actor, Err(ControlError::Unauthorized)) {
        attempts::not_accepted(control, &known, "holder_is_gone", origin);
    }
    actor.map(|actor| (actor, Credential::AdminKey { key: known.id, secret: public_id }))
}

/// An admin key by one of its secrets.
struct Found {
    key: AdminKey,
    fingerprint: Fingerprint,
    /// From when on this secret is refused.
    retires_at: Option<Timestamp>,
}

async fn find(control: &Control, public_id: PublicId) -> Result<Option<Found>, ControlError> {
    if let Some(key) = admin_keys::find(&control.store, public_id).await? {
        return Ok(Some(Found { fingerprint: key.fingerprint, key, retires_at: None }));
    }
    let Some((id, old)) = old_secrets::find_admin(&control.store, public_id).await? else {
        return Ok(None);
    };
    let key = admin_keys::get(&control.store, id).await?;
    Ok(key.map(|key| Found { key, fingerprint: old.fingerprint, retires_at: old.retires_at }))
}

/// Inside a deed's transaction: the key of the request is still accepted, and whoever it stands for may do what they could
/// when the request came. Between the two a body may have taken its time.
pub(crate) async fn must_be_unchanged(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
) -> Result<(), ControlError> {
    let Some(credential) = context.credential else { return Ok(()) };
    let rights = match credential {
        Credential::AdminKey { key, secret } => rights_of_key(control, context, tx, (key, secret)).await?,
        Credential::Session { id, .. } => rights_of_session(control, context, tx, id).await?,
    };
    if rights.ok_or(ControlError::Unauthorized)? == *context.actor.rights() {
        return Ok(());
    }
    let sentence = "what you may do has changed while the request was on its way: send it again";
    Err(ControlError::Conflict(sentence.into()))
}

/// What the holder of an admin key may do now, if the key is still accepted.
async fn rights_of_key(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    (id, secret): (AdminKeyId, PublicId),
) -> Result<Option<Rights>, ControlError> {
    let organization = context.organization_id();
    let now = control.clock.now();
    let key = admin_keys::load(tx, organization, id).await?;
    let key = key.filter(|key| key.is_accepted(now)).ok_or(ControlError::Unauthorized)?;
    if key.public_id != secret {
        let secrets = old_secrets::load(tx, organization, Of::Admin(key.id)).await?;
        let old = secrets.into_iter().flat_map(|secrets| secrets.old);
        let mut same = old.filter(|old| old.public_id == secret && old.is_accepted(now));
        same.next().ok_or(ControlError::Unauthorized)?;
    }
    Ok(match key.holder {
        AdminHolder::Organization => Some(Rights::all()),
        AdminHolder::User(id) => grants::load_rights_of(tx, organization, id).await?.map(|found| found.1),
        AdminHolder::ServiceAccount(id) => {
            grants::load_rights_of_account(tx, organization, id).await?.map(|found| found.1)
        }
    })
}

/// What the person of a session may do now, if it still lives.
async fn rights_of_session(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    id: SessionId,
) -> Result<Option<Rights>, ControlError> {
    let organization = context.organization_id();
    let session = sessions::load(tx, organization, id).await?;
    let alive = session.filter(|session| session.is_alive(control.clock.now()) && !session.needs_code);
    let session = alive.ok_or(ControlError::Unauthorized)?;
    Ok(grants::load_rights_of(tx, organization, session.user_id).await?.map(|found| found.1))
}

/// Who an admin key stands for, with what they may do now. Whoever is gone is nobody.
pub(crate) async fn actor_of(control: &Control, key: &AdminKey) -> Result<Actor, ControlError> {
    let organization = key.organization_id;
    let (identity, rights) = match key.holder {
        AdminHolder::Organization => {
            (Identity::AdminKey { id: key.id, name: key.name.clone() }, Rights::all())
        }
        AdminHolder::User(id) => {
            let found = grants::rights_of(&control.store, organization, id).await?;
            let (user, rights) = found.ok_or(ControlError::Unauthorized)?;
            (Identity::Person { id, email: user.email }, rights)
        }
        AdminHolder::ServiceAccount(id) => {
            let found = grants::rights_of_account(&control.store, organization, id).await?;
            let (account, rights) = found.ok_or(ControlError::Unauthorized)?;
            (Identity::ServiceAccount { id, name: account.name }, rights)
        }
    };
    Ok(Actor::new(identity, organization, rights))
}
