//! Explanations: what a call would be asked, by which rules, with which numbers. It spends nothing and writes nothing.

use super::budgets;
use super::keys::{reaches, resource};
use super::limits::permissions;
use crate::Control;
use crate::context::Context;
use crate::error::ControlError;
use crate::openapi::shapes;
use louver_domain::access::{Action, decide};
use louver_domain::admission::Ask;
use louver_domain::chain::{Chain, Stage, role_names};
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::explanation::{Books, BudgetInUse, Explanation, Question, explain};
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, KeyStatus, Owner, PublicId};
use louver_domain::limits::{Level, Limits, ServiceTier};
use louver_domain::models::Catalogue;
use louver_domain::money::Money;
use louver_domain::organizations::Organization;
use louver_domain::prices::{Price, Prices, ToolPrice};
use louver_domain::usage::Units;
use louver_domain::users::User;
use louver_domain::workspaces::Workspace;
use louver_store::snapshot::{self, Rules};
use louver_store::{grants, keys};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// As many as upstream takes.
const MOST_CHOICES: u64 = 128;

/// Who would call.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    /// A key.
    Key(KeyId),
    /// A fresh key of a person in a workspace; none is the default one.
    User(UserId, Option<WorkspaceId>),
}

/// The call that is asked about.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "ExplainRequest")]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The key that calls.
    pub key_id: Option<String>,
    /// Or the person who does, with a fresh key.
    pub user: Option<String>,
    /// In this workspace; absent is the default one.
    pub workspace_id: Option<String>,
    /// The model.
    pub model: String,
    /// The endpoint; absent is chat.
    #[schemars(with = "Option<shapes::Endpoint>")]
    pub endpoint: Option<EndpointKind>,
    /// The most output that it asks for.
    pub max_tokens: Option<u64>,
    /// Tokens of input.
    pub input_tokens: Option<u64>,
    /// Answers that it asks for.
    pub choices: Option<u64>,
    /// Types of tools that the provider runs.
    #[serde(default)]
    #[schemars(with = "Vec<shapes::Tool>")]
    pub tools: Vec<String>,
    /// Absent is the standard tier.
    #[schemars(with = "Option<shapes::Tier>")]
    pub service_tier: Option<ServiceTier>,
    /// Pages of a document.
    pub pages: Option<u64>,
    /// Pages that are annotated, which are not among `pages`.
    pub annotated_pages: Option<u64>,
    /// Seconds of audio.
    pub audio_seconds: Option<u64>,
    /// Characters to be spoken.
    pub characters: Option<u64>,
    /// Where it comes from.
    #[schemars(with = "Option<shapes::Address>")]
    pub address: Option<IpAddr>,
}

impl Call {
    /// What is not an id is the id of nothing.
    fn caller(&self) -> Result<Caller, ControlError> {
        match (&self.key_id, &self.user) {
            (Some(_), Some(_)) => Err(ControlError::field("user", "goes not together with key_id")),
            (None, None) => Err(ControlError::field("key_id", "a key_id or a user is required")),
            (Some(_), None) if self.workspace_id.is_some() => {
                Err(ControlError::field("workspace_id", "goes with user; a key has its workspace"))
            }
            (Some(key), None) => KeyId::parse(key).map(Caller::Key).ok_or(ControlError::NotFound),
            (None, Some(user)) => {
                let user = UserId::parse(user).ok_or(ControlError::NotFound)?;
                let workspace = |id: &String| WorkspaceId::parse(id).ok_or(ControlError::NotFound);
                Ok(Caller::User(user, self.workspace_id.as_ref().map(workspace).transpose()?))
            }
        }
    }

    fn ask(&self) -> Result<Ask<'_>, ControlError> {
        let endpoint = self.endpoint.unwrap_or(EndpointKind::Chat);
        if matches!(endpoint.billing(), Billing::Free | Billing::Documents) {
            return Err(ControlError::field("endpoint", "must be one that calls a model"));
        }
        if !endpoint.generates() && self.max_tokens.is_some() {
            let sentence = format!("{} has no output that could be bounded", endpoint.as_str());
            return Err(ControlError::field("max_tokens", sentence));
        }
        permissions::check_tools(Some(&self.tools), &|_| "tools".to_owned())?;
        let choices = self.choices.unwrap_or(1);
        if !(1..=MOST_CHOICES).contains(&choices) {
            return Err(ControlError::field("choices", "must be from 1 to 128"));
        }
        Ok(Ask {
            endpoint,
            model: Some(&self.model),
            nested_models: &[],
            tools: &self.tools,
            priority: self.service_tier == Some(ServiceTier::Priority),
            input_tokens: self.input_tokens.unwrap_or(0),
            max_tokens: self.max_tokens,
            choices,
        })
    }

    /// Where an endpoint is billed by something, a call uses at least one of it.
    fn units(&self) -> Units {
        let endpoint = self.endpoint.unwrap_or(EndpointKind::Chat);
        let of = |billing, given: Option<u64>| given.unwrap_or(u64::from(endpoint.billing() == billing));
        let annotated = self.annotated_pages.unwrap_or(0);
        Units {
            pages: self.pages.unwrap_or(u64::from(endpoint.billing() == Billing::Pages && annotated == 0)),
            annotated_pages: annotated,
            audio_seconds: of(Billing::AudioSeconds, self.audio_seconds),
            characters: of(Billing::Characters, self.characters),
            tool_calls: 0,
        }
    }
}

/// Explains a call as somebody told of it.
pub async fn of_call(control: &Control, context: &Context, call: &Call) -> Result<Explanation, ControlError> {
    run(control, context, call.caller()?, call.address, call.ask()?, call.units()).await
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

/// The models that a fresh key of a person could call in one workspace.
#[derive(Clone, Debug)]
pub struct Callable {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub workspace: String,
    /// Pinned ids, in the order of the catalogue; limits may refuse a call of them all the same.
    pub models: Vec<String>,
}

/// What a person's own key could call, by workspace.
pub(super) async fn callable(
    control: &Control,
    context: &Context,
    id: UserId,
) -> Result<Vec<Callable>, ControlError> {
    let rules = snapshot::load(&control.store).await?;
    let user = rules.users.iter().find(|user| user.id == id).ok_or(ControlError::NotFound)?;
    let grants = grants::read_of(&control.store, user).await?;
    let catalogue = rules.catalogue();
    let own = |one: &&Workspace| {
        one.organization_id == context.organization_id()
            && one.archived_at.is_none()
            && reaches(&grants, one.id)
    };
    let mut all = Vec::new();
    for workspace in rules.workspaces.iter().filter(own) {
        let Some(key) = fresh_key(&rules, context, id, Some(workspace.id)) else { continue };
        let (chain, missing) = chain(&rules, &key)?;
        let mut set = catalogue.usable_in(workspace.id);
        for list in chain.allow_lists() {
            set = set.intersection(&catalogue.allowed(list.entries));
        }
        let callable = catalogue
            .iter()
            .filter(|(index, model)| missing.is_none() && set.contains(*index) && model.is_called());
        let models = callable.map(|(_, model)| model.id.clone()).collect();
        all.push(Callable { workspace_id: workspace.id, workspace: workspace.name.clone(), models });
    }
    Ok(all)
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
