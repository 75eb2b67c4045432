//! Opens the journal of a node, and reads what earlier processes left in it.

use crate::journal::record::{Header, Part, RESERVED, Recorded, SLOT, Settled};
use crate::journal::segment::SEGMENT;
use crate::journal::{Durability, Identity, Journal, Pool, Shared, keeper};
use louver_domain::id::NodeId;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use tokio::sync::watch;

/// A call that an earlier process wrote down.
#[derive(Clone, Debug)]
pub struct FoundCall {
    /// The process.
    pub epoch: i64,
    /// What it might cost.
    pub reserved: Recorded,
    /// What it was charged, when it got that far.
    pub settled: Option<Settled>,
}

/// What earlier processes left.
#[derive(Debug, Default)]
pub struct Found {
    /// Their calls; those that are in the database already may be among them.
    pub calls: Vec<FoundCall>,
    /// The processes, and whether their journal can be believed: it was written since the machine started, every file
    /// of it could be synced, and every record could be read.
    pub processes: BTreeMap<i64, bool>,
    files: Vec<PathBuf>,
    /// A file whose header is damaged may hold calls of any process.
    orphaned: bool,
}

impl Found {
    /// What the bytes of files say, of which nothing else is known. [`open`] reads those of a folder.
    pub fn of(files: &[&[u8]], boot: [u8; 16]) -> Self {
        let mut found = Self::default();
        for bytes in files {
            found.add(bytes, boot, true);
        }
        found.judged()
    }

    /// Takes in the bytes of one file, and answers its generation when it has one.
    fn add(&mut self, bytes: &[u8], boot: [u8; 16], intact: bool) -> Option<u64> {
        let header = match Header::read(bytes.get(..SLOT).unwrap_or_default()) {
            Part::Whole(header) => header,
            // A file without a header was being made: no call can be in it.
            Part::Empty => return None,
            Part::Damaged => {
                self.orphaned = true;
                return None;
            }
        };
        let readable = calls(bytes, &header, &mut self.calls);
        let believed = self.processes.entry(header.epoch).or_insert(true);
        *believed &= intact && readable && header.boot == boot;
        Some(header.generation)
    }

    /// With what can only be said when all files were read.
    fn judged(mut self) -> Self {
        if self.orphaned {
            self.processes.values_mut().for_each(|believed| *believed = false);
        }
        self
    }

    /// Removes the files, when all that was in them is in the database.
    ///
    /// # Errors
    /// The next start finds them again, and changes nothing by them.
    pub fn forget(&self) -> io::Result<()> {
        self.files.iter().try_for_each(fs::remove_file)
    }
}

/// Opens the journal in `folder` for a new process and answers what earlier ones left. `fresh` is the id of the node
/// when the folder is new.
///
/// # Errors
/// Another process uses the folder, or it cannot be written.
pub fn open(
    folder: &Path,
    fresh: NodeId,
    epoch: i64,
    boot: [u8; 16],
    durability: Durability,
) -> io::Result<(Journal, Found)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let lock =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join("lock"))?;
    lock.try_lock().map_err(|_| io::Error::other("another process uses this journal"))?;
    let identity = Identity { node: node_id(folder, fresh)?, epoch, boot };
    let (found, last) = read(folder, boot)?;
    let mut pool = Pool {
        spare: Vec::new(),
        full: Vec::new(),
        next_generation: last.generation.saturating_add(1),
        next_number: last.number.saturating_add(1),
    };
    let current = RwLock::new(pool.make(folder, &identity)?);
    // The names of new files must outlive a power failure as well.
    File::open(folder)?.sync_all()?;
    let shared = Arc::new(Shared {
        folder: folder.to_owned(),
        identity,
        current,
        pool: Mutex::new(pool),
        written: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        wanted: Mutex::default(),
        wake: Condvar::new(),
    });
    let (sender, synced) = watch::channel(0);
    let behind = Arc::clone(&shared);
    let thread = std::thread::Builder::new().name("journal".into());
    let keeper = Mutex::new(Some(thread.spawn(move || keeper::run(&behind, &sender))?));
    Ok((Journal { shared, durability, synced, keeper, _lock: lock }, found))
}

fn node_id(folder: &Path, fresh: NodeId) -> io::Result<NodeId> {
    let path = folder.join("node");
    if let Ok(text) = fs::read_to_string(&path) {
        return NodeId::parse(text.trim())
            .ok_or_else(|| io::Error::other(format!("{} holds no node id", path.display())));
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(fresh.to_string().as_bytes())?;
    file.sync_all()?;
    Ok(fresh)
}

#[derive(Default)]
struct Last {
    generation: u64,
    number: u64,
}

fn read(folder: &Path, boot: [u8; 16]) -> io::Result<(Found, Last)> {
    let (mut found, mut last) = (Found::default(), Last::default());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "segment") {
            continue;
        }
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        last.number = last.number.max(number.unwrap_or(0));
        // A write that failed behind our back shows here.
        let synced = File::open(&path).and_then(|file| file.sync_all()).is_ok();
        let bytes = fs::read(&path)?;
        // The room is taken before the header is written: a shorter file has lost something.
        let whole = u64::try_from(bytes.len()).is_ok_and(|length| length == SEGMENT);
        found.files.push(path);
        last.generation = last.generation.max(found.add(&bytes, boot, synced && whole).unwrap_or(0));
    }
    Ok((found.judged(), last))
}

/// Reads the calls of one file; false when a part of it is damaged. A slot that was never written was never sent.
fn calls(bytes: &[u8], header: &Header, calls: &mut Vec<FoundCall>) -> bool {
    let mut readable = true;
    for slot in bytes.chunks_exact(SLOT).skip(1) {
        let (first, second) = slot.split_at(RESERVED);
        let reserved = match Recorded::read(first, header.generation) {
            Part::Whole(reserved) => reserved,
            Part::Empty => continue,
            Part::Damaged => {
                readable = false;
                continue;
            }
        };
        let settled = match Settled::read(second, header.generation) {
            Part::Whole(settled) => Some(settled),
            Part::Empty => None,
            Part::Damaged => {
                readable = false;
                None
            }
        };
        calls.push(FoundCall { epoch: header.epoch, reserved, settled });
    }
    readable
}
