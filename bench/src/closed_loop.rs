//! Closed-loop load: each client sends its next call when it has the answer to the last.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Fault;
use crate::client::{Answer, Client};
use crate::contestant::{Contestant, Subject};
use crate::prompts::Prompt;
use crate::stretch::{Outcome, Shared, Stretch, WARM_UP};

/// Calls with `clients` connections at once; their first calls are spread over `stagger`.
pub async fn run(
    contestant: &Contestant,
    prompt: Prompt,
    clients: u32,
    stagger: Duration,
    seconds: Duration,
) -> Result<Outcome, Fault> {
    let stretch = Stretch::begin(contestant);
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let (subject, shared) = (Rc::clone(&contestant.subject), Rc::clone(&stretch.shared));
        let delay = stagger * number / clients;
        tasks.spawn_local(async move {
            sleep(delay).await;
            keep_calling(&subject, prompt, &shared).await;
        });
    }
    sleep(WARM_UP + stagger).await;
    stretch.measure(seconds, tasks).await
}

async fn keep_calling(subject: &Subject, prompt: Prompt, shared: &Shared) {
    let request = prompt.request(subject.target.address, &subject.target.headers);
    let mut client = Client::new(subject.target.address);
    while !shared.stopping.get() {
        let began = Instant::now();
        if !call_and_check(subject, &mut client, prompt, &request, shared).await {
            sleep(Duration::from_millis(5)).await;
        } else if shared.recording.get() {
            shared.latencies.borrow_mut().record(began.elapsed().as_nanos() as u64);
            if let Some(at) = client.first_piece() {
                shared.first_pieces.borrow_mut().record((at - began).as_nanos() as u64);
            }
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
            let refusal = client.refusal();
            subject.note_wrong(format!("{prompt:?}: {other:?} instead of {expected:?} {refusal}"));
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
