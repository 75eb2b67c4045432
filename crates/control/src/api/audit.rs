//! `/v1/gateway/audit`: the audit log with all that it holds, its newest checkpoint, and the whole of it as lines.

use super::{Answer, Shared};
use crate::actions::audit as actions;
use crate::auditing::lines;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::openapi::about::{Kind, PAGE, Parameter};
use crate::openapi::shapes;
use crate::page::{self, Asked};
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use louver_domain::access::Action;
use louver_domain::audit::chain::Hash;
use louver_domain::audit::checkpoint::Word;
use louver_domain::audit::{AuditRecord, Outcome};
use louver_domain::id::{EventId, WorkspaceId};
use louver_domain::time::Timestamp;
use louver_store::audit::query::{Filter, Page};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

const FILTERS: &[Parameter] = &[
    Parameter::new("event", Kind::SomeOf(actions::events), "Only these events."),
    Parameter::new("actor_id", Kind::Text, "Only what this person, account or key did."),
    Parameter::new("target_id", Kind::Text, "Only what was done to this object."),
    Parameter::new("workspace_id", Kind::Id, "Only what was done in this workspace."),
    Parameter::new("outcome", Kind::OneOf(&["done", "refused"]), "Only what was done, or what was refused."),
    Parameter::new("from", Kind::Moment, "Only events from then on."),
    Parameter::new("to", Kind::Moment, "Only events before then."),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/v1/gateway/audit", Action::ReadAuditLog, list)
        .named("list_audit_events", "The audit log, newest first")
        .query(PAGE)
        .query(FILTERS)
        .answers::<page::Page<Shown>>()
        .get("/v1/gateway/audit/checkpoint", Action::ReadAuditLog, checkpoint)
        .named("get_audit_checkpoint", "The newest signed checkpoint of the audit log")
        .answers::<shapes::AuditCheckpoint>()
        .refuses(&[404])
        .get("/v1/gateway/audit/export", Action::ExportAuditLog, export)
        .named("export_audit_log", "The audit log as lines of JSON, oldest first")
        .saying("An answer that breaks off is not the whole. `louver audit verify` checks the lines.")
        .query(FILTERS)
        .answers_as(200, "application/x-ndjson")
        .tagged("gateway.audit")
}

/// An event of the audit log as shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEvent")]
struct Shown {
    #[schemars(with = "shapes::Id")]
    id: EventId,
    #[schemars(extend("const" = "audit_event"))]
    object: &'static str,
    /// Its number in the log, from 1, without gaps.
    place: u64,
    #[schemars(with = "shapes::Time")]
    at: String,
    actor: Actor,
    event: String,
    /// The permission that it needed.
    permission: String,
    #[schemars(extend("enum" = ["done", "refused"]))]
    outcome: String,
    target: Target,
    #[schemars(with = "Option<shapes::Id>")]
    workspace_id: Option<WorkspaceId>,
    /// What the object was like before.
    before: Option<Value>,
    /// And afterwards.
    after: Option<Value>,
    request_id: Option<String>,
    address: Option<String>,
    /// The hash over this event and the one before.
    hash: String,
}

/// Who did it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditActor")]
struct Actor {
    #[serde(rename = "type")]
    kind: String,
    identity: String,
    id: Option<String>,
    name: String,
}

/// What it was done to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditTarget")]
struct Target {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    name: String,
}

impl From<(AuditRecord, Hash)> for Shown {
    fn from((record, hash): (AuditRecord, Hash)) -> Self {
        // What is not JSON, because somebody changed it, is shown as the text that it is.
        let json = |text: Option<String>| text.map(|t| serde_json::from_str(&t).unwrap_or(Value::String(t)));
        Self {
            id: record.id,
            object: "audit_event",
            place: record.place,
            at: record.at.rfc3339_exact(),
            actor: Actor {
                kind: record.actor_kind,
                identity: record.identity,
                id: Some(record.actor_id).filter(|id| !id.is_empty()),
                name: record.actor_name,
            },
            event: record.event,
            permission: record.permission,
            outcome: record.outcome,
            target: Target { kind: record.target_type, id: record.target_id, name: record.target_name },
            workspace_id: record.workspace_id,
            before: json(record.before),
            after: json(record.after),
            request_id: record.request_id,
            address: record.address,
            hash: hash.to_string(),
        }
    }
}

fn read_filter(params: &mut Params) -> Result<Filter, ControlError> {
    let time = "an RFC 3339 time or a date";
    let outcomes = [Outcome::Done, Outcome::Refused].map(Outcome::as_str);
    let outcome = |text: &str| outcomes.contains(&text).then(|| text.to_owned());
    let events = params.take_all("event");
    let known = |event: &String| Action::ALL.iter().any(|action| action.event() == event);
    if !events.iter().all(known) {
        return Err(ControlError::parameter("event", "names no event of this log"));
    }
    Ok(Filter {
        events: distinct(events),
        actor_id: params.take("actor_id")?.map(|id| actions::plain_id(&id)),
        target_id: params.take("target_id")?.map(|id| actions::plain_id(&id)),
        workspace_id: params.parsed("workspace_id", "the id of a workspace", WorkspaceId::parse)?,
        outcome: params.parsed("outcome", "done or refused", outcome)?,
        from: params.parsed("from", time, Timestamp::parse)?,
        to: params.parsed("to", time, Timestamp::parse)?,
        ..Filter::default()
    })
}

/// Each once: a branch of the query for each.
pub(super) fn distinct(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words.dedup();
    words
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let filter = read_filter(&mut params)?;
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let wrong = || ControlError::parameter("after", "names no event of this log");
    let beyond = match &asked.after {
        None => None,
        Some(text) => {
            let id = EventId::parse(text).ok_or_else(wrong)?;
            Some(actions::find(&control, &context, id).await?.ok_or_else(wrong)?)
        }
    };
    let page = Page { beyond, ascending: false, limit: asked.limit.saturating_add(1) };
    let records = actions::list(&control, &context, &filter, page).await?;
    Ok(reply::ok(&page::Page::of_one_more(records, asked.limit).map(Shown::from)))
}

async fn checkpoint(State(control): Shared, context: Context, params: Params) -> Answer {
    params.done()?;
    let (signed, key) = actions::checkpoint(&control, &context).await?;
    Ok(reply::ok(&lines::checkpoint(Word::Checkpoint, &signed, &key)))
}

async fn export(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let filter = read_filter(&mut params)?;
    params.done()?;
    let export = actions::export(&control, &context, filter).await?;
    let mut response = Response::new(export.into_body(str::to_owned));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit.jsonl\""));
    Ok(response)
}
