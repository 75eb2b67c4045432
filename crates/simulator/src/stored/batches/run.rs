//! Runs the lines of batch jobs through the simulator's own endpoints.

use std::{collections::VecDeque, io, sync::Arc};

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{BatchFault, Job, Status};
use crate::{
    billed::Billed,
    books::Account,
    fault::{Fault, Plan},
    lenient,
    prose::Random,
    received::Received,
    refusal,
    reply::{Content, Reply},
    simulator::{Inner, Simulator},
    stored::{
        Request,
        files::{self, Made},
        spool::Writer,
        world::World,
    },
};

/// So many lines are read at once.
const AT_ONCE: usize = 256;

/// How far a job has come.
#[derive(Default)]
pub(super) struct Cursor {
    /// Which of the inputs.
    input: usize,
    /// And where in it.
    from: u64,
    /// Lines that were read and not yet run.
    waiting: VecDeque<Vec<u8>>,
    /// Whether there are no more.
    ended: bool,
    lines: u64,
    output: Writer,
    errors: Writer,
}

/// One line of a job, with what the job says for all of them.
struct Line {
    job: String,
    endpoint: String,
    model: Value,
    agent: Value,
    bearer: String,
    account: Option<String>,
    usage: bool,
    text: Vec<u8>,
}

/// What came of a line.
struct Done {
    text: String,
    succeeded: bool,
}

impl Simulator {
    /// Runs all batches that wait, whether or not they are held or due, to their end.
    pub fn run_batches(&self) {
        self.run_batch_lines(u64::MAX);
    }

    /// Runs so many more lines of each batch that is not over; one whose lines are all done is over.
    pub fn run_batch_lines(&self, lines: u64) {
        for (world, id) in self.inner.jobs(|_| true) {
            self.inner.run(&world, &id, lines);
        }
    }

    /// Begins to run the batches whose time has come.
    pub(crate) fn tend_batches(&self) {
        let config = &self.inner.config;
        if config.hold_batches {
            return;
        }
        let delay = i64::try_from(config.batch_delay.as_secs()).unwrap_or(i64::MAX);
        let now = (config.now)();
        for (world, id) in self.inner.jobs(|job| now >= job.created.saturating_add(delay)) {
            let busy = self.inner.ledger.busy();
            let inner = Arc::clone(&self.inner);
            // Whoever waits until nothing is under way waits for the batch, too; but a server that stops waits
            // for no more than a few lines of it.
            tokio::spawn(async move {
                let _busy = busy;
                loop {
                    let (inner, world, id) = (Arc::clone(&inner), world.clone(), id.clone());
                    let few = move || inner.run(&world, &id, AT_ONCE as u64);
                    if !tokio::task::spawn_blocking(few).await.unwrap_or(false) {
                        break;
                    }
                }
            });
        }
    }
}

impl Inner {
    /// The jobs that are not over and that nobody runs right now, with their worlds.
    fn jobs(&self, wanted: impl Fn(&Job) -> bool) -> Vec<(String, String)> {
        let worlds = self.stored.worlds();
        let waits = |job: &&Job| !job.status.over() && job.cursor.is_some() && wanted(job);
        let of = |world: &World| -> Vec<_> {
            world.jobs.iter().filter(waits).map(|job| (world.key.clone(), job.id.clone())).collect()
        };
        worlds.values().flat_map(of).collect()
    }

    /// Runs some lines of a job; says whether more are to be run.
    fn run(&self, world: &str, id: &str, lines: u64) -> bool {
        let now = (self.config.now)();
        let Some((mut cursor, inputs)) = self.job(world, id, |job| {
            let cursor = job.cursor.take()?;
            if job.status == Status::Queued {
                job.status = Status::Running;
                job.set("started_at", json!(now));
            }
            Some((cursor, job.inputs.clone()))
        }) else {
            return false;
        };
        for _ in 0..lines {
            if self.job(world, id, |job| verdict(job, &cursor, now)).is_some() {
                break;
            }
            let Some(text) = next(&mut cursor, &inputs) else { break };
            let Some(line) = self.job(world, id, |job| Some(line(job, text))) else { break };
            let done = self.run_line(&line);
            cursor.lines += 1;
            let writer = if done.succeeded { &mut cursor.output } else { &mut cursor.errors };
            let written = writer.write(done.text.as_bytes());
            self.job(world, id, |job| {
                let counted = done.succeeded && written.is_ok();
                let count = if counted { &mut job.counts.succeeded } else { &mut job.counts.failed };
                *count = count.saturating_add(1);
                Some(())
            });
        }
        self.rest(world, id, cursor, now)
    }

    /// Ends a job that is at its end, and puts any other away until it runs on; says whether it is to run on.
    fn rest(&self, world: &str, id: &str, cursor: Cursor, now: i64) -> bool {
        let mut worlds = self.stored.worlds();
        let Some(world) = worlds.get_mut(world) else { return false };
        let Some(job) = world.jobs.get_mut(id) else { return false };
        let done = (cursor.ended || cursor.lines >= job.counts.total) && job.fault != Some(BatchFault::Stuck);
        match verdict(job, &cursor, now).or(done.then_some(Status::Success)).filter(|status| status.over()) {
            Some(status) => {
                end(world, id, cursor, status, now);
                false
            }
            None => {
                job.cursor = Some(cursor);
                job.fault != Some(BatchFault::Stuck)
            }
        }
    }

    fn job<T>(&self, world: &str, id: &str, act: impl FnOnce(&mut Job) -> Option<T>) -> Option<T> {
        self.stored.worlds().get_mut(world)?.jobs.get_mut(id).and_then(act)
    }

    fn run_line(&self, line: &Line) -> Done {
        let given = lenient::parse(&line.text);
        let custom = given.as_ref().and_then(|given| given.get("custom_id")).cloned().unwrap_or_default();
        let reply = match given.as_ref().and_then(|given| given.get("body")?.as_object().cloned()) {
            Some(body) => self.run_body(line, body),
            None => refusal::misread("Each line must be an object with a body that is an object."),
        };
        let status = reply.status;
        let body = match reply.content {
            Content::Whole(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            // A line's answer is never a stream.
            Content::Events(_) | Content::Named(_) | Content::Spooled(_) => "null".to_owned(),
        };
        let body = if lenient::parse(body.as_bytes()).is_some() { body } else { json!(body).to_string() };
        let line_id = Random::of(&[self.config.seed, crate::prose::hash(12, &line.text)]).id();
        let succeeded = status == StatusCode::OK;
        let error =
            if succeeded { Value::Null } else { json!({"message": format!("status {}", status.as_u16())}) };
        let text = format!(
            "{{\"id\":\"batch-{}-{line_id}\",\"custom_id\":{custom},\
             \"response\":{{\"status_code\":{},\"body\":{body}}},\"error\":{error}}}\n",
            line.job,
            status.as_u16(),
        );
        Done { text, succeeded }
    }

    /// The answer to one line's body, billed as of a batch.
    fn run_body(&self, line: &Line, mut body: Map<String, Value>) -> Reply {
        for (name, value) in [("model", &line.model), ("agent_id", &line.agent)] {
            if !value.is_null() && body.get(name).is_none_or(Value::is_null) {
                body.insert(name.to_owned(), value.clone());
            }
        }
        // A conversation has one of the two.
        if line.endpoint == "/v1/conversations" && !line.agent.is_null() {
            body.remove("model");
        }
        if body.contains_key("stream") {
            body.insert("stream".to_owned(), json!(false));
        }
        let Some(received) = Received::in_batch(self, line, body) else { return refusal::no_route() };
        let mut plan = match Plan::read(received.value.as_ref()) {
            Ok(plan) => plan,
            Err(why) => return refusal::misdirected(&why),
        };
        if !line.usage {
            plan.faults.push(Fault::NoUsage);
        }
        if let Some(instead) = Reply::instead(&plan, false, &line.bearer) {
            return instead;
        }
        let call = crate::prose::hash(13, &line.text);
        let reply = self.work(&received, &plan, call);
        self.bill_line(line, &received, reply.worked());
        reply
    }

    fn bill_line(&self, line: &Line, received: &Received, worked: Billed) {
        if !self.keeps_books() {
            return;
        }
        let worked = Billed { batch: true, ..worked };
        let own = received.account();
        let account = Account { name: own.name.clone().or_else(|| line.account.clone()), batch: true, ..own };
        let sums = self.books.call(account, (self.config.now)());
        sums.bill(worked);
        sums.work(worked);
    }
}

impl Received {
    /// A line as a request of its own.
    fn in_batch(inner: &Inner, line: &Line, body: Map<String, Value>) -> Option<Self> {
        let request = http::Request::post(line.endpoint.as_str())
            .header("authorization", format!("Bearer {}", line.bearer))
            .header("content-type", "application/json");
        let (parts, ()) = request.body(()).ok()?.into_parts();
        let endpoint = crate::route::endpoint(&parts.method, &parts.uri);
        let body = Value::Object(body);
        let mut received = Self::new(parts, endpoint, &body.to_string().into_bytes().into());
        received.stored = Request::of(&received.parts, endpoint, None);
        received.value = Some(body);
        received.batch = true;
        received.resolve(inner);
        Some(received)
    }
}

/// How a job ends now, if it ends.
fn verdict(job: &Job, cursor: &Cursor, now: i64) -> Option<Status> {
    let half = cursor.lines >= job.counts.total / 2;
    let hours = job.object.get("timeout_hours").and_then(Value::as_i64).unwrap_or(24);
    match (job.status, job.fault) {
        (Status::CancellationRequested, _) => Some(Status::Cancelled),
        (_, Some(BatchFault::Fail)) => Some(Status::Failed),
        (_, Some(BatchFault::FailHalf)) if half => Some(Status::Failed),
        (_, Some(BatchFault::TimeOut)) if half => Some(Status::TimeoutExceeded),
        (_, Some(BatchFault::HalfDone)) if half => Some(Status::Success),
        // It stays as it is.
        (_, Some(BatchFault::Stuck)) => Some(Status::Running),
        _ if now >= job.created.saturating_add(hours.saturating_mul(3600)) => Some(Status::TimeoutExceeded),
        _ => None,
    }
}

/// The next line of the inputs; what cannot be read ends them.
fn next(cursor: &mut Cursor, inputs: &[Arc<crate::stored::Spool>]) -> Option<Vec<u8>> {
    loop {
        if let Some(line) = cursor.waiting.pop_front() {
            return Some(line);
        }
        let Some(spool) = inputs.get(cursor.input) else {
            cursor.ended = true;
            return None;
        };
        for (line, after) in spool.each_line(cursor.from).take(AT_ONCE).map_while(Result::ok) {
            cursor.waiting.push_back(line);
            cursor.from = after;
        }
        if cursor.waiting.is_empty() {
            cursor.input += 1;
            cursor.from = 0;
        }
    }
}

fn line(job: &Job, text: Vec<u8>) -> Line {
    let field = |name: &str| job.object.get(name).cloned().unwrap_or_default();
    Line {
        job: job.id.clone(),
        endpoint: field("endpoint").as_str().unwrap_or_default().to_owned(),
        model: field("model"),
        agent: field("agent_id"),
        bearer: job.bearer.clone(),
        account: job.account.clone(),
        usage: job.fault != Some(BatchFault::NoUsage),
        text,
    }
}

/// Puts the files of a job that is over into its organization.
fn end(world: &mut World, id: &str, cursor: Cursor, status: Status, now: i64) {
    let missing = world.jobs.get(id).is_some_and(|job| job.fault == Some(BatchFault::NoOutput));
    let output = keep(world, cursor.output, &format!("{id}_results.jsonl"), "batch_result", now);
    let errors = keep(world, cursor.errors, &format!("{id}_errors.jsonl"), "batch_error", now);
    if let Some(output) = output.as_deref().filter(|_| missing) {
        world.files.remove(output);
    }
    let Some(job) = world.jobs.get_mut(id) else { return };
    job.status = status;
    job.set("completed_at", json!(now));
    job.set("output_file", json!(output));
    job.set("error_file", json!(errors));
    let failed = job.counts.failed;
    let mut told = Vec::new();
    if failed > 0 {
        told.push(json!({"message": "Some requests failed", "count": failed}));
    }
    if status == Status::Failed {
        told.push(json!({"message": "The job failed", "count": 1}));
    }
    job.set("errors", json!(told));
}

/// The id of a file of these lines, if there are any.
fn keep(world: &mut World, lines: Writer, name: &str, sample: &str, now: i64) -> Option<String> {
    let spool = Some(lines).filter(|lines| lines.length() > 0).map(Writer::finish)?;
    let spool: Result<_, io::Error> = spool;
    let made = Made {
        name,
        purpose: "batch",
        sample,
        source: "mistral",
        visibility: "workspace",
        kind: Some("application/jsonl"),
        expires_at: None,
    };
    let object = files::put(world, &made, Arc::new(spool.ok()?), now);
    object.get("id").and_then(Value::as_str).map(str::to_owned)
}
