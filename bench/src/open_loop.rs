//! Open-loop load: calls leave on a schedule whether or not earlier ones were answered.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Fault;
use crate::client::Client;
use crate::closed_loop::call_and_check;
use crate::contestant::{Contestant, Subject};
use crate::prompts::Prompt;
use crate::stretch::{Outcome, Shared, Stretch, WARM_UP};

/// Connections over which the calls of a schedule go; a call waits, on the clock, where all are busy.
const CONNECTIONS: u32 = 64;

/// Calls `rate` times a second; latencies count from the moment a call was due, not from when it left.
pub async fn run(
    contestant: &Contestant,
    prompt: Prompt,
    rate: u32,
    seconds: Duration,
) -> Result<Outcome, Fault> {
    let stretch = Stretch::begin(contestant);
    let begin = Instant::now() + Duration::from_millis(50);
    let (sender, receiver) = unbounded_channel();
    let due = Rc::new(Mutex::new(receiver));
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::new(contestant.subject.target.address);
        client.connect().await?;
        let (subject, shared, due) =
            (Rc::clone(&contestant.subject), Rc::clone(&stretch.shared), Rc::clone(&due));
        tasks.spawn_local(async move {
            keep_calling(&subject, client, prompt, &shared, &due, begin + WARM_UP).await
        });
    }
    // A thread of its own: the runtime's timers know milliseconds only.
    thread::spawn(move || {
        let calls = (f64::from(rate) * (WARM_UP + seconds).as_secs_f64()) as u32;
        for number in 0..calls {
            let at = begin + Duration::from_secs_f64(f64::from(number) / f64::from(rate));
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if sender.send(at).is_err() {
                return;
            }
        }
    });
    sleep((begin + WARM_UP).saturating_duration_since(Instant::now())).await;
    stretch.measure(seconds, tasks).await
}

async fn keep_calling(
    subject: &Subject,
    mut client: Client,
    prompt: Prompt,
    shared: &Shared,
    due: &Mutex<UnboundedReceiver<Instant>>,
    from: Instant,
) {
    let request = prompt.request(subject.target.address, &subject.target.headers);
    loop {
        let next = due.lock().await.recv().await;
        let Some(at) = next else { return };
        let good = call_and_check(subject, &mut client, prompt, &request, shared).await;
        // By when it was due: what waits past the end of the window counts too.
        if good && at >= from {
            shared.latencies.borrow_mut().record(at.elapsed().as_nanos() as u64);
        }
    }
}
