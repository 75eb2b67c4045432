//! Groups of users, what they belong to and what belongs to them: `/v1/admin/user-groups*`.

use super::roles::{RoleRef, RoleValue, UserRole, WorkspaceRole, asks_roles};
use super::values::{Text, Time};
use super::words::words;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

words! {
    /// What a group's roles are for.
    UserGroupTargetType {
        /// Workspaces.
        Workspace = "W",
        /// The organization.
        Organization = "O",
    }
}

/// Answers `GET /v1/admin/user-groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminUserGroupsOut {
    /// How many there are in all.
    pub total: u64,
    /// The groups on this page.
    pub items: Vec<AdminUserGroupOut>,
    /// Which page this is; the first is 1.
    pub page: u64,
    /// How many stand on a page at most.
    pub page_size: u64,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminUserGroupOut {
    /// The group's id.
    pub uuid: Uuid,
    /// Its name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// What it is for.
    #[schemars(length(max = 255))]
    pub description: Option<String>,
    /// It comes from an identity provider and cannot be changed here.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub externally_managed: Option<bool>,
    /// What its roles are for.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub target_type: Option<UserGroupTargetType>,
    /// Its role in the organization.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub organization_role: Option<String>,
    /// The ids of the groups it is directly inside of.
    #[schemars(skip_serializing_if = "Vec::is_empty")]
    pub parent_group_ids: Vec<Uuid>,
}

/// The body of `POST /v1/admin/user-groups`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminUserGroupIn {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: Text<255>,
    /// What it is for.
    pub description: Option<Text<255>>,
    /// What its roles are for.
    pub target_type: Option<UserGroupTargetType>,
    /// The ids of the groups it shall be directly inside of.
    #[serde(default)]
    pub parent_group_ids: Vec<Uuid>,
}

/// The body of `PATCH /v1/admin/user-groups/{group_uuid}`: what is absent or `null` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminUpdateUserGroupIn {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: Option<Text<255>>,
    /// What it is for.
    pub description: Option<Text<255>>,
    /// What its roles are for.
    pub target_type: Option<UserGroupTargetType>,
    /// All groups it shall be directly inside of; an empty list takes it out of each.
    pub parent_group_ids: Option<Vec<Uuid>>,
}

/// The body of `POST /v1/admin/user-groups/provision-workspace`. The two fields of roles exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminProvisionGroupToWorkspaceIn {
    /// The group's id.
    pub user_group_uuid: Uuid,
    /// The workspace's id.
    pub workspace_uuid: Uuid,
    /// A role's letter or id. Mutually exclusive with 'workspace_role_name'.
    pub workspace_role: Option<RoleValue<WorkspaceRole>>,
    /// A role's name. Mutually exclusive with 'workspace_role'.
    pub workspace_role_name: Option<String>,
}
asks_roles!(AdminProvisionGroupToWorkspaceIn { workspace_role, workspace_role_name });

/// Answers `GET …/members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminUserGroupMembersOut {
    /// How many there are in all.
    pub total: u64,
    /// The members on this page.
    pub members: Vec<AdminUserGroupMemberOut>,
    /// Which page this is; the first is 1.
    pub page: u64,
    /// How many stand on a page at most.
    pub page_size: u64,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdminUserGroupMemberOut {
    /// The user's id.
    pub user_uuid: Uuid,
    /// First and last name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
}

/// The body of `POST …/members`, which adds, and of `DELETE …/members`, which removes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminAssignUsersToGroupIn {
    /// The ids of the users.
    pub user_uuids: Vec<Uuid>,
}

/// Answers `GET …/workspaces`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupWorkspaceAssignmentsOut {
    /// How many there are in all.
    pub total: u64,
    /// The assignments on this page.
    pub items: Vec<GroupWorkspaceAssignmentOut>,
    /// Which page this is; the first is 1.
    pub page: u64,
    /// How many stand on a page at most.
    pub page_size: u64,
}

/// A workspace a group belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupWorkspaceAssignmentOut {
    /// The roles the group has in it.
    pub roles: Vec<WorkspaceRoleRef>,
    /// The id of the first of `roles`.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub role_uuid: Option<Uuid>,
    /// The name of the first of `roles`.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// The workspace's id.
    pub workspace_uuid: Uuid,
    /// The workspace's name.
    pub workspace_name: String,
    /// When the group was assigned.
    pub created: Time,
}

/// A role in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkspaceRoleRef {
    /// Its name.
    pub name: String,
    /// Its id.
    pub uuid: Uuid,
}

/// The body of `POST …/workspaces`. The three fields of roles exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignGroupToWorkspaceIn {
    /// Names of roles. Mutually exclusive with 'roles'.
    #[schemars(length(min = 1))]
    pub role_names: Option<Vec<String>>,
    /// Letters or ids of roles. Mutually exclusive with 'role_names'.
    #[schemars(length(min = 1))]
    pub roles: Option<Vec<RoleValue<WorkspaceRole>>>,
    /// One role's letter or id; deprecated.
    #[schemars(extend("deprecated" = true))]
    pub role: Option<RoleValue<WorkspaceRole>>,
    /// The workspace's id.
    pub workspace_uuid: Uuid,
}
asks_roles!(AssignGroupToWorkspaceIn { role_names, roles, role });

/// The body of `PATCH …/workspaces/{workspace_uuid}`. The three fields of roles exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateGroupWorkspaceAssignmentIn {
    /// Names of roles. Mutually exclusive with 'roles'.
    #[schemars(length(min = 1))]
    pub role_names: Option<Vec<String>>,
    /// Letters or ids of roles. Mutually exclusive with 'role_names'.
    #[schemars(length(min = 1))]
    pub roles: Option<Vec<RoleValue<WorkspaceRole>>>,
    /// One role's letter or id; deprecated.
    #[schemars(extend("deprecated" = true))]
    pub role: Option<RoleValue<WorkspaceRole>>,
}
asks_roles!(UpdateGroupWorkspaceAssignmentIn { role_names, roles, role });

/// The body of `PATCH …/organization-role`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUserGroupOrganizationRoleIn {
    /// The role's letter, id or name. The document has no names here, but Mistral's guide sends one.
    #[schemars(with = "RoleValue<UserRole>")]
    pub organization_role: RoleRef,
}

/// Answers `GET …/nested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NestedGroupsOut {
    /// The groups directly inside this one.
    pub children: Vec<NestedGroupRef>,
}

/// A group inside another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NestedGroupRef {
    /// The group's id.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
}

/// The body of `PATCH …/nested`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetNestedGroupsIn {
    /// The ids of all groups that shall be directly inside this one.
    pub child_group_uuids: Vec<Uuid>,
}
