//! How long audio lasts: by the header of a WAV file, by its bytes, or by what its address says.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

use crate::{
    prose::{Random, hash},
    route,
};

/// Bytes a second of what has no header: 16 bits, 16,000 times.
pub(crate) const BYTES: u64 = 32_000;
/// What lies at an address lasts no longer than this unless the address says so.
const LONG: u64 = 120;

/// The seconds of a file, rounded up, at least one.
pub(crate) fn seconds(file: &[u8]) -> u64 {
    let (bytes, rate) = wav(file).unwrap_or((file.len() as u64, BYTES));
    bytes.div_ceil(rate.max(1)).max(1)
}

/// The seconds of what lies at an address or under an id: what the query says, or any number.
pub(crate) fn seconds_at(address: &str) -> u64 {
    let said =
        address.split_once('?').and_then(|(_, query)| route::parameter(query, "seconds")?.parse().ok());
    said.unwrap_or_else(|| Random::of(&[hash(8, address.as_bytes())]).between(1, LONG)).max(1)
}

/// The seconds of an `input_audio`: an address, or base 64 alone or under `data`.
pub(crate) fn heard(audio: &Value) -> u64 {
    let text = audio.as_str().or_else(|| audio.get("data")?.as_str()).unwrap_or_default();
    if text.starts_with("http://") || text.starts_with("https://") {
        return seconds_at(text);
    }
    seconds(&decode(text).unwrap_or_default())
}

/// The tokens of so many seconds: twelve and a half each, rounded up.
pub(crate) fn tokens(seconds: u64) -> u64 {
    seconds.saturating_mul(25).div_ceil(2)
}

/// The bytes of a base 64 text or of a `data:` address, read leniently: blanks, either alphabet, padding or none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = if text.starts_with("data:") { text.split_once(',')?.1 } else { text };
    let plain = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    });
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(plain.collect::<Vec<u8>>()).ok()
}

/// The bytes of sound in a WAV file, and how many there are of them a second.
fn wav(file: &[u8]) -> Option<(u64, u64)> {
    let mut rest = file.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WAVE")?;
    let mut rate = None;
    loop {
        let (name, after) = rest.split_at_checked(4)?;
        let (size, content) = after.split_at_checked(4)?;
        let size = usize::try_from(u32::from_le_bytes(size.try_into().ok()?)).ok()?;
        match name {
            b"fmt " => {
                let word = content.get(8..12)?.try_into().ok()?;
                rate = Some(u64::from(u32::from_le_bytes(word)));
            }
            // A file that was written as it was recorded does not know its size.
            b"data" => return Some((size.min(content.len()) as u64, rate.filter(|rate| *rate > 0)?)),
            _ => {}
        }
        rest = content.get(size.saturating_add(size % 2)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A WAV file of so many bytes of sound at this rate, with a chunk of something else before.
    fn file(rate: u32, bytes: u32) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVElist\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0".to_vec();
        file.extend(rate.to_le_bytes());
        file.extend(b"\x02\0\x10\0data");
        file.extend(bytes.to_le_bytes());
        file.resize(file.len() + bytes as usize, 1);
        file
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(seconds(&file(16_000, 32_000)), 2);
        assert_eq!(seconds(&file(16_000, 32_001)), 3);
        assert_eq!(seconds(&file(0, 32_000)), 2, "no rate, so by its bytes and header");
        assert_eq!(seconds(&[0; 64_000]), 2);
        assert_eq!(seconds(b""), 1);
        assert_eq!(seconds_at("https://a.test/x.mp3?b=1&seconds=90"), 90);
        assert_eq!(tokens(203), 2538);
        assert_eq!(decode(" aGk "), decode("data:audio/wav;base64,aGk="));
    }
}
