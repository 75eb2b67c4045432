//! The JSON of answers, field by field in Mistral's order.

use serde::Serialize;

use crate::fault::{Fault, Plan};

/// A chat or fill-in-the-middle answer; `before` is there only for the fault of two usages.
#[derive(Serialize)]
pub(crate) struct Completion<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) created: i64,
    pub(crate) model: &'a str,
    #[serde(flatten)]
    pub(crate) usages: Usages,
    pub(crate) choices: Vec<Choice<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Choice<'a> {
    pub(crate) index: u64,
    pub(crate) message: Message<'a>,
    pub(crate) finish_reason: &'static str,
}

#[derive(Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) role: &'static str,
    pub(crate) tool_calls: Option<Vec<ToolCall<'a>>>,
    pub(crate) content: &'a str,
}

#[derive(Serialize)]
pub(crate) struct ToolCall<'a> {
    pub(crate) id: &'a str,
    pub(crate) function: Function<'a>,
    pub(crate) index: u64,
}

#[derive(Serialize)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) arguments: &'a str,
}

/// One event of a stream.
#[derive(Serialize)]
pub(crate) struct Event<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) created: i64,
    pub(crate) model: &'a str,
    pub(crate) choices: &'a [Part<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
}

#[derive(Serialize)]
pub(crate) struct Part<'a> {
    pub(crate) index: u64,
    pub(crate) delta: Delta<'a>,
    pub(crate) finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
pub(crate) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    pub(crate) content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_calls: Option<[ToolCall<'a>; 1]>,
}

/// An embeddings answer.
#[derive(Serialize)]
pub(crate) struct Embeddings<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) data: Vec<Embedding>,
    pub(crate) model: &'a str,
    #[serde(flatten)]
    pub(crate) usages: Usages,
}

#[derive(Serialize)]
pub(crate) struct Embedding {
    pub(crate) object: &'static str,
    pub(crate) embedding: Vector,
    pub(crate) index: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

/// What an answer says it used; signed, since a fault may say anything.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: i64,
    pub(crate) completion_tokens: i64,
    pub(crate) total_tokens: i64,
    pub(crate) prompt_tokens_details: Cached,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cached {
    pub(crate) cached_tokens: i64,
}

/// The usages an answer reports: normally just the last.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Usages {
    #[serde(rename = "usage", skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Usage>,
    #[serde(rename = "usage", skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Usage>,
}

impl Usages {
    /// What is reported of this true usage under this plan.
    pub(crate) fn of(prompt: u64, completion: u64, plan: &Plan) -> Self {
        let cached = plan.directions.cached_tokens.min(prompt) / 64 * 64;
        let usage = |completion: u64| {
            signed(
                signed_tokens(prompt),
                signed_tokens(completion),
                signed_tokens(prompt.saturating_add(completion)),
                cached,
            )
        };
        if plan.has(&Fault::NoUsage) {
            return Self { before: None, last: None };
        }
        let wrong = plan.faults.iter().find_map(|fault| match fault {
            Fault::WrongUsage { prompt, completion, total } => {
                Some(signed(*prompt, *completion, *total, cached))
            }
            _ => None,
        });
        let before = plan.has(&Fault::TwoUsages).then(|| usage(completion / 2));
        Self { before, last: Some(wrong.unwrap_or_else(|| usage(completion))) }
    }
}

fn signed(prompt_tokens: i64, completion_tokens: i64, total_tokens: i64, cached: u64) -> Usage {
    let prompt_tokens_details = Cached { cached_tokens: signed_tokens(cached) };
    Usage { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details }
}

fn signed_tokens(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
