//! People: added, seen, limited, and given model roles in workspaces.

pub(crate) mod joining;
pub mod removal;
pub mod roles;

use super::{Deed, commit, commit_all, limits, model_roles, names, workspaces as spaces};
use crate::Control;
use crate::actions::limits::LimitsPatch;
use crate::api::users::{Shown, ShownMembership};
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Denied, decide, may_grant};
use louver_domain::budgets::Scope;
use louver_domain::id::{RoleId, UserId, WorkspaceId};
use louver_domain::keys::ApiKey;
use louver_domain::limits::{Level, Limits};
use louver_domain::roles::{Roles, WORKSPACE_CONTRIBUTOR};
use louver_domain::users::{Membership, User};
use louver_store::grants::{self, Place};
use louver_store::invitations::{self, StoredInvitation};
pub use louver_store::users::Filter;
use louver_store::{Tx, custom_roles, keys, ledger, organizations, users as store};
use std::collections::{BTreeMap, BTreeSet};

/// A person to be added.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// Their mail address, new in the organization.
    pub email: String,
    /// A name for people.
    pub name: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// Their roles in the organization; none is `member`.
    pub roles: Vec<RoleId>,
    /// Limits over all their keys.
    pub limits: Limits,
    /// The workspaces they belong to, with the model role in each.
    pub memberships: Vec<(WorkspaceId, Option<String>)>,
}

/// What became of people to be added one by one.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// Those who were.
    pub users: Vec<User>,
    /// The mail addresses, as they were given, of those who were not: no address, or a member's.
    pub refused: Vec<String>,
}

/// One page of people, then of invitations, as if they were one list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The people on it, by mail address.
    pub users: Vec<User>,
    /// The invitations on it, by mail address; only for those who may see them.
    pub invitations: Vec<StoredInvitation>,
    /// How many there are on all pages.
    pub total: u64,
}

/// The people of the caller's organization, by mail address.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<User>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// Up to `limit` people by mail address: from the beginning, or those after that one.
pub async fn after(
    control: &Control,
    context: &Context,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<User>, ControlError> {
    decide(&context.actor, Action::ReadUsers, context.organization_id())?;
    let last = match after {
        None => None,
        Some(id) => {
            let found = store::get(&control.store, context.organization_id(), id).await?;
            Some(found.ok_or_else(|| ControlError::parameter("after", "names nothing in this list"))?)
        }
    };
    Ok(store::after(&control.store, context.organization_id(), last.as_ref(), limit).await?)
}

/// One page of people and invitations.
pub async fn page(control: &Control, context: &Context, filter: &Filter) -> Result<Listed, ControlError> {
    let organization = context.organization_id();
    decide(&context.actor, Action::ReadUsers, organization)?;
    let (users, people) = store::page(&control.store, organization, filter).await?;
    if decide(&context.actor, Action::ReadInvitations, organization).is_err() {
        return Ok(Listed { users, invitations: vec![], total: people });
    }
    let shown = u64::try_from(users.len()).unwrap_or(u64::MAX);
    let rest = Filter {
        offset: filter.offset.saturating_sub(people),
        limit: filter.limit.saturating_sub(shown),
        ..filter.clone()
    };
    let (invitations, invited) = invitations::page(&control.store, organization, &rest).await?;
    Ok(Listed { users, invitations, total: people.saturating_add(invited) })
}

/// The workspaces of people, with their roles there.
pub async fn places(
    control: &Control,
    context: &Context,
    users: &[User],
) -> Result<BTreeMap<UserId, Vec<Place>>, ControlError> {
    decide(&context.actor, Action::ReadUsers, context.organization_id())?;
    let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
    Ok(grants::places_of(&control.store, &ids).await?)
}

/// One of them.
pub async fn get(control: &Control, context: &Context, id: UserId) -> Result<User, ControlError> {
    decide(&context.actor, Action::ReadUsers, context.organization_id())?;
    store::get(&control.store, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

/// Up to `limit` of the keys that a person owns, as far as the caller may see keys.
pub async fn keys_of(
    control: &Control,
    context: &Context,
    user: UserId,
    limit: u32,
) -> Result<Vec<ApiKey>, ControlError> {
    let user = get(control, context, user).await?;
    decide(&context.actor, Action::ReadApiKeys, user.organization_id)?;
    let filter = keys::Filter { owner: Some(user.id), ..keys::Filter::default() };
    Ok(keys::list(&control.store, user.organization_id, filter, limit, context.now).await?)
}

/// The one of that mail address.
pub async fn by_email(
    control: &Control,
    context: &Context,
    email: &str,
) -> Result<Option<User>, ControlError> {
    decide(&context.actor, Action::ReadUsers, context.organization_id())?;
    let email = names::read_email("email", email)?;
    let mut tx = control.begin(context).await?;
    let found = store::load_by_email(&mut tx, context.organization_id(), &email).await?;
    Ok(found.filter(|user| user.removed_at.is_none()))
}

/// Adds people, all or none.
pub async fn create(
    control: &Control,
    context: &Context,
    new: Vec<NewUser>,
) -> Result<Vec<User>, ControlError> {
    let added = create_where_possible(control, context, new, true).await?;
    Ok(added.users)
}

/// Adds people; who cannot be added does not hold up the others.
pub async fn create_some(
    control: &Control,
    context: &Context,
    new: Vec<NewUser>,
) -> Result<Added, ControlError> {
    create_where_possible(control, context, new, false).await
}

async fn create_where_possible(
    control: &Control,
    context: &Context,
    new: Vec<NewUser>,
    all: bool,
) -> Result<Added, ControlError> {
    let permit = decide(&context.actor, Action::CreateUser, context.organization_id())?;
    let mut tx = control.begin(context).await?;
    let place = joining::Place::load(control, context, &mut tx).await?;
    let (mut added, mut deeds, mut seen) = (Added::default(), vec![], BTreeSet::new());
    for person in new {
        let (address, memberships) = (person.email.clone(), person.memberships.clone());
        let email = names::read_email("email", &address);
        let email = if all { email.map(Some)? } else { email.ok() };
        let joined = match email.filter(|email| seen.insert(email.clone())) {
            Some(email) => {
                place.may_give(&person.roles)?;
                place.join(&mut tx, permit, NewUser { email, ..person }).await?
            }
            None => None,
        };
        let Some((user, more)) = joined else {
            if all {
                let taken = "a user of that mail address exists already";
                return Err(ControlError::Conflict(taken.into()));
            }
            added.refused.push(address);
            continue;
        };
        deeds.extend(more);
        for (workspace, role) in memberships {
            deeds.push(put(context, &mut tx, workspace, &user, role).await?.1);
        }
        added.users.push(user);
    }
    if !deeds.is_empty() {
        commit_all(control, context, tx, deeds).await?;
    }
    Ok(added)
}

/// Changes a person's limits; none may stand above the organization's.
pub async fn update_limits(
    control: &Control,
    context: &Context,
    id: UserId,
    patch: LimitsPatch,
) -> Result<User, ControlError> {
    let mut tx = control.begin(context).await?;
    let mut user =
        store::load(&mut tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::UpdateUserLimits, user.organization_id)?;
    if context.actor.user_id() == Some(id) {
        return Err(Denied::OwnRights.into());
    }
    context.must_match(control, &user.limits)?;
    let names = custom_roles::load(&mut tx, user.organization_id).await?;
    let before = Shown::of(&user, &names);
    let parent = organizations::load(&mut tx, user.organization_id).await?.ok_or(ControlError::NotFound)?;
    let touched = patch.clone().apply(Limits::default());
    limits::permissions::none_on_people(&touched)?;
    limits::check(&mut tx, &touched, &[("organization", &parent.limits)], limits::bare).await?;
    let limits_before = user.limits.clone();
    user.limits = patch.apply(user.limits);
    store::save(&mut tx, &permit, &user).await?;
    let scope = Scope::of(Level::User, user.id.bytes());
    ledger::reopen(&mut tx, &scope, &limits_before, &user.limits).await?;
    let deed = Deed::on(permit, user.id, &user.email).from(&before)?.to(&Shown::of(&user, &names))?;
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
    let mut tx = control.begin(context).await?;
    let user = store::load(&mut tx, context.organization_id(), user).await?.ok_or(ControlError::NotFound)?;
    let (membership, deed) = put(context, &mut tx, workspace, &user, role).await?;
    commit(control, context, tx, deed).await?;
    Ok(membership)
}

async fn put(
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
