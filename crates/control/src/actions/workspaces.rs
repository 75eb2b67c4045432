//! Workspaces: made, and limited within their organization's limits.

use super::{Deed, commit_all, limits, names};
use crate::Control;
use crate::actions::limits::LimitsPatch;
use crate::api::users::ShownMembership;
use crate::api::workspaces::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::budgets::Scope;
use louver_domain::id::{UserId, WorkspaceId};
use louver_domain::limits::{Level, Limits};
use louver_domain::roles::WORKSPACE_CONTRIBUTOR;
use louver_domain::users::Membership;
use louver_domain::workspaces::Workspace;
use louver_store::{Tx, ledger, organizations, users, workspaces as store};

/// A workspace to be made.
#[derive(Clone, Debug, Default)]
pub struct NewWorkspace {
    /// Its name, new in the organization.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
    /// Its limits.
    pub limits: Limits,
    /// People who are members from the start, without a model role.
    pub members: Vec<UserId>,
}

/// The workspaces of the caller's organization, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<Workspace>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// One of them.
pub async fn get(control: &Control, context: &Context, id: WorkspaceId) -> Result<Workspace, ControlError> {
    store::get(&control.store, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

/// Makes a workspace.
pub async fn create(
    control: &Control,
    context: &Context,
    new: NewWorkspace,
) -> Result<Workspace, ControlError> {
    let permit = decide(&context.actor, Action::CreateWorkspace, context.organization_id())?;
    names::check("name", &new.name)?;
    names::check_description(new.description.as_deref())?;
    let mut tx = control.begin().await?;
    let parent =
        organizations::load(&mut tx, context.organization_id()).await?.ok_or(ControlError::NotFound)?;
    limits::check(&mut tx, &new.limits, &[("organization", &parent.limits)], limits::nested).await?;
    let workspace = Workspace {
        id: WorkspaceId::new(context.now, &*control.entropy),
        organization_id: parent.id,
        name: new.name,
        description: new.description,
        icon: None,
        is_default: false,
        limits: new.limits,
        created_at: context.now,
        archived_at: None,
    };
    let taken = |error| ControlError::or_taken(error, "a workspace of that name exists already");
    store::insert(&mut tx, &permit, &workspace).await.map_err(taken)?;
    let deed = Deed::on(permit, workspace.id, &workspace.name).to(&Shown::of(&workspace))?;
    let mut deeds = vec![deed];
    for user in new.members {
        deeds.push(join(&mut tx, context, &workspace, user).await?);
    }
    commit_all(control, context, tx, deeds).await?;
    Ok(workspace)
}

async fn join(
    tx: &mut Tx,
    context: &Context,
    workspace: &Workspace,
    user: UserId,
) -> Result<Deed, ControlError> {
    let permit = decide(&context.actor, Action::AssignModelRole, workspace.organization_id)?;
    let found = users::load(tx, workspace.organization_id, user).await?;
    let user =
        found.ok_or_else(|| ControlError::field("admin_user_id", "names no user of this organization"))?;
    let membership = Membership {
        workspace_id: workspace.id,
        user_id: user.id,
        roles: vec![WORKSPACE_CONTRIBUTOR],
        model_role: None,
    };
    users::save_membership(tx, &permit, &membership).await?;
    Deed::on(permit, user.id, &user.email).to(&ShownMembership::of(&membership))
}

/// Changes a workspace's limits; none may stand above the organization's.
pub async fn update_limits(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    patch: LimitsPatch,
) -> Result<Workspace, ControlError> {
    let mut tx = control.begin().await?;
    let found = store::load(&mut tx, context.organization_id(), id).await?;
    let mut workspace = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::UpdateWorkspaceLimits, workspace.organization_id)?;
    context.must_match(control, &workspace.limits)?;
    let before = Shown::of(&workspace);
    let parent =
        organizations::load(&mut tx, workspace.organization_id).await?.ok_or(ControlError::NotFound)?;
    let touched = patch.clone().apply(Limits::default());
    limits::check(&mut tx, &touched, &[("organization", &parent.limits)], limits::bare).await?;
    let limits_before = workspace.limits.clone();
    workspace.limits = patch.apply(workspace.limits);
    store::save(&mut tx, &permit, &workspace).await?;
    let scope = Scope::of(Level::Workspace, workspace.id.bytes());
    ledger::reopen(&mut tx, &scope, &limits_before, &workspace.limits).await?;
    let deed = Deed::on(permit, workspace.id, &workspace.name).from(&before)?.to(&Shown::of(&workspace))?;
    super::commit(control, context, tx, deed).await?;
    Ok(workspace)
}
