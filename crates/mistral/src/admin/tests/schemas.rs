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

type Row<'a> = ((String, Value), &'a [&'a str]);

#[track_caller]
fn require_exactly(rows: &[Row<'_>]) {
    for ((name, schema), wanted) in rows {
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(required(schema), wanted.iter().copied().collect(), "{name}");
    }
}

#[test]
fn requests_require_what_the_document_requires() {
    let mut made = request_schemas();
    let rows: &[Row<'_>] = &[
        (schema::<AdminAssignUsersToGroupIn>(&mut made), &["user_uuids"]),
        (schema::<AdminCreateAPIKeyIN>(&mut made), &["user_id", "workspace_uuid"]),
        (schema::<AdminOrganizationMemberUpdate>(&mut made), &[]),
        (schema::<AdminProvisionGroupToWorkspaceIn>(&mut made), &["user_group_uuid", "workspace_uuid"]),
        (schema::<AdminScimSyncConfig>(&mut made), &["sync_groups", "sync_memberships", "sync_users"]),
        (schema::<AdminScimSyncTriggerIN>(&mut made), &[]),
        (schema::<AdminUpdateUserGroupIn>(&mut made), &[]),
        (schema::<AdminUserGroupIn>(&mut made), &["name"]),
        (schema::<AdminWorkspaceIn>(&mut made), &["admin_user_id", "name"]),
        (schema::<AssignGroupToWorkspaceIn>(&mut made), &["workspace_uuid"]),
        (schema::<BaseWorkspaceMemberIN>(&mut made), &["user_uuid"]),
        (schema::<NewUsageLimitIN>(&mut made), &["amount"]),
        (schema::<OrganizationInviteIN>(&mut made), &["email"]),
        (schema::<OrganizationMemberCreate>(&mut made), &["email", "first_name", "last_name"]),
        (schema::<RemoveWorkspaceMembersIN>(&mut made), &["members"]),
        (schema::<SetNestedGroupsIn>(&mut made), &["child_group_uuids"]),
        (schema::<UpdateGroupWorkspaceAssignmentIn>(&mut made), &[]),
        (schema::<UpdateUserGroupOrganizationRoleIn>(&mut made), &["organization_role"]),
        (schema::<UpdateWorkspaceIN>(&mut made), &[]),
        (schema::<WorkspaceMemberIN>(&mut made), &[]),
        (schema::<WorkspaceMemberSingleIN>(&mut made), &["user_uuid"]),
    ];
    require_exactly(rows);
    for ((name, schema), _) in rows {
        assert_eq!(schema["additionalProperties"], false, "{name}");
    }
}

#[test]
fn answers_require_what_the_document_requires() {
    let mut made = response_schemas();
    require_exactly(&[
        (schema::<APIKeyActions>(&mut made), &[]),
        (
            schema::<APIKeyExtendedOUT>(&mut made),
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
            schema::<APIKeyOUT>(&mut made),
            &["actions", "created_at", "expiration_date", "hidden_key", "key", "key_id", "name"],
        ),
        (schema::<APIKeysExtendedOUT>(&mut made), &["keys"]),
        (
            schema::<AddOrUpdateUsersToWorkspaceOUT>(&mut made),
            &["added_members_count", "updated_members_count"],
        ),
        (schema::<AddUsersToWorkspaceOUT>(&mut made), &["added_members_count"]),
        (
            schema::<AdminOrganizationMemberOUT>(&mut made),
            &["created_at", "email", "name", "oid_id", "raw_role", "raw_roles", "uuid"],
        ),
        (schema::<AdminUserGroupMemberOut>(&mut made), &["email", "name", "user_uuid"]),
        (schema::<AdminUserGroupMembersOut>(&mut made), &["members", "page", "page_size", "total"]),
        (schema::<AdminUserGroupOut>(&mut made), &["description", "name", "uuid"]),
        (schema::<AdminUserGroupsOut>(&mut made), &["items", "page", "page_size", "total"]),
        (
            schema::<AdminUserOUT>(&mut made),
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
            schema::<AuditLogOut>(&mut made),
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
        (schema::<BasicModelUsageDataJSON>(&mut made), &["models"]),
        (schema::<DeleteAPIKeyOUT>(&mut made), &["detail"]),
        (schema::<DeleteOUT>(&mut made), &["message"]),
        (schema::<FineTuningDataJSON>(&mut made), &["storage", "training"]),
        (
            schema::<GroupWorkspaceAssignmentOut>(&mut made),
            &["created", "roles", "workspace_name", "workspace_uuid"],
        ),
        (schema::<GroupWorkspaceAssignmentsOut>(&mut made), &["items", "page", "page_size", "total"]),
        (schema::<LibrariesAPIUsageDataJSON>(&mut made), &["audio_seconds", "pages", "tokens"]),
        (
            schema::<LimitsContext>(&mut made),
            &["completion", "currency", "last_payment_failure", "last_payment_failure_protection"],
        ),
        (schema::<LimitsOUT>(&mut made), &["limits"]),
        (schema::<ListOrganizationsResponse>(&mut made), &["organizations"]),
        (schema::<ListWorkspacesResponse>(&mut made), &["workspaces"]),
        (schema::<MemberSubscriptionOUT>(&mut made), &["type"]),
        (schema::<MemberWorkspaceInfo>(&mut made), &["is_default", "name", "raw_role", "raw_roles", "uuid"]),
        (schema::<NestedGroupRef>(&mut made), &["name", "uuid"]),
        (schema::<NestedGroupsOut>(&mut made), &["children"]),
        (
            schema::<OrganizationAdminUsersOUT>(&mut made),
            &["invites", "members", "page", "page_size", "total"],
        ),
        (
            schema::<OrganizationInviteOUT>(&mut made),
            &["created_at", "email", "expired", "raw_role", "raw_roles", "uuid"],
        ),
        (schema::<OrganizationInvitesCreateOUT>(&mut made), &["already_members", "invalid_emails"]),
        (schema::<OrganizationUserInviteOUT>(&mut made), &["email", "invite_uuid", "role", "roles"]),
        (schema::<OrganizationUsersCreateOUT>(&mut made), &["email_to_user_id", "invalid_emails"]),
        (
            schema::<PriceData>(&mut made),
            &["api_zone", "billing_group", "billing_metric", "event_type", "price", "service_tier"],
        ),
        (schema::<RateLimitsOUT>(&mut made), &["requests_per_second", "tokens_limits_by_model"]),
        (schema::<RemoveWorkspaceMembersOUT>(&mut made), &["deleted_members_count"]),
        (schema::<RoleOut>(&mut made), &["description", "is_custom_role", "name", "uuid"]),
        (schema::<RolesOut>(&mut made), &["organization_roles", "workspace_roles"]),
        (schema::<TokenLimitsByModel>(&mut made), &["tokens_per_minute", "tokens_per_month"]),
        (
            schema::<UsageEntry>(&mut made),
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
        (schema::<UsageLimits>(&mut made), &["monthly_limit_reached"]),
        (
            schema::<UsageOUTJSON>(&mut made),
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
        (schema::<UserIdentity>(&mut made), &["email", "first_name", "id", "last_name"]),
        (schema::<UserIdentityApiKey>(&mut made), &["id", "name"]),
        (schema::<UserIdentityOrganization>(&mut made), &["id", "name"]),
        (schema::<UserIdentityWorkspace>(&mut made), &["id", "name"]),
        (schema::<UserOrganization>(&mut made), &["id", "name"]),
        (schema::<UserWorkspace>(&mut made), &["id", "name", "organization_id"]),
        (
            schema::<VibeCodeUsageDataJSON>(&mut made),
            &["audio", "audio_characters", "completion", "connectors", "ocr"],
        ),
        (
            schema::<WorkspaceEnrichedOUT>(&mut made),
            &["description", "icon", "is_default", "name", "raw_role", "raw_roles", "uuid"],
        ),
        (schema::<WorkspaceOUT>(&mut made), &["description", "icon", "is_default", "name", "uuid"]),
        (schema::<WorkspaceRoleRef>(&mut made), &["name", "uuid"]),
        (schema::<WorkspaceSpendLimitOUT>(&mut made), &["currency", "no_monthly_limit", "value"]),
        (schema::<WorkspacesOut>(&mut made), &["items", "page", "page_size", "total"]),
    ]);
}

#[test]
fn answers_of_scim_and_analytics_require_what_the_document_requires() {
    let mut made = response_schemas();
    require_exactly(&[
        (schema::<AdminScimSyncActiveRunOUT>(&mut made), &["run_id", "status"]),
        (
            schema::<AdminScimSyncRunOUT>(&mut made),
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
        (schema::<AdminScimSyncTriggerOUT>(&mut made), &["run_id"]),
        (schema::<ScimSyncGroupActionOut>(&mut made), &["group"]),
        (schema::<ScimSyncGroupRefOut>(&mut made), &["groupName", "uuid"]),
        (schema::<ScimSyncGroupUpdateActionOut>(&mut made), &["group", "previous_groupName"]),
        (schema::<ScimSyncGroupsSummaryOut>(&mut made), &["create", "delete", "update"]),
        (schema::<ScimSyncMembershipActionOut>(&mut made), &["group", "users_added", "users_removed"]),
        (schema::<ScimSyncSummaryOut>(&mut made), &["groups", "memberships", "users"]),
        (schema::<ScimSyncUserActionOut>(&mut made), &["user"]),
        (schema::<ScimSyncUserRefOut>(&mut made), &["userName", "uuid"]),
        (schema::<ScimSyncUsersSummaryOut>(&mut made), &["deprovision", "provision"]),
        (
            schema::<VibeActiveUsersStat>(&mut made),
            &[
                "day",
                "nb_active_users_acp",
                "nb_active_users_cli",
                "nb_active_users_programmatic",
                "nb_active_users_total",
            ],
        ),
        (
            schema::<VibeConsumedTokensStat>(&mut made),
            &["cached_tokens", "day", "input_tokens", "model", "output_tokens"],
        ),
        (schema::<VibeNextEditActiveUsersStat>(&mut made), &["day", "nb_active_users"]),
        (
            schema::<VibeNextEditModifiedLOCStat>(&mut made),
            &["day", "lines_deleted", "lines_inserted", "lines_total", "lines_unchanged"],
        ),
        (
            schema::<VibeNextEditSuggestionStat>(&mut made),
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
            schema::<VibeOrganizationStatsOUT>(&mut made),
            &[
                "end_time",
                "next_edit_active_users",
                "next_edit_modified_loc",
                "next_edit_suggestions",
                "start_time",
            ],
        ),
        (schema::<VibeSessionDurationStat>(&mut made), &["day", "total_duration_hours"]),
        (
            schema::<VibeSessionStat>(&mut made),
            &["day", "nb_sessions", "nb_sessions_acp", "nb_sessions_cli", "nb_sessions_programmatic"],
        ),
        (schema::<VibeToolCallsByNameStat>(&mut made), &["count", "day", "tool_name"]),
        (
            schema::<VibeToolCallsStat>(&mut made),
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
            schema::<VibeUserPromptsStat>(&mut made),
            &["day", "nb_prompts_acp", "nb_prompts_cli", "nb_prompts_programmatic", "nb_prompts_total"],
        ),
        (
            schema::<VibeWorkByAgentStat>(&mut made),
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
        (schema::<VibeWorkByAgentStatsOUT>(&mut made), &["data", "end_time", "start_time"]),
        (
            schema::<VibeWorkByTimeStat>(&mut made),
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
        (schema::<VibeWorkByTimeStatsOUT>(&mut made), &["data", "end_time", "start_time"]),
        (
            schema::<VibeWorkByUserStat>(&mut made),
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
        (schema::<VibeWorkByUserStatsOUT>(&mut made), &["data", "end_time", "start_time"]),
        (
            schema::<VibeWorkspaceStatsOUT>(&mut made),
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
    ]);
}

#[test]
fn what_goes_both_ways_has_one_schema() {
    let (_, read) = schema::<AdminScimSyncConfig>(&mut request_schemas());
    let (_, written) = schema::<AdminScimSyncConfig>(&mut response_schemas());
    assert_eq!(read, written);
    assert_eq!(read["properties"]["deprovision_users"]["default"], false);
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
        ("name", json!({ "type": "string", "maxLength": 255 })),
        ("description", json!({ "type": "string", "maxLength": 255, "default": "" })),
        ("icon", json!({ "type": "string", "maxLength": 2, "default": "" })),
        ("add_all_org_members", json!({ "type": "boolean", "default": false })),
        ("admin_user_id", json!({ "type": "string", "format": "uuid" })),
    ] {
        assert_eq!(at(workspace.clone(), field), wanted, "{field}");
    }
    let key = schema::<AdminCreateAPIKeyIN>(&mut made);
    assert_eq!(at(key.clone(), "expiration"), json!({ "type": ["string", "null"], "format": "date" }));
    assert_eq!(at(key, "name"), json!({ "type": ["string", "null"], "maxLength": 255 }));
    let invite = schema::<OrganizationInviteIN>(&mut made);
    let letter = json!({ "anyOf": [
        { "$ref": "#/$defs/UserRole" },
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
