//! `/v1/admin/audit-logs`: the audit log, as far as Mistral has names for it.

use super::paging::{free, nullable, whole};
use super::{Answer, Shared};
use crate::actions::audit as actions;
use crate::api::audit::distinct;
use crate::context::Context;
use crate::error::ControlError;
use crate::intake::params::Params;
use crate::reply;
use crate::routes::Routes;
use axum::extract::State;
use louver_domain::access::Action;
use louver_domain::audit::{ActorKind, AuditRecord};
use louver_domain::time::Timestamp;
use louver_mistral::admin::audit_logs::{
    ACTOR_TYPES, ActorType, AuditLogEventType, AuditLogOut, EVENT_TYPES, TARGET_TYPES, TargetType,
};
use louver_mistral::admin::values::Time;
use louver_store::audit::query::{Filter, Page};
use std::collections::BTreeMap;
use uuid::Uuid;

#[cfg(test)]
mod tests;

const LIMIT: i64 = 20;
const MOST: i64 = 1000;

pub(crate) fn routes() -> Routes {
    Routes::new().get("/v1/admin/audit-logs", Action::ReadAuditLog, list)
}

async fn list(State(control): Shared, context: Context, mut params: Params) -> Answer {
    let asked = Asked::read(&mut params)?;
    params.done()?;
    let Some((filter, page)) = asked.plan() else { return Ok(reply::ok(&Vec::<AuditLogOut>::new())) };
    let records = actions::list(&control, &context, &filter, page).await?;
    Ok(reply::ok(&records.into_iter().filter_map(|(record, _)| shown(record)).collect::<Vec<_>>()))
}

/// What is asked for.
#[derive(Debug)]
struct Asked {
    kinds: Vec<String>,
    events: Vec<String>,
    targets: Vec<String>,
    actor: Option<String>,
    ascending: bool,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    limit: u32,
}

impl Asked {
    fn read(params: &mut Params) -> Result<Self, ControlError> {
        let wanted = "expected ascending or descending";
        let ascending = match params.take("sort")?.as_deref() {
            None | Some("descending") => false,
            Some("ascending") => true,
            Some(_) => return Err(ControlError::parameter("sort", wanted)),
        };
        let limit = whole(params, "limit")?.unwrap_or(LIMIT).clamp(0, MOST);
        Ok(Self {
            kinds: words(params, "actor_type", ACTOR_TYPES)?,
            events: words(params, "event_type", EVENT_TYPES)?,
            targets: words(params, "target_type", TARGET_TYPES)?,
            actor: free(params, "actor_user_uuid")?,
            ascending,
            after: moment(params, "after")?,
            before: moment(params, "before")?,
            limit: u32::try_from(limit).unwrap_or(0),
        })
    }

    /// The query, or that nothing can be found. Each of our events has one kind of target and Mistral's list has names for
    /// some of them only, so that the events alone say what is looked for.
    fn plan(self) -> Option<(Filter, Page)> {
        let wanted = |action: &&Action| {
            (self.events.is_empty() || self.events.iter().any(|event| event == action.event()))
                && (self.targets.is_empty() || self.targets.iter().any(|t| t == action.target().as_str()))
                && AuditLogEventType::of(action.event()).is_some()
                && TargetType::of(action.target().as_str()).is_some()
        };
        let events = Action::ALL.iter().filter(wanted).map(|action| action.event().to_owned());
        let events = distinct(events.collect());
        // Only people are users.
        let human = ActorKind::Human.as_str();
        let (actor_id, actor_kinds) = match self.actor {
            None => (None, self.kinds),
            Some(_) if !self.kinds.is_empty() && !self.kinds.iter().any(|kind| kind == human) => return None,
            Some(text) => (Some(Uuid::try_parse(&text).ok()?.to_string()), vec![human.to_owned()]),
        };
        if events.is_empty() || self.limit == 0 {
            return None;
        }
        let from = self.after.map(|after| Timestamp::from_micros(after.micros().saturating_add(1)));
        let filter = Filter { events, actor_kinds, actor_id, from, to: self.before, ..Filter::default() };
        Some((filter, Page { beyond: None, ascending: self.ascending, limit: self.limit }))
    }
}

/// A list that may repeat; `null` is as if it were not there.
fn words(params: &mut Params, name: &str, known: &[&str]) -> Result<Vec<String>, ControlError> {
    let given = params.take_all(name);
    let given: Vec<String> = given.into_iter().filter(|word| word != "null").collect();
    match given.iter().all(|word| known.contains(&word.as_str())) {
        true => Ok(distinct(given)),
        false => Err(ControlError::parameter(name, "is none of the words that are known here")),
    }
}

/// Any moment that RFC 3339 can write, also beyond those that can be reckoned with: such a one is the last.
fn moment(params: &mut Params, name: &str) -> Result<Option<Timestamp>, ControlError> {
    let Some(text) = nullable(params, name)? else { return Ok(None) };
    read_moment(&text)
        .map(Some)
        .ok_or_else(|| ControlError::parameter(name, "expected a time as in RFC 3339"))
}

fn read_moment(text: &str) -> Option<Timestamp> {
    // A plus sign that was not escaped has become a space.
    let text = text.to_ascii_uppercase().replacen(' ', "+", 1);
    let text = match text.split_once('.') {
        None => text,
        Some((whole, rest)) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, zone) = rest.split_at_checked(digits)?;
            let fraction = fraction.get(..9).unwrap_or(fraction);
            if fraction.is_empty() { return None } else { format!("{whole}.{fraction}{zone}") }
        }
    };
    Timestamp::parse(&text).or_else(|| {
        let last_year = text.strip_prefix("9999-12-3")?;
        let in_utc = last_year.rsplit_once(['+', '-']).map_or(last_year, |(time, _)| time);
        let in_utc = in_utc.trim_end_matches('Z');
        Timestamp::parse(&format!("2000-12-3{in_utc}Z")).map(|_| Timestamp::from_micros(i64::MAX))
    })
}

fn shown(record: AuditRecord) -> Option<AuditLogOut> {
    let text = |name: &str, value: Option<String>| value.map(|value| (name.to_owned(), value));
    let map = |pairs: Vec<Option<(String, String)>>| -> BTreeMap<String, String> {
        pairs.into_iter().flatten().filter(|(_, value)| !value.is_empty()).collect()
    };
    Some(AuditLogOut {
        created_at: Time(record.at.rfc3339_exact()),
        actor_type: match ActorKind::parse(&record.actor_kind)? {
            ActorKind::Human => ActorType::Human,
            ActorKind::ApiKey => ActorType::ApiKey,
            ActorKind::Other => ActorType::Other,
        },
        actor_metadata: map(vec![
            text("id", Some(record.actor_id)),
            text("name", Some(record.actor_name)),
            text("identity", Some(record.identity)),
            text("address", record.address),
        ]),
        event_type: AuditLogEventType::of(&record.event)?,
        event_metadata: map(vec![
            text("id", Some(record.id.to_string())),
            text("outcome", Some(record.outcome)),
            text("permission", Some(record.permission)),
            text("request_id", record.request_id),
            text("before", record.before),
            text("after", record.after),
        ]),
        target_type: TargetType::of(&record.target_type)?,
        target_metadata: map(vec![
            text("id", Some(record.target_id)),
            text("name", Some(record.target_name)),
        ]),
        log_id: i64::try_from(record.place).unwrap_or(i64::MAX),
        organization_uuid: Some(Uuid::from_bytes(record.organization_id.bytes())),
        workspace_uuid: record.workspace_id.map(|id| Uuid::from_bytes(id.bytes())),
    })
}
