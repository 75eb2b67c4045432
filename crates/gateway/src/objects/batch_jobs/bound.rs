//! What the lines of a batch may do and could cost at most: every class of them is judged as a call of its own.

use crate::admit::kind;
use crate::batches::{Billed, Worst};
use crate::credentials::FIRST_SERVER;
use crate::judge::{Guards, may_be_filled};
use crate::objects::Deed;
use crate::reply::{BatchRefusal, Failure};
use crate::servers;
use louver_domain::admission::{self, Refusal};
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::models::Model;
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
    /// What all its lines must have in common, since no line of the output says it: whether pages are annotated, and
    /// the models of the guardrails.
    pub(super) alike: Option<(bool, Vec<String>)>,
    /// The price of those models.
    pub(super) guards: Option<Price>,
    pub(super) models: Vec<Billed>,
    pub(super) price_version: u32,
    pub(super) tools: Vec<(String, Money)>,
}

/// A class as it is priced.
struct Priced<'a> {
    class: &'a Class,
    price: Option<&'a Price>,
    guards: Guards,
    terms: Terms,
    context: u64,
    billing: Billing,
    generates: bool,
    /// Pages of a document that is not seen, at most.
    unseen_pages: u64,
    /// Calls of tools of one line at most, and the price of the dearest.
    calls: u64,
    dearest: Money,
}

impl Reach {
    /// Judges a class by all rules, as of today, and adds what it could cost. `model` is the job's, pinned.
    pub(super) fn add(&mut self, deed: &Deed<'_>, class: &Class, model: Option<&str>) -> Result<(), Failure> {
        let model = judge(deed, class, model)?;
        let traits = (class.annotated, class.nested_models.clone());
        if *self.alike.get_or_insert_with(|| traits.clone()) != traits {
            return Err(Failure::Batch(BatchRefusal::Mixed));
        }
        let (snapshot, now) = (&deed.caller.snapshot, deed.visitor.now);
        let (version, price) = snapshot
            .model(&model.id)
            .and_then(|model| model.prices.at(now))
            .map_or((0, None), |(version, price)| (version, Some(price)));
        let tools: Vec<(String, Money)> = class
            .tools
            .iter()
            .filter_map(|tool| Some((tool.clone(), snapshot.tool_price(tool, now)?)))
            .collect();
        let priced = Priced::new(deed, class, model, price, &tools);
        let covered = priced.is_covered() && tools.len() == class.tools.len();
        if deed.caller.key.needs_price && !covered {
            return Err(Failure::Refused(Refusal::UnboundedCost));
        }
        if self.models.is_empty() {
            self.price_version = version;
        }
        if !self.models.iter().any(|billed| billed.model == model.id) {
            self.models.push(Billed { model: model.id.clone(), price: price.cloned() });
        }
        self.tools.extend(tools.into_iter().filter(|tool| !self.tools.contains(tool)).collect::<Vec<_>>());
        self.guards = self.guards.take().or_else(|| priced.guards.price.clone());
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
        bound.plausible = bound.plausible.max(plausible).max(priced.class.peaks.input);
        self.worst.raise(&priced.worst());
    }
}

/// Judges a class as a call of its own, and answers its model.
fn judge<'a>(deed: &'a Deed<'_>, class: &Class, of_job: Option<&str>) -> Result<&'a Model, Failure> {
    let name = match (class.model.as_deref(), of_job) {
        (Some(own), Some(of_job)) if own != of_job => return Err(Failure::Batch(BatchRefusal::Model)),
        (Some(own), _) => own,
        (None, Some(of_job)) => of_job,
        (None, None) => return Err(Failure::Batch(BatchRefusal::Model)),
    };
    let (rules, catalogue) = (&deed.caller.key.rules, &deed.caller.snapshot.catalogue);
    let context = catalogue.find(name).map_or(0, |(_, model)| model.context);
    // Nothing can be put into a file that is upstream already: an answer left open may be as long as the context.
    let longest = if class.open { context } else { class.peaks.max_tokens };
    let question = admission::Ask {
        endpoint: kind(class.endpoint),
        model: Some(name),
        nested_models: &class.nested_models,
        tools: &class.tools,
        priority: class.priority,
        input_tokens: class.peaks.estimated,
        max_tokens: Some(longest),
        choices: class.peaks.choices,
    };
    let grant =
        admission::admit(rules, catalogue, deed.visitor.address, question).map_err(Failure::Refused)?;
    // What the lines say upstream is an id; since they were read it may have become another model's name.
    if grant.model.id != name || !grant.model.serves(EndpointKind::BatchJobs) {
        return Err(Failure::Refused(Refusal::ModelNotAllowed));
    }
    let guards = class.nested_models.iter().filter_map(|name| catalogue.find(name));
    for model in guards.map(|(_, model)| model).chain([grant.model]) {
        may_serve(deed, model, !class.tools.is_empty())?;
    }
    may_be_filled(rules, class.fills_context, context)?;
    Ok(grant.model)
}

/// What the provider keeps is at the first server: a job runs there, or nowhere.
fn may_serve(deed: &Deed<'_>, model: &Model, tools: bool) -> Result<(), Failure> {
    let (known, rules) = (&deed.gateway.settings().servers, &deed.caller.key.rules);
    let places = servers::of_call(known, rules, model, EndpointKind::BatchJobs, tools)?;
    let there = places.contains(&FIRST_SERVER);
    if there { Ok(()) } else { Err(Failure::NoServer { region: rules.region }) }
}

impl<'a> Priced<'a> {
    fn new(
        deed: &Deed<'_>,
        class: &'a Class,
        model: &Model,
        price: Option<&'a Price>,
        tools: &[(String, Money)],
    ) -> Self {
        let endpoint = kind(class.endpoint);
        let bounds = deed.gateway.settings().bounds;
        let dearest = tools.iter().map(|(_, price)| *price).max_by_key(|price| price.nanos());
        Self {
            class,
            price,
            guards: Guards::of(&class.nested_models, &deed.caller.snapshot, deed.visitor.now),
            terms: Terms { priority: class.priority, batch: true, regional: false },
            context: model.context,
            billing: endpoint.billing(),
            generates: endpoint.generates(),
            unseen_pages: bounds.document_pages,
            calls: if class.tools.is_empty() { 0 } else { bounds.tool_calls },
            dearest: dearest.unwrap_or(Money::ZERO),
        }
    }

    /// Whether all that its lines can be billed has a price, but for tools.
    fn is_covered(&self) -> bool {
        let covered = self.price.is_some_and(|price| price.covers(self.billing, &self.all().1));
        (covered || self.billing == Billing::Free) && self.guards.priced
    }
}

impl Priced<'_> {
    /// What all lines could use.
    fn all(&self) -> (Tokens, Units) {
        let Sums { lines, input, output, choices, pages, audio_seconds, characters } = self.class.sums;
        let most = self.context.saturating_mul(choices);
        let output = if self.class.open { most } else { output.min(most) };
        let units = Units {
            audio_seconds,
            characters,
            tool_calls: self.calls.saturating_mul(lines),
            ..self.pages(pages, lines)
        };
        (self.tokens(input, lines, output), units)
    }

    /// What one line could use.
    fn one(&self) -> (Tokens, Units) {
        let Peaks { input, max_tokens, choices, pages, audio_seconds, characters, .. } = self.class.peaks;
        let longest = if self.class.open { self.context } else { max_tokens.min(self.context) };
        let output = longest.saturating_mul(choices);
        let units = Units { audio_seconds, characters, tool_calls: self.calls, ..self.pages(pages, 1) };
        (self.tokens(input, 1, output), units)
    }

    /// So many pages that are seen, or documents that are not.
    fn pages(&self, seen: u64, lines: u64) -> Units {
        let unseen = if self.class.unseen { self.unseen_pages.saturating_mul(lines) } else { 0 };
        let pages = seen.saturating_add(unseen);
        match self.class.annotated {
            true => Units { annotated_pages: pages, ..Units::default() },
            false => Units { pages, ..Units::default() },
        }
    }

    /// Each call of a tool is another turn, in which the model reads up to its whole context.
    fn tokens(&self, input: u64, lines: u64, output: u64) -> Tokens {
        if !matches!(self.billing, Billing::Tokens | Billing::InputTokens) {
            return Tokens::default();
        }
        let contexts = lines.saturating_mul(self.context);
        let filled = match self.class.fills_context {
            // None of them is counted to be longer than that.
            true if self.class.peaks.input <= self.context => contexts,
            true => input.saturating_add(contexts),
            false => input,
        };
        let turns = self.calls.saturating_add(1);
        let input = match self.calls {
            0 => filled,
            _ => input.saturating_add(contexts).saturating_mul(turns),
        };
        let output = if self.generates { output.saturating_mul(turns) } else { 0 };
        Tokens { input, cached: 0, output }
    }

    /// The price of that, and for each line the nano-dollar that rounding its own bill up can add.
    fn cost(&self, tokens: Tokens, units: &Units, lines: u64) -> Money {
        let of_model = self.price.map_or(0, |price| price.most(tokens, units, self.terms).nanos());
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let rounded = i64::from(self.price.is_some()).saturating_add(i64::from(self.guards.price.is_some()));
        let rounding = rounded.saturating_mul(signed(lines));
        let tools = self.dearest.nanos().saturating_mul(signed(units.tool_calls));
        let guards = self.guards.cost(tokens.input).nanos();
        let all = [of_model, rounding, tools, guards];
        Money::from_nanos(all.into_iter().fold(0, i64::saturating_add))
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
