//! Groups in Mistral's shapes, as the description tells of them.

use super::super::about::{Kind, Parameter};
use super::{FIRST, Row, SEARCH, SIZE, Telling, chapter, row};
use http::Method;
use louver_mistral::admin::{MAX_GROUP_PAGE_SIZE, user_groups as wire};

const TAG: &str = "beta.admin.user-groups";
const ONE: &str = "/v1/admin/user-groups/{group_uuid}";
const MEMBERS: &str = "/v1/admin/user-groups/{group_uuid}/members";
const WORKSPACES: &str = "/v1/admin/user-groups/{group_uuid}/workspaces";
const WORKSPACE: &str = "/v1/admin/user-groups/{group_uuid}/workspaces/{workspace_uuid}";
const NESTED: &str = "/v1/admin/user-groups/{group_uuid}/nested";
const MOST: i64 = MAX_GROUP_PAGE_SIZE.cast_signed();
const SHORT_PAGES: &[Parameter] = &[
    Parameter::new("page", Kind::From(1, FIRST), "Which page; the first is 1."),
    Parameter::new("page_size", Kind::Between(1, MOST, SIZE), "At most so many items on a page."),
];

const ANY_PAGES: &[Parameter] = &[
    Parameter::new("page", Kind::Whole(Some(FIRST)), "Which page; the first is 1, and so is what is less."),
    Parameter::new("page_size", Kind::Whole(Some(SIZE)), "At most so many items on a page, and at least 1."),
];

pub(super) fn rows() -> Vec<Row> {
    const ALL: &str = "/v1/admin/user-groups";
    chapter(
        TAG,
        [
            row(Method::GET, ALL, "users_api_admin_user_groups_get_user_groups", "Groups")
                .told(|a| a.query(SHORT_PAGES).query(SEARCH).answers::<wire::AdminUserGroupsOut>(200)),
            row(Method::POST, ALL, "users_api_admin_user_groups_create_user_group", "Make a group").told(
                |a| {
                    a.takes::<wire::AdminUserGroupIn>()
                        .answers::<wire::AdminUserGroupOut>(200)
                        .refuses(&[404, 409])
                },
            ),
            row(Method::GET, ONE, "users_api_admin_user_groups_get_user_group", "One group")
                .told(|a| a.answers::<wire::AdminUserGroupOut>(200)),
            row(Method::PATCH, ONE, "users_api_admin_user_groups_update_user_group", "Change a group").told(
                |a| {
                    a.takes::<wire::AdminUpdateUserGroupIn>()
                        .answers::<wire::AdminUserGroupOut>(200)
                        .refuses(&[409])
                },
            ),
            row(Method::DELETE, ONE, "users_api_admin_user_groups_delete_user_group", "Delete a group")
                .told(|a| a.answers_nothing(204).refuses(&[409])),
            row(
                Method::GET,
                MEMBERS,
                "users_api_admin_user_groups_get_user_group_members",
                "The members of a group",
            )
            .told(|a| a.query(ANY_PAGES).answers::<wire::AdminUserGroupMembersOut>(200)),
            row(
                Method::POST,
                MEMBERS,
                "users_api_admin_user_groups_assign_users_to_group",
                "Add members to a group",
            )
            .told(|a| a.takes::<wire::AdminAssignUsersToGroupIn>().answers_nothing(204).refuses(&[409])),
            row(
                Method::DELETE,
                MEMBERS,
                "users_api_admin_user_groups_remove_users_from_group",
                "Remove members from a group",
            )
            .told(|a| a.takes::<wire::AdminAssignUsersToGroupIn>().answers_nothing(204).refuses(&[409])),
            row(
                Method::GET,
                NESTED,
                "users_api_admin_user_groups_get_nested_groups",
                "The groups inside a group and around it",
            )
            .told(|a| a.answers::<wire::NestedGroupsOut>(200)),
            row(
                Method::PATCH,
                NESTED,
                "users_api_admin_user_groups_set_nested_groups",
                "Set the groups inside a group",
            )
            .told(|a| a.takes::<wire::SetNestedGroupsIn>().answers_nothing(204).refuses(&[409])),
        ],
    )
}

pub(super) fn places() -> Vec<Row> {
    chapter(
        TAG,
        [
            row(
                Method::POST,
                "/v1/admin/user-groups/provision-workspace",
                "users_api_admin_user_groups_provision_group_to_workspace",
                "Give a group roles in a workspace, both named in the body",
            )
            .told(|a| {
                a.takes::<wire::AdminProvisionGroupToWorkspaceIn>().answers_nothing(204).refuses(&[404, 409])
            }),
            row(
                Method::GET,
                WORKSPACES,
                "users_admin_user_groups_get_group_workspace_assignments",
                "The workspaces in which a group has roles",
            )
            .told(|a| a.query(SHORT_PAGES).answers::<wire::GroupWorkspaceAssignmentsOut>(200)),
            row(
                Method::POST,
                WORKSPACES,
                "users_api_admin_user_groups_assign_group_to_workspace",
                "Give a group roles in a workspace",
            )
            .told(|a| a.takes::<wire::AssignGroupToWorkspaceIn>().answers_nothing(201).refuses(&[409])),
            row(
                Method::PATCH,
                WORKSPACE,
                "users_admin_user_groups_update_group_workspace_assignment",
                "Change a group's roles in a workspace",
            )
            .told(|a| {
                a.takes::<wire::UpdateGroupWorkspaceAssignmentIn>().answers_nothing(204).refuses(&[409])
            }),
            row(
                Method::DELETE,
                WORKSPACE,
                "users_admin_user_groups_remove_group_from_workspace",
                "Take a group's roles in a workspace away",
            )
            .told(|a| a.answers_nothing(204)),
            row(
                Method::PATCH,
                "/v1/admin/user-groups/{group_uuid}/organization-role",
                "users_admin_user_groups_update_user_group_organization_role",
                "Change a group's role in the organization",
            )
            .told(|a| {
                a.takes::<wire::UpdateUserGroupOrganizationRoleIn>().answers_nothing(204).refuses(&[409])
            }),
        ],
    )
}
