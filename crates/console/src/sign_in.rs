//! Signing in and out: mail address and password, then the code of a second factor where the person has one.

use crate::answer::{Answer, go, page};
use crate::door::{CODE, SIGN_IN, SIGN_OUT};
use crate::failure::capital;
use crate::fields::{Asked, Fields};
use crate::kit::alone;
use crate::kit::form::{Field, code, password, summary};
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use louver_control::Control;
use louver_control::actions::sessions;
use louver_control::actions::sign_in::{self as actions, Opened, Visitor};
use louver_control::context::{Context, RequestContext};
use louver_control::error::ControlError;
use louver_control::session;
use maud::{Markup, html};
use std::sync::Arc;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route(SIGN_IN, get(ask).post(sign_in))
        .route(CODE, get(ask_code).post(give_code))
        .route(SIGN_OUT, axum::routing::post(sign_out))
}

/// Somebody who is not signed in yet.
pub(crate) struct Stranger(pub(crate) Visitor);

impl Stranger {
    /// From what is known of a request.
    pub(crate) fn of(parts: &Parts) -> Result<Self, ControlError> {
        let missing = || ControlError::Internal("a request came without its context".into());
        let origin = parts.extensions.get::<RequestContext>().copied().ok_or_else(missing)?;
        let client = parts.headers.get(USER_AGENT).and_then(|name| name.to_str().ok()).map(str::to_owned);
        Ok(Self(Visitor { origin, client }))
    }
}

/// Reads a form that somebody sent who is not signed in: also that only from a page of ours, or another site could sign
/// people in as somebody else.
pub(crate) async fn form_of_stranger(request: Request) -> Result<(Visitor, HeaderMap, Fields), ControlError> {
    session::must_be_own_page(request.headers())?;
    let (parts, fields) = Fields::read_of_stranger(request).await?;
    Ok((Stranger::of(&parts)?.0, parts.headers, fields))
}

async fn ask(asked: Asked) -> Response {
    page(StatusCode::OK, form("", asked.raw("next"), None))
}

async fn sign_in(State(control): State<Arc<Control>>, request: Request) -> Answer {
    let (visitor, _, fields) = form_of_stranger(request).await?;
    let (email, next) = (fields.text("email"), fields.raw("next"));
    match actions::sign_in(&control, visitor, email, fields.secret("password")).await {
        Ok(opened) if opened.session.needs_code => Ok(enter(&control, &opened, CODE)),
        Ok(opened) => Ok(enter(&control, &opened, own(next))),
        Err(error) => {
            let (status, sentence) = told(error)?;
            Ok(page(status, form(email, next, Some(&sentence))))
        }
    }
}

/// What a stranger is told of an attempt that failed: not which part of it.
fn told(error: ControlError) -> Result<(StatusCode, String), ControlError> {
    match error {
        ControlError::Unauthorized => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, "This does not fit: look at both, and try again.".into()))
        }
        ControlError::TooManyAttempts(_) => Ok((error.status(), capital(&error.public_message()))),
        other => Err(other),
    }
}

/// Only addresses of the console are gone to.
fn own(next: &str) -> &str {
    let inside =
        next.strip_prefix(crate::HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if inside && plain { next } else { crate::HOME }
}

/// Hands the token to the browser and goes on.
pub(crate) fn enter(control: &Control, opened: &Opened, to: &str) -> Response {
    let mut response = go(to);
    if let Some((name, value)) = control.cookie.set(&opened.token) {
        response.headers_mut().append(name, value);
    }
    response
}

async fn ask_code(State(control): State<Arc<Control>>, headers: HeaderMap) -> Answer {
    let found = session::find(&control, &headers).await?;
    let waits = found.is_some_and(|found| found.session.needs_code);
    Ok(if waits { page(StatusCode::OK, code_form(None)) } else { go(SIGN_IN) })
}

async fn give_code(State(control): State<Arc<Control>>, request: Request) -> Answer {
    let (visitor, headers, fields) = form_of_stranger(request).await?;
    let found = session::find(&control, &headers).await?.filter(|found| found.session.needs_code);
    let Some(found) = found else { return Ok(go(SIGN_IN)) };
    match actions::give_code(&control, visitor, &found.session, fields.text("code")).await {
        Ok(opened) => Ok(enter(&control, &opened, crate::HOME)),
        Err(error) => {
            let (status, sentence) = told(error)?;
            Ok(page(status, code_form(Some(&sentence))))
        }
    }
}

async fn sign_out(State(control): State<Arc<Control>>, request: Request) -> Answer {
    session::must_be_own_page(request.headers())?;
    let (mut parts, _) = request.into_parts();
    if let Some(found) = session::find(&control, &parts.headers).await? {
        parts.extensions.insert(found.credential());
        parts.extensions.insert(found.actor);
        let context = Context::from_request_parts(&mut parts, &control).await?;
        // One that waits for a code can do nothing, not even this; its cookie goes all the same.
        match sessions::end(&control, &context, found.session.id).await {
            Ok(()) | Err(ControlError::Unauthorized) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut response = go(SIGN_IN);
    if let Some((name, value)) = control.cookie.clear() {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

fn form(email: &str, next: &str, fault: Option<&str>) -> Markup {
    let body = html! {
        section.card {
            div.body {
                div { h1 { "Sign in" } p.quiet { "Keys, limits and usage of your Mistral models" } }
                form.form method="post" action=(SIGN_IN) {
                    @if let Some(fault) = fault { (summary(fault)) }
                    @if !next.is_empty() { input type="hidden" name="next" value=(next); }
                    (Field { value: email, ..Field::new("email", "Email").kind("email").required().autocomplete("username") }.draw())
                    (password("password", "Password", "current-password"))
                    button.btn.main.wide { "Sign in" }
                }
                p.small.quiet { "Forgot your password? An admin of your organization can make you a new link." }
            }
        }
    };
    let below = html! { (body) p.below { "The first time here? Run " code { "louver console-link" } " on the server." } };
    alone::page("Sign in", false, &below, None)
}

fn code_form(fault: Option<&str>) -> Markup {
    let body = html! {
        section.card {
            form.form.body method="post" action=(CODE) {
                div { h1 { "Your second factor" } }
                @if let Some(fault) = fault { (summary(fault)) }
                (code("code"))
                button.btn.main.wide { "Go on" }
            }
        }
    };
    alone::page("Your second factor", false, &body, None)
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn nobody_is_led_elsewhere() {
        for (next, to) in [
            ("/console/keys?q=1", "/console/keys?q=1"),
            ("/console", "/console"),
            ("//evil.example", "/console"),
            ("https://evil.example/console", "/console"),
            ("/console.evil.example", "/console"),
            ("/console/\\evil", "/console"),
            ("/console/\r\nset-cookie: a=b", "/console"),
            ("", "/console"),
        ] {
            assert_eq!(own(next), to, "{next:?}");
        }
    }
}
