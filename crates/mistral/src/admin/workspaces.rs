//! Workspaces and their members: `/v1/admin/workspaces*`.

use super::roles::{RoleValue, WorkspaceRole, asks_roles};
use super::values::{Amount, Text, objects, objects_or_null};
use super::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

words! {
    /// What a page is.
    ApiObjectType {
        /// A page of a list.
        List = "list",
    }
}

/// Answers `GET /v1/admin/workspaces`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkspacesOut {
    /// How many there are in all.
    pub total: u64,
    /// The workspaces on this page.
    pub items: Vec<WorkspaceOUT>,
    /// Always `list`.
    #[schemars(skip_serializing_if = "sent", default = "list")]
    pub object: ApiObjectType,
    /// Which page this is; the first is 1.
    pub page: u64,
    /// How many stand on a page at most.
    pub page_size: u64,
}

/// For the schema only: the document calls the field optional, and it is always sent.
fn sent(_: &ApiObjectType) -> bool {
    false
}

fn list() -> ApiObjectType {
    ApiObjectType::List
}

/// One workspace; also answers `PATCH /v1/admin/workspaces/{workspace_uuid}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkspaceOUT {
    /// The workspace's id.
    pub uuid: Uuid,
    /// Its name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its icon.
    pub icon: Option<String>,
    /// How many members it has.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub members_count: Option<u64>,
    /// What it may spend in a month.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub spend_limit: Option<WorkspaceSpendLimitOUT>,
    /// The organization's default workspace.
    pub is_default: bool,
}

/// What a workspace may spend in a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkspaceSpendLimitOUT {
    /// The amount.
    pub value: Option<Amount>,
    /// The currency it is in.
    pub currency: Option<String>,
    /// There is no limit.
    pub no_monthly_limit: Option<bool>,
}

/// Answers `POST /v1/admin/workspaces`: the workspace with the roles of its administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkspaceEnrichedOUT {
    /// The workspace as lists show it.
    #[serde(flatten)]
    pub workspace: WorkspaceOUT,
    /// The ids of the roles given in it.
    #[schemars(length(min = 1), extend("items" = { "type": "string", "format": "uuid" }))]
    pub raw_roles: Vec<String>,
    /// The first of `raw_roles`; deprecated.
    #[schemars(extend("format" = "uuid", "deprecated" = true))]
    pub raw_role: String,
}

/// The body of `POST /v1/admin/workspaces`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminWorkspaceIn {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: Text<255>,
    /// What it is for.
    #[serde(default)]
    pub description: Text<255>,
    /// Its icon.
    #[serde(default)]
    pub icon: Text<2>,
    /// Whether everybody in the organization becomes a member.
    #[serde(default)]
    pub add_all_org_members: bool,
    /// The id of the user who becomes its administrator.
    pub admin_user_id: Uuid,
}

/// The body of `PATCH /v1/admin/workspaces/{workspace_uuid}`: what is absent or `null` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWorkspaceIN {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: Option<Text<255>>,
    /// What it is for.
    pub description: Option<Text<255>>,
    /// Its icon.
    pub icon: Option<Text<2>>,
}

/// The body of `POST …/add-users` and of `PATCH …/users`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceMemberIN {
    /// The members to add or to change.
    #[serde(default, deserialize_with = "objects_or_null")]
    pub members: Option<Vec<WorkspaceMemberSingleIN>>,
}

/// A member to add or to change. A list of roles wins over a single one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceMemberSingleIN {
    /// Names of roles. Mutually exclusive with 'roles'.
    #[schemars(length(min = 1))]
    pub role_names: Option<Vec<String>>,
    /// Letters or ids of roles. Mutually exclusive with 'role_names'.
    #[schemars(length(min = 1))]
    pub roles: Option<Vec<RoleValue<WorkspaceRole>>>,
    /// One role's name; deprecated. Mutually exclusive with 'role'.
    #[schemars(extend("deprecated" = true))]
    pub role_name: Option<String>,
    /// One role's letter or id; deprecated. Mutually exclusive with 'role_name'.
    #[schemars(extend("deprecated" = true))]
    pub role: Option<RoleValue<WorkspaceRole>>,
    /// The user's id.
    pub user_uuid: Uuid,
}
asks_roles!(WorkspaceMemberSingleIN { role_names, roles, role_name, role });

/// Answers `POST …/add-users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AddUsersToWorkspaceOUT {
    /// How many were added.
    pub added_members_count: u64,
}

/// Answers `PATCH …/users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AddOrUpdateUsersToWorkspaceOUT {
    /// How many were added.
    pub added_members_count: u64,
    /// How many were members before and have other roles now.
    pub updated_members_count: u64,
}

/// The body of `DELETE …/remove-users`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveWorkspaceMembersIN {
    /// The members to remove.
    #[serde(deserialize_with = "objects")]
    pub members: Vec<BaseWorkspaceMemberIN>,
}

/// A member to remove.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaseWorkspaceMemberIN {
    /// The user's id.
    pub user_uuid: Uuid,
}

/// Answers `DELETE …/remove-users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RemoveWorkspaceMembersOUT {
    /// How many were removed.
    pub deleted_members_count: u64,
    /// The ids of those who could not be removed.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub not_deleted_members: Option<Vec<Uuid>>,
}
