//! One file of the journal: a header and slots, all of its room taken when it is made.

use crate::journal::Identity;
use crate::journal::record::{Header, RESERVED, Reserved, SLOT, Settled};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Slots of a file, the header among them: 8 MiB.
pub(super) const SLOTS: u64 = 16_384;
/// Bytes of a file.
pub(super) const SEGMENT: u64 = SLOTS * SLOT_BYTES;
/// A page of the page cache.
const PAGE: usize = 4096;
const SLOT_BYTES: u64 = SLOT as u64;

/// A file of the journal.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    generation: u64,
    next: AtomicU64,
    /// Calls in it that are not in the database yet.
    live: AtomicI64,
    /// Whether something was written since the last sync.
    dirty: AtomicBool,
}

impl Segment {
    /// Makes a file, with zeros in all of its room: it is taken now, and not when a call needs it.
    pub(super) fn create(path: PathBuf, generation: u64, identity: &Identity) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        // A page at a time: what is written in large pieces lies in large folios of the page cache, and ext4 walks a whole
        // folio for each small write into it (measured: 2 µs a write in place of 0.6).
        let zeros = [0; PAGE];
        let chunk = PAGE as u64;
        let mut at = 0;
        while at < SEGMENT {
            file.write_all_at(&zeros, at)?;
            at = at.saturating_add(chunk);
        }
        Self::begin(file, path, generation, identity)
    }

    /// Begins a file anew whose calls are all in the database: what stands in it is of another generation.
    pub(super) fn reuse(path: &Path, generation: u64, identity: &Identity) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        Self::begin(file, path.to_owned(), generation, identity)
    }

    fn begin(file: File, path: PathBuf, generation: u64, identity: &Identity) -> io::Result<Self> {
        let header = Header { generation, node: identity.node, epoch: identity.epoch, boot: identity.boot };
        file.write_all_at(&header.write(), 0)?;
        Ok(Self {
            file,
            path,
            generation,
            next: AtomicU64::new(1),
            live: AtomicI64::new(0),
            dirty: AtomicBool::new(true),
        })
    }

    /// The next slot, or `None` when the file is full.
    pub(super) fn take_slot(&self) -> Option<u64> {
        // Counted first: a file with a slot in use is never begun anew.
        self.live.fetch_add(1, Ordering::AcqRel);
        let slot = self.next.fetch_add(1, Ordering::AcqRel);
        if slot < SLOTS {
            return Some(slot);
        }
        self.let_go();
        None
    }

    /// A slot of it is not needed any more.
    pub(super) fn let_go(&self) {
        self.live.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether no slot is needed.
    pub(super) fn is_free(&self) -> bool {
        self.live.load(Ordering::Acquire) == 0
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write_reserved(&self, slot: u64, reserved: &Reserved<'_>) -> io::Result<()> {
        self.write(slot.saturating_mul(SLOT_BYTES), &reserved.write(self.generation))
    }

    pub(super) fn write_settled(&self, slot: u64, settled: &Settled) -> io::Result<()> {
        let at = slot.saturating_mul(SLOT_BYTES).saturating_add(RESERVED as u64);
        self.write(at, &settled.write(self.generation))
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)?;
        if !self.dirty.load(Ordering::Relaxed) {
            self.dirty.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.dirty.swap(false, Ordering::AcqRel) { self.file.sync_data() } else { Ok(()) }
    }
}
