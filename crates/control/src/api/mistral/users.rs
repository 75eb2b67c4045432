//! `/v1/admin/users`: people and their roles in the organization.

use super::paging::Numbered;
use super::{Answer, Shared};
use crate::actions::users;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::intake::{Body, Object};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::users::User;
use serde::Deserialize;
use serde_json::{Map, Value, json};

const MOST_USERS: usize = 1000;

pub(crate) fn routes() -> Routes {
    Routes::new().get("/v1/admin/users", Action::ReadUsers, list_users).post(
        "/v1/admin/users",
        Action::CreateUser,
        create_users,
    )
}

fn cut<T>(numbered: Numbered, all: Vec<T>, show: impl Fn(&T) -> Value) -> Vec<Value> {
    let skip = usize::try_from(numbered.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(numbered.size).unwrap_or(usize::MAX);
    all.iter().skip(skip).take(size).map(show).collect()
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
    let members = cut(numbered, all, member_out);
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
