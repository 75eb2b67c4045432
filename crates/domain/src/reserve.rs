//! What a call could use at most, and how much shorter an answer is kept when a limit is near and its length was left open.

use crate::budgets::Unit;
use crate::money::Money;
use crate::prices::{Price, Terms};
use crate::settlement::Bound;
use crate::usage::{Tokens, Units};

/// Where the client named no `max_tokens` and a limit has not enough for the model's whole context, the answer may use
/// one part in so many of what is left.
const SHARE: u64 = 8;
/// But an answer shorter than this is of little use: the call is refused rather than cut so short.
const LEAST_OUTPUT: u64 = 1024;

/// What a call could use.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// Tokens of input at most.
    pub input: u64,
    /// Tokens of output at most, per choice.
    pub output: u64,
    /// How many choices.
    pub choices: u64,
    /// What else at most.
    pub units: Units,
    /// The dearest terms that it can be served on.
    pub terms: Terms,
    /// What the tools cost at most that it may call.
    pub tools: Money,
    /// The price, when the model has one.
    pub price: Option<&'a Price>,
    /// The model's context.
    pub context: u64,
    /// The client named no `max_tokens`: the answer may be kept shorter, when a limit is near.
    pub open: bool,
}

/// Calls of tools that the provider runs by itself: each is another turn of the model, and nothing in a request says how
/// many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// Calls of tools at most.
    pub calls: u64,
}

impl Turns {
    /// The input at most: in each turn the model reads up to its whole context.
    pub fn input(self, bound: u64, context: u64) -> u64 {
        if self.calls == 0 { bound } else { bound.max(context).saturating_mul(self.calls.saturating_add(1)) }
    }

    /// The answers at most: in each turn each choice may say as much as is allowed.
    pub const fn choices(self, choices: u64) -> u64 {
        choices.saturating_mul(self.calls.saturating_add(1))
    }
}

impl Reach<'_> {
    /// The bound of the call when each choice has so much output at most.
    pub fn bound(&self, output: u64) -> Bound {
        let all = output.saturating_mul(self.choices);
        let tokens = Tokens { input: self.input, cached: 0, output: all };
        let of_model = self.price.map_or(Money::ZERO, |price| price.most(tokens, &self.units, self.terms));
        Bound {
            input: self.input,
            output: all,
            units: self.units,
            terms: self.terms,
            cost: of_model.checked_add(self.tools).unwrap_or(Money::from_nanos(i64::MAX)),
            // Lists of inputs have a context each.
            plausible: self.context.saturating_mul(self.choices).max(self.input),
        }
    }

    /// An output per choice, shorter than `output`, that fits into what is left of a limit, if the client left it open and
    /// one of use fits.
    pub fn shorter(&self, output: u64, left: u64, unit: Unit) -> Option<u64> {
        let fits = self.output_of(left, unit);
        let part = fits.checked_div(SHARE).unwrap_or(0).max(LEAST_OUTPUT.min(fits));
        (self.open && part >= LEAST_OUTPUT.min(self.output) && part < output).then_some(part)
    }

    /// How much output of each choice so much of a unit would pay for, beside the input.
    fn output_of(&self, left: u64, unit: Unit) -> u64 {
        let input = u64::try_from(self.bound(0).of(unit)).unwrap_or(u64::MAX);
        let rest = left.saturating_sub(input);
        let tokens = match (unit, self.price) {
            (Unit::Tokens, _) => rest,
            (Unit::Usd, Some(price)) => price.output_tokens(rest, self.terms),
            (Unit::Usd, None) => 0,
        };
        tokens.checked_div(self.choices).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_answer_is_cut_to_a_part_of_what_is_left_but_never_to_little() {
        let open = Reach {
            input: 100,
            output: 50_000,
            choices: 1,
            units: Units::default(),
            terms: Terms::default(),
            tools: Money::ZERO,
            price: None,
            context: 100_000,
            open: true,
        };
        for (left, shorter) in
            [(80_100, Some(10_000)), (8_292, Some(1_024)), (1_124, Some(1_024)), (1_123, None), (0, None)]
        {
            assert_eq!(open.shorter(open.output, left, Unit::Tokens), shorter, "{left}");
        }
        assert_eq!(open.shorter(1_024, 80_100, Unit::Tokens), None, "never longer");
        assert_eq!(Reach { open: false, ..open }.shorter(50_000, 80_100, Unit::Tokens), None);
        assert_eq!(Reach { choices: 2, ..open }.shorter(50_000, 80_100, Unit::Tokens), Some(5_000));
        assert_eq!(open.shorter(50_000, u64::MAX, Unit::Usd), None, "without a price no money buys tokens");
    }
}
