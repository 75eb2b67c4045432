//! What is known of a batch job beside what upstream shows: what its lines are billed by, and what they could cost.

use crate::objects::scrub_for;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::RequestId;
use louver_domain::money::Money;
use louver_domain::prices::Price;
use louver_mistral::batch::MARK;
use louver_store::objects::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The attributes of a batch job in the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The job as upstream last showed it, without our mark and without upstream's own ids.
    pub(crate) shown: Value,
    /// The call that it was charged ahead with.
    pub(crate) request_id: RequestId,
    /// Where its lines go.
    pub(crate) endpoint: EndpointKind,
    /// Hours that upstream gives it.
    pub(crate) timeout_hours: u64,
    /// Its lines.
    pub(crate) lines: u64,
    /// Their models with the prices that held when it was made; the first is the one that it was charged to.
    pub(crate) models: Vec<Billed>,
    /// Prices of the tools that upstream may run, by their types.
    pub(crate) tools: Vec<(String, Money)>,
    /// Whether pages are annotated.
    pub(crate) annotated: bool,
    /// The price of the models of guardrails, which read the same input; of each line, or of none.
    #[serde(default)]
    pub(crate) guards: Option<Price>,
    /// Whether what has no price is refused.
    pub(crate) needs_price: bool,
    /// More tokens than this no line can have.
    pub(crate) plausible: u64,
    /// What all lines could cost at most.
    pub(crate) bound: Worst,
    /// What one line could cost at most.
    pub(crate) worst: Worst,
    /// When it was first seen to be over, in microseconds.
    pub(crate) ended_at: Option<i64>,
}

/// A model and its price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Billed {
    pub(crate) model: String,
    pub(crate) price: Option<Price>,
}

/// The most of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Worst {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) pages: u64,
    pub(crate) annotated_pages: u64,
    pub(crate) tool_calls: u64,
    pub(crate) nanos: i64,
}

impl Known {
    /// Of a job in the registry.
    pub(crate) fn of(object: &Object) -> Option<Self> {
        serde_json::from_str(&object.attributes).ok()
    }

    /// As it is stored.
    pub(crate) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes over what upstream shows of the job now; answers it as clients may see it.
    pub(crate) fn see(&mut self, job: &Object, said: &Value) -> Value {
        let shown = presentable(said, job);
        self.shown = shown.clone();
        if let Some(members) = self.shown.as_object_mut() {
            // Long, and to be had from the output file.
            members.remove("outputs");
        }
        shown
    }

    /// How upstream says the job stands.
    pub(crate) fn status(&self) -> &str {
        self.shown.get("status").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        ["SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED"].contains(&self.status())
    }

    /// A file that it names, by the name of the member.
    pub(crate) fn file(&self, member: &str) -> Option<&str> {
        self.shown.get(member).and_then(Value::as_str)
    }
}

/// A job of upstream as clients may see it.
fn presentable(said: &Value, job: &Object) -> Value {
    let mut shown = said.clone();
    scrub_for(&mut shown, (job.owner.organization_id, job.owner.workspace_id));
    if let Some(metadata) = shown.get_mut("metadata") {
        let empty = metadata.as_object_mut().is_some_and(|members| {
            members.remove(MARK);
            members.is_empty()
        });
        if empty {
            *metadata = Value::Null;
        }
    }
    shown
}

/// The mark of a job of upstream, if it has one.
pub(crate) fn mark(said: &Value) -> Option<&str> {
    said.get("metadata")?.get(MARK)?.as_str()
}
