//! `/v1/gateway/explain`: which rules a call would be asked, and what they would say.

use super::budgets::Amount;
use super::{Answer, Shared};
use crate::actions::explain::{self as actions, Caller};
use crate::actions::limits::permissions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::{Body, Object};
use crate::openapi::shapes;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::admission::Ask;
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::explanation::{Entry, Explanation, Refused};
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::limits::ServiceTier;
use louver_domain::money::Money;
use louver_domain::settlement::Bound;
use louver_domain::time::Timestamp;
use louver_domain::usage::Units;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// As many as upstream takes.
const MOST_CHOICES: u64 = 128;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .post("/v1/gateway/explain", Action::Explain, explain)
        .named("explain", "Which rules a call would be asked, and what they would say")
        .saying("Name a `key_id`, or a `user` and perhaps a `workspace_id`. Nothing is spent.")
        .takes::<ExplainIn>()
        .answers::<Shown>()
        .refuses(&[404])
        .tagged("gateway.policy")
}

/// The call that is asked about.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ExplainRequest")]
#[serde(deny_unknown_fields)]
struct ExplainIn {
    key_id: Option<String>,
    user: Option<String>,
    workspace_id: Option<String>,
    model: String,
    #[schemars(with = "Option<shapes::Endpoint>")]
    endpoint: Option<EndpointKind>,
    max_tokens: Option<u64>,
    input_tokens: Option<u64>,
    choices: Option<u64>,
    /// Types of tools that the provider runs.
    #[serde(default)]
    #[schemars(with = "Vec<shapes::Tool>")]
    tools: Vec<String>,
    /// Absent is the standard tier.
    #[schemars(with = "Option<shapes::Tier>")]
    service_tier: Option<ServiceTier>,
    /// Pages of a document.
    pages: Option<u64>,
    /// Pages that are annotated, which are not among `pages`.
    annotated_pages: Option<u64>,
    /// Seconds of audio.
    audio_seconds: Option<u64>,
    /// Characters to be spoken.
    characters: Option<u64>,
    #[schemars(with = "Option<shapes::Address>")]
    address: Option<IpAddr>,
}

impl ExplainIn {
    /// What is not an id is the id of nothing.
    fn caller(&self) -> Result<Caller, ControlError> {
        match (&self.key_id, &self.user) {
            (Some(_), Some(_)) => Err(ControlError::field("user", "goes not together with key_id")),
            (None, None) => Err(ControlError::field("key_id", "a key_id or a user is required")),
            (Some(_), None) if self.workspace_id.is_some() => {
                Err(ControlError::field("workspace_id", "goes with user; a key has its workspace"))
            }
            (Some(key), None) => KeyId::parse(key).map(Caller::Key).ok_or(ControlError::NotFound),
            (None, Some(user)) => {
                let user = UserId::parse(user).ok_or(ControlError::NotFound)?;
                let workspace = |id: &String| WorkspaceId::parse(id).ok_or(ControlError::NotFound);
                Ok(Caller::User(user, self.workspace_id.as_ref().map(workspace).transpose()?))
            }
        }
    }

    fn ask(&self) -> Result<Ask<'_>, ControlError> {
        let endpoint = self.endpoint.unwrap_or(EndpointKind::Chat);
        if endpoint.billing() == Billing::Free {
            return Err(ControlError::field("endpoint", "must be one that calls a model"));
        }
        if !endpoint.generates() && self.max_tokens.is_some() {
            let sentence = format!("{} has no output that could be bounded", endpoint.as_str());
            return Err(ControlError::field("max_tokens", sentence));
        }
        permissions::check_tools(Some(&self.tools), &|_| "tools".to_owned())?;
        let choices = self.choices.unwrap_or(1);
        if !(1..=MOST_CHOICES).contains(&choices) {
            return Err(ControlError::field("choices", "must be from 1 to 128"));
        }
        Ok(Ask {
            endpoint,
            model: Some(&self.model),
            nested_models: &[],
            tools: &self.tools,
            priority: self.service_tier == Some(ServiceTier::Priority),
            input_tokens: self.input_tokens.unwrap_or(0),
            max_tokens: self.max_tokens,
            choices,
        })
    }

    /// Where an endpoint is billed by something, a call uses at least one of it.
    fn units(&self) -> Units {
        let endpoint = self.endpoint.unwrap_or(EndpointKind::Chat);
        let of = |billing, given: Option<u64>| given.unwrap_or(u64::from(endpoint.billing() == billing));
        let annotated = self.annotated_pages.unwrap_or(0);
        Units {
            pages: self.pages.unwrap_or(u64::from(endpoint.billing() == Billing::Pages && annotated == 0)),
            annotated_pages: annotated,
            audio_seconds: of(Billing::AudioSeconds, self.audio_seconds),
            characters: of(Billing::Characters, self.characters),
            tool_calls: 0,
        }
    }
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

async fn explain(
    State(control): Shared,
    context: Context,
    Body(Object(asked)): Body<Object<ExplainIn>>,
) -> Answer {
    let explanation =
        actions::run(&control, &context, asked.caller()?, asked.address, asked.ask()?, asked.units()).await?;
    Ok(reply::ok(&Shown::of(explanation)))
}
