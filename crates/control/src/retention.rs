//! Takes away what is over and old: alerts with their deliveries, rotations that have ended, sessions, links.

use crate::Control;
use louver_store::{StoreError, retention as store, sessions, sign_in_links};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked whether it is time.
const TICK: Duration = Duration::from_secs(1);
/// How often something is taken away, by the clock of the program.
const LOOK_SECONDS: i64 = 3_600;
const SECONDS_PER_DAY: i64 = 86_400;
/// Days that alerts and rotations are kept when the settings say nothing: a year, and the month in which it is looked at.
pub const DEFAULT_DAYS: u32 = 400;

/// How long is kept what is over.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Days from when an alert was raised, and its period ended.
    pub alert_days: u32,
    /// Days from the end of a rotation.
    pub rotation_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { alert_days: DEFAULT_DAYS, rotation_days: DEFAULT_DAYS }
    }
}

/// Takes away what is due each hour, until `stop`. Every node may do so.
pub async fn run(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let mut looked = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let now = control.clock.now().seconds();
        if looked.is_some_and(|at: i64| (0..LOOK_SECONDS).contains(&now.saturating_sub(at))) {
            continue;
        }
        match prune(&control, &stop).await {
            Ok(()) => looked = Some(now),
            Err(error) => tracing::error!(%error, "old alerts and rotations could not be taken away"),
        }
    }
}

/// Takes away all that is due, a batch at a time, so that others write in between; it ends early at `stop`.
pub(crate) async fn prune(control: &Control, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let (now, kept) = (control.clock.now(), control.retention);
    let seconds = |days: u32| i64::from(days).saturating_mul(SECONDS_PER_DAY);
    sessions::prune(&control.store, now).await?;
    sign_in_links::prune(&control.store, now).await?;
    let (mut alerts, mut rotations) = (0_u64, 0_u64);
    while !*stop.borrow() {
        let some = store::prune_alerts(&control.store, now, seconds(kept.alert_days)).await?;
        let more = store::prune_rotations(&control.store, now, seconds(kept.rotation_days)).await?;
        (alerts, rotations) = (alerts.saturating_add(some), rotations.saturating_add(more));
        if some == 0 && more == 0 {
            break;
        }
    }
    if alerts > 0 || rotations > 0 {
        tracing::info!(alerts, rotations, "old alerts and rotations were taken away");
    }
    Ok(())
}
