//! `/v1/admin/api-keys`: API keys.

use super::paging::{free, whole};
use super::{Answer, Shared};
use crate::actions::keys::{self as actions, NewKey};
use crate::actions::workspaces;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::{Action as Deed, decide};
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, KeyKind, KeyStatus};
use louver_domain::time::Timestamp;
use louver_mistral::admin;
use louver_mistral::admin::api_keys::{
    APIKeyActions, APIKeyExtendedOUT, APIKeyOUT, APIKeyProduct, APIKeysExtendedOUT, Action,
    AdminCreateAPIKeyIN, DeleteAPIKeyOUT, DeleteUnavailableReason, RotateUnavailableReason,
};
use louver_mistral::admin::values::{Date, Text, Time};
use louver_store::keys::Filter;
use std::collections::HashMap;
use uuid::Uuid;

const MOST: i64 = 1000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The characters of a date in an RFC 3339 time.
const DATE: usize = 10;
/// The last day that a time can be read of.
const LAST_DAY: &str = "9999-12-30";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/admin/api-keys", Deed::ReadApiKeys, list)
        .post("/v1/admin/api-keys", Deed::CreateOwnApiKey, create)
        .delete("/v1/admin/api-keys/{key_id}", Deed::RevokeApiKey, delete)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let limit =
        whole(&mut params, "limit")?.map_or(admin::API_KEYS_LIMIT, |n| n.clamp(0, MOST).unsigned_abs());
    let offset = whole(&mut params, "offset")?.unwrap_or(0).max(0).unsigned_abs();
    let search = free(&mut params, "name")?;
    params.done()?;
    let filter = Filter { search, offset, ..Filter::default() };
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let keys = actions::list(&control, &context, filter, limit).await?;
    let names = workspaces::list(&control, &context).await?;
    let names: HashMap<WorkspaceId, String> = names.into_iter().map(|one| (one.id, one.name)).collect();
    let keys = keys.iter().map(|key| extended(&context, key, names.get(&key.workspace_id))).collect();
    Ok(reply::ok(&APIKeysExtendedOUT { keys }))
}

fn extended(context: &Context, key: &ApiKey, workspace: Option<&String>) -> APIKeyExtendedOUT {
    let key_out = shown(context, key, None);
    APIKeyExtendedOUT {
        can_delete: Some(matches!(key_out.actions.delete, Some(Action::Available))),
        key: key_out,
        workspace_id: Some(Uuid::from_bytes(key.workspace_id.bytes())),
        workspace_name: workspace.cloned(),
        created_by: key.created_by.clone(),
        product: Some(APIKeyProduct::Api),
        last_used: key.last_used_at.and_then(day),
    }
}

fn shown(context: &Context, key: &ApiKey, secret: Option<&str>) -> APIKeyOUT {
    // The last day on which it is accepted, not the first on which it is not.
    let last_moment = |end: Timestamp| Timestamp::from_micros(end.micros().saturating_sub(1));
    APIKeyOUT {
        key_id: Uuid::from_bytes(key.id.bytes()),
        key: secret.map(str::to_owned),
        name: Some(key.name.clone()),
        hidden_key: format!("{}...{}", KeyKind::Api.prefix(), key.last_four),
        created_at: Some(Time(key.created_at.rfc3339())),
        expiration_date: key.expires_at.map(last_moment).and_then(day),
        actions: available(context, key),
    }
}

fn day(at: Timestamp) -> Option<Date> {
    Date::parse(at.rfc3339().get(..DATE)?)
}

/// What the caller may do with a key. A new secret for an old key is not given out over this API.
fn available(context: &Context, key: &ApiKey) -> APIKeyActions {
    let may = |deed| decide(&context.actor, deed, actions::resource(key)).is_ok();
    let rotate = match () {
        () if !may(Deed::UpdateApiKey) => RotateUnavailableReason::NotAllowed,
        () if key.expires_at.is_some_and(|end| end <= context.now) => RotateUnavailableReason::KeyExpired,
        () => RotateUnavailableReason::UnsupportedScope,
    };
    let delete = match may(Deed::RevokeApiKey) {
        true => Action::Available,
        false => Action::Unavailable { reason: Some(DeleteUnavailableReason::NotAllowed) },
    };
    APIKeyActions { rotate: Some(Action::Unavailable { reason: Some(rotate) }), delete: Some(delete) }
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(asked)): Body<Object<AdminCreateAPIKeyIN>>,
) -> Answer {
    let owner = UserId::from_bytes(asked.user_id.into_bytes());
    let name = asked.name.map_or_else(|| default_name(context.now), Text::into_string);
    let new = NewKey {
        name,
        workspace_id: Some(WorkspaceId::from_bytes(asked.workspace_uuid.into_bytes())),
        owner_user_id: Some(owner),
        expires_at: asked.expiration.as_ref().map(end_of),
        ..NewKey::default()
    };
    let made = actions::create(&control, &context, new).await.map_err(as_of_mistral)?;
    Ok(reply::ok(&shown(&context, &made.key, Some(made.secret.expose()))))
}

/// A key is accepted through the whole of the day it is said to expire on, in UTC.
fn end_of(date: &Date) -> Timestamp {
    let begins = Timestamp::parse(date.as_str()).or_else(|| Timestamp::parse(LAST_DAY));
    begins.unwrap_or(Timestamp::from_micros(i64::MAX)).plus_seconds(SECONDS_PER_DAY)
}

/// What a key is called that nobody gave a name.
fn default_name(now: Timestamp) -> String {
    let day = now.rfc3339();
    format!("API key of {}", day.get(..DATE).unwrap_or_default())
}

fn no_user() -> ControlError {
    ControlError::NotHere("there is no such user in the organization".into())
}

/// Well-formed ids that name nothing are a 404 here, and what does not fit is a 409.
fn as_of_mistral(error: ControlError) -> ControlError {
    let (ControlError::Invalid(fault) | ControlError::Concealed(fault)) = error else { return error };
    match (fault.param().as_str(), fault.message.as_str()) {
        ("owner_user_id", _) => no_user(),
        ("workspace_id", message) if message.starts_with("names no ") => {
            ControlError::NotHere("there is no such workspace in the organization".into())
        }
        ("workspace_id", _) => ControlError::Conflict("the workspace is archived".into()),
        ("expires_at", message) => ControlError::Conflict(format!("expiration {message}")),
        _ => ControlError::Invalid(fault),
    }
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<Uuid>) -> Answer {
    let id = KeyId::from_bytes(id.into_bytes());
    // What was deleted is not there any more.
    if actions::get(&control, &context, id).await?.status == KeyStatus::Revoked {
        return Err(ControlError::NotFound);
    }
    actions::revoke(&control, &context, id).await?;
    Ok(reply::ok(&DeleteAPIKeyOUT { detail: "the API key is deleted".to_owned() }))
}
