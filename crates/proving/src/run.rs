//! One run: an installation, clients with a plan, blows on the way, and the books held against each other at the end.

mod crash_loop;
mod full_disk;
mod report;
mod stage;

use crate::caller::Tally;
use crate::cluster::Cluster;
use crate::faults::Blow;
use crate::installation::Database;
use crate::scene::Scene;
use crate::workload::Mix;
use louver_domain::money::Money;
use stage::Stage;
use std::path::PathBuf;
use tokio::sync::watch;
use tokio::time::Instant;

pub use crash_loop::crash_loop;
pub use full_disk::full_disk;
pub use report::{Report, Restart};
pub use stage::standings;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Order {
    /// Everything follows from it, but for the order in which things happen to run.
    pub seed: u64,
    /// Clients at the same time.
    pub clients: usize,
    /// Calls of all clients together at most.
    pub calls: u64,
    /// Whether a client ends when it is told that a budget is spent.
    pub until_spent: bool,
    /// What the calls are made of.
    pub mix: Mix,
    /// The organization.
    pub scene: Scene,
    /// The database.
    pub database: Database,
    /// Processes of the program on that database; more than one needs PostgreSQL.
    pub nodes: usize,
    /// What happens on the way, and how often.
    pub blows: Vec<(Blow, u64)>,
    /// How many calls are expected to reach upstream; blows are spread over them.
    pub expected: u64,
    /// The program; by default the one beside this.
    pub program: Option<PathBuf>,
    /// Variables of its environment beside the usual.
    pub environment: Vec<(&'static str, String)>,
}

impl Order {
    /// A run without blows on SQLite.
    pub fn new(seed: u64, clients: usize, calls: u64, mix: Mix, scene: Scene) -> Self {
        Self {
            seed,
            clients,
            calls,
            until_spent: false,
            mix,
            scene,
            database: Database::Sqlite,
            nodes: 1,
            blows: Vec::new(),
            expected: calls,
            program: None,
            environment: Vec::new(),
        }
    }

    /// Everything that clients and upstream may do, in an organization with budgets on every level; some are used up.
    pub fn wild(seed: u64, clients: usize, calls: u64) -> Self {
        // In this mix a call costs about 40,000 nano-dollars.
        let scale = Money::from_nanos(i64::try_from(calls).expect("a sensible number") * 40_000);
        // Budgets run out about half way.
        let order = Self::new(seed, clients, calls, Mix::wild(), Scene::Chain { scale });
        Self { expected: calls / 2, ..order }
    }

    /// One dollar in one workspace, used up, with so many kills on the way.
    ///
    /// A call that Louver has written down and not yet sent when it is killed is charged all the same. With kills the
    /// calls are smaller, at most 65 millionths of a dollar each, so that little is charged and never billed.
    pub fn dollar(seed: u64, clients: usize, kills: u64) -> Self {
        let budget = Money::parse_usd("1").expect("a dollar");
        let scene = Scene::Workspace { budget, keys: 8 };
        // A token of an answer costs 600 nano-dollars.
        let (tokens, expected) = if kills == 0 { ((400, 600), 3_200) } else { ((50, 80), 22_000) };
        Self {
            until_spent: true,
            blows: vec![(Blow::Kill, kills)],
            expected,
            ..Self::new(seed, clients, 200_000, Mix { tokens, ..Mix::exact() }, scene)
        }
    }

    /// Calls that cost a little less than a dollar in a workspace that has two; it is short only of what it may not ask for.
    pub fn steady(seed: u64, clients: usize, calls: u64) -> Self {
        let budget = Money::parse_usd("2").expect("two dollars");
        Self::new(seed, clients, calls, Mix::exact(), Scene::Workspace { budget, keys: 4 })
    }

    /// How often a blow falls.
    fn times(&self, wanted: Blow) -> u64 {
        self.blows.iter().filter(|(blow, _)| *blow == wanted).map(|(_, times)| times).sum()
    }
}

/// Runs an order to its end. `cluster` is the PostgreSQL that blows may fall on.
///
/// # Panics
/// When Louver does not start, or does not come back.
pub async fn run(order: &Order, cluster: Option<&Cluster>) -> Report {
    let mut stage = Stage::new(order, cluster).await;
    let began = Instant::now();
    let (stop, stopped) = watch::channel(false);
    let mut clients = stage.clients(order.seed, &stopped);
    let mut tally = Tally::default();
    {
        let mut blows = std::pin::pin!(stage.blows(stopped));
        let mut fallen = false;
        while !clients.is_empty() {
            tokio::select! {
                Some(finished) = clients.join_next() => tally.add(finished.unwrap()),
                () = &mut blows, if !fallen => fallen = true,
            }
        }
        stop.send_replace(true);
        if !fallen {
            blows.await;
        }
    }
    stage.tally = tally;
    let took = began.elapsed();
    stage.audit().await;
    stage.report(took).await
}
