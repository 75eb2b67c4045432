//! People: added, limited, and given model roles in workspaces.

use super::{Deed, commit, commit_all, limits, model_roles, names, workspaces as spaces};
use crate::Control;
use crate::actions::limits::LimitsPatch;
use crate::api::users::{Shown, ShownMembership};
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Denied, decide, may_grant};
use louver_domain::budgets::Scope;
use louver_domain::id::{UserId, WorkspaceId};
use louver_domain::limits::{Level, Limits};
use louver_domain::roles::{MEMBER, Roles, WORKSPACE_CONTRIBUTOR};
use louver_domain::users::{Membership, User};
use louver_store::{Tx, ledger, organizations, users as store};

/// A person to be added.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// Their mail address, new in the organization.
    pub email: String,
    /// A name for people.
    pub name: Option<String>,
    /// Limits over all their keys.
    pub limits: Limits,
    /// The workspaces they belong to, with the model role in each.
    pub memberships: Vec<(WorkspaceId, Option<String>)>,
}

/// The people of the caller's organization, by mail address.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<User>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// One of them.
pub async fn get(control: &Control, context: &Context, id: UserId) -> Result<User, ControlError> {
    list(control, context).await?.into_iter().find(|user| user.id == id).ok_or(ControlError::NotFound)
}

/// Adds people, all or none.
pub async fn create(
    control: &Control,
    context: &Context,
    new: Vec<NewUser>,
) -> Result<Vec<User>, ControlError> {
    if new.is_empty() {
        return Ok(vec![]);
    }
    let mut tx = control.begin().await?;
    let (mut users, mut deeds) = (vec![], vec![]);
    for person in new {
        let memberships = person.memberships.clone();
        let (user, deed) = add(control, context, &mut tx, person).await?;
        deeds.push(deed);
        for (workspace, role) in memberships {
            deeds.push(place(context, &mut tx, workspace, &user, role).await?.1);
        }
        users.push(user);
    }
    commit_all(control, context, tx, deeds).await?;
    Ok(users)
}

async fn add(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    new: NewUser,
) -> Result<(User, Deed), ControlError> {
    let permit = decide(&context.actor, Action::CreateUser, context.organization_id())?;
    let email = names::read_email("email", &new.email)?;
    if let Some(name) = &new.name {
        names::check("name", name)?;
    }
    let parent = organizations::load(tx, context.organization_id()).await?.ok_or(ControlError::NotFound)?;
    limits::check(tx, &new.limits, &[("organization", &parent.limits)], limits::nested).await?;
    let user = User {
        id: UserId::new(context.now, &*control.entropy),
        organization_id: parent.id,
        email,
        name: new.name,
        first_name: None,
        last_name: None,
        roles: vec![MEMBER],
        limits: new.limits,
        created_at: context.now,
        removed_at: None,
    };
    let taken = |error| ControlError::or_taken(error, "a user of that mail address exists already");
    store::insert(tx, &permit, &user).await.map_err(taken)?;
    let deed = Deed::on(permit, user.id, &user.email).to(&Shown::of(&user))?;
    Ok((user, deed))
}

/// Changes a person's limits; none may stand above the organization's.
pub async fn update_limits(
    control: &Control,
    context: &Context,
    id: UserId,
    patch: LimitsPatch,
) -> Result<User, ControlError> {
    let mut tx = control.begin().await?;
    let mut user =
        store::load(&mut tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::UpdateUserLimits, user.organization_id)?;
    context.must_match(control, &user.limits)?;
    let before = Shown::of(&user);
    let parent = organizations::load(&mut tx, user.organization_id).await?.ok_or(ControlError::NotFound)?;
    let touched = patch.clone().apply(Limits::default());
    limits::check(&mut tx, &touched, &[("organization", &parent.limits)], limits::bare).await?;
    let limits_before = user.limits.clone();
    user.limits = patch.apply(user.limits);
    store::save(&mut tx, &permit, &user).await?;
    let scope = Scope::of(Level::User, user.id.bytes());
    ledger::reopen(&mut tx, &scope, &limits_before, &user.limits).await?;
    let deed = Deed::on(permit, user.id, &user.email).from(&before)?.to(&Shown::of(&user))?;
    commit(control, context, tx, deed).await?;
    Ok(user)
}

/// Gives a person a model role in a workspace, or takes it; makes the person a member if need be.
pub async fn assign_role(
    control: &Control,
    context: &Context,
    workspace: WorkspaceId,
    user: UserId,
    role: Option<String>,
) -> Result<Membership, ControlError> {
    let mut tx = control.begin().await?;
    let user = store::load(&mut tx, context.organization_id(), user).await?.ok_or(ControlError::NotFound)?;
    let (membership, deed) = place(context, &mut tx, workspace, &user, role).await?;
    commit(control, context, tx, deed).await?;
    Ok(membership)
}

async fn place(
    context: &Context,
    tx: &mut Tx,
    workspace: WorkspaceId,
    user: &User,
    role: Option<String>,
) -> Result<(Membership, Deed), ControlError> {
    let workspace = spaces::load_active(tx, context, workspace).await?;
    let permit = decide(&context.actor, Action::AssignModelRole, spaces::resource(&workspace))?;
    if context.actor.user_id() == Some(user.id) {
        return Err(Denied::OwnRights.into());
    }
    model_roles::must_exist(tx, context, role.as_deref()).await?;
    let before = store::load_membership(tx, workspace.id, user.id).await?;
    if before.is_none() {
        decide(&context.actor, Action::AddMember, spaces::resource(&workspace))?;
        let given = Roles::default().actions(&[WORKSPACE_CONTRIBUTOR]);
        may_grant(&context.actor, Some(user.id), given, Some(workspace.id))?;
    }
    let roles = before.as_ref().map_or_else(|| vec![WORKSPACE_CONTRIBUTOR], |m| m.roles.clone());
    let membership = Membership { workspace_id: workspace.id, user_id: user.id, roles, model_role: role };
    store::save_membership(tx, &permit, &membership).await?;
    let deed =
        Deed::on(permit, user.id, &user.email).inside(workspace.id).to(&ShownMembership::of(&membership))?;
    let deed = match before {
        Some(before) => deed.from(&ShownMembership::of(&before))?,
        None => deed,
    };
    Ok((membership, deed))
}

/// Whether a text can be a mail address.
pub fn is_email(text: &str) -> bool {
    names::read_email("email", text).is_ok()
}
