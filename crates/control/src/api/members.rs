//! `/v1/gateway/workspaces/{workspace}/members`: who belongs to a workspace, by themselves or through groups.

use super::workspaces::read_id;
use super::{Answer, Shared};
use crate::actions::members as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::Named;
use crate::intake::params::Params;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{GroupId, RoleId, UserId};
use louver_domain::roles::Roles;
use louver_store::members::Member;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new().get("/v1/gateway/workspaces/{workspace}/members", Action::ReadMembers, list)
}

/// A member as shown. The roles are those they have by themselves; each group gives more.
#[derive(Debug, Serialize)]
struct Shown {
    object: &'static str,
    user_id: UserId,
    email: String,
    name: Option<String>,
    roles: Vec<RoleId>,
    role_names: Vec<String>,
    model_role: Option<String>,
    via_groups: Vec<GroupId>,
}

impl Shown {
    fn of(member: Member, roles: &Roles) -> Self {
        let names = member.roles.iter().filter_map(|id| roles.name(*id)).map(str::to_owned);
        Self {
            object: "member",
            user_id: member.user_id,
            email: member.email,
            name: member.name,
            role_names: names.collect(),
            roles: member.roles,
            model_role: member.model_role,
            via_groups: member.via_groups,
        }
    }
}

async fn list(
    State(control): Shared,
    context: Context,
    Named(id): Named<String>,
    mut params: Params,
) -> Answer {
    let id = read_id(&id)?;
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let after = asked.after.as_deref().map(|text| {
        UserId::parse(text).ok_or_else(|| ControlError::parameter("after", "names nothing in this list"))
    });
    let one_more = u64::from(asked.limit).saturating_add(1);
    let (members, roles) = actions::page(&control, &context, id, after.transpose()?, one_more).await?;
    let page = Page::of_one_more(members, asked.limit);
    Ok(reply::ok(&page.map(|member| Shown::of(member, &roles))))
}
