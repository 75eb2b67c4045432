//! What the rules say of a call before anything is counted, and what it can use at most.

use crate::admit::{Try, kind};
use crate::authn::Caller;
use crate::intake::Given;
use crate::ledger::Taken;
use crate::pipeline::{Gateway, Visitor};
use crate::reply::Failure;
use crate::reserve::Plan;
use crate::servers::{self, Servers};
use crate::settings::CallBounds;
use crate::settle::guarded;
use crate::snapshot::Snapshot;
use crate::turns::{Speaker, Turn};
use louver_domain::admission::{self, CallRules, Refusal};
use louver_domain::endpoints::Billing;
use louver_domain::models::Model;
use louver_domain::money::Money;
use louver_domain::prices::{Price, Terms};
use louver_domain::reserve::{Reach, Turns};
use louver_domain::settlement::Bound;
use louver_domain::time::Timestamp;
use louver_domain::usage::Units;
use louver_mistral::endpoints::Endpoint;
use louver_mistral::request::{Quantities, Request};
use std::sync::Arc;

/// What the rules say of a call before anything is counted.
pub(crate) struct Judged {
    /// The model's id, as it goes upstream.
    pub(crate) pinned: String,
    /// The most tokens of output of each choice.
    pub(crate) output: u64,
    pub(crate) inject: bool,
    pub(crate) open: bool,
    /// The largest context of those who may speak.
    pub(crate) context: u64,
    /// Whoever costs most of those who may speak, and the others.
    pub(crate) dearest: Speaker,
    pub(crate) others: Vec<Speaker>,
    pub(crate) units: Units,
    pub(crate) tools: ToolBound,
    pub(crate) guards: Guards,
    /// The servers that may serve it.
    pub(crate) servers: Servers,
    /// Whether they cost what regions cost more.
    regional: bool,
    /// What it is billed by.
    pub(crate) billing: Billing,
    /// Times that models may speak one after the other, beside those for tools.
    pub(crate) times: u64,
    pub(crate) estimated_input: u64,
}

/// Asks the rules, and what it can be charged by.
pub(crate) fn judge(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    request: &Request,
    turn: Option<&Turn>,
    attempt: &Try,
) -> Result<Judged, Failure> {
    let endpoint = kind(request.endpoint);
    let nested: Vec<String> =
        request.nested_models.iter().chain(&request.mentioned_models).cloned().collect();
    let question = admission::Ask {
        endpoint,
        model: attempt
            .stand_in
            .as_deref()
            .or_else(|| (!request.unnameable).then_some(request.model.as_str())),
        nested_models: &nested,
        tools: &request.provider_tools,
        priority: request.priority_tier,
        input_tokens: request.estimated_input_tokens().saturating_add(turn.map_or(0, Turn::estimate)),
        max_tokens: request.max_tokens,
        choices: request.n,
    };
    let (estimated_input, open) = (question.input_tokens, question.is_open());
    let asked = question.max_tokens.unwrap_or(0).saturating_add(estimated_input);
    let grant = admission::admit(&caller.key.rules, &caller.snapshot.catalogue, visitor.address, question)
        .map_err(Failure::Refused)?;
    if attempt.stand_in.is_some() && asked > grant.model.context {
        // What would stand in for a larger one that the call was made for.
        return Err(Failure::Refused(Refusal::ModelNotAllowed));
    }
    may_fill_context(&caller.key.rules, request, grant.model.context)?;
    let servers = servers_of(gateway, caller, request, grant.model, turn)?;
    let regional =
        servers.first().is_some_and(|place| servers::is_dearer(&gateway.settings().servers, *place));
    let (bounds, billing) = (gateway.settings().bounds, billing(request.endpoint));
    let units = units(request, bounds);
    let tools = ToolBound::of(request, &caller.snapshot, bounds.tool_calls, visitor.now);
    let guards = Guards::of(&request.nested_models, &caller.snapshot, visitor.now);
    let speaker = |id: &str| Speaker::of(&caller.snapshot, id, visitor.now);
    let dearest = speaker(&grant.model.id);
    let others: Vec<Speaker> =
        turn.iter().flat_map(|turn| turn.models.iter().skip(1)).map(|id| speaker(id)).collect();
    let covered = std::iter::once(&dearest)
        .chain(&others)
        .all(|speaker| speaker.price.as_ref().is_some_and(|price| price.covers(billing, &units)));
    let covered = billing == Billing::Free || covered;
    if caller.key.needs_price && !(covered && tools.priced && guards.priced) {
        return Err(Failure::Refused(Refusal::UnboundedCost));
    }
    let mut judged = Judged {
        pinned: grant.model.id.clone(),
        output: grant.output,
        inject: grant.inject,
        open,
        context: turn.map_or(grant.model.context, |turn| turn.context(&caller.snapshot)),
        dearest,
        others,
        units,
        tools,
        guards,
        servers,
        regional,
        billing,
        times: turn.map_or(Ok(1), |turn| turn.speakers(&caller.key, request))?,
        estimated_input,
    };
    judged.find_dearest(request);
    Ok(judged)
}

impl Judged {
    /// Puts whoever costs most first.
    fn find_dearest(&mut self, request: &Request) {
        for place in 0..self.others.len() {
            let Some(other) = self.others.get(place) else { return };
            let cost = |speaker: &Speaker| self.reach(request, true, speaker).bound(self.output).cost;
            if cost(other) > cost(&self.dearest)
                && let Some(other) = self.others.get_mut(place)
            {
                std::mem::swap(other, &mut self.dearest);
            }
        }
    }

    /// What the call could use, if that one spoke.
    fn reach<'a>(&self, request: &Request, is_turn: bool, speaker: &'a Speaker) -> Reach<'a> {
        let turns = Turns { calls: self.tools.calls };
        let input = input_bound(request, self.billing, self.context);
        // In a turn, upstream refuses what is longer than the context.
        let input = if is_turn { input.min(self.context) } else { input };
        let input = turns.input(input, self.context).saturating_mul(self.times);
        let choices = turns.choices(request.n).saturating_mul(self.times);
        let guards = self.guards.cost(input);
        let reach = Reach {
            input,
            output: self.output,
            choices,
            units: Units { tool_calls: self.tools.calls, ..self.units },
            terms: Terms { priority: request.priority_tier, regional: self.regional, ..Terms::default() },
            tools: self.tools.cost.checked_add(guards).unwrap_or(Money::from_nanos(i64::MAX)),
            price: speaker.price.as_ref(),
            context: self.context,
            open: self.open,
        };
        // Who only counts tokens uses none.
        if self.billing == Billing::Free { nothing_of(reach) } else { reach }
    }

    /// Takes what it could use of every rate and budget.
    pub(crate) async fn take(
        &self,
        gateway: &Gateway,
        caller: &Caller,
        (request, body): (&Request, &Given),
        is_turn: bool,
    ) -> Result<(Taken, Bound, u64), Failure> {
        let reach = self.reach(request, is_turn, &self.dearest);
        let exact = self.others.is_empty()
            && caller.snapshot.model(&self.pinned).is_some_and(|model| model.counted_exactly);
        let ask = Some((request, body));
        Plan { key: &caller.key, reach, exact, ask }.take(gateway).await
    }
}

/// The servers that have every model which may come to speak in a call, or guards it.
fn servers_of(
    gateway: &Gateway,
    caller: &Caller,
    request: &Request,
    model: &Model,
    turn: Option<&Turn>,
) -> Result<Servers, Failure> {
    let (known, rules) = (&gateway.settings().servers, &caller.key.rules);
    let (endpoint, tools) = (kind(request.endpoint), !request.provider_tools.is_empty());
    let mut servers = servers::of_call(known, rules, model, endpoint, tools)?;
    let others = turn.iter().flat_map(|turn| &turn.models).chain(&request.nested_models);
    for (_, other) in others.filter_map(|name| caller.snapshot.catalogue.find(name)) {
        let also = servers::of_call(known, rules, other, endpoint, tools)?;
        servers.retain(|place| also.contains(place));
    }
    if servers.is_empty() { Err(Failure::NoServer { region: rules.region }) } else { Ok(servers) }
}

/// What a call is billed by beside tokens, at most.
fn units(request: &Request, bounds: CallBounds) -> Units {
    let Quantities { pages, annotated_pages, audio_seconds, characters } =
        request.quantities_at_most(bounds.document_pages);
    Units { pages, annotated_pages, audio_seconds, characters, tool_calls: 0 }
}

/// Where a role limits the tokens of a request, what may fill the model's context must fit the limit whole.
fn may_fill_context(rules: &CallRules, request: &Request, context: u64) -> Result<(), Failure> {
    may_be_filled(rules, request.fills_context, context)
}

/// The same, for whoever only knows whether it may.
pub(crate) fn may_be_filled(rules: &CallRules, fills: bool, context: u64) -> Result<(), Failure> {
    match &rules.tokens_per_request {
        Some((limit, role)) if fills && context > *limit => {
            let (limit, asked, role) = (*limit, context, Arc::clone(role));
            Err(Failure::Refused(Refusal::TokensPerRequestExceeded { limit, asked, role }))
        }
        _ => Ok(()),
    }
}

/// The same call, where nothing of it is billed.
fn nothing_of(reach: Reach<'_>) -> Reach<'_> {
    let units = Units::default();
    Reach { input: 0, output: 0, units, tools: Money::ZERO, price: None, open: false, ..reach }
}

/// What the models of guardrails cost: they read the same input beside the model.
pub(crate) struct Guards {
    /// All their prices in one; `None` where there are none.
    pub(crate) price: Option<Price>,
    /// Whether each has one.
    pub(crate) priced: bool,
}

impl Guards {
    /// Of the guardrails that name those models.
    pub(crate) fn of(models: &[String], snapshot: &Snapshot, now: Timestamp) -> Self {
        if models.is_empty() {
            return Self { price: None, priced: true };
        }
        let input = |name: &String| {
            let (_, model) = snapshot.catalogue.find(name)?;
            snapshot.model(&model.id)?.prices.at(now)?.1.input_usd_per_mtok
        };
        let prices: Vec<Money> = models.iter().filter_map(input).collect();
        let sum = prices.iter().try_fold(Money::ZERO, |sum, price| sum.checked_add(*price));
        let price = Price { input_usd_per_mtok: sum, ..Price::none(now) };
        Self { price: Some(price), priced: sum.is_some() && prices.len() == models.len() }
    }

    pub(crate) fn cost(&self, input: u64) -> Money {
        self.price.as_ref().map_or(Money::ZERO, |price| guarded(price, input))
    }
}

/// What a call is billed by; a counter of tokens costs nothing.
fn billing(endpoint: Endpoint) -> Billing {
    if endpoint == Endpoint::CountResponseTokens { Billing::Free } else { kind(endpoint).billing() }
}

/// Tokens of input at most. Documents and sound can have as many as the model takes. What is billed by the second has
/// none: their number follows from nothing in the request, and the price of a second pays for them.
fn input_bound(request: &Request, billing: Billing, context: u64) -> u64 {
    let counted = request.input_token_bound();
    match billing {
        Billing::AudioSeconds => 0,
        _ if request.fills_context => counted.max(context),
        _ => counted,
    }
}

/// What the tools of a call can cost that upstream runs by itself: nothing in the request says how often it calls them.
pub(crate) struct ToolBound {
    /// Calls at most.
    calls: u64,
    /// Their cost at most.
    cost: Money,
    /// Whether each has a price.
    priced: bool,
    /// Prices of a call, by the tool's type.
    pub(crate) prices: Vec<(String, Money)>,
}

impl ToolBound {
    fn of(request: &Request, snapshot: &Snapshot, most: u64, now: Timestamp) -> Self {
        if request.provider_tools.is_empty() {
            return Self { calls: 0, cost: Money::ZERO, priced: true, prices: Vec::new() };
        }
        let prices: Vec<(String, Money)> = request
            .provider_tools
            .iter()
            .filter_map(|tool| Some((tool.clone(), snapshot.tool_price(tool, now)?)))
            .collect();
        let dearest = prices.iter().map(|(_, price)| price.nanos()).max().unwrap_or(0);
        let cost = Money::from_nanos(dearest.saturating_mul(i64::try_from(most).unwrap_or(i64::MAX)));
        Self { calls: most, cost, priced: prices.len() == request.provider_tools.len(), prices }
    }
}
