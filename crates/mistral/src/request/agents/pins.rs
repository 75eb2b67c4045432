//! What is pinned in a request to an agent or in a conversation before it goes upstream.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::endpoints::Endpoint;

use super::super::{Request, splice};

/// What is pinned in a request before it goes upstream.
#[derive(Debug, Clone, Default)]
pub struct Pins<'a> {
    /// The model, where the request names one.
    pub model: &'a str,
    /// The agent's version, where the request can name one.
    pub agent_version: Option<u64>,
    /// Whether the client must carry handoffs out.
    pub client_handoffs: bool,
    /// The most tokens of output.
    pub max_tokens: Option<u64>,
    /// Completion arguments that hold as long as the request gives none.
    pub args: Option<&'a Map<String, Value>>,
}

impl Request {
    /// The body for the upstream, where it has agents or conversations. `None` when it already says all that.
    ///
    /// `body` must be the bytes this request was read from.
    pub fn rewrite_turn(&self, body: &[u8], pins: &Pins<'_>) -> Option<Vec<u8>> {
        let turn = self.turn.as_deref()?;
        let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
        let mut added: Vec<String> = Vec::new();
        if !self.model_span.is_empty() {
            put(&mut edits, body, &self.model_span, &Value::from(pins.model));
        }
        if let Some(version) = pins.agent_version {
            place(
                &mut edits,
                &mut added,
                body,
                turn.version_span.as_ref(),
                ("agent_version", version.into()),
            );
        }
        if pins.client_handoffs {
            place(
                &mut edits,
                &mut added,
                body,
                turn.handoff_span.as_ref(),
                ("handoff_execution", "client".into()),
            );
        }
        if let Some(tokens) = pins.max_tokens {
            self.pin_tokens(tokens, pins, body, &mut edits, &mut added);
        }
        edits.extend(self.named_cache());
        let differs =
            |(span, literal): &(Range<usize>, Vec<u8>)| body.get(span.clone()) != Some(literal.as_slice());
        edits.extend(self.pinned_guards().filter(differs));
        if self.endpoint == Endpoint::AgentsCompletions && !self.priority_tier {
            let standard = ("service_tier", "standard_only".into());
            place(&mut edits, &mut added, body, self.tier_span.as_ref(), standard);
        }
        if !added.is_empty() {
            let comma = if turn.members { "," } else { "" };
            edits.push((turn.start..turn.start, format!("{}{comma}", added.join(",")).into_bytes()));
        }
        edits.sort_by_key(|(range, _)| range.start);
        (!edits.is_empty()).then(|| splice(body, &edits))
    }

    fn pin_tokens(
        &self,
        tokens: u64,
        pins: &Pins<'_>,
        body: &[u8],
        edits: &mut Vec<(Range<usize>, Vec<u8>)>,
        added: &mut Vec<String>,
    ) {
        let Some(turn) = self.turn.as_deref() else { return };
        if let Some(span) = &self.max_tokens_span {
            return put(edits, body, span, &tokens.into());
        }
        if self.endpoint == Endpoint::AgentsCompletions {
            return added.push(format!("\"max_tokens\":{tokens}"));
        }
        if let Some((start, members)) = turn.args {
            let comma = if members { "," } else { "" };
            return edits.push((start..start, format!("\"max_tokens\":{tokens}{comma}").into_bytes()));
        }
        let mut args = pins.args.cloned().unwrap_or_default();
        args.insert("max_tokens".to_owned(), tokens.into());
        let args = Value::Object(args);
        place(edits, added, body, turn.args_null.as_ref(), ("completion_args", args));
    }
}

/// Replaces what stands there, or adds a member.
fn place(
    edits: &mut Vec<(Range<usize>, Vec<u8>)>,
    added: &mut Vec<String>,
    body: &[u8],
    span: Option<&Range<usize>>,
    (name, value): (&str, Value),
) {
    match span {
        Some(span) => put(edits, body, span, &value),
        None => added.push(format!("\"{name}\":{value}")),
    }
}

/// Replaces what stands there, if it says something else.
fn put(edits: &mut Vec<(Range<usize>, Vec<u8>)>, body: &[u8], span: &Range<usize>, value: &Value) {
    let literal = value.to_string().into_bytes();
    if body.get(span.clone()) != Some(literal.as_slice()) {
        edits.push((span.clone(), literal));
    }
}
