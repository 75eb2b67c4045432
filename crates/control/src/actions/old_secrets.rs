//! Secrets of keys: a key gets a new one and keeps its id, and the old one works on for a while; which of them work now.

use super::{Deed, commit, keys, rotation_policies, rotations};
use crate::Control;
use crate::api::admin_keys::Shown as ShownAdminKey;
use crate::api::keys::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Rights, decide, may_grant};
use louver_domain::id::{AdminKeyId, KeyId};
use louver_domain::keys::{AdminHolder, AdminKey, ApiKey, KeyKind, KeyStatus, MintedKey, mint};
use louver_domain::old_secrets::{DEFAULT_OVERLAP_SECONDS, Fate, MOST, read_overlap};
use louver_domain::rotations::Subject;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
pub use louver_store::old_secrets::Secrets;
use louver_store::old_secrets::{self as store, Fresh, Of};
use louver_store::{Tx, admin_keys, grants, keys as api_keys};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a key is rotated.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "KeyRotation")]
#[schemars(extend("examples" = [{"overlap": "24h"}, {"overlap": "0s"}]))]
#[serde(deny_unknown_fields)]
pub struct HowToRotate {
    /// How long the old secret works beside the new one: a whole number and `s`, `m`, `h` or `d`, at most 30 days. `0s`
    /// ends it at once. Absent is what the rotation policy says, and where none does, 24 hours.
    pub overlap: Option<String>,
}

/// A key with its new secret: the only time that it is seen.
pub struct Rotated<K> {
    /// The key.
    pub key: K,
    /// Its new secret.
    pub secret: Secret<String>,
    /// From when on the old one is refused.
    pub old_key_expires_at: Timestamp,
}

/// A key as the audit log has it after its rotation.
#[derive(Serialize)]
struct After<T> {
    #[serde(flatten)]
    shown: T,
    old_key_expires_at: Option<Timestamp>,
}

/// Gives an API key a new secret. All that it had before end with the overlap, or before that.
pub async fn rotate(
    control: &Control,
    context: &Context,
    id: KeyId,
    how: &HowToRotate,
) -> Result<Rotated<ApiKey>, ControlError> {
    let overlap = overlap(how)?;
    let mut tx = control.begin(context).await?;
    let found = api_keys::load(&mut tx, context.organization_id(), id).await?;
    let before = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::RotateApiKey, keys::resource(&before))?;
    must_live(before.status, before.expires_at, context.now)?;
    let now = tx.now().await?;
    let usual = rotation_policies::of_key(&mut tx, &before).await?.overlap_seconds();
    let fate = Fate::after(now, overlap.unwrap_or(usual));
    rotations::give_way(&mut tx, context, Subject::ApiKey(id), fate == Fate::Retired).await?;
    must_have_room(&mut tx, context, Of::Api(id), fate).await?;
    let minted = mint(KeyKind::Api, &*control.entropy);
    let fresh = fresh(control, &minted);
    store::replace(&mut tx, &permit, Of::Api(id), &fresh, fate, now).await?;
    let key = ApiKey {
        public_id: fresh.public_id,
        fingerprint: fresh.fingerprint,
        last_four: fresh.last_four,
        ..before.clone()
    };
    let end = fate.deadline(now).unwrap_or(now);
    let deed = Deed::on(permit, key.id, &key.name).inside(key.workspace_id);
    let after = After { shown: Shown::of(&key, context.now), old_key_expires_at: Some(end) };
    commit(control, context, tx, deed.from(&Shown::of(&before, context.now))?.to(&after)?).await?;
    Ok(Rotated { key, secret: minted.secret, old_key_expires_at: end })
}

/// Gives an admin key a new secret. Whoever does so gets a secret with the rights of the key's holder, and so must have
/// them.
pub async fn rotate_admin(
    control: &Control,
    context: &Context,
    id: AdminKeyId,
    how: &HowToRotate,
) -> Result<Rotated<AdminKey>, ControlError> {
    let overlap = overlap(how)?;
    let mut tx = control.begin(context).await?;
    let found = admin_keys::load(&mut tx, context.organization_id(), id).await?;
    let before = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::RotateAdminKey, before.organization_id)?;
    must_hold_what_it_gives(&mut tx, &context.actor, &before).await?;
    must_live(before.status, before.expires_at, context.now)?;
    let now = tx.now().await?;
    let fate = Fate::after(now, overlap.unwrap_or(DEFAULT_OVERLAP_SECONDS));
    rotations::give_way(&mut tx, context, Subject::AdminKey(id), fate == Fate::Retired).await?;
    must_have_room(&mut tx, context, Of::Admin(id), fate).await?;
    let minted = mint(KeyKind::Admin, &*control.entropy);
    let fresh = fresh(control, &minted);
    store::replace(&mut tx, &permit, Of::Admin(id), &fresh, fate, now).await?;
    let key = AdminKey {
        public_id: fresh.public_id,
        fingerprint: fresh.fingerprint,
        last_four: fresh.last_four,
        ..before.clone()
    };
    let end = fate.deadline(now).unwrap_or(now);
    let after = After { shown: ShownAdminKey::of(&key), old_key_expires_at: Some(end) };
    let deed = Deed::on(permit, key.id, &key.name).from(&ShownAdminKey::of(&before))?.to(&after)?;
    commit(control, context, tx, deed).await?;
    Ok(Rotated { key, secret: minted.secret, old_key_expires_at: end })
}

/// The secrets of an API key that are accepted now; of a key that is refused, none.
pub async fn of_key(
    control: &Control,
    context: &Context,
    id: KeyId,
) -> Result<Option<Secrets>, ControlError> {
    let key = keys::get(control, context, id).await?;
    if !key.is_accepted(context.now) {
        return Ok(None);
    }
    Ok(working(store::list(&control.store, key.organization_id, Of::Api(id)).await?, context.now))
}

/// The same of an admin key.
pub async fn of_admin_key(
    control: &Control,
    context: &Context,
    key: &AdminKey,
) -> Result<Option<Secrets>, ControlError> {
    decide(&context.actor, Action::ReadAdminKeys, key.organization_id)?;
    if !key.is_accepted(context.now) {
        return Ok(None);
    }
    Ok(working(store::list(&control.store, key.organization_id, Of::Admin(key.id)).await?, context.now))
}

fn working(found: Option<Secrets>, now: Timestamp) -> Option<Secrets> {
    let mut secrets = found?;
    secrets.old.retain(|old| old.is_accepted(now));
    Some(secrets)
}

/// The overlap that was asked for, in seconds.
pub(crate) fn overlap(how: &HowToRotate) -> Result<Option<i64>, ControlError> {
    let sentence = "expected a whole number and s, m, h or d, such as 24h; at most 30 days";
    let bad = || ControlError::field("overlap", sentence);
    how.overlap.as_deref().map(|text| read_overlap(text).ok_or_else(bad)).transpose()
}

pub(crate) fn must_live(
    status: KeyStatus,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), ControlError> {
    let sentence = match status {
        KeyStatus::Revoked => "a revoked key cannot be rotated: make a new key",
        KeyStatus::Active | KeyStatus::Disabled if expires_at.is_some_and(|end| end <= now) => {
            "an expired key cannot be rotated: make a new key"
        }
        KeyStatus::Active | KeyStatus::Disabled => return Ok(()),
    };
    Err(ControlError::Conflict(sentence.into()))
}

/// Each old secret that works is one more to keep safe, and one more that every node keeps in memory.
async fn must_have_room(tx: &mut Tx, context: &Context, of: Of, fate: Fate) -> Result<(), ControlError> {
    if fate == Fate::Retired {
        return Ok(());
    }
    let secrets = store::load(tx, context.organization_id(), of).await?;
    if secrets.is_none_or(|secrets| secrets.old.len() < MOST) {
        return Ok(());
    }
    let sentence = format!(
        "{MOST} old secrets of this key still work: wait until one of them ends, or rotate with the overlap 0s"
    );
    Err(ControlError::Conflict(sentence))
}

fn fresh(control: &Control, minted: &MintedKey) -> Fresh {
    Fresh {
        public_id: minted.public_id,
        fingerprint: control.pepper.fingerprint(minted.secret.expose()),
        last_four: minted.last_four.clone(),
    }
}

/// Refuses whoever would get rights with an admin key's new secret that they do not hold.
pub(crate) async fn must_hold_what_it_gives(
    tx: &mut Tx,
    actor: &Actor,
    key: &AdminKey,
) -> Result<(), ControlError> {
    let organization = key.organization_id;
    let rights = match key.holder {
        AdminHolder::Organization => Some(Rights::all()),
        AdminHolder::User(id) => grants::load_rights_of(tx, organization, id).await?.map(|found| found.1),
        AdminHolder::ServiceAccount(id) => {
            grants::load_rights_of_account(tx, organization, id).await?.map(|found| found.1)
        }
    };
    let sentence = "the holder of the key is gone: revoke it";
    let rights = rights.ok_or_else(|| ControlError::Conflict(sentence.into()))?;
    may_grant(actor, None, rights.held(None), None)?;
    for workspace in rights.workspaces() {
        may_grant(actor, None, rights.held(Some(workspace)), Some(workspace))?;
    }
    Ok(())
}
