//! Model roles: made, changed, restored, deleted when nobody has them.

use super::limits::{bare, permissions};
use super::{Deed, commit, models, set};
use crate::Control;
use crate::api::model_roles::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::values::{given, present};
use crate::openapi::shapes;
use louver_domain::access::{Action, Denied, Identity, Permit, decide};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::UserId;
use louver_domain::limits::ServiceTier;
use louver_domain::model_roles::{ModelRole, builtin};
use louver_store::{Tx, grants, groups, keys, ledger, model_roles as store, service_accounts, users};
use schemars::JsonSchema;
use serde::Deserialize;

const LONGEST_NAME: usize = 64;
const LARGEST_COUNT: u64 = 1_000_000_000_000;

/// A model role to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewModelRole {
    /// Its name: small letters, digits, `-` and `_`.
    pub name: String,
    /// Entries of its allow-list.
    pub allowed_models: Vec<String>,
    /// Endpoints that may be called; absent is all.
    #[schemars(with = "Option<Vec<shapes::Endpoint>>")]
    pub allowed_endpoints: Option<Vec<EndpointKind>>,
    /// Types of tools that the provider runs which may be offered; absent is what stands above.
    #[schemars(with = "Option<Vec<shapes::Tool>>")]
    pub allowed_tools: Option<Vec<String>>,
    /// Service tiers that may be asked for beside the standard one; absent is what stands above.
    #[schemars(with = "Option<Vec<shapes::Tier>>")]
    pub allowed_service_tiers: Option<Vec<ServiceTier>>,
    /// Hours that a signed URL may live at most, 0 to 168; absent is what stands above.
    pub max_signed_url_hours: Option<u32>,
    /// Tokens of one call.
    pub max_tokens_per_request: Option<u64>,
    /// Tokens a day for each person who has it.
    pub daily_token_budget: Option<u64>,
}

/// A partial change.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelRolePatch {
    /// Entries of its allow-list.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<String>")]
    pub allowed_models: Option<Vec<String>>,
    /// Endpoints that may be called; `null` is all.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Endpoint>>")]
    pub allowed_endpoints: Option<Option<Vec<EndpointKind>>>,
    /// Types of tools that the provider runs which may be offered; `null` is what stands above.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Tool>>")]
    pub allowed_tools: Option<Option<Vec<String>>>,
    /// Service tiers that may be asked for beside the standard one; `null` is what stands above.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<Vec<shapes::Tier>>")]
    pub allowed_service_tiers: Option<Option<Vec<ServiceTier>>>,
    /// Hours that a signed URL may live at most, 0 to 168; `null` is what stands above.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u32>")]
    pub max_signed_url_hours: Option<Option<u32>>,
    /// Tokens of one call; `null` takes the limit away.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub max_tokens_per_request: Option<Option<u64>>,
    /// Tokens a day for each person; `null` takes the limit away.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<u64>")]
    pub daily_token_budget: Option<Option<u64>>,
}

impl ModelRolePatch {
    /// `role` with the change.
    pub fn apply(self, mut role: ModelRole) -> ModelRole {
        if let Some(entries) = self.allowed_models {
            role.allowed_models = entries;
        }
        set(&mut role.allowed_endpoints, self.allowed_endpoints);
        set(&mut role.allowed_tools, self.allowed_tools);
        set(&mut role.allowed_service_tiers, self.allowed_service_tiers);
        set(&mut role.max_signed_url_hours, self.max_signed_url_hours);
        set(&mut role.max_tokens_per_request, self.max_tokens_per_request);
        set(&mut role.daily_token_budget, self.daily_token_budget);
        role
    }
}

/// The model roles of the caller's organization: the built-in ones first, then by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<ModelRole>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// One of them.
pub async fn get(control: &Control, context: &Context, name: &str) -> Result<ModelRole, ControlError> {
    list(control, context).await?.into_iter().find(|role| role.name == name).ok_or(ControlError::NotFound)
}

/// Makes a model role.
pub async fn create(
    control: &Control,
    context: &Context,
    new: NewModelRole,
) -> Result<ModelRole, ControlError> {
    let permit = decide(&context.actor, Action::CreateModelRole, context.organization_id())?;
    if !is_name(&new.name) {
        return Err(ControlError::field(
            "name",
            "must be 1 to 64 of a-z, 0-9, - and _, a letter or digit first",
        ));
    }
    let role = ModelRole {
        name: new.name,
        allowed_models: new.allowed_models,
        allowed_endpoints: new.allowed_endpoints,
        allowed_tools: new.allowed_tools,
        allowed_service_tiers: new.allowed_service_tiers,
        max_signed_url_hours: new.max_signed_url_hours,
        max_tokens_per_request: new.max_tokens_per_request,
        daily_token_budget: new.daily_token_budget,
        builtin: false,
    };
    let mut tx = control.begin(context).await?;
    check(&mut tx, &role).await?;
    if store::load(&mut tx, context.organization_id(), &role.name).await?.is_some() {
        return Err(ControlError::Conflict("a model role of that name exists already".into()));
    }
    store::save(&mut tx, &permit, &role).await?;
    let deed = Deed::on(permit, &role.name, &role.name).to(&Shown::of(&role))?;
    commit(control, context, tx, deed).await?;
    Ok(role)
}

/// Changes a model role.
pub async fn update(
    control: &Control,
    context: &Context,
    name: &str,
    patch: ModelRolePatch,
) -> Result<ModelRole, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, before) = load(&mut tx, context, name, Action::UpdateModelRole).await?;
    context.must_match(control, &Shown::of(&before))?;
    if let Some(entries) = &patch.allowed_models {
        models::check_entries(&mut tx, entries, "allowed_models").await?;
    }
    let role = patch.apply(before.clone());
    check_values(&role, &bare)?;
    replace(control, context, tx, permit, &before, role).await
}

/// Sets a built-in model role back to what Louver brought along.
pub async fn restore(control: &Control, context: &Context, name: &str) -> Result<ModelRole, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, before) = load(&mut tx, context, name, Action::UpdateModelRole).await?;
    let original = builtin().into_iter().find(|role| before.builtin && role.name == name);
    let original =
        original.ok_or_else(|| ControlError::Conflict("only built-in model roles can be restored".into()))?;
    replace(control, context, tx, permit, &before, original).await
}

/// Deletes a model role that is not built in and that nobody has.
pub async fn delete(control: &Control, context: &Context, name: &str) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, role) = load(&mut tx, context, name, Action::DeleteModelRole).await?;
    if role.builtin {
        return Err(ControlError::Conflict(
            "a built-in model role can be changed and restored, not deleted".into(),
        ));
    }
    let holders = store::holders(&mut tx, context.organization_id(), name).await?;
    if holders > 0 {
        let sentence = format!("{holders} members, service accounts or keys have this model role");
        return Err(ControlError::Conflict(sentence));
    }
    store::delete(&mut tx, &permit, name).await?;
    let deed = Deed::on(permit, name, name).from(&Shown::of(&role))?;
    commit(control, context, tx, deed).await
}

/// Refuses the field `role` when it names no model role of the organization.
pub(crate) async fn must_exist(
    tx: &mut Tx,
    context: &Context,
    name: Option<&str>,
) -> Result<(), ControlError> {
    let Some(name) = name else { return Ok(()) };
    let found = store::load(tx, context.organization_id(), name).await?;
    found.map(|_| ()).ok_or_else(|| ControlError::field("role", "names no model role of this organization"))
}

async fn load(
    tx: &mut Tx,
    context: &Context,
    name: &str,
    action: Action,
) -> Result<(Permit, ModelRole), ControlError> {
    let role = store::load(tx, context.organization_id(), name).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, action, context.organization_id())?;
    must_be_of_others(tx, context, name).await?;
    Ok((permit, role))
}

/// Nobody changes a model role that they have themselves, in whatever way it came to them.
async fn must_be_of_others(tx: &mut Tx, context: &Context, name: &str) -> Result<(), ControlError> {
    let organization = context.organization_id();
    let names = match &context.actor.identity {
        Identity::AdminKey { .. } | Identity::System => return Ok(()),
        Identity::Person { id, .. } => {
            let mut names = roles_of_person(tx, context, *id).await?;
            let keys = keys::load_of_user(tx, organization, *id).await?;
            names.extend(keys.into_iter().filter_map(|key| key.role));
            names
        }
        Identity::ServiceAccount { id, .. } => {
            let account = service_accounts::load(tx, organization, *id).await?;
            let keys = keys::load_of_account(tx, organization, *id).await?;
            let own = account.and_then(|account| account.role);
            keys.into_iter().filter_map(|key| key.role).chain(own).collect()
        }
    };
    if names.iter().any(|own| own == name) { Err(Denied::OwnRights.into()) } else { Ok(()) }
}

/// The model roles that a person has in workspaces, by themselves and through groups.
async fn roles_of_person(tx: &mut Tx, context: &Context, id: UserId) -> Result<Vec<String>, ControlError> {
    let own = users::memberships_of(tx, id).await?.into_iter().filter_map(|place| place.model_role);
    let mut names: Vec<String> = own.collect();
    let reached = grants::through_groups(tx, id).await?;
    let within =
        |place: &groups::GroupWorkspace| reached.iter().any(|(_, group, _)| *group == place.group_id);
    let places = groups::all_workspaces(tx, context.organization_id()).await?;
    names.extend(places.into_iter().filter(within).filter_map(|place| place.model_role));
    Ok(names)
}

async fn replace(
    control: &Control,
    context: &Context,
    mut tx: Tx,
    permit: Permit,
    before: &ModelRole,
    role: ModelRole,
) -> Result<ModelRole, ControlError> {
    store::save(&mut tx, &permit, &role).await?;
    if before.daily_token_budget.is_none() && role.daily_token_budget.is_some() {
        ledger::reopen_role(&mut tx, context.organization_id(), &role.name).await?;
    }
    let deed = Deed::on(permit, &role.name, &role.name).from(&Shown::of(before))?.to(&Shown::of(&role))?;
    commit(control, context, tx, deed).await?;
    Ok(role)
}

async fn check(tx: &mut Tx, role: &ModelRole) -> Result<(), ControlError> {
    models::check_entries(tx, &role.allowed_models, "allowed_models").await?;
    check_values(role, &bare)
}

/// Refuses numbers that are too large, and what no tool or endpoint is called; `naming` is how the body calls a field.
pub(super) fn check_values(role: &ModelRole, naming: &dyn Fn(&str) -> String) -> Result<(), ControlError> {
    permissions::check_endpoints(role.allowed_endpoints.as_deref(), naming)?;
    permissions::check_tools(role.allowed_tools.as_deref(), naming)?;
    permissions::check_tiers(role.allowed_service_tiers.as_deref(), naming)?;
    permissions::check_url_hours(role.max_signed_url_hours, naming)?;
    let counts = [
        ("max_tokens_per_request", role.max_tokens_per_request),
        ("daily_token_budget", role.daily_token_budget),
    ];
    match counts.into_iter().find(|(_, count)| count.is_some_and(|n| n > LARGEST_COUNT)) {
        Some((name, _)) => Err(ControlError::field(&naming(name), "must be at most 1,000,000,000,000")),
        None => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let all = name.bytes().all(|b| plain(b) || b == b'-' || b == b'_');
    all && name.len() <= LONGEST_NAME && name.bytes().next().is_some_and(plain)
}
