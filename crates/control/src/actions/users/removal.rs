//! A person leaves the organization: nothing that they held goes on working.

use crate::Control;
use crate::actions::{Deed, admin_keys, admins, commit_all, departures, invitations};
use crate::api::users::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide, may_grant};
use louver_domain::id::UserId;
use louver_domain::roles::Roles;
use louver_domain::users::User;
use louver_store::{
    Tx, custom_roles, grants, passwords, second_factors, sessions, sign_in_links, users as store,
};

/// Removes a person: their keys are disabled and their admin keys revoked at once, their memberships end and what they
/// sent of invitations is taken back. Keys of service accounts stay, and so does what the person did, under their name.
pub async fn remove(control: &Control, context: &Context, id: UserId) -> Result<User, ControlError> {
    let mut tx = control.begin(context).await?;
    let organization = context.organization_id();
    let before = store::load(&mut tx, organization, id).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::RemoveUser, organization)?;
    let names = custom_roles::load(&mut tx, organization).await?;
    may_take_all(context, &mut tx, &before, &names).await?;
    let admins = admins::count(&mut tx, context).await?;
    let shown = Shown::of(&before, &names);
    let mut deeds = vec![Deed::on(permit, before.id, &before.email).from(&shown)?];
    deeds.extend(departures::disable_keys_of(&mut tx, context, &before).await?);
    deeds.extend(admin_keys::revoke_of(&mut tx, context, &before).await?);
    deeds.extend(invitations::revoke_of(&mut tx, context, &before, &names).await?);
    store::delete_memberships(&mut tx, &permit, id).await?;
    sessions::delete_of(&mut tx, &permit, id, None).await?;
    sign_in_links::delete_of(&mut tx, &permit, Some(id)).await?;
    second_factors::delete(&mut tx, &permit, id).await?;
    passwords::delete(&mut tx, &permit, id).await?;
    let user = User { removed_at: Some(context.now), ..before };
    store::save(&mut tx, &permit, &user).await?;
    admins.must_stay(&mut tx, context).await?;
    commit_all(control, context, tx, deeds).await?;
    Ok(user)
}

/// Refuses to take away rights that the actor does not hold, or the actor's own.
async fn may_take_all(
    context: &Context,
    tx: &mut Tx,
    user: &User,
    roles: &Roles,
) -> Result<(), ControlError> {
    let held = grants::of(tx, user).await?;
    may_grant(&context.actor, Some(user.id), roles.actions(&held.organization), None)?;
    for (workspace, ids) in &held.workspaces {
        may_grant(&context.actor, Some(user.id), roles.actions(ids), Some(*workspace))?;
    }
    Ok(())
}
