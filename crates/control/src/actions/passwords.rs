//! A person chooses a password; all their other sessions end.

use super::sessions::{own, present};
use super::{Deed, commit};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::passwords::fault;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::{passwords as store, sessions, users};
use serde_json::json;

/// When the person of a session set their password; none where they have none.
pub async fn set_at(control: &Control, context: &Context) -> Result<Option<Timestamp>, ControlError> {
    let user = context.actor.user_id().ok_or(ControlError::Unauthorized)?;
    let found = store::get(&control.store, context.organization_id(), user).await?;
    Ok(found.map(|(_, changed_at)| changed_at))
}

/// Sets the password of the person who asks.
pub async fn choose(
    control: &Control,
    context: &Context,
    password: Secret<String>,
) -> Result<(), ControlError> {
    let user = context.actor.user_id().ok_or(ControlError::Unauthorized)?;
    let permit = decide(&context.actor, Action::SetPassword, own(context, user))?;
    context.must_be_confirmed([Action::SetPassword].into_iter())?;
    if let Some(fault) = fault(password.expose(), context.actor.name()) {
        return Err(ControlError::field("password", fault));
    }
    let hash = control.passwords.hash(password, &*control.entropy).await?;
    let mut tx = control.begin(context).await?;
    let found = users::load(&mut tx, context.organization_id(), user).await?.ok_or(ControlError::NotFound)?;
    store::save(&mut tx, &permit, user, &hash, control.clock.now()).await?;
    let ended = sessions::delete_of(&mut tx, &permit, user, present(context)).await?;
    let deed = Deed::on(permit, user, &found.email).to(&json!({"sessions_ended": ended}))?;
    commit(control, context, tx, deed).await
}
