//! What outlives a call: files, batches, agents, conversations, libraries and fine-tuned models, by organization.

mod agents;
mod batches;
mod conversations;
mod files;
mod held;
mod libraries;
mod moment;
mod query;
mod shelf;
mod signed;
mod spool;
mod tuned;
mod upload;
mod usage_report;
mod world;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use batches::BatchFault;
pub use conversations::Turn;
pub use held::Held;
pub(crate) use spool::Spool;
pub(crate) use upload::Upload;

use crate::{
    fault::Plan,
    lenient::Problem,
    refusal,
    reply::Reply,
    route::Endpoint,
    simulator::{Inner, Received},
};
use query::Query;
use world::World;

/// What kind of stored thing a path is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    /// `/v1/files`
    Files,
    /// `/signed`, where signed URLs lead: without a credential.
    Signed,
    /// `/v1/batch/jobs`
    Batches,
    /// `/v1/agents`
    Agents,
    /// `POST /v1/agents/completions`
    AgentCompletions,
    /// `/v1/conversations`
    Conversations,
    /// `/v1/libraries`
    Libraries,
    /// `/v1/fine_tuning/models`
    TunedModels,
    /// `DELETE /v1/models/{id}`
    ModelDeletion,
    /// `GET /v1/admin/usage`
    UsageReport,
}

/// All that is stored.
#[derive(Default)]
pub(crate) struct Stored {
    worlds: Mutex<BTreeMap<String, World>>,
    batch_faults: Mutex<Vec<BatchFault>>,
    turns: Mutex<Vec<Turn>>,
}

/// A request for something stored, taken apart.
pub(crate) struct Ask<'a> {
    method: &'a str,
    /// What of the path stands behind the noun.
    path: Vec<&'a str>,
    query: Query,
    body: Option<&'a Value>,
    upload: Option<&'a Upload>,
    bearer: &'a str,
    account: Option<&'a str>,
    /// Where this simulator is met.
    host: String,
    now: i64,
    seed: u64,
    plan: &'a Plan,
    /// Whether it is a line of a batch.
    batch: bool,
    /// What goes wrong with the batch that it makes.
    batch_fault: Option<BatchFault>,
}

/// The stored thing meant, if one is.
pub(crate) fn noun(method: &Method, uri: &Uri) -> Option<Noun> {
    let segments = segments(uri);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["v1", "files", ..] => Some(Noun::Files),
        ["signed", ..] => Some(Noun::Signed),
        ["v1", "batch", "jobs", ..] => Some(Noun::Batches),
        ["v1", "agents", "completions"] if *method == Method::POST => Some(Noun::AgentCompletions),
        ["v1", "agents", ..] => Some(Noun::Agents),
        ["v1", "conversations", ..] => Some(Noun::Conversations),
        ["v1", "libraries", ..] => Some(Noun::Libraries),
        ["v1", "fine_tuning", "models", ..] => Some(Noun::TunedModels),
        ["v1", "models", _] if *method == Method::DELETE => Some(Noun::ModelDeletion),
        ["v1", "admin", "usage"] => Some(Noun::UsageReport),
        _ => None,
    }
}

/// The parts of a path, each without its percent-encoding.
fn segments(uri: &Uri) -> Vec<String> {
    uri.path().strip_prefix('/').unwrap_or_default().split('/').map(query::decoded).collect()
}

impl Noun {
    /// How many parts of the path lead to the noun.
    const fn depth(self) -> usize {
        match self {
            Self::Signed => 1,
            Self::Files | Self::Agents | Self::Conversations | Self::Libraries | Self::ModelDeletion => 2,
            Self::Batches | Self::AgentCompletions | Self::TunedModels | Self::UsageReport => 3,
        }
    }

    /// Whether a request is answered without a bearer's token.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Signed | Self::UsageReport)
    }

    /// Whether its answers may be streams.
    pub(crate) fn streams(self) -> bool {
        matches!(self, Self::AgentCompletions | Self::Conversations)
    }

    /// Whether the body of a request to this path is a form with a file.
    pub(crate) fn uploads(self, method: &Method, uri: &Uri) -> bool {
        let segments = segments(uri);
        let end = segments.last().map(String::as_str);
        *method == Method::POST
            && match self {
                Self::Files => segments.len() == 2,
                Self::Libraries => segments.len() == 4 && end == Some("documents"),
                Self::Signed
                | Self::Batches
                | Self::Agents
                | Self::AgentCompletions
                | Self::Conversations
                | Self::TunedModels
                | Self::ModelDeletion
                | Self::UsageReport => false,
            }
    }
}

impl Stored {
    fn worlds(&self) -> MutexGuard<'_, BTreeMap<String, World>> {
        self.worlds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Does something with the world that a credential sees.
    fn world<T>(&self, bearer: &str, act: impl FnOnce(&mut World) -> T) -> T {
        let key = if self.config.separate { bearer } else { "" };
        let mut worlds = self.stored.worlds();
        let world = worlds.entry(key.to_owned()).or_insert_with(|| World::new(&self.config, key));
        act(world)
    }

    /// The answer to a request for something stored.
    pub(crate) fn stored(&self, noun: Noun, received: &Received, plan: &Plan, call: u64) -> Reply {
        let bearer = received.bearer().unwrap_or_default();
        let segments = segments(&received.parts.uri);
        let makes_batch =
            noun == Noun::Batches && received.parts.method == Method::POST && segments.len() == noun.depth();
        let batch_fault = makes_batch
            .then(|| batches::wished(received.value.as_ref()).or_else(|| self.stored.next_batch_fault()))
            .flatten();
        let ask = Ask {
            method: received.parts.method.as_str(),
            path: segments.iter().skip(noun.depth()).map(String::as_str).collect(),
            query: Query::read(received.parts.uri.query().unwrap_or_default()),
            body: received.value.as_ref(),
            upload: received.upload.as_ref(),
            bearer: &bearer,
            account: received.account.as_deref(),
            host: host(&received.parts.headers, &received.parts.uri),
            now: (self.config.now)(),
            seed: self.config.seed,
            plan,
            batch: received.batch,
            batch_fault,
        };
        let answer = match noun {
            Noun::Files => self.world(&bearer, |world| files::answer(world, &ask)),
            Noun::Signed => signed::answer(&self.stored, &ask),
            Noun::Batches => self.world(&bearer, |world| batches::answer(world, &ask)),
            Noun::Agents => self.world(&bearer, |world| agents::answer(world, &ask)),
            Noun::AgentCompletions => self.agent_completion(&ask, call),
            Noun::Conversations => conversations::answer(self, &ask),
            Noun::Libraries => self.world(&bearer, |world| libraries::answer(world, &ask)),
            Noun::TunedModels => self.world(&bearer, |world| tuned::answer(world, &ask)),
            Noun::ModelDeletion => self.world(&bearer, |world| tuned::delete(world, &ask)),
            Noun::UsageReport => usage_report::answer(self, &ask, &received.parts.headers),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// The model that a request without one uses: that of its agent or its conversation.
    pub(crate) fn stored_model(&self, noun: Noun, received: &Received) -> Option<String> {
        let bearer = received.bearer()?;
        let named = |name: &str| received.value.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let segments = segments(&received.parts.uri);
        let conversation = segments.get(2).filter(|_| noun == Noun::Conversations);
        self.world(&bearer, |world| match noun {
            Noun::AgentCompletions => agents::model(world, &named("agent_id")?, None),
            Noun::Conversations => match conversation {
                Some(id) => conversations::model(world, id),
                None => {
                    agents::model(world, &named("agent_id")?, received.value.as_ref()?.get("agent_version"))
                }
            },
            Noun::Files
            | Noun::Signed
            | Noun::Batches
            | Noun::Agents
            | Noun::Libraries
            | Noun::TunedModels
            | Noun::ModelDeletion
            | Noun::UsageReport => None,
        })
    }

    /// One request of inference, by its endpoint and its body.
    pub(crate) fn inferred(&self, endpoint: Endpoint, body: &Value, plan: &Plan, call: u64) -> Reply {
        match body {
            Value::Object(body) => self.infer(endpoint, body, plan, call),
            other => refusal::unprocessable(&[Problem::no_object(other)]),
        }
    }
}

impl<'a> Ask<'a> {
    /// The body, which must be an object.
    fn object(&self) -> Result<&'a Map<String, Value>, Reply> {
        match self.body {
            None => Err(invalid(&[Problem::no_json()])),
            Some(Value::Object(body)) => Ok(body),
            Some(other) => Err(invalid(&[Problem::no_object(other)])),
        }
    }
}

/// Where the simulator is met, as the client says.
fn host(headers: &HeaderMap, uri: &Uri) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.map(str::to_owned).or_else(|| uri.authority().map(ToString::to_string)).unwrap_or_default()
}

/// A request that fails the validation of a control service: a bare list.
fn invalid(problems: &[Problem]) -> Reply {
    Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": problems }))
}

/// A field that must be there or must have another form.
fn wrong(name: &str, kind: &'static str, msg: &'static str, input: Value) -> Reply {
    invalid(&[Problem::field(&["body", name], kind, msg, input)])
}

/// A thing that is not there, in this organization.
fn absent(what: &str) -> Reply {
    Reply::json(StatusCode::NOT_FOUND, &json!({"detail": format!("No {what} matches the given query.")}))
}

/// A refusal of a control service.
fn refused(status: StatusCode, detail: &str) -> Reply {
    Reply::json(status, &json!({ "detail": detail }))
}

/// An answer in JSON.
fn found(value: &Value) -> Result<Reply, Reply> {
    Ok(Reply::json(StatusCode::OK, value))
}

/// No such path or method here.
fn nowhere() -> Result<Reply, Reply> {
    Err(refusal::no_route())
}
