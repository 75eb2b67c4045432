//! The schemas of all admin types: what they require, and the forms of their values.

use crate::admin::analytics::*;
use crate::admin::api_keys::*;
use crate::admin::audit_logs::*;
use crate::admin::invites::*;
use crate::admin::limits::*;
use crate::admin::me::*;
use crate::admin::roles::*;
use crate::admin::scim::*;
use crate::admin::usage::*;
use crate::admin::user_groups::*;
use crate::admin::users::*;
use crate::admin::workspaces::*;
use crate::admin::{request_schemas, response_schemas};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The schema of a type, with its name.
fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> (String, Value) {
    generator.subschema_for::<T>();
    let name = T::schema_name().into_owned();
    let schema = generator.definitions().get(&name).cloned();
    (name, schema.unwrap())
}

fn required(schema: &Value) -> BTreeSet<&str> {
    let names = schema["required"].as_array().into_iter().flatten();
    names.map(|name| name.as_str().unwrap()).collect()
}

/// A type, by its schema, and the fields the document requires of it.
type Row = (fn(&mut SchemaGenerator) -> (String, Value), &'static [&'static str]);

const REQUESTS: &[Row] = &[
    (schema::<AdminAssignUsersToGroupIn>, &["user_uuids"]),
    (schema::<AdminCreateAPIKeyIN>, &["user_id", "workspace_uuid"]),
    (schema::<AdminOrganizationMemberUpdate>, &[]),
    (schema::<AdminProvisionGroupToWorkspaceIn>, &["user_group_uuid", "workspace_uuid"]),
    (schema::<AdminScimSyncConfig>, &["sync_groups", "sync_memberships", "sync_users"]),
    (schema::<AdminScimSyncTriggerIN>, &[]),
    (schema::<AdminUpdateUserGroupIn>, &[]),
    (schema::<AdminUserGroupIn>, &["name"]),
    (schema::<AdminWorkspaceIn>, &["admin_user_id", "name"]),
    (schema::<AssignGroupToWorkspaceIn>, &["workspace_uuid"]),
    (schema::<BaseWorkspaceMemberIN>, &["user_uuid"]),
    (schema::<NewUsageLimitIN>, &["amount"]),
    (schema::<OrganizationInviteIN>, &["email"]),
    (schema::<OrganizationMemberCreate>, &["email", "first_name", "last_name"]),
    (schema::<RemoveWorkspaceMembersIN>, &["members"]),
    (schema::<SetNestedGroupsIn>, &["child_group_uuids"]),
    (schema::<UpdateGroupWorkspaceAssignmentIn>, &[]),
    (schema::<UpdateUserGroupOrganizationRoleIn>, &["organization_role"]),
    (schema::<UpdateWorkspaceIN>, &[]),
    (schema::<WorkspaceMemberIN>, &[]),
    (schema::<WorkspaceMemberSingleIN>, &["user_uuid"]),
];

const ANSWERS: &[Row] = &[
    (schema::<APIKeyActions>, &[]),
    (
        schema::<APIKeyExtendedOUT>,
        &[
            "actions",
            "can_delete",
            "created_at",
            "created_by",
            "expiration_date",
            "hidden_key",
            "key",
            "key_id",
            "last_used",
            "name",
            "product",
            "workspace_id",
            "workspace_name",
        ],
    ),
    (
        schema::<APIKeyOUT>,
        &["actions", "created_at", "expiration_date", "hidden_key", "key", "key_id", "name"],
    ),
    (schema::<APIKeysExtendedOUT>, &["keys"]),
    (schema::<AddOrUpdateUsersToWorkspaceOUT>, &["added_members_count", "updated_members_count"]),
    (schema::<AddUsersToWorkspaceOUT>, &["added_members_count"]),
    (
        schema::<AdminOrganizationMemberOUT>,
        &["created_at", "email", "name", "oid_id", "raw_role", "raw_roles", "uuid"],
    ),
    (schema::<AdminUserGroupMemberOut>, &["email", "name", "user_uuid"]),
    (schema::<AdminUserGroupMembersOut>, &["members", "page", "page_size", "total"]),
    (schema::<AdminUserGroupOut>, &["description", "name", "uuid"]),
    (schema::<AdminUserGroupsOut>, &["items", "page", "page_size", "total"]),
    (
        schema::<AdminUserOUT>,
        &[
            "created_at",
            "email",
            "first_name",
            "last_name",
            "name",
            "oid_id",
            "raw_role",
            "raw_roles",
            "uuid",
        ],
    ),
    (
        schema::<AuditLogOut>,
        &[
            "actor_metadata",
            "actor_type",
            "created_at",
            "event_metadata",
            "event_type",
            "log_id",
            "target_metadata",
            "target_type",
        ],
    ),
    (schema::<BasicModelUsageDataJSON>, &["models"]),
    (schema::<DeleteAPIKeyOUT>, &["detail"]),
    (schema::<DeleteOUT>, &["message"]),
    (schema::<FineTuningDataJSON>, &["storage", "training"]),
    (schema::<GroupWorkspaceAssignmentOut>, &["created", "roles", "workspace_name", "workspace_uuid"]),
    (schema::<GroupWorkspaceAssignmentsOut>, &["items", "page", "page_size", "total"]),
    (schema::<LibrariesAPIUsageDataJSON>, &["audio_seconds", "pages", "tokens"]),
    (
        schema::<LimitsContext>,
        &["completion", "currency", "last_payment_failure", "last_payment_failure_protection"],
    ),
    (schema::<LimitsOUT>, &["limits"]),
    (schema::<ListOrganizationsResponse>, &["organizations"]),
    (schema::<ListWorkspacesResponse>, &["workspaces"]),
    (schema::<MemberSubscriptionOUT>, &["type"]),
    (schema::<MemberWorkspaceInfo>, &["is_default", "name", "raw_role", "raw_roles", "uuid"]),
    (schema::<NestedGroupRef>, &["name", "uuid"]),
    (schema::<NestedGroupsOut>, &["children"]),
    (schema::<OrganizationAdminUsersOUT>, &["invites", "members", "page", "page_size", "total"]),
    (schema::<OrganizationInviteOUT>, &["created_at", "email", "expired", "raw_role", "raw_roles", "uuid"]),
    (schema::<OrganizationInvitesCreateOUT>, &["already_members", "invalid_emails"]),
    (schema::<OrganizationUserInviteOUT>, &["email", "invite_uuid", "role", "roles"]),
    (schema::<OrganizationUsersCreateOUT>, &["email_to_user_id", "invalid_emails"]),
    (
        schema::<PriceData>,
        &["api_zone", "billing_group", "billing_metric", "event_type", "price", "service_tier"],
    ),
    (schema::<RateLimitsOUT>, &["requests_per_second", "tokens_limits_by_model"]),
    (schema::<RemoveWorkspaceMembersOUT>, &["deleted_members_count"]),
    (schema::<RoleOut>, &["description", "is_custom_role", "name", "uuid"]),
    (schema::<RolesOut>, &["organization_roles", "workspace_roles"]),
    (schema::<TokenLimitsByModel>, &["tokens_per_minute", "tokens_per_month"]),
    (
        schema::<UsageEntry>,
        &[
            "api_zone",
            "billing_group",
            "billing_metric",
            "cost",
            "event_type",
            "service_tier",
            "timestamp",
            "value",
            "value_paid",
        ],
    ),
    (schema::<UsageLimits>, &["monthly_limit_reached"]),
    (
        schema::<UsageOUTJSON>,
        &[
            "audio",
            "audio_characters",
            "chat",
            "completion",
            "connectors",
            "currency",
            "currency_symbol",
            "date",
            "end_date",
            "fine_tuning",
            "libraries_api",
            "next_month",
            "ocr",
            "previous_month",
            "prices",
            "start_date",
            "vibe_code",
            "vibe_usage",
        ],
    ),
    (schema::<UserIdentity>, &["email", "first_name", "id", "last_name"]),
    (schema::<UserIdentityApiKey>, &["id", "name"]),
    (schema::<UserIdentityOrganization>, &["id", "name"]),
    (schema::<UserIdentityWorkspace>, &["id", "name"]),
    (schema::<UserOrganization>, &["id", "name"]),
    (schema::<UserWorkspace>, &["id", "name", "organization_id"]),
    (schema::<VibeCodeUsageDataJSON>, &["audio", "audio_characters", "completion", "connectors", "ocr"]),
    (
        schema::<WorkspaceEnrichedOUT>,
        &["description", "icon", "is_default", "name", "raw_role", "raw_roles", "uuid"],
    ),
    (schema::<WorkspaceOUT>, &["description", "icon", "is_default", "name", "uuid"]),
    (schema::<WorkspaceRoleRef>, &["name", "uuid"]),
    (schema::<WorkspaceSpendLimitOUT>, &["currency", "no_monthly_limit", "value"]),
    (schema::<WorkspacesOut>, &["items", "page", "page_size", "total"]),
    (schema::<AdminScimSyncActiveRunOUT>, &["run_id", "status"]),
    (
        schema::<AdminScimSyncRunOUT>,
        &[
            "created_at",
            "dry_run",
            "error_message",
            "finished_at",
            "run_id",
            "started_at",
            "status",
            "summary",
            "sync_config",
        ],
    ),
    (schema::<AdminScimSyncTriggerOUT>, &["run_id"]),
    (schema::<ScimSyncGroupActionOut>, &["group"]),
    (schema::<ScimSyncGroupRefOut>, &["groupName", "uuid"]),
    (schema::<ScimSyncGroupUpdateActionOut>, &["group", "previous_groupName"]),
    (schema::<ScimSyncGroupsSummaryOut>, &["create", "delete", "update"]),
    (schema::<ScimSyncMembershipActionOut>, &["group", "users_added", "users_removed"]),
    (schema::<ScimSyncSummaryOut>, &["groups", "memberships", "users"]),
    (schema::<ScimSyncUserActionOut>, &["user"]),
    (schema::<ScimSyncUserRefOut>, &["userName", "uuid"]),
    (schema::<ScimSyncUsersSummaryOut>, &["deprovision", "provision"]),
    (
        schema::<VibeActiveUsersStat>,
        &[
            "day",
            "nb_active_users_acp",
            "nb_active_users_cli",
            "nb_active_users_programmatic",
            "nb_active_users_total",
        ],
    ),
    (schema::<VibeConsumedTokensStat>, &["cached_tokens", "day", "input_tokens", "model", "output_tokens"]),
    (schema::<VibeNextEditActiveUsersStat>, &["day", "nb_active_users"]),
    (
        schema::<VibeNextEditModifiedLOCStat>,
        &["day", "lines_deleted", "lines_inserted", "lines_total", "lines_unchanged"],
    ),
    (
        schema::<VibeNextEditSuggestionStat>,
        &[
            "day",
            "force_generated_false",
            "force_generated_true",
            "outcome_aborted",
            "outcome_accepted",
            "outcome_dismissed",
            "outcome_rejected",
            "outcome_timeout",
            "surface_ghost_text",
            "surface_widget",
            "total_suggestions",
        ],
    ),
    (
        schema::<VibeOrganizationStatsOUT>,
        &[
            "end_time",
            "next_edit_active_users",
            "next_edit_modified_loc",
            "next_edit_suggestions",
            "start_time",
        ],
    ),
    (schema::<VibeSessionDurationStat>, &["day", "total_duration_hours"]),
    (
        schema::<VibeSessionStat>,
        &["day", "nb_sessions", "nb_sessions_acp", "nb_sessions_cli", "nb_sessions_programmatic"],
    ),
    (schema::<VibeToolCallsByNameStat>, &["count", "day", "tool_name"]),
    (
        schema::<VibeToolCallsStat>,
        &[
            "approval_always",
            "approval_ask",
            "approval_never",
            "day",
            "status_failure",
            "status_skipped",
            "status_success",
            "total",
        ],
    ),
    (
        schema::<VibeUserPromptsStat>,
        &["day", "nb_prompts_acp", "nb_prompts_cli", "nb_prompts_programmatic", "nb_prompts_total"],
    ),
    (
        schema::<VibeWorkByAgentStat>,
        &[
            "agent_id",
            "files_count",
            "images_count",
            "last_message_at",
            "messages_count",
            "spreadsheets_count",
            "unique_conversations_count",
            "unique_users_count",
        ],
    ),
    (schema::<VibeWorkByAgentStatsOUT>, &["data", "end_time", "start_time"]),
    (
        schema::<VibeWorkByTimeStat>,
        &[
            "files_count",
            "images_count",
            "messages_count",
            "messages_to_agents_count",
            "spreadsheets_count",
            "time_bucket",
            "unique_agents_count",
            "unique_conversations_count",
            "unique_users_count",
        ],
    ),
    (schema::<VibeWorkByTimeStatsOUT>, &["data", "end_time", "start_time"]),
    (
        schema::<VibeWorkByUserStat>,
        &[
            "files_count",
            "images_count",
            "last_message_at",
            "messages_count",
            "messages_to_agents_count",
            "spreadsheets_count",
            "unique_agents_count",
            "unique_conversations_count",
            "user_id",
        ],
    ),
    (schema::<VibeWorkByUserStatsOUT>, &["data", "end_time", "start_time"]),
    (
        schema::<VibeWorkspaceStatsOUT>,
        &[
            "active_users",
            "consumed_tokens",
            "end_time",
            "session_durations",
            "sessions",
            "start_time",
            "tool_calls",
            "tool_calls_by_name",
            "user_prompts",
        ],
    ),
];

#[test]
fn requests_require_what_the_document_requires() {
    for (schema, wanted) in REQUESTS {
        let (name, schema) = schema(&mut request_schemas());
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(required(&schema), wanted.iter().copied().collect(), "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name}");
    }
}

#[test]
fn answers_require_what_the_document_requires() {
    for (schema, wanted) in ANSWERS {
        let (name, schema) = schema(&mut response_schemas());
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(required(&schema), wanted.iter().copied().collect(), "{name}");
    }
}

#[test]
fn what_goes_both_ways_has_one_schema() {
    let (_, read) = schema::<AdminScimSyncConfig>(&mut request_schemas());
    let (_, written) = schema::<AdminScimSyncConfig>(&mut response_schemas());
    assert_eq!(read, written);
    assert_eq!(read["properties"]["deprovision_users"]["default"], false);
}

#[test]
fn users_to_make_are_a_list() {
    let mut made = request_schemas();
    let (_, list) = schema::<OrganizationMembersCreate>(&mut made);
    assert_eq!(
        (&list["type"], &list["items"]),
        (&json!("array"), &json!({ "$ref": "#/components/schemas/OrganizationMemberCreate" }))
    );
    assert!(made.definitions().contains_key("OrganizationMemberCreate"));
}

#[test]
fn values_have_their_forms() {
    let mut made = request_schemas();
    let at = |(_, schema): (String, Value), field: &str| {
        let mut field = schema["properties"][field].clone();
        field.as_object_mut().unwrap().remove("description");
        field
    };
    let workspace = schema::<AdminWorkspaceIn>(&mut made);
    for (field, wanted) in [
        ("name", json!({ "type": "string", "minLength": 1, "maxLength": 255 })),
        ("description", json!({ "type": "string", "maxLength": 255, "default": "" })),
        ("icon", json!({ "type": "string", "maxLength": 2, "default": "" })),
        ("add_all_org_members", json!({ "type": "boolean", "default": false })),
        ("admin_user_id", json!({ "type": "string", "format": "uuid" })),
    ] {
        assert_eq!(at(workspace.clone(), field), wanted, "{field}");
    }
    let key = schema::<AdminCreateAPIKeyIN>(&mut made);
    assert_eq!(at(key.clone(), "expiration"), json!({ "type": ["string", "null"], "format": "date" }));
    assert_eq!(at(key, "name"), json!({ "type": ["string", "null"], "minLength": 1, "maxLength": 255 }));
    let invite = schema::<OrganizationInviteIN>(&mut made);
    let letter = json!({ "anyOf": [
        { "$ref": "#/components/schemas/UserRole" },
        { "type": "string", "format": "uuid" },
    ] });
    let wanted = json!({ "type": ["array", "null"], "minItems": 1, "items": letter });
    assert_eq!(at(invite.clone(), "roles"), wanted);
    let wanted = json!({ "type": ["array", "null"], "minItems": 1, "items": { "type": "string" } });
    assert_eq!(at(invite, "role_names"), wanted);
    assert_eq!(at(schema::<AdminScimSyncTriggerIN>(&mut made), "dry_run")["default"], true);
    assert_eq!(made.definitions()["UserRole"]["enum"], json!(["A", "M", "B"]));
    assert_eq!(made.definitions()["EmailLanguage"]["enum"].as_array().unwrap().len(), 9);
}

#[test]
fn values_of_answers_have_their_forms() {
    let mut made = response_schemas();
    let (_, member) = schema::<AdminUserOUT>(&mut made);
    let field = |name: &str| &member["properties"][name];
    assert_eq!(field("created_at")["format"], "date-time");
    assert_eq!(field("oid_id")["type"], json!(["string", "null"]));
    assert_eq!(field("oid_id")["format"], "uuid");
    assert_eq!(field("raw_roles")["minItems"], 1);
    assert_eq!(field("raw_roles")["items"], json!({ "type": "string", "format": "uuid" }));
    assert_eq!(field("raw_role")["format"], "uuid");
    let (_, limits) = schema::<UsageLimits>(&mut made);
    assert_eq!(limits["properties"]["usage"]["type"], json!(["number", "null"]));
    let (_, key) = schema::<APIKeyExtendedOUT>(&mut made);
    assert_eq!(key["properties"]["last_used"]["format"], "date");
    let (_, workspace) = schema::<WorkspaceEnrichedOUT>(&mut made);
    assert_eq!(workspace["properties"]["name"]["maxLength"], 255);
    let (_, page) = schema::<WorkspacesOut>(&mut made);
    assert_eq!(page["properties"]["object"]["default"], "list");
}

#[test]
fn names_are_as_many_as_mistral_has_and_none_twice() {
    for (names, many) in [(EVENT_TYPES, 211), (TARGET_TYPES, 48), (ACTOR_TYPES, 3)] {
        assert_eq!(names.len(), many);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), many);
    }
    assert_eq!(AuditLogEventType::of("admin_api_key.delete").unwrap().name(), "admin_api_key.delete");
    assert_eq!(AuditLogEventType::of("admin_api_key.deleted"), None);
    assert_eq!(TargetType::of("USER").unwrap().name(), "USER");
    assert_eq!(TargetType::of("user"), None);
    let (_, event) = schema::<AuditLogEventType>(&mut response_schemas());
    assert_eq!(event["enum"].as_array().unwrap().len(), 211);
    let workspace: BTreeSet<_> = WorkspaceRoleName::ALL.iter().map(|role| role.uuid()).collect();
    let organization: BTreeSet<_> = OrgRoleName::ALL.iter().map(|role| role.uuid()).collect();
    assert_eq!((workspace.len(), organization.len()), (11, 3));
    assert!(workspace.is_disjoint(&organization));
}
