//! API keys: made with a secret that is shown once, narrowed, switched off and on, revoked.

mod own;
mod rules;

pub(crate) use own::{must_belong, reaches};

use super::{Deed, commit, names, set};
use crate::Control;
use crate::actions::limits::LimitsPatch;
use crate::api::keys::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::values::{dollars, given, given_dollars, present};
use crate::openapi::shapes;
use crate::visible::visible;
use louver_domain::access::{Action, Permit, Resource, decide};
use louver_domain::budgets::Scope;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, ServiceAccountId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, KeyKind, KeyStatus, Owner, mint};
use louver_domain::limits::{Level, Limits};
use louver_domain::money::Money;
use louver_domain::network::Cidr;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::keys as store;
pub use louver_store::keys::Filter;
use louver_store::{Tx, ledger};
use schemars::JsonSchema;
use serde::Deserialize;

/// A key to be made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "NewApiKey")]
#[schemars(extend("examples" = [{"name": "prod-backend", "allowed_models": ["mistral-small"], "rate_limit_rpm": 60}]))]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// A name for people.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
    /// The workspace; none is the default one.
    #[schemars(with = "Option<shapes::Id>")]
    pub workspace_id: Option<WorkspaceId>,
    /// Entries of its allow-list; none is what the levels above allow.
    pub allowed_models: Option<Vec<String>>,
    /// Calls in any 60 seconds.
    pub rate_limit_rpm: Option<u64>,
    /// Tokens in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
    /// Dollars in a calendar month.
    #[serde(default, deserialize_with = "dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    pub monthly_budget_usd: Option<Money>,
    /// A model role of its own.
    pub role: Option<String>,
    /// From when on it is refused.
    #[schemars(with = "Option<shapes::Time>")]
    pub expires_at: Option<Timestamp>,
    /// The endpoints it may call.
    #[schemars(with = "Option<Vec<shapes::Endpoint>>")]
    pub allowed_endpoints: Option<Vec<EndpointKind>>,
    /// Types of tools that the provider runs which it may offer.
    #[schemars(with = "Option<Vec<shapes::Tool>>")]
    pub allowed_tools: Option<Vec<String>>,
    /// The addresses it may be used from.
    #[schemars(with = "Option<Vec<shapes::Block>>")]
    pub allowed_cidrs: Option<Vec<Cidr>>,
    /// Whether it is a bait: refused like a key that is not there, and people are told of who tries it.
    #[serde(default)]
    pub canary: bool,
    /// The person who owns it.
    #[schemars(with = "Option<shapes::Id>")]
    pub owner_user_id: Option<UserId>,
    /// The service account that owns it, in place of a person.
    #[schemars(with = "Option<shapes::Id>")]
    pub service_account_id: Option<ServiceAccountId>,
}

/// A partial change: what is absent stays, what is `null` is taken away.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "ApiKeyPatch")]
#[schemars(extend("examples" = [{"rate_limit_rpm": 120}]))]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields are those of `NewKey`")]
pub struct KeyPatch {
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub name: Option<String>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub description: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<String>>")]
    pub allowed_models: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub rate_limit_rpm: Option<Option<u64>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub tokens_per_minute: Option<Option<u64>>,
    #[serde(deserialize_with = "given_dollars")]
    #[schemars(with = "Option<shapes::Dollars>")]
    pub monthly_budget_usd: Option<Option<Money>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub role: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<shapes::Time>")]
    pub expires_at: Option<Option<Timestamp>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Endpoint>>")]
    pub allowed_endpoints: Option<Option<Vec<EndpointKind>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Tool>>")]
    pub allowed_tools: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Block>>")]
    pub allowed_cidrs: Option<Option<Vec<Cidr>>>,
}

impl KeyPatch {
    /// `limits` with the change.
    fn limit(&self, mut limits: Limits) -> Limits {
        set(&mut limits.allowed_models, self.allowed_models.clone());
        set(&mut limits.requests_per_minute, self.rate_limit_rpm);
        set(&mut limits.tokens_per_minute, self.tokens_per_minute);
        set(&mut limits.monthly_budget_usd, self.monthly_budget_usd);
        set(&mut limits.allowed_endpoints, self.allowed_endpoints.clone());
        set(&mut limits.allowed_tools, self.allowed_tools.clone());
        limits
    }
}

/// A key just made, with its secret: the only time that it is seen.
pub struct CreatedKey {
    /// The key.
    pub key: ApiKey,
    /// Its secret.
    pub secret: Secret<String>,
}

/// A key as what may be acted on: in its workspace, and its owner's own.
pub(crate) const fn resource(key: &ApiKey) -> Resource {
    let owner = match key.owner {
        Owner::User(id) => Some(id),
        Owner::Workspace | Owner::ServiceAccount(_) => None,
    };
    Resource::workspace(key.organization_id, key.workspace_id).owned_by(owner)
}

/// The keys that the caller may see in the order they were made, at most `limit`.
pub async fn list(
    control: &Control,
    context: &Context,
    filter: Filter,
    limit: u32,
) -> Result<Vec<ApiKey>, ControlError> {
    let seen = visible(&context.actor, Action::ReadApiKeys, filter.workspace)?;
    let filter = Filter { workspace: seen.workspace, owner: seen.owner, ..filter };
    Ok(store::list(&control.store, context.organization_id(), filter, limit, context.now).await?)
}

/// One of them.
pub async fn get(control: &Control, context: &Context, id: KeyId) -> Result<ApiKey, ControlError> {
    let found = store::get(&control.store, context.organization_id(), id).await?;
    let key = found.ok_or(ControlError::NotFound)?;
    decide(&context.actor, Action::ReadApiKeys, resource(&key))?;
    Ok(key)
}

/// Makes a key: for whomever by those who may in its workspace, else for oneself where the workspace lets its members.
pub async fn create(control: &Control, context: &Context, new: NewKey) -> Result<CreatedKey, ControlError> {
    let new = NewKey { name: names::read("name", &new.name)?, ..new };
    names::check_description(new.description.as_deref())?;
    let mut tx = control.begin(context).await?;
    let place = rules::place_of(&mut tx, context, new.workspace_id).await?;
    let (permit, new) = own::may_create(context, &place, new)?;
    rules::must_be_active(&place)?;
    let (owner, owner_limits) =
        rules::owner(&mut tx, &place, new.owner_user_id, new.service_account_id).await?;
    let limits = Limits {
        allowed_models: new.allowed_models,
        requests_per_minute: new.rate_limit_rpm,
        tokens_per_minute: new.tokens_per_minute,
        monthly_budget_usd: new.monthly_budget_usd,
        allowed_endpoints: new.allowed_endpoints,
        allowed_tools: new.allowed_tools,
        ..Limits::default()
    };
    rules::check_limits(&mut tx, &limits, &place, owner_limits.as_ref()).await?;
    super::model_roles::must_exist(&mut tx, context, new.role.as_deref()).await?;
    let minted = mint(KeyKind::Api, &*control.entropy);
    let key = ApiKey {
        id: KeyId::new(context.now, &*control.entropy),
        organization_id: place.organization.id,
        workspace_id: place.workspace.id,
        owner,
        name: new.name,
        description: new.description,
        public_id: minted.public_id,
        fingerprint: control.pepper.fingerprint(minted.secret.expose()),
        last_four: minted.last_four,
        limits,
        role: new.role,
        allowed_cidrs: rules::blocks(new.allowed_cidrs)?,
        created_at: context.now,
        expires_at: rules::expiry(new.expires_at, context.now, context.now, &place)?,
        last_used_at: None,
        status: KeyStatus::Active,
        created_by: Some(context.actor.name().to_owned()),
        enabled_at: None,
        canary: new.canary,
    };
    store::insert(&mut tx, &permit, &key).await?;
    let deed = Deed::on(permit, key.id, &key.name).inside(key.workspace_id);
    commit(control, context, tx, deed.to(&Shown::of(&key, context.now))?).await?;
    Ok(CreatedKey { key, secret: minted.secret })
}

/// Changes a key that is not revoked.
pub async fn update(
    control: &Control,
    context: &Context,
    id: KeyId,
    patch: KeyPatch,
) -> Result<ApiKey, ControlError> {
    let mut tx = control.begin(context).await?;
    let before = find(&mut tx, context, id).await?;
    let permit = own::may_update(context, &before, &patch)?;
    if before.status == KeyStatus::Revoked {
        return Err(ControlError::Conflict("a revoked key cannot be changed".into()));
    }
    let place = rules::place_of_key(&mut tx, context, &before).await?;
    let owner_limits = rules::owner_limits(&mut tx, &place, before.owner).await?;
    rules::check_limits(&mut tx, &patch.limit(Limits::default()), &place, owner_limits.as_ref()).await?;
    super::model_roles::must_exist(&mut tx, context, patch.role.iter().flatten().next().map(String::as_str))
        .await?;
    let mut key = before.clone();
    key.limits = patch.limit(key.limits);
    if let Some(name) = patch.name {
        let name = names::read("name", &name)?;
        key.name = name;
    }
    names::check_description(patch.description.iter().flatten().next().map(String::as_str))?;
    set(&mut key.description, patch.description);
    set(&mut key.role, patch.role);
    if let Some(expiry) = patch.expires_at {
        key.expires_at = rules::expiry(expiry, key.created_at, context.now, &place)?;
    }
    if let Some(cidrs) = patch.allowed_cidrs {
        key.allowed_cidrs = rules::blocks(cidrs)?;
    }
    replace(control, context, tx, permit, &before, key).await
}

/// Changes a key's limits; none may stand above those of its workspace, organization and owner.
pub async fn update_limits(
    control: &Control,
    context: &Context,
    id: KeyId,
    patch: LimitsPatch,
) -> Result<ApiKey, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, before) = load(&mut tx, context, id, Action::UpdateApiKey).await?;
    own::must_be_anothers(context, &before)?;
    if before.status == KeyStatus::Revoked {
        return Err(ControlError::Conflict("a revoked key cannot be changed".into()));
    }
    context.must_match(control, &before.limits)?;
    let of_workspaces = [patch.max_key_lifetime_days.is_some(), patch.max_key_idle_days.is_some()];
    if patch.timezone.is_some() || patch.key_creation.is_some() || of_workspaces.contains(&true) {
        let sentence =
            "timezone, key_creation, max_key_lifetime_days and max_key_idle_days are set on the workspace";
        return Err(ControlError::field("timezone", sentence));
    }
    let place = rules::place_of_key(&mut tx, context, &before).await?;
    let owner_limits = rules::owner_limits(&mut tx, &place, before.owner).await?;
    let touched = patch.clone().apply(Limits::default());
    rules::check_bare_limits(&mut tx, &touched, &place, owner_limits.as_ref()).await?;
    let key = ApiKey { limits: patch.apply(before.limits.clone()), ..before.clone() };
    replace(control, context, tx, permit, &before, key).await
}

/// Switches a key off until it is enabled again. What is off already stays so.
pub async fn disable(control: &Control, context: &Context, id: KeyId) -> Result<ApiKey, ControlError> {
    turn(control, context, id, Action::DisableApiKey, KeyStatus::Disabled).await
}

/// Switches a disabled key on.
pub async fn enable(control: &Control, context: &Context, id: KeyId) -> Result<ApiKey, ControlError> {
    turn(control, context, id, Action::EnableApiKey, KeyStatus::Active).await
}

/// Revokes a key for good. What is revoked already stays so.
pub async fn revoke(control: &Control, context: &Context, id: KeyId) -> Result<ApiKey, ControlError> {
    turn(control, context, id, Action::RevokeApiKey, KeyStatus::Revoked).await
}

async fn turn(
    control: &Control,
    context: &Context,
    id: KeyId,
    action: Action,
    status: KeyStatus,
) -> Result<ApiKey, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, before) = load(&mut tx, context, id, action).await?;
    if before.status == status {
        return Ok(before);
    }
    if before.status == KeyStatus::Revoked {
        return Err(ControlError::Conflict("a revoked key stays revoked".into()));
    }
    if status == KeyStatus::Active {
        own::must_be_anothers(context, &before)?;
        own::must_belong(&mut tx, &before).await?;
    }
    let enabled_at = if status == KeyStatus::Active { Some(context.now) } else { before.enabled_at };
    let key = ApiKey { status, enabled_at, ..before.clone() };
    replace(control, context, tx, permit, &before, key).await
}

async fn load(
    tx: &mut Tx,
    context: &Context,
    id: KeyId,
    action: Action,
) -> Result<(Permit, ApiKey), ControlError> {
    let key = find(tx, context, id).await?;
    Ok((decide(&context.actor, action, resource(&key))?, key))
}

async fn find(tx: &mut Tx, context: &Context, id: KeyId) -> Result<ApiKey, ControlError> {
    store::load(tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

async fn replace(
    control: &Control,
    context: &Context,
    mut tx: Tx,
    permit: Permit,
    before: &ApiKey,
    key: ApiKey,
) -> Result<ApiKey, ControlError> {
    store::save(&mut tx, &permit, &key).await?;
    let scope = Scope::of(Level::Key, key.id.bytes());
    ledger::reopen(&mut tx, &scope, &before.limits, &key.limits).await?;
    let deed = Deed::on(permit, key.id, &key.name).inside(key.workspace_id);
    let deed = deed.from(&Shown::of(before, context.now))?.to(&Shown::of(&key, context.now))?;
    commit(control, context, tx, deed).await?;
    Ok(key)
}
