//! Upstream credentials: the keys with which calls go to Mistral. They come in by a password field and are never shown.

use crate::answer::{Answer, go};
use crate::confirm::Question;
use crate::door;
use crate::fields::Fields;
use crate::figures::{date, distance, moment, number};
use crate::frame::{Here, Visit};
use crate::kit::deed;
use crate::kit::form::{Faults, Field};
use crate::kit::icons::Icon;
use crate::kit::table::{Column, table};
use crate::kit::{Head, Tone, badge, empty, facts, main_link};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use http::StatusCode;
use louver_control::Control;
use louver_control::actions::upstreams::{self as actions, NewAdmin, NewUpstream, Upstream, UpstreamPatch};
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::health::{Shown, Standing};
use louver_domain::id::{UpstreamId, WorkspaceId};
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

const ALL: (&str, &str) = ("Upstreams", "/console/upstreams");
const KEY: &str = "secret_key";
const ADMIN_KEY: &str = "secret_admin_key";

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route("/console/upstreams", get(list))
        .route("/console/upstreams/new", get(ask).post(create))
        .route("/console/upstreams/{id}", get(show))
        .route("/console/upstreams/{id}/name", post(rename))
        .route("/console/upstreams/{id}/key", post(replace))
        .route("/console/upstreams/{id}/enable", post(enable))
        .route("/console/upstreams/{id}/disable", post(disable))
        .route("/console/upstreams/{id}/delete", post(delete))
}

async fn list(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    let all = actions::standing(&control, &visit.context).await?;
    let add = visit
        .may(Action::CreateUpstream)
        .then(|| main_link("/console/upstreams/new", Some(Icon::Plus), "Add a credential"));
    let rows: Vec<Vec<Markup>> =
        all.iter().map(|(one, standing)| row(&visit, one, standing.as_ref())).collect();
    let columns = [
        Column::text("Name"),
        Column::text("Serves"),
        Column::text("Upstream"),
        Column::text("State on this node"),
        Column::text("Last error"),
        Column::number("Calls under way"),
        Column::text("Stored"),
    ];
    let body = html! {
        (Head { title: "Upstreams", meta: vec![html! { "Credentials with which calls go to Mistral" }], acts: add.iter().cloned().collect(), ..Head::default() }.draw())
        section.card {
            @if rows.is_empty() {
                (empty("No upstream credential yet", "Louver needs one key of Mistral to pass calls on; nobody who calls Louver ever sees it.", add.as_ref()))
            } @else { (table("Upstream credentials", &columns, &rows)) }
        }
    };
    Ok(visit.page(Here::Upstreams, &[ALL], &body))
}

fn row(visit: &Visit, upstream: &Upstream, standing: Option<&Standing>) -> Vec<Markup> {
    vec![
        html! { a.title title=(upstream.name) href={ "/console/upstreams/" (upstream.id) } { (upstream.name) } },
        serves(visit, upstream.workspace_id),
        html! { (upstream.server.as_deref().unwrap_or("the first one")) },
        state(upstream, standing, visit.context.now),
        html! { @match standing.and_then(|one| one.last_error_at) { Some(at) => (distance(at, visit.context.now)), None => "none" } },
        html! { (standing.map_or_else(|| "–".to_owned(), |one| number(one.in_flight))) },
        date(upstream.created_at),
    ]
}

fn serves(visit: &Visit, workspace: Option<WorkspaceId>) -> Markup {
    let Some(id) = workspace else { return html! { "workspaces without one of their own" } };
    let known = visit.around.workspaces.iter().find(|one| one.id == id);
    html! { a href={ "/console/workspaces/" (id) } { (known.map_or_else(|| id.to_string(), |one| one.name.clone())) } }
}

fn state(upstream: &Upstream, standing: Option<&Standing>, now: Timestamp) -> Markup {
    if !upstream.enabled {
        return badge(Tone::Off, "Disabled");
    }
    let Some(standing) = standing else { return badge(Tone::Plain, "Not used yet") };
    let mark = match standing.state {
        Shown::Closed => badge(Tone::Good, "In use"),
        Shown::Resting => badge(Tone::Warn, "Resting"),
        Shown::Open => badge(Tone::Bad, "Not in use"),
        Shown::HalfOpen => badge(Tone::Warn, "On trial"),
    };
    html! { (mark) @if let Some(until) = standing.resting_until.filter(|until| *until > now) { span.sub { "until " (moment(until)) } } }
}

async fn ask(State(control): State<Arc<Control>>, visit: Visit) -> Answer {
    visit.context.admit(Action::CreateUpstream)?;
    new_page(&control, &visit, &Fields::default(), &Faults::none()).await
}

async fn create(State(control): State<Arc<Control>>, visit: Visit, fields: Fields) -> Answer {
    let made = match fields.id("workspace_id", WorkspaceId::parse) {
        Ok(workspace_id) => {
            let (name, key, server) =
                (fields.text("name").to_owned(), fields.secret(KEY), fields.given("server"));
            let admin_key = Some(fields.secret(ADMIN_KEY)).filter(|_| !fields.raw(ADMIN_KEY).is_empty());
            let admin = NewAdmin { key: admin_key, user_id: fields.given("admin_user_id") };
            actions::create(&control, &visit.context, NewUpstream { name, key, workspace_id, server, admin })
                .await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(upstream) => Ok(go(&format!("/console/upstreams/{}?done=created", upstream.id))),
        Err(error) => new_page(&control, &visit, &fields, &Faults::of(named(error))?).await,
    }
}

/// What is wrong with the key stands at its field.
fn named(error: ControlError) -> ControlError {
    match error {
        ControlError::Invalid(fault) if fault.param() == "key" => ControlError::field(KEY, fault.message),
        ControlError::Invalid(fault) if fault.param() == "admin_key" => {
            ControlError::field(ADMIN_KEY, fault.message)
        }
        other => other,
    }
}

async fn new_page(control: &Control, visit: &Visit, fields: &Fields, faults: &Faults) -> Answer {
    let any = (String::new(), "All that have none of their own".to_owned());
    let open = visit.around.workspaces.iter().filter(|one| one.archived_at.is_none());
    let workspaces: Vec<_> =
        std::iter::once(any).chain(open.map(|one| (one.id.to_string(), one.name.clone()))).collect();
    let first = (String::new(), "The first one".to_owned());
    let servers: Vec<_> = std::iter::once(first)
        .chain(control.servers.iter().map(|name| (name.clone(), name.clone())))
        .collect();
    let confirmation = door::confirmation(control, &visit.context).await?;
    let body = html! {
        (Head { title: "Add an upstream credential", ..Head::default() }.draw())
        (faults.summary())
        section.card {
            form.form.body method="post" action="/console/upstreams/new" {
                (Field::new("name", "Name").hint("For people, such as mistral-production").required().filled(fields, faults).draw())
                (key_field(faults))
                (admin_fields(fields, faults))
                (Field::new("workspace_id", "Serves").required().filled(fields, faults).choice(&workspaces))
                @if servers.len() > 1 {
                    (Field::new("server", "Upstream").hint("As named in the settings of the node").required().filled(fields, faults).choice(&servers))
                }
                (confirmation)
                div.acts { button.btn.main { "Store it" } a.btn.plain href="/console/upstreams" { "Cancel" } }
            }
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page_with(status, Here::Upstreams, &[ALL, ("Add", "")], &body))
}

/// What the key is rotated with through upstream's Admin API.
fn admin_fields(fields: &Fields, faults: &Faults) -> Markup {
    let hint = "With it Louver can replace the key upstream by itself. It is sealed, too, and never shown.";
    let whose = "Whose the new keys are upstream; without one, whoever made the present key.";
    html! {
        (Field { fault: faults.at(ADMIN_KEY), ..Field::new(ADMIN_KEY, "Admin key of upstream").kind("password")
            .autocomplete("off").hint(hint) }.draw())
        (Field::new("admin_user_id", "User of upstream").hint(whose).filled(fields, faults).draw())
    }
}

fn key_field(faults: &Faults) -> Markup {
    let field = Field::new(KEY, "Key").kind("password").required().autocomplete("off");
    Field { fault: faults.at(KEY), ..field.hint("Sealed as soon as it arrives, and never shown again") }
        .draw()
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    one_page(&control, &visit, read(&id)?, &Faults::none()).await
}

fn read(id: &str) -> Result<UpstreamId, ControlError> {
    UpstreamId::parse(id).ok_or(ControlError::NotFound)
}

async fn one_page(control: &Control, visit: &Visit, id: UpstreamId, faults: &Faults) -> Answer {
    let all = actions::standing(control, &visit.context).await?;
    let (upstream, standing) = all.iter().find(|(one, _)| one.id == id).ok_or(ControlError::NotFound)?;
    let mut forms = html! {};
    if visit.may(Action::UpdateUpstream) {
        forms = change_cards(control, visit, upstream, faults).await?;
    }
    let way = format!("/console/upstreams/{id}");
    let (off, gone) = (turn(upstream), format!("{way}/delete"));
    let question = removal(&gone, &way, &upstream.name);
    let mut acts = vec![];
    if visit.may(Action::UpdateUpstream) {
        acts.push(off);
    }
    if visit.may(Action::DeleteUpstream) {
        acts.push(deed::large(&question.as_question(), "Delete"));
    }
    let body = html! {
        (Head { title: &upstream.name, badge: Some(state(upstream, standing.as_ref(), visit.context.now)), acts, ..Head::default() }.draw())
        (faults.summary())
        div.stack {
            section.card { div.body { (facts(&[
                ("Id", html! { span.mono { (upstream.id) } }),
                ("Key", html! { "stored sealed" }),
                ("Serves", serves(visit, upstream.workspace_id)),
                ("Upstream", html! { (upstream.server.as_deref().unwrap_or("the first one")) }),
                ("Stored", moment(upstream.created_at)),
                ("Last error on this node", html! { @match standing.as_ref().and_then(|one| one.last_error_at) { Some(at) => (moment(at)), None => "none" } }),
                ("Calls under way on this node", html! { (standing.as_ref().map_or_else(|| "–".to_owned(), |one| number(one.in_flight))) }),
            ])) } }
            (forms)
        }
    };
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page_with(status, Here::Upstreams, &[ALL, (&upstream.name, "")], &body))
}

fn turn(upstream: &Upstream) -> Markup {
    let way = format!("/console/upstreams/{}", upstream.id);
    if !upstream.enabled {
        return deed::button(&format!("{way}/enable"), "Enable");
    }
    let text = "Calls use the other credentials from now on; where there is none, they are refused.";
    let action = format!("{way}/disable");
    deed::large(
        &Question { action: &action, title: "Disable this credential?", text, yes: "Disable it", back: &way },
        "Disable",
    )
}

/// What is asked before a credential is removed.
struct Removal<'a> {
    action: &'a str,
    back: &'a str,
    title: String,
}

fn removal<'a>(action: &'a str, back: &'a str, name: &str) -> Removal<'a> {
    Removal { action, back, title: format!("Delete {name}?") }
}

impl Removal<'_> {
    fn as_question(&self) -> Question<'_> {
        let text = "Louver forgets the key. Calls use the other credentials from now on; where there is none, they are refused.";
        Question { action: self.action, title: &self.title, text, yes: "Delete it", back: self.back }
    }
}

async fn change_cards(
    control: &Control,
    visit: &Visit,
    upstream: &Upstream,
    faults: &Faults,
) -> Result<Markup, ControlError> {
    let way = format!("/console/upstreams/{}", upstream.id);
    let confirmation = door::confirmation(control, &visit.context).await?;
    Ok(html! {
        section.card {
            header { h2 #rename { "Name" } }
            form.form.body method="post" action={ (way) "/name" } {
                (Field { value: &upstream.name, fault: faults.at("name"), ..Field::new("name", "Name").required() }.draw())
                div.acts { button.btn { "Rename" } }
            }
        }
        section.card {
            header { h2 #replace { "Replace the key" } }
            form.form.body method="post" action={ (way) "/key" } {
                p { "New calls use the new key as soon as every node has it; calls under way end with the old one." }
                (key_field(faults))
                (confirmation)
                div.acts { button.btn { "Replace the key" } }
            }
        }
    })
}

async fn change(control: &Control, visit: &Visit, id: &str, patch: UpstreamPatch) -> Answer {
    let id = read(id)?;
    match actions::update(control, &visit.context, id, patch).await {
        Ok(_) => Ok(go(&format!("/console/upstreams/{id}?done=saved"))),
        Err(error) => one_page(control, visit, id, &Faults::of(named(error))?).await,
    }
}

async fn rename(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let name = Some(fields.text("name").to_owned());
    change(&control, &visit, &id, UpstreamPatch { name, ..UpstreamPatch::default() }).await
}

async fn replace(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let key = Some(fields.secret(KEY));
    change(&control, &visit, &id, UpstreamPatch { key, ..UpstreamPatch::default() }).await
}

async fn enable(State(control): State<Arc<Control>>, visit: Visit, Path(id): Path<String>) -> Answer {
    change(&control, &visit, &id, UpstreamPatch { enabled: Some(true), ..UpstreamPatch::default() }).await
}

async fn disable(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let way = format!("/console/upstreams/{}", read(&id)?);
    let action = format!("{way}/disable");
    let text = "Calls use the other credentials from now on; where there is none, they are refused.";
    let question =
        Question { action: &action, title: "Disable this credential?", text, yes: "Disable it", back: &way };
    if let Some(asked) = question.unless_answered(&fields) {
        return Ok(asked);
    }
    change(&control, &visit, &id, UpstreamPatch { enabled: Some(false), ..UpstreamPatch::default() }).await
}

async fn delete(
    State(control): State<Arc<Control>>,
    visit: Visit,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = read(&id)?;
    let all = actions::standing(&control, &visit.context).await?;
    let (upstream, _) = all.iter().find(|(one, _)| one.id == id).ok_or(ControlError::NotFound)?;
    let (action, back) = (format!("/console/upstreams/{id}/delete"), format!("/console/upstreams/{id}"));
    if let Some(asked) = removal(&action, &back, &upstream.name).as_question().unless_answered(&fields) {
        return Ok(asked);
    }
    actions::delete(&control, &visit.context, id).await?;
    Ok(go("/console/upstreams?done=removed"))
}
