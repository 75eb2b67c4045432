//! Built-in tools, which the service itself runs: what is called, and how many tokens that puts in.

use serde_json::Value;

use crate::{billed::ToolCalls, work::Work};

/// What one call of a tool puts in at least.
const FEW: u64 = 100;
/// And at most.
const MANY: u64 = 900;

/// The built-in tools that a request lists, each as often as it stands there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Builtin(ToolCalls);

impl Builtin {
    /// Those among the tools of a request.
    pub(crate) fn among(tools: &Value) -> Self {
        let mut listed = ToolCalls::default();
        for tool in tools.as_array().into_iter().flatten() {
            // Whatever is no built-in tool is not counted.
            let _ = listed.count(tool.get("type").and_then(Value::as_str).unwrap_or_default(), 1);
        }
        Self(listed)
    }

    /// Calls each tool, and says how often and with how many tokens. `hash` stands for the request.
    pub(crate) fn run(self, work: &Work<'_>, hash: u64) -> (ToolCalls, u64) {
        let times = work.plan.directions.tool_calls.unwrap_or(1).min(1000);
        let (mut calls, mut tokens) = (ToolCalls::default(), 0_u64);
        for (index, (name, listed)) in (0..).zip(self.0.iter()) {
            let mut random = work.random(&[hash, index, 6]);
            let called = listed.saturating_mul(times);
            let _ = calls.count(name, called);
            let each = random.between(FEW, MANY);
            tokens = tokens.saturating_add(each.saturating_mul(called));
        }
        (calls, tokens)
    }
}
