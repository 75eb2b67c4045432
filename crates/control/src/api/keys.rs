//! `/v1/api-keys`: the short key API.

use super::{Answer, Shared};
use crate::actions::keys as actions;
use crate::actions::limits::LimitsPatch;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::{Kind, PAGE, Parameter};
use crate::openapi::shapes::{self, Deleted};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, ServiceAccountId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::limits::Limits;
use louver_domain::money::Money;
use louver_domain::network::Cidr;
use louver_domain::time::Timestamp;
use louver_store::keys::Filter;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

const LONGEST_UNUSED_DAYS: u32 = 36_500;
const SECONDS_PER_DAY: i64 = 86_400;
const STATUSES: [&str; 4] = ["active", "disabled", "revoked", "expired"];

const FILTERS: &[Parameter] = &[
    Parameter::new("workspace_id", Kind::Id, "Only keys of this workspace."),
    Parameter::new("name", Kind::Text, "Only keys of this name."),
    Parameter::new("status", Kind::OneOf(&STATUSES), "Only keys of this status."),
    Parameter::new(
        "unused_days",
        Kind::Count(0, LONGEST_UNUSED_DAYS),
        "Only keys that were not used in so many days.",
    ),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/api-keys", Action::ReadApiKeys, list)
        .named("list_api_keys", "API keys")
        .query(PAGE)
        .query(FILTERS)
        .answers::<Page<Shown>>()
        .post("/v1/api-keys", Action::CreateOwnApiKey, create)
        .named("create_api_key", "Make an API key")
        .saying("The secret stands in this answer and in no other.")
        .takes::<actions::NewKey>()
        .answers::<ShownOnce<'_>>()
        .refuses(&[404, 409])
        .get("/v1/api-keys/{id}", Action::ReadApiKeys, one)
        .named("get_api_key", "One API key")
        .answers::<Shown>()
        .patch("/v1/api-keys/{id}", Action::RenameOwnApiKey, update)
        .named("update_api_key", "Change an API key")
        .takes::<actions::KeyPatch>()
        .answers::<Shown>()
        .refuses(&[409])
        .delete("/v1/api-keys/{id}", Action::RevokeApiKey, revoke)
        .named("revoke_api_key", "Revoke an API key for good")
        .answers::<Deleted>()
        .post("/v1/api-keys/{id}/disable", Action::DisableApiKey, disable)
        .named("disable_api_key", "Refuse an API key until it is enabled")
        .answers::<Shown>()
        .refuses(&[409])
        .post("/v1/api-keys/{id}/enable", Action::EnableApiKey, enable)
        .named("enable_api_key", "Accept a disabled API key again")
        .answers::<Shown>()
        .refuses(&[409])
        .tagged("api-keys")
        .get("/v1/gateway/keys/{id}/limits", Action::ReadApiKeys, limits)
        .named("get_key_limits", "The limits of an API key")
        .answers::<shapes::Limits>()
        .edited()
        .patch("/v1/gateway/keys/{id}/limits", Action::UpdateApiKey, update_limits)
        .named("update_key_limits", "Change the limits of an API key")
        .takes::<LimitsPatch>()
        .answers::<shapes::Limits>()
        .edited()
        .refuses(&[409])
        .tagged("gateway.limits")
}

/// A key without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
pub(crate) struct Shown {
    id: String,
    #[schemars(extend("const" = "api_key"))]
    object: &'static str,
    hidden_key: String,
    name: String,
    description: Option<String>,
    workspace_id: String,
    allowed_models: Option<Vec<String>>,
    rate_limit_rpm: Option<u64>,
    tokens_per_minute: Option<u64>,
    #[schemars(with = "Option<shapes::Dollars>")]
    monthly_budget_usd: Option<Money>,
    #[schemars(with = "shapes::Limits")]
    limits: Limits,
    role: Option<String>,
    #[schemars(with = "Option<Vec<shapes::Endpoint>>")]
    allowed_endpoints: Option<Vec<EndpointKind>>,
    #[schemars(with = "Option<Vec<shapes::Tool>>")]
    allowed_tools: Option<Vec<String>>,
    #[schemars(with = "Option<Vec<shapes::Block>>")]
    allowed_cidrs: Option<Vec<Cidr>>,
    #[schemars(with = "Option<shapes::Id>")]
    owner_user_id: Option<UserId>,
    #[schemars(with = "Option<shapes::Id>")]
    service_account_id: Option<ServiceAccountId>,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
    #[schemars(with = "Option<shapes::Time>")]
    last_used_at: Option<Timestamp>,
    #[schemars(with = "Option<shapes::Time>")]
    expires_at: Option<Timestamp>,
    #[schemars(extend("enum" = ["active", "disabled", "revoked", "expired"]))]
    status: &'static str,
    /// Whether it is a bait, which is refused.
    canary: bool,
}

/// A key just made: the one answer that holds the secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKeyMade")]
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
            allowed_endpoints: key.limits.allowed_endpoints.clone(),
            allowed_tools: key.limits.allowed_tools.clone(),
            allowed_cidrs: key.allowed_cidrs.clone(),
            owner_user_id: user,
            service_account_id: account,
            created_at: key.created_at,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
            status: key.shown_status(now),
            canary: key.canary,
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
