//! Rotation policies: seen, and set on organization, workspace and key.

use super::{Deed, commit, keys, rotations};
use crate::Control;
use crate::api::rotation_policies::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::openapi::shapes;
use louver_domain::access::{Action, Resource, decide};
use louver_domain::id::{KeyId, OrganizationId, SecretDestinationId, WorkspaceId};
use louver_domain::keys::ApiKey;
use louver_domain::old_secrets::LONGEST_OVERLAP_SECONDS;
use louver_domain::rotation_policies::{DayWindow, Policy, PolicyScope, read_time_of_day};
use louver_domain::rotations::OnOldUse;
use louver_store::rotation_policies as store;
pub use louver_store::rotation_policies::SetPolicy;
use louver_store::upstreams::Upstream;
use louver_store::{Tx, keys as api_keys, workspaces};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a scope is to say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "RotationPolicyIn")]
#[schemars(extend("examples" = [{"scope": "workspace", "scope_id": "018f0000-0000-7000-8000-000000000001", "period_days": 90}]))]
#[serde(deny_unknown_fields)]
pub struct PolicyIn {
    /// `organization`, `workspace` or `key`.
    pub scope: String,
    /// Its id; of the organization it may be absent.
    pub scope_id: Option<String>,
    /// Days after which a secret is replaced, 1 to 3,650.
    pub period_days: Option<u32>,
    /// Hours that both secrets work, up to 720.
    pub overlap_hours: Option<u32>,
    /// Where the new secret goes.
    #[schemars(with = "Option<Vec<shapes::Id>>")]
    pub destinations: Option<Vec<SecretDestinationId>>,
    /// Seconds until everybody can have read what was written there, up to 86,400.
    pub propagation_seconds: Option<u32>,
    /// What is done when the old secret is used shortly before its end: `hold` or `cut`.
    pub on_old_use: Option<String>,
    /// Rotations begin from this time of the day on, `HH:MM` in the workspace's time zone.
    pub window_start: Option<String>,
    /// And before this one.
    pub window_end: Option<String>,
    /// Rotations begin up to so many hours early, up to 720.
    pub jitter_hours: Option<u32>,
    /// Days before that people are told, up to 365.
    pub remind_days: Option<u32>,
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
pub fn read_scope(kind: &str, id: &str) -> Option<PolicyScope> {
    match kind {
        "organization" => OrganizationId::parse(id).map(PolicyScope::Organization),
        "workspace" => WorkspaceId::parse(id).map(PolicyScope::Workspace),
        "key" => KeyId::parse(id).map(PolicyScope::Key),
        _ => None,
    }
}

impl PolicyIn {
    /// The scope that it names.
    pub fn scope(&self, context: &Context) -> Result<PolicyScope, ControlError> {
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

    /// What is said of it.
    pub fn policy(self) -> Result<Policy, ControlError> {
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

/// The policies that the caller may see.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<SetPolicy>, ControlError> {
    let mut all = store::list(&control.store, context.organization_id()).await?;
    let Some(seen) = context.actor.workspaces_with(Action::ReadRotations) else { return Ok(all) };
    let mut mine = Vec::new();
    for one in all.drain(..) {
        let within = match one.scope {
            PolicyScope::Organization(_) => false,
            PolicyScope::Workspace(id) => seen.contains(&id),
            PolicyScope::Key(id) => {
                let key = api_keys::get(&control.store, context.organization_id(), id).await?;
                key.is_some_and(|key| seen.contains(&key.workspace_id))
            }
        };
        if within {
            mine.push(one);
        }
    }
    Ok(mine)
}

/// What holds for a key: of each field what the nearest scope says.
pub(crate) async fn of_key(tx: &mut Tx, key: &ApiKey) -> Result<Policy, ControlError> {
    let scopes = [
        PolicyScope::Key(key.id),
        PolicyScope::Workspace(key.workspace_id),
        PolicyScope::Organization(key.organization_id),
    ];
    let mut found = Vec::new();
    for scope in scopes {
        found.extend(store::load(tx, key.organization_id, scope).await?);
    }
    Ok(Policy::nearest(found.iter()))
}

/// What holds for an upstream credential: what its workspace and the organization say of overlaps. Periods are for keys, and
/// destinations too.
pub(crate) async fn of_upstream(tx: &mut Tx, upstream: &Upstream) -> Result<Policy, ControlError> {
    let organization = upstream.organization_id;
    let scopes =
        [upstream.workspace_id.map(PolicyScope::Workspace), Some(PolicyScope::Organization(organization))];
    let mut found = Vec::new();
    for scope in scopes.into_iter().flatten() {
        found.extend(store::load(tx, organization, scope).await?);
    }
    Ok(Policy { destinations: None, ..Policy::nearest(found.iter()) })
}

/// What a policy is set on, by name for the audit log.
struct Place {
    resource: Resource,
    name: String,
    workspace: Option<WorkspaceId>,
}

async fn place(tx: &mut Tx, context: &Context, scope: PolicyScope) -> Result<Place, ControlError> {
    let organization = context.organization_id();
    let not_here = || ControlError::field("scope_id", "names nothing of that scope in this organization");
    match scope {
        PolicyScope::Organization(id) if id == organization => {
            Ok(Place { resource: organization.into(), name: "organization".into(), workspace: None })
        }
        PolicyScope::Organization(_) => Err(not_here()),
        PolicyScope::Workspace(id) => {
            let found = workspaces::load(tx, organization, id).await?.ok_or_else(not_here)?;
            let resource = Resource::workspace(organization, id);
            Ok(Place { resource, name: found.name, workspace: Some(id) })
        }
        PolicyScope::Key(id) => {
            let key = api_keys::load(tx, organization, id).await?.ok_or_else(not_here)?;
            Ok(Place { resource: keys::resource(&key), workspace: Some(key.workspace_id), name: key.name })
        }
    }
}

/// What one scope says; of one that says nothing, the empty policy.
pub async fn get(
    control: &Control,
    context: &Context,
    scope: PolicyScope,
) -> Result<SetPolicy, ControlError> {
    let mut tx = control.store.begin_read().await?;
    let place = place(&mut tx, context, scope).await.map_err(|error| match error {
        ControlError::Invalid(_) => ControlError::NotFound,
        other => other,
    })?;
    decide(&context.actor, Action::ReadRotations, place.resource)?;
    let organization_id = context.organization_id();
    let policy = store::load(&mut tx, organization_id, scope).await?.unwrap_or_default();
    Ok(SetPolicy { organization_id, scope, policy })
}

/// Sets what a scope says; a policy that says nothing is removed.
pub async fn set(
    control: &Control,
    context: &Context,
    scope: PolicyScope,
    policy: Policy,
) -> Result<SetPolicy, ControlError> {
    let mut tx = control.begin(context).await?;
    let place = place(&mut tx, context, scope).await?;
    let permit = match decide(&context.actor, Action::UpdateRotationPolicy, place.resource) {
        Err(louver_domain::access::Denied::Unseen) => {
            let sentence = "names nothing of that scope in this organization";
            return Err(ControlError::field("scope_id", sentence).concealing());
        }
        decided => decided?,
    };
    if let Some(destinations) = &policy.destinations {
        rotations::must_take(&mut tx, context, "destinations", destinations, place.workspace).await?;
    }
    let organization_id = context.organization_id();
    let before = store::load(&mut tx, organization_id, scope).await?;
    let shown = |policy: Policy| Shown::of(&SetPolicy { organization_id, scope, policy });
    context.must_match(control, &shown(before.clone().unwrap_or_default()))?;
    store::save(&mut tx, &permit, scope, &policy).await?;
    let mut deed = Deed::on(permit, scope.shown_id(), &place.name);
    if let Some(workspace) = place.workspace {
        deed = deed.inside(workspace);
    }
    if let Some(before) = before {
        deed = deed.from(&shown(before))?;
    }
    if !policy.is_empty() {
        deed = deed.to(&shown(policy.clone()))?;
    }
    commit(control, context, tx, deed).await?;
    control.rotating.look_again();
    Ok(SetPolicy { organization_id, scope, policy })
}
