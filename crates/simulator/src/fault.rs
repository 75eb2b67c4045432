//! What can be made to go wrong, for which calls, and how one request steers its own answer.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::route::Endpoint;

/// One thing that goes wrong. In JSON the variant's name in snake case stands under `fault`, its fields beside
/// it: `{"fault": "hang_after", "after": 3}`. `after` counts the events of a stream that still go out; of a whole
/// answer nothing goes out after 0 events, and half of the body otherwise.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Answers with this status instead, in Mistral's usual words or with the given body (a JSON string is sent
    /// as it stands, any other value as JSON).
    Status {
        /// The HTTP status.
        status: u16,
        /// Seconds for a `retry-after` header.
        #[serde(default)]
        retry_after: Option<u64>,
        /// The body to send in place of the usual one.
        #[serde(default)]
        body: Option<Value>,
    },
    /// Waits before the head of an otherwise normal answer.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Never answers.
    Hang,
    /// Sends the head and so many events, then nothing more, and keeps the connection open.
    HangAfter {
        /// Events sent before.
        after: u64,
    },
    /// Sends the head and so many events, then cuts the connection (HTTP/2: resets the stream).
    ResetAfter {
        /// Events sent before.
        after: u64,
    },
    /// Sends the head and so many events, then ends the stream properly, as if all had been said; a whole answer
    /// is cut off as by a reset, since its length was promised.
    EndAfter {
        /// Events sent before.
        after: u64,
    },
    /// Leaves `usage` out.
    NoUsage,
    /// Reports these numbers as `usage`, `prompt` also as pages or seconds; the ledger keeps the true ones.
    WrongUsage {
        /// `prompt_tokens`
        prompt: i64,
        /// `completion_tokens`
        completion: i64,
        /// `total_tokens`
        total: i64,
    },
    /// Reports `usage` twice, first with half of the completion, then rightly: in two events, or as two members
    /// of the same name in one object.
    TwoUsages,
    /// Answers 200 with bytes that are neither JSON nor server-sent events.
    Garbage,
    /// Sends so many events and then an error as an event, under status 200; for a whole answer the error is
    /// the body.
    ErrorInStream {
        /// Events sent before.
        after: u64,
    },
    /// Answers 307.
    Redirect {
        /// Where to; by default a name that does not exist.
        #[serde(default)]
        location: Option<String>,
    },
    /// Adds a header `x-simulated-big` of this size to a normal answer.
    BigHeader {
        /// Bytes of its value, at most 1 MiB.
        bytes: usize,
    },
    /// Adds a `set-cookie` header to a normal answer.
    SetCookie,
    /// Answers 401 with the bearer token it was sent in the body.
    EchoCredential,
}

/// A fault with the calls it is meant for.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    fault: Fault,
    endpoint: Option<Endpoint>,
    model: Option<String>,
    left: u64,
}

impl From<Fault> for Rule {
    /// The fault for the next call, whatever it is.
    fn from(fault: Fault) -> Self {
        Self { fault, endpoint: None, model: None, left: 1 }
    }
}

impl Rule {
    /// The fault for the next call, whatever it is.
    pub fn new(fault: Fault) -> Self {
        fault.into()
    }

    /// Only for calls of this endpoint.
    #[must_use]
    pub fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Only for calls that name this model, exactly so.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// For so many calls.
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.left = calls;
        self
    }

    /// For all calls until the script is cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn fits(&self, endpoint: Endpoint, model: Option<&str>) -> bool {
        self.left > 0
            && self.endpoint.is_none_or(|wanted| wanted == endpoint)
            && self.model.as_deref().is_none_or(|wanted| Some(wanted) == model)
    }
}

/// The rules still to be applied, in order.
#[derive(Default)]
pub(crate) struct Script(Mutex<Vec<Rule>>);

impl Script {
    pub(crate) fn push(&self, rule: Rule) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault of the first rule that fits; one of its calls is used up.
    pub(crate) fn take(&self, endpoint: Endpoint, model: Option<&str>) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter_mut().find(|rule| rule.fits(endpoint, model))?;
        if rule.left != u64::MAX {
            rule.left -= 1;
        }
        let fault = rule.fault.clone();
        rules.retain(|rule| rule.left > 0);
        Some(fault)
    }
}

/// What a request says in `metadata.simulator` about its own answer, besides a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Directions {
    /// Milliseconds between two events of the stream, in place of the configured pace.
    pub pace_ms: Option<u64>,
    /// Into how many events of content each choice is cut; by default one a token. Lengthens the answer if it
    /// would have fewer tokens; `max_tokens` still bounds it.
    pub chunks: Option<u64>,
    /// How many tokens the answer has; `max_tokens` still bounds it.
    pub tokens: Option<u64>,
    /// How many of the prompt's tokens come from the cache at least, rounded down to a multiple of 64.
    pub cached_tokens: u64,
    /// How often each built-in tool that the request lists is called; once by default.
    pub tool_calls: Option<u64>,
    /// Whether the priority tier answers a call with the tier `auto`; true by default.
    pub priority: Option<bool>,
}

/// The account that a body names in `metadata.simulator`.
pub(crate) fn account(body: &Map<String, Value>) -> Option<String> {
    steering(body)?.get("account")?.as_str().map(str::to_owned)
}

/// A body's `metadata.simulator`, also where it is an object's JSON text, if that can be read.
pub(crate) fn steering(body: &Map<String, Value>) -> Option<Cow<'_, Value>> {
    match body.get("metadata")?.get("simulator")? {
        Value::String(text) => serde_json::from_str(text).ok().map(Cow::Owned),
        directions => Some(Cow::Borrowed(directions)),
    }
}

/// How one call is to be answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) directions: Directions,
    pub(crate) faults: Vec<Fault>,
}

/// How a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Hang,
    Reset,
    End,
    Error,
}

impl Plan {
    /// The plan in a body's `metadata.simulator`, which is an object or an object's JSON text.
    pub(crate) fn read(body: Option<&Value>) -> Result<Self, String> {
        let Some(given) = body.and_then(|body| body.get("metadata")?.get("simulator")) else {
            return Ok(Self::default());
        };
        let given = match given {
            Value::String(text) => serde_json::from_str(text).map_err(|error| error.to_string())?,
            other => other.clone(),
        };
        let directions = Directions::deserialize(&given).map_err(|error| error.to_string())?;
        let mut faults = Vec::new();
        if given.get("fault").is_some() {
            faults.push(Fault::deserialize(&given).map_err(|error| error.to_string())?);
        }
        Ok(Self { directions, faults })
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    /// How long to wait before the head.
    pub(crate) fn delay(&self) -> Duration {
        let wait = |fault: &Fault| if let Fault::Delay { ms } = fault { *ms } else { 0 };
        Duration::from_millis(self.faults.iter().map(wait).max().unwrap_or(0))
    }

    /// Where and how the body is to be cut.
    pub(crate) fn cut(&self) -> Option<(u64, Cut)> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::HangAfter { after } => Some((*after, Cut::Hang)),
            Fault::ResetAfter { after } => Some((*after, Cut::Reset)),
            Fault::EndAfter { after } => Some((*after, Cut::End)),
            Fault::ErrorInStream { after } => Some((*after, Cut::Error)),
            _ => None,
        })
    }
}
