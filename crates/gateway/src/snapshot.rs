//! The rules as the data plane uses them: worked out once per revision, immutable, swapped whole.

use crate::credentials::{Credential, Known};
use crate::ledger::{Ledger, Rates, SharedScope};
use http::HeaderValue;
use louver_domain::admission::CallRules;
use louver_domain::budgets::{Budget, Scope, Unit};
use louver_domain::calendar::Zone;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, OrganizationId, ServiceAccountId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, Fingerprint, KeyStatus, Owner, PublicId};
use louver_domain::limits::{Level, Limits};
use louver_domain::model_roles::ModelRole;
use louver_domain::models::{Catalogue, ModelIndex, ModelSet, ModelStatus};
use louver_domain::organizations::Organization;
use louver_domain::prices::Prices;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;
use louver_store::seal::{MasterKey, Place};
use louver_store::snapshot::Rules;
use louver_store::upstreams::Upstream;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a snapshot cannot be made.
pub type SnapshotError = louver_store::StoreError;

/// What a key may do and whom its calls count for.
pub struct KeyEntry {
    pub(crate) id: KeyId,
    pub(crate) organization_id: OrganizationId,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) user_id: Option<UserId>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) status: KeyStatus,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) rules: CallRules,
    pub(crate) role: Option<Arc<str>>,
    /// Where limits stand, from the organization down to the key: the order in which they are locked.
    pub(crate) levels: Vec<Arc<LevelEntry>>,
    /// Whether any level has a budget.
    pub(crate) budgeted: bool,
    /// Whether any level counts tokens ahead: a budget, or tokens a minute.
    pub(crate) counts_tokens: bool,
    /// Whether any level has a budget in dollars that refuses.
    pub(crate) needs_price: bool,
    pub(crate) credentials: Credentials,
    pub(crate) last_used: Arc<AtomicI64>,
}

impl KeyEntry {
    pub(crate) fn is_accepted(&self, now: Timestamp) -> bool {
        self.status == KeyStatus::Active && self.expires_at.is_none_or(|end| now < end)
    }
}

/// The limits of one level, and what its calls share.
pub(crate) struct LevelEntry {
    pub(crate) scope: Scope,
    pub(crate) rates: Rates,
    /// Shadow limits count and refuse nothing.
    pub(crate) enforced: bool,
    pub(crate) budgets: Vec<Arc<Budget>>,
    pub(crate) shared: Arc<SharedScope>,
}

/// A model's price list and its name, shared by the records of its calls.
pub(crate) struct ModelEntry {
    pub(crate) name: Arc<str>,
    pub(crate) prices: Prices,
}

/// All rules of one revision.
#[derive(Default)]
pub struct Snapshot {
    revision: i64,
    pub(crate) catalogue: Catalogue,
    pub(crate) models: HashMap<String, ModelEntry>,
    keys: HashMap<PublicId, Arc<KeyEntry>>,
}

impl Snapshot {
    /// The revision of the rules.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    pub(crate) fn find_key(&self, id: PublicId) -> Option<&Arc<KeyEntry>> {
        self.keys.get(&id)
    }

    pub(crate) fn model(&self, id: &str) -> Option<&ModelEntry> {
        self.models.get(id)
    }
}

/// What snapshots are made with, and what lives on from one to the next.
pub struct Source {
    master: Arc<MasterKey>,
    ledger: Arc<Ledger>,
    known: Known,
    default_credential: Option<Arc<Credential>>,
    last_used: Mutex<HashMap<KeyId, Arc<AtomicI64>>>,
}

impl Source {
    /// With the key that opens stored credentials, the node's ledger, and the credential for those who stored none.
    pub fn new(master: Arc<MasterKey>, ledger: Arc<Ledger>, default_credential: Option<HeaderValue>) -> Self {
        let default_credential = default_credential.map(|value| Arc::new(Credential::new(None, value)));
        Self { master, ledger, known: Known::default(), default_credential, last_used: Mutex::default() }
    }

    /// The keys that were used since the last time this was asked, with when.
    pub fn take_last_used(&self) -> Vec<(KeyId, Timestamp)> {
        let cells = self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        let take = |(id, cell): (&KeyId, &Arc<AtomicI64>)| {
            let micros = cell.swap(0, std::sync::atomic::Ordering::Relaxed);
            (micros > 0).then(|| (*id, Timestamp::from_micros(micros)))
        };
        cells.iter().filter_map(take).collect()
    }

    /// Puts times back that could not be written.
    pub fn put_back_last_used(&self, used: &[(KeyId, Timestamp)]) {
        for (id, at) in used {
            self.last_used_cell(*id).fetch_max(at.micros(), std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Forgets counters that nobody needs any more.
    pub fn forget_unused(&self, now_micros: i64) {
        self.ledger.forget_unused(now_micros);
    }

    /// Works the rules out.
    pub fn build(&self, rules: Rules) -> Snapshot {
        let catalogue = Catalogue::new(rules.models.iter().map(|m| m.model.clone()).collect());
        let served = |m: &&louver_store::models::PricedModel| m.model.status != ModelStatus::Retired;
        let models = rules.models.iter().filter(served).map(|m| {
            (
                m.model.id.clone(),
                ModelEntry { name: m.model.id.as_str().into(), prices: Prices::new(m.prices.clone()) },
            )
        });
        let models = models.collect();
        let builder = Builder::new(self, &rules, &catalogue);
        let keys = rules.keys.iter().filter_map(|key| builder.entry(key)).collect();
        Snapshot { revision: rules.revision, models, keys, catalogue }
    }

    fn last_used_cell(&self, id: KeyId) -> Arc<AtomicI64> {
        let mut cells = self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(id).or_default())
    }

    fn open(&self, upstream: &Upstream) -> Option<Arc<Credential>> {
        let place = Place::upstream(upstream.id, upstream.organization_id);
        let opened = self.known.get(upstream.id, &upstream.sealed_key, || {
            let key = self.master.open(&place, &upstream.sealed_key).map_err(|e| e.to_string())?;
            let value =
                HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|e| e.to_string())?;
            Ok::<_, String>(Credential::new(Some(upstream.id), value))
        });
        match opened {
            Ok(credential) => Some(credential),
            Err(error) => {
                tracing::error!(upstream = %upstream.id, error, "an upstream credential cannot be used");
                None
            }
        }
    }
}

/// Everything that the entries of one snapshot are made from, found by id.
struct Builder<'a> {
    source: &'a Source,
    catalogue: &'a Catalogue,
    organizations: HashMap<OrganizationId, &'a Organization>,
    workspaces: HashMap<WorkspaceId, &'a Workspace>,
    users: HashMap<UserId, &'a Limits>,
    roles: HashMap<(OrganizationId, &'a str), &'a ModelRole>,
    member_roles: HashMap<(WorkspaceId, UserId), &'a str>,
    account_roles: HashMap<ServiceAccountId, &'a str>,
    credentials: HashMap<(OrganizationId, Option<WorkspaceId>), Credentials>,
    /// The levels worked out so far: many keys share those above them.
    levels: RefCell<HashMap<Scope, Option<Arc<LevelEntry>>>>,
}

type Credentials = Arc<[Arc<Credential>]>;

impl<'a> Builder<'a> {
    fn new(source: &'a Source, rules: &'a Rules, catalogue: &'a Catalogue) -> Self {
        let mut lists: HashMap<(OrganizationId, Option<WorkspaceId>), Vec<Arc<Credential>>> = HashMap::new();
        for upstream in rules.upstreams.iter().filter(|u| u.enabled) {
            if let Some(credential) = source.open(upstream) {
                lists.entry((upstream.organization_id, upstream.workspace_id)).or_default().push(credential);
            }
        }
        Self {
            source,
            catalogue,
            organizations: rules.organizations.iter().map(|o| (o.id, o)).collect(),
            workspaces: rules.workspaces.iter().map(|w| (w.id, w)).collect(),
            users: rules.users.iter().map(|u| (u.id, &u.limits)).collect(),
            roles: rules.roles.iter().map(|(org, role)| ((*org, role.name.as_str()), role)).collect(),
            member_roles: rules
                .memberships
                .iter()
                .filter_map(|m| Some(((m.workspace_id, m.user_id), m.role.as_deref()?)))
                .collect(),
            account_roles: rules
                .service_accounts
                .iter()
                .filter_map(|a| Some((a.id, a.role.as_deref()?)))
                .collect(),
            credentials: lists.into_iter().map(|(scope, list)| (scope, list.into())).collect(),
            levels: RefCell::default(),
        }
    }

    /// A key whose organization or workspace is missing gets no entry: it is refused like an unknown one.
    fn entry(&self, key: &ApiKey) -> Option<(PublicId, Arc<KeyEntry>)> {
        let organization = self.organizations.get(&key.organization_id)?;
        let workspace = self.workspaces.get(&key.workspace_id)?;
        let roles = self.roles_of(key)?;
        let user_id = match key.owner {
            Owner::User(id) => Some(id),
            Owner::Workspace | Owner::ServiceAccount(_) => None,
        };
        let levels = self.levels(key, organization, workspace, &roles);
        let budgets = || levels.iter().flat_map(|level| &level.budgets);
        let entry = KeyEntry {
            budgeted: budgets().next().is_some(),
            counts_tokens: levels
                .iter()
                .any(|level| !level.budgets.is_empty() || level.rates.tokens_per_minute.is_some()),
            needs_price: budgets().any(|budget| budget.enforced && budget.kind.unit() == Unit::Usd),
            id: key.id,
            organization_id: key.organization_id,
            workspace_id: key.workspace_id,
            user_id,
            fingerprint: key.fingerprint,
            status: key.status,
            expires_at: key.expires_at,
            rules: self.rules(key, organization, workspace, &roles),
            role: roles.first().map(|role| role.name.as_str().into()),
            levels,
            credentials: self.credentials(key),
            last_used: self.source.last_used_cell(key.id),
        };
        Some((key.public_id, Arc::new(entry)))
    }

    /// The model roles that judge a key: its own, and its owner's. Both must allow a call. A role that is named and
    /// not there closes the key, since nobody knows what it would have allowed.
    fn roles_of(&self, key: &ApiKey) -> Option<Vec<&'a ModelRole>> {
        let of_owner = match key.owner {
            Owner::Workspace => None,
            Owner::User(id) => self.member_roles.get(&(key.workspace_id, id)).copied(),
            Owner::ServiceAccount(id) => self.account_roles.get(&id).copied(),
        };
        let own = key.role.as_deref();
        let names = own.into_iter().chain(of_owner.filter(|role| Some(*role) != own));
        names.map(|name| self.roles.get(&(key.organization_id, name)).copied()).collect()
    }

    fn rules(
        &self,
        key: &ApiKey,
        organization: &Organization,
        workspace: &Workspace,
        roles: &[&ModelRole],
    ) -> CallRules {
        let lists = [&organization.limits, &workspace.limits, &key.limits]
            .map(|limits| limits.allowed_models.as_deref());
        let of_roles = roles.iter().map(|role| Some(role.allowed_models.as_slice()));
        let all: ModelSet = self.catalogue.allowed(None);
        let models = lists
            .into_iter()
            .chain(of_roles)
            .fold(all, |set, list| set.intersection(&self.catalogue.allowed(list)));
        let tightest =
            roles.iter().filter_map(|role| Some((role.max_tokens_per_request?, role.name.as_str().into())));
        CallRules {
            billing_active: organization.billing_active,
            workspace_archived: workspace.archived_at.is_some(),
            addresses: key.allowed_cidrs.clone(),
            endpoints: key
                .allowed_endpoints
                .as_ref()
                .map(|names| names.iter().filter_map(|n| EndpointKind::parse(n)).collect()),
            models,
            tokens_per_request: tightest.min_by_key(|(limit, _)| *limit),
        }
    }

    /// From the organization down to the key.
    fn levels(
        &self,
        key: &ApiKey,
        organization: &Organization,
        workspace: &Workspace,
        roles: &[&ModelRole],
    ) -> Vec<Arc<LevelEntry>> {
        let zone_of_all = organization.limits.zone().unwrap_or_default();
        let zone_of_workspace = workspace.limits.zone().unwrap_or_else(|| zone_of_all.clone());
        let level = |level, id, limits: &Limits, zone: &Zone| {
            let rates = Rates {
                per_second: limits.requests_per_second,
                per_minute: limits.requests_per_minute,
                tokens_per_minute: limits.tokens_per_minute,
                concurrent: limits.max_concurrent_requests,
            };
            let scope = Scope::of(level, id);
            let budgets = Budget::of_limits(&scope, limits, zone);
            self.level(scope, rates, limits.enforced(), budgets)
        };
        let user = match key.owner {
            Owner::User(id) => self.users.get(&id).map(|limits| (id, *limits)),
            Owner::Workspace | Owner::ServiceAccount(_) => None,
        };
        let of_user = user.and_then(|(id, limits)| level(Level::User, id.bytes(), limits, &zone_of_all));
        let of_roles = roles.iter().filter_map(|role| {
            let budget = Budget::of_role(role, key.holder(), &zone_of_all)?;
            self.level(budget.scope.clone(), Rates::default(), true, vec![budget])
        });
        level(Level::Organization, organization.id.bytes(), &organization.limits, &zone_of_all)
            .into_iter()
            .chain(level(Level::Workspace, workspace.id.bytes(), &workspace.limits, &zone_of_workspace))
            .chain(of_user)
            .chain(of_roles)
            .chain(level(Level::Key, key.id.bytes(), &key.limits, &zone_of_workspace))
            .collect()
    }

    /// A level, when any limit stands there.
    fn level(
        &self,
        scope: Scope,
        rates: Rates,
        enforced: bool,
        budgets: Vec<Budget>,
    ) -> Option<Arc<LevelEntry>> {
        if let Some(known) = self.levels.borrow().get(&scope) {
            return known.clone();
        }
        let budgets: Vec<Arc<Budget>> = budgets.into_iter().map(Arc::new).collect();
        let any = !rates.is_empty() || !budgets.is_empty();
        let shared = self.source.ledger.put(&scope, &budgets, any);
        let entry = shared
            .filter(|_| any)
            .map(|shared| Arc::new(LevelEntry { scope: scope.clone(), rates, enforced, budgets, shared }));
        self.levels.borrow_mut().insert(scope, entry.clone());
        entry
    }

    /// A workspace's own credentials, else its organization's, else the one from the settings.
    fn credentials(&self, key: &ApiKey) -> Credentials {
        let own = self.credentials.get(&(key.organization_id, Some(key.workspace_id)));
        let shared = || self.credentials.get(&(key.organization_id, None));
        own.or_else(shared)
            .cloned()
            .unwrap_or_else(|| self.source.default_credential.iter().cloned().collect())
    }
}

/// The models that a key sees in a list, with their places.
pub(crate) fn visible<'a>(
    snapshot: &'a Snapshot,
    key: &'a KeyEntry,
) -> impl Iterator<Item = (ModelIndex, &'a louver_domain::models::Model)> {
    snapshot.catalogue.iter().filter(|(index, _)| key.rules.models.contains(*index))
}
