//! A clock that is moved by hand, and randomness from a seed.

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
        self.micros.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
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

/// Random-looking bytes that follow from a seed (`SplitMix64`).
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in out {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = u8::try_from((z ^ (z >> 31)) & 0xff).unwrap();
        }
    }
}
