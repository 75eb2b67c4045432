//! What is the reader's own: password, second factor, sessions, and how pages look.

use crate::answer::{Answer, go};
use crate::door::PASSWORD;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::figures::{distance, moment};
use crate::frame::{Here, THEME, Visit};
use crate::kit::form::{Faults, Field, code};
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Tone, badge, facts, lines, note};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::header::{HeaderValue, REFERER, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use louver_control::Control;
use louver_control::actions::{passwords, second_factors, sessions};
use louver_control::context::Credential;
use louver_control::error::ControlError;
use louver_domain::id::SessionId;
use louver_domain::secret::Secret;
use louver_domain::sessions::Session;
use maud::{Markup, html};
use std::sync::Arc;

const OWN: (&str, &str) = ("Password and sessions", "/console/account");

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/account", get(show))
        .route("/console/account/password", get(ask_password).post(choose_password))
        .route("/console/account/second-factor", get(ask_factor).post(prove_factor))
        .route("/console/account/second-factor/begin", post(begin_factor))
        .route("/console/account/second-factor/remove", post(remove_factor))
        .route("/console/account/sessions/end", post(end_others))
        .route("/console/account/sessions/{session}/end", post(end_one))
        .route("/console/account/theme", post(set_theme))
}

async fn show(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    let context = &visit.context;
    let user = context.actor.user_id().ok_or(ControlError::Unauthorized)?;
    let all = sessions::list(&control, context, user).await?;
    let set_at = passwords::set_at(&control, context).await?;
    let factor = second_factors::standing(&control, context).await?;
    let present = match context.credential {
        Some(Credential::Session { id, .. }) => Some(id),
        Some(Credential::AdminKey { .. }) | None => None,
    };
    let body = html! {
        (Head { title: "Password and sessions", ..Head::default() }.draw())
        div.stack {
            (Card {
                id: "password", title: "Password",
                side: Some(html! { a.btn.tiny href=(PASSWORD) { "Choose another" } }),
                body: Some(facts(&[
                    ("Signs in as", html! { (context.actor.name()) }),
                    ("Set", html! { @match set_at { Some(at) => (moment(at)), None => "never" } }),
                ])),
                ..Card::default()
            }.draw())
            (factor_card(factor))
            (Card {
                id: "sessions", title: "Sessions",
                sub: Some(html! { "They end after half an hour without use, and after twelve hours" }),
                side: (all.len() > 1).then(|| html! {
                    form method="post" action="/console/account/sessions/end" { button.btn.tiny { "End all others" } }
                }),
                flush: Some(session_table(&all, present, context.now)),
                ..Card::default()
            }.draw())
        }
    };
    Ok(visit.page(Here::Account, &[OWN], &body))
}

fn factor_card(factor: Option<second_factors::Standing>) -> Markup {
    let body = match factor {
        Some(standing) => html! {
            (facts(&[
                ("Since", moment(standing.since)),
                ("Codes left for the day the device is lost", html! { (standing.recovery_left) }),
            ]))
            form method="post" action="/console/account/second-factor/remove" { button.btn.danger { "Take it away" } }
        },
        None => html! {
            p { "A code from your phone besides the password: whoever learns the password still stays out." }
            form method="post" action="/console/account/second-factor/begin" { button.btn { "Set it up" } }
        },
    };
    let standing = if factor.is_some() { badge(Tone::Good, "On") } else { badge(Tone::Plain, "Off") };
    Card { id: "factor", title: "Second factor", sub: Some(standing), body: Some(body), ..Card::default() }
        .draw()
}

fn session_table(all: &[Session], present: Option<SessionId>, now: louver_domain::time::Timestamp) -> Markup {
    let columns = [
        Column::text("Browser"),
        Column::text("From"),
        Column::text("Began"),
        Column::text("Last used"),
        Column::text("Action"),
    ];
    let row = |session: &Session| {
        vec![
            html! {
                (session.client.as_deref().unwrap_or("unknown"))
                @if present == Some(session.id) { " " (badge(Tone::Good, "This one")) }
            },
            html! { (session.address.as_deref().unwrap_or("–")) },
            moment(session.created_at),
            distance(session.seen_at, now),
            html! {
                @if present != Some(session.id) {
                    form method="post" action={ "/console/account/sessions/" (session.id) "/end" } {
                        button.btn.tiny { "End" span.sr { " the session of " (session.client.as_deref().unwrap_or("unknown")) } }
                    }
                }
            },
        ]
    };
    table("Sessions", &columns, &all.iter().map(row).collect::<Vec<_>>())
}

async fn ask_password(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    let first = passwords::set_at(&control, &visit.context).await?.is_none();
    Ok(password_page(&visit, StatusCode::OK, first, &Faults::none()))
}

async fn choose_password(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let first = passwords::set_at(&control, &visit.context).await?.is_none();
    let back = |faults: &Faults| password_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, first, faults);
    if fields.raw("password") != fields.raw("again") {
        let error = ControlError::field("again", "is not the same as above");
        return Ok(back(&Faults::of(error)?));
    }
    match passwords::choose(&control, &visit.context, fields.secret("password")).await {
        Ok(()) if first => Ok(go(crate::HOME)),
        Ok(()) => Ok(go("/console/account?done=password")),
        Err(error) => Ok(back(&Faults::of(error)?)),
    }
}

fn password_page(visit: &Visit, status: StatusCode, first: bool, faults: &Faults) -> Response {
    let body = html! {
        (Head { title: "Choose a password", ..Head::default() }.draw())
        section.card {
            form.form.body method="post" action=(PASSWORD) {
                @if first { p { "With it you sign in from now on." } }
                @else { p { "All your other sessions end." } }
                (faults.summary())
                input type="hidden" autocomplete="username" value=(visit.context.actor.name());
                (Field { fault: faults.at("password"), ..Field::new("password", "New password").kind("password").required()
                    .autocomplete("new-password").hint("At least 12 characters. A few words in a row are easy to remember.") }.draw())
                (Field { fault: faults.at("again"), ..Field::new("again", "The same again").kind("password").required()
                    .autocomplete("new-password") }.draw())
                div.acts { button.btn.main { "Set the password" } }
            }
        }
    };
    visit.page_with(status, Here::Account, &[OWN, ("Password", "")], &body)
}

async fn begin_factor(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    second_factors::begin(&control, &visit.context).await?;
    Ok(go("/console/account/second-factor"))
}

async fn ask_factor(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    factor_page(&control, &visit, StatusCode::OK, &Faults::none()).await
}

async fn factor_page(control: &Control, visit: &Visit, status: StatusCode, faults: &Faults) -> Answer {
    let Some(begun) = second_factors::begun(control, &visit.context).await? else {
        return Ok(go("/console/account"));
    };
    let body = html! {
        (Head { title: "Set up the second factor", ..Head::default() }.draw())
        section.card {
            div.body {
                p { "Type this secret into an app that makes codes, or open the address on your phone:" }
                (lines("secret", begun.secret.expose()))
                p { a href=(begun.address.expose()) { "Open in an app on this device" } }
                form.form method="post" action="/console/account/second-factor" {
                    (faults.summary())
                    (code("code"))
                    div.acts { button.btn.main { "Switch it on" } }
                }
            }
        }
    };
    let mut response = visit.secret_page(Here::Account, &[OWN, ("Second factor", "")], &body);
    *response.status_mut() = status;
    Ok(response)
}

async fn prove_factor(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    match second_factors::prove(&control, &visit.context, fields.text("code")).await {
        Ok(codes) => Ok(recovery_page(&visit, &codes)),
        Err(ControlError::NotFound) => Ok(go("/console/account")),
        Err(error) => {
            factor_page(&control, &visit, StatusCode::UNPROCESSABLE_ENTITY, &Faults::of(error)?).await
        }
    }
}

fn recovery_page(visit: &Visit, codes: &[Secret<String>]) -> Response {
    let text: Vec<&str> = codes.iter().map(|code| code.expose().as_str()).collect();
    let body = html! {
        (Head { title: "Your second factor is on", ..Head::default() }.draw())
        (note(Tone::Warn, &html! { p { b { "Keep these codes." } " Each signs you in once when your phone is lost. They are shown only now." } }, None))
        (lines("codes", &text.join("\n")))
        p { a.btn.main href="/console/account" { "I have kept them" } }
    };
    visit.secret_page(Here::Account, &[OWN, ("Second factor", "")], &body)
}

async fn remove_factor(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    second_factors::remove(&control, &visit.context).await?;
    Ok(go("/console/account?done=factor-off"))
}

async fn end_others(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    let user = visit.context.actor.user_id().ok_or(ControlError::Unauthorized)?;
    sessions::end_all(&control, &visit.context, user).await?;
    Ok(go("/console/account?done=ended"))
}

async fn end_one(State(control): State<Arc<Control>>, visit: Visit, Path(session): Path<String>) -> Answer {
    let id = SessionId::parse(&session).ok_or(ControlError::NotFound)?;
    sessions::end(&control, &visit.context, id).await?;
    Ok(go("/console/account?done=ended"))
}

async fn set_theme(headers: HeaderMap, fields: Fields) -> Result<Response, Failure> {
    let theme = match fields.text("theme") {
        "light" => "light",
        "dark" => "dark",
        _ => "system",
    };
    let mut response = go(&back(&headers));
    let cookie = format!("{THEME}={theme}; Path=/console; Max-Age=31536000; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The page that a small form was on, as far as the browser tells; pages of ours send no more than that to us.
fn back(headers: &HeaderMap) -> String {
    let told = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let path = told.and_then(|address| address.parse::<http::Uri>().ok()).map(|uri| uri.path().to_owned());
    path.filter(|path| path.starts_with("/console")).unwrap_or_else(|| crate::HOME.to_owned())
}
