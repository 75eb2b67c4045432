//! `/v1/gateway/rotation-policies`: when keys are rotated by themselves, and how.

use super::{Answer, Shared};
use crate::actions::rotation_policies::{self as actions, PolicyIn};
use crate::context::Context;
use crate::intake::params::Params;
use crate::intake::{Body, Object};
use crate::openapi::shapes;
use crate::page::Page;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::SecretDestinationId;
use louver_domain::rotation_policies::time_of_day;
use louver_domain::rotations::OnOldUse;
use louver_store::rotation_policies::SetPolicy;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/rotation-policies", Action::ReadRotations, list)
        .named("list_rotation_policies", "What is set about the rotation of keys, and where")
        .answers::<Page<Shown>>()
        .put("/v1/gateway/rotation-policies", Action::UpdateRotationPolicy, set)
        .named("set_rotation_policy", "Set when keys are rotated by themselves, and how")
        .saying(
            "Replaces what the scope says; a field that is absent or `null` says nothing, and then the next scope further out \
             does: key, workspace, organization. With nothing said at all the policy is removed. A key is rotated by itself \
             where a period and destinations are said.",
        )
        .takes::<PolicyIn>()
        .answers::<Shown>()
        .tagged("gateway.rotations")
}

/// What one scope says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "RotationPolicy")]
pub(crate) struct Shown {
    #[schemars(extend("const" = "rotation_policy"))]
    object: &'static str,
    #[schemars(extend("enum" = ["organization", "workspace", "key"]))]
    scope: &'static str,
    #[schemars(with = "shapes::Id")]
    scope_id: String,
    period_days: Option<u32>,
    overlap_hours: Option<u32>,
    #[schemars(with = "Option<Vec<shapes::Id>>")]
    destinations: Option<Vec<SecretDestinationId>>,
    propagation_seconds: Option<u32>,
    on_old_use: Option<&'static str>,
    window_start: Option<String>,
    window_end: Option<String>,
    jitter_hours: Option<u32>,
    remind_days: Option<u32>,
}

impl Shown {
    pub(crate) fn of(set: &SetPolicy) -> Self {
        let SetPolicy { scope, policy, .. } = set;
        Self {
            object: "rotation_policy",
            scope: scope.kind(),
            scope_id: scope.shown_id(),
            period_days: policy.period_days,
            overlap_hours: policy.overlap_hours,
            destinations: policy.destinations.clone(),
            propagation_seconds: policy.propagation_seconds,
            on_old_use: policy.on_old_use.map(OnOldUse::as_str),
            window_start: policy.window.map(|window| time_of_day(window.start)),
            window_end: policy.window.map(|window| time_of_day(window.end)),
            jitter_hours: policy.jitter_hours,
            remind_days: policy.remind_days,
        }
    }
}

async fn list(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    let all = actions::list(&control, &context).await?;
    Ok(reply::ok(&Page::whole(all.iter().map(Shown::of).collect())))
}

async fn set(
    State(control): Shared,
    context: Context,
    Body(Object(asked)): Body<Object<PolicyIn>>,
) -> Answer {
    let scope = asked.scope(&context)?;
    let set = actions::set(&control, &context, scope, asked.policy()?).await?;
    Ok(reply::ok(&Shown::of(&set)))
}
