//! Prose, numbers and ids made from a seed.

/// Plain words of English, all ASCII, so that they can be cut anywhere.
const WORDS: [&str; 64] = [
    "the",
    "river",
    "light",
    "falls",
    "through",
    "slats",
    "of",
    "a",
    "window",
    "and",
    "morning",
    "keeps",
    "its",
    "own",
    "account",
    "where",
    "numbers",
    "agree",
    "with",
    "paper",
    "every",
    "second",
    "model",
    "reads",
    "what",
    "it",
    "was",
    "given",
    "before",
    "answering",
    "in",
    "order",
    "so",
    "nothing",
    "is",
    "left",
    "open",
    "when",
    "budget",
    "ends",
    "quietly",
    "harbour",
    "ships",
    "carry",
    "grain",
    "to",
    "northern",
    "towns",
    "while",
    "engineers",
    "measure",
    "tides",
    "by",
    "hand",
    "each",
    "word",
    "here",
    "comes",
    "from",
    "seeded",
    "generator",
    "not",
    "any",
    "mind",
];

/// Every generated text begins so.
const OPENING: &str = "Simulated answer:";

/// A stream of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream that belongs to these numbers.
    pub(crate) fn of(parts: &[u64]) -> Self {
        Self(parts.iter().fold(0x6c6f_7576_6572, |state, part| mix(state ^ part)))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number in `from..=to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        let width = to.saturating_sub(from).saturating_add(1);
        from.saturating_add(self.next().checked_rem(width).unwrap_or(0))
    }

    /// An id of 32 hexadecimal digits, as Mistral's are.
    pub(crate) fn id(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// An id of nine letters and digits, as Mistral's tool calls have.
    pub(crate) fn tool_id(&mut self) -> String {
        let digit =
            |number: u64| u32::try_from(number % 36).ok().and_then(|digit| char::from_digit(digit, 36));
        (0..9).filter_map(|_| digit(self.next())).collect()
    }

    /// A text of exactly so many tokens.
    pub(crate) fn prose(&mut self, tokens: u64) -> String {
        let mut text = String::from(OPENING);
        let mut have = crate::token::count(OPENING);
        while have < tokens {
            let index = usize::try_from(self.next() % WORDS.len() as u64).unwrap_or(0);
            let word = WORDS.get(index).copied().unwrap_or("so");
            text.push(' ');
            text.push_str(word);
            have += crate::token::count(word);
        }
        crate::token::cut(&text, tokens).to_owned()
    }
}

/// Scrambles 64 bits (the finalizer of SplitMix64).
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A hash of some bytes, eight at a time.
pub(crate) fn hash(state: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let fold = |state: u64, word: u64| (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let state = words.iter().fold(state, |state, word| fold(state, u64::from_le_bytes(*word)));
    let tail = rest.iter().fold(bytes.len() as u64, |tail, byte| tail.rotate_left(8) ^ u64::from(*byte));
    mix(fold(state, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_has_the_tokens_asked_for() {
        for tokens in [0, 1, 4, 5, 6, 17, 200] {
            let text = Random::of(&[1, tokens]).prose(tokens);
            assert_eq!(crate::token::count(&text), tokens, "{text}");
        }
        assert_ne!(Random::of(&[1]).prose(30), Random::of(&[2]).prose(30));
        assert_ne!(hash(1, b"a"), hash(1, b"b"));
        assert_ne!(hash(1, b"12345678a"), hash(1, b"12345678b"));
        assert_eq!(Random::of(&[3]).tool_id().len(), 9);
    }
}
