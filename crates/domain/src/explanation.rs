//! An explanation: every rule that a call would be asked, in the fixed order, with the numbers that each saw.
//!
//! No rule stands here. Each is asked through the function that judges real calls ([`crate::admission`],
//! [`crate::chain`], [`crate::reserve`]); what is added is that the questions go on after a refusal.

use crate::admission::{
    Ask, BudgetRefusal, BudgetState, CallRules, Gate, PerRequest, RateAsk, RateKind, Refusal, exceeds,
    known_model, may_use,
};
use crate::budgets::{Budget, Scope, Unit};
use crate::chain::{AllowList, Chain, Stage};
use crate::endpoints::EndpointKind;
use crate::id::BudgetId;
use crate::ledger::RatesInUse;
use crate::limits::Level;
use crate::models::Catalogue;
use crate::money::Money;
use crate::prices::{Price, Terms};
use crate::reserve::{Reach, Turns};
use crate::settlement::Bound;
use crate::time::Timestamp;
use crate::usage::Units;
use std::collections::HashMap;
use std::net::IpAddr;

/// The call that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The key, and what stands above it.
    pub chain: &'a Chain<'a>,
    /// A model role that the key or its owner names and that is not there: it closes the key.
    pub missing_role: Option<&'a str>,
    /// What the call asks for. Its input is taken as exact, both as the estimate and as the bound.
    pub ask: Ask<'a>,
    /// Where it comes from, if that is asked too.
    pub address: Option<IpAddr>,
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// What the call uses at most beside tokens, with the calls of tools that the provider runs.
    pub units: Units,
    /// What the calls of tools cost at most; `None` is that one has no price.
    pub tools: Option<Money>,
    /// The price of the model now.
    pub price: Option<&'a Price>,
    /// When.
    pub now: Timestamp,
}

/// A budget as one node could give parts of it to calls, in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetInUse {
    /// Used for good.
    pub used: i64,
    /// Held by calls in flight.
    pub reserved: i64,
    /// What a call could have at once.
    pub free: i64,
    /// Nothing is given out until a person has looked.
    pub blocked: bool,
    /// When the next period begins.
    pub resets_at: Timestamp,
}

/// The numbers that rules look at.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Of rates, by scope; a scope that is not there has used nothing.
    pub rates: HashMap<Scope, RatesInUse>,
    /// Of budgets.
    pub budgets: HashMap<BudgetId, BudgetInUse>,
}

/// One rule, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The rule: a name of its own, or that of the limit that sets it.
    pub rule: &'static str,
    /// Whose rule it is; `None` where it is nobody's.
    pub scope: Option<Scope>,
    /// What people call that.
    pub name: Option<String>,
    /// Whether it lets the call pass; `None` where it cannot be asked.
    pub allowed: Option<bool>,
    /// It is in the shadow and would refuse.
    pub would_refuse: bool,
    /// Of limits: whether they refuse.
    pub enforced: Option<bool>,
    /// Of lists: what stands in it; `None` is no list.
    pub list: Option<Vec<String>>,
    /// What the numbers count, when it is money.
    pub unit: Unit,
    /// The limit.
    pub limit: Option<i64>,
    /// What is used of it.
    pub used: Option<i64>,
    /// What calls in flight hold of it.
    pub reserved: Option<i64>,
    /// What is left of it.
    pub remaining: Option<i64>,
    /// What the call would add.
    pub asked: Option<i64>,
    /// When the limit, or enough of it, is there again.
    pub resets_at: Option<Timestamp>,
    /// A sentence for people.
    pub detail: Option<String>,
    /// The refusal of a call that meets it.
    pub refused: Option<Refused>,
}

/// How a refusal is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The `type`.
    pub kind: &'static str,
    /// The message.
    pub message: String,
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        Self { status: refusal.status(), kind: refusal.kind(), message: refusal.message() }
    }
}

/// All rules, and what comes of them.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The rules in the order in which they are asked.
    pub rules: Vec<Entry>,
    /// What the call could use at most; `None` when the model is not known.
    pub bound: Option<Bound>,
    /// The `max_tokens` that would go upstream, if the call may pass and one would be sent.
    pub max_tokens_sent: Option<u64>,
}

impl Explanation {
    /// The first refusal in the order of the rules: the one that a call gets.
    pub fn refusal(&self) -> Option<&Refused> {
        self.rules.iter().find_map(|entry| entry.refused.as_ref())
    }
}

/// Rounds of keeping an open answer shorter; each makes it much shorter.
const ROUNDS: usize = 64;

/// Asks every rule.
pub fn explain(question: &Question<'_>, books: &Books) -> Explanation {
    let Question { chain, ask, .. } = *question;
    let rules = chain.call_rules(question.catalogue);
    let stages = chain.stages();
    let known = known_model(question.catalogue, ask.endpoint, ask.model);
    let per_request = PerRequest::of(&rules, known.map_or(0, |(_, model)| model.context), ask);
    let turns = Turns { calls: question.units.tool_calls };
    let reach = known.map(|(_, model)| Reach {
        input: turns.input(ask.input_tokens, model.context),
        output: per_request.output,
        choices: turns.choices(ask.choices),
        units: question.units,
        terms: Terms { priority: ask.priority, ..Terms::default() },
        tools: question.tools.unwrap_or(Money::ZERO),
        price: question.price,
        context: model.context,
        open: ask.is_open(),
    });
    let output = reach.map_or(0, |reach| fitting(&reach, &stages, books));
    let bound = reach.map(|reach| reach.bound(output));
    let mut entries = vec![credential(question)];
    entries.extend(Gate::ALL.map(|gate| gate_entry(gate, question, &rules)));
    entries.push(model_entry(question));
    entries.extend(chain.allow_lists().map(|list| list_entry(question, list)));
    entries.extend([tools_entry(question, &rules), tier_entry(question, &rules)]);
    entries.extend(region_entry(question, &rules));
    entries.push(per_request_entry(chain, &rules, per_request));
    entries.push(price_entry(question, &stages, known.is_some()));
    for stage in stages.iter().rev() {
        entries.extend(asks(stage, books, bound).map(|ask| rate_entry(question, stage, ask)));
    }
    for budget in stages.iter().rev().flat_map(|stage| &stage.budgets) {
        entries.push(budget_entry(question, budget, books.budgets.get(&budget.id), bound));
    }
    let mut explanation = Explanation { rules: entries, bound, max_tokens_sent: None };
    if explanation.refusal().is_none() {
        let put_in = per_request.inject || stages.iter().any(Stage::counts_tokens);
        explanation.max_tokens_sent = if ask.is_open() { put_in.then_some(output) } else { ask.max_tokens };
    }
    explanation
}

/// The most output per choice with which the call fits all limits, if an open answer may be kept short enough for that.
fn fitting(reach: &Reach<'_>, stages: &[Stage], books: &Books) -> u64 {
    let mut output = reach.output;
    for _ in 0..ROUNDS {
        let Some((left, unit)) = obstacle(reach.bound(output), stages, books) else { return output };
        let Some(shorter) = reach.shorter(output, left, unit) else { return output };
        output = shorter;
    }
    output
}

/// What is left of the first limit that refuses so much, if a smaller call could pass it.
fn obstacle(bound: Bound, stages: &[Stage], books: &Books) -> Option<(u64, Unit)> {
    let mut enforced = stages.iter().rev().filter(|stage| stage.enforced);
    let full = |stage| asks(stage, books, Some(bound)).find(|(ask, _)| !ask.passes());
    if let Some((ask, _)) = enforced.find_map(full) {
        let tokens = ask.kind == RateKind::TokensPerMinute;
        return tokens.then(|| (ask.limit.saturating_sub(ask.used), Unit::Tokens));
    }
    for budget in stages.iter().rev().flat_map(|stage| &stage.budgets) {
        if let Some(state) = books.budgets.get(&budget.id)
            && budget_refusal(budget, state, bound).is_some()
        {
            return Some((u64::try_from(state.free).unwrap_or(0), budget.kind.unit()));
        }
    }
    None
}

/// The rates of a level as the call meets them; without a bound, tokens are not known.
fn asks(stage: &Stage, books: &Books, bound: Option<Bound>) -> impl Iterator<Item = (RateAsk, bool)> {
    let mut used = books.rates.get(&stage.scope).cloned().unwrap_or_default();
    let rates = stage.rates;
    let tokens = bound.map_or(0, |bound| bound.tokens());
    RateKind::ALL.into_iter().filter_map(move |kind| {
        let known = kind != RateKind::TokensPerMinute || bound.is_some();
        Some((used.ask(kind, rates.of(kind)?, tokens), known))
    })
}

fn budget_refusal(budget: &Budget, state: &BudgetInUse, bound: Bound) -> Option<Refusal> {
    let asked = bound.of(budget.kind.unit());
    if !budget.enforced || state.free >= asked {
        return None;
    }
    Some(Refusal::Budget(BudgetRefusal {
        scope: budget.scope.clone(),
        kind: budget.kind,
        state: BudgetState::of(state.blocked, budget.limit, state.used, asked),
        limit: budget.limit,
        used: state.used,
        asked,
        resets_at: state.resets_at,
    }))
}

impl Entry {
    fn new(rule: &'static str) -> Self {
        Self {
            rule,
            scope: None,
            name: None,
            allowed: Some(true),
            would_refuse: false,
            enforced: None,
            list: None,
            unit: Unit::Tokens,
            limit: None,
            used: None,
            reserved: None,
            remaining: None,
            asked: None,
            resets_at: None,
            detail: None,
            refused: None,
        }
    }

    /// On a scope of the chain.
    fn at(self, chain: &Chain<'_>, scope: Scope) -> Self {
        Self { name: Some(chain.name_of(&scope)), scope: Some(scope), ..self }
    }

    fn on(self, chain: &Chain<'_>, level: Level) -> Self {
        let id = match level {
            Level::Organization => chain.organization.id.bytes(),
            Level::Workspace => chain.workspace.id.bytes(),
            Level::User | Level::ModelRole => chain.key.holder(),
            Level::Key => chain.key.id.bytes(),
        };
        self.at(chain, Scope::of(level, id))
    }

    fn says(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    fn cannot_be_asked(self, why: &str) -> Self {
        Self { allowed: None, ..self }.says(why)
    }

    fn refused_with(self, refusal: Option<Refusal>) -> Self {
        match refusal {
            Some(refusal) => Self { allowed: Some(false), refused: Some((&refusal).into()), ..self },
            None => self,
        }
    }
}

fn credential(question: &Question<'_>) -> Entry {
    let status = question.chain.key.shown_status(question.now);
    let entry = Entry::new("credential").on(question.chain, Level::Key);
    let closed = question.missing_role.map(|role| format!("the model role {role} is not there"));
    let accepted = question.chain.key.is_accepted(question.now) && closed.is_none();
    let entry = entry.says(closed.unwrap_or_else(|| format!("the key is {status}")));
    if accepted {
        return entry;
    }
    let refused = Refused { status: 401, kind: "authentication_error", message: "Unauthorized".into() };
    Entry { allowed: Some(false), refused: Some(refused), ..entry }
}

fn gate_entry(gate: Gate, question: &Question<'_>, rules: &CallRules) -> Entry {
    let Question { chain, ask, address, .. } = *question;
    let shown = |entry: Entry, list: Option<Vec<String>>, asked: &str| Entry { list, ..entry }.says(asked);
    let entry = match gate {
        Gate::Billing => Entry::new("billing").on(chain, Level::Organization),
        Gate::Workspace => Entry::new("workspace").on(chain, Level::Workspace),
        Gate::Address => {
            let blocks = rules.addresses.as_ref().map(|all| all.iter().map(ToString::to_string).collect());
            let asked = address.map_or_else(|| "no address is given".into(), |from| format!("from {from}"));
            shown(Entry::new("address").on(chain, Level::Key), blocks, &asked)
        }
        Gate::Endpoint => {
            let names = |all: &Vec<EndpointKind>| all.iter().map(|one| one.as_str().to_owned()).collect();
            let list = rules.endpoints.as_ref().map(names);
            shown(Entry::new("endpoint").on(chain, Level::Key), list, ask.endpoint.as_str())
        }
    };
    match (gate, address) {
        (Gate::Address, None) if rules.addresses.is_some() => Entry { allowed: None, ..entry },
        (_, address) => {
            // Only the gate of addresses looks at it.
            let from = address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
            entry.refused_with(gate.ask(rules, from, ask.endpoint).err())
        }
    }
}

fn model_entry(question: &Question<'_>) -> Entry {
    let Question { chain, ask, catalogue, .. } = *question;
    let usable = catalogue.usable_in(chain.workspace.id);
    let named = ask.model.and_then(|name| catalogue.find(name)).filter(|(index, _)| usable.contains(*index));
    let known = known_model(catalogue, ask.endpoint, ask.model).filter(|(index, _)| usable.contains(*index));
    let detail = match (named, known) {
        (None, _) => "the catalogue has no model of that name for this workspace".to_owned(),
        (Some((_, model)), None) => format!("{} does not serve {}", model.id, ask.endpoint.as_str()),
        (Some((_, model)), Some(_)) => format!("{} goes upstream", model.id),
    };
    let refusal = known.is_none().then_some(Refusal::ModelNotAllowed);
    Entry::new("model").says(detail).refused_with(refusal)
}

fn list_entry(question: &Question<'_>, list: AllowList<'_>) -> Entry {
    let Question { chain, ask, catalogue, .. } = *question;
    let entry = match list.role {
        Some(role) => Entry::new("allowed_models").at(chain, of_role(chain, &role.name)),
        None => Entry::new("allowed_models").on(chain, list.level),
    };
    let entry = Entry { list: list.entries.map(<[String]>::to_vec), ..entry };
    match known_model(catalogue, ask.endpoint, ask.model) {
        None => entry.cannot_be_asked("the model is not known"),
        Some((index, _)) => {
            let inside = catalogue.allowed(list.entries).contains(index);
            entry.refused_with((!inside).then_some(Refusal::ModelNotAllowed))
        }
    }
}

fn tools_entry(question: &Question<'_>, rules: &CallRules) -> Entry {
    let Question { chain, ask, .. } = *question;
    let asked = if ask.tools.is_empty() {
        "no tool that the provider runs is asked for".to_owned()
    } else {
        format!("asked for: {}", ask.tools.join(", "))
    };
    let entry =
        Entry { list: Some(rules.tools.clone()), ..Entry::new("allowed_tools").on(chain, Level::Key) };
    let alone = Ask { priority: false, ..ask };
    entry.says(asked).refused_with(may_use(rules, &alone).err())
}

fn tier_entry(question: &Question<'_>, rules: &CallRules) -> Entry {
    let Question { chain, ask, .. } = *question;
    let list = if rules.priority { vec!["priority".to_owned()] } else { vec![] };
    let entry = Entry { list: Some(list), ..Entry::new("allowed_service_tiers").on(chain, Level::Key) };
    let asked =
        if ask.priority { "the priority tier is asked for" } else { "the standard tier is asked for" };
    let alone = Ask { tools: &[], ..ask };
    entry.says(asked).refused_with(may_use(rules, &alone).err())
}

/// Nothing is refused by a region: it says where the call would be answered.
fn region_entry(question: &Question<'_>, rules: &CallRules) -> Option<Entry> {
    let region = rules.region?;
    let entry = Entry { list: Some(vec![region.as_str().to_owned()]), ..Entry::new("region") };
    Some(entry.on(question.chain, Level::Key).says(format!("calls are answered in {}", region.as_str())))
}

fn per_request_entry(chain: &Chain<'_>, rules: &CallRules, per_request: PerRequest) -> Entry {
    let entry = Entry { asked: Some(count(per_request.asked)), ..Entry::new("max_tokens_per_request") };
    let Some((limit, role)) = &rules.tokens_per_request else {
        return entry.says("no model role limits it");
    };
    Entry { limit: Some(count(*limit)), ..entry }
        .at(chain, of_role(chain, role))
        .says("the tightest of the model roles that judge the key")
        .refused_with(per_request.refusal(rules))
}

fn of_role(chain: &Chain<'_>, role: &str) -> Scope {
    Scope { level: Level::ModelRole, id: chain.key.holder(), role: Some(role.into()) }
}

fn price_entry(question: &Question<'_>, stages: &[Stage], known: bool) -> Entry {
    let needed = stages.iter().any(Stage::needs_price);
    let entry = Entry::new("price");
    let covers = |price: &Price| price.covers(question.ask.endpoint.billing(), &question.units);
    let covered = question.price.is_some_and(covers);
    let what = if covered { "a tool" } else { "the model" };
    match (known, covered && question.tools.is_some()) {
        (false, _) => entry.cannot_be_asked("the model is not known"),
        (true, true) => entry.says("the model has a price"),
        (true, false) if needed => entry
            .says(format!("{what} has no price, and a budget in dollars applies"))
            .refused_with(Some(Refusal::UnboundedCost)),
        (true, false) => entry.says(format!("{what} has no price, and no budget in dollars applies")),
    }
}

fn rate_entry(question: &Question<'_>, stage: &Stage, (ask, known): (RateAsk, bool)) -> Entry {
    let wait = ask.retry_after.and_then(|seconds| i64::try_from(seconds).ok());
    let entry = Entry {
        enforced: Some(stage.enforced),
        limit: Some(count(ask.limit)),
        used: Some(count(ask.used)),
        remaining: Some(count(ask.limit.saturating_sub(ask.used))),
        ..Entry::new(ask.kind.as_str()).at(question.chain, stage.scope.clone())
    };
    if !known {
        return entry.cannot_be_asked("the model is not known");
    }
    let passes = ask.passes();
    let entry = Entry {
        asked: Some(count(ask.asked)),
        resets_at: wait.map(|seconds| question.now.plus_seconds(seconds)),
        would_refuse: !passes && !stage.enforced,
        ..entry.says("as counted by this node")
    };
    let refuses = !passes && stage.enforced;
    entry.refused_with(refuses.then(|| Refusal::RateLimited(ask.refusal(stage.scope.clone()))))
}

fn budget_entry(
    question: &Question<'_>,
    budget: &Budget,
    state: Option<&BudgetInUse>,
    bound: Option<Bound>,
) -> Entry {
    let unit = budget.kind.unit();
    let entry = Entry {
        enforced: Some(budget.enforced),
        unit,
        limit: Some(budget.limit),
        ..Entry::new(budget.kind.as_str()).at(question.chain, budget.scope.clone())
    };
    let Some(state) = state else { return entry.cannot_be_asked("its numbers are not known") };
    let gone = state.used.saturating_add(state.reserved);
    let entry = Entry {
        used: Some(state.used),
        reserved: Some(state.reserved),
        remaining: Some(budget.limit.saturating_sub(gone).max(0)),
        resets_at: Some(state.resets_at),
        ..entry
    };
    let Some(bound) = bound else { return entry.cannot_be_asked("the model is not known") };
    if unit == Unit::Usd && question.price.is_none() && budget.enforced {
        return entry.cannot_be_asked("the model has no price");
    }
    let asked = bound.of(unit);
    let entry = Entry {
        asked: Some(asked),
        would_refuse: !budget.enforced && exceeds(budget.limit, gone, asked),
        ..entry
    };
    let entry = if state.blocked { entry.says("blocked until a person has looked") } else { entry };
    entry.refused_with(budget_refusal(budget, state, bound))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
