//! Takes what a call could use at most of every rate and budget, and asks the store for more where this node is short.

use crate::ledger::{Demand, Shortage, Taken, Verdict, room, take};
use crate::pipeline::Gateway;
use crate::reply::Failure;
use crate::snapshot::KeyEntry;
use louver_domain::admission::{RateKind, Refusal};
use louver_domain::budgets::Unit;
use louver_domain::reserve::Reach;
use louver_domain::settlement::Bound;

/// Rounds with the store: each serves at least one of the calls that wait.
const ROUNDS: usize = 64;
/// A call that is to be reserved for.
pub(crate) struct Plan<'a> {
    pub(crate) key: &'a KeyEntry,
    pub(crate) reach: Reach<'a>,
}

impl Plan<'_> {
    /// Takes it. Answers what was taken, the bound, and the most output of each choice.
    pub(crate) async fn take(&self, gateway: &Gateway) -> Result<(Taken, Bound, u64), Failure> {
        let ledger = gateway.ledger();
        let reach = &self.reach;
        let mut output = reach.output;
        for _ in 0..ROUNDS {
            let now_micros = gateway.clock().monotonic_micros();
            let bound = reach.bound(output);
            if self.key.budgeted && !ledger.is_fresh(now_micros) && !ledger.ask_for_word().await {
                return Err(Failure::AccountingUnavailable);
            }
            match take(&self.key.levels, Demand { bound, now_micros, budgets: true }) {
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
}
