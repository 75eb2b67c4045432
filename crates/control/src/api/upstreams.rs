//! `/v1/gateway/upstreams`: credentials for Mistral, which go in and never come out.

use super::{Answer, Shared};
use crate::actions::upstreams as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::present;
use crate::intake::{Body, Named, Object};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{UpstreamId, WorkspaceId};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::upstreams::Upstream;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/upstreams", Action::ReadUpstreams, list)
        .post("/v1/gateway/upstreams", Action::CreateUpstream, create)
        .patch("/v1/gateway/upstreams/{id}", Action::UpdateUpstream, update)
        .delete("/v1/gateway/upstreams/{id}", Action::DeleteUpstream, delete)
}

/// An upstream credential without its key.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: UpstreamId,
    object: &'static str,
    name: String,
    workspace_id: Option<WorkspaceId>,
    enabled: bool,
    created_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(upstream: &Upstream) -> Self {
        Self {
            id: upstream.id,
            object: "upstream",
            name: upstream.name.clone(),
            workspace_id: upstream.workspace_id,
            enabled: upstream.enabled,
            created_at: upstream.created_at,
        }
    }
}

/// A key on its way in.
struct KeyIn(Secret<String>);

impl<'de> Deserialize<'de> for KeyIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|key| Self(Secret::new(key)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpstreamIn {
    name: String,
    key: KeyIn,
    workspace_id: Option<WorkspaceId>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PatchIn {
    #[serde(deserialize_with = "present")]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    key: Option<KeyIn>,
    #[serde(deserialize_with = "present")]
    enabled: Option<bool>,
}

fn read_id(text: &str) -> Result<UpstreamId, ControlError> {
    UpstreamId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = actions::list(&control, &context).await?;
    let page = Page::cut(all, &asked, |upstream, after| UpstreamId::parse(after) == Some(upstream.id))?;
    Ok(reply::ok(&page.map(|upstream| Shown::of(&upstream))))
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<UpstreamIn>>,
) -> Answer {
    let new = actions::NewUpstream { name: read.name, key: read.key.0, workspace_id: read.workspace_id };
    let upstream = actions::create(&control, &context, new).await?;
    Ok(reply::ok(&Shown::of(&upstream)))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<PatchIn>>,
) -> Answer {
    let change =
        actions::UpstreamPatch { name: read.name, key: read.key.map(|key| key.0), enabled: read.enabled };
    let upstream = actions::update(&control, &context, read_id(&id)?, change).await?;
    Ok(reply::ok(&Shown::of(&upstream)))
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    actions::delete(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id, "object": "upstream.deleted", "deleted": true})))
}
