//! JSON number literals: the grammar of RFC 8259, and finite as `f64`.

use super::fault::Fault;

/// Index behind the number that starts at `from`.
pub(crate) fn number(text: &str, from: usize) -> Result<usize, Fault> {
    let bytes = text.as_bytes();
    let mut at = from;
    if bytes.get(at) == Some(&b'-') {
        at = at.saturating_add(1);
    }
    let whole = digits(bytes, at);
    match bytes.get(at..whole) {
        None | Some([]) => return Err(Fault::syntax(at, "a digit is missing in a number")),
        Some([b'0', _, ..]) => return Err(Fault::syntax(at, "a number must not start with a zero")),
        Some(_) => at = whole,
    }
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at.saturating_add(1))?;
    }
    let mut exponent = false;
    if let Some(b'e' | b'E') = bytes.get(at) {
        exponent = true;
        at = at.saturating_add(1);
        if let Some(b'+' | b'-') = bytes.get(at) {
            at = at.saturating_add(1);
        }
        at = some_digits(bytes, at)?;
    }
    // Below 300 digits without an exponent no literal leaves the range of f64.
    if exponent || whole.saturating_sub(from) > 300 {
        finite(text.get(from..at).unwrap_or_default(), from)?;
    }
    Ok(at)
}

fn digits(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from.saturating_add(rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn some_digits(bytes: &[u8], from: usize) -> Result<usize, Fault> {
    let end = digits(bytes, from);
    if end == from { Err(Fault::syntax(from, "a digit is missing in a number")) } else { Ok(end) }
}

fn finite(literal: &str, from: usize) -> Result<(), Fault> {
    match literal.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(()),
        _ => Err(Fault::syntax(from, "a number is out of range")),
    }
}
