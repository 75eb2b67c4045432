//! What is the reader's own: keys, usage of this month, budgets, and which models they may call where. It needs no
//! permission, as everything in it is theirs.

use super::{budgets, explain};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::budgets::{Budget, Scope};
use louver_domain::calendar::Window;
use louver_domain::id::{KeyId, UserId};
use louver_domain::keys::ApiKey;
use louver_domain::limits::Level;
use louver_domain::users::User;
pub use louver_store::usage::{Group, Sums};
use louver_store::usage::{GroupBy, Whose};
use louver_store::{keys as store, organizations, usage, users};
use std::collections::BTreeMap;

pub use explain::Callable;

/// The person who asks; an admin key that is nobody's has nothing of its own.
pub async fn person(control: &Control, context: &Context) -> Result<User, ControlError> {
    let id = own_id(context)?;
    users::get(&control.store, context.organization_id(), id).await?.ok_or(ControlError::NotFound)
}

fn own_id(context: &Context) -> Result<UserId, ControlError> {
    context.actor.user_id().ok_or(ControlError::NotFound)
}

/// Their keys, oldest first, at most `limit`; those that are revoked are not among them.
pub async fn keys(
    control: &Control,
    context: &Context,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Vec<ApiKey>, ControlError> {
    let filter = store::Filter { owner: Some(own_id(context)?), after, ..store::Filter::default() };
    Ok(store::list(&control.store, context.organization_id(), filter, limit, context.now).await?)
}

/// What they used in this month, by model.
pub async fn usage(control: &Control, context: &Context) -> Result<BTreeMap<Group, Sums>, ControlError> {
    let whose = Whose { workspace: None, user: Some(own_id(context)?) };
    let from = context.now.floor(Window::Month);
    let by = GroupBy { model: true, ..GroupBy::default() };
    let until = context.now.plus_seconds(1);
    Ok(usage::sums(&control.store, context.organization_id(), from, until, whose, by).await?)
}

/// How the budgets over all their keys together stand.
pub async fn budgets(
    control: &Control,
    context: &Context,
    person: &User,
) -> Result<Vec<budgets::Standing>, ControlError> {
    let id = own_id(context)?;
    if person.id != id {
        return Err(ControlError::NotFound);
    }
    let found = organizations::get(&control.store, context.organization_id()).await?;
    let zone = found.ok_or(ControlError::NotFound)?.limits.zone().unwrap_or_default();
    let scope = Scope::of(Level::User, id.bytes());
    budgets::stand_all(control, context, Budget::of_limits(&scope, &person.limits, &zone)).await
}

/// The models that a fresh key of theirs could call in each of their workspaces.
pub async fn models(control: &Control, context: &Context) -> Result<Vec<Callable>, ControlError> {
    explain::callable(control, context, own_id(context)?).await
}
