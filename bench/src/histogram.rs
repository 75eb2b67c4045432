//! Latencies in log-linear buckets, each at most a part in 16,384 wide.

/// Buckets to each doubling: 2 to the power of this.
const PRECISION: u32 = 14;
const PER_OCTAVE: u64 = 1 << PRECISION;

/// Counts of nanosecond values.
#[derive(Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one value, nanoseconds.
    pub fn record(&mut self, nanoseconds: u64) {
        let bucket = bucket_of(nanoseconds);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket.saturating_add(1), 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.total = self.total.saturating_add(1);
    }

    /// The value, microseconds, that the share `quantile` of all values do not exceed; `None` where none were counted.
    pub fn quantile_us(&self, quantile: f64) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let wanted = (quantile * self.total as f64).ceil() as u64;
        let mut seen: u64 = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(*count);
            if seen >= wanted {
                return Some(middle_of(bucket) / 1e3);
            }
        }
        None
    }
}

fn bucket_of(value: u64) -> usize {
    let doublings = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION + 1);
    let within = value >> doublings;
    (u64::from(doublings) * PER_OCTAVE + within) as usize
}

fn middle_of(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < 2 * PER_OCTAVE {
        return bucket as f64;
    }
    let doublings = (bucket / PER_OCTAVE).saturating_sub(1);
    let within = bucket.saturating_sub(doublings * PER_OCTAVE);
    (within as f64 + 0.5) * 2_f64.powi(doublings as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_in_a_bucket_within_a_ten_thousandth_of_it() {
        for exponent in 0..50 {
            for offset in [0_u64, 1, 3, 77] {
                let value = (1_u64 << exponent) + offset;
                let middle = middle_of(bucket_of(value));
                assert!((middle - value as f64).abs() <= value as f64 * 0.0001, "{value} became {middle}");
            }
        }
    }

    #[test]
    fn quantiles_of_a_thousand_even_values() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|n| histogram.record(n * 1000));
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = histogram.quantile_us(quantile).unwrap();
            assert!((found - expected).abs() <= expected * 0.01, "{quantile}: {found}");
        }
    }
}
