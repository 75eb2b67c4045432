//! What is done for the audit log round by round: summaries, checkpoints, sinks, cuts.

use crate::Control;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, decide};
use louver_domain::audit::chain::{Finding, Hash};
use louver_domain::audit::checkpoint::{Checkpoint, Signed, SigningKey, Word};
use louver_domain::audit::{AuditEvent, Outcome};
use louver_domain::id::{EventId, OrganizationId};
use louver_domain::time::Timestamp;
use louver_store::audit::checkpoints::{self, Head, examine};
use louver_store::audit::cuts;
use serde_json::json;
use std::collections::HashMap;

/// The longest that records go unsigned, and the most of them.
const CHECKPOINT_SECONDS: i64 = 60;
const CHECKPOINT_ROWS: u64 = 1000;
/// How often is looked for what is too old.
const CUT_SECONDS: i64 = 3600;
/// Records that one cut takes, unless checkpoints lie further apart; and cuts of one round.
const CUT_ROWS: u64 = 50_000;
const CUTS: u32 = 20;
const DAY: i64 = 86_400;

/// What was done in the rounds before.
#[derive(Default)]
pub struct Keeper {
    known: HashMap<OrganizationId, Known>,
    next_cut: Option<Timestamp>,
}

/// What is known of one chain's checkpoints.
#[derive(Clone, Copy, Default)]
struct Known {
    newest: Option<Signed>,
    /// When was last looked.
    looked: Option<Timestamp>,
}

impl Keeper {
    /// Does what is due; with `all`, what would be due later too.
    pub async fn round(&mut self, control: &Control, all: bool) -> Result<(), ControlError> {
        let now = control.clock.now();
        control.audit.attempts.summarize(control, now, all).await?;
        let key = control.master.audit_key()?;
        for head in checkpoints::heads(&control.store).await? {
            self.seal(control, &key, head, now, all).await?;
        }
        let newest: Vec<Signed> = self.known.values().filter_map(|known| known.newest).collect();
        control.audit.sinks.tell(&newest, &key.public(), now).await;
        if self.next_cut.is_none_or(|next| next <= now) {
            self.next_cut = Some(now.plus_seconds(CUT_SECONDS));
            self.cut_all(control, &key, now).await?;
        }
        Ok(())
    }

    /// Signs the end of a chain when that is due, if everything since the last signature follows from it.
    async fn seal(
        &mut self,
        control: &Control,
        key: &SigningKey,
        head: Head,
        now: Timestamp,
        all: bool,
    ) -> Result<(), ControlError> {
        let known = self.known.entry(head.organization_id).or_default();
        let signed = known.newest.map_or(0, |newest| newest.checkpoint.place);
        let new = head.place.saturating_sub(signed);
        let waited = known.looked.is_none_or(|looked| looked.plus_seconds(CHECKPOINT_SECONDS) <= now);
        if !(waited || new >= CHECKPOINT_ROWS || (all && new > 0)) {
            return Ok(());
        }
        known.looked = Some(now);
        known.newest = checkpoints::newest(&control.store, head.organization_id).await?;
        let accepted = known.newest.filter(|newest| key.public().accepts(Word::Checkpoint, newest));
        if accepted.is_none() && known.newest.is_some() {
            tracing::error!(organization = %head.organization_id, "a checkpoint of the audit log is not signed by us");
        }
        let after = match accepted {
            Some(newest) => (newest.checkpoint.place, newest.checkpoint.hash),
            None => beginning(control, key, head.organization_id).await?,
        };
        if head.place <= after.0 {
            return Ok(());
        }
        let findings = examine(&control.store, head.organization_id, after, (head.place, head.hash)).await?;
        if !findings.is_empty() {
            complain(head.organization_id, &findings);
            return Ok(());
        }
        let Head { organization_id, place, hash } = head;
        let signed = key.sign(Word::Checkpoint, Checkpoint { organization_id, place, hash, at: now });
        checkpoints::save(&control.store, &signed).await?;
        known.newest = Some(signed);
        Ok(())
    }

    async fn cut_all(&self, control: &Control, key: &SigningKey, now: Timestamp) -> Result<(), ControlError> {
        let Some(days) = control.audit.retention_days else { return Ok(()) };
        let older_than = now.plus_seconds(i64::from(days).saturating_mul(DAY).saturating_neg());
        for organization in self.known.keys() {
            for _ in 0..CUTS {
                if !cut(control, key, *organization, older_than, now).await? {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Signs the end of an organization's chain now, unless it does not follow from what was signed before.
pub(crate) async fn checkpoint_now(
    control: &Control,
    organization: OrganizationId,
) -> Result<(Head, Option<Signed>), ControlError> {
    let heads = checkpoints::heads(&control.store).await?;
    let head = heads.into_iter().find(|head| head.organization_id == organization);
    let head = head.ok_or(ControlError::NotFound)?;
    let mut keeper = Keeper::default();
    keeper.seal(control, &control.master.audit_key()?, head, control.clock.now(), true).await?;
    let newest = keeper.known.get(&organization).and_then(|known| known.newest);
    Ok((head, newest.filter(|newest| newest.checkpoint.place >= head.place)))
}

/// Where a chain begins.
async fn beginning(
    control: &Control,
    key: &SigningKey,
    organization: OrganizationId,
) -> Result<(u64, Hash), ControlError> {
    let cut = cuts::newest(&control.store, organization).await?;
    let cut = cut.filter(|cut| key.public().accepts(Word::Cut, cut));
    Ok(cut.map_or((0, Hash::START), |cut| (cut.checkpoint.place, cut.checkpoint.hash)))
}

fn complain(organization: OrganizationId, findings: &[Finding]) {
    for finding in findings.iter().take(10) {
        let (place, fault) = (finding.place, finding.fault.as_str());
        tracing::error!(%organization, place, fault, "the audit log was tampered with: run `louver audit verify`");
    }
}

/// Cuts once, if there is something to cut. What was tampered with stays, as it is evidence.
async fn cut(
    control: &Control,
    key: &SigningKey,
    organization_id: OrganizationId,
    older_than: Timestamp,
    now: Timestamp,
) -> Result<bool, ControlError> {
    let store = &control.store;
    let start = beginning(control, key, organization_id).await?;
    let due = cuts::due(store, organization_id, start.0, older_than, CUT_ROWS).await?;
    let Some(due) = due.filter(|due| key.public().accepts(Word::Checkpoint, due)) else { return Ok(false) };
    let Checkpoint { place, hash, .. } = due.checkpoint;
    let findings = examine(store, organization_id, start, (place, hash)).await?;
    if !findings.is_empty() {
        complain(organization_id, &findings);
        return Ok(false);
    }
    let actor = Actor::system(organization_id);
    let event = AuditEvent {
        id: EventId::new(now, &*control.entropy),
        at: now,
        permit: decide(&actor, Action::CutAuditLog, organization_id)?,
        actor,
        outcome: Outcome::Done,
        workspace_id: None,
        target_id: place.to_string(),
        target_name: String::from("audit log"),
        before: None,
        after: Some(json!({"place": place, "hash": hash.to_string(), "older_than": older_than}).to_string()),
        request_id: None,
        address: None,
    };
    let signed = key.sign(Word::Cut, Checkpoint { at: now, ..due.checkpoint });
    Ok(cuts::cut(store, start, &signed, &event).await?)
}
