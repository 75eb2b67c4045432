//! What limits permit beside numbers: endpoints, tools, tiers, signed URLs, regions and fallback models.

use crate::error::ControlError;
use louver_domain::endpoints::EndpointKind;
use louver_domain::keys::looks_like_key;
use louver_domain::limits::{LONGEST_SIGNED_URL_HOURS, Limits, ServiceTier, TOOLS};
use louver_domain::models::Catalogue;

/// What the top of the chain is called among parents: what it does not name of tools, tiers and signed URLs is none.
pub(crate) const ORGANIZATION: &str = "organization";
const MOST_FALLBACKS: usize = 8;

/// Checks each permission by itself; `naming` is how the body calls a field.
pub(crate) fn check_values(limits: &Limits, naming: &dyn Fn(&str) -> String) -> Result<(), ControlError> {
    check_endpoints(limits.allowed_endpoints.as_deref(), naming)?;
    check_tools(limits.allowed_tools.as_deref(), naming)?;
    check_tiers(limits.allowed_service_tiers.as_deref(), naming)?;
    check_url_hours(limits.max_signed_url_hours, naming)
}

/// Service tiers, each once.
pub(crate) fn check_tiers(
    list: Option<&[ServiceTier]>,
    naming: &dyn Fn(&str) -> String,
) -> Result<(), ControlError> {
    match list.and_then(repeated) {
        Some(_) => Err(ControlError::field(&naming("allowed_service_tiers"), "names a tier twice")),
        None => Ok(()),
    }
}

/// Hours that the provider signs for.
pub(crate) fn check_url_hours(
    hours: Option<u32>,
    naming: &dyn Fn(&str) -> String,
) -> Result<(), ControlError> {
    match hours.filter(|hours| *hours > LONGEST_SIGNED_URL_HOURS) {
        Some(_) => Err(ControlError::field(&naming("max_signed_url_hours"), "must be at most 168")),
        None => Ok(()),
    }
}

/// Endpoints, each once.
pub(crate) fn check_endpoints(
    list: Option<&[EndpointKind]>,
    naming: &dyn Fn(&str) -> String,
) -> Result<(), ControlError> {
    let twice = list.and_then(|list| repeated(list));
    match twice {
        Some((place, kind)) => {
            let field = format!("{}.{place}", naming("allowed_endpoints"));
            Err(ControlError::field(&field, format!("{} stands in the list twice", kind.as_str())))
        }
        None => Ok(()),
    }
}

/// Types of tools that are known, each once.
pub(crate) fn check_tools(
    list: Option<&[String]>,
    naming: &dyn Fn(&str) -> String,
) -> Result<(), ControlError> {
    let list = list.unwrap_or_default();
    let field = |place: usize| format!("{}.{place}", naming("allowed_tools"));
    if let Some(place) = list.iter().position(|tool| !TOOLS.contains(&tool.as_str())) {
        return Err(ControlError::field(&field(place), format!("must be one of {}", TOOLS.join(", "))));
    }
    match repeated(list) {
        Some((place, tool)) => {
            Err(ControlError::field(&field(place), format!("{tool} stands in the list twice")))
        }
        None => Ok(()),
    }
}

/// The first entry that stood before.
fn repeated<T: PartialEq>(list: &[T]) -> Option<(usize, &T)> {
    let before = |place: usize| list.get(..place).unwrap_or_default();
    list.iter().enumerate().find(|(place, entry)| before(*place).contains(entry))
}

/// Models to fall back to: names of models, since the order says which is tried first.
pub(crate) fn check_fallbacks(
    catalogue: &Catalogue,
    names: &[String],
    field: &str,
) -> Result<(), ControlError> {
    if names.len() > MOST_FALLBACKS {
        return Err(ControlError::field(field, "must name at most 8 models"));
    }
    let mut seen = Vec::new();
    for (place, name) in names.iter().enumerate() {
        let refuse = |sentence: String| Err(ControlError::field(&format!("{field}.{place}"), sentence));
        let Some((_, model)) = catalogue.find(name) else {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-*".contains(&b);
            let shown = name.len() <= 128 && name.bytes().all(plain) && !looks_like_key(name);
            let named = if shown && !name.is_empty() { name.as_str() } else { "this entry" };
            return refuse(format!("{named} is no id or alias of a model"));
        };
        if seen.contains(&&model.id) {
            return refuse(format!("{} stands in the list twice", model.id));
        }
        seen.push(&model.id);
    }
    Ok(())
}

/// A child may permit nothing that its parent does not, since it would have no effect.
pub(crate) fn check_below(
    child: &Limits,
    parent: &str,
    limits: &Limits,
    naming: &dyn Fn(&str) -> String,
) -> Result<(), ControlError> {
    let top = parent == ORGANIZATION;
    let refuse = |field: String, sentence: String| Err(ControlError::field(&field, sentence));
    let endpoints = child.allowed_endpoints.as_deref().unwrap_or_default();
    if let Some((place, kind)) = beyond(endpoints, limits.allowed_endpoints.as_deref(), false) {
        let field = format!("{}.{place}", naming("allowed_endpoints"));
        return refuse(field, format!("the {parent} does not allow {}", kind.as_str()));
    }
    let tools = child.allowed_tools.as_deref().unwrap_or_default();
    if let Some((place, tool)) = beyond(tools, limits.allowed_tools.as_deref(), top) {
        let field = format!("{}.{place}", naming("allowed_tools"));
        return refuse(field, format!("the {parent} does not allow {tool}"));
    }
    let tiers = child.allowed_service_tiers.as_deref().unwrap_or_default();
    if let Some((place, tier)) = beyond(tiers, limits.allowed_service_tiers.as_deref(), top) {
        let field = format!("{}.{place}", naming("allowed_service_tiers"));
        let ServiceTier::Priority = tier;
        return refuse(field, format!("the {parent} does not allow priority"));
    }
    let hours = limits.max_signed_url_hours.or(top.then_some(0));
    if let (Some(asked), Some(most)) = (child.max_signed_url_hours, hours)
        && asked > most
    {
        let sentence = format!("stands above the same limit of the {parent}, {most}");
        return refuse(naming("max_signed_url_hours"), sentence);
    }
    match (child.region, limits.region) {
        (Some(asked), Some(set)) if asked != set => {
            refuse(naming("region"), format!("the {parent} has calls answered in {}", set.as_str()))
        }
        _ => Ok(()),
    }
}

/// The first entry that the parent's list does not have; no list is everything, or nothing where `none` says so.
fn beyond<'a, T: PartialEq>(child: &'a [T], parent: Option<&[T]>, none: bool) -> Option<(usize, &'a T)> {
    let parents = match parent {
        Some(list) => list,
        None if none => &[],
        None => return None,
    };
    child.iter().enumerate().find(|(_, entry)| !parents.contains(entry))
}

/// Refuses what a person's limits cannot permit: a person's limits count, and give no permission.
pub(crate) fn none_on_people(limits: &Limits) -> Result<(), ControlError> {
    let set = [
        ("allowed_endpoints", limits.allowed_endpoints.is_some()),
        ("allowed_tools", limits.allowed_tools.is_some()),
        ("allowed_service_tiers", limits.allowed_service_tiers.is_some()),
        ("max_signed_url_hours", limits.max_signed_url_hours.is_some()),
        ("region", limits.region.is_some()),
        ("fallback_models", limits.fallback_models.is_some()),
    ];
    match set.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(ControlError::field(
            name,
            "has no effect on a person: set it on a model role, workspace or key",
        )),
        None => Ok(()),
    }
}
