//! Cuts a generated answer into server-sent events.

use bytes::Bytes;

use crate::{
    completion::{Choice, Generated},
    token,
    usage::Usage,
    wire::{Delta, Event, Part},
};

/// The last event of a stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// The events of a stream, each with the tokens in it: a role for every choice, the contents in turn, a finish
/// for every choice (the last with the usage) and the end mark.
pub(crate) fn events(answer: &Generated<'_>, chunks: Option<u64>) -> Vec<(Bytes, u64)> {
    let mut events = Vec::new();
    for index in (0..).zip(&answer.choices).map(|(index, _)| index) {
        let delta = Delta { role: Some("assistant"), ..Delta::default() };
        events.push((event(answer, &[Part { index, delta, finish_reason: None }], None), 0));
    }
    let mut contents: Vec<_> =
        answer.choices.iter().map(|choice| deltas(choice, chunks).into_iter()).collect();
    loop {
        let before = events.len();
        for (index, content) in (0..).zip(&mut contents) {
            if let Some((delta, tokens)) = content.next() {
                events.push((event(answer, &[Part { index, delta, finish_reason: None }], None), tokens));
            }
        }
        if events.len() == before {
            break;
        }
    }
    finish(answer, &mut events);
    events.push((Bytes::from_static(DONE), 0));
    events
}

/// What one choice says, bit by bit.
fn deltas(choice: &Choice, chunks: Option<u64>) -> Vec<(Delta<'_>, u64)> {
    if let Some(tool) = &choice.tool {
        return vec![(Delta { tool_calls: Some([tool.wire()]), ..Delta::default() }, choice.tokens)];
    }
    let chunks = token::chunks(&choice.text, chunks.unwrap_or(u64::MAX)).into_iter();
    chunks.map(|(content, tokens)| (Delta { content, ..Delta::default() }, tokens)).collect()
}

fn finish(answer: &Generated<'_>, events: &mut Vec<(Bytes, u64)>) {
    let usages = answer.usages;
    let last = answer.choices.len().saturating_sub(1);
    for (at, choice) in answer.choices.iter().enumerate() {
        let usage = if at == last { usages.before.or(usages.last) } else { None };
        let part = Part { index: at as u64, delta: Delta::default(), finish_reason: Some(choice.finish) };
        events.push((event(answer, &[part], usage), 0));
    }
    if usages.before.is_some() {
        events.push((event(answer, &[], usages.last), 0));
    }
}

fn event(answer: &Generated<'_>, choices: &[Part<'_>], usage: Option<Usage>) -> Bytes {
    let (id, model, created) = (answer.id.as_str(), answer.model, answer.created);
    let event = Event { id, object: "chat.completion.chunk", created, model, choices, usage };
    let mut text = Vec::with_capacity(256);
    text.extend_from_slice(b"data: ");
    // Shapes with string keys only cannot fail to be written into memory.
    let _ = serde_json::to_writer(&mut text, &event);
    text.extend_from_slice(b"\n\n");
    text.into()
}
