//! Who takes part: names, how each is brought up, and what is known about it once it answers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::client::Answer;
use crate::options::Options;
use crate::process::Process;
use crate::prompts::Prompt;
use crate::{Fault, litellm, louver, nginx, portkey, probe, procfs};

/// One column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No proxy at all.
    Direct,
    /// nginx that only passes on.
    Nginx,
    /// nginx with a map of keys and one `limit_req`: what the others are compared with.
    NginxKey,
    /// LiteLLM's proxy with a master key.
    Litellm,
    /// Portkey's gateway, which checks no key.
    Portkey,
    /// Louver with everything on.
    Louver,
}

impl Kind {
    /// All, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::Direct, Self::Nginx, Self::NginxKey, Self::Litellm, Self::Portkey, Self::Louver];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::NginxKey => "nginx-key",
            Self::Litellm => "litellm",
            Self::Portkey => "portkey",
            Self::Louver => "louver",
        }
    }

    /// Whether it cannot serve the full rate on the machines this is meant for.
    pub fn slow(self) -> bool {
        matches!(self, Self::Litellm | Self::Portkey)
    }

    /// Whether a wrong key must be refused.
    pub fn checks_keys(self) -> bool {
        matches!(self, Self::NginxKey | Self::Litellm | Self::Louver)
    }

    /// By how many bytes two answers may differ: only who writes answers anew may vary.
    pub fn slack(self) -> usize {
        if self.slow() { 64 } else { 0 }
    }

    /// Those named in a list with commas; `direct` always takes part, since the others are compared with it.
    pub fn some_of(list: &str) -> Result<Vec<Self>, Fault> {
        let names: Vec<&str> = list.split(',').map(str::trim).collect();
        if let Some(unknown) = names.iter().find(|name| Self::ALL.iter().all(|kind| kind.name() != **name)) {
            return Err(format!("unknown contestant {unknown:?}").into());
        }
        Ok(Self::ALL.into_iter().filter(|k| *k == Self::Direct || names.contains(&k.name())).collect())
    }
}

/// Where a contestant listens and what its callers send along.
#[derive(Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Header lines, each with its line end.
    pub headers: String,
}

impl Target {
    /// A target whose callers show `key`.
    pub fn with_key(address: SocketAddr, key: &str) -> Self {
        Self { address, headers: format!("authorization: Bearer {key}\r\n") }
    }
}

/// What every client of a contestant shares.
pub struct Subject {
    /// Which one.
    pub kind: Kind,
    /// Where and how to call it.
    pub target: Target,
    /// What each prompt was answered with when its content was looked at.
    pub expected: BTreeMap<Prompt, Answer>,
    /// Calls answered with status 200 so far.
    pub calls: Cell<u64>,
    /// Answers that were not as expected.
    pub wrong: Cell<u64>,
    /// What the first of them was.
    pub first_wrong: RefCell<Option<String>>,
}

impl Subject {
    /// Notes one wrong answer.
    pub fn note_wrong(&self, what: String) {
        self.wrong.set(self.wrong.get().saturating_add(1));
        self.first_wrong.borrow_mut().get_or_insert(what);
    }
}

/// A contestant that answers.
pub struct Contestant {
    /// What its clients share.
    pub subject: Rc<Subject>,
    /// Its processes; the direct way has none.
    pub process: Option<Process>,
    /// Milliseconds from the start of the process to the first answer, for each start.
    pub start_ms: Vec<f64>,
    /// Resident memory before any load, MiB.
    pub idle_mib: Option<f64>,
    /// The way to Louver's own administration.
    pub admin: Option<louver::Admin>,
}

/// What a contestant needs to be brought up.
pub struct Place<'a> {
    /// The run's options.
    pub options: &'a Options,
    /// The upstream's address.
    pub upstream: SocketAddr,
}

struct Launched {
    process: Option<Process>,
    target: Target,
    admin: Option<louver::Admin>,
}

/// A port of the loopback interface that is free now.
pub fn free_address() -> Result<SocketAddr, Fault> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Contestant {
    /// Starts it, several times where that is quick, and looks at the content of its answers.
    pub async fn bring_up(kind: Kind, place: &Place<'_>) -> Result<Self, Fault> {
        let prepared = match kind {
            Kind::Louver => Some(louver::prepare(place).await?),
            _ => None,
        };
        let starts = if matches!(kind, Kind::Litellm | Kind::Direct) { 1 } else { 3 };
        let mut start_ms = Vec::new();
        let mut launched = None;
        for _ in 0..starts {
            // The former one ends before the next starts: it holds the port or the data.
            drop(launched.take());
            let began = Instant::now();
            let mut next = launch(kind, place, prepared.as_ref())?;
            probe::first_answer(&next.target, next.process.as_mut()).await?;
            start_ms.push(began.elapsed().as_secs_f64() * 1e3);
            launched = Some(next);
        }
        let Launched { process, target, admin } = launched.ok_or("never started")?;
        sleep(Duration::from_secs(if kind == Kind::Litellm { 8 } else { 1 })).await;
        let idle_mib = process.as_ref().map(|process| procfs::resident_mib(process.group()));
        let expected = probe::contents(kind, &target).await?;
        let calls = Cell::new(start_ms.len().saturating_add(expected.len()) as u64);
        let (wrong, first_wrong) = (Cell::new(0), RefCell::new(None));
        let subject = Rc::new(Subject { kind, target, expected, calls, wrong, first_wrong });
        Ok(Self { subject, process, start_ms, idle_mib, admin })
    }
}

fn launch(kind: Kind, place: &Place<'_>, prepared: Option<&louver::Prepared>) -> Result<Launched, Fault> {
    let (process, target) = match kind {
        Kind::Direct => {
            let target = Target { address: place.upstream, headers: String::new() };
            return Ok(Launched { process: None, target, admin: None });
        }
        Kind::Nginx => nginx::launch(place, false)?,
        Kind::NginxKey => nginx::launch(place, true)?,
        Kind::Litellm => litellm::launch(place)?,
        Kind::Portkey => portkey::launch(place)?,
        Kind::Louver => {
            let prepared = prepared.ok_or("Louver was not prepared")?;
            let (process, target, admin) = louver::launch(place, prepared)?;
            return Ok(Launched { process: Some(process), target, admin: Some(admin) });
        }
    };
    Ok(Launched { process: Some(process), target, admin: None })
}
