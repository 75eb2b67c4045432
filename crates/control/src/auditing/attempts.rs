//! Attempts that were refused: each leaves an event, but of many by the same one in a minute only a sum.

use crate::Control;
use crate::context::RequestContext;
use crate::error::ControlError;
use louver_domain::access::{Action, Actor, Identity, decide};
use louver_domain::audit::{AuditEvent, Outcome};
use louver_domain::id::{EventId, OrganizationId};
use louver_domain::keys::{AdminKey, looks_like_key};
use louver_domain::time::Timestamp;
use louver_store::audit;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Events of one actor in a minute, and of one key that is not accepted.
const MOST_OF_ACTOR: u32 = 20;
const MOST_OF_KEY: u32 = 1;
const MINUTE: i64 = 60;
/// The letters of a UUID, with hyphens and without.
const HYPHENATED: usize = 36;
const SIMPLE: usize = 32;
const LONGEST_PREFIX: usize = 8;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The method.
    pub(crate) method: String,
    /// The path as the table of routes has it: what the client wrote there may be anything.
    pub(crate) route: String,
    /// The parts of the path that the route leaves open, by name.
    pub(crate) parameters: Vec<(String, String)>,
    /// The request.
    pub(crate) origin: Option<RequestContext>,
}

impl Asked {
    /// The parts of `path` that stand where `route` has braces, as far as they are ids: anything else may be a key, in
    /// whatever disguise.
    pub(crate) fn new(method: &str, route: &str, path: &str, origin: Option<RequestContext>) -> Self {
        let parameters = route.split('/').zip(path.split('/')).filter_map(|(name, value)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            is_id(value).then(|| (name.to_owned(), value.to_owned()))
        });
        let parameters = parameters.collect();
        Self { method: method.to_owned(), route: route.to_owned(), parameters, origin }
    }
}

/// A UUID, or 32 hexadecimal digits after a word of letters and an underscore.
fn is_id(text: &str) -> bool {
    let uuid = text.len() == HYPHENATED && Uuid::try_parse(text).is_ok();
    let prefixed = text.split_once('_').is_some_and(|(word, rest)| {
        let word = word.len() <= LONGEST_PREFIX && word.bytes().all(|b| b.is_ascii_lowercase());
        word && rest.len() == SIMPLE && rest.bytes().all(|b| b.is_ascii_hexdigit())
    });
    uuid || (prefixed && !looks_like_key(text))
}

/// Who tried: an actor, or whoever showed a key that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Who {
    organization: OrganizationId,
    is_key: bool,
    id: String,
}

/// A minute of one of them.
struct Minute {
    began: Timestamp,
    last: Timestamp,
    seen: u32,
    untold: u32,
    event: AuditEvent,
}

/// The minutes that are under way. As many as there are actors and keys: what is not known leaves no trace here.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<Who, Minute>>);

impl Attempts {
    /// Notes an attempt; answers what is to be written about it and about the minute before.
    fn note(&self, who: Who, most: u32, event: AuditEvent, control: &Control) -> Vec<AuditEvent> {
        let now = event.at;
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = minutes.get(&who).is_some_and(|minute| minute.began.plus_seconds(MINUTE) <= now);
        let mut events = Vec::new();
        if over && let Some(minute) = minutes.remove(&who) {
            events.extend(minute.sum(now, control));
        }
        let fresh = || Minute { began: now, last: now, seen: 0, untold: 0, event: event.clone() };
        let minute = minutes.entry(who).or_insert_with(fresh);
        minute.last = now;
        minute.seen = minute.seen.saturating_add(1);
        if minute.seen <= most {
            events.push(event);
        } else {
            minute.untold = minute.untold.saturating_add(1);
        }
        events
    }

    /// Writes the sums of minutes that are over, or of all.
    pub(crate) async fn summarize(
        &self,
        control: &Control,
        now: Timestamp,
        all: bool,
    ) -> Result<(), ControlError> {
        let over: Vec<Minute> = {
            let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let over = |minute: &Minute| all || minute.began.plus_seconds(MINUTE) <= now;
            minutes.extract_if(|_, minute| over(minute)).map(|(_, minute)| minute).collect()
        };
        let events: Vec<AuditEvent> =
            over.into_iter().filter_map(|minute| minute.sum(now, control)).collect();
        Ok(audit::write(&control.store, &events).await?)
    }
}

impl Minute {
    /// One event for all that were not told singly.
    fn sum(self, now: Timestamp, control: &Control) -> Option<AuditEvent> {
        let Self { began, last, untold, event, .. } = self;
        let after = json!({"more": untold, "from": began, "to": last}).to_string();
        (untold > 0).then(|| AuditEvent {
            id: EventId::new(now, &*control.entropy),
            at: now,
            after: Some(after),
            request_id: None,
            ..event
        })
    }
}

/// Notes that an actor was refused.
pub(crate) async fn refused(
    control: &Control,
    actor: &Actor,
    action: Option<Action>,
    error: &ControlError,
    asked: Asked,
) {
    let id = match &actor.identity {
        Identity::AdminKey { id, .. } => id.to_string(),
        Identity::Person { id, .. } => id.to_string(),
        Identity::ServiceAccount { id, .. } => id.to_string(),
        Identity::System => String::new(),
    };
    let target = asked.parameters.last().map_or_else(String::new, |(_, value)| value.clone());
    let after = json!({
        "method": asked.method,
        "route": asked.route,
        "parameters": parameters(&asked),
        "permission": error.lacks().or(action).map(Action::as_str),
        "answer": error.to_string(),
    });
    let who = Who { organization: actor.organization_id(), is_key: false, id };
    let Some(event) = event(control, actor.clone(), (target, asked.route.clone()), &after, asked.origin)
    else {
        return;
    };
    write(control, control.audit.attempts.note(who, MOST_OF_ACTOR, event, control)).await;
}

fn parameters(asked: &Asked) -> Value {
    asked.parameters.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// Notes that a known key was shown and not accepted: who showed it is not known, so that the program itself stands there
/// as the actor. It is written beside the request, so that the time of the answer does not tell which ids exist.
pub(crate) fn not_accepted(
    control: &Arc<Control>,
    key: &AdminKey,
    reason: &'static str,
    origin: Option<RequestContext>,
) {
    let who = Who { organization: key.organization_id, is_key: true, id: key.id.to_string() };
    let after = json!({"credential": "admin_key", "reason": reason});
    let target = (key.id.to_string(), key.name.clone());
    let Some(event) = event(control, Actor::system(key.organization_id), target, &after, origin) else {
        return;
    };
    let events = control.audit.attempts.note(who, MOST_OF_KEY, event, control);
    if !events.is_empty() {
        let control = Arc::clone(control);
        tokio::spawn(async move { write(&control, events).await });
    }
}

async fn write(control: &Control, events: Vec<AuditEvent>) {
    if let Err(error) = audit::write(&control.store, &events).await {
        tracing::error!(%error, "a refused attempt could not be written down");
    }
}

fn event(
    control: &Control,
    actor: Actor,
    (target_id, target_name): (String, String),
    after: &Value,
    origin: Option<RequestContext>,
) -> Option<AuditEvent> {
    let now = control.clock.now();
    let organization = actor.organization_id();
    Some(AuditEvent {
        id: EventId::new(now, &*control.entropy),
        at: now,
        // The program writes this, whatever the actor may.
        permit: decide(&Actor::system(organization), Action::Refused, organization).ok()?,
        actor,
        outcome: Outcome::Refused,
        workspace_id: None,
        target_id,
        target_name,
        before: None,
        after: Some(after.to_string()),
        request_id: origin.map(|origin| origin.request_id.to_string()),
        address: origin.map(|origin| origin.address.to_string()),
    })
}
