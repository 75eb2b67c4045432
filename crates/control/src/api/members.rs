//! `/v1/gateway/workspaces/{workspace}/members`: who belongs to a workspace, by themselves or through groups.

use super::workspaces::read_id;
use super::{Answer, Shared};
use crate::actions::members as actions;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::Named;
use crate::intake::params::Params;
use crate::openapi::about::PAGE;
use crate::openapi::shapes;
use crate::page::{Asked, Page};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::id::{GroupId, RoleId, UserId};
use louver_domain::roles::Roles;
use louver_store::members::Member;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/workspaces/{workspace}/members", Action::ReadMembers, list)
        .named("list_workspace_members", "Who belongs to a workspace, by themselves or through groups")
        .query(PAGE)
        .answers::<Page<Shown>>()
        .tagged("gateway.workspaces")
}

/// A member as shown. The roles are those they have by themselves; each group gives more.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WorkspaceMember")]
struct Shown {
    #[schemars(extend("const" = "member"))]
    object: &'static str,
    #[schemars(with = "shapes::Id")]
    user_id: UserId,
    email: String,
    name: Option<String>,
    #[schemars(with = "Vec<shapes::Id>")]
    roles: Vec<RoleId>,
    role_names: Vec<String>,
    model_role: Option<String>,
    /// The groups with roles there that they are in, themselves or through groups within.
    #[schemars(with = "Vec<shapes::Id>")]
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
