//! Calendar windows: the hour, the day or the month of a time zone that a moment lies in.

use crate::time::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A stretch of the calendar that sums and budgets are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// An hour of the clock.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Window {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// A time zone of the IANA database, which comes with the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// Reads a name such as `UTC` or `Europe/Paris`.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "UTC" {
            return Some(Self::default());
        }
        TimeZone::get(name).ok().map(Self)
    }
}

/// One turn of a window: from `starts` until before `ends`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Its first moment.
    pub starts: Timestamp,
    /// The first moment after it.
    pub ends: Timestamp,
}

impl Period {
    /// Whether the moment lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.starts <= at && at < self.ends
    }
}

const HOUR_SECONDS: i64 = 3600;

impl Window {
    /// The period of this window that `at` lies in. An hour is always 3,600 seconds, also where clocks change; a day
    /// and a month are those of the calendar, 23 or 25 hours and 28 to 31 days as it falls.
    pub fn period(self, zone: &Zone, at: Timestamp) -> Period {
        let fallback = Period { starts: at, ends: at.plus_seconds(HOUR_SECONDS) };
        self.find(zone, at).unwrap_or(fallback)
    }

    fn find(self, zone: &Zone, at: Timestamp) -> Option<Period> {
        let zoned = jiff::Timestamp::from_microsecond(at.micros()).ok()?.to_zoned(zone.0.clone());
        let date = zoned.date();
        match self {
            Self::Hour => {
                let offset = i64::from(zoned.offset().seconds());
                let into = at.seconds().checked_add(offset)?.rem_euclid(HOUR_SECONDS);
                let starts = Timestamp::from_micros(0).plus_seconds(at.seconds().checked_sub(into)?);
                Some(Period { starts, ends: starts.plus_seconds(HOUR_SECONDS) })
            }
            Self::Day => zone.between(date, date.tomorrow().ok()?),
            Self::Month => zone.between(date.first_of_month(), date.last_of_month().tomorrow().ok()?),
        }
    }
}

impl Zone {
    fn between(&self, first: Date, next: Date) -> Option<Period> {
        let start = |date: Date| {
            let midnight = date.to_zoned(self.0.clone()).ok()?;
            Some(Timestamp::from_micros(midnight.timestamp().as_microsecond()))
        };
        Some(Period { starts: start(first)?, ends: start(next)? })
    }
}

impl Timestamp {
    /// The start of the hour, day or month (UTC) that this time is in.
    pub fn floor(self, window: Window) -> Self {
        window.period(&Zone::default(), self).starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn periods_are_those_of_the_calendar() {
        for (window, zone, at, starts, ends) in [
            (Window::Hour, "UTC", "2026-11-21T10:59:59.999Z", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z"),
            (
                Window::Hour,
                "Asia/Kolkata",
                "2026-11-21T10:59:00Z",
                "2026-11-21T10:30:00Z",
                "2026-11-21T11:30:00Z",
            ),
            (Window::Day, "UTC", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
            (
                Window::Day,
                "Europe/Paris",
                "2026-03-29T12:00:00Z",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                Window::Day,
                "Europe/Paris",
                "2026-10-25T12:00:00Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
            (Window::Month, "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Window::Month, "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (
                Window::Month,
                "America/New_York",
                "2026-11-01T03:00:00Z",
                "2026-10-01T04:00:00Z",
                "2026-11-01T04:00:00Z",
            ),
        ] {
            let period = window.period(&Zone::parse(zone).unwrap(), Timestamp::parse(at).unwrap());
            assert_eq!(
                (period.starts.rfc3339(), period.ends.rfc3339()),
                (starts.into(), ends.into()),
                "{window:?} {zone} {at}"
            );
        }
        assert_eq!(Zone::parse("Mars/Olympus"), None);
    }

    proptest! {
        /// Whatever the zone, a moment lies in its period, and the next period begins where this one ends.
        #[test]
        fn periods_hold_their_moment_and_leave_no_gap(seconds in 0_i64..4_000_000_000, zone in 0_usize..5) {
            let names = ["UTC", "Europe/Paris", "America/St_Johns", "Australia/Sydney", "Pacific/Apia"];
            let zone = Zone::parse(names[zone]).unwrap();
            let at = Timestamp::from_micros(0).plus_seconds(seconds);
            for window in [Window::Hour, Window::Day, Window::Month] {
                let period = window.period(&zone, at);
                prop_assert!(period.contains(at));
                let last = Timestamp::from_micros(period.ends.micros() - 1);
                prop_assert!(window.period(&zone, last).ends == period.ends);
            }
        }
    }
}
