//! A request for something stored, taken apart.

use http::{HeaderMap, Method, Uri, header, request::Parts};
use serde_json::{Map, Value};

use super::{
    BatchFault, Noun, Upload, invalid,
    query::{Query, decoded},
};
use crate::{fault::Plan, lenient::Problem, reply::Reply, route::Endpoint};

/// What of a request, besides its body, things that are stored look at.
pub(crate) struct Request {
    pub(super) method: Method,
    /// What of the path stands behind the noun.
    pub(super) path: Vec<String>,
    pub(super) query: Query,
    /// Where this simulator is met.
    pub(super) host: String,
    /// The credential of the admin API, where it is no bearer's token.
    pub(super) api_key: Option<String>,
    pub(super) upload: Option<Upload>,
}

impl Request {
    /// A request for a stored thing, if it is for one, with its form if it has one.
    pub(crate) fn of(parts: &Parts, endpoint: Endpoint, upload: Option<Upload>) -> Option<Box<Self>> {
        let Endpoint::Stored(noun) = endpoint else { return None };
        let api_key = parts.headers.get("x-api-key").and_then(|key| key.to_str().ok());
        Some(Box::new(Self {
            method: parts.method.clone(),
            path: segments(&parts.uri).into_iter().skip(noun.depth()).collect(),
            query: Query::read(parts.uri.query().unwrap_or_default()),
            host: host(&parts.headers, &parts.uri),
            api_key: api_key.map(str::to_owned),
            upload,
        }))
    }
}

/// What the nouns are asked.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    /// What of the path stands behind the noun.
    pub(super) path: Vec<&'a str>,
    pub(super) query: &'a Query,
    pub(super) body: Option<&'a Value>,
    pub(super) upload: Option<&'a Upload>,
    pub(super) bearer: &'a str,
    pub(super) account: Option<&'a str>,
    /// Where this simulator is met.
    pub(super) host: &'a str,
    pub(super) now: i64,
    pub(super) seed: u64,
    /// Whether documents are not read yet.
    pub(super) hold_documents: bool,
    pub(super) plan: &'a Plan,
    /// Whether it is a line of a batch.
    pub(super) batch: bool,
    /// What goes wrong with the batch that it makes.
    pub(super) batch_fault: Option<BatchFault>,
}

impl<'a> Ask<'a> {
    /// The body, which must be an object.
    pub(super) fn object(&self) -> Result<&'a Map<String, Value>, Reply> {
        match self.body {
            None => Err(invalid(&[Problem::no_json()])),
            Some(Value::Object(body)) => Ok(body),
            Some(other) => Err(invalid(&[Problem::no_object(other)])),
        }
    }
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
        ["v1", "admin", "api-keys"] if *method == Method::POST => Some(Noun::ApiKeyCreation),
        ["v1", "admin", "api-keys", _] if *method == Method::DELETE => Some(Noun::ApiKeyDeletion),
        ["v1", "admin", "api-keys"] => Some(Noun::ApiKeys),
        _ => None,
    }
}

/// The parts of a path, each without its percent-encoding.
pub(super) fn segments(uri: &Uri) -> Vec<String> {
    uri.path().strip_prefix('/').unwrap_or_default().split('/').map(decoded).collect()
}

/// Where the simulator is met, as the client says.
fn host(headers: &HeaderMap, uri: &Uri) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.map(str::to_owned).or_else(|| uri.authority().map(ToString::to_string)).unwrap_or_default()
}
