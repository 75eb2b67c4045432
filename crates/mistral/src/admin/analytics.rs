//! Analytics of the agent: `/v1/admin/analytics/vibe/*`, of which a gateway sees only the tokens.

mod series;

use schemars::JsonSchema;
use serde::Serialize;

pub use series::*;

/// Answers `GET …/vibe/code/usage/by_organization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeOrganizationStatsOUT {
    /// Where the window begins, in seconds since 1970.
    pub start_time: i64,
    /// Where the window ends, in seconds since 1970.
    pub end_time: i64,
    /// Suggested edits by day.
    pub next_edit_suggestions: Vec<VibeNextEditSuggestionStat>,
    /// Users of suggested edits by day.
    pub next_edit_active_users: Vec<VibeNextEditActiveUsersStat>,
    /// Lines of suggested edits by day.
    pub next_edit_modified_loc: Vec<VibeNextEditModifiedLOCStat>,
}

impl VibeOrganizationStatsOUT {
    /// Without a row: none of this passes through a gateway.
    pub const fn empty(start_time: i64, end_time: i64) -> Self {
        Self {
            start_time,
            end_time,
            next_edit_suggestions: Vec::new(),
            next_edit_active_users: Vec::new(),
            next_edit_modified_loc: Vec::new(),
        }
    }
}

/// Answers `GET …/vibe/work/usage/by_agent_stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeWorkByAgentStatsOUT {
    /// Where the window begins, in seconds since 1970.
    pub start_time: i64,
    /// Where the window ends, in seconds since 1970.
    pub end_time: i64,
    /// The rows.
    pub data: Vec<VibeWorkByAgentStat>,
}

impl VibeWorkByAgentStatsOUT {
    /// Without a row: none of this passes through a gateway.
    pub const fn empty(start_time: i64, end_time: i64) -> Self {
        Self { start_time, end_time, data: Vec::new() }
    }
}

/// Answers `GET …/vibe/work/usage/by_time_stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeWorkByTimeStatsOUT {
    /// Where the window begins, in seconds since 1970.
    pub start_time: i64,
    /// Where the window ends, in seconds since 1970.
    pub end_time: i64,
    /// The rows.
    pub data: Vec<VibeWorkByTimeStat>,
}

impl VibeWorkByTimeStatsOUT {
    /// Without a row: none of this passes through a gateway.
    pub const fn empty(start_time: i64, end_time: i64) -> Self {
        Self { start_time, end_time, data: Vec::new() }
    }
}

/// Answers `GET …/vibe/work/usage/by_user_stats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeWorkByUserStatsOUT {
    /// Where the window begins, in seconds since 1970.
    pub start_time: i64,
    /// Where the window ends, in seconds since 1970.
    pub end_time: i64,
    /// The rows.
    pub data: Vec<VibeWorkByUserStat>,
}

impl VibeWorkByUserStatsOUT {
    /// Without a row: none of this passes through a gateway.
    pub const fn empty(start_time: i64, end_time: i64) -> Self {
        Self { start_time, end_time, data: Vec::new() }
    }
}

/// Answers `GET …/vibe/code/usage/by_workspace`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VibeWorkspaceStatsOUT {
    /// Where the window begins, in seconds since 1970.
    pub start_time: i64,
    /// Where the window ends, in seconds since 1970.
    pub end_time: i64,
    /// Sessions by day.
    pub sessions: Vec<VibeSessionStat>,
    /// Prompts by day.
    pub user_prompts: Vec<VibeUserPromptsStat>,
    /// Active users by day.
    pub active_users: Vec<VibeActiveUsersStat>,
    /// Tokens by day and model.
    pub consumed_tokens: Vec<VibeConsumedTokensStat>,
    /// Calls of tools by day.
    pub tool_calls: Vec<VibeToolCallsStat>,
    /// Calls of tools by day and tool.
    pub tool_calls_by_name: Vec<VibeToolCallsByNameStat>,
    /// Lengths of sessions by day.
    pub session_durations: Vec<VibeSessionDurationStat>,
}

impl VibeWorkspaceStatsOUT {
    /// Only with the tokens of API calls, which is what a gateway sees.
    pub const fn with_tokens(
        start_time: i64,
        end_time: i64,
        consumed_tokens: Vec<VibeConsumedTokensStat>,
    ) -> Self {
        Self {
            start_time,
            end_time,
            sessions: Vec::new(),
            user_prompts: Vec::new(),
            active_users: Vec::new(),
            consumed_tokens,
            tool_calls: Vec::new(),
            tool_calls_by_name: Vec::new(),
            session_durations: Vec::new(),
        }
    }
}
