//! Watches over secrets: retires old ones whose time has come, forgets answers that are kept for repeated requests, and
//! writes down who used those of admin keys.

use crate::{Control, last_used};
use louver_store::{idempotency, old_secrets};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// Watches until `stop`. Every node may do so.
pub async fn run(control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    loop {
        let stopping = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        last_used::write(&control).await;
        if stopping {
            return;
        }
        match old_secrets::sweep(&control.store, control.clock.now()).await {
            Ok(0) => {}
            Ok(secrets) => tracing::info!(secrets, "old secrets of keys were retired"),
            Err(error) => tracing::error!(%error, "old secrets could not be looked at"),
        }
        if let Err(error) = idempotency::sweep(&control.store, control.clock.now()).await {
            tracing::error!(%error, "answers of repeated requests could not be swept");
        }
    }
}
