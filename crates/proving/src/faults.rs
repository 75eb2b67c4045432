//! What is done to a running installation: kills, pauses, locks, a database that restarts, a full disk.

use crate::cluster::Cluster;
use crate::program::succeed;
use crate::random::Random;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// One thing that is done to Louver or what it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The process is killed (SIGKILL) and started again.
    Kill,
    /// The process is killed, and again while it starts.
    Stumble,
    /// The process is killed, and its journal is gone when it is started again: what a power failure may do.
    Lose,
    /// The process is stopped for a while (SIGSTOP, SIGCONT).
    Pause,
    /// Limits are lowered by a tenth and raised again, some times.
    TurnLimits,
    /// PostgreSQL is restarted as after a crash.
    RestartDatabase,
    /// Somebody holds the rows of the ledger for a while.
    LockLedger,
}

/// For how long something is held.
pub const WHILE: Duration = Duration::from_millis(700);

/// Blows, each with the number of upstream calls at which it falls.
pub fn schedule(seed: u64, blows: &[(Blow, u64)], calls: u64) -> Vec<(u64, Blow)> {
    let mut random = Random::of(&[seed, 7]);
    let mut list: Vec<Blow> = Vec::new();
    for (blow, times) in blows {
        list.extend((0..*times).map(|_| *blow));
    }
    // Shuffled, and each somewhere in its own part of the run.
    for at in (1..list.len()).rev() {
        list.swap(at, usize::try_from(random.below(at as u64 + 1)).unwrap());
    }
    let part = calls / (list.len() as u64 + 1);
    let at = |(number, blow): (u64, Blow)| (part * number + random.between(part / 2, part), blow);
    (0..).zip(list).map(at).collect()
}

/// Holds the ledger's rows in a session of PostgreSQL's own client for [`WHILE`].
pub async fn lock_ledger(cluster: &Cluster) {
    let sql = format!(
        "BEGIN; SELECT count(*) FROM (SELECT * FROM budget_periods FOR UPDATE) AS held; SELECT pg_sleep({}); ROLLBACK",
        WHILE.as_secs_f64()
    );
    succeed(Command::new("psql").args([cluster.url(), "-qAtc", &sql])).await;
}

/// A file that takes all the room of a small disk. Dropped, the room is back.
pub struct Ballast(PathBuf);

impl Ballast {
    /// Fills the disk at `folder` as the process of that id sees it.
    pub async fn fill(process: u32, folder: &Path) -> Self {
        let path = format!("/proc/{process}/root{}/ballast", folder.display());
        // It writes until nothing fits any more, and says so: that it fails is meant.
        let zeros =
            Command::new("dd").args(["if=/dev/zero", "bs=4096", &format!("of={path}")]).output().await;
        let said = String::from_utf8(zeros.unwrap().stderr).unwrap();
        assert!(said.contains("No space left"), "{said}");
        Self(path.into())
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_spreads_all_blows_over_the_run() {
        let list = schedule(1, &[(Blow::Kill, 5), (Blow::Pause, 5)], 1100);
        assert_eq!(list.len(), 10);
        assert_eq!(list.iter().filter(|(_, blow)| *blow == Blow::Kill).count(), 5);
        assert!(list.windows(2).all(|pair| pair[0].0 < pair[1].0), "{list:?}");
        assert!(list[9].0 <= 1000);
        assert_ne!(list, schedule(2, &[(Blow::Kill, 5), (Blow::Pause, 5)], 1100));
    }
}
