//! The secrets of a key: how long an old one goes on working beside the new one, and what is known of their use.

use crate::keys::{Fingerprint, PublicId, looks_like_key};
use crate::time::Timestamp;

/// Secrets of a key that may work beside its current one.
pub const MOST: usize = 8;

/// The longest time that an old secret is given when a key is rotated.
pub const LONGEST_OVERLAP_SECONDS: i64 = 30 * 86_400;

/// The time it is given when nobody says another.
pub const DEFAULT_OVERLAP_SECONDS: i64 = 86_400;

/// The characters of a client's name that are kept.
pub const CLIENT_LENGTH: usize = 200;

/// The last use of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When; up to a minute behind.
    pub at: Timestamp,
    /// From which address.
    pub address: Option<String>,
    /// By which client, as it calls itself.
    pub client: Option<String>,
}

/// A secret that the key had before, and that still works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSecret {
    /// What it is found by.
    pub public_id: PublicId,
    /// What it is compared with.
    pub fingerprint: Fingerprint,
    /// Its last four characters.
    pub last_four: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; `None` is until somebody says so.
    pub retires_at: Option<Timestamp>,
    /// Its last use.
    pub used: Option<LastUse>,
}

impl OldSecret {
    /// Whether it is accepted at `now`: strictly before its deadline.
    pub fn is_accepted(&self, now: Timestamp) -> bool {
        self.retires_at.is_none_or(|end| now < end)
    }
}

/// What becomes of the secrets that a key has when it gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are refused from now on.
    Retired,
    /// They work until then, or until an earlier time that was said before.
    Until(Timestamp),
    /// The one works until somebody says otherwise; those before it keep their deadlines.
    UntilTold,
}

impl Fate {
    /// After an overlap of so many seconds from `now`, at a whole second: people are told whole seconds, and nothing works
    /// longer than they are told.
    pub fn after(now: Timestamp, overlap_seconds: i64) -> Self {
        let end = now.seconds().saturating_add(overlap_seconds).saturating_mul(1_000_000);
        if end > now.micros() { Self::Until(Timestamp::from_micros(end)) } else { Self::Retired }
    }

    /// When the old secret is refused, as people are told.
    pub const fn deadline(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Retired => Some(now),
            Self::Until(at) => Some(at),
            Self::UntilTold => None,
        }
    }
}

/// Reads a stretch of time as people write it: a whole number and `s`, `m`, `h` or `d`; at most 30 days. In seconds.
pub fn read_overlap(text: &str) -> Option<i64> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len().checked_sub(1)?)?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = plain.then(|| digits.parse::<i64>().ok())??.checked_mul(unit)?;
    (seconds <= LONGEST_OVERLAP_SECONDS).then_some(seconds)
}

/// What a client calls itself, without anything that could do harm where it is shown: one character for each byte.
pub fn client_characters(raw: &[u8]) -> impl Iterator<Item = char> + '_ {
    let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '?' };
    raw.iter().take(CLIENT_LENGTH).map(shown)
}

/// The same as a text; what looks like a key is not kept.
pub fn client_text(raw: &[u8]) -> String {
    let text: String = client_characters(raw).collect();
    if looks_like_key(&text) { "(hidden: it looks like a key)".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn overlaps_are_whole_numbers_with_a_unit_up_to_thirty_days() {
        for (text, seconds) in [
            ("0s", 0),
            ("90s", 90),
            ("30m", 1_800),
            ("24h", 86_400),
            ("7d", 604_800),
            ("30d", 2_592_000),
            ("007s", 7),
        ] {
            assert_eq!(read_overlap(text), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "s",
            "24",
            "24 h",
            " 24h",
            "24H",
            "-1s",
            "+1s",
            "1.5h",
            "1h30m",
            "31d",
            "2592001s",
            "721h",
            "99999999999999999999s",
            "9223372036854775807d",
            "٣h",
            "1ü",
            "h1",
        ] {
            assert_eq!(read_overlap(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_works_strictly_before_its_deadline() {
        let at = Timestamp::from_micros;
        let secret = |retires_at| OldSecret {
            public_id: PublicId::parse("abcdefABCDEF").unwrap(),
            fingerprint: [1; 32],
            last_four: "wxyz".into(),
            created_at: at(0),
            retires_at,
            used: None,
        };
        assert!(secret(Some(at(10))).is_accepted(at(9)));
        assert!(!secret(Some(at(10))).is_accepted(at(10)));
        assert!(secret(None).is_accepted(at(i64::MAX)));
        assert_eq!(Fate::after(at(5), 0), Fate::Retired);
        assert_eq!(Fate::after(at(5), 1).deadline(at(5)), Some(at(1_000_000)));
    }

    #[test]
    fn what_clients_call_themselves_is_cut_and_cleaned() {
        assert_eq!(client_text(b"curl/8.5\r\n\x1b[31m\xff"), "curl/8.5???[31m?");
        assert_eq!(client_text(&[b'a'; 999]).len(), CLIENT_LENGTH);
        assert_eq!(client_text(b"x lvr_abcdefABCDEF_secret"), "(hidden: it looks like a key)");
    }

    proptest! {
        #[test]
        fn no_text_is_a_longer_or_negative_overlap(text in "\\PC{0,12}") {
            if let Some(seconds) = read_overlap(&text) {
                prop_assert!((0..=LONGEST_OVERLAP_SECONDS).contains(&seconds));
            }
        }
    }
}
