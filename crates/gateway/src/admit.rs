//! Admits a call: the pure rules, then rates and budgets of all levels or of none, then its line in the journal. The
//! ticket is the proof.

use crate::authn::Caller;
use crate::intake::{Ask, Given};
use crate::ledger::{Allowance, Demand, Taken, Verdict, take, would_pass};
use crate::pipeline::{Gateway, Visitor};
use crate::references::Resolved;
use crate::reply::Failure;
use crate::reserve::Plan;
use crate::settle::Ticket;
use crate::snapshot::Snapshot;
use crate::turns::{Growth, Most, Played, Speaker, Turn};
use crate::upstream::Payload;
use bytes::Bytes;
use louver_domain::admission::{self, Refusal};
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::money::Money;
use louver_domain::prices::Terms;
use louver_domain::reserve::Reach;
use louver_domain::settlement::Bound;
use louver_domain::time::Timestamp;
use louver_domain::usage::Units;
use louver_mistral::endpoints::Endpoint;
use louver_mistral::request::{Quantities, Request};
use std::borrow::Cow;
use std::sync::Arc;

/// An admitted call: the only thing that `forward` takes.
pub(crate) struct Admitted {
    pub(crate) ticket: Ticket,
    pub(crate) body: Payload,
    /// Path and query upstream.
    pub(crate) path: Cow<'static, str>,
    pub(crate) stream: bool,
    pub(crate) allowance: Allowance,
}

/// The endpoint as rules and usage name it: the two tables share their names.
pub(crate) fn kind(endpoint: Endpoint) -> EndpointKind {
    match endpoint {
        Endpoint::ChatCompletions => EndpointKind::Chat,
        Endpoint::FimCompletions => EndpointKind::Fim,
        Endpoint::Embeddings => EndpointKind::Embeddings,
        other => EndpointKind::parse(other.name()).unwrap_or(EndpointKind::Models),
    }
}

/// Judges a call and takes what it needs.
pub(crate) async fn admit(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    mut ask: Ask,
    resolved: Resolved,
) -> Result<Admitted, Failure> {
    let turn = resolved.turn.as_deref();
    let own_length = ask.request.max_tokens.is_some();
    if let Some(turn) = turn {
        turn.stand_in(&mut ask.request);
    }
    let judged = judge(gateway, visitor, caller, &ask.request, turn)?;
    let now_micros = gateway.clock().monotonic_micros();
    let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
    let credential = resolved.credential(&caller.key, now_micros).ok_or(Failure::NoCredential)?;
    let growth = match turn {
        None => None,
        Some(turn) => {
            let most = Most { output: judged.output.saturating_mul(ask.request.n), context: judged.context };
            let id = credential.credential().id;
            turn.grow(gateway, visitor, &caller.key, &mut ask.request, &most, id).await?
        }
    };
    let (taken, bound, output) = match judged.take(gateway, caller, &ask, turn.is_some()).await {
        Ok(taken) => taken,
        Err(failure) => return Err(undone(gateway, growth, failure).await),
    };
    let limits = judged.inject || caller.key.counts_tokens;
    let length = match turn {
        None => judged.open && limits,
        Some(_) => limits && !own_length,
    };
    let body = written(gateway, caller, &ask, turn, &judged.pinned, length.then_some(output));
    let Judged { dearest, others, tools, estimated_input, .. } = judged;
    let allowance = taken.allowance;
    let played = turn.map(|_| Played::new(caller, dearest.clone(), others, growth.clone()));
    let mut ticket = Ticket {
        place: Some(place),
        ledger: Arc::clone(gateway.ledger()),
        clock: Arc::clone(gateway.clock()),
        started_micros: now_micros,
        request_id: visitor.request_id,
        at: gateway.ledger().store_time(now_micros),
        key: Arc::clone(&caller.key),
        endpoint: kind(ask.request.endpoint),
        model: dearest.model,
        price: dearest.price,
        price_version: dearest.price_version,
        turn: played,
        estimated_input,
        credential,
        bound,
        tools: tools.prices,
        taken,
        slot: None,
        sent: false,
        first_byte_micros: None,
        status: 0,
        client_left: false,
        model_asked: ask.request.model,
    };
    if let Err(error) = ticket.write_down().await {
        tracing::error!(%error, "a call is refused, since it cannot be written down");
        ticket.turn = None;
        return Err(undone(gateway, growth, Failure::AccountingUnavailable).await);
    }
    Ok(Admitted { ticket, body, path: resolved.target, stream: ask.request.stream, allowance })
}

/// The tokens of input at most. What is billed by the second has none: their number follows from nothing in the request,
/// and the price of a second pays for them.
fn input_bound(request: &Request, endpoint: EndpointKind) -> u64 {
    if endpoint.billing() == Billing::AudioSeconds { 0 } else { request.input_token_bound() }
}

/// The body as it goes upstream.
fn written(
    gateway: &Gateway,
    caller: &Caller,
    ask: &Ask,
    turn: Option<&Turn>,
    pinned: &str,
    max_tokens: Option<u64>,
) -> Payload {
    match (&ask.body, turn) {
        (Given::Json(body), Some(turn)) => {
            Payload::json(turn.rewrite(&caller.key, &ask.request, body, pinned, max_tokens))
        }
        (Given::Json(body), None) => {
            let rewritten = ask.request.rewrite(body, pinned, max_tokens);
            Payload::json(rewritten.map_or_else(|| body.clone(), Bytes::from))
        }
        (Given::Form(filled), _) => filled.written(Some(pinned), gateway.entropy()),
    }
}

/// A call that is refused after its conversation has grown.
async fn undone(gateway: &Gateway, growth: Option<Growth>, failure: Failure) -> Failure {
    if let Some(growth) = growth {
        growth.undone().done(gateway.store()).await;
    }
    failure
}

/// What the rules say of a call before anything is counted.
struct Judged {
    /// The model's id, as it goes upstream.
    pinned: String,
    /// The most tokens of output of each choice.
    output: u64,
    inject: bool,
    open: bool,
    /// The largest context of those who may speak.
    context: u64,
    /// Whoever costs most of those who may speak, and the others.
    dearest: Speaker,
    others: Vec<Speaker>,
    units: Units,
    tools: ToolBound,
    /// Times that models may speak one after the other, beside those for tools.
    times: u64,
    estimated_input: u64,
}

/// Asks the rules, and what it can be charged by.
fn judge(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    request: &Request,
    turn: Option<&Turn>,
) -> Result<Judged, Failure> {
    let endpoint = kind(request.endpoint);
    let question = admission::Ask {
        endpoint,
        model: (!request.unnameable).then_some(request.model.as_str()),
        nested_models: &request.nested_models,
        tools: &request.provider_tools,
        priority: request.priority_tier,
        input_tokens: request.estimated_input_tokens().saturating_add(turn.map_or(0, Turn::estimate)),
        max_tokens: request.max_tokens,
        choices: request.n,
    };
    let (estimated_input, open) = (question.input_tokens, question.is_open());
    let grant = admission::admit(&caller.key.rules, &caller.snapshot.catalogue, visitor.address, question)
        .map_err(Failure::Refused)?;
    let units = units(request);
    let tools = ToolBound::of(request, &caller.snapshot, gateway.settings().bounds.tool_calls, visitor.now);
    let speaker = |id: &str| Speaker::of(&caller.snapshot, id, visitor.now);
    let dearest = speaker(&grant.model.id);
    let others: Vec<Speaker> =
        turn.iter().flat_map(|turn| turn.models.iter().skip(1)).map(|id| speaker(id)).collect();
    let covered = std::iter::once(&dearest)
        .chain(&others)
        .all(|speaker| speaker.price.as_ref().is_some_and(|price| price.covers(endpoint.billing(), &units)));
    if caller.key.needs_price && !(covered && tools.priced) {
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
        let turns = self.tools.calls.saturating_add(1).saturating_mul(self.times);
        let input = input_bound(request, kind(request.endpoint));
        // In a turn, upstream refuses what is longer than the context; and each model may say as much as it is allowed to.
        let (input, choices, context) = if is_turn {
            (input.min(self.context), request.n.saturating_mul(turns), self.context)
        } else {
            (input, request.n, self.context.saturating_mul(turns))
        };
        Reach {
            input: self.tools.input(input, self.context).saturating_mul(self.times),
            output: self.output,
            choices,
            units: Units { tool_calls: self.tools.calls, ..self.units },
            terms: Terms { priority: request.priority_tier, ..Terms::default() },
            tools: self.tools.cost,
            price: speaker.price.as_ref(),
            context,
            open: self.open,
        }
    }

    /// Takes what it could use of every rate and budget.
    async fn take(
        &self,
        gateway: &Gateway,
        caller: &Caller,
        ask: &Ask,
        is_turn: bool,
    ) -> Result<(Taken, Bound, u64), Failure> {
        let reach = self.reach(&ask.request, is_turn, &self.dearest);
        let exact = self.others.is_empty()
            && caller.snapshot.model(&self.pinned).is_some_and(|model| model.counted_exactly);
        Plan { key: &caller.key, reach, exact, ask }.take(gateway).await
    }
}

/// What a call is billed by beside tokens, at most.
const fn units(request: &Request) -> Units {
    let Quantities { pages, annotated_pages, audio_seconds, characters } = request.quantities;
    Units { pages, annotated_pages, audio_seconds, characters, tool_calls: 0 }
}

/// What the tools of a call can cost that upstream runs by itself: nothing in the request says how often it calls them.
struct ToolBound {
    /// Calls at most.
    calls: u64,
    /// Their cost at most.
    cost: Money,
    /// Whether each has a price.
    priced: bool,
    /// Prices of a call, by the tool's type.
    prices: Vec<(String, Money)>,
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

    /// The input at most: each call of a tool is another turn, in which the model reads up to its whole context.
    fn input(&self, bound: u64, context: u64) -> u64 {
        if self.calls == 0 { bound } else { bound.max(context).saturating_mul(self.calls.saturating_add(1)) }
    }
}

/// Whether a call may be begun, before any of its body is read: the rules that need no body, and the rates. Nothing is
/// taken.
pub(crate) fn may_begin(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    endpoint: EndpointKind,
) -> Result<(), Failure> {
    admission::may_call(&caller.key.rules, visitor.address, endpoint).map_err(Failure::Refused)?;
    let now_micros = gateway.clock().monotonic_micros();
    let demand = Demand { bound: Bound::default(), now_micros, budgets: false };
    would_pass(&caller.key.levels, demand).map_err(|limited| Failure::Refused(Refusal::RateLimited(limited)))
}

/// Admits a request that costs nothing: the rules that need no body, and the rates.
pub(crate) fn admit_free(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    endpoint: EndpointKind,
) -> Result<Allowance, Failure> {
    admission::may_call(&caller.key.rules, visitor.address, endpoint).map_err(Failure::Refused)?;
    let now_micros = gateway.clock().monotonic_micros();
    match take(&caller.key.levels, Demand { bound: Bound::default(), now_micros, budgets: false }) {
        Verdict::Taken(taken, _) => {
            // It is answered at once: nothing is in flight.
            gateway.ledger().undo(&caller.key, &taken);
            Ok(taken.allowance)
        }
        Verdict::Limited(limited) => Err(Failure::Refused(Refusal::RateLimited(limited))),
        Verdict::Refused(refusal) => Err(Failure::Refused(Refusal::Budget(refusal))),
        Verdict::Short(_) => Err(Failure::AccountingUnavailable),
    }
}
