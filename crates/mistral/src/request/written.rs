//! The bytes of schemas, tools and tool calls: upstream puts them into the prompt with their keys and brackets.

use memchr::memchr2_iter;

use crate::json::{Cursor, Fault};
use crate::tokenizer::EXPONENT_DIGITS;

/// Reads a value and counts it as it is written, not only its strings, and with what upstream's own writing can
/// add: Python's `json.dumps` puts a blank behind each comma and colon and writes `1e15` with its zeros.
pub(super) fn whole<'a, T>(
    cursor: &mut Cursor<'a>,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    cursor.kind()?;
    let (start, before) = (cursor.offset(), cursor.string_bytes());
    let value = read(cursor)?;
    let written = written_anew(cursor.since(start).as_bytes());
    cursor.set_string_bytes(before.saturating_add(written));
    Ok(value)
}

/// Reads the content of a message. Older templates write the result of a tool anew when it is JSON.
pub(super) fn content(cursor: &mut Cursor<'_>) -> Result<(), Fault> {
    let text = cursor.string()?.raw();
    if text.trim_start().starts_with(['{', '[']) {
        let more = written_anew(text.as_bytes()).saturating_sub(text.len() as u64);
        cursor.set_string_bytes(cursor.string_bytes().saturating_add(more));
    }
    Ok(())
}

/// Bytes that a JSON text has at most when it is written anew. Strings are looked into as well, since the arguments
/// of a tool call are JSON in a string.
fn written_anew(text: &[u8]) -> u64 {
    let separators = text.iter().filter(|byte| matches!(byte, b',' | b':')).count() as u64;
    let exponents = memchr2_iter(b'e', b'E', text).filter(|at| is_exponent(text, *at)).count() as u64;
    (text.len() as u64).saturating_add(separators).saturating_add(exponents.saturating_mul(EXPONENT_DIGITS))
}

/// Whether a number ends before `at` that starts where a JSON number can, unlike the digits of an id.
fn is_exponent(text: &[u8], at: usize) -> bool {
    let head = text.get(..at).unwrap_or_default();
    let digits = head.iter().rev().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.')).count();
    let head = head.get(..head.len().saturating_sub(digits)).unwrap_or_default();
    let head = head.strip_suffix(b"-").unwrap_or(head);
    digits > 0
        && matches!(head.last(), Some(b',' | b':' | b'[' | b' ' | b'\n' | b'\r' | b'\t' | b'n' | b'r' | b't'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_upstream_adds_is_counted() {
        for (text, more) in [
            (r#"{"a":[1,2]}"#, 2),
            ("[1e15,-1.5E9]", 1 + 2 * EXPONENT_DIGITS),
            (r#"{"id":"9e1","b":"1e5"}"#, 3),
            (r#"{"arguments":"{\"a\":1e5,\n2e1}"}"#, 3 + 2 * EXPONENT_DIGITS),
            ("e", 0),
        ] {
            assert_eq!(written_anew(text.as_bytes()), text.len() as u64 + more, "{text}");
        }
    }
}
