//! Points in time as integer microseconds UTC, and the clock as an argument.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const MICROS_PER_SECOND: i64 = 1_000_000;

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// This time and `seconds` more (less when negative), at the ends of the range without overflow.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(MICROS_PER_SECOND)))
    }

    /// RFC 3339 in UTC with whole seconds (`2026-11-21T02:31:58Z`): strings compare like the times do.
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_second(self.seconds()) {
            Ok(time) => time.to_string(),
            Err(_) => String::from("9999-12-31T23:59:59Z"),
        }
    }

    /// RFC 3339 in UTC to the microsecond, whole seconds without a fraction: what is read back is the same time.
    pub fn rfc3339_exact(self) -> String {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.to_string(),
            Err(_) => self.rfc3339(),
        }
    }

    /// Reads the date of an HTTP header: `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Self(time.as_microsecond()))
    }

    /// Reads an RFC 3339 time with an offset or `Z`, or a date (its midnight in UTC).
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Some(Self(time.as_microsecond()));
        }
        let date: jiff::civil::Date = text.parse().ok()?;
        let time = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(time.timestamp().as_microsecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("an RFC 3339 time such as 2026-11-21T02:31:58Z"))
    }
}

/// Time as an argument. The program's real clock and the tests' hand-moved one implement it.
pub trait Clock: Send + Sync {
    /// The wall clock, for what is written down and for expiry.
    fn now(&self) -> Timestamp;
    /// Microseconds that never go back, for rate windows and latencies; the origin has no meaning.
    fn monotonic_micros(&self) -> i64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_whole_seconds_and_reads_back() {
        let time = Timestamp::parse("2026-11-21T02:31:58.987Z").unwrap();
        assert_eq!(time.rfc3339(), "2026-11-21T02:31:58Z");
        assert_eq!(Timestamp::parse("2026-11-21T03:31:58+01:00").unwrap().seconds(), time.seconds());
        assert_eq!(Timestamp::parse("2026-11-21").unwrap().rfc3339(), "2026-11-21T00:00:00Z");
        assert!(Timestamp::parse("yesterday").is_none());
        assert_eq!(time.rfc3339_exact(), "2026-11-21T02:31:58.987Z");
        let odd = Timestamp::from_micros(time.micros() + 1);
        assert_eq!(Timestamp::parse(&odd.rfc3339_exact()), Some(odd));
    }
}
