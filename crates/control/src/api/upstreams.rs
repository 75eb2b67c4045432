//! `/v1/gateway/upstreams`: credentials for Mistral, which go in and never come out.

use super::{Answer, Shared};
use crate::actions::upstreams::{self as actions, LastUses};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::{SecretIn, given, present};
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes::{self, Deleted};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::health::Standing;
use louver_domain::id::{UpstreamId, WorkspaceId};
use louver_domain::time::Timestamp;
use louver_store::upstreams::Upstream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/upstreams", Action::ReadUpstreams, list)
        .named("list_upstreams", "Upstream credentials, without their keys")
        .query(PAGE)
        .saying("With how each stands on the node that answers.")
        .answers::<Page<Listed>>()
        .post("/v1/gateway/upstreams", Action::CreateUpstream, create)
        .named("create_upstream", "Store an upstream credential")
        .saying("Its key is sealed and never shown again.")
        .takes::<UpstreamIn>()
        .answers::<Shown>()
        .refuses(&[404, 409])
        .patch("/v1/gateway/upstreams/{id}", Action::UpdateUpstream, update)
        .named("update_upstream", "Rename, replace, enable or disable an upstream credential")
        .saying("While a rotation of its key goes on, the key is not replaced by hand.")
        .takes::<PatchIn>()
        .answers::<Shown>()
        .refuses(&[409])
        .delete("/v1/gateway/upstreams/{id}", Action::DeleteUpstream, delete)
        .named("delete_upstream", "Delete an upstream credential")
        .answers::<Deleted>()
        .refuses(&[409])
        .tagged("gateway.upstreams")
}

/// An upstream credential without its key.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Upstream")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: UpstreamId,
    #[schemars(extend("const" = "upstream"))]
    object: &'static str,
    name: String,
    #[schemars(with = "Option<shapes::Id>")]
    workspace_id: Option<WorkspaceId>,
    /// The named upstream of the settings that it is for; `null` is the first one.
    server: Option<String>,
    enabled: bool,
    /// Whether Louver has an admin key of upstream for it, and so can rotate its key there.
    has_admin_key: bool,
    /// The user of upstream that new keys are made for; `null` is whoever made the present one.
    admin_user_id: Option<String>,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
}

/// An upstream credential, with how it stands on the node that answers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ListedUpstream")]
pub(crate) struct Listed {
    #[serde(flatten)]
    upstream: Shown,
    /// `closed` (in use), `resting` (in use where no other one is), `open` (not in use) or `half_open` (on trial).
    state: Option<&'static str>,
    #[schemars(with = "Option<shapes::Time>")]
    resting_until: Option<Timestamp>,
    #[schemars(with = "Option<shapes::Time>")]
    last_error_at: Option<Timestamp>,
    in_flight: Option<u64>,
    /// When a call of any node had its key last; up to a minute late.
    #[schemars(with = "Option<shapes::Time>")]
    key_last_used_at: Option<Timestamp>,
    /// When one had a key that it had before.
    #[schemars(with = "Option<shapes::Time>")]
    old_key_last_used_at: Option<Timestamp>,
}

impl Listed {
    fn of(upstream: &Upstream, last: LastUses, standing: Option<Standing>) -> Self {
        Self {
            key_last_used_at: last.key,
            old_key_last_used_at: last.old_key,
            upstream: Shown::of(upstream),
            state: standing.map(|standing| standing.state.as_str()),
            resting_until: standing.and_then(|standing| standing.resting_until),
            last_error_at: standing.and_then(|standing| standing.last_error_at),
            in_flight: standing.map(|standing| standing.in_flight),
        }
    }
}

impl Shown {
    pub(crate) fn of(upstream: &Upstream) -> Self {
        Self {
            id: upstream.id,
            object: "upstream",
            name: upstream.name.clone(),
            workspace_id: upstream.workspace_id,
            server: upstream.server.clone(),
            enabled: upstream.enabled,
            has_admin_key: upstream.sealed_admin_key.is_some(),
            admin_user_id: upstream.admin_user_id.clone(),
            created_at: upstream.created_at,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewUpstream")]
#[serde(deny_unknown_fields)]
struct UpstreamIn {
    name: String,
    #[schemars(with = "shapes::Hidden")]
    key: SecretIn,
    #[schemars(with = "Option<shapes::Id>")]
    workspace_id: Option<WorkspaceId>,
    /// The named upstream of the settings that it is for; absent is the first one.
    server: Option<String>,
    /// An admin key of upstream, with which Louver rotates the key there; without one it cannot.
    #[schemars(with = "Option<shapes::Hidden>")]
    admin_key: Option<SecretIn>,
    /// The user of upstream that new keys are made for; absent is whoever made the present one.
    #[schemars(with = "Option<shapes::Id>")]
    admin_user_id: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "UpstreamPatch")]
#[serde(deny_unknown_fields, default)]
struct PatchIn {
    #[serde(deserialize_with = "present")]
    #[schemars(with = "String")]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "shapes::Hidden")]
    key: Option<SecretIn>,
    #[serde(deserialize_with = "present")]
    #[schemars(with = "bool")]
    enabled: Option<bool>,
    /// An admin key of upstream; `null` takes it away.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<shapes::Hidden>")]
    admin_key: Option<Option<SecretIn>>,
    /// The user of upstream that new keys are made for; `null` is whoever made the present one.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<shapes::Id>")]
    admin_user_id: Option<Option<String>>,
}

fn read_id(text: &str) -> Result<UpstreamId, ControlError> {
    UpstreamId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = actions::list(&control, &context).await?;
    let page = Page::cut(all, &asked, |(upstream, _), after| UpstreamId::parse(after) == Some(upstream.id))?;
    let watch = control.upstreams.as_deref();
    let standing = |id| watch.and_then(|watch| watch.of(id));
    Ok(reply::ok(&page.map(|(upstream, last)| Listed::of(&upstream, last, standing(upstream.id)))))
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<UpstreamIn>>,
) -> Answer {
    let new = actions::NewUpstream {
        name: read.name,
        key: read.key.0,
        workspace_id: read.workspace_id,
        server: read.server,
        admin: actions::NewAdmin { key: read.admin_key.map(|key| key.0), user_id: read.admin_user_id },
    };
    let upstream = actions::create(&control, &context, new).await?;
    Ok(reply::ok(&Shown::of(&upstream)))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<PatchIn>>,
) -> Answer {
    let change = actions::UpstreamPatch {
        name: read.name,
        key: read.key.map(|key| key.0),
        enabled: read.enabled,
        admin_key: read.admin_key.map(|key| key.map(|key| key.0)),
        admin_user_id: read.admin_user_id,
    };
    let upstream = actions::update(&control, &context, read_id(&id)?, change).await?;
    Ok(reply::ok(&Shown::of(&upstream)))
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    actions::delete(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id, "object": "upstream.deleted", "deleted": true})))
}
