//! How long an audio file is at most, as far as its first bytes can be trusted to say.

/// How much of a file [`wav_seconds`] must see, in bytes; all of it when it is shorter.
pub const HEAD_BYTES: usize = 128 << 10;

/// The size that programs write which cannot go back to the header.
const UNKNOWN: u32 = u32::MAX;

/// Chunks that may stand between format and samples: no reader takes a rate from them.
const SILENT: [&[u8; 4]; 6] = [b"LIST", b"JUNK", b"PAD ", b"bext", b"PEAK", b"FLLR"];

/// The rest of the identifier of a sample format in an extensible header (`KSDATAFORMAT_SUBTYPE_…`).
const SUBTYPE: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// Starts of compressed frames that decoders look for in samples: IEC 61937, and DTS in its four orders. Such
/// a file plays longer than its samples would.
const HIDDEN: [[u8; 4]; 5] = [
    [0x72, 0xF8, 0x1F, 0x4E],
    [0x7F, 0xFE, 0x80, 0x01],
    [0xFE, 0x7F, 0x01, 0x80],
    [0x1F, 0xFF, 0xE8, 0x00],
    [0xFF, 0x1F, 0x00, 0xE8],
];

/// An upper bound of the duration of a RIFF/WAVE file of plain samples, in whole seconds, rounded up.
///
/// `head` is the start of the file, at least [`HEAD_BYTES`] of it or all; `total_len` is the length of the
/// whole file in bytes. The duration is that of all these bytes at the rate of the header, so no size in the
/// header shortens it.
///
/// `None` when it is no such file, or when anything in it is odd: numbers that contradict each other, data
/// behind the samples, samples that a decoder could take for a compressed stream. The caller then takes the
/// longest that its policy allows.
pub fn wav_seconds(head: &[u8], total_len: u64) -> Option<u64> {
    let seen = head.len() as u64;
    if seen > total_len || seen < total_len.min(HEAD_BYTES as u64) || hides_a_stream(head) {
        return None;
    }
    if tag(head, 0)? != b"RIFF" || tag(head, 8)? != b"WAVE" || tag(head, 12)? != b"fmt " {
        return None;
    }
    let size = u32_at(head, 16)?;
    let format = Format::read(head.get(20..)?, size)?;
    let known = ends_with_the_file(u32_at(head, 4)?, 8, total_len);
    let data = samples(head, 20_u64.checked_add(u64::from(size))?, total_len, &format)?;
    // Both sizes are right, or neither could be written.
    let sound = match (u32_at(head, 4)?, data.size) {
        (UNKNOWN, UNKNOWN) => true,
        (_, size) => known && ends_with_the_file(size, data.start, total_len),
    };
    sound.then(|| total_len.div_ceil(format.bytes_per_second).max(1))
}

struct Format {
    bytes_per_second: u64,
    bytes_per_frame: u64,
}

impl Format {
    /// Reads a format of `size` bytes at the start of `bytes`, and has every number agree with the others.
    fn read(bytes: &[u8], size: u32) -> Option<Self> {
        let (tag, channels) = (u16_at(bytes, 0)?, u64::from(u16_at(bytes, 2)?));
        let (rate, bytes_per_second) = (u64::from(u32_at(bytes, 4)?), u64::from(u32_at(bytes, 8)?));
        let (bytes_per_frame, bits) = (u64::from(u16_at(bytes, 12)?), u16_at(bytes, 14)?);
        let code = match (tag, size) {
            (1 | 3, 16) => tag,
            (1 | 3, 18) if u16_at(bytes, 16)? == 0 => tag,
            (0xFFFE, 40) if u16_at(bytes, 16)? == 22 => Self::extended(bytes, bits)?,
            _ => return None,
        };
        let plain = matches!((code, bits), (1, 8 | 16 | 24 | 32) | (3, 32 | 64));
        let usual = matches!(rate, 8_000..=192_000) && matches!(channels, 1..=8);
        let agrees = bytes_per_frame == channels.checked_mul(u64::from(bits / 8))?
            && bytes_per_second == rate.checked_mul(bytes_per_frame)?;
        (plain && usual && agrees).then_some(Self { bytes_per_second, bytes_per_frame })
    }

    /// The code of the samples in an extensible format.
    fn extended(bytes: &[u8], bits: u16) -> Option<u16> {
        let whole = u16_at(bytes, 18)? == bits && bytes.get(26..40)? == SUBTYPE;
        whole.then_some(u16_at(bytes, 24)?)
    }
}

/// Where the samples are: the size that is written for them, and where they start.
struct Samples {
    size: u32,
    start: u64,
}

/// Walks over the chunks from `at` to that of the samples.
fn samples(head: &[u8], mut at: u64, total_len: u64, format: &Format) -> Option<Samples> {
    loop {
        let here = usize::try_from(at).ok()?;
        let (name, size) = (tag(head, here)?, u32_at(head, here.checked_add(4)?)?);
        let start = at.checked_add(8)?;
        if name == b"data" {
            return Some(Samples { size, start });
        }
        if name == b"fact" {
            let frames = u64::from(u32_at(head, here.checked_add(8)?)?);
            if size != 4 || frames.checked_mul(format.bytes_per_frame)? > total_len {
                return None;
            }
        } else if !SILENT.contains(&name) {
            return None;
        }
        // Chunks begin at even places.
        at = start.checked_add(u64::from(size))?.checked_next_multiple_of(2)?;
    }
}

/// Whether `size` bytes from `start` are the rest of the file, but for the byte that makes an odd size even.
fn ends_with_the_file(size: u32, start: u64, total_len: u64) -> bool {
    let end = start.saturating_add(u64::from(size));
    end == total_len || (size % 2 == 1 && end.saturating_add(1) == total_len)
}

/// Whether a decoder could find something else than samples in the file.
fn hides_a_stream(head: &[u8]) -> bool {
    // A voice recorder's format wears a WAVE header, then zeros, and this byte (`act` in FFmpeg).
    let silent = head.get(44..256).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    (silent && head.get(256) == Some(&0x84))
        || HIDDEN.iter().any(|start| memchr::memmem::find(head, start).is_some())
}

fn tag(bytes: &[u8], at: usize) -> Option<&[u8; 4]> {
    bytes.get(at..)?.first_chunk()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    tag(bytes, at).copied().map(u32::from_le_bytes)
}
