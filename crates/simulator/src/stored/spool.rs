//! Bytes of any number: few are kept in memory, many in a file without a name.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Mutex, PoisonError},
};

use crate::prose::hash;

/// So many bytes are kept in memory, and read or hashed at once.
const BLOCK: usize = 1 << 20;

/// Bytes that were put away.
pub(crate) struct Spool {
    memory: Vec<u8>,
    file: Option<Mutex<File>>,
    length: u64,
    lines: u64,
    hash: u64,
}

/// Bytes as they are put away.
#[derive(Default)]
pub(crate) struct Writer {
    /// The last block, which is not full.
    block: Vec<u8>,
    file: Option<File>,
    length: u64,
    lines: u64,
    hash: u64,
    last: u8,
}

impl Writer {
    /// Puts more bytes behind those that are there.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = BLOCK.saturating_sub(self.block.len());
            if room == 0 {
                self.flush()?;
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.lines += memchr::memchr_iter(b'\n', now).count() as u64;
            self.length += now.len() as u64;
            self.last = now.last().copied().unwrap_or(self.last);
            self.block.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.write_all(&self.block)?;
        self.hash = hash(self.hash, &self.block);
        self.block.clear();
        Ok(())
    }

    /// All that was written.
    pub(crate) fn finish(mut self) -> io::Result<Spool> {
        if self.file.is_some() {
            self.flush()?;
        } else {
            self.hash = hash(self.hash, &self.block);
        }
        let open = self.length > 0 && self.last != b'\n';
        Ok(Spool {
            memory: self.block,
            file: self.file.map(Mutex::new),
            length: self.length,
            lines: self.lines + u64::from(open),
            hash: self.hash,
        })
    }
}

impl Spool {
    /// A spool of a few bytes.
    pub(crate) fn of(bytes: &[u8]) -> io::Result<Self> {
        let mut writer = Writer::default();
        writer.write(bytes)?;
        writer.finish()
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// How many lines there are, with a last one that does not end.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// A number that stands for the content.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// So many bytes from here on, or fewer where it ends before.
    pub(crate) fn read(&self, from: u64, length: u64) -> io::Result<Vec<u8>> {
        let length = length.min(self.length.saturating_sub(from));
        let Some(file) = &self.file else {
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            let end = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            return Ok(self.memory.get(from..end).unwrap_or_default().to_vec());
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// All bytes at once.
    pub(crate) fn all(&self) -> io::Result<Vec<u8>> {
        self.read(0, self.length)
    }

    /// The lines from this byte on, without their ends, each with the byte after it.
    pub(crate) fn each_line(&self, from: u64) -> Lines<'_> {
        Lines { spool: self, block: Vec::new(), at: 0, next: from }
    }
}

/// The lines of a spool.
pub(crate) struct Lines<'a> {
    spool: &'a Spool,
    block: Vec<u8>,
    /// Where in the block the next line begins.
    at: usize,
    /// The first byte behind the block.
    next: u64,
}

impl Iterator for Lines<'_> {
    type Item = io::Result<(Vec<u8>, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        loop {
            let rest = self.block.get(self.at..).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', rest) {
                line.extend_from_slice(rest.get(..end).unwrap_or_default());
                self.at += end + 1;
                return Some(Ok((line, self.after())));
            }
            line.extend_from_slice(rest);
            match self.spool.read(self.next, BLOCK as u64) {
                Err(error) => return Some(Err(error)),
                Ok(block) if block.is_empty() => {
                    self.block.clear();
                    self.at = 0;
                    return (!line.is_empty()).then_some(Ok((line, self.next)));
                }
                Ok(block) => {
                    self.next += block.len() as u64;
                    self.block = block;
                    self.at = 0;
                }
            }
        }
    }
}

impl Lines<'_> {
    fn after(&self) -> u64 {
        self.next.saturating_sub(self.block.len().saturating_sub(self.at) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_away_comes_back_from_memory_and_from_a_file() {
        for lines in [3, 400_000] {
            let mut writer = Writer::default();
            let mut text = Vec::new();
            for line in 0..lines {
                let line = format!("line {line}\n");
                writer.write(line.as_bytes()).unwrap();
                text.extend_from_slice(line.as_bytes());
            }
            writer.write(b"open").unwrap();
            text.extend_from_slice(b"open");
            let spool = writer.finish().unwrap();
            assert_eq!(spool.file.is_some(), lines > 3);
            assert_eq!((spool.length(), spool.lines()), (text.len() as u64, lines + 1));
            assert!(spool.all().unwrap() == text);
            assert_eq!(spool.hash(), Spool::of(&text).unwrap().hash());
            let read: Vec<_> = spool.each_line(0).map(Result::unwrap).collect();
            assert_eq!(read.len() as u64, lines + 1);
            assert_eq!(read[2].0, b"line 2");
            let (again, _) = spool.each_line(read[1].1).next().unwrap().unwrap();
            assert_eq!(again, b"line 2");
            assert_eq!(read.last().unwrap(), &(b"open".to_vec(), text.len() as u64));
        }
    }
}
