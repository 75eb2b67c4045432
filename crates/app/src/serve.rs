//! Starts a node and stops it: listeners, workers, jobs, and the order in which they end.

use crate::config::{Config, NO_JOURNAL, UpstreamKey};
use crate::{admin_side, boot, jobs, master_key, outbound, upstream};
use louver_control::Control;
use louver_control::auditing::{self, Auditing};
use louver_control::rotating::{Reached, UpstreamServer};
use louver_control::session::Cookie;
use louver_domain::entropy::Entropy;
use louver_domain::health::Watch;
use louver_domain::id::NodeId;
use louver_domain::ledger::InHand;
use louver_domain::secret::Secret;
use louver_domain::time::Clock;
use louver_gateway::{
    ExactInput, Gateway, Ledger, Lookout, Plane, Refiller, Settings, Source, State, UpstreamTarget,
    UsageWriter, Workers,
};
use louver_mistral::tokenizer::Tokenizer;
use louver_store::journal::{self, Journal};
use louver_store::ledger::recovery::{self, Recovered};
use louver_store::seal::MasterKey;
use louver_store::{Store, snapshot};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a node is made of, besides its settings.
#[derive(Clone)]
pub struct Parts {
    /// The database, opened and migrated.
    pub store: Store,
    /// The key that opens stored secrets.
    pub master: Arc<MasterKey>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Which start of the machine this is.
    pub boot: [u8; 16],
    /// How often last-used times are written down; at most 60 seconds.
    pub last_used_interval: Duration,
}

/// How often last-used times are written down.
pub const LAST_USED_INTERVAL: Duration = Duration::from_secs(20);

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
    refiller: JoinHandle<()>,
    stop_refiller: watch::Sender<bool>,
    ledger: Arc<Ledger>,
}

/// Opens the database and the master key that the settings name.
pub async fn parts(
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Result<Parts, String> {
    let master = Arc::new(master_key::read(&config.master_key_file)?);
    let store = Store::open(&config.database_url, Arc::clone(&clock)).await.map_err(|e| e.to_string())?;
    store.migrate().await.map_err(|e| e.to_string())?;
    let boot = boot::id(&*entropy);
    Ok(Parts { store, master, clock, entropy, boot, last_used_interval: LAST_USED_INTERVAL })
}

/// Starts a node; when this returns, it answers.
pub async fn start(config: &Config, parts: Parts) -> Result<Node, String> {
    let settings = settings(config, upstream::targets(config)?)?;
    let Parts { store, master, clock, entropy, boot, last_used_interval } = parts;
    let journal = open_journal(config, &store, &*clock, &*entropy, boot).await?;
    let (ledger, refiller) = Ledger::new(journal, store.clone(), Arc::clone(&clock));
    let source = source(&settings, &master, &ledger);
    let rules = snapshot::load(&store).await.map_err(|e| e.to_string())?;
    let (applied, seen) = watch::channel(rules.revision);
    let pepper = Arc::new(master.pepper());
    let control = Control {
        in_hand: Some(Arc::clone(&ledger) as Arc<dyn InHand>),
        upstreams: Some(Arc::clone(&source) as Arc<dyn Watch>),
        applied: seen,
        ..Control::offline(
            store.clone(),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            Arc::clone(&pepper),
            master,
        )
    };
    let control = Arc::new(with_settings(control, config)?);
    control.rotating.upstreams_are(upstream_servers(config));
    let outbound = Arc::clone(&control.outbound);
    let fallback = admin_side::of(config, &control)?;
    let state = State { snapshot: source.build(rules), ledger: Arc::clone(&ledger), pepper };
    let (gateway, writer) = Gateway::new(
        settings.clone(),
        state,
        store.clone(),
        Arc::clone(&clock),
        Arc::clone(&entropy),
        fallback,
    );
    let (stop, stopped) = watch::channel(false);
    let (stop_writer, writer_stopped) = watch::channel(false);
    let (stop_refiller, refiller_stopped) = watch::channel(false);
    let beside = Beside {
        store: store.clone(),
        source,
        ledger: Arc::clone(&ledger),
        clock,
        last_used_interval,
        batch_poll: config.batch_poll,
        catalogue_sync: config.care.catalogue_sync,
        document_poll: config.document_poll,
    };
    let jobs = beside.spawn(&gateway, &control, applied, &stopped, &writer_stopped);
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
        refiller: tokio::spawn(run_refiller(refiller, refiller_stopped)),
        stop_refiller,
        ledger,
    };
    node.open(config, &settings).await?;
    outbound.reached_at(public_url(config, node.admin_address.unwrap_or(node.address)));
    control.rotating.reached_at(tried_at(config, &node));
    drop(control);
    Ok(node)
}

/// The control plane as the settings want it.
fn with_settings(control: Control, config: &Config) -> Result<Control, String> {
    Ok(Control {
        outbound: Arc::new(outbound::from(config)?),
        max_active_workspaces: config.max_active_workspaces,
        servers: config.upstreams.iter().map(|server| server.name.clone()).collect(),
        max_tool_calls: config.bounds.tool_calls,
        audit: Arc::new(Auditing::new(config.audit.clone())),
        destinations: config.destinations.clone(),
        retention: config.retention,
        cookie: Cookie { secure: is_secure(config) },
        ..control
    })
}

/// The upstream servers as rotations of their keys reach them.
fn upstream_servers(config: &Config) -> Vec<UpstreamServer> {
    let key = |key: Option<&UpstreamKey>| key.map(|key| Secret::new(key.expose().to_owned()));
    let first = UpstreamServer {
        name: None,
        url: config.upstream_url.clone(),
        key: key(config.upstream_key.as_ref()),
    };
    let named = config.upstreams.iter().map(|server| UpstreamServer {
        name: Some(server.name.clone()),
        url: server.url.clone(),
        key: key(server.key.as_ref()),
    });
    std::iter::once(first).chain(named).collect()
}

/// Whether people reach the console by TLS.
fn is_secure(config: &Config) -> bool {
    config.tls.is_some() || config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
}

/// What the rules of a snapshot are made from.
fn source(settings: &Settings, master: &Arc<MasterKey>, ledger: &Arc<Ledger>) -> Arc<Source> {
    let counted = settings.exact_input.as_ref().map_or_else(Vec::new, |exact| exact.models.clone());
    let servers = Arc::clone(&settings.servers);
    let source = Source::new(Arc::clone(master), Arc::clone(ledger), servers, settings.health);
    Arc::new(source.counting_exactly(counted))
}

/// The host of the address that was set.
fn public_host(config: &Config) -> Option<String> {
    let uri: http::Uri = config.public_url.as_deref()?.parse().ok()?;
    uri.host().map(str::to_owned)
}

/// Where people reach the admin side: where the settings say, or else its listener.
fn public_url(config: &Config, admin_side: SocketAddr) -> String {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{admin_side}"))
}

/// Where new secrets are tried: where the settings say, or else the node's own listeners.
fn tried_at(config: &Config, node: &Node) -> Reached {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let own = |mut address: SocketAddr| {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        format!("{scheme}://{address}")
    };
    let calls = config.rotation_verify_url.clone().unwrap_or_else(|| own(node.address));
    // Where the admin side has a listener of its own, what serves calls does not serve it.
    let admin = node.admin_address.map_or_else(|| calls.clone(), own);
    Reached { calls, admin }
}

/// What the jobs beside the calls work with.
struct Beside {
    store: Store,
    source: Arc<Source>,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    last_used_interval: Duration,
    batch_poll: Duration,
    catalogue_sync: Option<Duration>,
    document_poll: Duration,
}

impl Beside {
    /// Starts the jobs. Times of use are still written when calls have ended.
    fn spawn(
        self,
        gateway: &Arc<Gateway>,
        control: &Arc<Control>,
        applied: watch::Sender<i64>,
        stopped: &watch::Receiver<bool>,
        writer_stopped: &watch::Receiver<bool>,
    ) -> Vec<JoinHandle<()>> {
        let Self {
            store,
            source,
            ledger,
            clock,
            last_used_interval,
            batch_poll,
            catalogue_sync,
            document_poll,
        } = self;
        let (gateway, control) = (Arc::clone(gateway), Arc::clone(control));
        let compare = catalogue_sync.map(|interval| {
            let lookout = Lookout::new(&gateway, &source);
            tokio::spawn(jobs::compare_models(lookout, Arc::clone(&control), interval, stopped.clone()))
        });
        let follow = jobs::follow_rules(
            store.clone(),
            Arc::clone(&source),
            Arc::clone(&gateway),
            ledger,
            applied,
            stopped.clone(),
        );
        let mut jobs = vec![
            tokio::spawn(louver_control::delivery::run(Arc::clone(&control), stopped.clone())),
            tokio::spawn(louver_control::alerting::run(Arc::clone(&control), stopped.clone())),
            tokio::spawn(louver_control::key_watch::run(Arc::clone(&control), stopped.clone())),
            tokio::spawn(louver_control::rotating::run(Arc::clone(&control), stopped.clone())),
            tokio::spawn(louver_control::retention::run(Arc::clone(&control), stopped.clone())),
            tokio::spawn(auditing::run(Arc::clone(&control), writer_stopped.clone())),
            tokio::spawn(jobs::settle_documents(Arc::clone(&gateway), document_poll, stopped.clone())),
            tokio::spawn(jobs::charge_kept_models(
                store.clone(),
                Arc::clone(&clock),
                last_used_interval,
                stopped.clone(),
            )),
            tokio::spawn(jobs::settle_batches(Arc::clone(&gateway), batch_poll, stopped.clone())),
            tokio::spawn(jobs::tell_rejections(Arc::clone(&gateway), Arc::clone(&control), stopped.clone())),
            tokio::spawn(jobs::tell_baits(gateway, control, stopped.clone())),
            tokio::spawn(follow),
            tokio::spawn(jobs::write_last_used(
                store,
                source,
                clock,
                last_used_interval,
                writer_stopped.clone(),
            )),
        ];
        jobs.extend(compare);
        jobs
    }
}

/// Opens the node's journal and settles what an earlier process left in it.
async fn open_journal(
    config: &Config,
    store: &Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    boot: [u8; 16],
) -> Result<Journal, String> {
    let mut epoch = [0; 8];
    entropy.fill(&mut epoch);
    // Positive, so that it reads well in the database.
    let epoch = i64::from_be_bytes(epoch) & i64::MAX;
    let fresh = NodeId::new(clock.now(), entropy);
    let folder = config.journal_dir.as_ref().ok_or(NO_JOURNAL)?;
    let (journal, found) = journal::open(folder, fresh, epoch, boot, config.durability)
        .map_err(|error| format!("the journal in {}: {error}", folder.display()))?;
    let recovered = recovery::recover(store, journal.identity().node, epoch, &found).await;
    let recovered = recovered.map_err(|error| format!("the journal cannot be settled: {error}"))?;
    found.forget().map_err(|error| format!("the journal in {}: {error}", folder.display()))?;
    if recovered != Recovered::default() {
        tracing::warn!(?recovered, "an earlier process did not end in order; its journal is settled");
    }
    Ok(journal)
}

async fn run_refiller(refiller: Refiller, mut stopped: watch::Receiver<bool>) {
    refiller.run(async move { drop(stopped.wait_for(|stop| *stop).await) }).await;
}

async fn run_writer(writer: UsageWriter, mut stopped: watch::Receiver<bool>) {
    writer.run(async move { drop(stopped.wait_for(|stop| *stop).await) }).await;
}

impl Node {
    /// Listens where the settings say.
    async fn open(&mut self, config: &Config, settings: &Settings) -> Result<(), String> {
        let plane = if config.admin_listen.is_some() { Plane::Data } else { Plane::Both };
        self.address = self.listen(&config.listen, plane, settings).await?;
        if let Some(address) = &config.admin_listen {
            self.admin_address = Some(self.listen(address, Plane::Admin, settings).await?);
        }
        Ok(())
    }

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
        self.stop_refiller.send_replace(true);
        drop(self.refiller.await);
        for job in self.jobs {
            drop(job.await);
        }
        let ledger = self.ledger;
        drop(tokio::task::spawn_blocking(move || ledger.close_journal()).await);
        self.store.close().await;
    }

    /// Answers when the node can no longer keep its books: the process must end then, and with an error.
    pub async fn failed(&self) {
        self.ledger.failed().await;
    }
}

fn settings(config: &Config, servers: Arc<[UpstreamTarget]>) -> Result<Settings, String> {
    let tls = config.tls.as_ref().map(|(certificate, key)| server_tls(certificate, key)).transpose()?;
    Ok(Settings {
        servers,
        retries: config.care.retries,
        health: config.care.health,
        timeouts: config.timeouts,
        max_body_bytes: config.max_body_bytes,
        min_body_rate: config.min_body_bytes_per_second,
        max_connections: config.max_connections,
        max_connections_per_address: config.max_connections_per_address,
        worker_threads: config.worker_threads,
        tls: tls.map(Arc::new),
        usage_capacity: config.usage_queue,
        exact_input: config.tokenizer.as_ref().map(exact_input).transpose()?,
        budget_refusal_status: config.budget_refusal_status,
        spool_dir: config.spool_dir.clone(),
        bounds: config.bounds,
        public_host: public_host(config),
    })
}

fn exact_input((path, models): &(PathBuf, Vec<String>)) -> Result<ExactInput, String> {
    let shown = |error: &dyn std::fmt::Display| format!("tokenizer.file {}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|e| shown(&e))?;
    let tokenizer = Arc::new(Tokenizer::from_tekken(&bytes).map_err(|e| shown(&e))?);
    Ok(ExactInput { tokenizer, models: models.clone() })
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
