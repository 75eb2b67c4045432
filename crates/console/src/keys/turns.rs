//! A key is switched off and on, revoked, and let stay although nobody uses it.

use super::form::end_of_day;
use super::{KEYS, find, place};
use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::Fields;
use crate::frame::{Here, Visit};
use crate::kit::Head;
use crate::kit::form::{Faults, Field};
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::key_hygiene::{self, NewExemption};
use louver_control::actions::keys;
use louver_control::error::ControlError;
use louver_domain::keys::ApiKey;
use maud::html;
use std::sync::Arc;

pub(super) async fn disable(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    keys::disable(&control, &visit.context, key.id).await?;
    Ok(go(&format!("{}?done=key-disabled", place(&key))))
}

pub(super) async fn enable(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    keys::enable(&control, &visit.context, key.id).await?;
    Ok(go(&format!("{}?done=key-enabled", place(&key))))
}

pub(super) async fn revoke(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
    fields: Fields,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    let here = place(&key);
    let question = Question {
        action: &format!("{here}/revoke"),
        title: &format!("Revoke {}?", key.name),
        text: "Calls with it are refused from now on. This cannot be undone.",
        yes: "Revoke",
        back: &here,
    };
    if let Some(asked) = question.unless_answered(&fields) {
        return Ok(asked);
    }
    keys::revoke(&control, &visit.context, key.id).await?;
    Ok(go(&format!("{here}?done=revoked")))
}

pub(super) async fn ask_exemption(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    Ok(page(&visit, StatusCode::OK, &key, &Fields::default(), &Faults::none()))
}

pub(super) async fn exempt(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
    fields: Fields,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    let done = match read(&fields) {
        Ok(new) => key_hygiene::exempt(&control, &visit.context, key.id, new).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => Ok(go(&format!("{}?done=exempt", place(&key)))),
        Err(error) => Ok(page(&visit, StatusCode::UNPROCESSABLE_ENTITY, &key, &fields, &Faults::of(error)?)),
    }
}

fn read(fields: &Fields) -> Result<NewExemption, ControlError> {
    let until = end_of_day(fields, "until")?;
    let until = until.ok_or_else(|| ControlError::field("until", "say until when"))?;
    Ok(NewExemption { reason: fields.text("reason").to_owned(), until })
}

fn page(visit: &Visit, status: StatusCode, key: &ApiKey, fields: &Fields, faults: &Faults) -> Response {
    let here = place(key);
    let body = html! {
        (Head { title: "Let the key stay", ..Head::default() }.draw())
        section.card {
            form.form.body method="post" action={ (here) "/exemption" } {
                (faults.summary())
                p { "It is not disabled for being unused until the day that you give." }
                (Field::new("reason", "Why it stays").filled(fields, faults).required().hint("For example: it is used for the yearly report.").draw())
                (Field::new("until", "Until").filled(fields, faults).required().kind("date").draw())
                div.acts { button.btn.main { "Let it stay" } a.btn.plain href=(here) { "Cancel" } }
            }
        }
    };
    visit.page_with(status, Here::Keys, &[KEYS, (&key.name, &here), ("Exemption", "")], &body)
}

pub(super) async fn lift(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    key_hygiene::lift(&control, &visit.context, key.id).await?;
    Ok(go(&format!("{}?done=exemption-lifted", place(&key))))
}
