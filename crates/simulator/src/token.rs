//! The token rule: one token per started four bytes of each whitespace-separated word.

use serde_json::Value;

/// Bytes of a word that make one token.
const BYTES: usize = 4;

/// How many tokens a text has; never more than its bytes.
pub fn count(text: &str) -> u64 {
    let words = text.as_bytes().split(u8::is_ascii_whitespace);
    words.map(|word| word.len().div_ceil(BYTES) as u64).sum()
}

/// How many tokens a JSON value has: those of its strings and keys, and one for every other scalar.
pub(crate) fn count_value(value: &Value) -> u64 {
    match value {
        Value::String(text) => count(text),
        Value::Array(items) => items.iter().map(count_value).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| count(key) + count_value(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// A text in pieces of one token each, with the whitespace before a word in the word's first piece. The sum is
/// exact for ASCII, which all of the simulator's own texts are.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let bytes = rest.as_bytes();
        let space = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let word =
            bytes.iter().skip(space).take(BYTES).take_while(|byte| !byte.is_ascii_whitespace()).count();
        if word == 0 {
            return None;
        }
        let (piece, tail) = rest.split_at_checked(rest.ceil_char_boundary(space + word))?;
        rest = tail;
        Some(piece)
    })
}

/// The first `limit` tokens of a text.
pub(crate) fn cut(text: &str, limit: u64) -> &str {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let end = pieces(text).take(limit).map(str::len).sum();
    text.get(..end).unwrap_or(text)
}

/// A text in (at most) so many chunks of whole tokens, each with its tokens; chunks differ by one token at most.
pub(crate) fn chunks(text: &str, wanted: u64) -> Vec<(&str, u64)> {
    let mut ends = vec![0];
    ends.extend(pieces(text).scan(0, |end, piece| {
        *end += piece.len();
        Some(*end)
    }));
    let tokens = ends.len() as u64 - 1;
    let wanted = wanted.clamp(1, tokens.max(1));
    let edge = |chunk: u64| {
        u64::try_from(u128::from(chunk) * u128::from(tokens) / u128::from(wanted)).unwrap_or(tokens)
    };
    let at = |token: u64| usize::try_from(token).ok().and_then(|token| ends.get(token)).copied();
    let chunk = |index: u64| {
        let (from, to) = (edge(index), edge(index + 1));
        Some((text.get(at(from)?..at(to)?)?, to - from))
    };
    (0..wanted).filter_map(chunk).filter(|(_, tokens)| *tokens > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_started_fours_of_words() {
        assert_eq!(count(""), 0);
        assert_eq!(count("  \n"), 0);
        assert_eq!(count("a bb dddd eeeee"), 5);
        assert_eq!(count("日本語"), 3);
        assert_eq!(count_value(&serde_json::json!({"a": [1, null, "five5"]})), 5);
    }

    #[test]
    fn parts_add_up_and_join_to_the_whole() {
        let text = "Simulated answer: no more than eight-and-twenty words\nfollow here";
        assert_eq!(pieces(text).collect::<String>(), text);
        assert_eq!(pieces(text).count() as u64, count(text));
        for wanted in 0..40 {
            let parts = chunks(text, wanted);
            assert_eq!(parts.iter().map(|part| part.0).collect::<String>(), text);
            assert!(parts.iter().all(|(part, tokens)| count(part) == *tokens));
            assert_eq!(parts.len() as u64, wanted.clamp(1, count(text)));
            assert_eq!(count(cut(text, wanted)), wanted.min(count(text)));
        }
        assert!(chunks("", 3).is_empty());
    }
}
