//! `/v1/gateway/custom-roles`, and `/v1/gateway/permissions`: the table that roles are composed from.

use super::{Answer, Shared};
use crate::actions::custom_roles as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::values::present;
use crate::intake::{Body, Named, Object};
use crate::openapi::shapes;
use crate::page::Page;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::RoleId;
use louver_domain::roles::{BUILTIN, Builtin, CustomRole, RoleLevel};
use louver_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/permissions", Action::ReadRoles, permissions)
        .named(
            "list_permissions",
            "The permissions that roles are composed of, and which built-in roles hold them",
        )
        .answers::<Page<Permission>>()
        .get("/v1/gateway/custom-roles", Action::ReadRoles, list)
        .named("list_custom_roles", "Custom roles")
        .answers::<Page<Shown>>()
        .post("/v1/gateway/custom-roles", Action::CreateRole, create)
        .named("create_custom_role", "Make a custom role")
        .takes::<RoleIn>()
        .answers::<Shown>()
        .refuses(&[409])
        .get("/v1/gateway/custom-roles/{role}", Action::ReadRoles, one)
        .named("get_custom_role", "One custom role")
        .answers::<Shown>()
        .patch("/v1/gateway/custom-roles/{role}", Action::UpdateRole, update)
        .named("update_custom_role", "Change a custom role, and so what everybody who has it may do")
        .takes::<PatchIn>()
        .answers::<Shown>()
        .refuses(&[409])
        .delete("/v1/gateway/custom-roles/{role}", Action::DeleteRole, delete)
        .named("delete_custom_role", "Delete a custom role that nobody has")
        .answers::<shapes::Deleted>()
        .refuses(&[409])
        .tagged("gateway.custom-roles")
}

/// A custom role as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CustomRole")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: RoleId,
    #[schemars(extend("const" = "custom_role"))]
    object: &'static str,
    name: String,
    description: String,
    #[schemars(with = "shapes::LevelOfRole")]
    level: RoleLevel,
    /// By their names, as in the list of permissions.
    permissions: Vec<&'static str>,
    #[schemars(with = "shapes::Time")]
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
#[derive(Debug, Serialize, JsonSchema)]
struct Permission {
    #[schemars(extend("const" = "permission"))]
    object: &'static str,
    name: &'static str,
    /// The kind of object that it is about.
    target: &'static str,
    #[schemars(with = "shapes::LevelOfRole")]
    level: RoleLevel,
    /// Everybody holds it on what is their own.
    own: bool,
    /// The built-in roles that hold it.
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

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NewCustomRole")]
#[serde(deny_unknown_fields)]
struct RoleIn {
    name: String,
    #[serde(default)]
    description: String,
    #[schemars(with = "shapes::LevelOfRole")]
    level: RoleLevel,
    /// By their names; each must be one that can be held at that level.
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

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "CustomRolePatch")]
#[serde(deny_unknown_fields)]
struct PatchIn {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String")]
    description: Option<String>,
    /// All that it shall hold.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<String>")]
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
