//! A key gets a new secret: at once, shown here, or by a managed rotation that brings it to destinations.

use super::create::fresh_name;
use super::{KEYS, find, place, secret};
use crate::answer::{Answer, go};
use crate::fields::{Fields, ONCE};
use crate::frame::{Here, Visit};
use crate::kit::form::{Faults, Field, tick};
use crate::kit::{Card, Head};
use axum::extract::{Path, State};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::old_secrets::{self, HowToRotate};
use louver_control::actions::rotations::{self, NewRotation};
use louver_control::actions::{keys, secret_destinations};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::SecretDestinationId;
use louver_domain::keys::ApiKey;
use maud::{Markup, html};
use std::sync::Arc;

/// How long the old secret works on: what is sent, and what it is called.
const OVERLAPS: [(&str, &str); 7] = [
    ("", "As the policy says, else 24 hours"),
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("14d", "14 days"),
    ("30d", "30 days"),
    ("0s", "Not at all: it ends at once"),
];

pub(super) async fn ask(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    page(&control, &visit, StatusCode::OK, &key, &Fields::default(), &Faults::none()).await
}

pub(super) async fn rotate(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
    fields: Fields,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    let how = HowToRotate { overlap: fields.given("overlap") };
    match old_secrets::rotate(&control, &visit.context, key.id, &how).await {
        Ok(done) => {
            Ok(secret::page(&control, &visit, &done.key, &done.secret, Some(done.old_key_expires_at)))
        }
        Err(error) => again(&control, &visit, &key, &fields, error).await,
    }
}

pub(super) async fn begin(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(key): Path<String>,
    fields: Fields,
) -> Answer {
    let key = find(&control, &visit, &key).await?;
    let begun = match read(&key, &fields) {
        Ok(new) => rotations::start(&control, &visit.context, new).await,
        Err(error) => Err(error),
    };
    match begun {
        Ok(_) => Ok(go(&format!("{}?done=rotation-begun", place(&key)))),
        Err(error) => again(&control, &visit, &key, &fields, error).await,
    }
}

fn read(key: &ApiKey, fields: &Fields) -> Result<NewRotation, ControlError> {
    let wrong = || ControlError::field("destinations", "names a destination that is not there");
    let ids: Vec<SecretDestinationId> = fields
        .list("destinations")
        .iter()
        .map(|text| SecretDestinationId::parse(text).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    Ok(NewRotation {
        key_id: Some(key.id),
        overlap: fields.given("managed_overlap"),
        destinations: Some(ids).filter(|ids| !ids.is_empty()),
        ..NewRotation::default()
    })
}

async fn again(
    control: &Control,
    visit: &Visit,
    key: &ApiKey,
    fields: &Fields,
    error: ControlError,
) -> Answer {
    let faults = Faults::of(error)?;
    page(control, visit, StatusCode::UNPROCESSABLE_ENTITY, key, fields, &faults).await
}

async fn page(
    control: &Control,
    visit: &Visit,
    status: StatusCode,
    key: &ApiKey,
    fields: &Fields,
    faults: &Faults,
) -> Answer {
    let here = place(key);
    let name = fields.given(ONCE).unwrap_or_else(|| fresh_name(control, visit));
    let overlap = Field::new("overlap", "The old secret works on for").required();
    let body = html! {
        (Head { title: "Rotate the key", ..Head::default() }.draw())
        (faults.summary())
        form method="post" action={ (here) "/rotate" } {
            input type="hidden" name=(ONCE) value=(name);
            (Card { id: "now", title: "A new secret now", body: Some(html! { div.stack.tight {
                p { "The key keeps its name, limits and history. The new secret is shown once, and you put it where the program reads it." }
                (Field { required: false, ..overlap.filled(fields, faults) }.choice(&overlaps()))
                div.acts { button.btn.main { "Make a new secret" } a.btn.plain href=(here) { "Cancel" } }
            } }), ..Card::default() }.draw())
        }
        @if keys::may(&visit.context, Action::StartRotation, key) { (managed(control, visit, key, fields, faults).await?) }
    };
    Ok(visit.page_with(status, Here::Keys, &[KEYS, (&key.name, &here), ("Rotate", "")], &body))
}

fn overlaps() -> Vec<(String, String)> {
    OVERLAPS.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
}

/// The form for a rotation that goes on by itself, where there are destinations.
async fn managed(
    control: &Control,
    visit: &Visit,
    key: &ApiKey,
    fields: &Fields,
    faults: &Faults,
) -> Result<Markup, ControlError> {
    let mut all = secret_destinations::list(control, &visit.context).await?;
    all.retain(|one| one.workspace_id.is_none_or(|id| id == key.workspace_id));
    let chosen = fields.list("destinations");
    Ok(html! {
        form method="post" action={ (place(key)) "/rotation" } {
            (Card { id: "managed", title: "A managed rotation", body: Some(html! { div.stack.tight {
                p { "Louver makes the new secret, writes it to destinations, tries it, and ends the old one after the overlap. Nobody sees it." }
                @if all.is_empty() {
                    p.soft { "You see no destination. It goes where the rotation policy says, if it says one." }
                } @else {
                    fieldset #destinations {
                        legend { "Destinations" }
                        p.hint { "None chosen is what the rotation policy says." }
                        @for one in &all {
                            @let id = one.id.to_string();
                            (tick("checkbox", "destinations", &id, chosen.contains(&id), &one.name, None))
                        }
                        @if let Some(fault) = faults.at("destinations") { p.error { (crate::failure::capital(fault)) } }
                    }
                }
                (Field::new("managed_overlap", "Both secrets work for").filled(fields, faults).choice(&overlaps()))
                div.acts { button.btn { "Begin the rotation" } }
            } }), ..Card::default() }.draw())
        }
    })
}
