//! The chain of an audit log: each record is hashed together with the hash before it, and a walk finds what was done to it.
//!
//! A hash is SHA-256 over a byte of version, the hash before, and every field of the record in a fixed order, each with
//! its length before it, so that no two records have the same bytes. The first record of an organization follows on 32
//! zero bytes.

use super::AuditRecord;
use super::checkpoint::Checkpoint;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;

#[cfg(test)]
mod tests;

const VERSION: u8 = 1;

/// A link of the chain: everything up to one record in 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first record follows on.
    pub const START: Self = Self([0; 32]);

    /// From its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        unhex(text).map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// So many bytes from twice as many hexadecimal digits.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.saturating_mul(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The hash of a record that follows on `previous`.
pub fn link(previous: Hash, record: &AuditRecord) -> Hash {
    let mut digest = Context::new(&SHA256);
    digest.update(&[VERSION]);
    digest.update(&previous.0);
    let mut field = |bytes: &[u8]| {
        digest.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(bytes);
    };
    field(&record.organization_id.bytes());
    field(&record.place.to_be_bytes());
    field(&record.id.bytes());
    field(&record.at.micros().to_be_bytes());
    for text in [
        &record.actor_kind,
        &record.identity,
        &record.actor_id,
        &record.actor_name,
        &record.event,
        &record.permission,
        &record.target_type,
        &record.target_id,
        &record.target_name,
        &record.outcome,
    ] {
        field(text.as_bytes());
    }
    let workspace = record.workspace_id.map(|id| id.bytes());
    let texts = [&record.before, &record.after, &record.request_id, &record.address];
    let texts = texts.map(|text| text.as_deref().map(str::as_bytes));
    for part in std::iter::once(workspace.as_ref().map(|id| id.as_slice())).chain(texts) {
        // Nothing is another thing than an empty text.
        field(&[u8::from(part.is_some())]);
        field(part.unwrap_or_default());
    }
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
    Hash(hash)
}

/// A record as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it says that it stands.
    pub place: u64,
    /// The hash that is stored with it; none when that cannot be read.
    pub hash: Option<Hash>,
    /// What it says; none when that cannot be read.
    pub record: Option<AuditRecord>,
}

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record is not what was written, or not where it was written.
    Changed,
    /// Records are missing before this place.
    Missing,
    /// A record stands where there is one already, or out of its order.
    Misplaced,
    /// The chain ends before this place, and once went on.
    CutTail,
    /// Records stand beyond the end of the chain, or before its beginning.
    Added,
    /// The chain was written anew, at the latest from here: it is not the one that a checkpoint signed.
    Rewritten,
    /// The end of the chain is not what was written down of it.
    WrongEnd,
    /// A checkpoint or a cut is not signed with the key.
    BadSignature,
    /// Something cannot be read.
    Unreadable,
}

impl Fault {
    /// Its name for scripts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Misplaced => "misplaced",
            Self::CutTail => "cut_tail",
            Self::Added => "added",
            Self::Rewritten => "rewritten",
            Self::WrongEnd => "wrong_end",
            Self::BadSignature => "bad_signature",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One fault, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub fault: Fault,
    /// The place in the chain.
    pub place: u64,
    /// The id of the record there, where there is one.
    pub id: Option<String>,
    /// A sentence for people.
    pub message: String,
}

/// A walk along a chain, from its start or from a cut, record by record. After a fault it goes on by what is stored, so
/// that each fault is told once.
#[derive(Debug)]
pub struct Walk {
    place: u64,
    /// The stored hash of the last record; none when it cannot be relied on.
    hash: Option<Hash>,
    /// Signed checkpoints that lie ahead, by place, the last one first.
    ahead: Vec<Checkpoint>,
    /// The place of the last checkpoint that agreed, or of the start.
    sure: u64,
    rewritten: bool,
    records: u64,
    findings: Vec<Finding>,
}

impl Walk {
    /// Begins after `place`, whose hash is `hash`. The checkpoints are of this chain and their signatures are good.
    pub fn from(place: u64, hash: Hash, mut checkpoints: Vec<Checkpoint>) -> Self {
        checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.place));
        let mut walk = Self {
            place,
            hash: Some(hash),
            ahead: checkpoints,
            sure: place,
            rewritten: false,
            records: 0,
            findings: Vec::new(),
        };
        // What was cut off cannot be compared any more.
        while walk.ahead.last().is_some_and(|next| next.place < place) {
            walk.ahead.pop();
        }
        walk.compare(place, Some(hash), None);
        walk
    }

    /// Goes on to the next record.
    pub fn step(&mut self, found: &Found) {
        self.records = self.records.saturating_add(1);
        let id = found.record.as_ref().map(|record| record.id.to_string());
        let expected = self.place.saturating_add(1);
        if found.place < expected {
            let message =
                format!("a record stands after place {} and says it is at {}", self.place, found.place);
            return self.tell(Fault::Misplaced, found.place, id, message);
        }
        if found.place > expected {
            let last = found.place.saturating_sub(1);
            let message = match last == expected {
                true => String::from("the record of this place is missing"),
                false => format!("the records of the places {expected} to {last} are missing"),
            };
            self.tell(Fault::Missing, expected, None, message);
            self.hash = None;
        }
        match (&found.record, found.hash) {
            (Some(record), Some(hash)) => {
                if self.hash.is_some_and(|previous| link(previous, record) != hash) {
                    let message =
                        "the record is not what was written here: it, its place or its hash was changed";
                    self.tell(Fault::Changed, found.place, id.clone(), message.into());
                }
            }
            (_, _) => {
                self.tell(Fault::Unreadable, found.place, id.clone(), "the record cannot be read".into())
            }
        }
        (self.place, self.hash) = (found.place, found.hash);
        self.compare(found.place, found.hash, id);
    }

    /// Compares with the checkpoints up to that place.
    fn compare(&mut self, place: u64, hash: Option<Hash>, id: Option<String>) {
        while let Some(next) = self.ahead.pop_if(|next| next.place <= place) {
            if next.place < place {
                continue; // Its record is missing, which was told.
            }
            if hash == Some(next.hash) {
                self.sure = place;
            } else if !self.rewritten {
                self.rewritten = true;
                let message = format!(
                    "the checkpoint of {} signed another chain: it was written anew from a place after {} on",
                    next.at.rfc3339(),
                    self.sure
                );
                self.tell(Fault::Rewritten, place, id.clone(), message);
            }
        }
    }

    /// Ends where no more records are; `end` is what was written down of the end of the chain.
    pub fn finish(mut self, end: Option<(u64, Hash)>) -> Walked {
        let place = self.place;
        let signed = self.ahead.iter().map(|next| next.place).max();
        let known = end.map(|(place, _)| place).into_iter().chain(signed).max().unwrap_or(place);
        if known > place {
            let first = place.saturating_add(1);
            let message =
                format!("the chain ends at place {place}, and once went on to {known}: its tail was cut off");
            self.tell(Fault::CutTail, first, None, message);
        } else if end.is_none() && self.records > 0 {
            self.tell(
                Fault::WrongEnd,
                place,
                None,
                "what was written down of the chain's end is gone".into(),
            );
        }
        if let Some((end, hash)) = end {
            if end < place {
                let first = end.saturating_add(1);
                let message = format!("the chain ends at place {end}, and records stand beyond it");
                self.tell(Fault::Added, first, None, message);
            } else if end == place && self.hash.is_some_and(|last| last != hash) {
                self.tell(
                    Fault::WrongEnd,
                    place,
                    None,
                    "the last record is not the one that was written last".into(),
                );
            }
        }
        Walked { place, hash: self.hash, records: self.records, findings: self.findings }
    }

    /// Ends in the middle, as a file does that was taken out of a chain.
    pub fn leave(self) -> Walked {
        Walked { place: self.place, hash: self.hash, records: self.records, findings: self.findings }
    }

    /// Adds a fault that was seen from outside.
    pub fn tell(&mut self, fault: Fault, place: u64, id: Option<String>, message: String) {
        self.findings.push(Finding { fault, place, id, message });
    }
}

/// What a walk found.
#[derive(Clone, Debug)]
pub struct Walked {
    /// The place of the last record.
    pub place: u64,
    /// Its stored hash.
    pub hash: Option<Hash>,
    /// How many records there were.
    pub records: u64,
    /// What is wrong, in the order of the walk.
    pub findings: Vec<Finding>,
}
