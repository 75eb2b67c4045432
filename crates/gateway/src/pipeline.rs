//! A call from its first byte to its answer: the list of its steps, each in its own file.

use crate::admit::{admit, admit_reading, kind};
use crate::authn::{Caller, authenticate};
use crate::forward::forward;
use crate::ledger::{Allowance, Ledger};
use crate::reply::{self, Body, Failure};
use crate::settings::Settings;
use crate::settle::{UsageWriter, Written};
use crate::snapshot::Snapshot;
use crate::upstream::Pool;
use crate::{edge, intake, listing};
use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use louver_domain::entropy::Entropy;
use louver_domain::id::{OrganizationId, RequestId, RequestIds, UpstreamId};
use louver_domain::keys::Pepper;
use louver_domain::time::{Clock, Timestamp};
use louver_mistral::endpoints::{Endpoint, Route, route};
use louver_store::Store;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::pin::Pin;
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
    pepper: Arc<Pepper>,
    request_ids: RequestIds,
    ledger: Arc<Ledger>,
    usage: mpsc::Sender<Written>,
    fallback: Fallback,
    /// Credentials that upstream rejected; `None` is the one from the settings.
    rejections: Mutex<BTreeSet<(OrganizationId, Option<UpstreamId>)>>,
    rejected: Notify,
}

impl Gateway {
    /// A gateway with its first snapshot, and the writer of what its calls used.
    pub fn new(
        settings: Settings,
        state: State,
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        fallback: Fallback,
    ) -> (Arc<Self>, UsageWriter) {
        let State { snapshot, ledger, pepper } = state;
        let (usage, records) = mpsc::channel(settings.usage_capacity);
        let request_ids = RequestIds::new(entropy);
        let snapshot = ArcSwap::from_pointee(snapshot);
        let writer = UsageWriter::new(records, Arc::clone(&ledger), store);
        let gateway = Self {
            settings,
            snapshot,
            clock,
            pepper,
            request_ids,
            ledger,
            usage,
            fallback,
            rejections: Mutex::default(),
            rejected: Notify::new(),
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

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    pub(crate) const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
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
        match route(request.method().as_str(), request.uri().path()) {
            Route::Call(Endpoint::ListModels) => {
                let caller = self.reading(visitor, &request)?;
                Ok(reply::json(listing::all(&caller.0), caller.1))
            }
            Route::Model(id) => {
                let (caller, allowance) = self.reading(visitor, &request)?;
                listing::one(&caller, id).map(|card| reply::json(card, allowance)).ok_or(Failure::NoSuchModel)
            }
            Route::Call(endpoint) => self.call(pool, visitor, endpoint, request).await,
            Route::MethodNotAllowed(allow) => Err(Failure::MethodNotAllowed { allow }),
            Route::NotFound => Ok((self.fallback)(visitor, plane, request).await),
        }
    }

    /// A call to a model.
    async fn call(
        self: &Arc<Self>,
        pool: &Pool,
        visitor: Visitor,
        endpoint: Endpoint,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Failure> {
        let (head, body) = request.into_parts();
        let caller = authenticate(self, &head.headers, visitor.now)?;
        edge::no_query(&head.uri)?;
        louver_domain::admission::may_call(&caller.key.rules, visitor.address, kind(endpoint))
            .map_err(Failure::Refused)?;
        let ask = intake::read(&self.settings, endpoint, &head.headers, body).await?;
        let admitted = admit(self, &visitor, &caller, ask).await?;
        let answered = forward(self, pool, admitted).await?;
        Ok(reply::relay(answered, &self.settings.timeouts))
    }

    /// A request that only reads the rules.
    fn reading(&self, visitor: Visitor, request: &Request<Incoming>) -> Result<(Caller, Allowance), Failure> {
        let caller = authenticate(self, request.headers(), visitor.now)?;
        edge::no_body(request.headers())?;
        let allowance = admit_reading(self, &visitor, &caller)?;
        Ok((caller, allowance))
    }
}
