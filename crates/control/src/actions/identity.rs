//! Who an API key stands for, and where that one belongs.

use crate::Control;
use crate::error::ControlError;
use crate::key_holder::KeyHolder;
use louver_domain::keys::Owner;
use louver_domain::organizations::Organization;
use louver_domain::users::{ServiceAccount, User};
use louver_domain::workspaces::Workspace;
use louver_store::{organizations, service_accounts, users};

/// Who stands behind an API key.
#[derive(Debug)]
pub(crate) enum Holder {
    /// A person.
    Person(Box<User>),
    /// A service account.
    Account(Box<ServiceAccount>),
    /// Nobody but the key.
    Key,
}

/// The owner of the key; one whose owner is gone is accepted no more.
pub(crate) async fn holder(control: &Control, caller: &KeyHolder) -> Result<Holder, ControlError> {
    let (store, organization) = (&control.store, caller.key.organization_id);
    match caller.key.owner {
        Owner::Workspace => Ok(Holder::Key),
        Owner::User(id) => {
            let user = users::get(store, organization, id).await?.ok_or(ControlError::Unauthorized)?;
            Ok(Holder::Person(Box::new(user)))
        }
        Owner::ServiceAccount(id) => {
            let all = service_accounts::list(store, organization).await?;
            let account = all.into_iter().find(|one| one.id == id).ok_or(ControlError::Unauthorized)?;
            Ok(Holder::Account(Box::new(account)))
        }
    }
}

/// The organization of the key.
pub(crate) async fn organization(
    control: &Control,
    caller: &KeyHolder,
) -> Result<Organization, ControlError> {
    let found = organizations::get(&control.store, caller.key.organization_id).await?;
    found.ok_or(ControlError::Unauthorized)
}

/// The workspaces that a key may know of: the one it lives in. Where else its owner belongs is not the business of whoever
/// holds the key, who may have made it for somebody else.
pub(crate) async fn workspaces_of(
    control: &Control,
    caller: &KeyHolder,
) -> Result<Vec<Workspace>, ControlError> {
    holder(control, caller).await?;
    Ok(vec![caller.workspace.clone()])
}
