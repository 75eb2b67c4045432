//! `/v1/admin/users`: people and their roles in the organization.

use super::paging::{Numbered, free};
use super::roles::{raw, resolve};
use super::{Answer, Shared};
use crate::actions::custom_roles;
use crate::actions::users::{self, removal, roles};
use crate::api::invitations::trimmed;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Named, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::UserId;
use louver_domain::roles::{MEMBER, RoleLevel, Roles, WORKSPACE_CONTRIBUTOR};
use louver_domain::time::Timestamp;
use louver_domain::users::User;
use louver_mistral::admin::invites::OrganizationInviteOUT;
use louver_mistral::admin::users::{
    AdminOrganizationMemberOUT, AdminOrganizationMemberUpdate, AdminUserOUT, DeleteOUT, MemberWorkspaceInfo,
    OrganizationAdminUsersOUT, OrganizationMemberCreate, OrganizationMembersCreate,
    OrganizationUsersCreateOUT,
};
use louver_mistral::admin::values::Time;
use louver_store::grants::Place;
use louver_store::invitations::StoredInvitation;
use louver_store::users::Filter;
use uuid::Uuid;

const MOST_USERS: usize = 1000;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/admin/users", Action::ReadUsers, list)
        .post("/v1/admin/users", Action::CreateUser, create)
        .get("/v1/admin/users/{user_id}", Action::ReadUsers, one)
        .patch("/v1/admin/users/{user_id}", Action::UpdateUserRole, update)
        .delete("/v1/admin/users/{user_id}", Action::RemoveUser, remove)
}

fn read_id(text: &str) -> Result<UserId, ControlError> {
    UserId::parse(text).ok_or(ControlError::NotFound)
}

fn time(at: Timestamp) -> Time {
    Time(at.rfc3339())
}

fn workspace_out(place: &Place) -> MemberWorkspaceInfo {
    let (raw_roles, raw_role) = raw(&place.roles, WORKSPACE_CONTRIBUTOR);
    MemberWorkspaceInfo {
        uuid: Uuid::from_bytes(place.workspace_id.bytes()),
        name: place.name.clone(),
        is_default: place.is_default,
        raw_roles,
        raw_role,
    }
}

fn member_out(user: &User, places: Option<&Vec<Place>>) -> AdminOrganizationMemberOUT {
    let (raw_roles, raw_role) = raw(&user.roles, MEMBER);
    AdminOrganizationMemberOUT {
        uuid: Uuid::from_bytes(user.id.bytes()),
        oid_id: None,
        name: user.name.clone(),
        email: Some(user.email.clone()),
        is_sso_outsider: None,
        workspaces: Some(places.into_iter().flatten().map(workspace_out).collect()),
        subscriptions: vec![],
        raw_roles,
        raw_role,
        subscription_types: None,
        created_at: time(user.created_at),
    }
}

fn invite_out(stored: &StoredInvitation, now: Timestamp) -> OrganizationInviteOUT {
    let invitation = &stored.invitation;
    let (raw_roles, raw_role) = raw(&invitation.roles, MEMBER);
    OrganizationInviteOUT {
        uuid: Uuid::from_bytes(invitation.id.bytes()),
        raw_roles,
        raw_role,
        email: invitation.email.clone(),
        expired: invitation.is_expired(now),
        created_at: time(invitation.created_at),
        workspace_uuids: invitation.workspaces.iter().map(|id| Uuid::from_bytes(id.bytes())).collect(),
    }
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let numbered = Numbered::read(&mut params)?;
    let email = free(&mut params, "email")?.unwrap_or_default().to_lowercase();
    params.done()?;
    let filter = Filter { email, offset: numbered.offset(), limit: numbered.size };
    let listed = users::page(&control, &context, &filter).await?;
    let places = users::places(&control, &context, &listed.users).await?;
    Ok(reply::ok(&OrganizationAdminUsersOUT {
        members: listed.users.iter().map(|user| member_out(user, places.get(&user.id))).collect(),
        invites: listed.invitations.iter().map(|stored| invite_out(stored, context.now)).collect(),
        total: Some(listed.total),
        page: Some(numbered.page),
        page_size: Some(numbered.size),
    }))
}

async fn shown(
    control: &crate::Control,
    context: &Context,
    user: &User,
) -> Result<AdminOrganizationMemberOUT, ControlError> {
    let places = users::places(control, context, std::slice::from_ref(user)).await?;
    Ok(member_out(user, places.get(&user.id)))
}

async fn one(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    let user = users::get(&control, &context, read_id(&id)?).await?;
    let member = shown(&control, &context, &user).await?;
    Ok(reply::ok(&AdminUserOUT { member, first_name: user.first_name, last_name: user.last_name }))
}

/// A person as asked for; `place` is where they stand in the list, for faults to name.
fn read_new(
    names: &Roles,
    place: usize,
    person: OrganizationMemberCreate,
) -> Result<users::NewUser, ControlError> {
    let asked = resolve(names, RoleLevel::Organization, person.asked_roles());
    let roles = asked.map_err(|error| error.within(place))?;
    Ok(users::NewUser {
        email: person.email.into_string(),
        first_name: trimmed(Some(person.first_name.as_str())),
        last_name: trimmed(Some(person.last_name.as_str())),
        roles: roles.unwrap_or_default(),
        ..users::NewUser::default()
    })
}

async fn create(
    State(control): Shared,
    context: Context,
    Body(OrganizationMembersCreate(read)): Body<OrganizationMembersCreate>,
) -> Answer {
    if read.len() > MOST_USERS {
        return Err(ControlError::field("body", "at most 1,000 users at once"));
    }
    let names = custom_roles::list(&control, &context).await?;
    let new = read.into_iter().enumerate().map(|(place, person)| read_new(&names, place, person));
    let added = users::create_some(&control, &context, new.collect::<Result<_, _>>()?).await?;
    Ok(reply::ok(&OrganizationUsersCreateOUT {
        invalid_emails: added.refused,
        email_to_user_id: added.users.into_iter().map(|user| (user.email, user.id.to_string())).collect(),
    }))
}

async fn update(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    Body(Object(given)): Body<Object<AdminOrganizationMemberUpdate>>,
) -> Answer {
    let id = read_id(&id)?;
    let names = custom_roles::list(&control, &context).await?;
    let user = match resolve(&names, RoleLevel::Organization, given.asked_roles())? {
        Some(ids) => roles::replace(&control, &context, id, ids).await?,
        None => users::get(&control, &context, id).await?,
    };
    Ok(reply::ok(&shown(&control, &context, &user).await?))
}

async fn remove(State(control): Shared, context: Context, Named(id): Named<String>) -> Answer {
    removal::remove(&control, &context, read_id(&id)?).await?;
    Ok(reply::ok(&DeleteOUT { message: "Organization member deleted successfully".into() }))
}
