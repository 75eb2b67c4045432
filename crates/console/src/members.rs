//! People of the organization: searched, invited, and each on a page of their own.

mod invitations;
mod person;
mod rights;

use crate::answer::Answer;
use crate::fields::{Asked, address};
use crate::figures::{date, number};
use crate::frame::{Here, Visit};
use crate::kit::icons::Icon;
use crate::kit::table::{Column, pager, table};
use crate::kit::{Head, chips, empty, main_link};
use crate::workspaces::names;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use louver_control::Control;
use louver_control::actions::custom_roles;
use louver_control::actions::users::{self as actions, Filter};
use louver_domain::access::Action;
use louver_domain::users::User;
use maud::{Markup, html};
use std::sync::Arc;

/// The way to here.
const ALL: (&str, &str) = ("Members", "/console/members");
const INVITE: &str = "/console/members/invite";
const PAGE: u64 = 50;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/members", get(list))
        .merge(invitations::pages())
        .merge(person::pages())
        .merge(rights::pages())
}

/// What a person is called.
fn name_of(user: &User) -> &str {
    user.name.as_deref().unwrap_or(&user.email)
}

async fn list(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let offset = asked.number("offset").unwrap_or_default().unwrap_or_default().min(1_000_000);
    let search = asked.text("q");
    let filter = Filter { email: search.to_owned(), offset, limit: PAGE };
    let found = actions::page(&control, &visit.context, &filter).await?;
    let places = actions::places(&control, &visit.context, &found.users).await?;
    let roles = custom_roles::list(&control, &visit.context).await?;
    let row = |user: &User| -> Vec<Markup> {
        let of_user = places.get(&user.id).map_or(&[][..], Vec::as_slice);
        vec![
            html! {
                a.title href={ "/console/members/" (user.id) } title=(user.email) { (name_of(user)) }
                @if user.name.is_some() { span.sub { (user.email) } }
            },
            chips(&names(&roles, &user.roles)),
            html! {
                @for (at, place) in of_user.iter().take(3).enumerate() { @if at > 0 { ", " } (place.name) }
                @if of_user.len() > 3 { " +" (of_user.len().saturating_sub(3)) }
                @if of_user.is_empty() { span.quiet { "none" } }
            },
            date(user.created_at),
        ]
    };
    let rows: Vec<Vec<Markup>> = found.users.iter().map(row).collect();
    let columns =
        [Column::text("Person"), Column::text("Roles"), Column::text("Workspaces"), Column::text("Joined")];
    let flush = match rows.is_empty() {
        true => empty("Nobody fits", "Search for less, or invite somebody.", None),
        false => table("Members", &columns, &rows),
    };
    let at = |offset: u64| address(ALL.1, &[("q", search), ("offset", &offset.to_string())]);
    let next = (offset.saturating_add(PAGE) < found.total).then(|| at(offset.saturating_add(PAGE)));
    let first = (offset > 0).then(|| at(0));
    let invite =
        visit.may(Action::SendInvitation).then(|| main_link(INVITE, Some(Icon::Plus), "Invite people"));
    let open = match visit.may(Action::ReadInvitations) {
        true => invitations::card(&control, &visit).await?,
        false => html! {},
    };
    let body = html! {
        (Head { title: "Members", acts: invite.into_iter().collect(), ..Head::default() }.draw())
        form.filters method="get" action=(ALL.1) data-auto role="search" aria-label="Filter members" {
            span.search { input type="search" name="q" value=(search) aria-label="Search members by mail address" placeholder="Search mail address" autocomplete="off"; }
            button.btn type="submit" { "Apply" }
            span."count-of" { (number(found.total)) " people and invitations" }
        }
        div.stack {
            section.card {
                (flush)
                @if first.is_some() || next.is_some() { footer { (pager("50 a page", first.as_deref(), next.as_deref())) } }
            }
            (open)
        }
    };
    // Links of invitations are secrets.
    Ok(visit.secret_page(Here::Members, &[ALL], &body))
}
