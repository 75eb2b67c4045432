//! Conversations: listed from the registry, shown and deleted upstream.

use super::{Deed, lists};
use crate::reply::{Body, Failure};
use http::{Method, Response, StatusCode};
use louver_domain::objects::ObjectKind;
use louver_store::objects::Object;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What lists may be asked by.
pub(super) const PARAMETERS: &[&str] = &["page", "page_size", "metadata"];
/// Conversations of one page, if the request does not say.
const PAGE: u64 = 100;

/// What is known of a conversation: with what it was begun, and goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    /// Its model; empty where an agent speaks.
    pub(crate) model: String,
    /// Its agent, with the version that it was begun with.
    pub(crate) agent: Option<(String, u64)>,
    /// Types of the tools that upstream runs by itself, beside the agent's.
    pub(crate) tools: Vec<String>,
    /// Models of its guardrails.
    pub(crate) guardrails: Vec<String>,
    /// Tokens at most that each of its turns brings along, beside the agent's.
    pub(crate) prompt: u64,
    /// Completion arguments for all its turns.
    pub(crate) args: Map<String, Value>,
    /// What a list shows of it.
    pub(crate) shown: Map<String, Value>,
}

impl Known {
    /// Of a conversation in the registry.
    pub(crate) fn of(object: &Object) -> Self {
        serde_json::from_str(&object.attributes).unwrap_or_default()
    }

    pub(crate) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The conversations of the workspace, newest first.
pub(super) async fn list(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let (skip, size) = lists::page(deed, PAGE)?;
    let wanted = lists::metadata(deed)?;
    let fitting = |object: &Object| Some(shown(object)).filter(|shown| lists::has(shown, &wanted));
    let most = skip.saturating_add(size);
    let gathered = lists::gather(deed, ObjectKind::Conversation, "", most, fitting).await?;
    Ok(deed.reply(StatusCode::OK, &gathered.into_iter().skip(skip).take(size).collect()))
}

fn shown(object: &Object) -> Value {
    let mut shown = Known::of(object).shown;
    for (name, value) in [
        ("object", "conversation".into()),
        ("id", object.upstream_id.clone().into()),
        ("created_at", object.created_at.rfc3339().into()),
        ("updated_at", object.changed_at.rfc3339().into()),
    ] {
        shown.insert(name.to_owned(), value);
    }
    Value::Object(shown)
}

/// A conversation, its history or its messages, as upstream shows them now.
pub(super) async fn get(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let object = deed.object(ObjectKind::Conversation).await?;
    let credential = deed.credential_of(&object)?;
    let said = deed.ask(Method::GET, deed.asked.path(), &credential, None).await?;
    deed.pass_on(&said)
}

/// Deletes a conversation. One that upstream has forgotten already is deleted here too.
pub(super) async fn delete(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    deed.delete(ObjectKind::Conversation).await
}
