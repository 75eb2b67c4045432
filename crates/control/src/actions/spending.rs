//! The organization's monthly limit, and what was spent of it in the month that runs.

use super::{Deed, commit};
use crate::Control;
use crate::actions::budgets;
use crate::api::organizations::Shown;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::budgets::{Budget, BudgetKind, Scope, Unit};
use louver_domain::calendar::Window;
use louver_domain::limits::Level;
use louver_domain::money::Money;
use louver_domain::organizations::Organization;
use louver_store::{ledger, organizations, usage};

/// What the organization may spend in a month of its time zone, and has spent.
#[derive(Clone, Copy, Debug)]
pub struct Spending {
    /// The limit; `None` is without one.
    pub limit: Option<Money>,
    /// What calls of this month have cost so far.
    pub spent: Money,
}

impl Spending {
    /// Whether nothing is left.
    pub fn is_reached(&self) -> bool {
        self.limit.is_some_and(|limit| self.spent >= limit)
    }
}

/// How the caller's organization stands.
pub async fn get(control: &Control, context: &Context) -> Result<Spending, ControlError> {
    let found = organizations::get(&control.store, context.organization_id()).await?;
    let organization = found.ok_or(ControlError::NotFound)?;
    decide(&context.actor, Action::ReadBudgets, organization.id)?;
    stand(control, context, &organization).await
}

/// Sets the limit, or takes it away.
pub async fn set(
    control: &Control,
    context: &Context,
    limit: Option<Money>,
) -> Result<Spending, ControlError> {
    let mut tx = control.begin(context).await?;
    let found = organizations::load(&mut tx, context.organization_id()).await?;
    let before = found.ok_or(ControlError::NotFound)?;
    let permit = decide(&context.actor, Action::UpdateMonthlyLimit, before.id)?;
    let mut organization = before.clone();
    organization.limits.monthly_budget_usd = limit;
    organizations::save(&mut tx, &permit, &organization).await?;
    let scope = Scope::of(Level::Organization, organization.id.bytes());
    ledger::reopen(&mut tx, &scope, &before.limits, &organization.limits).await?;
    let deed = Deed::on(permit, organization.id, &organization.name);
    let deed = deed.from(&Shown::of(&before))?.to(&Shown::of(&organization))?;
    commit(control, context, tx, deed).await?;
    stand(control, context, &organization).await
}

async fn stand(
    control: &Control,
    context: &Context,
    organization: &Organization,
) -> Result<Spending, ControlError> {
    let limit = organization.limits.monthly_budget_usd;
    let zone = organization.limits.zone().unwrap_or_default();
    let scope = Scope::of(Level::Organization, organization.id.bytes());
    let all = Budget::of_limits(&scope, &organization.limits, &zone);
    let monthly = all.into_iter().filter(|budget| budget.kind == BudgetKind::MonthlyUsd).collect();
    // The ledger also knows of the calls whose records are still on their way.
    if let [standing] = budgets::stand_all(control, context, monthly).await?.as_slice() {
        return Ok(Spending { limit, spent: Money::from_nanos(standing.spent) });
    }
    let from = Window::Month.period(&zone, context.now).starts;
    let spent =
        usage::spent_of(&control.store, organization.id, &scope, Unit::Usd, from, context.now).await?;
    Ok(Spending { limit, spent: Money::from_nanos(spent) })
}
