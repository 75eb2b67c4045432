//! Who may do what on the admin side: `decide` hands out a permit, and no admin write happens without one.

use crate::id::{AdminKeyId, OrganizationId};

/// Who acts on the admin side.
#[derive(Clone, Debug)]
pub enum Actor {
    /// The holder of an admin key.
    AdminKey {
        /// The key.
        id: AdminKeyId,
        /// Its name.
        name: String,
        /// The one organization it administers.
        organization_id: OrganizationId,
    },
    /// The program itself, on the machine that holds the data (`init`, `dev`, `admin-key`).
    System {
        /// The organization it acts on.
        organization_id: OrganizationId,
    },
}

impl Actor {
    /// The organization that bounds everything the actor sees.
    pub const fn organization_id(&self) -> OrganizationId {
        match self {
            Self::AdminKey { organization_id, .. } | Self::System { organization_id } => *organization_id,
        }
    }
}

/// What is done. The names are those of audit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// An API key is made.
    CreateApiKey,
    /// An API key's name, limits or life is changed.
    UpdateApiKey,
    /// An API key is refused from now on, until enabled.
    DisableApiKey,
    /// A disabled API key is accepted again.
    EnableApiKey,
    /// An API key is refused for good.
    RevokeApiKey,
    /// An admin key is made.
    CreateAdminKey,
    /// An admin key is refused for good.
    RevokeAdminKey,
    /// The organization is made.
    CreateOrganization,
    /// The organization's name, billing or limits are changed.
    UpdateOrganization,
    /// A workspace is made.
    CreateWorkspace,
    /// A workspace's limits are changed.
    UpdateWorkspaceLimits,
    /// A person is added.
    CreateUser,
    /// A person's limits are changed.
    UpdateUserLimits,
    /// A service account is made.
    CreateServiceAccount,
    /// A model role is made.
    CreateModelRole,
    /// A model role is changed.
    UpdateModelRole,
    /// A model role is deleted.
    DeleteModelRole,
    /// A model role is given or taken.
    AssignModelRole,
    /// A model or its price is changed.
    UpdateModel,
    /// An upstream credential is stored.
    CreateUpstream,
    /// An upstream credential is changed.
    UpdateUpstream,
    /// An upstream credential is removed.
    DeleteUpstream,
    /// A budget that a bill above its bound had blocked is given out again.
    UnblockBudget,
    /// Parts of budgets that a node took with it are given out again.
    ReleaseStranded,
    /// An alert channel is made.
    CreateAlertChannel,
    /// An alert channel is changed.
    UpdateAlertChannel,
    /// An alert channel is removed.
    DeleteAlertChannel,
    /// A test message is sent through an alert channel.
    TestAlertChannel,
}

impl Action {
    /// As in audit events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateApiKey => "api_key.created",
            Self::UpdateApiKey => "api_key.updated",
            Self::DisableApiKey => "api_key.disabled",
            Self::EnableApiKey => "api_key.enabled",
            Self::RevokeApiKey => "api_key.revoked",
            Self::CreateAdminKey => "admin_key.created",
            Self::RevokeAdminKey => "admin_key.revoked",
            Self::CreateOrganization => "organization.created",
            Self::UpdateOrganization => "organization.updated",
            Self::CreateWorkspace => "workspace.created",
            Self::UpdateWorkspaceLimits => "workspace.limits_updated",
            Self::CreateUser => "user.created",
            Self::UpdateUserLimits => "user.limits_updated",
            Self::CreateServiceAccount => "service_account.created",
            Self::CreateModelRole => "model_role.created",
            Self::UpdateModelRole => "model_role.updated",
            Self::DeleteModelRole => "model_role.deleted",
            Self::AssignModelRole => "model_role.assigned",
            Self::UpdateModel => "model.updated",
            Self::CreateUpstream => "upstream.created",
            Self::UpdateUpstream => "upstream.updated",
            Self::DeleteUpstream => "upstream.deleted",
            Self::UnblockBudget => "budget.unblocked",
            Self::ReleaseStranded => "budget.stranded_released",
            Self::CreateAlertChannel => "alert_channel.created",
            Self::UpdateAlertChannel => "alert_channel.updated",
            Self::DeleteAlertChannel => "alert_channel.deleted",
            Self::TestAlertChannel => "alert_channel.tested",
        }
    }
}

/// Proof that `decide` said yes to this action in this organization. Only [`decide`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    action: Action,
    organization_id: OrganizationId,
}

impl Permit {
    /// What was permitted.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The organization it was permitted in.
    pub const fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

/// The actor may not. To the outside it looks as if the object did not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied;

/// Decides whether `actor` may do `action` on something of `organization_id`. Admin keys and the program itself may
/// do everything within their own organization, and nothing outside it.
pub fn decide(actor: &Actor, action: Action, organization_id: OrganizationId) -> Result<Permit, Denied> {
    if actor.organization_id() == organization_id {
        Ok(Permit { action, organization_id })
    } else {
        Err(Denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_acts_outside_his_organization() {
        let (own, foreign) = (OrganizationId::from_bytes([1; 16]), OrganizationId::from_bytes([2; 16]));
        let actor =
            Actor::AdminKey { id: AdminKeyId::from_bytes([3; 16]), name: "a".into(), organization_id: own };
        assert!(decide(&actor, Action::RevokeApiKey, own).is_ok());
        assert_eq!(decide(&actor, Action::RevokeApiKey, foreign).unwrap_err(), Denied);
    }
}
