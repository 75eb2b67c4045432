//! `/v1/gateway/custom-roles`, and `/v1/gateway/permissions`: the table that roles are composed from.

use super::{Answer, Shared};
use crate::actions::custom_roles as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::present;
use crate::intake::{Body, Named, Object};
use crate::page::Page;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::RoleId;
use louver_domain::roles::{BUILTIN, Builtin, CustomRole, RoleLevel};
use louver_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/permissions", Action::ReadRoles, permissions)
        .get("/v1/gateway/custom-roles", Action::ReadRoles, list)
        .post("/v1/gateway/custom-roles", Action::CreateRole, create)
        .get("/v1/gateway/custom-roles/{role}", Action::ReadRoles, one)
        .patch("/v1/gateway/custom-roles/{role}", Action::UpdateRole, update)
        .delete("/v1/gateway/custom-roles/{role}", Action::DeleteRole, delete)
}

/// A custom role as shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: RoleId,
    object: &'static str,
    name: String,
    description: String,
    level: RoleLevel,
    permissions: Vec<&'static str>,
    created_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(role: &CustomRole) -> Self {
        Self {
            id: role.id,
            object: "custom_role",
            name: role.name.clone(),
            description: role.description.clone(),
            level: role.level,
            permissions: role.actions.iter().map(Action::as_str).collect(),
            created_at: role.created_at,
        }
    }
}

/// A permission as shown: where it can be held, and which built-in roles hold it.
#[derive(Debug, Serialize)]
struct Permission {
    object: &'static str,
    name: &'static str,
    target: &'static str,
    level: RoleLevel,
    own: bool,
    roles: Vec<&'static str>,
}

fn permission(action: Action) -> Permission {
    let holds = |role: &&Builtin| role.actions().contains(action);
    Permission {
        object: "permission",
        name: action.as_str(),
        target: action.target().as_str(),
        level: action.level(),
        own: action.holders().own(),
        roles: BUILTIN.iter().filter(holds).map(|role| role.name).collect(),
    }
}

async fn permissions(params: Params) -> Answer {
    params.done()?;
    let all = Action::ALL.iter().copied().filter(|action| action.can_be_held());
    Ok(reply::ok(&Page::whole(all.map(permission).collect())))
}

fn read_id(text: &str) -> Result<RoleId, ControlError> {
    RoleId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    let roles = actions::list(&control, &context).await?;
    Ok(reply::ok(&Page::whole(roles.custom().iter().map(Shown::of).collect())))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    Ok(reply::ok(&Shown::of(&actions::get(&control, &context, read_id(&id)?).await?)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleIn {
    name: String,
    #[serde(default)]
    description: String,
    level: RoleLevel,
    permissions: Vec<String>,
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(given)): Body<Object<RoleIn>>,
) -> Answer {
    let new = actions::NewRole {
        name: given.name,
        description: given.description,
        level: given.level,
        permissions: given.permissions,
    };
    Ok(reply::ok(&Shown::of(&actions::create(&control, &context, new).await?)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchIn {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<String>,
    #[serde(default, deserialize_with = "present")]
    permissions: Option<Vec<String>>,
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(given)): Body<Object<PatchIn>>,
) -> Answer {
    let patch = actions::RolePatch {
        name: given.name,
        description: given.description,
        permissions: given.permissions,
    };
    Ok(reply::ok(&Shown::of(&actions::update(&control, &context, read_id(&id)?, patch).await?)))
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    actions::delete(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id, "object": "custom_role.deleted", "deleted": true})))
}
