//! What a draft of limits and roles, laid over what is set now, would have refused of the organization's past calls.

use super::limits::{self, LimitsPatch};
use super::model_roles::{self, ModelRolePatch};
use super::models;
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::values::{objects, present, present_object};
use louver_domain::id::{KeyId, OrganizationId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::limits::Limits;
use louver_domain::models::Catalogue;
use louver_domain::simulation::{Draft, Outcome, Simulation};
use louver_domain::time::Timestamp;
use louver_store::keys::Filter;
use louver_store::usage::history::History;
use louver_store::{keys, model_roles as roles, organizations, users, workspaces};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

const LONGEST_DAYS: u32 = 93;
const DEFAULT_DAYS: u32 = 30;
const SECONDS_PER_DAY: i64 = 86_400;
const KEYS_PER_PAGE: u32 = 1000;

/// What is asked for: how far back, and the changes to try.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "SimulationRequest")]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// Days of the past, 1 to 93; absent is 30.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "u32")]
    pub days: Option<u32>,
    /// Of the organization's limits.
    #[serde(deserialize_with = "present_object")]
    #[schemars(with = "LimitsPatch")]
    pub organization: Option<LimitsPatch>,
    /// Of workspaces' limits, by id.
    #[serde(deserialize_with = "objects")]
    pub workspaces: BTreeMap<String, LimitsPatch>,
    /// Of people's limits, by id.
    #[serde(deserialize_with = "objects")]
    pub users: BTreeMap<String, LimitsPatch>,
    /// Of keys' limits, by id.
    #[serde(deserialize_with = "objects")]
    pub keys: BTreeMap<String, LimitsPatch>,
    /// Of model roles, by name.
    #[serde(deserialize_with = "objects")]
    pub roles: BTreeMap<String, ModelRolePatch>,
}

/// How much work one simulation may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Calls that are replayed.
    pub calls: usize,
    /// Microseconds that it may take; an admin's request ends after 30 seconds.
    pub micros: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { calls: 2_000_000, micros: 20_000_000 }
    }
}

/// What came out.
#[derive(Debug)]
pub struct Simulated {
    /// From then on.
    pub from: Timestamp,
    /// Until before then: now, or the first call that was left out.
    pub to: Timestamp,
    /// Whether all of the time was looked at.
    pub complete: bool,
    /// What the draft refuses.
    pub outcome: Outcome,
    /// The organization.
    pub organization: OrganizationId,
    /// Names to show.
    pub names: Names,
}

/// What the scopes of rules are called.
#[derive(Debug, Default)]
pub struct Names {
    /// Workspaces.
    pub workspaces: HashMap<WorkspaceId, String>,
    /// Mail addresses of people.
    pub users: HashMap<UserId, String>,
    /// Keys.
    pub keys: HashMap<KeyId, String>,
}

/// Replays the past of the caller's organization under the draft. It changes nothing.
pub async fn run(
    control: &Control,
    context: &Context,
    asked: Asked,
    bounds: Bounds,
) -> Result<Simulated, ControlError> {
    let days = asked.days.unwrap_or(DEFAULT_DAYS);
    if !(1..=LONGEST_DAYS).contains(&days) {
        return Err(ControlError::field("days", "must be from 1 to 93"));
    }
    let organization = context.organization_id();
    let from = context.now.plus_seconds(i64::from(days).saturating_mul(SECONDS_PER_DAY).saturating_neg());
    let (draft, names) = Rules::load(control, context).await?.under(asked)?;
    let mut simulation = Simulation::new(&draft, from);
    let history = History::new(organization, draft.replay_from(from), context.now);
    let cut = replay(control, &mut simulation, history, bounds).await?;
    Ok(Simulated {
        from,
        to: cut.unwrap_or(context.now),
        complete: cut.is_none(),
        outcome: simulation.finish(),
        organization,
        names,
    })
}

/// Replays until the history or the bounds end; answers the time of the first call that was left out.
async fn replay(
    control: &Control,
    simulation: &mut Simulation<'_>,
    mut history: History,
    bounds: Bounds,
) -> Result<Option<Timestamp>, ControlError> {
    let end = control.clock.monotonic_micros().saturating_add(bounds.micros);
    let mut left = bounds.calls;
    loop {
        let page = history.next(&control.store).await?;
        let Some(first) = page.first() else { return Ok(None) };
        if control.clock.monotonic_micros() >= end {
            return Ok(Some(first.at));
        }
        if let Some(call) = page.get(left) {
            page.iter().take(left).for_each(|call| simulation.replay(call));
            return Ok(Some(call.at));
        }
        page.iter().for_each(|call| simulation.replay(call));
        left = left.saturating_sub(page.len());
    }
}

/// The rules as they are set now.
struct Rules {
    draft: Draft,
    names: Names,
    keys: HashMap<KeyId, ApiKey>,
}

impl Rules {
    async fn load(control: &Control, context: &Context) -> Result<Self, ControlError> {
        let (store, id) = (&control.store, context.organization_id());
        let organization = organizations::get(store, id).await?.ok_or(ControlError::NotFound)?;
        let workspaces = workspaces::list(store, id).await?;
        let users = users::list(store, id).await?;
        let catalogue = models::list(control).await?.models.into_iter().map(|entry| entry.model).collect();
        let keys = all_keys(control, context).await?;
        let names = Names {
            workspaces: workspaces.iter().map(|one| (one.id, one.name.clone())).collect(),
            users: users.iter().map(|one| (one.id, one.email.clone())).collect(),
            keys: keys.values().map(|one| (one.id, one.name.clone())).collect(),
        };
        let draft = Draft {
            organization: organization.limits,
            workspaces: workspaces.into_iter().map(|one| (one.id, one.limits)).collect(),
            users: users.into_iter().map(|one| (one.id, one.limits)).collect(),
            keys: keys.values().map(|one| (one.id, one.limits.clone())).collect(),
            roles: roles::list(store, id).await?,
            catalogue: Catalogue::new(catalogue),
        };
        Ok(Self { draft, names, keys })
    }

    /// The rules with the changes. Each is checked as if it were being set, from the organization down, so that a draft
    /// that passes can be set in that order.
    fn under(self, asked: Asked) -> Result<(Draft, Names), ControlError> {
        let Self { mut draft, names, keys } = self;
        let models = draft.catalogue.clone();
        if let Some(patch) = asked.organization {
            let touched = touched(&patch);
            limits::check_in(&models, &touched, &[], &|name| format!("organization.{name}"))?;
            draft.organization = patch.apply(draft.organization);
        }
        let parent = draft.organization.clone();
        lay(&models, "workspaces", asked.workspaces, &mut draft.workspaces, WorkspaceId::parse, |_| {
            vec![("organization", &parent)]
        })?;
        lay(&models, "users", asked.users, &mut draft.users, UserId::parse, |_| {
            vec![("organization", &parent)]
        })?;
        let (above, people) = (&draft.workspaces, &draft.users);
        let parents = |id: KeyId| {
            let key = keys.get(&id);
            let workspace = key.and_then(|key| above.get(&key.workspace_id)).map(|of| ("workspace", of));
            let owner = key.and_then(|key| match key.owner {
                Owner::User(id) => people.get(&id).map(|of| ("owner", of)),
                Owner::Workspace | Owner::ServiceAccount(_) => None,
            });
            [workspace, Some(("organization", &parent)), owner].into_iter().flatten().collect()
        };
        lay(&models, "keys", asked.keys, &mut draft.keys, KeyId::parse, parents)?;
        for (name, patch) in asked.roles {
            let role = draft.roles.iter_mut().find(|role| role.name == name);
            let role = role.ok_or_else(|| unknown("roles", "model role"))?;
            if let Some(entries) = &patch.allowed_models {
                models::check_entries_in(&models, entries, &format!("roles.{name}.allowed_models"))?;
            }
            let changed = patch.apply(role.clone());
            model_roles::check_values(&changed, &|field| format!("roles.{name}.{field}"))?;
            *role = changed;
        }
        Ok((draft, names))
    }
}

/// Lays changes over the limits of one kind of scope, after checking them.
fn lay<'p, T: Copy + Eq + Hash + ToString>(
    catalogue: &Catalogue,
    field: &str,
    patches: BTreeMap<String, LimitsPatch>,
    all: &mut HashMap<T, Limits>,
    parse: fn(&str) -> Option<T>,
    parents: impl Fn(T) -> Vec<(&'p str, &'p Limits)>,
) -> Result<(), ControlError> {
    for (text, patch) in patches {
        let id = parse(&text);
        let found = id.and_then(|id| Some((id, all.get_mut(&id)?)));
        let (id, limits) = found.ok_or_else(|| unknown(field, field.trim_end_matches('s')))?;
        let path = format!("{field}.{}", id.to_string());
        limits::check_in(catalogue, &touched(&patch), &parents(id), &|name| format!("{path}.{name}"))?;
        *limits = patch.apply(std::mem::take(limits));
    }
    Ok(())
}

/// The limits that a change sets, without those that stay.
fn touched(patch: &LimitsPatch) -> Limits {
    patch.clone().apply(Limits::default())
}

fn unknown(field: &str, noun: &str) -> ControlError {
    ControlError::field(field, format!("names no {noun} of this organization"))
}

/// The keys that are not revoked.
async fn all_keys(control: &Control, context: &Context) -> Result<HashMap<KeyId, ApiKey>, ControlError> {
    let mut all = HashMap::new();
    let mut after = None;
    loop {
        let filter = Filter { after, ..Filter::default() };
        let organization = context.organization_id();
        let page = keys::list(&control.store, organization, filter, KEYS_PER_PAGE, context.now).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.id);
        all.extend(page.into_iter().map(|key| (key.id, key)));
    }
}
