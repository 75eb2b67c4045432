//! What people see of a workspace at a glance: its keys, and what it has spent this month.

use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::budgets::{Budget, Scope};
use louver_domain::calendar::{Period, Window, Zone};
use louver_domain::id::WorkspaceId;
use louver_domain::limits::Level;
use louver_domain::money::Money;
use louver_domain::workspaces::Workspace;
use louver_store::{keys, organizations, usage};
use std::collections::{BTreeMap, HashMap};

/// A workspace at a glance; `None` is what the caller may not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Keys that are not revoked.
    pub keys: Option<u64>,
    /// What its calls of this month have cost, as far as it is written.
    pub spent: Option<Money>,
}

/// Those of workspaces, which must all be of the caller's organization. Months are the organization's.
pub async fn of(
    control: &Control,
    context: &Context,
    workspaces: &[WorkspaceId],
) -> Result<BTreeMap<WorkspaceId, Figures>, ControlError> {
    let organization = context.organization_id();
    let sees = |action| {
        let among = context.actor.workspaces_with(action);
        move |id: &WorkspaceId| among.as_ref().is_none_or(|among| among.contains(id))
    };
    let (sees_keys, sees_usage) = (sees(Action::ReadApiKeys), sees(Action::ReadUsage));
    let counts = match workspaces.iter().any(&sees_keys) {
        true => keys::count_by_workspace(&control.store, organization).await?,
        false => HashMap::new(),
    };
    let spent = match workspaces.iter().any(&sees_usage) {
        true => {
            let from = Window::Month.period(&zone(control, context).await?, context.now).starts;
            usage::spent_by_workspace(&control.store, organization, from, context.now).await?
        }
        false => HashMap::new(),
    };
    let one = |id: &WorkspaceId| {
        let figures = Figures {
            keys: sees_keys(id).then(|| counts.get(id).copied().unwrap_or_default()),
            spent: sees_usage(id).then(|| spent.get(id).copied().unwrap_or(Money::from_nanos(0))),
        };
        (*id, figures)
    };
    Ok(workspaces.iter().map(one).collect())
}

/// A budget of a workspace, and what was used of it in the period that runs, as far as it is written.
pub type Used = (Budget, Period, i64);

/// How the budgets of one workspace stand.
pub async fn budgets(
    control: &Control,
    context: &Context,
    workspace: &Workspace,
) -> Result<Vec<Used>, ControlError> {
    decide(&context.actor, Action::ReadUsage, super::resource(workspace))?;
    let zone = match workspace.limits.zone() {
        Some(zone) => zone,
        None => zone(control, context).await?,
    };
    let scope = Scope::of(Level::Workspace, workspace.id.bytes());
    let mut all = vec![];
    for budget in Budget::of_limits(&scope, &workspace.limits, &zone) {
        let period = budget.kind.window().period(&budget.zone, context.now);
        let (unit, from) = (budget.kind.unit(), period.starts);
        let store = &control.store;
        let used = usage::spent_of(store, workspace.organization_id, &scope, unit, from, context.now).await?;
        all.push((budget, period, used));
    }
    Ok(all)
}

async fn zone(control: &Control, context: &Context) -> Result<Zone, ControlError> {
    let found = organizations::get(&control.store, context.organization_id()).await?;
    Ok(found.and_then(|organization| organization.limits.zone()).unwrap_or_default())
}
