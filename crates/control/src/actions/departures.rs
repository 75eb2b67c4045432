//! What ends when somebody leaves a workspace or the organization: their keys there are refused at once.

use super::Deed;
use crate::api::keys::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Resource, decide};
use louver_domain::id::WorkspaceId;
use louver_domain::keys::{ApiKey, KeyStatus};
use louver_domain::roles::ORGANIZATION_ADMIN;
use louver_domain::users::User;
use louver_store::{Tx, grants, keys};

/// Disables the keys of a person in those of the `left` workspaces to which they no longer belong, also not through a
/// group or as an organization admin. Comes after the change, in the same transaction.
pub(crate) async fn disable_keys_in(
    tx: &mut Tx,
    context: &Context,
    user: &User,
    left: &[WorkspaceId],
) -> Result<Vec<Deed>, ControlError> {
    let grants = grants::of(tx, user).await?;
    if grants.organization.contains(&ORGANIZATION_ADMIN) {
        return Ok(vec![]);
    }
    let belongs = |id: WorkspaceId| grants.workspaces.iter().any(|(workspace, _)| *workspace == id);
    let keys = keys::load_of_user(tx, context.organization_id(), user.id).await?;
    let gone = keys.into_iter().filter(|key| left.contains(&key.workspace_id) && !belongs(key.workspace_id));
    disable(tx, context, gone.collect()).await
}

/// The same in all workspaces, after a change of what somebody is in the organization.
pub(crate) async fn disable_keys_outside(
    tx: &mut Tx,
    context: &Context,
    user: &User,
) -> Result<Vec<Deed>, ControlError> {
    let keys = keys::load_of_user(tx, context.organization_id(), user.id).await?;
    let everywhere: Vec<WorkspaceId> = keys.iter().map(|key| key.workspace_id).collect();
    disable_keys_in(tx, context, user, &everywhere).await
}

/// Disables all keys of a person.
pub(crate) async fn disable_keys_of(
    tx: &mut Tx,
    context: &Context,
    user: &User,
) -> Result<Vec<Deed>, ControlError> {
    let keys = keys::load_of_user(tx, context.organization_id(), user.id).await?;
    disable(tx, context, keys).await
}

async fn disable(tx: &mut Tx, context: &Context, keys: Vec<ApiKey>) -> Result<Vec<Deed>, ControlError> {
    let mut deeds = vec![];
    for before in keys.into_iter().filter(|key| key.status == KeyStatus::Active) {
        // It follows from the departure: whoever may end that need not be able to switch keys off.
        let rule = Actor::system(before.organization_id);
        let resource = Resource::workspace(before.organization_id, before.workspace_id);
        let permit = decide(&rule, Action::DisableApiKey, resource)?;
        let key = ApiKey { status: KeyStatus::Disabled, ..before.clone() };
        keys::save(tx, &permit, &key).await?;
        let deed = Deed::on(permit, key.id, &key.name).inside(key.workspace_id);
        deeds.push(deed.from(&Shown::of(&before, context.now))?.to(&Shown::of(&key, context.now))?);
    }
    Ok(deeds)
}
