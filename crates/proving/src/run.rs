//! One run: an installation, clients with a plan, blows on the way, and the books held against each other at the end.

mod crash_loop;

pub use crash_loop::crash_loop;

use crate::caller::{Caller, Tally};
use crate::cluster::Cluster;
use crate::faults::{self, Blow, WHILE};
use crate::installation::{Admin, Database, Installation};
use crate::oracle::{Books, Oracle, Standing, Used, read_usage};
use crate::program::{self, Program};
use crate::scene::{Scene, Set};
use crate::workload::{Calls, Mix, PriceList};
use louver_domain::money::Money;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

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
            blows: Vec::new(),
            expected: calls,
            program: None,
            environment: Vec::new(),
        }
    }

    /// One dollar in one workspace, used up, with so many kills on the way.
    pub fn dollar(seed: u64, clients: usize, kills: u64) -> Self {
        let budget = Money::parse_usd("1").expect("a dollar");
        let scene = Scene::Workspace { budget, keys: 8 };
        // An answer of 500 tokens costs 300,000 nano-dollars.
        Self {
            until_spent: true,
            blows: vec![(Blow::Kill, kills)],
            expected: 3200,
            ..Self::new(seed, clients, 200_000, Mix::exact(), scene)
        }
    }

    fn kills(&self) -> bool {
        self.blows.iter().any(|(blow, times)| *blow == Blow::Kill && *times > 0)
    }
}

/// What a restart after a kill was like.
#[derive(Clone, Debug)]
pub struct Restart {
    /// From the start of the process until it said that it is ready.
    pub ready_in: Duration,
    /// Stranded in the widest budget, as shown.
    pub stranded: String,
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// The order, shortly.
    pub title: String,
    /// All that does not agree.
    pub wrong: Vec<String>,
    /// What the clients got.
    pub tally: Tally,
    /// The budgets at the end.
    pub standings: Vec<Standing>,
    /// What upstream would bill in all, in nano-dollars.
    pub billed: i128,
    /// The restarts after kills.
    pub restarts: Vec<Restart>,
    /// The budgets as a table.
    pub table: String,
    /// How long the load took.
    pub took: Duration,
    /// Kibibytes of memory and open files at the end.
    pub weight: Option<(u64, usize)>,
    /// What Louver said last.
    pub said: String,
}

impl Report {
    /// Fails unless everything agrees.
    pub fn assert_clean(&self) {
        assert!(self.wrong.is_empty(), "{self}\nLouver said:\n{}", self.said);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let seconds = self.took.as_secs_f64();
        writeln!(
            f,
            "{} attempts, {} successes in {seconds:.1} s",
            self.tally.attempts,
            self.tally.successes()
        )?;
        for (end, count) in &self.tally.ends {
            writeln!(f, "  {count:>8} {end}")?;
        }
        write!(f, "{}", self.table)?;
        for (number, restart) in (1..).zip(&self.restarts) {
            let ready = restart.ready_in.as_millis();
            writeln!(f, "kill {number}: ready again in {ready} ms, {} stranded", restart.stranded)?;
        }
        if let Some((memory, files)) = self.weight {
            writeln!(f, "at the end: {memory} KiB of memory, {files} open files")?;
        }
        for wrong in &self.wrong {
            writeln!(f, "WRONG: {wrong}")?;
        }
        Ok(())
    }
}

/// A run under way.
struct Stage<'a> {
    order: &'a Order,
    installation: Installation,
    cluster: Option<&'a Cluster>,
    set: Set,
    doors: watch::Sender<Vec<Option<SocketAddr>>>,
    tally: Tally,
    restarts: Vec<Restart>,
    wrong: Vec<String>,
    /// The budgets at the last audit, as a table.
    table: String,
    standings: Vec<Standing>,
}

/// Nothing takes as long; only a run that fails meets it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs an order to its end. `cluster` is the PostgreSQL that blows may fall on.
///
/// # Panics
/// When Louver does not start, or does not come back.
pub async fn run(order: &Order, cluster: Option<&Cluster>) -> Report {
    let (mut stage, mut program) = Stage::new(order, cluster).await;
    let began = Instant::now();
    let (stop, stopped) = watch::channel(false);
    let mut clients = stage.clients(order.seed, &stopped);
    let mut tally = Tally::default();
    {
        let mut blows = std::pin::pin!(stage.blows(program, stopped.clone()));
        let mut done = None;
        while !clients.is_empty() {
            tokio::select! {
                Some(finished) = clients.join_next() => tally.add(finished.unwrap()),
                left = &mut blows, if done.is_none() => done = Some(left),
            }
        }
        stop.send_replace(true);
        program = match done {
            Some(program) => program,
            None => blows.await,
        };
    }
    stage.tally = tally;
    let took = began.elapsed();
    stage.audit(&program).await;
    stage.report(program, took).await
}

impl<'a> Stage<'a> {
    /// Sets the scene; answers with the program that runs.
    async fn new(order: &'a Order, cluster: Option<&'a Cluster>) -> (Self, Program) {
        let file = order.program.clone().unwrap_or_else(program::file);
        let environment: Vec<(&str, &str)> =
            order.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let installation = Installation::of(&file, &order.database, &environment).await;
        let program = installation.start().await.unwrap();
        let set = order.scene.set(&installation, &installation.admin(&program)).await;
        let (doors, _) = watch::channel(vec![Some(program.address)]);
        let stage = Self {
            order,
            installation,
            cluster,
            set,
            doors,
            tally: Tally::default(),
            restarts: Vec::new(),
            wrong: Vec::new(),
            table: String::new(),
            standings: Vec::new(),
        };
        (stage, program)
    }

    fn clients(&self, seed: u64, stopped: &watch::Receiver<bool>) -> JoinSet<Tally> {
        let prices = Arc::new(PriceList::builtin());
        let mut clients = JoinSet::new();
        let order = self.order;
        for number in 0..order.clients {
            let share = order.calls / order.clients as u64
                + u64::from((number as u64) < order.calls % order.clients as u64);
            let calls = Calls::new(seed, number as u64, &order.mix, self.set.accounts.len(), share);
            let doors = self.doors.subscribe();
            let caller = Caller::new(number, doors, Arc::clone(&self.set.accounts), Arc::clone(&prices));
            let caller = if order.until_spent { caller.until_spent() } else { caller };
            clients.spawn(caller.run(calls, stopped.clone()));
        }
        clients
    }

    /// Lets the blows fall, each when so many calls have reached upstream, until there are no more clients.
    async fn blows(&mut self, mut program: Program, mut stopped: watch::Receiver<bool>) -> Program {
        let order = self.order;
        for (at, blow) in faults::schedule(order.seed, &order.blows, order.expected) {
            tokio::select! {
                () = self.installation.simulator.reached(at) => {}
                _ = stopped.wait_for(|stop| *stop) => break,
            }
            match blow {
                Blow::Kill => program = self.kill(program).await,
                Blow::Pause => {
                    program.signal("STOP").await;
                    tokio::time::sleep(WHILE).await;
                    program.signal("CONT").await;
                }
                Blow::RestartDatabase => self.cluster.expect("a PostgreSQL of one's own").restart().await,
                Blow::LockLedger => {
                    faults::lock_ledger(self.cluster.expect("a PostgreSQL of one's own")).await
                }
            }
        }
        program
    }

    async fn kill(&mut self, program: Program) -> Program {
        let before = program.kill().await;
        self.doors.send_replace(vec![None]);
        let program = self.installation.start().await;
        let program = program.unwrap_or_else(|why| panic!("{why}\nbefore the kill:\n{}", before.text()));
        let widest = standings(&self.installation.admin(&program)).await.into_iter().next();
        let stranded = widest.map_or_else(String::new, |s| s.show(s.stranded));
        self.restarts.push(Restart { ready_in: program.ready_in, stranded });
        self.doors.send_replace(vec![Some(program.address)]);
        program
    }

    /// Holds the books against each other, now that no client calls.
    async fn audit(&mut self, program: &Program) {
        let order = self.order;
        let prices = PriceList::builtin();
        let oracle = Oracle { members: &self.set.members, prices: &prices, killed: order.kills() };
        let simulator = &self.installation.simulator;
        if tokio::time::timeout(PATIENCE, simulator.idle()).await.is_err() {
            self.wrong.push("calls are still open upstream".into());
        }
        let (standings, usage) = settled(&self.installation.admin(program), &self.tally).await;
        let books = simulator.books();
        let seen = Books { simulator: &books, standings: &standings, usage: &usage, tally: &self.tally };
        self.wrong.extend(oracle.judge(&seen));
        if order.blows.iter().all(|(_, times)| *times == 0) {
            self.wrong.extend(
                self.tally
                    .unexplained
                    .iter()
                    .map(|(end, count)| format!("{count} calls ended {end:?}, and nothing was done to them")),
            );
        }
        self.table = oracle.table(&seen);
        self.standings = standings;
    }

    async fn report(mut self, mut program: Program, took: Duration) -> Report {
        let order = self.order;
        let (weight, said) = (program.weight(), program.said.text());
        if let Some(status) = program.ended() {
            self.wrong.push(format!("Louver ended by itself: {status}"));
        } else if let Err(why) = program.stop().await {
            self.wrong.push(why);
        }
        let prices = PriceList::builtin();
        let oracle = Oracle { members: &self.set.members, prices: &prices, killed: order.kills() };
        Report {
            title: format!(
                "seed {}: {} clients, {} calls at most, {:?}, {:?}, blows {:?}",
                order.seed, order.clients, order.calls, order.scene, order.database, order.blows
            ),
            billed: oracle.total(&self.installation.simulator.books()).nanos,
            wrong: self.wrong,
            tally: self.tally,
            standings: self.standings,
            restarts: self.restarts,
            table: self.table,
            took,
            weight,
            said,
        }
    }
}

/// The budgets as they stand.
pub async fn standings(admin: &Admin) -> Vec<Standing> {
    admin.try_ask("/v1/gateway/budgets").await.map_or_else(Vec::new, |list| Standing::read(&list))
}

/// Budgets and usage once nothing is reserved and all records are written, or as they stand when patience ends.
async fn settled(admin: &Admin, tally: &Tally) -> (Vec<Standing>, Vec<(String, Used)>) {
    let began = Instant::now();
    loop {
        let standings = standings(admin).await;
        let usage = read_usage(&admin.ask("/v1/gateway/usage?granularity=month&group_by=key").await);
        let quiet = standings.iter().all(|standing| standing.reserved == 0);
        let records: u64 = usage.iter().map(|(_, used)| used.requests).sum();
        if (quiet && records >= tally.successes()) || began.elapsed() > PATIENCE / 3 {
            return (standings, usage);
        }
        tokio::task::yield_now().await;
    }
}
