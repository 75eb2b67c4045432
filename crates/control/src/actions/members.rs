//! Members of workspaces: people placed there with roles, given others, and taken out.

use super::{Deed, commit_all, departures, workspaces};
use crate::Control;
use crate::api::users::ShownMembership;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Denied, Permit, decide, may_grant};
use louver_domain::id::{RoleId, UserId, WorkspaceId};
use louver_domain::roles::{RoleLevel, Roles, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};
use louver_domain::users::{Membership, User};
use louver_domain::workspaces::Workspace;
pub use louver_store::members::Member;
use louver_store::{Tx, custom_roles, members as store, users};

/// A person to be placed in a workspace, and the roles asked for; `None` is what they have, else the usual one.
pub type Placed = (UserId, Option<Vec<RoleId>>);

/// How many people were placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// New members.
    pub added: u64,
    /// Members who have other roles now.
    pub updated: u64,
}

/// A page of those who belong to a workspace, and the roles by which their ids are named.
pub async fn page(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    after: Option<UserId>,
    limit: u64,
) -> Result<(Vec<Member>, Roles), ControlError> {
    let workspace = workspaces::get(control, context, id).await?;
    decide(&context.actor, Action::ReadMembers, workspaces::resource(&workspace))?;
    let roles = custom_roles::list(&control.store, workspace.organization_id).await?;
    Ok((store::page(&control.store, workspace.id, after, limit).await?, roles))
}

/// One of them.
pub async fn get(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    user: UserId,
) -> Result<(Member, Roles), ControlError> {
    // Pages are in the order of ids, and begin behind one.
    let before = u128::from_be_bytes(user.bytes()).checked_sub(1);
    let before = before.map(|id| UserId::from_bytes(id.to_be_bytes()));
    let (found, roles) = page(control, context, id, before, 1).await?;
    let member = found.into_iter().find(|member| member.user_id == user).ok_or(ControlError::NotFound)?;
    Ok((member, roles))
}

/// Makes people members; those who are already stay as they are.
pub async fn add(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    placed: Vec<Placed>,
) -> Result<Counted, ControlError> {
    place(control, context, id, placed, Action::AddMember).await
}

/// Makes people members, and gives those who are already the roles asked for in place of their own.
pub async fn add_or_update(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    placed: Vec<Placed>,
) -> Result<Counted, ControlError> {
    place(control, context, id, placed, Action::UpdateMemberRole).await
}

async fn place(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    placed: Vec<Placed>,
    action: Action,
) -> Result<Counted, ControlError> {
    let mut tx = control.begin(context).await?;
    let workspace = workspaces::load_active(&mut tx, context, id).await?;
    decide(&context.actor, action, workspaces::resource(&workspace))?;
    let roles = custom_roles::load(&mut tx, workspace.organization_id).await?;
    let (mut counted, mut deeds) = (Counted::default(), vec![]);
    for (user, asked) in last_of_each(placed) {
        let user = load_user(&mut tx, context, user).await?;
        let before = users::load_membership(&mut tx, workspace.id, user.id).await?;
        let done = match &before {
            None => Action::AddMember,
            Some(_) => Action::UpdateMemberRole,
        };
        let after = changed(&workspace, &user, before.as_ref(), asked);
        let same = before.as_ref().is_some_and(|before| before.roles == after.roles);
        if same || (before.is_some() && action == Action::AddMember) {
            continue;
        }
        let permit = decide(&context.actor, done, workspaces::resource(&workspace))?;
        must_be_grantable(context, &roles, before.as_ref(), Some(&after), Some(user.id))?;
        deeds.push(write(&mut tx, permit, &user, before.as_ref(), &after).await?);
        let count = if before.is_none() { &mut counted.added } else { &mut counted.updated };
        *count = count.saturating_add(1);
    }
    commit_all(control, context, tx, deeds).await?;
    Ok(counted)
}

/// Takes people out of a workspace. Answers how many, and who was no member. Their keys there are refused at once,
/// unless they still belong through a group.
pub async fn remove(
    control: &Control,
    context: &Context,
    id: WorkspaceId,
    people: Vec<UserId>,
) -> Result<(u64, Vec<UserId>), ControlError> {
    let mut tx = control.begin(context).await?;
    let workspace = workspaces::load_active(&mut tx, context, id).await?;
    let permit = decide(&context.actor, Action::RemoveMember, workspaces::resource(&workspace))?;
    let roles = custom_roles::load(&mut tx, workspace.organization_id).await?;
    let (mut removed, mut deeds, mut others) = (0_u64, vec![], vec![]);
    for (id, ()) in last_of_each(people.into_iter().map(|id| (id, ())).collect()) {
        let user = users::load(&mut tx, workspace.organization_id, id).await?;
        let membership = users::load_membership(&mut tx, workspace.id, id).await?;
        let (Some(user), Some(before)) = (user, membership) else {
            others.push(id);
            continue;
        };
        must_be_grantable(context, &roles, Some(&before), None, Some(user.id))?;
        users::delete_membership(&mut tx, &permit, workspace.id, user.id).await?;
        let deed = Deed::on(permit, user.id, &user.email).inside(workspace.id);
        deeds.push(deed.from(&ShownMembership::of(&before))?);
        deeds.extend(departures::disable_keys_in(&mut tx, context, &user, &[workspace.id]).await?);
        removed = removed.saturating_add(1);
    }
    commit_all(control, context, tx, deeds).await?;
    Ok((removed, others))
}

/// Places the first people of a workspace that is being made: who administers it, and everybody else if wished.
///
/// Whoever makes a workspace may be its admin, or one of everybody, themselves: they hold there already what that
/// gives, or are refused.
pub(super) async fn found(
    tx: &mut Tx,
    context: &Context,
    workspace: &Workspace,
    admin: Option<UserId>,
    everybody: bool,
) -> Result<Vec<Deed>, ControlError> {
    if admin.is_none() && !everybody {
        return Ok(vec![]);
    }
    let permit = decide(&context.actor, Action::AddMember, workspaces::resource(workspace))?;
    let mut people = vec![];
    if let Some(admin) = admin {
        people.push((load_user(tx, context, admin).await?, WORKSPACE_ADMIN));
    }
    if everybody {
        let all = users::load_all(tx, workspace.organization_id).await?;
        let others = all.into_iter().filter(|user| Some(user.id) != admin);
        people.extend(others.map(|user| (user, WORKSPACE_CONTRIBUTOR)));
    }
    let mut deeds = vec![];
    for (user, role) in people {
        let after = changed(workspace, &user, None, Some(vec![role]));
        must_be_grantable(context, &Roles::default(), None, Some(&after), None)?;
        deeds.push(write(tx, permit, &user, None, &after).await?);
    }
    Ok(deeds)
}

async fn load_user(tx: &mut Tx, context: &Context, id: UserId) -> Result<User, ControlError> {
    let found = users::load(tx, context.organization_id(), id).await?;
    found.ok_or_else(|| ControlError::NotHere(format!("there is no user {id} in this organization")))
}

/// Each id once, with what was said of it last, in the order in which they came first.
fn last_of_each<T>(pairs: Vec<(UserId, T)>) -> Vec<(UserId, T)> {
    let mut places = std::collections::HashMap::new();
    let mut kept: Vec<(UserId, T)> = Vec::new();
    for (id, said) in pairs {
        let place = *places.entry(id).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(slot) => slot.1 = said,
            None => kept.push((id, said)),
        }
    }
    kept
}

fn changed(
    workspace: &Workspace,
    user: &User,
    before: Option<&Membership>,
    asked: Option<Vec<RoleId>>,
) -> Membership {
    let usual = || before.map_or_else(|| vec![WORKSPACE_CONTRIBUTOR], |before| before.roles.clone());
    Membership {
        workspace_id: workspace.id,
        user_id: user.id,
        roles: asked.unwrap_or_else(usual),
        model_role: before.and_then(|before| before.model_role.clone()),
    }
}

/// Refuses roles that are no workspace roles, and to give or take what the actor does not hold there; with `subject`
/// also to do that to oneself.
fn must_be_grantable(
    context: &Context,
    roles: &Roles,
    before: Option<&Membership>,
    after: Option<&Membership>,
    subject: Option<UserId>,
) -> Result<(), ControlError> {
    let of = |membership: Option<&Membership>| membership.map(|m| m.roles.clone()).unwrap_or_default();
    let place = before.or(after).map(|membership| membership.workspace_id);
    must_be_movable(context, roles, (&of(before), &of(after)), place, subject)?;
    Ok(())
}

/// The same for the roles of whatever it is: `moved` are those before and after.
pub(super) fn must_be_movable(
    context: &Context,
    roles: &Roles,
    moved: (&[RoleId], &[RoleId]),
    place: Option<WorkspaceId>,
    subject: Option<UserId>,
) -> Result<(), ControlError> {
    let level = if place.is_some() { RoleLevel::Workspace } else { RoleLevel::Organization };
    let (before, after) = moved;
    let given = after.iter().filter(|id| !before.contains(id));
    if let Some(id) = given.clone().find(|id| roles.level(**id) != Some(level)) {
        let sentence = format!("there is no role {id} for the {}", level.as_str());
        return Err(ControlError::NotHere(sentence));
    }
    let taken = before.iter().filter(|id| !after.contains(id));
    may_grant(&context.actor, subject, roles.actions(given.chain(taken)), place).map_err(Denied::into)
}

async fn write(
    tx: &mut Tx,
    permit: Permit,
    user: &User,
    before: Option<&Membership>,
    after: &Membership,
) -> Result<Deed, ControlError> {
    users::save_membership(tx, &permit, after).await?;
    let deed = Deed::on(permit, user.id, &user.email).inside(after.workspace_id);
    let deed = deed.to(&ShownMembership::of(after))?;
    match before {
        Some(before) => deed.from(&ShownMembership::of(before)),
        None => Ok(deed),
    }
}
