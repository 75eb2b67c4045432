//! `/v1/gateway/workspaces/{workspace}/groups`: the groups with roles in a workspace, and their model roles there.

use super::users::{RoleIn, names};
use super::workspaces::read_id as read_workspace;
use super::{Answer, Shared};
use crate::actions::groups as actions;
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
use louver_domain::id::{GroupId, RoleId, WorkspaceId};
use louver_domain::roles::Roles;
use louver_store::groups::GroupWorkspace;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/workspaces/{workspace}/groups", Action::ReadMembers, list)
        .named("list_workspace_groups", "The groups that have roles in a workspace")
        .saying("Groups within these belong to the workspace too; they stand in no row of their own.")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .put("/v1/gateway/workspaces/{workspace}/groups/{group}/model-role", Action::AssignModelRole, assign)
        .named("assign_group_model_role", "Give a group a model role in a workspace, or take it away")
        .takes::<RoleIn>()
        .answers::<Shown>()
        .tagged("gateway.workspaces")
}

/// What a group has in a workspace, as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "GroupMembership")]
struct Shown {
    #[schemars(extend("const" = "group_membership"))]
    object: &'static str,
    #[schemars(with = "shapes::Id")]
    workspace_id: WorkspaceId,
    #[schemars(with = "shapes::Id")]
    group_id: GroupId,
    /// The group's name.
    name: String,
    /// The workspace roles of its members there, besides their own.
    #[schemars(with = "Vec<shapes::Id>")]
    roles: Vec<RoleId>,
    /// The names of these.
    role_names: Vec<String>,
    /// The model role of its members who have none of their own there.
    role: Option<String>,
}

impl Shown {
    fn of((place, name): (GroupWorkspace, String), roles: &Roles) -> Self {
        Self {
            object: "group_membership",
            workspace_id: place.workspace_id,
            group_id: place.group_id,
            name,
            role_names: names(roles, &place.roles),
            roles: place.roles,
            role: place.model_role,
        }
    }
}

async fn list(
    State(control): Shared,
    context: Context,
    Named(workspace): Named<String>,
    mut params: Params,
) -> Answer {
    let workspace = read_workspace(&workspace)?;
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let unknown = || ControlError::parameter("after", "names nothing in this list");
    let after = asked.after.as_deref().map(|id| GroupId::parse(id).ok_or_else(unknown)).transpose()?;
    let one_more = u64::from(asked.limit).saturating_add(1);
    let found = actions::in_workspace(&control, &context, workspace, after, one_more).await?;
    let roles = actions::roles(&control, &context).await?;
    Ok(reply::ok(&Page::of_one_more(found, asked.limit).map(|place| Shown::of(place, &roles))))
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
    Ok(reply::ok(&Shown::of(place, &actions::roles(&control, &context).await?)))
}
