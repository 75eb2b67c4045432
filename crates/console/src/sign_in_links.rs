//! The pages behind links that sign somebody in once: one click for whoever is there, a short form for the first person.

use crate::answer::{Answer, page};
use crate::door::PASSWORD;
use crate::fields::Fields;
use crate::kit::alone;
use crate::kit::form::{Faults, Field};
use crate::sign_in::{enter, form_of_stranger};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::sign_in_links::{self as actions, FirstPerson};
use louver_control::error::ControlError;
use maud::{Markup, html};
use std::sync::Arc;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new().route("/console/link/{token}", get(ask).post(take_up))
}

/// Looking at the link uses nothing up: programs that look through mail follow links.
async fn ask(State(control): State<Arc<Control>>, Path(token): Path<String>) -> Answer {
    match actions::find(&control, &token).await {
        Ok(link) if link.user_id.is_some() => Ok(page(StatusCode::OK, button())),
        Ok(_) => Ok(page(StatusCode::OK, first_form(&Fields::default(), &Faults::none()))),
        Err(ControlError::NotFound) => Ok(gone()),
        Err(error) => Err(error.into()),
    }
}

async fn take_up(State(control): State<Arc<Control>>, Path(token): Path<String>, request: Request) -> Answer {
    let (visitor, _, fields) = form_of_stranger(request).await?;
    let link = match actions::find(&control, &token).await {
        Err(ControlError::NotFound) => return Ok(gone()),
        found => found?,
    };
    let opened = if link.user_id.is_some() {
        actions::take_up(&control, visitor, &token).await
    } else {
        let person = FirstPerson {
            email: fields.text("email").to_owned(),
            first_name: fields.given("first_name"),
            last_name: fields.given("last_name"),
        };
        actions::begin_organization(&control, visitor, &token, person).await
    };
    match opened {
        Ok(opened) => Ok(enter(&control, &opened, PASSWORD)),
        Err(ControlError::NotFound) => Ok(gone()),
        Err(error) => {
            let faults = Faults::of(error)?;
            Ok(page(StatusCode::UNPROCESSABLE_ENTITY, first_form(&fields, &faults)))
        }
    }
}

fn button() -> Markup {
    let body = html! {
        section.card {
            form.form.body method="post" {
                div {
                    h1 { "Your link" }
                    p.quiet { "It signs you in once. You then choose a new password; a second factor that you had is taken away." }
                }
                button.btn.main.wide { "Sign in" }
            }
        }
    };
    alone::page("Your link", false, &body, None)
}

fn first_form(fields: &Fields, faults: &Faults) -> Markup {
    let body = html! {
        section.card {
            form.form.body method="post" {
                div {
                    h1 { "Welcome to Louver" }
                    p.quiet { "You are the first one here. You become an admin of the organization." }
                }
                (faults.summary())
                (Field::new("email", "Email").kind("email").required().autocomplete("username").filled(fields, faults).draw())
                (Field::new("first_name", "First name").autocomplete("given-name").filled(fields, faults).draw())
                (Field::new("last_name", "Last name").autocomplete("family-name").filled(fields, faults).draw())
                button.btn.main.wide { "Begin" }
            }
        }
    };
    alone::page("Welcome", false, &body, None)
}

fn gone() -> Response {
    let body = html! {
        section.card {
            div.body {
                h1 { "This link does not work" }
                p { "It was used already, it has expired, or it was replaced by a newer one. Ask an admin for another, or run " code { "louver console-link" } " on the server." }
            }
        }
    };
    page(StatusCode::NOT_FOUND, alone::page("Link", false, &body, None))
}
