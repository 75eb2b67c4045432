//! `/v1/gateway/rotations`: managed rotations of keys; no secret is ever shown here.

use super::{Answer, Shared};
use crate::actions::rotations::{self as actions, NewRotation};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::{Kind, PAGE, Parameter};
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, RotationId, SecretDestinationId, UpstreamId, WorkspaceId};
use louver_domain::rotations::{Rotation, Step};
use louver_domain::time::Timestamp;
use louver_store::rotations::Filter;
use schemars::JsonSchema;
use serde::Serialize;

const STATES: [&str; 12] = [
    "live",
    "creating",
    "writing",
    "propagating",
    "verifying",
    "overlapping",
    "retiring",
    "checking",
    "undoing",
    "settling",
    "done",
    "cancelled",
];

const FILTERS: &[Parameter] = &[
    Parameter::new("workspace_id", Kind::Id, "Only rotations of keys of this workspace."),
    Parameter::new("key_id", Kind::Id, "Only rotations of this key."),
    Parameter::new("upstream_id", Kind::Id, "Only rotations of this upstream credential."),
    Parameter::new("state", Kind::OneOf(&STATES), "Only rotations in this state; `live` is all that go on."),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/rotations", Action::ReadRotations, list)
        .named("list_rotations", "Managed rotations, newest first")
        .query(PAGE)
        .query(FILTERS)
        .answers::<Page<Shown>>()
        .get("/v1/gateway/rotations/{id}", Action::ReadRotations, one)
        .named("get_rotation", "One managed rotation")
        .answers::<Shown>()
        .post("/v1/gateway/rotations", Action::StartRotation, start)
        .named("start_rotation", "Rotate a key, its new secret going to the destinations")
        .saying(
            "The new secret is made, written to every destination, read back, and tried with a call; then the old one gets its \
             end, is watched, ends, and is tried too. Until the new one was seen to work the old one has no end. Of an upstream \
             credential upstream makes the new key, calls move to it, and upstream deletes the old one.",
        )
        .takes::<NewRotation>()
        .answers::<Shown>()
        .refuses(&[404, 409])
        .post("/v1/gateway/rotations/{id}/retry", Action::RetryRotation, retry)
        .named("retry_rotation", "Try the step that a rotation waits at now")
        .answers::<Shown>()
        .refuses(&[409])
        .post("/v1/gateway/rotations/{id}/cancel", Action::CancelRotation, cancel)
        .named("cancel_rotation", "Call a rotation off while the old secret lives")
        .saying("The old secret is written back to the destinations and is the key's own again; the new one ends.")
        .answers::<Shown>()
        .refuses(&[409])
        .tagged("gateway.rotations")
}

/// A rotation without its secrets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rotation")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: RotationId,
    #[schemars(extend("const" = "rotation"))]
    object: &'static str,
    #[schemars(extend("enum" = ["api_key", "admin_key", "upstream"]))]
    subject: &'static str,
    #[schemars(with = "shapes::Id")]
    subject_id: String,
    name: String,
    #[schemars(with = "Option<shapes::Id>")]
    workspace_id: Option<WorkspaceId>,
    /// What is done next, or how it ended.
    #[schemars(extend("enum" = ["creating", "writing", "propagating", "verifying", "overlapping", "retiring", "checking",
        "undoing", "settling", "done", "cancelled"]))]
    state: &'static str,
    #[schemars(with = "shapes::Time")]
    state_since: Timestamp,
    /// When that is tried; `null` when it is over.
    #[schemars(with = "Option<shapes::Time>")]
    next_at: Option<Timestamp>,
    /// How often it was tried in vain.
    attempts: u32,
    last_error: Option<String>,
    emergency: bool,
    overlap_seconds: i64,
    propagation_seconds: i64,
    on_old_use: &'static str,
    #[schemars(with = "Vec<shapes::Id>")]
    destinations: Vec<SecretDestinationId>,
    started_by: String,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
    /// When the new secret was seen to work.
    #[schemars(with = "Option<shapes::Time>")]
    verified_at: Option<Timestamp>,
    /// When somebody was first seen to use the new secret.
    #[schemars(with = "Option<shapes::Time>")]
    observed_at: Option<Timestamp>,
    /// From when on the old secret is refused; `null` is not said yet. With `hold` only if nobody uses it shortly before.
    #[schemars(with = "Option<shapes::Time>")]
    old_key_expires_at: Option<Timestamp>,
}

impl Shown {
    pub(crate) fn of(rotation: &Rotation) -> Self {
        let Rotation { plan, state, .. } = rotation;
        Self {
            id: rotation.id,
            object: "rotation",
            subject: rotation.subject.kind(),
            subject_id: rotation.subject.shown_id(),
            name: rotation.name.clone(),
            workspace_id: rotation.workspace_id,
            state: state.step.as_str(),
            state_since: state.since,
            next_at: state.step.is_live().then_some(state.next_at),
            attempts: state.attempts,
            last_error: rotation.last_error.clone(),
            emergency: rotation.emergency,
            overlap_seconds: plan.overlap_seconds,
            propagation_seconds: plan.propagation_seconds,
            on_old_use: plan.on_old_use.as_str(),
            destinations: plan.destinations.clone(),
            started_by: rotation.started_by.clone(),
            created_at: rotation.created_at,
            verified_at: state.verified_at,
            observed_at: state.observed_at,
            old_key_expires_at: state.ends_at,
        }
    }
}

fn read_id(text: &str) -> Result<RotationId, ControlError> {
    RotationId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    let not_an_id = || ControlError::parameter("after", "expected the id of a rotation");
    let state = |text: &str| STATES.contains(&text).then(|| text.to_owned());
    let state = params.parsed("state", "a state of rotations", state)?;
    let id = "a UUID, or a prefix and 32 hexadecimal digits";
    let key = params.parsed("key_id", id, KeyId::parse)?.map(|id| id.bytes());
    let upstream = params.parsed("upstream_id", id, UpstreamId::parse)?.map(|id| id.bytes());
    if key.is_some() && upstream.is_some() {
        return Err(ControlError::parameter(
            "upstream_id",
            "no rotation is of a key and of an upstream credential",
        ));
    }
    let filter = Filter {
        workspace: params.parsed("workspace_id", id, WorkspaceId::parse)?,
        subject: key.or(upstream),
        live: state.as_deref() == Some("live"),
        step: state.as_deref().and_then(Step::parse),
        after: asked
            .after
            .as_deref()
            .map(|text| RotationId::parse(text).ok_or_else(not_an_id))
            .transpose()?,
    };
    params.done()?;
    let all = actions::list(&control, &context, filter, asked.limit.saturating_add(1)).await?;
    Ok(reply::ok(&Page::of_one_more(all, asked.limit).map(|rotation| Shown::of(&rotation))))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let rotation = actions::get(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&Shown::of(&rotation)))
}

async fn start(
    State(control): Shared,
    context: Context,
    Body(Object(new)): Body<Object<NewRotation>>,
) -> Answer {
    Ok(reply::ok(&Shown::of(&actions::start(&control, &context, new).await?)))
}

async fn retry(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let rotation = actions::retry(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&Shown::of(&rotation)))
}

async fn cancel(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let rotation = actions::cancel(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&Shown::of(&rotation)))
}
