//! A turn of a conversation as server-sent events, each with its name.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{super::moment::rfc3339, Ask, turn::Ran};
use crate::{billed::Billed, reply::Reply, token};

/// The stream of a turn.
pub(super) fn reply(ran: &Ran, conversation: &str, ask: &Ask<'_>) -> Reply {
    let now = json!(rfc3339(ask.now));
    let mut events = vec![(
        event(json!({"type": "conversation.response.started", "created_at": now,
                "conversation_id": conversation})),
        0,
    )];
    for (index, output) in ran.outputs.iter().enumerate() {
        for (kind, mut data, tokens) in parts(&output.entry, output.tokens, ask) {
            if let Value::Object(data) = &mut data {
                data.insert("type".to_owned(), json!(kind));
                data.insert("created_at".to_owned(), now.clone());
                data.insert("output_index".to_owned(), json!(index));
                data.insert("id".to_owned(), output.entry.get("id").cloned().unwrap_or_default());
            }
            events.push((event(data), tokens));
        }
    }
    let mut done = json!({"type": "conversation.response.done", "created_at": now});
    if let (Value::Object(done), Some(usage)) = (&mut done, ran.usage(ask)) {
        done.insert("usage".to_owned(), usage);
    }
    events.push((event(done), 0));
    let said: u64 = events.iter().map(|(_, tokens)| tokens).sum();
    let own = ran.own();
    let head = Billed {
        completion: own.completion.saturating_sub(said),
        total: own.total.saturating_sub(said),
        ..own
    };
    Reply::named_events(events).bill(head)
}

/// The events of one entry, each with its tokens.
fn parts(entry: &Value, tokens: u64, ask: &Ask<'_>) -> Vec<(&'static str, Value, u64)> {
    let field = |name: &str| entry.get(name).cloned().unwrap_or_default();
    match entry.get("type").and_then(Value::as_str) {
        Some("message.output") => {
            let content = entry.get("content").and_then(Value::as_str).unwrap_or_default();
            let chunks = token::chunks(content, ask.plan.directions.chunks.unwrap_or(u64::MAX)).into_iter();
            let delta = |(text, said): (&str, u64)| {
                let data = json!({"content_index": 0, "model": field("model"), "agent_id": field("agent_id"),
                    "role": "assistant", "content": text});
                ("message.output.delta", data, if tokens > 0 { said } else { 0 })
            };
            chunks.map(delta).collect()
        }
        Some("function.call") => {
            let data = json!({"model": field("model"), "agent_id": field("agent_id"), "name": field("name"),
                "tool_call_id": field("tool_call_id"), "arguments": field("arguments")});
            vec![("function.call.delta", data, tokens)]
        }
        Some("tool.execution") => {
            let started = json!({"name": field("name"), "arguments": field("arguments"),
                "model": field("model"), "agent_id": field("agent_id")});
            let done = json!({"name": field("name"), "info": field("info")});
            vec![("tool.execution.started", started, 0), ("tool.execution.done", done, 0)]
        }
        _ => {
            let started = json!({"previous_agent_id": field("previous_agent_id"),
                "previous_agent_name": field("previous_agent_name")});
            let done =
                json!({"next_agent_id": field("next_agent_id"), "next_agent_name": field("next_agent_name")});
            vec![("agent.handoff.started", started, 0), ("agent.handoff.done", done, 0)]
        }
    }
}

/// An event under the name that its data has as type.
pub(crate) fn event(data: Value) -> Bytes {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}
