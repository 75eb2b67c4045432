//! Agents: made, changed version by version, named by aliases, deleted; and completions by an agent.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Ask, absent, found, moment::rfc3339, nowhere, world::World, wrong};
use crate::{lenient, refusal, reply::Reply, route::Endpoint, simulator::Inner};

/// What a request says about an agent.
const FIELDS: [&str; 10] = [
    "model",
    "name",
    "description",
    "instructions",
    "tools",
    "completion_args",
    "guardrails",
    "handoffs",
    "metadata",
    "deployment_chat",
];

/// A stored agent.
pub(crate) struct Agent {
    /// The agent as it was in each version, version 0 first.
    pub(crate) versions: Vec<Map<String, Value>>,
    /// The version that is used when none is named.
    current: usize,
    /// Names of versions.
    aliases: Vec<(String, usize, i64)>,
}

impl Agent {
    /// The agent as it is shown in its current version.
    pub(crate) fn object(&self) -> Map<String, Value> {
        self.shown(self.current)
    }

    fn shown(&self, version: usize) -> Map<String, Value> {
        let mut object = self.versions.get(version).cloned().unwrap_or_default();
        object.insert("version".to_owned(), json!(version));
        object.insert("versions".to_owned(), (0..self.versions.len()).collect());
        let names = self.aliases.iter().filter(|(_, of, _)| *of == version).map(|(name, ..)| json!(name));
        object.insert("version_aliases".to_owned(), names.collect());
        object
    }

    /// A version by its number or an alias; without either the current one.
    fn version(&self, wanted: Option<&Value>) -> Option<usize> {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_null()) else { return Some(self.current) };
        let number = lenient::integer(wanted).and_then(|number| usize::try_from(number).ok());
        let alias = || {
            let name = wanted.as_str()?;
            self.aliases.iter().find(|(known, ..)| known == name).map(|(_, version, _)| *version)
        };
        number.or_else(alias).filter(|version| *version < self.versions.len())
    }

    /// The agent's settings in a version.
    pub(crate) fn at(&self, wanted: Option<&Value>) -> Option<&Map<String, Value>> {
        self.versions.get(self.version(wanted)?)
    }
}

/// The model of an agent in a version.
pub(crate) fn model(world: &World, id: &str, version: Option<&Value>) -> Option<String> {
    world.agents.get(id)?.at(version)?.get("model")?.as_str().map(str::to_owned)
}

fn agent<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Agent, Reply> {
    world.agents.get_mut(id).ok_or_else(|| absent("Agent"))
}

pub(crate) fn answer(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    match (ask.method, ask.path.as_slice()) {
        ("POST", []) => create(world, ask),
        ("GET", []) => found(&json!(ask.query.page(listed(world, ask), 20))),
        ("GET", ["pages"]) => {
            let (data, next) = ask.query.cursor(listed(world, ask), 20);
            found(&json!({"object": "list", "data": data, "next_page_token": next}))
        }
        ("GET", [id]) => {
            let wanted = ask.query.get("agent_version").map(|version| json!(version));
            shown(agent(world, id)?, wanted.as_ref())
        }
        ("PATCH", [id]) => change(agent(world, id)?, ask),
        ("DELETE", [id]) => {
            world.agents.remove(id).ok_or_else(|| absent("Agent"))?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("PATCH", [id, "version"]) => {
            let agent = agent(world, id)?;
            let wanted = ask.query.get("version").map(|version| json!(version));
            agent.current = agent.version(wanted.as_ref()).ok_or_else(|| absent("Agent version"))?;
            found(&Value::Object(agent.object()))
        }
        ("GET", [id, "versions"]) => {
            let agent = agent(world, id)?;
            let all = (0..agent.versions.len()).rev().map(|version| agent.shown(version)).collect();
            found(&json!(ask.query.page(all, 20)))
        }
        ("GET", [id, "versions", version]) => shown(agent(world, id)?, Some(&json!(version))),
        (_, [id, "aliases"]) => aliases(agent(world, id)?, ask),
        _ => nowhere(),
    }
}

fn shown(agent: &Agent, wanted: Option<&Value>) -> Result<Reply, Reply> {
    let version = agent.version(wanted).ok_or_else(|| absent("Agent version"))?;
    found(&Value::Object(agent.shown(version)))
}

/// What a body says about an agent; the model, if it is there, is a text.
fn said(body: &Map<String, Value>) -> Result<Map<String, Value>, Reply> {
    if let Some(model) = body.get("model").filter(|model| !model.is_string()) {
        return Err(wrong("model", "string_type", "Input should be a valid string", model.clone()));
    }
    let known = |(name, value): (&String, &Value)| {
        (FIELDS.contains(&name.as_str()) || name == "version_message").then(|| (name.clone(), value.clone()))
    };
    Ok(body.iter().filter_map(known).collect())
}

fn create(world: &mut World, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let body = ask.object()?;
    for name in ["model", "name"] {
        if !body.contains_key(name) {
            return Err(wrong(name, "missing", "Field required", Value::Object(body.clone())));
        }
    }
    let mut object: Map<String, Value> =
        FIELDS.map(|name| (name.to_owned(), Value::Null)).into_iter().collect();
    for (name, value) in
        [("tools", json!([])), ("completion_args", json!({})), ("deployment_chat", json!(false))]
    {
        object.insert(name.to_owned(), value);
    }
    object.extend(said(body)?.into_iter().filter(|(_, value)| !value.is_null()));
    let id = world.id("ag_");
    let now = rfc3339(ask.now);
    let more = json!({"object": "agent", "id": id, "created_at": now, "updated_at": now, "source": "api"});
    object.extend(more.as_object().cloned().unwrap_or_default());
    let versions = vec![world.owned(object)];
    let agent = Agent { versions, current: 0, aliases: Vec::new() };
    let object = agent.object();
    world.agents.put(&id, agent);
    found(&Value::Object(object))
}

fn change(agent: &mut Agent, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let mut object = agent.versions.get(agent.current).cloned().unwrap_or_default();
    object.extend(said(ask.object()?)?);
    object.insert("updated_at".to_owned(), json!(rfc3339(ask.now)));
    agent.versions.push(object);
    agent.current = agent.versions.len().saturating_sub(1);
    found(&Value::Object(agent.object()))
}

/// The agents that are asked for, newest first.
fn listed(world: &World, ask: &Ask<'_>) -> Vec<Map<String, Value>> {
    let query = &ask.query;
    let text = |object: &Map<String, Value>, name: &str| {
        object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let all = world.agents.iter().rev().map(Agent::object).filter(|object| {
        query.wants("id", Some(&text(object, "id")))
            && query.wants("name", Some(&text(object, "name")))
            && text(object, "name").contains(query.get("search").unwrap_or_default())
    });
    all.collect()
}

fn aliases(agent: &mut Agent, ask: &Ask<'_>) -> Result<Reply, Reply> {
    let shown = |(name, version, at): &(String, usize, i64)| {
        let at = rfc3339(*at);
        json!({"alias": name, "version": version, "created_at": at, "updated_at": at})
    };
    let alias = ask.query.get("alias");
    match (ask.method, alias) {
        ("GET", _) => found(&agent.aliases.iter().map(shown).collect()),
        ("PUT", Some(alias)) => {
            let wanted = ask.query.get("version").map(|version| json!(version));
            let version = agent.version(wanted.as_ref()).ok_or_else(|| absent("Agent version"))?;
            let named = (alias.to_owned(), version, ask.now);
            agent.aliases.retain(|(known, ..)| known != alias);
            let answer = shown(&named);
            agent.aliases.push(named);
            found(&answer)
        }
        ("DELETE", Some(alias)) => {
            let before = agent.aliases.len();
            agent.aliases.retain(|(known, ..)| known != alias);
            if agent.aliases.len() == before {
                Err(absent("Alias"))
            } else {
                Ok(Reply::empty(StatusCode::NO_CONTENT))
            }
        }
        ("PUT" | "DELETE", None) => Err(wrong("alias", "missing", "Field required", Value::Null)),
        _ => nowhere(),
    }
}

impl Inner {
    /// A chat with an agent: with its model, its instructions and its settings.
    pub(super) fn agent_completion(&self, ask: &Ask<'_>, call: u64) -> Result<Reply, Reply> {
        let mut body = ask.object()?.clone();
        let Some(Value::String(id)) = body.remove("agent_id") else {
            return Err(wrong("agent_id", "missing", "Field required", Value::Object(body)));
        };
        let settings = self.world(ask.bearer, |world| world.agents.get(&id)?.at(None).cloned());
        let settings = settings.ok_or_else(|| absent("Agent"))?;
        if body.contains_key("model") {
            let problem = wrong("model", "extra_forbidden", "Extra inputs are not permitted", Value::Null);
            return Err(problem);
        }
        let setting = |name: &str| settings.get(name).filter(|value| !value.is_null()).cloned();
        if let Some(Value::Object(arguments)) = setting("completion_args") {
            for (name, value) in arguments.into_iter().filter(|(_, value)| !value.is_null()) {
                body.entry(name).or_insert(value);
            }
        }
        if let Some(tools) = setting("tools") {
            body.entry("tools").or_insert(tools);
        }
        if let (Some(instructions), Some(Value::Array(messages))) =
            (setting("instructions"), body.get_mut("messages"))
        {
            messages.insert(0, json!({"role": "system", "content": instructions}));
        }
        let model = setting("model").ok_or_else(|| refusal::invalid_model(""))?;
        body.insert("model".to_owned(), model);
        Ok(self.inferred(Endpoint::Chat, &Value::Object(body), ask, call))
    }
}
