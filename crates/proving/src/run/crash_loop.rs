//! The crash loop: load, a kill at a random moment, a start that may be killed too, a little load, and the books.

use super::stage::Stage;
use super::{Order, Report};
use crate::faults::Blow;
use crate::random::Random;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between how many calls of a round the kill falls, and how many follow it.
const BEFORE: (u64, u64) = (20, 600);
const AFTER: u64 = 30;
/// A round that is refused everything is killed all the same.
const LONGEST: Duration = Duration::from_secs(5);

/// Kills so many times; `order` says who calls, and what. The audit after each kill is of all calls so far.
///
/// # Panics
/// When Louver does not start, or does not come back.
pub async fn crash_loop(order: &Order, kills: u64) -> Report {
    let mut stage = Stage::new(order, None).await;
    let began = Instant::now();
    for round in 0..kills {
        stage.round(round).await;
        let found = stage.wrong.len();
        stage.audit().await;
        for wrong in stage.wrong.iter_mut().skip(found) {
            *wrong = format!("after kill {}: {wrong}", round + 1);
        }
        if !stage.wrong.is_empty() {
            break;
        }
    }
    stage.report(began.elapsed()).await
}

impl Stage<'_> {
    async fn round(&mut self, round: u64) {
        let mut random = Random::of(&[self.order.seed, round, 9]);
        let (stop, stopped) = watch::channel(false);
        let mut clients = self.clients(random.next(), &stopped);
        let simulator = self.installation.simulator.clone();
        let at = simulator.calls() + random.between(BEFORE.0, BEFORE.1);
        let mut longest = std::pin::pin!(tokio::time::sleep(LONGEST));
        while !clients.is_empty() {
            tokio::select! {
                () = simulator.reached(at) => break,
                () = &mut longest => break,
                Some(finished) = clients.join_next() => self.tally.add(finished.unwrap()),
            }
        }
        let blow = if random.happens(500) { Blow::Stumble } else { Blow::Kill };
        self.blow(blow, &mut random).await;
        let _ = tokio::time::timeout(LONGEST, simulator.reached(simulator.calls() + AFTER)).await;
        stop.send_replace(true);
        while let Some(finished) = clients.join_next().await {
            self.tally.add(finished.unwrap());
        }
    }
}
