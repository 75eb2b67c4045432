//! `/v1/api-keys`: the short key API.

use super::{Answer, Shared};
use crate::actions::keys as actions;
use crate::actions::limits::LimitsPatch;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, ServiceAccountId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::limits::Limits;
use louver_domain::money::Money;
use louver_domain::network::Cidr;
use louver_domain::time::Timestamp;
use louver_store::keys::Filter;
use serde::Serialize;
use serde_json::json;

const LONGEST_UNUSED_DAYS: u32 = 36_500;
const SECONDS_PER_DAY: i64 = 86_400;
const STATUSES: [&str; 4] = ["active", "disabled", "revoked", "expired"];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/api-keys", Action::ReadApiKeys, list)
        .post("/v1/api-keys", Action::CreateOwnApiKey, create)
        .get("/v1/api-keys/{id}", Action::ReadApiKeys, one)
        .patch("/v1/api-keys/{id}", Action::RenameOwnApiKey, update)
        .delete("/v1/api-keys/{id}", Action::RevokeApiKey, revoke)
        .post("/v1/api-keys/{id}/disable", Action::DisableApiKey, disable)
        .post("/v1/api-keys/{id}/enable", Action::EnableApiKey, enable)
        .get("/v1/gateway/keys/{id}/limits", Action::ReadApiKeys, limits)
        .patch("/v1/gateway/keys/{id}/limits", Action::UpdateApiKey, update_limits)
}

/// A key without its secret.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: String,
    object: &'static str,
    hidden_key: String,
    name: String,
    description: Option<String>,
    workspace_id: String,
    allowed_models: Option<Vec<String>>,
    rate_limit_rpm: Option<u64>,
    tokens_per_minute: Option<u64>,
    monthly_budget_usd: Option<Money>,
    limits: Limits,
    role: Option<String>,
    allowed_endpoints: Option<Vec<String>>,
    allowed_cidrs: Option<Vec<Cidr>>,
    owner_user_id: Option<UserId>,
    service_account_id: Option<ServiceAccountId>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    status: &'static str,
}

/// A key just made: the one answer that holds the secret.
#[derive(Serialize)]
struct ShownOnce<'a> {
    #[serde(flatten)]
    shown: Shown,
    key: &'a str,
    api_key: &'a str,
}

impl Shown {
    pub(crate) fn of(key: &ApiKey, now: Timestamp) -> Self {
        let (user, account) = match key.owner {
            Owner::Workspace => (None, None),
            Owner::User(id) => (Some(id), None),
            Owner::ServiceAccount(id) => (None, Some(id)),
        };
        Self {
            id: key.id.prefixed(),
            object: "api_key",
            hidden_key: key.hidden(),
            name: key.name.clone(),
            description: key.description.clone(),
            workspace_id: key.workspace_id.prefixed(),
            allowed_models: key.limits.allowed_models.clone(),
            rate_limit_rpm: key.limits.requests_per_minute,
            tokens_per_minute: key.limits.tokens_per_minute,
            monthly_budget_usd: key.limits.monthly_budget_usd,
            limits: key.limits.clone(),
            role: key.role.clone(),
            allowed_endpoints: key.allowed_endpoints.clone(),
            allowed_cidrs: key.allowed_cidrs.clone(),
            owner_user_id: user,
            service_account_id: account,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
            status: key.shown_status(now),
        }
    }
}

fn read_id(text: &str) -> Result<KeyId, ControlError> {
    KeyId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    let filter = read_filter(&context, &mut params, asked.after)?;
    params.done()?;
    let keys = actions::list(&control, &context, filter, asked.limit.saturating_add(1)).await?;
    let page = Page::of_one_more(keys, asked.limit);
    Ok(reply::ok(&page.map(|key| Shown::of(&key, context.now))))
}

fn read_filter(
    context: &Context,
    params: &mut Params,
    after: Option<String>,
) -> Result<Filter, ControlError> {
    let unused_days = params.number("unused_days", 0..=LONGEST_UNUSED_DAYS)?;
    let before = |days: u32| {
        context.now.plus_seconds(i64::from(days).saturating_mul(SECONDS_PER_DAY).saturating_neg())
    };
    let status = |text: &str| STATUSES.contains(&text).then(|| text.to_owned());
    let not_an_id = || ControlError::parameter("after", "expected the id of a key");
    Ok(Filter {
        workspace: params.parsed(
            "workspace_id",
            "a UUID or ws_ and 32 hexadecimal digits",
            WorkspaceId::parse,
        )?,
        name: params.take("name")?,
        owner: None,
        search: None,
        offset: 0,
        status: params.parsed("status", "active, disabled, revoked or expired", status)?,
        unused_since: unused_days.map(before),
        after: after.map(|text| KeyId::parse(&text).ok_or_else(not_an_id)).transpose()?,
    })
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(new)): Body<Object<actions::NewKey>>,
) -> Answer {
    let made = actions::create(&control, &context, new).await?;
    let secret = made.secret.expose();
    Ok(reply::ok(&ShownOnce { shown: Shown::of(&made.key, context.now), key: secret, api_key: secret }))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let key = actions::get(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&Shown::of(&key, context.now)))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(patch)): Body<Object<actions::KeyPatch>>,
) -> Answer {
    let key = actions::update(&control, &context, read_id(&id)?, patch).await?;
    Ok(reply::ok(&Shown::of(&key, context.now)))
}

async fn limits(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let key = actions::get(&control, &context, read_id(&id)?).await?;
    reply::tagged(&control, &key.limits)
}

async fn update_limits(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(patch)): Body<Object<LimitsPatch>>,
) -> Answer {
    let key = actions::update_limits(&control, &context, read_id(&id)?, patch).await?;
    reply::tagged(&control, &key.limits)
}

async fn revoke(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let key = actions::revoke(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&json!({"id": key.id.prefixed(), "object": "api_key.deleted", "deleted": true})))
}

async fn disable(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let key = actions::disable(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&Shown::of(&key, context.now)))
}

async fn enable(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let key = actions::enable(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&Shown::of(&key, context.now)))
}
