//! The bound of a call before it is sent, and its charge when it has ended.

use crate::budgets::Unit;
use crate::money::Money;
use crate::prices::Price;
use crate::usage::Tokens;

/// The most that a call can cost, fixed when it is admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Tokens of input at most.
    pub input: u64,
    /// Tokens of output at most, over all choices.
    pub output: u64,
    /// Their price at most.
    pub cost: Money,
    /// More tokens than this, of input or of output, no call of this model can have.
    pub plausible: u64,
}

impl Bound {
    /// Of so many tokens at that price; a model without a price costs nothing that could be counted.
    pub fn new(input: u64, output: u64, price: Option<&Price>, plausible: u64) -> Self {
        let dearest = |price: &Price| price.most(Tokens { input, cached: 0, output });
        Self { input, output, cost: price.map_or(Money::ZERO, dearest), plausible }
    }

    /// What it reserves of a budget of that unit.
    pub fn of(&self, unit: Unit) -> i64 {
        match unit {
            Unit::Usd => self.cost.nanos(),
            Unit::Tokens => i64::try_from(self.tokens()).unwrap_or(i64::MAX),
        }
    }

    /// All its tokens.
    pub const fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// How a call ended, as far as its bill goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Upstream said what it used.
    Metered(Tokens),
    /// Upstream may have worked, and did not say what it used, or not believably.
    Unknown,
    /// As [`Outcome::Unknown`], where no budget applies: this is the best guess.
    Guessed(Tokens),
    /// Provably not sent, or refused by upstream: nothing is billed.
    Void,
}

/// Why a charge is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// As upstream said.
    Metered,
    /// At the bound, since upstream did not say.
    Unknown,
    /// At the bound, since no call can use what upstream said.
    Absurd,
    /// Nothing: it was not sent, or refused.
    Void,
    /// As upstream said, which is more than the bound: a price, a model or a count is wrong here.
    Overrun,
}

impl Why {
    /// Whether the tokens are not those that upstream named.
    pub const fn estimated(self) -> bool {
        matches!(self, Self::Unknown | Self::Absurd)
    }
}

/// What a call is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Tokens.
    pub tokens: Tokens,
    /// Their cost.
    pub cost: Money,
    /// Why.
    pub why: Why,
}

impl Charge {
    /// What it takes of a budget of that unit.
    pub fn of(&self, unit: Unit) -> i64 {
        match unit {
            Unit::Usd => self.cost.nanos(),
            Unit::Tokens => {
                i64::try_from(self.tokens.input.saturating_add(self.tokens.output)).unwrap_or(i64::MAX)
            }
        }
    }
}

/// Settles a call. What is not known is charged at the bound, never at nothing.
pub fn settle(bound: &Bound, price: Option<&Price>, outcome: Outcome) -> Charge {
    let at_bound = |why| Charge {
        tokens: Tokens { input: bound.input, cached: 0, output: bound.output },
        cost: bound.cost,
        why,
    };
    match outcome {
        Outcome::Void => Charge { tokens: Tokens::default(), cost: Money::ZERO, why: Why::Void },
        Outcome::Unknown => at_bound(Why::Unknown),
        Outcome::Guessed(tokens) => {
            let cost = price.map_or(Money::ZERO, |price| price.cost(tokens));
            Charge { tokens, cost, why: Why::Unknown }
        }
        Outcome::Metered(tokens) if tokens.input.max(tokens.output) > bound.plausible => {
            at_bound(Why::Absurd)
        }
        Outcome::Metered(tokens) => {
            let cost = price.map_or(Money::ZERO, |price| price.cost(tokens));
            let over = cost > bound.cost || tokens.input.saturating_add(tokens.output) > bound.tokens();
            Charge { tokens, cost, why: if over { Why::Overrun } else { Why::Metered } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    fn price() -> Price {
        Price {
            effective_from: Timestamp::from_micros(0),
            input_usd_per_mtok: Money::from_nanos(100_000_000),
            cached_input_usd_per_mtok: Money::from_nanos(10_000_000),
            output_usd_per_mtok: Money::from_nanos(300_000_000),
        }
    }

    #[test]
    fn each_outcome_has_its_charge() {
        let bound = Bound::new(100, 50, Some(&price()), 1000);
        assert_eq!(bound.cost.nanos(), 100 * 100 + 50 * 300);
        let charge = |outcome| {
            let charge = settle(&bound, Some(&price()), outcome);
            (charge.cost.nanos(), charge.of(Unit::Tokens), charge.why)
        };
        let metered = |input, output| charge(Outcome::Metered(Tokens { input, cached: 0, output }));
        assert_eq!(metered(10, 5), (10 * 100 + 5 * 300, 15, Why::Metered));
        assert_eq!(metered(10, 90), (10 * 100 + 90 * 300, 100, Why::Overrun));
        assert_eq!(metered(1001, 0), (25_000, 150, Why::Absurd));
        assert_eq!(charge(Outcome::Unknown), (25_000, 150, Why::Unknown));
        assert_eq!(charge(Outcome::Void), (0, 0, Why::Void));
    }

    proptest! {
        /// A call that stays within its bound in tokens stays within it in money, also at a cache dearer than input.
        #[test]
        fn within_the_bound_nothing_overruns(input in 0_u64..10_000, output in 0_u64..10_000, used_in in 0_u64..10_000, used_out in 0_u64..10_000, cached in 0_u64..10_000, dear in 0_i64..1_000_000_000) {
            let price = Price { cached_input_usd_per_mtok: Money::from_nanos(dear), ..price() };
            let bound = Bound::new(input, output, Some(&price), u64::MAX);
            let tokens = Tokens { input: used_in.min(input), cached, output: used_out.min(output) };
            let charge = settle(&bound, Some(&price), Outcome::Metered(tokens));
            prop_assert_eq!(charge.why, Why::Metered);
            prop_assert!(charge.cost <= bound.cost);
        }
    }
}
