//! Managed rotations of keys: those that run and those that are over, their steps, and what can be done about them.

use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::fields::{Asked, Fields, address};
use crate::figures::{distance, moment, span};
use crate::frame::{Here, Visit};
use crate::kit::deed;
use crate::kit::filter::{choice, filters};
use crate::kit::form::{Faults, Field, tick};
use crate::kit::icons::Icon;
use crate::kit::table::{Column, pager, table};
use crate::kit::{Card, Head, Tone, badge, empty, facts, main_link, note, tabs};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::rotations::{self as actions, Filter, NewRotation};
use louver_control::actions::{keys, secret_destinations};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::id::{KeyId, RotationId, SecretDestinationId, WorkspaceId};
use louver_domain::rotations::{OnOldUse, Rotation, Step, Subject};
use maud::{Markup, html};
use std::sync::Arc;

pub(crate) const ALL: (&str, &str) = ("Rotations", "/console/rotations");
const PAGE: u32 = 50;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/rotations", get(list))
        .route("/console/rotations/new", get(ask).post(start))
        .route("/console/rotations/{id}", get(show))
        .route("/console/rotations/{id}/retry", post(retry))
        .route("/console/rotations/{id}/cancel", post(cancel))
}

/// The ways between the pages on rotations.
pub(crate) fn parts(visit: &Visit, here: &str) -> Markup {
    let mut parts =
        vec![("Rotations", ALL.1.to_owned()), ("Policies", "/console/rotations/policies".to_owned())];
    if visit.may(Action::ReadSecretDestinations) {
        parts.push(("Destinations", "/console/rotations/destinations".to_owned()));
    }
    tabs("Rotations", &parts, here)
}

async fn list(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let step = match asked.text("state") {
        "" | "live" => None,
        text => Some(Step::parse(text).ok_or(ControlError::NotFound)?),
    };
    let filter = Filter {
        workspace: asked.id("workspace_id", WorkspaceId::parse).map_err(|_| ControlError::NotFound)?,
        step,
        live: asked.text("state") == "live",
        after: asked.id("after", RotationId::parse).map_err(|_| ControlError::NotFound)?,
        ..Filter::default()
    };
    let all = match actions::list(&control, &visit.context, filter, PAGE.saturating_add(1)).await {
        Ok(all) => all,
        // Who may see several workspaces, and not all, names one.
        Err(ControlError::Invalid(_)) => vec![],
        Err(error) => return Err(error.into()),
    };
    let begin = visit
        .may(Action::StartRotation)
        .then(|| main_link("/console/rotations/new", Some(Icon::Rotations), "Rotate a key"));
    let body = html! {
        (Head { title: "Rotations", meta: vec![html! { "New secrets go to the destinations; nobody sees them" }], acts: begin.iter().cloned().collect(), ..Head::default() }.draw())
        (parts(&visit, "Rotations"))
        (sieve(&visit, &asked))
        (rotation_list(&visit, &asked, all, begin.as_ref()))
    };
    Ok(visit.page(Here::Rotations, &[ALL], &body))
}

fn sieve(visit: &Visit, asked: &Asked) -> Markup {
    let states = [("", "All"), ("live", "Under way"), ("done", "Done"), ("cancelled", "Called off")];
    let states = states.map(|(value, text)| (value.to_owned(), text.to_owned()));
    let workspaces = visit.around.workspaces.iter().map(|one| (one.id.to_string(), one.name.clone()));
    let workspaces: Vec<_> =
        std::iter::once((String::new(), "Any workspace".to_owned())).chain(workspaces).collect();
    filters(
        "Filter rotations",
        &html! {
            (choice("state", "State", &states, asked.text("state")))
            (choice("workspace_id", "Workspace", &workspaces, asked.text("workspace_id")))
        },
    )
}

fn rotation_list(visit: &Visit, asked: &Asked, mut all: Vec<Rotation>, begin: Option<&Markup>) -> Markup {
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = all.len() > most;
    all.truncate(most);
    if all.is_empty() {
        return html! { section.card { (empty("No rotations here", "A rotation gives a key a new secret, writes it to where programs read it, tries it, and ends the old one when nobody uses it any more.", begin)) } };
    }
    let columns = [
        Column::text("Key"),
        Column::text("Workspace"),
        Column::text("State"),
        Column::text("Since"),
        Column::text("Begun"),
        Column::text("By"),
    ];
    let row = |one: &Rotation| {
        vec![
            html! { a.title title=(one.name) href={ "/console/rotations/" (one.id) } { (one.name) } },
            html! { @if one.workspace_id.is_some() { (one.workspace) } @else { "admin key" } },
            standing(one),
            distance(one.state.since, visit.context.now),
            moment(one.created_at),
            html! { span.clip title=(one.started_by) { (one.started_by) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = all.iter().map(row).collect();
    let around = |after: &str| {
        let pairs =
            [("state", asked.text("state")), ("workspace_id", asked.text("workspace_id")), ("after", after)];
        address(ALL.1, &pairs)
    };
    let next = all.last().filter(|_| more).map(|last| around(&last.id.to_string()));
    let first = (!asked.text("after").is_empty()).then(|| around(""));
    html! {
        section.card {
            (table("Rotations of keys", &columns, &rows))
            footer { (pager("Newest first", first.as_deref(), next.as_deref())) }
        }
    }
}

fn standing(rotation: &Rotation) -> Markup {
    let (tone, text) = match rotation.state.step {
        Step::Done => (Tone::Good, "Done"),
        Step::Cancelled => (Tone::Off, "Called off"),
        Step::Undoing | Step::Settling => (Tone::Warn, "Being called off"),
        Step::Creating => (Tone::Info, "Making the secret"),
        Step::Writing => (Tone::Info, "Writing"),
        Step::Propagating => (Tone::Info, "Waiting for readers"),
        Step::Verifying => (Tone::Info, "Trying the new secret"),
        Step::Overlapping => (Tone::Info, "Both secrets work"),
        Step::Retiring => (Tone::Info, "Ending the old secret"),
        Step::Checking => (Tone::Info, "Checking the old secret"),
    };
    html! {
        (badge(tone, text))
        @if rotation.state.step.is_live() && rotation.state.attempts > 0 {
            " " (badge(Tone::Bad, &format!("failed {}×", rotation.state.attempts)))
        }
    }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    one_page(&control, &visit, &id, StatusCode::OK, &Faults::none()).await
}

async fn one_page(control: &Control, visit: &Visit, id: &str, status: StatusCode, faults: &Faults) -> Answer {
    let id = RotationId::parse(id).ok_or(ControlError::NotFound)?;
    let rotation = actions::get(control, &visit.context, id).await?;
    let names = destinations(control, visit).await?;
    let live = rotation.state.step.is_live();
    let mut acts = vec![];
    if live && rotation.state.attempts > 0 && visit.may(Action::RetryRotation) {
        let action = format!("/console/rotations/{id}/retry");
        acts.push(html! { form method="post" action=(action) { button.btn { "Try again now" } } });
    }
    if live
        && visit.may(Action::CancelRotation)
        && !matches!(rotation.state.step, Step::Undoing | Step::Settling)
    {
        let (action, back) = (format!("/console/rotations/{id}/cancel"), format!("/console/rotations/{id}"));
        acts.push(deed::large(&calling_off(&action, &back), "Call it off"));
    }
    let body = html! {
        (Head { title: &rotation.name, badge: Some(standing(&rotation)), acts, ..Head::default() }.draw())
        (faults.summary())
        @if let Some(error) = &rotation.last_error {
            (note(if live { Tone::Bad } else { Tone::Warn }, &html! { b { "What stood in the way: " } (error) }, None))
        }
        div.cols.even {
            (Card { id: "steps", title: "Steps", body: Some(timeline(&rotation)), ..Card::default() }.draw())
            (Card { id: "about", title: "About it", body: Some(about(&rotation, &names)), ..Card::default() }.draw())
        }
    };
    Ok(visit.page_with(status, Here::Rotations, &[ALL, (&rotation.name, "")], &body))
}

/// Names of the destinations that the reader sees.
async fn destinations(
    control: &Control,
    visit: &Visit,
) -> Result<Vec<(SecretDestinationId, String, Option<WorkspaceId>)>, ControlError> {
    if !visit.may(Action::ReadSecretDestinations) {
        return Ok(vec![]);
    }
    let all = secret_destinations::list(control, &visit.context).await?;
    Ok(all.into_iter().map(|one| (one.id, one.name, one.workspace_id)).collect())
}

fn about(rotation: &Rotation, names: &[(SecretDestinationId, String, Option<WorkspaceId>)]) -> Markup {
    let subject = match rotation.subject {
        Subject::ApiKey(id) => html! { a href={ "/console/keys/" (id) } { (rotation.name) } },
        Subject::Upstream(id) => {
            html! { a href={ "/console/upstreams/" (id) } { (rotation.name) } " (upstream key)" }
        }
        Subject::AdminKey(_) => html! { a href="/console/admin-keys" { (rotation.name) } " (admin key)" },
    };
    let old_use = match rotation.plan.on_old_use {
        OnOldUse::Hold => "its end moves on, and people are told",
        OnOldUse::Cut => "it ends all the same",
    };
    facts(&[
        ("Key", subject),
        ("Begun", html! { (moment(rotation.created_at)) " by " (rotation.started_by) }),
        (
            "Overlap",
            html! { @if rotation.emergency { "none: an emergency" } @else { (span(rotation.plan.overlap_seconds)) } },
        ),
        ("Readers are given", html! { (span(rotation.plan.propagation_seconds)) }),
        ("When the old secret is still used", html! { (old_use) }),
        (
            "Destinations",
            html! {
                ul {
                    @for id in &rotation.plan.destinations {
                        @let name = names.iter().find(|(known, _, _)| known == id).map(|(_, name, _)| name);
                        li {
                            @match name {
                                Some(name) => { a href={ "/console/rotations/destinations/" (id) } { (name) } }
                                None => span.mono { (id) },
                            }
                        }
                    }
                }
            },
        ),
        (
            "The old secret ends",
            html! { @match rotation.state.ends_at { Some(end) => (moment(end)), None => "not said yet" } },
        ),
    ])
}

const WAY: [(Step, &str); 7] = [
    (Step::Creating, "A new secret is made"),
    (Step::Writing, "It is written to the destinations"),
    (Step::Propagating, "Readers have time to read it"),
    (Step::Verifying, "It is read back, and a call is made with it"),
    (Step::Overlapping, "Both secrets work"),
    (Step::Retiring, "The old secret ends"),
    (Step::Checking, "A call with the old secret is refused"),
];
const BACK: [(Step, &str); 2] = [
    (Step::Undoing, "The old secret goes back to the destinations"),
    (Step::Settling, "Readers have time to read it, and the new secret ends"),
];

fn timeline(rotation: &Rotation) -> Markup {
    let state = &rotation.state;
    let called_off = matches!(state.step, Step::Undoing | Step::Settling | Step::Cancelled);
    let way: &[(Step, &str)] = if called_off { &BACK } else { &WAY };
    let over = !state.step.is_live();
    let here = way.iter().position(|(step, _)| *step == state.step).unwrap_or(way.len());
    html! {
        ol.steps {
            li.done { span.when { (moment(rotation.created_at)) } b { "Begun" } }
            @if called_off && !over { li.done { b { "Called off" } } }
            @if !(called_off && over) {
                @for (place, (step, text)) in way.iter().enumerate() {
                    @let failed = place == here && state.attempts > 0;
                    li.done[over || place < here].failed[failed].now[place == here && !failed].todo[!over && place > here] {
                        @if place == here { span.when { (moment(state.since)) } }
                        @else if *step == Step::Verifying { @if let Some(at) = state.verified_at { span.when { (moment(at)) } } }
                        b { (text) }
                        @if place == here {
                            @if failed { p.quiet.small { "Tried " (state.attempts) " times in vain" } }
                            p.quiet.small { "Next: " (moment(state.next_at)) }
                        }
                    }
                }
            }
            @if over {
                li.done {
                    span.when { (moment(state.since)) }
                    b { @if called_off { "Called off: everything is as it was" } @else { "Done" } }
                }
            }
        }
    }
}

fn calling_off<'a>(action: &'a str, back: &'a str) -> Question<'a> {
    let text =
        "The old secret is written back to the destinations and is the key's own again; the new one ends.";
    Question { action, title: "Call this rotation off?", text, yes: "Call it off", back }
}

/// Back to the page of the rotation, or to the same with what stands in the way.
async fn after(
    control: &Control,
    visit: &Visit,
    id: &str,
    done: Result<Rotation, ControlError>,
    word: &str,
) -> Answer {
    match done {
        Ok(rotation) => Ok(go(&format!("/console/rotations/{}?done={word}", rotation.id))),
        Err(error) => {
            let faults = Faults::of(error)?;
            one_page(control, visit, id, StatusCode::CONFLICT, &faults).await
        }
    }
}

async fn retry(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    let parsed = RotationId::parse(&id).ok_or(ControlError::NotFound)?;
    let done = actions::retry(&control, &visit.context, parsed).await;
    after(&control, &visit, &id, done, "retried").await
}

async fn cancel(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let parsed = RotationId::parse(&id).ok_or(ControlError::NotFound)?;
    let (action, back) =
        (format!("/console/rotations/{parsed}/cancel"), format!("/console/rotations/{parsed}"));
    if let Some(asked) = calling_off(&action, &back).unless_answered(&fields) {
        return Ok(asked);
    }
    let done = actions::cancel(&control, &visit.context, parsed).await;
    after(&control, &visit, &id, done, "cancelling").await
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    visit.context.admit(Action::StartRotation)?;
    new_page(&control, &visit, &asked, &Faults::none()).await
}

async fn new_page(control: &Control, visit: &Visit, fields: &Fields, faults: &Faults) -> Answer {
    let names = destinations(control, visit).await?;
    let chosen = fields.list("destinations");
    let hint =
        "How long both secrets work, such as 24h; empty is what the policies say, and where none does, 24h";
    let body = html! {
        (Head { title: "Rotate a key", ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action="/console/rotations/new" {
                p { "The new secret is made, written to every destination, read back and tried with a call; until then the old one has no end." }
                (Field::new("key_id", "Key").hint("Its id, its name, or the end of its secret").required().filled(fields, faults).draw())
                fieldset #destinations aria-describedby="destinations-hint" {
                    legend { "Destinations" }
                    p.hint #destinations-hint { "None ticked: what the policies say" }
                    @if names.is_empty() { p { "There is none yet." } }
                    div.choice {
                        @for (id, name, _) in &names {
                            (tick("checkbox", "destinations", &id.to_string(), chosen.contains(&id.to_string()), name, None))
                        }
                    }
                    @if let Some(fault) = faults.at("destinations") { p.error { (fault) } }
                }
                (Field::new("overlap", "Overlap").hint(hint).filled(fields, faults).draw())
                (tick("checkbox", "emergency", "1", fields.ticked("emergency"), "It is an emergency", Some("The old secret ends as soon as the new one was seen to work")))
                div.acts { button.btn.main { "Begin" } a.btn.plain href=(ALL.1) { "Cancel" } }
            }
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page_with(status, Here::Rotations, &[ALL, ("Rotate a key", "")], &body))
}

async fn start(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    match begin(&control, &visit, &fields).await {
        Ok(rotation) => Ok(go(&format!("/console/rotations/{}?done=rotating", rotation.id))),
        Err(ControlError::NotFound) => {
            let fault = ControlError::field("key_id", "names no key that you may see");
            new_page(&control, &visit, &fields, &Faults::of(fault)?).await
        }
        Err(error) => new_page(&control, &visit, &fields, &Faults::of(error)?).await,
    }
}

async fn begin(control: &Control, visit: &Visit, fields: &Fields) -> Result<Rotation, ControlError> {
    let chosen = fields.list("destinations");
    let wrong = || ControlError::field("destinations", "names a destination that is not there");
    let chosen: Option<Vec<SecretDestinationId>> =
        chosen.iter().map(|id| SecretDestinationId::parse(id)).collect();
    let chosen = chosen.ok_or_else(wrong)?;
    let new = NewRotation {
        key_id: Some(key_of(control, visit, fields.text("key_id")).await?),
        emergency: fields.ticked("emergency"),
        destinations: Some(chosen).filter(|all| !all.is_empty()),
        overlap: fields.given("overlap"),
        ..NewRotation::default()
    };
    actions::start(control, &visit.context, new).await
}

/// A key by id, by name, or by the end of its secret.
async fn key_of(control: &Control, visit: &Visit, text: &str) -> Result<KeyId, ControlError> {
    if let Some(id) = KeyId::parse(text) {
        return Ok(id);
    }
    if text.is_empty() {
        return Err(ControlError::field("key_id", "is needed"));
    }
    let filter = keys::Filter { search: Some(text.to_owned()), ..keys::Filter::default() };
    let found = keys::list(control, &visit.context, filter, 2).await?;
    match found.as_slice() {
        [] => Err(ControlError::NotFound),
        [one] => Ok(one.id),
        [_, ..] => Err(ControlError::field("key_id", "fits several keys: give the id, or the whole name")),
    }
}
