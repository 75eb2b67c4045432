//! Rotation policies: seen, and set on organization, workspace and key.

use super::{Deed, commit, keys, rotations};
use crate::Control;
use crate::api::rotation_policies::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Resource, decide};
use louver_domain::id::WorkspaceId;
use louver_domain::keys::ApiKey;
use louver_domain::rotation_policies::{Policy, PolicyScope};
use louver_store::rotation_policies::{self as store, SetPolicy};
use louver_store::upstreams::Upstream;
use louver_store::{Tx, keys as api_keys, workspaces};

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
