//! One person: what they hold, their keys and sessions, a link that signs them in again, and their end here.

use super::{ALL, name_of};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::figures::{date, distance, moment};
use crate::frame::{Here, Visit};
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Tone, badge, chips, empty, lines, note, tile, tiny_link};
use crate::workspaces::{names, summary};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use louver_control::Control;
use louver_control::actions::users::{self as actions, removal};
use louver_control::actions::{custom_roles, sessions, sign_in_links};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::UserId;
use louver_domain::keys::ApiKey;
use louver_domain::sessions::Session;
use louver_domain::users::User;
use maud::{Markup, html};
use std::sync::Arc;

/// How long a link that signs somebody in is good.
const LINK_SECONDS: i64 = 3_600;
const MOST_KEYS: u32 = 50;
const LOSS: &str = "Their keys are disabled, their admin keys revoked and their sessions ended at once.";
const LINK_TEXT: &str = "It takes away the second factor that they have, and they choose a new password.";

pub(super) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/members/{user}", get(show))
        .route("/console/members/{user}/end-sessions", post(end_sessions))
        .route("/console/members/{user}/link", post(make_link))
        .route("/console/members/{user}/remove", post(remove))
}

/// The person of a path who is still here.
pub(super) async fn find(control: &Control, visit: &Visit, id: &str) -> Result<User, ControlError> {
    let id = UserId::parse(id).ok_or(ControlError::NotFound)?;
    let user = actions::get(control, &visit.context, id).await?;
    if user.removed_at.is_some() { Err(ControlError::NotFound) } else { Ok(user) }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let context = &visit.context;
    let user = find(&control, &visit, &id).await?;
    let roles = custom_roles::list(&control, context).await?;
    let places = actions::places(&control, context, std::slice::from_ref(&user)).await?;
    let keys = match visit.may_everywhere(Action::ReadApiKeys) {
        true => actions::keys_of(&control, context, user.id, MOST_KEYS).await?,
        false => vec![],
    };
    let open = match visit.may_everywhere(Action::ReadSessions) {
        true => sessions::list(&control, context, user.id).await?,
        false => vec![],
    };
    let at = format!("/console/members/{}", user.id);
    let own = context.actor.user_id() == Some(user.id);
    let rows: Vec<Vec<Markup>> = places
        .get(&user.id)
        .into_iter()
        .flatten()
        .map(|place| {
            let href = format!("/console/workspaces/{}/members/{}", place.workspace_id, user.id);
            vec![
                html! { a.title href=(href) title=(place.name) { (place.name) } },
                chips(&names(&roles, &place.roles)),
            ]
        })
        .collect();
    let in_workspaces = match rows.is_empty() {
        true => empty("No workspaces", "Add them in the members of a workspace, or to a group.", None),
        false => table("Workspaces", &[Column::text("Workspace"), Column::text("Roles")], &rows),
    };
    let change = |part: &str, action| {
        (visit.may(action) && !own).then(|| tiny_link(&format!("{at}/{part}"), "Change"))
    };
    let body = html! {
        (Head {
            tile: Some(tile(&crate::kit::initials(name_of(&user)), "round big")),
            title: name_of(&user),
            badge: own.then(|| badge(Tone::Info, "You")),
            meta: vec![html! { (user.email) }, html! { "Joined " (date(user.created_at)) }, html! { span.mono { (user.id) } }],
            ..Head::default()
        }.draw())
        div.cols.even {
            div.stack {
                (Card { id: "roles", title: "Roles in the organization", side: change("roles", Action::UpdateUserRole), body: Some(chips(&names(&roles, &user.roles))), ..Card::default() }.draw())
                (Card { id: "workspaces", title: "Workspaces", flush: Some(in_workspaces), ..Card::default() }.draw())
                @if visit.may_everywhere(Action::ReadApiKeys) { (keys_card(&keys)) }
            }
            div.stack {
                (Card { id: "limits", title: "Limits over all their keys", side: change("limits", Action::UpdateUserLimits), body: Some(summary(&user.limits)), ..Card::default() }.draw())
                @if visit.may_everywhere(Action::ReadSessions) { (sessions_card(&visit, &at, &open, own)) }
                @if !own { (end_card(&visit, &at, &user)) }
            }
        }
    };
    Ok(visit.page(Here::Members, &[ALL, (name_of(&user), "")], &body))
}

fn keys_card(keys: &[ApiKey]) -> Markup {
    let row = |key: &ApiKey| -> Vec<Markup> {
        vec![
            html! { a.title href={ "/console/keys/" (key.id) } title=(key.name) { (key.name) } },
            html! { code.mono { "…" (key.last_four) } },
            html! { @match key.last_used_at { Some(at) => (moment(at)), None => "never" } },
        ]
    };
    let rows: Vec<Vec<Markup>> = keys.iter().map(row).collect();
    let flush = match rows.is_empty() {
        true => empty("No keys", "They own no key that is not revoked.", None),
        false => {
            let columns = [Column::text("Key"), Column::text("Ends in"), Column::text("Last used")];
            table("Their keys", &columns, &rows)
        }
    };
    Card { id: "keys", title: "Their keys", flush: Some(flush), ..Card::default() }.draw()
}

fn sessions_card(visit: &Visit, at: &str, open: &[Session], own: bool) -> Markup {
    let now = visit.context.now;
    let end = (!open.is_empty() && !own && visit.may_everywhere(Action::EndSession)).then(|| {
        html! { form method="post" action={ (at) "/end-sessions" } { button.btn.tiny { "End all" } } }
    });
    let body = html! {
        @if open.is_empty() { p.quiet { "They are not signed in." } }
        @else {
            ul.rows {
                @for session in open {
                    li { span.grow { (session.client.as_deref().unwrap_or("unknown")) } (distance(session.seen_at, now)) }
                }
            }
        }
    };
    Card { id: "sessions", title: "Sessions", side: end, body: Some(body), ..Card::default() }.draw()
}

fn end_card(visit: &Visit, at: &str, user: &User) -> Markup {
    let title = format!("Remove {} from the organization?", user.email);
    let body = html! {
        @if visit.may(Action::CreateSignInLink) {
            p { "Lost password or device: a link signs them in once. " (LINK_TEXT) }
            form method="post" action={ (at) "/link" } data-confirm=(LINK_TEXT) data-confirm-title="Make a sign-in link?" data-confirm-yes="Make link" {
                button.btn { "Make a sign-in link" }
            }
        }
        @if visit.may(Action::RemoveUser) {
            p { "Removing: " (LOSS) }
            form method="post" action={ (at) "/remove" } data-confirm=(LOSS) data-confirm-title=(title) data-confirm-yes="Remove" {
                button.btn.danger { "Remove from the organization" }
            }
        }
    };
    let wanted = visit.may(Action::CreateSignInLink) || visit.may(Action::RemoveUser);
    html! { @if wanted { (Card { id: "way", title: "Way in and way out", body: Some(html! { div.stack.tight { (body) } }), ..Card::default() }.draw()) } }
}

async fn end_sessions(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let user = find(&control, &visit, &id).await?;
    sessions::end_all(&control, &visit.context, user.id).await?;
    Ok(go(&format!("/console/members/{}?done=sessions", user.id)))
}

async fn make_link(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let user = find(&control, &visit, &id).await?;
    let at = format!("/console/members/{}", user.id);
    let question = Question {
        action: &format!("{at}/link"),
        title: "Make a sign-in link?",
        text: LINK_TEXT,
        yes: "Make link",
        back: &at,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    let made = sign_in_links::make(&control, &visit.context, Some(user.id), LINK_SECONDS).await?;
    let link = format!("{}/console/link/{}", control.outbound.public_url(), made.token.expose());
    let said = html! { p { b { "Give this link to " (user.email) " only." } " It works once, until " (moment(made.expires_at)) ", and is shown only now." } };
    let body = html! {
        (Head { title: "Sign-in link", ..Head::default() }.draw())
        (note(Tone::Warn, &said, None))
        (lines("sign-in-link", &link))
        p { a.btn.main href=(at) { "Done" } }
    };
    Ok(visit.secret_page(Here::Members, &[ALL, (name_of(&user), &at), ("Sign-in link", "")], &body))
}

async fn remove(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let user = find(&control, &visit, &id).await?;
    let at = format!("/console/members/{}", user.id);
    let question = Question {
        action: &format!("{at}/remove"),
        title: &format!("Remove {} from the organization?", user.email),
        text: LOSS,
        yes: "Remove",
        back: &at,
    };
    if let Some(page) = question.unless_answered(&fields) {
        return Ok(page);
    }
    removal::remove(&control, &visit.context, user.id).await?;
    Ok(go("/console/members?done=removed"))
}
