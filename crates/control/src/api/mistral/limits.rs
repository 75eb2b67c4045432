//! `/v1/admin/spend-limit` and `/v1/admin/rate-limit`: the limits of the organization.

use super::{Answer, Shared};
use crate::actions::spending::{self, Spending};
use crate::actions::{models, organizations};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::limits::Limits;
use louver_domain::models::{Catalogue, ModelStatus};
use louver_domain::money::Money;
use louver_mistral::admin::limits::{
    LimitsContext, LimitsOUT, NewUsageLimitIN, RateLimitsOUT, TokenLimitsByModel, UsageLimits,
};
use louver_mistral::admin::values::Amount;

const NANOS_PER_DOLLAR: i64 = 1_000_000_000;
const MOST_DOLLARS: i64 = i64::MAX / NANOS_PER_DOLLAR;
const SECONDS_PER_MINUTE: u64 = 60;

/// Stands where there is no limit: the largest that could be set. Mistral's document allows no `null` there, and a zero
/// would read as "nothing is allowed".
const UNLIMITED: u64 = 1_000_000_000_000;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/admin/spend-limit", Action::ReadBudgets, spend_limit)
        .post("/v1/admin/spend-limit", Action::UpdateMonthlyLimit, set_spend_limit)
        .get("/v1/admin/rate-limit", Action::ReadOrganization, rate_limit)
}

fn shown(spending: &Spending) -> LimitsOUT {
    let amount = |money: Money| Amount::from_nanos(money.nanos());
    LimitsOUT {
        limits: LimitsContext {
            completion: UsageLimits {
                no_monthly_limit: spending.limit.is_none(),
                monthly_limit_reached: spending.is_reached(),
                usage: Some(amount(spending.spent)),
                vibe_usage: Some(Amount::default()),
                total_usage: Some(amount(spending.spent)),
                usage_limit: spending.limit.map(amount),
            },
            last_payment_failure: false,
            last_payment_failure_protection: None,
            currency: "USD".to_owned(),
        },
    }
}

async fn spend_limit(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    Ok(reply::ok(&shown(&spending::get(&control, &context).await?)))
}

async fn set_spend_limit(
    State(control): Shared,
    context: Context,
    Body(Object(asked)): Body<Object<NewUsageLimitIN>>,
) -> Answer {
    let limit = match asked.no_monthly_limit {
        true => None,
        false if asked.amount < 0 => {
            return Err(ControlError::Conflict("the amount of a limit cannot be negative".into()));
        }
        // What is more than can be written down is as good as the most whole dollars that can.
        false => Some(Money::from_nanos(asked.amount.min(MOST_DOLLARS).saturating_mul(NANOS_PER_DOLLAR))),
    };
    Ok(reply::ok(&shown(&spending::set(&control, &context, limit).await?)))
}

async fn rate_limit(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    let limits = organizations::get(&control, &context).await?.limits;
    let entries = models::list(&control).await?.models;
    let catalogue = Catalogue::new(entries.into_iter().map(|entry| entry.model).collect());
    Ok(reply::ok(&RateLimitsOUT {
        requests_per_second: requests_per_second(&limits),
        tokens_limits_by_model: served(&catalogue, &limits).map(|id| (id, tokens(&limits))).collect(),
    }))
}

/// The models that the organization may use.
fn served(catalogue: &Catalogue, limits: &Limits) -> impl Iterator<Item = String> {
    let allowed = catalogue.allowed(limits.allowed_models.as_deref());
    catalogue
        .iter()
        .filter(move |(index, model)| allowed.contains(*index) && model.status != ModelStatus::Retired)
        .map(|(_, model)| model.id.clone())
}

/// The limit of calls in a second; where only minutes are limited, what those come to.
fn requests_per_second(limits: &Limits) -> u64 {
    let by_minute = limits.requests_per_minute.map(|rate| rate.div_ceil(SECONDS_PER_MINUTE));
    [limits.requests_per_second, by_minute].into_iter().flatten().min().unwrap_or(UNLIMITED)
}

/// The limits are the organization's over all models together, so each model shows the same.
fn tokens(limits: &Limits) -> TokenLimitsByModel {
    TokenLimitsByModel {
        tokens_per_minute: limits.tokens_per_minute.unwrap_or(UNLIMITED),
        tokens_per_month: limits.tokens_per_month.unwrap_or(UNLIMITED),
    }
}
