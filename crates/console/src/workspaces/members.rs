//! Who belongs to a workspace: people and groups with their roles and model roles, added, changed and taken out.

use super::{framed, id_of, listed};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::{Asked, Fields, address};
use crate::frame::Visit;
use crate::kit::form::{Faults, Field, tick};
use crate::kit::table::{Column, pager, table};
use crate::kit::{Card, chips, empty, main_link, tiny_link};
use crate::limits_form::{picker_of, words};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::members::{self as actions, Member};
use louver_control::actions::{custom_roles, groups, model_roles, users, workspaces};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{GroupId, RoleId, UserId};
use louver_domain::roles::{BUILTIN, RoleLevel, Roles, WORKSPACE_CONTRIBUTOR};
use louver_domain::workspaces::Workspace;
use maud::{Markup, html};
use std::sync::Arc;

const PAGE: u64 = 50;
/// The most people shown to be ticked; others are named by their mail address.
const MOST_TICKED: u64 = 200;
const MOST_GROUPS: u64 = 200;

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/workspaces/{workspace}/members", get(list))
        .route("/console/workspaces/{workspace}/members/add", get(ask).post(add))
        .route("/console/workspaces/{workspace}/members/{user}", get(one).post(change))
        .route("/console/workspaces/{workspace}/members/{user}/remove", post(remove))
}

/// The roles that can be given on a level: id and name, the built-in ones first.
pub(crate) fn roles_of_level(roles: &Roles, level: RoleLevel) -> Vec<(RoleId, String, String)> {
    let builtin = BUILTIN.iter().filter(|role| role.level == level);
    let builtin = builtin.map(|role| (role.id(), role.name.to_owned(), role.description.to_owned()));
    let custom = roles.custom().iter().filter(|role| role.level == level);
    builtin.chain(custom.map(|role| (role.id, role.name.clone(), role.description.clone()))).collect()
}

/// The names of roles.
pub(crate) fn names(roles: &Roles, ids: &[RoleId]) -> Vec<String> {
    ids.iter().map(|id| roles.name(*id).map_or_else(|| id.to_string(), str::to_owned)).collect()
}

/// Boxes for the roles of a level.
pub(crate) fn role_ticks(roles: &Roles, level: RoleLevel, chosen: &[String]) -> Markup {
    html! {
        fieldset id="roles" {
            legend { "Roles" }
            div.stack.tight {
                @for (id, name, text) in roles_of_level(roles, level) {
                    @let id = id.to_string();
                    (tick("checkbox", "roles", &id, chosen.contains(&id), &name, (!text.is_empty()).then_some(text.as_str())))
                }
            }
        }
    }
}

/// The roles that a form ticked.
pub(crate) fn read_roles(fields: &Fields) -> Result<Vec<RoleId>, ControlError> {
    let wrong = || ControlError::field("roles", "names a role that is not there");
    fields.list("roles").iter().map(|id| RoleId::parse(id).ok_or_else(wrong)).collect()
}

/// The choice of a model role.
pub(crate) async fn model_role_choices(
    control: &Control,
    visit: &Visit,
) -> Result<Vec<(String, String)>, ControlError> {
    let all = model_roles::list(control, &visit.context).await?;
    let none = (String::new(), "None".to_owned());
    Ok(std::iter::once(none).chain(all.into_iter().map(|role| (role.name.clone(), role.name))).collect())
}

async fn list(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    asked: Asked,
) -> Answer {
    let context = &visit.context;
    let workspace = workspaces::get(&control, context, id_of(&id)?).await?;
    let after = asked.id("after", UserId::parse)?;
    let (members, roles) =
        actions::page(&control, context, workspace.id, after, PAGE.saturating_add(1)).await?;
    let more = members.len() > 50;
    let shown: Vec<&Member> = members.iter().take(50).collect();
    let of_groups = groups::in_workspace(&control, context, workspace.id, None, MOST_GROUPS).await?;
    let group_names: Vec<(GroupId, String)> =
        of_groups.iter().map(|(place, name)| (place.group_id, name.clone())).collect();
    let at = format!("/console/workspaces/{}/members", workspace.id);
    let open = workspace.archived_at.is_none();
    let add = main_link(&format!("{at}/add"), None, "Add members");
    let may_add = open && visit.may_in(workspace.id, Action::AddMember);
    let rows: Vec<Vec<Markup>> = shown.iter().map(|member| row(&at, member, &roles, &group_names)).collect();
    let next =
        shown.last().filter(|_| more).map(|last| address(&at, &[("after", &last.user_id.to_string())]));
    let columns = [
        Column::text("Person"),
        Column::text("Roles"),
        Column::text("Model role"),
        Column::text("Belongs by"),
    ];
    let people = if rows.is_empty() {
        empty(
            "Nobody belongs to it yet",
            "Add people of the organization, or give a group roles here.",
            may_add.then_some(&add),
        )
    } else {
        table("Members", &columns, &rows)
    };
    let rows: Vec<Vec<Markup>> = of_groups
        .iter()
        .map(|(place, name)| {
            vec![
                html! {
                    @if visit.may(Action::ReadGroups) { a.title href={ "/console/groups/" (place.group_id) } title=(name) { (name) } }
                    @else { span.title title=(name) { (name) } }
                },
                chips(&names(&roles, &place.roles)),
                html! { @match &place.model_role { Some(role) => (role), None => "–" } },
            ]
        })
        .collect();
    let body = html! {
        div.stack {
            @if may_add { div.acts { (add) } }
            section.card {
                header { h2 #members { "Members" } }
                (people)
                @if after.is_some() || next.is_some() { footer { (pager("50 a page", after.map(|_| at.as_str()), next.as_deref())) } }
            }
            @if !rows.is_empty() {
                (listed("groups", "Groups with roles here", None, table("Groups with roles here", &[Column::text("Group"), Column::text("Roles"), Column::text("Model role")], &rows)))
            }
            (explained())
        }
    };
    Ok(framed(&visit, StatusCode::OK, &workspace, "Members", &body))
}

/// What the usual roles are, in words.
fn explained() -> Markup {
    let rows = [
        ("Admin", "workspace_admin", "Manages the workspace: members, keys, service accounts"),
        ("Member", "workspace_contributor", "Uses keys of their own and sees their usage; manages nothing"),
    ];
    let rows: Vec<Vec<Markup>> = rows
        .iter()
        .map(|(word, name, text)| vec![html! { (word) }, chips(&[(*name).to_owned()]), html! { (text) }])
        .collect();
    let columns = [Column::text("Who"), Column::text("Role"), Column::text("May do")];
    listed("roles-in-short", "Roles in short", None, table("Roles in short", &columns, &rows))
}

fn row(at: &str, member: &Member, roles: &Roles, group_names: &[(GroupId, String)]) -> Vec<Markup> {
    let name_of =
        |id: &GroupId| group_names.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone());
    let via: Vec<String> = member.via_groups.iter().filter_map(name_of).collect();
    vec![
        html! {
            a.title href={ (at) "/" (member.user_id) } title=(member.email) { (member.name.as_deref().unwrap_or(&member.email)) }
            @if member.name.is_some() { span.sub { (member.email) } }
        },
        chips(&names(roles, &member.roles)),
        html! { @match &member.model_role { Some(role) => (role), None => "–" } },
        html! {
            @if !member.roles.is_empty() || via.is_empty() { "themselves" }
            @if !member.roles.is_empty() && !via.is_empty() { ", " }
            @if !via.is_empty() { "group " (via.join(", ")) }
        },
    ]
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    let fields = Fields::of(vec![("roles".into(), WORKSPACE_CONTRIBUTOR.to_string())]);
    Ok(add_form(&control, &visit, StatusCode::OK, &workspace, &fields, &Faults::none()).await?)
}

async fn add_form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    workspace: &Workspace,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let roles = custom_roles::list(control, &visit.context).await?;
    let people = match visit.may(Action::ReadUsers) {
        true => users::after(control, &visit.context, None, MOST_TICKED).await?,
        false => vec![],
    };
    let people: Vec<(String, String)> =
        people.into_iter().map(|user| (user.id.to_string(), user.email)).collect();
    let at = format!("/console/workspaces/{}/members", workspace.id);
    let hint = match people.is_empty() {
        true => "One id a line, as an admin of the organization gives it to you",
        false => "One mail address or id a line, of people of the organization",
    };
    let form = html! {
        (faults.summary())
        form.form method="post" action={ (at) "/add" } {
            @if !people.is_empty() {
                fieldset { legend { "People of the organization" } (picker_of("People", "people", &people, &fields.list("people"))) }
            }
            (Field::new("others", if people.is_empty() { "People" } else { "Others" }).hint(hint).filled(fields, faults).lines(3))
            (role_ticks(&roles, RoleLevel::Workspace, &fields.list("roles")))
            div.acts { button.btn.main { "Add members" } a.btn.plain href=(at) { "Cancel" } }
        }
    };
    let body = Card { id: "add", title: "Add members", body: Some(form), ..Card::default() }.draw();
    Ok(framed(visit, status, workspace, "Members", &body))
}

async fn add(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    match add_all(&control, &visit, &workspace, &fields).await {
        Ok(()) => Ok(go(&format!("/console/workspaces/{}/members?done=saved", workspace.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(add_form(&control, &visit, status, &workspace, &fields, &faults).await?)
        }
    }
}

async fn add_all(
    control: &Control,
    visit: &Visit,
    workspace: &Workspace,
    fields: &Fields,
) -> Result<(), ControlError> {
    let people = read_people(control, visit, fields).await?;
    let roles = read_roles(fields)?;
    if roles.is_empty() {
        return Err(ControlError::field("roles", "tick at least one"));
    }
    let placed = people.into_iter().map(|user| (user, Some(roles.clone()))).collect();
    actions::add(control, &visit.context, workspace.id, placed).await.map(|_| ())
}

/// The people that a form ticked, or named by mail address or id.
pub(crate) async fn read_people(
    control: &Control,
    visit: &Visit,
    fields: &Fields,
) -> Result<Vec<UserId>, ControlError> {
    let mut people: Vec<UserId> = fields.list("people").iter().filter_map(|id| UserId::parse(id)).collect();
    for word in words(fields.text("others")) {
        let wrong = || ControlError::field("others", format!("{word} is nobody in this organization"));
        if let Some(id) = UserId::parse(&word) {
            people.push(id);
            continue;
        }
        if !visit.may(Action::ReadUsers) {
            return Err(wrong());
        }
        people.push(users::by_email(control, &visit.context, &word).await?.ok_or_else(wrong)?.id);
    }
    match people.is_empty() {
        true => Err(ControlError::field("others", "name at least one")),
        false => Ok(people),
    }
}

async fn one(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, user)): Path<(String, String)>,
) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    let user = UserId::parse(&user).ok_or(ControlError::NotFound)?;
    let (member, _) = actions::get(&control, &visit.context, workspace.id, user).await?;
    let mut pairs: Vec<(String, String)> =
        member.roles.iter().map(|role| ("roles".to_owned(), role.to_string())).collect();
    pairs.push(("model_role".into(), member.model_role.clone().unwrap_or_default()));
    let fields = Fields::of(pairs);
    Ok(form(&control, &visit, StatusCode::OK, (&workspace, &member), &fields, &Faults::none()).await?)
}

async fn form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    (workspace, member): (&Workspace, &Member),
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let roles = custom_roles::list(control, &visit.context).await?;
    let choices = model_role_choices(control, visit).await?;
    let all = format!("/console/workspaces/{}/members", workspace.id);
    let at = format!("{all}/{}", member.user_id);
    let form = html! {
        (faults.summary())
        form.form method="post" action=(at) {
            (role_ticks(&roles, RoleLevel::Workspace, &fields.list("roles")))
            (Field::new("model_role", "Model role").hint("Which models this person’s own keys may call here").filled(fields, faults).choice(&choices))
            div.acts { button.btn.main { "Save" } a.btn.plain href=(all) { "Cancel" } }
        }
    };
    let text = loss(member);
    let end = html! {
        p { (text) }
        form method="post" action={ (at) "/remove" } data-confirm=(text) data-confirm-title="Remove from the workspace?" data-confirm-yes="Remove" {
            button.btn.danger { "Remove from the workspace" }
        }
    };
    let person = visit
        .may(Action::ReadUsers)
        .then(|| tiny_link(&format!("/console/members/{}", member.user_id), "Their page"));
    let body = html! {
        div.stack {
            (Card { id: "member", title: member.name.as_deref().unwrap_or(&member.email), sub: Some(html! { (member.email) }), side: person, body: Some(form), ..Card::default() }.draw())
            @if visit.may_in(workspace.id, Action::RemoveMember) && !member.roles.is_empty() {
                (Card { id: "end", title: "Remove", body: Some(html! { div.stack.tight { (end) } }), ..Card::default() }.draw())
            }
        }
    };
    Ok(framed(visit, status, workspace, "Members", &body))
}

fn loss(member: &Member) -> String {
    match member.via_groups.is_empty() {
        true => "Their keys in this workspace are disabled at once.".to_owned(),
        false => "They still belong to it through a group.".to_owned(),
    }
}

async fn change(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, user)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    let user = UserId::parse(&user).ok_or(ControlError::NotFound)?;
    let (member, _) = actions::get(&control, &visit.context, workspace.id, user).await?;
    match save(&control, &visit, &workspace, &member, &fields).await {
        Ok(()) => Ok(go(&format!("/console/workspaces/{}/members?done=saved", workspace.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(form(&control, &visit, status, (&workspace, &member), &fields, &faults).await?)
        }
    }
}

async fn save(
    control: &Control,
    visit: &Visit,
    workspace: &Workspace,
    member: &Member,
    fields: &Fields,
) -> Result<(), ControlError> {
    let (context, id, user) = (&visit.context, workspace.id, member.user_id);
    let roles = read_roles(fields)?;
    let same = roles.len() == member.roles.len() && roles.iter().all(|role| member.roles.contains(role));
    if !same {
        if roles.is_empty() {
            return Err(ControlError::field("roles", "tick at least one, or remove the person below"));
        }
        actions::add_or_update(control, context, id, vec![(user, Some(roles))]).await?;
    }
    let role = fields.given("model_role");
    if role != member.model_role {
        users::assign_role(control, context, id, user, role).await?;
    }
    Ok(())
}

async fn remove(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, user)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let workspace = workspaces::get(&control, &visit.context, id_of(&id)?).await?;
    let user = UserId::parse(&user).ok_or(ControlError::NotFound)?;
    let (member, _) = actions::get(&control, &visit.context, workspace.id, user).await?;
    let all = format!("/console/workspaces/{}/members", workspace.id);
    let question = Question {
        action: &format!("{all}/{user}/remove"),
        title: &format!("Remove {} from {}?", member.email, workspace.name),
        text: &loss(&member),
        yes: "Remove",
        back: &all,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::remove(&control, &visit.context, workspace.id, vec![user]).await?;
    Ok(go(&format!("{all}?done=removed")))
}
