//! The audit log: who did what, with what it changed, how well it is kept, and taken out as a file.

mod difference;

use crate::answer::{Answer, go};
use crate::csv;
use crate::fields::{Asked, address};
use crate::figures::moment;
use crate::frame::{Here, Visit};
use crate::kit::filter::{choice, day, filters, search};
use crate::kit::form::Faults;
use crate::kit::icons::Icon;
use crate::kit::table::{Column, pager, tall_table};
use crate::kit::{Head, Tone, badge, empty, initials, link, note, tile};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use louver_control::Control;
use louver_control::actions::audit::{self as actions, Examined, Filter, Keeping, Page};
use louver_control::actions::users;
use louver_control::error::ControlError;
use louver_domain::access::Action;
use louver_domain::audit::{AuditRecord, Outcome};
use louver_domain::id::{EventId, WorkspaceId};
use louver_domain::time::Timestamp;
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;

const PATH: &str = "/console/audit";
const CSV: &str = "/console/audit.csv";
const PAGE: u32 = 50;
const DAY: i64 = 86_400;

pub(crate) fn pages() -> Router<Arc<Control>> {
    Router::new()
        .route(PATH, get(show))
        .route("/console/audit/examine", post(examine))
        .route(CSV, get(csv_file))
}

/// What was asked for, as it is written in addresses.
struct Wanted {
    filter: Filter,
    /// The same by the names that the API gives it.
    pairs: Vec<(&'static str, String)>,
}

impl Wanted {
    fn none() -> Self {
        Self { filter: Filter::default(), pairs: vec![] }
    }

    fn href(&self, path: &str) -> String {
        let pairs: Vec<(&str, &str)> =
            self.pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        address(path, &pairs)
    }
}

async fn show(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    page(&control, &visit, &asked, None).await
}

async fn examine(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let examined = actions::examine(&control, &visit.context).await?;
    if examined.whole {
        return Ok(go("/console/audit?done=examined"));
    }
    page(&control, &visit, &asked, Some(&examined)).await
}

async fn page(control: &Control, visit: &Visit, asked: &Asked, examined: Option<&Examined>) -> Answer {
    let keeping = actions::keeping(control, &visit.context).await?;
    let (wanted, faults) = match read(control, visit, asked).await {
        Ok(wanted) => (Some(wanted), Faults::none()),
        Err(error) => (None, Faults::of(error)?),
    };
    let status = match (&wanted, examined) {
        (None, _) => StatusCode::UNPROCESSABLE_ENTITY,
        (Some(_), Some(_)) => StatusCode::CONFLICT,
        (Some(_), None) => StatusCode::OK,
    };
    let (records, wanted) = match wanted {
        Some(wanted) => (records(control, visit, asked, &wanted).await?, wanted),
        None => (vec![], Wanted::none()),
    };
    let body = html! {
        (head(visit, &keeping, &wanted))
        (faults.summary())
        @if let Some(examined) = examined { (broken(examined)) }
        (standing(&keeping))
        (sieve(visit, asked))
        (list(visit, asked, &wanted, records))
    };
    Ok(visit.page_with(status, Here::Audit, &[("Audit log", PATH)], &body))
}

fn head(visit: &Visit, keeping: &Keeping, wanted: &Wanted) -> Markup {
    let mut acts =
        vec![html! { form method="post" action="/console/audit/examine" { button.btn { "Examine now" } } }];
    if visit.may(Action::ExportAuditLog) {
        acts.push(link(&wanted.href(CSV), Some(Icon::Down), "CSV"));
        acts.push(link(&wanted.href("/v1/gateway/audit/export"), Some(Icon::Down), "JSON lines"));
    }
    let kept = match keeping.retention_days {
        Some(days) => format!("kept {days} days"),
        None => "kept for ever".to_owned(),
    };
    Head { title: "Audit log", meta: vec![html! { (kept) }], acts, ..Head::default() }.draw()
}

fn broken(examined: &Examined) -> Markup {
    let text = html! {
        b { "The log is not what was written." }
        " Between the numbers " (examined.after) " and " (examined.until)
        " something does not follow from what was signed before. Run " code { "louver audit verify" }
        " on the machine: it names each event that was changed, removed or put in."
    };
    html! { div role="alert" { (note(Tone::Bad, &text, None)) } }
}

/// How well the log is kept.
fn standing(keeping: &Keeping) -> Markup {
    let checkpoint = match keeping.newest {
        None => note(
            Tone::Plain,
            &html! { "Nothing is signed yet: the first checkpoint follows within the hour, or when you examine the log now." },
            None,
        ),
        Some(newest) => {
            let (place, hash) = (newest.checkpoint.place, newest.checkpoint.hash.to_string());
            let text = html! {
                b { @if keeping.accepted { "The chain is signed." } @else { "The newest checkpoint is not signed by this installation." } }
                " Everything up to number " (place) " was examined and signed " (moment(newest.checkpoint.at)) "; hash "
                code title=(hash) { (hash.get(..12).unwrap_or_default()) "…" }
            };
            note(if keeping.accepted { Tone::Good } else { Tone::Bad }, &text, None)
        }
    };
    html! {
        (checkpoint)
        @if let Some((since, why)) = &keeping.failing {
            (note(Tone::Warn, &html! { b { "Checkpoints do not leave the database" } " since " (moment(*since)) ": " (why) }, None))
        }
    }
}

async fn read(control: &Control, visit: &Visit, asked: &Asked) -> Result<Wanted, ControlError> {
    let mut wanted = Wanted::none();
    let events = asked.list("event");
    if !events.is_empty() {
        // One event, several of them, or all of a noun, which ends with a point.
        let meant = |name: &&&str| {
            events.iter().any(|event| {
                **name == event.as_str() || (event.ends_with('.') && name.starts_with(event.as_str()))
            })
        };
        wanted.filter.events =
            actions::events().iter().filter(meant).map(|name| (*name).to_owned()).collect();
        if wanted.filter.events.is_empty() {
            return Err(ControlError::field("event", "names no event of this log"));
        }
        wanted.pairs.extend(wanted.filter.events.iter().map(|name| ("event", name.clone())));
    }
    wanted.filter.actor_id = actor(control, visit, asked.text("actor_id")).await?;
    wanted.filter.target_id = asked.given("target_id").map(|id| actions::plain_id(&id));
    wanted.filter.workspace_id = asked.id("workspace_id", WorkspaceId::parse)?;
    wanted.filter.outcome = match asked.text("outcome") {
        "" => None,
        text if [Outcome::Done, Outcome::Refused].iter().any(|one| one.as_str() == text) => {
            Some(text.to_owned())
        }
        _ => return Err(ControlError::field("outcome", "is done or refused")),
    };
    wanted.filter.from = date(asked, "from")?;
    wanted.filter.to =
        date(asked, "to")?.map(|day| if asked.text("to").len() > 10 { day } else { day.plus_seconds(DAY) });
    let filter = &wanted.filter;
    let told = [
        ("actor_id", filter.actor_id.clone()),
        ("target_id", filter.target_id.clone()),
        ("workspace_id", filter.workspace_id.map(|id| id.to_string())),
        ("outcome", filter.outcome.clone()),
        ("from", filter.from.map(Timestamp::rfc3339)),
        ("to", filter.to.map(Timestamp::rfc3339)),
    ];
    wanted.pairs.extend(told.into_iter().filter_map(|(name, value)| Some((name, value?))));
    Ok(wanted)
}

/// Who did it, by id or mail address.
async fn actor(control: &Control, visit: &Visit, text: &str) -> Result<Option<String>, ControlError> {
    if !text.contains('@') {
        return Ok(Some(actions::plain_id(text)).filter(|id| !id.is_empty()));
    }
    let found = users::by_email(control, &visit.context, text).await.map_err(|error| match error {
        ControlError::Invalid(_) => ControlError::field("actor_id", "is no mail address and no id"),
        other => other,
    })?;
    let nobody =
        || ControlError::field("actor_id", "is the address of nobody here: use the id of somebody who left");
    Ok(Some(found.ok_or_else(nobody)?.id.to_string()))
}

fn date(asked: &Asked, name: &'static str) -> Result<Option<Timestamp>, ControlError> {
    let wrong = || ControlError::field(name, "is a day such as 2026-11-22");
    asked.given(name).map(|text| Timestamp::parse(&text).ok_or_else(wrong)).transpose()
}

async fn records(
    control: &Control,
    visit: &Visit,
    asked: &Asked,
    wanted: &Wanted,
) -> Result<Vec<AuditRecord>, ControlError> {
    let beyond = match asked.given("after") {
        None => None,
        Some(text) => {
            let id = EventId::parse(&text).ok_or(ControlError::NotFound)?;
            Some(actions::find(control, &visit.context, id).await?.ok_or(ControlError::NotFound)?)
        }
    };
    let page = Page { beyond, ascending: false, limit: PAGE.saturating_add(1) };
    let found = actions::list(control, &visit.context, &wanted.filter, page).await?;
    Ok(found.into_iter().map(|(record, _)| record).collect())
}

fn sieve(visit: &Visit, asked: &Asked) -> Markup {
    let workspaces = visit.around.workspaces.iter().map(|one| (one.id.to_string(), one.name.clone()));
    let workspaces: Vec<_> =
        std::iter::once((String::new(), "Any workspace".to_owned())).chain(workspaces).collect();
    let outcomes = [("", "Any result"), ("done", "Done"), ("refused", "Refused")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
    filters(
        "Filter events",
        &html! {
            (search("actor_id", "Who: mail address or id", asked.text("actor_id")))
            (search("target_id", "On: id of the object", asked.text("target_id")))
            (events(asked.text("event")))
            (choice("workspace_id", "Workspace", &workspaces, asked.text("workspace_id")))
            (choice("outcome", "Result", &outcomes, asked.text("outcome")))
            (day("from", "From day", asked.text("from")))
            (day("to", "To day", asked.text("to")))
        },
    )
}

/// Events by their nouns: all of a noun, or one.
fn events(chosen: &str) -> Markup {
    let all = actions::events();
    let noun = |name: &str| name.split_inclusive('.').next().unwrap_or_default().to_owned();
    let mut nouns: Vec<String> = all.iter().map(|name| noun(name)).collect();
    nouns.dedup();
    html! {
        select #event name="event" aria-label="Action" {
            option value="" { "Any action" }
            @for group in &nouns {
                optgroup label=(group.trim_end_matches('.')) {
                    option value=(group) selected[group == chosen] { "All of " (group.trim_end_matches('.')) }
                    @for name in all.iter().filter(|name| noun(name) == *group) {
                        option value=(name) selected[*name == chosen] { (name) }
                    }
                }
            }
        }
    }
}

fn list(visit: &Visit, asked: &Asked, wanted: &Wanted, mut records: Vec<AuditRecord>) -> Markup {
    let most = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = records.len() > most;
    records.truncate(most);
    if records.is_empty() {
        let all = (!wanted.pairs.is_empty() || !asked.text("after").is_empty())
            .then(|| link(PATH, None, "Show all events"));
        return html! { section.card { (empty("No events here", "Each change of keys, limits, people and settings leaves one, and each attempt that was refused.", all.as_ref())) } };
    }
    let columns = [
        Column::text("When"),
        Column::text("Who"),
        Column::text("Action"),
        Column::text("On"),
        Column::text("Result"),
    ];
    let rows: Vec<Vec<Markup>> = records.iter().map(|record| row(visit, record)).collect();
    let next = records.last().filter(|_| more).map(|last| around(asked, &last.id.to_string()));
    let first = (!asked.text("after").is_empty()).then(|| around(asked, ""));
    html! {
        section.card {
            (tall_table("Audit events", &columns, &rows))
            footer { (pager("Newest first", first.as_deref(), next.as_deref())) }
        }
    }
}

/// This page with another beginning.
fn around(asked: &Asked, after: &str) -> String {
    let names = ["actor_id", "target_id", "event", "workspace_id", "outcome", "from", "to"];
    let mut pairs: Vec<(&str, &str)> = names.iter().map(|name| (*name, asked.text(name))).collect();
    pairs.push(("after", after));
    address(PATH, &pairs)
}

fn row(visit: &Visit, record: &AuditRecord) -> Vec<Markup> {
    let workspace = record.workspace_id.map(|id| {
        let known = visit.around.workspaces.iter().find(|workspace| workspace.id == id);
        known.map_or_else(|| id.to_string(), |workspace| workspace.name.clone())
    });
    let kind = match record.identity.as_str() {
        "user" => "person",
        "admin_key" => "admin key",
        "service_account" => "service account",
        _ => "the program itself",
    };
    vec![
        exact(record.at),
        html! {
            span.with {
                (tile(&initials(&record.actor_name), "round"))
                span.nowrap {
                    @if record.actor_id.is_empty() { (record.actor_name) }
                    @else { a.title title=(record.actor_name) href=(address(PATH, &[("actor_id", &record.actor_id)])) { (record.actor_name) } }
                    span.sub { (kind) @if let Some(address) = &record.address { ", " span.mono { (address) } } }
                }
            }
        },
        html! {
            span.mono { (record.event) }
            @if let Some(difference) = difference::draw(record.before.as_deref(), record.after.as_deref()) {
                details.fold id={ "d-" (record.id) } { summary { "What changed" } (difference) }
            }
        },
        html! {
            a.title title=(record.target_name) href=(address(PATH, &[("target_id", &record.target_id)])) { (target(record)) }
            @if let Some(workspace) = &workspace { span.sub { "in " (workspace) } }
        },
        match record.outcome.as_str() {
            "done" => badge(Tone::Good, "Done"),
            _ => badge(Tone::Bad, "Refused"),
        },
    ]
}

fn target(record: &AuditRecord) -> &str {
    [&record.target_name, &record.target_id]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or("–", |text| text)
}

fn exact(at: Timestamp) -> Markup {
    let text = at.rfc3339();
    let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default());
    html! { time datetime=(text) data-time="exact" { (date) " " (time) " UTC" } }
}

/// The columns of the file, by the names that the lines have.
const COLUMNS: [&str; 18] = [
    "place",
    "at",
    "actor_type",
    "actor_identity",
    "actor_id",
    "actor_name",
    "event",
    "permission",
    "outcome",
    "target_type",
    "target_id",
    "target_name",
    "workspace_id",
    "address",
    "request_id",
    "before",
    "after",
    "hash",
];

async fn csv_file(State(control): State<Arc<Control>>, visit: Visit, asked: Asked) -> Answer {
    let wanted = read(&control, &visit, &asked).await?;
    let export = actions::export(&control, &visit.context, wanted.filter).await?;
    let mut begun = false;
    let body = export.into_body(move |piece| {
        let head = if std::mem::replace(&mut begun, true) { String::new() } else { csv::line(&COLUMNS) };
        head + &piece.lines().filter_map(as_csv).collect::<String>()
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit.csv\""));
    Ok(response)
}

/// A line of the log as a line of the table; checkpoints are none.
fn as_csv(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("event")?;
    let cell = |name: &&str| match line.get(*name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Some(csv::line(&COLUMNS.iter().map(cell).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_log_become_lines_of_a_table() {
        let line = r#"{"object":"audit_event","place":3,"event":"api_key.create","actor_name":"=cmd()","before":null}"#;
        let csv = as_csv(line).unwrap();
        assert!(csv.starts_with("3,,,,,'=cmd(),api_key.create,"), "{csv}");
        assert!(as_csv(r#"{"object":"audit_checkpoint","place":3}"#).is_none());
        assert!(as_csv("no json").is_none());
    }
}
