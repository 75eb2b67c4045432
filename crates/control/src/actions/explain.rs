//! Explanations: what a call would be asked, by which rules, with which numbers. It spends nothing and writes nothing.

use super::budgets;
use super::keys::{reaches, resource};
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use louver_domain::access::{Action, decide};
use louver_domain::admission::Ask;
use louver_domain::chain::{Chain, Stage, role_names};
use louver_domain::explanation::{Books, BudgetInUse, Explanation, Question, explain};
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, KeyStatus, Owner, PublicId};
use louver_domain::limits::{Level, Limits};
use louver_domain::models::Catalogue;
use louver_domain::money::Money;
use louver_domain::organizations::Organization;
use louver_domain::prices::{Price, Prices, ToolPrice};
use louver_domain::usage::Units;
use louver_domain::users::User;
use louver_domain::workspaces::Workspace;
use louver_store::snapshot::{self, Rules};
use louver_store::{grants, keys};
use std::net::IpAddr;

/// Who would call.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    /// A key.
    Key(KeyId),
    /// A fresh key of a person in a workspace; none is the default one.
    User(UserId, Option<WorkspaceId>),
}

/// Explains a call of that caller.
pub async fn run(
    control: &Control,
    context: &Context,
    caller: Caller,
    address: Option<IpAddr>,
    ask: Ask<'_>,
    units: Units,
) -> Result<Explanation, ControlError> {
    let rules = snapshot::load(&control.store).await?;
    let key = match caller {
        // Revoked keys are in no snapshot, and are explained all the same.
        Caller::Key(id) => keys::get(&control.store, context.organization_id(), id).await?,
        Caller::User(user, workspace) => fresh_key(&rules, context, user, workspace),
    };
    let key = key.ok_or(ControlError::NotFound)?;
    decide(&context.actor, Action::Explain, resource(&key))?;
    if let Caller::User(..) = caller {
        must_belong(control, context, &rules, &key).await?;
    }
    let catalogue = rules.catalogue();
    let (chain, missing_role) = chain(&rules, &key)?;
    let price = price(&rules, &catalogue, ask.model, context);
    let calls = if ask.tools.is_empty() { 0 } else { control.max_tool_calls };
    let books = books(control, context, &chain.stages()).await?;
    let question = Question {
        chain: &chain,
        missing_role,
        ask,
        address,
        catalogue: &catalogue,
        units: Units { tool_calls: calls, ..units },
        tools: tools_cost(&rules, ask.tools, calls, context),
        price: price.as_ref(),
        now: context.now,
    };
    let mut explanation = explain(&question, &books);
    conceal(context, &key, &mut explanation);
    Ok(explanation)
}

/// Of somebody who does not belong to the workspace only those are told who may ask in the whole organization.
async fn must_belong(
    control: &Control,
    context: &Context,
    rules: &Rules,
    key: &ApiKey,
) -> Result<(), ControlError> {
    let Some(user) = rules.users.iter().find(|user| key.owner == Owner::User(user.id)) else {
        return Err(ControlError::NotFound);
    };
    if context.actor.workspaces_with(Action::Explain).is_none() {
        return Ok(());
    }
    if reaches(&grants::read_of(&control.store, user).await?, key.workspace_id) {
        Ok(())
    } else {
        Err(ControlError::NotFound)
    }
}

/// How budgets and rates of the organization stand is for those who may read budgets, and those of a person for that
/// person too. That a call would be refused by them is told to all.
fn conceal(context: &Context, key: &ApiKey, explanation: &mut Explanation) {
    if decide(&context.actor, Action::ReadBudgets, key.organization_id).is_ok() {
        return;
    }
    let own = context.actor.user_id().is_some_and(|id| key.owner == Owner::User(id));
    for entry in &mut explanation.rules {
        let concealed = match entry.scope.as_ref().map(|scope| scope.level) {
            Some(Level::Organization) => true,
            Some(Level::User) => !own,
            Some(Level::Workspace | Level::ModelRole | Level::Key) | None => false,
        };
        if concealed {
            (entry.limit, entry.used, entry.reserved, entry.remaining) = (None, None, None, None);
            entry.resets_at = None;
        }
    }
}

/// The key that a person would get without asking for anything special.
fn fresh_key(
    rules: &Rules,
    context: &Context,
    user: UserId,
    workspace: Option<WorkspaceId>,
) -> Option<ApiKey> {
    let organization_id = context.organization_id();
    let user = rules.users.iter().find(|one| one.id == user && one.organization_id == organization_id)?;
    let own = |one: &&Workspace| one.organization_id == organization_id;
    let named = |one: &&Workspace| workspace.map_or(one.is_default, |id| one.id == id);
    let workspace = rules.workspaces.iter().filter(own).find(named)?;
    Some(ApiKey {
        id: KeyId::from_bytes([0; 16]),
        organization_id,
        workspace_id: workspace.id,
        owner: Owner::User(user.id),
        name: String::new(),
        description: None,
        public_id: PublicId::parse("000000000000")?,
        fingerprint: [0; 32],
        last_four: String::new(),
        limits: Limits::default(),
        role: None,
        allowed_cidrs: None,
        created_at: context.now,
        expires_at: None,
        last_used_at: None,
        status: KeyStatus::Active,
        created_by: None,
        enabled_at: None,
        canary: false,
    })
}

/// What stands above a key, and the model role that it or its owner names though it is not there.
fn chain<'a>(rules: &'a Rules, key: &'a ApiKey) -> Result<(Chain<'a>, Option<&'a str>), ControlError> {
    let organization = |one: &&Organization| one.id == key.organization_id;
    let workspace = |one: &&Workspace| one.id == key.workspace_id;
    let user = |one: &&User| key.owner == Owner::User(one.id);
    let (roles, missing) = roles(rules, key);
    let chain = Chain {
        organization: rules.organizations.iter().find(organization).ok_or(ControlError::NotFound)?,
        workspace: rules.workspaces.iter().find(workspace).ok_or(ControlError::NotFound)?,
        user: rules.users.iter().find(user),
        roles,
        key,
    };
    Ok((chain, missing))
}

type ModelRoles<'a> = Vec<&'a louver_domain::model_roles::ModelRole>;

fn roles<'a>(rules: &'a Rules, key: &'a ApiKey) -> (ModelRoles<'a>, Option<&'a str>) {
    let (mut found, mut missing) = (Vec::new(), None);
    for name in role_names(key, budgets::role_of_owner(rules, key)) {
        let own = |(organization, role): &&(_, louver_domain::model_roles::ModelRole)| {
            *organization == key.organization_id && role.name == name
        };
        match rules.roles.iter().find(own) {
            Some((_, role)) => found.push(role),
            None => missing = Some(name),
        }
    }
    (found, missing)
}

fn price(rules: &Rules, catalogue: &Catalogue, name: Option<&str>, context: &Context) -> Option<Price> {
    let (_, model) = catalogue.find(name?)?;
    let entry = rules.prices.models.iter().find(|entry| entry.model.id == model.id)?;
    Prices::new(entry.prices.clone()).at(context.now).map(|(_, price)| price.clone())
}

/// What so many calls of the dearest of these tools cost; `None` is that one has no price.
fn tools_cost(rules: &Rules, tools: &[String], calls: u64, context: &Context) -> Option<Money> {
    let price = |name: &String| {
        let entry = rules.prices.tools.iter().find(|entry| entry.tool == *name)?;
        ToolPrice::at(&entry.prices, context.now).map(|price| price.usd_per_call)
    };
    let dearest = tools.iter().try_fold(Money::ZERO, |most, name| Some(most.max(price(name)?)))?;
    let calls = i64::try_from(calls).unwrap_or(i64::MAX);
    Some(Money::from_nanos(dearest.nanos().saturating_mul(calls)))
}

/// How the rates and budgets of these levels stand, as the gateway of this process would find them.
async fn books(control: &Control, context: &Context, stages: &[Stage]) -> Result<Books, ControlError> {
    let mut books = Books::default();
    if let Some(in_hand) = &control.in_hand {
        for stage in stages.iter().filter(|stage| !stage.rates.is_empty()) {
            books.rates.insert(stage.scope.clone(), in_hand.rates(&stage.scope));
        }
    }
    let of_all: Vec<_> = stages.iter().flat_map(|stage| stage.budgets.iter().cloned()).collect();
    for standing in budgets::stand_all(control, context, of_all).await? {
        let in_use = BudgetInUse {
            used: standing.spent.saturating_add(standing.stranded),
            reserved: standing.reserved,
            free: standing.free,
            blocked: standing.blocked,
            resets_at: standing.period.ends,
        };
        books.budgets.insert(standing.budget.id, in_use);
    }
    Ok(books)
}
