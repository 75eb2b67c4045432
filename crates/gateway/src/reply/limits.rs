//! The refusals of limits: which one, at which level, how much of it is used, and when it is back.

use super::{Body, LIMIT_REQUESTS, LIMIT_TOKENS, REMAINING_REQUESTS, REMAINING_TOKENS, SHOULD_RETRY, answer};
use crate::pipeline::Visitor;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use louver_domain::admission::{BudgetRefusal, BudgetState, RateKind, RateLimited};
use louver_domain::budgets::{Scope, Unit};
use louver_domain::money::Money;
use louver_mistral::error::{Amount, ErrorBody, LimitInfo};

/// A second is enough for most calls to end and give back what they hold.
const RESERVED_RETRY: HeaderValue = HeaderValue::from_static("1");

pub(super) fn rate_limited(visitor: &Visitor, id: &str, limited: &RateLimited) -> Response<Body> {
    let RateLimited { scope, kind, limit, used, asked, retry_after } = limited;
    let (what, window) = words(*kind);
    let back = match retry_after {
        Some(seconds) => format!("Try again in {seconds} s."),
        None if *limit == 0 => "A limit of zero lets nothing pass.".to_owned(),
        None => format!("The call alone could use {asked}: lower max_tokens."),
    };
    let remaining = limit.saturating_sub(*used);
    let left = if remaining == 0 { "is used up".to_owned() } else { format!("has {remaining} left") };
    let message = format!("Rate limit exceeded: {}'s limit of {limit} {what} {left}. {back}", whose(scope));
    let scope_id = scope.shown_id();
    let seconds = retry_after.map(|s| i64::try_from(s).unwrap_or(i64::MAX));
    let mut body = ErrorBody::new(429, "rate_limited", message, id);
    body.limit = Some(LimitInfo {
        scope: scope.level.as_str(),
        id: scope_id.into(),
        window,
        limit: Amount::Count(*limit),
        used: Amount::Count(*used),
        remaining: Amount::Count(remaining),
        resets_at: seconds.map(|s| visitor.now.plus_seconds(s).rfc3339().into()),
    });
    let mut response = answer(&body);
    let headers = response.headers_mut();
    match retry_after {
        Some(seconds) => headers.insert(RETRY_AFTER, (*seconds).into()),
        None => headers.insert(SHOULD_RETRY, HeaderValue::from_static("false")),
    };
    match kind {
        RateKind::RequestsPerMinute => show(headers, LIMIT_REQUESTS, REMAINING_REQUESTS, *limit, remaining),
        RateKind::TokensPerMinute => show(headers, LIMIT_TOKENS, REMAINING_TOKENS, *limit, remaining),
        RateKind::RequestsPerSecond | RateKind::Concurrency => {}
    }
    response
}

fn show(headers: &mut HeaderMap, limit: HeaderName, remaining: HeaderName, of: u64, left: u64) {
    headers.insert(limit, of.into());
    headers.insert(remaining, left.into());
}

const fn words(kind: RateKind) -> (&'static str, &'static str) {
    match kind {
        RateKind::RequestsPerSecond => ("requests per second", "second"),
        RateKind::RequestsPerMinute => ("requests per minute", "minute"),
        RateKind::TokensPerMinute => ("tokens per minute", "minute"),
        RateKind::Concurrency => ("requests at the same time", "concurrent"),
    }
}

/// Whose limit it is: `the workspace`, `the model role analyst`.
fn whose(scope: &Scope) -> String {
    match &scope.role {
        Some(role) => format!("the model role {role}"),
        None => format!("the {}", scope.level.as_str()),
    }
}

/// `status` is 429, or what the settings name for a budget that is spent.
pub(super) fn budget(id: &str, status: u16, refusal: &BudgetRefusal) -> Response<Body> {
    let unit = refusal.kind.unit();
    let kind = match (refusal.state, unit) {
        (BudgetState::Reserved, _) => "budget_reserved",
        (BudgetState::Exhausted | BudgetState::Blocked, Unit::Usd) => "budget_exhausted",
        (BudgetState::Exhausted | BudgetState::Blocked, Unit::Tokens) => "token_budget_exhausted",
    };
    let status = if refusal.state == BudgetState::Reserved { 429 } else { status };
    let resets_at = refusal.resets_at.rfc3339();
    let remaining = refusal.limit.saturating_sub(refusal.used).max(0);
    let scope_id = refusal.scope.shown_id();
    let mut body = ErrorBody::new(status, kind, message(refusal, remaining, &resets_at), id);
    body.limit = Some(LimitInfo {
        scope: refusal.scope.level.as_str(),
        id: scope_id.into(),
        window: refusal.kind.window().as_str(),
        limit: amount(unit, refusal.limit),
        used: amount(unit, refusal.used),
        remaining: amount(unit, remaining),
        resets_at: Some(resets_at.into()),
    });
    let mut response = answer(&body);
    match refusal.state {
        BudgetState::Reserved => response.headers_mut().insert(RETRY_AFTER, RESERVED_RETRY),
        BudgetState::Exhausted | BudgetState::Blocked => {
            response.headers_mut().insert(SHOULD_RETRY, HeaderValue::from_static("false"))
        }
    };
    response
}

fn message(refusal: &BudgetRefusal, remaining: i64, resets_at: &str) -> String {
    let shown = |amount| shown(refusal.kind.unit(), amount);
    let of = format!(
        "{}'s budget of {} a {}",
        whose(&refusal.scope),
        shown(refusal.limit),
        refusal.kind.window().as_str()
    );
    let could = format!("This call could use {}.", shown(refusal.asked));
    match refusal.state {
        BudgetState::Blocked => format!(
            "Nothing more is taken of {of}: upstream billed more for a call than it could cost by the prices known here. \
             An administrator must look."
        ),
        BudgetState::Exhausted if remaining == 0 => {
            format!("Budget exhausted: {of} is spent until {resets_at}. {could}")
        }
        BudgetState::Exhausted => {
            format!("Budget exhausted: {of} has {} left until {resets_at}. {could}", shown(remaining))
        }
        BudgetState::Reserved => {
            format!("Budget reserved: calls in flight hold what is left of {of}. {could} Try again in 1 s.")
        }
    }
}

fn shown(unit: Unit, amount: i64) -> String {
    match unit {
        Unit::Usd => format!("{} USD", Money::from_nanos(amount).usd()),
        Unit::Tokens => format!("{amount} tokens"),
    }
}

fn amount(unit: Unit, amount: i64) -> Amount {
    match unit {
        Unit::Usd => Amount::Usd(amount),
        Unit::Tokens => Amount::Count(u64::try_from(amount).unwrap_or(0)),
    }
}
