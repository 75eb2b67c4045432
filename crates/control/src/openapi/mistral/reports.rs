//! Usage, the audit log and the series of analytics in Mistral's shapes, as the description tells of them.

use super::super::about::{Kind, Parameter};
use super::{Row, Telling, chapter, row};
use http::Method;
use louver_mistral::admin::{analytics, audit_logs, usage};

/// Of one to four digits, and not zero.
const YEAR: &str = "^(0{0,3}[1-9]|0{0,2}[1-9][0-9]|0?[1-9][0-9]{2}|[1-9][0-9]{3})$";
const MONTH: &[Parameter] = &[
    Parameter::new(
        "month",
        Kind::Form("^(0?[1-9]|1[0-2])$"),
        "The month, from 1 to 12; absent is the current one.",
    )
    .nullable(),
    Parameter::new("year", Kind::Form(YEAR), "Its year; absent is the current one.").nullable(),
    Parameter::new("workspace_id", Kind::Uuid, "Only usage of this workspace.").nullable(),
    Parameter::new("api_zone", Kind::OneOf(usage::ApiZone::WORDS), "Only usage of this zone.").nullable(),
];

const EVENTS: &[Parameter] = &[
    Parameter::new(
        "actor_type",
        Kind::SomeOf(|| audit_logs::ACTOR_TYPES.to_vec()),
        "Only events of such actors.",
    )
    .nullable(),
    Parameter::new(
        "event_type",
        Kind::SomeOf(|| audit_logs::EVENT_TYPES.to_vec()),
        "Only events of these kinds.",
    )
    .nullable(),
    Parameter::new(
        "target_type",
        Kind::SomeOf(|| audit_logs::TARGET_TYPES.to_vec()),
        "Only events on such objects.",
    )
    .nullable(),
    Parameter::new("actor_user_uuid", Kind::Text, "Only events of this person.").nullable(),
    Parameter::new("sort", Kind::OneOf(&["ascending", "descending"]), "By time; absent is `descending`."),
    Parameter::new("after", Kind::DateTime, "Only events after then.").nullable(),
    Parameter::new("before", Kind::DateTime, "Only events before then.").nullable(),
    Parameter::new("limit", Kind::Whole(Some(20)), "At most so many events."),
];

const WINDOW: &[Parameter] = &[
    Parameter::new("start_time", Kind::Whole(None), "Where the window begins, in seconds since 1970.")
        .required(),
    Parameter::new("end_time", Kind::Whole(None), "Where the window ends, in seconds since 1970.").required(),
];
const GRANULARITY: &[Parameter] =
    &[Parameter::new("granularity", Kind::OneOf(&["hour", "day", "week", "month"]), "One row a period.")
        .nullable()];
const WORKSPACE: &[Parameter] =
    &[Parameter::new("workspace_id", Kind::Text, "Only usage of this workspace.").nullable()];

pub(super) fn rows() -> Vec<Row> {
    let usage = row(
        Method::GET,
        "/v1/admin/usage",
        "users_api_admin_usage_get_usage",
        "Usage and cost of a month by category and model",
    )
    .told(|a| a.query(MONTH).answers::<usage::UsageOUTJSON>(200).refuses(&[404]));
    let log = row(
        Method::GET,
        "/v1/admin/audit-logs",
        "users_api_admin_audit_logs_get_audit_logs",
        "What was done, and by whom",
    )
    .told(|a| a.query(EVENTS).answers::<Vec<audit_logs::AuditLogOut>>(200));
    [chapter("beta.admin.billing", [usage]), chapter("beta.admin.audit-logs", [log])].concat()
}

pub(super) fn series() -> Vec<Row> {
    let work = chapter(
        "beta.admin.vibe-work-analytics",
        [
            row(
                Method::GET,
                "/v1/admin/analytics/vibe/work/usage/by_user_stats",
                "get_by_user_stats_v1_admin_analytics_vibe_work_usage_by_user_stats",
                "Use of the assistant by person: there is none here",
            )
            .told(|a| a.query(WINDOW).answers::<analytics::VibeWorkByUserStatsOUT>(200)),
            row(
                Method::GET,
                "/v1/admin/analytics/vibe/work/usage/by_agent_stats",
                "get_by_agent_stats_v1_admin_analytics_vibe_work_usage_by_agent_stats",
                "Use of the assistant by agent: there is none here",
            )
            .told(|a| a.query(WINDOW).answers::<analytics::VibeWorkByAgentStatsOUT>(200)),
            row(
                Method::GET,
                "/v1/admin/analytics/vibe/work/usage/by_time_stats",
                "get_by_time_stats_v1_admin_analytics_vibe_work_usage_by_time_stats",
                "Use of the assistant over time: there is none here",
            )
            .told(|a| a.query(WINDOW).query(GRANULARITY).answers::<analytics::VibeWorkByTimeStatsOUT>(200)),
        ],
    );
    let code = chapter(
        "beta.admin.vibe-code-analytics",
        [
            row(
                Method::GET,
                "/v1/admin/analytics/vibe/code/usage/by_workspace",
                "get_workspace_stats_v1_admin_analytics_vibe_code_usage_by_workspace",
                "Tokens by workspace",
            )
            .told(|a| a.query(WINDOW).query(WORKSPACE).answers::<analytics::VibeWorkspaceStatsOUT>(200)),
            row(
                Method::GET,
                "/v1/admin/analytics/vibe/code/usage/by_organization",
                "get_organization_stats_v1_admin_analytics_vibe_code_usage_by_organization",
                "Edits that were suggested: there are none here",
            )
            .told(|a| a.query(WINDOW).answers::<analytics::VibeOrganizationStatsOUT>(200)),
        ],
    );
    [work, code].concat()
}
