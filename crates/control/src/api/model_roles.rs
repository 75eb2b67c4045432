//! `/v1/gateway/roles`: model roles.

use super::{Answer, Shared};
use crate::actions::model_roles as actions;
use crate::context::Context;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::model_roles::ModelRole;
use serde::Serialize;
use serde_json::json;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/roles", Action::ReadModelRoles, list)
        .post("/v1/gateway/roles", Action::CreateModelRole, create)
        .get("/v1/gateway/roles/{name}", Action::ReadModelRoles, one)
        .patch("/v1/gateway/roles/{name}", Action::UpdateModelRole, update)
        .delete("/v1/gateway/roles/{name}", Action::DeleteModelRole, delete)
        .post("/v1/gateway/roles/{name}/restore", Action::UpdateModelRole, restore)
}

/// A model role as shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    object: &'static str,
    name: String,
    allowed_models: Vec<String>,
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
