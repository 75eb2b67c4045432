//! How the budgets of few scopes stand, without reading all rules: of the organization and its workspaces, and page by
//! page of people and keys.

use super::{Set, Standing, known_of, stand_by};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, decide};
use louver_domain::budgets::{Budget, Scope, Unit};
use louver_domain::calendar::Zone;
use louver_domain::id::{BudgetId, KeyId, OrganizationId, UserId, WorkspaceId};
use louver_domain::limits::{Level, Limits};
use louver_domain::time::Timestamp;
use louver_store::usage::Sums;
use louver_store::usage::parts::{self, By, Narrow, Part};
use louver_store::{keys, organizations, users, workspaces};
use std::collections::HashMap;

/// A page of them, and what comes after it.
#[derive(Debug)]
pub struct Page<T> {
    /// How they stand.
    pub standings: Vec<Standing>,
    /// The last of the page, where more follow.
    pub next: Option<T>,
}

/// The budgets of the organization, where the caller may read budgets, and of the workspaces whose usage they may read:
/// the organization's first, then by the names of workspaces.
pub async fn of_workspaces(control: &Control, context: &Context) -> Result<Vec<Standing>, ControlError> {
    let id = context.organization_id();
    let organization = organizations::get(&control.store, id).await?.ok_or(ControlError::NotFound)?;
    let zone = organization.limits.zone().unwrap_or_default();
    let reads_all = decide(&context.actor, Action::ReadBudgets, id).is_ok();
    let mut sets = Vec::new();
    if reads_all {
        let scope = Scope::of(Level::Organization, id.bytes());
        add(&mut sets, &scope, &organization.limits, &organization.name, &zone);
    }
    for workspace in workspaces::list(&control.store, id).await? {
        if workspace.archived_at.is_none() && (reads_all || reads_usage(&context.actor, workspace.id)) {
            let own = workspace.limits.zone().unwrap_or_else(|| zone.clone());
            let scope = Scope::of(Level::Workspace, workspace.id.bytes());
            add(&mut sets, &scope, &workspace.limits, &workspace.name, &own);
        }
    }
    stand_together(control, context, sets).await
}

/// Whoever reads the usage of a workspace sees how it stands to the limits that they see as well.
fn reads_usage(actor: &Actor, workspace: WorkspaceId) -> bool {
    actor.workspaces_with(Action::ReadUsage).is_none_or(|held| held.contains(&workspace))
}

/// The budgets of people, in the order they were added: of the next `limit` people who have some.
pub async fn of_people(
    control: &Control,
    context: &Context,
    after: Option<UserId>,
    limit: u32,
) -> Result<Page<UserId>, ControlError> {
    let id = context.organization_id();
    decide(&context.actor, Action::ReadBudgets, id)?;
    let zone = zone(control, id).await?;
    let mut people =
        users::with_budgets(&control.store, id, after, u64::from(limit).saturating_add(1)).await?;
    let more = cut(&mut people, limit);
    let next = people.last().map(|user| user.id).filter(|_| more);
    let mut sets = Vec::new();
    for user in &people {
        add(&mut sets, &Scope::of(Level::User, user.id.bytes()), &user.limits, &user.email, &zone);
    }
    Ok(Page { standings: stand_together(control, context, sets).await?, next })
}

/// The budgets of keys, in the order they were made: of the next `limit` keys that have some.
pub async fn of_keys(
    control: &Control,
    context: &Context,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Page<KeyId>, ControlError> {
    let id = context.organization_id();
    decide(&context.actor, Action::ReadBudgets, id)?;
    let zone = zone(control, id).await?;
    let of_workspaces = workspaces::list(&control.store, id).await?.into_iter();
    let zones: HashMap<WorkspaceId, Zone> =
        of_workspaces.filter_map(|workspace| Some((workspace.id, workspace.limits.zone()?))).collect();
    let mut found = keys::with_budgets(&control.store, id, after, u64::from(limit).saturating_add(1)).await?;
    let more = cut(&mut found, limit);
    let next = found.last().map(|key| key.id).filter(|_| more);
    let mut sets = Vec::new();
    for key in &found {
        let zone = zones.get(&key.workspace_id).unwrap_or(&zone);
        add(&mut sets, &Scope::of(Level::Key, key.id.bytes()), &key.limits, &key.name, zone);
    }
    Ok(Page { standings: stand_together(control, context, sets).await?, next })
}

async fn zone(control: &Control, id: OrganizationId) -> Result<Zone, ControlError> {
    let organization = organizations::get(&control.store, id).await?.ok_or(ControlError::NotFound)?;
    Ok(organization.limits.zone().unwrap_or_default())
}

/// Leaves no more than `limit`; answers whether there were more.
fn cut<T>(all: &mut Vec<T>, limit: u32) -> bool {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = all.len() > most;
    all.truncate(most);
    more
}

fn add(sets: &mut Vec<Set>, scope: &Scope, limits: &Limits, name: &str, zone: &Zone) {
    for budget in Budget::of_limits(scope, limits, zone) {
        sets.push(Set { budget, name: name.to_owned(), thresholds: limits.thresholds() });
    }
}

/// How they stand, in as few questions to the database as there are periods.
async fn stand_together(
    control: &Control,
    context: &Context,
    sets: Vec<Set>,
) -> Result<Vec<Standing>, ControlError> {
    let ids: Vec<BudgetId> = sets.iter().map(|set| set.budget.id).collect();
    let known = known_of(control, context, &ids).await?;
    let unsure = |set: &&Set| known.get(&set.budget.id).is_none_or(|known| known.stale);
    let used = used(control, context, sets.iter().filter(unsure)).await?;
    let stand = |set: Set| {
        let used = used.get(&set.budget.id).copied().unwrap_or(0);
        let known = known.get(&set.budget.id);
        stand_by(control, context, set, known, used)
    };
    Ok(sets.into_iter().map(stand).collect())
}

/// What budgets have used by the hourly sums, where the ledger does not know it: nobody has asked for them yet.
async fn used<'a>(
    control: &Control,
    context: &Context,
    sets: impl Iterator<Item = &'a Set>,
) -> Result<HashMap<BudgetId, i64>, ControlError> {
    let mut by_period: HashMap<(Timestamp, Option<By>), Vec<&Set>> = HashMap::new();
    for set in sets {
        let starts = set.budget.kind.window().period(&set.budget.zone, context.now).starts;
        by_period.entry((starts, by(set.budget.scope.level))).or_default().push(set);
    }
    let mut all = HashMap::new();
    for ((starts, by), sets) in by_period {
        let narrow = Narrow {
            organization: context.organization_id(),
            from: starts,
            to: context.now.plus_seconds(1),
            workspaces: None,
            user: None,
            key: None,
            model: None,
        };
        let Some(by) = by else {
            let total = parts::total(&control.store, &narrow).await?;
            all.extend(sets.iter().map(|set| (set.budget.id, amount(set, &total))));
            continue;
        };
        let wanted: Vec<Part> = sets.iter().map(|set| part(by, set.budget.scope.id)).collect();
        let most = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
        let found = parts::dearest(&control.store, &narrow, by, Some(&wanted), most).await?;
        let found: HashMap<Part, Sums> = found.into_iter().collect();
        for set in sets {
            let sums = found.get(&part(by, set.budget.scope.id)).copied().unwrap_or_default();
            all.insert(set.budget.id, amount(set, &sums));
        }
    }
    Ok(all)
}

const fn by(level: Level) -> Option<By> {
    match level {
        Level::Organization => None,
        Level::Workspace => Some(By::Workspace),
        Level::User | Level::ModelRole => Some(By::User),
        Level::Key => Some(By::Key),
    }
}

const fn part(by: By, id: [u8; 16]) -> Part {
    match by {
        By::Workspace => Part::Workspace(WorkspaceId::from_bytes(id)),
        By::User | By::Model => Part::User(Some(UserId::from_bytes(id))),
        By::Key => Part::Key(KeyId::from_bytes(id)),
    }
}

fn amount(set: &Set, sums: &Sums) -> i64 {
    match set.budget.kind.unit() {
        Unit::Usd => sums.cost.nanos(),
        Unit::Tokens => {
            let tokens = sums.tokens.input.saturating_add(sums.tokens.output);
            i64::try_from(tokens).unwrap_or(i64::MAX)
        }
    }
}
