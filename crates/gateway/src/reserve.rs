//! Takes what a call could use at most of every rate and budget, and asks the store for more where this node is short.

use crate::ledger::{Demand, Shortage, Taken, Verdict, room, take};
use crate::pipeline::Gateway;
use crate::reply::Failure;
use crate::snapshot::KeyEntry;
use louver_domain::admission::{RateKind, Refusal};
use louver_domain::budgets::Unit;
use louver_domain::prices::Price;
use louver_domain::settlement::Bound;

/// Rounds with the store: each serves at least one of the calls that wait.
const ROUNDS: usize = 64;
/// Where the client named no `max_tokens` and a limit has not enough for the model's whole context, the answer may use
/// one part in so many of what is left.
const SHARE: u64 = 8;
/// But an answer shorter than this is of little use: the call is refused rather than cut so short.
const LEAST_OUTPUT: u64 = 1024;

/// What a call could use.
pub(crate) struct Plan<'a> {
    pub(crate) key: &'a KeyEntry,
    /// Tokens of input at most.
    pub(crate) input: u64,
    /// Tokens of output at most, per choice.
    pub(crate) output: u64,
    pub(crate) choices: u64,
    pub(crate) price: Option<&'a Price>,
    /// The model's context.
    pub(crate) context: u64,
    /// The client named no `max_tokens`: the answer may be kept shorter, when a limit is near.
    pub(crate) open: bool,
}

impl Plan<'_> {
    /// Takes it. Answers what was taken, the bound, and the most output of each choice.
    pub(crate) async fn take(&self, gateway: &Gateway) -> Result<(Taken, Bound, u64), Failure> {
        let ledger = gateway.ledger();
        let mut output = self.output;
        for _ in 0..ROUNDS {
            let now_micros = gateway.clock().monotonic_micros();
            let bound = self.bound(output);
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
                        .and_then(|left| self.shorter(output, self.output_of(left, Unit::Tokens)))
                        .ok_or(Failure::Refused(Refusal::RateLimited(limited)))?;
                }
                Verdict::Refused(refusal) => {
                    let left = room(&self.key.levels, &refusal.scope, refusal.kind);
                    output = self
                        .shorter(output, self.output_of(left, refusal.kind.unit()))
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

    fn bound(&self, output: u64) -> Bound {
        let all = output.saturating_mul(self.choices);
        Bound::new(self.input, all, self.price, self.context.saturating_mul(self.choices))
    }

    /// How much output of each choice so much of a unit would pay for, beside the input.
    fn output_of(&self, left: u64, unit: Unit) -> u64 {
        let input = u64::try_from(self.bound(0).of(unit)).unwrap_or(u64::MAX);
        let rest = left.saturating_sub(input);
        let tokens = match (unit, self.price) {
            (Unit::Tokens, _) => rest,
            (Unit::Usd, Some(price)) => price.output_tokens(rest),
            (Unit::Usd, None) => 0,
        };
        tokens.checked_div(self.choices).unwrap_or(0)
    }

    /// A shorter answer that fits what is left, if the client left it open and one of use fits.
    fn shorter(&self, output: u64, fits: u64) -> Option<u64> {
        let part = fits.checked_div(SHARE).unwrap_or(0).max(LEAST_OUTPUT.min(fits));
        (self.open && part >= LEAST_OUTPUT.min(self.output) && part < output).then_some(part)
    }
}
