//! The counters of one scope in a replay: rates, calls at the same time, and what is spent of its budgets.

use super::PastCall;
use crate::calendar::Window;
use crate::limits::Limits;
use crate::money::Money;
use crate::rates::{MinuteWindow, SecondWindow};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The limits that need a counter, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metered {
    Second,
    Minute,
    MinuteTokens,
    Concurrency,
    HourUsd,
    DayUsd,
    MonthUsd,
    MonthTokens,
}

impl Metered {
    pub(super) const RATES: [Self; 4] = [Self::Second, Self::Minute, Self::MinuteTokens, Self::Concurrency];
    pub(super) const BUDGETS: [Self; 4] = [Self::HourUsd, Self::DayUsd, Self::MonthUsd, Self::MonthTokens];

    /// The field of [`Limits`] that sets it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "requests_per_second",
            Self::Minute => "requests_per_minute",
            Self::MinuteTokens => "tokens_per_minute",
            Self::Concurrency => "max_concurrent_requests",
            Self::HourUsd => "hourly_budget_usd",
            Self::DayUsd => "daily_budget_usd",
            Self::MonthUsd => "monthly_budget_usd",
            Self::MonthTokens => "tokens_per_month",
        }
    }
}

/// The calendar windows that a moment is in, by their starts (UTC).
#[derive(Clone, Copy, Debug)]
pub(super) struct Periods {
    pub(super) hour: Timestamp,
    pub(super) day: Timestamp,
    pub(super) month: Timestamp,
}

impl Periods {
    pub(super) fn of(at: Timestamp) -> Self {
        Self { hour: at.floor(Window::Hour), day: at.floor(Window::Day), month: at.floor(Window::Month) }
    }

    /// The same for a later moment; the calendar is asked once an hour.
    pub(super) fn at(self, at: Timestamp) -> Self {
        let same = self.hour <= at && at < self.hour.plus_seconds(3600);
        if same { self } else { Self::of(at) }
    }
}

/// What a call asks of every counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    now: i64,
    /// Of input and output.
    pub(super) tokens: u64,
    nanos: i64,
    ends: i64,
    pub(super) periods: Periods,
}

impl Demand {
    pub(super) fn of(call: &PastCall, periods: Periods) -> Self {
        let now = call.at.micros();
        Self {
            now,
            tokens: call.tokens.input.saturating_add(call.tokens.output),
            nanos: call.cost.nanos(),
            ends: now.saturating_add(i64::try_from(call.total_micros).unwrap_or(i64::MAX)),
            periods,
        }
    }

    pub(super) fn tokens_signed(&self) -> i64 {
        i64::try_from(self.tokens).unwrap_or(i64::MAX)
    }
}

/// What is spent in the newest period of a budget, in nano-dollars or tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    period: Option<Timestamp>,
    used: i64,
}

impl Spent {
    /// What would be spent in `period` with `amount` more.
    pub(super) fn with(self, period: Timestamp, amount: i64) -> i64 {
        let used = if self.period == Some(period) { self.used } else { 0 };
        used.saturating_add(amount)
    }

    pub(super) fn add(&mut self, period: Timestamp, amount: i64) {
        *self = Self { period: Some(period), used: self.with(period, amount) };
    }
}

/// The counters of one scope; only those of limits that are set are kept.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    second: SecondWindow,
    minute: MinuteWindow,
    tokens: MinuteWindow,
    /// When the calls that run now end.
    running: BinaryHeap<Reverse<i64>>,
    hour_usd: Spent,
    day_usd: Spent,
    month_usd: Spent,
    month_tokens: Spent,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: Limits { allowed_models: None, ..limits.clone() },
            second: SecondWindow::default(),
            minute: MinuteWindow::default(),
            tokens: MinuteWindow::default(),
            running: BinaryHeap::new(),
            hour_usd: Spent::default(),
            day_usd: Spent::default(),
            month_usd: Spent::default(),
            month_tokens: Spent::default(),
        }
    }

    pub(super) fn enforced(&self) -> bool {
        self.limits.enforced()
    }

    /// Whether the call would stand above that limit.
    pub(super) fn exceeded(&mut self, kind: Metered, demand: &Demand) -> bool {
        let Demand { now, tokens, nanos, periods, .. } = *demand;
        let limits = &self.limits;
        let rate = |limit: Option<u64>, used: u64, more: u64| {
            limit.is_some_and(|most| used.saturating_add(more) > most)
        };
        let usd = |limit: Option<Money>, spent: Spent, period: Timestamp| {
            limit.is_some_and(|most| spent.with(period, nanos) > most.nanos())
        };
        match kind {
            Metered::Second => rate(limits.requests_per_second, self.second.used(now), 1),
            Metered::Minute => rate(limits.requests_per_minute, self.minute.used(now), 1),
            Metered::MinuteTokens => rate(limits.tokens_per_minute, self.tokens.used(now), tokens),
            Metered::Concurrency => {
                while self.running.peek().is_some_and(|Reverse(end)| *end <= now) {
                    self.running.pop();
                }
                rate(limits.max_concurrent_requests, self.running.len() as u64, 1)
            }
            Metered::HourUsd => usd(limits.hourly_budget_usd, self.hour_usd, periods.hour),
            Metered::DayUsd => usd(limits.daily_budget_usd, self.day_usd, periods.day),
            Metered::MonthUsd => usd(limits.monthly_budget_usd, self.month_usd, periods.month),
            Metered::MonthTokens => limits.tokens_per_month.is_some_and(|most| {
                let spent = self.month_tokens.with(periods.month, demand.tokens_signed());
                u64::try_from(spent).unwrap_or(0) > most
            }),
        }
    }

    /// Counts a call that every scope lets through.
    pub(super) fn count(&mut self, demand: &Demand) {
        if self.limits.requests_per_second.is_some() {
            self.second.count(demand.now, 1);
        }
        if self.limits.requests_per_minute.is_some() {
            self.minute.count(demand.now, 1);
        }
        if self.limits.tokens_per_minute.is_some() {
            self.tokens.count(demand.now, demand.tokens);
        }
        if self.limits.max_concurrent_requests.is_some() {
            self.running.push(Reverse(demand.ends));
        }
        self.hour_usd.add(demand.periods.hour, demand.nanos);
        self.day_usd.add(demand.periods.day, demand.nanos);
        self.month_usd.add(demand.periods.month, demand.nanos);
        self.month_tokens.add(demand.periods.month, demand.tokens_signed());
    }
}
