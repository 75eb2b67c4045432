//! `/v1/admin/workspaces`: workspaces and their members.

use super::paging::Numbered;
use super::{Answer, Shared};
use crate::actions::{users, workspaces};
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::UserId;
use louver_domain::limits::Limits;
use louver_domain::workspaces::Workspace;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn routes() -> Routes {
    Routes::new().get("/v1/admin/workspaces", Action::ReadWorkspace, list_workspaces).post(
        "/v1/admin/workspaces",
        Action::CreateWorkspace,
        create_workspace,
    )
}

fn cut<T>(numbered: Numbered, all: Vec<T>, show: impl Fn(&T) -> Value) -> Vec<Value> {
    let skip = usize::try_from(numbered.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(numbered.size).unwrap_or(usize::MAX);
    all.iter().skip(skip).take(size).map(show).collect()
}

/// `WorkspaceOUT`.
fn workspace_out(workspace: &Workspace) -> Value {
    let limit = workspace.limits.monthly_budget_usd;
    json!({
        "uuid": workspace.id,
        "name": workspace.name,
        "description": workspace.description,
        "icon": null,
        "members_count": null,
        "spend_limit": {"value": limit, "currency": "USD", "no_monthly_limit": limit.is_none()},
        "is_default": workspace.is_default,
    })
}

async fn list_workspaces(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let numbered = Numbered::read(&mut params)?;
    let flag = |text: &str| text.parse::<bool>().ok();
    let archived_too = params.parsed("is_archived", "true or false", flag)?.unwrap_or(false);
    let search = params.take("search")?.unwrap_or_default().to_lowercase();
    params.done()?;
    let mut all = workspaces::list(&control, &context).await?;
    all.retain(|w| (archived_too || w.archived_at.is_none()) && w.name.to_lowercase().contains(&search));
    let total = all.len();
    let items = cut(numbered, all, workspace_out);
    let (page, size) = (numbered.page, numbered.size);
    Ok(reply::ok(&json!({"total": total, "items": items, "object": "list", "page": page, "page_size": size})))
}

/// `AdminWorkspaceIn`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdminWorkspaceIn {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    icon: String,
    #[serde(default)]
    add_all_org_members: bool,
    admin_user_id: UserId,
}

async fn create_workspace(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<AdminWorkspaceIn>>,
) -> Answer {
    if !read.icon.is_empty() {
        return Err(ControlError::field("icon", "icons are not kept here; leave it empty"));
    }
    let mut members = vec![read.admin_user_id];
    if read.add_all_org_members {
        let all = users::list(&control, &context).await?;
        members.extend(all.into_iter().map(|user| user.id).filter(|id| *id != read.admin_user_id));
    }
    let new = workspaces::NewWorkspace {
        name: read.name,
        description: Some(read.description).filter(|text| !text.is_empty()),
        limits: Limits::default(),
        members,
    };
    let workspace = workspaces::create(&control, &context, new).await?;
    let mut out = workspace_out(&workspace);
    if let Some(members) = out.as_object_mut() {
        members.insert("raw_roles".into(), json!(["A"]));
        members.insert("raw_role".into(), json!("A"));
    }
    Ok(reply::ok(&out))
}
