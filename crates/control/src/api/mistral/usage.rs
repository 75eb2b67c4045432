//! `/v1/admin/usage`: usage of a month by category.

use super::paging::nullable;
use super::{Answer, Shared};
use crate::actions::usage::{self as actions, Asked};
use crate::actions::{models, workspaces};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::calendar::{Period, Window, Zone};
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::id::WorkspaceId;
use louver_domain::money::Money;
use louver_domain::prices::{Price, Prices, Terms};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};
use louver_mistral::admin::usage::{
    ApiZone, LagoEventType, PriceData, ServiceTier, UnitPrice, UsageKind, UsageOUTJSON, UsagePeriod, UsageSum,
};
use louver_mistral::admin::values::{Amount, Time};
use louver_store::usage::{Group, GroupBy, Sums};
use std::collections::{BTreeSet, HashMap};

/// The characters of a month in an RFC 3339 time.
const MONTH: usize = 7;
const ZONES: [&str; 3] = ["global", "us", "eu"];

pub(crate) fn routes() -> Routes {
    Routes::new().get("/v1/admin/usage", Action::ReadUsage, read)
}

/// A month of the calendar, UTC.
struct Month {
    year: u16,
    month: u8,
}

impl Month {
    /// Reads `month` and `year`; what is not named is that of `now`.
    fn read(params: &mut Params, now: Timestamp) -> Result<Self, ControlError> {
        let this = Self::of(now);
        let month = nullable(params, "month")?.map(|text| {
            let month = digits(&text, 2).and_then(|n| u8::try_from(n).ok()).filter(|n| (1..=12).contains(n));
            month.ok_or_else(|| ControlError::parameter("month", "expected a month from 1 to 12"))
        });
        let year = nullable(params, "year")?.map(|text| {
            let year = digits(&text, 4).filter(|year| *year > 0);
            year.ok_or_else(|| ControlError::parameter("year", "expected a year"))
        });
        Ok(Self {
            year: year.transpose()?.unwrap_or(this.year),
            month: month.transpose()?.unwrap_or(this.month),
        })
    }

    fn of(at: Timestamp) -> Self {
        let text = at.rfc3339();
        let number = |range| text.get(range).and_then(|part: &str| part.parse().ok()).unwrap_or(1);
        Self { year: number(0..4), month: u8::try_from(number(5..7)).unwrap_or(1) }
    }

    fn period(&self) -> Result<Period, ControlError> {
        let first = Timestamp::parse(&format!("{:04}-{:02}-01", self.year, self.month));
        let first = first.ok_or_else(|| ControlError::parameter("year", "expected a year"))?;
        Ok(Window::Month.period(&Zone::default(), first))
    }
}

/// A plain number of at most so many digits.
fn digits(text: &str, most: usize) -> Option<u16> {
    let plain = text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

async fn read(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let period = Month::read(&mut params, context.now)?.period()?;
    let workspace = nullable(&mut params, "workspace_id")?.map(|text| {
        WorkspaceId::parse(&text).ok_or_else(|| ControlError::parameter("workspace_id", "expected a UUID"))
    });
    let zone = nullable(&mut params, "api_zone")?;
    params.done()?;
    if zone.as_ref().is_some_and(|zone| !ZONES.contains(&zone.as_str())) {
        return Err(ControlError::parameter("api_zone", "expected global, us or eu"));
    }
    let workspace = workspace.transpose()?;
    if let Some(id) = workspace {
        let unknown = |_| ControlError::NotHere("there is no such workspace".into());
        workspaces::get(&control, &context, id).await.map_err(unknown)?;
    }
    let by = GroupBy { granularity: Some(Window::Day), model: true, endpoint: true, ..GroupBy::default() };
    let asked = Asked { from: period.starts, to: period.ends, workspace, by };
    let mut sums = actions::sums(&control, &context, asked).await?;
    // All calls go to the one upstream, wherever it answers them.
    sums.retain(|_, _| zone.as_deref().is_none_or(|zone| zone == "global"));
    let prices = models::list(&control).await?.models.into_iter();
    let prices = prices.map(|entry| (entry.model.id, Prices::new(entry.prices))).collect();
    let filed = sums.iter().flat_map(|(group, sums)| entries(group, sums, &prices)).collect::<Vec<_>>();
    let used = sums.keys().filter_map(|group| group.model.as_deref()).collect();
    let out = UsageOUTJSON::of(shown(period, context.now), filed, shown_prices(&used, &prices, period));
    Ok(reply::ok(&out))
}

fn shown(period: Period, now: Timestamp) -> UsagePeriod {
    let time = |at: Timestamp| Time(at.rfc3339());
    let month = |at: Timestamp| at.rfc3339().get(..MONTH).map(str::to_owned);
    let before = period.starts.plus_seconds(-1);
    UsagePeriod {
        date: time(if period.contains(now) { now } else { period.starts }),
        previous_month: month(before)
            .filter(|text| !text.starts_with(['-', '+']) && !text.starts_with("0000")),
        next_month: month(period.ends).filter(|_| period.ends <= now),
        start_date: time(period.starts),
        end_date: time(period.ends),
    }
}

type AllPrices = HashMap<String, Prices>;

/// What a model used in a day, by billing group; the costs come to what was charged.
fn entries(group: &Group, sums: &Sums, prices: &AllPrices) -> Vec<UsageSum> {
    let (Some(at), Some(model)) = (group.period, group.model.as_ref()) else { return vec![] };
    // A change of price within the day shows in the sum alone.
    let price = prices.get(model).and_then(|prices| prices.at(at)).map(|(_, price)| price);
    let chat = group.endpoint.as_deref() == Some(EndpointKind::Chat.as_str());
    let endpoint = group.endpoint.as_deref().and_then(EndpointKind::parse);
    let tokens = if chat { UsageKind::Chat } else { UsageKind::Completion };
    split(sums, price, tokens, endpoint.map_or(Billing::Tokens, EndpointKind::billing))
        .into_iter()
        .filter(|part| part.count > 0 || part.cost > 0)
        .map(|part| UsageSum {
            kind: part.kind,
            model: model.clone(),
            group: part.group.to_owned(),
            timestamp: Time(at.rfc3339()),
            api_zone: ApiZone::Global,
            service_tier: ServiceTier::Standard,
            value: part.count,
            value_paid: if sums.cost.nanos() > 0 { part.count } else { 0 },
            cost: Amount::from_nanos(part.cost),
        })
        .collect()
}

/// A part of a sum.
struct Part {
    kind: UsageKind,
    group: &'static str,
    count: u64,
    cost: i64,
}

/// The parts of a sum: what the price says of all but the one that the endpoint is billed by, and for that one what is
/// left of the cost: rounding, old prices and better or worse terms.
fn split(sums: &Sums, price: Option<&Price>, tokens: UsageKind, billing: Billing) -> Vec<Part> {
    let (used, units) = (sums.tokens, sums.units);
    let none = Tokens::default();
    let of = |tokens: Tokens, units: Units| {
        price.map_or(0, |price| price.cost(tokens, &units, Terms::default()).nanos())
    };
    let of_tokens = |tokens: Tokens| of(tokens, Units::default());
    let of_units = |units: Units| of(none, units);
    let fresh = used.input.saturating_sub(used.cached);
    let part = |kind, group, count, cost| Part { kind, group, count, cost };
    let mut parts = vec![
        part(tokens, "input", fresh, of_tokens(Tokens { input: fresh, ..none })),
        part(
            tokens,
            "cached",
            used.cached,
            of_tokens(Tokens { input: used.cached, cached: used.cached, ..none }),
        ),
        part(tokens, "output", used.output, of_tokens(Tokens { output: used.output, ..none })),
        part(
            UsageKind::Ocr,
            "pages",
            units.pages,
            of_units(Units { pages: units.pages, ..Units::default() }),
        ),
        part(
            UsageKind::Ocr,
            "annotated_pages",
            units.annotated_pages,
            of_units(Units { annotated_pages: units.annotated_pages, ..Units::default() }),
        ),
        part(
            UsageKind::Audio,
            "audio_seconds",
            units.audio_seconds,
            of_units(Units { audio_seconds: units.audio_seconds, ..Units::default() }),
        ),
        part(
            UsageKind::AudioCharacters,
            "characters",
            units.characters,
            of_units(Units { characters: units.characters, ..Units::default() }),
        ),
        // What a call of a tool cost is not kept by itself: it is what is left.
        part(UsageKind::Connectors, "tool_calls", units.tool_calls, 0),
    ];
    let rest_of = rest_of(&parts, billing);
    let mut left = sums.cost.nanos();
    for (place, part) in parts.iter_mut().enumerate() {
        part.cost = if place == rest_of { 0 } else { part.cost.clamp(0, left.max(0)) };
        left = left.saturating_sub(part.cost);
    }
    if let Some(part) = parts.get_mut(rest_of) {
        part.cost = left;
    }
    parts
}

/// The place of the part that what is left of a cost falls to: one that was used, and first what has no price alone.
fn rest_of(parts: &[Part], billing: Billing) -> usize {
    let usual = match billing {
        Billing::Tokens | Billing::InputTokens | Billing::Free => ["tool_calls", "input", "output"],
        Billing::Pages => ["pages", "annotated_pages", "input"],
        Billing::AudioSeconds => ["audio_seconds", "input", "output"],
        Billing::Characters => ["characters", "input", "output"],
    };
    let used = |group: &&str| parts.iter().position(|part| part.group == *group && part.count > 0);
    usual.iter().find_map(used).unwrap_or(0)
}

/// The prices of what was used, as they stood at the end of the month.
fn shown_prices(used: &BTreeSet<&str>, prices: &AllPrices, period: Period) -> Vec<PriceData> {
    let last = period.ends.plus_seconds(-1);
    let mut all = Vec::new();
    for model in used {
        let Some((_, price)) = prices.get(*model).and_then(|prices| prices.at(last)) else { continue };
        let per_million = |money: Money| UnitPrice::per_million(money.nanos().unsigned_abs());
        let of_tokens = [
            ("input", price.input_usd_per_mtok),
            ("cached", price.cached_input_usd_per_mtok),
            ("output", price.output_usd_per_mtok),
        ];
        let tokens =
            of_tokens.map(|(group, money)| (LagoEventType::ApiTokens, group, money.map(per_million)));
        let per_thousand = |money: Money| UnitPrice::per_thousand(money.nanos().unsigned_abs());
        let units = [
            (LagoEventType::ApiPages, "pages", price.usd_per_1000_pages.map(per_thousand)),
            (
                LagoEventType::ApiPages,
                "annotated_pages",
                price.usd_per_1000_annotated_pages.map(per_thousand),
            ),
            (LagoEventType::ApiAudioCharacters, "characters", price.usd_per_mchar.map(per_million)),
        ];
        // A second of audio costs a sixtieth of a minute.
        let seconds = price.usd_per_audio_minute.map(|money| {
            let millions = u128::from(money.nanos().unsigned_abs()).saturating_mul(1_000_000);
            UnitPrice::per_million(u64::try_from(millions.div_ceil(60)).unwrap_or(u64::MAX))
        });
        let seconds = [(LagoEventType::ApiAudioSeconds, "audio_seconds", seconds)];
        for (event_type, group, price) in tokens.into_iter().chain(units).chain(seconds) {
            let Some(price) = price else { continue };
            all.push(PriceData {
                event_type: Some(event_type),
                billing_metric: (*model).to_owned(),
                billing_group: group.to_owned(),
                api_zone: ApiZone::Global,
                service_tier: ServiceTier::Standard,
                price,
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_to_the_whole() {
        let of = Money::from_nanos;
        let price =
            Price::of_tokens(Timestamp::from_micros(0), of(100_000_000), of(10_000_000), of(300_000_000));
        for (input, cached, output, cost) in
            [(100, 10, 50, 25_000), (100, 100, 0, 1_000), (100, 100, 5, 9_000), (0, 0, 0, 7), (9, 0, 9, 1)]
        {
            for price in [None, Some(&price)] {
                let sums = Sums {
                    tokens: Tokens { input, cached, output },
                    cost: Money::from_nanos(cost),
                    ..Sums::default()
                };
                let parts = split(&sums, price, UsageKind::Chat, Billing::Tokens);
                assert_eq!(parts.iter().map(|part| part.cost).sum::<i64>(), cost);
                assert_eq!(parts.iter().map(|part| part.count).sum::<u64>(), input + output);
            }
        }
        let sums = Sums {
            tokens: Tokens { input: 1100, cached: 100, output: 10 },
            cost: Money::from_nanos(104_000),
            ..Sums::default()
        };
        let parts = split(&sums, Some(&price), UsageKind::Chat, Billing::Tokens);
        let costs: Vec<i64> = parts.iter().map(|part| part.cost).collect();
        assert_eq!(costs, [100_000, 1_000, 3_000, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn units_have_parts_of_their_own() {
        let of = |nanos| Some(Money::from_nanos(nanos));
        let price = Price {
            usd_per_1000_pages: of(4_000_000_000),
            usd_per_1000_annotated_pages: of(5_000_000_000),
            ..Price::none(Timestamp::from_micros(0))
        };
        let units = Units { pages: 10, annotated_pages: 2, ..Units::default() };
        let sums = Sums { units, cost: Money::from_nanos(55_000_000), ..Sums::default() };
        let parts = split(&sums, Some(&price), UsageKind::Completion, Billing::Pages);
        let shown: Vec<_> = parts
            .iter()
            .filter(|part| part.count > 0)
            .map(|part| (part.group, part.count, part.cost))
            .collect();
        // Five million above the price are the rest, on what the endpoint is billed by.
        assert_eq!(shown, [("pages", 10, 45_000_000), ("annotated_pages", 2, 10_000_000)]);
        let units = Units { tool_calls: 3, ..Units::default() };
        let sums = Sums { units, cost: Money::from_nanos(90_000_000), ..Sums::default() };
        let parts = split(&sums, None, UsageKind::Chat, Billing::Tokens);
        let tools = parts.last().unwrap();
        assert_eq!((tools.kind, tools.count, tools.cost), (UsageKind::Connectors, 3, 90_000_000));
    }
}
