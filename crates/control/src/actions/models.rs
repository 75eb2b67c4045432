//! The model catalogue: replaced as a whole, and asked whether an allow-list names anything.

use super::{Deed, commit};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::keys::looks_like_key;
use louver_domain::models::Catalogue;
use louver_store::Tx;
use louver_store::models::{self as store, PriceList, PricedModel};
use std::collections::HashSet;

const LONGEST_NAME: usize = 128;
const MOST_ENTRIES: usize = 256;
const MOST_MODELS: usize = 2000;
const LARGEST_CONTEXT: u64 = 1_000_000_000_000;

/// The catalogue, retired models too.
pub async fn list(control: &Control) -> Result<PriceList, ControlError> {
    Ok(store::list(&control.store).await?)
}

/// One model, by its id or an alias.
pub async fn get(control: &Control, name: &str) -> Result<PricedModel, ControlError> {
    let models = list(control).await?.models;
    let by_id = models.iter().find(|entry| entry.model.id == name);
    let found =
        by_id.or_else(|| models.iter().find(|entry| entry.model.aliases.iter().any(|alias| alias == name)));
    found.cloned().ok_or(ControlError::NotFound)
}

/// Writes a whole catalogue in place of what was there.
pub async fn replace(
    control: &Control,
    context: &Context,
    models: Vec<PricedModel>,
) -> Result<PriceList, ControlError> {
    let permit = decide(&context.actor, Action::UpdateModel, context.organization_id())?;
    check(&models)?;
    for (place, entry) in models.iter().enumerate() {
        let field = format!("models.{place}.upstream");
        super::upstreams::check_server(control, &field, entry.model.upstream.as_deref())?;
    }
    let mut tx = control.begin(context).await?;
    let before = store::load(&mut tx).await?;
    let catalogue = PriceList { models, tools: before.tools.clone() };
    store::replace(&mut tx, &permit, &catalogue).await?;
    let deed = Deed::on(permit, "catalogue", "catalogue").from(&before)?.to(&catalogue)?;
    commit(control, context, tx, deed).await?;
    Ok(catalogue)
}

/// Refuses an allow-list in `field` with an entry that names no model.
pub(crate) async fn check_entries(tx: &mut Tx, entries: &[String], field: &str) -> Result<(), ControlError> {
    let models = store::load(tx).await?.models.into_iter().map(|entry| entry.model).collect();
    check_entries_in(&Catalogue::new(models), entries, field)
}

/// The same against a catalogue at hand.
pub(crate) fn check_entries_in(
    catalogue: &Catalogue,
    entries: &[String],
    field: &str,
) -> Result<(), ControlError> {
    if entries.len() > MOST_ENTRIES {
        return Err(ControlError::field(field, "must have at most 256 entries"));
    }
    for (place, entry) in entries.iter().enumerate() {
        if !is_entry(entry) || catalogue.unmatched(std::slice::from_ref(entry)).is_some() {
            // Only what looks like a model's name is repeated.
            let named = if is_entry(entry) && !looks_like_key(entry) { entry.as_str() } else { "this entry" };
            return Err(ControlError::field(
                &format!("{field}.{place}"),
                format!("{named} matches no model"),
            ));
        }
    }
    Ok(())
}

fn is_entry(entry: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:-*".contains(&b);
    (1..=LONGEST_NAME).contains(&entry.len()) && entry.bytes().all(fits)
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let all = name.bytes().all(|b| plain(b) || b"._:-".contains(&b));
    all && name.len() <= LONGEST_NAME && name.bytes().next().is_some_and(plain)
}

fn check(catalogue: &[PricedModel]) -> Result<(), ControlError> {
    if catalogue.is_empty() || catalogue.len() > MOST_MODELS {
        return Err(ControlError::field("models", "must hold 1 to 2,000 models"));
    }
    let mut names: HashSet<&str> = HashSet::new();
    for (place, entry) in catalogue.iter().enumerate() {
        let path = |name: &str| format!("models.{place}.{name}");
        let all = std::iter::once(("id", &entry.model.id));
        for (field, name) in all.chain(entry.model.aliases.iter().map(|alias| ("aliases", alias))) {
            if !is_name(name) {
                return Err(ControlError::field(&path(field), "must be 1 to 128 of a-z, 0-9 and . _ : -"));
            }
            if !names.insert(name) {
                return Err(ControlError::field(&path(field), format!("{name} names a model already")));
            }
        }
        if !is_name(&entry.model.family) {
            return Err(ControlError::field(&path("family"), "must be 1 to 128 of a-z, 0-9 and . _ : -"));
        }
        super::names::check(&path("name"), &entry.model.name)?;
        if entry.model.context > LARGEST_CONTEXT {
            return Err(ControlError::field(&path("context"), "must be at most 1,000,000,000,000"));
        }
        let mut dates = HashSet::new();
        if !entry.prices.iter().all(|price| dates.insert(price.effective_from)) {
            return Err(ControlError::field(&path("prices"), "two prices take effect at the same time"));
        }
    }
    Ok(())
}
