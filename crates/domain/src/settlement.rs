//! The bound of a call before it is sent, and its charge when it has ended.

use crate::budgets::Unit;
use crate::money::Money;
use crate::prices::{Price, Terms};
use crate::usage::{Tokens, Units};

/// The most that a call can cost, fixed when it is admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Tokens of input at most.
    pub input: u64,
    /// Tokens of output at most, over all choices.
    pub output: u64,
    /// What else at most.
    pub units: Units,
    /// On the dearest terms that it can be served on.
    pub terms: Terms,
    /// The price of all that at most, with the tools that it may call.
    pub cost: Money,
    /// More tokens than this, of input or of output, no call of this model can have.
    pub plausible: u64,
}

impl Bound {
    /// What it reserves of a budget of that unit.
    pub fn of(&self, unit: Unit) -> i64 {
        match unit {
            Unit::Usd => self.cost.nanos(),
            Unit::Tokens => i64::try_from(self.tokens()).unwrap_or(i64::MAX),
        }
    }

    /// What it takes of the tokens a minute: a batch is worked on whenever upstream has time, and takes none.
    pub const fn rate_tokens(&self) -> u64 {
        if self.terms.batch { 0 } else { self.tokens() }
    }

    /// All its tokens.
    pub const fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// What upstream says of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Tokens.
    pub tokens: Tokens,
    /// What else it used.
    pub units: Units,
    /// On which terms it was served.
    pub terms: Terms,
    /// What the tools cost that it called.
    pub tools: Money,
}

/// How a call ended, as far as its bill goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Upstream said what it used.
    Metered(Metered),
    /// Upstream may have worked, and did not say what it used, or not believably.
    Unknown,
    /// As [`Outcome::Unknown`], where no budget applies: this is the best guess.
    Guessed(Metered),
    /// Upstream took it and works on it later: it is charged ahead, and what was too much comes back.
    Ahead,
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
    /// At the bound, ahead of the work: an adjustment follows.
    Ahead,
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
    /// What else.
    pub units: Units,
    /// On which terms.
    pub terms: Terms,
    /// The cost of all that.
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
        units: bound.units,
        terms: bound.terms,
        cost: bound.cost,
        why,
    };
    let as_said = |said: Metered, why| {
        let of_model = price.map_or(Money::ZERO, |price| price.cost(said.tokens, &said.units, said.terms));
        let cost = of_model.checked_add(said.tools).unwrap_or(Money::from_nanos(i64::MAX));
        Charge { tokens: said.tokens, units: said.units, terms: said.terms, cost, why }
    };
    match outcome {
        Outcome::Void => as_said(Metered::default(), Why::Void),
        Outcome::Unknown => at_bound(Why::Unknown),
        Outcome::Ahead => at_bound(Why::Ahead),
        Outcome::Guessed(said) => as_said(said, Why::Unknown),
        Outcome::Metered(said) if said.tokens.input.max(said.tokens.output) > bound.plausible => {
            at_bound(Why::Absurd)
        }
        Outcome::Metered(said) => {
            let charge = as_said(said, Why::Metered);
            let tokens = said.tokens.input.saturating_add(said.tokens.output);
            let over = charge.cost > bound.cost || tokens > bound.tokens();
            Charge { why: if over { Why::Overrun } else { Why::Metered }, ..charge }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    fn price() -> Price {
        let of = Money::from_nanos;
        Price::of_tokens(Timestamp::from_micros(0), of(100_000_000), of(10_000_000), of(300_000_000))
    }

    fn bound(input: u64, output: u64, price: &Price, plausible: u64) -> Bound {
        let tokens = Tokens { input, cached: 0, output };
        let cost = price.most(tokens, &Units::default(), Terms::default());
        Bound { input, output, cost, plausible, ..Bound::default() }
    }

    #[test]
    fn each_outcome_has_its_charge() {
        let bound = bound(100, 50, &price(), 1000);
        assert_eq!(bound.cost.nanos(), 100 * 100 + 50 * 300);
        let charge = |outcome| {
            let charge = settle(&bound, Some(&price()), outcome);
            (charge.cost.nanos(), charge.of(Unit::Tokens), charge.why)
        };
        let said =
            |input, output| Metered { tokens: Tokens { input, cached: 0, output }, ..Metered::default() };
        let metered = |input, output| charge(Outcome::Metered(said(input, output)));
        assert_eq!(metered(10, 5), (10 * 100 + 5 * 300, 15, Why::Metered));
        assert_eq!(metered(10, 90), (10 * 100 + 90 * 300, 100, Why::Overrun));
        assert_eq!(metered(1001, 0), (25_000, 150, Why::Absurd));
        assert_eq!(charge(Outcome::Unknown), (25_000, 150, Why::Unknown));
        assert_eq!(charge(Outcome::Ahead), (25_000, 150, Why::Ahead));
        assert_eq!(charge(Outcome::Void), (0, 0, Why::Void));
    }

    proptest! {
        /// A call that stays within its bound in tokens stays within it in money, also at a cache dearer than input.
        #[test]
        fn within_the_bound_nothing_overruns(input in 0_u64..10_000, output in 0_u64..10_000, used_in in 0_u64..10_000, used_out in 0_u64..10_000, cached in 0_u64..10_000, dear in 0_i64..1_000_000_000) {
            let price = Price { cached_input_usd_per_mtok: Some(Money::from_nanos(dear)), ..price() };
            let bound = bound(input, output, &price, u64::MAX);
            let tokens = Tokens { input: used_in.min(input), cached, output: used_out.min(output) };
            let charge = settle(&bound, Some(&price), Outcome::Metered(Metered { tokens, ..Metered::default() }));
            prop_assert_eq!(charge.why, Why::Metered);
            prop_assert!(charge.cost <= bound.cost);
        }
    }
}
