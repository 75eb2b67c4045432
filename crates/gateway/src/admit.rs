//! Admits a call: the pure rules, then rates and budgets of all levels or of none, then its line in the journal. The
//! ticket is the proof.

use crate::authn::Caller;
use crate::credentials::Credential;
use crate::intake::{Ask, Given};
use crate::judge::{Judged, judge};
use crate::ledger::{Allowance, Demand, Verdict, take, would_pass};
use crate::pipeline::{Gateway, Visitor};
use crate::references::Resolved;
use crate::reply::Failure;
use crate::servers;
use crate::settle::Ticket;
use crate::turns::{Growth, Most, Played, Turn};
use crate::upstream::Payload;
use bytes::Bytes;
use louver_domain::admission::{self, Refusal};
use louver_domain::endpoints::EndpointKind;
use louver_domain::settlement::Bound;
use louver_mistral::endpoints::Endpoint;
use louver_mistral::request::Request;
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
    /// The model that answers in place of the one that was asked for.
    pub(crate) stand_in: Option<Arc<str>>,
}

/// Which attempt at a call this is.
#[derive(Default)]
pub(crate) struct Try {
    /// 0 is the first.
    pub(crate) number: u8,
    /// The model that stands in for the one asked for.
    pub(crate) stand_in: Option<String>,
    /// The credentials that were tried for this model.
    pub(crate) tried: Vec<Arc<Credential>>,
    /// Whether one of those may be taken again.
    pub(crate) again: bool,
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
    ask: &Ask,
    resolved: &Resolved,
    attempt: &Try,
) -> Result<Admitted, Failure> {
    let turn = resolved.turn.as_deref();
    let own_length = ask.request.max_tokens.is_some();
    let mut request = Cow::Borrowed(&ask.request);
    if let Some(turn) = turn {
        turn.stand_in(request.to_mut());
    }
    let judged = judge(gateway, visitor, caller, &request, turn, attempt)?;
    let now_micros = gateway.clock().monotonic_micros();
    let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
    let credential = resolved.credential(&caller.key, &judged.servers, attempt, now_micros)?;
    let growth = match turn {
        None => None,
        Some(turn) => {
            let most = Most { output: judged.output.saturating_mul(request.n), context: judged.context };
            let id = credential.credential().id;
            turn.grow(gateway, visitor, &caller.key, request.to_mut(), &most, id).await?
        }
    };
    let (taken, bound, output) =
        match judged.take(gateway, caller, (&request, &ask.body), turn.is_some()).await {
            Ok(taken) => taken,
            Err(failure) => return Err(undone(gateway, growth, failure).await),
        };
    let limits = judged.inject || caller.key.counts_tokens;
    let length = match turn {
        None => judged.open && limits,
        Some(_) => limits && !own_length,
    };
    let body =
        written(gateway, caller, (&request, &ask.body), turn, &judged.pinned, length.then_some(output));
    let Judged { dearest, others, tools, guards, billing, estimated_input, .. } = judged;
    let allowance = taken.allowance;
    let played = turn.map(|_| Played::new(caller, dearest.clone(), others, growth.clone()));
    let mut ticket = Ticket {
        place: Some(place),
        ledger: Arc::clone(gateway.ledger()),
        clock: Arc::clone(gateway.clock()),
        started_micros: now_micros,
        request_id: visitor.request_id.attempt(attempt.number),
        at: gateway.ledger().store_time(now_micros),
        key: Arc::clone(&caller.key),
        endpoint: kind(request.endpoint),
        billing,
        model: dearest.model,
        price: dearest.price,
        price_version: dearest.price_version,
        turn: played,
        estimated_input,
        credential,
        bound,
        tools: tools.prices,
        guards: guards.price,
        taken,
        slot: None,
        sent: false,
        first_byte_micros: None,
        status: 0,
        client_left: false,
        model_asked: ask.request.model.clone(),
    };
    if let Err(error) = ticket.write_down().await {
        tracing::error!(%error, "a call is refused, since it cannot be written down");
        ticket.turn = None;
        return Err(undone(gateway, growth, Failure::AccountingUnavailable).await);
    }
    let stand_in = attempt.stand_in.is_some().then(|| Arc::clone(&ticket.model));
    Ok(Admitted { ticket, body, path: resolved.target.clone(), stream: request.stream, allowance, stand_in })
}

/// The body as it goes upstream.
fn written(
    gateway: &Gateway,
    caller: &Caller,
    (request, body): (&Request, &Given),
    turn: Option<&Turn>,
    pinned: &str,
    max_tokens: Option<u64>,
) -> Payload {
    match (body, turn) {
        (Given::Json(body), Some(turn)) => {
            Payload::json(turn.rewrite(&caller.key, request, body, pinned, max_tokens))
        }
        (Given::Json(body), None) => {
            let rewritten = request.rewrite(body, pinned, max_tokens);
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

/// Whether a call may be begun, before any of its body is read: the rules that need no body, and the rates. Nothing is
/// taken.
pub(crate) fn may_begin(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
    endpoint: EndpointKind,
) -> Result<(), Failure> {
    admission::may_call(&caller.key.rules, visitor.address, endpoint).map_err(Failure::Refused)?;
    servers::may_ask(&caller.key.rules, endpoint)?;
    let now_micros = gateway.clock().monotonic_micros();
    let demand = Demand { bound: Bound::default(), now_micros, rates: true, budgets: false };
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
    servers::may_ask(&caller.key.rules, endpoint)?;
    let now_micros = gateway.clock().monotonic_micros();
    match take(
        &caller.key.levels,
        Demand { bound: Bound::default(), now_micros, budgets: false, rates: true },
    ) {
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
