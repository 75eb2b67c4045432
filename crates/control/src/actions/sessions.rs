//! Sessions of people: seen and ended by whoever they are of, and by admins.

use super::{Deed, commit};
use crate::Control;
use crate::context::{Context, Credential};
use crate::error::ControlError;
use louver_domain::access::{Action, Resource, decide};
use louver_domain::id::{SessionId, UserId};
use louver_domain::sessions::Session;
use louver_store::{sessions as store, users};
use serde_json::json;

/// A person's sessions that live, the newest first.
pub async fn list(control: &Control, context: &Context, user: UserId) -> Result<Vec<Session>, ControlError> {
    let organization = context.organization_id();
    decide(&context.actor, Action::ReadSessions, own(context, user))?;
    let now = control.clock.now();
    let found = store::list(&control.store, organization, user).await?;
    Ok(found.into_iter().filter(|session| session.is_alive(now) && !session.needs_code).collect())
}

/// Ends one session.
pub async fn end(control: &Control, context: &Context, id: SessionId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let found = store::load(&mut tx, context.organization_id(), id).await?;
    let session = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::EndSession, own(context, session.user_id))?;
    store::delete(&mut tx, &permit, id).await?;
    let user = users::load(&mut tx, context.organization_id(), session.user_id).await?;
    let name = user.map_or_else(String::new, |user| user.email);
    let told = json!({"session_id": id, "client": session.client});
    commit(control, context, tx, Deed::on(permit, session.user_id, &name).from(&told)?).await
}

/// Ends all sessions of a person, but not the one in which it is asked; answers how many.
pub async fn end_all(control: &Control, context: &Context, user: UserId) -> Result<u64, ControlError> {
    let mut tx = control.begin(context).await?;
    let permit = decide(&context.actor, Action::EndSession, own(context, user))?;
    let found = users::load(&mut tx, context.organization_id(), user).await?.ok_or(ControlError::NotFound)?;
    let ended = store::delete_of(&mut tx, &permit, user, present(context)).await?;
    let deed = Deed::on(permit, user, &found.email).from(&json!({"sessions": ended}))?;
    commit(control, context, tx, deed).await?;
    Ok(ended)
}

/// The session of the request, where it came with one.
pub(crate) const fn present(context: &Context) -> Option<SessionId> {
    match context.credential {
        Some(Credential::Session { id, .. }) => Some(id),
        Some(Credential::AdminKey { .. }) | None => None,
    }
}

/// What is a person's own in the organization.
pub(crate) fn own(context: &Context, user: UserId) -> Resource {
    Resource::organization(context.organization_id()).owned_by(Some(user))
}
