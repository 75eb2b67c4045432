//! The files that upstream writes for a batch become the workspace's own the first time they are seen.

use super::Trouble;
use super::known::Known;
use crate::asker::{Answer, Asker, Silence};
use crate::objects::{FileKnown, scrub_for};
use crate::pipeline::Gateway;
use crate::reply::Failure;
use crate::upstream::Pool;
use louver_domain::id::ObjectId;
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_mistral::endpoints::is_path_id;
use louver_store::StoreError;
use louver_store::objects::{self, Object, Shelf};
use std::sync::Arc;

/// Writes down the files that a job names, before a client learns of them.
pub(crate) async fn own_files(
    gateway: &Arc<Gateway>,
    pool: &Pool,
    job: &Object,
    known: &Known,
) -> Result<(), Failure> {
    let organization = job.owner.organization_id;
    let asker = Asker { gateway, pool, organization, credential: job.credential_id };
    own(&asker, job, known).await.map_err(|trouble| match trouble {
        Trouble::Store(error) => Failure::store(error),
        Trouble::Upstream(Silence::NoCredential) => Failure::NoCredential,
        Trouble::Upstream(_) => Failure::UpstreamBroken,
    })
}

/// Writes down the files that a job names and that are not known yet.
pub(super) async fn own(asker: &Asker<'_>, job: &Object, known: &Known) -> Result<(), Trouble> {
    for (place, member) in (1_u128..).zip(["output_file", "error_file"]) {
        if let Some(id) = known.file(member).filter(|id| is_path_id(id)) {
            own_file(asker, job, id, place).await?;
        }
    }
    Ok(())
}

async fn own_file(asker: &Asker<'_>, job: &Object, id: &str, place: u128) -> Result<(), Trouble> {
    let store = asker.gateway.store();
    let owner = job.owner;
    let shelf = Shelf {
        organization_id: owner.organization_id,
        workspace_id: owner.workspace_id,
        kind: ObjectKind::File,
        parent: "",
    };
    if objects::find(store, shelf, id).await?.is_some() {
        return Ok(());
    }
    // One that is not there yet is seen again with the job.
    let Answer::There(mut shown) = asker.json(format!("/v1/files/{id}")).await? else { return Ok(()) };
    scrub_for(&mut shown, (owner.organization_id, owner.workspace_id));
    let now = asker.gateway.clock().now();
    let number = u128::from_be_bytes(job.id.bytes()).wrapping_add(place);
    let file = Object {
        id: ObjectId::from_bytes(number.to_be_bytes()),
        kind: ObjectKind::File,
        upstream_id: Some(id.to_owned()),
        parent: String::new(),
        state: ObjectState::Live,
        attributes: serde_json::to_string(&FileKnown { shown, ..FileKnown::default() }).unwrap_or_default(),
        tokens: 0,
        created_at: now,
        changed_at: now,
        ..job.clone()
    };
    match objects::intend(store, &file).await {
        // Somebody else saw it at the same time, or it was deleted here.
        Ok(()) | Err(StoreError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
