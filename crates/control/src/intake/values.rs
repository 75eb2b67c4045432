//! Values of bodies that serde alone would read too freely.

use super::Object;
use louver_domain::money::Money;
use louver_domain::secret::Secret;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// Tells an absent field (`None`) from a `null` (`Some(None)`).
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A field that may be absent, but not `null`.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A struct that may be absent, but not `null` or a list.
pub(crate) fn present_object<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Object::deserialize(deserializer).map(|Object(value)| Some(value))
}

/// Structs by name; each an object, and the whole too.
pub(crate) fn objects<'de, T, D>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let objects = BTreeMap::<String, Object<T>>::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|(name, Object(value))| (name, value)).collect())
}

/// An optional amount of dollars, as a number.
pub(crate) fn dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    Ok(Option::<Dollars>::deserialize(deserializer)?.map(|dollars| dollars.0))
}

/// An amount of dollars that may be absent, `null` or a number.
pub(crate) fn given_dollars<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Money>>, D::Error> {
    dollars(deserializer).map(Some)
}

/// An amount of dollars that must be there: [`Money`] without its spelling as a string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dollars(pub(crate) Money);

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number).map(Dollars)
    }
}

const EXPECTED: &str = "an amount of US dollars, zero or more, with at most nine decimal places";

struct Number;

impl Visitor<'_> for Number {
    type Value = Money;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Money, E> {
        Money::parse_usd(&number.to_string()).ok_or_else(|| E::custom(EXPECTED))
    }

    /// The shortest decimal that reads back as this float is what was written, up to 15 digits.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Money, E> {
        Money::parse_usd(&number.to_string()).ok_or_else(|| E::custom(EXPECTED))
    }
}

/// A secret on its way in, which cannot be printed.
pub(crate) struct SecretIn(pub(crate) Secret<String>);

impl<'de> Deserialize<'de> for SecretIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}
