//! A key that leaked is reported: its secret comes in, and is never shown again.

use super::KEYS;
use crate::answer::Answer;
use crate::fields::Fields;
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field};
use crate::kit::{Head, Tone, link, note};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::key_hygiene::{self, Leaked};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::KeyId;
use maud::{Markup, html};
use std::sync::Arc;

const PLACE: &str = "/console/keys/leaked";

pub(super) async fn ask(visit: Visit) -> Answer {
    if !visit.may(Action::ReportLeakedKey) {
        return Err(ControlError::NotFound.into());
    }
    Ok(page(&visit, StatusCode::OK, None, &Faults::none()))
}

pub(super) async fn report(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let secret = fields.secret("key");
    let back = |faults: &Faults| page(&visit, StatusCode::UNPROCESSABLE_ENTITY, None, faults);
    match key_hygiene::report_leak(&control, &visit.context, &secret).await {
        Ok(leaked) => Ok(page(&visit, StatusCode::OK, Some(&leaked), &Faults::none())),
        Err(ControlError::NotFound) => {
            let sentence = "is no key of this organization, or one whose secret has ended";
            Ok(back(&Faults::of(ControlError::field("key", sentence))?))
        }
        Err(error) => Ok(back(&Faults::of(error)?)),
    }
}

fn page(visit: &Visit, status: StatusCode, leaked: Option<&Leaked>, faults: &Faults) -> Response {
    let field =
        Field { fault: faults.at("key"), ..Field::new("key", "The secret that was found").required() };
    let body = html! {
        (Head { title: "Report a leaked key", ..Head::default() }.draw())
        @if let Some(leaked) = leaked { div role="status" { (note(Tone::Good, &said(leaked), None)) } }
        section.card {
            form.form.body method="post" action=(PLACE) autocomplete="off" {
                (faults.summary())
                p { "An API key is disabled and an admin key revoked at once, and people are told. What you write here is not kept." }
                (field.autocomplete("off").hint("It begins with lvr_ or lva_. An old secret that still works counts as well.").lines(2))
                div.acts { button.btn.danger.main { "Report it" } (link(KEYS.1, None, "Cancel")) }
            }
        }
    };
    visit.page_with(status, Here::Keys, &[KEYS, ("Report a leak", "")], &body)
}

fn said(leaked: &Leaked) -> Markup {
    let key = KeyId::parse(&leaked.id).filter(|_| leaked.kind == "api_key");
    html! {
        p {
            b { (leaked.name) " is " (leaked.status) " now." }
            " Nobody gets in with that secret any more."
            @if let Some(id) = key { " " a href={ "/console/keys/" (id) } { "Look at the key" } }
        }
    }
}
