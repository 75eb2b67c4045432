//! Groups of people: all of them, and making one.

mod one;
mod rights;

use crate::answer::{Answer, go};
use crate::fields::{Asked, Fields, address};
use crate::figures::{date, number};
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field};
use crate::kit::icons::Icon;
use crate::kit::table::{Column, pager, table};
use crate::kit::{Head, Tone, badge, chips, empty, main_link};
use crate::workspaces::names;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::groups::{self as actions, NewGroup};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::groups::Group;
use louver_domain::id::GroupId;
use maud::{Markup, html};
use std::sync::Arc;

/// The way to here.
const ALL: (&str, &str) = ("Groups", "/console/groups");
const NEW: &str = "/console/groups/new";
const PAGE: u64 = 50;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/groups", get(list))
        .route(NEW, get(ask).post(create))
        .merge(one::pages())
        .merge(rights::pages())
}

/// The id in a path; what reads as none is not there.
fn id_of(text: &str) -> Result<GroupId, ControlError> {
    GroupId::parse(text).ok_or(ControlError::NotFound)
}

async fn list(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let offset = asked.number("offset").unwrap_or_default().unwrap_or_default().min(1_000_000);
    let search = asked.text("q");
    let (all, total) = actions::page(&control, &visit.context, search, offset, PAGE).await?;
    let roles = actions::roles(&control, &visit.context).await?;
    let row = |(group, parents): &(Group, Vec<GroupId>)| -> Vec<Markup> {
        vec![
            html! {
                a.title href={ "/console/groups/" (group.id) } title=(group.name) { (group.name) }
                @if let Some(text) = &group.description { span.sub.clip title=(text) { (text) } }
            },
            html! { @match group.organization_role { Some(role) => (chips(&names(&roles, &[role]))), None => "–" } },
            html! { (parents.len()) },
            date(group.created_at),
            html! { @if group.externally_managed { (badge(Tone::Info, "Directory")) } @else { (badge(Tone::Plain, "Here")) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = all.iter().map(row).collect();
    let new = main_link(NEW, Some(Icon::Plus), "Create group");
    let may_create = visit.may(Action::CreateGroup);
    let columns = [
        Column::text("Group"),
        Column::text("Role in the organization"),
        Column::number("Lies in"),
        Column::text("Created"),
        Column::text("Kept"),
    ];
    let flush = match (rows.is_empty(), search.is_empty()) {
        (false, _) => table("Groups", &columns, &rows),
        (true, false) => empty("No group fits", "Search for less.", None),
        (true, true) => empty(
            "No groups yet",
            "A group gives many people the same roles in workspaces at once.",
            may_create.then_some(&new),
        ),
    };
    let at = |offset: u64| address(ALL.1, &[("q", search), ("offset", &offset.to_string())]);
    let next = (offset.saturating_add(PAGE) < total).then(|| at(offset.saturating_add(PAGE)));
    let first = (offset > 0).then(|| at(0));
    let body = html! {
        (Head { title: "Groups", acts: may_create.then_some(new).into_iter().collect(), ..Head::default() }.draw())
        form.filters method="get" action=(ALL.1) data-auto role="search" aria-label="Filter groups" {
            span.search { input type="search" name="q" value=(search) aria-label="Search groups by name" placeholder="Search name" autocomplete="off"; }
            button.btn type="submit" { "Apply" }
            span."count-of" { (number(total)) " in all" }
        }
        section.card {
            (flush)
            @if first.is_some() || next.is_some() { footer { (pager("50 a page", first.as_deref(), next.as_deref())) } }
        }
    };
    Ok(visit.page(Here::Groups, &[ALL], &body))
}

async fn ask(State(_control): State<Arc<Control>>, visit: Visit) -> Answer {
    if !visit.may(Action::CreateGroup) {
        return Err(ControlError::Lacking(Action::CreateGroup).into());
    }
    Ok(form(&visit, StatusCode::OK, &Fields::default(), &Faults::none()))
}

fn form(visit: &Visit, status: StatusCode, fields: &Fields, faults: &Faults) -> Response {
    let body = html! {
        (Head { title: "Create group", ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action=(NEW) {
                (Field::new("name", "Name").required().hint("New in the organization").filled(fields, faults).draw())
                (Field::new("description", "Description").filled(fields, faults).lines(2))
                div.acts { button.btn.main { "Create group" } a.btn.plain href=(ALL.1) { "Cancel" } }
            }
        }
    };
    visit.page_with(status, Here::Groups, &[ALL, ("Create group", "")], &body)
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let new = NewGroup {
        name: fields.text("name").to_owned(),
        description: fields.given("description"),
        ..NewGroup::default()
    };
    match actions::create(&control, &visit.context, new).await {
        Ok((group, _)) => Ok(go(&format!("/console/groups/{}?done=created", group.id))),
        Err(error) => Ok(form(&visit, StatusCode::UNPROCESSABLE_ENTITY, &fields, &Faults::of(error)?)),
    }
}
