//! `/v1/gateway/service-accounts`: machines' accounts, their model roles and their workspace roles.

use super::users::RoleIn;
use super::workspaces::read_id as read_workspace;
use super::{Answer, Shared};
use crate::actions::service_accounts as actions;
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
use louver_domain::id::{RoleId, ServiceAccountId, WorkspaceId};
use louver_domain::time::Timestamp;
use louver_domain::users::ServiceAccount;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

const ONE: &str = "/v1/gateway/service-accounts/{account}";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/service-accounts", Action::ReadServiceAccounts, list)
        .named("list_service_accounts", "Service accounts")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .post("/v1/gateway/service-accounts", Action::CreateServiceAccount, create)
        .named("create_service_account", "Make a service account")
        .takes::<actions::NewServiceAccount>()
        .answers::<Shown>()
        .refuses(&[404, 409])
        .get(ONE, Action::ReadServiceAccounts, one)
        .named("get_service_account", "A service account")
        .answers::<Shown>()
        .patch(ONE, Action::UpdateServiceAccount, update)
        .named(
            "update_service_account",
            "Change the name, the model role or the workspace roles of a service account",
        )
        .takes::<actions::ServiceAccountPatch>()
        .answers::<Shown>()
        .refuses(&[409])
        .delete(ONE, Action::DeleteServiceAccount, delete)
        .named("delete_service_account", "Delete a service account; its keys are refused from then on")
        .answers::<shapes::Deleted>()
        .put(
            "/v1/gateway/workspaces/{workspace}/service-accounts/{account}/model-role",
            Action::AssignModelRole,
            assign,
        )
        .named("assign_service_account_model_role", "Give a service account a model role, or take it away")
        .takes::<RoleIn>()
        .answers::<Shown>()
        .tagged("gateway.service-accounts")
}

/// A service account as shown.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ServiceAccount")]
pub(crate) struct Shown {
    #[schemars(with = "shapes::Id")]
    id: ServiceAccountId,
    #[schemars(extend("const" = "service_account"))]
    object: &'static str,
    name: String,
    #[schemars(with = "shapes::Id")]
    workspace_id: WorkspaceId,
    role: Option<String>,
    #[schemars(with = "Vec<shapes::Id>")]
    roles: Vec<RoleId>,
    #[schemars(with = "shapes::Time")]
    created_at: Timestamp,
}

impl Shown {
    pub(crate) fn of(account: &ServiceAccount) -> Self {
        Self {
            id: account.id,
            object: "service_account",
            name: account.name.clone(),
            workspace_id: account.workspace_id,
            role: account.role.clone(),
            roles: account.roles.clone(),
            created_at: account.created_at,
        }
    }
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let all = actions::list(&control, &context).await?;
    let page = Page::cut(all, &asked, |account, after| ServiceAccountId::parse(after) == Some(account.id))?;
    Ok(reply::ok(&page.map(|account| Shown::of(&account))))
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(new)): Body<Object<actions::NewServiceAccount>>,
) -> Answer {
    let account = actions::create(&control, &context, new).await?;
    Ok(reply::ok(&Shown::of(&account)))
}

fn read_id(text: &str) -> Result<ServiceAccountId, ControlError> {
    ServiceAccountId::parse(text).ok_or(ControlError::NotFound)
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    Ok(reply::ok(&Shown::of(&actions::get(&control, &context, read_id(&id)?).await?)))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(patch)): Body<Object<actions::ServiceAccountPatch>>,
) -> Answer {
    let account = actions::update(&control, &context, read_id(&id)?, patch).await?;
    Ok(reply::ok(&Shown::of(&account)))
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let id = read_id(&id)?;
    actions::delete(&control, &context, id).await?;
    Ok(reply::ok(&json!({"id": id, "object": "service_account.deleted", "deleted": true})))
}

async fn assign(
    State(control): Shared,
    context: Context,
    Named((workspace, account)): Named<(String, String)>,
    Body(Object(given)): Body<Object<RoleIn>>,
) -> Answer {
    let workspace = read_workspace(&workspace)?;
    let id = read_id(&account)?;
    let account = actions::assign_role(&control, &context, workspace, id, given.into_role()).await?;
    Ok(reply::ok(&Shown::of(&account)))
}
