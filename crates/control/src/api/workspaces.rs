//! `/v1/gateway/workspaces`: workspaces and their limits.

use super::{Answer, Shared};
use crate::actions::limits::LimitsPatch;
use crate::actions::workspaces as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::WorkspaceId;
use louver_domain::limits::Limits;
use louver_domain::time::Timestamp;
use louver_domain::workspaces::Workspace;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/workspaces", Action::ReadWorkspace, list)
        .named("list_workspaces", "Workspaces, with their limits")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .tagged("gateway.workspaces")
        .get("/v1/gateway/workspaces/{workspace}/limits", Action::ReadWorkspace, limits)
        .named("get_workspace_limits", "The limits of a workspace")
        .answers::<shapes::Limits>()
        .edited()
        .patch("/v1/gateway/workspaces/{workspace}/limits", Action::UpdateWorkspaceLimits, update_limits)
        .named("update_workspace_limits", "Change the limits of a workspace")
        .takes::<LimitsPatch>()
        .answers::<shapes::Limits>()
        .edited()
        .tagged("gateway.limits")
}

/// A workspace as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workspace")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: WorkspaceId,
    #[schemars(extend("const" = "workspace"))]
    object: &'static str,
    name: String,
    description: Option<String>,
    icon: Option<String>,
    is_default: bool,
    #[schemars(with = "shapes::Limits")]
    limits: Limits,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
    #[schemars(with = "Option<shapes::Time>")]
    archived_at: Option<Timestamp>,
}

impl Shown {
    pub(crate) fn of(workspace: &Workspace) -> Self {
        Self {
            id: workspace.id,
            object: "workspace",
            name: workspace.name.clone(),
            description: workspace.description.clone(),
            icon: workspace.icon.clone(),
            is_default: workspace.is_default,
            limits: workspace.limits.clone(),
            created_at: workspace.created_at,
            archived_at: workspace.archived_at,
        }
    }
}

/// The workspace that a path names.
pub(crate) fn read_id(text: &str) -> Result<WorkspaceId, ControlError> {
    WorkspaceId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = actions::list(&control, &context).await?;
    let page = Page::cut(all, &asked, |workspace, after| WorkspaceId::parse(after) == Some(workspace.id))?;
    Ok(reply::ok(&page.map(|workspace| Shown::of(&workspace))))
}

async fn limits(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let workspace = actions::get(&control, &context, read_id(&id)?).await?;
    reply::tagged(&control, &workspace.limits)
}

async fn update_limits(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(patch)): Body<Object<LimitsPatch>>,
) -> Answer {
    let workspace = actions::update_limits(&control, &context, read_id(&id)?, patch).await?;
    reply::tagged(&control, &workspace.limits)
}
