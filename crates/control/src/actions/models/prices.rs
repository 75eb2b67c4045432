//! What a price list must be to be taken, and what of the one before it must keep.

use crate::error::ControlError;
use louver_domain::limits::TOOLS;
use louver_domain::money::Money;
use louver_domain::prices::{Price, ToolPrice};
use louver_domain::time::Timestamp;
use louver_store::models::{PriceList, PricedModel, PricedTool};
use std::collections::HashSet;

/// A price above a million dollars is a slip of the pen.
const DEAREST: Money = Money::from_nanos(1_000_000 * 1_000_000_000);
const LARGEST_PERCENT: u32 = 1000;
const MOST_PRICES: usize = 1000;

/// Checks every price by itself; where something is wrong stands in the field.
pub(super) fn check(models: &[PricedModel], tools: &[PricedTool]) -> Result<(), ControlError> {
    for (place, entry) in models.iter().enumerate() {
        let path = format!("models.{place}.prices");
        for (number, price) in entry.prices.iter().enumerate() {
            check_price(price, &format!("{path}.{number}"))?;
        }
        check_dates(&path, entry.prices.iter().map(|price| price.effective_from))?;
    }
    let mut types = HashSet::new();
    for (place, entry) in tools.iter().enumerate() {
        let path = |name: &str| format!("tools.{place}.{name}");
        if !TOOLS.contains(&entry.tool.as_str()) {
            return Err(ControlError::field(&path("type"), format!("must be one of {}", TOOLS.join(", "))));
        }
        if !types.insert(&entry.tool) {
            return Err(ControlError::field(
                &path("type"),
                format!("{} stands in the list twice", entry.tool),
            ));
        }
        for (number, price) in entry.prices.iter().enumerate() {
            check_amount(price.usd_per_call, &path(&format!("prices.{number}.usd_per_call")))?;
        }
        check_dates(&path("prices"), entry.prices.iter().map(|price| price.effective_from))?;
    }
    Ok(())
}

fn check_price(price: &Price, path: &str) -> Result<(), ControlError> {
    let amounts = [
        ("input_usd_per_mtok", price.input_usd_per_mtok),
        ("cached_input_usd_per_mtok", price.cached_input_usd_per_mtok),
        ("output_usd_per_mtok", price.output_usd_per_mtok),
        ("usd_per_1000_pages", price.usd_per_1000_pages),
        ("usd_per_1000_annotated_pages", price.usd_per_1000_annotated_pages),
        ("usd_per_audio_minute", price.usd_per_audio_minute),
        ("usd_per_mchar", price.usd_per_mchar),
        ("usd_per_month_kept", price.usd_per_month_kept),
    ];
    for (name, amount) in amounts {
        check_amount(amount.unwrap_or(Money::ZERO), &format!("{path}.{name}"))?;
    }
    let percents = [
        ("priority_percent", price.priority_percent),
        ("batch_percent", price.batch_percent),
        ("regional_percent", price.regional_percent),
    ];
    match percents.into_iter().find(|(_, percent)| !(1..=LARGEST_PERCENT).contains(percent)) {
        Some((name, _)) => Err(ControlError::field(&format!("{path}.{name}"), "must be from 1 to 1,000")),
        None => Ok(()),
    }
}

fn check_amount(amount: Money, path: &str) -> Result<(), ControlError> {
    if (Money::ZERO..=DEAREST).contains(&amount) {
        return Ok(());
    }
    Err(ControlError::field(path, "must be from 0 to 1,000,000 dollars"))
}

fn check_dates(path: &str, dates: impl Iterator<Item = Timestamp>) -> Result<(), ControlError> {
    let mut seen = HashSet::new();
    for (number, date) in dates.enumerate() {
        if !seen.insert(date) {
            let field = format!("{path}.{number}.effective_from");
            return Err(ControlError::field(&field, "two prices take effect at the same time"));
        }
    }
    if seen.len() > MOST_PRICES {
        return Err(ControlError::field(path, "must hold at most 1,000 prices"));
    }
    Ok(())
}

/// Refuses a list in which a price that is in effect is gone, changed, or at another place.
pub(super) fn must_keep(before: &PriceList, after: &PriceList, now: Timestamp) -> Result<(), ControlError> {
    for old in &before.models {
        let in_effect = old.prices.iter().take_while(|price| price.effective_from <= now).count();
        let kept = old.prices.get(..in_effect).unwrap_or_default();
        let found = after.models.iter().enumerate().find(|(_, entry)| entry.model.id == old.model.id);
        if in_effect == 0 {
            continue;
        }
        let Some((place, new)) = found else {
            let sentence = format!(
                "{} is gone, and has a price in effect: set its status to retired, or say force=true",
                old.model.id
            );
            return Err(ControlError::field("models", sentence));
        };
        if !new.prices.starts_with(kept) {
            return Err(changed(&format!("models.{place}.prices"), &old.model.id));
        }
    }
    for old in &before.tools {
        let kept: Vec<&ToolPrice> = old.prices.iter().filter(|price| price.effective_from <= now).collect();
        let found = after.tools.iter().enumerate().find(|(_, entry)| entry.tool == old.tool);
        let (place, prices) = found.map_or((0, &[][..]), |(place, entry)| (place, entry.prices.as_slice()));
        if !kept.iter().all(|price| prices.contains(price)) {
            return Err(changed(&format!("tools.{place}.prices"), &old.tool));
        }
    }
    Ok(())
}

fn changed(field: &str, name: &str) -> ControlError {
    let sentence = format!(
        "a price of {name} that is in effect would change; what calls cost names it by its place: add a price with a \
         later effective_from, or say force=true"
    );
    ControlError::field(field, sentence)
}
