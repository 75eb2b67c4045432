//! A call from its first byte to its answer: the list of its steps, each in its own file.

use crate::admit::{admit_free, kind};
use crate::authn::{again, authenticate};
use crate::ledger::Ledger;
use crate::objects::fine_tuned;
use crate::reply::{self, Body, Failure};
use crate::settings::Settings;
use crate::settle::{UsageWriter, Written};
use crate::snapshot::Snapshot;
use crate::spool::Spools;
use crate::upstream::Pool;
use crate::{attempts, edge, intake, listing, objects, realtime, references, uploads};
use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use louver_domain::endpoints::EndpointKind;
use louver_domain::entropy::Entropy;
use louver_domain::id::{KeyId, OrganizationId, RequestId, RequestIds, UpstreamId};
use louver_domain::keys::Pepper;
use louver_domain::time::{Clock, Timestamp};
use louver_mistral::endpoints::{Asked, Class, Endpoint, Route, route, with_colons};
use louver_mistral::query;
use louver_store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};

/// Where a request comes from and how it is called: the same for both planes.
#[derive(Clone, Copy, Debug)]
pub struct Visitor {
    /// The id of the request, which is also its answer's.
    pub request_id: RequestId,
    /// The address of the connection's other end.
    pub address: IpAddr,
    /// When the request came in.
    pub now: Timestamp,
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Calls to models, and the admin side.
    Both,
    /// Calls to models only.
    Data,
    /// The admin side only.
    Admin,
}

/// Answers what is no call to a model: the admin side where the plane has one, and health.
pub type Fallback = Arc<
    dyn Fn(Visitor, Plane, Request<Incoming>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>>
        + Send
        + Sync,
>;

/// What a gateway decides by.
pub struct State {
    /// The rules to begin with.
    pub snapshot: Snapshot,
    /// The node's ledger.
    pub ledger: Arc<Ledger>,
    /// What keys are compared with.
    pub pepper: Arc<Pepper>,
}

/// The data plane of one node, shared by its workers.
pub struct Gateway {
    settings: Settings,
    snapshot: ArcSwap<Snapshot>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    spools: Arc<Spools>,
    pepper: Arc<Pepper>,
    request_ids: RequestIds,
    ledger: Arc<Ledger>,
    usage: mpsc::Sender<Written>,
    store: Store,
    fallback: Fallback,
    /// Credentials that upstream rejected; `None` is the one from the settings.
    rejections: Mutex<BTreeSet<(OrganizationId, Option<UpstreamId>)>>,
    rejected: Notify,
    /// Baits that somebody tried, and from where first.
    baits: Mutex<BTreeMap<(OrganizationId, KeyId), IpAddr>>,
    taken_bait: Notify,
    /// Where the drawing of lots stands.
    lots: AtomicU64,
}

impl Gateway {
    /// A gateway with its first snapshot, and the writer of what its calls used.
    pub fn new(
        settings: Settings,
        state: State,
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        fallback: Fallback,
    ) -> (Arc<Self>, UsageWriter) {
        let State { snapshot, ledger, pepper } = state;
        let (usage, records) = mpsc::channel(settings.usage_capacity);
        let mut seed = [0; 8];
        entropy.fill(&mut seed);
        let request_ids = RequestIds::new(&*entropy);
        let spools = Spools::new(settings.spool_dir.clone(), settings.bounds.spool_bytes);
        let snapshot = ArcSwap::from_pointee(snapshot);
        let writer = UsageWriter::new(records, Arc::clone(&ledger), store.clone());
        let gateway = Self {
            settings,
            snapshot,
            clock,
            entropy,
            spools,
            pepper,
            request_ids,
            ledger,
            usage,
            store,
            fallback,
            rejections: Mutex::default(),
            rejected: Notify::new(),
            baits: Mutex::default(),
            taken_bait: Notify::new(),
            lots: AtomicU64::new(u64::from_le_bytes(seed)),
        };
        (Arc::new(gateway), writer)
    }

    /// Swaps the rules, whole.
    pub fn swap(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }

    /// Upstream rejected a credential of that organization.
    pub(crate) fn note_rejection(&self, organization: OrganizationId, upstream: Option<UpstreamId>) {
        let mut rejections = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        if rejections.insert((organization, upstream)) {
            self.rejected.notify_one();
        }
    }

    /// Answers when a credential was rejected.
    pub async fn rejection(&self) {
        self.rejected.notified().await;
    }

    /// The credentials that were rejected since this was last asked.
    pub fn take_rejections(&self) -> BTreeSet<(OrganizationId, Option<UpstreamId>)> {
        std::mem::take(&mut self.rejections.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Somebody tried a key that is a bait.
    pub(crate) fn note_bait(&self, organization: OrganizationId, key: KeyId, from: IpAddr) {
        let mut baits = self.baits.lock().unwrap_or_else(PoisonError::into_inner);
        baits.entry((organization, key)).or_insert(from);
        self.taken_bait.notify_one();
    }

    /// Answers when a bait was tried.
    pub async fn bait(&self) {
        self.taken_bait.notified().await;
    }

    /// The baits that were tried since this was last asked, and from where first.
    pub fn take_baits(&self) -> BTreeMap<(OrganizationId, KeyId), IpAddr> {
        std::mem::take(&mut self.baits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The id of a request, or of what continues one.
    pub(crate) fn next_request_id(&self) -> RequestId {
        self.request_ids.next(self.clock.now())
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// A number by lot, for what must not happen on all nodes at once; no secret (SplitMix64).
    pub(crate) fn lot(&self) -> u64 {
        let mut lot = self.lots.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        lot = (lot ^ (lot >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        lot = (lot ^ (lot >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        lot ^ (lot >> 31)
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Where files are set aside.
    pub(crate) const fn spools(&self) -> &Arc<Spools> {
        &self.spools
    }

    pub(crate) const fn pepper(&self) -> &Arc<Pepper> {
        &self.pepper
    }

    pub(crate) const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The database, for what calls name and for what they make; calls that name nothing do not ask it.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// A place for one entry, or `None` when entries cannot be stored as fast as they come.
    pub(crate) fn usage_place(&self) -> Option<mpsc::OwnedPermit<Written>> {
        self.usage.clone().try_reserve_owned().ok()
    }

    /// Answers one request of a connection.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        pool: &Pool,
        plane: Plane,
        address: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let now = self.clock.now();
        let visitor = Visitor { request_id: self.request_ids.next(now), address, now };
        let chunked = request.headers().contains_key(http::header::TRANSFER_ENCODING);
        // Boxed, since a future of this size would be copied at each step of the connection's machinery.
        let response = match Box::pin(self.dispatch(pool, plane, visitor, request)).await {
            Ok(response) => response,
            Err(failure) => reply::refuse(&visitor, &self.settings, failure),
        };
        reply::finish(response, &visitor, chunked)
    }

    async fn dispatch(
        self: &Arc<Self>,
        pool: &Pool,
        plane: Plane,
        visitor: Visitor,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Failure> {
        edge::check(&request)?;
        if plane == Plane::Admin {
            return Ok((self.fallback)(visitor, plane, request).await);
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let path = with_colons(uri.path());
        match route(method.as_str(), &path) {
            Route::Asked(asked) => match asked.endpoint.row().class {
                Class::Models => self.models(pool, visitor, &asked, &request).await,
                Class::Call => self.call(pool, visitor, &asked, request).await,
                Class::Object => Box::pin(objects::answer(self, pool, visitor, &asked, request)).await,
                Class::Upload => Box::pin(uploads::answer(self, pool, visitor, &asked, request)).await,
                Class::Socket => Box::pin(realtime::answer(self, pool, visitor, request)).await,
            },
            Route::MethodNotAllowed(allow) => Err(Failure::MethodNotAllowed { allow: allow.into() }),
            Route::NotFound => Ok((self.fallback)(visitor, plane, request).await),
        }
    }

    /// The models that the key may use, or one of them.
    async fn models(
        &self,
        pool: &Pool,
        visitor: Visitor,
        asked: &Asked<'_>,
        request: &Request<Incoming>,
    ) -> Result<Response<Body>, Failure> {
        let caller = authenticate(self, request.headers(), &visitor)?;
        edge::no_body(request.headers())?;
        let allowance = admit_free(self, &visitor, &caller, EndpointKind::Models)?;
        if asked.endpoint == Endpoint::ListModels {
            let asked = query::read(request.uri().query(), listing::PARAMETERS).map_err(Failure::Query)?;
            return Ok(reply::json(listing::all(&caller, &asked), allowance));
        }
        if let Some(model) = fine_tuned::own(&caller, asked.id()) {
            return Box::pin(fine_tuned::card(self, pool, &caller, model, allowance)).await;
        }
        let card = listing::one(&caller, asked.id());
        card.map(|card| reply::json(card, allowance)).ok_or(Failure::NoSuchModel)
    }

    /// A call to a model.
    async fn call(
        self: &Arc<Self>,
        pool: &Pool,
        visitor: Visitor,
        asked: &Asked<'_>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Failure> {
        let (head, body) = request.into_parts();
        let caller = authenticate(self, &head.headers, &visitor)?;
        edge::no_query(&head.uri)?;
        louver_domain::admission::may_call(&caller.key.rules, visitor.address, kind(asked.endpoint))
            .map_err(Failure::Refused)?;
        let ask = intake::read(&self.settings, asked.endpoint, &head.headers, body).await?;
        // A body may take its time: the rules of now hold, and not those of its first byte.
        let caller = again(self, &caller, self.clock.now())?;
        let public = self.settings.public_host.as_deref();
        edge::not_ourselves(&ask.request.hosts, &head.uri, &head.headers, public)?;
        let resolved = references::resolve(self, &caller, asked, &ask).await?;
        let heard = attempts::run(self, pool, &visitor, &caller, ask, &resolved).await?;
        Ok(reply::heard(heard, &self.settings.timeouts))
    }
}
