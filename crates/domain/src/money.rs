//! Money in integer nano-dollars.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of US dollars in units of 10⁻⁹ dollar; up to about 9.2 billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(i64);

const NANOS_PER_DOLLAR: i64 = 1_000_000_000;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From nano-dollars.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// In nano-dollars.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum, or `None` beyond the range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Reads a plain decimal such as `50`, `0.02` or `1999.999999999`; at most nine places, never negative,
    /// never through a float.
    pub fn parse_usd(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let nanos: i64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse().ok()? };
        whole.parse::<i64>().ok()?.checked_mul(NANOS_PER_DOLLAR)?.checked_add(nanos).map(Self)
    }

    /// As a decimal without needless zeros: `50`, `0.02`, `-1.5`.
    pub fn usd(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, nanos) = (self.0.unsigned_abs() / 1_000_000_000, self.0.unsigned_abs() % 1_000_000_000);
        if nanos == 0 {
            return format!("{sign}{whole}");
        }
        let text = format!("{sign}{whole}.{nanos:09}");
        text.trim_end_matches('0').to_owned()
    }
}

/// Written as a JSON number of dollars. The float is only the number's spelling (its shortest form is the
/// decimal itself up to about a million dollars with all nine places); nothing is computed with it.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.usd();
        match text.parse::<i64>() {
            Ok(whole) => serializer.serialize_i64(whole),
            Err(_) => serializer.serialize_f64(text.parse().map_err(serde::ser::Error::custom)?),
        }
    }
}

/// Reads a JSON number of dollars, or a string of one, exactly; more than nine places or a sign are refused.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelling {
            Whole(i64),
            Fraction(f64),
            Text(String),
        }
        let text =
            match Spelling::deserialize(deserializer).map_err(|_| serde::de::Error::custom(EXPECTED))? {
                Spelling::Whole(number) => number.to_string(),
                Spelling::Fraction(number) => number.to_string(),
                Spelling::Text(text) => text,
            };
        Self::parse_usd(&text).ok_or_else(|| serde::de::Error::custom(EXPECTED))
    }
}

const EXPECTED: &str = "an amount of US dollars, zero or more, with at most nine decimal places";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_prints_exactly() {
        for (text, nanos) in
            [("50", 50_000_000_000), ("0.02", 20_000_000), ("0.000000001", 1), ("1.50", 1_500_000_000)]
        {
            assert_eq!(Money::parse_usd(text), Some(Money(nanos)), "{text}");
        }
        for bad in ["", ".5", "-1", "1e3", "0.0000000001", "NaN", "99999999999999999999", "1.2.3", "+1"] {
            assert_eq!(Money::parse_usd(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_spelling(nanos in 0..i64::MAX) {
            prop_assert_eq!(Money::parse_usd(&Money(nanos).usd()), Some(Money(nanos)));
        }
    }
}
