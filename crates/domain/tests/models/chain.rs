//! Model C: an organization over two workspaces, whose limits are edited while calls are in flight.
//!
//! **The rules.** Each budget has leases of its own. A call takes a reservation in a lease of the organization and then
//! one in its workspace's, is sent only when it holds both, and gives the first back when it does not get the second. The
//! store keeps for each budget what is *allocated*, and a lease grows if the growth fits under the limit of its own budget
//! as it is now. A limit is set to anything at any time, and that changes no lease. A node returns what its leases hold
//! idle, which is what is neither charged nor reserved.
//!
//! **What may be billed.** When a limit is lowered, what was leased under the old one may still be spent: no more than the
//! limit, then, or than what is still allocated of a higher one before it. This ceiling never rises while it is above the
//! limit, so that a grant in that time counts against it.
//!
//! Asking the store is one step here; its messages are the matter of model B.

use crate::search::{Model, breaks, holds};
use std::cmp::Ordering;

const ORGANIZATION: usize = 0;
const WORKSPACES: usize = 2;
/// The budgets: the organization's, then the workspaces'.
const BUDGETS: [&str; 1 + WORKSPACES] = ["organization", "workspace 0", "workspace 1"];
/// The leases: the organization's on each node, then the workspaces'.
const LEASES: [&str; 2 + WORKSPACES] =
    ["organization, on node 0", "organization, on node 1", "workspace 0", "workspace 1"];
/// The highest bound of a call, in units.
const MAX_BOUND: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mutation {
    Faithful,
    /// The store keeps what is free, at least nothing: a limit lowered below what is leased loses the difference.
    ClampedPool,
    /// A call reserves in its workspace only.
    ParentUnchecked,
    /// Idle is all that is not charged.
    InFlightReturned,
    /// A call that got only the first of its reservations gives it back twice.
    CompensatedTwice,
}

struct Chain {
    /// 2: each workspace is served by a node of its own, with a lease of the organization. 1: they share both.
    nodes: usize,
    /// What each call reserves. The provider bills any amount up to it.
    bound: u8,
    /// The limit of each budget at the beginning, and the highest that it is set to.
    limit: u8,
    /// Whether limits are edited.
    edits: bool,
    mutation: Mutation,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    budgets: [Budget; BUDGETS.len()],
    leases: [Lease; LEASES.len()],
    calls: [Calls; WORKSPACES],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Budget {
    limit: u8,
    /// What is allocated; what is free, in the mutant that keeps that.
    pool: u8,
    /// What may be billed: kept to judge by, seen by nobody.
    ceiling: u8,
    billed: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Lease {
    /// In the store.
    amount: u8,
    /// In the node's memory: what it may spend in all.
    right: u8,
    /// Charged to settled calls.
    used: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Calls {
    /// A call holds its reservation in the organization, and not yet that in the workspace.
    half: bool,
    /// How many calls are in flight, by what the provider takes for them.
    flying: [u8; MAX_BOUND + 1],
}

#[derive(Debug)]
#[allow(dead_code, reason = "the fields are there to be printed")]
enum Step {
    Grow { lease: &'static str, to: u8 },
    ReturnIdle { lease: &'static str },
    SetLimit { budget: &'static str, limit: u8 },
    ReserveInOrganization { workspace: usize },
    // The call was refused by its workspace, or its client went away in between.
    Undo { workspace: usize },
    ReserveInWorkspaceAndSend { workspace: usize, bill: u8 },
    Settle { workspace: usize, bill: u8 },
    GiveUp { workspace: usize },
}

impl Calls {
    fn in_flight(&self) -> u8 {
        self.flying.iter().sum()
    }
}

impl Chain {
    /// The budget that a lease is of.
    fn budget_of(lease: usize) -> usize {
        lease.saturating_sub(1)
    }

    /// The lease of the organization that a workspace's calls reserve in.
    fn parent(&self, workspace: usize) -> usize {
        workspace.min(self.nodes - 1)
    }

    /// The workspace's own lease.
    fn leaf(workspace: usize) -> usize {
        2 + workspace
    }

    /// What calls hold reserved in a lease.
    fn reserved(&self, state: &State, lease: usize) -> u8 {
        let held = |workspace: usize| {
            let calls = state.calls[workspace];
            match () {
                () if lease == Self::leaf(workspace) => calls.in_flight(),
                () if lease != self.parent(workspace) => 0,
                () if self.mutation == Mutation::ParentUnchecked => 0,
                () => calls.in_flight() + u8::from(calls.half),
            }
        };
        (0..WORKSPACES).map(held).sum::<u8>() * self.bound
    }

    fn fits(&self, state: &State, lease: usize) -> bool {
        let Lease { right, used, .. } = state.leases[lease];
        used + self.reserved(state, lease) + self.bound <= right
    }

    fn leases(&self, state: &State, next: &mut Vec<(Step, State)>) {
        let all = (0..state.leases.len()).filter(|lease| self.nodes == 2 || *lease != 1);
        for at in all {
            let lease = state.leases[at];
            let budget = state.budgets[Self::budget_of(at)];
            for by in 1..=budget.limit {
                let granted = if self.mutation == Mutation::ClampedPool {
                    budget.pool.checked_sub(by)
                } else {
                    Some(budget.pool + by).filter(|allocated| *allocated <= budget.limit)
                };
                if let Some(pool) = granted {
                    let mut after = *state;
                    after.budgets[Self::budget_of(at)].pool = pool;
                    after.leases[at].amount += by;
                    after.leases[at].right += by;
                    next.push((Step::Grow { lease: LEASES[at], to: lease.amount + by }, after));
                }
            }
            let in_flight =
                if self.mutation == Mutation::InFlightReturned { 0 } else { self.reserved(state, at) };
            let needs = lease.used + in_flight;
            if needs < lease.amount {
                let mut after = *state;
                let pool = &mut after.budgets[Self::budget_of(at)].pool;
                let idle = lease.amount - needs;
                *pool = if self.mutation == Mutation::ClampedPool { *pool + idle } else { *pool - idle };
                after.leases[at] = Lease { amount: needs, right: lease.right - idle, ..lease };
                next.push((Step::ReturnIdle { lease: LEASES[at] }, after));
            }
        }
    }

    fn edits(&self, state: &State, next: &mut Vec<(Step, State)>) {
        for (at, budget) in state.budgets.iter().enumerate().filter(|_| self.edits) {
            for limit in (0..=self.limit).filter(|limit| *limit != budget.limit) {
                let mut after = *state;
                after.budgets[at].limit = limit;
                if self.mutation == Mutation::ClampedPool {
                    after.budgets[at].pool = (budget.pool + limit).saturating_sub(budget.limit);
                }
                next.push((Step::SetLimit { budget: BUDGETS[at], limit }, after));
            }
        }
    }

    fn calls(&self, state: &State, workspace: usize, next: &mut Vec<(Step, State)>) {
        let calls = state.calls[workspace];
        let parent = self.parent(workspace);
        let leaf = Self::leaf(workspace);
        if !calls.half && (self.fits(state, parent) || self.mutation == Mutation::ParentUnchecked) {
            let mut after = *state;
            after.calls[workspace].half = true;
            next.push((Step::ReserveInOrganization { workspace }, after));
        }
        if calls.half {
            let mut after = *state;
            after.calls[workspace].half = false;
            if self.mutation == Mutation::CompensatedTwice {
                after.leases[parent].right += self.bound;
            }
            next.push((Step::Undo { workspace }, after));
        }
        for bill in (0..=self.bound).filter(|_| calls.half && self.fits(state, leaf)) {
            let mut after = *state;
            after.calls[workspace].half = false;
            after.calls[workspace].flying[usize::from(bill)] += 1;
            after.budgets[ORGANIZATION].billed += bill;
            after.budgets[1 + workspace].billed += bill;
            next.push((Step::ReserveInWorkspaceAndSend { workspace, bill }, after));
        }
        for bill in (0..=self.bound).filter(|bill| calls.flying[usize::from(*bill)] > 0) {
            for (step, charge) in
                [(Step::Settle { workspace, bill }, bill), (Step::GiveUp { workspace }, self.bound)]
            {
                let mut after = *state;
                after.calls[workspace].flying[usize::from(bill)] -= 1;
                after.leases[parent].used += charge;
                after.leases[leaf].used += charge;
                next.push((step, after));
            }
        }
    }

    fn allocated(state: &State, budget: usize) -> u8 {
        let of_budget = |(at, _): &(usize, &Lease)| Self::budget_of(*at) == budget;
        state.leases.iter().enumerate().filter(of_budget).map(|(_, lease)| lease.amount).sum()
    }
}

impl Model for Chain {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let clamped = self.mutation == Mutation::ClampedPool;
        let pool = if clamped { self.limit } else { 0 };
        let budget = Budget { limit: self.limit, pool, ceiling: self.limit, billed: 0 };
        State {
            budgets: [budget; BUDGETS.len()],
            leases: [Lease { amount: 0, right: 0, used: 0 }; LEASES.len()],
            calls: [Calls { half: false, flying: [0; MAX_BOUND + 1] }; WORKSPACES],
        }
    }

    fn successors(&self, state: &State, next: &mut Vec<(Step, State)>) {
        self.leases(state, next);
        self.edits(state, next);
        for workspace in 0..WORKSPACES {
            self.calls(state, workspace, next);
        }
        for (_, after) in next {
            for budget in 0..after.budgets.len() {
                let allocated = Self::allocated(after, budget);
                let Budget { limit, ceiling, .. } = after.budgets[budget];
                after.budgets[budget].ceiling = limit.max(ceiling.min(allocated));
            }
        }
    }

    fn billed_against_limit(&self, state: &State) -> Ordering {
        let billed = state.budgets.iter().filter(|budget| budget.billed > 0);
        billed.map(|budget| budget.billed.cmp(&budget.ceiling)).max().unwrap_or(Ordering::Less)
    }

    fn books(&self, state: &State) -> Result<(), &'static str> {
        for (at, budget) in state.budgets.iter().enumerate() {
            if budget.pool != Self::allocated(state, at) {
                return Err("I2: allocated is not the sum of the leases");
            }
            if budget.pool > budget.ceiling {
                return Err("I3: granted above the limit");
            }
            if budget.billed > budget.pool {
                return Err("I1: more is billed than allocated");
            }
        }
        for (at, lease) in state.leases.iter().enumerate() {
            if lease.right != lease.amount {
                return Err("I1: a node's right is not its lease");
            }
            if lease.used + self.reserved(state, at) > lease.right {
                return Err("I4: more is charged and reserved than leased");
            }
        }
        let [first, second, third, fourth] = state.leases.map(|lease| lease.used);
        if first + second != third + fourth {
            return Err("I15: the organization is not charged what its workspaces are");
        }
        Ok(())
    }
}

fn faithful(nodes: usize, limit: u8, bound: u8) -> Chain {
    Chain { nodes, bound, limit, edits: true, mutation: Mutation::Faithful }
}

/// The limit is the bound of one call, so that the second is one too many.
fn mutant(mutation: Mutation) -> Chain {
    Chain { nodes: 2, bound: 1, limit: 1, edits: mutation == Mutation::ClampedPool, mutation }
}

#[test]
fn holds_on_one_node() {
    holds("C, one node", &faithful(1, 3, 1), 180_224);
}

#[test]
fn holds_on_two_nodes() {
    holds("C, two nodes", &faithful(2, 3, 1), 243_712);
}

#[test]
fn holds_with_larger_calls() {
    holds("C, two nodes, bound 2", &faithful(2, 3, 2), 56_512);
}

#[test]
fn breaks_when_the_pool_is_clamped() {
    breaks("C, clamped pool", &mutant(Mutation::ClampedPool), 10);
}

#[test]
fn breaks_when_the_parent_is_unchecked() {
    breaks("C, parent unchecked", &mutant(Mutation::ParentUnchecked), 6);
}

#[test]
fn breaks_when_what_is_in_flight_is_returned() {
    breaks("C, in flight returned", &mutant(Mutation::InFlightReturned), 9);
}

#[test]
fn breaks_when_compensated_twice() {
    breaks("C, compensated twice", &mutant(Mutation::CompensatedTwice), 11);
}
