//! A full disk under load: calls go on while there is budget in hand, then they are refused; with the room, all is back.

use super::stage::Stage;
use super::{Order, Report};
use crate::caller::Tally;
use crate::faults::Ballast;
use crate::installation::Installation;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Enough for the files of a journal and a young database.
const DISK: u64 = 64 << 20;
/// For how long the disk is full.
const FULL: Duration = Duration::from_secs(2);
/// The calls before and after are done long before this.
const LONGEST: Duration = Duration::from_secs(20);

/// Lets the clients of the order call three times: before, while the disk is full, and after.
///
/// # Panics
/// When Louver does not start.
pub async fn full_disk(order: &Order) -> Report {
    let (installation, program) = Installation::on_small_disk(DISK).await;
    let (process, folder) = (program.id(), installation.data());
    let mut stage = Stage::of(order, installation, vec![program], None).await;
    let began = Instant::now();
    let before = stage.part(1, LONGEST).await;
    if before.ends.keys().any(|end| end != "200") {
        stage.wrong.push(format!("before the disk was full: {:?}", before.ends));
    }
    stage.disturb();
    let ballast = Ballast::fill(process, &folder).await;
    let during = stage.part(2, FULL).await;
    drop(ballast);
    let refused = "503 accounting_unavailable";
    if during.ended(refused) == 0 || during.ends.keys().any(|end| end != "200" && end != refused) {
        stage.wrong.push(format!("on a full disk: {:?}", during.ends));
    }
    let after = stage.part(3, LONGEST).await;
    if after.ended("200") == 0 || after.ends.keys().any(|end| end != "200" && end != refused) {
        stage.wrong.push(format!("with the room back: {:?}", after.ends));
    }
    for tally in [before, during, after] {
        stage.tally.add(tally);
    }
    stage.audit().await;
    stage.report_without_a_look_behind(began.elapsed()).await
}

impl Stage<'_> {
    /// Lets the clients call until they are done, or for some time.
    async fn part(&self, number: u64, time: Duration) -> Tally {
        let (stop, stopped) = watch::channel(false);
        let mut clients = self.clients(self.order.seed + number, &stopped);
        let mut tally = Tally::default();
        let mut time = std::pin::pin!(tokio::time::sleep(time));
        while !clients.is_empty() {
            tokio::select! {
                Some(finished) = clients.join_next() => tally.add(finished.unwrap()),
                () = &mut time, if !*stop.borrow() => drop(stop.send_replace(true)),
            }
        }
        tally
    }
}
