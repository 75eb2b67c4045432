//! A person's second factor: begun, proved by a first code, shown as on or off, and taken away.

use super::sessions::own;
use super::sign_in::recovery_print;
use super::{Deed, commit};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Permit, decide};
use louver_domain::id::UserId;
use louver_domain::one_time_codes::{address, matching_step, mint, mint_recovery};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::seal::Place;
use louver_store::second_factors::{self as store, SecondFactor};
use serde_json::json;

/// What a device needs to make codes; shown while it is being set up.
pub struct Begun {
    /// For typing in.
    pub secret: Secret<String>,
    /// For devices that read addresses.
    pub address: Secret<String>,
}

/// How a person's second factor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Since when it counts.
    pub since: Timestamp,
    /// How many codes for the day the device is lost are left.
    pub recovery_left: usize,
}

/// How the second factor of whoever asks stands; none where they have none.
pub async fn standing(control: &Control, context: &Context) -> Result<Option<Standing>, ControlError> {
    let (user, _) = asker(context)?;
    let found = store::get(&control.store, context.organization_id(), user).await?;
    Ok(found.and_then(|factor| {
        factor.confirmed_at.map(|since| Standing { since, recovery_left: factor.recovery.len() })
    }))
}

/// Begins a second factor; it counts once a first code of it was given. One that counts must be taken away first.
pub async fn begin(control: &Control, context: &Context) -> Result<Begun, ControlError> {
    let (user, permit) = asker(context)?;
    let organization = context.organization_id();
    let mut tx = control.begin(context).await?;
    let before = store::load(&mut tx, organization, user).await?;
    if before.is_some_and(|before| before.confirmed_at.is_some()) {
        return Err(ControlError::Conflict("there is a second factor already: take it away first".into()));
    }
    let secret = mint(&*control.entropy);
    let place = Place::second_factor(user, organization);
    let factor = SecondFactor {
        user_id: user,
        sealed_secret: control.master.seal(&place, &secret, &*control.entropy)?,
        confirmed_at: None,
        last_step: 0,
        recovery: vec![],
    };
    store::save(&mut tx, &permit, &factor).await?;
    let deed = Deed::on(permit, user, context.actor.name()).to(&json!({"second_factor": "begun"}))?;
    commit(control, context, tx, deed).await?;
    Ok(Begun { address: address(&secret, context.actor.name()), secret })
}

/// What was begun, shown again when the first code was wrong.
pub async fn begun(control: &Control, context: &Context) -> Result<Option<Begun>, ControlError> {
    let (user, _) = asker(context)?;
    context.must_be_confirmed([Action::UpdateSecondFactor].into_iter())?;
    let organization = context.organization_id();
    let found = store::get(&control.store, organization, user).await?;
    let Some(factor) = found.filter(|factor| factor.confirmed_at.is_none()) else { return Ok(None) };
    let secret = control.master.open(&Place::second_factor(user, organization), &factor.sealed_secret)?;
    Ok(Some(Begun { address: address(&secret, context.actor.name()), secret }))
}

/// Proves by a first code that the device has it: from now on it counts. Answers the codes for the day the device is lost,
/// which are shown once.
pub async fn prove(
    control: &Control,
    context: &Context,
    code: &str,
) -> Result<Vec<Secret<String>>, ControlError> {
    let (user, permit) = asker(context)?;
    let organization = context.organization_id();
    let mut tx = control.begin(context).await?;
    let found = store::load(&mut tx, organization, user).await?;
    let factor = found.filter(|factor| factor.confirmed_at.is_none()).ok_or(ControlError::NotFound)?;
    let secret = control.master.open(&Place::second_factor(user, organization), &factor.sealed_secret)?;
    let now = control.clock.now();
    let wrong = || ControlError::field("code", "is not the code that the device shows now");
    let last_step = matching_step(&secret, code.trim(), now, factor.last_step).ok_or_else(wrong)?;
    let codes = mint_recovery(&*control.entropy);
    let recovery = codes.iter().map(|code| recovery_print(control, code.expose())).collect();
    let factor = SecondFactor { confirmed_at: Some(now), last_step, recovery, ..factor };
    store::save(&mut tx, &permit, &factor).await?;
    let deed = Deed::on(permit, user, context.actor.name()).to(&json!({"second_factor": "on"}))?;
    commit(control, context, tx, deed).await?;
    Ok(codes)
}

/// Takes the second factor of whoever asks away.
pub async fn remove(control: &Control, context: &Context) -> Result<(), ControlError> {
    let (user, permit) = asker(context)?;
    let mut tx = control.begin(context).await?;
    let found = store::load(&mut tx, context.organization_id(), user).await?;
    found.ok_or(ControlError::NotFound)?;
    store::delete(&mut tx, &permit, user).await?;
    let deed = Deed::on(permit, user, context.actor.name()).to(&json!({"second_factor": "off"}))?;
    commit(control, context, tx, deed).await
}

fn asker(context: &Context) -> Result<(UserId, Permit), ControlError> {
    let user = context.actor.user_id().ok_or(ControlError::Unauthorized)?;
    Ok((user, decide(&context.actor, Action::UpdateSecondFactor, own(context, user))?))
}
