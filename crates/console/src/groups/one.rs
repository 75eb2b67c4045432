//! One group: who is in it, what it gives, what it is called, and its end.

use super::{ALL, id_of};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::{Asked, Fields, address};
use crate::figures::{date, number};
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field};
use crate::kit::table::{Column, pager, table};
use crate::kit::{Card, Head, Tone, badge, chips, empty, tiny_link};
use crate::limits_form::picker_of;
use crate::workspaces::{names, read_people};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::groups::{self as actions, GroupPatch, Member};
use louver_control::actions::users;
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::groups::Group;
use louver_domain::id::UserId;
use maud::{Markup, html};
use std::sync::Arc;

const PAGE: u64 = 50;
const MOST_TICKED: u64 = 200;
const MOST_PLACES: u64 = 500;
const LOSS: &str =
    "Its members lose what it gave them; keys of theirs where they no longer belong are disabled.";

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/groups/{group}", get(show))
        .route("/console/groups/{group}/edit", get(ask).post(change))
        .route("/console/groups/{group}/delete", post(delete))
        .route("/console/groups/{group}/members/add", get(ask_people).post(add_people))
        .route("/console/groups/{group}/members/{user}/remove", post(remove_person))
}

async fn show(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    asked: Asked,
) -> Answer {
    let context = &visit.context;
    let (group, _) = actions::get(&control, context, id_of(&id)?).await?;
    let roles = actions::roles(&control, context).await?;
    let offset = asked.number("offset").unwrap_or_default().unwrap_or_default().min(1_000_000);
    let (members, total) = actions::members(&control, context, group.id, offset, PAGE).await?;
    let (places, _) = actions::workspaces(&control, context, group.id, 0, MOST_PLACES).await?;
    let at = format!("/console/groups/{}", group.id);
    let rows: Vec<Vec<Markup>> = places
        .iter()
        .map(|(place, name)| {
            vec![
                html! { a.title href={ (at) "/workspaces/" (place.workspace_id) } title=(name) { (name) } },
                chips(&names(&roles, &place.roles)),
                html! { (place.model_role.as_deref().unwrap_or("–")) },
            ]
        })
        .collect();
    let given = match rows.is_empty() {
        true => empty(
            "It gives nothing in workspaces",
            "Give it roles in one: all its members have them there.",
            None,
        ),
        false => table(
            "Workspaces of the group",
            &[Column::text("Workspace"), Column::text("Roles"), Column::text("Model role")],
            &rows,
        ),
    };
    let own = !group.externally_managed;
    let may =
        |action, href: &str, text: &str| visit.may(action).then(|| tiny_link(&format!("{at}/{href}"), text));
    let acts = if own { may(Action::UpdateGroup, "edit", "Rename") } else { None };
    let organization_role = html! {
        @match group.organization_role { Some(role) => (chips(&names(&roles, &[role]))), None => p.quiet { "None" } }
    };
    let body = html! {
        (Head {
            title: &group.name,
            badge: group.externally_managed.then(|| badge(Tone::Info, "Kept by a directory")),
            meta: group.description.iter().map(|text| html! { (text) }).chain([html! { "Created " (date(group.created_at)) }]).collect(),
            acts: acts.into_iter().collect(),
            ..Head::default()
        }.draw())
        div.cols.even {
            (people(&visit, &group, &members, (offset, total)))
            div.stack {
                (Card { id: "workspaces", title: "Roles in workspaces", side: may(Action::ProvisionGroup, "workspaces", "Give roles"), flush: Some(given), ..Card::default() }.draw())
                (Card { id: "organization", title: "Role in the organization", side: may(Action::UpdateGroup, "role", "Change"), body: Some(organization_role), ..Card::default() }.draw())
                @if own && visit.may(Action::DeleteGroup) { (end(&group, &at)) }
            }
        }
    };
    Ok(visit.page(Here::Groups, &[ALL, (&group.name, "")], &body))
}

fn people(visit: &Visit, group: &Group, members: &[Member], (offset, total): (u64, u64)) -> Markup {
    let at = format!("/console/groups/{}", group.id);
    let own = !group.externally_managed;
    let row = |(id, name, email): &Member| -> Vec<Markup> {
        vec![
            html! {
                a.title href={ "/console/members/" (id) } title=(email) { (name.as_deref().unwrap_or(email)) }
                @if name.is_some() { span.sub { (email) } }
            },
            html! {
                @if own && visit.may(Action::RemoveGroupMember) {
                    form method="post" action={ (at) "/members/" (id) "/remove" } data-confirm=(LOSS) data-confirm-title={ "Take " (email) " out?" } data-confirm-yes="Take out" {
                        button.btn.tiny { "Take out" span.sr { " " (email) } }
                    }
                }
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = members.iter().map(row).collect();
    let flush = match rows.is_empty() {
        true => empty("Nobody is in it", "Add people of the organization.", None),
        false => table("Members of the group", &[Column::text("Person"), Column::text("Action")], &rows),
    };
    let page = |offset: u64| address(&at, &[("offset", &offset.to_string())]);
    let next = (offset.saturating_add(PAGE) < total).then(|| page(offset.saturating_add(PAGE)));
    let side = (own && visit.may(Action::AddGroupMember))
        .then(|| tiny_link(&format!("{at}/members/add"), "Add people"));
    let foot = (next.is_some() || offset > 0)
        .then(|| pager("50 a page", (offset > 0).then_some(at.as_str()), next.as_deref()));
    Card {
        id: "people",
        title: "Members",
        sub: Some(html! { (number(total)) }),
        side,
        flush: Some(flush),
        foot,
        ..Card::default()
    }
    .draw()
}

fn end(group: &Group, at: &str) -> Markup {
    let title = format!("Delete {}?", group.name);
    let body = html! {
        p { (LOSS) }
        form method="post" action={ (at) "/delete" } data-confirm=(LOSS) data-confirm-title=(title) data-confirm-yes="Delete" {
            button.btn.danger { "Delete group" }
        }
    };
    Card { id: "end", title: "Delete", body: Some(html! { div.stack.tight { (body) } }), ..Card::default() }
        .draw()
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let fields = Fields::of(vec![
        ("name".into(), group.name.clone()),
        ("description".into(), group.description.clone().unwrap_or_default()),
    ]);
    Ok(form(&visit, StatusCode::OK, &group, &fields, &Faults::none()))
}

fn form(visit: &Visit, status: StatusCode, group: &Group, fields: &Fields, faults: &Faults) -> Response {
    let at = format!("/console/groups/{}", group.id);
    let body = html! {
        (Head { title: "Rename group", ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action={ (at) "/edit" } {
                (Field::new("name", "Name").required().filled(fields, faults).draw())
                (Field::new("description", "Description").filled(fields, faults).lines(2))
                div.acts { button.btn.main { "Save" } a.btn.plain href=(at) { "Cancel" } }
            }
        }
    };
    visit.page_with(status, Here::Groups, &[ALL, (&group.name, &at), ("Rename", "")], &body)
}

async fn change(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let patch = GroupPatch {
        name: Some(fields.text("name").to_owned()),
        description: Some(fields.text("description").to_owned()),
        ..GroupPatch::default()
    };
    match actions::update(&control, &visit.context, group.id, patch).await {
        Ok(_) => Ok(go(&format!("/console/groups/{}?done=saved", group.id))),
        Err(error) => {
            Ok(form(&visit, StatusCode::UNPROCESSABLE_ENTITY, &group, &fields, &Faults::of(error)?))
        }
    }
}

async fn delete(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let at = format!("/console/groups/{}", group.id);
    let question = Question {
        action: &format!("{at}/delete"),
        title: &format!("Delete {}?", group.name),
        text: LOSS,
        yes: "Delete",
        back: &at,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::delete(&control, &visit.context, group.id).await?;
    Ok(go("/console/groups?done=removed"))
}

async fn ask_people(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    Ok(people_form(&control, &visit, StatusCode::OK, &group, &Fields::default(), &Faults::none()).await?)
}

async fn people_form(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    group: &Group,
    fields: &Fields,
    faults: &Faults,
) -> Result<Response, ControlError> {
    let people = match visit.may(Action::ReadUsers) {
        true => users::after(control, &visit.context, None, MOST_TICKED).await?,
        false => vec![],
    };
    let people: Vec<(String, String)> =
        people.into_iter().map(|user| (user.id.to_string(), user.email)).collect();
    let at = format!("/console/groups/{}", group.id);
    let body = html! {
        (Head { title: "Add people", ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action={ (at) "/members/add" } {
                @if !people.is_empty() {
                    fieldset { legend { "People of the organization" } (picker_of("People", "people", &people, &fields.list("people"))) }
                }
                (Field::new("others", "Others").hint("One mail address or id a line").filled(fields, faults).lines(3))
                div.acts { button.btn.main { "Add people" } a.btn.plain href=(at) { "Cancel" } }
            }
        }
    };
    Ok(visit.page_with(status, Here::Groups, &[ALL, (&group.name, &at), ("Add people", "")], &body))
}

async fn add_people(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let added = match read_people(&control, &visit, &fields).await {
        Ok(people) => actions::add_members(&control, &visit.context, group.id, people).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(()) => Ok(go(&format!("/console/groups/{}?done=saved", group.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(people_form(&control, &visit, status, &group, &fields, &faults).await?)
        }
    }
}

async fn remove_person(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path((id, user)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let (group, _) = actions::get(&control, &visit.context, id_of(&id)?).await?;
    let user = UserId::parse(&user).ok_or(ControlError::NotFound)?;
    let at = format!("/console/groups/{}", group.id);
    let question = Question {
        action: &format!("{at}/members/{user}/remove"),
        title: "Take this person out of the group?",
        text: LOSS,
        yes: "Take out",
        back: &at,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    actions::remove_members(&control, &visit.context, group.id, vec![user]).await?;
    Ok(go(&format!("{at}?done=removed")))
}
