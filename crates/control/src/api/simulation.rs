//! `/v1/gateway/simulate`: what a draft of limits and roles would have refused.

use super::{Answer, Shared};
use crate::actions::simulation::{self as actions, Asked, Bounds, Names, Simulated};
use crate::context::Context;
use crate::intake::{Body, Object};
use crate::openapi::shapes;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::RequestId;
use louver_domain::money::Money;
use louver_domain::simulation::{Finding, PastCall, Rule, Scope, Total};
use louver_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Reverse;

/// Rules that one answer tells of, the ones with the most calls first.
const MOST_RULES: usize = 1000;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .post("/v1/gateway/simulate", Action::Simulate, simulate)
        .named("simulate", "What a draft of limits and roles would have refused")
        .saying("The calls of the last days are judged again; nothing is changed and nothing is spent.")
        .takes::<Asked>()
        .answers::<Shown>()
        .refuses(&[404])
        .tagged("gateway.policy")
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Simulation")]
struct Shown {
    #[schemars(extend("const" = "simulation"))]
    object: &'static str,
    #[schemars(with = "shapes::Time")]
    from: Timestamp,
    #[schemars(with = "shapes::Time")]
    to: Timestamp,
    complete: bool,
    total: ShownTotal,
    refused: ShownTotal,
    unknown_model_requests: u64,
    rules: Vec<ShownRule>,
    has_more_rules: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SimulatedTotal")]
struct ShownTotal {
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
    #[schemars(with = "shapes::Dollars")]
    cost_usd: Money,
}

impl ShownTotal {
    fn of(total: &Total) -> Self {
        Self {
            requests: total.calls,
            input_tokens: total.tokens.input,
            output_tokens: total.tokens.output,
            cost_usd: total.cost,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SimulatedRule")]
struct ShownRule {
    #[schemars(extend("enum" = ["organization", "workspace", "user", "model_role", "key"]))]
    scope: &'static str,
    id: String,
    name: Option<String>,
    limit: &'static str,
    enforced: bool,
    #[serde(flatten)]
    refused: ShownTotal,
    first: ShownCall,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SimulatedCall")]
struct ShownCall {
    #[schemars(with = "shapes::Time")]
    at: Timestamp,
    #[schemars(with = "shapes::Id")]
    request_id: RequestId,
    workspace_id: String,
    key_id: String,
    user_id: Option<String>,
    model: String,
}

impl ShownCall {
    fn of(call: &PastCall) -> Self {
        Self {
            at: call.at,
            request_id: call.request_id,
            workspace_id: call.workspace_id.to_string(),
            key_id: call.key_id.prefixed(),
            user_id: call.user_id.map(|id| id.to_string()),
            model: call.model.to_string(),
        }
    }
}

impl ShownRule {
    fn of(rule: &Rule, finding: &Finding, simulated: &Simulated) -> Self {
        let Names { workspaces, users, keys } = &simulated.names;
        let (scope, id, name) = match &rule.scope {
            Scope::Organization => ("organization", simulated.organization.to_string(), None),
            Scope::Workspace(id) => ("workspace", id.to_string(), workspaces.get(id).cloned()),
            Scope::ModelRole(role) => ("model_role", role.to_string(), Some(role.to_string())),
            Scope::User(id) => ("user", id.to_string(), users.get(id).cloned()),
            Scope::Key(id) => ("key", id.prefixed(), keys.get(id).cloned()),
        };
        Self {
            scope,
            id,
            name,
            limit: rule.limit,
            enforced: finding.enforced,
            refused: ShownTotal::of(&finding.total),
            first: ShownCall::of(&finding.first),
        }
    }
}

async fn simulate(
    State(control): Shared,
    context: Context,
    Body(Object(asked)): Body<Object<Asked>>,
) -> Answer {
    let simulated = actions::run(&control, &context, asked, Bounds::default()).await?;
    let outcome = &simulated.outcome;
    let mut rules: Vec<(&Rule, &Finding)> = outcome.rules.iter().collect();
    rules.sort_by_key(|(_, finding)| Reverse(finding.total.calls));
    let shown = rules.iter().take(MOST_RULES);
    Ok(reply::ok(&Shown {
        object: "simulation",
        from: simulated.from,
        to: simulated.to,
        complete: simulated.complete,
        total: ShownTotal::of(&outcome.all),
        refused: ShownTotal::of(&outcome.refused),
        unknown_model_requests: outcome.unknown_models,
        rules: shown.map(|(rule, finding)| ShownRule::of(rule, finding, &simulated)).collect(),
        has_more_rules: rules.len() > MOST_RULES,
    }))
}
