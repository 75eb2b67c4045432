//! Measures one stretch of load: what was answered in its window, and the processor time of all of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Fault;
use crate::contestant::Contestant;
use crate::histogram::Histogram;
use crate::procfs::{self, Cpu};

/// Load before the window begins: its answers count for processor time alone.
pub const WARM_UP: Duration = Duration::from_millis(400);
/// How long after its window a stretch may still wait for answers.
const DRAIN: Duration = Duration::from_secs(60);
/// A contestant that used less than 3 ms in 100 ms has nothing left to do.
const LOOK: Duration = Duration::from_millis(100);
const QUIET_NS: u64 = 3_000_000;
/// How long after its last answer a contestant may work on what it put off.
const PATIENCE: Duration = Duration::from_secs(15);

/// What was measured.
#[derive(Default)]
pub struct Outcome {
    /// Good answers within the window.
    pub answers: u64,
    /// Events of streams within the window.
    pub events: u64,
    /// Length of the window, seconds.
    pub seconds: f64,
    /// Good answers from the first call to the last.
    pub all_answers: u64,
    /// Events from the first call to the last.
    pub all_events: u64,
    /// Processor time from the first call until the contestant was quiet again; `None` for the direct way.
    pub cpu_ns: Option<u64>,
    /// Seconds it went on working after its last answer.
    pub put_off: Option<f64>,
    /// The latencies that counted.
    pub latencies: Histogram,
    /// Of a closed loop: until the first bytes of the body of the same answers.
    pub first_pieces: Histogram,
}

/// What the clients of one load share.
#[derive(Default)]
pub struct Shared {
    /// Good answers so far.
    pub answers: Cell<u64>,
    /// Events so far.
    pub events: Cell<u64>,
    /// Whether the window is open.
    pub recording: Cell<bool>,
    /// Whether clients must stop.
    pub stopping: Cell<bool>,
    /// The latencies that counted.
    pub latencies: RefCell<Histogram>,
    /// Until the first bytes of the body of the same answers.
    pub first_pieces: RefCell<Histogram>,
}

/// A stretch that has begun.
pub struct Stretch<'a> {
    contestant: &'a Contestant,
    before: Option<Cpu>,
    /// What its clients share.
    pub shared: Rc<Shared>,
}

impl<'a> Stretch<'a> {
    /// Begins before the first call.
    pub fn begin(contestant: &'a Contestant) -> Self {
        Self { contestant, before: cpu(contestant), shared: Rc::default() }
    }

    /// Opens the window for `seconds`, tells the clients to stop, waits for them and then for quiet.
    pub async fn measure(self, seconds: Duration, mut clients: JoinSet<()>) -> Result<Outcome, Fault> {
        let shared = &self.shared;
        let (answers, events, opened) = (shared.answers.get(), shared.events.get(), Instant::now());
        shared.recording.set(true);
        sleep(seconds).await;
        let mut outcome = Outcome {
            answers: shared.answers.get().saturating_sub(answers),
            events: shared.events.get().saturating_sub(events),
            seconds: opened.elapsed().as_secs_f64(),
            ..Outcome::default()
        };
        shared.recording.set(false);
        shared.stopping.set(true);
        timeout(DRAIN, async { while clients.join_next().await.is_some() {} }).await?;
        outcome.put_off = self.until_quiet().await;
        outcome.cpu_ns = cpu(self.contestant).zip(self.before).map(|(now, then)| now.since(then));
        outcome.all_answers = shared.answers.get();
        outcome.all_events = shared.events.get();
        outcome.latencies = shared.latencies.take();
        outcome.first_pieces = shared.first_pieces.take();
        Ok(outcome)
    }

    /// Work that was put off belongs to the calls that caused it, and must not disturb who comes next.
    async fn until_quiet(&self) -> Option<f64> {
        let began = Instant::now();
        let mut earlier = cpu(self.contestant)?;
        while began.elapsed() < PATIENCE {
            let at = began.elapsed();
            sleep(LOOK).await;
            let now = cpu(self.contestant)?;
            if now.since(earlier) < QUIET_NS {
                return Some(at.as_secs_f64());
            }
            earlier = now;
        }
        Some(PATIENCE.as_secs_f64())
    }
}

fn cpu(contestant: &Contestant) -> Option<Cpu> {
    contestant.process.as_ref().map(|process| procfs::cpu(process.group()))
}
