//! What groups give: roles in workspaces, a model role there, a role in the organization.

use super::reach::Given;
use super::{Before, Shown, finish, get, load, state};
use crate::Control;
use crate::actions::members::must_be_movable;
use crate::actions::{Deed, model_roles, workspaces as spaces};
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Denied, Permit, decide};
use louver_domain::groups::Group;
use louver_domain::id::{GroupId, RoleId, WorkspaceId};
use louver_domain::roles::WORKSPACE_CONTRIBUTOR;
use louver_store::groups::GroupWorkspace;
use louver_store::{Tx, groups as store};
use serde_json::{Value, json};

fn shown(place: &GroupWorkspace) -> Value {
    json!({"workspace_id": place.workspace_id, "roles": place.roles, "model_role": place.model_role})
}

/// One page of the workspaces in which a group has roles, with their names, and how many these are.
pub async fn workspaces(
    control: &Control,
    context: &Context,
    id: GroupId,
    offset: u64,
    limit: u64,
) -> Result<(Vec<(GroupWorkspace, String)>, u64), ControlError> {
    let (group, _) = get(control, context, id).await?;
    Ok(store::workspaces(&control.store, group.id, offset, limit).await?)
}

/// At most `limit` of the groups that have roles in a workspace, with their names, from behind `after`.
pub async fn in_workspace(
    control: &Control,
    context: &Context,
    workspace: WorkspaceId,
    after: Option<GroupId>,
    limit: u64,
) -> Result<Vec<(GroupWorkspace, String)>, ControlError> {
    let space = spaces::get(control, context, workspace).await?;
    decide(&context.actor, Action::ReadMembers, spaces::resource(&space))?;
    Ok(store::in_workspace(&control.store, space.id, after, limit).await?)
}

/// Gives a group roles in a workspace: those asked for, else those that it has there, else the usual one.
pub async fn assign(
    control: &Control,
    context: &Context,
    id: GroupId,
    workspace: WorkspaceId,
    asked: Option<Vec<RoleId>>,
) -> Result<(), ControlError> {
    decide(&context.actor, Action::ProvisionGroup, context.organization_id())?;
    let mut tx = control.begin(context).await?;
    let (group, was) = load_place(&mut tx, context, id, workspace).await?;
    let roles = match (asked, &was) {
        (Some(roles), _) => roles,
        (None, Some(was)) => was.roles.clone(),
        (None, None) => vec![WORKSPACE_CONTRIBUTOR],
    };
    let action = if was.is_some() { Action::UpdateGroupWorkspace } else { Action::ProvisionGroup };
    let permit = decide(&context.actor, action, group.organization_id)?;
    give(control, context, tx, (permit, &group), was, (workspace, roles)).await
}

/// Changes the roles of a group in a workspace where it has some.
pub async fn update_workspace(
    control: &Control,
    context: &Context,
    id: GroupId,
    workspace: WorkspaceId,
    asked: Option<Vec<RoleId>>,
) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (group, was) = load_place(&mut tx, context, id, workspace).await?;
    let permit = decide(&context.actor, Action::UpdateGroupWorkspace, group.organization_id)?;
    let was = was.ok_or(ControlError::NotFound)?;
    let roles = asked.unwrap_or_else(|| was.roles.clone());
    give(control, context, tx, (permit, &group), Some(was), (workspace, roles)).await
}

async fn give(
    control: &Control,
    context: &Context,
    mut tx: Tx,
    (permit, group): (Permit, &Group),
    was: Option<GroupWorkspace>,
    (workspace_id, roles): (WorkspaceId, Vec<RoleId>),
) -> Result<(), ControlError> {
    let had = was.as_ref().map(|was| was.roles.clone());
    if had.as_ref() == Some(&roles) {
        return Ok(());
    }
    let before = state(&mut tx, context).await?;
    let moved = (had.as_deref().unwrap_or_default(), roles.as_slice());
    judge(context, &before, group.id, moved, Some(workspace_id))?;
    let place = GroupWorkspace {
        group_id: group.id,
        workspace_id,
        roles,
        model_role: was.as_ref().and_then(|was| was.model_role.clone()),
        created_at: was.as_ref().map_or(context.now, |was| was.created_at),
    };
    store::save_workspace(&mut tx, &permit, &place).await?;
    let deed = Deed::on(permit, group.id, &group.name).inside(workspace_id).to(&shown(&place))?;
    let deed = match &was {
        Some(was) => deed.from(&shown(was))?,
        None => deed,
    };
    finish(control, context, tx, vec![deed], before).await
}

/// Takes a group's roles in a workspace.
pub async fn withdraw(
    control: &Control,
    context: &Context,
    id: GroupId,
    workspace: WorkspaceId,
) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (group, was) = load_place(&mut tx, context, id, workspace).await?;
    let permit = decide(&context.actor, Action::DeprovisionGroup, group.organization_id)?;
    let was = was.ok_or(ControlError::NotFound)?;
    let before = state(&mut tx, context).await?;
    judge(context, &before, id, (&was.roles, &[]), Some(workspace))?;
    store::delete_workspace(&mut tx, &permit, id, workspace).await?;
    let deed = Deed::on(permit, id, &group.name).inside(workspace).from(&shown(&was))?;
    finish(control, context, tx, vec![deed], before).await
}

/// Sets the role that a group's members have in the organization besides their own.
pub async fn set_organization_role(
    control: &Control,
    context: &Context,
    id: GroupId,
    role: RoleId,
) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let group = load(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::UpdateGroup, group.organization_id)?;
    if group.organization_role == Some(role) {
        return Ok(());
    }
    let before = state(&mut tx, context).await?;
    let had: Vec<RoleId> = group.organization_role.into_iter().collect();
    judge(context, &before, id, (&had, &[role]), None)?;
    let changed = Group { organization_role: Some(role), ..group.clone() };
    store::save(&mut tx, &permit, &changed).await?;
    let parents = before.0.parents_of(id);
    let deed = Deed::on(permit, id, &group.name).from(&Shown::of(&group, &parents))?;
    finish(control, context, tx, vec![deed.to(&Shown::of(&changed, &parents))?], before).await
}

/// Gives the members of a group a model role in a workspace where the group has roles, or takes it. Answers what the
/// group has there, and its name.
pub async fn set_model_role(
    control: &Control,
    context: &Context,
    workspace: WorkspaceId,
    id: GroupId,
    role: Option<String>,
) -> Result<(GroupWorkspace, String), ControlError> {
    let mut tx = control.begin(context).await?;
    let space = spaces::load_active(&mut tx, context, workspace).await?;
    let permit = decide(&context.actor, Action::AssignModelRole, spaces::resource(&space))?;
    let (group, was) = load_place(&mut tx, context, id, workspace).await?;
    let was = was.ok_or(ControlError::NotFound)?;
    let before = state(&mut tx, context).await?;
    if context.actor.user_id().is_some_and(|user| before.0.people_in(id).contains(&user)) {
        return Err(Denied::OwnRights.into());
    }
    model_roles::must_exist(&mut tx, context, role.as_deref()).await?;
    let place = GroupWorkspace { model_role: role, ..was.clone() };
    store::save_workspace(&mut tx, &permit, &place).await?;
    let deed = Deed::on(permit, id, &group.name).inside(workspace);
    let deed = deed.from(&shown(&was))?.to(&shown(&place))?;
    finish(control, context, tx, vec![deed], before).await?;
    Ok((place, group.name))
}

/// A group, and what it has in a workspace that is not archived.
async fn load_place(
    tx: &mut Tx,
    context: &Context,
    id: GroupId,
    workspace: WorkspaceId,
) -> Result<(Group, Option<GroupWorkspace>), ControlError> {
    let group = load(tx, context, id).await?;
    let workspace = spaces::load_active(tx, context, workspace).await?;
    let place = store::load_workspace(tx, group.id, workspace.id).await?;
    Ok((group, place))
}

/// Refuses roles that are none of that place, those that the actor does not hold there, and changes of own rights.
fn judge(
    context: &Context,
    (reach, _): &Before,
    group: GroupId,
    (before, after): (&[RoleId], &[RoleId]),
    place: Option<WorkspaceId>,
) -> Result<(), ControlError> {
    must_be_movable(context, reach.roles(), (before, after), place, None)?;
    let moved = before.iter().chain(after).filter(|id| !(before.contains(id) && after.contains(id)));
    let given = Given::from([(place, moved.copied().collect())]);
    reach.must_be_movable(context, &given, &reach.people_in(group))
}
