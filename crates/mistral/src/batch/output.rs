//! One line of a batch's output: how the request went, and what it used.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::usage::{BadUsage, Usage};

/// A line of an output file or of an error file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Whether the request was answered.
    pub answered: bool,
    /// The model that the answer names.
    pub model: Option<String>,
    /// What it used, where the line says so.
    pub usage: Option<Result<Usage, BadUsage>>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    status_code: Option<u64>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    usage_info: Option<&'a RawValue>,
}

/// Reads a line; `None` when it is no line of an output.
pub fn read(line: &[u8]) -> Option<OutputLine> {
    let wire: Wire<'_> = serde_json::from_slice(line).ok()?;
    let Some(response) = wire.response else {
        return Some(OutputLine { answered: false, model: None, usage: None });
    };
    // A body that is no object of known fields says nothing of usage.
    let body = response.body.and_then(|body| serde_json::from_str::<Body<'_>>(body.get()).ok());
    let said = body.as_ref().and_then(|body| body.usage.or(body.usage_info));
    Some(OutputLine {
        answered: response.status_code.is_none_or(|status| status < 400),
        usage: said.map(|usage| Usage::parse(usage.get().as_bytes())),
        model: body.and_then(|body| body.model.map(std::borrow::Cow::into_owned)),
    })
}
