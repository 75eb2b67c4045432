//! A file on its way through: in memory while it is small, else in a file of this node's disk that has no name.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Bytes, BytesMut};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::spawn_blocking;

/// A file up to this size stays in memory; a larger one is written and read in pieces of it.
const PIECE: usize = 256 << 10;
/// How often another name is tried, when one is taken.
const NAMES: usize = 100;

/// Why a file cannot be set aside.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    #[error("there is no room for more files on their way")]
    Full,
    #[error("a file on its way cannot be kept: {0}")]
    Disk(#[from] io::Error),
}

/// Where the files of this node are set aside, and how much of it is in use.
pub(crate) struct Spools {
    folder: PathBuf,
    most: u64,
    used: AtomicU64,
    names: AtomicU64,
}

impl Spools {
    /// In that folder, no more than so many bytes at the same time.
    pub(crate) fn new(folder: PathBuf, most: u64) -> Arc<Self> {
        Arc::new(Self { folder, most, used: AtomicU64::new(0), names: AtomicU64::new(0) })
    }

    /// A new file that nobody else can open: its name is gone before anything is written.
    fn open(self: &Arc<Self>) -> io::Result<OnDisk> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        for _ in 0..NAMES {
            let number = self.names.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!("{}-{number}", std::process::id()));
            match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    std::fs::remove_file(&path)?;
                    return Ok(OnDisk { file, bytes: 0, spools: Arc::clone(self) });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// A file without a name; its room is free again when it is dropped.
struct OnDisk {
    file: File,
    bytes: u64,
    spools: Arc<Spools>,
}

impl OnDisk {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let used = self.spools.used.fetch_add(more, Ordering::Relaxed);
        self.bytes = self.bytes.saturating_add(more);
        if used.saturating_add(more) > self.spools.most {
            return Err(SpoolError::Full);
        }
        Ok(self.file.write_all(bytes)?)
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        self.spools.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A file that is being set aside.
pub(crate) struct Writer {
    buffer: BytesMut,
    written: Option<Written>,
}

/// What is written so far; it goes to a thread that may block, and comes back.
struct Written {
    spools: Arc<Spools>,
    digest: Context,
    disk: Option<OnDisk>,
}

impl Written {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.digest.update(bytes);
        let disk = match &mut self.disk {
            Some(disk) => disk,
            none => none.insert(self.spools.open()?),
        };
        disk.write(bytes)
    }
}

impl Writer {
    /// Nothing yet.
    pub(crate) fn new(spools: &Arc<Spools>) -> Self {
        let written = Written { spools: Arc::clone(spools), digest: Context::new(&SHA256), disk: None };
        Self { buffer: BytesMut::new(), written: Some(written) }
    }

    /// Takes the next bytes.
    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), SpoolError> {
        while !bytes.is_empty() {
            if self.buffer.len() >= PIECE {
                self.flush().await?;
            }
            let room = PIECE.saturating_sub(self.buffer.len());
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(part);
            bytes = rest;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SpoolError> {
        let broken = || SpoolError::Disk(io::Error::other("an earlier piece was lost"));
        let mut written = self.written.take().ok_or_else(broken)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let write = move || {
            written.write(&buffer)?;
            buffer.clear();
            Ok::<_, SpoolError>((written, buffer))
        };
        let (written, buffer) = spawn_blocking(write).await.map_err(io::Error::other)??;
        (self.written, self.buffer) = (Some(written), buffer);
        Ok(())
    }

    /// That was all.
    pub(crate) async fn finish(mut self) -> Result<Spool, SpoolError> {
        let on_disk = self.written.as_ref().is_some_and(|written| written.disk.is_some());
        if on_disk && !self.buffer.is_empty() {
            self.flush().await?;
        }
        let broken = || SpoolError::Disk(io::Error::other("an earlier piece was lost"));
        let Written { mut digest, disk, .. } = self.written.ok_or_else(broken)?;
        if disk.is_none() {
            digest.update(&self.buffer);
        }
        let digits: String = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let content = match disk {
            Some(disk) => Content::Disk(Arc::new(disk)),
            None => Content::Memory(self.buffer.freeze()),
        };
        Ok(Spool { content, sha256: digits.into() })
    }
}

/// A file that was set aside; it is gone when nobody has it any more.
#[derive(Clone)]
pub(crate) struct Spool {
    content: Content,
    sha256: Arc<str>,
}

#[derive(Clone)]
enum Content {
    Memory(Bytes),
    Disk(Arc<OnDisk>),
}

impl Spool {
    /// Its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Content::Disk(disk) => disk.bytes,
        }
    }

    /// Its SHA-256, in hexadecimal digits.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The next piece from there, if it is in memory: empty at the end.
    pub(crate) fn at_hand(&self, at: u64) -> Option<Bytes> {
        let Content::Memory(bytes) = &self.content else { return None };
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Some(bytes.slice(at..))
    }

    /// The next piece from there, no longer than `most`; empty at the end. It blocks. The piece lies in `buffer`, which
    /// serves for the next one when this one is gone: pieces that each take memory of their own, on whichever thread
    /// reads them, leave it lying about with all of these threads.
    fn read(&self, at: u64, most: usize, buffer: &mut BytesMut) -> io::Result<Bytes> {
        match &self.content {
            Content::Memory(_) => {
                let rest = self.at_hand(at).unwrap_or_default();
                Ok(rest.slice(..most.min(rest.len())))
            }
            Content::Disk(disk) => {
                let left = usize::try_from(disk.bytes.saturating_sub(at)).unwrap_or(usize::MAX);
                buffer.clear();
                buffer.resize(left.min(most), 0);
                disk.file.read_exact_at(buffer, at)?;
                Ok(buffer.split().freeze())
            }
        }
    }

    /// The next piece from there, as long as pieces are. It blocks. `buffer` is where it lies.
    pub(crate) fn piece(&self, at: u64, buffer: &mut BytesMut) -> io::Result<Bytes> {
        self.read(at, PIECE, buffer)
    }

    /// How the file begins.
    pub(crate) async fn start(&self, most: usize) -> io::Result<Bytes> {
        let spool = self.clone();
        let read = move || spool.read(0, most, &mut BytesMut::new());
        spawn_blocking(read).await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    async fn spooled(spools: &Arc<Spools>, length: usize, step: usize) -> Result<Spool, SpoolError> {
        let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut writer = Writer::new(spools);
        for piece in bytes.chunks(step) {
            writer.write(piece).await?;
        }
        writer.finish().await
    }

    #[test]
    fn a_file_reads_as_it_was_written_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let spools = Spools::new(folder.path().join("spool"), 10 << 20);
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 7] {
            let spool = block_on(spooled(&spools, length, 70_001)).unwrap();
            let (mut read, mut buffer) = (Vec::new(), BytesMut::new());
            let mut places = std::collections::HashSet::new();
            loop {
                let piece = spool.piece(read.len() as u64, &mut buffer).unwrap();
                if piece.is_empty() {
                    break;
                }
                places.insert(piece.as_ptr());
                read.extend_from_slice(&piece);
            }
            assert!(places.len() <= 1, "one buffer serves for all pieces: {places:?}");
            assert_eq!((read.len(), spool.length()), (length, length as u64));
            assert!(read.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at % 251));
            let digest = aws_lc_rs::digest::digest(&SHA256, &read);
            let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(spool.sha256(), digest);
            assert_eq!(spool.at_hand(0).is_some(), length <= PIECE, "{length}");
            assert_eq!(block_on(spool.start(9)).unwrap(), read[..length.min(9)]);
        }
        assert_eq!(spools.used.load(Ordering::Relaxed), 0, "the room is free again");
        assert_eq!(std::fs::read_dir(folder.path().join("spool")).unwrap().count(), 0, "no file has a name");
    }

    #[test]
    fn there_is_only_so_much_room() {
        let folder = tempfile::tempdir().unwrap();
        let spools = Spools::new(folder.path().to_owned(), 2 << 20);
        let first = block_on(spooled(&spools, 1 << 20, PIECE)).unwrap();
        assert!(matches!(block_on(spooled(&spools, (1 << 20) + 1, PIECE)), Err(SpoolError::Full)));
        let second = block_on(spooled(&spools, 1 << 20, PIECE)).unwrap();
        drop((first, second));
        assert!(block_on(spooled(&spools, 2 << 20, PIECE)).is_ok());
    }
}
