//! Upstream credentials: stored sealed, changed, removed, never shown.

use super::{Deed, commit, names};
use crate::Control;
use crate::api::upstreams::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Permit, decide};
use louver_domain::health::Standing;
use louver_domain::id::{OrganizationId, UpstreamId, WorkspaceId};
use louver_domain::rotations::{Step, Subject};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::seal::Place;
use louver_store::upstream_rotations::{self, UpstreamUse};
use louver_store::upstreams as store;
pub use louver_store::upstreams::Upstream;
use louver_store::{Tx, rotations, workspaces};
use uuid::Uuid;

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
    /// What it is rotated with.
    pub admin: NewAdmin,
}

/// What Louver rotates a key upstream with.
#[derive(Default)]
pub struct NewAdmin {
    /// An admin key of upstream.
    pub key: Option<Secret<String>>,
    /// The user of upstream that new keys are made for; none is whoever made the present one.
    pub user_id: Option<String>,
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
    /// A new admin key of upstream, or none any more.
    pub admin_key: Option<Option<Secret<String>>>,
    /// Another user of upstream that new keys are made for.
    pub admin_user_id: Option<Option<String>>,
}

/// When calls had the keys of an upstream credential last.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastUses {
    /// The present one.
    pub key: Option<Timestamp>,
    /// The latest of those before.
    pub old_key: Option<Timestamp>,
}

/// The upstream credentials of the caller's organization, by name.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<(Upstream, LastUses)>, ControlError> {
    let organization = context.organization_id();
    let uses = upstream_rotations::uses(&control.store, organization).await?;
    let last = |upstream: &Upstream| {
        let place = Place::upstream(upstream.id, organization);
        // What does not open with this master key is used by nobody here.
        let key = control.master.open(&place, &upstream.sealed_key).ok();
        let present = key.map(|key| control.pepper.fingerprint(key.expose()));
        let of_it = || uses.iter().filter(|one| one.upstream == upstream.id);
        let is_present = |one: &&UpstreamUse| present.as_ref() == Some(&one.fingerprint);
        LastUses {
            key: of_it().filter(is_present).map(|one| one.at).max(),
            old_key: of_it().filter(|one| !is_present(one)).map(|one| one.at).max(),
        }
    };
    let all = store::list(&control.store, organization).await?;
    Ok(all
        .into_iter()
        .map(|upstream| {
            let last = last(&upstream);
            (upstream, last)
        })
        .collect())
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
    Ok(store::list(&control.store, context.organization_id()).await?.into_iter().map(of).collect())
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
    let admin = new.admin.key.as_ref().map(|key| seal_admin(control, id, organization, key)).transpose()?;
    let upstream = Upstream {
        id,
        organization_id: organization,
        workspace_id: new.workspace_id,
        name: new.name,
        sealed_key: seal(control, id, organization, &new.key)?,
        enabled: true,
        created_at: context.now,
        server: new.server,
        sealed_admin_key: admin,
        admin_user_id: new.admin.user_id.as_deref().map(user_id).transpose()?,
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
        must_not_rotate(&mut tx, id, "its key is replaced").await?;
        upstream.sealed_key = seal(control, id, upstream.organization_id, key)?;
    }
    let organization = upstream.organization_id;
    if let Some(key) = &patch.admin_key {
        let sealed = key.as_ref().map(|key| seal_admin(control, id, organization, key)).transpose()?;
        upstream.sealed_admin_key = sealed;
    }
    if let Some(user) = &patch.admin_user_id {
        upstream.admin_user_id = user.as_deref().map(user_id).transpose()?;
    }
    upstream.enabled = patch.enabled.unwrap_or(upstream.enabled);
    store::save(&mut tx, &permit, &upstream).await.map_err(taken)?;
    let deed = Deed::on(permit, upstream.id, &upstream.name).from(&before)?;
    let replaced = [("key", patch.key.is_some()), ("admin_key", matches!(patch.admin_key, Some(Some(_))))];
    let replaced: Vec<&str> = replaced.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    let deed = deed.after_replacing(&Shown::of(&upstream), &replaced)?;
    commit(control, context, tx, deed).await?;
    Ok(upstream)
}

/// Removes an upstream credential.
pub async fn delete(control: &Control, context: &Context, id: UpstreamId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let (permit, upstream) = load(&mut tx, context, id, Action::DeleteUpstream).await?;
    must_not_rotate(&mut tx, id, "it is deleted").await?;
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

/// Refuses while a rotation of its key goes on that can be called off; a later one ends by itself, or is stuck.
async fn must_not_rotate(tx: &mut Tx, id: UpstreamId, before: &str) -> Result<(), ControlError> {
    let Some(live) = rotations::live(tx, Subject::Upstream(id)).await? else { return Ok(()) };
    match live.state.step {
        Step::Creating | Step::Writing | Step::Propagating | Step::Verifying | Step::Overlapping => {
            let sentence = format!(
                "the rotation {} of it goes on: cancel it, or wait for its end, before {before}",
                live.id
            );
            Err(ControlError::Conflict(sentence))
        }
        Step::Retiring | Step::Checking | Step::Undoing | Step::Settling | Step::Done | Step::Cancelled => {
            Ok(())
        }
    }
}

fn must_be_sound(field: &'static str, key: &Secret<String>) -> Result<(), ControlError> {
    let sound = (8..=512).contains(&key.expose().len()) && key.expose().bytes().all(|b| b.is_ascii_graphic());
    if sound { Ok(()) } else { Err(ControlError::field(field, "must be 8 to 512 visible ASCII characters")) }
}

fn seal(
    control: &Control,
    id: UpstreamId,
    organization: OrganizationId,
    key: &Secret<String>,
) -> Result<Vec<u8>, ControlError> {
    must_be_sound("key", key)?;
    Ok(control.master.seal(&Place::upstream(id, organization), key, &*control.entropy)?)
}

fn seal_admin(
    control: &Control,
    id: UpstreamId,
    organization: OrganizationId,
    key: &Secret<String>,
) -> Result<Vec<u8>, ControlError> {
    must_be_sound("admin_key", key)?;
    Ok(control.master.seal(&Place::upstream_admin(id, organization), key, &*control.entropy)?)
}

fn user_id(text: &str) -> Result<String, ControlError> {
    let id = Uuid::parse_str(text).map_err(|_| ControlError::field("admin_user_id", "must be a UUID"))?;
    Ok(id.to_string())
}

fn taken(error: louver_store::StoreError) -> ControlError {
    ControlError::or_taken(error, "an upstream credential of that name exists already")
}
