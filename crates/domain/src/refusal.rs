//! How a refusal is told: its status, its type, and one sentence for people.

use crate::admission::{BudgetRefusal, BudgetState, RateKind, RateLimited, Refusal};
use crate::budgets::{Scope, Unit};
use crate::money::Money;

impl Refusal {
    /// The HTTP status. A budget that is spent answers 429 unless the settings name another.
    pub const fn status(&self) -> u16 {
        match self {
            Self::BillingInactive => 402,
            Self::WorkspaceArchived
            | Self::AddressNotAllowed
            | Self::EndpointNotAllowed { .. }
            | Self::ModelNotAllowed
            | Self::TokensPerRequestExceeded { .. }
            | Self::ToolNotAllowed { .. }
            | Self::TierNotAllowed
            | Self::SignedUrlNotAllowed
            | Self::UnboundedCost => 403,
            Self::RateLimited(_) | Self::Budget(_) => 429,
        }
    }

    /// The `type` that scripts read.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BillingInactive => "billing_inactive",
            Self::WorkspaceArchived => "workspace_archived",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::EndpointNotAllowed { .. } => "endpoint_not_allowed",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::TokensPerRequestExceeded { .. } => "tokens_per_request_exceeded",
            Self::ToolNotAllowed { .. } => "tool_not_allowed",
            Self::TierNotAllowed => "service_tier_not_allowed",
            Self::SignedUrlNotAllowed => "signed_url_not_allowed",
            Self::UnboundedCost => "unbounded_cost",
            Self::RateLimited(_) => "rate_limited",
            Self::Budget(refusal) => refusal.type_name(),
        }
    }

    /// The field of the request that is at fault.
    pub const fn param(&self) -> Option<&'static str> {
        match self {
            Self::ModelNotAllowed | Self::UnboundedCost => Some("model"),
            Self::TokensPerRequestExceeded { .. } => Some("max_tokens"),
            Self::ToolNotAllowed { .. } => Some("tools"),
            Self::TierNotAllowed => Some("service_tier"),
            Self::BillingInactive
            | Self::WorkspaceArchived
            | Self::AddressNotAllowed
            | Self::EndpointNotAllowed { .. }
            | Self::SignedUrlNotAllowed
            | Self::RateLimited(_)
            | Self::Budget(_) => None,
        }
    }

    /// One sentence or two for people.
    pub fn message(&self) -> String {
        match self {
            Self::BillingInactive => "The organization's billing is not active.".into(),
            Self::WorkspaceArchived => "The key's workspace is archived.".into(),
            Self::AddressNotAllowed => "The key may not be used from this address.".into(),
            Self::EndpointNotAllowed { endpoint } => format!("The key may not call {}.", endpoint.as_str()),
            Self::ModelNotAllowed => {
                "The model does not exist or this key may not use it; GET /v1/models lists those it may."
                    .into()
            }
            Self::TokensPerRequestExceeded { limit, asked, role } => format!(
                "The call may use {asked} tokens (estimated input and max_tokens); the role {role} allows {limit} a call."
            ),
            Self::ToolNotAllowed { tool } => {
                format!("Tools of the type {tool:?} are not allowed for this key; functions are.")
            }
            Self::TierNotAllowed => {
                "The priority tier is not allowed for this key: leave service_tier out or say standard_only.".into()
            }
            Self::SignedUrlNotAllowed => {
                "Signed URLs are not allowed for this key; the content of the file is, through this gateway.".into()
            }
            Self::UnboundedCost => {
                "What the call could cost cannot be said, since a model or a tool in it has no price here; and a budget applies."
                    .into()
            }
            Self::RateLimited(limited) => limited.message(),
            Self::Budget(refusal) => refusal.message(),
        }
    }
}

impl RateKind {
    /// What it counts, and over which window, in words.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::RequestsPerSecond => ("requests per second", "second"),
            Self::RequestsPerMinute => ("requests per minute", "minute"),
            Self::TokensPerMinute => ("tokens per minute", "minute"),
            Self::Concurrency => ("requests at the same time", "concurrent"),
        }
    }
}

impl RateLimited {
    fn message(&self) -> String {
        let Self { scope, kind, limit, used, asked, retry_after } = self;
        let back = match retry_after {
            Some(seconds) => format!("Try again in {seconds} s."),
            None if *limit == 0 => "A limit of zero lets nothing pass.".to_owned(),
            None => format!("The call alone could use {asked}: lower max_tokens."),
        };
        let remaining = limit.saturating_sub(*used);
        let left = if remaining == 0 { "is used up".to_owned() } else { format!("has {remaining} left") };
        let (what, _) = kind.words();
        // As Mistral begins its own.
        let of = if *kind == RateKind::TokensPerMinute { "Tokens" } else { "Requests" };
        format!("{of} rate limit exceeded: {}'s limit of {limit} {what} {left}. {back}", whose(scope))
    }
}

impl BudgetRefusal {
    const fn type_name(&self) -> &'static str {
        match (self.state, self.kind.unit()) {
            (BudgetState::Reserved, _) => "budget_reserved",
            (BudgetState::Exhausted | BudgetState::Blocked, Unit::Usd) => "budget_exhausted",
            (BudgetState::Exhausted | BudgetState::Blocked, Unit::Tokens) => "token_budget_exhausted",
        }
    }

    /// What is left of the limit for good; never negative.
    pub fn remaining(&self) -> i64 {
        self.limit.saturating_sub(self.used).max(0)
    }

    fn message(&self) -> String {
        let unit = self.kind.unit();
        let (resets_at, remaining) = (self.resets_at.rfc3339(), self.remaining());
        let of = format!(
            "{}'s budget of {} a {}",
            whose(&self.scope),
            shown(unit, self.limit),
            self.kind.window().as_str()
        );
        let could = format!("This call could use {}.", shown(unit, self.asked));
        match self.state {
            BudgetState::Blocked => format!(
                "Nothing more is taken of {of}: upstream billed more for a call than it could cost by the prices known \
                 here. An administrator must look."
            ),
            BudgetState::Exhausted if remaining == 0 => {
                format!("Budget exhausted: {of} is spent until {resets_at}. {could}")
            }
            BudgetState::Exhausted => {
                format!(
                    "Budget exhausted: {of} has {} left until {resets_at}. {could}",
                    shown(unit, remaining)
                )
            }
            BudgetState::Reserved => {
                format!(
                    "Budget reserved: calls in flight hold what is left of {of}. {could} Try again in 1 s."
                )
            }
        }
    }
}

/// Whose limit it is: `the workspace`, `the model role analyst`.
fn whose(scope: &Scope) -> String {
    match &scope.role {
        Some(role) => format!("the model role {role}"),
        None => format!("the {}", scope.level.as_str()),
    }
}

fn shown(unit: Unit, amount: i64) -> String {
    match unit {
        Unit::Usd => format!("{} USD", Money::from_nanos(amount).usd()),
        Unit::Tokens => format!("{amount} tokens"),
    }
}
