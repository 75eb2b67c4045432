//! Who calls, with an ordinary key: `/v1/users/me*`.

use schemars::JsonSchema;
use serde::Serialize;

/// Answers `GET /v1/users/me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserIdentity {
    /// The user's id.
    pub id: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// The workspace of the key.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<UserIdentityWorkspace>,
    /// The organization of the key.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub organization: Option<UserIdentityOrganization>,
    /// The key of the call.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<UserIdentityApiKey>,
}

/// The workspace of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserIdentityWorkspace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The organization of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserIdentityOrganization {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The key of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserIdentityApiKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// Answers `GET /v1/users/me/organizations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListOrganizationsResponse {
    /// The organizations the user is a member of.
    pub organizations: Vec<UserOrganization>,
}

/// One organization of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserOrganization {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Answers `GET /v1/users/me/workspaces`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListWorkspacesResponse {
    /// The workspaces the user is a member of.
    pub workspaces: Vec<UserWorkspace>,
}

/// One workspace of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserWorkspace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of the organization it belongs to.
    pub organization_id: String,
}
