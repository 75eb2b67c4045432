//! The thread behind the journal: syncs what was written, keeps an empty file ready, and takes full ones back.

use crate::journal::segment::Segment;
use crate::journal::{Pool, Shared};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The longest that a record waits for the disk.
const INTERVAL: Duration = Duration::from_millis(50);
/// Empty files that are kept.
const SPARES: usize = 2;

/// Runs until asked to stop, or until a sync fails: nobody knows then what is on the disk, and trying again may seem to
/// succeed without it being there.
pub(super) fn run(shared: &Shared, synced: &watch::Sender<u64>) {
    loop {
        let stop = wait(shared);
        let written = shared.written.load(Ordering::Acquire);
        if let Err(error) = sync(shared) {
            tracing::error!(%error, "ALARM: the journal cannot be synced; this process must end");
            shared.failed.store(true, Ordering::Release);
            synced.send_replace(written);
            return;
        }
        synced.send_replace(written);
        if stop {
            return;
        }
        if let Err(error) = tend(shared) {
            tracing::error!(%error, "no room for the journal: calls are refused when the last file is full");
        }
    }
}

fn wait(shared: &Shared) -> bool {
    let wanted = shared.wanted.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = shared.wake.wait_timeout_while(wanted, INTERVAL, |wanted| !wanted.sync && !wanted.stop);
    let (mut wanted, _) = waited.unwrap_or_else(PoisonError::into_inner);
    wanted.sync = false;
    wanted.stop
}

fn sync(shared: &Shared) -> io::Result<()> {
    let current = Arc::clone(&shared.current.read().unwrap_or_else(PoisonError::into_inner));
    let full: Vec<Arc<Segment>> = shared.pool().full.clone();
    full.iter().chain([&current]).try_for_each(|segment| segment.sync())
}

/// Takes full files back whose calls are all stored, and makes sure that an empty one is there.
fn tend(shared: &Shared) -> io::Result<()> {
    let mut pool = shared.pool();
    let (free, busy): (Vec<_>, Vec<_>) =
        std::mem::take(&mut pool.full).into_iter().partition(|s| s.is_free());
    pool.full = busy;
    for segment in free {
        if pool.spare.len() < SPARES {
            let spare = again(&mut pool, &segment, shared)?;
            pool.spare.push(spare);
        } else {
            std::fs::remove_file(segment.path())?;
        }
    }
    if pool.spare.is_empty() {
        let (number, generation) = (pool.next_number, pool.next_generation);
        (pool.next_number, pool.next_generation) = (number.saturating_add(1), generation.saturating_add(1));
        // Filling a file with zeros takes its time: calls must be able to go on.
        drop(pool);
        let path = shared.folder.join(format!("{number:08}.segment"));
        let spare = Segment::create(path, generation, &shared.identity)?;
        shared.pool().spare.push(Arc::new(spare));
    }
    Ok(())
}

fn again(pool: &mut Pool, segment: &Segment, shared: &Shared) -> io::Result<Arc<Segment>> {
    let generation = pool.next_generation;
    pool.next_generation = generation.saturating_add(1);
    Segment::reuse(segment.path(), generation, &shared.identity).map(Arc::new)
}
