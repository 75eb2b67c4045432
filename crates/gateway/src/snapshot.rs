//! The rules as the data plane uses them: worked out once per revision, immutable, swapped whole.

use crate::credentials::{self, Credential, InUse, Known};
use crate::last_used::{self, LastUsed};
use crate::ledger::{Ledger, SharedScope};
use crate::servers;
use crate::settings::UpstreamTarget;
use http::HeaderValue;
use louver_domain::admission::CallRules;
use louver_domain::budgets::{Budget, Scope};
use louver_domain::chain::{Chain, Rates, Stage, role_names};
use louver_domain::health::{self, Policy};
use louver_domain::id::{KeyId, OrganizationId, ServiceAccountId, UpstreamId, UserId, WorkspaceId};
use louver_domain::keys::{ApiKey, Fingerprint, KeyStatus, Owner, PublicId};
use louver_domain::model_roles::ModelRole;
use louver_domain::models::{Catalogue, ModelIndex, ModelStatus};
use louver_domain::money::Money;
use louver_domain::old_secrets::OldSecret;
use louver_domain::organizations::Organization;
use louver_domain::prices::{Prices, ToolPrice};
use louver_domain::time::Timestamp;
use louver_domain::users::User;
use louver_domain::workspaces::Workspace;
use louver_store::old_secrets::{Of, Use};
use louver_store::seal::{MasterKey, Place};
use louver_store::snapshot::Rules;
use louver_store::upstream_rotations::UpstreamUse;
use louver_store::upstreams::Upstream;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a snapshot cannot be made.
pub type SnapshotError = louver_store::StoreError;

/// What a key may do and whom its calls count for.
pub struct KeyEntry {
    pub(crate) id: KeyId,
    pub(crate) organization_id: OrganizationId,
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) user_id: Option<UserId>,
    pub(crate) status: KeyStatus,
    /// A bait, which nobody may use.
    pub(crate) canary: bool,
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
}

impl KeyEntry {
    pub(crate) fn is_accepted(&self, now: Timestamp) -> bool {
        self.status == KeyStatus::Active && self.expires_at.is_none_or(|end| now < end)
    }
}

/// One secret of a key: the current one, or an old one that still works.
pub(crate) struct SecretEntry {
    pub(crate) public_id: PublicId,
    pub(crate) fingerprint: Fingerprint,
    /// From when on it is refused, whatever holds for its key.
    pub(crate) retires_at: Option<Timestamp>,
    pub(crate) last_used: Arc<last_used::Cell>,
}

impl SecretEntry {
    pub(crate) fn is_accepted(&self, now: Timestamp) -> bool {
        self.retires_at.is_none_or(|end| now < end)
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
    /// Whether it reads with the vocabulary that counts input exactly.
    pub(crate) counted_exactly: bool,
}

/// All rules of one revision.
#[derive(Default)]
pub struct Snapshot {
    revision: i64,
    pub(crate) catalogue: Catalogue,
    pub(crate) models: HashMap<String, ModelEntry>,
    /// Prices of the tools that upstream runs by itself, by their types.
    tools: HashMap<String, Vec<ToolPrice>>,
    /// The secrets that may be accepted, each with its key: a key that is being rotated has several.
    keys: HashMap<PublicId, (Arc<KeyEntry>, Arc<SecretEntry>)>,
    /// Every credential in use, by its id; `None` is the first server's from the settings.
    credentials: HashMap<Option<UpstreamId>, Arc<Credential>>,
}

impl Snapshot {
    /// The revision of the rules.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    pub(crate) fn find_key(&self, id: PublicId) -> Option<&(Arc<KeyEntry>, Arc<SecretEntry>)> {
        self.keys.get(&id)
    }

    /// The credential of that id, while it is in use.
    pub(crate) fn credential(&self, id: Option<UpstreamId>) -> Option<InUse> {
        credentials::exactly(self.credentials.get(&id).map(std::slice::from_ref)?, id)
    }

    /// What a call of a tool costs now, if it has a price.
    pub(crate) fn tool_price(&self, tool: &str, now: Timestamp) -> Option<Money> {
        ToolPrice::at(self.tools.get(tool)?, now).map(|price| price.usd_per_call)
    }

    /// The pinned id of a model, by any of its names.
    pub(crate) fn pinned(&self, name: &str) -> Option<String> {
        self.catalogue.find(name).map(|(_, model)| model.id.clone())
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
    servers: Arc<[UpstreamTarget]>,
    policy: Policy,
    /// The credential of each server for those who stored none, where it has one or needs none.
    default_credentials: Vec<Option<Arc<Credential>>>,
    /// A credential of each server to ask for its models with.
    askers: Mutex<Vec<Option<Arc<Credential>>>>,
    /// Entries of an allow-list: the models whose input can be counted exactly.
    counted_exactly: Vec<String>,
    last_used: LastUsed,
}

impl Source {
    /// With the key that opens stored credentials, the node's ledger, the servers, and when credentials rest.
    pub fn new(
        master: Arc<MasterKey>,
        ledger: Arc<Ledger>,
        servers: Arc<[UpstreamTarget]>,
        policy: Policy,
    ) -> Self {
        let default = |(place, server): (usize, &UpstreamTarget)| {
            let value = server.default_credential.clone();
            let usable = value.is_some() || server.keyless;
            usable.then(|| Arc::new(Credential::new(None, place, value, policy)))
        };
        let default_credentials: Vec<_> = servers.iter().enumerate().map(default).collect();
        Self {
            master,
            ledger,
            known: Known::default(),
            servers,
            policy,
            askers: Mutex::new(Vec::clone(&default_credentials)),
            default_credentials,
            counted_exactly: Vec::new(),
            last_used: LastUsed::default(),
        }
    }

    /// The same, where the input of these models can be counted exactly.
    #[must_use]
    pub fn counting_exactly(self, models: Vec<String>) -> Self {
        Self { counted_exactly: models, ..self }
    }

    /// The secrets that were used since the last time this was asked, with when, from where and by whom.
    pub fn take_last_used(&self) -> Vec<Use> {
        self.last_used.take()
    }

    /// Puts back what could not be written.
    pub fn put_back_last_used(&self, used: &[Use]) {
        self.last_used.put_back(used);
    }

    /// The keys of upstream credentials that were used since the last time this was asked.
    pub fn take_upstream_uses(&self) -> Vec<UpstreamUse> {
        self.known.take_uses(self.ledger.clock().now())
    }

    /// Puts back what could not be written.
    pub fn put_back_upstream_uses(&self, uses: &[UpstreamUse]) {
        self.known.put_back_uses(uses);
    }

    /// Forgets counters that nobody needs any more.
    pub fn forget_unused(&self, now_micros: i64) {
        self.ledger.forget_unused(now_micros);
    }

    /// Works the rules out.
    pub fn build(&self, rules: Rules) -> Snapshot {
        let catalogue = rules.catalogue();
        let served = |m: &&louver_store::models::PricedModel| m.model.status != ModelStatus::Retired;
        let exact = catalogue.allowed(Some(&self.counted_exactly));
        let models = rules.prices.models.iter().filter(served).map(|m| {
            let entry = ModelEntry {
                name: m.model.id.as_str().into(),
                prices: Prices::new(m.prices.clone()),
                counted_exactly: catalogue.find(&m.model.id).is_some_and(|(index, _)| exact.contains(index)),
            };
            (m.model.id.clone(), entry)
        });
        let models = models.collect();
        let builder = Builder::new(self, &rules, &catalogue);
        self.note_askers(&builder);
        let keys = builder.keys();
        let stored = builder.stored.values().flatten();
        let of_settings = self.default_credentials.first().into_iter().flatten();
        let credentials = stored.chain(of_settings).map(|known| (known.id, Arc::clone(known))).collect();
        let tools = rules.prices.tools.iter().map(|tool| (tool.tool.clone(), tool.prices.clone())).collect();
        Snapshot { revision: rules.revision, models, tools, keys, credentials, catalogue }
    }

    /// For each server the credential of the settings, else any that is stored.
    fn note_askers(&self, builder: &Builder<'_>) {
        let mut stored: Vec<_> = builder.stored.values().flatten().collect();
        stored.sort_by_key(|credential| credential.id);
        let asker = |(server, default): (usize, &Option<Arc<Credential>>)| {
            let of_server = || stored.iter().find(|credential| credential.server == server).copied();
            default.as_ref().or_else(of_server).cloned()
        };
        let askers = self.default_credentials.iter().enumerate().map(asker).collect();
        *self.askers.lock().unwrap_or_else(PoisonError::into_inner) = askers;
    }

    /// A credential to ask a server for its models with.
    pub(crate) fn asker(&self, server: usize) -> Option<Arc<Credential>> {
        self.askers.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned().flatten()
    }

    fn open(&self, upstream: &Upstream) -> Option<Arc<Credential>> {
        let Some(server) = servers::place_of(&self.servers, upstream.server.as_deref()) else {
            tracing::error!(upstream = %upstream.id, "an upstream credential is for a server that the settings do not name");
            return None;
        };
        let place = Place::upstream(upstream.id, upstream.organization_id);
        let opened = self.known.get(upstream.id, &upstream.sealed_key, || {
            let key = self.master.open(&place, &upstream.sealed_key).map_err(|e| e.to_string())?;
            let value =
                HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|e| e.to_string())?;
            let opened = Credential::new(Some(upstream.id), server, Some(value), self.policy);
            Ok::<_, String>(opened.known_by(self.master.pepper().fingerprint(key.expose())))
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

impl health::Watch for Source {
    fn of(&self, credential: UpstreamId) -> Option<health::Standing> {
        let clock = self.ledger.clock();
        Some(self.known.of(credential)?.standing(clock.now(), clock.monotonic_micros()))
    }
}

/// Everything that the entries of one snapshot are made from, found by id.
struct Builder<'a> {
    source: &'a Source,
    catalogue: &'a Catalogue,
    keys: &'a [ApiKey],
    old_secrets: &'a [(KeyId, OldSecret)],
    organizations: HashMap<OrganizationId, &'a Organization>,
    workspaces: HashMap<WorkspaceId, &'a Workspace>,
    users: HashMap<UserId, &'a User>,
    roles: HashMap<(OrganizationId, &'a str), &'a ModelRole>,
    member_roles: HashMap<(WorkspaceId, UserId), &'a str>,
    account_roles: HashMap<ServiceAccountId, &'a str>,
    stored: HashMap<(OrganizationId, Option<WorkspaceId>), Vec<Arc<Credential>>>,
    /// The credentials of workspaces worked out so far.
    credentials: RefCell<HashMap<(OrganizationId, WorkspaceId), Credentials>>,
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
            keys: &rules.keys,
            old_secrets: &rules.old_secrets,
            organizations: rules.organizations.iter().map(|o| (o.id, o)).collect(),
            workspaces: rules.workspaces.iter().map(|w| (w.id, w)).collect(),
            users: rules.users.iter().map(|u| (u.id, u)).collect(),
            roles: rules.roles.iter().map(|(org, role)| ((*org, role.name.as_str()), role)).collect(),
            member_roles: rules.member_roles.iter().map(|(place, role)| (*place, role.as_str())).collect(),
            account_roles: rules
                .service_accounts
                .iter()
                .filter_map(|a| Some((a.id, a.role.as_deref()?)))
                .collect(),
            stored: lists,
            credentials: RefCell::default(),
            levels: RefCell::default(),
        }
    }

    /// Every secret that may be accepted, with its key: all secrets of a key share its rules and its counters.
    fn keys(&self) -> HashMap<PublicId, (Arc<KeyEntry>, Arc<SecretEntry>)> {
        let mut keys = HashMap::with_capacity(self.keys.len().saturating_add(self.old_secrets.len()));
        let mut entries = HashMap::new();
        for key in self.keys {
            let Some(entry) = self.entry(key) else { continue };
            let secret = self.secret(key.id, key.public_id, key.fingerprint, None);
            keys.insert(key.public_id, (Arc::clone(&entry), Arc::new(secret)));
            entries.insert(key.id, entry);
        }
        for (key, old) in self.old_secrets {
            let Some(entry) = entries.get(key) else { continue };
            let secret = self.secret(*key, old.public_id, old.fingerprint, old.retires_at);
            keys.insert(old.public_id, (Arc::clone(entry), Arc::new(secret)));
        }
        keys
    }

    /// A key whose organization, workspace or person is missing gets no entry: it is refused like an unknown one.
    fn entry(&self, key: &'a ApiKey) -> Option<Arc<KeyEntry>> {
        let (user_id, user) = match key.owner {
            Owner::User(id) => (Some(id), Some(*self.users.get(&id)?)),
            Owner::Workspace | Owner::ServiceAccount(_) => (None, None),
        };
        let chain = Chain {
            organization: self.organizations.get(&key.organization_id)?,
            workspace: self.workspaces.get(&key.workspace_id)?,
            user,
            roles: self.roles_of(key)?,
            key,
        };
        let stages = chain.stages();
        let entry = KeyEntry {
            budgeted: stages.iter().any(|stage| !stage.budgets.is_empty()),
            counts_tokens: stages.iter().any(Stage::counts_tokens),
            needs_price: stages.iter().any(Stage::needs_price),
            id: key.id,
            organization_id: key.organization_id,
            workspace_id: key.workspace_id,
            user_id,
            status: key.status,
            canary: key.canary,
            expires_at: key.expires_at,
            rules: chain.call_rules(self.catalogue),
            role: chain.roles.first().map(|role| role.name.as_str().into()),
            levels: stages.into_iter().filter_map(|stage| self.level(stage)).collect(),
            credentials: self.credentials(key),
        };
        Some(Arc::new(entry))
    }

    fn secret(
        &self,
        key: KeyId,
        public_id: PublicId,
        fingerprint: Fingerprint,
        end: Option<Timestamp>,
    ) -> SecretEntry {
        let last_used = self.source.last_used.cell(Of::Api(key), public_id);
        SecretEntry { public_id, fingerprint, retires_at: end, last_used }
    }

    /// The model roles that judge a key. A role that is named and not there closes the key, since nobody knows what it
    /// would have allowed.
    fn roles_of(&self, key: &'a ApiKey) -> Option<Vec<&'a ModelRole>> {
        let of_owner = match key.owner {
            Owner::Workspace => None,
            Owner::User(id) => self.member_roles.get(&(key.workspace_id, id)).copied(),
            Owner::ServiceAccount(id) => self.account_roles.get(&id).copied(),
        };
        let role = |name| self.roles.get(&(key.organization_id, name)).copied();
        role_names(key, of_owner).map(role).collect()
    }

    /// A level, with the counters that outlive the snapshot.
    fn level(&self, stage: Stage) -> Option<Arc<LevelEntry>> {
        let Stage { scope, rates, enforced, budgets } = stage;
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

    /// For each server a workspace's own credentials, else its organization's, else the one from the settings.
    fn credentials(&self, key: &ApiKey) -> Credentials {
        let scope = (key.organization_id, key.workspace_id);
        if let Some(known) = self.credentials.borrow().get(&scope) {
            return Arc::clone(known);
        }
        let of = |workspace, server| {
            let list = self.stored.get(&(key.organization_id, workspace)).into_iter().flatten();
            list.filter(move |credential| credential.server == server).cloned()
        };
        let mut all = Vec::new();
        for (server, default) in self.source.default_credentials.iter().enumerate() {
            let before = all.len();
            all.extend(of(Some(key.workspace_id), server));
            if all.len() == before {
                all.extend(of(None, server));
            }
            if all.len() == before {
                all.extend(default.iter().cloned());
            }
        }
        let all: Credentials = all.into();
        self.credentials.borrow_mut().insert(scope, Arc::clone(&all));
        all
    }
}

/// The models that a key sees in a list, with their places.
pub(crate) fn visible<'a>(
    snapshot: &'a Snapshot,
    key: &'a KeyEntry,
) -> impl Iterator<Item = (ModelIndex, &'a louver_domain::models::Model)> {
    snapshot.catalogue.iter().filter(|(index, _)| key.rules.models.contains(*index))
}
