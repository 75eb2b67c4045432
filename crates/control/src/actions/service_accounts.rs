//! Service accounts: made, named, given model roles and workspace roles, and deleted with their keys.

use super::members::must_be_movable;
use super::{Deed, commit, commit_all, model_roles, names, workspaces as spaces};
use crate::Control;
use crate::api::service_accounts::Shown;
use crate::api::{admin_keys::Shown as ShownAdminKey, keys::Shown as ShownKey};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::values::{given, present};
use crate::openapi::shapes;
use louver_domain::access::{Action, Actor, Denied, Identity, Resource, decide};
use louver_domain::id::{RoleId, ServiceAccountId, WorkspaceId};
use louver_domain::keys::{AdminHolder, AdminKey, ApiKey, KeyStatus};
use louver_domain::roles::{RoleLevel, Roles};
use louver_domain::users::ServiceAccount;
use louver_domain::workspaces::Workspace;
use louver_store::{StoreError, Tx, admin_keys, custom_roles, keys, service_accounts as store, workspaces};
use schemars::JsonSchema;
use serde::Deserialize;

/// A service account to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewServiceAccount {
    /// A name for people, new in the workspace.
    pub name: String,
    /// The workspace it belongs to.
    #[schemars(with = "shapes::Id")]
    pub workspace_id: WorkspaceId,
    /// Its model role.
    pub role: Option<String>,
    /// Its roles in the workspace, by id or name.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// A partial change.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "ServiceAccountPatch")]
#[serde(deny_unknown_fields, default)]
pub struct ServiceAccountPatch {
    /// A new name.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub name: Option<String>,
    /// Another model role; `null` takes it.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub role: Option<Option<String>>,
    /// All its roles in its workspace, by id or name.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<String>")]
    pub roles: Option<Vec<String>>,
}

fn resource(account: &ServiceAccount) -> Resource {
    Resource::workspace(account.organization_id, account.workspace_id)
}

fn taken(error: StoreError) -> ControlError {
    ControlError::or_taken(error, "a service account of that name exists in the workspace")
}

/// The service accounts that the caller sees, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<ServiceAccount>, ControlError> {
    let mut all = store::list(&control.store, context.organization_id()).await?;
    if let Some(seen) = context.actor.workspaces_with(Action::ReadServiceAccounts) {
        all.retain(|account| seen.contains(&account.workspace_id));
    }
    Ok(all)
}

/// One of them.
pub async fn get(
    control: &Control,
    context: &Context,
    id: ServiceAccountId,
) -> Result<ServiceAccount, ControlError> {
    let all = store::list(&control.store, context.organization_id()).await?;
    let account = all.into_iter().find(|account| account.id == id).ok_or(ControlError::NotFound)?;
    decide(&context.actor, Action::ReadServiceAccounts, resource(&account))?;
    Ok(account)
}

/// Makes a service account.
pub async fn create(
    control: &Control,
    context: &Context,
    new: NewServiceAccount,
) -> Result<ServiceAccount, ControlError> {
    let place = Resource::workspace(context.organization_id(), new.workspace_id);
    let nowhere = || ControlError::field("workspace_id", "names no active workspace");
    let permit = match decide(&context.actor, Action::CreateServiceAccount, place) {
        Err(Denied::Unseen) => return Err(nowhere().concealing()),
        decided => decided?,
    };
    let new = NewServiceAccount { name: names::read("name", &new.name)?, ..new };
    let mut tx = control.begin(context).await?;
    let found = workspaces::load(&mut tx, context.organization_id(), new.workspace_id).await?;
    let workspace = found.filter(|w| w.archived_at.is_none()).ok_or_else(nowhere)?;
    if new.role.is_some() {
        decide(&context.actor, Action::AssignModelRole, place)?;
    }
    model_roles::must_exist(&mut tx, context, new.role.as_deref()).await?;
    let roles = first_roles(&mut tx, context, &workspace, &new.roles).await?;
    let account = ServiceAccount {
        id: ServiceAccountId::new(context.now, &*control.entropy),
        organization_id: workspace.organization_id,
        workspace_id: workspace.id,
        name: new.name,
        role: new.role,
        roles,
        created_at: context.now,
    };
    store::insert(&mut tx, &permit, &account).await.map_err(taken)?;
    let deed = Deed::on(permit, account.id, &account.name).inside(workspace.id);
    commit(control, context, tx, deed.to(&Shown::of(&account))?).await?;
    Ok(account)
}

/// Changes a service account's name, model role or workspace roles. Each is a deed of its own in the audit log.
pub async fn update(
    control: &Control,
    context: &Context,
    id: ServiceAccountId,
    patch: ServiceAccountPatch,
) -> Result<ServiceAccount, ControlError> {
    let mut tx = control.begin(context).await?;
    let mut account = load(&mut tx, context, id).await?;
    decide(&context.actor, Action::UpdateServiceAccount, resource(&account))?;
    spaces::load_active(&mut tx, context, account.workspace_id).await?;
    let mut deeds = vec![];
    let name = patch.name.map(|name| names::read("name", &name)).transpose()?;
    if let Some(name) = name.filter(|name| *name != account.name) {
        let after = ServiceAccount { name, ..account.clone() };
        deeds.push(write(&mut tx, context, Action::UpdateServiceAccount, &account, &after).await?);
        account = after;
    }
    if let Some(role) = patch.role.filter(|role| *role != account.role) {
        must_be_another(context, account.id)?;
        model_roles::must_exist(&mut tx, context, role.as_deref()).await?;
        let after = ServiceAccount { role, ..account.clone() };
        deeds.push(write(&mut tx, context, Action::AssignModelRole, &account, &after).await?);
        account = after;
    }
    if let Some(asked) = patch.roles {
        let known = custom_roles::load(&mut tx, account.organization_id).await?;
        let roles = read_roles(&known, &asked)?;
        if roles != account.roles {
            must_be_another(context, account.id)?;
            must_be_movable(context, &known, (&account.roles, &roles), Some(account.workspace_id), None)?;
            let after = ServiceAccount { roles, ..account.clone() };
            deeds.push(write(&mut tx, context, Action::SetServiceAccountRoles, &account, &after).await?);
            account = after;
        }
    }
    commit_all(control, context, tx, deeds).await?;
    Ok(account)
}

/// The roles that a new account has: whoever gives some needs the right to set them, and holds what they give.
async fn first_roles(
    tx: &mut Tx,
    context: &Context,
    workspace: &Workspace,
    asked: &[String],
) -> Result<Vec<RoleId>, ControlError> {
    if asked.is_empty() {
        return Ok(vec![]);
    }
    let place = Resource::workspace(workspace.organization_id, workspace.id);
    decide(&context.actor, Action::SetServiceAccountRoles, place)?;
    let known = custom_roles::load(tx, workspace.organization_id).await?;
    let roles = read_roles(&known, asked)?;
    must_be_movable(context, &known, (&[], &roles), Some(workspace.id), None)?;
    Ok(roles)
}

/// Roles of a workspace by id or name, each once.
fn read_roles(known: &Roles, asked: &[String]) -> Result<Vec<RoleId>, ControlError> {
    let mut roles: Vec<RoleId> = Vec::new();
    for text in asked {
        // What reads as an id is one: no name can stand for it.
        let found = match RoleId::parse(text) {
            Some(id) => (known.level(id) == Some(RoleLevel::Workspace)).then_some(id),
            None => known.named(RoleLevel::Workspace, text),
        };
        let id = found.ok_or_else(|| ControlError::field("roles", "names no role of a workspace"))?;
        if !roles.contains(&id) {
            roles.push(id);
        }
    }
    Ok(roles)
}

/// Nobody changes what they themselves may do, machines neither.
fn must_be_another(context: &Context, id: ServiceAccountId) -> Result<(), ControlError> {
    match &context.actor.identity {
        Identity::ServiceAccount { id: own, .. } if *own == id => Err(Denied::OwnRights.into()),
        Identity::ServiceAccount { .. }
        | Identity::Person { .. }
        | Identity::AdminKey { .. }
        | Identity::System => Ok(()),
    }
}

async fn write(
    tx: &mut Tx,
    context: &Context,
    action: Action,
    before: &ServiceAccount,
    after: &ServiceAccount,
) -> Result<Deed, ControlError> {
    let permit = decide(&context.actor, action, resource(before))?;
    store::save(tx, &permit, after).await.map_err(taken)?;
    let deed = Deed::on(permit, after.id, &after.name).inside(after.workspace_id);
    deed.from(&Shown::of(before))?.to(&Shown::of(after))
}

async fn load(tx: &mut Tx, context: &Context, id: ServiceAccountId) -> Result<ServiceAccount, ControlError> {
    store::load(tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

/// Gives a service account of that workspace a model role, or takes it.
pub async fn assign_role(
    control: &Control,
    context: &Context,
    workspace: WorkspaceId,
    id: ServiceAccountId,
    role: Option<String>,
) -> Result<ServiceAccount, ControlError> {
    let mut tx = control.begin(context).await?;
    let account = load(&mut tx, context, id).await?;
    spaces::load_active(&mut tx, context, workspace).await?;
    if account.workspace_id != workspace {
        return Err(ControlError::NotFound);
    }
    decide(&context.actor, Action::AssignModelRole, resource(&account))?;
    must_be_another(context, account.id)?;
    model_roles::must_exist(&mut tx, context, role.as_deref()).await?;
    let after = ServiceAccount { role, ..account.clone() };
    let deed = write(&mut tx, context, Action::AssignModelRole, &account, &after).await?;
    commit(control, context, tx, deed).await?;
    Ok(after)
}

/// Deletes a service account for good. Its API keys and its admin keys are refused from then on.
pub async fn delete(control: &Control, context: &Context, id: ServiceAccountId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let account = load(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::DeleteServiceAccount, resource(&account))?;
    must_be_another(context, account.id)?;
    store::remove(&mut tx, &permit, &account, context.now).await?;
    let deed = Deed::on(permit, account.id, &account.name).inside(account.workspace_id);
    let mut deeds = vec![deed.from(&Shown::of(&account))?];
    deeds.extend(revoke_keys(&mut tx, context, &account).await?);
    deeds.extend(revoke_admin_keys(control, &mut tx, &account).await?);
    commit_all(control, context, tx, deeds).await
}

/// It follows from the deletion: whoever may do that need not be able to revoke the keys one by one.
async fn revoke_keys(
    tx: &mut Tx,
    context: &Context,
    account: &ServiceAccount,
) -> Result<Vec<Deed>, ControlError> {
    let rule = Actor::system(account.organization_id);
    let mut deeds = vec![];
    for before in keys::load_of_account(tx, account.organization_id, account.id).await? {
        let place = Resource::workspace(before.organization_id, before.workspace_id);
        let permit = decide(&rule, Action::RevokeApiKey, place)?;
        let key = ApiKey { status: KeyStatus::Revoked, ..before.clone() };
        keys::save(tx, &permit, &key).await?;
        let deed = Deed::on(permit, key.id, &key.name).inside(key.workspace_id);
        deeds.push(deed.from(&ShownKey::of(&before, context.now))?.to(&ShownKey::of(&key, context.now))?);
    }
    Ok(deeds)
}

async fn revoke_admin_keys(
    control: &Control,
    tx: &mut Tx,
    account: &ServiceAccount,
) -> Result<Vec<Deed>, ControlError> {
    let rule = Actor::system(account.organization_id);
    let permit = decide(&rule, Action::RevokeAdminKey, account.organization_id)?;
    let mut deeds = vec![];
    // Whatever is made after this list was read is not accepted either: the account is gone.
    for before in admin_keys::list(&control.store, account.organization_id).await? {
        let its = before.holder == AdminHolder::ServiceAccount(account.id);
        if its && before.status != KeyStatus::Revoked {
            let key = AdminKey { status: KeyStatus::Revoked, ..before.clone() };
            admin_keys::save_status(tx, &permit, &key).await?;
            let deed = Deed::on(permit, key.id, &key.name);
            deeds.push(deed.from(&ShownAdminKey::of(&before))?.to(&ShownAdminKey::of(&key))?);
        }
    }
    Ok(deeds)
}
