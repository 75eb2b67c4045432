//! What a draft of limits and model roles would have refused: past calls are replayed in the order of time.
//!
//! A call that the draft refuses counts towards nothing after it. The rules stand in the order of admission: model,
//! tokens per request, rates, budgets; within one kind from the key up to the organization. A replay knows what a call
//! really used and not what it could have used at most, so that admission would have refused no fewer calls.

mod meter;

use crate::calendar::Window;
use crate::id::{KeyId, RequestId, UserId, WorkspaceId};
use crate::limits::Limits;
use crate::model_roles::ModelRole;
use crate::models::{Catalogue, ModelIndex, ModelSet};
use crate::money::Money;
use crate::time::Timestamp;
use crate::usage::Tokens;
use meter::{Demand, Meter, Metered, Periods, Spent};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A call of the past, as far as the replay looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCall {
    /// The request.
    pub request_id: RequestId,
    /// When it was admitted.
    pub at: Timestamp,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The key.
    pub key_id: KeyId,
    /// The person who owned the key, if one did.
    pub user_id: Option<UserId>,
    /// The model role it was judged by.
    pub role: Option<Arc<str>>,
    /// The model that went upstream.
    pub model: Arc<str>,
    /// Tokens.
    pub tokens: Tokens,
    /// Cost.
    pub cost: Money,
    /// Microseconds from admission to the end of the answer.
    pub total_micros: u64,
}

/// Limits and roles as they might be. A scope that is missing has no limits of its own.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Of the organization.
    pub organization: Limits,
    /// Of workspaces.
    pub workspaces: HashMap<WorkspaceId, Limits>,
    /// Of people.
    pub users: HashMap<UserId, Limits>,
    /// Of keys.
    pub keys: HashMap<KeyId, Limits>,
    /// Model roles.
    pub roles: Vec<ModelRole>,
    /// The models that allow-lists speak of.
    pub catalogue: Catalogue,
}

impl Draft {
    /// From when on calls must be replayed so that what counts at `from` is known: the start of the longest window
    /// that the draft has a budget for, else an hour.
    pub fn replay_from(&self, from: Timestamp) -> Timestamp {
        const HOUR: i64 = 3600;
        let any = |set: fn(&Limits) -> bool| self.limits().any(set);
        let daily = self.roles.iter().any(|role| role.daily_token_budget.is_some());
        if any(|limits| limits.monthly_budget_usd.is_some() || limits.tokens_per_month.is_some()) {
            from.floor(Window::Month)
        } else if daily || any(|limits| limits.daily_budget_usd.is_some()) {
            from.floor(Window::Day)
        } else {
            from.floor(Window::Hour).plus_seconds(HOUR.saturating_neg())
        }
    }

    fn limits(&self) -> impl Iterator<Item = &Limits> {
        let lower = self.workspaces.values().chain(self.users.values()).chain(self.keys.values());
        std::iter::once(&self.organization).chain(lower)
    }
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The organization.
    Organization,
    /// A workspace.
    Workspace(WorkspaceId),
    /// A model role, by its name.
    ModelRole(Arc<str>),
    /// A person.
    User(UserId),
    /// A key.
    Key(KeyId),
}

/// One limit at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Where it stands.
    pub scope: Scope,
    /// Its name: the field of [`Limits`] or [`ModelRole`] that sets it.
    pub limit: &'static str,
}

/// Calls, and what they used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Calls.
    pub calls: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// Their cost.
    pub cost: Money,
}

impl Total {
    fn add(&mut self, call: &PastCall) {
        let add = u64::saturating_add;
        self.calls = add(self.calls, 1);
        self.tokens = Tokens {
            input: add(self.tokens.input, call.tokens.input),
            cached: add(self.tokens.cached, call.tokens.cached),
            output: add(self.tokens.output, call.tokens.output),
        };
        self.cost = self.cost.checked_add(call.cost).unwrap_or(Money::from_nanos(i64::MAX));
    }
}

/// What one rule would have refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it refuses; a limit in the shadow only counts, and its calls went on.
    pub enforced: bool,
    /// The calls.
    pub total: Total,
    /// The first of them.
    pub first: PastCall,
}

/// The end of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// All calls.
    pub all: Total,
    /// The ones that the draft refuses, each by the first rule that spoke.
    pub refused: Total,
    /// By rule.
    pub rules: BTreeMap<Rule, Finding>,
    /// Calls whose model is not in the catalogue any more: no allow-list was asked about them.
    pub unknown_models: u64,
}

/// A replay in progress.
#[derive(Debug)]
pub struct Simulation<'d> {
    draft: &'d Draft,
    from: Timestamp,
    allowed: Allowed<'d>,
    roles: HashMap<&'d str, &'d ModelRole>,
    meters: Meters,
    periods: Periods,
    outcome: Outcome,
}

/// The allow-lists, worked out.
#[derive(Debug)]
struct Allowed<'d> {
    organization: Option<ModelSet>,
    workspaces: HashMap<WorkspaceId, ModelSet>,
    roles: HashMap<&'d str, ModelSet>,
    keys: HashMap<KeyId, ModelSet>,
}

impl<'d> Allowed<'d> {
    fn of(draft: &'d Draft) -> Self {
        let set = |limits: &Limits| Some(draft.catalogue.allowed(Some(limits.allowed_models.as_deref()?)));
        let of_role = |role: &'d ModelRole| {
            (role.name.as_str(), draft.catalogue.allowed(Some(role.allowed_models.as_slice())))
        };
        Self {
            organization: set(&draft.organization),
            workspaces: draft
                .workspaces
                .iter()
                .filter_map(|(id, limits)| Some((*id, set(limits)?)))
                .collect(),
            roles: draft.roles.iter().map(of_role).collect(),
            keys: draft.keys.iter().filter_map(|(id, limits)| Some((*id, set(limits)?))).collect(),
        }
    }

    /// The first allow-list, from the organization down, that the model is not on.
    fn refuses(&self, call: &PastCall, model: ModelIndex) -> Option<Scope> {
        let role = call.role.as_ref();
        let lists = [
            (self.organization.as_ref(), Some(Scope::Organization)),
            (self.workspaces.get(&call.workspace_id), Some(Scope::Workspace(call.workspace_id))),
            (
                role.and_then(|role| self.roles.get(&**role)),
                role.map(|role| Scope::ModelRole(Arc::clone(role))),
            ),
            (self.keys.get(&call.key_id), Some(Scope::Key(call.key_id))),
        ];
        let refuses = |(set, scope): (Option<&ModelSet>, Option<Scope>)| {
            if set.is_some_and(|set| !set.contains(model)) { scope } else { None }
        };
        lists.into_iter().find_map(refuses)
    }
}

/// The counters of all scopes that have limits.
#[derive(Debug)]
struct Meters {
    organization: Meter,
    workspaces: HashMap<WorkspaceId, Meter>,
    users: HashMap<UserId, Meter>,
    keys: HashMap<KeyId, Meter>,
    /// Tokens of a day, by role and by who has it.
    role_days: HashMap<(Arc<str>, Holder), Spent>,
}

impl Meters {
    fn of(draft: &Draft) -> Self {
        Self {
            organization: Meter::new(&draft.organization),
            workspaces: meters(&draft.workspaces),
            users: meters(&draft.users),
            keys: meters(&draft.keys),
            role_days: HashMap::new(),
        }
    }

    /// The meters that a call runs through, from the key up.
    fn chain(&mut self, call: &PastCall) -> impl Iterator<Item = (Scope, &mut Meter)> {
        let user = call.user_id;
        let lower = [
            self.keys.get_mut(&call.key_id).map(|meter| (Scope::Key(call.key_id), meter)),
            user.and_then(|id| Some((Scope::User(id), self.users.get_mut(&id)?))),
            self.workspaces.get_mut(&call.workspace_id).map(|m| (Scope::Workspace(call.workspace_id), m)),
        ];
        lower.into_iter().flatten().chain(std::iter::once((Scope::Organization, &mut self.organization)))
    }
}

fn meters<T: Copy + Eq + std::hash::Hash>(all: &HashMap<T, Limits>) -> HashMap<T, Meter> {
    let limited =
        all.iter().filter(|(_, limits)| limits.numbers().iter().any(|(_, number)| number.is_some()));
    limited.map(|(id, limits)| (*id, Meter::new(limits))).collect()
}

impl<'d> Simulation<'d> {
    /// A replay of calls from [`Draft::replay_from`] on; what is before `from` counts, but is not told.
    pub fn new(draft: &'d Draft, from: Timestamp) -> Self {
        Self {
            draft,
            from,
            allowed: Allowed::of(draft),
            roles: draft.roles.iter().map(|role| (role.name.as_str(), role)).collect(),
            meters: Meters::of(draft),
            periods: Periods::of(from),
            outcome: Outcome::default(),
        }
    }

    /// Replays the next call; its time is not before that of the last.
    pub fn replay(&mut self, call: &PastCall) {
        self.periods = self.periods.at(call.at);
        let demand = Demand::of(call, self.periods);
        let mut spoke = Vec::new();
        let refused = self.judge(call, &demand, &mut spoke);
        if call.at >= self.from {
            self.tell(call, refused, spoke);
        }
        if !refused {
            self.count(call, &demand);
        }
    }

    /// What was found so far.
    pub fn finish(self) -> Outcome {
        self.outcome
    }

    /// Asks the rules in their order until one refuses; the ones that spoke go to `spoke`, with whether they refuse.
    fn judge(&mut self, call: &PastCall, demand: &Demand, spoke: &mut Vec<(Rule, bool)>) -> bool {
        let fixed = self.model_rule(call).or_else(|| self.request_rule(call, demand));
        if let Some(rule) = fixed {
            spoke.push((rule, true));
            return true;
        }
        if self.metered(&Metered::RATES, call, demand, spoke) {
            return true;
        }
        if let Some(rule) = self.day_rule(call, demand) {
            spoke.push((rule, true));
            return true;
        }
        self.metered(&Metered::BUDGETS, call, demand, spoke)
    }

    fn model_rule(&self, call: &PastCall) -> Option<Rule> {
        let (model, _) = self.draft.catalogue.find(&call.model)?;
        Some(Rule { scope: self.allowed.refuses(call, model)?, limit: "allowed_models" })
    }

    fn role(&self, call: &PastCall) -> Option<(&'d ModelRole, Scope)> {
        let name = call.role.as_ref()?;
        Some((*self.roles.get(&**name)?, Scope::ModelRole(Arc::clone(name))))
    }

    fn request_rule(&self, call: &PastCall, demand: &Demand) -> Option<Rule> {
        let (role, scope) = self.role(call)?;
        let over = role.max_tokens_per_request.is_some_and(|most| demand.tokens > most);
        over.then_some(Rule { scope, limit: "max_tokens_per_request" })
    }

    fn day_rule(&self, call: &PastCall, demand: &Demand) -> Option<Rule> {
        let (role, scope) = self.role(call)?;
        let most = i64::try_from(role.daily_token_budget?).unwrap_or(i64::MAX);
        let spent = self.meters.role_days.get(&holder(call)?).copied().unwrap_or_default();
        let over = spent.with(demand.periods.day, demand.tokens_signed()) > most;
        over.then_some(Rule { scope, limit: "daily_token_budget" })
    }

    fn metered(
        &mut self,
        kinds: &[Metered],
        call: &PastCall,
        demand: &Demand,
        spoke: &mut Vec<(Rule, bool)>,
    ) -> bool {
        for kind in kinds {
            for (scope, meter) in self.meters.chain(call) {
                if meter.exceeded(*kind, demand) {
                    let enforced = meter.enforced();
                    spoke.push((Rule { scope, limit: kind.as_str() }, enforced));
                    if enforced {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn count(&mut self, call: &PastCall, demand: &Demand) {
        self.meters.chain(call).for_each(|(_, meter)| meter.count(demand));
        let budgeted = self.role(call).is_some_and(|(role, _)| role.daily_token_budget.is_some());
        if let Some(holder) = holder(call).filter(|_| budgeted) {
            let spent = self.meters.role_days.entry(holder).or_default();
            spent.add(demand.periods.day, demand.tokens_signed());
        }
    }

    fn tell(&mut self, call: &PastCall, refused: bool, spoke: Vec<(Rule, bool)>) {
        self.outcome.all.add(call);
        if refused {
            self.outcome.refused.add(call);
        }
        if self.draft.catalogue.find(&call.model).is_none() {
            self.outcome.unknown_models = self.outcome.unknown_models.saturating_add(1);
        }
        for (rule, enforced) in spoke {
            let new = || Finding { enforced, total: Total::default(), first: call.clone() };
            self.outcome.rules.entry(rule).or_insert_with(new).total.add(call);
        }
    }
}

/// Who has a model role: a person, or a key that nobody owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    User(UserId),
    Key(KeyId),
}

/// The role that judged a call, and who has it.
fn holder(call: &PastCall) -> Option<(Arc<str>, Holder)> {
    let holder = call.user_id.map_or(Holder::Key(call.key_id), Holder::User);
    Some((Arc::clone(call.role.as_ref()?), holder))
}

#[cfg(test)]
mod tests;
