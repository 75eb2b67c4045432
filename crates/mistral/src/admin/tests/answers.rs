//! Every answer, full and with nothing but nulls, is its golden JSON.

use super::golden::{all, is};
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
use crate::admin::values::{Amount, Date, Time};
use crate::admin::workspaces::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::{Uuid, uuid};

const ID: Uuid = uuid!("7f8e9d0c-1b2a-4c3d-8e9f-0a1b2c3d4e5f");
const OTHER: Uuid = uuid!("1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d");

fn text(text: &str) -> String {
    text.to_owned()
}

fn time() -> Time {
    Time(text("2026-11-21T10:00:00Z"))
}

fn day() -> Date {
    Date::parse("2026-11-21").unwrap()
}

fn map(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(text(name), text(value))])
}

/// The 50 operations answer with 37 types; two more stand only inside others, with their nulls.
#[test]
fn every_type_that_answers_has_a_golden_answer() {
    let names: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
    let bare: BTreeSet<&str> = names.iter().map(|name| name.trim_end_matches("/bare")).collect();
    assert_eq!(bare.len(), 39);
}

#[test]
fn me() {
    let named = |name: &str| (text("7f8e9d0c"), text(name));
    let ((id, name), (organization_id, organization)) = (named("production"), named("Acme"));
    is(
        "UserIdentity",
        &UserIdentity {
            id: text("u1"),
            email: Some(text("alice@example.com")),
            first_name: Some(text("Alice")),
            last_name: Some(text("Martin")),
            workspace: Some(UserIdentityWorkspace { id: id.clone(), name: name.clone() }),
            organization: Some(UserIdentityOrganization { id: text("o1"), name: organization.clone() }),
            api_key: Some(UserIdentityApiKey { id: text("k1"), name: None }),
        },
    );
    let bare = UserIdentity {
        id: text("u1"),
        email: None,
        first_name: None,
        last_name: None,
        workspace: None,
        organization: None,
        api_key: None,
    };
    is("UserIdentity/bare", &bare);
    let organizations = vec![UserOrganization { id: organization_id.clone(), name: organization }];
    is("ListOrganizationsResponse", &ListOrganizationsResponse { organizations });
    let workspaces = vec![UserWorkspace { id, name, organization_id }];
    is("ListWorkspacesResponse", &ListWorkspacesResponse { workspaces });
}

fn member() -> AdminOrganizationMemberOUT {
    let role = WorkspaceRoleName::WorkspaceAdmin.uuid().to_string();
    let workspace = MemberWorkspaceInfo {
        uuid: OTHER,
        name: text("Product"),
        is_default: true,
        raw_roles: vec![role.clone()],
        raw_role: role,
    };
    let role = OrgRoleName::OrganizationAdmin.uuid().to_string();
    AdminOrganizationMemberOUT {
        uuid: ID,
        oid_id: Some(OTHER),
        name: Some(text("Alice Martin")),
        email: Some(text("alice@example.com")),
        is_sso_outsider: Some(false),
        workspaces: Some(vec![workspace]),
        subscriptions: Vec::new(),
        raw_roles: vec![role.clone()],
        raw_role: role,
        subscription_types: Some(vec![Seat::MistralCode]),
        created_at: time(),
    }
}

fn bare_member() -> AdminOrganizationMemberOUT {
    let role = OrgRoleName::Member.uuid().to_string();
    AdminOrganizationMemberOUT {
        uuid: ID,
        oid_id: None,
        name: None,
        email: None,
        is_sso_outsider: None,
        workspaces: None,
        subscriptions: Vec::new(),
        raw_roles: vec![role.clone()],
        raw_role: role,
        subscription_types: None,
        created_at: time(),
    }
}

#[test]
fn users() {
    is("AdminOrganizationMemberOUT", &member());
    is("AdminOrganizationMemberOUT/bare", &bare_member());
    is(
        "AdminUserOUT",
        &AdminUserOUT { member: member(), first_name: Some(text("Alice")), last_name: Some(text("Martin")) },
    );
    is("AdminUserOUT/bare", &AdminUserOUT { member: bare_member(), first_name: None, last_name: None });
    let subscription = MemberSubscriptionOUT {
        r#type: PlanType::Chat,
        plan: Some(Plan::Team),
        status: Some(SubscriptionStatus::A),
        user: Some(text("u1")),
        self_service: Some(false),
        member_has_access: Some(true),
    };
    is("MemberSubscriptionOUT", &subscription);
    is(
        "MemberSubscriptionOUT/bare",
        &MemberSubscriptionOUT {
            r#type: PlanType::Api,
            plan: None,
            status: None,
            user: None,
            self_service: None,
            member_has_access: None,
        },
    );
    is(
        "OrganizationUsersCreateOUT",
        &OrganizationUsersCreateOUT {
            invalid_emails: vec![text("nobody")],
            email_to_user_id: map("alice@example.com", &ID.to_string()),
        },
    );
    is("DeleteOUT", &DeleteOUT { message: text("Organization member deleted successfully") });
}

fn invite() -> OrganizationInviteOUT {
    let role = OrgRoleName::Member.uuid().to_string();
    OrganizationInviteOUT {
        uuid: OTHER,
        raw_roles: vec![role.clone()],
        raw_role: role,
        email: text("bob@example.com"),
        expired: false,
        created_at: time(),
        workspace_uuids: vec![ID],
    }
}

#[test]
fn users_with_invites() {
    let mut bare = OrganizationAdminUsersOUT {
        members: Vec::new(),
        invites: Vec::new(),
        total: None,
        page: None,
        page_size: None,
    };
    is("OrganizationAdminUsersOUT/bare", &bare);
    bare.members.push(member());
    bare.invites.push(invite());
    is(
        "OrganizationAdminUsersOUT",
        &OrganizationAdminUsersOUT { total: Some(2), page: Some(1), page_size: Some(25), ..bare },
    );
    let role = OrgRoleName::BillingManager.uuid().to_string();
    let mut open = OrganizationUserInviteOUT {
        invite_uuid: ID,
        email: Some(text("bob@example.com")),
        roles: vec![role.clone()],
        role,
    };
    is("OrganizationUserInviteOUT", &open);
    open.email = None;
    is("OrganizationUserInviteOUT/bare", &open);
    let mut made = OrganizationInvitesCreateOUT {
        invalid_emails: vec![text("nobody")],
        already_members: vec![text("alice@example.com")],
        invited_members_count: Some(1),
    };
    is("OrganizationInvitesCreateOUT", &made);
    made.invited_members_count = None;
    is("OrganizationInvitesCreateOUT/bare", &made);
}

#[test]
fn roles() {
    let role = |name: &str, uuid, is_custom_role| RoleOut {
        name: text(name),
        uuid,
        description: text("What it is for."),
        is_custom_role,
    };
    let dev = WorkspaceRoleName::Dev;
    let member = OrgRoleName::Member;
    is(
        "RolesOut",
        &RolesOut {
            workspace_roles: vec![role(dev.word(), dev.uuid(), false), role("night-shift", ID, true)],
            organization_roles: vec![role(member.word(), member.uuid(), false)],
        },
    );
}

fn workspace() -> WorkspaceOUT {
    let spend_limit = WorkspaceSpendLimitOUT {
        value: Some(Amount::from_nanos(150_500_000_000)),
        currency: Some(text("USD")),
        no_monthly_limit: Some(false),
    };
    WorkspaceOUT {
        uuid: ID,
        name: text("Product"),
        description: Some(String::new()),
        icon: Some(text("🦊")),
        members_count: Some(3),
        spend_limit: Some(spend_limit),
        is_default: false,
    }
}

#[test]
fn workspaces() {
    let nothing = WorkspaceSpendLimitOUT { value: None, currency: None, no_monthly_limit: None };
    is("WorkspaceSpendLimitOUT/bare", &nothing);
    let bare =
        WorkspaceOUT { description: None, icon: None, members_count: None, spend_limit: None, ..workspace() };
    is("WorkspaceOUT", &workspace());
    is("WorkspaceOUT/bare", &bare);
    let page =
        WorkspacesOut { total: 1, items: vec![bare], object: ApiObjectType::List, page: 1, page_size: 25 };
    is("WorkspacesOut", &page);
    let role = WorkspaceRoleName::WorkspaceAdmin.uuid().to_string();
    let enriched =
        WorkspaceEnrichedOUT { workspace: workspace(), raw_roles: vec![role.clone()], raw_role: role };
    is("WorkspaceEnrichedOUT", &enriched);
    is("AddUsersToWorkspaceOUT", &AddUsersToWorkspaceOUT { added_members_count: 2 });
    let changed = AddOrUpdateUsersToWorkspaceOUT { added_members_count: 2, updated_members_count: 1 };
    is("AddOrUpdateUsersToWorkspaceOUT", &changed);
    let mut removed =
        RemoveWorkspaceMembersOUT { deleted_members_count: 1, not_deleted_members: Some(vec![ID]) };
    is("RemoveWorkspaceMembersOUT", &removed);
    removed.not_deleted_members = None;
    is("RemoveWorkspaceMembersOUT/bare", &removed);
}

#[test]
fn user_groups() {
    let group = AdminUserGroupOut {
        uuid: ID,
        name: text("Engineering"),
        description: Some(text("Builds it.")),
        externally_managed: Some(true),
        target_type: Some(UserGroupTargetType::Workspace),
        organization_role: Some(OrgRoleName::Member.uuid().to_string()),
        parent_group_ids: vec![OTHER],
    };
    is("AdminUserGroupOut", &group);
    let bare = AdminUserGroupOut {
        description: None,
        externally_managed: None,
        target_type: None,
        organization_role: None,
        parent_group_ids: Vec::new(),
        ..group
    };
    is("AdminUserGroupOut/bare", &bare);
    is("AdminUserGroupsOut", &AdminUserGroupsOut { total: 1, items: vec![bare], page: 1, page_size: 25 });
    let nobody = AdminUserGroupMemberOut { user_uuid: ID, name: None, email: None };
    is(
        "AdminUserGroupMembersOut",
        &AdminUserGroupMembersOut { total: 1, members: vec![nobody], page: 1, page_size: 25 },
    );
    let child = NestedGroupRef { uuid: ID, name: text("Night shift") };
    is("NestedGroupsOut", &NestedGroupsOut { children: vec![child] });
}

#[test]
fn workspaces_of_user_groups() {
    let dev = WorkspaceRoleName::Dev;
    let full = GroupWorkspaceAssignmentOut {
        roles: vec![WorkspaceRoleRef { name: text(dev.word()), uuid: dev.uuid() }],
        role_uuid: Some(dev.uuid()),
        role_name: Some(text(dev.word())),
        workspace_uuid: ID,
        workspace_name: text("Product"),
        created: time(),
    };
    let bare =
        GroupWorkspaceAssignmentOut { roles: Vec::new(), role_uuid: None, role_name: None, ..full.clone() };
    is(
        "GroupWorkspaceAssignmentsOut",
        &GroupWorkspaceAssignmentsOut { total: 2, items: vec![full, bare], page: 1, page_size: 25 },
    );
}

#[test]
fn api_keys() {
    let full = APIKeyOUT {
        key_id: ID,
        key: Some(text("lv-once-only")),
        name: Some(text("night batch")),
        hidden_key: text("lv-o...only"),
        created_at: Some(time()),
        expiration_date: Some(day()),
        actions: APIKeyActions {
            rotate: Some(Action::Unavailable { reason: Some(RotateUnavailableReason::KeyExpired) }),
            delete: Some(Action::Available),
        },
    };
    let bare = APIKeyOUT {
        key: None,
        name: None,
        created_at: None,
        expiration_date: None,
        actions: APIKeyActions { rotate: Some(Action::Unavailable { reason: None }), delete: None },
        ..full.clone()
    };
    is("APIKeyOUT", &full);
    is("APIKeyOUT/bare", &bare);
    let full = APIKeyExtendedOUT {
        key: APIKeyOUT { key: None, ..full },
        workspace_id: Some(OTHER),
        workspace_name: Some(text("Product")),
        created_by: Some(text("Alice Martin")),
        product: Some(APIKeyProduct::MistralCode),
        last_used: Some(day()),
        can_delete: Some(true),
    };
    let bare = APIKeyExtendedOUT {
        key: bare,
        workspace_id: None,
        workspace_name: None,
        created_by: None,
        product: None,
        last_used: None,
        can_delete: None,
    };
    is("APIKeysExtendedOUT", &APIKeysExtendedOUT { keys: vec![full, bare] });
    is("DeleteAPIKeyOUT", &DeleteAPIKeyOUT { detail: text("API key deleted successfully") });
}

#[test]
fn limits() {
    let of_model = TokenLimitsByModel { tokens_per_minute: 500_000, tokens_per_month: 1_000_000_000 };
    is(
        "RateLimitsOUT",
        &RateLimitsOUT {
            requests_per_second: 6,
            tokens_limits_by_model: BTreeMap::from([(text("mistral-small-latest"), of_model)]),
        },
    );
    let amount = |nanos| Some(Amount::from_nanos(nanos));
    let completion = UsageLimits {
        no_monthly_limit: false,
        monthly_limit_reached: true,
        usage: amount(150_000_000_001),
        vibe_usage: amount(0),
        total_usage: amount(150_000_000_001),
        usage_limit: amount(150_000_000_000),
    };
    let limits = LimitsContext {
        completion,
        last_payment_failure: false,
        last_payment_failure_protection: Some(false),
        currency: text("USD"),
    };
    is("LimitsOUT", &LimitsOUT { limits: limits.clone() });
    let completion = UsageLimits {
        no_monthly_limit: true,
        monthly_limit_reached: false,
        usage: None,
        vibe_usage: None,
        total_usage: None,
        usage_limit: None,
    };
    let limits = LimitsContext { completion, last_payment_failure_protection: None, ..limits };
    is("LimitsOUT/bare", &LimitsOUT { limits });
}

fn period() -> UsagePeriod {
    UsagePeriod {
        date: time(),
        previous_month: Some(text("2026-10")),
        next_month: None,
        start_date: Time(text("2026-11-01T00:00:00Z")),
        end_date: Time(text("2026-12-01T00:00:00Z")),
    }
}

#[test]
fn usage() {
    let sum = |kind, group: &str, value, nanos| UsageSum {
        kind,
        model: text("mistral-small-latest"),
        group: text(group),
        timestamp: time(),
        api_zone: ApiZone::Global,
        service_tier: ServiceTier::Standard,
        value,
        value_paid: value,
        cost: Amount::from_nanos(nanos),
    };
    let sums = [
        sum(UsageKind::Completion, "input", 1_000, 100_000),
        sum(UsageKind::Completion, "input", 500, 50_000),
        sum(UsageKind::Completion, "output", 20, 6_000),
        sum(UsageKind::Chat, "input", 7, 700),
        sum(UsageKind::Ocr, "pages", 3, 3_000_000),
        sum(UsageKind::Connectors, "calls", 1, 30_000_000),
        sum(UsageKind::Audio, "seconds", 60, 2_000_000),
        sum(UsageKind::AudioCharacters, "characters", 9, 90),
    ];
    let price = PriceData {
        event_type: Some(LagoEventType::ApiTokens),
        billing_metric: text("mistral-small-latest"),
        billing_group: text("input"),
        api_zone: ApiZone::Global,
        service_tier: ServiceTier::Standard,
        price: UnitPrice::per_million(100_000_000),
    };
    let unknown = PriceData { event_type: None, ..price.clone() };
    is("UsageOUTJSON", &UsageOUTJSON::of(period(), sums, vec![price, unknown]));
    let mut bare = UsageOUTJSON::of(UsagePeriod { previous_month: None, ..period() }, [], Vec::new());
    (bare.currency, bare.currency_symbol, bare.prices) = (None, None, None);
    is("UsageOUTJSON/bare", &bare);
}

#[test]
fn audit_logs() {
    let full = AuditLogOut {
        created_at: time(),
        actor_type: ActorType::Human,
        actor_metadata: map("email", "alice@example.com"),
        event_type: AuditLogEventType::of("admin_api_key.created").unwrap(),
        event_metadata: BTreeMap::new(),
        target_type: TargetType::of("ADMIN_API_KEY").unwrap(),
        target_metadata: map("name", "ci"),
        log_id: 7,
        organization_uuid: Some(ID),
        workspace_uuid: Some(OTHER),
    };
    is("AuditLogOut", &full);
    is("AuditLogOut/bare", &AuditLogOut { organization_uuid: None, workspace_uuid: None, ..full });
}

#[test]
fn scim() {
    is("AdminScimSyncTriggerOUT", &AdminScimSyncTriggerOUT { run_id: ID });
    let status = ScimSyncRunStatus::Running;
    is("AdminScimSyncActiveRunOUT", &AdminScimSyncActiveRunOUT { run_id: ID, status });
    let user = ScimSyncUserRefOut { uuid: text("u1"), user_name: text("alice") };
    let group = ScimSyncGroupRefOut { uuid: text("g1"), group_name: text("Night shift") };
    let one = || vec![ScimSyncUserActionOut { user: user.clone() }];
    let action = || vec![ScimSyncGroupActionOut { group: group.clone() }];
    let renamed =
        ScimSyncGroupUpdateActionOut { group: group.clone(), previous_group_name: text("Night owls") };
    let summary = ScimSyncSummaryOut {
        users: ScimSyncUsersSummaryOut { provision: one(), deprovision: one() },
        groups: ScimSyncGroupsSummaryOut { create: action(), update: vec![renamed], delete: action() },
        memberships: vec![ScimSyncMembershipActionOut {
            group: group.clone(),
            users_added: vec![user.clone()],
            users_removed: Vec::new(),
        }],
    };
    let sync_config = AdminScimSyncConfig {
        delete_missing_groups: false,
        deprovision_users: true,
        sync_users: true,
        sync_groups: true,
        sync_memberships: true,
    };
    let full = AdminScimSyncRunOUT {
        run_id: ID,
        status: ScimSyncRunStatus::Failed,
        dry_run: false,
        sync_config: Some(sync_config),
        created_at: time(),
        started_at: Some(time()),
        finished_at: Some(time()),
        summary: Some(summary),
        error_message: Some(text("The directory does not answer.")),
    };
    is("AdminScimSyncRunOUT", &full);
    let bare = AdminScimSyncRunOUT {
        status: ScimSyncRunStatus::Pending,
        sync_config: None,
        started_at: None,
        finished_at: None,
        summary: None,
        error_message: None,
        ..full
    };
    is("AdminScimSyncRunOUT/bare", &bare);
}

#[test]
fn analytics() {
    let (from, to) = (1_764_547_200, 1_767_225_600);
    is("VibeWorkByUserStatsOUT", &VibeWorkByUserStatsOUT::empty(from, to));
    is("VibeWorkByAgentStatsOUT", &VibeWorkByAgentStatsOUT::empty(from, to));
    is("VibeWorkByTimeStatsOUT", &VibeWorkByTimeStatsOUT::empty(from, to));
    is("VibeOrganizationStatsOUT", &VibeOrganizationStatsOUT::empty(from, to));
    let tokens = VibeConsumedTokensStat {
        day: day(),
        model: text("codestral-latest"),
        cached_tokens: 128,
        input_tokens: 512,
        output_tokens: 98,
    };
    is("VibeWorkspaceStatsOUT", &VibeWorkspaceStatsOUT::with_tokens(from, to, vec![tokens]));
}
