//! What came of a run, for a test to hold and for people to read.

use crate::caller::Tally;
use crate::oracle::Standing;
use std::fmt;
use std::time::Duration;

/// What a restart after a kill was like.
#[derive(Clone, Debug)]
pub struct Restart {
    /// From the start of the process until it said that it is ready.
    pub ready_in: Duration,
    /// Whether anything of any budget was stranded then.
    pub stranded: bool,
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
        if !self.restarts.is_empty() {
            let mut times: Vec<u128> = self.restarts.iter().map(|r| r.ready_in.as_millis()).collect();
            times.sort_unstable();
            let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
            let stranded = self.restarts.iter().filter(|restart| restart.stranded).count();
            writeln!(
                f,
                "{} kills: ready again in {median} ms (median), {longest} ms at most; something stranded after {stranded}",
                times.len()
            )?;
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
