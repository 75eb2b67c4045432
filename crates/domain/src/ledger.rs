//! The ledger's pure core: how a budget is shared out in leases, and how calls reserve and settle within one.
//!
//! The store keeps an [`Account`] for each budget and period: how much of the limit is given out. A node holds one
//! [`Lease`] of it, which grows and shrinks, and lives from it in memory as a [`Slice`]. What bounds the sum is that an
//! account gives out no more than its limit, and that a node never has in hand more than its lease: it takes in hand
//! only what was given, and lets go before it gives back. A lease that is not given back is never given out again.

use crate::admission::{RateAsk, RateKind};
use crate::budgets::Scope;
use crate::id::BudgetId;
use crate::rates::{MinuteWindow, SecondWindow};

/// How much of a budget's limit is given out in one period, in the budget's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Given out: all that was used, and all that leases still hold.
    pub allocated: i64,
    /// The limit now; `None` when there is none any more.
    pub limit: Option<i64>,
    /// Whether the limit refuses; a budget in the shadow gives out without end.
    pub enforced: bool,
    /// A bill was higher than its call's bound: nothing is given out until a person has looked.
    pub blocked: bool,
}

/// One node's share of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// What the node may use, used up or not.
    pub amount: i64,
    /// What was used of it.
    pub used: i64,
    /// The number of the last change; each change has the next one.
    pub sequence: i64,
    /// Whether it can still change.
    pub open: bool,
}

/// What a node wants more of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Less than this is of no use.
    pub least: i64,
    /// What would serve all that wait.
    pub all: i64,
    /// Nodes that may want a share.
    pub nodes: i64,
}

/// The answer to a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// So much more is in the lease.
    Granted(i64),
    /// This was asked before and is done; the lease stands as it stands.
    Repeated,
    /// The account has less left than the least of use; this much is left.
    Short {
        /// What is left of the limit; never negative.
        left: i64,
    },
    /// Nothing, since the account is blocked.
    Blocked,
    /// There is no limit any more.
    Unlimited,
}

/// The largest part of a limit in one grant: one 32nd, so that a lost lease strands little.
const LARGEST_PART: i64 = 32;

impl Account {
    /// What can still be given out.
    pub fn left(&self) -> i64 {
        self.limit.map_or(0, |limit| limit.saturating_sub(self.allocated).max(0))
    }

    /// Grows a lease. `sequence` is the number of this change: the same one again changes nothing. A refusal takes the
    /// number as well: what the node sent before it and arrives late finds its number taken. The node takes back in hand
    /// what the lease holds by then, so that a late return must not count any more.
    pub fn grow(&mut self, lease: &mut Lease, sequence: i64, wish: Wish) -> Answer {
        if lease.sequence >= sequence || !lease.open {
            return Answer::Repeated;
        }
        lease.sequence = sequence;
        let Some(limit) = self.limit else { return Answer::Unlimited };
        if self.blocked {
            return Answer::Blocked;
        }
        let part = limit.checked_div(LARGEST_PART).unwrap_or(0);
        let unbounded = || Some(part.max(wish.all).max(wish.least));
        let amount = if self.enforced { slice(self.left(), part, wish) } else { unbounded() };
        let granted = amount.and_then(|amount| {
            let allocated = self.allocated.checked_add(amount)?;
            Some((amount, allocated, lease.amount.checked_add(amount)?))
        });
        let Some((granted, allocated, amount)) = granted else { return Answer::Short { left: self.left() } };
        (self.allocated, lease.amount) = (allocated, amount);
        Answer::Granted(granted)
    }

    /// Takes back what the node has let go of. `sequence` as in [`Account::grow`].
    pub fn shrink(&mut self, lease: &mut Lease, sequence: i64, by: i64) -> bool {
        let after = lease.amount.saturating_sub(by);
        if lease.sequence >= sequence || !lease.open || by < 0 || after < lease.used {
            return false;
        }
        self.allocated = self.allocated.saturating_sub(by);
        (lease.amount, lease.sequence) = (after, sequence);
        true
    }

    /// Ends a lease on which nothing is in flight: what was not used comes back. Again, it changes nothing.
    pub fn close(&mut self, lease: &mut Lease) -> bool {
        if !lease.open {
            return false;
        }
        self.allocated = self.allocated.saturating_sub(lease.amount.saturating_sub(lease.used));
        lease.open = false;
        true
    }

    /// Writes down what calls on a lease used. What goes beyond the lease was billed all the same: it raises lease and
    /// account, and blocks the account. Answers how far beyond it went.
    pub fn spend(&mut self, lease: &mut Lease, used: i64) -> i64 {
        lease.used = lease.used.saturating_add(used);
        let over = lease.used.saturating_sub(lease.amount).max(0);
        if over > 0 {
            lease.amount = lease.amount.saturating_add(over);
            self.allocated = self.allocated.saturating_add(over);
        }
        over
    }
}

/// How much to give out at once: what all who wait need, and beyond it a part of what is left that shrinks with it, so
/// that the last of a limit is given out exactly. `None` when less is left than is of use.
fn slice(left: i64, part: i64, wish: Wish) -> Option<i64> {
    if left < wish.least {
        return None;
    }
    let share = left.checked_div(wish.nodes.max(1).saturating_mul(4)).unwrap_or(0);
    Some(share.min(part).max(wish.all).max(wish.least).min(left))
}

/// A lease in the memory of its node: `left + reserved + charged = amount`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Free to be reserved.
    pub left: i64,
    /// Held by calls in flight.
    pub reserved: i64,
    /// Charged for calls that ended.
    pub charged: i64,
}

impl Slice {
    /// What the node has in hand of the lease, used up or not.
    pub const fn amount(&self) -> i64 {
        self.left.saturating_add(self.reserved).saturating_add(self.charged)
    }

    /// Whether a bound could be reserved now.
    pub const fn covers(&self, bound: i64) -> bool {
        self.left >= bound
    }

    /// Reserves a bound; ask [`Slice::covers`] first.
    pub const fn reserve(&mut self, bound: i64) {
        self.left = self.left.saturating_sub(bound);
        self.reserved = self.reserved.saturating_add(bound);
    }

    /// Settles a reservation: the rest goes back, and a charge above the bound is taken from what is left. Answers what
    /// even that could not cover.
    pub fn settle(&mut self, bound: i64, charge: i64) -> i64 {
        self.reserved = self.reserved.saturating_sub(bound);
        self.charged = self.charged.saturating_add(charge);
        self.left = self.left.saturating_add(bound).saturating_sub(charge);
        let over = self.left.min(0).saturating_neg();
        self.left = self.left.max(0);
        over
    }

    /// Takes in hand what the lease grew by.
    pub const fn grow(&mut self, by: i64) {
        self.left = self.left.saturating_add(by);
    }

    /// Lets go of what is not reserved; only then may it be given back.
    pub const fn let_go(&mut self) -> i64 {
        let idle = self.left;
        self.left = 0;
        idle
    }

    /// Whether no call in flight holds anything of it.
    pub const fn is_quiet(&self) -> bool {
        self.reserved == 0
    }
}

/// What one scope used of its rates, on one node.
#[derive(Clone, Debug, Default)]
pub struct RatesInUse {
    /// Calls in a sliding second.
    pub second: SecondWindow,
    /// Calls in a sliding minute.
    pub minute: MinuteWindow,
    /// Tokens in a sliding minute.
    pub tokens: MinuteWindow,
    /// Calls in flight.
    pub concurrent: u64,
    /// The node's monotonic time.
    pub now_micros: i64,
}

impl RatesInUse {
    /// A rate as a call that could use `tokens` meets it.
    pub fn ask(&mut self, kind: RateKind, limit: u64, tokens: u64) -> RateAsk {
        let now = self.now_micros;
        match kind {
            RateKind::RequestsPerSecond => RateAsk::in_window(kind, limit, 1, &mut self.second, now),
            RateKind::RequestsPerMinute => RateAsk::in_window(kind, limit, 1, &mut self.minute, now),
            RateKind::TokensPerMinute => RateAsk::in_window(kind, limit, tokens, &mut self.tokens, now),
            RateKind::Concurrency => RateAsk::at_once(limit, self.concurrent),
        }
    }
}

/// What a node has in hand of budgets beyond what the database knows, and what it counts of rates.
pub trait InHand: Send + Sync {
    /// Of one budget in the period that runs: the slice, and what of its charges the database has yet to learn.
    fn of(&self, budget: BudgetId) -> Option<(Slice, i64)>;

    /// What a scope used of its rates on this node.
    fn rates(&self, scope: &Scope) -> RatesInUse;
}
