//! Sends the mails of invitations: claims what is due, tries it, and writes down what became of it.

use super::mail::Letter;
use super::{Control, Failure};
use crate::actions::invitations::address;
use louver_domain::deliveries::{DeliveryState, Outcome, after};
use louver_store::invitations::{self as store, StoredInvitation};
use louver_store::{StoreError, organizations};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Starts up to `free` attempts; answers how many.
pub(super) async fn start_due(
    control: &Arc<Control>,
    running: &mut JoinSet<()>,
    free: usize,
) -> Result<usize, StoreError> {
    // A node that starts does not know yet where it is reached, when it has to find that out.
    let outbound = &control.outbound;
    if free == 0 || outbound.mailer.is_none() || outbound.public_url.get().is_none() {
        return Ok(0);
    }
    let claimed = store::claim(&control.store, control.clock.now(), free).await?;
    let started = claimed.len();
    for claimed in claimed {
        let control = Arc::clone(control);
        running.spawn(async move { attempt(&control, &claimed).await });
    }
    Ok(started)
}

async fn attempt(control: &Control, claimed: &StoredInvitation) {
    let sent = tokio::time::timeout(control.outbound.attempt, send(control, claimed)).await;
    let failure = sent.unwrap_or(Err(Failure::Mail)).err();
    let outcome = failure.map_or(Outcome::Taken, Failure::outcome);
    let mut jitter = [0];
    control.entropy.fill(&mut jitter);
    let [jitter] = jitter;
    let invitation = &claimed.invitation;
    let attempts = claimed.mail.as_ref().map_or(1, |mail| mail.attempts);
    let next = after(attempts, invitation.created_at, outcome, control.clock.now(), jitter);
    let id = invitation.id;
    if next.state == DeliveryState::Failed {
        tracing::warn!(invitation = %id, attempts, ?failure, "the mail of an invitation was given up");
    }
    let sentence = failure.map(Failure::sentence);
    if let Err(error) = store::finish(&control.store, claimed, next, sentence.as_deref()).await {
        tracing::error!(invitation = %id, %error, "an invitation may be mailed again: that it was is not written down");
    }
}

async fn send(control: &Control, claimed: &StoredInvitation) -> Result<(), Failure> {
    let invitation = &claimed.invitation;
    let mailer = control.outbound.mailer.as_ref().ok_or(Failure::NoMailServer)?;
    let organization = organizations::get(&control.store, invitation.organization_id).await;
    let organization = organization.ok().flatten().ok_or(Failure::Unreadable)?;
    let link = address(control, claimed).map_err(|_| Failure::Unreadable)?;
    let letter = Letter {
        id: &format!("{}.{}", invitation.id.prefixed(), invitation.created_at.micros()),
        to: &invitation.email,
        organization: &organization.name,
        link: link.expose(),
        expires_at: invitation.expires_at,
    };
    mailer.send_letter(&letter, control.clock.now()).await
}
