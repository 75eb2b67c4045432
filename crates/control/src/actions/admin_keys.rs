//! Admin keys: made with a secret that is shown once, listed, revoked. Only the program itself does that.

use super::{Deed, commit, names};
use crate::Control;
use crate::api::admin_keys::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::id::AdminKeyId;
use louver_domain::keys::{AdminHolder, AdminKey, KeyKind, KeyStatus, MintedKey, mint};
use louver_domain::time::Timestamp;
use louver_store::{Tx, admin_keys as store};

/// The admin keys of the organization, in the order they were made.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<AdminKey>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// Makes an admin key.
pub async fn create(
    control: &Control,
    context: &Context,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(AdminKey, MintedKey), ControlError> {
    if expires_at.is_some_and(|end| end <= context.now) {
        return Err(ControlError::field("expires_at", "must be in the future"));
    }
    let mut tx = control.begin().await?;
    let (key, minted, deed) = add(control, context, &mut tx, name, expires_at).await?;
    commit(control, context, tx, deed).await?;
    Ok((key, minted))
}

/// Makes an admin key within a larger deed.
pub(crate) async fn add(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(AdminKey, MintedKey, Deed), ControlError> {
    let permit = decide(&context.actor, Action::CreateAdminKey, context.organization_id())?;
    names::check("name", name)?;
    let minted = mint(KeyKind::Admin, &*control.entropy);
    let key = AdminKey {
        id: AdminKeyId::new(context.now, &*control.entropy),
        organization_id: context.organization_id(),
        holder: AdminHolder::Organization,
        name: name.to_owned(),
        public_id: minted.public_id,
        fingerprint: control.pepper.fingerprint(minted.secret.expose()),
        last_four: minted.last_four.clone(),
        created_at: context.now,
        expires_at,
        status: KeyStatus::Active,
    };
    store::insert(tx, &permit, &key).await?;
    let deed = Deed::on(permit, key.id, &key.name).to(&Shown::of(&key))?;
    Ok((key, minted, deed))
}

/// Revokes an admin key for good. What is revoked already stays so.
pub async fn revoke(control: &Control, context: &Context, id: AdminKeyId) -> Result<AdminKey, ControlError> {
    let mut tx = control.begin().await?;
    let before = store::load(&mut tx, context.organization_id(), id).await?.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::RevokeAdminKey, before.organization_id)?;
    if before.status == KeyStatus::Revoked {
        return Ok(before);
    }
    let key = AdminKey { status: KeyStatus::Revoked, ..before.clone() };
    store::save_status(&mut tx, &permit, &key).await?;
    let deed = Deed::on(permit, key.id, &key.name).from(&Shown::of(&before))?.to(&Shown::of(&key))?;
    commit(control, context, tx, deed).await?;
    Ok(key)
}
