//! Takes what a call could use at most of every rate and budget, and asks the store for more where this node is short.

use crate::intake::Ask;
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
    /// Whether the model reads with the operator's vocabulary.
    pub(crate) exact: bool,
    /// What was asked, for counting its input exactly when the bound does not fit.
    pub(crate) ask: &'a Ask,
}

impl Plan<'_> {
    /// Takes it. Answers what was taken, the bound, and the most output of each choice.
    pub(crate) async fn take(&self, gateway: &Gateway) -> Result<(Taken, Bound, u64), Failure> {
        let ledger = gateway.ledger();
        let (mut input, mut output) = (self.input, self.output);
        let mut counted = false;
        for _ in 0..ROUNDS {
            let now_micros = gateway.clock().monotonic_micros();
            let bound = self.bound(input, output);
            if self.key.budgeted && !ledger.is_fresh(now_micros) && !ledger.ask_for_word().await {
                return Err(Failure::AccountingUnavailable);
            }
            let verdict = take(&self.key.levels, Demand { bound, now_micros, budgets: true });
            if verdict.is_refusal() && !std::mem::replace(&mut counted, true) {
                // Bytes are a wide bound. The exact count is dear, and asked for only where it may decide.
                let exact = self.count(gateway).filter(|exact| *exact < input);
                if let Some(exact) = exact {
                    input = exact;
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
                        .and_then(|left| self.shorter(output, self.output_of(input, left, Unit::Tokens)))
                        .ok_or(Failure::Refused(Refusal::RateLimited(limited)))?;
                }
                Verdict::Refused(refusal) => {
                    let left = room(&self.key.levels, &refusal.scope, refusal.kind);
                    output = self
                        .shorter(output, self.output_of(input, left, refusal.kind.unit()))
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
        exact.tokenizer.count(&self.ask.request, &self.ask.body)
    }

    fn bound(&self, input: u64, output: u64) -> Bound {
        let all = output.saturating_mul(self.choices);
        Bound::new(input, all, self.price, self.context.saturating_mul(self.choices))
    }

    /// How much output of each choice so much of a unit would pay for, beside the input.
    fn output_of(&self, input: u64, left: u64, unit: Unit) -> u64 {
        let input = u64::try_from(self.bound(input, 0).of(unit)).unwrap_or(u64::MAX);
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
