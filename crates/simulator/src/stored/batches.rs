//! Batch jobs: made, listed, read, cancelled.

mod run;

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Ask, Spool, absent, files, found, invalid, nowhere, refused, spool::Writer, world::World, wrong,
};
use crate::{lenient::Fields, reply::Reply};
use run::Cursor;

/// No job takes more requests in its own body.
const INLINE: usize = 10_000;
/// What a request for a job may say.
const FIELDS: &[&str] = &[
    "input_files",
    "requests",
    "model",
    "agent_id",
    "endpoint",
    "metadata",
    "timeout_hours",
    "output_schema",
];
/// The endpoints that a job may name.
const ENDPOINTS: [&str; 10] = [
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/fim/completions",
    "/v1/moderations",
    "/v1/chat/moderations",
    "/v1/ocr",
    "/v1/classifications",
    "/v1/chat/classifications",
    "/v1/conversations",
    "/v1/audio/transcriptions",
];

/// What goes wrong with a batch as a whole. A job's `metadata.simulator` may hold one in snake case, as
/// `batch_fault`: `{"batch_fault": "fail_half"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchFault {
    /// Ends as `FAILED` before any line.
    Fail,
    /// Ends as `FAILED` after half of its lines, which are billed and in the output file.
    FailHalf,
    /// Ends as `TIMEOUT_EXCEEDED` after half of its lines, which are billed and in the output file.
    TimeOut,
    /// Ends as `SUCCESS` after half of its lines, and says that these were all that succeeded.
    HalfDone,
    /// Ends as `SUCCESS`, but the output file that it names is not there.
    NoOutput,
    /// The answers in its output file have no `usage`.
    NoUsage,
    /// Runs for ever, until it is cancelled.
    Stuck,
}

/// A stored batch job.
pub(crate) struct Job {
    pub(crate) id: String,
    object: Map<String, Value>,
    status: Status,
    counts: Counts,
    inputs: Vec<Arc<Spool>>,
    created: i64,
    fault: Option<BatchFault>,
    bearer: String,
    account: Option<String>,
    /// How far it has come; absent while lines are being run.
    cursor: Option<Cursor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Queued,
    Running,
    Success,
    Failed,
    TimeoutExceeded,
    CancellationRequested,
    Cancelled,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::TimeoutExceeded => "TIMEOUT_EXCEEDED",
            Self::CancellationRequested => "CANCELLATION_REQUESTED",
            Self::Cancelled => "CANCELLED",
        }
    }

    const fn over(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::TimeoutExceeded | Self::Cancelled)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    total: u64,
    succeeded: u64,
    failed: u64,
}

impl Job {
    /// The job as it is shown.
    pub(crate) fn object(&self) -> Map<String, Value> {
        let mut object = self.object.clone();
        let Counts { total, succeeded, failed } = self.counts;
        for (name, value) in [
            ("status", json!(self.status.name())),
            ("total_requests", json!(total)),
            ("completed_requests", json!(succeeded.saturating_add(failed))),
            ("succeeded_requests", json!(succeeded)),
            ("failed_requests", json!(failed)),
        ] {
            object.insert(name.to_owned(), value);
        }
        object
    }

    fn set(&mut self, name: &str, value: Value) {
        self.object.insert(name.to_owned(), value);
    }
}

pub(crate) fn answer(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    match (ask.method, ask.path.as_slice()) {
        ("POST", []) => create(world, ask),
        ("GET", []) => list(world, ask),
        ("GET", [id]) => {
            let mut object = job(world, id)?.object();
            if ask.query.get("inline").is_some_and(|inline| ["true", "1"].contains(&inline)) {
                object.insert("outputs".to_owned(), outputs(world, &object));
            }
            found(&Value::Object(object))
        }
        ("POST", [id, "cancel"]) => {
            let now = ask.now;
            let job = job(world, id)?;
            match job.status {
                Status::Queued => {
                    job.status = Status::Cancelled;
                    job.set("completed_at", json!(now));
                }
                Status::Running => job.status = Status::CancellationRequested,
                Status::CancellationRequested => {}
                Status::Success | Status::Failed | Status::TimeoutExceeded | Status::Cancelled => {
                    return Err(refused(StatusCode::CONFLICT, "The job is already over."));
                }
            }
            found(&Value::Object(job.object()))
        }
        ("DELETE", [id]) => {
            if !job(world, id)?.status.over() {
                return Err(refused(StatusCode::CONFLICT, "The job is not over yet."));
            }
            world.jobs.remove(id);
            found(&json!({"id": id, "object": "batch", "deleted": true}))
        }
        _ => nowhere(),
    }
}

fn job<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Job, Reply> {
    world.jobs.get_mut(id).ok_or_else(|| absent("BatchJob"))
}

/// The lines of a job's output file as JSON.
fn outputs(world: &World, object: &Map<String, Value>) -> Value {
    let file = object.get("output_file").and_then(Value::as_str).and_then(|id| world.files.get(id));
    let lines = file.into_iter().flat_map(|file| file.spool.each_line(0)).filter_map(Result::ok);
    lines.filter_map(|(line, _)| serde_json::from_slice::<Value>(&line).ok()).collect()
}

fn list(world: &World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let query = &ask.query;
    let after = query.get("created_after").map(moment);
    let metadata: Option<Value> = query.get("metadata").and_then(|given| serde_json::from_str(given).ok());
    let wanted = |object: &Map<String, Value>| {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let at = object.get("created_at").and_then(Value::as_i64).unwrap_or(0);
        let marked = metadata.as_ref().and_then(Value::as_object).into_iter().flatten();
        query.wants("model", text("model"))
            && query.wants("agent_id", text("agent_id"))
            && query.wants("status", text("status"))
            && after.is_none_or(|after| after.is_some_and(|after| at > after))
            && marked
                .into_iter()
                .all(|(key, value)| object.get("metadata").and_then(|all| all.get(key)) == Some(value))
    };
    // All jobs of an organization here are made by the one user that its credentials stand for.
    let jobs: Vec<_> = world.jobs.iter().rev().map(Job::object).filter(wanted).collect();
    let total = jobs.len();
    found(&json!({"data": query.page(jobs, 100), "object": "list", "total": total}))
}

/// A moment as a query may give it: RFC 3339 in UTC, compared as text, or unix seconds.
fn moment(given: &str) -> Option<i64> {
    if let Ok(seconds) = given.parse() {
        return Some(seconds);
    }
    let mut numbers =
        given.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse::<i64>().ok());
    let mut number = || numbers.next().flatten();
    let (year, month, day) = (number()?, number()?, number()?);
    let (hour, minute, second) = (number().unwrap_or(0), number().unwrap_or(0), number().unwrap_or(0));
    let days = super::moment::first_day(year, month.clamp(1, 12)).saturating_add(day - 1);
    Some(days.saturating_mul(super::moment::DAY).saturating_add(hour * 3600 + minute * 60 + second))
}

fn create(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let body = ask.object()?;
    let mut fields = Fields::of(body, &["body"], FIELDS);
    let endpoint = fields.string("endpoint").unwrap_or_default();
    let hours = fields.count("timeout_hours", 1, 168).unwrap_or(24);
    if !fields.problems.is_empty() {
        return Err(invalid(&fields.problems));
    }
    if !ENDPOINTS.contains(&endpoint) {
        return Err(wrong("endpoint", "enum", "Input is not an endpoint of batches", json!(endpoint)));
    }
    let inputs = inputs(world, ask, body)?;
    let id = world.uuid();
    let mut object = Map::new();
    for (name, value) in [
        ("id", json!(id)),
        ("object", json!("batch")),
        (
            "input_files",
            body.get("input_files").filter(|files| !files.is_null()).cloned().unwrap_or(json!([])),
        ),
        ("endpoint", json!(endpoint)),
        ("model", body.get("model").cloned().unwrap_or_default()),
        ("agent_id", body.get("agent_id").cloned().unwrap_or_default()),
        ("metadata", body.get("metadata").cloned().unwrap_or_default()),
        ("timeout_hours", json!(hours)),
        ("output_file", Value::Null),
        ("error_file", Value::Null),
        ("errors", json!([])),
        ("outputs", Value::Null),
        ("created_at", json!(ask.now)),
        ("started_at", Value::Null),
        ("completed_at", Value::Null),
    ] {
        object.insert(name.to_owned(), value);
    }
    let total = inputs.iter().map(|spool| spool.lines()).sum();
    let job = Job {
        id: id.clone(),
        object: world.owned(object),
        status: Status::Queued,
        counts: Counts { total, ..Counts::default() },
        inputs,
        created: ask.now,
        fault: ask.batch_fault,
        bearer: ask.bearer.to_owned(),
        account: ask.account.map(str::to_owned),
        cursor: Some(Cursor::default()),
    };
    let object = job.object();
    world.jobs.put(&id, job);
    found(&Value::Object(object))
}

/// What the job is to run: files of the organization, or the requests in the body.
fn inputs(world: &World, ask: &Ask<'_>, body: &Map<String, Value>) -> Result<Vec<Arc<Spool>>, Reply> {
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    match (given("input_files"), given("requests")) {
        (Some(Value::Array(ids)), None) if !ids.is_empty() => {
            let file = |id: &Value| {
                let file = files::file(world, id.as_str().unwrap_or_default(), ask.now)?;
                if file.object.get("purpose") != Some(&json!("batch")) {
                    return Err(wrong(
                        "input_files",
                        "value_error",
                        "The file's purpose is not batch",
                        id.clone(),
                    ));
                }
                Ok(Arc::clone(&file.spool))
            };
            ids.iter().map(file).collect()
        }
        (None, Some(Value::Array(requests))) if requests.len() > INLINE => {
            Err(wrong("requests", "too_long", "List should have at most 10000 items", json!(requests.len())))
        }
        (None, Some(Value::Array(requests))) if !requests.is_empty() => {
            let mut writer = Writer::default();
            let lines =
                requests.iter().try_for_each(|request| writer.write(format!("{request}\n").as_bytes()));
            let spool = lines.and_then(|()| writer.finish());
            let spool =
                spool.map_err(|error| refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))?;
            Ok(vec![Arc::new(spool)])
        }
        _ => Err(wrong("input_files", "value_error", "Give either input_files or requests", json!(body))),
    }
}

/// The fault that a job's own metadata asks for.
pub(crate) fn wished(body: Option<&Value>) -> Option<BatchFault> {
    let given = body?.get("metadata")?.get("simulator")?;
    let given = match given {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    BatchFault::deserialize(given.get("batch_fault")?).ok()
}
