//! How the budgets of keys at hand stand, without a look at those of others.

use super::{Set, Standing, known_of, stand};
use crate::Control;
use crate::actions::keys;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::budgets::{Budget, BudgetKind, Scope, Unit};
use louver_domain::id::KeyId;
use louver_domain::keys::ApiKey;
use louver_domain::limits::Level;
use louver_store::{organizations, usage, workspaces};
use std::collections::HashMap;

/// The monthly budgets in dollars of those keys that have one and that calls have asked for in the month that runs.
pub async fn of_keys(
    control: &Control,
    context: &Context,
    keys: &[&ApiKey],
) -> Result<HashMap<KeyId, Standing>, ControlError> {
    let mut budgets = Vec::new();
    for (key, all) in budgets_of(control, context, keys).await? {
        let monthly = all.into_iter().filter(|budget| budget.kind == BudgetKind::MonthlyUsd);
        budgets.extend(monthly.map(|budget| (key.id, budget)));
    }
    let ids: Vec<_> = budgets.iter().map(|(_, budget)| budget.id).collect();
    let known = known_of(control, context, &ids).await?;
    let mut standings = HashMap::new();
    for (key, budget) in budgets.into_iter().filter(|(_, budget)| known.contains_key(&budget.id)) {
        let set = Set { budget, name: String::new(), thresholds: Vec::new() };
        standings.insert(key, stand(control, context, set, &known).await?);
    }
    Ok(standings)
}

/// All budgets of one key.
pub async fn of_key(
    control: &Control,
    context: &Context,
    key: &ApiKey,
) -> Result<Vec<Standing>, ControlError> {
    let found = budgets_of(control, context, &[key]).await?;
    let budgets: Vec<Budget> = found.into_iter().flat_map(|(_, all)| all).collect();
    let ids: Vec<_> = budgets.iter().map(|budget| budget.id).collect();
    let known = known_of(control, context, &ids).await?;
    let mut standings = Vec::new();
    for budget in budgets {
        let set = Set { name: key.name.clone(), thresholds: key.limits.thresholds(), budget };
        if known.contains_key(&set.budget.id) {
            standings.push(stand(control, context, set, &known).await?);
        } else {
            standings.push(unasked(control, context, key, set).await?);
        }
    }
    Ok(standings)
}

/// The budgets that the limits of keys set, in the time zones of their workspaces.
async fn budgets_of<'a>(
    control: &Control,
    context: &Context,
    keys: &[&'a ApiKey],
) -> Result<Vec<(&'a ApiKey, Vec<Budget>)>, ControlError> {
    let organization = context.organization_id();
    let found = organizations::get(&control.store, organization).await?.ok_or(ControlError::NotFound)?;
    let above = found.limits.zone().unwrap_or_default();
    let workspaces = workspaces::list(&control.store, organization).await?;
    let zones: HashMap<_, _> =
        workspaces.iter().filter_map(|one| Some((one.id, one.limits.zone()?))).collect();
    let mut all = Vec::with_capacity(keys.len());
    for key in keys {
        decide(&context.actor, Action::ReadApiKeys, keys::resource(key))?;
        let zone = zones.get(&key.workspace_id).unwrap_or(&above);
        all.push((*key, Budget::of_limits(&Scope::of(Level::Key, key.id.bytes()), &key.limits, zone)));
    }
    Ok(all)
}

/// A budget that no call has asked for in its period: what was used before it was set counts when one does.
async fn unasked(
    control: &Control,
    context: &Context,
    key: &ApiKey,
    set: Set,
) -> Result<Standing, ControlError> {
    let period = set.budget.kind.window().period(&set.budget.zone, context.now);
    let unit = set.budget.kind.unit();
    let whose = (context.organization_id(), key.workspace_id, key.id);
    let used = usage::of_key(&control.store, whose, period.starts, context.now).await?;
    let amount = |sums: &usage::Sums| match unit {
        Unit::Usd => sums.cost.nanos(),
        Unit::Tokens => {
            i64::try_from(sums.tokens.input.saturating_add(sums.tokens.output)).unwrap_or(i64::MAX)
        }
    };
    let spent = used.iter().fold(0_i64, |all, (_, _, sums)| all.saturating_add(amount(sums)));
    let standing = Standing { spent, ..Standing::untouched(set, period) };
    Ok(Standing { free: standing.remaining(), ..standing })
}
