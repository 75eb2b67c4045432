//! The chain of a key: the levels that judge its calls, and what each of them sets.

use crate::admission::{CallRules, RateKind};
use crate::budgets::{Budget, Scope, Unit};
use crate::calendar::Zone;
use crate::endpoints::EndpointKind;
use crate::keys::ApiKey;
use crate::limits::{Level, Limits, ServiceTier};
use crate::model_roles::ModelRole;
use crate::models::{Catalogue, ModelSet};
use crate::organizations::Organization;
use crate::users::User;
use crate::workspaces::Workspace;

/// A key with all that stands above it.
#[derive(Clone, Debug)]
pub struct Chain<'a> {
    /// Its organization.
    pub organization: &'a Organization,
    /// Its workspace.
    pub workspace: &'a Workspace,
    /// The person who owns it, if a person does.
    pub user: Option<&'a User>,
    /// The model roles that judge it: its own, and its owner's. Each must allow a call.
    pub roles: Vec<&'a ModelRole>,
    /// The key.
    pub key: &'a ApiKey,
}

/// The rates of one level; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Calls in any second.
    pub per_second: Option<u64>,
    /// Calls in any 60 seconds.
    pub per_minute: Option<u64>,
    /// Tokens in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
    /// Calls at the same time.
    pub concurrent: Option<u64>,
}

impl Rates {
    /// The rates that limits set.
    pub const fn of_limits(limits: &Limits) -> Self {
        Self {
            per_second: limits.requests_per_second,
            per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrent: limits.max_concurrent_requests,
        }
    }

    /// The limit of one kind.
    pub const fn of(&self, kind: RateKind) -> Option<u64> {
        match kind {
            RateKind::RequestsPerSecond => self.per_second,
            RateKind::RequestsPerMinute => self.per_minute,
            RateKind::TokensPerMinute => self.tokens_per_minute,
            RateKind::Concurrency => self.concurrent,
        }
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        RateKind::ALL.iter().all(|kind| self.of(*kind).is_none())
    }
}

/// The rates and budgets that stand on one level.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Whose calls they count.
    pub scope: Scope,
    /// Rates.
    pub rates: Rates,
    /// Whether the rates refuse; limits in the shadow only count.
    pub enforced: bool,
    /// Budgets.
    pub budgets: Vec<Budget>,
}

impl Stage {
    fn of(level: Level, id: [u8; 16], limits: &Limits, zone: &Zone) -> Self {
        let scope = Scope::of(level, id);
        let budgets = Budget::of_limits(&scope, limits, zone);
        Self { scope, rates: Rates::of_limits(limits), enforced: limits.enforced(), budgets }
    }

    /// Whether tokens are counted ahead here: by a budget, or by tokens a minute.
    pub fn counts_tokens(&self) -> bool {
        !self.budgets.is_empty() || self.rates.tokens_per_minute.is_some()
    }

    /// Whether a budget in dollars refuses here: only models with a price can be called then.
    pub fn needs_price(&self) -> bool {
        self.budgets.iter().any(|budget| budget.enforced && budget.kind.unit() == Unit::Usd)
    }
}

/// An allow-list of models, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct AllowList<'a> {
    /// The level.
    pub level: Level,
    /// The model role, on that level.
    pub role: Option<&'a ModelRole>,
    /// Its entries; `None` allows all.
    pub entries: Option<&'a [String]>,
}

/// The names of the model roles that judge a key: its own, and the one that its owner has where it lives.
pub fn role_names<'a>(key: &'a ApiKey, of_owner: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let own = key.role.as_deref();
    own.into_iter().chain(of_owner.filter(move |role| Some(*role) != own))
}

impl<'a> Chain<'a> {
    /// The allow-lists in the order in which they are asked: all must allow a model.
    pub fn allow_lists(&self) -> impl Iterator<Item = AllowList<'_>> {
        let of = |level, limits: &'a Limits| AllowList {
            level,
            role: None,
            entries: limits.allowed_models.as_deref(),
        };
        let of_roles = self.roles.iter().map(|role| AllowList {
            level: Level::ModelRole,
            role: Some(*role),
            entries: Some(role.allowed_models.as_slice()),
        });
        [of(Level::Organization, &self.organization.limits), of(Level::Workspace, &self.workspace.limits)]
            .into_iter()
            .chain(of_roles)
            .chain([of(Level::Key, &self.key.limits)])
    }

    /// What decides about the key's calls before anything is counted.
    pub fn call_rules(&self, catalogue: &Catalogue) -> CallRules {
        let all: ModelSet = catalogue.usable_in(self.workspace.id);
        let tightest = self
            .roles
            .iter()
            .filter_map(|role| Some((role.max_tokens_per_request?, role.name.as_str().into())));
        CallRules {
            billing_active: self.organization.billing_active,
            workspace_archived: self.workspace.archived_at.is_some(),
            addresses: self.key.allowed_cidrs.clone(),
            endpoints: self.allowed_endpoints(),
            tools: self.allowed_tools(),
            priority: self.allows_priority(),
            signed_url_hours: self.signed_url_hours(),
            region: self.limits().find_map(|limits| limits.region),
            fallback_models: self
                .limits()
                .filter_map(|l| l.fallback_models.clone())
                .next_back()
                .unwrap_or_default(),
            models: self
                .allow_lists()
                .fold(all, |set, list| set.intersection(&catalogue.allowed(list.entries))),
            tokens_per_request: tightest.min_by_key(|(limit, _)| *limit),
        }
    }

    /// The limits from the organization down to the key. A person's are counted, and give no permissions.
    fn limits(&self) -> impl DoubleEndedIterator<Item = &Limits> {
        [&self.organization.limits, &self.workspace.limits, &self.key.limits].into_iter()
    }

    /// The endpoints that stand in every list there is; `None` where there is no list.
    fn allowed_endpoints(&self) -> Option<Vec<EndpointKind>> {
        let of_limits = self.limits().filter_map(|limits| limits.allowed_endpoints.as_ref());
        let of_roles = self.roles.iter().filter_map(|role| role.allowed_endpoints.as_ref());
        of_limits.chain(of_roles).fold(None, |all: Option<Vec<EndpointKind>>, list| match all {
            None => Some(list.clone()),
            Some(all) => Some(all.into_iter().filter(|kind| list.contains(kind)).collect()),
        })
    }

    /// The organization names the tools; every list below it narrows.
    fn allowed_tools(&self) -> Vec<String> {
        let mut tools = self.organization.limits.allowed_tools.clone().unwrap_or_default();
        let of_limits = self.limits().filter_map(|limits| limits.allowed_tools.as_ref());
        let of_roles = self.roles.iter().filter_map(|role| role.allowed_tools.as_ref());
        for list in of_limits.chain(of_roles) {
            tools.retain(|tool| list.contains(tool));
        }
        tools
    }

    fn allows_priority(&self) -> bool {
        let of_limits = self.limits().filter_map(|limits| limits.allowed_service_tiers.as_ref());
        let of_roles = self.roles.iter().filter_map(|role| role.allowed_service_tiers.as_ref());
        self.organization.limits.allowed_service_tiers.is_some()
            && of_limits.chain(of_roles).all(|tiers| tiers.contains(&ServiceTier::Priority))
    }

    fn signed_url_hours(&self) -> u32 {
        let most = self.organization.limits.max_signed_url_hours.unwrap_or(0);
        let of_roles = self.roles.iter().filter_map(|role| role.max_signed_url_hours);
        self.limits().filter_map(|limits| limits.max_signed_url_hours).chain(of_roles).fold(most, u32::min)
    }

    /// The levels, from the organization down to the key; on some nothing may stand.
    pub fn stages(&self) -> Vec<Stage> {
        let zone_of_all = self.organization.limits.zone().unwrap_or_default();
        let zone_of_workspace = self.workspace.limits.zone().unwrap_or_else(|| zone_of_all.clone());
        let (organization, workspace, key) = (self.organization, self.workspace, self.key);
        let of_user =
            self.user.map(|user| Stage::of(Level::User, user.id.bytes(), &user.limits, &zone_of_all));
        let of_roles = self.roles.iter().filter_map(|role| {
            let budget = Budget::of_role(role, key.holder(), &zone_of_all)?;
            let (scope, budgets) = (budget.scope.clone(), vec![budget]);
            Some(Stage { scope, rates: Rates::default(), enforced: true, budgets })
        });
        let above = [
            Stage::of(Level::Organization, organization.id.bytes(), &organization.limits, &zone_of_all),
            Stage::of(Level::Workspace, workspace.id.bytes(), &workspace.limits, &zone_of_workspace),
        ];
        let own = Stage::of(Level::Key, key.id.bytes(), &key.limits, &zone_of_workspace);
        above.into_iter().chain(of_user).chain(of_roles).chain([own]).collect()
    }

    /// What people call a scope of this chain.
    pub fn name_of(&self, scope: &Scope) -> String {
        match scope.level {
            Level::Organization => self.organization.name.clone(),
            Level::Workspace => self.workspace.name.clone(),
            Level::User => self.user.map(|user| user.email.clone()).unwrap_or_default(),
            Level::ModelRole => scope.role.as_deref().unwrap_or_default().to_owned(),
            Level::Key => self.key.name.clone(),
        }
    }
}
