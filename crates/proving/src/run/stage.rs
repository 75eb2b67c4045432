//! A run under way: the processes that run, the clients that call them, the blows that fall, and the audits.

use super::{Order, Report, Restart};
use crate::caller::{Caller, Tally};
use crate::client::{request, send};
use crate::cluster::Cluster;
use crate::faults::{self, Blow, WHILE};
use crate::installation::{Admin, Installation};
use crate::oracle::{Books, Oracle, Standing, read_usage};
use crate::program::{self, Program};
use crate::random::Random;
use crate::scene::Set;
use crate::workload::{Calls, PriceList};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Nothing takes as long; only a run that fails meets it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Records are written long before this.
const SETTLED: Duration = Duration::from_secs(8);
/// A start takes about as many milliseconds.
const START: u64 = 100;
/// How often limits are turned at once.
const TURNS: usize = 5;
/// How a call may end on a machine that is too slow, whatever Louver does.
const SLOW: &str = "504 upstream_timeout";

pub(super) struct Stage<'a> {
    pub(super) order: &'a Order,
    pub(super) installation: Installation,
    pub(super) tally: Tally,
    pub(super) wrong: Vec<String>,
    /// Nothing was done to the program or its database so far.
    calm: bool,
    cluster: Option<&'a Cluster>,
    set: Set,
    prices: Arc<PriceList>,
    /// The processes; a place is empty while one is down.
    programs: Vec<Option<Program>>,
    doors: watch::Sender<Vec<Option<SocketAddr>>>,
    restarts: Vec<Restart>,
    /// The budgets at the last audit, as a table and as they stood.
    table: String,
    standings: Vec<Standing>,
}

impl<'a> Stage<'a> {
    /// Starts the processes and sets the scene.
    pub(super) async fn new(order: &'a Order, cluster: Option<&'a Cluster>) -> Self {
        let file = order.program.clone().unwrap_or_else(program::file);
        let environment: Vec<(&str, &str)> =
            order.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let installation = Installation::of(&file, &order.database, &environment).await;
        let mut programs = Vec::new();
        for node in 0..order.nodes {
            programs.push(installation.start(node).await.unwrap());
        }
        Self::of(order, installation, programs, cluster).await
    }

    /// Sets the scene on what runs.
    pub(super) async fn of(
        order: &'a Order,
        installation: Installation,
        programs: Vec<Program>,
        cluster: Option<&'a Cluster>,
    ) -> Self {
        let set = order.scene.set(&installation, &installation.admin(&programs[0])).await;
        // A node hears of another's admin deeds a little later.
        let others = programs.iter().skip(1);
        for (program, account) in others.flat_map(|p| set.accounts.iter().map(move |a| (p, a))) {
            let known = async {
                let asked = || request("GET", "/v1/models", &account.secret, None);
                while send(program.address, asked()).await.status != 200 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, known).await.expect("each node knows each key");
        }
        let (doors, _) = watch::channel(programs.iter().map(|program| Some(program.address)).collect());
        Self {
            order,
            installation,
            tally: Tally::default(),
            wrong: Vec::new(),
            calm: true,
            cluster,
            set,
            prices: Arc::new(PriceList::builtin()),
            programs: programs.into_iter().map(Some).collect(),
            doors,
            restarts: Vec::new(),
            table: String::new(),
            standings: Vec::new(),
        }
    }

    /// Lets the clients go.
    pub(super) fn clients(&self, seed: u64, stopped: &watch::Receiver<bool>) -> JoinSet<Tally> {
        let mut clients = JoinSet::new();
        let order = self.order;
        for number in 0..order.clients {
            let share = order.calls / order.clients as u64
                + u64::from((number as u64) < order.calls % order.clients as u64);
            let calls = Calls::new(seed, number as u64, &order.mix, self.set.accounts.len(), share);
            let (doors, accounts) = (self.doors.subscribe(), Arc::clone(&self.set.accounts));
            let caller = Caller::new(number, doors, accounts, Arc::clone(&self.prices));
            let caller = if order.until_spent { caller.until_spent() } else { caller };
            clients.spawn(caller.run(calls, stopped.clone()));
        }
        clients
    }

    /// Lets the blows fall, each when so many calls have reached upstream, until there are no more clients.
    pub(super) async fn blows(&mut self, mut stopped: watch::Receiver<bool>) {
        let order = self.order;
        let mut random = Random::of(&[order.seed, 8]);
        for (at, blow) in faults::schedule(order.seed, &order.blows, order.expected) {
            tokio::select! {
                () = self.installation.simulator.reached(at) => {}
                _ = stopped.wait_for(|stop| *stop) => break,
            }
            self.blow(blow, &mut random).await;
        }
    }

    /// Lets a blow fall on any of the processes.
    pub(super) async fn blow(&mut self, blow: Blow, random: &mut Random) {
        self.calm &= blow == Blow::TurnLimits;
        let node = usize::try_from(random.below(self.order.nodes as u64)).unwrap();
        match blow {
            Blow::Kill => {
                self.down(node).await;
                self.up(node).await;
            }
            Blow::Stumble => {
                self.down(node).await;
                let after = Duration::from_millis(random.between(1, START));
                self.installation.start_and_kill(node, after).await;
                self.up(node).await;
            }
            Blow::Lose => {
                self.down(node).await;
                self.installation.lose_journal(node);
                self.up(node).await;
            }
            Blow::Pause => {
                let program = self.programs[node].as_ref().expect("it runs");
                program.signal("STOP").await;
                tokio::time::sleep(WHILE).await;
                program.signal("CONT").await;
            }
            Blow::TurnLimits => {
                let program = self.programs[node].as_ref().expect("it runs");
                let admin = self.installation.admin(program);
                for _ in 0..TURNS {
                    for dial in &self.set.dials {
                        dial.turn(&admin).await;
                    }
                }
            }
            Blow::RestartDatabase => self.cluster().restart().await,
            Blow::LockLedger => faults::lock_ledger(self.cluster()).await,
        }
    }

    fn cluster(&self) -> &'a Cluster {
        self.cluster.expect("this blow needs a PostgreSQL of one's own")
    }

    async fn down(&mut self, node: usize) {
        let said = self.programs[node].take().expect("it runs").kill().await;
        self.doors.send_modify(|doors| doors[node] = None);
        let alarms = said.count("ALARM");
        if alarms > 0 {
            self.wrong.push(format!("{alarms} alarms before a kill:\n{}", said.text()));
        }
    }

    async fn up(&mut self, node: usize) {
        let program = self.installation.start(node).await.unwrap();
        let budgets = standings(&self.installation.admin(&program)).await;
        let stranded = budgets.iter().any(|budget| budget.stranded != 0);
        if stranded && self.order.times(Blow::Lose) == 0 {
            self.wrong.push(format!("a kill stranded something: {budgets:?}"));
        }
        self.restarts.push(Restart { ready_in: program.ready_in, stranded });
        self.doors.send_modify(|doors| doors[node] = Some(program.address));
        self.programs[node] = Some(program);
    }

    fn oracle(&self) -> Oracle<'_> {
        let fell = |blow| self.order.times(blow) > 0;
        let (lost, turned) = (fell(Blow::Lose), fell(Blow::TurnLimits));
        Oracle { members: &self.set.members, prices: &self.prices, lost, turned }
    }

    fn admins(&self) -> Vec<Admin> {
        self.programs.iter().flatten().map(|program| self.installation.admin(program)).collect()
    }

    /// Holds the books against each other, now that no client calls. Records are written in batches: they may come a
    /// little later.
    pub(super) async fn audit(&mut self) {
        if tokio::time::timeout(PATIENCE, self.installation.simulator.idle()).await.is_err() {
            self.wrong.push("calls are still open upstream".into());
        }
        let began = Instant::now();
        let mut wrong = self.look(&self.admins()).await;
        while !wrong.is_empty() && began.elapsed() < SETTLED {
            tokio::task::yield_now().await;
            wrong = self.look(&self.admins()).await;
        }
        if self.calm {
            let ends = self.tally.unexplained.iter().filter(|(end, _)| *end != SLOW);
            wrong.extend(ends.map(|(end, count)| format!("{count} calls ended {end:?} without a reason")));
        }
        self.wrong.extend(wrong);
    }

    /// One look at the books of each process; answers what does not agree.
    async fn look(&mut self, admins: &[Admin]) -> Vec<String> {
        let mut wrong = Vec::new();
        for admin in admins {
            let standings = standings(admin).await;
            let usage = read_usage(&admin.ask("/v1/gateway/usage?granularity=month&group_by=key").await);
            let books = self.installation.simulator.books();
            let seen = Books { simulator: &books, standings: &standings, usage: &usage, tally: &self.tally };
            let oracle = self.oracle();
            wrong.extend(oracle.judge(&seen));
            self.table = oracle.table(&seen);
            self.standings = standings;
        }
        wrong
    }

    /// Ends the processes in order, looks at what they leave behind, and reports.
    pub(super) async fn report(mut self, took: Duration) -> Report {
        let (weight, said) = self.end().await;
        self.look_behind().await;
        self.told(took, weight, said)
    }

    /// The same where the disk is gone with the processes.
    pub(super) async fn report_without_a_look_behind(mut self, took: Duration) -> Report {
        let (weight, said) = self.end().await;
        self.told(took, weight, said)
    }

    /// The disk was full.
    pub(super) const fn disturb(&mut self) {
        self.calm = false;
    }

    async fn end(&mut self) -> (Option<(u64, usize)>, String) {
        let (mut weight, mut said) = (None, String::new());
        for program in std::mem::take(&mut self.programs) {
            let mut program = program.expect("it runs");
            weight = program.weight();
            said += &program.said.text();
            if let Some(status) = program.ended() {
                self.wrong.push(format!("Louver ended by itself: {status}"));
            } else if let Err(why) = program.stop().await {
                self.wrong.push(why);
            }
        }
        (weight, said)
    }

    fn told(self, took: Duration, weight: Option<(u64, usize)>, said: String) -> Report {
        let order = self.order;
        Report {
            title: format!(
                "seed {}: {} clients, {} calls at most, {:?}, {:?}, {} nodes, blows {:?}",
                order.seed, order.clients, order.calls, order.scene, order.database, order.nodes, order.blows
            ),
            billed: self.oracle().total(&self.installation.simulator.books()).nanos,
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

    /// After an orderly end no node holds anything, and the books agree as before, also by the program's own check.
    async fn look_behind(&mut self) {
        let doctor = self.installation.command("doctor").output().await.unwrap();
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        let problems = said.lines().filter(|line| line.starts_with("problem"));
        // A journal that was lost leaves leases that only a person can release.
        let excused = |line: &str| self.order.times(Blow::Lose) > 0 && line.contains("stranded leases");
        let problems: Vec<String> = problems.filter(|line| !excused(line)).map(str::to_owned).collect();
        self.wrong.extend(problems.into_iter().map(|problem| format!("louver doctor: {problem}")));
        if !said.contains("books: they agree") {
            self.wrong.push(format!("louver doctor did not look at the books: {said}"));
        }
        let program = self.installation.start(0).await.unwrap();
        let admin = self.installation.admin(&program);
        let wrong = self.look(&[admin]).await;
        self.wrong.extend(wrong.into_iter().map(|wrong| format!("after an orderly end: {wrong}")));
        if self.order.times(Blow::Lose) == 0 {
            let held = self.standings.iter().filter(|standing| standing.leased + standing.stranded != 0);
            self.wrong
                .extend(held.map(|standing| format!("after an orderly end a lease is left: {standing:?}")));
        }
        if let Err(why) = program.stop().await {
            self.wrong.push(why);
        }
    }
}

/// The budgets as they stand.
pub async fn standings(admin: &Admin) -> Vec<Standing> {
    Standing::read(&admin.ask("/v1/gateway/budgets").await)
}
