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
    let request = &ask.request;
    let endpoint = kind(request.endpoint);
    let question = admission::Ask {
        endpoint,
        model: (!request.unnameable).then_some(request.model.as_str()),
        nested_models: &request.nested_models,
        tools: &request.provider_tools,
        priority: request.priority_tier,
        input_tokens: request.estimated_input_tokens(),
        max_tokens: request.max_tokens,
        choices: request.n,
    };
    let estimated_input = question.input_tokens;
    let grant = admission::admit(&caller.key.rules, &caller.snapshot.catalogue, visitor.address, question)
        .map_err(Failure::Refused)?;
    let model = caller.snapshot.model(&grant.model.id);
    let (price_version, price) =
        model.and_then(|m| m.prices.at(visitor.now)).map_or((0, None), |(v, p)| (v, Some(p)));
    let units = units(request);
    let covered = price.is_some_and(|price| price.covers(endpoint.billing(), &units));
    let tools = ToolBound::of(request, &caller.snapshot, gateway.settings().bounds.tool_calls, visitor.now);
    if caller.key.needs_price && !(covered && tools.priced) {
        return Err(Failure::Refused(Refusal::UnboundedCost));
    }
    let now_micros = gateway.clock().monotonic_micros();
    let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
    let credential = resolved.credential(&caller.key, now_micros).ok_or(Failure::NoCredential)?;
    let turns = tools.calls.saturating_add(1);
    let reach = Reach {
        input: tools.input(request.input_token_bound(), grant.model.context),
        output: grant.output,
        choices: request.n,
        units: Units { tool_calls: tools.calls, ..units },
        terms: Terms { priority: request.priority_tier, ..Terms::default() },
        tools: tools.cost,
        price,
        context: grant.model.context.saturating_mul(turns),
        open: question.is_open(),
    };
    let exact = model.is_some_and(|model| model.counted_exactly);
    let plan = Plan { key: &caller.key, reach, exact, ask: Some(&ask) };
    let (taken, bound, output) = plan.take(gateway).await?;
    let limited = reach.open && (grant.inject || caller.key.counts_tokens);
    let rewritten = request.rewrite(&ask.body, &grant.model.id, limited.then_some(output));
    let body = rewritten.map_or_else(|| ask.body.clone(), Bytes::from);
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
        model: model.map_or_else(|| grant.model.id.as_str().into(), |m| Arc::clone(&m.name)),
        price: price.cloned(),
        price_version,
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
        return Err(Failure::AccountingUnavailable);
    }
    Ok(Admitted { ticket, body, path: resolved.target, stream: ask.request.stream, allowance })
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
