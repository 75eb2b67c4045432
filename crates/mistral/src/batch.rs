//! Batches: files and lists of requests, read strictly line by line, and what is known of them without keeping them.
//!
//! A file is read when it is uploaded, before anything goes upstream. Which endpoint its lines are for is said only by
//! the job that names the file: each line is read as a request to every endpoint that it can be for, and what the lines
//! could cost is summed up for each.

mod job;
mod line;
mod lines;
mod output;
mod summary;

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::request::RequestError;

pub use job::{Job, MARK, read as read_job};
pub use line::ENDPOINTS;
pub use lines::Lines;
pub use output::{OutputLine, read as read_output};
pub use summary::{Class, Named, Peaks, Summary, Sums};

use line::Line;

/// The largest file of a batch, in bytes.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// The most requests of a file.
pub const MOST_LINES: u64 = 1_000_000;
/// The longest line, in bytes, without its end.
pub const LONGEST_LINE: usize = 1024 * 1024;
/// The most requests that a job brings along itself.
pub const MOST_INLINE: u64 = 10_000;

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// More bytes than [`MOST_BYTES`].
    #[error("the file of a batch has at most {MOST_BYTES} bytes")]
    TooLarge,
    /// More lines than [`MOST_LINES`].
    #[error("the file of a batch has at most {MOST_LINES} lines")]
    TooManyLines,
    /// Nothing in it.
    #[error("the batch has no requests")]
    Empty,
    /// A line of more than [`LONGEST_LINE`] bytes; lines count from 1.
    #[error("line {line} is longer than {LONGEST_LINE} bytes")]
    LineTooLong {
        /// Which.
        line: u64,
    },
    /// A line with nothing on it.
    #[error("line {line} is empty")]
    Blank {
        /// Which.
        line: u64,
    },
    /// A line that is no request in the right frame.
    #[error("line {line}: {what}")]
    Frame {
        /// Which.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A line whose body is no request that can be made in a batch.
    #[error("line {line} cannot be a request")]
    Request {
        /// Which.
        line: u64,
        /// Why.
        error: RequestError,
    },
    /// A line whose `custom_id` an earlier one has.
    #[error("the custom_id of line {line} is there twice")]
    Twice {
        /// Which.
        line: u64,
    },
    /// A line whose model is not known, or may not be used.
    #[error("the model of line {line} is not known")]
    Model {
        /// Which.
        line: u64,
    },
    /// So many kinds of requests, or so many objects named, that they are not kept in mind.
    #[error("the lines are of too many kinds, or name too many objects")]
    TooVaried,
}

/// What the names in lines stand for.
pub trait Names {
    /// The pinned id of a model's name; `None` refuses the line.
    fn pinned(&self, model: &str) -> Option<String>;
    /// What goes upstream for the name that a client gave to its cached prompts.
    fn cache(&self, given: &str) -> String;
}

impl<N: Names> Names for &N {
    fn pinned(&self, model: &str) -> Option<String> {
        (*self).pinned(model)
    }

    fn cache(&self, given: &str) -> String {
        (*self).cache(given)
    }
}

/// Reads the content of a batch's file in pieces, cut anywhere, and writes it anew: each line as a call of its own would
/// go upstream.
pub struct Content<N> {
    lines: Lines,
    reading: Reading<N>,
}

/// What has been read of a batch.
struct Reading<N> {
    names: N,
    summary: Summary,
    /// A file of a million ids is not kept; their keyed hashes are.
    ids: HashSet<u64>,
    hasher: RandomState,
}

impl<N: Names> Content<N> {
    /// A reader.
    pub fn new(names: N) -> Self {
        Self { lines: Lines::new(LONGEST_LINE), reading: Reading::new(names) }
    }

    /// Takes the next bytes, and adds to `out` what goes upstream for the lines that are whole now.
    ///
    /// # Errors
    /// See [`BatchError`]; what comes after an error means nothing.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let reading = &mut self.reading;
        reading.summary.bytes = reading.summary.bytes.saturating_add(bytes.len() as u64);
        if reading.summary.bytes > MOST_BYTES {
            return Err(BatchError::TooLarge);
        }
        self.lines.feed(bytes, |line| reading.file_line(line, out))
    }

    /// The end of the file.
    ///
    /// # Errors
    /// See [`BatchError`].
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<Summary, BatchError> {
        let reading = &mut self.reading;
        self.lines.finish(|line| reading.file_line(line, out))?;
        self.reading.finish()
    }
}

impl<N: Names> Reading<N> {
    fn new(names: N) -> Self {
        Self { names, summary: Summary::default(), ids: HashSet::new(), hasher: RandomState::new() }
    }

    fn file_line(&mut self, line: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), BatchError> {
        let number = self.summary.lines.saturating_add(1);
        if number > MOST_LINES {
            return Err(BatchError::TooManyLines);
        }
        let bytes = line.ok_or(BatchError::LineTooLong { line: number })?;
        self.line(bytes, out)?;
        out.push(b'\n');
        Ok(())
    }

    /// Reads one request in its frame, and writes it to `out`.
    fn line(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
        let number = self.summary.lines.saturating_add(1);
        if bytes.trim_ascii().is_empty() {
            return Err(BatchError::Blank { line: number });
        }
        let mut line = Line::read(bytes, number)?;
        if !self.ids.insert(self.hasher.hash_one(&line.custom_id)) {
            return Err(BatchError::Twice { line: number });
        }
        let pinned = match &line.model {
            None => None,
            Some(name) => Some(self.names.pinned(name).ok_or(BatchError::Model { line: number })?),
        };
        line.write(bytes, pinned.as_deref(), &self.names, out);
        self.summary.add(&line.requests, pinned.as_deref())
    }

    fn finish(self) -> Result<Summary, BatchError> {
        if self.summary.lines == 0 { Err(BatchError::Empty) } else { Ok(self.summary) }
    }
}
