//! Where somebody is: their organization's name, their own, and the workspaces that they see. It needs no permission.

use super::workspaces;
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::workspaces::Workspace;
use louver_store::{organizations, users};

/// What surrounds an actor.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The organization's name.
    pub organization: String,
    /// The person's name, where it is a person who told it.
    pub person: Option<String>,
    /// The workspaces that they see, by name.
    pub workspaces: Vec<Workspace>,
}

/// Reads them.
pub async fn of(control: &Control, context: &Context) -> Result<Surroundings, ControlError> {
    let id = context.organization_id();
    let organization = organizations::get(&control.store, id).await?.ok_or(ControlError::NotFound)?;
    let person = match context.actor.user_id() {
        Some(user) => users::get(&control.store, id, user).await?,
        None => None,
    };
    let person = person.and_then(|user| {
        let parts: Vec<String> = [user.first_name, user.last_name].into_iter().flatten().collect();
        user.name.or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
    });
    let workspaces = workspaces::list(control, context).await?;
    Ok(Surroundings { organization: organization.name, person, workspaces })
}
