//! Takes what a call needs of every level, all or nothing, and settles it at the end.
//!
//! Levels are locked from the organization down to the key, in every call alike: no two calls can wait for each other.

use crate::ledger::SharedScope;
use crate::ledger::book::{Book, Ready};
use crate::ledger::scope::State;
use crate::snapshot::LevelEntry;
use louver_domain::admission::{BudgetRefusal, RateAsk, RateKind, RateLimited};
use louver_domain::budgets::{Budget, BudgetKind, Scope};
use louver_domain::settlement::{Bound, Charge, Why};
use louver_store::ledger::entries::{Hold, Holds};
use smallvec::SmallVec;
use std::sync::{Arc, MutexGuard};

/// What a call needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// What it can use at most.
    pub(crate) bound: Bound,
    /// Monotonic time.
    pub(crate) now_micros: i64,
    /// Whether it costs anything: what Louver answers itself meets the rates only.
    pub(crate) budgets: bool,
    /// Whether it is a request of its own: what continues one meets the budgets only.
    pub(crate) rates: bool,
}

/// What a call took: the duty to settle it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) holds: Holds,
    /// The place in the levels of each hold.
    places: SmallVec<[u8; 12]>,
    bound: Bound,
    /// The bucket of the minute that its tokens were counted in.
    bucket: i64,
    /// Whether it was counted in the rates.
    rated: bool,
    pub(crate) would_refuse: bool,
    pub(crate) allowance: Allowance,
}

/// What is left of the tightest rates.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    pub(crate) requests: Option<Left>,
    pub(crate) tokens: Option<Left>,
}

/// A limit and what is left of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
}

/// A budget of which this node has not enough in hand.
#[derive(Clone)]
pub(crate) struct Shortage {
    pub(crate) shared: Arc<SharedScope>,
    pub(crate) budget: Arc<Budget>,
    /// What the call may use of it; 0 when no call waits.
    pub(crate) need: i64,
}

/// What the levels say.
#[expect(
    clippy::large_enum_variant,
    reason = "one a call, taken apart at once: a box would be one more allocation"
)]
pub(crate) enum Verdict {
    /// It is taken; the budgets that run low.
    Taken(Taken, Vec<Shortage>),
    /// A rate is used up; nothing is taken.
    Limited(RateLimited),
    /// The store must be asked first; nothing is taken.
    Short(Vec<Shortage>),
    /// A budget has not enough; nothing is taken.
    Refused(BudgetRefusal),
}

impl Verdict {
    /// Whether it is final, as far as the demand goes.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Limited(_) | Self::Refused(_))
    }
}

type Locked<'a> = SmallVec<[(&'a LevelEntry, MutexGuard<'a, State>); 6]>;

/// Takes what a call needs of all levels, or says why not.
pub(crate) fn take(levels: &[Arc<LevelEntry>], demand: Demand) -> Verdict {
    let mut locked: Locked<'_> = levels.iter().map(|level| (&**level, level.shared.lock())).collect();
    let mut taken = Taken { bound: demand.bound, rated: demand.rates, ..Taken::default() };
    // The narrowest level speaks first.
    for (level, state) in locked.iter_mut().rev().filter(|_| demand.rates) {
        if let Err(limited) = ask_rates(level, state, demand, &mut taken) {
            return Verdict::Limited(limited);
        }
    }
    let mut short = Vec::new();
    let mut low = Vec::new();
    for (level, state) in locked.iter_mut().rev() {
        for budget in level.budgets.iter().filter(|_| demand.budgets) {
            let need = demand.bound.of(budget.kind.unit());
            let shortage =
                |need| Shortage { shared: Arc::clone(&level.shared), budget: Arc::clone(budget), need };
            match state.book(budget.id).map(|book| book.ready(need, demand.now_micros)) {
                Some(Ready::Yes { low: true }) => low.push(shortage(0)),
                Some(Ready::Yes { low: false } | Ready::Lifted) => {}
                Some(Ready::Short) | None => short.push(shortage(need)),
                Some(Ready::No(refusal)) => return Verdict::Refused(refusal),
            }
        }
    }
    if !short.is_empty() {
        return Verdict::Short(short);
    }
    for (place, (level, state)) in locked.iter_mut().enumerate() {
        apply(level, state, place, demand, &mut taken);
    }
    for shortage in &low {
        if let Some((_, state)) =
            locked.iter_mut().find(|(level, _)| Arc::ptr_eq(&level.shared, &shortage.shared))
            && let Some(book) = state.book(shortage.budget.id)
        {
            book.note_asked();
        }
    }
    Verdict::Taken(taken, low)
}

/// Asks the rates of all levels, and takes nothing.
pub(crate) fn would_pass(levels: &[Arc<LevelEntry>], demand: Demand) -> Result<(), RateLimited> {
    let mut noted = Taken::default();
    levels.iter().rev().try_for_each(|level| ask_rates(level, &mut level.shared.lock(), demand, &mut noted))
}

/// What a budget has left for one call, as far as this node knows; never negative.
pub(crate) fn room(levels: &[Arc<LevelEntry>], scope: &Scope, kind: BudgetKind) -> u64 {
    let level = levels.iter().find(|level| level.scope == *scope);
    let budget =
        level.and_then(|level| Some((level, level.budgets.iter().find(|budget| budget.kind == kind)?)));
    let room = budget.and_then(|(level, budget)| Some(level.shared.lock().book(budget.id)?.room()));
    u64::try_from(room.unwrap_or(0)).unwrap_or(0)
}

/// Asks the rates of one level, and notes what would be left of them.
fn ask_rates(
    level: &LevelEntry,
    state: &mut State,
    demand: Demand,
    taken: &mut Taken,
) -> Result<(), RateLimited> {
    let (now, tokens) = (demand.now_micros, demand.bound.rate_tokens());
    for kind in RateKind::ALL {
        let Some(limit) = level.rates.of(kind) else { continue };
        let ask = match kind {
            RateKind::RequestsPerSecond => {
                RateAsk::in_window(kind, limit, 1, state.seconds.get_or_insert_default(), now)
            }
            RateKind::RequestsPerMinute => {
                RateAsk::in_window(kind, limit, 1, state.minute.get_or_insert_default(), now)
            }
            RateKind::TokensPerMinute => {
                RateAsk::in_window(kind, limit, tokens, state.tokens.get_or_insert_default(), now)
            }
            RateKind::Concurrency => RateAsk::at_once(limit, state.in_flight),
        };
        if !level.enforced {
            taken.would_refuse |= !ask.passes();
            continue;
        }
        if !ask.passes() {
            return Err(ask.refusal(level.scope.clone()));
        }
        let used = ask.used.saturating_add(ask.asked);
        match kind {
            RateKind::RequestsPerMinute => tighten(&mut taken.allowance.requests, limit, used),
            RateKind::TokensPerMinute => tighten(&mut taken.allowance.tokens, limit, used),
            RateKind::RequestsPerSecond | RateKind::Concurrency => {}
        }
    }
    Ok(())
}

fn tighten(tightest: &mut Option<Left>, limit: u64, used: u64) {
    let remaining = limit.saturating_sub(used);
    if tightest.is_none_or(|left| remaining < left.remaining) {
        *tightest = Some(Left { limit, remaining });
    }
}

/// Takes what was found to be there.
fn apply(level: &LevelEntry, state: &mut State, place: usize, demand: Demand, taken: &mut Taken) {
    let now = demand.now_micros;
    if demand.rates {
        count_rates(level, state, demand, taken);
    }
    for budget in level.budgets.iter().filter(|_| demand.budgets) {
        let need = demand.bound.of(budget.kind.unit());
        let Some(book) = state.book(budget.id) else { continue };
        if matches!(book.ready(need, now), Ready::Lifted) {
            continue;
        }
        taken.would_refuse |= book.would_refuse(need);
        if let Some(lease) = book.reserve(need) {
            taken.holds.push(Hold { lease, kind: budget.kind });
            taken.places.push(u8::try_from(place).unwrap_or(u8::MAX));
        }
    }
}

/// Counts a request in the rates of one level.
fn count_rates(level: &LevelEntry, state: &mut State, demand: Demand, taken: &mut Taken) {
    let now = demand.now_micros;
    if level.rates.concurrent.is_some() {
        state.in_flight = state.in_flight.saturating_add(1);
    }
    if level.rates.per_second.is_some() {
        state.seconds.get_or_insert_default().count(now, 1);
    }
    if level.rates.per_minute.is_some() {
        state.minute.get_or_insert_default().count(now, 1);
    }
    if level.rates.tokens_per_minute.is_some() {
        taken.bucket = state.tokens.get_or_insert_default().count(now, demand.bound.rate_tokens());
    }
}

/// Settles what a call took: the charge stays, the rest goes back to where it came from.
pub(super) fn settle(levels: &[Arc<LevelEntry>], taken: &Taken, charge: &Charge) {
    let used = charge.tokens.input.saturating_add(charge.tokens.output);
    let unused = taken.bound.rate_tokens().saturating_sub(used);
    each(levels, taken, |book, hold| {
        let unit = hold.kind.unit();
        if let Some(held) = book.held(hold.lease) {
            held.slice.settle(taken.bound.of(unit), charge.of(unit));
        }
        if charge.why == Why::Overrun {
            book.suspend();
        }
    });
    release_rates(levels, taken, unused);
}

/// Puts everything back but the requests that were counted: the call was made, and not sent.
pub(super) fn undo(levels: &[Arc<LevelEntry>], taken: &Taken) {
    each(levels, taken, |book, hold| {
        if let Some(held) = book.held(hold.lease) {
            held.slice.settle(taken.bound.of(hold.kind.unit()), 0);
        }
    });
    release_rates(levels, taken, taken.bound.rate_tokens());
}

fn each(levels: &[Arc<LevelEntry>], taken: &Taken, mut act: impl FnMut(&mut Book, &Hold)) {
    let mut holds = taken.holds.iter().zip(&taken.places).peekable();
    for (place, level) in levels.iter().enumerate() {
        if holds.peek().is_none_or(|(_, of)| usize::from(**of) != place) {
            continue;
        }
        let mut state = level.shared.lock();
        while let Some((hold, _)) = holds.next_if(|(_, of)| usize::from(**of) == place) {
            let budget = level.budgets.iter().find(|budget| budget.kind == hold.kind);
            if let Some(book) = budget.and_then(|budget| state.book(budget.id)) {
                act(book, hold);
            }
        }
    }
}

fn release_rates(levels: &[Arc<LevelEntry>], taken: &Taken, unused_tokens: u64) {
    for level in levels.iter().filter(|_| taken.rated) {
        if level.rates.concurrent.is_none() && level.rates.tokens_per_minute.is_none() {
            continue;
        }
        let mut state = level.shared.lock();
        if level.rates.concurrent.is_some() {
            state.in_flight = state.in_flight.saturating_sub(1);
        }
        if let Some(window) = &mut state.tokens {
            window.give_back(taken.bucket, unused_tokens);
        }
    }
}
