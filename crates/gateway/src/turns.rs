//! A call to an agent or in a conversation: who may come to speak in it, worked out from what is known here, and judged by
//! the rules that hold now.

mod growth;
mod hold;
mod played;
pub(crate) mod policy;

pub(crate) use growth::{After, Growth, Most};
pub(crate) use hold::hold;
pub(crate) use played::{Played, Speaker};

use crate::admit::kind;
use crate::authn::Caller;
use crate::objects::agents::{self, Known, Version};
use crate::objects::conversations;
use crate::pipeline::Gateway;
use crate::references::find;
use crate::reply::Failure;
use crate::snapshot::{KeyEntry, Snapshot};
use bytes::Bytes;
use louver_domain::admission::Refusal;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::UpstreamId;
use louver_domain::objects::ObjectKind;
use louver_mistral::endpoints::{Asked, Endpoint};
use louver_mistral::request::{HandoffExecution, Pins, Request, Turn as Said};
use louver_store::objects::Object;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Agents that hand over to each other in a row, at most.
const DEEPEST: usize = 16;

/// Who may come to speak in a call, and what they bring along.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// The models that may come to speak, the first one first; all are allowed.
    pub(crate) models: Vec<String>,
    /// Types of the tools that upstream runs by itself.
    tools: Vec<String>,
    /// Models of guardrails.
    guardrails: Vec<String>,
    /// Tokens at most that whoever speaks brings along.
    prompt: u64,
    /// Completion arguments that hold where the request gives none.
    args: Map<String, Value>,
    /// The version of its agent that upstream is told, where it can be told.
    version: Option<u64>,
    /// Whether an agent may hand over to another.
    handoffs: bool,
    /// The credentials that all this was made with.
    pub(crate) made_with: Vec<Option<UpstreamId>>,
    /// The conversation that goes on, or that another one begins from.
    conversation: Option<Object>,
    /// What a new conversation is to be known by.
    begins: Option<conversations::Known>,
}

/// Works out who may come to speak.
pub(crate) async fn resolve(
    gateway: &Gateway,
    caller: &Caller,
    asked: &Asked<'_>,
    request: &Request,
    body: &Bytes,
    said: &Said,
) -> Result<Turn, Failure> {
    let mut cast =
        Cast { gateway, caller, kind: kind(asked.endpoint), turn: Turn::default(), seen: BTreeSet::new() };
    match asked.endpoint {
        Endpoint::AgentsCompletions => {
            let id = said.agent_id.as_deref().ok_or(Failure::NoSuchObject)?;
            cast.first(id, Wanted::Now).await?;
        }
        Endpoint::StartConversation => {
            let mut known = begun(request, body);
            if let Some(id) = said.agent_id.as_deref() {
                let number = Known::of(&cast.agent(id).await?).number(said.agent_version.as_ref())?;
                known.agent = Some((id.to_owned(), number));
            } else {
                known.model = policy::model(caller, cast.kind, &request.model)?;
            }
            cast.conversation(&known).await?;
            cast.turn.begins = (!said.unstored).then_some(known);
        }
        Endpoint::AppendConversation | Endpoint::RestartConversation => {
            cast.go_on(asked, request, said).await?;
        }
        _ => return Err(Failure::NoSuchObject),
    }
    if !matches!(asked.endpoint, Endpoint::StartConversation | Endpoint::RestartConversation) {
        cast.turn.version = None;
    }
    Ok(cast.turn)
}

/// What a new conversation is known by, but for its agent and its model.
fn begun(request: &Request, body: &Bytes) -> conversations::Known {
    let body: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let shown = [
        "name",
        "description",
        "metadata",
        "agent_id",
        "agent_version",
        "model",
        "instructions",
        "tools",
        "completion_args",
        "guardrails",
    ];
    // Mistral's TypeScript client reads no list in which `tools` are null.
    let shown = body.iter().filter(|(name, value)| shown.contains(&name.as_str()) && !value.is_null());
    let shown: Map<String, Value> = shown.map(|(name, value)| (name.clone(), value.clone())).collect();
    conversations::Known {
        tools: request.provider_tools.clone(),
        guardrails: request.nested_models.clone(),
        args: shown.get("completion_args").and_then(Value::as_object).cloned().unwrap_or_default(),
        prompt: agents::prompt(&Value::Object(shown.clone())),
        shown,
        ..conversations::Known::default()
    }
}

/// Which versions of an agent may speak.
#[derive(Clone, Copy)]
enum Wanted {
    /// That one.
    Number(u64),
    /// The one that is used when none is named, and those that may be it by now.
    Now,
}

/// Gathers who may come to speak.
struct Cast<'a> {
    gateway: &'a Gateway,
    caller: &'a Caller,
    kind: EndpointKind,
    turn: Turn,
    seen: BTreeSet<String>,
}

impl Cast<'_> {
    async fn agent(&self, id: &str) -> Result<Object, Failure> {
        find(self.gateway, &self.caller.key, ObjectKind::Agent, "", id).await
    }

    async fn go_on(&mut self, asked: &Asked<'_>, request: &Request, said: &Said) -> Result<(), Failure> {
        let key = &self.caller.key;
        let object = find(self.gateway, key, ObjectKind::Conversation, "", asked.id()).await?;
        let mut known = conversations::Known::of(&object);
        if let (Some(wanted), Some((id, number))) = (&said.agent_version, known.agent.as_mut()) {
            let agent = find(self.gateway, key, ObjectKind::Agent, "", id).await?;
            *number = Known::of(&agent).number(Some(wanted))?;
        } else if said.agent_version.is_some() {
            return Err(Failure::NoSuchObject);
        }
        self.conversation(&known).await?;
        self.turn.made_with.push(object.credential_id);
        if asked.endpoint == Endpoint::RestartConversation && !said.unstored {
            known.guardrails.extend(request.nested_models.iter().cloned());
            self.turn.begins = Some(known);
        }
        self.turn.conversation = Some(object);
        Ok(())
    }

    /// Whoever a conversation was begun with speaks first.
    async fn conversation(&mut self, known: &conversations::Known) -> Result<(), Failure> {
        match &known.agent {
            Some((id, number)) => {
                self.first(id, Wanted::Number(*number)).await?;
                self.turn.version = Some(*number);
            }
            None => self.model(&known.model)?,
        }
        let turn = &mut self.turn;
        turn.prompt = turn.prompt.saturating_add(known.prompt);
        extend(&mut turn.tools, &known.tools);
        turn.guardrails.extend(known.guardrails.iter().cloned());
        if !known.args.is_empty() {
            turn.args.clone_from(&known.args);
        }
        Ok(())
    }

    /// The agent that speaks first, then all that may come to speak after it, however they hand over to each other.
    async fn first(&mut self, id: &str, wanted: Wanted) -> Result<(), Failure> {
        let agent = self.agent(id).await?;
        let known = Known::of(&agent);
        let speaker = match wanted {
            Wanted::Number(number) => known.versions.get(&number),
            Wanted::Now => known.versions.get(&known.current),
        };
        self.turn.args = speaker.ok_or(Failure::NoSuchObject)?.args.clone();
        let mut next = self.versions(&agent, &known, wanted)?;
        for _ in 0..DEEPEST {
            let mut after = Vec::new();
            for id in std::mem::take(&mut next) {
                if !self.seen.insert(id.clone()) {
                    continue;
                }
                // One that was deleted here is deleted upstream as well: nobody can hand over to it.
                let agent = match self.agent(&id).await {
                    Err(Failure::NoSuchObject) => continue,
                    other => other?,
                };
                after.extend(self.versions(&agent, &Known::of(&agent), Wanted::Now)?);
            }
            next = after;
        }
        if next.iter().any(|id| !self.seen.contains(id)) {
            tracing::warn!(agent = id, "agents hand over to each other too deeply");
            return Err(Failure::Refused(Refusal::UnboundedCost));
        }
        Ok(())
    }

    /// Takes an agent in. Answers whom it may hand over to.
    fn versions(&mut self, agent: &Object, known: &Known, wanted: Wanted) -> Result<Vec<String>, Failure> {
        self.turn.made_with.push(agent.credential_id);
        let mut next = Vec::new();
        let versions: Vec<&Version> = match wanted {
            Wanted::Number(number) => known.versions.get(&number).into_iter().collect(),
            Wanted::Now => {
                let pending = known.pending.iter().map(|pending| &pending.version);
                if !known.pending.is_empty() {
                    // What it may have become by now may leave the length of its answers open.
                    self.turn.args.remove("max_tokens");
                }
                known.versions.get(&known.current).into_iter().chain(pending).collect()
            }
        };
        for version in versions {
            self.model(&version.model)?;
            let turn = &mut self.turn;
            turn.prompt = turn.prompt.max(version.prompt);
            extend(&mut turn.tools, &version.tools);
            cover(&mut turn.guardrails, &version.guardrails);
            next.extend(version.handoffs.iter().cloned());
        }
        self.turn.handoffs |= !next.is_empty();
        Ok(next)
    }

    fn model(&mut self, model: &str) -> Result<(), Failure> {
        let model = policy::model(self.caller, self.kind, model)?;
        extend(&mut self.turn.models, &[model]);
        Ok(())
    }
}

fn extend(list: &mut Vec<String>, more: &[String]) {
    for one in more {
        if !list.contains(one) {
            list.push(one.clone());
        }
    }
}

/// Adds to a list what it lacks of another, counting: each text is then there at least as often as in either. A
/// guardrail that stands twice runs twice; of two who may speak, only one does at a time.
fn cover(list: &mut Vec<String>, other: &[String]) {
    let mut left = list.clone();
    for one in other {
        match left.iter().position(|there| there == one) {
            Some(place) => drop(left.swap_remove(place)),
            None => list.push(one.clone()),
        }
    }
}

impl Turn {
    /// Puts into the request what it does not say itself: who speaks, with what.
    pub(crate) fn stand_in(&self, request: &mut Request) {
        request.model = self.models.first().cloned().unwrap_or_default();
        request.unnameable = false;
        extend(&mut request.provider_tools, &self.tools);
        request.nested_models.extend(self.guardrails.iter().cloned());
        request.added_tokens = request.added_tokens.saturating_add(self.prompt);
        let given = request.turn.as_deref().is_some_and(|turn| turn.args_given);
        if request.max_tokens.is_none() && !given && !self.handoffs {
            request.max_tokens = self.args.get("max_tokens").and_then(Value::as_u64);
        }
    }

    /// What its input is likely to be beside what the request says.
    pub(crate) fn estimate(&self) -> u64 {
        let history = self.conversation.as_ref().map_or(0, |object| object.tokens);
        self.prompt.div_ceil(4).saturating_add(history)
    }

    /// The largest context of those who may speak.
    pub(crate) fn context(&self, snapshot: &Snapshot) -> u64 {
        let known = self.models.iter().filter_map(|id| snapshot.catalogue.find(id));
        known.map(|(_, model)| model.context).max().unwrap_or(0)
    }

    /// Times that models may speak in one call at most, one after the other.
    pub(crate) fn speakers(&self, key: &KeyEntry, request: &Request) -> Result<u64, Failure> {
        let said = request.turn.as_deref();
        let has_turns = request.endpoint != Endpoint::AgentsCompletions;
        if !self.handoffs || !has_turns {
            return Ok(1);
        }
        let execution = said.and_then(|turn| turn.handoff_execution);
        match (is_bounded(key), execution) {
            (true, Some(HandoffExecution::Server)) => Err(Failure::Refused(Refusal::UnboundedCost)),
            (true, _) | (false, Some(HandoffExecution::Client)) => Ok(1),
            // Nothing stands on it but whether a usage is believed.
            (false, _) => Ok(u64::try_from(DEEPEST).unwrap_or(u64::MAX).saturating_mul(4)),
        }
    }

    /// The body for the upstream.
    pub(crate) fn rewrite(
        &self,
        key: &KeyEntry,
        request: &Request,
        body: &Bytes,
        pinned: &str,
        max_tokens: Option<u64>,
    ) -> Bytes {
        let has_turns = request.endpoint != Endpoint::AgentsCompletions;
        let pins = Pins {
            model: pinned,
            agent_version: self.version,
            client_handoffs: has_turns && self.handoffs && is_bounded(key),
            max_tokens,
            args: Some(&self.args),
        };
        request.rewrite_turn(body, &pins).map_or_else(|| body.clone(), Bytes::from)
    }
}

/// Whether what one call may use at most matters for a key.
fn is_bounded(key: &KeyEntry) -> bool {
    key.budgeted || key.counts_tokens || key.rules.tokens_per_request.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guardrails_are_covered_as_often_as_each_speaker_has_them() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (there, other, wanted) in [
            ("", "a a", "a a"),
            ("a", "a a b", "a a b"),
            ("a a", "a", "a a"),
            ("b", "", "b"),
            ("a b", "b a", "a b"),
        ] {
            let mut list = words(there);
            cover(&mut list, &words(other));
            assert_eq!(list, words(wanted), "{there} and {other}");
        }
    }
}
