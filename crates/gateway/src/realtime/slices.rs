//! Admits a session a minute at a time: each slice of audio is reserved in full, with a ticket of its own, before any of
//! it goes upstream.

use crate::authn::Caller;
use crate::credentials::{self, Choice, InUse, Missing};
use crate::ledger::{Demand, Shortage, Taken, Verdict, room, take};
use crate::pipeline::{Gateway, Visitor};
use crate::reply::Failure;
use crate::servers;
use crate::settle::Ticket;
use louver_domain::admission::{self, BudgetRefusal, Grant, Refusal};
use louver_domain::budgets::Unit;
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::id::{RequestId, UpstreamId};
use louver_domain::money::Money;
use louver_domain::prices::{Price, Terms};
use louver_domain::reserve::Reach;
use louver_domain::settlement::Bound;
use louver_domain::usage::Units;
use louver_mistral::request::is_model_name;
use std::sync::Arc;

/// The seconds of a slice: a minute, since that is what audio is priced by. Whole slices cost exactly what the session
/// would, and only the last one is rounded up.
pub(super) const SLICE: u64 = 60;
/// Rounds with the store, as for a call.
const ROUNDS: usize = 64;
const ENDPOINT: EndpointKind = EndpointKind::RealtimeTranscriptions;

/// A slice that was reserved.
pub(super) struct Slice {
    pub(super) ticket: Ticket,
    pub(super) seconds: u64,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Want<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) visitor: &'a Visitor,
    pub(super) caller: &'a Caller,
    /// The model as the client named it.
    pub(super) model: &'a str,
    /// Seconds without which the slice is of no use.
    pub(super) least: u64,
    /// Of a slice that continues a session: the credential that it began with, and its server.
    pub(super) continues: Option<(Option<UpstreamId>, usize)>,
}

impl<'a> Want<'a> {
    /// What the rules say, that need no counter.
    pub(super) fn grant(&self) -> Result<Grant<'a>, Failure> {
        let ask = admission::Ask {
            endpoint: ENDPOINT,
            model: is_model_name(self.model).then_some(self.model),
            nested_models: &[],
            tools: &[],
            priority: false,
            input_tokens: 0,
            max_tokens: None,
            choices: 1,
        };
        let Caller { snapshot, key, secret: _ } = self.caller;
        admission::admit(&key.rules, &snapshot.catalogue, self.visitor.address, ask).map_err(Failure::Refused)
    }

    /// Reserves a slice, and writes it down.
    pub(super) async fn reserve(&self) -> Result<Slice, Failure> {
        let Self { gateway, caller, .. } = self;
        let grant = self.grant()?;
        let now_micros = gateway.clock().monotonic_micros();
        let model = caller.snapshot.model(&grant.model.id);
        let priced = model.and_then(|model| model.prices.at(gateway.clock().now()));
        let (price_version, price) = priced.map_or((0, None), |(version, price)| (version, Some(price)));
        let covered = price.is_some_and(|price| price.covers(ENDPOINT.billing(), &Units::default()));
        if caller.key.needs_price && !covered {
            return Err(Failure::Refused(Refusal::UnboundedCost));
        }
        let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
        let servers =
            servers::of_call(&gateway.settings().servers, &caller.key.rules, grant.model, ENDPOINT, false)?;
        let credential = self.credential(&servers, now_micros)?;
        let regional = servers::is_dearer(&gateway.settings().servers, credential.credential().server);
        let cost = Cost { price, regional };
        let (taken, seconds) = self.take(cost).await?;
        let mut ticket = Ticket {
            place: Some(place),
            ledger: Arc::clone(gateway.ledger()),
            clock: Arc::clone(gateway.clock()),
            started_micros: now_micros,
            request_id: self.request_id(),
            at: gateway.ledger().store_time(now_micros),
            key: Arc::clone(&caller.key),
            endpoint: ENDPOINT,
            model: model.map_or_else(|| grant.model.id.as_str().into(), |model| Arc::clone(&model.name)),
            price: price.cloned(),
            price_version,
            estimated_input: 0,
            credential,
            billing: Billing::AudioSeconds,
            bound: cost.bound(seconds),
            guards: None,
            turn: None,
            tools: Vec::new(),
            taken,
            slot: None,
            sent: false,
            first_byte_micros: None,
            status: 0,
            client_left: false,
            model_asked: self.model.to_owned(),
        };
        if let Err(error) = ticket.write_down().await {
            tracing::error!(%error, "audio is refused, since it cannot be written down");
            return Err(Failure::AccountingUnavailable);
        }
        Ok(Slice { ticket, seconds })
    }

    /// The request's own for the first slice; each further one has a record of its own.
    fn request_id(&self) -> RequestId {
        self.continues.map_or(self.visitor.request_id, |_| self.gateway.next_request_id())
    }

    /// Any that does not rest; a session goes on with the one it began with.
    fn credential(&self, servers: &[usize], now_micros: i64) -> Result<InUse, Failure> {
        let credentials = &self.caller.key.credentials;
        let chosen = match self.continues {
            None => Choice { credentials, servers, tried: &[], again: false }.take(now_micros),
            Some(begun_with) => credentials::again(credentials, begun_with)
                .filter(|used| servers.contains(&used.credential().server))
                .ok_or(Missing::None),
        };
        chosen.map_err(|missing| Failure::missing(missing, now_micros))
    }

    /// Takes a slice of all budgets, or the part that is left where it is of use; a session's first is a request, too.
    async fn take(&self, cost: Cost<'_>) -> Result<(Taken, u64), Failure> {
        let (ledger, key) = (self.gateway.ledger(), &self.caller.key);
        let mut seconds = SLICE.max(self.least);
        for _ in 0..ROUNDS {
            let now_micros = self.gateway.clock().monotonic_micros();
            if key.budgeted && !ledger.is_fresh(now_micros) && !ledger.ask_for_word().await {
                return Err(Failure::AccountingUnavailable);
            }
            let bound = cost.bound(seconds);
            let rates = self.continues.is_none();
            match take(&key.levels, Demand { bound, now_micros, budgets: true, rates }) {
                Verdict::Taken(taken, low) => {
                    if !low.is_empty() {
                        ledger.refill_soon(key.organization_id, low);
                    }
                    return Ok((taken, seconds));
                }
                Verdict::Short(shortages) => self.refill(shortages).await?,
                Verdict::Limited(limited) => return Err(Failure::Refused(Refusal::RateLimited(limited))),
                Verdict::Refused(refusal) => {
                    let left = self.shorter(seconds, cost, &refusal);
                    seconds = left.ok_or(Failure::Refused(Refusal::Budget(refusal)))?;
                }
            }
        }
        Err(Failure::Overloaded)
    }

    async fn refill(&self, shortages: Vec<Shortage>) -> Result<(), Failure> {
        match self.gateway.ledger().refill(self.caller.key.organization_id, shortages).await {
            true => Ok(()),
            false => Err(Failure::AccountingUnavailable),
        }
    }

    /// The most seconds, fewer than `seconds`, that what is left of the budget pays for.
    fn shorter(&self, seconds: u64, cost: Cost<'_>, refusal: &BudgetRefusal) -> Option<u64> {
        let unit = refusal.kind.unit();
        let left = room(&self.caller.key.levels, &refusal.scope, refusal.kind);
        let fits = |seconds: &u64| {
            unit == Unit::Usd && u64::try_from(cost.bound(*seconds).of(unit)).is_ok_and(|cost| cost <= left)
        };
        (self.least.max(1)..seconds).rev().find(fits)
    }
}

/// What seconds cost.
#[derive(Clone, Copy)]
struct Cost<'a> {
    price: Option<&'a Price>,
    /// Whether the server costs what regions cost more.
    regional: bool,
}

impl Cost<'_> {
    /// What so many seconds cost. Tokens are not counted: what is billed by the second has none.
    fn bound(self, seconds: u64) -> Bound {
        let Self { price, regional } = self;
        let units = Units { audio_seconds: seconds, ..Units::default() };
        let reach = Reach {
            input: 0,
            output: 0,
            choices: 1,
            units,
            terms: Terms { regional, ..Terms::default() },
            tools: Money::ZERO,
            price,
            context: 0,
            open: false,
        };
        reach.bound(0)
    }
}
