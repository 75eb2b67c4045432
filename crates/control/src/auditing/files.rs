//! Checks files that the audit log was handed out in: an export line by line, and the checkpoints that a sink kept.

use super::lines::{Line, read};
use louver_domain::audit::chain::{Fault, Finding, Found, Hash, Walk, link};
use louver_domain::audit::checkpoint::{Checkpoint, PublicKey, Signed, Word};
use louver_domain::id::OrganizationId;
use louver_store::audit::query::Exported;
use std::io::{BufRead, Error};

/// The checkpoints of a sink's file, and the numbers of the lines that are none. Lines of syslog are read too: what stands
/// before the first brace is the server's.
pub fn checkpoints(file: impl BufRead) -> Result<(Vec<Signed>, Vec<usize>), Error> {
    let (mut found, mut unread) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(file.lines()) {
        let line = line?;
        let json = line.find('{').and_then(|at| line.get(at..)).unwrap_or_default();
        match read(json) {
            Some(Line::Said(Word::Checkpoint, signed)) => found.push(signed),
            _ if line.trim().is_empty() => {}
            Some(Line::Said(Word::Cut, _) | Line::Event(_)) | None => unread.push(number),
        }
    }
    Ok((found, unread))
}

/// What was found of an export.
#[derive(Debug)]
pub struct Checked {
    /// Whose log it is of; none when it has no line that tells.
    pub organization: Option<OrganizationId>,
    /// How many records it has.
    pub records: u64,
    /// How many checkpoints and cuts were good.
    pub signed: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Checks an export. A whole one must be a chain from its beginning or its cut, a part of one only has to hold records
/// that each fit the hash before them. `outside` are checkpoints that were kept elsewhere.
pub fn export(
    file: impl BufRead,
    key: &PublicKey,
    outside: &[Signed],
    is_part: bool,
) -> Result<Checked, Error> {
    let mut reading = Reading { is_part, ..Reading::new(key, outside) };
    for (number, line) in (1..).zip(file.lines()) {
        reading.line(number, &line?);
    }
    Ok(reading.end())
}

struct Reading<'a> {
    key: &'a PublicKey,
    outside: &'a [Signed],
    is_part: bool,
    organization: Option<OrganizationId>,
    start: (u64, Hash),
    walk: Option<Walk>,
    /// The stored hash of the last record.
    last: Option<(u64, Hash)>,
    /// The place of the last checkpoint that the file holds.
    ended: Option<u64>,
    records: u64,
    signed: u64,
    findings: Vec<Finding>,
}

impl<'a> Reading<'a> {
    const fn new(key: &'a PublicKey, outside: &'a [Signed]) -> Self {
        Self {
            key,
            outside,
            is_part: false,
            organization: None,
            start: (0, Hash::START),
            walk: None,
            last: None,
            ended: None,
            records: 0,
            signed: 0,
            findings: Vec::new(),
        }
    }

    fn tell(&mut self, fault: Fault, place: u64, id: Option<String>, message: String) {
        self.findings.push(Finding { fault, place, id, message });
    }

    fn line(&mut self, number: u64, text: &str) {
        match read(text) {
            Some(Line::Event(event)) => self.event(*event),
            Some(Line::Said(word, signed)) => self.said(word, &signed),
            None => self.tell(Fault::Unreadable, 0, None, format!("line {number} cannot be read")),
        }
    }

    fn said(&mut self, word: Word, signed: &Signed) {
        let Checkpoint { organization_id, place, hash, .. } = signed.checkpoint;
        if !self.key.accepts(word, signed) {
            return self.tell(
                Fault::BadSignature,
                place,
                None,
                "a checkpoint or cut is not signed with the key".into(),
            );
        }
        self.signed = self.signed.saturating_add(1);
        if *self.organization.get_or_insert(organization_id) != organization_id {
            return self.tell(
                Fault::Misplaced,
                place,
                None,
                "a checkpoint is of another organization".into(),
            );
        }
        match word {
            Word::Cut if self.walk.is_none() => self.start = (place, hash),
            Word::Cut => self.tell(Fault::Misplaced, place, None, "a cut stands after records".into()),
            Word::Checkpoint if self.is_part => {}
            Word::Checkpoint => self.compare(place, hash),
        }
    }

    /// A checkpoint in the file is of what stands before it.
    fn compare(&mut self, place: u64, hash: Hash) {
        self.ended = Some(place);
        match self.last {
            Some((last, known)) if last == place && known != hash => {
                self.tell(Fault::Rewritten, place, None, "the checkpoint signed another chain".into());
            }
            Some((last, _)) if last >= place => {}
            _ if self.start.0 >= place => {}
            _ => self.tell(
                Fault::CutTail,
                place,
                None,
                format!("the records up to place {place} are not all there"),
            ),
        }
    }

    fn event(&mut self, event: Exported) {
        self.records = self.records.saturating_add(1);
        let Exported { record, previous, hash } = event;
        let (place, id) = (record.place, Some(record.id.to_string()));
        if *self.organization.get_or_insert(record.organization_id) != record.organization_id {
            return self.tell(Fault::Misplaced, place, id, "a record is of another organization".into());
        }
        if self.is_part {
            return self.part(Exported { record, previous, hash });
        }
        let organization = self.organization;
        let (start, outside, key) = (self.start, self.outside, self.key);
        let walk = self.walk.get_or_insert_with(|| {
            let good = outside.iter().filter(|signed| key.accepts(Word::Checkpoint, signed));
            let own = good.map(|signed| signed.checkpoint);
            Walk::from(
                start.0,
                start.1,
                own.filter(|one| Some(one.organization_id) == organization).collect(),
            )
        });
        walk.step(&Found { place, hash: Some(hash), record: Some(record) });
        self.last = Some((place, hash));
    }

    fn part(&mut self, event: Exported) {
        let Exported { record, previous, hash } = event;
        let (place, id) = (record.place, Some(record.id.to_string()));
        match (previous, self.last) {
            (_, Some((last, _))) if last >= place => {
                self.tell(Fault::Misplaced, place, id, "the records are not in order".into());
            }
            (Some(previous), _) if link(previous, &record) != hash => {
                self.tell(Fault::Changed, place, id, "the record is not what was written here".into());
            }
            (Some(previous), Some((last, known))) if last.saturating_add(1) == place && previous != known => {
                self.tell(
                    Fault::Changed,
                    place,
                    id,
                    "the record does not follow on the one before it".into(),
                );
            }
            (None, _) => {
                self.tell(Fault::Unreadable, place, id, "the hash before the record is not told".into())
            }
            (Some(_), _) => {}
        }
        self.last = Some((place, hash));
    }

    fn end(mut self) -> Checked {
        for signed in self.outside {
            if !self.key.accepts(Word::Checkpoint, signed) {
                let place = signed.checkpoint.place;
                self.findings.push(Finding {
                    fault: Fault::BadSignature,
                    place,
                    id: None,
                    message: "a checkpoint that was kept outside is not signed with the key".into(),
                });
            }
        }
        if !self.is_part && (self.ended.is_none() || self.ended != self.last.map(|(place, _)| place)) {
            let place = self.last.map_or(0, |(place, _)| place);
            let message =
                "the file does not end with a signed checkpoint of its last record: its tail may be cut off";
            self.tell(Fault::CutTail, place.saturating_add(1), None, message.into());
        }
        if let Some(walk) = self.walk {
            // What was kept outside may be newer than the export.
            self.findings.extend(walk.leave().findings);
        }
        self.findings.sort_by_key(|finding| finding.place);
        Checked {
            organization: self.organization,
            records: self.records,
            signed: self.signed,
            findings: self.findings,
        }
    }
}
