//! What calls cost: versioned prices of everything that is billed, and the cost of a call in nano-dollars.

use crate::endpoints::{Billing, EndpointKind};
use crate::money::Money;
use crate::time::Timestamp;
use crate::usage::{Tokens, Units};
use serde::{Deserialize, Serialize};

/// The price of a model from a date on. What has no price here cannot be called where a budget applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// From when on it holds.
    pub effective_from: Timestamp,
    /// For a million input tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_usd_per_mtok: Option<Money>,
    /// For a million input tokens that the provider had in its cache; without it they cost what others cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_usd_per_mtok: Option<Money>,
    /// For a million output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_usd_per_mtok: Option<Money>,
    /// For a thousand pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_1000_pages: Option<Money>,
    /// For a thousand pages that are annotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_1000_annotated_pages: Option<Money>,
    /// For a minute of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_audio_minute: Option<Money>,
    /// For a million characters that are spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_mchar: Option<Money>,
    /// For each month that a fine-tuned model is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_month_kept: Option<Money>,
    /// What the priority tier costs of the price, in per cent.
    #[serde(default = "priority_percent")]
    pub priority_percent: u32,
    /// What a batch costs of the price, in per cent.
    #[serde(default = "batch_percent")]
    pub batch_percent: u32,
    /// What a regional endpoint costs of the price, in per cent.
    #[serde(default = "regional_percent")]
    pub regional_percent: u32,
}

/// Mistral's pricing page and its page on the priority tier, as of August 2026.
const fn priority_percent() -> u32 {
    175
}

/// Mistral's page on batch processing, as of August 2026.
const fn batch_percent() -> u32 {
    50
}

/// Mistral's page on regional inference, as of August 2026.
const fn regional_percent() -> u32 {
    110
}

/// The price of one call of a tool that the provider runs, from a date on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolPrice {
    /// From when on it holds.
    pub effective_from: Timestamp,
    /// For one call.
    pub usd_per_call: Money,
}

impl ToolPrice {
    /// The price that holds at `now`, of prices in any order.
    pub fn at(prices: &[Self], now: Timestamp) -> Option<&Self> {
        prices.iter().filter(|price| price.effective_from <= now).max_by_key(|price| price.effective_from)
    }
}

/// On which terms a call is served, beside the price itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// In the priority tier.
    pub priority: bool,
    /// In a batch.
    pub batch: bool,
    /// At a regional endpoint.
    pub regional: bool,
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

/// The least common denominator of a million tokens, a thousand pages, sixty seconds and a million characters.
const PARTS: u128 = 3_000_000;

impl Price {
    /// Without a price for anything.
    pub const fn none(effective_from: Timestamp) -> Self {
        Self {
            effective_from,
            input_usd_per_mtok: None,
            cached_input_usd_per_mtok: None,
            output_usd_per_mtok: None,
            usd_per_1000_pages: None,
            usd_per_1000_annotated_pages: None,
            usd_per_audio_minute: None,
            usd_per_mchar: None,
            usd_per_month_kept: None,
            priority_percent: priority_percent(),
            batch_percent: batch_percent(),
            regional_percent: regional_percent(),
        }
    }

    /// Of tokens only.
    pub const fn of_tokens(effective_from: Timestamp, input: Money, cached: Money, output: Money) -> Self {
        Self {
            input_usd_per_mtok: Some(input),
            cached_input_usd_per_mtok: Some(cached),
            output_usd_per_mtok: Some(output),
            ..Self::none(effective_from)
        }
    }

    /// Whether everything has a price that such a call can be billed. `units` are those it can use at most.
    pub fn covers(&self, billing: Billing, units: &Units) -> bool {
        let pages = units.pages == 0 || self.usd_per_1000_pages.is_some();
        let annotated = units.annotated_pages == 0 || self.usd_per_1000_annotated_pages.is_some();
        match billing {
            Billing::Tokens => self.input_usd_per_mtok.is_some() && self.output_usd_per_mtok.is_some(),
            Billing::InputTokens => self.input_usd_per_mtok.is_some(),
            Billing::Pages => pages && annotated,
            Billing::AudioSeconds => self.usd_per_audio_minute.is_some(),
            Billing::Characters => self.usd_per_mchar.is_some(),
            Billing::Free => true,
        }
    }

    /// The prices that are missing for what these endpoints are billed by, each once. Such calls are refused where a
    /// budget in dollars applies.
    pub fn missing(price: Option<&Self>, endpoints: &[EndpointKind]) -> Vec<&'static str> {
        let mut missing = Vec::new();
        for (name, set) in endpoints.iter().flat_map(|kind| Self::needed(price, kind.billing())) {
            if !set && !missing.contains(&name) {
                missing.push(name);
            }
        }
        missing
    }

    /// What a call can be billed by, and whether it has a price.
    fn needed(price: Option<&Self>, billing: Billing) -> Vec<(&'static str, bool)> {
        let set = |of: fn(&Self) -> Option<Money>| price.and_then(of).is_some();
        let input = ("input_usd_per_mtok", set(|price| price.input_usd_per_mtok));
        match billing {
            Billing::Tokens => {
                vec![input, ("output_usd_per_mtok", set(|price| price.output_usd_per_mtok))]
            }
            Billing::InputTokens => vec![input],
            Billing::Pages => vec![
                ("usd_per_1000_pages", set(|price| price.usd_per_1000_pages)),
                ("usd_per_1000_annotated_pages", set(|price| price.usd_per_1000_annotated_pages)),
            ],
            Billing::AudioSeconds => {
                vec![("usd_per_audio_minute", set(|price| price.usd_per_audio_minute))]
            }
            Billing::Characters => vec![("usd_per_mchar", set(|price| price.usd_per_mchar))],
            Billing::Free => vec![],
        }
    }

    /// The cost on these terms, rounded up to a nano-dollar.
    pub fn cost(&self, tokens: Tokens, units: &Units, terms: Terms) -> Money {
        self.sum(tokens, self.cached(), units, terms)
    }

    /// The most that so much can cost, whatever part of the input was in the cache.
    pub fn most(&self, tokens: Tokens, units: &Units, terms: Terms) -> Money {
        let all_cached = Tokens { cached: tokens.input, ..tokens };
        let dearest = self.cached().max(self.input_usd_per_mtok.unwrap_or(Money::ZERO));
        // A provider may serve a call in the standard tier that asked for priority.
        let dear = Terms { priority: terms.priority && self.priority_percent > 100, ..terms };
        self.sum(all_cached, dearest, units, dear)
    }

    /// How many tokens of output so many nano-dollars pay for.
    pub fn output_tokens(&self, nanos: u64, terms: Terms) -> u64 {
        let price = nanos_of(self.output_usd_per_mtok).saturating_mul(self.per_million(terms));
        let tokens = u128::from(nanos).saturating_mul(1_000_000 * 1_000_000).checked_div(price);
        tokens.map_or(u64::MAX, |tokens| u64::try_from(tokens).unwrap_or(u64::MAX))
    }

    fn cached(&self) -> Money {
        self.cached_input_usd_per_mtok.or(self.input_usd_per_mtok).unwrap_or(Money::ZERO)
    }

    /// The product of three per cents: parts of a million.
    fn per_million(&self, terms: Terms) -> u128 {
        let percent = |on: bool, percent: u32| if on { u128::from(percent) } else { 100 };
        percent(terms.priority, self.priority_percent)
            .saturating_mul(percent(terms.batch, self.batch_percent))
            .saturating_mul(percent(terms.regional, self.regional_percent))
    }

    fn sum(&self, tokens: Tokens, cached_price: Money, units: &Units, terms: Terms) -> Money {
        let cached = tokens.cached.min(tokens.input);
        let part = |count: u64, price: Option<Money>, of: u128| {
            u128::from(count)
                .saturating_mul(nanos_of(price))
                .saturating_mul(PARTS.checked_div(of).unwrap_or(1))
        };
        let total = [
            part(tokens.input.saturating_sub(cached), self.input_usd_per_mtok, 1_000_000),
            part(cached, Some(cached_price), 1_000_000),
            part(tokens.output, self.output_usd_per_mtok, 1_000_000),
            part(units.pages, self.usd_per_1000_pages, 1_000),
            part(units.annotated_pages, self.usd_per_1000_annotated_pages, 1_000),
            part(units.audio_seconds, self.usd_per_audio_minute, 60),
            part(units.characters, self.usd_per_mchar, 1_000_000),
        ]
        .into_iter()
        .fold(0, u128::saturating_add)
        .saturating_mul(self.per_million(terms));
        Money::from_nanos(i64::try_from(total.div_ceil(PARTS * 1_000_000)).unwrap_or(i64::MAX))
    }
}

fn nanos_of(price: Option<Money>) -> u128 {
    price.map_or(0, |price| u128::from(price.nanos().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Money {
        Money::parse_usd(text).unwrap()
    }

    fn price(from: &str, input: &str) -> Price {
        Price::of_tokens(Timestamp::parse(from).unwrap(), usd(input), usd("0.01"), usd("0.3"))
    }

    #[test]
    fn costs_are_exact_and_rounded_up() {
        let price = price("2026-01-01", "0.1");
        let cost = |input, cached, output| {
            price.cost(Tokens { input, cached, output }, &Units::default(), Terms::default()).nanos()
        };
        assert_eq!(cost(1_000_000, 0, 0), 100_000_000);
        assert_eq!(cost(10, 0, 20), 10 * 100 + 20 * 300);
        assert_eq!(cost(100, 64, 0), 36 * 100 + 64 * 10);
        assert_eq!(cost(10, 99, 0), 10 * 10, "never more cached than input");
        let least = Price { input_usd_per_mtok: Some(Money::from_nanos(1)), ..price.clone() };
        let one = Tokens { input: 1, cached: 0, output: 0 };
        assert_eq!(least.cost(one, &Units::default(), Terms::default()).nanos(), 1);
        assert_eq!(cost(u64::MAX, 0, u64::MAX), i64::MAX, "saturates, never wraps");
    }

    #[test]
    fn every_unit_has_its_price() {
        let price = Price {
            usd_per_1000_pages: Some(usd("4")),
            usd_per_1000_annotated_pages: Some(usd("5")),
            usd_per_audio_minute: Some(usd("0.003")),
            usd_per_mchar: Some(usd("16")),
            ..Price::none(Timestamp::from_micros(0))
        };
        let cost = |units: Units, terms| price.cost(Tokens::default(), &units, terms).nanos();
        let standard = Terms::default();
        assert_eq!(cost(Units { pages: 3, ..Units::default() }, standard), 12_000_000);
        assert_eq!(cost(Units { annotated_pages: 3, ..Units::default() }, standard), 15_000_000);
        assert_eq!(cost(Units { audio_seconds: 61, ..Units::default() }, standard), 3_050_000);
        assert_eq!(cost(Units { audio_seconds: 1, ..Units::default() }, standard), 50_000);
        assert_eq!(cost(Units { characters: 5, ..Units::default() }, standard), 80_000);
        let page = Units { pages: 1, ..Units::default() };
        assert_eq!(cost(page, Terms { batch: true, ..standard }), 2_000_000);
        assert_eq!(cost(page, Terms { batch: true, regional: true, ..standard }), 2_200_000);
        assert_eq!(cost(page, Terms { priority: true, ..standard }), 7_000_000);
        let both = Units { pages: 1, annotated_pages: 1, ..Units::default() };
        assert!(price.covers(Billing::Pages, &both) && !price.covers(Billing::Tokens, &both));
        let plain = Price { usd_per_1000_annotated_pages: None, ..price.clone() };
        assert!(plain.covers(Billing::Pages, &page) && !plain.covers(Billing::Pages, &both));
    }

    #[test]
    fn what_has_no_price_is_named() {
        use EndpointKind as E;
        let of = |price: Option<&Price>, kinds: &[E]| Price::missing(price, kinds);
        let tokens = price("2026-01-01", "0.1");
        assert_eq!(of(Some(&tokens), &[E::Chat, E::Embeddings, E::Files]), Vec::<&str>::new());
        assert_eq!(of(None, &[E::Chat, E::Fim]), ["input_usd_per_mtok", "output_usd_per_mtok"]);
        assert_eq!(of(Some(&tokens), &[E::Chat, E::Speech]), ["usd_per_mchar"]);
        let pages = Price { usd_per_1000_pages: Some(usd("4")), ..Price::none(Timestamp::from_micros(0)) };
        assert_eq!(of(Some(&pages), &[E::Ocr]), ["usd_per_1000_annotated_pages"]);
        assert_eq!(
            of(Some(&pages), &[E::Transcriptions, E::RealtimeTranscriptions]),
            ["usd_per_audio_minute"]
        );
    }

    #[test]
    fn the_newest_price_in_effect_holds() {
        let prices = Prices::new(vec![price("2026-06-01", "0.2"), price("2026-01-01", "0.1")]);
        let at = |day: &str| {
            prices
                .at(Timestamp::parse(day).unwrap())
                .map(|(version, p)| (version, p.input_usd_per_mtok.unwrap().usd()))
        };
        assert_eq!(at("2025-12-31"), None);
        assert_eq!(at("2026-01-01"), Some((1, "0.1".into())));
        assert_eq!(at("2026-07-01"), Some((2, "0.2".into())));
    }
}
