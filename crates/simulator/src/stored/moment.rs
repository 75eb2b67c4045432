//! Moments as Mistral's control services write them.

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// The year, month and day of a day that is counted from 1970 (after Howard Hinnant's `civil_from_days`).
pub(crate) fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, march) = (of_year - (153 * month + 2) / 5 + 1, month < 10);
    let month = if march { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The first day of a month, counted from 1970.
pub(crate) fn first_day(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A unix time as RFC 3339 in UTC.
pub(crate) fn rfc3339(time: i64) -> String {
    let (year, month, day) = civil(time.div_euclid(DAY));
    let second = time.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_fit_each_other() {
        assert_eq!(rfc3339(1_790_000_000), "2026-09-21T14:13:20Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        for (year, month) in [(1970, 1), (2024, 2), (2024, 3), (2026, 12), (2100, 3)] {
            assert_eq!(civil(first_day(year, month)), (year, month, 1));
        }
    }
}
