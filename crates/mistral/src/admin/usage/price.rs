//! The prices that usage is counted at.

use super::{ApiZone, LagoEventType, ServiceTier};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The price of one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PriceData {
    /// What is counted.
    pub event_type: Option<LagoEventType>,
    /// The model.
    pub billing_metric: String,
    /// The billing group: `input`, `cached`, `output`, …
    pub billing_group: String,
    /// Where calls are answered.
    pub api_zone: ApiZone,
    /// The tier they are served on.
    pub service_tier: ServiceTier,
    /// The price of one unit.
    pub price: UnitPrice,
}

/// What one unit costs. The document allows a number or a string; this is a string of the exact decimal
/// (`"0.0000004"`), since the price of one token is too small for a float to be read comfortably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitPrice {
    nanos: u64,
    places: usize,
}

impl UnitPrice {
    /// From nano-units of the currency per unit.
    pub const fn each(nanos: u64) -> Self {
        Self { nanos, places: 9 }
    }

    /// From nano-units of the currency per thousand units.
    pub const fn per_thousand(nanos: u64) -> Self {
        Self { nanos, places: 12 }
    }

    /// From nano-units of the currency per million units.
    pub const fn per_million(nanos: u64) -> Self {
        Self { nanos, places: 15 }
    }
}

/// A plain decimal without needless zeros.
impl fmt::Display for UnitPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At least one digit stands before the point.
        let digits = format!("{:0>1$}", self.nanos, self.places.saturating_add(1));
        let (whole, part) = digits.split_at(digits.len().saturating_sub(self.places));
        match part.trim_end_matches('0') {
            "" => f.write_str(whole),
            part => write!(f, "{whole}.{part}"),
        }
    }
}

impl Serialize for UnitPrice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for UnitPrice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "UnitPrice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_the_exact_decimal() {
        for (price, text) in [
            (UnitPrice::per_million(400_000_000), "0.0000004"),
            (UnitPrice::per_million(6_000_000_000), "0.000006"),
            (UnitPrice::per_thousand(1_000_000_000), "0.001"),
            (UnitPrice::each(2_500_000_000), "2.5"),
            (UnitPrice::each(3_000_000_000), "3"),
            (UnitPrice::each(0), "0"),
            (UnitPrice::per_million(1), "0.000000000000001"),
            (UnitPrice::each(u64::MAX), "18446744073.709551615"),
        ] {
            assert_eq!(price.to_string(), text);
        }
    }
}
