//! A clock that is moved by hand, and randomness from a seed.

use crate::random::Random;
use louver_domain::entropy::Entropy;
use louver_domain::time::{Clock, Timestamp};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

/// Both clocks stand still until a test moves them.
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// A clock that shows the time of an RFC 3339 text.
    pub fn at(text: &str) -> Self {
        Self { micros: AtomicI64::new(Timestamp::parse(text).unwrap().micros()) }
    }

    /// Moves both clocks by seconds.
    pub fn advance(&self, seconds: i64) {
        self.advance_micros(seconds * 1_000_000);
    }

    /// Moves both clocks by microseconds.
    pub fn advance_micros(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    fn monotonic_micros(&self) -> i64 {
        self.micros.load(Ordering::SeqCst)
    }
}

/// Random-looking bytes that follow from a seed.
pub struct SeededEntropy(Mutex<Random>);

impl SeededEntropy {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Random::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        let mut random = self.0.lock().unwrap();
        for byte in out {
            *byte = u8::try_from(random.next() & 0xff).unwrap();
        }
    }
}
