//! Admin keys: made with a secret that is shown once, listed, revoked. Only the program itself does that.

use super::{Deed, commit, names};
use crate::Control;
use crate::api::admin_keys::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, decide};
use louver_domain::id::AdminKeyId;
use louver_domain::keys::{AdminHolder, AdminKey, KeyKind, KeyStatus, MintedKey, mint};
use louver_domain::time::Timestamp;
use louver_domain::users::User;
use louver_store::{Tx, admin_keys as store, service_accounts, users};

/// The admin keys of the organization, in the order they were made.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<AdminKey>, ControlError> {
    Ok(store::list(&control.store, context.organization_id()).await?)
}

/// The same for whoever may read them.
pub async fn read(control: &Control, context: &Context) -> Result<Vec<AdminKey>, ControlError> {
    decide(&context.actor, Action::ReadAdminKeys, context.organization_id())?;
    list(control, context).await
}

/// Makes an admin key that is nobody's own.
pub async fn create(
    control: &Control,
    context: &Context,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(AdminKey, MintedKey), ControlError> {
    create_for(control, context, AdminHolder::Organization, name, expires_at).await
}

/// Makes an admin key that carries the rights of its holder, as they are at each request.
pub async fn create_for(
    control: &Control,
    context: &Context,
    holder: AdminHolder,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<(AdminKey, MintedKey), ControlError> {
    if expires_at.is_some_and(|end| end <= context.now) {
        return Err(ControlError::field("expires_at", "must be in the future"));
    }
    let mut tx = control.begin(context).await?;
    let organization = context.organization_id();
    let there = match holder {
        AdminHolder::Organization => true,
        AdminHolder::User(id) => users::load(&mut tx, organization, id).await?.is_some(),
        AdminHolder::ServiceAccount(id) => service_accounts::load(&mut tx, organization, id).await?.is_some(),
    };
    if !there {
        return Err(ControlError::NotHere("the holder of the key is not there".into()));
    }
    let (key, minted, deed) = add(control, context, &mut tx, (holder, name), expires_at).await?;
    commit(control, context, tx, deed).await?;
    Ok((key, minted))
}

/// Makes an admin key within a larger deed.
pub(crate) async fn add(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    (holder, name): (AdminHolder, &str),
    expires_at: Option<Timestamp>,
) -> Result<(AdminKey, MintedKey, Deed), ControlError> {
    let permit = decide(&context.actor, Action::CreateAdminKey, context.organization_id())?;
    let name = names::read("name", name)?;
    let minted = mint(KeyKind::Admin, &*control.entropy);
    let key = AdminKey {
        id: AdminKeyId::new(context.now, &*control.entropy),
        organization_id: context.organization_id(),
        holder,
        name,
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
    let mut tx = control.begin(context).await?;
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

/// Revokes the admin keys of a person who is leaving, within that deed: it needs no permission of its own.
pub(crate) async fn revoke_of(
    tx: &mut Tx,
    context: &Context,
    user: &User,
) -> Result<Vec<Deed>, ControlError> {
    let organization = context.organization_id();
    let permit = decide(&Actor::system(organization), Action::RevokeAdminKey, organization)?;
    let mut deeds = vec![];
    for before in store::load_of_user(tx, organization, user.id).await? {
        let key = AdminKey { status: KeyStatus::Revoked, ..before.clone() };
        store::save_status(tx, &permit, &key).await?;
        let deed = Deed::on(permit, key.id, &key.name);
        deeds.push(deed.from(&Shown::of(&before))?.to(&Shown::of(&key))?);
    }
    Ok(deeds)
}
