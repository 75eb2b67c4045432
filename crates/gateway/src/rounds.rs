//! Work that comes again and again on every node, until the node ends.

use std::time::Duration;

/// Somebody who has such work.
pub(crate) trait Rounds: Sync {
    /// Does what is due now.
    fn round(&self) -> impl Future<Output = ()> + Send;
}

/// Has `worker` do a round every `interval` until `stop`. One that is broken off leaves claims, which end by themselves.
pub(crate) async fn run(worker: &impl Rounds, interval: Duration, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(interval) => {}
        }
        tokio::select! {
            () = &mut stop => return,
            () = worker.round() => {}
        }
    }
}
