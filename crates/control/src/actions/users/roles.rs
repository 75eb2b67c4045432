//! The roles that a person has in the organization: replaced as a whole.

use crate::Control;
use crate::actions::{Deed, admins, commit_all, departures};
use crate::api::users::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide, may_grant};
use louver_domain::id::{RoleId, UserId};
use louver_domain::roles::ORGANIZATION_ADMIN;
use louver_domain::users::User;
use louver_store::{Tx, custom_roles, keys, users as store};

/// Replaces a person's roles in the organization. Keys in workspaces to which they belonged only as an organization
/// admin are disabled when they are none any more.
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
    if changed.contains(&ORGANIZATION_ADMIN) && before.roles.contains(&ORGANIZATION_ADMIN) {
        deeds.extend(disable_stray_keys(&mut tx, context, &user).await?);
    }
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

async fn disable_stray_keys(tx: &mut Tx, context: &Context, user: &User) -> Result<Vec<Deed>, ControlError> {
    let keys = keys::load_of_user(tx, user.organization_id, user.id).await?;
    let places: Vec<_> = keys.into_iter().map(|key| key.workspace_id).collect();
    departures::disable_keys_in(tx, context, user, &places).await
}
