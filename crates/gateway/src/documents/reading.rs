//! A document that upstream is to read: paid for at its worst before it goes there.
//!
//! Nobody names a model for it: what it costs is the price of the model in the catalogue that serves `libraries`.

use super::{Due, Known, told};
use crate::authn::Caller;
use crate::credentials::InUse;
use crate::ledger::{Demand, Shortage, Taken, Verdict, take};
use crate::objects::Said;
use crate::pipeline::{Gateway, Visitor};
use crate::reply::Failure;
use crate::settle::{Outcome, Ticket};
use crate::turns::Speaker;
use http::StatusCode;
use louver_domain::admission::Refusal;
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::money::Money;
use louver_domain::prices::{Price, Terms};
use louver_domain::settlement::Bound;
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units};
use louver_mistral::usage::{Found, Usage};
use std::sync::Arc;

/// Rounds with the store, as for a call.
const ROUNDS: usize = 64;
/// The name that documents are charged under where the catalogue has no price for them.
const UNPRICED: &str = "libraries";
/// Bytes that a page takes at least, in a file that is larger than its pages are expected to be many.
const BYTES_OF_A_PAGE: u64 = 4096;
/// More than so many times the most that was set aside, no document can have taken.
const ABSURD: u64 = 64;

/// A reading that is paid for.
pub(crate) struct Reading {
    ticket: Ticket,
}

/// Refuses what has no price, where a budget in dollars applies.
pub(crate) fn may_be_read(caller: &Caller, units: &Units, now: Timestamp) -> Result<(), Failure> {
    let price = tariff(caller, now).price;
    let covered = price.is_some_and(|price| price.covers(Billing::Documents, units));
    if caller.key.needs_price && !covered {
        return Err(Failure::Refused(Refusal::UnboundedCost));
    }
    Ok(())
}

/// What documents are charged under, and at which price.
fn tariff(caller: &Caller, now: Timestamp) -> Speaker {
    let (snapshot, key) = (&caller.snapshot, &caller.key);
    let serves = snapshot.catalogue.iter().map(|(_, model)| model).find(|model| {
        model.serves(EndpointKind::Libraries)
            && model.workspace_id.is_none_or(|owner| owner == key.workspace_id)
    });
    Speaker::of(snapshot, serves.map_or(UNPRICED, |model| model.id.as_str()), now)
}

impl Reading {
    /// Takes the most that it can cost of every budget, and writes it down. A request that reads a document has met the
    /// rates already; the tokens of documents are none of those that are counted by the minute.
    pub(crate) async fn reserve(
        gateway: &Gateway,
        visitor: &Visitor,
        caller: &Caller,
        document: &Known,
        credential: InUse,
    ) -> Result<Self, Failure> {
        let bounds = gateway.settings().bounds;
        // What is packed into a file unpacks to more than it has bytes; the settings' figures are for those. But none is
        // taken to have less in it than a file of its size can plainly hold.
        let pages = bounds.document_pages.max(document.bytes.div_ceil(BYTES_OF_A_PAGE));
        let tokens = bounds.document_tokens.max(document.bytes);
        let units = Units { pages, audio_seconds: document.audio_seconds, ..Units::default() };
        may_be_read(caller, &units, visitor.now)?;
        let Speaker { model, price, price_version } = tariff(caller, visitor.now);
        let bound = bound(tokens, units, price.as_ref());
        let now_micros = gateway.clock().monotonic_micros();
        let place = gateway.usage_place().ok_or(Failure::AccountingUnavailable)?;
        let taken = taken(gateway, caller, bound).await?;
        let mut ticket = Ticket {
            place: Some(place),
            ledger: Arc::clone(gateway.ledger()),
            clock: Arc::clone(gateway.clock()),
            started_micros: now_micros,
            request_id: visitor.request_id,
            at: gateway.ledger().store_time(now_micros),
            key: Arc::clone(&caller.key),
            endpoint: EndpointKind::Libraries,
            billing: Billing::Documents,
            model_asked: model.as_ref().to_owned(),
            model,
            price,
            price_version,
            estimated_input: 0,
            credential,
            bound,
            tools: Vec::new(),
            turn: None,
            guards: None,
            taken,
            slot: None,
            sent: false,
            first_byte_micros: None,
            status: 0,
            client_left: false,
        };
        if let Err(error) = ticket.write_down().await {
            tracing::error!(%error, "a document is refused, since it cannot be written down");
            return Err(Failure::AccountingUnavailable);
        }
        Ok(Self { ticket })
    }

    /// What stays due when it is charged ahead; `before` is when the document was read last.
    pub(crate) fn due(&self, before: Option<String>) -> Due {
        let Ticket { request_id, key, at, price, bound, .. } = &self.ticket;
        Due {
            request_id: *request_id,
            key_id: key.id,
            user_id: key.user_id,
            since: at.micros(),
            price: price.clone(),
            audio_seconds: bound.units.audio_seconds,
            before,
        }
    }

    /// From here on upstream may have it.
    pub(crate) const fn begin(&mut self) {
        self.ticket.sent = true;
    }

    /// Settles it by what upstream said to an upload: at what it took, or ahead where it is still read.
    pub(crate) fn uploaded(self, said: &Result<Said, Failure>) {
        match said {
            Ok(said) if said.status.is_success() => match told(&said.value) {
                Some(told) => {
                    let usage = Usage { input_tokens: told.tokens, pages: told.pages, ..Usage::default() };
                    let found = Found { usage: Some(Ok(usage)), ..Found::default() };
                    self.end(said.status, &Outcome::Whole(&found));
                }
                None => self.end(said.status, &Outcome::Accepted),
            },
            other => self.refused(other),
        }
    }

    /// Settles it ahead, if upstream takes it on.
    pub(crate) fn accepted(self, said: &Result<Said, Failure>) {
        match said {
            Ok(said) if said.status.is_success() => self.end(said.status, &Outcome::Accepted),
            other => self.refused(other),
        }
    }

    /// Whether upstream provably does not read it.
    pub(crate) fn never_was(said: &Result<Said, Failure>) -> bool {
        match said {
            Ok(said) => said.status.is_client_error(),
            Err(failure) => {
                matches!(failure, Failure::UpstreamUnreachable | Failure::UpstreamCredentialRejected)
            }
        }
    }

    fn refused(self, said: &Result<Said, Failure>) {
        let status = said.as_ref().map_or(StatusCode::BAD_GATEWAY, |said| said.status);
        let outcome = if Self::never_was(said) { Outcome::Unsent } else { Outcome::Unanswered };
        self.end(status, &outcome);
    }

    fn end(mut self, status: StatusCode, outcome: &Outcome<'_>) {
        self.ticket.first_byte(status.as_u16());
        self.ticket.settle(outcome);
    }
}

/// The most that reading can cost. All its tokens count as input.
fn bound(tokens: u64, units: Units, price: Option<&Price>) -> Bound {
    let most = Tokens { input: tokens, cached: 0, output: 0 };
    Bound {
        input: tokens,
        units,
        cost: price.map_or(Money::ZERO, |price| price.cost(most, &units, Terms::default())),
        plausible: tokens.saturating_mul(ABSURD),
        ..Bound::default()
    }
}

/// Takes it of all budgets, or of none.
async fn taken(gateway: &Gateway, caller: &Caller, bound: Bound) -> Result<Taken, Failure> {
    let (ledger, key) = (gateway.ledger(), &caller.key);
    for _ in 0..ROUNDS {
        let now_micros = gateway.clock().monotonic_micros();
        if key.budgeted && !ledger.is_fresh(now_micros) && !ledger.ask_for_word().await {
            return Err(Failure::AccountingUnavailable);
        }
        match take(&key.levels, Demand { bound, now_micros, budgets: true, rates: false }) {
            Verdict::Taken(taken, low) => {
                if !low.is_empty() {
                    ledger.refill_soon(key.organization_id, low);
                }
                return Ok(taken);
            }
            Verdict::Short(shortages) => refill(gateway, caller, shortages).await?,
            Verdict::Limited(limited) => return Err(Failure::Refused(Refusal::RateLimited(limited))),
            Verdict::Refused(refusal) => return Err(Failure::Refused(Refusal::Budget(refusal))),
        }
    }
    Err(Failure::Overloaded)
}

async fn refill(gateway: &Gateway, caller: &Caller, shortages: Vec<Shortage>) -> Result<(), Failure> {
    match gateway.ledger().refill(caller.key.organization_id, shortages).await {
        true => Ok(()),
        false => Err(Failure::AccountingUnavailable),
    }
}
