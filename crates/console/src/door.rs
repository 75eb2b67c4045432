//! The door of the console: who may come in, what a form brought, and the word again that it is you.

use crate::answer::{go, secret_page};
use crate::failure::{Failure, capital, sentence};
use crate::fields::{CONFIRM_CODE, CONFIRM_PASSWORD, Fields, ONCE, address};
use crate::headers::HoldsSecret;
use crate::kit::{alone, form};
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use louver_control::Control;
use louver_control::actions::{passwords, sign_in};
use louver_control::context::{Context, Credential};
use louver_control::error::ControlError;
use louver_control::idempotency::REPLAYED;
use louver_control::session::{self, SignedIn};
use louver_domain::sessions::is_confirmed;
use maud::{Markup, html};
use std::sync::Arc;

/// Where people sign in.
pub(crate) const SIGN_IN: &str = "/console/sign-in";
/// Where the second factor is shown.
pub(crate) const CODE: &str = "/console/code";
/// Where a password is chosen.
pub(crate) const PASSWORD: &str = "/console/account/password";
/// Where people leave.
pub(crate) const SIGN_OUT: &str = "/console/sign-out";

/// Lets those in who are signed in; others are shown the way. A form is read here, once, and only from a page of ours. What
/// turns out to need a fresh password comes back as a page that asks for it and then does the same again.
pub(crate) async fn guard(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    match enter(&control, request, next).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn enter(control: &Arc<Control>, mut request: Request, next: Next) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let Some(found) = session::find(control, &headers).await? else {
        return Ok(go(&way_in(&request)));
    };
    if found.session.needs_code {
        return Ok(go(CODE));
    }
    enroll(&mut request, &found);
    let form = !request.method().is_safe();
    if form {
        session::must_be_own_page(&headers)?;
    }
    let path = whole_path(&request);
    let (mut parts, fields) =
        if form { Fields::read(request).await? } else { (request.into_parts().0, Fields::default()) };
    let context = Context::from_request_parts(&mut parts, control).await?;
    if must_choose(control, &context, &path).await? {
        return Ok(go(PASSWORD));
    }
    let confirmed = confirm(control, &context, &fields, &mut parts).await?;
    if let Some(fault) = confirmed {
        return ask_again(control, &context, &path, &fields, Some(&fault)).await;
    }
    let body = name_once(&mut parts, &fields);
    parts.extensions.insert(fields.clone());
    let response = as_page(next.run(Request::from_parts(parts, body)).await);
    match response.extensions().get::<Failure>().map(|failure| Arc::clone(&failure.0)).as_deref() {
        Some(ControlError::Unconfirmed) if form => ask_again(control, &context, &path, &fields, None).await,
        _ => Ok(response),
    }
}

/// A form that names itself comes as what the admin API has for that: the header, and a body that tells it from others.
fn name_once(parts: &mut Parts, fields: &Fields) -> Body {
    let Some(name) = fields.given(ONCE).and_then(|name| HeaderValue::from_str(&name).ok()) else {
        return Body::empty();
    };
    parts.headers.insert(HeaderName::from_static("idempotency-key"), name);
    let pairs = fields.of_page().map(|(name, value)| (name.as_str(), value.as_str()));
    Body::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// What comes from around a page, and not from itself, as a page too.
fn as_page(mut response: Response) -> Response {
    if response.headers().contains_key(REPLAYED) {
        response.extensions_mut().insert(HoldsSecret);
    }
    match response.extensions_mut().remove::<Arc<ControlError>>() {
        None => response,
        Some(error) if matches!(*error, ControlError::Invalid(_) | ControlError::Repeated(_)) => {
            let text = "What it asked for was done when it was sent first. Open the page anew to ask for something else.";
            sentence(StatusCode::CONFLICT, "This form was sent before", text)
        }
        Some(error) => Failure(error).into_response(),
    }
}

fn enroll(request: &mut Request, found: &SignedIn) {
    let credential = found.credential();
    request.extensions_mut().insert(found.actor.clone());
    request.extensions_mut().insert(credential);
}

fn whole_path(request: &Request) -> String {
    request.uri().path_and_query().map_or_else(String::new, ToString::to_string)
}

/// The way to the door, and back to where one wanted to go.
fn way_in(request: &Request) -> String {
    let wanted = whole_path(request);
    let back = if request.method().is_safe() && wanted != crate::HOME { wanted.as_str() } else { "" };
    address(SIGN_IN, &[("next", back)])
}

/// Whoever came by a link and has no password chooses one first.
async fn must_choose(control: &Control, context: &Context, path: &str) -> Result<bool, ControlError> {
    if path == PASSWORD || path == SIGN_OUT {
        return Ok(false);
    }
    Ok(passwords::set_at(control, context).await?.is_none())
}

/// Takes the password that a form brought to confirm that it is still the same person; answers what is wrong with it.
async fn confirm(
    control: &Control,
    context: &Context,
    fields: &Fields,
    parts: &mut Parts,
) -> Result<Option<String>, Failure> {
    if fields.raw(CONFIRM_PASSWORD).is_empty() {
        return Ok(None);
    }
    match sign_in::confirm(control, context, fields.secret(CONFIRM_PASSWORD), fields.text(CONFIRM_CODE)).await
    {
        Ok(confirmed) => {
            parts.extensions.insert(confirmed);
            Ok(None)
        }
        Err(ControlError::Unauthorized) => Ok(Some("The password or the code is not right.".into())),
        Err(error @ ControlError::TooManyAttempts(_)) => Ok(Some(capital(&error.public_message()))),
        Err(error) => Err(error.into()),
    }
}

/// Fields for the password within a form that holds a secret: the page that asks again would lose the secret. Nothing where
/// the person has just shown that it is them.
pub(crate) async fn confirmation(control: &Control, context: &Context) -> Result<Markup, ControlError> {
    let fresh = match context.credential {
        Some(Credential::Session { confirmed_at, .. }) => is_confirmed(confirmed_at, context.now),
        Some(Credential::AdminKey { .. }) | None => true,
    };
    if fresh {
        return Ok(html! {});
    }
    let factor = sign_in::has_second_factor(control, context).await?;
    Ok(html! {
        input type="hidden" autocomplete="username" value=(context.actor.name());
        (form::password(CONFIRM_PASSWORD, "Your password, as this changes a secret", "current-password"))
        @if factor { (form::code(CONFIRM_CODE)) }
    })
}

/// The page that asks for the password, and carries what is to be done.
async fn ask_again(
    control: &Control,
    context: &Context,
    path: &str,
    fields: &Fields,
    fault: Option<&str>,
) -> Result<Response, Failure> {
    let factor = sign_in::has_second_factor(control, context).await?;
    let body = html! {
        section.card {
            form.body method="post" action=(path) {
                h1 { "Is it still you?" }
                p { "This changes who may do what, or makes a secret. Give your password to go on; it then counts for five minutes." }
                @if let Some(fault) = fault { (form::summary(fault)) }
                @for (name, value) in fields.of_page() { input type="hidden" name=(name) value=(value); }
                input type="hidden" autocomplete="username" value=(context.actor.name());
                (form::password(CONFIRM_PASSWORD, "Password", "current-password"))
                @if factor { (form::code(CONFIRM_CODE)) }
                div.acts {
                    button.btn.primary { "Go on" }
                    a.btn href="/console" { "Leave it" }
                }
            }
        }
    };
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::FORBIDDEN };
    let mut response = secret_page(alone::page("Is it still you?", false, &body, Some(context.actor.name())));
    *response.status_mut() = status;
    Ok(response)
}
