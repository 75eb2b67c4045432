//! What the command line says about a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::Fault;
use crate::contestant::Kind;

/// One run of the benchmark.
pub struct Options {
    /// Who takes part, in the order of the table.
    pub kinds: Vec<Kind>,
    /// How often everything is measured.
    pub rounds: u32,
    /// How long each measurement takes.
    pub seconds: Duration,
    /// Requests per second at which native proxies' latency is measured.
    pub rate: u32,
    /// Requests per second that every contestant can serve.
    pub low_rate: u32,
    /// Where configurations, logs, data and the last table go.
    pub cache: PathBuf,
    /// Programs by contestant: `louver`, `nginx`, `litellm`, `portkey`.
    pub programs: BTreeMap<String, PathBuf>,
    /// Why a program is missing, by contestant.
    pub missing: BTreeMap<String, String>,
}

impl Options {
    /// Reads the arguments after `run`.
    pub fn parse(arguments: &[String]) -> Result<Self, Fault> {
        let mut options = Self {
            kinds: Kind::ALL.to_vec(),
            rounds: 5,
            seconds: Duration::from_secs(3),
            rate: 2000,
            low_rate: 100,
            cache: PathBuf::from("."),
            programs: BTreeMap::new(),
            missing: BTreeMap::new(),
        };
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            match flag.as_str() {
                "--quick" => options.quicken(),
                other => options.set(other, rest.next().ok_or(format!("{other} wants a value"))?)?,
            }
        }
        Ok(options)
    }

    fn quicken(&mut self) {
        self.rounds = 2;
        self.seconds = Duration::from_secs(1);
        self.kinds.retain(|kind| !kind.slow());
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), Fault> {
        match flag {
            "--only" => self.kinds = Kind::some_of(value)?,
            "--rounds" => self.rounds = value.parse::<u32>()?.clamp(1, 100),
            "--seconds" => self.seconds = Duration::from_secs_f64(value.parse::<f64>()?.clamp(0.5, 60.0)),
            "--rate" => self.rate = value.parse::<u32>()?.clamp(1, 100_000),
            "--low-rate" => self.low_rate = value.parse::<u32>()?.clamp(1, 100_000),
            "--cache" => self.cache = PathBuf::from(value),
            "--program" => {
                let (name, path) = value.split_once('=').ok_or("--program wants NAME=PATH")?;
                self.programs.insert(name.to_owned(), PathBuf::from(path));
            }
            "--missing" => {
                let (name, reason) = value.split_once('=').ok_or("--missing wants NAME=REASON")?;
                self.missing.insert(name.to_owned(), reason.to_owned());
            }
            other => return Err(format!("unknown option {other}; see bench/README.md").into()),
        }
        Ok(())
    }

    /// The program of a contestant, or why there is none.
    pub fn program(&self, name: &str) -> Result<PathBuf, Fault> {
        match (self.programs.get(name), self.missing.get(name)) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(reason)) => Err(format!("not installed: {reason}").into()),
            (None, None) => Err("not installed: no path given".into()),
        }
    }
}
