//! What the lines of a batch may do and could cost at most: every class of them is judged as a call of its own.

use crate::admit::kind;
use crate::batches::{Billed, Worst};
use crate::objects::Deed;
use crate::reply::Failure;
use louver_domain::admission::{self, Refusal};
use louver_domain::money::Money;
use louver_domain::prices::{Price, Terms};
use louver_domain::settlement::Bound;
use louver_domain::usage::{Tokens, Units};
use louver_mistral::batch::{Class, Peaks, Sums};

/// All lines of a job together.
#[derive(Default)]
pub(super) struct Reach {
    pub(super) lines: u64,
    pub(super) bound: Bound,
    pub(super) worst: Worst,
    pub(super) annotated: bool,
    pub(super) models: Vec<Billed>,
    pub(super) price_version: u32,
    pub(super) tools: Vec<(String, Money)>,
}

/// A class as it is priced.
struct Priced<'a> {
    class: &'a Class,
    price: Option<&'a Price>,
    terms: Terms,
    context: u64,
    generates: bool,
    /// Calls of tools of one line at most, and the price of the dearest.
    calls: u64,
    dearest: Money,
}

impl Reach {
    /// Judges a class by all rules, as of today, and adds what it could cost. `model` is the job's, pinned.
    pub(super) fn add(&mut self, deed: &Deed<'_>, class: &Class, model: Option<&str>) -> Result<(), Failure> {
        let endpoint = kind(class.endpoint);
        let name = match (&class.model, model) {
            (Some(own), Some(of_job)) if own != of_job => return Err(Failure::BatchModel),
            (Some(own), _) => own.as_str(),
            (None, Some(of_job)) => of_job,
            (None, None) => return Err(Failure::BatchModel),
        };
        let (rules, snapshot) = (&deed.caller.key.rules, &deed.caller.snapshot);
        let context = snapshot.catalogue.find(name).map_or(0, |(_, model)| model.context);
        // Nothing can be put into a file that is upstream already: an answer left open may be as long as the context.
        let longest = if class.open { context } else { class.peaks.max_tokens };
        let question = admission::Ask {
            endpoint,
            model: Some(name),
            nested_models: &class.nested_models,
            tools: &class.tools,
            priority: class.priority,
            input_tokens: class.peaks.estimated,
            max_tokens: Some(longest),
            choices: class.peaks.choices,
        };
        let address = deed.visitor.address;
        let grant =
            admission::admit(rules, &snapshot.catalogue, address, question).map_err(Failure::Refused)?;
        let now = deed.visitor.now;
        let (version, price) = snapshot
            .model(&grant.model.id)
            .and_then(|model| model.prices.at(now))
            .map_or((0, None), |(version, price)| (version, Some(price)));
        let tools: Vec<(String, Money)> = class
            .tools
            .iter()
            .filter_map(|tool| Some((tool.clone(), snapshot.tool_price(tool, now)?)))
            .collect();
        let dearest = tools.iter().map(|(_, price)| *price).max_by_key(|price| price.nanos());
        let priced = Priced {
            class,
            price,
            terms: Terms { priority: class.priority, batch: true, regional: false },
            context,
            generates: endpoint.generates(),
            calls: if class.tools.is_empty() { 0 } else { deed.gateway.settings().bounds.tool_calls },
            dearest: dearest.unwrap_or(Money::ZERO),
        };
        let covered = price.is_some_and(|price| price.covers(endpoint.billing(), &priced.all().1));
        if deed.caller.key.needs_price && !(covered && tools.len() == class.tools.len()) {
            return Err(Failure::Refused(Refusal::UnboundedCost));
        }
        if self.models.is_empty() {
            self.price_version = version;
        }
        if !self.models.iter().any(|billed| billed.model == grant.model.id) {
            self.models.push(Billed { model: grant.model.id.clone(), price: price.cloned() });
        }
        self.tools.extend(tools.into_iter().filter(|tool| !self.tools.contains(tool)).collect::<Vec<_>>());
        self.sum(&priced);
        Ok(())
    }

    fn sum(&mut self, priced: &Priced<'_>) {
        let (tokens, units) = priced.all();
        let lines = priced.class.sums.lines;
        self.lines = self.lines.saturating_add(lines);
        let bound = &mut self.bound;
        bound.input = bound.input.saturating_add(tokens.input);
        bound.output = bound.output.saturating_add(tokens.output);
        bound.units = bound.units.plus(&units);
        bound.terms = Terms { priority: bound.terms.priority || priced.class.priority, ..priced.terms };
        let cost = priced.cost(tokens, &units, lines);
        bound.cost = bound.cost.checked_add(cost).unwrap_or(Money::from_nanos(i64::MAX));
        let turns = priced.calls.saturating_add(1);
        let plausible = priced.context.saturating_mul(priced.class.peaks.choices).saturating_mul(turns);
        bound.plausible = bound.plausible.max(plausible);
        self.annotated |= units.annotated_pages > 0;
        self.worst.raise(&priced.worst());
    }
}

impl Priced<'_> {
    /// What all lines could use.
    fn all(&self) -> (Tokens, Units) {
        let Sums { lines, input, output, choices, pages, annotated_pages, audio_seconds, characters } =
            self.class.sums;
        let output = if self.class.open { self.context.saturating_mul(choices) } else { output };
        let tool_calls = self.calls.saturating_mul(lines);
        let units = Units { pages, annotated_pages, audio_seconds, characters, tool_calls };
        (self.tokens(input, lines, output), units)
    }

    /// What one line could use.
    fn one(&self) -> (Tokens, Units) {
        let Peaks { input, max_tokens, choices, pages, annotated_pages, audio_seconds, characters, .. } =
            self.class.peaks;
        let output = if self.class.open { self.context } else { max_tokens }.saturating_mul(choices);
        let units = Units { pages, annotated_pages, audio_seconds, characters, tool_calls: self.calls };
        (self.tokens(input, 1, output), units)
    }

    /// Each call of a tool is another turn, in which the model reads up to its whole context.
    fn tokens(&self, input: u64, lines: u64, output: u64) -> Tokens {
        let turns = self.calls.saturating_add(1);
        let input = match self.calls {
            0 => input,
            _ => input.saturating_add(lines.saturating_mul(self.context)).saturating_mul(turns),
        };
        Tokens { input, cached: 0, output: if self.generates { output } else { 0 } }
    }

    /// The price of that, and for each line the nano-dollar that rounding its own bill up can add.
    fn cost(&self, tokens: Tokens, units: &Units, lines: u64) -> Money {
        let of_model = self.price.map_or(0, |price| price.most(tokens, units, self.terms).nanos());
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let rounding = if self.price.is_some() { signed(lines) } else { 0 };
        let tools = self.dearest.nanos().saturating_mul(signed(units.tool_calls));
        Money::from_nanos(of_model.saturating_add(rounding).saturating_add(tools))
    }

    fn worst(&self) -> Worst {
        let (tokens, units) = self.one();
        Worst { nanos: self.cost(tokens, &units, 1).nanos(), ..Worst::of(tokens, &units) }
    }
}

impl Worst {
    fn of(tokens: Tokens, units: &Units) -> Self {
        Self {
            input: tokens.input,
            output: tokens.output,
            pages: units.pages,
            annotated_pages: units.annotated_pages,
            tool_calls: units.tool_calls,
            nanos: 0,
        }
    }

    /// A bound as it is kept.
    pub(super) fn of_bound(bound: &Bound) -> Self {
        let tokens = Tokens { input: bound.input, cached: 0, output: bound.output };
        Self { nanos: bound.cost.nanos(), ..Self::of(tokens, &bound.units) }
    }

    fn raise(&mut self, to: &Self) {
        self.input = self.input.max(to.input);
        self.output = self.output.max(to.output);
        self.pages = self.pages.max(to.pages);
        self.annotated_pages = self.annotated_pages.max(to.annotated_pages);
        self.tool_calls = self.tool_calls.max(to.tool_calls);
        self.nanos = self.nanos.max(to.nanos);
    }
}
