//! Agents: what a request to make one, to change one, or to let one answer says.

mod pins;

use std::ops::Range;

use crate::endpoints::Endpoint;
use crate::json::{Cursor, Fault, Kind};

use super::chunks::Family;
use super::path::Path;
use super::written::whole;
pub use pins::Pins;

use super::Reader;

/// What a request says of agents and conversations, beside what every request says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// The agent that is to speak.
    pub agent_id: Option<String>,
    /// The version of it that was asked for.
    pub agent_version: Option<AgentVersion>,
    /// The agents that an agent may hand over to; `None` where the request does not say.
    pub handoffs: Option<Vec<String>>,
    /// Who carries handoffs out, if it says so.
    pub handoff_execution: Option<HandoffExecution>,
    /// Whether the conversation is not to be kept (`store` is `false`).
    pub unstored: bool,
    /// Whether tools were given, though perhaps none.
    pub tools_given: bool,
    /// Whether completion arguments were given, though perhaps none.
    pub args_given: bool,
    /// Just behind the opening brace of the body.
    start: usize,
    /// Whether the body has members.
    members: bool,
    /// Just behind the opening brace of the completion arguments, and whether they have members.
    args: Option<(usize, bool)>,
    /// The `null` that stands for completion arguments.
    args_null: Option<Range<usize>>,
    /// The literal of the agent's version.
    version_span: Option<Range<usize>>,
    /// The literal of who carries handoffs out.
    handoff_span: Option<Range<usize>>,
}

/// A version of an agent, as clients name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentVersion {
    /// By its number.
    Number(u64),
    /// By a name that somebody gave it.
    Alias(String),
}

impl AgentVersion {
    /// From a text: upstream takes one of digits for a number.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Alias(text.to_owned()), Self::Number)
    }
}

/// Who carries a handoff from one agent to the next out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandoffExecution {
    /// The client, with another request.
    Client,
    /// Upstream, within the same request.
    Server,
}

impl Turn {
    /// Of an endpoint that has agents or conversations.
    pub(super) fn of(endpoint: Endpoint) -> Option<Box<Self>> {
        matches!(
            endpoint,
            Endpoint::AgentsCompletions
                | Endpoint::CreateAgent
                | Endpoint::UpdateAgent
                | Endpoint::StartConversation
                | Endpoint::AppendConversation
                | Endpoint::RestartConversation
        )
        .then(Box::default)
    }
}

impl Reader {
    pub(super) fn turn(&mut self) -> &mut Turn {
        self.request.turn.get_or_insert_default()
    }

    /// The body is an object that begins there.
    pub(super) fn begins(&mut self, offset: usize) {
        if let Some(turn) = &mut self.request.turn {
            turn.start = offset.saturating_add(1);
        }
    }

    pub(super) fn turn_field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        self.turn().members = true;
        match (self.request.endpoint, name) {
            (Endpoint::AgentsCompletions, "agent_id") => self.agent_id(cursor),
            (Endpoint::AgentsCompletions, "model") => self.forbid(cursor, name),
            (Endpoint::AgentsCompletions, "tools") => self.offers(cursor),
            (Endpoint::AgentsCompletions, _) => self.field(cursor, name),
            (Endpoint::CreateAgent | Endpoint::UpdateAgent, _) => self.agent_field(cursor, name),
            _ => self.conversation_field(cursor, name),
        }
    }

    pub(super) fn turn_missing(&mut self) {
        let endpoint = self.request.endpoint;
        let turn = self.turn();
        let (agent, version) = (turn.agent_id.is_some(), turn.agent_version.is_some());
        let model = !self.request.model_span.is_empty();
        let content = self.content;
        let mut need = |there: bool, name: &str| {
            if !there {
                self.refuse(&[name], "missing", "Field required");
            }
        };
        match endpoint {
            Endpoint::AgentsCompletions => {
                need(agent, "agent_id");
                need(content, "messages");
            }
            Endpoint::CreateAgent => {
                need(model, "model");
                need(content, "name");
            }
            Endpoint::StartConversation => {
                need(content, "inputs");
                need(model || agent, "model");
                if model && (agent || version) {
                    self.refuse(&["model"], "value_error", "model and agent_id cannot both be given");
                }
            }
            Endpoint::RestartConversation => need(content, "from_entry_id"),
            _ => {}
        }
    }

    fn agent_field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        match name {
            "model" => self.optional_model(cursor),
            "name" => {
                let is_text = cursor.kind()? == Kind::String;
                self.content |= is_text;
                if !is_text && self.request.endpoint == Endpoint::CreateAgent {
                    self.refuse(&[name], "string_type", "Input should be a valid string");
                }
                self.plain(cursor, &Path::field(name), &[Kind::String], "string_type", "a valid string")
            }
            "description" | "instructions" | "version_message" => {
                self.plain(cursor, &Path::field(name), &[Kind::String], "string_type", "a valid string")
            }
            "tools" => self.offers(cursor),
            "completion_args" => self.completion_args(cursor),
            "handoffs" => self.handoffs(cursor),
            "guardrails" => self.guardrails(cursor),
            "metadata" => {
                self.plain(cursor, &Path::field(name), &[Kind::Object], "dict_type", "a valid object")
            }
            "deployment_chat" => {
                if self.boolean(cursor, &Path::field(name))? == Some(true) {
                    let msg = "An agent cannot be published to everybody in upstream's organization";
                    self.refuse(&[name], "value_error", msg);
                }
                Ok(())
            }
            _ => self.forbid(cursor, name),
        }
    }

    pub(super) fn forbid(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        self.refuse(&[name], "extra_forbidden", "Extra inputs are not permitted");
        cursor.skip()
    }

    /// A model that may be absent or `null`.
    pub(super) fn optional_model(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let required = self.request.endpoint == Endpoint::CreateAgent;
        if cursor.kind()? == Kind::Null && !required { cursor.skip() } else { self.model(cursor) }
    }

    /// The id of an agent; it must be the workspace's own.
    pub(super) fn agent_id(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let required = self.request.endpoint == Endpoint::AgentsCompletions;
        match cursor.kind()? {
            Kind::String => self.turn().agent_id = Some(cursor.string()?.decoded().into_owned()),
            Kind::Null if !required => cursor.skip()?,
            _ => {
                self.refuse(&["agent_id"], "string_type", "Input should be a valid string");
                cursor.skip()?;
            }
        }
        Ok(())
    }

    pub(super) fn agent_version(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let kind = cursor.kind()?;
        let start = cursor.offset();
        let version = match kind {
            Kind::String => Some(AgentVersion::parse(&cursor.string()?.decoded())),
            _ => self.integer(cursor, &Path::field("agent_version"), 0)?.map(AgentVersion::Number),
        };
        let span = start..cursor.offset();
        let turn = self.turn();
        (turn.agent_version, turn.version_span) = (version, Some(span));
        Ok(())
    }

    pub(super) fn handoff_execution(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let kind = cursor.kind()?;
        let start = cursor.offset();
        let text = if kind == Kind::String {
            Some(cursor.string()?.decoded())
        } else {
            self.plain(
                cursor,
                &Path::field("handoff_execution"),
                &[],
                "literal_error",
                "'client' or 'server'",
            )?;
            None
        };
        let execution = match text.as_deref() {
            Some("client") => Some(HandoffExecution::Client),
            Some("server") => Some(HandoffExecution::Server),
            Some(_) => {
                self.refuse(&["handoff_execution"], "literal_error", "Input should be 'client' or 'server'");
                None
            }
            None => None,
        };
        let span = start..cursor.offset();
        let turn = self.turn();
        (turn.handoff_execution, turn.handoff_span) = (execution, Some(span));
        Ok(())
    }

    fn handoffs(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let mut agents = Vec::new();
        match cursor.kind()? {
            Kind::Null => cursor.skip()?,
            Kind::Array => cursor.array(|cursor, index| {
                if cursor.kind()? == Kind::String {
                    agents.push(cursor.string()?.decoded().into_owned());
                    return Ok(());
                }
                self.refuse(
                    &["handoffs", &index.to_string()],
                    "string_type",
                    "Input should be a valid string",
                );
                cursor.skip()
            })?,
            _ => {
                self.refuse(&["handoffs"], "list_type", "Input should be a valid list");
                cursor.skip()?;
            }
        }
        self.turn().handoffs = Some(agents);
        Ok(())
    }

    /// The arguments of every completion; `max_tokens` stands here.
    pub(super) fn completion_args(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let kind = cursor.kind()?;
        let start = cursor.offset();
        if kind != Kind::Object {
            self.plain(cursor, &Path::field("completion_args"), &[], "dict_type", "a valid object")?;
            self.turn().args_null = Some(start..cursor.offset());
            return Ok(());
        }
        let found = self.details.len();
        let mut members = false;
        cursor.object(|cursor, name| {
            members = true;
            self.completion_arg(cursor, name)
        })?;
        let turn = self.turn();
        (turn.args, turn.args_given) = (Some((start.saturating_add(1), members)), true);
        self.below(found, &["completion_args"], 0);
        Ok(())
    }

    fn completion_arg(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        match name {
            "max_tokens" => self.max_tokens(cursor, &Path::field(name)),
            "temperature" | "top_p" | "presence_penalty" | "frequency_penalty" => {
                self.plain(cursor, &Path::field(name), &[Kind::Number], "float_type", "a valid number")
            }
            "random_seed" => self.integer(cursor, &Path::field(name), 0).map(|_| ()),
            "stop" => self.text_or_list(cursor, &Path::field(name)),
            "prediction" => self.prediction(cursor, &Path::field(name)),
            "response_format" => whole(cursor, |cursor| {
                self.plain(cursor, &Path::field(name), &[Kind::Object], "dict_type", "a valid object")
            }),
            "tool_choice" | "reasoning_effort" => {
                self.plain(cursor, &Path::field(name), &[Kind::String], "string_type", "a valid string")
            }
            _ => self.forbid(cursor, name),
        }
    }

    /// What was found since stands below `path`, in place of the first `names` of its own path.
    pub(super) fn below(&mut self, since: usize, path: &[&str], names: usize) {
        for detail in self.details.iter_mut().skip(since) {
            let end = names.saturating_add(1).min(detail.loc.len());
            detail.loc.splice(1.min(end)..end, path.iter().map(|name| (*name).to_owned()));
        }
    }

    /// Tools: functions, which the client runs, and those that upstream runs by itself.
    pub(super) fn offers(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        self.turn().tools_given |= cursor.kind()? == Kind::Array;
        self.tools(cursor, Family::Chat, &Path::field("tools"))
    }
}
