//! Budgets: how each stands now, and what a person must do where the ledger waits for one.

mod of_keys;
pub mod scopes;

pub use of_keys::{of_key, of_keys};

use super::{Deed, commit};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use crate::openapi::shapes;
use louver_domain::access::{Action, decide};
use louver_domain::budgets::{Budget, Scope};
use louver_domain::calendar::Period;
use louver_domain::chain::role_names;
use louver_domain::id::{BudgetId, OrganizationId};
use louver_domain::keys::{ApiKey, Owner};
use louver_domain::ledger::Account;
use louver_domain::limits::{Level, Limits};
use louver_store::ledger::{Holder, recovery, standings};
use louver_store::snapshot::{self, Rules};
use louver_store::usage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// A budget, and how it stands. Amounts are nano-dollars or tokens.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The budget as the rules have it.
    pub budget: Budget,
    /// Whose it is, for people.
    pub name: String,
    /// Per cents at which people are told.
    pub thresholds: Vec<u8>,
    /// The period that runs.
    pub period: Period,
    /// Used by calls that ended.
    pub spent: i64,
    /// Held by calls in flight, as far as this node knows.
    pub reserved: i64,
    /// In hand of nodes, free for calls.
    pub leased: i64,
    /// In hand of nodes that are gone.
    pub stranded: i64,
    /// Nothing is given out until a person has looked.
    pub blocked: bool,
    /// A call was refused for it in this period.
    pub refused: bool,
    /// Billed beyond what was given out.
    pub overrun: i64,
    /// What one call through this node could have at once; what other nodes have in hand is not in it.
    pub free: i64,
}

impl Standing {
    /// A budget of which nothing is used.
    fn untouched(set: Set, period: Period) -> Self {
        let Set { budget, name, thresholds } = set;
        Self {
            budget,
            name,
            thresholds,
            period,
            spent: 0,
            reserved: 0,
            leased: 0,
            stranded: 0,
            blocked: false,
            refused: false,
            overrun: 0,
            free: 0,
        }
    }

    /// What is left for calls to come.
    pub fn remaining(&self) -> i64 {
        let gone = self.spent.saturating_add(self.reserved).saturating_add(self.stranded);
        self.budget.limit.saturating_sub(gone).max(0)
    }
}

/// The budgets of the caller's organization, each once, in the order of their ids.
pub async fn list(control: &Control, context: &Context) -> Result<Vec<Standing>, ControlError> {
    let rules = snapshot::load(&control.store).await?;
    let known = known(control, context).await?;
    let mut all = Vec::new();
    for (_, set) in of_organization(&rules, context.organization_id()) {
        all.push(stand(control, context, set, &known).await?);
    }
    Ok(all)
}

/// How these budgets of the caller's organization stand, without what people call them.
pub(super) async fn stand_all(
    control: &Control,
    context: &Context,
    budgets: Vec<Budget>,
) -> Result<Vec<Standing>, ControlError> {
    let known = known(control, context).await?;
    let mut all = Vec::new();
    for budget in budgets {
        let set = Set { budget, name: String::new(), thresholds: Vec::new() };
        all.push(stand(control, context, set, &known).await?);
    }
    Ok(all)
}

async fn known(
    control: &Control,
    context: &Context,
) -> Result<HashMap<BudgetId, standings::Standing>, ControlError> {
    let organization = context.organization_id();
    let all = standings::of_organization(&control.store, organization, context.now, own(control)).await?;
    Ok(all.into_iter().map(|standing| (standing.budget, standing)).collect())
}

/// The same of these budgets alone.
async fn known_of(
    control: &Control,
    context: &Context,
    budgets: &[BudgetId],
) -> Result<HashMap<BudgetId, standings::Standing>, ControlError> {
    let all =
        standings::of_budgets(&control.store, context.organization_id(), budgets, context.now, own(control))
            .await?;
    Ok(all.into_iter().map(|standing| (standing.budget, standing)).collect())
}

/// The process that asks, as a holder of leases.
fn own(control: &Control) -> Option<Holder> {
    let own = control.in_hand.as_ref().map(|in_hand| in_hand.process());
    own.map(|(node, epoch)| Holder { node, epoch })
}

/// A budget with what people call it.
pub(crate) struct Set {
    pub(crate) budget: Budget,
    pub(crate) name: String,
    pub(crate) thresholds: Vec<u8>,
}

/// All budgets that the rules of an organization set.
pub(crate) fn of_organization(rules: &Rules, id: OrganizationId) -> BTreeMap<BudgetId, Set> {
    let mut all = BTreeMap::new();
    let mut add = |scope: Scope, limits: &Limits, name: &str, zone: &_| {
        for budget in Budget::of_limits(&scope, limits, zone) {
            all.insert(budget.id, Set { budget, name: name.to_owned(), thresholds: limits.thresholds() });
        }
    };
    let organization = rules.organizations.iter().find(|organization| organization.id == id);
    let Some(organization) = organization else { return all };
    let zone = organization.limits.zone().unwrap_or_default();
    add(
        Scope::of(Level::Organization, organization.id.bytes()),
        &organization.limits,
        &organization.name,
        &zone,
    );
    let mut zones = HashMap::new();
    for workspace in rules.workspaces.iter().filter(|w| w.organization_id == organization.id) {
        let own = workspace.limits.zone().unwrap_or_else(|| zone.clone());
        add(Scope::of(Level::Workspace, workspace.id.bytes()), &workspace.limits, &workspace.name, &own);
        zones.insert(workspace.id, own);
    }
    for user in rules.users.iter().filter(|u| u.organization_id == organization.id) {
        add(Scope::of(Level::User, user.id.bytes()), &user.limits, &user.email, &zone);
    }
    for key in rules.keys.iter().filter(|k| k.organization_id == organization.id) {
        let zone = zones.get(&key.workspace_id).unwrap_or(&zone);
        add(Scope::of(Level::Key, key.id.bytes()), &key.limits, &key.name, zone);
    }
    let thresholds = organization.limits.thresholds();
    for key in rules.keys.iter().filter(|k| k.organization_id == organization.id) {
        for role in roles_of(rules, key) {
            if let Some(budget) = Budget::of_role(role, key.holder(), &zone) {
                let name = format!("{} ({})", role.name, holder_name(rules, key));
                all.insert(budget.id, Set { budget, name, thresholds: thresholds.clone() });
            }
        }
    }
    all
}

fn roles_of<'a>(
    rules: &'a Rules,
    key: &'a ApiKey,
) -> impl Iterator<Item = &'a louver_domain::model_roles::ModelRole> {
    let names: Vec<&str> = role_names(key, role_of_owner(rules, key)).collect();
    let of_organization = rules.roles.iter().filter(|(organization, _)| *organization == key.organization_id);
    of_organization.map(|(_, role)| role).filter(move |role| names.contains(&role.name.as_str()))
}

/// The model role that a key's owner has where the key lives.
pub(super) fn role_of_owner<'a>(rules: &'a Rules, key: &ApiKey) -> Option<&'a str> {
    match key.owner {
        Owner::Workspace => None,
        Owner::User(id) => rules.member_roles.get(&(key.workspace_id, id)).map(String::as_str),
        Owner::ServiceAccount(id) => {
            rules.service_accounts.iter().find(|a| a.id == id).and_then(|a| a.role.as_deref())
        }
    }
}

fn holder_name(rules: &Rules, key: &ApiKey) -> String {
    let name = match key.owner {
        Owner::Workspace => Some(key.name.as_str()),
        Owner::User(id) => rules.users.iter().find(|u| u.id == id).map(|u| u.email.as_str()),
        Owner::ServiceAccount(id) => {
            rules.service_accounts.iter().find(|a| a.id == id).map(|a| a.name.as_str())
        }
    };
    name.unwrap_or_default().to_owned()
}

async fn stand(
    control: &Control,
    context: &Context,
    set: Set,
    known: &HashMap<BudgetId, standings::Standing>,
) -> Result<Standing, ControlError> {
    let known = known.get(&set.budget.id);
    let used = if known.is_none_or(|known| known.stale) {
        let (scope, unit) = (&set.budget.scope, set.budget.kind.unit());
        let from = set.budget.kind.window().period(&set.budget.zone, context.now).starts;
        usage::spent_of(&control.store, context.organization_id(), scope, unit, from, context.now).await?
    } else {
        0
    };
    Ok(stand_by(control, context, set, known, used))
}

/// How a budget stands by what the ledger knows of it; `used` counts where it knows nothing, or not all.
fn stand_by(
    control: &Control,
    context: &Context,
    set: Set,
    known: Option<&standings::Standing>,
    used: i64,
) -> Standing {
    let period = set.budget.kind.window().period(&set.budget.zone, context.now);
    let mut standing = Standing::untouched(set, period);
    let Some(known) = known else {
        // No call has asked for it in this period: what was used before it was set counts when one does.
        standing.spent = used;
        standing.free = standing.remaining();
        return standing;
    };
    let in_hand = control.in_hand.as_ref().and_then(|in_hand| in_hand.of(standing.budget.id));
    // What this process holds it knows better than the database, which learns of its calls a moment later.
    let own = in_hand.filter(|(period, _)| *period == known.period).map(|(_, slice)| slice);
    let (slice, own_used, own_leased) =
        own.map_or_else(Default::default, |slice| (slice, known.own_used, known.own_leased));
    standing.period = known.period;
    // What was used while there was no limit counts from the next call on.
    let uncounted = if known.stale { used.saturating_sub(known.spent).max(0) } else { 0 };
    let account = Account {
        allocated: known.allocated.saturating_add(uncounted),
        limit: Some(standing.budget.limit),
        ..Account::default()
    };
    let can_be_given = if known.blocked { 0 } else { account.left() };
    Standing {
        spent: known.spent.saturating_sub(own_used).saturating_add(slice.charged).saturating_add(uncounted),
        reserved: slice.reserved,
        leased: known.leased.saturating_sub(own_leased).saturating_add(slice.left),
        stranded: known.stranded,
        blocked: known.blocked,
        refused: known.refused_under.is_some_and(|limit| limit >= standing.budget.limit),
        overrun: known.overrun,
        free: slice.left.saturating_add(can_be_given),
        ..standing
    }
}

/// Lets a budget be given out again that a bill above its bound had blocked.
pub async fn unblock(control: &Control, context: &Context, id: BudgetId) -> Result<(), ControlError> {
    let permit = decide(&context.actor, Action::UnblockBudget, context.organization_id())?;
    let mut tx = control.begin(context).await?;
    if !standings::unblock(&mut tx, &permit, id).await? {
        return Err(ControlError::NotFound);
    }
    commit(control, context, tx, Deed::on(permit, id, "budget")).await
}

/// Why nothing can be billed any more on what a node took with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// The machine is gone for good.
    MachineDestroyed,
    /// The upstream credential that the node held is revoked.
    CredentialRotated,
    /// The process is known to have ended, and upstream's own figures were compared.
    ProcessEnded,
}

/// What was released, in the unit of each budget.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "BudgetReleased")]
pub struct Released {
    /// The fence that was named.
    pub fence: Fence,
    /// The leases.
    pub leases: Vec<ReleasedLease>,
}

/// One lease that was released.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReleasedLease {
    /// The budget.
    #[schemars(with = "shapes::Id")]
    pub budget_id: BudgetId,
    /// The node that held it.
    pub node_id: String,
    /// What came back, in nano-dollars or tokens.
    pub amount: i64,
}

/// Releases what is stranded, of one budget or of all, behind the fence that the caller names.
pub async fn release(
    control: &Control,
    context: &Context,
    budget: Option<BudgetId>,
    fence: Fence,
) -> Result<Released, ControlError> {
    let permit = decide(&context.actor, Action::ReleaseStranded, context.organization_id())?;
    let mut tx = control.begin(context).await?;
    let leases = recovery::release(&mut tx, &permit, budget).await?;
    let shown = leases.iter().map(|lease| ReleasedLease {
        budget_id: lease.budget,
        node_id: lease.node.to_string(),
        amount: lease.amount,
    });
    let released = Released { fence, leases: shown.collect() };
    let target = budget.map_or_else(|| context.organization_id().to_string(), |id| id.to_string());
    commit(control, context, tx, Deed::on(permit, target, "stranded leases").to(&released)?).await?;
    Ok(released)
}
