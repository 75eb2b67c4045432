//! Sliding windows of any amount, cut as admission cuts them: one bucket more than fill the time, the oldest whole.

/// What one scope used in a sliding time of `N - 1` buckets, each `WIDTH` microseconds.
#[derive(Clone, Debug)]
pub(super) struct Window<const N: usize, const WIDTH: i64> {
    buckets: [u64; N],
    used: u64,
    /// The number of the newest bucket: time in units of the width.
    newest: i64,
}

/// A second, in tenths.
pub(super) type SecondWindow = Window<11, 100_000>;
/// A minute, in seconds.
pub(super) type MinuteWindow = Window<61, 1_000_000>;

impl<const N: usize, const WIDTH: i64> Default for Window<N, WIDTH> {
    fn default() -> Self {
        Self { buckets: [0; N], used: 0, newest: i64::MIN }
    }
}

impl<const N: usize, const WIDTH: i64> Window<N, WIDTH> {
    /// How much counts at `now`.
    pub(super) fn used(&mut self, now_micros: i64) -> u64 {
        self.turn(now_micros.div_euclid(WIDTH));
        self.used
    }

    /// Counts `amount` in the bucket of now.
    pub(super) fn count(&mut self, now_micros: i64, amount: u64) {
        self.turn(now_micros.div_euclid(WIDTH));
        let newest = self.newest;
        if let Some(bucket) = self.bucket(newest) {
            *bucket = bucket.saturating_add(amount);
            self.used = self.used.saturating_add(amount);
        }
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
            (self.buckets, self.used) = ([0; N], 0);
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
