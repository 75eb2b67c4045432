//! `/v1/gateway/objects`: what the provider keeps for workspaces, and whose it is.

use super::{Answer, Shared};
use crate::actions::objects::{self as actions, Adoption};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Object as Whole};
use crate::openapi::about::{Kind, PAGE, Parameter};
use crate::openapi::shapes::{self, Deleted};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, ObjectId, UpstreamId, UserId, WorkspaceId};
use louver_domain::objects::{ObjectKind, ObjectState};
use louver_domain::time::Timestamp;
use louver_store::objects::{Filter, Object};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

const KINDS: &[&str] = &["file", "batch_job", "agent", "conversation", "library", "document"];
const STATES: &[&str] = &["intended", "live", "deleted"];
const FILTERS: &[Parameter] = &[
    Parameter::new("workspace_id", Kind::Id, "Only of this workspace."),
    Parameter::new("kind", Kind::OneOf(KINDS), "Only of this kind."),
    Parameter::new("state", Kind::OneOf(STATES), "Only in this state."),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/objects", Action::ReadObjects, list)
        .named("list_objects", "What the provider keeps, and whose it is, newest first")
        .query(PAGE)
        .query(FILTERS)
        .answers::<Page<Shown>>()
        .post("/v1/gateway/objects", Action::AdoptObject, adopt)
        .named("adopt_object", "Give a file that the provider keeps already to a workspace")
        .saying(
            "Other kinds are refused: what an agent, a batch or a library made elsewhere may use and costs is not known.",
        )
        .takes::<ObjectIn>()
        .answers::<Shown>()
        .refuses(&[409])
        .delete("/v1/gateway/objects/{id}", Action::ReleaseObject, release)
        .named("release_object", "Take an object from its workspace; the provider keeps it")
        .answers::<Deleted>()
        .refuses(&[409])
        .tagged("gateway.objects")
}

/// An object as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Object")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: ObjectId,
    #[schemars(extend("const" = "object"))]
    object: &'static str,
    #[schemars(extend("enum" = KINDS))]
    kind: &'static str,
    /// The provider's id; `null` while it is only intended.
    upstream_id: Option<String>,
    /// The provider's id of what it stands in: the library of a document.
    parent_id: Option<String>,
    #[schemars(extend("enum" = STATES))]
    state: &'static str,
    #[schemars(with = "shapes::Id")]
    workspace_id: WorkspaceId,
    /// The key that made it; `null` when it was adopted.
    key_id: Option<String>,
    #[schemars(with = "Option<shapes::Id>")]
    user_id: Option<UserId>,
    /// The upstream credential it is known under; `null` is the one from the settings.
    #[schemars(with = "Option<shapes::Id>")]
    credential_id: Option<UpstreamId>,
    server: Option<String>,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
    #[schemars(with = "shapes::Time")]
    changed_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(of: &Object) -> Self {
        let nobody = KeyId::from_bytes([0; 16]);
        Self {
            id: of.id,
            object: "object",
            kind: of.kind.as_str(),
            upstream_id: of.upstream_id.clone(),
            parent_id: Some(of.parent.clone()).filter(|parent| !parent.is_empty()),
            state: of.state.as_str(),
            workspace_id: of.owner.workspace_id,
            key_id: (of.owner.key_id != nobody).then(|| of.owner.key_id.prefixed()),
            user_id: of.owner.user_id,
            credential_id: of.credential_id,
            server: of.server.clone(),
            created_at: of.created_at,
            changed_at: of.changed_at,
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewObject")]
#[serde(deny_unknown_fields)]
struct ObjectIn {
    /// Only `file` is taken.
    #[schemars(extend("enum" = KINDS))]
    kind: String,
    upstream_id: String,
    #[schemars(with = "shapes::Id")]
    workspace_id: WorkspaceId,
    /// The upstream credential it is known under; absent is the one from the settings.
    #[schemars(with = "Option<shapes::Id>")]
    credential_id: Option<UpstreamId>,
    /// What lists call it; absent is its id.
    name: Option<String>,
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    let not_an_id = || ControlError::parameter("after", "expected the id of an object");
    let filter = Filter {
        workspace: params.parsed(
            "workspace_id",
            "a UUID or ws_ and 32 hexadecimal digits",
            WorkspaceId::parse,
        )?,
        kind: params.parsed("kind", &KINDS.join(", "), ObjectKind::parse)?,
        state: params.parsed("state", "intended, live or deleted", ObjectState::parse)?,
        after: asked.after.map(|text| ObjectId::parse(&text).ok_or_else(not_an_id)).transpose()?,
    };
    params.done()?;
    let found = actions::list(&control, &context, filter, asked.limit.saturating_add(1)).await?;
    let page = Page::of_one_more(found, asked.limit);
    Ok(reply::ok(&page.map(|object| Shown::of(&object))))
}

async fn adopt(State(control): Shared, context: Context, Body(Whole(read)): Body<Whole<ObjectIn>>) -> Answer {
    let kind = ObjectKind::parse(&read.kind);
    let kind =
        kind.ok_or_else(|| ControlError::field("kind", format!("must be one of {}", KINDS.join(", "))))?;
    let new = Adoption {
        kind,
        upstream_id: read.upstream_id,
        workspace_id: read.workspace_id,
        credential_id: read.credential_id,
        name: read.name,
    };
    Ok(reply::ok(&Shown::of(&actions::adopt(&control, &context, new).await?)))
}

async fn release(
    State(control): Shared,
    context: Context,
    crate::intake::Named(id): crate::intake::Named<String>,
) -> Answer {
    let id = ObjectId::parse(&id).ok_or(ControlError::NotFound)?;
    actions::release(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id, "object": "object.deleted", "deleted": true})))
}
