//! Randomness as an argument: the one way random bytes come into the rules.

/// A source of cryptographically secure random bytes; the real one lives in the program, tests bring a seeded one.
pub trait Entropy: Send + Sync {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}
