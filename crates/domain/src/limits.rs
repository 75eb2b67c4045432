//! The limits that an organization, a workspace, a user and a key may each carry.

use crate::budgets::BudgetKind;
use crate::endpoints::EndpointKind;
use crate::money::Money;
use serde::{Deserialize, Serialize};

/// Where on the chain a limit stands, from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All workspaces together.
    Organization,
    /// All keys of a workspace together.
    Workspace,
    /// All keys of a person together.
    User,
    /// One person, service account or key, as far as a model role judges its calls.
    ModelRole,
    /// One key.
    Key,
}

impl Level {
    /// As shown to people and in refusals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Workspace => "workspace",
            Self::User => "user",
            Self::ModelRole => "model_role",
            Self::Key => "key",
        }
    }
}

/// What happens at a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Calls beyond it are refused.
    Enforce,
    /// Nothing is refused; what would have been is counted.
    Shadow,
}

/// Who may create keys in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyCreation {
    /// Admins only.
    Admins,
    /// Members too.
    Members,
}

/// A tier of service beside the standard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    /// Served first, at a higher price.
    Priority,
}

/// Where the provider answers calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// In the European Union only.
    Eu,
    /// In the United States only.
    Us,
}

impl Region {
    /// As shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eu => "eu",
            Self::Us => "us",
        }
    }
}

/// The types of tools that the provider runs, as lists of allowed tools name them. `connector` is every connector.
pub const TOOLS: [&str; 6] = [
    "web_search",
    "web_search_premium",
    "code_interpreter",
    "image_generation",
    "document_library",
    "connector",
];

/// Hours that a signed URL lives at most, whatever is set: the provider signs for a week and no longer.
pub const LONGEST_SIGNED_URL_HOURS: u32 = 168;

/// Per cents of a budget at which people are told, where nothing else is set.
pub const DEFAULT_THRESHOLDS: [u8; 3] = [50, 80, 95];

/// The limits of one level; `None` is no limit of its own. It is stored and shown as this one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Entries of the allow-list: ids, aliases, families, globs or `*`.
    pub allowed_models: Option<Vec<String>>,
    /// Calls in any second.
    pub requests_per_second: Option<u64>,
    /// Calls in any 60 seconds.
    pub requests_per_minute: Option<u64>,
    /// Tokens in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
    /// Tokens in a calendar month.
    pub tokens_per_month: Option<u64>,
    /// Calls at the same time.
    pub max_concurrent_requests: Option<u64>,
    /// Dollars in an hour.
    pub hourly_budget_usd: Option<Money>,
    /// Dollars in a day.
    pub daily_budget_usd: Option<Money>,
    /// Dollars in a calendar month.
    pub monthly_budget_usd: Option<Money>,
    /// Endpoints that may be called.
    pub allowed_endpoints: Option<Vec<EndpointKind>>,
    /// Types of tools that the provider runs which may be offered; functions always may. On the organization `None` is
    /// none, below it `None` is what stands above.
    pub allowed_tools: Option<Vec<String>>,
    /// Service tiers that may be asked for, beside the standard one; `None` as in `allowed_tools`.
    pub allowed_service_tiers: Option<Vec<ServiceTier>>,
    /// Hours that a signed URL, which works without a key, may live at most; `None` as in `allowed_tools`.
    pub max_signed_url_hours: Option<u32>,
    /// Where calls are answered; `None` is what stands above, and on the organization anywhere.
    pub region: Option<Region>,
    /// Models to try in this order when the one that was asked for cannot be had; each must be allowed by itself.
    pub fallback_models: Option<Vec<String>>,
    /// Per cent of a budget at which people are told; `None` is 50, 80 and 95.
    pub alert_thresholds: Option<Vec<u8>>,
    /// Days after which a new key of this level expires at the latest.
    pub max_key_lifetime_days: Option<u32>,
    /// Days without use after which a key of this level is disabled.
    pub max_key_idle_days: Option<u32>,
    /// Who may create keys.
    pub key_creation: Option<KeyCreation>,
    /// What happens at the limits; `None` is to enforce them.
    pub mode: Option<Mode>,
    /// The time zone that decides where a day or a month begins, by its IANA name; `None` is UTC.
    pub timezone: Option<String>,
}

impl Limits {
    /// The numbers that a child may not set above its parent's, with their names.
    pub fn numbers(&self) -> [(&'static str, Option<i128>); 8] {
        let count = |n: Option<u64>| n.map(i128::from);
        let money = |m: Option<Money>| m.map(|m| i128::from(m.nanos()));
        [
            ("requests_per_second", count(self.requests_per_second)),
            ("requests_per_minute", count(self.requests_per_minute)),
            ("tokens_per_minute", count(self.tokens_per_minute)),
            ("tokens_per_month", count(self.tokens_per_month)),
            ("max_concurrent_requests", count(self.max_concurrent_requests)),
            ("hourly_budget_usd", money(self.hourly_budget_usd)),
            ("daily_budget_usd", money(self.daily_budget_usd)),
            ("monthly_budget_usd", money(self.monthly_budget_usd)),
        ]
    }

    /// The first limit of this level that stands above the same limit of `parent`, by name.
    pub fn above(&self, parent: &Self) -> Option<&'static str> {
        let pairs = self.numbers().into_iter().zip(parent.numbers());
        pairs.filter_map(|((name, own), (_, parents))| (own? > parents?).then_some(name)).next()
    }

    /// The limit of a budget in its smallest unit (nano-dollars or tokens).
    pub fn budget(&self, kind: BudgetKind) -> Option<i64> {
        match kind {
            BudgetKind::HourlyUsd => self.hourly_budget_usd.map(Money::nanos),
            BudgetKind::DailyUsd => self.daily_budget_usd.map(Money::nanos),
            BudgetKind::MonthlyUsd => self.monthly_budget_usd.map(Money::nanos),
            BudgetKind::MonthlyTokens => self.tokens_per_month.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
            BudgetKind::DailyTokens => None,
        }
    }

    /// Per cents of a budget at which people are told.
    pub fn thresholds(&self) -> Vec<u8> {
        self.alert_thresholds.clone().unwrap_or_else(|| DEFAULT_THRESHOLDS.to_vec())
    }

    /// Whether the limits refuse (and do not only watch).
    pub fn enforced(&self) -> bool {
        self.mode != Some(Mode::Shadow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_compared_with_its_parent_number_by_number() {
        let rpm = |n| Limits { requests_per_minute: Some(n), ..Limits::default() };
        let usd = |text| Limits { monthly_budget_usd: Money::parse_usd(text), ..Limits::default() };
        assert_eq!(rpm(100).above(&rpm(60)), Some("requests_per_minute"));
        assert_eq!(rpm(60).above(&rpm(60)), None);
        assert_eq!(rpm(100).above(&Limits::default()), None);
        assert_eq!(Limits::default().above(&rpm(60)), None);
        assert_eq!(usd("50.000000001").above(&usd("50")), Some("monthly_budget_usd"));
    }
}
