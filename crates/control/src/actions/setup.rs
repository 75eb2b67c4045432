//! The first start: an organization with its parts and the first admin key, all or nothing.

use super::{Deed, admin_keys, commit_all, names};
use crate::Control;
use crate::api;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::id::{OrganizationId, WorkspaceId};
use louver_domain::keys::{AdminHolder, MintedKey};
use louver_domain::limits::Limits;
use louver_domain::model_roles::builtin;
use louver_domain::organizations::Organization;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;
use louver_store::{Tx, model_roles, models, organizations, workspaces};

/// What [`found`] made.
pub struct Founded {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Its default workspace.
    pub default_workspace_id: WorkspaceId,
    /// The first admin key, with its secret.
    pub admin_key: MintedKey,
}

/// Makes the organization of an empty database: active billing, the workspace `default`, the built-in model roles,
/// the built-in catalogue where there is none, and an admin key named `first`. A conflict if there is an
/// organization already.
pub async fn found(control: &Control, name: &str, now: Timestamp) -> Result<Founded, ControlError> {
    names::check("name", name)?;
    let context = Context::system(OrganizationId::new(now, &*control.entropy), now);
    let mut tx = control.begin(&context).await?;
    if !organizations::list(&control.store).await?.is_empty() {
        return Err(ControlError::Conflict("there is an organization already".into()));
    }
    let (workspace, mut deeds) = add_organization(control, &context, &mut tx, name).await?;
    deeds.extend(add_catalogue(&context, &mut tx).await?);
    let key = (AdminHolder::Organization, "first");
    let (_, admin_key, deed) = admin_keys::add(control, &context, &mut tx, key, None).await?;
    deeds.push(deed);
    commit_all(control, &context, tx, deeds).await?;
    Ok(Founded { organization_id: context.organization_id(), default_workspace_id: workspace.id, admin_key })
}

/// Adds the context's organization with its default workspace and the built-in model roles.
pub(crate) async fn add_organization(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    name: &str,
) -> Result<(Workspace, Vec<Deed>), ControlError> {
    let organization = Organization {
        id: context.organization_id(),
        name: name.to_owned(),
        billing_active: true,
        limits: Limits::default(),
        created_at: context.now,
    };
    let permit = decide(&context.actor, Action::CreateOrganization, organization.id)?;
    organizations::insert(tx, &permit, &organization).await?;
    let shown = api::organizations::Shown::of(&organization);
    let mut deeds = vec![Deed::on(permit, organization.id, name).to(&shown)?];

    let workspace = Workspace {
        id: WorkspaceId::new(context.now, &*control.entropy),
        organization_id: organization.id,
        name: "default".into(),
        description: None,
        icon: None,
        is_default: true,
        limits: Limits::default(),
        created_at: context.now,
        archived_at: None,
    };
    let permit = decide(&context.actor, Action::CreateWorkspace, organization.id)?;
    workspaces::insert(tx, &permit, &workspace).await?;
    let shown = api::workspaces::Shown::of(&workspace);
    deeds.push(Deed::on(permit, workspace.id, &workspace.name).to(&shown)?);

    for role in builtin() {
        let permit = decide(&context.actor, Action::CreateModelRole, organization.id)?;
        model_roles::save(tx, &permit, &role).await?;
        let shown = api::model_roles::Shown::of(&role);
        deeds.push(Deed::on(permit, &role.name, &role.name).to(&shown)?);
    }
    Ok((workspace, deeds))
}

async fn add_catalogue(context: &Context, tx: &mut Tx) -> Result<Option<Deed>, ControlError> {
    if !models::load(tx).await?.models.is_empty() {
        return Ok(None);
    }
    let catalogue = models::builtin()?;
    let permit = decide(&context.actor, Action::UpdateModel, context.organization_id())?;
    models::replace(tx, &permit, &catalogue).await?;
    Ok(Some(Deed::on(permit, "catalogue", "catalogue").to(&catalogue)?))
}
