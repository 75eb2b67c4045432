//! What tokens cost: versioned prices, and the cost of a call in nano-dollars.

use crate::money::Money;
use crate::time::Timestamp;
use crate::usage::Tokens;
use serde::{Deserialize, Serialize};

/// The price of a model from a date on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// From when on it holds.
    pub effective_from: Timestamp,
    /// For a million input tokens.
    pub input_usd_per_mtok: Money,
    /// For a million input tokens that the provider had in its cache.
    pub cached_input_usd_per_mtok: Money,
    /// For a million output tokens.
    pub output_usd_per_mtok: Money,
}

/// The prices of one model, in the order they take effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(Vec<Price>);

impl Prices {
    /// Of any order.
    pub fn new(mut prices: Vec<Price>) -> Self {
        prices.sort_by_key(|price| price.effective_from);
        Self(prices)
    }

    /// The price that holds at `now`, with its version: the 1-based place in the order of effect.
    pub fn at(&self, now: Timestamp) -> Option<(u32, &Price)> {
        let held = self.0.iter().take_while(|price| price.effective_from <= now).enumerate().last();
        held.map(|(index, price)| (u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1), price))
    }

    /// All of them, in the order they take effect.
    pub fn all(&self) -> &[Price] {
        &self.0
    }
}

impl Price {
    /// The cost of `tokens`, rounded up to a nano-dollar.
    pub fn cost(&self, tokens: Tokens) -> Money {
        self.sum(tokens, self.cached_input_usd_per_mtok)
    }

    /// The most that so many tokens can cost, whatever part of the input was in the cache.
    pub fn most(&self, tokens: Tokens) -> Money {
        let all_cached = Tokens { cached: tokens.input, ..tokens };
        self.sum(all_cached, self.cached_input_usd_per_mtok.max(self.input_usd_per_mtok))
    }

    /// How many tokens of output so many nano-dollars pay for.
    pub fn output_tokens(&self, nanos: u64) -> u64 {
        let price = u128::from(self.output_usd_per_mtok.nanos().unsigned_abs());
        let tokens = u128::from(nanos).saturating_mul(1_000_000).checked_div(price);
        tokens.map_or(u64::MAX, |tokens| u64::try_from(tokens).unwrap_or(u64::MAX))
    }

    fn sum(&self, tokens: Tokens, cached_price: Money) -> Money {
        let cached = tokens.cached.min(tokens.input);
        let part = |count: u64, price: Money| {
            u128::from(count).saturating_mul(u128::from(price.nanos().unsigned_abs()))
        };
        let total = part(tokens.input.saturating_sub(cached), self.input_usd_per_mtok)
            .saturating_add(part(cached, cached_price))
            .saturating_add(part(tokens.output, self.output_usd_per_mtok));
        Money::from_nanos(i64::try_from(total.div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(from: &str, input: &str) -> Price {
        Price {
            effective_from: Timestamp::parse(from).unwrap(),
            input_usd_per_mtok: Money::parse_usd(input).unwrap(),
            cached_input_usd_per_mtok: Money::parse_usd("0.01").unwrap(),
            output_usd_per_mtok: Money::parse_usd("0.3").unwrap(),
        }
    }

    #[test]
    fn costs_are_exact_and_rounded_up() {
        let price = price("2026-01-01", "0.1");
        let cost = |input, cached, output| price.cost(Tokens { input, cached, output }).nanos();
        assert_eq!(cost(1_000_000, 0, 0), 100_000_000);
        assert_eq!(cost(10, 0, 20), 10 * 100 + 20 * 300);
        assert_eq!(cost(100, 64, 0), 36 * 100 + 64 * 10);
        assert_eq!(cost(10, 99, 0), 10 * 10, "never more cached than input");
        assert_eq!(
            Price { input_usd_per_mtok: Money::from_nanos(1), ..price.clone() }
                .cost(Tokens { input: 1, cached: 0, output: 0 })
                .nanos(),
            1
        );
        assert_eq!(cost(u64::MAX, 0, u64::MAX), i64::MAX, "saturates, never wraps");
    }

    #[test]
    fn the_newest_price_in_effect_holds() {
        let prices = Prices::new(vec![price("2026-06-01", "0.2"), price("2026-01-01", "0.1")]);
        let at = |day: &str| {
            prices
                .at(Timestamp::parse(day).unwrap())
                .map(|(version, p)| (version, p.input_usd_per_mtok.usd()))
        };
        assert_eq!(at("2025-12-31"), None);
        assert_eq!(at("2026-01-01"), Some((1, "0.1".into())));
        assert_eq!(at("2026-07-01"), Some((2, "0.2".into())));
    }
}
