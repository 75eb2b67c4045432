//! The rows of the analytics.

use crate::admin::values::{Date, Time};
use schemars::JsonSchema;
use serde::Serialize;

/// Active users of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeActiveUsersStat {
    /// The day.
    pub day: Date,
    /// Active users in all.
    pub nb_active_users_total: u64,
    /// Active users of kind `cli`.
    pub nb_active_users_cli: u64,
    /// Active users of kind `acp`.
    pub nb_active_users_acp: u64,
    /// Active users of kind `programmatic`.
    pub nb_active_users_programmatic: u64,
}

/// Tokens of a day and a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeConsumedTokensStat {
    /// The day.
    pub day: Date,
    /// The model.
    pub model: String,
    /// Tokens of the input that came from the cache.
    pub cached_tokens: u64,
    /// Tokens of the input.
    pub input_tokens: u64,
    /// Tokens of the output.
    pub output_tokens: u64,
}

/// Users of suggested edits on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeNextEditActiveUsersStat {
    /// The day.
    pub day: Date,
    /// Active users.
    pub nb_active_users: u64,
}

/// Lines of suggested edits on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeNextEditModifiedLOCStat {
    /// The day.
    pub day: Date,
    /// Lines that were inserted.
    pub lines_inserted: u64,
    /// Lines that were deleted.
    pub lines_deleted: u64,
    /// Lines that were unchanged.
    pub lines_unchanged: u64,
    /// Lines in all.
    pub lines_total: u64,
}

/// Suggested edits of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeNextEditSuggestionStat {
    /// The day.
    pub day: Date,
    /// Suggestions in all.
    pub total_suggestions: u64,
    /// Suggestions that were accepted.
    pub outcome_accepted: u64,
    /// Suggestions that were rejected.
    pub outcome_rejected: u64,
    /// Suggestions that were too late.
    pub outcome_timeout: u64,
    /// Suggestions that were aborted.
    pub outcome_aborted: u64,
    /// Suggestions that were dismissed.
    pub outcome_dismissed: u64,
    /// Suggestions that were forced.
    pub force_generated_true: u64,
    /// Suggestions that were not forced.
    pub force_generated_false: u64,
    /// Suggestions shown as `widget`.
    pub surface_widget: u64,
    /// Suggestions shown as `ghost_text`.
    pub surface_ghost_text: u64,
}

/// Length of the sessions of a day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct VibeSessionDurationStat {
    /// The day.
    pub day: Date,
    /// Hours in all.
    pub total_duration_hours: f64,
}

/// Sessions of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeSessionStat {
    /// The day.
    pub day: Date,
    /// Sessions in all.
    pub nb_sessions: u64,
    /// Sessions of kind `cli`.
    pub nb_sessions_cli: u64,
    /// Sessions of kind `acp`.
    pub nb_sessions_acp: u64,
    /// Sessions of kind `programmatic`.
    pub nb_sessions_programmatic: u64,
}

/// Calls of a tool on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeToolCallsByNameStat {
    /// The day.
    pub day: Date,
    /// The tool.
    pub tool_name: String,
    /// Calls.
    pub count: u64,
}

/// Calls of tools on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeToolCallsStat {
    /// The day.
    pub day: Date,
    /// Calls in all.
    pub total: u64,
    /// Calls with the outcome `success`.
    pub status_success: u64,
    /// Calls with the outcome `failure`.
    pub status_failure: u64,
    /// Calls with the outcome `skipped`.
    pub status_skipped: u64,
    /// Calls with the approval `ask`.
    pub approval_ask: u64,
    /// Calls with the approval `always`.
    pub approval_always: u64,
    /// Calls with the approval `never`.
    pub approval_never: u64,
}

/// Prompts of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeUserPromptsStat {
    /// The day.
    pub day: Date,
    /// Prompts in all.
    pub nb_prompts_total: u64,
    /// Prompts of kind `cli`.
    pub nb_prompts_cli: u64,
    /// Prompts of kind `acp`.
    pub nb_prompts_acp: u64,
    /// Prompts of kind `programmatic`.
    pub nb_prompts_programmatic: u64,
}

/// What was done with an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeWorkByAgentStat {
    /// Messages.
    pub messages_count: u64,
    /// Files.
    pub files_count: u64,
    /// Images.
    pub images_count: u64,
    /// Spreadsheets.
    pub spreadsheets_count: u64,
    /// Conversations.
    pub unique_conversations_count: u64,
    /// The agent.
    pub agent_id: String,
    /// When the last message came.
    pub last_message_at: Time,
    /// Users.
    pub unique_users_count: u64,
}

/// What was done in a span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeWorkByTimeStat {
    /// Messages.
    pub messages_count: u64,
    /// Files.
    pub files_count: u64,
    /// Images.
    pub images_count: u64,
    /// Spreadsheets.
    pub spreadsheets_count: u64,
    /// Conversations.
    pub unique_conversations_count: u64,
    /// Where the span of time begins.
    pub time_bucket: Option<Time>,
    /// Users.
    pub unique_users_count: u64,
    /// Messages to agents.
    pub messages_to_agents_count: u64,
    /// Agents.
    pub unique_agents_count: u64,
}

/// What a user did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeWorkByUserStat {
    /// Messages.
    pub messages_count: u64,
    /// Files.
    pub files_count: u64,
    /// Images.
    pub images_count: u64,
    /// Spreadsheets.
    pub spreadsheets_count: u64,
    /// Conversations.
    pub unique_conversations_count: u64,
    /// The user.
    pub user_id: String,
    /// When the last message came.
    pub last_message_at: Time,
    /// Agents.
    pub unique_agents_count: u64,
    /// Messages to agents.
    pub messages_to_agents_count: u64,
}
