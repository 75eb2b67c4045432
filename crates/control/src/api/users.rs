//! `/v1/gateway/users`: people, their limits, and their model roles in workspaces.

use super::workspaces::read_id as read_workspace;
use super::{Answer, Shared};
use crate::actions::custom_roles;
use crate::actions::limits::LimitsPatch;
use crate::actions::users as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::given;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{RoleId, UserId, WorkspaceId};
use louver_domain::limits::Limits;
use louver_domain::roles::Roles;
use louver_domain::time::Timestamp;
use louver_domain::users::{Membership, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/users", Action::ReadUsers, list)
        .named("list_users", "People of the organization, with their limits")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .get("/v1/gateway/users/{user}", Action::ReadUsers, one)
        .named("get_user", "A person")
        .answers::<Shown>()
        .tagged("gateway.users")
        .get("/v1/gateway/users/{user}/limits", Action::ReadUsers, limits)
        .named("get_user_limits", "The limits of a person")
        .answers::<shapes::Limits>()
        .edited()
        .patch("/v1/gateway/users/{user}/limits", Action::UpdateUserLimits, update_limits)
        .named("update_user_limits", "Change the limits of a person")
        .takes::<LimitsPatch>()
        .answers::<shapes::Limits>()
        .edited()
        .tagged("gateway.limits")
        .put("/v1/gateway/workspaces/{workspace}/members/{user}/model-role", Action::AssignModelRole, assign)
        .named("assign_model_role", "Give a member of a workspace a model role, or take it away")
        .takes::<RoleIn>()
        .answers::<ShownMembership>()
        .tagged("gateway.users")
}

/// A person as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: UserId,
    #[schemars(extend("const" = "user"))]
    object: &'static str,
    email: String,
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    #[schemars(with = "Vec<shapes::Id>")]
    roles: Vec<RoleId>,
    role_names: Vec<String>,
    #[schemars(with = "shapes::Limits")]
    limits: Limits,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(user: &User, roles: &Roles) -> Self {
        Self {
            id: user.id,
            object: "user",
            email: user.email.clone(),
            name: user.name.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            roles: user.roles.clone(),
            role_names: names(roles, &user.roles),
            limits: user.limits.clone(),
            created_at: user.created_at,
        }
    }
}

/// The names of roles, without those that are not there any more.
pub(super) fn names(roles: &Roles, ids: &[RoleId]) -> Vec<String> {
    ids.iter().filter_map(|id| roles.name(*id)).map(str::to_owned).collect()
}

/// A membership as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Membership")]
pub(crate) struct ShownMembership {
    #[schemars(extend("const" = "membership"))]
    object: &'static str,
    #[schemars(with = "shapes::Id")]
    workspace_id: WorkspaceId,
    #[schemars(with = "shapes::Id")]
    user_id: UserId,
    #[schemars(with = "Vec<shapes::Id>")]
    roles: Vec<RoleId>,
    role: Option<String>,
}

impl ShownMembership {
    pub(crate) fn of(membership: &Membership) -> Self {
        Self {
            object: "membership",
            workspace_id: membership.workspace_id,
            user_id: membership.user_id,
            roles: membership.roles.clone(),
            role: membership.model_role.clone(),
        }
    }
}

/// A model role to give, or `null` to take it; the field must be there.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ModelRoleAssignment")]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleIn {
    #[serde(deserialize_with = "given")]
    #[schemars(required, extend("type" = ["string", "null"]))]
    role: Option<Option<String>>,
}

impl RoleIn {
    pub(crate) fn into_role(self) -> Option<String> {
        self.role.flatten()
    }
}

fn read_id(text: &str) -> Result<UserId, ControlError> {
    UserId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let unknown = || ControlError::parameter("after", "names nothing in this list");
    let after = asked.after.as_deref().map(|id| UserId::parse(id).ok_or_else(unknown)).transpose()?;
    let found = actions::after(&control, &context, after, u64::from(asked.limit).saturating_add(1)).await?;
    let roles = custom_roles::list(&control, &context).await?;
    Ok(reply::ok(&Page::of_one_more(found, asked.limit).map(|user| Shown::of(&user, &roles))))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let user = actions::get(&control, &context, read_id(&id)?).await?;
    let roles = custom_roles::list(&control, &context).await?;
    Ok(reply::ok(&Shown::of(&user, &roles)))
}

async fn limits(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let user = actions::get(&control, &context, read_id(&id)?).await?;
    reply::tagged(&control, &user.limits)
}

async fn update_limits(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(patch)): Body<Object<LimitsPatch>>,
) -> Answer {
    let user = actions::update_limits(&control, &context, read_id(&id)?, patch).await?;
    reply::tagged(&control, &user.limits)
}

async fn assign(
    State(control): Shared,
    context: Context,
    Named((workspace, user)): Named<(String, String)>,
    Body(Object(given)): Body<Object<RoleIn>>,
) -> Answer {
    let (workspace, user) = (read_workspace(&workspace)?, read_id(&user)?);
    let membership = actions::assign_role(&control, &context, workspace, user, given.into_role()).await?;
    Ok(reply::ok(&ShownMembership::of(&membership)))
}
