//! What runs beside the calls: rules are taken over, times of use written down, models compared, late work settled.

use louver_control::actions::model_sightings;
use louver_control::{Control, alerting};
use louver_domain::calendar::Window;
use louver_domain::time::{Clock, Timestamp};
use louver_gateway::{Batches, Documents, Gateway, Ledger, Lookout, Source};
use louver_store::ledger::storage;
use louver_store::{Store, StoreError, old_secrets, revision, snapshot, upstream_rotations};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often another node's commits are looked for. Commits of this process are taken over at once.
const POLL: Duration = Duration::from_millis(500);

/// Takes over each new revision of the rules, whole, until `stop`.
pub async fn follow_rules(
    store: Store,
    source: Arc<Source>,
    gateway: Arc<Gateway>,
    ledger: Arc<Ledger>,
    applied: watch::Sender<i64>,
    mut stop: watch::Receiver<bool>,
) {
    let mut commits = store.commits();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = commits.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        match take_over(&store, &source, &gateway, &applied).await {
            Ok(changed) => {
                ledger.contact();
                if changed {
                    ledger.tend();
                }
            }
            Err(error) => tracing::error!(%error, "new rules could not be read; the last ones still hold"),
        }
    }
}

async fn take_over(
    store: &Store,
    source: &Source,
    gateway: &Gateway,
    applied: &watch::Sender<i64>,
) -> Result<bool, StoreError> {
    if revision::current(store).await? == *applied.borrow() {
        return Ok(false);
    }
    let rules = snapshot::load(store).await?;
    let revision = rules.revision;
    gateway.swap(source.build(rules));
    applied.send_replace(revision);
    Ok(true)
}

/// Raises an alert for each credential that upstream rejected, until `stop`.
pub async fn tell_rejections(gateway: Arc<Gateway>, control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = gateway.rejection() => {}
        }
        for (organization, upstream) in gateway.take_rejections() {
            if let Err(error) = alerting::credential_rejected(&control, organization, upstream).await {
                tracing::error!(%error, "an alert about a rejected credential could not be raised");
            }
        }
    }
}

/// Raises an alert for each bait that somebody tried, until `stop`.
pub async fn tell_baits(gateway: Arc<Gateway>, control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = gateway.bait() => {}
        }
        for ((organization, key), from) in gateway.take_baits() {
            if let Err(error) = alerting::bait_taken(&control, organization, key, from).await {
                tracing::error!(%error, "an alert about a bait could not be raised");
            }
        }
    }
}

/// Settles batches that are over, until `stop`.
pub async fn settle_batches(gateway: Arc<Gateway>, interval: Duration, mut stop: watch::Receiver<bool>) {
    Batches::new(gateway, interval).run(async move { drop(stop.wait_for(|stop| *stop).await) }).await;
}

/// After a start the lists are looked at soon, but not while everything else begins.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// Holds the models that upstreams list against the catalogue, every `interval`, until `stop`.
pub async fn compare_models(
    lookout: Lookout,
    control: Arc<Control>,
    interval: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let mut wait = interval.min(FIRST_LOOK);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = interval;
        let look = async {
            for shelf in lookout.look().await {
                let taken =
                    model_sightings::take_in(&control, &shelf.server, shelf.is_mistrals, &shelf.listed).await;
                if let Err(error) = taken {
                    tracing::error!(%error, "what an upstream lists could not be written down");
                }
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = look => {}
        }
    }
}

/// Settles documents of libraries that were read, until `stop`.
pub async fn settle_documents(gateway: Arc<Gateway>, interval: Duration, mut stop: watch::Receiver<bool>) {
    Documents::new(gateway, interval).run(async move { drop(stop.wait_for(|stop| *stop).await) }).await;
}

/// Charges what keeping fine-tuned models costs, once a month each, until `stop`.
pub async fn charge_kept_models(
    store: Store,
    clock: Arc<dyn Clock>,
    interval: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let mut done = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(interval) => {}
        }
        match charge_month(&store, &*clock, done).await {
            Ok(now_done) => done = Some(now_done),
            Err(error) => {
                tracing::error!(%error, "what kept models cost could not be charged; it is tried again")
            }
        }
    }
}

/// Charges what is due in this month, unless that was done under the same rules. Answers for what it is done now.
async fn charge_month(
    store: &Store,
    clock: &dyn Clock,
    done: Option<(Timestamp, i64)>,
) -> Result<(Timestamp, i64), StoreError> {
    let now = clock.now();
    let this = (now.floor(Window::Month), revision::current(store).await?);
    if done != Some(this) {
        let models = storage::charge(store, now).await?;
        if models > 0 {
            tracing::info!(models, "fine-tuned models were charged for the month");
        }
    }
    Ok(this)
}

/// Writes down when secrets, and keys of upstream credentials, were last used, every `interval` and once more at `stop`.
pub async fn write_last_used(
    store: Store,
    source: Arc<Source>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let stopping = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(interval) => false,
        };
        let used = source.take_last_used();
        if let Err(error) = old_secrets::save_last_used(&store, &used).await {
            tracing::error!(%error, secrets = used.len(), "last-used times wait to be written");
            source.put_back_last_used(&used);
        }
        let keys = source.take_upstream_uses();
        if let Err(error) = upstream_rotations::save_uses(&store, &keys).await {
            tracing::error!(%error, keys = keys.len(), "the last uses of upstream keys wait to be written");
            source.put_back_upstream_uses(&keys);
        }
        source.forget_unused(clock.monotonic_micros());
        if stopping {
            return;
        }
    }
}
