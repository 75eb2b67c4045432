//! Numbers that look random and follow from a seed (`SplitMix64`).

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The stream that belongs to these numbers.
    pub fn of(parts: &[u64]) -> Self {
        let mut state = Self(0);
        for part in parts {
            state.0 = state.next() ^ part;
        }
        state
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "a generator has no end, an iterator may")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// Whether something happens that happens so often in a thousand.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these, by weight.
    pub fn weighed<T: Copy>(&mut self, choices: &[(T, u64)]) -> T {
        let mut at = self.below(choices.iter().map(|(_, weight)| weight).sum());
        for (choice, weight) in choices {
            if at < *weight {
                return *choice;
            }
            at -= weight;
        }
        choices[0].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_stream() {
        let of = |parts: &[u64]| {
            let mut random = Random::of(parts);
            [random.next(), random.next()]
        };
        assert_eq!(of(&[1, 2]), of(&[1, 2]));
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_eq!(Random::new(0).next(), 0xE220_A839_7B1D_CDAF, "the published first number of seed 0");
        let mut random = Random::new(3);
        assert!((0..1000).all(|_| (3..=5).contains(&random.between(3, 5))));
        let drawn: Vec<u8> = (0..1000).map(|_| random.weighed(&[(1, 1), (2, 0), (3, 9)])).collect();
        let ones = drawn.iter().filter(|n| **n == 1).count();
        assert!((50..150).contains(&ones) && !drawn.contains(&2), "{ones}");
    }
}
