//! Money, numbers and times as people read them in the console.

use louver_domain::money::Money;
use louver_domain::time::Timestamp;
use maud::{Markup, html};

const NANOS: i64 = 1_000_000_000;
const CENT: i64 = NANOS / 100;
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// Nano-dollars as dollars: cents, or as much as there is where that would be less than a cent.
pub(crate) fn dollars(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.saturating_abs();
    if size > 0 && size < CENT {
        return format!("{sign}${}", Money::from_nanos(size).usd());
    }
    let cents = size.saturating_add(CENT / 2).div_euclid(CENT);
    let (whole, rest) = (cents.div_euclid(100), cents.rem_euclid(100));
    format!("{sign}${}.{rest:02}", grouped(&whole.to_string()))
}

/// A whole number with its thousands apart.
pub(crate) fn number(count: u64) -> String {
    grouped(&count.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len().saturating_add(digits.len() / 3));
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A place in a picture.
pub(crate) fn per_cent(share: f64) -> String {
    format!("{share:.2}%")
}

/// A moment: in UTC as it stands here, and by the script in the reader's zone with UTC on hover.
pub(crate) fn moment(at: Timestamp) -> Markup {
    let text = at.rfc3339();
    let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
    html! { time datetime=(text) { (date) " " (time) " UTC" } }
}

/// A day.
pub(crate) fn date(at: Timestamp) -> Markup {
    let text = at.rfc3339();
    let day = text.get(..10).unwrap_or_default();
    html! { time datetime=(day) { (day) } }
}

/// How long ago, or in how long, with the moment on hover.
pub(crate) fn distance(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at.rfc3339()) data-time="relative" { (far(at, now)) } }
}

/// How far away a moment is.
pub(crate) fn far(at: Timestamp, now: Timestamp) -> String {
    let passed = now.seconds().saturating_sub(at.seconds());
    match passed.saturating_abs() {
        0..MINUTE if passed >= 0 => "now".to_owned(),
        size if passed >= 0 => format!("{} ago", span(size)),
        size => format!("in {}", span(size)),
    }
}

/// A span as its largest unit.
pub(crate) fn span(seconds: i64) -> String {
    let plural = |count: i64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match seconds {
        ..MINUTE => plural(seconds, "second"),
        MINUTE..HOUR => plural(seconds.div_euclid(MINUTE), "minute"),
        HOUR..DAY => plural(seconds.div_euclid(HOUR), "hour"),
        _ => plural(seconds.div_euclid(DAY), "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_in_cents_and_never_as_nothing() {
        for (nanos, text) in [
            (0, "$0.00"),
            (1_234_567_890_000, "$1,234.57"),
            (10_000_000, "$0.01"),
            (1_500_000, "$0.0015"),
            (-2_500_000_000, "-$2.50"),
            (999_999_999, "$1.00"),
        ] {
            assert_eq!(dollars(nanos), text);
        }
        assert_eq!(number(1_204_991), "1,204,991");
    }

    #[test]
    fn times_say_how_far_they_are() {
        let now = Timestamp::from_micros(0).plus_seconds(1_000_000);
        for (seconds, text) in
            [(0, "now"), (-59, "now"), (-60, "1 minute ago"), (-7_200, "2 hours ago"), (3 * DAY, "in 3 days")]
        {
            assert_eq!(far(now.plus_seconds(seconds), now), text);
        }
    }
}
