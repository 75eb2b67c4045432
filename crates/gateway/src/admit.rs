//! Admits a call: the pure rules, then rates and budgets of all levels or of none, then its line in the journal. The
//! ticket is the proof.

use crate::authn::Caller;
use crate::intake::Ask;
use crate::ledger::{Allowance, Demand, Verdict, take};
use crate::pipeline::{Gateway, Visitor};
use crate::references::Resolved;
use crate::reply::Failure;
use crate::reserve::Plan;
use crate::settle::Ticket;
use crate::snapshot::Snapshot;
use crate::turns::{Most, Played, Speaker, Turn};
use bytes::Bytes;
use louver_domain::admission::{self, Refusal};
use louver_domain::endpoints::EndpointKind;
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
    pub(crate) body: Bytes,
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
    ask: Ask,
    resolved: Resolved,
) -> Result<Admitted, Failure> {
    let mut ask = ask;
    let endpoint = kind(ask.request.endpoint);
    let own_length = ask.request.max_tokens.is_some();
    let turn = resolved.turn.as_deref();
    if let Some(turn) = turn {
        turn.stand_in(&mut ask.request);
    }
    let request = &ask.request;
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
    let speakers = speakers(caller, visitor.now, &grant, turn);
    let units = units(request);
    let covers = |speaker: &Speaker| {
        speaker.price.as_ref().is_some_and(|price| price.covers(endpoint.billing(), &units))
    };
    let tools = ToolBound::of(request, &caller.snapshot, gateway.settings().bounds.tool_calls, visitor.now);
    if caller.key.needs_price && !(speakers.iter().all(covers) && tools.priced) {
        return Err(Failure::Refused(Refusal::UnboundedCost));
    }
    let times = turn.map_or(Ok(1), |turn| turn.speakers(&caller.key, request))?;
    let now_micros = gateway.clock().monotonic_micros();
    let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
    let credential = resolved.credential(&caller.key, now_micros).ok_or(Failure::NoCredential)?;
    let context = turn.map_or(grant.model.context, |turn| turn.context(&caller.snapshot));
    let growth = match turn {
        None => None,
        Some(turn) => {
            let most = Most { output: grant.output.saturating_mul(ask.request.n), context };
            let id = credential.credential().id;
            turn.grow(gateway, visitor, &caller.key, &mut ask.request, &most, id).await?
        }
    };
    let request = &ask.request;
    let turns = tools.calls.saturating_add(1).saturating_mul(times);
    let input = request.input_token_bound();
    let input = tools.input(if turn.is_some() { input.min(context) } else { input }, context);
    let reach = Reach {
        input: input.saturating_mul(times),
        output: grant.output,
        // In each turn a model may say as much as it is allowed to.
        choices: if turn.is_some() { request.n.saturating_mul(turns) } else { request.n },
        units: Units { tool_calls: tools.calls, ..units },
        terms: Terms { priority: request.priority_tier, ..Terms::default() },
        tools: tools.cost,
        price: None,
        context: if turn.is_some() { context } else { context.saturating_mul(turns) },
        open,
    };
    let mut speakers = speakers;
    // The dearest one first.
    speakers.sort_by_key(|speaker| {
        std::cmp::Reverse(Reach { price: speaker.price.as_ref(), ..reach }.bound(reach.output).cost)
    });
    let dearest = speakers.first().cloned().ok_or(Failure::Refused(Refusal::ModelNotAllowed))?;
    let reach = Reach { price: dearest.price.as_ref(), ..reach };
    let exact = caller.snapshot.model(&grant.model.id).is_some_and(|model| model.counted_exactly)
        && speakers.len() == 1;
    let plan = Plan { key: &caller.key, reach, exact, ask: &ask };
    let (taken, bound, output) = match plan.take(gateway).await {
        Ok(taken) => taken,
        Err(failure) => {
            if let Some(growth) = growth {
                growth.undone().done(gateway.store()).await;
            }
            return Err(failure);
        }
    };
    let limits = grant.inject || caller.key.counts_tokens;
    let body = match turn {
        None => {
            let limited = open && limits;
            let rewritten = request.rewrite(&ask.body, &grant.model.id, limited.then_some(output));
            rewritten.map_or_else(|| ask.body.clone(), Bytes::from)
        }
        Some(turn) => {
            let length = (limits && !own_length).then_some(output);
            turn.rewrite(&caller.key, request, &ask.body, &grant.model.id, length)
        }
    };
    let allowance = taken.allowance;
    let mut ticket = Ticket {
        place: Some(place),
        ledger: Arc::clone(gateway.ledger()),
        clock: Arc::clone(gateway.clock()),
        started_micros: now_micros,
        request_id: visitor.request_id,
        at: gateway.ledger().store_time(now_micros),
        key: Arc::clone(&caller.key),
        endpoint,
        model: dearest.model,
        price: dearest.price,
        price_version: dearest.price_version,
        turn: turn.map(|_| Played::new(caller, speakers, growth.clone())),
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
        if let Some(growth) = growth {
            growth.undone().done(gateway.store()).await;
        }
        return Err(Failure::AccountingUnavailable);
    }
    Ok(Admitted { ticket, body, path: resolved.target, stream: ask.request.stream, allowance })
}

/// The models that may speak, with their prices.
fn speakers(
    caller: &Caller,
    now: Timestamp,
    grant: &admission::Grant<'_>,
    turn: Option<&Turn>,
) -> Vec<Speaker> {
    let only = std::slice::from_ref(&grant.model.id);
    let speaker = |id: &String| {
        let model = caller.snapshot.model(id);
        let price = model.and_then(|model| model.prices.at(now));
        Speaker {
            model: model.map_or_else(|| id.as_str().into(), |model| Arc::clone(&model.name)),
            price: price.map(|(_, price)| price.clone()),
            price_version: price.map_or(0, |(version, _)| version),
        }
    };
    turn.map_or(only, |turn| &turn.models).iter().map(speaker).collect()
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
