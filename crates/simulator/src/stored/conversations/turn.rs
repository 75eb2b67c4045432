//! One turn of a conversation: tools are run, the model speaks, agents hand over to each other.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{super::moment::rfc3339, Ask, Conversation, World, absent};
use crate::{
    billed::{Billed, ToolCalls},
    books::Account,
    fault::Fault,
    prose::{Random, hash},
    refusal,
    reply::Reply,
    route::Endpoint,
    sample,
    simulator::Inner,
    stored::Noun,
    token::{count, count_value},
};

/// A message has at least and at most so many tokens, if nothing else is asked for.
const SPOKEN: (u64, u64) = (12, 60);
/// One call of a tool puts in at least and at most so many tokens.
const PUT_IN: (u64, u64) = (100, 900);
/// No turn goes through more agents.
const AGENTS: usize = 16;
/// So many records of turns are kept.
const KEPT: usize = 100_000;

/// What one model did in a turn of a conversation, and what it is billed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The conversation's id.
    pub conversation: String,
    /// The model that spoke.
    pub model: String,
    /// The agent that it spoke as.
    pub agent: Option<String>,
    /// What a provider would bill, all of it, whether or not it could be delivered.
    pub billed: Billed,
}

/// Who speaks.
struct Speaker {
    model: String,
    agent: Option<String>,
    name: Option<String>,
    settings: Map<String, Value>,
}

impl Speaker {
    fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.get(name).filter(|value| !value.is_null())
    }

    fn list(&self, name: &str) -> &[Value] {
        self.setting(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn number(&self, name: &str) -> Option<u64> {
        crate::lenient::integer(self.setting("completion_args")?.get(name)?)?.try_into().ok()
    }
}

/// One entry that came of a turn.
pub(super) struct Output {
    pub(super) entry: Value,
    /// The tokens said in it that go out, and are billed, event by event.
    pub(super) tokens: u64,
}

/// All that came of a turn.
pub(super) struct Ran {
    pub(super) outputs: Vec<Output>,
    /// What each speaker is billed for, the first one first.
    hops: Vec<(String, Option<String>, Billed)>,
    connectors: BTreeMap<String, u64>,
}

/// Lets the conversation's model or agent answer, and whoever it hands over to.
pub(super) fn run(
    inner: &Inner,
    world: &mut World,
    ask: &Ask<'_>,
    conversation: &Conversation,
    body: &Map<String, Value>,
) -> Result<Ran, Reply> {
    let mut speaker = Some(first(world, conversation, body)?);
    let mut ran = Ran { outputs: Vec::new(), hops: Vec::new(), connectors: BTreeMap::new() };
    let mut spoken = BTreeSet::new();
    while let Some(now) = speaker.take() {
        let context = inner.config.model(&now.model, Endpoint::Chat);
        let context = context.ok_or_else(|| refusal::invalid_model(&now.model))?.context;
        let prompt = prompt(&now, conversation, &ran);
        if prompt > context {
            return Err(refusal::too_long(prompt, context));
        }
        spoken.extend(now.agent.clone());
        let handed = speak(&mut ran, world, ask, conversation, &now, prompt, context);
        let quiet = wishes(conversation, "no handoff") || handed || spoken.len() >= AGENTS;
        let next = if quiet { None } else { next(world, &now, &spoken) };
        if let Some(next) = next {
            hand_over(&mut ran, world, ask, &now, &next);
            let client = body.get("handoff_execution").and_then(Value::as_str) == Some("client");
            speaker = (!client).then_some(next);
        }
    }
    Ok(ran)
}

/// Who answers first.
fn first(world: &World, conversation: &Conversation, body: &Map<String, Value>) -> Result<Speaker, Reply> {
    let mut speaker = match conversation.setting("agent_id").and_then(Value::as_str) {
        Some(id) => {
            as_agent(world, id, conversation.setting("agent_version")).ok_or_else(|| absent("Agent"))?
        }
        None => {
            let model = conversation.setting("model").and_then(Value::as_str).unwrap_or_default();
            Speaker { model: model.to_owned(), agent: None, name: None, settings: Map::new() }
        }
    };
    for name in ["instructions", "tools", "completion_args"] {
        let given = body.get(name).filter(|value| !value.is_null()).or_else(|| conversation.setting(name));
        if let Some(value) = given {
            speaker.settings.insert(name.to_owned(), value.clone());
        }
    }
    Ok(speaker)
}

fn as_agent(world: &World, id: &str, version: Option<&Value>) -> Option<Speaker> {
    let settings = world.agents.get(id)?.at(version)?.clone();
    let text = |name: &str| settings.get(name).and_then(Value::as_str).map(str::to_owned);
    let (model, name) = (text("model")?, text("name"));
    Some(Speaker { model, agent: Some(id.to_owned()), name, settings })
}

/// The first of an agent's handoffs that has not spoken.
fn next(world: &World, speaker: &Speaker, spoken: &BTreeSet<String>) -> Option<Speaker> {
    let ids = speaker.list("handoffs").iter().filter_map(Value::as_str);
    ids.filter(|id| !spoken.contains(*id)).find_map(|id| as_agent(world, id, None))
}

/// The tokens of all that a speaker reads: its instructions, its tools, and the whole history.
fn prompt(speaker: &Speaker, conversation: &Conversation, ran: &Ran) -> u64 {
    let own = speaker.setting("instructions").map_or(0, count_value);
    let tools: u64 = speaker.list("tools").iter().map(count_value).sum();
    let history: u64 = conversation.entries.iter().map(entry_tokens).sum();
    let now: u64 = ran.outputs.iter().map(|output| entry_tokens(&output.entry)).sum();
    own.saturating_add(tools).saturating_add(history).saturating_add(now)
}

/// The tokens of what an entry says.
fn entry_tokens(entry: &Value) -> u64 {
    let said = ["content", "result", "arguments"].map(|name| match entry.get(name) {
        None | Some(Value::Null) => 0,
        Some(Value::Array(chunks)) => {
            chunks.iter().map(|chunk| chunk.get("text").map_or_else(|| count_value(chunk), count_value)).sum()
        }
        Some(value) => count_value(value),
    });
    said.iter().sum()
}

/// Whether the newest message of a user says this.
fn wishes(conversation: &Conversation, words: &str) -> bool {
    let user = |entry: &&Value| entry.get("role").and_then(Value::as_str) == Some("user");
    let newest = conversation.entries.iter().rfind(user).and_then(|entry| entry.get("content"));
    newest.is_some_and(|content| content.to_string().contains(words))
}

/// Runs the speaker's tools and lets it say something; says whether it called a function, which ends the turn.
fn speak(
    ran: &mut Ran,
    world: &mut World,
    ask: &Ask<'_>,
    conversation: &Conversation,
    speaker: &Speaker,
    prompt: u64,
    context: u64,
) -> bool {
    let history = json!(conversation.entries.iter().map(|entry| entry.get("content")).collect::<Vec<_>>());
    let seed = hash(11, history.to_string().as_bytes());
    let mut random = Random::of(&[ask.seed, seed, ran.hops.len() as u64]);
    let mut billed = Billed::new(prompt, 0);
    if !wishes(conversation, "no tools") {
        billed = run_tools(ran, world, ask, speaker, &mut random, billed);
    }
    let call = called(speaker);
    let (entry, tokens) = match &call {
        Some((name, arguments)) => {
            let entry = json!({"type": "function.call", "id": world.id("fc_"), "name": name,
                "tool_call_id": random.tool_id(), "arguments": arguments});
            (entry, count(name) + count(arguments))
        }
        None => {
            let drawn = random.between(SPOKEN.0, SPOKEN.1).max(ask.plan.directions.chunks.unwrap_or(0));
            let wanted = ask.plan.directions.tokens.unwrap_or(drawn);
            let most = speaker.number("max_tokens").unwrap_or(u64::MAX).min(context.saturating_sub(prompt));
            let tokens = wanted.min(most).min(1 << 17);
            let entry = json!({"type": "message.output", "id": world.id("msg_"), "role": "assistant",
                "content": random.prose(tokens)});
            (entry, tokens)
        }
    };
    billed.add(Billed::new(0, tokens));
    // Whoever comes after the first is billed at once, to its own model.
    let delivered = if ran.hops.is_empty() { tokens } else { 0 };
    ran.outputs.push(Output { entry: whole(entry, speaker, ask), tokens: delivered });
    ran.hops.push((speaker.model.clone(), speaker.agent.clone(), billed));
    call.is_some()
}

/// The function that a speaker must call, with arguments that fit.
fn called(speaker: &Speaker) -> Option<(String, String)> {
    let choice = speaker.setting("completion_args")?.get("tool_choice")?.as_str()?;
    let function = speaker.list("tools").iter().find_map(|tool| tool.get("function"))?;
    let arguments = function.get("parameters").map_or_else(|| json!({}), sample::fitting);
    let name = function.get("name")?.as_str()?.to_owned();
    ["any", "required"].contains(&choice).then(|| (name, sample::ascii(&arguments)))
}

/// Runs each built-in tool one to three times.
fn run_tools(
    ran: &mut Ran,
    world: &mut World,
    ask: &Ask<'_>,
    speaker: &Speaker,
    random: &mut Random,
    mut billed: Billed,
) -> Billed {
    for tool in speaker.list("tools") {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut calls = ToolCalls::default();
        let times = random.between(1, 3);
        if !calls.count(kind, times) {
            continue;
        }
        let counted = ran.connectors.entry(kind.to_owned()).or_default();
        *counted = counted.saturating_add(times);
        let mut tokens = 0_u64;
        for _ in 0..times {
            tokens = tokens.saturating_add(random.between(PUT_IN.0, PUT_IN.1));
            let arguments = json!({"query": random.prose(6)}).to_string();
            let entry = json!({"type": "tool.execution", "id": world.id("tool_exec_"), "name": kind,
                "arguments": arguments, "info": {}});
            ran.outputs.push(Output { entry: whole(entry, speaker, ask), tokens: 0 });
        }
        billed = billed.with_tools(calls, tokens);
    }
    billed
}

fn hand_over(ran: &mut Ran, world: &mut World, ask: &Ask<'_>, from: &Speaker, to: &Speaker) {
    let entry = json!({"type": "agent.handoff", "id": world.id("handoff_"),
        "previous_agent_id": from.agent, "previous_agent_name": from.name,
        "next_agent_id": to.agent, "next_agent_name": to.name});
    ran.outputs.push(Output { entry: whole(entry, from, ask), tokens: 0 });
}

/// An entry with what all have: when, by which model, as which agent.
fn whole(mut entry: Value, speaker: &Speaker, ask: &Ask<'_>) -> Value {
    if let Value::Object(entry) = &mut entry {
        for (name, value) in [
            ("object", json!("entry")),
            ("created_at", json!(rfc3339(ask.now))),
            ("completed_at", json!(rfc3339(ask.now))),
            ("model", json!(speaker.model)),
            ("agent_id", json!(speaker.agent)),
        ] {
            entry.insert(name.to_owned(), value);
        }
    }
    entry
}

impl Ran {
    /// What is reported as used: by all speakers together.
    pub(super) fn usage(&self, ask: &Ask<'_>) -> Option<Value> {
        let mut all = Billed::default();
        self.hops.iter().for_each(|(_, _, billed)| all.add(*billed));
        let connectors = (!self.connectors.is_empty()).then_some(&self.connectors);
        let told = ask.plan.faults.iter().find_map(|fault| match fault {
            Fault::WrongUsage { prompt, completion, total } => {
                Some(json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}))
            }
            _ => None,
        });
        let mut usage = told.unwrap_or_else(|| {
            json!({"prompt_tokens": all.prompt, "completion_tokens": all.completion, "total_tokens": all.total})
        });
        if let Value::Object(usage) = &mut usage {
            usage.insert("connector_tokens".to_owned(), json!(connectors.map(|_| all.connector)));
            usage.insert("connectors".to_owned(), json!(connectors));
        }
        (!ask.plan.has(&Fault::NoUsage)).then_some(usage)
    }

    /// What the first speaker is billed for.
    pub(super) fn own(&self) -> Billed {
        self.hops.first().map_or(Billed::default(), |(_, _, billed)| *billed)
    }

    /// The whole answer.
    pub(super) fn reply(&self, conversation: &str, ask: &Ask<'_>) -> Reply {
        let outputs: Vec<&Value> = self.outputs.iter().map(|output| &output.entry).collect();
        let mut answer =
            json!({"object": "conversation.response", "conversation_id": conversation, "outputs": outputs});
        if let (Value::Object(answer), Some(usage)) = (&mut answer, self.usage(ask)) {
            answer.insert("usage".to_owned(), usage);
        }
        Reply::json(StatusCode::OK, &answer).bill(self.own())
    }

    /// Keeps what each speaker did, and bills all but the first, whom the call itself is billed to.
    pub(super) fn book(self, inner: &Inner, ask: &Ask<'_>, conversation: &str) {
        for (model, _, billed) in self.hops.iter().skip(1).filter(|_| inner.keeps_books()) {
            let account = Account {
                bearer: Some(ask.bearer.to_owned()),
                name: ask.account.map(str::to_owned),
                model: Some(model.clone()),
                endpoint: Endpoint::Stored(Noun::Conversations),
                batch: ask.batch,
                ..Account::default()
            };
            let billed = Billed { batch: ask.batch, ..*billed };
            let sums = inner.books.call(account, ask.now);
            sums.bill(billed);
            sums.work(billed);
        }
        let conversation = conversation.to_owned();
        let turn = |(model, agent, billed)| Turn { conversation: conversation.clone(), model, agent, billed };
        let mut turns = inner.stored.turns();
        turns.extend(self.hops.into_iter().map(turn));
        let over = turns.len().saturating_sub(KEPT);
        turns.drain(..over);
    }
}
