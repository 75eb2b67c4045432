//! Watches over the ends of keys: people are told before one, and what nobody uses is disabled.

use crate::Control;
use crate::actions::{Deed, commit};
use crate::alerting;
use crate::api::keys::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::alerts::AlertKind;
use louver_domain::id::{KeyId, OrganizationId, WorkspaceId};
use louver_domain::key_hygiene::{End, Exemption, ends};
use louver_domain::keys::{ApiKey, KeyStatus};
use louver_domain::organizations::Organization;
use louver_domain::time::Timestamp;
use louver_store::keys::{self as store, Filter};
use louver_store::{StoreError, alerts, key_hygiene, organizations, workspaces};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked whether it is time.
const TICK: Duration = Duration::from_secs(1);
/// How often all keys are looked at, by the clock of the program.
const LOOK_SECONDS: i64 = 600;
/// Keys that are read at a time.
const AT_ONCE: u32 = 500;
const DAY_SECONDS: i64 = 86_400;

/// What this node has told: of which key, which end, and how many days before.
pub(crate) type Told = HashSet<(KeyId, Timestamp, u32)>;

/// Watches until `stop`. Every node may do so: people are told once, and a key is disabled once.
pub async fn run(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let (mut looked, mut told) = (None, Told::new());
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let now = control.clock.now().seconds();
        if looked.is_some_and(|at: i64| (0..LOOK_SECONDS).contains(&now.saturating_sub(at))) {
            continue;
        }
        match look(&control, &mut told).await {
            Ok(()) => looked = Some(now),
            Err(error) => tracing::error!(%error, "the ends of keys could not be watched"),
        }
    }
}

/// Looks at all keys once.
pub(crate) async fn look(control: &Control, told: &mut Told) -> Result<(), ControlError> {
    for organization in organizations::list(&control.store).await? {
        let idle_days = idle_days(control, &organization).await?;
        let exemptions = key_hygiene::exemptions(&control.store, organization.id).await?;
        let mut after = None;
        loop {
            let filter = Filter { status: Some("active".into()), after, ..Filter::default() };
            let now = control.clock.now();
            let page = store::list(&control.store, organization.id, filter, AT_ONCE, now).await?;
            after = page.last().map(|key| key.id);
            for key in &page {
                let days = idle_days.get(&key.workspace_id).copied().flatten();
                look_at(control, key, days, exemptions.get(&key.id), told).await?;
            }
            if page.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) {
                break;
            }
        }
    }
    Ok(())
}

/// Days without use after which the keys of each workspace are disabled: the shorter of what stands there and above.
async fn idle_days(
    control: &Control,
    organization: &Organization,
) -> Result<HashMap<WorkspaceId, Option<u32>>, StoreError> {
    let all = workspaces::list(&control.store, organization.id).await?;
    let days = |own: Option<u32>| own.into_iter().chain(organization.limits.max_key_idle_days).min();
    Ok(all.into_iter().map(|one| (one.id, days(one.limits.max_key_idle_days))).collect())
}

async fn look_at(
    control: &Control,
    key: &ApiKey,
    idle_days: Option<u32>,
    exemption: Option<&Exemption>,
    told: &mut Told,
) -> Result<(), ControlError> {
    let now = control.clock.now();
    for end in ends(key, idle_days, exemption) {
        let kind = match end {
            End::Expires(_) => AlertKind::KeyExpiring,
            // A bait is never used.
            End::Idle(_) if key.canary => continue,
            End::Idle(at) if at <= now => {
                disable(control, (key.organization_id, key.id), idle_days).await?;
                continue;
            }
            End::Idle(_) => AlertKind::KeyUnused,
        };
        let Some(days) = end.reminder(now) else { continue };
        if told.insert((key.id, end.at(), days)) {
            let whose = (key.organization_id, "api_key", key.id.bytes(), key.name.as_str());
            let (days, at) = (u8::try_from(days).ok(), end.at());
            alerting::of_key(control, kind, whose, days, (at, at)).await?;
        }
    }
    Ok(())
}

/// Disables a key that nobody uses, unless somebody did, or exempted it, since the look. By the store's time, and never
/// without a word a day before: not after a clock that was wrong, a policy that is new, or data of long ago.
async fn disable(
    control: &Control,
    (organization, id): (OrganizationId, KeyId),
    idle_days: Option<u32>,
) -> Result<(), ControlError> {
    let context = Context::system(organization, control.clock.now());
    let mut tx = control.begin(&context).await?;
    let now = tx.now().await?;
    let Some(before) = store::load(&mut tx, organization, id).await? else { return Ok(()) };
    let exemption = key_hygiene::exemption(&mut tx, id).await?;
    let over = |end: End| matches!(end, End::Idle(at) if at <= now).then_some(end.at());
    let Some(end) = ends(&before, idle_days, exemption.as_ref()).into_iter().find_map(over) else {
        return Ok(());
    };
    let whose = (organization, "api_key", id.bytes(), before.name.as_str());
    let told_at = alerts::told_at(&mut tx, AlertKind::KeyUnused, id.bytes(), end).await?;
    if told_at.is_none_or(|at| now < at.plus_seconds(DAY_SECONDS)) {
        drop(tx);
        let times = (end, now.plus_seconds(DAY_SECONDS));
        return alerting::of_key(control, AlertKind::KeyUnused, whose, Some(1), times).await;
    }
    let permit = decide(&context.actor, Action::DisableApiKey, crate::actions::keys::resource(&before))?;
    let key = ApiKey { status: KeyStatus::Disabled, ..before.clone() };
    store::save(&mut tx, &permit, &key).await?;
    let deed = Deed::on(permit, id, &key.name).inside(key.workspace_id);
    let deed = deed.from(&Shown::of(&before, context.now))?.to(&Shown::of(&key, context.now))?;
    commit(control, &context, tx, deed).await?;
    alerting::of_key(control, AlertKind::KeyUnused, whose, Some(0), (end, now)).await
}
