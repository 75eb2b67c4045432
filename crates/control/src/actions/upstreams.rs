//! Upstream credentials: stored sealed, changed, removed, never shown.

use super::{Deed, commit, names};
use crate::Control;
use crate::api::upstreams::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Permit, decide};
use louver_domain::health::Standing;
use louver_domain::id::{OrganizationId, UpstreamId, WorkspaceId};
use louver_domain::secret::Secret;
use louver_store::seal::Place;
use louver_store::upstreams as store;
pub use louver_store::upstreams::Upstream;
use louver_store::{Tx, workspaces};

/// An upstream credential to be stored.
pub struct NewUpstream {
    /// A name for people, new in the organization.
    pub name: String,
    /// The key.
    pub key: Secret<String>,
    /// The one workspace it serves; none serves those that have none of their own.
    pub workspace_id: Option<WorkspaceId>,
    /// The named upstream of the settings that it is for; none is the first one.
    pub server: Option<String>,
}

/// A partial change.
#[derive(Default)]
pub struct UpstreamPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new key.
    pub key: Option<Secret<String>>,
    /// Whether calls use it.
    pub enabled: Option<bool>,
}

/// The upstream credentials of the caller's organization, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<Upstream>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// The same, each with how it stands on this node.
pub async fn standing(
    control: &Control,
    context: &Context,
) -> Result<Vec<(Upstream, Option<Standing>)>, ControlError> {
    context.admit(Action::ReadUpstreams)?;
    let watch = control.upstreams.as_deref();
    let of = |upstream: Upstream| {
        let standing = watch.and_then(|watch| watch.of(upstream.id));
        (upstream, standing)
    };
    Ok(list(control, context).await?.into_iter().map(of).collect())
}

/// Stores an upstream credential.
pub async fn create(
    control: &Control,
    context: &Context,
    new: NewUpstream,
) -> Result<Upstream, ControlError> {
    let organization = context.organization_id();
    let permit = decide(&context.actor, Action::CreateUpstream, organization)?;
    let new = NewUpstream { name: names::read("name", &new.name)?, ..new };
    let mut tx = control.begin(context).await?;
    if let Some(workspace) = new.workspace_id {
        let found =
            workspaces::load(&mut tx, organization, workspace).await?.filter(|w| w.archived_at.is_none());
        found.ok_or_else(|| ControlError::field("workspace_id", "names no active workspace"))?;
    }
    if new.server.as_ref().is_some_and(|name| !control.servers.contains(name)) {
        return Err(ControlError::field("server", "names no upstream of the settings"));
    }
    let id = UpstreamId::new(context.now, &*control.entropy);
    let upstream = Upstream {
        id,
        organization_id: organization,
        workspace_id: new.workspace_id,
        name: new.name,
        sealed_key: seal(control, id, organization, &new.key)?,
        enabled: true,
        created_at: context.now,
        server: new.server,
    };
    store::insert(&mut tx, &permit, &upstream).await.map_err(taken)?;
    let deed = Deed::on(permit, upstream.id, &upstream.name).to(&Shown::of(&upstream))?;
    commit(control, context, tx, deed).await?;
    Ok(upstream)
}

/// Changes an upstream credential.
pub async fn update(
    control: &Control,
    context: &Context,
    id: UpstreamId,
    patch: UpstreamPatch,
) -> Result<Upstream, ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, mut upstream) = load(&mut tx, context, id, Action::UpdateUpstream).await?;
    let before = Shown::of(&upstream);
    if let Some(name) = patch.name {
        let name = names::read("name", &name)?;
        upstream.name = name;
    }
    if let Some(key) = &patch.key {
        upstream.sealed_key = seal(control, id, upstream.organization_id, key)?;
    }
    upstream.enabled = patch.enabled.unwrap_or(upstream.enabled);
    store::save(&mut tx, &permit, &upstream).await.map_err(taken)?;
    let deed = Deed::on(permit, upstream.id, &upstream.name).from(&before)?;
    let replaced: &[&str] = if patch.key.is_some() { &["key"] } else { &[] };
    let deed = deed.after_replacing(&Shown::of(&upstream), replaced)?;
    commit(control, context, tx, deed).await?;
    Ok(upstream)
}

/// Removes an upstream credential.
pub async fn delete(control: &Control, context: &Context, id: UpstreamId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, upstream) = load(&mut tx, context, id, Action::DeleteUpstream).await?;
    store::delete(&mut tx, &permit, id).await?;
    let deed = Deed::on(permit, upstream.id, &upstream.name).from(&Shown::of(&upstream))?;
    commit(control, context, tx, deed).await
}

async fn load(
    tx: &mut Tx,
    context: &Context,
    id: UpstreamId,
    action: Action,
) -> Result<(Permit, Upstream), ControlError> {
    let upstream = store::load(tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)?;
    Ok((decide(&context.actor, action, upstream.organization_id)?, upstream))
}

fn seal(
    control: &Control,
    id: UpstreamId,
    organization: OrganizationId,
    key: &Secret<String>,
) -> Result<Vec<u8>, ControlError> {
    let sound = (8..=512).contains(&key.expose().len()) && key.expose().bytes().all(|b| b.is_ascii_graphic());
    if !sound {
        return Err(ControlError::field("key", "must be 8 to 512 visible ASCII characters"));
    }
    Ok(control.master.seal(&Place::upstream(id, organization), key, &*control.entropy)?)
}

fn taken(error: louver_store::StoreError) -> ControlError {
    ControlError::or_taken(error, "an upstream credential of that name exists already")
}
