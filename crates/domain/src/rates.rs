//! Exact rates: how much was let through in any sliding second or minute.
//!
//! A window is cut into buckets, one more than fill it, and the oldest counts whole. With one bucket less an attacker
//! who chooses his moments gets twice the limit through; with it he never passes the limit, at the price of one
//! bucket's time of caution.

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What one scope used in a sliding time of `N - 1` buckets, each `WIDTH` microseconds. Time is monotonic microseconds,
/// as an argument.
#[derive(Clone, Debug)]
pub struct SlidingWindow<const N: usize, const WIDTH: i64> {
    buckets: [u64; N],
    used: u64,
    /// The number of the newest bucket: time in units of the width.
    newest: i64,
}

/// A second, in tenths.
pub type SecondWindow = SlidingWindow<11, 100_000>;
/// A minute, in seconds.
pub type MinuteWindow = SlidingWindow<61, MICROS_PER_SECOND>;

impl<const N: usize, const WIDTH: i64> Default for SlidingWindow<N, WIDTH> {
    fn default() -> Self {
        Self { buckets: [0; N], used: 0, newest: i64::MIN }
    }
}

impl<const N: usize, const WIDTH: i64> SlidingWindow<N, WIDTH> {
    /// How much counts at `now`.
    pub fn used(&mut self, now_micros: i64) -> u64 {
        self.turn(now_micros.div_euclid(WIDTH));
        self.used
    }

    /// Counts `amount` in the bucket of now, and answers the bucket's number. Ask [`SlidingWindow::used`] first, with
    /// the same `now`.
    pub fn count(&mut self, now_micros: i64, amount: u64) -> i64 {
        self.turn(now_micros.div_euclid(WIDTH));
        let newest = self.newest;
        if let Some(bucket) = self.bucket(newest) {
            *bucket = bucket.saturating_add(amount);
            self.used = self.used.saturating_add(amount);
        }
        newest
    }

    /// Takes back what was counted too much, in the bucket it was counted in; nothing when that has left the window.
    pub fn give_back(&mut self, bucket: i64, amount: u64) {
        if bucket > self.newest || self.newest.saturating_sub(bucket) >= Self::length() {
            return;
        }
        if let Some(held) = self.bucket(bucket) {
            let given = amount.min(*held);
            *held = held.saturating_sub(given);
            self.used = self.used.saturating_sub(given);
        }
    }

    /// Whole seconds, at least one, until `amount` would pass under `limit` if nothing else came in between; `None`
    /// when no waiting cures it.
    pub fn seconds_until_free(&mut self, limit: u64, amount: u64, now_micros: i64) -> Option<u64> {
        self.turn(now_micros.div_euclid(WIDTH));
        if amount > limit || amount == 0 {
            return None;
        }
        let mut must_go = self.used.saturating_add(amount).saturating_sub(limit);
        let oldest = self.newest.saturating_sub(Self::length().saturating_sub(1));
        for number in oldest..=self.newest {
            must_go = must_go.saturating_sub(self.bucket(number).map_or(0, |held| *held));
            if must_go == 0 {
                let free_at = number.saturating_add(Self::length()).saturating_mul(WIDTH);
                let wait = u64::try_from(free_at.saturating_sub(now_micros)).unwrap_or(0);
                return Some(wait.div_ceil(1_000_000).max(1));
            }
        }
        Some(1)
    }

    const fn length() -> i64 {
        N as i64
    }

    /// Forgets what has left the window; time that seems to run back changes nothing.
    fn turn(&mut self, number: i64) {
        if number <= self.newest {
            return;
        }
        if number.saturating_sub(self.newest) >= Self::length() {
            self.buckets = [0; N];
            self.used = 0;
        } else {
            for passed in self.newest.saturating_add(1)..=number {
                let freed = self.bucket(passed).map_or(0, std::mem::take);
                self.used = self.used.saturating_sub(freed);
            }
        }
        self.newest = number;
    }

    fn bucket(&mut self, number: i64) -> Option<&mut u64> {
        let index = usize::try_from(number.rem_euclid(Self::length())).ok()?;
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
            window.count(now, 1);
        }
        free
    }

    #[test]
    fn refuses_the_one_too_many_and_says_when() {
        let mut window = MinuteWindow::default();
        let now = 5_300_000;
        assert!((0..3).all(|_| try_one(&mut window, 3, now)));
        assert!(!try_one(&mut window, 3, now));
        let wait = window.seconds_until_free(3, 1, now).unwrap();
        assert_eq!(wait, 61);
        let later = now + i64::try_from(wait).unwrap() * MICROS_PER_SECOND;
        assert!(try_one(&mut window, 3, later));
        assert_eq!(MinuteWindow::default().seconds_until_free(0, 1, 0), None);
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
                    let wait = window.seconds_until_free(limit, 1, now).unwrap();
                    prop_assert!(wait <= 61);
                    now += i64::try_from(wait).unwrap() * MICROS_PER_SECOND;
                    prop_assert!(try_one(&mut window, limit, now));
                }
            }
        }

        /// Amounts, given back in part later: no 60 seconds ever hold more real use than the limit.
        #[test]
        fn what_is_given_back_was_never_used(limit in 10_u64..50, steps in prop::collection::vec((0_i64..9_000_000, 1_u64..20, 0_u64..20), 1..150)) {
            let (mut window, mut now, mut admitted) = (MinuteWindow::default(), 0_i64, Vec::new());
            for (gap, amount, given) in steps {
                now += gap;
                if window.used(now) + amount <= limit {
                    let bucket = window.count(now, amount);
                    window.give_back(bucket, given.min(amount));
                    admitted.push((now, amount - given.min(amount)));
                }
                let used: u64 = admitted.iter().filter(|(t, _)| *t > now - 60_000_000).map(|(_, used)| used).sum();
                prop_assert!(used <= limit && used <= window.used(now));
            }
        }

        #[test]
        fn no_sliding_second_ever_holds_more(limit in 1_u64..8, gaps in prop::collection::vec(0_i64..400_000, 1..200)) {
            let (mut window, mut now, mut admitted) = (SecondWindow::default(), 0_i64, Vec::new());
            for gap in gaps {
                now += gap;
                if window.used(now) < limit {
                    window.count(now, 1);
                    admitted.push(now);
                }
                prop_assert!(admitted.iter().filter(|t| **t > now - 1_000_000).count() as u64 <= limit);
            }
        }
    }
}
