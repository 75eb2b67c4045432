//! Everything that can be done on the admin side, in one table: its permission, its audit event, and who holds it.

use crate::roles::{Holders, RoleLevel};
use Target as T;

/// What kind of object an action is on. The names are those of Mistral's audit log where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Target {
    Organization,
    MonthlyLimit,
    WorkspaceMonthlyLimit,
    RateLimitRule,
    ApiKeyPolicy,
    Workspace,
    User,
    UserGroup,
    Invitation,
    Role,
    ModelRole,
    ServiceAccount,
    ApiKey,
    AdminApiKey,
    Model,
    Upstream,
    Budget,
    Usage,
    Object,
    Alert,
    AlertChannel,
    SecretDestination,
    Rotation,
    RotationPolicy,
    AuditLog,
    Admin,
}

impl Target {
    /// As in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "ORGANIZATION",
            Self::MonthlyLimit => "MONTHLY_LIMIT",
            Self::WorkspaceMonthlyLimit => "WORKSPACE_MONTHLY_LIMIT",
            Self::RateLimitRule => "RATE_LIMIT_RULE",
            Self::ApiKeyPolicy => "API_KEY_POLICY",
            Self::Workspace => "WORKSPACE",
            Self::User => "USER",
            Self::UserGroup => "USER_GROUP",
            Self::ServiceAccount => "SERVICE_ACCOUNT",
            Self::ApiKey => "API_KEY",
            Self::AdminApiKey => "ADMIN_API_KEY",
            Self::Invitation => "INVITATION",
            Self::Role => "ROLE",
            Self::ModelRole => "MODEL_ROLE",
            Self::Model => "MODEL",
            Self::Upstream => "UPSTREAM",
            Self::Budget => "BUDGET",
            Self::Usage => "USAGE",
            Self::Object => "OBJECT",
            Self::Alert => "ALERT",
            Self::AlertChannel => "ALERT_CHANNEL",
            Self::SecretDestination => "SECRET_DESTINATION",
            Self::Rotation => "ROTATION",
            Self::RotationPolicy => "ROTATION_POLICY",
            Self::AuditLog => "AUDIT_LOG",
            Self::Admin => "ADMIN",
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $text:literal, $target:expr, $level:ident, $holders:literal;)*) => {
        /// What is done. Each is a permission that roles are made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The permission's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it is done on.
            pub const fn target(self) -> Target {
                match self { $(Self::$name => $target,)* }
            }

            /// Whether roles of a workspace may hold it, or only those of the organization.
            pub const fn level(self) -> RoleLevel {
                match self { $(Self::$name => RoleLevel::$level,)* }
            }

            /// The built-in roles that hold it besides `organization_admin`, which holds all.
            pub const fn holders(self) -> Holders {
                match self { $(Self::$name => Holders::read($holders),)* }
            }
        }
    };
}

// The letters: m member, b billing_manager (of the organization); A workspace_admin, D those who build (dev,
// contributor and their kin), P billing, V observability_viewer, W everyone with a role in the workspace; and
// s: a person on what is their own.
actions! {
    /// The organization is made.
    CreateOrganization "organization.create", T::Organization, Organization, "";
    /// The organization's name, limits and billing state are seen.
    ReadOrganization "organization.read", T::Organization, Organization, "mb";
    /// The organization's name, billing state or limits are changed.
    UpdateOrganization "organization.update", T::Organization, Organization, "";
    /// The organization's monthly limit is changed.
    UpdateMonthlyLimit "billing.monthly_limit.updated", T::MonthlyLimit, Organization, "b";
    /// Somebody asked for the people to be taken over from a directory.
    TriggerScimSync "organization.scim_sync.trigger", T::Organization, Organization, "";

    /// A workspace is seen, with its limits.
    ReadWorkspace "workspace.read", T::Workspace, Workspace, "bW";
    /// A workspace is made.
    CreateWorkspace "workspace.create", T::Workspace, Organization, "";
    /// A workspace's name, description or icon is changed.
    UpdateWorkspace "workspace.update", T::Workspace, Workspace, "A";
    /// A workspace is archived, for good.
    ArchiveWorkspace "workspace.delete", T::Workspace, Organization, "";
    /// A workspace's limits are changed.
    UpdateWorkspaceLimits "workspace.limits.update", T::Workspace, Organization, "";
    /// A workspace's monthly limit is changed.
    UpdateWorkspaceMonthlyLimit "billing.workspace_monthly_limit.updated", T::WorkspaceMonthlyLimit, Organization, "";
    /// Rates are changed.
    UpdateRateLimits "rate_limit.rule.update", T::RateLimitRule, Organization, "";
    /// The longest life of keys is changed.
    UpdateApiKeyPolicy "api_key_policy.update", T::ApiKeyPolicy, Organization, "";

    /// The members of a workspace are seen.
    ReadMembers "workspace.member.read", T::Workspace, Workspace, "A";
    /// People become members of a workspace.
    AddMember "workspace.member.add", T::Workspace, Workspace, "A";
    /// People are no longer members of a workspace.
    RemoveMember "workspace.member.remove", T::Workspace, Workspace, "A";
    /// A member's roles in a workspace are changed.
    UpdateMemberRole "workspace.member.role.update", T::Workspace, Workspace, "A";

    /// People of the organization are seen.
    ReadUsers "user.read", T::User, Organization, "";
    /// A person is added.
    CreateUser "user.create", T::User, Organization, "";
    /// A person joins the organization.
    JoinOrganization "user.organization.join", T::User, Organization, "";
    /// A person's roles in the organization are changed.
    UpdateUserRole "user.organization.role.update", T::User, Organization, "";
    /// A person's limits are changed.
    UpdateUserLimits "user.limits.update", T::User, Organization, "";
    /// A person is removed from the organization.
    RemoveUser "user.organization.delete", T::User, Organization, "";

    /// Somebody signs in to the console.
    SignIn "user.log_in", T::User, Organization, "";
    /// Somebody in a session shows again that it is them.
    ConfirmSession "user.session.confirm", T::User, Organization, "";
    /// The sessions of a person are seen.
    ReadSessions "user.session.read", T::User, Organization, "s";
    /// A session is ended.
    EndSession "user.session.delete", T::User, Organization, "s";
    /// A person's password is set; only by that person.
    SetPassword "user.password.update", T::User, Organization, "s";
    /// A person's second factor is set up or taken away; only by that person.
    UpdateSecondFactor "user.second_factor.update", T::User, Organization, "s";
    /// A link is made that signs somebody in once.
    CreateSignInLink "user.sign_in_link.create", T::User, Organization, "";

    /// Invitations are seen, with their links while no mail carries them.
    ReadInvitations "organization.invite.read", T::Invitation, Organization, "";
    /// Somebody is invited.
    SendInvitation "organization.invite.send", T::Organization, Organization, "";
    /// An invitation is sent anew, with a new link.
    ResendInvitation "organization.invite.resend", T::Organization, Organization, "";
    /// An invitation is taken up.
    AcceptInvitation "organization.invite.accepted", T::Organization, Organization, "";
    /// An invitation is taken back.
    RevokeInvitation "organization.invite.revoked", T::Organization, Organization, "";

    /// Roles and who may do what are seen.
    ReadRoles "role.read", T::Role, Organization, "mb";
    /// A custom role is made.
    CreateRole "role.create", T::Role, Organization, "";
    /// A custom role is changed.
    UpdateRole "role.update", T::Role, Organization, "";
    /// A custom role is deleted.
    DeleteRole "role.delete", T::Role, Organization, "";

    /// Groups and their members are seen.
    ReadGroups "user_group.read", T::UserGroup, Organization, "";
    /// A group is made.
    CreateGroup "user_group.create", T::UserGroup, Organization, "";
    /// A group's name, place among the groups, or role in the organization is changed.
    UpdateGroup "user_group.update", T::UserGroup, Organization, "";
    /// A group is deleted.
    DeleteGroup "user_group.delete", T::UserGroup, Organization, "";
    /// People become members of a group.
    AddGroupMember "user_group.member.add", T::UserGroup, Organization, "";
    /// People are no longer members of a group.
    RemoveGroupMember "user_group.member.remove", T::UserGroup, Organization, "";
    /// A group gets roles in a workspace.
    ProvisionGroup "user_group.workspace.provision", T::UserGroup, Organization, "";
    /// A group's roles in a workspace are changed.
    UpdateGroupWorkspace "user_group.workspace.update", T::UserGroup, Organization, "";
    /// A group loses its roles in a workspace.
    DeprovisionGroup "user_group.workspace.deprovision", T::UserGroup, Organization, "";

    /// Service accounts are seen.
    ReadServiceAccounts "service_account.read", T::ServiceAccount, Workspace, "A";
    /// A service account is made.
    CreateServiceAccount "service_account.create", T::ServiceAccount, Workspace, "A";
    /// A service account is changed.
    UpdateServiceAccount "service_account.update", T::ServiceAccount, Workspace, "A";
    /// A service account's roles in its workspace are changed.
    SetServiceAccountRoles "service_account.roles.set", T::ServiceAccount, Workspace, "A";
    /// A service account is deleted, with its keys.
    DeleteServiceAccount "service_account.delete", T::ServiceAccount, Workspace, "A";

    /// API keys are seen, without their secrets.
    ReadApiKeys "api_key.read", T::ApiKey, Workspace, "As";
    /// An API key is made, for whomever.
    CreateApiKey "api_key.create", T::ApiKey, Workspace, "A";
    /// A person makes an API key of their own, where the workspace lets members do that.
    CreateOwnApiKey "api_key.create_own", T::ApiKey, Workspace, "D";
    /// An API key's name, limits or life is changed.
    UpdateApiKey "api_key.update", T::ApiKey, Workspace, "A";
    /// A person changes the name or the description of a key of their own.
    RenameOwnApiKey "api_key.rename_own", T::ApiKey, Workspace, "s";
    /// An API key gets a new secret, and the old one works on for a while.
    RotateApiKey "api_key.rotate", T::ApiKey, Workspace, "As";
    /// A secret that was found where it should not be is reported: its key is refused at once.
    ReportLeakedKey "api_key.leak.report", T::ApiKey, Organization, "";
    /// A key that nobody uses stays for a while, for a reason.
    ExemptApiKey "api_key.unused_exemption.update", T::ApiKey, Workspace, "A";
    /// An API key is refused from now on, until enabled.
    DisableApiKey "api_key.disable", T::ApiKey, Workspace, "As";
    /// A disabled API key is accepted again.
    EnableApiKey "api_key.enable", T::ApiKey, Workspace, "A";
    /// An API key is refused for good.
    RevokeApiKey "api_key.delete", T::ApiKey, Workspace, "As";

    /// Rotations and their policies are seen.
    ReadRotations "rotation.read", T::Rotation, Workspace, "A";
    /// A managed rotation of a key is begun.
    StartRotation "rotation.start", T::Rotation, Workspace, "A";
    /// A step of a rotation that failed is tried again now.
    RetryRotation "rotation.retry", T::Rotation, Workspace, "A";
    /// A rotation is called off.
    CancelRotation "rotation.cancel", T::Rotation, Workspace, "A";
    /// A rotation goes on by itself.
    AdvanceRotation "rotation.advance", T::Rotation, Workspace, "";
    /// It is changed when keys are rotated by themselves, and how.
    UpdateRotationPolicy "rotation.policy.update", T::RotationPolicy, Workspace, "A";

    /// Admin keys are seen, without their secrets.
    ReadAdminKeys "admin_api_key.read", T::AdminApiKey, Organization, "";
    /// An admin key is made.
    CreateAdminKey "admin_api_key.created", T::AdminApiKey, Organization, "";
    /// An admin key gets a new secret, and the old one works on for a while.
    RotateAdminKey "admin_api_key.rotate", T::AdminApiKey, Organization, "";
    /// An admin key is refused for good.
    RevokeAdminKey "admin_api_key.delete", T::AdminApiKey, Organization, "";

    /// Model roles are seen.
    ReadModelRoles "model_role.read", T::ModelRole, Organization, "m";
    /// A model role is made.
    CreateModelRole "model_role.create", T::ModelRole, Organization, "";
    /// A model role is changed.
    UpdateModelRole "model_role.update", T::ModelRole, Organization, "";
    /// A model role is deleted.
    DeleteModelRole "model_role.delete", T::ModelRole, Organization, "";
    /// A model role is given or taken.
    AssignModelRole "model_role.assign", T::ModelRole, Workspace, "A";
    /// Models and their prices are seen.
    ReadModels "model.read", T::Model, Organization, "mb";
    /// A model or its price is changed.
    UpdateModel "model.update", T::Model, Organization, "";

    /// Somebody has looked at a name of a model that upstream lists otherwise.
    DismissModelSighting "model.sighting.dismiss", T::Model, Organization, "";
    /// Upstream credentials are seen, without their secrets.
    ReadUpstreams "upstream.read", T::Upstream, Organization, "";
    /// An upstream credential is stored.
    CreateUpstream "upstream.create", T::Upstream, Organization, "";
    /// An upstream credential is changed.
    UpdateUpstream "upstream.update", T::Upstream, Organization, "";
    /// An upstream credential is removed.
    DeleteUpstream "upstream.delete", T::Upstream, Organization, "";

    /// Usage is seen.
    ReadUsage "usage.read", T::Usage, Workspace, "bAPVs";
    /// What was charged is corrected by a new entry.
    AdjustUsage "usage.adjust", T::Usage, Organization, "";
    /// It is seen which workspace owns what the provider keeps.
    ReadObjects "object.read", T::Object, Workspace, "A";
    /// What the provider keeps is given to a workspace.
    AdoptObject "object.adopt", T::Object, Organization, "";
    /// What the provider keeps belongs to nobody any more.
    ReleaseObject "object.release", T::Object, Organization, "";
    /// It is seen how budgets stand.
    ReadBudgets "budget.read", T::Budget, Organization, "b";
    /// A budget that a bill above its bound had blocked is given out again.
    UnblockBudget "budget.unblock", T::Budget, Organization, "";
    /// Parts of budgets that a node took with it are given out again.
    ReleaseStranded "budget.release_stranded", T::Budget, Organization, "";
    /// It is asked which rules a call would meet.
    Explain "access.explain", T::Admin, Workspace, "As";
    /// It is tried what a draft of limits would have refused.
    Simulate "limits.simulate", T::Admin, Organization, "b";

    /// Alerts are seen.
    ReadAlerts "alert.read", T::Alert, Organization, "b";
    /// Alert channels are seen, without their addresses.
    ReadAlertChannels "alert_channel.read", T::AlertChannel, Organization, "b";
    /// An alert channel is made.
    CreateAlertChannel "alert_channel.create", T::AlertChannel, Organization, "";
    /// An alert channel is changed.
    UpdateAlertChannel "alert_channel.update", T::AlertChannel, Organization, "";
    /// An alert channel is removed.
    DeleteAlertChannel "alert_channel.delete", T::AlertChannel, Organization, "";
    /// A test message is sent through an alert channel.
    TestAlertChannel "alert_channel.test", T::AlertChannel, Organization, "";

    /// Destinations of secrets are seen, without their credentials.
    ReadSecretDestinations "secret_destination.read", T::SecretDestination, Workspace, "A";
    /// A destination of secrets is made.
    CreateSecretDestination "secret_destination.create", T::SecretDestination, Workspace, "A";
    /// A destination of secrets is changed.
    UpdateSecretDestination "secret_destination.update", T::SecretDestination, Workspace, "A";
    /// A destination of secrets is removed.
    DeleteSecretDestination "secret_destination.delete", T::SecretDestination, Workspace, "A";
    /// A probe is written to a destination of secrets.
    TestSecretDestination "secret_destination.test", T::SecretDestination, Workspace, "A";

    /// The audit log is seen.
    ReadAuditLog "audit_log.read", T::AuditLog, Organization, "";
    /// The audit log is taken out as a whole.
    ExportAuditLog "audit_log.export", T::AuditLog, Organization, "";
    /// The oldest part of the audit log is cut off.
    CutAuditLog "audit_log.cut", T::AuditLog, Organization, "";
    /// The admin side was asked for what the asker may not do, or with a credential that is not accepted.
    Refused "admin.refused", T::Admin, Organization, "";
}

impl Action {
    /// The audit event that it leaves: its own name, but for what differs only in who may do it.
    pub const fn event(self) -> &'static str {
        match self {
            Self::CreateOwnApiKey => Self::CreateApiKey.as_str(),
            Self::RenameOwnApiKey => Self::UpdateApiKey.as_str(),
            other => other.as_str(),
        }
    }

    /// The action that includes this one: who may do it to everything may do it to their own.
    pub const fn wider(self) -> Option<Self> {
        match self {
            Self::CreateOwnApiKey => Some(Self::CreateApiKey),
            Self::RenameOwnApiKey => Some(Self::UpdateApiKey),
            _ => None,
        }
    }

    /// The action of that permission's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text)
    }

    /// Whether roles can hold it: some actions are only ever the program's.
    pub const fn can_be_held(self) -> bool {
        !matches!(
            self,
            Self::CreateOrganization
                | Self::JoinOrganization
                | Self::AcceptInvitation
                | Self::SignIn
                | Self::ConfirmSession
                | Self::SetPassword
                | Self::UpdateSecondFactor
                | Self::AdvanceRotation
                | Self::CutAuditLog
                | Self::Refused
        )
    }

    /// Whether a person in the console gives their password again before it, if they have not done so lately: what makes
    /// secrets, gives rights or money, or changes where secrets and warnings go. What only takes away needs no delay.
    pub const fn is_sensitive(self) -> bool {
        matches!(
            self,
            Self::UpdateOrganization
                | Self::UpdateMonthlyLimit
                | Self::UpdateWorkspaceLimits
                | Self::UpdateWorkspaceMonthlyLimit
                | Self::UpdateRateLimits
                | Self::UpdateApiKeyPolicy
                | Self::UpdateMemberRole
                | Self::AddMember
                | Self::CreateUser
                | Self::UpdateUserRole
                | Self::UpdateUserLimits
                | Self::SetPassword
                | Self::UpdateSecondFactor
                | Self::CreateSignInLink
                | Self::SendInvitation
                | Self::ResendInvitation
                | Self::CreateRole
                | Self::UpdateRole
                | Self::AddGroupMember
                | Self::ProvisionGroup
                | Self::UpdateGroup
                | Self::UpdateGroupWorkspace
                | Self::CreateServiceAccount
                | Self::SetServiceAccountRoles
                | Self::CreateApiKey
                | Self::CreateOwnApiKey
                | Self::UpdateApiKey
                | Self::RotateApiKey
                | Self::ExemptApiKey
                | Self::EnableApiKey
                | Self::StartRotation
                | Self::UpdateRotationPolicy
                | Self::CreateAdminKey
                | Self::RotateAdminKey
                | Self::CreateModelRole
                | Self::UpdateModelRole
                | Self::AssignModelRole
                | Self::UpdateModel
                | Self::CreateUpstream
                | Self::UpdateUpstream
                | Self::DeleteUpstream
                | Self::AdjustUsage
                | Self::AdoptObject
                | Self::UnblockBudget
                | Self::ReleaseStranded
                | Self::CreateAlertChannel
                | Self::UpdateAlertChannel
                | Self::DeleteAlertChannel
                | Self::CreateSecretDestination
                | Self::UpdateSecretDestination
        )
    }

    /// Its place in an [`crate::access::ActionSet`].
    pub(crate) const fn bit(self) -> u128 {
        1 << (self as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_a_name_of_its_own_and_a_place_in_a_set() {
        for (place, action) in Action::ALL.iter().enumerate() {
            assert_eq!(Action::parse(action.as_str()), Some(*action));
            assert_eq!(action.bit(), 1 << place);
        }
        assert!(Action::ALL.len() <= 128);
        assert_eq!(Action::parse("api_key"), None);
    }
}
