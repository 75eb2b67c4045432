//! The bytes of a slot: what a call may cost, and what it was charged; little-endian, each part with its own checksum.

use crate::ledger::entries::Hold;
use louver_domain::budgets::BudgetKind;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, NodeId, RequestId};
use louver_domain::money::Money;
use louver_domain::prices::Terms;
use louver_domain::settlement::{Bound, Charge, Why};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};

/// A slot: the reservation, then the settlement.
pub(super) const SLOT: usize = 512;
pub(super) const RESERVED: usize = 384;
pub(super) const SETTLED: usize = SLOT - RESERVED;
/// The leases that one call can hold: five budgets on each of five levels are 25, of which no level has all.
pub const MAX_HOLDS: usize = 24;
const TEXT: usize = 64;

const HEADER_MAGIC: u32 = u32::from_le_bytes(*b"LVH1");
const RESERVED_MAGIC: u32 = u32::from_le_bytes(*b"LVR2");
const SETTLED_MAGIC: u32 = u32::from_le_bytes(*b"LVS2");

/// What a call may cost, and what its record will need.
#[derive(Clone, Debug)]
pub struct Reserved<'a> {
    /// The request.
    pub request_id: RequestId,
    /// Its key.
    pub key_id: KeyId,
    /// When it was admitted.
    pub at: Timestamp,
    /// What it may cost.
    pub bound: Bound,
    /// The version of the price.
    pub price_version: u32,
    /// The endpoint.
    pub endpoint: EndpointKind,
    /// The model; only the first 64 bytes are kept.
    pub model: &'a str,
    /// The model role; only the first 64 bytes are kept.
    pub role: &'a str,
    /// Whether a limit in the shadow would have refused it.
    pub would_refuse: bool,
    /// The leases it holds, at most [`MAX_HOLDS`].
    pub holds: &'a [Hold],
}

/// What a call was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The charge.
    pub charge: Charge,
    /// The status the client got.
    pub status: u16,
    /// Microseconds to the first byte.
    pub first_byte_micros: u64,
    /// Microseconds to the end.
    pub total_micros: u64,
    /// Whether the client left before the end.
    pub client_left: bool,
}

/// What a reservation says when it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The request.
    pub request_id: RequestId,
    /// Its key.
    pub key_id: KeyId,
    /// When it was admitted.
    pub at: Timestamp,
    /// What it may cost.
    pub bound: Bound,
    /// The version of the price.
    pub price_version: u32,
    /// The endpoint.
    pub endpoint: EndpointKind,
    /// The model.
    pub model: String,
    /// The model role; empty is none.
    pub role: String,
    /// Whether a limit in the shadow would have refused it.
    pub would_refuse: bool,
    /// The leases it held.
    pub holds: Vec<Hold>,
}

/// The first slot of a segment: whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) generation: u64,
    pub(super) node: NodeId,
    pub(super) epoch: i64,
    pub(super) boot: [u8; 16],
}

/// A part of a slot as found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<T> {
    /// Never written in this generation.
    Empty,
    /// Written whole.
    Whole(T),
    /// Written, and not readable.
    Damaged,
}

/// Writes fields one after another behind magic and checksum.
struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    fn new(magic: u32, generation: u64) -> Self {
        let mut writer = Self { bytes: [0; N], at: 0 };
        writer.put(&magic.to_le_bytes());
        writer.put(&[0; 4]);
        writer.put(&generation.to_le_bytes());
        writer
    }

    fn put(&mut self, field: &[u8]) {
        let end = self.at.saturating_add(field.len());
        if let Some(slot) = self.bytes.get_mut(self.at..end) {
            slot.copy_from_slice(field);
        }
        self.at = end;
    }

    fn number(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }

    fn units(&mut self, units: &Units) {
        units.named().iter().for_each(|(_, count)| self.number(*count));
    }

    fn text(&mut self, text: &str) {
        let cut = text.get(..text.floor_char_boundary(TEXT)).unwrap_or_default();
        let mut padded = [0; TEXT];
        padded.iter_mut().zip(cut.as_bytes()).for_each(|(to, from)| *to = *from);
        self.put(&padded);
    }

    fn finish(mut self) -> [u8; N] {
        let checksum = crc32fast::hash(self.bytes.get(8..).unwrap_or_default());
        if let Some(slot) = self.bytes.get_mut(4..8) {
            slot.copy_from_slice(&checksum.to_le_bytes());
        }
        self.bytes
    }
}

/// Reads them back.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Past magic and checksum, when both are right and the generation is the one asked for. Only zeros and what was
    /// written whole in another generation are empty: anything else was a record once, and may be again for somebody.
    fn open(bytes: &'a [u8], magic: u32, generation: Option<u64>) -> Part<Self> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Part::Empty;
        }
        let mut reader = Reader(bytes);
        let (Some(found), Some(checksum)) = (reader.take::<4>(), reader.take::<4>()) else {
            return Part::Damaged;
        };
        if u32::from_le_bytes(found) != magic || crc32fast::hash(reader.0) != u32::from_le_bytes(checksum) {
            return Part::Damaged;
        }
        let Some(of) = Reader(reader.0).take::<8>().map(u64::from_le_bytes) else { return Part::Damaged };
        if generation.is_some_and(|generation| generation != of) { Part::Empty } else { Part::Whole(reader) }
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// In the order of [`Units::named`].
    fn units(&mut self) -> Option<Units> {
        Some(Units {
            pages: self.number()?,
            annotated_pages: self.number()?,
            audio_seconds: self.number()?,
            characters: self.number()?,
            tool_calls: self.number()?,
        })
    }

    fn signed(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    /// An amount that was reserved or charged: none is below zero, and one that is would be money given back.
    fn money(&mut self) -> Option<Money> {
        self.signed().map(Money::from_nanos).filter(|money| *money >= Money::ZERO)
    }

    fn text(&mut self) -> Option<String> {
        let padded = self.take::<TEXT>()?;
        let end = padded.iter().position(|byte| *byte == 0).unwrap_or(TEXT);
        Some(String::from_utf8_lossy(padded.get(..end)?).into_owned())
    }
}

fn whole<T>(part: Part<Reader<'_>>, read: impl FnOnce(Reader<'_>) -> Option<T>) -> Part<T> {
    match part {
        Part::Whole(reader) => read(reader).map_or(Part::Damaged, Part::Whole),
        Part::Empty => Part::Empty,
        Part::Damaged => Part::Damaged,
    }
}

impl Header {
    pub(super) fn write(&self) -> [u8; SLOT] {
        let mut writer = Writer::new(HEADER_MAGIC, self.generation);
        writer.put(&self.node.bytes());
        writer.put(&self.epoch.to_le_bytes());
        writer.put(&self.boot);
        writer.finish()
    }

    pub(super) fn read(bytes: &[u8]) -> Part<Self> {
        whole(Reader::open(bytes, HEADER_MAGIC, None), |mut reader| {
            Some(Self {
                generation: reader.number()?,
                node: NodeId::from_bytes(reader.take()?),
                epoch: reader.signed()?,
                boot: reader.take()?,
            })
        })
    }
}

const KINDS: u32 = 8;

fn pack(hold: Hold) -> u32 {
    let kind = BudgetKind::ALL.iter().position(|kind| *kind == hold.kind).and_then(|k| u32::try_from(k).ok());
    hold.lease.wrapping_mul(KINDS) | kind.unwrap_or(0)
}

fn unpack(packed: u32) -> Option<Hold> {
    let kind = BudgetKind::ALL.get(usize::try_from(packed % KINDS).ok()?)?;
    Some(Hold { lease: packed / KINDS, kind: *kind })
}

impl Reserved<'_> {
    pub(super) fn write(&self, generation: u64) -> [u8; RESERVED] {
        let mut writer = Writer::new(RESERVED_MAGIC, generation);
        writer.put(&self.request_id.bytes());
        writer.put(&self.key_id.bytes());
        writer.put(&self.at.micros().to_le_bytes());
        writer.number(self.bound.input);
        writer.number(self.bound.output);
        writer.units(&self.bound.units);
        writer.put(&self.bound.cost.nanos().to_le_bytes());
        writer.number(self.bound.plausible);
        writer.put(&self.price_version.to_le_bytes());
        let holds = self.holds.get(..self.holds.len().min(MAX_HOLDS)).unwrap_or_default();
        let count = u8::try_from(holds.len()).unwrap_or(0);
        let terms = pack_terms(self.bound.terms);
        writer.put(&[self.endpoint.number(), u8::from(self.would_refuse), count, terms]);
        writer.text(self.model);
        writer.text(self.role);
        holds.iter().for_each(|hold| writer.put(&pack(*hold).to_le_bytes()));
        writer.finish()
    }
}

impl Recorded {
    pub(super) fn read(bytes: &[u8], generation: u64) -> Part<Self> {
        whole(Reader::open(bytes, RESERVED_MAGIC, Some(generation)), |mut reader| {
            reader.number()?;
            let (request_id, key_id) =
                (RequestId::from_bytes(reader.take()?), KeyId::from_bytes(reader.take()?));
            let at = Timestamp::from_micros(reader.signed()?);
            let mut bound = Bound {
                input: reader.number()?,
                output: reader.number()?,
                units: reader.units()?,
                terms: Terms::default(),
                cost: reader.money()?,
                plausible: reader.number()?,
            };
            let price_version = reader.take().map(u32::from_le_bytes)?;
            let [endpoint, would_refuse, count, terms] = reader.take()?;
            bound.terms = unpack_terms(terms);
            let (model, role) = (reader.text()?, reader.text()?);
            let holds = (0..count).map(|_| unpack(reader.take().map(u32::from_le_bytes)?));
            Some(Self {
                request_id,
                key_id,
                at,
                bound,
                price_version,
                endpoint: EndpointKind::from_number(endpoint)?,
                model,
                role,
                would_refuse: would_refuse != 0,
                holds: holds.collect::<Option<_>>()?,
            })
        })
    }
}

const WHYS: [Why; 6] = [Why::Metered, Why::Unknown, Why::Absurd, Why::Void, Why::Overrun, Why::Ahead];

/// The terms as bits of one byte.
fn pack_terms(terms: Terms) -> u8 {
    u8::from(terms.priority) | (u8::from(terms.batch) << 1) | (u8::from(terms.regional) << 2)
}

const fn unpack_terms(bits: u8) -> Terms {
    Terms { priority: bits & 1 != 0, batch: bits & 2 != 0, regional: bits & 4 != 0 }
}

impl Settled {
    pub(super) fn write(&self, generation: u64) -> [u8; SETTLED] {
        let mut writer = Writer::new(SETTLED_MAGIC, generation);
        let Charge { tokens, units, terms, cost, why } = self.charge;
        writer.number(tokens.input);
        writer.number(tokens.cached);
        writer.number(tokens.output);
        writer.units(&units);
        writer.put(&cost.nanos().to_le_bytes());
        writer.number(self.first_byte_micros);
        writer.number(self.total_micros);
        writer.put(&self.status.to_le_bytes());
        let why = WHYS.iter().position(|known| *known == why).and_then(|w| u8::try_from(w).ok());
        writer.put(&[why.unwrap_or(0), u8::from(self.client_left), pack_terms(terms)]);
        writer.finish()
    }

    pub(super) fn read(bytes: &[u8], generation: u64) -> Part<Self> {
        whole(Reader::open(bytes, SETTLED_MAGIC, Some(generation)), |mut reader| {
            reader.number()?;
            let tokens =
                Tokens { input: reader.number()?, cached: reader.number()?, output: reader.number()? };
            let units = reader.units()?;
            let cost = reader.money()?;
            let (first_byte_micros, total_micros) = (reader.number()?, reader.number()?);
            let status = reader.take().map(u16::from_le_bytes)?;
            let [why, client_left, terms] = reader.take()?;
            let (why, terms) = (*WHYS.get(usize::from(why))?, unpack_terms(terms));
            Some(Self {
                charge: Charge { tokens, units, terms, cost, why },
                status,
                first_byte_micros,
                total_micros,
                client_left: client_left != 0,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATION: u64 = 7;

    fn settled(cost: i64) -> Settled {
        let charge = Charge {
            tokens: Tokens { input: 1, cached: 0, output: 2 },
            units: Units { pages: 5, annotated_pages: 6, audio_seconds: 7, characters: 8, tool_calls: 9 },
            terms: Terms { priority: true, batch: false, regional: true },
            cost: Money::from_nanos(cost),
            why: Why::Metered,
        };
        Settled { charge, status: 200, first_byte_micros: 3, total_micros: 4, client_left: false }
    }

    #[test]
    fn only_zeros_and_older_generations_are_empty() {
        let bytes = settled(5).write(GENERATION);
        assert_eq!(Settled::read(&bytes, GENERATION), Part::Whole(settled(5)));
        assert_eq!(Settled::read(&bytes, GENERATION + 1), Part::Empty);
        assert_eq!(Settled::read(&[0; SETTLED], GENERATION), Part::Empty);
        for at in 0..SETTLED {
            let mut damaged = bytes;
            damaged[at] ^= 0x10;
            assert_eq!(Settled::read(&damaged, GENERATION), Part::Damaged, "byte {at}");
        }
    }

    #[test]
    fn no_charge_is_below_zero() {
        assert_eq!(Settled::read(&settled(-1).write(GENERATION), GENERATION), Part::Damaged);
        assert_eq!(Settled::read(&settled(0).write(GENERATION), GENERATION), Part::Whole(settled(0)));
    }
}
