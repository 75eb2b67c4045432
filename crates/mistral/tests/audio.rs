//! Durations of WAVE files: bounded where every number agrees, and unknown where one does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use louver_mistral::audio::{HEAD_BYTES, wav_seconds};
use proptest::prelude::*;

/// A WAVE file; each test breaks one thing of it.
#[derive(Clone)]
struct Wave {
    format: Vec<u8>,
    before: Vec<u8>,
    data: Vec<u8>,
    behind: Vec<u8>,
    riff_size: Option<u32>,
    data_size: Option<u32>,
}

fn format(code: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let frame = channels * (bits / 8);
    let mut bytes = [code.to_le_bytes(), channels.to_le_bytes()].concat();
    bytes.extend([rate.to_le_bytes(), (rate * u32::from(frame)).to_le_bytes()].concat());
    bytes.extend([frame.to_le_bytes(), bits.to_le_bytes()].concat());
    bytes
}

fn chunk(name: &[u8; 4], body: &[u8], size: Option<u32>) -> Vec<u8> {
    let size = size.unwrap_or(body.len() as u32).to_le_bytes();
    let pad = &[0][..body.len() % 2];
    [name, &size[..], body, pad].concat()
}

impl Wave {
    /// 16 bits, mono, 16 kHz.
    fn of(samples: usize) -> Self {
        Self {
            format: format(1, 1, 16_000, 16),
            before: Vec::new(),
            data: vec![7; samples * 2],
            behind: Vec::new(),
            riff_size: None,
            data_size: None,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let chunks = [
            chunk(b"fmt ", &self.format, None),
            self.before.clone(),
            chunk(b"data", &self.data, self.data_size),
            self.behind.clone(),
        ];
        let body = [&b"WAVE"[..], &chunks.concat()].concat();
        chunk(b"RIFF", &body, self.riff_size)
    }

    fn seconds(&self) -> Option<u64> {
        let bytes = self.bytes();
        wav_seconds(&bytes[..bytes.len().min(HEAD_BYTES)], bytes.len() as u64)
    }
}

fn with(change: impl FnOnce(&mut Wave)) -> Option<u64> {
    let mut wave = Wave::of(16_000);
    change(&mut wave);
    wave.seconds()
}

fn extensible(code: u16, bits: u16, valid: u16) -> Vec<u8> {
    let guid = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
    let more = [22_u16.to_le_bytes(), valid.to_le_bytes(), [4, 0], [0, 0], code.to_le_bytes()].concat();
    [format(0xFFFE, 1, 16_000, bits), more, guid.to_vec()].concat()
}

#[test]
fn durations_are_rounded_up_over_the_whole_file() {
    // The header of 44 bytes counts as 22 samples.
    for (samples, seconds) in [(0, 1), (1, 1), (15_978, 1), (15_979, 2), (16_000, 2), (160_000, 11)] {
        assert_eq!(Wave::of(samples).seconds(), Some(seconds), "{samples}");
    }
    let long = Wave::of(16_000 * 60);
    assert!(long.bytes().len() > HEAD_BYTES);
    assert_eq!(long.seconds(), Some(61));
}

#[test]
fn plain_formats_are_read() {
    for wave_format in [
        format(1, 1, 16_000, 16),
        format(1, 2, 44_100, 24),
        format(1, 8, 192_000, 32),
        format(1, 1, 8_000, 8),
        format(3, 1, 16_000, 32),
        format(3, 2, 48_000, 64),
        [format(1, 1, 16_000, 16), vec![0, 0]].concat(),
        extensible(1, 16, 16),
        extensible(3, 32, 32),
    ] {
        assert!(with(|wave| wave.format = wave_format.clone()).is_some(), "{wave_format:?}");
    }
    let list = [chunk(b"LIST", b"INFOx", None), chunk(b"fact", &16_000_u32.to_le_bytes(), None)].concat();
    assert_eq!(with(|wave| wave.before = list), Some(2));
    // As programs write that cannot seek.
    let unknown = with(|wave| (wave.riff_size, wave.data_size) = (Some(u32::MAX), Some(u32::MAX)));
    assert_eq!(unknown, Some(2));
    assert_eq!(with(|wave| wave.data = vec![7; 3]), Some(1));
}

#[test]
fn formats_with_a_number_that_does_not_agree_are_unknown() {
    let sound = format(1, 1, 16_000, 16);
    for at in 0..sound.len() {
        for bit in 0..8 {
            let mut odd = sound.clone();
            odd[at] ^= 1 << bit;
            assert_eq!(with(|wave| wave.format = odd), None, "bit {bit} of byte {at}");
        }
    }
    for odd in [
        format(1, 0, 16_000, 16),
        format(1, 9, 16_000, 16),
        format(1, 1, 0, 16),
        format(1, 1, 7_999, 16),
        format(1, 1, 192_001, 16),
        format(1, 1, 16_000, 12),
        format(1, 1, 16_000, 0),
        format(1, 1, 16_000, 64),
        format(3, 1, 16_000, 16),
        format(2, 1, 16_000, 16),
        format(6, 1, 16_000, 8),
        format(0x55, 1, 16_000, 16),
        [sound.clone(), vec![1, 0]].concat(),
        [sound.clone(), vec![0]].concat(),
        sound[..14].to_vec(),
        extensible(1, 16, 8),
        extensible(2, 16, 16),
        extensible(1, 16, 16)[..38].to_vec(),
        [&extensible(1, 16, 16)[..39], &[0]].concat(),
    ] {
        assert_eq!(with(|wave| wave.format = odd.clone()), None, "{odd:?}");
    }
}

#[test]
fn files_with_odd_chunks_are_unknown() {
    let slow = chunk(b"fmt ", &format(1, 1, 8_000, 8), None);
    assert_eq!(with(|wave| wave.before = slow.clone()), None, "two formats");
    assert_eq!(with(|wave| wave.behind = slow), None, "a format behind the samples");
    assert_eq!(with(|wave| wave.behind = chunk(b"LIST", b"INFO", None)), None, "a list behind the samples");
    assert_eq!(with(|wave| wave.before = chunk(b"ds64", &[0; 28], None)), None, "64-bit sizes");
    assert_eq!(with(|wave| wave.before = chunk(b"fact", &[0xFF; 4], None)), None, "too many frames");
    assert_eq!(with(|wave| wave.before = chunk(b"fact", &[0; 8], None)), None, "a long fact");
    assert_eq!(with(|wave| wave.before = chunk(b"LIST", b"", Some(u32::MAX))), None, "a chunk without end");
    for size in [0, 1, 2, 31_998, 32_001, 32_002, u32::MAX] {
        assert_eq!(with(|wave| wave.data_size = Some(size)), None, "samples of {size} bytes");
        assert_eq!(with(|wave| wave.riff_size = Some(size)), None, "a file of {size} bytes");
    }
    let sound = Wave::of(16_000).bytes();
    for (at, tag) in [(0, b"RIFX"), (0, b"RF64"), (0, b"ID3\x04"), (8, b"AVI "), (12, b"JUNK"), (36, b"dat4")]
    {
        let mut odd = sound.clone();
        odd[at..at + 4].copy_from_slice(tag);
        assert_eq!(wav_seconds(&odd, odd.len() as u64), None, "{tag:?}");
    }
}

#[test]
fn files_that_hide_a_compressed_stream_are_unknown() {
    for start in [
        [0x72, 0xF8, 0x1F, 0x4E],
        [0x7F, 0xFE, 0x80, 0x01],
        [0xFE, 0x7F, 0x01, 0x80],
        [0x1F, 0xFF, 0xE8, 0x00],
        [0xFF, 0x1F, 0x00, 0xE8],
    ] {
        assert_eq!(with(|wave| wave.data[5..9].copy_from_slice(&start)), None, "{start:?}");
    }
    let quiet = |mark| {
        with(|wave| {
            wave.data.fill(0);
            wave.data[256 - 44] = mark;
        })
    };
    assert_eq!((quiet(0), quiet(0x84)), (Some(2), None));
}

#[test]
fn too_little_of_a_file_is_unknown() {
    let sound = Wave::of(100_000).bytes();
    let total = sound.len() as u64;
    assert_eq!(wav_seconds(&sound[..HEAD_BYTES], total), Some(7));
    assert_eq!(wav_seconds(&sound[..HEAD_BYTES - 1], total), None);
    assert_eq!(wav_seconds(&sound, total - 1), None);
    let short = Wave::of(10).bytes();
    for end in 0..short.len() {
        assert_eq!(wav_seconds(&short[..end], short.len() as u64), None);
        assert_eq!(wav_seconds(&short[..end], end as u64), None);
    }
}

proptest! {
    /// Whatever is changed in a header: no bound is below what the samples last at the rate that stands there.
    #[test]
    fn no_change_of_the_header_shortens_a_file(
        changes in prop::collection::vec((0_usize..44, any::<u8>()), 0..4),
    ) {
        let mut bytes = Wave::of(40_000).bytes();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if let Some(seconds) = wav_seconds(&bytes, bytes.len() as u64) {
            let word = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
            let frame = u64::from(bytes[22]) * u64::from(bytes[34]) / 8;
            prop_assert!(seconds * word(24) * frame >= 80_000);
        }
    }

    #[test]
    fn no_bytes_break_the_reader(junk in prop::collection::vec(any::<u8>(), 0..100), total: u64) {
        let _ = wav_seconds(&junk, total);
        let _ = wav_seconds(&[b"RIFF\0\0\0\0WAVEfmt ", &junk[..]].concat(), junk.len() as u64 + 16);
    }
}
