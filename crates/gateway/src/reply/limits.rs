//! The refusals of limits: which one, at which level, how much of it is used, and when it is back.

use super::{Body, LIMIT_REQUESTS, LIMIT_TOKENS, REMAINING_REQUESTS, REMAINING_TOKENS, SHOULD_RETRY, answer};
use crate::pipeline::Visitor;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use louver_domain::admission::{BudgetRefusal, BudgetState, RateKind, RateLimited};
use louver_domain::budgets::Unit;
use louver_mistral::error::{Amount, ErrorBody, LimitInfo};

/// A second is enough for most calls to end and give back what they hold.
const RESERVED_RETRY: HeaderValue = HeaderValue::from_static("1");

pub(super) fn rate_limited(
    visitor: &Visitor,
    mut body: ErrorBody<'_>,
    limited: &RateLimited,
) -> Response<Body> {
    let RateLimited { scope, kind, limit, used, asked: _, retry_after } = limited;
    let remaining = limit.saturating_sub(*used);
    let seconds = retry_after.map(|s| i64::try_from(s).unwrap_or(i64::MAX));
    body.limit = Some(LimitInfo {
        scope: scope.level.as_str(),
        id: scope.shown_id().into(),
        window: kind.words().1,
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

/// `status` is 429, or what the settings name for a budget that is spent.
pub(super) fn budget(mut body: ErrorBody<'_>, status: u16, refusal: &BudgetRefusal) -> Response<Body> {
    let unit = refusal.kind.unit();
    if refusal.state != BudgetState::Reserved {
        body.raw_status_code = status;
    }
    body.limit = Some(LimitInfo {
        scope: refusal.scope.level.as_str(),
        id: refusal.scope.shown_id().into(),
        window: refusal.kind.window().as_str(),
        limit: amount(unit, refusal.limit),
        used: amount(unit, refusal.used),
        remaining: amount(unit, refusal.remaining()),
        resets_at: Some(refusal.resets_at.rfc3339().into()),
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

fn amount(unit: Unit, amount: i64) -> Amount {
    match unit {
        Unit::Usd => Amount::Usd(amount),
        Unit::Tokens => Amount::Count(u64::try_from(amount).unwrap_or(0)),
    }
}
