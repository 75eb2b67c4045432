//! `/v1/gateway/roles`: model roles.

use super::{Answer, Shared};
use crate::actions::model_roles as actions;
use crate::context::Context;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::openapi::about::PAGE;
use crate::openapi::shapes::{self, DeletedModelRole};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::endpoints::EndpointKind;
use louver_domain::limits::ServiceTier;
use louver_domain::model_roles::ModelRole;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/roles", Action::ReadModelRoles, list)
        .named("list_model_roles", "Model roles")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .post("/v1/gateway/roles", Action::CreateModelRole, create)
        .named("create_model_role", "Make a model role")
        .takes::<actions::NewModelRole>()
        .answers::<Shown>()
        .refuses(&[409])
        .get("/v1/gateway/roles/{name}", Action::ReadModelRoles, one)
        .named("get_model_role", "One model role")
        .text("name", "Its name.")
        .answers::<Shown>()
        .edited()
        .patch("/v1/gateway/roles/{name}", Action::UpdateModelRole, update)
        .named("update_model_role", "Change a model role")
        .text("name", "Its name.")
        .takes::<actions::ModelRolePatch>()
        .answers::<Shown>()
        .edited()
        .delete("/v1/gateway/roles/{name}", Action::DeleteModelRole, delete)
        .named("delete_model_role", "Delete a model role that nobody has")
        .text("name", "Its name.")
        .answers::<DeletedModelRole>()
        .refuses(&[409])
        .post("/v1/gateway/roles/{name}/restore", Action::UpdateModelRole, restore)
        .named("restore_model_role", "Set a built-in model role back to what it was")
        .text("name", "Its name.")
        .answers::<Shown>()
        .edited()
        .tagged("gateway.model-roles")
}

/// A model role as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ModelRole")]
pub(crate) struct Shown {
    #[schemars(extend("const" = "model_role"))]
    object: &'static str,
    name: String,
    allowed_models: Vec<String>,
    #[schemars(with = "Option<Vec<shapes::Endpoint>>")]
    allowed_endpoints: Option<Vec<EndpointKind>>,
    #[schemars(with = "Option<Vec<shapes::Tool>>")]
    allowed_tools: Option<Vec<String>>,
    #[schemars(with = "Option<Vec<shapes::Tier>>")]
    allowed_service_tiers: Option<Vec<ServiceTier>>,
    max_signed_url_hours: Option<u32>,
    max_tokens_per_request: Option<u64>,
    daily_token_budget: Option<u64>,
    builtin: bool,
}

impl Shown {
    pub(crate) fn of(role: &ModelRole) -> Self {
        Self {
            object: "model_role",
            name: role.name.clone(),
            allowed_models: role.allowed_models.clone(),
            allowed_endpoints: role.allowed_endpoints.clone(),
            allowed_tools: role.allowed_tools.clone(),
            allowed_service_tiers: role.allowed_service_tiers.clone(),
            max_signed_url_hours: role.max_signed_url_hours,
            max_tokens_per_request: role.max_tokens_per_request,
            daily_token_budget: role.daily_token_budget,
            builtin: role.builtin,
        }
    }
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let page = Page::cut(actions::list(&control, &context).await?, &asked, |role, after| role.name == after)?;
    Ok(reply::ok(&page.map(|role| Shown::of(&role))))
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(new)): Body<Object<actions::NewModelRole>>,
) -> Answer {
    let role = actions::create(&control, &context, new).await?;
    reply::tagged(&control, &Shown::of(&role))
}

async fn one(State(control): Shared, context: Context, Named(name): Named<String>) -> Answer {
    let role = actions::get(&control, &context, &name).await?;
    reply::tagged(&control, &Shown::of(&role))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(name): Named<String>,
    Body(Object(patch)): Body<Object<actions::ModelRolePatch>>,
) -> Answer {
    let role = actions::update(&control, &context, &name, patch).await?;
    reply::tagged(&control, &Shown::of(&role))
}

async fn restore(State(control): Shared, context: Context, Named(name): Named<String>) -> Answer {
    let role = actions::restore(&control, &context, &name).await?;
    reply::tagged(&control, &Shown::of(&role))
}

async fn delete(State(control): Shared, context: Context, Named(name): Named<String>) -> Answer {
    actions::delete(&control, &context, &name).await?;
    Ok(reply::ok(&json!({"name": name, "object": "model_role.deleted", "deleted": true})))
}
