//! `louver-proving`: one seed, a crash loop, or a full disk against the real program, from a terminal.
//!
//! ```text
//! cargo run -p louver-proving -- seed 42 [--calls 5000] [--clients 200]
//! cargo run -p louver-proving -- dollar 42 [--clients 200] [--kills 10]
//! cargo run -p louver-proving -- crash-loop [--kills 100] [--seed 1] [--clients 50]
//! cargo run -p louver-proving -- database [--seed 1] [--calls 5000] [--clients 100]
//! cargo run -p louver-proving -- full-disk [--seed 1]
//! ```
//!
//! `seed` lets clients do everything they may do in an organization with budgets on every level; `dollar` uses up one
//! dollar in one workspace; `crash-loop` kills the program again and again and looks at the books each time; `database`
//! restarts and locks a PostgreSQL of its own under load; `full-disk` fills the disk of database and journal. Each
//! prints its figures and what does not agree, and ends with 1 if anything does not.
//!
//! All but the last two take `--postgres URL` (of an empty database) and then `--nodes 2`. What happens on the way is
//! said by `--kills N`, `--stumbles N` (killed again while it starts), `--pauses N`, `--loses N` (the journal is gone
//! after a kill) and `--turns N` (limits go down and up). `--program FILE` takes another program than the one that
//! cargo builds first, and `--durability fsync` sets that setting.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for a terminal, which fails loudly"
)]

use louver_domain::money::Money;
use louver_proving::cluster::Cluster;
use louver_proving::faults::Blow;
use louver_proving::installation::Database;
use louver_proving::run::{Order, crash_loop, full_disk, run};
use louver_proving::scene::Scene;
use louver_proving::workload::Manner;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const USAGE: &str = "louver-proving seed N | dollar N | crash-loop | database | full-disk, with --seed N, --calls N, \
                     --clients N, --kills N, --stumbles N, --pauses N, --loses N, --turns N, --nodes N, --postgres URL, \
                     --program FILE, --durability background|fsync";

/// What the command line says.
struct Asked {
    what: String,
    seed: u64,
    calls: Option<u64>,
    clients: Option<usize>,
    kills: Option<u64>,
    stumbles: u64,
    pauses: u64,
    loses: u64,
    turns: u64,
    nodes: Option<usize>,
    postgres: Option<String>,
    program: Option<PathBuf>,
    durability: Option<String>,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let what = words.next().ok_or("what?")?;
        let mut asked = Self {
            seed: 1,
            calls: None,
            clients: None,
            kills: None,
            stumbles: 0,
            pauses: 0,
            loses: 0,
            turns: 0,
            nodes: None,
            postgres: None,
            program: None,
            durability: None,
            what,
        };
        if matches!(asked.what.as_str(), "seed" | "dollar") {
            asked.seed = number(words.next())?;
        }
        while let Some(name) = words.next() {
            let value = words.next();
            match name.as_str() {
                "--seed" => asked.seed = number(value)?,
                "--calls" => asked.calls = Some(number(value)?),
                "--clients" => asked.clients = Some(usize::try_from(number(value)?).unwrap()),
                "--kills" => asked.kills = Some(number(value)?),
                "--stumbles" => asked.stumbles = number(value)?,
                "--pauses" => asked.pauses = number(value)?,
                "--loses" => asked.loses = number(value)?,
                "--turns" => asked.turns = number(value)?,
                "--nodes" => asked.nodes = Some(usize::try_from(number(value)?).unwrap()),
                "--postgres" => asked.postgres = value,
                "--program" => asked.program = value.map(PathBuf::from),
                "--durability" => asked.durability = value,
                other => return Err(format!("{other} is not known")),
            }
        }
        Ok(asked)
    }

    fn order(&self) -> Result<Order, String> {
        let calls = self.calls.unwrap_or(5000);
        let wild = |clients| Order::wild(self.seed, self.clients.unwrap_or(clients), calls);
        let mut order = match self.what.as_str() {
            "seed" => wild(200),
            "dollar" => Order::dollar(self.seed, self.clients.unwrap_or(200), self.kills.unwrap_or(0)),
            "database" => wild(100),
            "full-disk" => Order::steady(self.seed, self.clients.unwrap_or(10), self.calls.unwrap_or(1000)),
            "crash-loop" => {
                let mut order = wild(50);
                // A call without a maximum that is in flight at a kill is charged a whole context.
                order.mix.manners.retain(|(manner, _)| *manner != Manner::NoMaximum);
                let scale = i64::try_from(self.kills.unwrap_or(100)).unwrap() * 60_000_000;
                order.scene = Scene::Chain { scale: Money::from_nanos(scale) };
                order
            }
            other => return Err(format!("{other} is not known")),
        };
        if self.what != "crash-loop" {
            let times = [self.kills.unwrap_or(0), self.stumbles, self.pauses, self.loses, self.turns];
            let blows = [Blow::Kill, Blow::Stumble, Blow::Pause, Blow::Lose, Blow::TurnLimits];
            order.blows = blows.into_iter().zip(times).filter(|(_, times)| *times > 0).collect();
        }
        order.nodes = self.nodes.unwrap_or(1);
        if let Some(url) = &self.postgres {
            order.database = Database::Postgres(url.clone());
        }
        order.program.clone_from(&self.program);
        order.environment.extend(self.durability.clone().map(|value| ("LOUVER_DURABILITY", value)));
        Ok(order)
    }
}

fn number(word: Option<String>) -> Result<u64, String> {
    word.and_then(|word| word.parse().ok()).ok_or_else(|| "a number is missing".into())
}

/// Builds the program, so that what is proven is what stands here.
fn build() {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.args(["build", "-q", "-p", "louver", "--bin", "louver"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    assert!(command.status().unwrap().success(), "the program can be built");
}

fn main() -> ExitCode {
    let asked = match Asked::read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    if asked.program.is_none() {
        build();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match runtime.block_on(perform(&asked)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything agreed.
async fn perform(asked: &Asked) -> Result<bool, String> {
    let mut order = asked.order()?;
    let cluster = if asked.what == "database" { Some(Cluster::start().await) } else { None };
    if let Some(cluster) = &cluster {
        order.database = Database::Postgres(cluster.url().to_owned());
        order.blows.extend([(Blow::RestartDatabase, 3), (Blow::LockLedger, 3)]);
    }
    let report = match asked.what.as_str() {
        "crash-loop" => crash_loop(&order, asked.kills.unwrap_or(100)).await,
        "full-disk" => full_disk(&order).await,
        _ => run(&order, cluster.as_ref()).await,
    };
    print!("{report}");
    if !report.wrong.is_empty() {
        print!("Louver said last:\n{}", report.said);
    }
    Ok(report.wrong.is_empty())
}
