//! `/v1/gateway/explain`: which rules a call would be asked, and what they would say.

use super::budgets::Amount;
use super::{Answer, Shared};
use crate::actions::explain::{self as actions, Call};
use crate::context::Context;
use crate::intake::{Body, Object};
use crate::openapi::shapes;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::explanation::{Entry, Explanation, Refused};
use louver_domain::money::Money;
use louver_domain::settlement::Bound;
use louver_domain::time::Timestamp;
use louver_domain::usage::Units;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .post("/v1/gateway/explain", Action::Explain, explain)
        .named("explain", "Which rules a call would be asked, and what they would say")
        .saying("Name a `key_id`, or a `user` and perhaps a `workspace_id`. Nothing is spent.")
        .takes::<Call>()
        .answers::<Shown>()
        .refuses(&[404])
        .tagged("gateway.policy")
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
struct Shown {
    #[schemars(extend("const" = "explanation"))]
    object: &'static str,
    allowed: bool,
    refusal: Option<ShownRefusal>,
    bound: Option<ShownBound>,
    max_tokens_sent: Option<u64>,
    rules: Vec<ShownRule>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExplainedRefusal")]
struct ShownRefusal {
    status: u16,
    #[serde(rename = "type")]
    kind: &'static str,
    message: String,
}

impl ShownRefusal {
    fn of(refused: &Refused) -> Self {
        Self { status: refused.status, kind: refused.kind, message: refused.message.clone() }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExplainedBound")]
struct ShownBound {
    input_tokens: u64,
    output_tokens: u64,
    pages: u64,
    annotated_pages: u64,
    audio_seconds: u64,
    characters: u64,
    tool_calls: u64,
    #[schemars(with = "shapes::Dollars")]
    cost_usd: Money,
}

impl ShownBound {
    const fn of(bound: &Bound) -> Self {
        let Units { pages, annotated_pages, audio_seconds, characters, tool_calls } = bound.units;
        Self {
            input_tokens: bound.input,
            output_tokens: bound.output,
            pages,
            annotated_pages,
            audio_seconds,
            characters,
            tool_calls,
            cost_usd: bound.cost,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExplainedRule")]
struct ShownRule {
    rule: &'static str,
    level: Option<&'static str>,
    id: Option<String>,
    name: Option<String>,
    allowed: Option<bool>,
    would_refuse: bool,
    list: Option<Vec<String>>,
    limit: Option<Amount>,
    used: Option<Amount>,
    reserved: Option<Amount>,
    remaining: Option<Amount>,
    asked: Option<Amount>,
    #[schemars(with = "Option<shapes::Time>")]
    resets_at: Option<Timestamp>,
    mode: Option<&'static str>,
    detail: Option<String>,
}

impl ShownRule {
    /// A key that is not made yet has no id.
    fn of(entry: Entry) -> Self {
        let amount = |amount: Option<i64>| amount.map(|amount| Amount::of(entry.unit, amount));
        let scope = entry.scope.as_ref();
        let unmade = [0; 16];
        Self {
            rule: entry.rule,
            level: scope.map(|scope| scope.level.as_str()),
            id: scope.filter(|scope| scope.id != unmade).map(louver_domain::budgets::Scope::shown_id),
            limit: amount(entry.limit),
            used: amount(entry.used),
            reserved: amount(entry.reserved),
            remaining: amount(entry.remaining),
            asked: amount(entry.asked),
            name: entry.name.filter(|name| !name.is_empty()),
            allowed: entry.allowed,
            would_refuse: entry.would_refuse,
            list: entry.list,
            resets_at: entry.resets_at,
            mode: entry.enforced.map(|enforced| if enforced { "enforce" } else { "shadow" }),
            detail: entry.detail,
        }
    }
}

impl Shown {
    fn of(explanation: Explanation) -> Self {
        let refusal = explanation.refusal().map(ShownRefusal::of);
        Self {
            object: "explanation",
            allowed: refusal.is_none(),
            refusal,
            bound: explanation.bound.as_ref().map(ShownBound::of),
            max_tokens_sent: explanation.max_tokens_sent,
            rules: explanation.rules.into_iter().map(ShownRule::of).collect(),
        }
    }
}

async fn explain(State(control): Shared, context: Context, Body(Object(call)): Body<Object<Call>>) -> Answer {
    let explanation = actions::of_call(&control, &context, &call).await?;
    Ok(reply::ok(&Shown::of(explanation)))
}
