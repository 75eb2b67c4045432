//! The roles that a person has in the organization: replaced as a whole.

use crate::Control;
use crate::actions::{Deed, admins, commit_all, departures};
use crate::api::users::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide, may_grant};
use louver_domain::id::{RoleId, UserId};
use louver_domain::users::User;
use louver_store::{custom_roles, users as store};

/// Replaces a person's roles in the organization. Their keys in workspaces to which they do not belong, by
/// themselves, through a group or as an organization admin, are disabled.
pub async fn replace(
    control: &Control,
    context: &Context,
    id: UserId,
    roles: Vec<RoleId>,
) -> Result<User, ControlError> {
    let mut tx = control.begin(context).await?;
    let organization = context.organization_id();
    let before = store::load(&mut tx, organization, id).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::UpdateUserRole, organization)?;
    let names = custom_roles::load(&mut tx, organization).await?;
    let changed = difference(&before.roles, &roles);
    if changed.is_empty() {
        return Ok(before);
    }
    may_grant(&context.actor, Some(id), names.actions(&changed), None)?;
    let admins = admins::count(&mut tx, context).await?;
    let user = User { roles, ..before.clone() };
    store::save(&mut tx, &permit, &user).await?;
    admins.must_stay(&mut tx, context).await?;
    let deed = Deed::on(permit, user.id, &user.email);
    let mut deeds = vec![deed.from(&Shown::of(&before, &names))?.to(&Shown::of(&user, &names))?];
    deeds.extend(departures::disable_keys_outside(&mut tx, context, &user).await?);
    commit_all(control, context, tx, deeds).await?;
    Ok(user)
}

/// What stands in one of the two lists only.
fn difference(a: &[RoleId], b: &[RoleId]) -> Vec<RoleId> {
    let only = |one: &[RoleId], other: &[RoleId]| -> Vec<RoleId> {
        one.iter().filter(|id| !other.contains(id)).copied().collect()
    };
    [only(a, b), only(b, a)].concat()
}
