//! JSON string literals: where they end, how long they are decoded, what they say.

use std::borrow::Cow;

use super::fault::Fault;

/// A checked JSON string literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    pub(crate) literal: &'a str,
    pub(crate) decoded_len: usize,
    pub(crate) escaped: bool,
}

impl<'a> Text<'a> {
    /// The bytes between the quotes, escapes as written.
    pub fn raw(&self) -> &'a str {
        self.literal.get(1..self.literal.len().saturating_sub(1)).unwrap_or_default()
    }

    /// UTF-8 length of the value after unescaping.
    pub const fn decoded_len(&self) -> usize {
        self.decoded_len
    }

    /// The value; borrowed unless something was escaped.
    pub fn decoded(&self) -> Cow<'a, str> {
        if self.escaped {
            // The literal was checked against the same grammar, so this does not fail.
            Cow::Owned(serde_json::from_str(self.literal).unwrap_or_default())
        } else {
            Cow::Borrowed(self.raw())
        }
    }
}

/// Where a string body ends.
pub(crate) struct Body {
    /// Index of the closing quote.
    pub(crate) close: usize,
    /// UTF-8 length after unescaping.
    pub(crate) decoded_len: usize,
    /// Whether there was any escape.
    pub(crate) escaped: bool,
}

/// Checks a string body that starts at `from`, just behind the opening quote.
pub(crate) fn body(bytes: &[u8], from: usize) -> Result<Body, Fault> {
    let mut at = from;
    let mut saved = 0_usize;
    loop {
        at = at.saturating_add(plain_run(bytes.get(at..).unwrap_or_default()));
        match bytes.get(at) {
            Some(b'"') => {
                let decoded_len = at.saturating_sub(from).saturating_sub(saved);
                return Ok(Body { close: at, decoded_len, escaped: saved > 0 });
            }
            Some(b'\\') => {
                let (written, decoded) = escape(bytes, at)?;
                saved = saved.saturating_add(written.saturating_sub(decoded));
                at = at.saturating_add(written);
            }
            Some(_) => return Err(Fault::syntax(at, "a control character in a string must be escaped")),
            None => return Err(Fault::syntax(at, "the document ends inside a string")),
        }
    }
}

/// Length of the prefix without quote, backslash or control character.
#[inline]
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    const LANES: usize = 32;
    let (words, _) = bytes.as_chunks::<8>();
    let mut at = 0_usize;
    // Keys and short values end within the first words; long ones go by blocks.
    for word in words.iter().take(2) {
        if let Some(found) = special_in(*word) {
            return at.wrapping_add(found);
        }
        at = at.wrapping_add(8);
    }
    let (blocks, _) = bytes.get(at..).unwrap_or_default().as_chunks::<LANES>();
    at = at.wrapping_add(blocks.iter().take_while(|block| !has_special(block)).count().wrapping_mul(LANES));
    let (words, tail) = bytes.get(at..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        if let Some(found) = special_in(*word) {
            return at.wrapping_add(found);
        }
        at = at.wrapping_add(8);
    }
    let rest = tail.iter().position(|byte| is_special(*byte));
    at.wrapping_add(rest.unwrap_or(tail.len()))
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Written without early exit, so that it becomes vector code.
#[inline]
fn has_special(block: &[u8; 32]) -> bool {
    block.iter().fold(0_u8, |hit, byte| hit | u8::from(is_special(*byte))) != 0
}

/// Index of the first special byte among eight; the lowest set bit is exact,
/// borrows can only raise false marks above a true one.
#[inline]
fn special_in(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    const fn zero_bytes(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let word = u64::from_le_bytes(word);
    let quote = zero_bytes(word ^ (ONES.wrapping_mul(b'"' as u64)));
    let backslash = zero_bytes(word ^ (ONES.wrapping_mul(b'\\' as u64)));
    let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
    let marks = (quote | backslash | control) & HIGH;
    (marks != 0).then_some((marks.trailing_zeros() >> 3) as usize)
}

/// Length as written and as decoded of the escape at `at`.
fn escape(bytes: &[u8], at: usize) -> Result<(usize, usize), Fault> {
    match bytes.get(at.saturating_add(1)) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok((2, 1)),
        Some(b'u') => unicode(bytes, at),
        Some(_) => Err(Fault::syntax(at, "unknown escape in a string")),
        None => Err(Fault::syntax(bytes.len(), "the document ends inside a string")),
    }
}

fn unicode(bytes: &[u8], at: usize) -> Result<(usize, usize), Fault> {
    const LONE: &str = "a surrogate escape without its other half";
    match hex4(bytes, at.saturating_add(2))? {
        0..=0x7F => Ok((6, 1)),
        0x80..=0x7FF => Ok((6, 2)),
        0xD800..=0xDBFF => {
            let second = at.saturating_add(6);
            if bytes.get(second..second.saturating_add(2)) != Some(b"\\u") {
                return Err(Fault::syntax(at, LONE));
            }
            match hex4(bytes, second.saturating_add(2))? {
                0xDC00..=0xDFFF => Ok((12, 4)),
                _ => Err(Fault::syntax(at, LONE)),
            }
        }
        0xDC00..=0xDFFF => Err(Fault::syntax(at, LONE)),
        _ => Ok((6, 3)),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = bytes.get(at..at.saturating_add(4));
    let digits = digits.ok_or(Fault::syntax(bytes.len(), "the document ends inside a string"))?;
    digits.iter().try_fold(0_u32, |value, digit| {
        let nibble = char::from(*digit).to_digit(16);
        nibble
            .map(|nibble| (value << 4) | nibble)
            .ok_or(Fault::syntax(at, "\\u needs four hexadecimal digits"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_run_agrees_with_a_plain_loop() {
        for length in 0..200 {
            for special in [b'"', b'\\', 0x00, 0x1F, b'\n', b'a', 0x7F, 0x20, 0x80, 0xFF, 0x21, 0x23, 0x5B] {
                let mut bytes = vec![b'x'; 220];
                bytes[length] = special;
                let slow = bytes.iter().position(|byte| is_special(*byte)).unwrap_or(bytes.len());
                assert_eq!(plain_run(&bytes), slow, "{length} {special}");
                let cut = &bytes[..length];
                assert_eq!(plain_run(cut), length);
            }
        }
    }

    #[test]
    fn every_byte_is_judged_alike_in_a_word() {
        for byte in 0..=255_u8 {
            for at in 0..8 {
                let mut word = [b'a'; 8];
                word[at] = byte;
                assert_eq!(special_in(word), is_special(byte).then_some(at), "{byte} {at}");
            }
        }
    }
}
