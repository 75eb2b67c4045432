//! What an answer says it used: normally the truth once, and whatever a fault says instead.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use crate::{
    billed::{Billed, ToolCalls},
    fault::{Fault, Plan},
};

/// What an answer says it used; signed, since a fault may say anything.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: i64,
    pub(crate) completion_tokens: i64,
    pub(crate) total_tokens: i64,
    pub(crate) prompt_tokens_details: Details,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_audio_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connector_tokens: Option<i64>,
    #[serde(skip_serializing_if = "ToolCalls::is_empty")]
    pub(crate) connectors: ToolCalls,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_tier: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Details {
    pub(crate) cached_tokens: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio_tokens: Option<i64>,
}

/// What an answer reports: normally just `last`, and nothing or two things where a fault wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reports<U> {
    pub(crate) before: Option<U>,
    pub(crate) last: Option<U>,
}

/// The usages an answer reports.
pub(crate) type Usages = Reports<Usage>;

impl<U> Reports<U> {
    /// What is reported under this plan: the truth, half of it before for two reports, or a fault's three numbers.
    pub(crate) fn new(plan: &Plan, truth: U, half: U, wrong: impl Fn([i64; 3]) -> U) -> Self {
        if plan.has(&Fault::NoUsage) {
            return Self { before: None, last: None };
        }
        let numbers = plan.faults.iter().find_map(|fault| match fault {
            Fault::WrongUsage { prompt, completion, total } => Some([*prompt, *completion, *total]),
            _ => None,
        });
        let before = plan.has(&Fault::TwoUsages).then_some(half);
        Self { before, last: Some(numbers.map_or(truth, wrong)) }
    }

    /// The same reports in another form.
    pub(crate) fn map<V>(self, form: impl Fn(U) -> V) -> Reports<V> {
        Reports { before: self.before.map(&form), last: self.last.map(&form) }
    }

    /// For each event that reports something: what. There is one in any case.
    pub(crate) fn events(self) -> Vec<Option<U>> {
        let last = self.last;
        self.before.map(Some).into_iter().chain([last]).collect()
    }
}

impl Usages {
    /// What is reported of this true amount under this plan.
    pub(crate) fn of(billed: Billed, plan: &Plan) -> Self {
        let truth = Usage::of(billed);
        let half = billed.completion / 2;
        let less = billed.total.saturating_sub(billed.completion - half);
        let half = Usage::of(Billed {
            completion: half,
            total: less,
            audio_seconds: billed.audio_seconds / 2,
            ..billed
        });
        Self::new(plan, truth, half, |[prompt_tokens, completion_tokens, total_tokens]| {
            let prompt_audio_seconds = truth.prompt_audio_seconds.filter(|s| *s == 0).or(Some(prompt_tokens));
            let prompt_audio_seconds = truth.prompt_audio_seconds.and(prompt_audio_seconds);
            Usage { prompt_tokens, completion_tokens, total_tokens, prompt_audio_seconds, ..truth }
        })
    }

    /// The same with the tier, if the request left one open.
    pub(crate) fn tier(self, priority: Option<bool>) -> Self {
        let service_tier = priority.map(|priority| if priority { "priority" } else { "standard" });
        self.map(|usage| Usage { service_tier, ..usage })
    }
}

impl Usage {
    fn of(billed: Billed) -> Self {
        let hears = billed.audio > 0 || billed.audio_seconds > 0;
        Self {
            prompt_tokens: signed(billed.prompt),
            completion_tokens: signed(billed.completion),
            total_tokens: signed(billed.total),
            prompt_tokens_details: Details {
                cached_tokens: signed(billed.cached),
                audio_tokens: hears.then_some(signed(billed.audio)),
            },
            // Of audio in a chat no seconds are reported.
            prompt_audio_seconds: hears.then_some(signed(billed.audio_seconds)),
            connector_tokens: (!billed.tool_calls.is_empty()).then_some(signed(billed.connector)),
            connectors: billed.tool_calls,
            service_tier: None,
        }
    }
}

impl<U: Serialize> Serialize for Reports<U> {
    /// As members `usage` of an object.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Reported { body: &Map::new(), name: "usage", reports: self }.serialize(serializer)
    }
}

/// An answer with what it reports under this name, which may stand there twice.
pub(crate) struct Reported<'a, U> {
    pub(crate) body: &'a Map<String, Value>,
    pub(crate) name: &'static str,
    pub(crate) reports: &'a Reports<U>,
}

impl<U: Serialize> Serialize for Reported<'_, U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.body {
            map.serialize_entry(name, value)?;
        }
        for report in [&self.reports.before, &self.reports.last].into_iter().flatten() {
            map.serialize_entry(self.name, report)?;
        }
        map.end()
    }
}

/// A number as usage tells it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
