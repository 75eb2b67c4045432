//! The organization: its name, its billing, its limits.

use super::{Deed, commit_all, limits, names};
use crate::Control;
use crate::actions::limits::LimitsPatch;
use crate::api::organizations::Shown;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::values::{present, present_object};
use louver_domain::access::{Action, decide};
use louver_domain::budgets::Scope;
use louver_domain::limits::{Level, Limits};
use louver_domain::organizations::Organization;
use louver_store::ledger;
use louver_store::organizations as store;
use schemars::JsonSchema;
use serde::Deserialize;

/// A partial change.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrganizationPatch {
    /// A new name.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    pub name: Option<String>,
    /// Whether calls are paid for.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "bool")]
    pub billing_active: Option<bool>,
    /// Changed limits.
    #[serde(deserialize_with = "present_object")]
    #[schemars(with = "LimitsPatch")]
    pub limits: Option<LimitsPatch>,
}

/// The caller's organization.
pub async fn get(control: &Control, context: &Context) -> Result<Organization, ControlError> {
    store::get(&control.store, context.organization_id()).await?.ok_or(ControlError::NotFound)
}

/// Changes the caller's organization.
pub async fn update(
    control: &Control,
    context: &Context,
    patch: OrganizationPatch,
) -> Result<Organization, ControlError> {
    let mut tx = control.begin(context).await?;
    let found = store::load(&mut tx, context.organization_id()).await?;
    let mut organization = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::UpdateOrganization, organization.id)?;
    let before = Shown::of(&organization);
    context.must_match(control, &before)?;
    if let Some(name) = patch.name {
        let name = names::read("name", &name)?;
        organization.name = name;
    }
    organization.billing_active = patch.billing_active.unwrap_or(organization.billing_active);
    let limits_before = organization.limits.clone();
    if let Some(change) = patch.limits {
        limits::check(&mut tx, &change.clone().apply(Limits::default()), &[], limits::nested).await?;
        organization.limits = change.apply(organization.limits);
    }
    store::save(&mut tx, &permit, &organization).await?;
    let scope = Scope::of(Level::Organization, organization.id.bytes());
    ledger::reopen(&mut tx, &scope, &limits_before, &organization.limits).await?;
    let deed =
        Deed::on(permit, organization.id, &organization.name).from(&before)?.to(&Shown::of(&organization))?;
    let place = limits::Place::Organization(organization.id, &organization.name);
    let mut deeds = limits::told_apart(context, place, &limits_before, &organization.limits)?;
    deeds.push(deed);
    commit_all(control, context, tx, deeds).await?;
    Ok(organization)
}
