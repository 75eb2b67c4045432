//! Who is calling with an API key: what it may know of itself at `/v1/users/me`.

use crate::Control;
use crate::actor::presented;
use crate::context::RequestContext;
use crate::error::ControlError;
use axum::extract::FromRequestParts;
use http::request::Parts;
use louver_domain::admission::Refusal;
use louver_domain::keys::{ApiKey, Fingerprint, KeyKind, PublicId, read_public_id, same_fingerprint};
use louver_domain::workspaces::Workspace;
use louver_store::{keys, old_secrets, workspaces};
use std::net::IpAddr;
use std::sync::Arc;

/// An API key that is accepted, and where it lives.
#[derive(Clone, Debug)]
pub(crate) struct KeyHolder {
    pub(crate) key: ApiKey,
    pub(crate) workspace: Workspace,
}

impl FromRequestParts<Arc<Control>> for KeyHolder {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, ControlError> {
        let secret = presented(&parts.headers).ok_or(ControlError::Unauthorized)?;
        let key = authenticate(control, secret).await?;
        let found = workspaces::get(&control.store, key.organization_id, key.workspace_id).await?;
        let workspace = found.ok_or(ControlError::Unauthorized)?;
        let address = parts.extensions.get::<RequestContext>().map(|context| context.address);
        admit(&key, &workspace, address)?;
        Ok(Self { key, workspace })
    }
}

/// The key behind a secret; all failures look alike.
async fn authenticate(control: &Control, secret: &str) -> Result<ApiKey, ControlError> {
    let public_id = read_public_id(KeyKind::Api, secret).ok_or(ControlError::Unauthorized)?;
    let found = find(control, public_id).await?;
    let fingerprint = control.pepper.fingerprint(secret);
    // An unknown id is compared too, so that the time does not tell which ids exist.
    let stored = found.as_ref().map_or([0; 32], |(_, fingerprint)| *fingerprint);
    let same = same_fingerprint(&fingerprint, &stored);
    let accepted = found.filter(|(key, _)| same && key.is_accepted(control.clock.now()));
    accepted.map(|(key, _)| key).ok_or(ControlError::Unauthorized)
}

/// The key with a secret of that public id that is not retired, and what the secret is compared with.
async fn find(control: &Control, public_id: PublicId) -> Result<Option<(ApiKey, Fingerprint)>, ControlError> {
    if let Some(key) = keys::find(&control.store, public_id).await? {
        let fingerprint = key.fingerprint;
        return Ok(Some((key, fingerprint)));
    }
    let old = old_secrets::find(&control.store, public_id).await?;
    let Some((id, old)) = old.filter(|(_, old)| old.is_accepted(control.clock.now())) else {
        return Ok(None);
    };
    Ok(keys::find_by_id(&control.store, id).await?.map(|key| (key, old.fingerprint)))
}

/// The rules that hold for every call of a key, in the order and the words in which the gateway says them.
fn admit(key: &ApiKey, workspace: &Workspace, address: Option<IpAddr>) -> Result<(), ControlError> {
    let refuse = |refusal: Refusal| Err(ControlError::Forbidden(refusal.message()));
    if workspace.archived_at.is_some() {
        return refuse(Refusal::WorkspaceArchived);
    }
    let blocks = key.allowed_cidrs.as_deref();
    let inside = |blocks: &[_]| address.is_some_and(|address| holds(blocks, address));
    if !blocks.is_none_or(inside) {
        return refuse(Refusal::AddressNotAllowed);
    }
    Ok(())
}

fn holds(blocks: &[louver_domain::network::Cidr], address: IpAddr) -> bool {
    blocks.iter().any(|block| block.contains(address))
}
