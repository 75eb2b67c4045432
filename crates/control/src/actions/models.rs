//! The model catalogue: replaced as a whole, and asked whether an allow-list names anything.

mod prices;

use super::{Deed, commit};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::keys::looks_like_key;
use louver_domain::models::Catalogue;
use louver_store::models as store;
pub use louver_store::models::{PriceList, PricedModel, PricedTool};
use louver_store::{Tx, workspaces};
use std::collections::HashSet;

const LONGEST_NAME: usize = 128;
const MOST_ENTRIES: usize = 256;
const MOST_MODELS: usize = 2000;
const LARGEST_CONTEXT: u64 = 1_000_000_000_000;

/// The catalogue, retired models too.
pub async fn list(control: &Control) -> Result<PriceList, ControlError> {
    Ok(store::list(&control.store).await?)
}

/// The same for whoever may read it.
pub async fn read(control: &Control, context: &Context) -> Result<PriceList, ControlError> {
    context.admit(Action::ReadModels)?;
    list(control).await
}

/// One model, by its id or an alias.
pub async fn get(control: &Control, name: &str) -> Result<PricedModel, ControlError> {
    let models = list(control).await?.models;
    let by_id = models.iter().find(|entry| entry.model.id == name);
    let found =
        by_id.or_else(|| models.iter().find(|entry| entry.model.aliases.iter().any(|alias| alias == name)));
    found.cloned().ok_or(ControlError::NotFound)
}

/// Writes a whole price list in place of what was there; without `tools`, their prices stay.
///
/// What a call cost names the price by its place in the order of effect. So prices that are in effect stay as they are,
/// and new ones come after them; `force` writes the list all the same.
pub async fn replace(
    control: &Control,
    context: &Context,
    models: Vec<PricedModel>,
    tools: Option<Vec<PricedTool>>,
    force: bool,
) -> Result<PriceList, ControlError> {
    let permit = decide(&context.actor, Action::UpdateModel, context.organization_id())?;
    prices::check(&models, tools.as_deref().unwrap_or_default())?;
    check(&models)?;
    let mut tx = control.begin(context).await?;
    let before = store::load(&mut tx).await?;
    check_places(control, context, &mut tx, &models).await?;
    let tools = tools.unwrap_or_else(|| before.tools.clone());
    let catalogue = PriceList { models, tools };
    if !force {
        prices::must_keep(&before, &catalogue, context.now)?;
    }
    store::replace(&mut tx, &permit, &catalogue).await?;
    let deed = Deed::on(permit, "catalogue", "catalogue").from(&before)?.to(&catalogue)?;
    commit(control, context, tx, deed).await?;
    Ok(catalogue)
}

/// Where models are served and whose they are: upstreams of the settings, and workspaces of the organization.
async fn check_places(
    control: &Control,
    context: &Context,
    tx: &mut Tx,
    models: &[PricedModel],
) -> Result<(), ControlError> {
    for (place, entry) in models.iter().enumerate() {
        let refuse = |name: &str, sentence: &str| {
            Err(ControlError::field(&format!("models.{place}.{name}"), sentence))
        };
        if entry.model.upstream.as_ref().is_some_and(|name| !control.servers.contains(name)) {
            return refuse("upstream", "names no upstream of the settings");
        }
        if let Some(id) = entry.model.workspace_id
            && workspaces::load(tx, context.organization_id(), id).await?.is_none()
        {
            return refuse("workspace_id", "names no workspace of this organization");
        }
    }
    Ok(())
}

/// Refuses an allow-list in `field` with an entry that names no model.
pub(crate) async fn check_entries(tx: &mut Tx, entries: &[String], field: &str) -> Result<(), ControlError> {
    check_entries_in(&catalogue(tx).await?, entries, field)
}

/// The models that are served.
pub(crate) async fn catalogue(tx: &mut Tx) -> Result<Catalogue, ControlError> {
    Ok(Catalogue::new(store::load(tx).await?.models.into_iter().map(|entry| entry.model).collect()))
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
    }
    Ok(())
}
