//! `/v1/gateway/rotation-policies`: when keys are rotated by themselves, and how.

use super::{Answer, Shared};
use crate::Control;
use crate::actions::rotation_policies as actions;
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
use louver_domain::id::{KeyId, OrganizationId, SecretDestinationId, WorkspaceId};
use louver_domain::old_secrets::LONGEST_OVERLAP_SECONDS;
use louver_domain::rotation_policies::{DayWindow, Policy, PolicyScope, read_time_of_day, time_of_day};
use louver_domain::rotations::OnOldUse;
use louver_store::rotation_policies::SetPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// What a scope is to say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "RotationPolicyIn")]
#[schemars(extend("examples" = [{"scope": "workspace", "scope_id": "018f0000-0000-7000-8000-000000000001", "period_days": 90}]))]
#[serde(deny_unknown_fields)]
struct PolicyIn {
    /// `organization`, `workspace` or `key`.
    scope: String,
    /// Its id; of the organization it may be absent.
    scope_id: Option<String>,
    /// Days after which a secret is replaced, 1 to 3,650.
    period_days: Option<u32>,
    /// Hours that both secrets work, up to 720.
    overlap_hours: Option<u32>,
    /// Where the new secret goes.
    #[schemars(with = "Option<Vec<shapes::Id>>")]
    destinations: Option<Vec<SecretDestinationId>>,
    /// Seconds until everybody can have read what was written there, up to 86,400.
    propagation_seconds: Option<u32>,
    /// What is done when the old secret is used shortly before its end: `hold` or `cut`.
    on_old_use: Option<String>,
    /// Rotations begin from this time of the day on, `HH:MM` in the workspace's time zone.
    window_start: Option<String>,
    /// And before this one.
    window_end: Option<String>,
    /// Rotations begin up to so many hours early, up to 720.
    jitter_hours: Option<u32>,
    /// Days before that people are told, up to 365.
    remind_days: Option<u32>,
}

fn bounded(
    field: &'static str,
    value: Option<u32>,
    (least, most): (u32, u32),
) -> Result<Option<u32>, ControlError> {
    match value {
        Some(number) if !(least..=most).contains(&number) => {
            Err(ControlError::field(field, format!("must be {least} to {most}")))
        }
        value => Ok(value),
    }
}

/// The scope of that kind and id.
fn read_scope(kind: &str, id: &str) -> Option<PolicyScope> {
    match kind {
        "organization" => OrganizationId::parse(id).map(PolicyScope::Organization),
        "workspace" => WorkspaceId::parse(id).map(PolicyScope::Workspace),
        "key" => KeyId::parse(id).map(PolicyScope::Key),
        _ => None,
    }
}

impl PolicyIn {
    fn scope(&self, context: &Context) -> Result<PolicyScope, ControlError> {
        if !["organization", "workspace", "key"].contains(&self.scope.as_str()) {
            return Err(ControlError::field("scope", "must be organization, workspace or key"));
        }
        let read = match (&self.scope_id, self.scope.as_str()) {
            (None, "organization") => Some(PolicyScope::Organization(context.organization_id())),
            (None, _) => None,
            (Some(id), kind) => read_scope(kind, id),
        };
        read.ok_or_else(|| ControlError::field("scope_id", "expected an id of that scope"))
    }

    fn window(&self) -> Result<Option<DayWindow>, ControlError> {
        let read = |field: &'static str, text: &str| {
            let bad = || ControlError::field(field, "expected a time of the day such as 02:30");
            read_time_of_day(text).ok_or_else(bad)
        };
        match (&self.window_start, &self.window_end) {
            (None, None) => Ok(None),
            (Some(start), Some(end)) => {
                let window = DayWindow { start: read("window_start", start)?, end: read("window_end", end)? };
                let same =
                    ControlError::field("window_end", "must not be window_start: no time would be left");
                if window.start == window.end { Err(same) } else { Ok(Some(window)) }
            }
            (Some(_), None) => {
                Err(ControlError::field("window_end", "is wanted where there is a window_start"))
            }
            (None, Some(_)) => {
                Err(ControlError::field("window_start", "is wanted where there is a window_end"))
            }
        }
    }

    fn policy(self) -> Result<Policy, ControlError> {
        const LONGEST_HOURS: u32 = (LONGEST_OVERLAP_SECONDS / 3_600) as u32;
        let window = self.window()?;
        let on_old_use = self.on_old_use.as_deref().map(|text| {
            OnOldUse::parse(text).ok_or_else(|| ControlError::field("on_old_use", "must be hold or cut"))
        });
        Ok(Policy {
            period_days: bounded("period_days", self.period_days, (1, 3_650))?,
            overlap_hours: bounded("overlap_hours", self.overlap_hours, (0, LONGEST_HOURS))?,
            destinations: self.destinations,
            propagation_seconds: bounded("propagation_seconds", self.propagation_seconds, (0, 86_400))?,
            on_old_use: on_old_use.transpose()?,
            window,
            jitter_hours: bounded("jitter_hours", self.jitter_hours, (0, 720))?,
            remind_days: bounded("remind_days", self.remind_days, (0, 365))?,
        })
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
