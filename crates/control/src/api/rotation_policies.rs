//! `/v1/gateway/rotation-policies`: when keys are rotated by themselves, and how.

use super::{Answer, Shared};
use crate::Control;
use crate::actions::rotation_policies::{self as actions, PolicyIn, read_scope};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::SecretDestinationId;
use louver_domain::rotation_policies::{PolicyScope, time_of_day};
use louver_domain::rotations::OnOldUse;
use louver_store::rotation_policies::SetPolicy;
use schemars::JsonSchema;
use serde::Serialize;

const NOTHING_SAID: &str =
    "Only what this scope says itself. One that says nothing is there, too, with `null` in every field.";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/rotation-policies", Action::ReadRotations, list)
        .named("list_rotation_policies", "What is set about the rotation of keys, and where")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .get("/v1/gateway/rotation-policies/organization", Action::ReadRotations, of_organization)
        .named("get_organization_rotation_policy", "What the organization says about the rotation of keys")
        .saying(NOTHING_SAID)
        .answers::<Shown>()
        .edited()
        .get("/v1/gateway/rotation-policies/workspaces/{workspace}", Action::ReadRotations, of_workspace)
        .named("get_workspace_rotation_policy", "What a workspace says about the rotation of keys")
        .saying(NOTHING_SAID)
        .answers::<Shown>()
        .edited()
        .get("/v1/gateway/rotation-policies/keys/{key}", Action::ReadRotations, of_key)
        .named("get_key_rotation_policy", "What a key says about its rotation")
        .saying(NOTHING_SAID)
        .answers::<Shown>()
        .edited()
        .put("/v1/gateway/rotation-policies", Action::UpdateRotationPolicy, set)
        .named("set_rotation_policy", "Set when keys are rotated by themselves, and how")
        .saying(
            "Replaces what the scope says; a field that is absent or `null` says nothing, and then the next scope further out \
             does: key, workspace, organization. With nothing said at all the policy is removed. A key is rotated by itself \
             where a period and destinations are said.",
        )
        .takes::<PolicyIn>()
        .answers::<Shown>()
        .edited()
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

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = actions::list(&control, &context).await?;
    let shown = all.iter().map(Shown::of).collect();
    let is_after = |shown: &Shown, after: &str| {
        read_scope(shown.scope, after).is_some_and(|scope| scope.shown_id() == shown.scope_id)
    };
    Ok(reply::ok(&Page::cut(shown, &asked, is_after)?))
}

async fn one(control: &Control, context: &Context, scope: Option<PolicyScope>) -> Answer {
    let set = actions::get(control, context, scope.ok_or(ControlError::NotFound)?).await?;
    reply::tagged(control, &Shown::of(&set))
}

async fn of_organization(State(control): Shared, context: Context) -> Answer {
    let scope = PolicyScope::Organization(context.organization_id());
    one(&control, &context, Some(scope)).await
}

async fn of_workspace(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    one(&control, &context, read_scope("workspace", &id)).await
}

async fn of_key(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    one(&control, &context, read_scope("key", &id)).await
}

async fn set(
    State(control): Shared,
    context: Context,
    Body(Object(asked)): Body<Object<PolicyIn>>,
) -> Answer {
    let scope = asked.scope(&context)?;
    let set = actions::set(&control, &context, scope, asked.policy()?).await?;
    reply::tagged(&control, &Shown::of(&set))
}
