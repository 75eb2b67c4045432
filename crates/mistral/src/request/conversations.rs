//! Conversations: what a request to begin one, to go on, or to begin again says.

use crate::endpoints::Endpoint;
use crate::json::{Cursor, Fault, Kind};

use super::chunks::Family;
use super::path::Path;
use super::written::whole;
use super::{Reader, Reference, ReferenceKind};

/// Entries that a client may put in. A handoff is none of them: who speaks is not said in a history.
const ENTRIES: [&str; 5] =
    ["message.input", "message.output", "function.result", "function.call", "tool.execution"];

impl Reader {
    pub(super) fn conversation_field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        let endpoint = self.request.endpoint;
        match name {
            "inputs" => self.inputs(cursor),
            "stream" => {
                self.request.stream = self.boolean(cursor, &Path::field(name))?.unwrap_or_default();
                Ok(())
            }
            "store" => {
                self.turn().unstored = self.boolean(cursor, &Path::field(name))? == Some(false);
                Ok(())
            }
            "handoff_execution" => self.handoff_execution(cursor),
            "completion_args" => self.completion_args(cursor),
            "metadata" => {
                self.plain(cursor, &Path::field(name), &[Kind::Object], "dict_type", "a valid object")
            }
            _ => match endpoint {
                Endpoint::StartConversation => self.start_field(cursor, name),
                _ => self.go_on_field(cursor, name),
            },
        }
    }

    fn start_field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        match name {
            "model" => self.optional_model(cursor),
            "agent_id" => self.agent_id(cursor),
            "agent_version" => self.agent_version(cursor),
            "name" | "description" | "instructions" => {
                self.plain(cursor, &Path::field(name), &[Kind::String], "string_type", "a valid string")
            }
            "tools" => self.offers(cursor),
            "guardrails" => self.guardrails(cursor),
            _ => self.forbid(cursor, name),
        }
    }

    fn go_on_field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        let restart = self.request.endpoint == Endpoint::RestartConversation;
        match name {
            "tool_confirmations" => self.confirmations(cursor),
            "guardrails" if restart => self.guardrails(cursor),
            "agent_version" if restart => self.agent_version(cursor),
            "from_entry_id" if restart => {
                self.content = cursor.kind()? == Kind::String;
                if !self.content {
                    self.refuse(&[name], "string_type", "Input should be a valid string");
                    // It was there, but not as it should be.
                    self.content = true;
                }
                cursor.skip()
            }
            _ => self.forbid(cursor, name),
        }
    }

    /// What is put in: a text, or entries.
    fn inputs(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if self.request.endpoint == Endpoint::StartConversation {
            self.content = true;
        }
        self.request.messages = 1;
        match cursor.kind()? {
            Kind::Array => {
                let mut count = 0_u64;
                cursor.array(|cursor, index| {
                    count = count.saturating_add(1);
                    self.entry(cursor, index)
                })?;
                self.request.messages = count;
                Ok(())
            }
            _ => self.plain(
                cursor,
                &Path::field("inputs"),
                &[Kind::String],
                "string_type",
                "a valid string or list of entries",
            ),
        }
    }

    fn entry(&mut self, cursor: &mut Cursor<'_>, index: usize) -> Result<(), Fault> {
        let place = index.to_string();
        if cursor.kind()? != Kind::Object {
            self.refuse(&["inputs", &place], "model_attributes_type", "Input should be an object");
            return cursor.skip();
        }
        let found = self.details.len();
        cursor.object(|cursor, name| match name {
            "content" => self.content(cursor, Family::Chat, &Path::field("content")),
            "type" => self.entry_type(cursor),
            "model" => self.entry_model(cursor),
            "agent_id" => self.entry_agent(cursor),
            "object"
            | "id"
            | "created_at"
            | "completed_at"
            | "role"
            | "tool_call_id"
            | "name"
            | "result"
            | "confirmation_status" => {
                self.plain(cursor, &Path::field(name), &[Kind::String], "string_type", "a valid string")
            }
            "prefix" => self.boolean(cursor, &Path::field(name)).map(|_| ()),
            "arguments" => whole(cursor, |cursor| {
                let kinds = [Kind::String, Kind::Object];
                self.plain(cursor, &Path::field(name), &kinds, "string_type", "a valid string or object")
            }),
            "info" => whole(cursor, |cursor| {
                self.plain(cursor, &Path::field(name), &[Kind::Object], "dict_type", "a valid object")
            }),
            _ => self.forbid(cursor, name),
        })?;
        self.below(found, &["inputs", &place], 0);
        Ok(())
    }

    fn entry_type(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let known = match cursor.kind()? {
            Kind::String => ENTRIES.contains(&&*cursor.string()?.decoded()),
            _ => {
                cursor.skip()?;
                false
            }
        };
        if !known {
            let msg = "Input should be 'message.input', 'message.output', 'function.result', 'function.call' or \
                       'tool.execution'";
            self.refuse(&["type"], "union_tag_invalid", msg);
        }
        Ok(())
    }

    /// A model that an earlier answer named: no model that may not be called stands in a request.
    fn entry_model(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::String {
            return self.plain(cursor, &Path::field("model"), &[], "string_type", "a valid string");
        }
        let model = cursor.string()?.decoded().into_owned();
        self.request.mentioned_models.push(model);
        Ok(())
    }

    fn entry_agent(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::String {
            return self.plain(cursor, &Path::field("agent_id"), &[], "string_type", "a valid string");
        }
        let id = cursor.string()?.decoded().into_owned();
        self.request.references.push(Reference { kind: ReferenceKind::Agent, id });
        Ok(())
    }

    fn confirmations(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Array {
            return self.plain(cursor, &Path::field("tool_confirmations"), &[], "list_type", "a valid list");
        }
        let found = self.details.len();
        cursor.array(|cursor, _| {
            if cursor.kind()? != Kind::Object {
                return self.plain(cursor, &Path::field("confirmation"), &[], "dict_type", "a valid object");
            }
            cursor.object(|cursor, name| match name {
                "tool_call_id" | "confirmation" => {
                    self.plain(cursor, &Path::field(name), &[Kind::String], "string_type", "a valid string")
                }
                _ => self.forbid(cursor, name),
            })
        })?;
        self.below(found, &["tool_confirmations"], 0);
        Ok(())
    }
}
