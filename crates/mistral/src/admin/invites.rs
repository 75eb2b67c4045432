//! Invitations into the organization: `/v1/admin/users-invite*`.

use super::roles::{RoleValue, UserRole, asks_roles};
use super::users::PlanType;
use super::values::Time;
use super::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

words! {
    /// The language of the mail that invites.
    EmailLanguage {
        /// English.
        En = "en",
        /// French.
        Fr = "fr",
        /// Spanish.
        Es = "es",
        /// German.
        De = "de",
        /// Italian.
        It = "it",
        /// Portuguese of Brazil.
        PtBr = "pt_br",
        /// Polish.
        Pl = "pl",
        /// Arabic.
        Ar = "ar",
        /// Dutch.
        Nl = "nl",
    }
}

/// The body of `POST /v1/admin/users-invite`. A list of roles wins over a single one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationInviteIN {
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
    /// E-mail addresses, separated by commas or line breaks.
    pub email: String,
    /// One product to give a seat of; deprecated.
    #[schemars(extend("deprecated" = true))]
    pub subscription_type: Option<PlanType>,
    /// Products to give a seat of.
    pub subscription_types: Option<Vec<PlanType>>,
    /// Whether seats are given without being asked for.
    #[serde(default)]
    pub subscription_seat_automatic_granting: bool,
    /// The language of the mail.
    pub email_language: Option<EmailLanguage>,
    /// The ids of the workspaces to join.
    pub workspace_uuids: Option<Vec<Uuid>>,
}
asks_roles!(OrganizationInviteIN { role_names, roles, role_name, role });

impl OrganizationInviteIN {
    /// The addresses, trimmed, without empty ones.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.email.split([',', '\n', '\r']).map(str::trim).filter(|email| !email.is_empty())
    }
}

/// Answers `POST /v1/admin/users-invite`; an address that could not be invited does not undo the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrganizationInvitesCreateOUT {
    /// The addresses that could not be invited.
    pub invalid_emails: Vec<String>,
    /// The addresses of those who are members already.
    pub already_members: Vec<String>,
    /// How many were invited.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub invited_members_count: Option<u64>,
}

/// One of the list that answers `GET /v1/admin/users-invite`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrganizationUserInviteOUT {
    /// The invitation's id.
    pub invite_uuid: Uuid,
    /// The address invited.
    pub email: Option<String>,
    /// The ids of the roles it gives.
    #[schemars(length(min = 1), extend("items" = { "type": "string", "format": "uuid" }))]
    pub roles: Vec<String>,
    /// The first of `roles`; deprecated.
    #[schemars(extend("format" = "uuid", "deprecated" = true))]
    pub role: String,
}

/// An invitation beside the members of `GET /v1/admin/users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OrganizationInviteOUT {
    /// The invitation's id.
    pub uuid: Uuid,
    /// The ids of the roles it gives.
    #[schemars(length(min = 1), extend("items" = { "type": "string", "format": "uuid" }))]
    pub raw_roles: Vec<String>,
    /// The first of `raw_roles`; deprecated.
    #[schemars(extend("format" = "uuid", "deprecated" = true))]
    pub raw_role: String,
    /// The address invited.
    pub email: String,
    /// It can no longer be accepted.
    pub expired: bool,
    /// When it was made.
    pub created_at: Time,
    /// The ids of the workspaces to join.
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub workspace_uuids: Vec<Uuid>,
}
