//! Conversations: started, appended to, restarted, read and deleted.

mod events;
mod turn;

pub use turn::Turn;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Ask, absent, agents, found, invalid, moment::rfc3339, nowhere, world::World, wrong};
use crate::{
    lenient::{self, Fields},
    reply::Reply,
    simulator::Inner,
};

/// What a request to start a conversation may say.
const START: &[&str] = &[
    "inputs",
    "stream",
    "store",
    "handoff_execution",
    "instructions",
    "tools",
    "completion_args",
    "guardrails",
    "name",
    "description",
    "metadata",
    "agent_id",
    "agent_version",
    "model",
];
/// What a request to go on may say.
const GO_ON: &[&str] = &[
    "inputs",
    "stream",
    "store",
    "handoff_execution",
    "completion_args",
    "guardrails",
    "metadata",
    "tool_confirmations",
    "agent_version",
    "from_entry_id",
];
/// The kinds of entries that a request may put in.
const ENTRIES: [&str; 6] = [
    "message.input",
    "message.output",
    "function.result",
    "function.call",
    "tool.execution",
    "agent.handoff",
];

/// A stored conversation.
#[derive(Clone)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    /// The conversation as it is shown.
    pub(crate) object: Map<String, Value>,
    pub(crate) entries: Vec<Value>,
}

impl Conversation {
    fn setting(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }
}

/// The model of a conversation: its own or its agent's.
pub(crate) fn model(world: &World, id: &str) -> Option<String> {
    let conversation = world.conversations.get(id)?;
    match conversation.setting("agent_id") {
        Some(agent) => agents::model(world, agent.as_str()?, conversation.setting("agent_version")),
        None => conversation.setting("model")?.as_str().map(str::to_owned),
    }
}

pub(crate) fn answer(inner: &Inner, ask: &Ask<'_>) -> Result<Reply, Reply> {
    inner.world(ask.bearer, |world| match (ask.method, ask.path.as_slice()) {
        ("POST", []) => start(inner, world, ask),
        ("POST", [id]) => append(inner, world, ask, id),
        ("POST", [id, "restart"]) => restart(inner, world, ask, id),
        ("GET", []) => {
            let all = world.conversations.iter().rev().map(|conversation| &conversation.object).collect();
            found(&json!(ask.query.page(all, 100)))
        }
        ("GET", [id]) => found(&json!(conversation(world, id)?.object)),
        ("DELETE", [id]) => {
            world.conversations.remove(id).ok_or_else(|| absent("Conversation"))?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("GET", [id, "history"]) => {
            let entries = &conversation(world, id)?.entries;
            found(&json!({"object": "conversation.history", "conversation_id": id, "entries": entries}))
        }
        ("GET", [id, "messages"]) => {
            let said = |entry: &&Value| {
                entry.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("message."))
            };
            let messages: Vec<&Value> = conversation(world, id)?.entries.iter().filter(said).collect();
            found(&json!({"object": "conversation.messages", "conversation_id": id, "messages": messages}))
        }
        _ => nowhere(),
    })
}

fn conversation<'a>(world: &'a World, id: &str) -> Result<&'a Conversation, Reply> {
    world.conversations.get(id).ok_or_else(|| absent("Conversation"))
}

/// The body of a request for a turn, with its plain fields looked at.
fn body<'a>(ask: &Ask<'a>, known: &[&str]) -> Result<&'a Map<String, Value>, Reply> {
    let body = ask.object()?;
    let mut fields = Fields::of(body, &["body"], known);
    fields.flag("stream");
    fields.flag("store");
    if fields.problems.is_empty() { Ok(body) } else { Err(invalid(&fields.problems)) }
}

fn start(inner: &Inner, world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let body = body(ask, START)?;
    let field = |name: &str| body.get(name).filter(|value| !value.is_null());
    match (field("model"), field("agent_id")) {
        (Some(Value::String(_)), None) | (None, Some(Value::String(_))) => {}
        (None, None) => return Err(wrong("model", "missing", "Field required", json!(body))),
        (Some(given), None) | (None, Some(given)) => {
            return Err(wrong("model", "string_type", "Input should be a valid string", given.clone()));
        }
        (Some(_), Some(_)) => {
            let msg = "Value error, model and agent_id cannot both be given";
            return Err(wrong("model", "value_error", msg, json!(body)));
        }
    }
    let kept = if field("agent_id").is_some() {
        &["name", "description", "metadata", "agent_id", "agent_version", "guardrails"][..]
    } else {
        &[
            "name",
            "description",
            "metadata",
            "model",
            "instructions",
            "tools",
            "completion_args",
            "guardrails",
        ]
    };
    // What a list or an object would be is never null: Mistral's TypeScript client refuses to read that.
    let missing = |name: &str| match name {
        "tools" => json!([]),
        "completion_args" => json!({}),
        _ => Value::Null,
    };
    let value = |name: &str| field(name).cloned().unwrap_or_else(|| missing(name));
    let mut object: Map<String, Value> = kept.iter().map(|name| ((*name).to_owned(), value(name))).collect();
    // An agent's conversation may bring settings of its own for all its turns.
    for name in ["instructions", "tools", "completion_args"] {
        if let Some(value) = field(name) {
            object.insert(name.to_owned(), value.clone());
        }
    }
    let fresh = fresh(world, ask, object, Vec::new());
    take_turn(inner, world, ask, fresh, body)
}

/// A conversation with an id of its own.
fn fresh(
    world: &mut World,
    ask: &Ask<'_>,
    mut object: Map<String, Value>,
    entries: Vec<Value>,
) -> Conversation {
    let id = world.id("conv_");
    let now = rfc3339(ask.now);
    for (name, value) in [
        ("object", json!("conversation")),
        ("id", json!(id)),
        ("created_at", json!(now)),
        ("updated_at", json!(now)),
    ] {
        object.insert(name.to_owned(), value);
    }
    Conversation { id, object: world.owned(object), entries }
}

fn append(inner: &Inner, world: &mut World, ask: &Ask<'_>, id: &str) -> Result<Reply, Reply> {
    let body = body(ask, GO_ON)?;
    let mut going = conversation(world, id)?.clone();
    going.object.insert("updated_at".to_owned(), json!(rfc3339(ask.now)));
    take_turn(inner, world, ask, going, body)
}

fn restart(inner: &Inner, world: &mut World, ask: &Ask<'_>, id: &str) -> Result<Reply, Reply> {
    let body = body(ask, GO_ON)?;
    let old = conversation(world, id)?.clone();
    let Some(from) = body.get("from_entry_id") else {
        return Err(wrong("from_entry_id", "missing", "Field required", json!(body)));
    };
    let at = old.entries.iter().position(|entry| entry.get("id") == Some(from));
    let kept = at.ok_or_else(|| absent("Entry"))? + 1;
    let mut again = fresh(world, ask, old.object, old.entries.into_iter().take(kept).collect());
    for name in ["agent_version", "metadata"] {
        if let Some(value) = body.get(name).filter(|value| !value.is_null()) {
            again.object.insert(name.to_owned(), value.clone());
        }
    }
    take_turn(inner, world, ask, again, body)
}

/// Puts the inputs behind the entries, lets the model speak, and keeps what came of it.
fn take_turn(
    inner: &Inner,
    world: &mut World,
    ask: &Ask<'_>,
    mut conversation: Conversation,
    body: &Map<String, Value>,
) -> Result<Reply, Reply> {
    let said = inputs(world, ask, body.get("inputs"))?;
    conversation.entries.extend(said);
    let turn = turn::run(inner, world, ask, &conversation, body)?;
    conversation.entries.extend(turn.outputs.iter().map(|output| output.entry.clone()));
    let flag = |name: &str, default| body.get(name).and_then(lenient::boolean).unwrap_or(default);
    let reply = if flag("stream", false) {
        events::reply(&turn, &conversation.id, ask)
    } else {
        turn.reply(&conversation.id, ask)
    };
    turn.book(inner, ask, &conversation.id);
    if flag("store", true) {
        match world.conversations.get_mut(&conversation.id) {
            Some(stored) => *stored = conversation,
            None => world.conversations.put(&conversation.id.clone(), conversation),
        }
    }
    Ok(reply)
}

/// The entries that a request puts in; a bare text is a user's message.
fn inputs(world: &mut World, ask: &Ask<'_>, inputs: Option<&Value>) -> Result<Vec<Value>, Reply> {
    let given = match inputs {
        None | Some(Value::Null) => Vec::new(),
        Some(text @ Value::String(_)) => vec![json!({"role": "user", "content": text})],
        Some(Value::Array(list)) => list.clone(),
        Some(other) => {
            return Err(wrong("inputs", "list_type", "Input should be a valid list", other.clone()));
        }
    };
    let now = rfc3339(ask.now);
    let entry = |given: Value| {
        let kind = given.get("type").and_then(Value::as_str).unwrap_or("message.input").to_owned();
        let Value::Object(mut entry) = given else {
            return Err(wrong("inputs", "model_attributes_type", "Input should be an object", given));
        };
        if !ENTRIES.contains(&kind.as_str()) {
            return Err(wrong("inputs", "union_tag_invalid", "Input has no known type", json!(entry)));
        }
        for (name, value) in [
            ("object", json!("entry")),
            ("type", json!(kind)),
            ("created_at", json!(now)),
            ("completed_at", json!(now)),
            ("id", json!(world.id(if kind.starts_with("function") { "fc_" } else { "msg_" }))),
        ] {
            entry.entry(name).or_insert(value);
        }
        Ok(Value::Object(entry))
    };
    given.into_iter().map(entry).collect()
}
