//! The organization's limits: `/v1/admin/rate-limit` and `/v1/admin/spend-limit`.

use super::values::{Amount, whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Answers `GET /v1/admin/rate-limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RateLimitsOUT {
    /// How many calls may come in a second.
    pub requests_per_second: u64,
    /// How many tokens may be used, by model.
    pub tokens_limits_by_model: BTreeMap<String, TokenLimitsByModel>,
}

/// How many tokens of one model may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenLimitsByModel {
    /// In a minute.
    pub tokens_per_minute: u64,
    /// In a month.
    pub tokens_per_month: u64,
}

/// Answers `GET` and `POST /v1/admin/spend-limit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LimitsOUT {
    /// The limits.
    pub limits: LimitsContext,
}

/// What the organization may spend in a month, and what it has spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LimitsContext {
    /// Of all calls.
    pub completion: UsageLimits,
    /// The last payment did not come through.
    pub last_payment_failure: bool,
    /// Calls go on after a payment that did not come through.
    pub last_payment_failure_protection: Option<bool>,
    /// The currency of all amounts.
    pub currency: String,
}

/// One limit and the usage that counts against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UsageLimits {
    /// There is no limit.
    #[schemars(skip_serializing_if = "std::ops::Not::not")]
    pub no_monthly_limit: bool,
    /// The limit is used up.
    pub monthly_limit_reached: bool,
    /// What was spent this month.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Amount>,
    /// What was spent with the agent.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub vibe_usage: Option<Amount>,
    /// Both together.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub total_usage: Option<Amount>,
    /// The limit.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<Amount>,
}

/// The body of `POST /v1/admin/spend-limit`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUsageLimitIN {
    /// The most to spend in a month, in whole units of the currency. The document names no bounds: what is more or less
    /// than 64 bits hold is read as the most or the least that they do.
    #[serde(deserialize_with = "whole")]
    pub amount: i64,
    /// Takes the limit away.
    #[serde(default)]
    pub no_monthly_limit: bool,
}
