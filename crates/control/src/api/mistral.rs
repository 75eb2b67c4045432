//! `/v1/admin/workspaces` and `/v1/admin/users` in the shapes of Mistral's own Admin API.

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
use louver_domain::users::User;
use louver_domain::workspaces::Workspace;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const DEFAULT_PAGE_SIZE: u32 = 25;
const LARGEST_PAGE_SIZE: u32 = 1000;
const MOST_USERS: usize = 1000;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/admin/workspaces", Action::ReadWorkspace, list_workspaces)
        .post("/v1/admin/workspaces", Action::CreateWorkspace, create_workspace)
        .get("/v1/admin/users", Action::ReadUsers, list_users)
        .post("/v1/admin/users", Action::CreateUser, create_users)
}

/// A page counted from 1.
struct Numbered {
    page: u32,
    size: u32,
}

impl Numbered {
    fn read(params: &mut Params) -> Result<Self, ControlError> {
        let page = params.number("page", 1..=u32::MAX)?.unwrap_or(1);
        let size = params.number("page_size", 1..=LARGEST_PAGE_SIZE)?.unwrap_or(DEFAULT_PAGE_SIZE);
        Ok(Self { page, size })
    }

    fn cut<T>(&self, all: Vec<T>, show: impl Fn(&T) -> Value) -> Vec<Value> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let before = usize::try_from(self.page.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(size);
        all.iter().skip(before).take(size).map(show).collect()
    }
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
    let items = numbered.cut(all, workspace_out);
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

/// `AdminOrganizationMemberOUT`.
fn member_out(user: &User) -> Value {
    json!({
        "uuid": user.id,
        "oid_id": null,
        "name": user.name,
        "email": user.email,
        "is_sso_outsider": null,
        "workspaces": null,
        "subscriptions": [],
        "raw_roles": ["M"],
        "raw_role": "M",
        "subscription_types": null,
        "created_at": user.created_at,
    })
}

async fn list_users(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let numbered = Numbered::read(&mut params)?;
    let email = params.take("email")?.unwrap_or_default().to_lowercase();
    params.done()?;
    let mut all = users::list(&control, &context).await?;
    all.retain(|user| user.email.contains(&email));
    let total = all.len();
    let members = numbered.cut(all, member_out);
    let (page, size) = (numbered.page, numbered.size);
    Ok(reply::ok(
        &json!({"members": members, "invites": [], "total": total, "page": page, "page_size": size}),
    ))
}

/// `OrganizationMemberCreate`. Of the roles only `member` can be kept: there are no other people's rights here yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganizationMemberCreate {
    role_names: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    role_name: Option<String>,
    role: Option<String>,
    email: String,
    first_name: String,
    last_name: String,
    subscription_types: Option<Vec<String>>,
}

impl OrganizationMemberCreate {
    fn is_member(&self) -> bool {
        let names = self.role_names.iter().flatten().chain(&self.role_name);
        let letters = self.roles.iter().flatten().chain(&self.role);
        names.into_iter().all(|name| name == "member") && letters.into_iter().all(|letter| letter == "M")
    }

    fn into_new(self) -> users::NewUser {
        let name = format!("{} {}", self.first_name.trim(), self.last_name.trim());
        let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        users::NewUser { email: self.email, name, ..users::NewUser::default() }
    }
}

async fn create_users(
    State(control): Shared,
    context: Context,
    Body(read): Body<Vec<Object<OrganizationMemberCreate>>>,
) -> Answer {
    if read.len() > MOST_USERS {
        return Err(ControlError::field("body", "at most 1,000 users at once"));
    }
    let (mut new, mut invalid_emails) = (vec![], vec![]);
    for (place, Object(person)) in read.into_iter().enumerate() {
        if !person.is_member() {
            return Err(ControlError::field(&format!("{place}.role"), "only the role member is known here"));
        }
        if person.subscription_types.as_ref().is_some_and(|types| !types.is_empty()) {
            return Err(ControlError::field(
                &format!("{place}.subscription_types"),
                "there are no subscriptions here",
            ));
        }
        if users::is_email(&person.email) {
            new.push(person.into_new());
        } else {
            invalid_emails.push(person.email);
        }
    }
    let made = users::create(&control, &context, new).await?;
    let ids: Map<String, Value> = made.into_iter().map(|user| (user.email, json!(user.id))).collect();
    Ok(reply::ok(&json!({"invalid_emails": invalid_emails, "email_to_user_id": ids})))
}
