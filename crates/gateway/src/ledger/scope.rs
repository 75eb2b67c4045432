//! The counters and budgets of one scope under one lock: an organization, a workspace, a person, a role's holder, a key.

use crate::ledger::book::Book;
use louver_domain::budgets::Budget;
use louver_domain::id::BudgetId;
use louver_domain::ledger::{RatesInUse, Slice};
use louver_domain::rates::{MinuteWindow, SecondWindow};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What calls of one scope share. It outlives the snapshots of the rules: a changed limit forgets nothing.
#[derive(Default)]
pub(crate) struct SharedScope(Mutex<State>);

impl SharedScope {
    /// Locks the scope. Calls lock from the organization down to the key, always in that order.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The windows are made by the first call that needs them: most scopes have few limits.
#[derive(Default)]
pub(crate) struct State {
    pub(super) seconds: Option<Box<SecondWindow>>,
    pub(super) minute: Option<Box<MinuteWindow>>,
    pub(super) tokens: Option<Box<MinuteWindow>>,
    pub(super) in_flight: u64,
    pub(super) books: Vec<Book>,
}

impl State {
    pub(super) fn book(&mut self, budget: BudgetId) -> Option<&mut Book> {
        self.books.iter_mut().find(|book| book.budget.id == budget)
    }

    /// The book of a budget, opened when it is new.
    pub(super) fn book_of(&mut self, budget: &Arc<Budget>) -> Option<&mut Book> {
        if self.book(budget.id).is_none() {
            self.books.push(Book::new(Arc::clone(budget)));
        }
        self.book(budget.id)
    }

    /// Puts the budgets as the rules now have them. What was held of one that is gone is let go of.
    pub(super) fn set_budgets(&mut self, budgets: &[Arc<Budget>]) {
        for book in &mut self.books {
            match budgets.iter().find(|budget| budget.id == book.budget.id) {
                Some(budget) => book.set(budget),
                None => book.retire(),
            }
        }
    }

    /// The lease that calls live from at `now`, and what is in hand of it.
    pub(super) fn in_hand(&mut self, budget: BudgetId, now_micros: i64) -> Option<(u32, Slice)> {
        let held = self.book(budget)?.current.as_ref().filter(|held| now_micros < held.ends_micros)?;
        Some((held.lease, held.slice))
    }

    /// What is used of the rates.
    pub(super) fn rates(&self, now_micros: i64) -> RatesInUse {
        let minute = |window: &Option<Box<MinuteWindow>>| window.as_deref().cloned().unwrap_or_default();
        RatesInUse {
            second: self.seconds.as_deref().cloned().unwrap_or_default(),
            minute: minute(&self.minute),
            tokens: minute(&self.tokens),
            concurrent: self.in_flight,
            now_micros,
        }
    }

    /// Whether nothing counts here any more.
    pub(super) fn is_idle(&mut self, now_micros: i64) -> bool {
        let used = |window: &mut Option<Box<MinuteWindow>>| window.as_mut().map_or(0, |w| w.used(now_micros));
        let rates =
            used(&mut self.minute).saturating_add(used(&mut self.tokens)).saturating_add(self.in_flight);
        rates == 0 && self.books.iter().all(|book| book.current.is_none() && book.older.is_empty())
    }
}
