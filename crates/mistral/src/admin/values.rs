//! Values of admin bodies that serde alone would read too freely, or write without their format.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A text of at most `MAX` characters (Unicode scalar values, as JSON Schema counts them).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// The text, unless it is too long.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (text.chars().count() <= MAX).then_some(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(text).ok_or_else(|| D::Error::custom(format_args!("a text has at most {MAX} characters")))
    }
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX })
    }
}

/// A moment that goes out, already written as RFC 3339 by the caller (`2026-07-28T10:00:01Z`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Time(pub String);

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A day of the calendar as `YYYY-MM-DD`; never one that does not exist. Sorts by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Date(String);

impl Date {
    /// Reads a date; the years are 0001 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let form = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !form {
            return None;
        }
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let real = year > 0 && (1..=days(year, month)?).contains(&day);
        real.then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How many days a month has in the Gregorian calendar; `None` if there is no such month.
fn days(year: u32, month: u32) -> Option<u32> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => Some(29),
        2 => Some(28),
        4 | 6 | 9 | 11 => Some(30),
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a date is a day of the calendar as YYYY-MM-DD"))
    }
}

impl JsonSchema for Date {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

const NANOS: u64 = 1_000_000_000;

/// An amount of money that goes out as a JSON number, made from integer nano-units of its currency.
///
/// The number on the wire is the shortest decimal of the float nearest to the exact decimal. That is the exact
/// decimal itself up to fifteen digits, so up to a million with all nine places; nothing is computed in floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    nanos: i64,
}

impl Amount {
    /// From units of 10⁻⁹ of the currency.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }
}

/// As a plain decimal with nine places.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, size) = (if self.nanos < 0 { "-" } else { "" }, self.nanos.unsigned_abs());
        let (whole, part) = (size.checked_div(NANOS), size.checked_rem(NANOS));
        write!(f, "{sign}{}.{:09}", whole.unwrap_or_default(), part.unwrap_or_default())
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = self.to_string().parse().map_err(serde::ser::Error::custom)?;
        serializer.serialize_f64(number)
    }
}

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

/// A struct that comes as an object only: serde alone would take a list of its values as well.
#[derive(Clone, Debug, Default)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(OnlyMaps(PhantomData)).map(Self)
    }
}

/// A struct or `null`.
pub(crate) fn object_or_null<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

/// A list of structs.
pub(crate) fn objects<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Vec::<Object<T>>::deserialize(deserializer)?.into_iter().map(|Object(value)| value).collect())
}

/// A list of structs or `null`.
pub(crate) fn objects_or_null<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let objects = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(objects.map(|list| list.into_iter().map(|Object(value)| value).collect()))
}

/// One more than the largest of 64 bits.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;

/// A whole number, as near to what was written as 64 bits are.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Whole;
    impl Visitor<'_> for Whole {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_i64<E>(self, number: i64) -> Result<i64, E> {
            Ok(number)
        }

        fn visit_u64<E>(self, number: u64) -> Result<i64, E> {
            Ok(i64::try_from(number).unwrap_or(i64::MAX))
        }

        /// Integers of more than 64 bits come so. What is less was written with a point.
        fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
            if number.abs() < BEYOND {
                return Err(E::invalid_type(serde::de::Unexpected::Float(number), &self));
            }
            Ok(if number < 0.0 { i64::MIN } else { i64::MAX })
        }
    }
    deserializer.deserialize_any(Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        for good in ["2026-11-21", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31", "2026-04-30"] {
            assert_eq!(Date::parse(good).map(|date| date.0).as_deref(), Some(good));
        }
        for bad in [
            "",
            "2026-02-29",
            "1900-02-29",
            "2026-04-31",
            "2026-13-01",
            "2026-00-10",
            "2026-01-00",
            "2026-01-32",
            "0000-01-01",
            "2026-1-01",
            "26-01-01",
            "2026/01/01",
            "2026-01-01T00:00:00Z",
            " 2026-01-1",
            "+026-01-01",
            "2026-01-0١",
        ] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
        assert!(serde_json::from_str::<Date>("20261121").is_err());
        assert!(serde_json::from_str::<Date>("null").is_err());
    }

    #[test]
    fn a_text_is_measured_in_characters() {
        assert!(serde_json::from_str::<Text<2>>("\"🦊é\"").is_ok());
        assert!(serde_json::from_str::<Text<2>>("\"abc\"").is_err());
        assert!(serde_json::from_str::<Text<2>>("1").is_err());
        assert!(serde_json::from_str::<Text<2>>("null").is_err());
    }

    #[test]
    fn an_amount_is_written_as_the_decimal_it_is() {
        for (nanos, number) in [
            (0, "0.0"),
            (50_000_000_000, "50.0"),
            (20_000_000, "0.02"),
            (100_000_000, "0.1"),
            (300_000_000, "0.3"),
            (-1_500_000_000, "-1.5"),
            (123_456_123_456_789, "123456.123456789"),
            (999_999_999_999_999, "999999.999999999"),
        ] {
            assert_eq!(serde_json::to_string(&Amount::from_nanos(nanos)).unwrap(), number);
        }
        for extreme in [i64::MAX, i64::MIN] {
            assert!(serde_json::to_value(Amount::from_nanos(extreme)).unwrap().is_number());
        }
    }
}
