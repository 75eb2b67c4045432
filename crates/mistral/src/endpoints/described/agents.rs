//! The bodies of requests to agents and in conversations: the fields that Louver reads and lets pass, and no others.

use super::Endpoint;
use super::requests::{chat, maybe};
use serde_json::{Map, Value, json};

/// The name of an endpoint's body.
pub(super) const fn name(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::AgentsCompletions => Some("AgentsCompletionRequest"),
        Endpoint::CreateAgent => Some("AgentCreationRequest"),
        Endpoint::UpdateAgent => Some("AgentUpdateRequest"),
        Endpoint::StartConversation => Some("ConversationRequest"),
        Endpoint::AppendConversation => Some("ConversationAppendRequest"),
        Endpoint::RestartConversation => Some("ConversationRestartRequest"),
        _ => None,
    }
}

/// The bodies, with the fields that each must have.
pub(super) fn bodies() -> [(&'static str, Map<String, Value>, &'static [&'static str]); 6] {
    let id = json!({"type": "string", "description": "An agent of the workspace."});
    let mut completion = chat();
    completion.remove("model");
    completion.insert("agent_id".into(), id);
    [
        ("AgentsCompletionRequest", completion, &["agent_id", "messages"]),
        ("AgentCreationRequest", named(agent()), &["model", "name"]),
        ("AgentUpdateRequest", named(agent()), &[]),
        ("ConversationRequest", named(turn().into_iter().chain(start())), &["inputs"]),
        ("ConversationAppendRequest", named(turn().into_iter().chain([confirmations()])), &[]),
        (
            "ConversationRestartRequest",
            named(turn().into_iter().chain(restart()).chain([confirmations()])),
            &["from_entry_id"],
        ),
    ]
}

type Field = (&'static str, Value);

fn named(fields: impl IntoIterator<Item = Field>) -> Map<String, Value> {
    fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn list(items: &str, description: &str) -> Value {
    json!({"type": ["array", "null"], "items": {"type": items}, "description": description})
}

fn model() -> Field {
    ("model", maybe("string", "The model: an id or another name of it. What goes upstream is the id."))
}

fn tools() -> Field {
    ("tools", list("object", "Functions, and tools that the rules allow upstream to run."))
}

fn args() -> Field {
    ("completion_args", maybe("object", "Arguments of each completion; `max_tokens` stands here."))
}

fn guardrails() -> Field {
    ("guardrails", list("object", "Models that they name are judged too."))
}

fn version() -> Field {
    let kinds = json!([{"type": "integer", "minimum": 0}, {"type": "string"}, {"type": "null"}]);
    ("agent_version", json!({"anyOf": kinds, "description": "A version of the agent, or a name of one."}))
}

fn agent() -> [Field; 11] {
    let never =
        json!({"type": ["boolean", "null"], "description": "`false` or nothing: agents are not published."});
    [
        model(),
        ("name", maybe("string", "Its name.")),
        ("description", maybe("string", "Handed on.")),
        ("instructions", maybe("string", "Counted with each call.")),
        tools(),
        args(),
        ("handoffs", list("string", "Agents of the workspace; all whom they lead to must be allowed.")),
        guardrails(),
        ("metadata", maybe("object", "Handed on.")),
        ("version_message", maybe("string", "Handed on.")),
        ("deployment_chat", never),
    ]
}

fn turn() -> [Field; 6] {
    let inputs =
        json!([{"type": "string"}, {"type": "array", "items": {"type": "object"}}, {"type": "null"}]);
    [
        ("inputs", json!({"anyOf": inputs, "description": "A text, or entries; none of them a handoff."})),
        ("stream", maybe("boolean", "The answer comes as events.")),
        ("store", maybe("boolean", "With `false` the conversation is gone at once.")),
        (
            "handoff_execution",
            json!({"enum": ["client", "server", null], "description": "Under a budget it is `client`."}),
        ),
        args(),
        ("metadata", maybe("object", "Handed on.")),
    ]
}

fn start() -> [Field; 8] {
    [
        model(),
        ("agent_id", maybe("string", "An agent of the workspace, in place of a model.")),
        version(),
        ("name", maybe("string", "Handed on.")),
        ("description", maybe("string", "Handed on.")),
        ("instructions", maybe("string", "Counted with each turn.")),
        tools(),
        guardrails(),
    ]
}

fn restart() -> [Field; 3] {
    let entry = json!({"type": "string", "description": "The last entry that is kept."});
    [("from_entry_id", entry), version(), guardrails()]
}

fn confirmations() -> Field {
    ("tool_confirmations", list("object", "Handed on."))
}
