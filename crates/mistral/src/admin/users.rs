//! The organization's users: `/v1/admin/users*`.

use super::invites::OrganizationInviteOUT;
use super::roles::{RoleValue, UserRole, asks_roles};
use super::values::{Text, Time, objects};
use super::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

words! {
    /// A product that one can subscribe to. Louver sells none: it takes the words and gives none out.
    PlanType {
        /// The API.
        Api = "API",
        /// The chat.
        Chat = "CHAT",
        /// An installation of one's own.
        OnPremise = "ON_PREMISE",
        /// A licence.
        License = "LICENSE",
        /// The assistant for code.
        MistralCode = "MISTRAL_CODE",
    }
}

words! {
    /// A product with seats.
    Seat {
        /// The chat.
        Chat = "CHAT",
        /// The assistant for code.
        MistralCode = "MISTRAL_CODE",
    }
}

words! {
    /// A plan of a product: of the API, the chat, or the assistant for code.
    Plan {
        /// The API for free.
        Free = "FREE",
        /// The API by use.
        PayAsYouGo = "PAY_AS_YOU_GO",
        /// The chat for one.
        Individual = "INDIVIDUAL",
        /// The chat for learners.
        Edu = "EDU",
        /// The chat for a team.
        Team = "TEAM",
        /// The assistant for an enterprise.
        Enterprise = "ENTERPRISE",
    }
}

words! {
    /// How a subscription stands. Mistral does not say what the letters mean.
    SubscriptionStatus {
        /// `NS`.
        Ns = "NS",
        /// `S`.
        S = "S",
        /// `A`.
        A = "A",
        /// `CF`.
        Cf = "CF",
        /// `CG`.
        Cg = "CG",
        /// `C`.
        C = "C",
        /// `GP`.
        Gp = "GP",
    }
}

/// Answers `GET /v1/admin/users`: members and open invitations, paged together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrganizationAdminUsersOUT {
    /// The members on this page.
    pub members: Vec<AdminOrganizationMemberOUT>,
    /// The open invitations on this page.
    pub invites: Vec<OrganizationInviteOUT>,
    /// How many members and invitations there are in all.
    pub total: Option<u64>,
    /// Which page this is; the first is 1.
    pub page: Option<u64>,
    /// How many stand on a page at most.
    pub page_size: Option<u64>,
}

/// One member in a list; also answers `PATCH /v1/admin/users/{user_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminOrganizationMemberOUT {
    /// The member's id.
    pub uuid: Uuid,
    /// The member's id at the identity provider.
    pub oid_id: Option<Uuid>,
    /// First and last name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Signs in from outside the domain of single sign-on.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub is_sso_outsider: Option<bool>,
    /// The workspaces the member belongs to.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<Vec<MemberWorkspaceInfo>>,
    /// The member's subscriptions.
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<MemberSubscriptionOUT>,
    /// The ids of the member's roles in the organization.
    #[schemars(length(min = 1), extend("items" = { "type": "string", "format": "uuid" }))]
    pub raw_roles: Vec<String>,
    /// The first of `raw_roles`; deprecated.
    #[schemars(extend("format" = "uuid", "deprecated" = true))]
    pub raw_role: String,
    /// The products the member has a seat of.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub subscription_types: Option<Vec<Seat>>,
    /// When the member joined the organization.
    pub created_at: Time,
}

/// Answers `GET /v1/admin/users/{user_id}`: a member with first and last name apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminUserOUT {
    /// The member as lists show it.
    #[serde(flatten)]
    pub member: AdminOrganizationMemberOUT,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
}

/// A workspace as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemberWorkspaceInfo {
    /// The workspace's id.
    pub uuid: Uuid,
    /// Its name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// The organization's default workspace.
    pub is_default: bool,
    /// The ids of the member's roles in it.
    #[schemars(length(min = 1), extend("items" = { "type": "string", "format": "uuid" }))]
    pub raw_roles: Vec<String>,
    /// The first of `raw_roles`; deprecated.
    #[schemars(extend("format" = "uuid", "deprecated" = true))]
    pub raw_role: String,
}

/// A member's subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemberSubscriptionOUT {
    /// The product.
    pub r#type: PlanType,
    /// Its plan.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// How it stands.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub status: Option<SubscriptionStatus>,
    /// The id of the user it belongs to.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Bought by the user.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub self_service: Option<bool>,
    /// The member may use it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub member_has_access: Option<bool>,
}

/// The body of `POST /v1/admin/users`: a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct OrganizationMembersCreate(
    /// The users to make.
    #[serde(deserialize_with = "objects")]
    pub Vec<OrganizationMemberCreate>,
);

/// A user to make. A list of roles wins over a single one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationMemberCreate {
    /// Names of roles. Mutually exclusive with 'roles'.
    #[schemars(length(min = 1))]
    pub role_names: Option<Vec<String>>,
    /// Letters or ids of roles. Mutually exclusive with 'role_names'.
    #[schemars(length(min = 1))]
    pub roles: Option<Vec<RoleValue<UserRole>>>,
    /// One role's name; deprecated. Mutually exclusive with 'role'.
    #[schemars(extend("deprecated" = true))]
    pub role_name: Option<String>,
    /// One role's letter or id; deprecated. Mutually exclusive with 'role_name'.
    #[schemars(extend("deprecated" = true))]
    pub role: Option<RoleValue<UserRole>>,
    /// The e-mail address.
    pub email: Text<255>,
    /// The first name.
    pub first_name: Text<255>,
    /// The last name.
    pub last_name: Text<255>,
    /// Products to give a seat of.
    pub subscription_types: Option<Vec<PlanType>>,
}
asks_roles!(OrganizationMemberCreate { role_names, roles, role_name, role });

/// Answers `POST /v1/admin/users`; a user that could not be made does not undo the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrganizationUsersCreateOUT {
    /// The addresses no user was made of.
    pub invalid_emails: Vec<String>,
    /// The ids of the users that were made, by address.
    pub email_to_user_id: BTreeMap<String, String>,
}

/// The body of `PATCH /v1/admin/users/{user_id}`. A list of roles wins over a single one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminOrganizationMemberUpdate {
    /// Names of roles. Mutually exclusive with 'roles'.
    #[schemars(length(min = 1))]
    pub role_names: Option<Vec<String>>,
    /// Letters or ids of roles. Mutually exclusive with 'role_names'.
    #[schemars(length(min = 1))]
    pub roles: Option<Vec<RoleValue<UserRole>>>,
    /// One role's name; deprecated. Mutually exclusive with 'role'.
    #[schemars(extend("deprecated" = true))]
    pub role_name: Option<String>,
    /// One role's letter or id; deprecated. Mutually exclusive with 'role_name'.
    #[schemars(extend("deprecated" = true))]
    pub role: Option<RoleValue<UserRole>>,
    /// The products the member shall have a seat of.
    pub subscription_types: Option<Vec<Seat>>,
}
asks_roles!(AdminOrganizationMemberUpdate { role_names, roles, role_name, role });

/// Answers `DELETE` of a user and of an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeleteOUT {
    /// What happened.
    pub message: String,
}
