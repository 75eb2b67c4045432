//! Watches how budgets stand and raises the alerts that are due.

use crate::Control;
use crate::actions::budgets;
use crate::error::ControlError;
use louver_domain::alerts::{Alert, AlertKind, KeyAlert, Standing};
use louver_domain::calendar::Window;
use louver_domain::id::{AdminKeyId, BudgetId, KeyId, OrganizationId, UpstreamId, UserId};
use louver_domain::keys::{AdminHolder, Owner};
use louver_domain::time::Timestamp;
use louver_store::ledger::standings;
use louver_store::snapshot::{self, Rules};
use louver_store::{StoreError, admin_keys, alerts, keys, organizations, revision, upstreams, users};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked: an alert is raised within two seconds of what it tells.
const LOOK: Duration = Duration::from_secs(1);
/// A period that has just ended is looked at once more: its last calls may have crossed something.
const LOOK_BACK_SECONDS: i64 = -10;

/// Watches until `stop`. Every node may do so: an alert is raised once.
pub async fn run(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let mut watcher = Watcher::default();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        match watcher.look(&control).await {
            Ok(0) => {}
            Ok(_) => control.outbound.wake(),
            Err(error) => tracing::error!(%error, "budgets could not be watched"),
        }
    }
}

/// Raises the alert that upstream rejected a credential; `None` is the one from the settings.
pub async fn credential_rejected(
    control: &Control,
    organization: OrganizationId,
    upstream: Option<UpstreamId>,
) -> Result<(), ControlError> {
    let stored = upstreams::list(&control.store, organization).await?;
    let name = stored.iter().find(|known| Some(known.id) == upstream).map_or("settings", |known| &known.name);
    let id = upstream.unwrap_or(UpstreamId::from_bytes([0; 16]));
    let now = control.clock.now();
    let alert = Alert::upstream_credential_rejected(organization, id, name, now, &*control.entropy);
    if alerts::raise(&control.store, &[alert], now).await? > 0 {
        control.outbound.wake();
    }
    Ok(())
}

/// Tells of a key what ends at a time: once for each kind, number of days and start. Whose it is: its organization, its
/// kind, its id and its name.
pub(crate) async fn of_key(
    control: &Control,
    kind: AlertKind,
    (organization_id, scope, id, name): (OrganizationId, &str, [u8; 16], &str),
    days: Option<u8>,
    (starts, ends): (Timestamp, Timestamp),
) -> Result<(), ControlError> {
    let about = KeyAlert { kind, organization_id, scope, id, name, days, starts, ends };
    Ok(raise_of_key(control, about).await?)
}

/// The same of whatever is to be said of a key; its owner is told by mail, where there is a mail server and they can do
/// something about it.
pub(crate) async fn raise_of_key(control: &Control, about: KeyAlert<'_>) -> Result<(), StoreError> {
    let now = control.clock.now();
    let owner = owner_to_tell(control, &about).await?;
    let alert = Alert::of_key(about, now, &*control.entropy);
    if alerts::raise_to_owner(&control.store, &alert, owner, now).await? {
        control.outbound.wake();
    }
    Ok(())
}

async fn owner_to_tell(control: &Control, about: &KeyAlert<'_>) -> Result<Option<UserId>, StoreError> {
    if !about.kind.is_for_the_owner() || control.outbound.mailer.is_none() {
        return Ok(None);
    }
    let organization = about.organization_id;
    let owner = match about.scope {
        "api_key" => {
            let key = keys::get(&control.store, organization, KeyId::from_bytes(about.id)).await?;
            key.and_then(|key| match key.owner {
                Owner::User(id) => Some(id),
                Owner::Workspace | Owner::ServiceAccount(_) => None,
            })
        }
        "admin_key" => {
            let key = admin_keys::get(&control.store, AdminKeyId::from_bytes(about.id)).await?;
            key.and_then(|key| match key.holder {
                AdminHolder::User(id) => Some(id),
                AdminHolder::Organization | AdminHolder::ServiceAccount(_) => None,
            })
        }
        _ => None,
    };
    let Some(owner) = owner else { return Ok(None) };
    let user = users::get(&control.store, organization, owner).await?;
    Ok(user.filter(|user| user.removed_at.is_none()).map(|user| user.id))
}

/// Somebody tried a key that is a bait: told once an hour for each.
pub async fn bait_taken(
    control: &Control,
    organization: OrganizationId,
    key: KeyId,
    from: IpAddr,
) -> Result<(), ControlError> {
    let found = keys::get(&control.store, organization, key).await?;
    let Some(key) = found else { return Ok(()) };
    let now = control.clock.now();
    let hour = now.floor(Window::Hour);
    let name = format!("{} (from {from})", key.name);
    let whose = (organization, "api_key", key.id.bytes(), name.as_str());
    of_key(control, AlertKind::CanaryUsed, whose, None, (hour, hour)).await
}

/// Tells every organization that a name of a model moved upstream.
pub async fn model_moved(control: &Control, name: &str) -> Result<(), ControlError> {
    let now = control.clock.now();
    let all = organizations::list(&control.store).await?;
    let alerts: Vec<Alert> = all
        .iter()
        .map(|organization| Alert::model_moved(organization.id, name, now, &*control.entropy))
        .collect();
    if alerts::raise(&control.store, &alerts, now).await? > 0 {
        control.outbound.wake();
    }
    Ok(())
}

/// What was seen the last time: budgets that did not move since are not looked at again.
#[derive(Default)]
pub(crate) struct Watcher {
    rules: Option<Arc<Rules>>,
    seen: HashMap<BudgetId, standings::Standing>,
}

impl Watcher {
    /// Looks once and answers how many alerts were raised.
    pub(crate) async fn look(&mut self, control: &Control) -> Result<usize, ControlError> {
        let now = control.clock.now();
        let running = standings::running(&control.store, now.plus_seconds(LOOK_BACK_SECONDS)).await?;
        let changed = revision::current(&control.store).await?;
        let same_rules = self.rules.as_ref().is_some_and(|rules| rules.revision == changed);
        let moved: Vec<standings::Standing> = running
            .iter()
            .filter(|standing| !same_rules || self.seen.get(&standing.budget) != Some(standing))
            .copied()
            .collect();
        if moved.is_empty() {
            return Ok(0);
        }
        let rules = match self.rules.take().filter(|_| same_rules) {
            Some(rules) => rules,
            None => Arc::new(snapshot::load(&control.store).await?),
        };
        self.rules = Some(Arc::clone(&rules));
        let due = facts(&rules, &moved);
        let raised = alerts::evaluate(&control.store, due, now, &*control.entropy).await?;
        self.seen = running.into_iter().map(|standing| (standing.budget, standing)).collect();
        Ok(raised)
    }
}

/// The standings with what the rules say of their budgets.
fn facts(rules: &Rules, moved: &[standings::Standing]) -> Vec<Standing> {
    let all: HashMap<BudgetId, budgets::Set> = rules
        .organizations
        .iter()
        .flat_map(|organization| budgets::of_organization(rules, organization.id))
        .collect();
    moved
        .iter()
        .filter_map(|standing| {
            let set = all.get(&standing.budget)?;
            let budget = &set.budget;
            Some(Standing {
                budget_id: budget.id.bytes(),
                organization_id: standing.organization_id,
                scope: budget.scope.level.as_str().to_owned(),
                scope_id: budget.scope.shown_id(),
                name: set.name.clone(),
                window: budget.kind.window().as_str().to_owned(),
                unit: budget.kind.unit().as_str().to_owned(),
                starts: standing.period.starts,
                ends: standing.period.ends,
                limit: budget.limit,
                spent: standing.spent,
                thresholds: set.thresholds.clone(),
                overrun: standing.blocked || standing.overrun > 0,
                limit_reached: standing.refused_under.is_some_and(|limit| limit >= budget.limit),
            })
        })
        .collect()
}
