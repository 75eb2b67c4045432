//! `/v1/admin/user-groups`: groups, their members, nesting and roles.

use super::paging::{Numbered, free};
use super::roles::resolve;
use super::workspaces::malformed;
use super::{Answer, Shared};
use crate::actions::groups as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use louver_domain::access::Action;
use louver_domain::groups::GroupTarget;
use louver_domain::id::{GroupId, RoleId, UserId, WorkspaceId};
use louver_domain::roles::{RoleLevel, Roles};
use louver_mistral::admin::MAX_GROUP_PAGE_SIZE;
use louver_mistral::admin::user_groups as wire;
use louver_mistral::admin::values::Time;
use louver_store::groups::GroupWorkspace;
use uuid::Uuid;

const ALL: &str = "/v1/admin/user-groups";
const ONE: &str = "/v1/admin/user-groups/{group_uuid}";
const MEMBERS: &str = "/v1/admin/user-groups/{group_uuid}/members";
const WORKSPACES: &str = "/v1/admin/user-groups/{group_uuid}/workspaces";
const WORKSPACE: &str = "/v1/admin/user-groups/{group_uuid}/workspaces/{workspace_uuid}";
const NESTED: &str = "/v1/admin/user-groups/{group_uuid}/nested";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(ALL, Action::ReadGroups, list)
        .post(ALL, Action::CreateGroup, create)
        .post("/v1/admin/user-groups/provision-workspace", Action::ProvisionGroup, provision)
        .get(ONE, Action::ReadGroups, one)
        .patch(ONE, Action::UpdateGroup, update)
        .delete(ONE, Action::DeleteGroup, delete)
        .get(MEMBERS, Action::ReadGroups, members)
        .post(MEMBERS, Action::AddGroupMember, add_members)
        .delete(MEMBERS, Action::RemoveGroupMember, remove_members)
        .get(WORKSPACES, Action::ReadGroups, workspaces)
        .post(WORKSPACES, Action::ProvisionGroup, assign)
        .patch(WORKSPACE, Action::UpdateGroupWorkspace, update_workspace)
        .delete(WORKSPACE, Action::DeprovisionGroup, withdraw)
        .patch(
            "/v1/admin/user-groups/{group_uuid}/organization-role",
            Action::UpdateGroup,
            set_organization_role,
        )
        .get(NESTED, Action::ReadGroups, nested)
        .patch(NESTED, Action::UpdateGroup, set_nested)
}

fn read_id(text: &str) -> Result<GroupId, ControlError> {
    GroupId::parse(text).ok_or_else(|| malformed("group_uuid"))
}

fn read_place(group: &str, workspace: &str) -> Result<(GroupId, WorkspaceId), ControlError> {
    let workspace = WorkspaceId::parse(workspace).ok_or_else(|| malformed("workspace_uuid"))?;
    Ok((read_id(group)?, workspace))
}

fn group_ids(ids: Vec<Uuid>) -> Vec<GroupId> {
    ids.into_iter().map(|id| GroupId::from_bytes(id.into_bytes())).collect()
}

fn user_ids(ids: Vec<Uuid>) -> Vec<UserId> {
    ids.into_iter().map(|id| UserId::from_bytes(id.into_bytes())).collect()
}

const fn target_in(target: wire::UserGroupTargetType) -> GroupTarget {
    match target {
        wire::UserGroupTargetType::Workspace => GroupTarget::Workspace,
        wire::UserGroupTargetType::Organization => GroupTarget::Organization,
    }
}

const fn target_out(target: GroupTarget) -> wire::UserGroupTargetType {
    match target {
        GroupTarget::Workspace => wire::UserGroupTargetType::Workspace,
        GroupTarget::Organization => wire::UserGroupTargetType::Organization,
    }
}

fn out((group, parents): &actions::Placed) -> wire::AdminUserGroupOut {
    wire::AdminUserGroupOut {
        uuid: Uuid::from_bytes(group.id.bytes()),
        name: group.name.clone(),
        description: group.description.clone(),
        externally_managed: Some(group.externally_managed),
        target_type: group.target.map(target_out),
        organization_role: group.organization_role.map(|id| id.to_string()),
        parent_group_ids: parents.iter().map(|id| Uuid::from_bytes(id.bytes())).collect(),
    }
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let numbered = Numbered::read_up_to(&mut params, Some(MAX_GROUP_PAGE_SIZE))?;
    let search = free(&mut params, "search")?.unwrap_or_default();
    params.done()?;
    let (offset, size) = (numbered.offset(), numbered.size);
    let (page, total) = actions::page(&control, &context, &search, offset, size).await?;
    let items = page.iter().map(out).collect();
    Ok(reply::ok(&wire::AdminUserGroupsOut { total, items, page: numbered.page, page_size: size }))
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<wire::AdminUserGroupIn>>,
) -> Answer {
    let new = actions::NewGroup {
        name: read.name.into_string(),
        description: read.description.map(|text| text.into_string()),
        target: read.target_type.map(target_in),
        parents: group_ids(read.parent_group_ids),
    };
    Ok(reply::ok(&out(&actions::create(&control, &context, new).await?)))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    Ok(reply::ok(&out(&actions::get(&control, &context, read_id(&id)?).await?)))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::AdminUpdateUserGroupIn>>,
) -> Answer {
    let patch = actions::GroupPatch {
        name: read.name.map(|text| text.into_string()),
        description: read.description.map(|text| text.into_string()),
        target: read.target_type.map(target_in),
        parents: read.parent_group_ids.map(group_ids),
    };
    Ok(reply::ok(&out(&actions::update(&control, &context, read_id(&id)?, patch).await?)))
}

async fn delete(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    actions::delete(&control, &context, read_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn members(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    mut params: Params,
) -> Answer {
    let id = read_id(&id)?;
    let numbered = Numbered::read_clamped(&mut params)?;
    params.done()?;
    let (offset, size) = (numbered.offset(), numbered.size);
    let (page, total) = actions::members(&control, &context, id, offset, size).await?;
    let member = |(id, name, email): actions::Member| wire::AdminUserGroupMemberOut {
        user_uuid: Uuid::from_bytes(id.bytes()),
        name,
        email: Some(email),
    };
    let members = page.into_iter().map(member).collect();
    Ok(reply::ok(&wire::AdminUserGroupMembersOut { total, members, page: numbered.page, page_size: size }))
}

async fn add_members(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::AdminAssignUsersToGroupIn>>,
) -> Answer {
    actions::add_members(&control, &context, read_id(&id)?, user_ids(read.user_uuids)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn remove_members(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::AdminAssignUsersToGroupIn>>,
) -> Answer {
    actions::remove_members(&control, &context, read_id(&id)?, user_ids(read.user_uuids)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn place_out(roles: &Roles, place: &GroupWorkspace, name: String) -> wire::GroupWorkspaceAssignmentOut {
    let named = place.roles.iter().map(|id| wire::WorkspaceRoleRef {
        name: roles.name(*id).unwrap_or_default().to_owned(),
        uuid: Uuid::from_bytes(id.bytes()),
    });
    let all: Vec<wire::WorkspaceRoleRef> = named.collect();
    wire::GroupWorkspaceAssignmentOut {
        role_uuid: all.first().map(|role| role.uuid),
        role_name: all.first().map(|role| role.name.clone()),
        roles: all,
        workspace_uuid: Uuid::from_bytes(place.workspace_id.bytes()),
        workspace_name: name,
        created: Time(place.created_at.rfc3339()),
    }
}

async fn workspaces(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    mut params: Params,
) -> Answer {
    let id = read_id(&id)?;
    let numbered = Numbered::read_up_to(&mut params, Some(MAX_GROUP_PAGE_SIZE))?;
    params.done()?;
    let (offset, size) = (numbered.offset(), numbered.size);
    let (page, total) = actions::workspaces(&control, &context, id, offset, size).await?;
    let roles = actions::roles(&control, &context).await?;
    let items = page.into_iter().map(|(place, name)| place_out(&roles, &place, name)).collect();
    Ok(reply::ok(&wire::GroupWorkspaceAssignmentsOut { total, items, page: numbered.page, page_size: size }))
}

async fn provision(
    State(control): Shared,
    context: Context,
    Body(Object(read)): Body<Object<wire::AdminProvisionGroupToWorkspaceIn>>,
) -> Answer {
    let roles = actions::roles(&control, &context).await?;
    let asked = resolve(&roles, RoleLevel::Workspace, read.asked_roles())?;
    let id = GroupId::from_bytes(read.user_group_uuid.into_bytes());
    let workspace = WorkspaceId::from_bytes(read.workspace_uuid.into_bytes());
    actions::assign(&control, &context, id, workspace, asked).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn assign(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::AssignGroupToWorkspaceIn>>,
) -> Answer {
    let id = read_id(&id)?;
    let roles = actions::roles(&control, &context).await?;
    let asked = resolve(&roles, RoleLevel::Workspace, read.asked_roles())?;
    let workspace = WorkspaceId::from_bytes(read.workspace_uuid.into_bytes());
    actions::assign(&control, &context, id, workspace, asked).await?;
    Ok(StatusCode::CREATED.into_response())
}

async fn update_workspace(
    State(control): Shared,
    context: Context,
    Named((group, workspace)): Named<(String, String)>,
    Body(Object(read)): Body<Object<wire::UpdateGroupWorkspaceAssignmentIn>>,
) -> Answer {
    let (id, workspace) = read_place(&group, &workspace)?;
    let roles = actions::roles(&control, &context).await?;
    let asked = resolve(&roles, RoleLevel::Workspace, read.asked_roles())?;
    actions::update_workspace(&control, &context, id, workspace, asked).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn withdraw(
    State(control): Shared,
    context: Context,
    Named((group, workspace)): Named<(String, String)>,
) -> Answer {
    let (id, workspace) = read_place(&group, &workspace)?;
    actions::withdraw(&control, &context, id, workspace).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn set_organization_role(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::UpdateUserGroupOrganizationRoleIn>>,
) -> Answer {
    let id = read_id(&id)?;
    let roles = actions::roles(&control, &context).await?;
    let asked = resolve(&roles, RoleLevel::Organization, Ok(Some(vec![read.organization_role].into())))?;
    let role: RoleId = asked.and_then(|ids| ids.first().copied()).ok_or(ControlError::NotFound)?;
    actions::set_organization_role(&control, &context, id, role).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn nested(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let children = actions::nested(&control, &context, read_id(&id)?).await?;
    let child =
        |(id, name): (GroupId, String)| wire::NestedGroupRef { uuid: Uuid::from_bytes(id.bytes()), name };
    Ok(reply::ok(&wire::NestedGroupsOut { children: children.into_iter().map(child).collect() }))
}

async fn set_nested(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(read)): Body<Object<wire::SetNestedGroupsIn>>,
) -> Answer {
    actions::set_nested(&control, &context, read_id(&id)?, group_ids(read.child_group_uuids)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
