//! Who the caller of the admin side is: anybody may know that of themselves.

use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::organizations::Organization;
use louver_store::organizations;

/// The organization that the caller acts in.
pub async fn organization(control: &Control, context: &Context) -> Result<Organization, ControlError> {
    organizations::get(&control.store, context.organization_id()).await?.ok_or(ControlError::Unauthorized)
}
