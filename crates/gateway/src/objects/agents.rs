//! Agents: made, changed, named and deleted upstream; every version of every agent is known here, since calls name them.

pub(super) mod listed;

use super::{Deed, lists};
use crate::references::find;
use crate::reply::{Body, Failure};
use crate::turns::policy;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use louver_domain::id::UpstreamId;
use louver_domain::objects::ObjectKind;
use louver_mistral::request::{self, AgentVersion, Pins, Request};
use louver_store::objects::{self, Object};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What lists of versions may be asked by.
pub(super) const PAGES: &[&str] = &["page", "page_size"];
/// What an alias is given or taken by.
pub(super) const ALIAS: &[&str] = &["alias", "version"];

/// A change that began so long ago has ended, whatever became of it.
const LONGEST_CHANGE_MICROS: i64 = 3_600_000_000;
/// How often a change is tried when others change the same agent.
const TRIES: usize = 16;
/// Tokens of a template around what an agent brings along, and of prompts that upstream may add.
const AROUND: u64 = 512;

/// What is known of an agent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The version that is used when none is named.
    pub(crate) current: u64,
    pub(crate) versions: BTreeMap<u64, Version>,
    aliases: BTreeMap<String, Alias>,
    /// Changes whose outcome is not known: each may be what the agent is now.
    pub(crate) pending: Vec<Pending>,
}

/// An agent as it is in one version, as far as calls are judged by it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) model: String,
    /// Types of the tools that upstream runs by itself.
    pub(crate) tools: Vec<String>,
    pub(crate) handoffs: Vec<String>,
    /// Models of its guardrails.
    pub(crate) guardrails: Vec<String>,
    /// Tokens at most that it brings along.
    pub(crate) prompt: u64,
    pub(crate) args: Map<String, Value>,
    /// As upstream showed it.
    shown: Value,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Alias {
    version: u64,
    shown: Value,
}

/// A change on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    since: i64,
    /// The request that makes it.
    by: String,
    pub(crate) version: Version,
}

impl Known {
    /// Of an agent in the registry.
    pub(crate) fn of(object: &Object) -> Self {
        serde_json::from_str(&object.attributes).unwrap_or_default()
    }

    fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The number of a version that is known here.
    pub(crate) fn number(&self, wanted: Option<&AgentVersion>) -> Result<u64, Failure> {
        let number = match wanted {
            None => Some(self.current),
            Some(AgentVersion::Number(number)) => Some(*number),
            Some(AgentVersion::Alias(alias)) => self.aliases.get(alias).map(|alias| alias.version),
        };
        number.filter(|number| self.versions.contains_key(number)).ok_or(Failure::NoSuchObject)
    }

    fn current(&self) -> Version {
        self.versions.get(&self.current).cloned().unwrap_or_default()
    }

    fn shown(&self, number: u64) -> Value {
        let mut shown = self.versions.get(&number).map_or(Value::Null, |version| version.shown.clone());
        let aliases = self.aliases.iter().filter(|(_, alias)| alias.version == number);
        if let Some(members) = shown.as_object_mut() {
            members.insert("version".into(), number.into());
            members.insert("versions".into(), self.versions.keys().copied().collect());
            members.insert("version_aliases".into(), aliases.map(|(name, _)| name.as_str()).collect());
        }
        shown
    }

    fn begin(&mut self, by: &str, since: i64, version: Version) {
        self.pending.push(Pending { since, by: by.to_owned(), version });
    }

    /// The change came to be. Where others are on their way too, nobody knows which came last: all stay possible.
    fn came(&mut self, by: &str, now: i64, number: u64) {
        let version = self.versions.get(&number).cloned().unwrap_or_default();
        self.current = number;
        self.gone(by);
        self.pending.retain(|other| now.saturating_sub(other.since) < LONGEST_CHANGE_MICROS);
        if !self.pending.is_empty() {
            self.begin(&format!("{by} came"), now, version);
        }
    }

    /// The change was refused.
    fn gone(&mut self, by: &str) {
        self.pending.retain(|pending| pending.by != by);
    }
}

impl Version {
    /// What a request makes of an agent.
    fn asked(request: &Request, pinned: &str, before: Self) -> Self {
        let turn = request.turn.as_deref();
        let tools = if turn.is_some_and(|turn| turn.tools_given) {
            request.provider_tools.clone()
        } else {
            before.tools
        };
        Self {
            model: if request.model.is_empty() { before.model } else { pinned.to_owned() },
            tools,
            handoffs: turn.and_then(|turn| turn.handoffs.clone()).unwrap_or(before.handoffs),
            guardrails: before.guardrails.into_iter().chain(request.nested_models.iter().cloned()).collect(),
            prompt: before.prompt.saturating_add(request.input_token_bound()).saturating_add(AROUND),
            args: Map::new(),
            shown: Value::Null,
        }
    }

    /// What upstream says that an agent is now; what it does not say is as asked.
    fn told(said: &Value, asked: Self) -> Self {
        let list = |name: &str| said.get(name).and_then(Value::as_array);
        let texts =
            |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
        let guarded = list("guardrails").is_some_and(|list| !list.is_empty());
        Self {
            model: said.get("model").and_then(Value::as_str).map_or(asked.model, str::to_owned),
            tools: list("tools").map_or(asked.tools, |tools| provider_tools(tools)),
            handoffs: list("handoffs").map_or_else(
                || if said.get("handoffs").is_some() { Vec::new() } else { asked.handoffs },
                texts,
            ),
            guardrails: if guarded { asked.guardrails } else { Vec::new() },
            prompt: prompt(said),
            args: said.get("completion_args").and_then(Value::as_object).cloned().unwrap_or_default(),
            shown: said.clone(),
        }
    }
}

/// Types of the tools that upstream runs by itself.
fn provider_tools(tools: &[Value]) -> Vec<String> {
    let kinds = tools.iter().map(|tool| tool.get("type").and_then(Value::as_str).unwrap_or("function"));
    let mut kinds: Vec<String> = kinds.filter(|kind| *kind != "function").map(str::to_owned).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Tokens at most of instructions, tools and schemas: their bytes as they are written, with blanks between.
pub(crate) fn prompt(settings: &Value) -> u64 {
    let weigh = |name: &str| {
        let text =
            settings.get(name).filter(|value| !value.is_null()).map(Value::to_string).unwrap_or_default();
        let separators = text.bytes().filter(|byte| matches!(byte, b',' | b':')).count();
        u64::try_from(text.len().saturating_add(separators)).unwrap_or(u64::MAX)
    };
    let tools = settings.get("tools").and_then(Value::as_array).map_or(0, Vec::len);
    let fields = ["instructions", "tools", "completion_args"].map(weigh).into_iter();
    fields
        .fold(AROUND, u64::saturating_add)
        .saturating_add(u64::try_from(tools).unwrap_or(u64::MAX).saturating_mul(16))
}

/// Makes an agent: written down before upstream is asked, and there for clients once its id is known here.
pub(super) async fn create(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let request = read(deed)?;
    let (pinned, made_with) = judge(deed, &request).await?;
    let credential = match made_with {
        Some(id) => deed.exact_credential(id)?,
        None => deed.any_credential()?,
    };
    let object = deed.intended(ObjectKind::Agent, credential.credential().id);
    objects::intend(deed.gateway.store(), &object).await.map_err(Failure::store)?;
    let body = pinned_body(deed, &request, &pinned);
    let said = deed.ask(Method::POST, deed.asked.path(), &credential, Some(body)).await?;
    let id = said.value.get("id").and_then(Value::as_str);
    let Some(id) = id.filter(|_| said.status.is_success()) else {
        if said.status.is_client_error() {
            objects::withdraw(deed.gateway.store(), object.id).await.map_err(Failure::store)?;
        }
        return if said.status.is_success() { Err(Failure::UpstreamBroken) } else { deed.pass_on(&said) };
    };
    let asked = Version::asked(&request, &pinned, Version::default());
    let number = said.value.get("version").and_then(Value::as_u64).unwrap_or(0);
    let versions = BTreeMap::from([(number, Version::told(&said.value, asked))]);
    let known = Known { current: number, versions, ..Known::default() };
    let now = deed.visitor.now;
    let confirmed = objects::confirm(deed.gateway.store(), object.id, id, &known.written(), now).await;
    if !confirmed.map_err(Failure::store)? {
        return Err(Failure::AccountingUnavailable);
    }
    Ok(deed.reply(said.status, &said.value))
}

/// Makes a new version of an agent.
pub(super) async fn update(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let request = read(deed)?;
    let object = deed.object(ObjectKind::Agent).await?;
    let (pinned, made_with) = judge(deed, &request).await?;
    if made_with.is_some_and(|id| id != object.credential_id) {
        return Err(Failure::ObjectsApart);
    }
    let body = pinned_body(deed, &request, &pinned);
    let asked = Version::asked(&request, &pinned, Known::of(&object).current());
    change(deed, object, asked, deed.asked.path(), Some(body)).await
}

/// Switches an agent to another of its versions, if that may be called now.
pub(super) async fn switch(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let object = deed.object(ObjectKind::Agent).await?;
    let known = Known::of(&object);
    let number = known.number(Some(&wanted(deed, "version")?))?;
    let version = known.versions.get(&number).cloned().unwrap_or_default();
    policy::agent_model(&deed.caller, &version.model)?;
    policy::nested(&deed.caller, &version.guardrails)?;
    policy::tools(&deed.caller, &version.tools)?;
    let target = format!("{}?version={number}", deed.asked.path());
    change(deed, object, version, target, None).await
}

/// Sends a change. Until its outcome is known, the agent is both what it was and what it may become.
async fn change(
    deed: &Deed<'_>,
    object: Object,
    asked: Version,
    target: String,
    body: Option<Bytes>,
) -> Result<Response<Body>, Failure> {
    let by = deed.visitor.request_id.to_string();
    let now = deed.visitor.now.micros();
    let credential = deed.credential_of(&object)?;
    amend(deed, object, |known| known.begin(&by, now, asked.clone())).await?;
    let said = deed.ask(Method::PATCH, target, &credential, body).await?;
    let object = deed.object(ObjectKind::Agent).await?;
    if said.status.is_success() {
        let told = Version::told(&said.value, asked);
        let number = said.value.get("version").and_then(Value::as_u64);
        let number = number.ok_or(Failure::UpstreamBroken)?;
        amend(deed, object, |known| {
            known.versions.insert(number, told.clone());
            known.came(&by, now, number);
        })
        .await?;
    } else if said.status.is_client_error() {
        amend(deed, object, |known| known.gone(&by)).await?;
    }
    deed.pass_on(&said)
}

/// Changes what is known of an agent, however many others do so at the same time.
async fn amend(deed: &Deed<'_>, object: Object, change: impl Fn(&mut Known)) -> Result<(), Failure> {
    let mut object = object;
    for _ in 0..TRIES {
        let mut known = Known::of(&object);
        change(&mut known);
        let store = deed.gateway.store();
        let described = objects::describe(store, &object, &known.written(), deed.visitor.now).await;
        if described.map_err(Failure::store)? {
            return Ok(());
        }
        object = deed.object(ObjectKind::Agent).await?;
    }
    Err(Failure::AccountingUnavailable)
}

/// Deletes an agent. One that upstream has forgotten already is deleted here too.
pub(super) async fn delete(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    deed.delete(ObjectKind::Agent).await
}

/// One agent, as upstream shows it now.
pub(super) async fn get(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let object = deed.object(ObjectKind::Agent).await?;
    let credential = deed.credential_of(&object)?;
    let target = match deed.query.get("agent_version").map(AgentVersion::parse) {
        None => deed.asked.path(),
        Some(wanted) => {
            format!("{}?agent_version={}", deed.asked.path(), Known::of(&object).number(Some(&wanted))?)
        }
    };
    let said = deed.ask(Method::GET, target, &credential, None).await?;
    deed.pass_on(&said)
}

/// One version of an agent, as upstream shows it now.
pub(super) async fn version(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let object = deed.object(ObjectKind::Agent).await?;
    let credential = deed.credential_of(&object)?;
    let number = Known::of(&object).number(Some(&AgentVersion::parse(deed.asked.second_id())))?;
    let target = format!("/v1/agents/{}/versions/{number}", deed.asked.id());
    let said = deed.ask(Method::GET, target, &credential, None).await?;
    deed.pass_on(&said)
}

/// The versions of an agent, newest first.
pub(super) async fn versions(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let known = Known::of(&deed.object(ObjectKind::Agent).await?);
    let (skip, size) = lists::page(deed, listed::PAGE)?;
    let all = known.versions.keys().rev().map(|number| known.shown(*number));
    Ok(deed.reply(StatusCode::OK, &all.skip(skip).take(size).collect()))
}

/// Gives a version of an agent a name.
pub(super) async fn set_alias(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let alias = alias(deed)?;
    let object = deed.object(ObjectKind::Agent).await?;
    let credential = deed.credential_of(&object)?;
    let version = Known::of(&object).number(Some(&wanted(deed, "version")?))?;
    let target = format!("{}?alias={alias}&version={version}", deed.asked.path());
    let said = deed.ask(Method::PUT, target, &credential, None).await?;
    if said.status.is_success() {
        let named = Alias { version, shown: said.value.clone() };
        amend(deed, object, |known| drop(known.aliases.insert(alias.clone(), named.clone()))).await?;
    }
    deed.pass_on(&said)
}

/// The names of an agent's versions.
pub(super) async fn aliases(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let known = Known::of(&deed.object(ObjectKind::Agent).await?);
    let shown = known.aliases.iter().map(|(name, alias)| {
        let mut shown = alias.shown.as_object().cloned().unwrap_or_default();
        shown.insert("alias".into(), name.as_str().into());
        shown.insert("version".into(), alias.version.into());
        Value::Object(shown)
    });
    Ok(deed.reply(StatusCode::OK, &shown.collect()))
}

/// Takes a name from a version of an agent.
pub(super) async fn delete_alias(deed: &Deed<'_>) -> Result<Response<Body>, Failure> {
    let alias = alias(deed)?;
    let object = deed.object(ObjectKind::Agent).await?;
    let credential = deed.credential_of(&object)?;
    if !Known::of(&object).aliases.contains_key(&alias) {
        return Err(Failure::NoSuchObject);
    }
    let target = format!("{}?alias={alias}", deed.asked.path());
    let said = deed.ask(Method::DELETE, target, &credential, None).await?;
    if said.status.is_success() || said.status == StatusCode::NOT_FOUND {
        amend(deed, object, |known| drop(known.aliases.remove(&alias))).await?;
    }
    deed.pass_on(&said)
}

/// A name that may stand in an address as it is, and that is no number.
fn alias(deed: &Deed<'_>) -> Result<String, Failure> {
    let alias = deed.query.get("alias").unwrap_or_default();
    let plain = louver_mistral::endpoints::is_path_id(alias) && alias.len() <= 64;
    if plain && alias.bytes().any(|byte| !byte.is_ascii_digit()) {
        return Ok(alias.to_owned());
    }
    Err(Failure::BadParameter { name: "alias" })
}

fn wanted(deed: &Deed<'_>, name: &'static str) -> Result<AgentVersion, Failure> {
    deed.query.get(name).map(AgentVersion::parse).ok_or(Failure::BadParameter { name })
}

fn read(deed: &Deed<'_>) -> Result<Request, Failure> {
    let mut request = request::read(deed.asked.endpoint, &deed.body).map_err(Failure::Request)?;
    request.pin_guards(|model| deed.caller.snapshot.pinned(model));
    Ok(request)
}

fn pinned_body(deed: &Deed<'_>, request: &Request, pinned: &str) -> Bytes {
    let pins = Pins { model: pinned, ..Pins::default() };
    request.rewrite_turn(&deed.body, &pins).map_or_else(|| deed.body.clone(), Bytes::from)
}

/// Judges what an agent is to be. Answers the model's id, and the credential that all it names was made with.
async fn judge(deed: &Deed<'_>, request: &Request) -> Result<(String, Option<Option<UpstreamId>>), Failure> {
    let pinned = match request.model.as_str() {
        "" => String::new(),
        model => policy::agent_model(&deed.caller, model)?,
    };
    policy::nested(&deed.caller, &request.nested_models)?;
    policy::tools(&deed.caller, &request.provider_tools)?;
    let mut made_with = None;
    for reference in &request.references {
        let kind = crate::references::object_kind(reference.kind).ok_or(Failure::NoSuchObject)?;
        together(&mut made_with, &find(deed.gateway, &deed.caller.key, kind, "", &reference.id).await?)?;
    }
    let handoffs = request.turn.as_deref().and_then(|turn| turn.handoffs.as_deref()).unwrap_or_default();
    for agent in handoffs {
        let agent = find(deed.gateway, &deed.caller.key, ObjectKind::Agent, "", agent).await?;
        together(&mut made_with, &agent)?;
    }
    Ok((pinned, made_with))
}

/// Everything that one request names was made with one credential.
fn together(made_with: &mut Option<Option<UpstreamId>>, object: &Object) -> Result<(), Failure> {
    if made_with.is_some_and(|other| other != object.credential_id) {
        return Err(Failure::ObjectsApart);
    }
    *made_with = Some(object.credential_id);
    Ok(())
}
