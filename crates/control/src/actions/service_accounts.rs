//! Service accounts: made, and given model roles.

use super::{Deed, commit, model_roles, names};
use crate::Control;
use crate::api::service_accounts::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::openapi::shapes;
use louver_domain::access::{Action, decide};
use louver_domain::id::{ServiceAccountId, WorkspaceId};
use louver_domain::users::ServiceAccount;
use louver_store::{service_accounts as store, workspaces};
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
}

/// The service accounts of the caller's organization, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<ServiceAccount>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// Makes a service account.
pub async fn create(
    control: &Control,
    context: &Context,
    new: NewServiceAccount,
) -> Result<ServiceAccount, ControlError> {
    let permit = decide(&context.actor, Action::CreateServiceAccount, context.organization_id())?;
    names::check("name", &new.name)?;
    let mut tx = control.begin().await?;
    let found = workspaces::load(&mut tx, context.organization_id(), new.workspace_id).await?;
    let workspace = found.filter(|w| w.archived_at.is_none());
    let workspace =
        workspace.ok_or_else(|| ControlError::field("workspace_id", "names no active workspace"))?;
    model_roles::must_exist(&mut tx, context, new.role.as_deref()).await?;
    let account = ServiceAccount {
        id: ServiceAccountId::new(context.now, &*control.entropy),
        organization_id: workspace.organization_id,
        workspace_id: workspace.id,
        name: new.name,
        role: new.role,
        roles: vec![],
        created_at: context.now,
    };
    let taken =
        |error| ControlError::or_taken(error, "a service account of that name exists in the workspace");
    store::insert(&mut tx, &permit, &account).await.map_err(taken)?;
    let deed = Deed::on(permit, account.id, &account.name).to(&Shown::of(&account))?;
    commit(control, context, tx, deed).await?;
    Ok(account)
}

/// Gives a service account of that workspace a model role, or takes it.
pub async fn assign_role(
    control: &Control,
    context: &Context,
    workspace: WorkspaceId,
    id: ServiceAccountId,
    role: Option<String>,
) -> Result<ServiceAccount, ControlError> {
    let mut tx = control.begin().await?;
    let found = store::load(&mut tx, context.organization_id(), id).await?;
    let mut account = found.filter(|a| a.workspace_id == workspace).ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::AssignModelRole, account.organization_id)?;
    model_roles::must_exist(&mut tx, context, role.as_deref()).await?;
    let before = Shown::of(&account);
    account.role = role;
    store::save(&mut tx, &permit, &account).await?;
    let deed = Deed::on(permit, account.id, &account.name).from(&before)?.to(&Shown::of(&account))?;
    commit(control, context, tx, deed).await?;
    Ok(account)
}
