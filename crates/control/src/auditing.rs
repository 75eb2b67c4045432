//! Keeps the audit log: notes refused attempts, signs checkpoints and hands them out, cuts off what is too old.

pub mod attempts;
pub mod files;
pub(crate) mod keeper;
pub mod lines;
pub mod sinks;

use crate::Control;
use attempts::Attempts;
use keeper::Keeper;
pub(crate) use keeper::checkpoint_now;
use louver_domain::time::Timestamp;
use louver_store::StoreError;
use sinks::{Sink, Sinks};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked what is due.
const LOOK: Duration = Duration::from_secs(1);
/// A sink may fail so long until nothing is changed any more.
const LONGEST_FAILURE_SECONDS: i64 = 300;

/// Settings, which come from the file and the environment of the node only: whoever can change where the proofs go could
/// make them go nowhere.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where checkpoints are written besides the database.
    pub sinks: Vec<Sink>,
    /// Days that the log goes back; none is for ever.
    pub retention_days: Option<u32>,
}

/// What a node knows about its audit log besides what is in the database.
#[derive(Default)]
pub struct Auditing {
    pub(crate) attempts: Attempts,
    sinks: Sinks,
    retention_days: Option<u32>,
}

impl Auditing {
    /// With those settings.
    pub fn new(settings: Settings) -> Self {
        let Settings { sinks, retention_days } = settings;
        Self { attempts: Attempts::default(), sinks: Sinks::new(sinks), retention_days }
    }

    /// The place outside of the database that has failed longest to take checkpoints: since when, and why.
    pub(crate) fn failing(&self) -> Option<(Timestamp, String)> {
        self.sinks.failing()
    }

    /// Days that the log goes back; none is for ever.
    pub(crate) const fn retention_days(&self) -> Option<u32> {
        self.retention_days
    }

    /// Refuses while checkpoints have not reached a sink for too long.
    pub(crate) fn admits_changes(&self, now: Timestamp) -> Result<(), StoreError> {
        match self.sinks.failing() {
            Some((since, reason)) if since.plus_seconds(LONGEST_FAILURE_SECONDS) <= now => {
                Err(StoreError::Audit(format!(
                    "no checkpoint of it could be handed out since {}: {reason}",
                    since.rfc3339()
                )))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Keeps the log until `stop`, and signs once more then. Every node may do so.
pub async fn run(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    let mut keeper = Keeper::default();
    loop {
        let stopping = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        if let Err(error) = keeper.round(&control, stopping).await {
            tracing::error!(%error, "the audit log could not be kept");
        }
        if stopping {
            return;
        }
    }
}
