//! Numbers, money and times as people read them, and times as people write them.

use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use serde_json::Value;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// From here on a date says more than a number of days.
const LONG: i64 = 60 * DAY;

/// A whole number with its thousands apart.
pub(super) fn count(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Dollars as the API says them: two decimals, and more where those would say less than there is.
pub(super) fn dollars(value: &Value) -> Option<String> {
    let money: Money = serde_json::from_value(value.clone()).ok()?;
    let text = money.usd();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    Some(format!("{}.{part:0<2} USD", count(whole)))
}

/// A span as its largest unit.
fn span(seconds: i64) -> String {
    match seconds {
        ..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        _ => format!("{} d", seconds / DAY),
    }
}

/// A moment as seen from now: short, and a date where it is far away.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    let passed = now.seconds().saturating_sub(at.seconds());
    match passed.saturating_abs() {
        LONG.. => at.rfc3339().get(..10).unwrap_or_default().to_owned(),
        0..=1 => "now".to_owned(),
        far if passed > 0 => format!("{} ago", span(far)),
        far => format!("in {}", span(far)),
    }
}

/// A moment in full, and how far away it is.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    let text = at.rfc3339();
    let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default());
    let passed = now.seconds().saturating_sub(at.seconds());
    let far = match passed.saturating_abs() {
        0..=1 => "now".to_owned(),
        far if passed > 0 => format!("{} ago", span(far)),
        far => format!("in {}", span(far)),
    };
    format!("{date} {time} UTC ({far})")
}

/// What `90d`, `24h`, `30m` or `10s` says, in seconds.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let length = match unit {
        's' => 1,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(length)
}

/// A span such as `24h` as it was written, when it is one.
pub(super) fn parse_span(text: &str) -> Result<String, String> {
    match seconds(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("a span is a number with its unit: 30m, 24h, 90d".into()),
    }
}

/// A moment in the past: a time, a date, or how long ago.
pub(super) fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let ago = seconds(text).map(|seconds| now.plus_seconds(seconds.saturating_neg()));
    ago.or_else(|| Timestamp::parse(text)).ok_or_else(|| wrong(text, "7d for seven days ago"))
}

/// A moment to come: a time, a date, or in how long.
pub(super) fn until(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let ahead = seconds(text).map(|seconds| now.plus_seconds(seconds));
    ahead.or_else(|| Timestamp::parse(text)).ok_or_else(|| wrong(text, "90d for in ninety days"))
}

fn wrong(text: &str, example: &str) -> String {
    format!("{text:?} is no time: write 2026-11-21, 2026-11-21T08:00:00Z, or {example}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_micros(1_795_255_200_000_000);

    #[test]
    fn numbers_and_money_have_their_units() {
        for (number, text) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567", "-1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (value, text) in [
            (json!(0), "0.00 USD"),
            (json!(50), "50.00 USD"),
            (json!(12.5), "12.50 USD"),
            (json!(2000), "2,000.00 USD"),
            (json!(0.0003), "0.0003 USD"),
            (json!(1e-9), "0.000000001 USD"),
        ] {
            assert_eq!(dollars(&value).as_deref(), Some(text));
        }
        assert_eq!(dollars(&json!("x")), None);
    }

    #[test]
    fn times_are_told_from_now_and_in_full() {
        for (ahead, text) in [
            (0, "now"),
            (-30, "30 s ago"),
            (-90, "1 min ago"),
            (-7_200, "2 h ago"),
            (-3 * DAY, "3 d ago"),
            (2 * HOUR, "in 2 h"),
            (-90 * DAY, "2026-08-23"),
            (400 * DAY, "2027-12-26"),
        ] {
            assert_eq!(relative(NOW.plus_seconds(ahead), NOW), text, "{ahead}");
        }
        assert_eq!(moment(NOW.plus_seconds(-7_200), NOW), "2026-11-21 08:00:00 UTC (2 h ago)");
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(since("7d", NOW).unwrap(), NOW.plus_seconds(-7 * DAY));
        assert_eq!(until("90d", NOW).unwrap(), NOW.plus_seconds(90 * DAY));
        assert_eq!(since("2026-11-21", NOW), until("2026-11-21", NOW));
        for wrong in ["", "d", "-3d", "3", "soon", "3y", "99999999999999999999d"] {
            assert!(since(wrong, NOW).is_err() && parse_span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_span("24h").unwrap(), "24h");
    }
}
