//! One budget in the memory of this node: the slice that calls live from, and older ones that calls still hold.

use louver_domain::admission::{BudgetRefusal, BudgetState, exceeds};
use louver_domain::budgets::Budget;
use louver_domain::calendar::Period;
use louver_domain::ledger::{Answer, Slice};
use louver_store::ledger::Reply;
use std::sync::Arc;

/// How long the store's word that nothing is left is believed; another node may give something back.
const DENIAL_MICROS: i64 = 500_000;

/// A lease in hand.
#[derive(Debug)]
pub(super) struct Held {
    /// Its number in this process.
    pub(super) lease: u32,
    pub(super) period: Period,
    /// The end of its period in monotonic time: no wall clock is compared.
    pub(super) ends_micros: i64,
    pub(super) slice: Slice,
    /// The number of its last change.
    pub(super) sequence: i64,
    /// Below this it runs low.
    low: i64,
    /// What was charged when the books were last tended: a slice that nothing was charged to since is idle.
    pub(super) charged_before: i64,
}

/// The store's word that it has less than was needed.
#[derive(Clone, Copy, Debug)]
struct Denial {
    /// What it had left.
    left: i64,
    /// What was used for good, of others than this node's lease.
    spent_elsewhere: i64,
    blocked: bool,
    at_micros: i64,
}

/// A budget in memory.
#[derive(Debug)]
pub(super) struct Book {
    /// As the rules have it now.
    pub(super) budget: Arc<Budget>,
    pub(super) current: Option<Held>,
    /// Leases of periods that ended, or that were let go of: calls may still hold parts of them.
    pub(super) older: Vec<Held>,
    /// The number for a lease to be made, kept until the store has answered.
    pub(super) fresh: Option<u32>,
    denial: Option<Denial>,
    /// What the store had left after its last answer.
    store_left: i64,
    /// Used for good by others than this node's lease, by the store's last answer.
    spent_elsewhere: i64,
    /// When the store was asked that knew no limit any more; believed as long as a denial: the limit may come back before
    /// this node hears of it.
    lifted: Option<i64>,
    /// More was asked for in the background.
    asked: bool,
    /// Bills that went beyond their bounds, and that the store has yet to hear of.
    pub(super) overruns: u64,
    /// Nothing is taken before the store has said that it may be.
    suspended: bool,
}

/// What the store was asked about a budget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// The number of the lease to grow.
    pub(super) lease: u32,
    /// Of how many overruns it was told.
    pub(super) overruns: u64,
}

/// What a budget says to a call.
#[derive(Debug)]
pub(super) enum Ready {
    /// There is enough; `low` when it is time to ask for more.
    Yes { low: bool },
    /// The store must be asked.
    Short,
    /// The store was asked, and has not enough.
    No(BudgetRefusal),
    /// There is no such limit any more.
    Lifted,
}

impl Book {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            budget,
            current: None,
            older: Vec::new(),
            fresh: None,
            denial: None,
            store_left: 0,
            spent_elsewhere: 0,
            lifted: None,
            asked: false,
            overruns: 0,
            suspended: false,
        }
    }

    /// Takes over a changed rule. What the node has of the budget is let go of: it asks again under the new limit.
    pub(super) fn set(&mut self, budget: &Arc<Budget>) {
        let same = self.budget.limit == budget.limit && self.budget.enforced == budget.enforced;
        self.budget = Arc::clone(budget);
        self.lifted = None;
        if !same {
            self.denial = None;
            self.retire();
        }
    }

    /// Lives no longer from the current lease.
    pub(super) fn retire(&mut self) {
        self.older.extend(self.current.take());
    }

    /// Whether a call that may use `need` can have it at `now`.
    pub(super) fn ready(&self, need: i64, now_micros: i64) -> Ready {
        if self.lifted.is_some_and(|at| now_micros.saturating_sub(at) < DENIAL_MICROS) {
            return Ready::Lifted;
        }
        let held = self.current.as_ref().filter(|held| now_micros < held.ends_micros);
        if let Some(held) = held.filter(|held| !self.suspended && held.slice.covers(need)) {
            let after = held.slice.left.saturating_sub(need);
            let worth_it = self.store_left.checked_div(8).unwrap_or(0) > need;
            return Ready::Yes { low: after < held.low && !self.asked && worth_it };
        }
        let denial = self.denial.filter(|denial| now_micros.saturating_sub(denial.at_micros) < DENIAL_MICROS);
        match (held, denial) {
            (Some(held), Some(denial))
                if denial.blocked || need.saturating_sub(held.slice.left) > denial.left =>
            {
                Ready::No(self.refusal(held, &denial, need))
            }
            _ => Ready::Short,
        }
    }

    fn refusal(&self, held: &Held, denial: &Denial, need: i64) -> BudgetRefusal {
        let used = denial.spent_elsewhere.saturating_add(held.slice.charged);
        let state = BudgetState::of(denial.blocked, self.budget.limit, used, need);
        BudgetRefusal {
            scope: self.budget.scope.clone(),
            kind: self.budget.kind,
            state,
            limit: self.budget.limit,
            used,
            asked: need,
            resets_at: held.period.ends,
        }
    }

    /// What a call could have at most, as far as this node knows.
    pub(super) fn room(&self) -> i64 {
        let left = self.current.as_ref().map_or(0, |held| held.slice.left);
        let denied = self.denial.map(|denial| denial.left);
        left.saturating_add(denied.unwrap_or(self.store_left))
    }

    /// Whether a budget in the shadow would refuse a call that may use `need`.
    pub(super) fn would_refuse(&self, need: i64) -> bool {
        let own =
            self.current.as_ref().map_or(0, |held| held.slice.charged.saturating_add(held.slice.reserved));
        let used = self.spent_elsewhere.saturating_add(own);
        !self.budget.enforced && exceeds(self.budget.limit, used, need)
    }

    pub(super) const fn note_asked(&mut self) {
        self.asked = true;
    }

    /// Reserves; ask [`Book::ready`] first. Answers the number of the lease.
    pub(super) fn reserve(&mut self, need: i64) -> Option<u32> {
        let held = self.current.as_mut()?;
        held.slice.reserve(need);
        Some(held.lease)
    }

    /// The lease of that number, current or older.
    pub(super) fn held(&mut self, lease: u32) -> Option<&mut Held> {
        self.current.iter_mut().chain(&mut self.older).find(|held| held.lease == lease)
    }

    /// Takes the store's answer in. `asked` says what lease it is about, and what the store was told with it.
    pub(super) fn take_in(&mut self, asked: Asked, reply: &Reply, now_micros: i64) {
        self.asked = false;
        self.fresh = None;
        let until_end = reply.period.ends.micros().saturating_sub(reply.at.micros());
        let ends_micros = now_micros.saturating_add(until_end);
        let Some(held) = self.place_of(asked.lease, reply, ends_micros) else { return };
        // A period that turned at the store first is over here as well.
        held.ends_micros = held.ends_micros.min(ends_micros);
        if until_end > 0 {
            // What the lease holds beyond what is in hand was given now, or before in an answer that was lost.
            held.slice.grow(reply.lease.amount.saturating_sub(held.slice.amount()).max(0));
            held.sequence = reply.lease.sequence;
        }
        held.low = held.slice.left.checked_div(2).unwrap_or(0);
        let charged = held.slice.charged;
        self.store_left = reply.left;
        // An answer that gave something says `allocated`, in which all of this node's lease is.
        let own = match reply.answer {
            Answer::Granted(_) | Answer::Repeated if self.budget.enforced => reply.lease.amount,
            _ => charged,
        };
        self.spent_elsewhere = reply.spent.saturating_sub(own).max(0);
        self.overruns = self.overruns.saturating_sub(asked.overruns);
        self.suspended = match reply.answer {
            Answer::Blocked => true,
            // Decided before, and not in the light of what the store was told now.
            Answer::Repeated => self.suspended,
            // What went beyond its bound since it was asked, the store did not know.
            Answer::Granted(_) | Answer::Short { .. } | Answer::Unlimited => self.overruns > 0,
        };
        self.denial = match reply.answer {
            Answer::Granted(_) | Answer::Repeated => None,
            Answer::Unlimited => {
                self.lifted = Some(now_micros);
                None
            }
            Answer::Short { left } => Some(self.denied(left, false, now_micros)),
            Answer::Blocked => Some(self.denied(0, true, now_micros)),
        };
    }

    /// The lease that an answer is about. One that was let go of while the answer was on its way stays so: what it was
    /// given is given back with the rest.
    fn place_of(&mut self, lease: u32, reply: &Reply, ends_micros: i64) -> Option<&mut Held> {
        if let Some(index) = self.older.iter().position(|held| held.lease == lease) {
            return self.older.get_mut(index);
        }
        if self.current.as_ref().is_some_and(|held| held.lease != lease) {
            self.retire();
        }
        Some(self.current.get_or_insert_with(|| Held {
            lease,
            period: reply.period,
            ends_micros,
            slice: Slice::default(),
            sequence: 0,
            low: 0,
            charged_before: 0,
        }))
    }

    const fn denied(&self, left: i64, blocked: bool, at_micros: i64) -> Denial {
        Denial { left, spent_elsewhere: self.spent_elsewhere, blocked, at_micros }
    }

    /// A bill went beyond its bound.
    pub(super) const fn suspend(&mut self) {
        (self.overruns, self.suspended) = (self.overruns.saturating_add(1), true);
    }

    /// Something came back to the store: its last word does not hold any more.
    pub(super) const fn forget_denial(&mut self) {
        self.denial = None;
    }
}

#[cfg(test)]
mod tests;
