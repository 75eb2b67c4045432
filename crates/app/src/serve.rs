//! Starts a node and stops it: listeners, workers, jobs, and the order in which they end.

use crate::config::Config;
use crate::{jobs, master_key, outbound, upstream};
use axum::Router;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use louver_control::Control;
use louver_control::context::RequestContext;
use louver_domain::entropy::Entropy;
use louver_domain::time::Clock;
use louver_gateway::{
    Body, Fallback, Gateway, Plane, Settings, Source, UpstreamTarget, UsageWriter, Visitor, Workers,
};
use louver_store::seal::MasterKey;
use louver_store::{Store, snapshot};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// What a node is made of, besides its settings.
pub struct Parts {
    /// The database, opened and migrated.
    pub store: Store,
    /// The key that opens stored secrets.
    pub master: Arc<MasterKey>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How often last-used times are written down; at most 60 seconds.
    pub last_used_interval: Duration,
}

/// How often last-used times are written down.
pub const LAST_USED_INTERVAL: Duration = Duration::from_secs(20);

/// For an admin request as a whole, its body included.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A node that serves.
pub struct Node {
    /// The address of the listener.
    pub address: SocketAddr,
    /// The address of the admin listener, when it has one of its own.
    pub admin_address: Option<SocketAddr>,
    store: Store,
    stop: watch::Sender<bool>,
    stop_writer: watch::Sender<bool>,
    workers: Arc<Workers>,
    listeners: Vec<JoinHandle<()>>,
    jobs: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
}

/// Opens the database and the master key that the settings name.
pub async fn parts(
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Parts, String> {
    let master = Arc::new(master_key::read(&config.master_key_file)?);
    let store = Store::open(&config.database_url).await.map_err(|e| e.to_string())?;
    store.migrate().await.map_err(|e| e.to_string())?;
    Ok(Parts { store, master, clock, entropy, last_used_interval: LAST_USED_INTERVAL })
}

/// Starts a node; when this returns, it answers.
pub async fn start(config: &Config, parts: Parts) -> Result<Node, String> {
    let settings = settings(config, upstream::target(config)?)?;
    let Parts { store, master, clock, entropy, last_used_interval } = parts;
    let source = Arc::new(Source::new(Arc::clone(&master), settings.upstream.default_credential.clone()));
    let rules = snapshot::load(&store).await.map_err(|e| e.to_string())?;
    let (applied, seen) = watch::channel(rules.revision);
    let pepper = Arc::new(master.pepper());
    let control = Arc::new(Control {
        store: store.clone(),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        pepper: Arc::clone(&pepper),
        master,
        applied: seen,
        outbound: Arc::new(outbound::from(config)?),
    });
    let fallback = fallback(louver_control::router(Arc::clone(&control)));
    let first = source.build(rules);
    let (gateway, writer) =
        Gateway::new(settings.clone(), first, store.clone(), Arc::clone(&clock), &*entropy, pepper, fallback);
    let (stop, stopped) = watch::channel(false);
    let (stop_writer, writer_stopped) = watch::channel(false);
    let jobs = vec![
        tokio::spawn(louver_control::delivery::run(control, stopped.clone())),
        tokio::spawn(jobs::follow_rules(
            store.clone(),
            Arc::clone(&source),
            Arc::clone(&gateway),
            applied,
            stopped.clone(),
        )),
        tokio::spawn(jobs::write_last_used(
            store.clone(),
            source,
            clock,
            last_used_interval,
            writer_stopped.clone(),
        )),
    ];
    let workers = Arc::new(Workers::start(&gateway).map_err(|e| e.to_string())?);
    let mut node = Node {
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        admin_address: None,
        store,
        stop,
        stop_writer,
        workers,
        listeners: Vec::new(),
        jobs,
        writer: tokio::spawn(run_writer(writer, writer_stopped)),
    };
    let plane = if config.admin_listen.is_some() { Plane::Data } else { Plane::Both };
    node.address = node.listen(&config.listen, plane, &settings).await?;
    if let Some(address) = &config.admin_listen {
        node.admin_address = Some(node.listen(address, Plane::Admin, &settings).await?);
    }
    Ok(node)
}

async fn run_writer(writer: UsageWriter, mut stopped: watch::Receiver<bool>) {
    writer.run(async move { drop(stopped.wait_for(|stop| *stop).await) }).await;
}

impl Node {
    async fn listen(
        &mut self,
        address: &str,
        plane: Plane,
        settings: &Settings,
    ) -> Result<SocketAddr, String> {
        let listener =
            TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}"))?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let (settings, workers) = (settings.clone(), Arc::clone(&self.workers));
        let mut stopped = self.stop.subscribe();
        self.listeners.push(tokio::spawn(async move {
            let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
            louver_gateway::serve(listener, plane, &settings, &workers, stop).await;
        }));
        Ok(address)
    }

    /// Stops: no new connections, running calls finish within the drain time, then every record is written.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for listener in self.listeners {
            drop(listener.await);
        }
        if let Some(workers) = Arc::into_inner(self.workers) {
            drop(tokio::task::spawn_blocking(move || workers.drain()).await);
        }
        self.stop_writer.send_replace(true);
        drop(self.writer.await);
        for job in self.jobs {
            drop(job.await);
        }
        self.store.close().await;
    }
}

/// Answers what the data plane has no endpoint for. The admin side runs on the program's own event loop, so that it
/// never holds up a worker.
fn fallback(router: Router) -> Fallback {
    let handle = tokio::runtime::Handle::current();
    Arc::new(move |visitor, plane, request| {
        let (router, handle) = (router.clone(), handle.clone());
        Box::pin(async move {
            match request.uri().path() {
                "/healthz" | "/readyz" => full(StatusCode::OK, b"{\"status\":\"ok\"}"),
                _ if plane == Plane::Data => full(StatusCode::NOT_FOUND, louver_mistral::error::NO_ROUTE),
                _ => admin(router, &handle, visitor, request).await,
            }
        })
    })
}

async fn admin(
    router: Router,
    handle: &tokio::runtime::Handle,
    visitor: Visitor,
    request: Request<Incoming>,
) -> Response<Body> {
    let mut request = request.map(axum::body::Body::new);
    request
        .extensions_mut()
        .insert(RequestContext { request_id: visitor.request_id, address: visitor.address });
    let mut task = handle.spawn(router.oneshot(request));
    let Ok(finished) = tokio::time::timeout(ADMIN_TIMEOUT, &mut task).await else {
        task.abort();
        return full(StatusCode::REQUEST_TIMEOUT, b"{\"detail\":\"The request took too long\"}");
    };
    match finished {
        Ok(Ok(response)) => response.map(|body| Body::Boxed(body.map_err(Into::into).boxed_unsync())),
        Ok(Err(never)) => match never {},
        Err(error) => {
            tracing::error!(%error, "an admin request did not finish");
            full(StatusCode::INTERNAL_SERVER_ERROR, b"{\"detail\":\"Internal error\"}")
        }
    }
}

fn full(status: StatusCode, body: &'static [u8]) -> Response<Body> {
    let mut response = Response::new(Body::Full(Some(bytes::Bytes::from_static(body))));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

fn settings(config: &Config, upstream: UpstreamTarget) -> Result<Settings, String> {
    let tls = config.tls.as_ref().map(|(certificate, key)| server_tls(certificate, key)).transpose()?;
    Ok(Settings {
        upstream,
        timeouts: config.timeouts,
        max_body_bytes: config.max_body_bytes,
        min_body_rate: config.min_body_bytes_per_second,
        max_connections: config.max_connections,
        max_connections_per_address: config.max_connections_per_address,
        worker_threads: config.worker_threads,
        tls: tls.map(Arc::new),
        usage_capacity: config.usage_queue,
        credential_rest_seconds: config.credential_rest_seconds,
    })
}

fn server_tls(certificate: &Path, key: &Path) -> Result<rustls::ServerConfig, String> {
    let shown = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|e| shown(certificate, &e))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| shown(key, &e))?;
    let builder = rustls::ServerConfig::builder().with_no_client_auth();
    let mut config = builder.with_single_cert(chain, private).map_err(|e| shown(certificate, &e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
