//! Exact rates: how many were let through in any sliding minute.
//!
//! The window is 61 buckets of one second, the oldest counted whole. With 60 buckets an attacker who chooses his
//! moments gets twice the limit into 60 seconds; with 61 he never passes it, at the price of up to one second of
//! caution.

/// Seconds that a call counts against the limit.
const BUCKETS: usize = 61;
const BUCKETS_I64: i64 = 61;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// The calls of one scope in the last minute. Time is monotonic microseconds, as an argument.
#[derive(Clone, Debug)]
pub struct MinuteWindow {
    buckets: [u32; BUCKETS],
    used: u64,
    /// The second that the newest bucket stands for.
    newest: i64,
}

impl Default for MinuteWindow {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS], used: 0, newest: i64::MIN }
    }
}

impl MinuteWindow {
    /// How many calls count at `now`.
    pub fn used(&mut self, now_micros: i64) -> u64 {
        self.turn(now_micros.div_euclid(MICROS_PER_SECOND));
        self.used
    }

    /// Counts one more call in the current second. Ask [`MinuteWindow::used`] first, with the same `now`.
    pub fn count(&mut self, now_micros: i64) {
        self.turn(now_micros.div_euclid(MICROS_PER_SECOND));
        if let Some(bucket) = self.bucket(self.newest) {
            *bucket = bucket.saturating_add(1);
            self.used = self.used.saturating_add(1);
        }
    }

    /// Whole seconds, at least one, until a call would pass under `limit` if no other came in between;
    /// `None` for a limit of zero, which no waiting cures.
    pub fn seconds_until_free(&mut self, limit: u64, now_micros: i64) -> Option<u64> {
        let now = now_micros.div_euclid(MICROS_PER_SECOND);
        self.turn(now);
        let mut must_go = self.used.checked_add(1)?.saturating_sub(limit);
        if limit == 0 {
            return None;
        }
        let oldest = self.newest.saturating_sub(BUCKETS_I64.saturating_sub(1));
        for second in oldest..=self.newest {
            must_go = must_go.saturating_sub(self.bucket(second).map_or(0, |b| u64::from(*b)));
            if must_go == 0 {
                let free_at = second.saturating_add(BUCKETS_I64).saturating_mul(MICROS_PER_SECOND);
                let wait = u64::try_from(free_at.saturating_sub(now_micros)).unwrap_or(0);
                return Some(wait.div_ceil(1_000_000).max(1));
            }
        }
        Some(1)
    }

    /// Forgets what has left the window; time that seems to run back changes nothing.
    fn turn(&mut self, second: i64) {
        if second <= self.newest {
            return;
        }
        if second.saturating_sub(self.newest) >= BUCKETS_I64 {
            self.buckets = [0; BUCKETS];
            self.used = 0;
        } else {
            for passed in self.newest.saturating_add(1)..=second {
                let freed = self.bucket(passed).map_or(0, std::mem::take);
                self.used = self.used.saturating_sub(u64::from(freed));
            }
        }
        self.newest = second;
    }

    fn bucket(&mut self, second: i64) -> Option<&mut u32> {
        let index = usize::try_from(second.rem_euclid(BUCKETS_I64)).ok()?;
        self.buckets.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn try_one(window: &mut MinuteWindow, limit: u64, now: i64) -> bool {
        let free = window.used(now) < limit;
        if free {
            window.count(now);
        }
        free
    }

    #[test]
    fn refuses_the_one_too_many_and_says_when() {
        let mut window = MinuteWindow::default();
        let now = 5_300_000;
        assert!((0..3).all(|_| try_one(&mut window, 3, now)));
        assert!(!try_one(&mut window, 3, now));
        let wait = window.seconds_until_free(3, now).unwrap();
        assert_eq!(wait, 61);
        let later = now + i64::try_from(wait).unwrap() * MICROS_PER_SECOND;
        assert!(try_one(&mut window, 3, later));
        assert_eq!(MinuteWindow::default().seconds_until_free(0, 0), None);
    }

    proptest! {
        /// The reference keeps every moment of admission and looks at each 60 seconds that end in one.
        #[test]
        fn no_sliding_minute_ever_holds_more(limit in 1_u64..8, gaps in prop::collection::vec(0_i64..20_000_000, 1..200)) {
            let (mut window, mut now, mut admitted) = (MinuteWindow::default(), 0_i64, Vec::new());
            for gap in gaps {
                now += gap;
                if try_one(&mut window, limit, now) {
                    admitted.push(now);
                }
                let in_window = admitted.iter().filter(|t| **t > now - 60_000_000).count();
                prop_assert!(in_window as u64 <= limit);
            }
        }

        /// A caller who waits as told is let in, and never had to wait more than 61 seconds.
        #[test]
        fn the_wait_is_enough(limit in 1_u64..5, gaps in prop::collection::vec(0_i64..5_000_000, 1..60)) {
            let (mut window, mut now) = (MinuteWindow::default(), 0_i64);
            for gap in gaps {
                now += gap;
                if !try_one(&mut window, limit, now) {
                    let wait = window.seconds_until_free(limit, now).unwrap();
                    prop_assert!(wait <= 61);
                    now += i64::try_from(wait).unwrap() * MICROS_PER_SECOND;
                    prop_assert!(try_one(&mut window, limit, now));
                }
            }
        }
    }
}
