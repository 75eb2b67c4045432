//! `/v1/gateway/workspaces/{workspace}/groups`: the model roles of groups in workspaces.

use super::users::RoleIn;
use super::workspaces::read_id as read_workspace;
use super::{Answer, Shared};
use crate::actions::groups as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::{Body, Named, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{GroupId, RoleId, WorkspaceId};
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new().put(
        "/v1/gateway/workspaces/{workspace}/groups/{group}/model-role",
        Action::AssignModelRole,
        assign,
    )
}

/// What a group has in a workspace, as shown.
#[derive(Debug, Serialize)]
struct Shown {
    object: &'static str,
    workspace_id: WorkspaceId,
    group_id: GroupId,
    roles: Vec<RoleId>,
    role: Option<String>,
}

async fn assign(
    State(control): Shared,
    context: Context,
    Named((workspace, group)): Named<(String, String)>,
    Body(Object(given)): Body<Object<RoleIn>>,
) -> Answer {
    let workspace = read_workspace(&workspace)?;
    let id = GroupId::parse(&group).ok_or(ControlError::NotFound)?;
    let place = actions::set_model_role(&control, &context, workspace, id, given.into_role()).await?;
    Ok(reply::ok(&Shown {
        object: "group_membership",
        workspace_id: place.workspace_id,
        group_id: place.group_id,
        roles: place.roles,
        role: place.model_role,
    }))
}
