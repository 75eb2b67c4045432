//! The journal: what a node has sent upstream and what came of it, written to a file before the network hears of it.
//!
//! Every call has one slot of fixed size. Its first part is written before the first byte goes upstream, its second when
//! the call is settled; the room for both is there from the start, so that a full disk stops new calls and never a
//! settlement. The writes go to the page cache, which outlives the process: after `kill -9` nothing is lost. A thread
//! syncs them to the disk in the background; where calls must wait for that (`Durability::Fsync`), many share one sync.
//! After a power failure the journal is not believed: see `ledger/recovery.rs`.

mod found;
mod keeper;
mod record;
mod segment;

use louver_domain::id::NodeId;
use segment::Segment;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::watch;

pub use found::{Found, FoundCall, open};
pub use record::{MAX_HOLDS, Recorded, Reserved, Settled};

/// When a call may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As soon as its record is written: survives the death of the process, not that of the machine.
    Background,
    /// When its record is on the disk.
    Fsync,
}

/// Why a record cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A sync failed before: what is on the disk is not known any more, and this process must end.
    #[error("the journal failed earlier")]
    Failed,
    /// A write failed or was cut short.
    #[error("the journal cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// Whose journal it is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The node, for as long as its journal lives.
    pub node: NodeId,
    /// This process: another number at every start.
    pub epoch: i64,
    /// This start of the machine: what the page cache outlives.
    pub boot: [u8; 16],
}

/// The slot of one call.
#[derive(Clone, Debug)]
pub struct Place {
    segment: Arc<Segment>,
    slot: u64,
    /// The number of the write, which a sync must have passed.
    written: u64,
}

/// The journal of one process.
pub struct Journal {
    shared: Arc<Shared>,
    durability: Durability,
    synced: watch::Receiver<u64>,
    keeper: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Held for as long as the process lives: two processes cannot write one journal.
    _lock: File,
}

struct Shared {
    folder: PathBuf,
    identity: Identity,
    current: RwLock<Arc<Segment>>,
    pool: Mutex<Pool>,
    /// Writes so far.
    written: AtomicU64,
    failed: AtomicBool,
    /// What the keeper waits for: a call that waits for a sync, or the end.
    wanted: Mutex<Wanted>,
    wake: Condvar,
}

#[derive(Default)]
struct Wanted {
    sync: bool,
    stop: bool,
}

/// Segments that are not the current one.
struct Pool {
    /// Empty, ready to be the next.
    spare: Vec<Arc<Segment>>,
    /// Full; kept until every call in them is in the database.
    full: Vec<Arc<Segment>>,
    next_generation: u64,
    next_number: u64,
}

impl Journal {
    /// Writes what a call may cost, before anything of it is sent.
    ///
    /// # Errors
    /// The call must not be sent then.
    pub fn reserve(&self, reserved: &Reserved<'_>) -> Result<Place, JournalError> {
        let shared = &self.shared;
        loop {
            if shared.failed.load(Ordering::Acquire) {
                return Err(JournalError::Failed);
            }
            let segment = Arc::clone(&shared.current.read().unwrap_or_else(PoisonError::into_inner));
            let Some(slot) = segment.take_slot() else {
                shared.rotate(&segment)?;
                continue;
            };
            if let Err(error) = segment.write_reserved(slot, reserved) {
                segment.let_go();
                return Err(error.into());
            }
            let written = shared.written.fetch_add(1, Ordering::AcqRel).saturating_add(1);
            return Ok(Place { segment, slot, written });
        }
    }

    /// Waits, where calls must, until the slot is on the disk.
    ///
    /// # Errors
    /// The call must not be sent then.
    pub async fn on_disk(&self, place: &Place) -> Result<(), JournalError> {
        if self.durability == Durability::Background {
            return Ok(());
        }
        self.shared.want(|wanted| wanted.sync = true);
        let mut synced = self.synced.clone();
        let reached = synced.wait_for(|synced| *synced >= place.written).await;
        match reached.is_ok() && !self.shared.failed.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(JournalError::Failed),
        }
    }

    /// Writes what a call was charged, into its own slot.
    ///
    /// # Errors
    /// A start after this process died would charge the call at its bound.
    pub fn settle(&self, place: &Place, settled: &Settled) -> Result<(), JournalError> {
        place.segment.write_settled(place.slot, settled)?;
        self.shared.written.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// The call is in the database: its slot is not needed any more.
    pub fn stored(&self, place: &Place) {
        place.segment.let_go();
    }

    /// Whose journal this is.
    pub fn identity(&self) -> Identity {
        self.shared.identity
    }

    /// Whether calls wait for the disk.
    pub const fn waits(&self) -> bool {
        matches!(self.durability, Durability::Fsync)
    }

    /// Answers when the journal has failed: the process must end then, since nobody knows what is on the disk.
    pub async fn failed(&self) {
        let mut synced = self.synced.clone();
        // The keeper drops its sender only when it failed or was stopped.
        while synced.changed().await.is_ok() {}
        if !self.shared.failed.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
    }

    /// Syncs what was written and ends the thread. Files whose calls are all in the database are removed: the next start
    /// has nothing to read then.
    pub fn close(&self) {
        self.shared.want(|wanted| wanted.stop = true);
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(keeper) = keeper else { return };
        // A thread that panicked has nothing more to say.
        drop(keeper.join());
        let pool = self.shared.pool();
        let current = Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner));
        for segment in pool.full.iter().chain(&pool.spare).chain([&current]).filter(|s| s.is_free()) {
            // What stays is read at the next start and changes nothing.
            drop(std::fs::remove_file(segment.path()));
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Makes the next segment the current one, unless somebody did already.
    fn rotate(&self, full: &Arc<Segment>) -> Result<(), JournalError> {
        let mut pool = self.pool();
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, full) {
            return Ok(());
        }
        let next = match pool.spare.pop() {
            Some(spare) => spare,
            None => pool.make(&self.folder, &self.identity)?,
        };
        pool.full.push(std::mem::replace(&mut current, next));
        Ok(())
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_all();
    }
}

impl Pool {
    fn make(&mut self, folder: &std::path::Path, identity: &Identity) -> io::Result<Arc<Segment>> {
        let path = folder.join(format!("{:08}.segment", self.next_number));
        let segment = Segment::create(path, self.next_generation, identity)?;
        self.next_number = self.next_number.saturating_add(1);
        self.next_generation = self.next_generation.saturating_add(1);
        Ok(Arc::new(segment))
    }
}
