//! A whole Louver for one test: simulator, database, node, and an admin who sets it up over HTTP.

use crate::client::{Answer, request, send};
use crate::clock::{ManualClock, SeededEntropy};
use crate::database;
use louver::config::{self, Config, Environment};
use louver::example;
use louver::serve::{self, Node, Parts};
use louver_control::Control;
use louver_control::actions::{models, setup};
use louver_control::context::Context;
use louver_domain::secret::Secret;
use louver_domain::time::Clock;
use louver_simulator::{Model, Simulator};
use louver_store::Store;
use louver_store::models::PricedModel;
use louver_store::seal::MasterKey;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A system under test. Dropped, it ends; [`System::stop`] ends it in order.
pub struct System {
    /// The clock of the node, moved by hand.
    pub clock: Arc<ManualClock>,
    /// The upstream, with its own books.
    pub simulator: Simulator,
    /// Where the node listens.
    pub address: SocketAddr,
    /// The first admin key.
    pub admin_key: String,
    /// The id of the default workspace.
    pub workspace: String,
    /// The database, for looking behind the scenes.
    pub store: Store,
    /// The database's URL, for a second node.
    pub database_url: String,
    /// The settings of the node, for a second one.
    pub config: Config,
    node: Option<Node>,
    nodes: AtomicUsize,
    _stop_simulator: oneshot::Sender<()>,
    _folder: TempDir,
}

/// How a system differs from the usual one.
#[derive(Default)]
pub struct Setup {
    /// On a PostgreSQL database of its own, not an SQLite file.
    pub postgres: bool,
    /// Changes of the settings before the start.
    pub change: Option<fn(&mut Config)>,
    /// Changes of the upstream's settings before the start.
    pub upstream: Option<fn(&mut louver_simulator::Config)>,
    /// Further upstreams.
    pub upstreams: Vec<config::Server>,
    /// Models beside those of the built-in catalogue, as the simulator serves them and as the catalogue has them.
    pub models: Vec<(Model, PricedModel)>,
}

const START: &str = "2026-11-21T10:00:00Z";

impl System {
    /// The usual system: SQLite, one node, an organization without limits.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// A system that differs.
    pub async fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database_url =
            if setup.postgres { database::postgres() } else { database::sqlite(folder.path()) };
        let mut simulated = example::simulated(1).unwrap();
        if let Some(change) = setup.upstream {
            change(&mut simulated);
        }
        simulated.models.extend(setup.models.iter().map(|(served, _)| served.clone()));
        let simulator = Simulator::new(simulated);
        let (upstream, stop_simulator) = serve_simulator(&simulator).await;
        let mut config = config(&database_url, &folder.path().join("journal"), upstream);
        if let Some(change) = setup.change {
            change(&mut config);
        }
        config.upstreams.extend(setup.upstreams);
        let clock = Arc::new(ManualClock::at(START));
        let store = open(&database_url, &clock).await;
        store.migrate().await.unwrap();
        let control = offline(&store, &clock);
        let founded = setup::found(&control, "Test", clock.now()).await.unwrap();
        if !setup.models.is_empty() {
            let context = Context::system(founded.organization_id, clock.now());
            let mut catalogue = models::list(&control).await.unwrap().models;
            catalogue.extend(setup.models.into_iter().map(|(_, priced)| priced));
            models::replace(&control, &context, catalogue, None, true).await.unwrap();
        }
        let node = node(&config, &store, &clock, 2).await;
        Self {
            clock,
            simulator,
            address: node.address,
            admin_key: founded.admin_key.secret.expose().clone(),
            workspace: founded.default_workspace_id.to_string(),
            store,
            database_url,
            config,
            node: Some(node),
            nodes: AtomicUsize::new(1),
            _stop_simulator: stop_simulator,
            _folder: folder,
        }
    }

    /// Starts a second node on the same database, with its own handle to it.
    pub async fn second_node(&self) -> Node {
        self.second_node_with(&self.config).await
    }

    /// Starts a second node on the same database with settings of its own.
    pub async fn second_node_with(&self, config: &Config) -> Node {
        let store = open(&self.database_url, &self.clock).await;
        // Every node has a journal of its own.
        let folder =
            self._folder.path().join(format!("journal-{}", self.nodes.fetch_add(1, Ordering::SeqCst)));
        node(&Config { journal_dir: Some(folder), ..config.clone() }, &store, &self.clock, 4).await
    }

    /// Ends the node in order: calls finish, records are written. The store is closed with it.
    pub async fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().await;
        }
        self.store = open(&self.database_url, &self.clock).await;
    }

    /// Ends the node in order and starts another on the same data.
    pub async fn restart(&mut self) {
        self.stop().await;
        let node = node(&self.config, &self.store, &self.clock, 3).await;
        self.address = node.address;
        self.node = Some(node);
    }

    /// An admin request.
    pub async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|b| b.to_string().into_bytes());
        send(self.address, request(method, path, &self.admin_key, body.as_deref())).await
    }

    /// An admin request that must succeed; answers the JSON.
    pub async fn deed(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.admin(method, path, Some(body)).await;
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// Makes a key and answers its secret and its id. The fields go into the body beside a name.
    pub async fn key(&self, fields: Value) -> (String, String) {
        let mut body = json!({"name": "test"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let made = self.deed("POST", "/v1/api-keys", body).await;
        (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }

    /// A call with a JSON body.
    pub async fn post(&self, key: &str, path: &str, body: &Value) -> Answer {
        send(self.address, request("POST", path, key, Some(body.to_string().as_bytes()))).await
    }

    /// A call whose client is gone as soon as upstream has it. The answer must take its time.
    pub async fn post_and_leave(&self, key: &str, path: &str, body: &Value) {
        let before = self.simulator.calls();
        tokio::select! {
            _ = self.post(key, path, body) => {
                panic!("it was answered before anybody could leave");
            }
            () = eventually(async || (self.simulator.calls() > before).then_some(())) => {}
        }
    }

    /// A chat of one message with that model.
    pub async fn chat(&self, key: &str, model: &str) -> Answer {
        self.post(key, "/v1/chat/completions", &chat(model)).await
    }

    /// A read.
    pub async fn get(&self, key: &str, path: &str) -> Answer {
        send(self.address, request("GET", path, key, None)).await
    }
}

/// The body of a chat of one message.
pub fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
}

/// Serves a simulator for as long as the sender is kept.
pub async fn serve_simulator(simulator: &Simulator) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let simulator = simulator.clone();
    tokio::spawn(async move { simulator.serve(listener, async { drop(stopped.await) }).await });
    (address, stop)
}

/// A database that keeps time by the hand-moved clock, whatever it is.
async fn open(url: &str, clock: &Arc<ManualClock>) -> Store {
    Store::open(url, clock.clone()).await.unwrap().by_clock(clock.clone())
}

fn config(database_url: &str, journal: &Path, upstream: SocketAddr) -> Config {
    let environment: Environment = [
        ("LOUVER_LISTEN", "127.0.0.1:0".to_owned()),
        ("LOUVER_DATABASE_URL", database_url.to_owned()),
        ("LOUVER_JOURNAL_DIR", journal.display().to_string()),
        ("LOUVER_UPSTREAM_URL", format!("http://{upstream}")),
        ("LOUVER_UPSTREAM_KEY", UPSTREAM_KEY.to_owned()),
        ("LOUVER_MASTER_KEY_FILE", "unused".to_owned()),
        ("LOUVER_WORKER_THREADS", "2".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let mut config = config::load(None, &environment).unwrap();
    // Tests that count calls look at models by themselves.
    config.care.catalogue_sync = None;
    config
}

/// The upstream credential of the settings; a canary that may appear in no answer.
pub const UPSTREAM_KEY: &str = "upstream-canary-of-the-settings";

fn master() -> Arc<MasterKey> {
    Arc::new(MasterKey::new(Secret::new([42; 32])).unwrap())
}

/// A control plane without a gateway on that database.
pub fn offline(store: &Store, clock: &Arc<ManualClock>) -> Control {
    let master = master();
    let pepper = Arc::new(master.pepper());
    Control::offline(store.clone(), clock.clone(), Arc::new(SeededEntropy::new(1)), pepper, master)
}

async fn node(config: &Config, store: &Store, clock: &Arc<ManualClock>, seed: u64) -> Node {
    let parts = Parts {
        store: store.clone(),
        master: master(),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(seed)),
        boot: [1; 16],
        last_used_interval: Duration::from_millis(50),
    };
    serve::start(config, parts).await.unwrap()
}

/// Asks again and again until the answer is as wished. No sleep: each round is real work; only a test that fails
/// meets the end of patience.
pub async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let rounds = async {
        loop {
            if let Some(wished) = ask().await {
                return wished;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), rounds).await.expect("it happens in time")
}
