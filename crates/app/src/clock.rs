//! The real clock and real randomness: the only place where either is read.
#![allow(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use louver_domain::entropy::Entropy;
use louver_domain::time::{Clock, Timestamp};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clocks of the machine.
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now, a day above zero so that nothing lies before it.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic_micros(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX).saturating_add(DAY_MICROS)
    }
}

/// The operating system's random bytes.
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// A handle to them.
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    /// # Panics
    /// When the operating system has no randomness to give: no key may be made then.
    #[allow(clippy::expect_used, reason = "a machine without randomness must not make keys")]
    fn fill(&self, out: &mut [u8]) {
        self.0.fill(out).expect("the operating system gives random bytes");
    }
}
