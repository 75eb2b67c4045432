//! Admits a call: the pure rules, then all rates or none, then a place for its usage record. The ticket is the proof.

use crate::authn::Caller;
use crate::credentials;
use crate::intake::Ask;
use crate::pipeline::{Gateway, Visitor};
use crate::reply::{Allowance, Failure};
use crate::settle::Ticket;
use crate::snapshot::Rate;
use bytes::Bytes;
use louver_domain::admission::{self, RateLimited, Refusal};
use louver_domain::endpoints::EndpointKind;
use louver_domain::rates::MinuteWindow;
use louver_mistral::endpoints::Endpoint;
use std::sync::{Arc, MutexGuard};

/// An admitted call: the only thing that `forward` takes.
pub(crate) struct Admitted {
    pub(crate) ticket: Ticket,
    pub(crate) body: Bytes,
    pub(crate) path: &'static str,
    pub(crate) stream: bool,
    pub(crate) allowance: Option<Allowance>,
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
pub(crate) fn admit(
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
    let now_micros = gateway.clock().monotonic_micros();
    let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
    let credential = credentials::choose(&caller.key.credentials, now_micros).ok_or(Failure::NoCredential)?;
    let allowance = take_rates(&caller.key.rates, now_micros)
        .map_err(|limited| Failure::Refused(Refusal::RateLimited(limited)))?;
    let rewritten = request.rewrite(&ask.body, &grant.model.id, grant.inject_max_tokens);
    let body = rewritten.map_or_else(|| ask.body.clone(), Bytes::from);
    let model = caller.snapshot.model(&grant.model.id);
    let (price_version, price) =
        model.and_then(|m| m.prices.at(visitor.now)).map_or((0, None), |(v, p)| (v, Some(p.clone())));
    let ticket = Ticket {
        place: Some(place),
        clock: Arc::clone(gateway.clock()),
        started_micros: now_micros,
        visitor: *visitor,
        key: Arc::clone(&caller.key),
        endpoint,
        model_asked: ask.request.model,
        model: model.map_or_else(|| grant.model.id.as_str().into(), |m| Arc::clone(&m.name)),
        price,
        price_version,
        estimated_input,
        credential,
        sent: false,
        first_byte_micros: None,
        status: 0,
    };
    Ok(Admitted { ticket, body, path: ask.request.endpoint.path(), stream: ask.request.stream, allowance })
}

/// Admits a call that Louver answers itself: the rules that need no body, and the rates.
pub(crate) fn admit_reading(
    gateway: &Gateway,
    visitor: &Visitor,
    caller: &Caller,
) -> Result<Option<Allowance>, Failure> {
    admission::may_call(&caller.key.rules, visitor.address, EndpointKind::Models)
        .map_err(Failure::Refused)?;
    take_rates(&caller.key.rates, gateway.clock().monotonic_micros())
        .map_err(|limited| Failure::Refused(Refusal::RateLimited(limited)))
}

/// Counts a call in the windows of all levels, or in none. Answers the tightest allowance that is left.
fn take_rates(rates: &[Rate], now_micros: i64) -> Result<Option<Allowance>, RateLimited> {
    if rates.is_empty() {
        return Ok(None);
    }
    // Locked from the organization down to the key, in every call alike: no two calls can wait for each other.
    let mut windows: Vec<(&Rate, MutexGuard<'_, MinuteWindow>)> =
        rates.iter().map(|r| (r, r.window.lock())).collect();
    let mut tightest: Option<Allowance> = None;
    for (rate, window) in &mut windows {
        let used = window.used(now_micros);
        if !rate.enforced {
            continue;
        }
        if used >= rate.limit {
            return Err(RateLimited {
                level: rate.level,
                id: rate.scope_id.clone(),
                limit: rate.limit,
                used,
                retry_after: window.seconds_until_free(rate.limit, now_micros),
            });
        }
        let remaining = rate.limit.saturating_sub(used).saturating_sub(1);
        if tightest.is_none_or(|t| remaining < t.remaining) {
            tightest = Some(Allowance { limit: rate.limit, remaining });
        }
    }
    windows.iter_mut().for_each(|(_, window)| window.count(now_micros));
    Ok(tightest)
}
