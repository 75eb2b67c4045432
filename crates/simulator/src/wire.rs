//! The JSON of answers, field by field in Mistral's order.

use serde::Serialize;

use crate::usage::{Usage, Usages};

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
