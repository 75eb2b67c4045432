//! Takes what a call could use at most of every rate and budget, and asks the store for more where this node is short.

use crate::intake::Given;
use crate::ledger::{Demand, Shortage, Taken, Verdict, room, take};
use crate::pipeline::Gateway;
use crate::reply::Failure;
use crate::snapshot::KeyEntry;
use louver_domain::admission::{RateKind, Refusal};
use louver_domain::budgets::Unit;
use louver_domain::reserve::Reach;
use louver_domain::settlement::Bound;
use louver_mistral::request::Request;

/// Rounds with the store: each serves at least one of the calls that wait.
const ROUNDS: usize = 64;

/// A call that is to be reserved for.
pub(crate) struct Plan<'a> {
    pub(crate) key: &'a KeyEntry,
    pub(crate) reach: Reach<'a>,
    /// Whether the model reads with the operator's vocabulary.
    pub(crate) exact: bool,
    /// What was asked, for counting its input exactly when the bound does not fit; a batch is not there any more.
    pub(crate) ask: Option<(&'a Request, &'a Given)>,
}

impl Plan<'_> {
    /// Takes it. Answers what was taken, the bound, and the most output of each choice.
    pub(crate) async fn take(&self, gateway: &Gateway) -> Result<(Taken, Bound, u64), Failure> {
        let ledger = gateway.ledger();
        let mut reach = self.reach;
        let mut output = reach.output;
        let mut counted = false;
        for _ in 0..ROUNDS {
            let now_micros = gateway.clock().monotonic_micros();
            let bound = reach.bound(output);
            if self.key.budgeted && !ledger.is_fresh(now_micros) && !ledger.ask_for_word().await {
                return Err(Failure::AccountingUnavailable);
            }
            let verdict = take(&self.key.levels, Demand { bound, now_micros, budgets: true, rates: true });
            if verdict.is_refusal() && !std::mem::replace(&mut counted, true) {
                // Bytes are a wide bound. The exact count is dear, and asked for only where it may decide.
                let exact = self.count(gateway).filter(|exact| *exact < reach.input);
                if let Some(exact) = exact {
                    reach.input = exact;
                    continue;
                }
            }
            match verdict {
                Verdict::Taken(taken, low) => {
                    if !low.is_empty() {
                        ledger.refill_soon(self.key.organization_id, low);
                    }
                    return Ok((taken, bound, output));
                }
                Verdict::Short(shortages) => self.refill(gateway, shortages).await?,
                Verdict::Limited(limited) => {
                    let left = limited.limit.saturating_sub(limited.used);
                    let tokens = (limited.kind == RateKind::TokensPerMinute).then_some(left);
                    output = tokens
                        .and_then(|left| reach.shorter(output, left, Unit::Tokens))
                        .ok_or(Failure::Refused(Refusal::RateLimited(limited)))?;
                }
                Verdict::Refused(refusal) => {
                    let left = room(&self.key.levels, &refusal.scope, refusal.kind);
                    output = reach
                        .shorter(output, left, refusal.kind.unit())
                        .ok_or(Failure::Refused(Refusal::Budget(refusal)))?;
                }
            }
        }
        Err(Failure::Overloaded)
    }

    async fn refill(&self, gateway: &Gateway, shortages: Vec<Shortage>) -> Result<(), Failure> {
        match gateway.ledger().refill(self.key.organization_id, shortages).await {
            true => Ok(()),
            false => Err(Failure::AccountingUnavailable),
        }
    }

    /// The exact input, when the operator gave a vocabulary that the model reads with.
    fn count(&self, gateway: &Gateway) -> Option<u64> {
        let exact = gateway.settings().exact_input.as_ref().filter(|_| self.exact)?;
        let (request, body) = self.ask?;
        let Given::Json(body) = body else { return None };
        exact.tokenizer.count(request, body)
    }
}
