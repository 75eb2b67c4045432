//! The bill of a batch: what each line of its output used, at the prices that held when the job was made.

use super::known::{Known, Worst};
use crate::settle::guarded;
use louver_domain::endpoints::Billing;
use louver_domain::money::Money;
use louver_domain::prices::{Price, Terms};
use louver_domain::usage::{Tokens, Units};
use louver_mistral::batch::read_output;
use louver_mistral::usage::Usage;

/// The sums of a batch as its output goes by.
pub(crate) struct Bill<'a> {
    known: &'a Known,
    /// What each model used, in the order of the job's models.
    of_models: Vec<Used>,
    /// Lines that were answered.
    answered: u64,
    /// Of those, the ones that do not say believably what they used.
    untold: u64,
}

/// What lines used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) tokens: Tokens,
    pub(crate) units: Units,
    pub(crate) nanos: i64,
}

impl<'a> Bill<'a> {
    pub(crate) fn new(known: &'a Known) -> Self {
        Self { known, of_models: vec![Used::default(); known.models.len()], answered: 0, untold: 0 }
    }

    /// Takes a line of the output; `None` is one that is too long to be read.
    pub(crate) fn output(&mut self, line: Option<&[u8]>) {
        if line.is_some_and(|line| line.trim_ascii().is_empty()) {
            return;
        }
        match line.and_then(read_output) {
            // A line among the answers that nobody can read may have been one.
            None => self.count(None, None),
            Some(line) if line.answered => self.count(line.usage.and_then(Result::ok), line.model.as_deref()),
            Some(line) => self.refusal(line.usage.and_then(Result::ok), line.model.as_deref()),
        }
    }

    /// Takes a line of the errors: what was refused is billed only if it says that it used something.
    pub(crate) fn error(&mut self, line: Option<&[u8]>) {
        if let Some(line) = line.and_then(read_output) {
            self.refusal(line.usage.and_then(Result::ok), line.model.as_deref());
        }
    }

    fn refusal(&mut self, usage: Option<Usage>, model: Option<&str>) {
        if usage.is_some() {
            self.count(usage, model);
            self.answered = self.answered.saturating_sub(1);
        }
    }

    fn count(&mut self, usage: Option<Usage>, model: Option<&str>) {
        self.answered = self.answered.saturating_add(1);
        match usage.and_then(|usage| self.used(&usage, model)) {
            Some((place, used)) => self.of_models.get_mut(place).map_or((), |sum| sum.add(&used)),
            None => self.untold = self.untold.saturating_add(1),
        }
    }

    /// What a line used and of which model; `None` when no line can have used that.
    fn used(&self, usage: &Usage, model: Option<&str>) -> Option<(usize, Used)> {
        if usage.input_tokens.max(usage.output_tokens) > self.known.plausible {
            return None;
        }
        let (tools, tool_calls) = self.tools(usage)?;
        // As of a call of its own: what is billed by pages has no tokens, whatever upstream counts beside them.
        let billing = self.known.endpoint.billing();
        let tokens = match billing {
            Billing::Tokens | Billing::InputTokens => {
                Tokens { input: usage.input_tokens, cached: usage.cached_tokens, output: usage.output_tokens }
            }
            Billing::Pages
            | Billing::AudioSeconds
            | Billing::Characters
            | Billing::Documents
            | Billing::Free => Tokens::default(),
        };
        let pages = if billing == Billing::Pages { usage.pages } else { 0 };
        let (pages, annotated_pages) = if self.known.annotated { (0, pages) } else { (pages, 0) };
        let units = Units { pages, annotated_pages, tool_calls, ..Units::default() };
        let terms = Terms { priority: usage.priority, batch: true, regional: false };
        let cost = |price: &Option<Price>| {
            price.as_ref().map_or(0, |price| price.cost(tokens, &units, terms).nanos())
        };
        let priced = self.known.models.iter().map(|billed| cost(&billed.price)).enumerate();
        // A line that names no model of the job is billed at the dearest.
        let named = model.and_then(|model| self.known.models.iter().position(|billed| billed.model == model));
        let (place, nanos) = match named {
            Some(place) => priced.into_iter().find(|(at, _)| *at == place)?,
            None => priced.max_by_key(|(_, nanos)| *nanos)?,
        };
        let guards = self.known.guards.as_ref().map_or(Money::ZERO, |guards| guarded(guards, tokens.input));
        let beside = tools.saturating_add(guards.nanos());
        Some((place, Used { tokens, units, nanos: nanos.saturating_add(beside) }))
    }

    /// What the tools cost that a line called, and how many calls; `None`: one without a price, where it needs one.
    fn tools(&self, usage: &Usage) -> Option<(i64, u64)> {
        let (mut nanos, mut calls) = (0_i64, 0_u64);
        for (tool, count) in usage.tool_calls.iter().filter(|(_, count)| **count > 0) {
            let price = self.known.tools.iter().find(|(known, _)| known == tool).map(|(_, price)| *price);
            if price.is_none() && self.known.needs_price {
                return None;
            }
            let count_signed = i64::try_from(*count).unwrap_or(i64::MAX);
            nanos = nanos.saturating_add(price.map_or(0, Money::nanos).saturating_mul(count_signed));
            calls = calls.saturating_add(*count);
        }
        Some((nanos, calls))
    }

    /// The bill, where upstream says that so many lines succeeded. Lines that say nothing, or that should be in the
    /// output and are not, are each billed as the dearest line of the job could be; all lines never at more than all of
    /// them could.
    pub(crate) fn finish(mut self, succeeded: u64) -> Vec<Used> {
        let missing = succeeded.min(self.known.lines).saturating_sub(self.answered);
        let untold = self.untold.saturating_add(missing);
        if untold > 0 {
            let told = self.of_models.iter().fold(Used::default(), |mut sum, used| {
                sum.add(used);
                sum
            });
            let rest = Used::untold(untold, &self.known.worst, &self.known.bound, &told);
            if let Some(first) = self.of_models.first_mut() {
                first.add(&rest);
            }
        }
        self.of_models
    }

    /// Lines that were answered and do not say what they used.
    pub(crate) const fn untold(&self) -> u64 {
        self.untold
    }
}

impl Used {
    pub(crate) fn add(&mut self, more: &Self) {
        let tokens = &mut self.tokens;
        tokens.input = tokens.input.saturating_add(more.tokens.input);
        tokens.cached = tokens.cached.saturating_add(more.tokens.cached);
        tokens.output = tokens.output.saturating_add(more.tokens.output);
        self.units = self.units.plus(&more.units);
        self.nanos = self.nanos.saturating_add(more.nanos);
    }

    /// So many lines at their worst, within what all lines can be beside those that are told.
    fn untold(lines: u64, worst: &Worst, bound: &Worst, told: &Self) -> Self {
        let part =
            |worst: u64, bound: u64, told: u64| lines.saturating_mul(worst).min(bound.saturating_sub(told));
        let nanos = i64::try_from(lines).unwrap_or(i64::MAX).saturating_mul(worst.nanos);
        Self {
            tokens: Tokens {
                input: part(worst.input, bound.input, told.tokens.input),
                cached: 0,
                output: part(worst.output, bound.output, told.tokens.output),
            },
            units: Units {
                pages: part(worst.pages, bound.pages, told.units.pages),
                annotated_pages: part(
                    worst.annotated_pages,
                    bound.annotated_pages,
                    told.units.annotated_pages,
                ),
                tool_calls: part(worst.tool_calls, bound.tool_calls, told.units.tool_calls),
                ..Units::default()
            },
            nanos: nanos.min(bound.nanos.saturating_sub(told.nanos).max(0)),
        }
    }
}
