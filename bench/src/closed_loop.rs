//! Closed-loop load: each client sends its next call when it has the answer to the last.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Fault;
use crate::client::{Answer, Client};
use crate::contestant::{Contestant, Subject};
use crate::histogram::Histogram;
use crate::procfs::{self, Cpu};
use crate::prompts::Prompt;

/// Load before the measurement begins, not counted.
pub const WARM_UP: Duration = Duration::from_millis(400);
/// How long after its end a measurement may still wait for answers.
pub const DRAIN: Duration = Duration::from_secs(60);
/// Faults after which a client gives up.
const TOO_MANY: u32 = 50;

/// What was measured in one stretch of load.
#[derive(Default)]
pub struct Outcome {
    /// Answers that came within the stretch.
    pub answers: u64,
    /// Events of streams that came within the stretch.
    pub events: u64,
    /// Length of the stretch, seconds.
    pub seconds: f64,
    /// Processor time the contestant used, nanoseconds; `None` for the direct way.
    pub cpu_ns: Option<u64>,
    /// Time from sending to the end of the answer.
    pub latencies: Histogram,
}

/// What the clients of one load share.
#[derive(Default)]
pub struct Shared {
    /// Answers so far.
    pub answers: Cell<u64>,
    /// Events so far.
    pub events: Cell<u64>,
    /// Whether latencies count now.
    pub recording: Cell<bool>,
    /// Whether clients must stop.
    pub stopping: Cell<bool>,
    /// The latencies that counted.
    pub latencies: RefCell<Histogram>,
}

/// A moment of a load: the clock and the counters.
pub struct Moment {
    at: Instant,
    cpu: Option<Cpu>,
    answers: u64,
    events: u64,
}

impl Moment {
    /// Reads everything now.
    pub fn now(contestant: &Contestant, shared: &Shared) -> Self {
        let cpu = contestant.process.as_ref().map(|process| procfs::cpu(process.group()));
        Self { at: Instant::now(), cpu, answers: shared.answers.get(), events: shared.events.get() }
    }

    /// What happened between `earlier` and this moment.
    pub fn since(&self, earlier: &Self, shared: &Shared) -> Outcome {
        let cpu_ns = self.cpu.zip(earlier.cpu).map(|(now, then)| now.since(then));
        Outcome {
            answers: self.answers.saturating_sub(earlier.answers),
            events: self.events.saturating_sub(earlier.events),
            seconds: self.at.duration_since(earlier.at).as_secs_f64(),
            cpu_ns,
            latencies: shared.latencies.take(),
        }
    }
}

/// Calls with `clients` connections at once; their first calls are spread over `stagger`.
pub async fn run(
    contestant: &Contestant,
    prompt: Prompt,
    clients: u32,
    stagger: Duration,
    seconds: Duration,
) -> Result<Outcome, Fault> {
    let shared = Rc::new(Shared::default());
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let (subject, shared) = (Rc::clone(&contestant.subject), Rc::clone(&shared));
        let delay = stagger * number / clients;
        tasks.spawn_local(async move {
            sleep(delay).await;
            keep_calling(&subject, prompt, &shared).await;
        });
    }
    sleep(WARM_UP + stagger).await;
    shared.recording.set(true);
    let first = Moment::now(contestant, &shared);
    sleep(seconds).await;
    let last = Moment::now(contestant, &shared);
    shared.recording.set(false);
    shared.stopping.set(true);
    timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await?;
    Ok(last.since(&first, &shared))
}

async fn keep_calling(subject: &Subject, prompt: Prompt, shared: &Shared) {
    let request = prompt.request(subject.target.address, &subject.target.headers);
    let mut client = Client::new(subject.target.address);
    let mut faults: u32 = 0;
    while !shared.stopping.get() && faults < TOO_MANY {
        let began = Instant::now();
        if !call_and_check(subject, &mut client, prompt, &request, shared).await {
            faults = faults.saturating_add(1);
            sleep(Duration::from_millis(5)).await;
        } else if shared.recording.get() {
            shared.latencies.borrow_mut().record(began.elapsed().as_nanos() as u64);
        }
    }
}

/// One call, counted; false where its answer was not as it should be.
pub async fn call_and_check(
    subject: &Subject,
    client: &mut Client,
    prompt: Prompt,
    request: &[u8],
    shared: &Shared,
) -> bool {
    let found = client.call(request, &shared.events).await;
    let expected = subject.expected.get(&prompt).copied().unwrap_or_default();
    if matches!(found, Ok(Answer { status: 200, .. })) {
        subject.calls.set(subject.calls.get().saturating_add(1));
    }
    match found {
        Ok(answer) if as_expected(answer, expected, subject.kind.slack()) => {
            shared.answers.set(shared.answers.get().saturating_add(1));
            true
        }
        other => {
            subject.note_wrong(format!("{prompt:?}: {other:?} instead of {expected:?}"));
            false
        }
    }
}

fn as_expected(answer: Answer, expected: Answer, slack: usize) -> bool {
    // A rewritten stream may vary by the slack in each of its events.
    let slack = slack.saturating_mul(expected.events.max(1) as usize);
    answer.status == expected.status
        && answer.events == expected.events
        && answer.bytes.abs_diff(expected.bytes) <= slack
}
