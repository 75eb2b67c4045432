//! What upstream says in a session, looked at before it passes on: it must be about the model that was paid for.

use crate::authn::Caller;
use crate::objects::scrub;
use crate::redact::redact;
use crate::settle::Ticket;
use louver_domain::models::Catalogue;
use louver_mistral::json;
use louver_mistral::realtime::Format;
use louver_mistral::usage::Usage;
use serde_json::{Value, json};

/// An event of upstream's.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    /// What the client gets.
    pub(super) text: String,
    pub(super) meaning: Meaning,
}

/// What an event means here.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// The session is there, or was changed; how its audio is read.
    Session(Format),
    /// The end, with the seconds that were heard, if they are told.
    Done(Option<u64>),
    /// Something went wrong.
    Error,
    /// Text and the like.
    Other,
}

/// Why an event does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Odd {
    /// It is no event, or not one that can be trusted to mean one thing.
    Unreadable,
    /// It is about another model.
    OtherModel,
}

/// What an event is judged by.
pub(super) struct Judge<'a> {
    pub(super) caller: &'a Caller,
    pub(super) ticket: &'a Ticket,
    pub(super) pinned: &'a str,
}

impl Judge<'_> {
    /// Looks at one event.
    pub(super) fn look(&self, text: &str) -> Result<Event, Odd> {
        json::check(text.as_bytes()).map_err(|_| Odd::Unreadable)?;
        let mut value: Value = serde_json::from_str(text).map_err(|_| Odd::Unreadable)?;
        let kind = value.get("type").and_then(Value::as_str).ok_or(Odd::Unreadable)?;
        let meaning = match kind {
            "session.created" | "session.updated" => {
                let session = value.get("session").ok_or(Odd::Unreadable)?;
                self.right_model(session.get("model").ok_or(Odd::OtherModel)?)?;
                Meaning::Session(session.get("audio_format").and_then(format).ok_or(Odd::Unreadable)?)
            }
            "transcription.done" => {
                value.get("model").map_or(Ok(()), |model| self.right_model(model))?;
                Meaning::Done(value.get("usage").and_then(seconds))
            }
            "error" => Meaning::Error,
            _ => return Ok(Event { text: text.to_owned(), meaning: Meaning::Other }),
        };
        match meaning {
            Meaning::Session(_) => self.make_ours(&mut value),
            Meaning::Error => value = self.error(&value),
            Meaning::Done(_) | Meaning::Other => {}
        }
        scrub::scrub(&mut value, &self.caller.key);
        Ok(Event { text: value.to_string(), meaning })
    }

    fn right_model(&self, model: &Value) -> Result<(), Odd> {
        let same =
            model.as_str().is_some_and(|model| is_same(&self.caller.snapshot.catalogue, model, self.pinned));
        if same { Ok(()) } else { Err(Odd::OtherModel) }
    }

    /// The id of the session is that of the request here, which its record has, too.
    fn make_ours(&self, value: &mut Value) {
        if let Some(id) = value.pointer_mut("/session/request_id") {
            *id = json!(self.ticket.request_id.to_string());
        }
    }

    /// An error in the shape that clients read, without what upstream may have said beside it, and without the
    /// credential if it is in there.
    fn error(&self, value: &Value) -> Value {
        let error = value.get("error").unwrap_or(&Value::Null);
        let message = match error.get("message") {
            Some(Value::Object(said)) => said.get("detail").and_then(Value::as_str),
            other => other.and_then(Value::as_str),
        };
        let message = message.unwrap_or("Upstream reports an error.");
        let message = redact(message.to_owned().into(), self.ticket.credential.credential());
        let message = String::from_utf8_lossy(&message);
        let code = error.get("code").and_then(Value::as_u64).unwrap_or(502);
        json!({"type": "error", "error": {"message": message, "code": code}})
    }
}

/// Whether a name is that of the model with the pinned id.
fn is_same(catalogue: &Catalogue, name: &str, pinned: &str) -> bool {
    name == pinned || catalogue.find(name).is_some_and(|(_, model)| model.id == pinned)
}

fn format(value: &Value) -> Option<Format> {
    Format::of(value.get("encoding")?.as_str()?, value.get("sample_rate")?.as_u64()?)
}

fn seconds(usage: &Value) -> Option<u64> {
    let usage = Usage::parse(usage.to_string().as_bytes()).ok()?;
    Some(usage.audio_seconds).filter(|seconds| *seconds > 0)
}
