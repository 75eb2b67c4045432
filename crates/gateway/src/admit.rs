//! Admits a call: the pure rules, then rates and budgets of all levels or of none, then its line in the journal. The
//! ticket is the proof.

use crate::authn::Caller;
use crate::credentials;
use crate::intake::Ask;
use crate::ledger::{Allowance, Demand, Verdict, take};
use crate::pipeline::{Gateway, Visitor};
use crate::reply::Failure;
use crate::reserve::Plan;
use crate::settle::Ticket;
use bytes::Bytes;
use louver_domain::admission::{self, Refusal};
use louver_domain::endpoints::EndpointKind;
use louver_domain::reserve::Reach;
use louver_domain::settlement::Bound;
use louver_mistral::endpoints::Endpoint;
use std::sync::Arc;

/// An admitted call: the only thing that `forward` takes.
pub(crate) struct Admitted {
    pub(crate) ticket: Ticket,
    pub(crate) body: Bytes,
    pub(crate) path: &'static str,
    pub(crate) stream: bool,
    pub(crate) allowance: Allowance,
}

/// The endpoint as rules and usage name it.
pub(crate) const fn kind(endpoint: Endpoint) -> EndpointKind {
    match endpoint {
        Endpoint::ChatCompletions => EndpointKind::Chat,
        Endpoint::FimCompletions => EndpointKind::Fim,
        Endpoint::Embeddings => EndpointKind::Embeddings,
        Endpoint::ListModels | Endpoint::GetModel => EndpointKind::Models,
    }
}

/// Judges a call and takes what it needs.
pub(crate) async fn admit(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    ask: Ask,
) -> Result<Admitted, Failure> {
    let request = &ask.request;
    let endpoint = kind(request.endpoint);
    let question = admission::Ask {
        endpoint,
        model: (!request.unnameable).then_some(request.model.as_str()),
        nested_models: &request.nested_models,
        input_tokens: request.estimated_input_tokens(),
        max_tokens: request.max_tokens,
        choices: request.n,
    };
    let estimated_input = question.input_tokens;
    let grant = admission::admit(&caller.key.rules, &caller.snapshot.catalogue, visitor.address, question)
        .map_err(Failure::Refused)?;
    if request.priority_tier {
        return Err(Failure::PriorityTier);
    }
    let model = caller.snapshot.model(&grant.model.id);
    let (price_version, price) =
        model.and_then(|m| m.prices.at(visitor.now)).map_or((0, None), |(v, p)| (v, Some(p)));
    if caller.key.needs_price && price.is_none() {
        return Err(Failure::Refused(Refusal::UnboundedCost));
    }
    let now_micros = gateway.clock().monotonic_micros();
    let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
    let credential = credentials::choose(&caller.key.credentials, now_micros).ok_or(Failure::NoCredential)?;
    let reach = Reach {
        input: request.input_token_bound(),
        output: grant.output,
        choices: request.n,
        price,
        context: grant.model.context,
        open: question.is_open(),
    };
    let exact = model.is_some_and(|model| model.counted_exactly);
    let plan = Plan { key: &caller.key, reach, exact, ask: &ask };
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
    Ok(Admitted { ticket, body, path: ask.request.endpoint.path(), stream: ask.request.stream, allowance })
}

/// Admits a call that Louver answers itself: the rules that need no body, and the rates.
pub(crate) fn admit_reading(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
) -> Result<Allowance, Failure> {
    admission::may_call(&caller.key.rules, visitor.address, EndpointKind::Models)
        .map_err(Failure::Refused)?;
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
