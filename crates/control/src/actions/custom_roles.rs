//! Custom roles: named sets of permissions, made, changed, and deleted when nobody has them.

use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::roles::Roles;
use louver_store::custom_roles as store;

/// The roles of the caller's organization.
pub async fn list(control: &Control, context: &Context) -> Result<Roles, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}
