//! What the description says of the routes in Mistral's shapes: ids and chapters are those of Mistral's own document, so
//! that generated clients have the same modules and functions.

mod groups;
mod reports;

use super::about::{About, Kind, Parameter};
use http::Method;
use louver_mistral::admin::{FIRST_PAGE, PAGE_SIZE};
use louver_mistral::admin::{api_keys, invites, limits, me, roles, scim, users, workspaces};

/// The chapters, in their order.
pub(super) const CHAPTERS: [(&str, &str); 10] = [
    ("beta.admin.users", "People, invitations and roles, in Mistral's shapes."),
    ("beta.admin.workspaces", "Workspaces and their members, in Mistral's shapes."),
    ("beta.admin.user-groups", "Groups, in Mistral's shapes."),
    ("beta.admin.api-keys", "API keys, in Mistral's shapes."),
    ("beta.admin.billing", "Limits and usage, in Mistral's shapes."),
    ("beta.admin.audit-logs", "The audit log, in Mistral's shapes."),
    ("beta.admin.scim", "People from a directory, in Mistral's shapes."),
    ("beta.admin.vibe-work-analytics", "Series of Mistral's assistant, which are empty here."),
    (
        "beta.admin.vibe-code-analytics",
        "Series of Mistral's assistant for code; tokens by workspace are real.",
    ),
    ("beta.users", "What a key is told of itself, in Mistral's shapes."),
];

/// Method, path, and what is told.
pub(crate) type Row = (Method, &'static str, About);

/// What is told of a route.
pub(super) fn about(method: &Method, path: &str) -> Option<About> {
    rows().into_iter().find(|row| row.0 == *method && row.1 == path).map(|row| row.2)
}

/// All routes in Mistral's shapes.
pub(crate) fn rows() -> Vec<Row> {
    let parts = [
        people(),
        invitations(),
        rooms(),
        members(),
        keys(),
        spending(),
        directory(),
        myself(),
        groups::rows(),
        groups::places(),
        reports::rows(),
        reports::series(),
    ];
    parts.into_iter().flatten().collect()
}

fn row(method: Method, path: &'static str, id: &'static str, summary: &'static str) -> Row {
    (method, path, About::default().named(id, summary))
}

fn chapter<const N: usize>(tag: &'static str, rows: [Row; N]) -> Vec<Row> {
    rows.into_iter().map(|(method, path, about)| (method, path, about.tagged(tag))).collect()
}

/// Changes what is told in a row.
trait Telling {
    fn told(self, change: impl FnOnce(About) -> About) -> Row;
}

impl Telling for Row {
    fn told(self, change: impl FnOnce(About) -> About) -> Row {
        (self.0, self.1, change(self.2))
    }
}

const FIRST: i64 = FIRST_PAGE.cast_signed();
const SIZE: i64 = PAGE_SIZE.cast_signed();
const PAGES: &[Parameter] = &[
    Parameter::new("page", Kind::From(1, FIRST), "Which page; the first is 1."),
    Parameter::new("page_size", Kind::From(1, SIZE), "At most so many items on a page."),
];
const EMAIL: &[Parameter] =
    &[Parameter::new("email", Kind::Text, "Only people and invitations with this in their address.")];
const ARCHIVED: &[Parameter] =
    &[Parameter::new("is_archived", Kind::Flag(false), "Archived workspaces as well.")];
const SEARCH: &[Parameter] = &[Parameter::new("search", Kind::Text, "Only those with this in their name.")];

const USERS: &str = "beta.admin.users";

fn people() -> Vec<Row> {
    const ONE: &str = "/v1/admin/users/{user_id}";
    chapter(
        USERS,
        [
            row(
                Method::GET,
                "/v1/admin/users",
                "users_api_admin_users_get_users",
                "Members and open invitations",
            )
            .told(|a| a.query(PAGES).query(EMAIL).answers::<users::OrganizationAdminUsersOUT>(200)),
            row(Method::POST, "/v1/admin/users", "users_api_admin_users_create_users", "Add people").told(
                |a| {
                    a.saying("An address that is none does not stop the others.")
                        .takes::<Vec<users::OrganizationMemberCreate>>()
                        .answers::<users::OrganizationUsersCreateOUT>(200)
                        .refuses(&[404, 409])
                },
            ),
            row(Method::GET, ONE, "users_api_admin_users_get_user", "One person")
                .told(|a| a.answers::<users::AdminUserOUT>(200)),
            row(Method::PATCH, ONE, "users_api_admin_users_update_user", "Change a person's roles").told(
                |a| {
                    a.takes::<users::AdminOrganizationMemberUpdate>()
                        .answers::<users::AdminOrganizationMemberOUT>(200)
                        .refuses(&[409])
                },
            ),
            row(Method::DELETE, ONE, "users_api_admin_users_delete_user", "Remove a person")
                .told(|a| a.answers::<users::DeleteOUT>(200).refuses(&[409])),
            row(Method::GET, "/v1/admin/roles", "users_api_admin_roles_get_roles", "Roles that can be given")
                .told(|a| a.answers::<roles::RolesOut>(200)),
        ],
    )
}

fn invitations() -> Vec<Row> {
    const ALL: &str = "/v1/admin/users-invite";
    const ONE: &str = "/v1/admin/users-invite/{invite_uuid}";
    chapter(
        USERS,
        [
            row(Method::POST, ALL, "users_api_admin_users_invite_users", "Invite people").told(|a| {
                a.takes::<invites::OrganizationInviteIN>()
                    .answers::<invites::OrganizationInvitesCreateOUT>(200)
                    .refuses(&[404, 409])
            }),
            row(Method::GET, ALL, "users_api_admin_users_get_invite", "Open invitations")
                .told(|a| a.answers::<Vec<invites::OrganizationUserInviteOUT>>(200)),
            row(Method::DELETE, ONE, "users_api_admin_users_delete_invite", "Take an invitation back")
                .told(|a| a.answers::<users::DeleteOUT>(200)),
        ],
    )
}

const WORKSPACES: &str = "beta.admin.workspaces";

fn rooms() -> Vec<Row> {
    const ALL: &str = "/v1/admin/workspaces";
    const ONE: &str = "/v1/admin/workspaces/{workspace_uuid}";
    chapter(
        WORKSPACES,
        [
            row(Method::GET, ALL, "users_api_admin_workspaces_get_workspaces", "Workspaces").told(|a| {
                a.query(ARCHIVED).query(PAGES).query(SEARCH).answers::<workspaces::WorkspacesOut>(200)
            }),
            row(Method::POST, ALL, "users_api_admin_workspaces_create_workspace", "Make a workspace").told(
                |a| {
                    a.takes::<workspaces::AdminWorkspaceIn>()
                        .answers::<workspaces::WorkspaceEnrichedOUT>(200)
                        .refuses(&[404, 409])
                },
            ),
            row(Method::PATCH, ONE, "users_api_admin_workspaces_update_workspaces", "Change a workspace")
                .told(|a| {
                    a.takes::<workspaces::UpdateWorkspaceIN>()
                        .answers::<workspaces::WorkspaceOUT>(200)
                        .refuses(&[409])
                }),
            row(Method::DELETE, ONE, "users_api_admin_workspaces_delete_workspaces", "Archive a workspace")
                .told(|a| {
                    a.saying("For good: its keys are refused from then on.")
                        .answers_nothing(204)
                        .refuses(&[409])
                }),
        ],
    )
}

fn members() -> Vec<Row> {
    const ADD: &str = "/v1/admin/workspaces/{workspace_uuid}/add-users";
    const SET: &str = "/v1/admin/workspaces/{workspace_uuid}/users";
    const REMOVE: &str = "/v1/admin/workspaces/{workspace_uuid}/remove-users";
    chapter(
        WORKSPACES,
        [
            row(
                Method::POST,
                ADD,
                "users_api_admin_workspaces_add_users_workspaces",
                "Add members to a workspace",
            )
            .told(|a| {
                a.takes::<workspaces::WorkspaceMemberIN>()
                    .answers::<workspaces::AddUsersToWorkspaceOUT>(200)
                    .refuses(&[409])
            }),
            row(
                Method::PATCH,
                SET,
                "users_api_admin_workspaces_add_or_update_users_workspaces",
                "Add members to a workspace, or change their roles",
            )
            .told(|a| {
                a.takes::<workspaces::WorkspaceMemberIN>()
                    .answers::<workspaces::AddOrUpdateUsersToWorkspaceOUT>(200)
                    .refuses(&[409])
            }),
            row(
                Method::DELETE,
                REMOVE,
                "users_api_admin_workspaces_remove_users_workspaces",
                "Remove members from a workspace",
            )
            .told(|a| {
                a.takes::<workspaces::RemoveWorkspaceMembersIN>()
                    .answers::<workspaces::RemoveWorkspaceMembersOUT>(200)
                    .refuses(&[409])
            }),
        ],
    )
}

const KEY_PAGES: &[Parameter] = &[
    Parameter::new("limit", Kind::Whole(Some(100)), "At most so many keys."),
    Parameter::new("offset", Kind::Whole(Some(0)), "So many keys are passed over first."),
    Parameter::new("name", Kind::Text, "Only keys with this in their name, or as their last four letters."),
];

fn keys() -> Vec<Row> {
    const ALL: &str = "/v1/admin/api-keys";
    const ONE: &str = "/v1/admin/api-keys/{key_id}";
    chapter(
        "beta.admin.api-keys",
        [
            row(Method::GET, ALL, "users_api_admin_api_keys_get_api_keys", "API keys")
                .told(|a| a.query(KEY_PAGES).answers::<api_keys::APIKeysExtendedOUT>(200)),
            row(Method::POST, ALL, "users_api_admin_api_keys_create_api_key", "Make an API key").told(|a| {
                a.saying("The secret stands in this answer and in no other.")
                    .takes::<api_keys::AdminCreateAPIKeyIN>()
                    .answers::<api_keys::APIKeyOUT>(200)
                    .refuses(&[404, 409])
            }),
            row(Method::DELETE, ONE, "users_api_admin_api_keys_delete_api_key", "Revoke an API key for good")
                .told(|a| a.answers::<api_keys::DeleteAPIKeyOUT>(200)),
        ],
    )
}

fn spending() -> Vec<Row> {
    const SPEND: &str = "/v1/admin/spend-limit";
    chapter(
        "beta.admin.billing",
        [
            row(
                Method::GET,
                "/v1/admin/rate-limit",
                "users_api_admin_rate_limits_get_rate_limits",
                "Rates that hold for the organization",
            )
            .told(|a| a.answers::<limits::RateLimitsOUT>(200)),
            row(Method::GET, SPEND, "users_api_admin_spend_limits_get_spend_limits", "The monthly limit")
                .told(|a| a.answers::<limits::LimitsOUT>(200)),
            row(
                Method::POST,
                SPEND,
                "users_api_admin_spend_limits_update_spend_limits",
                "Change the monthly limit",
            )
            .told(|a| {
                a.takes::<limits::NewUsageLimitIN>().answers::<limits::LimitsOUT>(200).refuses(&[404, 409])
            }),
        ],
    )
}

fn directory() -> Vec<Row> {
    const ALL: &str = "/v1/admin/scim/sync";
    const ONE: &str = "/v1/admin/scim/sync/{run_id}";
    chapter(
        "beta.admin.scim",
        [
            row(
                Method::POST,
                ALL,
                "users_api_admin_scim_sync_trigger_scim_sync",
                "Take people over from a directory",
            )
            .told(|a| {
                a.takes::<scim::AdminScimSyncTriggerIN>()
                    .answers::<scim::AdminScimSyncTriggerOUT>(202)
                    .answers::<scim::AdminScimSyncActiveRunOUT>(409)
                    .refuses(&[404])
            }),
            row(Method::GET, ONE, "users_api_admin_scim_sync_get_scim_sync_run", "How a run of it stands")
                .told(|a| a.answers::<scim::AdminScimSyncRunOUT>(200)),
        ],
    )
}

const OFFSETS: &[Parameter] = &[
    Parameter::new("offset", Kind::From(0, 0), "So many are passed over first."),
    Parameter::new("limit", Kind::Between(1, 100, 100), "At most so many."),
];
const ORGANIZATION: &[Parameter] =
    &[Parameter::new("organization_id", Kind::Uuid, "Only workspaces of this organization.").nullable()];

fn myself() -> Vec<Row> {
    chapter(
        "beta.users",
        [
            row(Method::GET, "/v1/users/me", "users_api_get_identity", "Whose the key is")
                .told(|a| a.answers::<me::UserIdentity>(200)),
            row(
                Method::GET,
                "/v1/users/me/organizations",
                "users_api_list_organizations",
                "The organizations that the key reaches",
            )
            .told(|a| a.query(OFFSETS).answers::<me::ListOrganizationsResponse>(200)),
            row(
                Method::GET,
                "/v1/users/me/workspaces",
                "users_api_list_workspaces",
                "The workspaces that the key reaches",
            )
            .told(|a| a.query(ORGANIZATION).query(OFFSETS).answers::<me::ListWorkspacesResponse>(200)),
        ],
    )
}
