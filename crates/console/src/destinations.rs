//! Destinations of secrets: where rotated keys are written to, tried out from here; credentials go in and never come out.

mod kinds;

use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::door;
use crate::fields::{Asked, Fields};
use crate::figures::date;
use crate::frame::{Here, Visit};
use crate::kit::deed;
use crate::kit::form::{Faults, Field};
use crate::kit::icons::Icon;
use crate::kit::shown_once::shown_once;
use crate::kit::table::{Column, table};
use crate::kit::{Card, Head, Tone, badge, chips, empty, facts, link, main_link, note};
use crate::rotations::{ALL as ROTATIONS, parts};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::secret_destinations::{
    self as actions, DestinationPatch, NewDestination, SecretDestination,
};
use louver_control::destinations::{Outcome, Probed};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{SecretDestinationId, WorkspaceId};
use louver_domain::secret_destinations::DestinationKind;
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;

const ALL: (&str, &str) = ("Destinations", "/console/rotations/destinations");

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/rotations/destinations", get(list))
        .route("/console/rotations/destinations/new", get(ask).post(create))
        .route("/console/rotations/destinations/{id}", get(show).post(update))
        .route("/console/rotations/destinations/{id}/test", post(test))
        .route("/console/rotations/destinations/{id}/enable", post(enable))
        .route("/console/rotations/destinations/{id}/disable", post(disable))
        .route("/console/rotations/destinations/{id}/delete", post(delete))
}

async fn list(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    visit.context.admit(Action::ReadSecretDestinations)?;
    let all = actions::list(&control, &visit.context).await?;
    let add = visit
        .may(Action::CreateSecretDestination)
        .then(|| main_link("/console/rotations/destinations/new", Some(Icon::Plus), "Add a destination"));
    let columns = [
        Column::text("Name"),
        Column::text("Kind"),
        Column::text("Takes keys of"),
        Column::text("Made"),
        Column::text("State"),
    ];
    let row = |one: &SecretDestination| {
        vec![
            html! { a.title title=(one.name) href={ (ALL.1) "/" (one.id) } { (one.name) } },
            html! { (kinds::name(one.settings.kind())) },
            takes(&visit, one.workspace_id),
            date(one.created_at),
            standing(one),
        ]
    };
    let rows: Vec<Vec<Markup>> = all.iter().map(row).collect();
    let meta = vec![html! { "Where rotated secrets are written to" }];
    let body = html! {
        (Head { title: "Destinations", meta, acts: add.iter().cloned().collect(), ..Head::default() }.draw())
        (parts(&visit, "Destinations"))
        section.card {
            @if rows.is_empty() { (empty("No destination yet", "Rotations write new secrets to Vault, a cloud’s secret manager, Kubernetes, a file or a webhook, so that no person has to copy them.", add.as_ref())) }
            @else { (table("Destinations of secrets", &columns, &rows)) }
        }
    };
    Ok(visit.page(Here::Rotations, &[ROTATIONS, ALL], &body))
}

fn takes(visit: &Visit, workspace: Option<WorkspaceId>) -> Markup {
    let Some(id) = workspace else { return html! { "all workspaces" } };
    let known = visit.around.workspaces.iter().find(|one| one.id == id);
    html! { (known.map_or_else(|| id.to_string(), |one| one.name.clone())) }
}

fn standing(one: &SecretDestination) -> Markup {
    if one.enabled { badge(Tone::Good, "Enabled") } else { badge(Tone::Off, "Disabled") }
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    visit.context.admit(Action::CreateSecretDestination)?;
    match DestinationKind::parse(asked.text("kind")) {
        Some(kind) => new_page(&control, &visit, kind, &Fields::default(), &Faults::none()).await,
        None => Ok(kind_page(&visit)),
    }
}

/// First which kind it is: each has fields of its own.
fn kind_page(visit: &Visit) -> Response {
    let body = html! {
        (Head { title: "Add a destination", ..Head::default() }.draw())
        section.card {
            header { h2 #kinds { "What is it?" } }
            div.body { div.acts {
                @for kind in DestinationKind::ALL {
                    (link(&format!("{}/new?kind={}", ALL.1, kind.as_str()), None, kinds::name(kind)))
                }
            } }
        }
    };
    visit.page(Here::Rotations, &[ROTATIONS, ALL, ("Add", "")], &body)
}

async fn new_page(
    control: &Control,
    visit: &Visit,
    kind: DestinationKind,
    fields: &Fields,
    faults: &Faults,
) -> Answer {
    let open = visit.around.workspaces.iter().filter(|one| one.archived_at.is_none());
    let all = (String::new(), "All workspaces".to_owned());
    let workspaces: Vec<_> =
        std::iter::once(all).chain(open.map(|one| (one.id.to_string(), one.name.clone()))).collect();
    let confirmation = door::confirmation(control, &visit.context).await?;
    let body = html! {
        (Head { title: kinds::name(kind), ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action={ (ALL.1) "/new" } {
                input type="hidden" name="kind" value=(kind.as_str());
                (Field::new("name", "Name").hint("For people").required().filled(fields, faults).draw())
                (Field::new("workspace_id", "Takes keys of").required().filled(fields, faults).choice(&workspaces))
                (kinds::setting_fields(kind, fields, None, faults))
                (credentials_part(kind, faults))
                (confirmation)
                div.acts { button.btn.main { "Add it" } a.btn.plain href=(ALL.1) { "Cancel" } }
            }
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page_with(status, Here::Rotations, &[ROTATIONS, ALL, ("Add", "")], &body))
}

fn credentials_part(kind: DestinationKind, faults: &Faults) -> Markup {
    html! {
        @if kinds::takes_credentials(kind) {
            fieldset #credentials {
                legend { "Credentials" }
                @if let Some(fault) = faults.at("credentials") { p.error { (fault) } }
                (kinds::credential_fields(kind, faults))
            }
        }
        @if kind == DestinationKind::Webhook { p.hint { "Louver makes a signing secret and shows it once." } }
    }
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let kind = DestinationKind::parse(fields.text("kind")).ok_or(ControlError::NotFound)?;
    let made = match fields.id("workspace_id", WorkspaceId::parse) {
        Ok(workspace_id) => {
            let new = NewDestination {
                name: fields.text("name").to_owned(),
                workspace_id,
                kind,
                settings: kinds::read_settings(kind, &fields),
                credentials: kinds::read_credentials(kind, &fields),
                enabled: true,
            };
            actions::create(&control, &visit.context, new).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => match &made.secret {
            None => Ok(go(&format!("{}/{}?done=created", ALL.1, made.destination.id))),
            Some(secret) => Ok(secret_page(&visit, &made.destination, secret.expose())),
        },
        Err(error) => new_page(&control, &visit, kind, &fields, &Faults::of(error)?).await,
    }
}

fn secret_page(visit: &Visit, destination: &SecretDestination, secret: &str) -> Response {
    let text = "The receiver checks signatures with it. This is the only time it is shown.";
    let body = html! {
        (Head { title: &destination.name, ..Head::default() }.draw())
        (shown_once("The signing secret", secret, text))
        p { a.btn.main href={ (ALL.1) "/" (destination.id) } { "I have kept it" } }
    };
    visit.secret_page(Here::Rotations, &[ROTATIONS, ALL, (&destination.name, "")], &body)
}

fn read(id: &str) -> Result<SecretDestinationId, ControlError> {
    SecretDestinationId::parse(id).ok_or(ControlError::NotFound)
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    one_page(&control, &visit, read(&id)?, &Fields::default(), &Faults::none(), None).await
}

async fn one_page(
    control: &Control,
    visit: &Visit,
    id: SecretDestinationId,
    fields: &Fields,
    faults: &Faults,
    probed: Option<&Probed>,
) -> Answer {
    let one = actions::get(control, &visit.context, id).await?;
    let kind = one.settings.kind();
    let edit = if visit.may(Action::UpdateSecretDestination) {
        edit_card(control, visit, &one, fields, faults).await?
    } else {
        html! {}
    };
    let body = html! {
        (Head { title: &one.name, badge: Some(standing(&one)), acts: acts(visit, &one), ..Head::default() }.draw())
        (faults.summary())
        @if let Some(probed) = probed { (answer_of(probed)) }
        div.stack {
            section.card { div.body { (facts(&[
                ("Id", html! { span.mono { (one.id) } }),
                ("Kind", html! { (kinds::name(kind)) }),
                ("Takes keys of", takes(visit, one.workspace_id)),
                ("Credentials", html! { @if one.credential_names.is_empty() { "none" } @else { (chips(&one.credential_names)) " sealed" } }),
                ("Made", date(one.created_at)),
            ])) } }
            (edit)
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page_with(status, Here::Rotations, &[ROTATIONS, ALL, (&one.name, "")], &body))
}

fn acts(visit: &Visit, one: &SecretDestination) -> Vec<Markup> {
    let way = format!("{}/{}", ALL.1, one.id);
    let mut acts = vec![];
    if visit.may(Action::TestSecretDestination) {
        acts.push(html! { form method="post" action={ (way) "/test" } { button.btn { "Try it out" } } });
    }
    if visit.may(Action::UpdateSecretDestination) {
        let (deed, label) = if one.enabled { ("disable", "Disable") } else { ("enable", "Enable") };
        acts.push(html! { form method="post" action={ (way) "/" (deed) } { button.btn { (label) } } });
    }
    if visit.may(Action::DeleteSecretDestination) {
        let (action, title) = (format!("{way}/delete"), format!("Delete {}?", one.name));
        acts.push(deed::large(&removal(&action, &title, &way), "Delete"));
    }
    acts
}

fn removal<'a>(action: &'a str, title: &'a str, back: &'a str) -> Question<'a> {
    let text = "Louver forgets it with its credentials; what was written there stays there.";
    Question { action, title, text, yes: "Delete it", back }
}

/// What came of trying it out.
fn answer_of(probed: &Probed) -> Markup {
    let tone = if probed.works() { Tone::Good } else { Tone::Bad };
    let text = html! {
        b { @if probed.works() { "It works." } @else { "It does not work." } }
        @if let Some(location) = &probed.location { " Tried at " code { (location) } "." }
        ul {
            @for step in &probed.steps {
                li {
                    (step.name) ": "
                    @match &step.outcome {
                        Outcome::Done => "worked",
                        Outcome::Failed(error) => (error.sentence()),
                        Outcome::Skipped(why) => { "not tried: " (why) }
                    }
                }
            }
        }
    };
    html! { div role="status" { (note(tone, &text, None)) } }
}

async fn edit_card(
    control: &Control,
    visit: &Visit,
    one: &SecretDestination,
    fields: &Fields,
    faults: &Faults,
) -> Result<Markup, ControlError> {
    let kind = one.settings.kind();
    let stored = serde_json::to_value(&one.settings)?;
    let name = if fields.is_sent("name") { fields.text("name") } else { &one.name };
    let confirmation = door::confirmation(control, &visit.context).await?;
    let body = html! {
        form.form method="post" action={ (ALL.1) "/" (one.id) } {
            (Field { value: name, fault: faults.at("name"), ..Field::new("name", "Name").required() }.draw())
            (kinds::setting_fields(kind, fields, Some(&stored), faults))
            @if kinds::takes_credentials(kind) {
                p.hint { "Credentials that are left empty stay as they are; where the settings would send them elsewhere, they must be given anew." }
                (credentials_part(kind, faults))
            }
            (confirmation)
            div.acts { button.btn.main { "Save" } }
        }
    };
    Ok(Card { id: "edit", title: "Settings", body: Some(body), ..Card::default() }.draw())
}

async fn update(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = read(&id)?;
    let kind = actions::get(&control, &visit.context, id).await?.settings.kind();
    let settings: Value = kinds::read_settings(kind, &fields);
    let credentials = kinds::read_credentials(kind, &fields);
    let patch = DestinationPatch {
        name: Some(fields.text("name").to_owned()),
        settings: Some(settings),
        credentials: Some(credentials).filter(|all| !all.is_empty()),
        enabled: None,
    };
    match actions::update(&control, &visit.context, id, patch).await {
        Ok(_) => Ok(go(&format!("{}/{id}?done=saved", ALL.1))),
        Err(error) => one_page(&control, &visit, id, &fields, &Faults::of(error)?, None).await,
    }
}

async fn test(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let id = read(&id)?;
    let probed = actions::test(&control, &visit.context, id).await?;
    one_page(&control, &visit, id, &Fields::default(), &Faults::none(), Some(&probed)).await
}

async fn turn(control: &Control, visit: &Visit, id: &str, enabled: bool) -> Answer {
    let id = read(id)?;
    let patch = DestinationPatch { enabled: Some(enabled), ..DestinationPatch::default() };
    actions::update(control, &visit.context, id, patch).await?;
    Ok(go(&format!("{}/{id}?done=saved", ALL.1)))
}

async fn enable(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    turn(&control, &visit, &id, true).await
}

async fn disable(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    turn(&control, &visit, &id, false).await
}

async fn delete(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let one = actions::get(&control, &visit.context, read(&id)?).await?;
    let back = format!("{}/{}", ALL.1, one.id);
    let (action, title) = (format!("{back}/delete"), format!("Delete {}?", one.name));
    if let Some(asked) = removal(&action, &title, &back).unless_answered(&fields) {
        return Ok(asked);
    }
    match actions::delete(&control, &visit.context, one.id).await {
        Ok(()) => Ok(go(&format!("{}?done=removed", ALL.1))),
        Err(error) => one_page(&control, &visit, one.id, &Fields::default(), &Faults::of(error)?, None).await,
    }
}
