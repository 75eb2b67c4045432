//! `/v1/admin/workspaces`: workspaces and their members.

use super::paging::Numbered;
use super::roles::{raw, resolve};
use super::{Answer, Shared};
use crate::actions::{custom_roles, members, workspaces};
use crate::context::Context;
use crate::error::{ControlError, Fault, Step};
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use louver_domain::access::Action;
use louver_domain::id::{UserId, WorkspaceId};
use louver_domain::limits::Limits;
use louver_domain::roles::{RoleLevel, Roles, WORKSPACE_ADMIN};
use louver_domain::workspaces::Workspace;
use louver_mistral::admin::values::Amount;
use louver_mistral::admin::workspaces as wire;
use uuid::Uuid;

const ONE: &str = "/v1/admin/workspaces/{workspace_uuid}";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/admin/workspaces", Action::ReadWorkspace, list)
        .post("/v1/admin/workspaces", Action::CreateWorkspace, create)
        .patch(ONE, Action::UpdateWorkspace, update)
        .delete(ONE, Action::ArchiveWorkspace, archive)
        .post("/v1/admin/workspaces/{workspace_uuid}/add-users", Action::AddMember, add_users)
        .patch("/v1/admin/workspaces/{workspace_uuid}/users", Action::UpdateMemberRole, update_users)
        .delete("/v1/admin/workspaces/{workspace_uuid}/remove-users", Action::RemoveMember, remove_users)
}

/// An id in the path that is written as none.
pub(super) fn malformed(name: &str) -> ControlError {
    let loc = vec![Step::Name("path".into()), Step::Name(name.to_owned())];
    ControlError::Invalid(Fault { loc, message: "expected a UUID".into(), kind: "value_error" })
}

fn read_id(text: &str) -> Result<WorkspaceId, ControlError> {
    WorkspaceId::parse(text).ok_or_else(|| malformed("workspace_uuid"))
}

fn out(workspace: &Workspace, members: u64) -> wire::WorkspaceOUT {
    let limit = workspace.limits.monthly_budget_usd;
    wire::WorkspaceOUT {
        uuid: Uuid::from_bytes(workspace.id.bytes()),
        name: workspace.name.clone(),
        // What is not given is empty in Mistral's document.
        description: Some(workspace.description.clone().unwrap_or_default()),
        icon: Some(workspace.icon.clone().unwrap_or_default()),
        members_count: Some(members),
        spend_limit: Some(wire::WorkspaceSpendLimitOUT {
            value: limit.map(|money| Amount::from_nanos(money.nanos())),
            currency: Some("USD".into()),
            no_monthly_limit: Some(limit.is_none()),
        }),
        is_default: workspace.is_default,
    }
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let numbered = Numbered::read(&mut params)?;
    let flag = |text: &str| text.parse::<bool>().ok();
    let archived = params.parsed("is_archived", "true or false", flag)?.unwrap_or(false);
    let search = params.take("search")?.unwrap_or_default();
    params.done()?;
    let (offset, limit) = (numbered.offset(), numbered.size);
    let filter = workspaces::Filter { archived, search, among: None, offset, limit };
    let (page, total) = workspaces::page(&control, &context, filter).await?;
    Ok(reply::ok(&wire::WorkspacesOut {
        total,
        items: page.iter().map(|(workspace, members)| out(workspace, *members)).collect(),
        object: wire::ApiObjectType::List,
        page: numbered.page,
        page_size: numbered.size,
    }))
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<wire::AdminWorkspaceIn>>,
) -> Answer {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let new = workspaces::NewWorkspace {
        name: read.name.into_string(),
        description: given(read.description.into_string()),
        icon: given(read.icon.into_string()),
        limits: Limits::default(),
        admin: Some(UserId::from_bytes(read.admin_user_id.into_bytes())),
        everybody: read.add_all_org_members,
    };
    let workspace = workspaces::create(&control, &context, new).await?;
    let members = workspaces::count_members(&control, workspace.id).await?;
    let (raw_roles, raw_role) = raw(&[WORKSPACE_ADMIN], WORKSPACE_ADMIN);
    Ok(reply::ok(&wire::WorkspaceEnrichedOUT { workspace: out(&workspace, members), raw_roles, raw_role }))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::UpdateWorkspaceIN>>,
) -> Answer {
    let patch = workspaces::WorkspacePatch {
        name: read.name.map(|text| text.into_string()),
        description: read.description.map(|text| text.into_string()),
        icon: read.icon.map(|text| text.into_string()),
    };
    let workspace = workspaces::update(&control, &context, read_id(&id)?, patch).await?;
    let members = workspaces::count_members(&control, workspace.id).await?;
    Ok(reply::ok(&out(&workspace, members)))
}

async fn archive(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    workspaces::archive(&control, &context, read_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn placed(
    roles: &Roles,
    members: Option<Vec<wire::WorkspaceMemberSingleIN>>,
) -> Result<Vec<members::Placed>, ControlError> {
    let one = |member: wire::WorkspaceMemberSingleIN| {
        let asked = resolve(roles, RoleLevel::Workspace, member.asked_roles())?;
        Ok((UserId::from_bytes(member.user_uuid.into_bytes()), asked))
    };
    members.unwrap_or_default().into_iter().map(one).collect()
}

async fn add_users(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::WorkspaceMemberIN>>,
) -> Answer {
    let id = read_id(&id)?;
    let roles = custom_roles::list(&control, &context).await?;
    let counted = members::add(&control, &context, id, placed(&roles, read.members)?).await?;
    Ok(reply::ok(&wire::AddUsersToWorkspaceOUT { added_members_count: counted.added }))
}

async fn update_users(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::WorkspaceMemberIN>>,
) -> Answer {
    let id = read_id(&id)?;
    let roles = custom_roles::list(&control, &context).await?;
    let counted = members::add_or_update(&control, &context, id, placed(&roles, read.members)?).await?;
    Ok(reply::ok(&wire::AddOrUpdateUsersToWorkspaceOUT {
        added_members_count: counted.added,
        updated_members_count: counted.updated,
    }))
}

async fn remove_users(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::RemoveWorkspaceMembersIN>>,
) -> Answer {
    let people = read.members.iter().map(|m| UserId::from_bytes(m.user_uuid.into_bytes())).collect();
    let (removed, others) = members::remove(&control, &context, read_id(&id)?, people).await?;
    Ok(reply::ok(&wire::RemoveWorkspaceMembersOUT {
        deleted_members_count: removed,
        not_deleted_members: Some(others.iter().map(|id| Uuid::from_bytes(id.bytes())).collect()),
    }))
}
