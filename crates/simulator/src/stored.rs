//! What outlives a call, by organization: files, batches, agents, conversations, libraries, fine-tuned models.

mod agents;
mod api_keys;
mod batches;
mod conversations;
mod files;
mod held;
mod libraries;
mod moment;
mod query;
mod request;
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

use http::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

pub use api_keys::ApiKey;
pub use batches::BatchFault;
pub use conversations::Turn;
pub use held::Held;
pub(crate) use request::{Request, noun};
pub(crate) use spool::Spool;
pub(crate) use upload::Upload;

use crate::{
    fault::Plan, lenient::Problem, received::Received, refusal, reply::Reply, route::Endpoint,
    simulator::Inner,
};
use request::Ask;
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
    /// `GET /v1/admin/api-keys`
    ApiKeys,
    /// `POST /v1/admin/api-keys`
    ApiKeyCreation,
    /// `DELETE /v1/admin/api-keys/{id}`
    ApiKeyDeletion,
}

/// All that is stored.
#[derive(Default)]
pub(crate) struct Stored {
    worlds: Mutex<BTreeMap<String, World>>,
    batch_faults: Mutex<Vec<BatchFault>>,
    turns: Mutex<Vec<Turn>>,
    api_keys: Mutex<Vec<ApiKey>>,
}

impl Noun {
    /// How many parts of the path lead to the noun.
    const fn depth(self) -> usize {
        match self {
            Self::Signed => 1,
            Self::Files | Self::Agents | Self::Conversations | Self::Libraries | Self::ModelDeletion => 2,
            Self::Batches | Self::AgentCompletions | Self::TunedModels | Self::UsageReport => 3,
            Self::ApiKeys | Self::ApiKeyCreation | Self::ApiKeyDeletion => 3,
        }
    }

    /// Whether a request is answered without a bearer's token.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Signed) || self.is_admins()
    }

    /// Whether it is of the admin API, which has a credential of its own.
    pub(crate) fn is_admins(self) -> bool {
        matches!(self, Self::UsageReport | Self::ApiKeys | Self::ApiKeyCreation | Self::ApiKeyDeletion)
    }

    /// Whether its answers may be streams.
    pub(crate) fn streams(self) -> bool {
        matches!(self, Self::AgentCompletions | Self::Conversations)
    }

    /// Whether the body of a request to this path is a form with a file.
    pub(crate) fn uploads(self, method: &Method, uri: &Uri) -> bool {
        let segments = request::segments(uri);
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
                | Self::UsageReport
                | Self::ApiKeys
                | Self::ApiKeyCreation
                | Self::ApiKeyDeletion => false,
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
        let of_key = || self.stored.world_of(bearer).unwrap_or_else(|| bearer.to_owned());
        let key = if self.config.separate { of_key() } else { String::new() };
        let mut worlds = self.stored.worlds();
        let world = worlds.entry(key.clone()).or_insert_with(|| World::new(&self.config, &key));
        act(world)
    }

    /// The answer to a request for something stored.
    pub(crate) fn stored(&self, noun: Noun, received: &Received, plan: &Plan, call: u64) -> Reply {
        let Some(request) = received.stored.as_deref() else { return refusal::no_route() };
        let bearer = &received.bearer().unwrap_or_default();
        let makes_batch = noun == Noun::Batches && request.method == Method::POST && request.path.is_empty();
        let batch_fault = makes_batch
            .then(|| batches::wished(received.value.as_ref()).or_else(|| self.stored.next_batch_fault()))
            .flatten();
        let ask = Ask {
            method: request.method.as_str(),
            path: request.path.iter().map(String::as_str).collect(),
            query: &request.query,
            body: received.value.as_ref(),
            upload: request.upload.as_ref(),
            bearer,
            account: received.account.as_deref(),
            host: &request.host,
            now: (self.config.now)(),
            seed: self.config.seed,
            hold_documents: self.config.hold_documents,
            plan,
            batch: received.batch,
            batch_fault,
        };
        let answer = match noun {
            Noun::Files => self.world(bearer, |world| files::answer(world, &ask)),
            Noun::Signed => signed::answer(&self.stored, &ask),
            Noun::Batches => self.world(bearer, |world| batches::answer(world, &ask)),
            Noun::Agents => self.world(bearer, |world| agents::answer(world, &ask)),
            Noun::AgentCompletions => self.agent_completion(&ask, call),
            Noun::Conversations => conversations::answer(self, &ask),
            Noun::Libraries => self.world(bearer, |world| libraries::answer(world, &ask)),
            Noun::TunedModels => self.world(bearer, |world| tuned::answer(world, &ask)),
            Noun::ModelDeletion => self.world(bearer, |world| tuned::delete(world, &ask)),
            Noun::UsageReport => usage_report::answer(self, &ask, request.api_key.as_deref()),
            Noun::ApiKeys | Noun::ApiKeyCreation | Noun::ApiKeyDeletion => {
                api_keys::answer(self, noun, &ask, request.api_key.as_deref())
            }
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// The model that a request without one uses: that of its agent or its conversation.
    pub(crate) fn stored_model(&self, noun: Noun, received: &Received) -> Option<String> {
        let bearer = &received.bearer()?;
        let named = |name: &str| received.value.as_ref()?.get(name)?.as_str().map(str::to_owned);
        let conversation = received.stored.as_deref().and_then(|request| request.path.first());
        self.world(bearer, |world| match noun {
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
            | Noun::UsageReport
            | Noun::ApiKeys
            | Noun::ApiKeyCreation
            | Noun::ApiKeyDeletion => None,
        })
    }

    /// One request of inference, by its endpoint and its body.
    fn inferred(&self, endpoint: Endpoint, body: &Value, ask: &Ask<'_>, call: u64) -> Reply {
        self.at_work(ask.bearer, ask.plan, call).infer(endpoint, Some(body), None)
    }
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
