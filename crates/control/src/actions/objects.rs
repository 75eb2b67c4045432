//! Objects that the provider keeps: whose each is, and which workspace one that nobody made here is given to.

use super::{Deed, commit};
use crate::Control;
use crate::api::objects::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::visible::visible;
use louver_domain::access::{Action, decide};
use louver_domain::id::{KeyId, ObjectId, UpstreamId, WorkspaceId};
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_store::objects::{self as store, Filter, Object, Owner};
use louver_store::{Tx, upstreams, workspaces};
use serde_json::json;

const LONGEST_ID: usize = 256;

/// An object that the provider keeps already.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// What it is.
    pub kind: ObjectKind,
    /// The provider's id.
    pub upstream_id: String,
    /// The workspace that it is given to.
    pub workspace_id: WorkspaceId,
    /// The credential that the provider knows it under; `None` is the one from the settings.
    pub credential_id: Option<UpstreamId>,
    /// What it is called.
    pub name: Option<String>,
}

/// The objects that the caller may see, newest first.
pub async fn list(
    control: &Control,
    context: &Context,
    filter: Filter,
    limit: u32,
) -> Result<Vec<Object>, ControlError> {
    let seen = visible(&context.actor, Action::ReadObjects, filter.workspace)?;
    let filter = Filter { workspace: seen.workspace, ..filter };
    Ok(store::list_all(&control.store, context.organization_id(), filter, limit).await?)
}

/// Gives an object that nobody owns to a workspace.
pub async fn adopt(control: &Control, context: &Context, new: Adoption) -> Result<Object, ControlError> {
    let organization = context.organization_id();
    let permit = decide(&context.actor, Action::AdoptObject, organization)?;
    check(&new)?;
    let mut tx = control.begin(context).await?;
    let server = places(&mut tx, context, &new).await?;
    let known = store::load_by_upstream_id(&mut tx, organization, new.kind, &new.upstream_id).await?;
    if known.as_ref().is_some_and(|object| object.state != ObjectState::Deleted) {
        return Err(ControlError::Conflict("it belongs to a workspace already: release it first".into()));
    }
    let object = Object {
        id: known.as_ref().map_or_else(|| ObjectId::new(context.now, &*control.entropy), |object| object.id),
        owner: Owner {
            organization_id: organization,
            workspace_id: new.workspace_id,
            // No key made it, and a file costs nothing to keep.
            key_id: KeyId::from_bytes([0; 16]),
            user_id: None,
        },
        kind: new.kind,
        upstream_id: Some(new.upstream_id.clone()),
        parent: String::new(),
        credential_id: new.credential_id,
        server,
        state: ObjectState::Live,
        attributes: known
            .as_ref()
            .map_or_else(|| attributes(context, &new), |object| object.attributes.clone()),
        tokens: 0,
        created_at: known.as_ref().map_or(context.now, |object| object.created_at),
        changed_at: context.now,
    };
    match known {
        Some(_) => store::adopt_again(&mut tx, &permit, &object).await?,
        None => store::adopt(&mut tx, &permit, &object).await?,
    }
    let deed = Deed::on(permit, object.id, &new.upstream_id).inside(new.workspace_id);
    commit(control, context, tx, deed.to(&Shown::of(&object))?).await?;
    Ok(object)
}

/// Takes an object from its workspace. The provider keeps it.
pub async fn release(control: &Control, context: &Context, id: ObjectId) -> Result<(), ControlError> {
    let mut tx = control.begin(context).await?;
    let object = store::load(&mut tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::ReleaseObject, object.owner.organization_id)?;
    if object.state != ObjectState::Live {
        return Err(ControlError::Conflict("only a live object can be released".into()));
    }
    // Others lead to it still: agents hand over, conversations and agents search libraries. Who is not known any more
    // could not be judged any more.
    if object.kind != ObjectKind::File {
        return Err(ControlError::Conflict("only files can be released: others may lead to this one".into()));
    }
    store::release(&mut tx, &permit, id, context.now).await?;
    let name = object.upstream_id.clone().unwrap_or_default();
    let deed = Deed::on(permit, id, &name).inside(object.owner.workspace_id).from(&Shown::of(&object))?;
    commit(control, context, tx, deed).await
}

/// Only files: of anything else more must be known than that it exists before a key may use it.
fn check(new: &Adoption) -> Result<(), ControlError> {
    let refuse = |sentence: &str| Err(ControlError::field("kind", sentence));
    match new.kind {
        ObjectKind::File => {}
        ObjectKind::Agent => {
            return refuse("the models and tools of an agent made elsewhere are not known: make it anew");
        }
        ObjectKind::Conversation => {
            return refuse("how long a conversation has grown elsewhere is not known");
        }
        ObjectKind::BatchJob => return refuse("what a batch that was sent elsewhere costs is not known"),
        ObjectKind::Library => {
            return refuse("whose the documents of a library are is not known: upload them anew");
        }
        ObjectKind::Document => return refuse("a document belongs to a library, which is adopted by nobody"),
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    let sound = (1..=LONGEST_ID).contains(&new.upstream_id.len()) && new.upstream_id.bytes().all(plain);
    // `.` and `..` would be steps of a path.
    if !sound || new.upstream_id.bytes().all(|b| b == b'.') {
        return Err(ControlError::field("upstream_id", "must be 1 to 256 of a-z, A-Z, 0-9 and - _ . :"));
    }
    if new
        .name
        .as_ref()
        .is_some_and(|name| name.chars().count() > LONGEST_ID || name.chars().any(char::is_control))
    {
        return Err(ControlError::field("name", "must be at most 256 characters, none of them a control"));
    }
    Ok(())
}

/// The workspace and the credential must be there and fit; answers the named upstream of the credential.
async fn places(tx: &mut Tx, context: &Context, new: &Adoption) -> Result<Option<String>, ControlError> {
    let organization = context.organization_id();
    let workspace = workspaces::load(tx, organization, new.workspace_id).await?;
    workspace
        .filter(|one| one.archived_at.is_none())
        .ok_or_else(|| ControlError::field("workspace_id", "names no active workspace"))?;
    let Some(id) = new.credential_id else { return Ok(None) };
    let credential = upstreams::load(tx, organization, id).await?;
    let credential = credential.filter(|one| one.workspace_id.is_none_or(|only| only == new.workspace_id));
    let sentence = "names no upstream credential that serves the workspace";
    Ok(credential.ok_or_else(|| ControlError::field("credential_id", sentence))?.server)
}

/// What lists show of it: its size and purpose are not known. As the gateway writes down files.
fn attributes(context: &Context, new: &Adoption) -> String {
    let name = new.name.clone().unwrap_or_else(|| new.upstream_id.clone());
    json!({"shown": {
        "id": new.upstream_id, "object": "file", "bytes": 0, "created_at": context.now.seconds(), "filename": name,
        "purpose": "ocr", "sample_type": "ocr_input", "source": "upload",
    }})
    .to_string()
}
