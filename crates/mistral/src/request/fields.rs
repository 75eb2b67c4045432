//! The top-level fields of each endpoint, and the plain types they have.

use crate::endpoints::Endpoint;
use crate::json::{Cursor, Fault, Kind};

use super::written::whole;
use super::{Reader, is_model_name};

/// Tokens of the safety prompt, some 40 by Mistral's tokenizer, with room for a longer one.
const SAFE_PROMPT_TOKENS: u64 = 64;

/// Tokens of the system prompt of `prompt_mode` `reasoning`, some 120 as published, with room for a longer one.
const REASONING_PROMPT_TOKENS: u64 = 256;

/// What a field may hold; `null` means absent unless the field is required.
#[derive(Clone, Copy)]
enum Rule {
    Model,
    Messages,
    Prompt,
    Input,
    Stream,
    MaxTokens,
    N,
    Tools,
    Guardrails,
    Tier,
    Prediction,
    /// An integer of at least 0.
    Integer,
    /// Any number.
    Number,
    Bool,
    SafePrompt,
    PromptMode,
    Text,
    TextOrList,
    Object,
    TextOrObject,
}

/// Mistral's documented fields; anything else is `extra_forbidden`, as upstream.
fn rule(endpoint: Endpoint, name: &str) -> Option<Rule> {
    if name == "model" {
        return Some(Rule::Model);
    }
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::AgentsCompletions => chat(name).or_else(|| completion(name)),
        Endpoint::FimCompletions => fim(name).or_else(|| completion(name)),
        Endpoint::Embeddings => embeddings(name),
        _ => None,
    }
}

fn completion(name: &str) -> Option<Rule> {
    Some(match name {
        "stream" => Rule::Stream,
        "max_tokens" => Rule::MaxTokens,
        "temperature" | "top_p" => Rule::Number,
        "stop" => Rule::TextOrList,
        "random_seed" => Rule::Integer,
        "stream_options" | "metadata" => Rule::Object,
        "prompt_cache_key" => Rule::Text,
        _ => return None,
    })
}

fn chat(name: &str) -> Option<Rule> {
    Some(match name {
        "messages" => Rule::Messages,
        "tools" => Rule::Tools,
        "guardrails" => Rule::Guardrails,
        "n" => Rule::N,
        "service_tier" => Rule::Tier,
        "presence_penalty" | "frequency_penalty" => Rule::Number,
        "response_format" => Rule::Object,
        "prediction" => Rule::Prediction,
        "tool_choice" => Rule::TextOrObject,
        "parallel_tool_calls" => Rule::Bool,
        "safe_prompt" => Rule::SafePrompt,
        "prompt_mode" => Rule::PromptMode,
        "reasoning_effort" => Rule::Text,
        _ => return None,
    })
}

fn fim(name: &str) -> Option<Rule> {
    Some(match name {
        "prompt" => Rule::Prompt,
        "suffix" => Rule::Text,
        "min_tokens" => Rule::Integer,
        _ => return None,
    })
}

fn embeddings(name: &str) -> Option<Rule> {
    Some(match name {
        "input" => Rule::Input,
        "metadata" => Rule::Object,
        "output_dimension" => Rule::Integer,
        "output_dtype" | "encoding_format" => Rule::Text,
        _ => return None,
    })
}

impl Reader {
    pub(super) fn field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        let Some(rule) = rule(self.request.endpoint, name) else {
            self.refuse(&[name], "extra_forbidden", "Extra inputs are not permitted");
            return cursor.skip();
        };
        match rule {
            Rule::Model => self.model(cursor),
            Rule::Messages => self.messages(cursor),
            Rule::Prompt => self.prompt(cursor),
            Rule::Input => self.input(cursor),
            Rule::Stream => {
                self.request.stream = self.boolean(cursor, name)?.unwrap_or_default();
                Ok(())
            }
            Rule::MaxTokens => self.max_tokens(cursor),
            Rule::N => self.answers(cursor),
            Rule::Tools => self.tools(cursor),
            Rule::Guardrails => self.guardrails(cursor),
            Rule::Tier => self.tier(cursor),
            Rule::Prediction => self.prediction(cursor),
            Rule::Integer => self.integer(cursor, name, 0).map(|_| ()),
            Rule::Bool => self.boolean(cursor, name).map(|_| ()),
            Rule::SafePrompt => {
                let asked = self.boolean(cursor, name)?.unwrap_or_default();
                self.adds(if asked { SAFE_PROMPT_TOKENS } else { 0 });
                Ok(())
            }
            Rule::PromptMode => {
                self.adds(if cursor.kind()? == Kind::Null { 0 } else { REASONING_PROMPT_TOKENS });
                self.plain(cursor, name, &[Kind::String], "string_type", "a valid string")
            }
            Rule::Number => self.plain(cursor, name, &[Kind::Number], "float_type", "a valid number"),
            Rule::Text => self.plain(cursor, name, &[Kind::String], "string_type", "a valid string"),
            Rule::TextOrList => self.text_or_list(cursor, name),
            Rule::Object => whole(cursor, |cursor| {
                self.plain(cursor, name, &[Kind::Object], "dict_type", "a valid object")
            }),
            Rule::TextOrObject => whole(cursor, |cursor| {
                let kinds = [Kind::String, Kind::Object];
                self.plain(cursor, name, &kinds, "string_type", "a valid string or object")
            }),
        }
    }

    fn adds(&mut self, tokens: u64) {
        self.request.added_tokens = self.request.added_tokens.saturating_add(tokens);
    }

    pub(super) fn model(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let string = cursor.kind()? == Kind::String;
        let start = cursor.offset();
        if string {
            self.request.model = cursor.string()?.decoded().into_owned();
            self.request.unnameable = !is_model_name(&self.request.model);
            if self.request.model.is_empty() {
                self.refuse(&["model"], "string_too_short", "String should have at least 1 character");
            }
        } else {
            self.refuse(&["model"], "string_type", "Input should be a valid string");
            cursor.skip()?;
        }
        self.request.model_span = start..cursor.offset();
        Ok(())
    }

    fn prompt(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        self.content = true;
        self.request.messages = 1;
        if cursor.kind()? != Kind::String {
            self.refuse(&["prompt"], "string_type", "Input should be a valid string");
        }
        cursor.skip()
    }

    fn input(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        self.content = true;
        match cursor.kind()? {
            Kind::String => {
                self.request.messages = 1;
                cursor.skip()
            }
            Kind::Array => self.strings(cursor, "input").map(|count| self.request.messages = count),
            _ => {
                self.refuse(&["input"], "string_type", "Input should be a valid string or list of strings");
                cursor.skip()
            }
        }
    }

    pub(super) fn max_tokens(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        cursor.kind()?;
        let start = cursor.offset();
        self.request.max_tokens = self.integer(cursor, "max_tokens", 0)?;
        self.request.max_tokens_span = Some(start..cursor.offset());
        Ok(())
    }

    fn answers(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let n = self.integer(cursor, "n", 1)?.unwrap_or(1);
        if n > 128 {
            self.refuse(&["n"], "less_than_equal", "Input should be less than or equal to 128");
        }
        self.request.n = n;
        Ok(())
    }

    fn tier(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? == Kind::String {
            match &*cursor.string()?.decoded() {
                "standard_only" => {}
                "auto" => self.request.priority_tier = true,
                _ => self.refuse(
                    &["service_tier"],
                    "literal_error",
                    "Input should be 'auto' or 'standard_only'",
                ),
            }
            return Ok(());
        }
        self.plain(cursor, "service_tier", &[], "literal_error", "'auto' or 'standard_only'")
    }

    pub(super) fn text_or_list(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        if cursor.kind()? == Kind::Array {
            return self.strings(cursor, name).map(|_| ());
        }
        self.plain(cursor, name, &[Kind::String], "string_type", "a valid string or list of strings")
    }

    /// Consumes an array of strings and counts them.
    fn strings(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<u64, Fault> {
        let mut count = 0_u64;
        cursor.array(|cursor, index| {
            count = count.saturating_add(1);
            if cursor.kind()? != Kind::String {
                self.refuse(&[name, &index.to_string()], "string_type", "Input should be a valid string");
            }
            cursor.skip()
        })?;
        Ok(count)
    }

    /// Consumes an optional value that must be of one of these types.
    pub(super) fn plain(
        &mut self,
        cursor: &mut Cursor<'_>,
        name: &str,
        kinds: &[Kind],
        rule: &'static str,
        what: &str,
    ) -> Result<(), Fault> {
        let kind = cursor.kind()?;
        if kind != Kind::Null && !kinds.contains(&kind) {
            self.refuse(&[name], rule, format!("Input should be {what}"));
        }
        cursor.skip()
    }

    pub(super) fn boolean(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<Option<bool>, Fault> {
        if cursor.kind()? == Kind::Bool {
            return cursor.boolean().map(Some);
        }
        self.plain(cursor, name, &[], "bool_type", "a valid boolean").map(|()| None)
    }

    /// Consumes an integer in plain digits, at least `least` and below 2^63.
    pub(super) fn integer(
        &mut self,
        cursor: &mut Cursor<'_>,
        name: &str,
        least: u64,
    ) -> Result<Option<u64>, Fault> {
        if cursor.kind()? != Kind::Number {
            return self.plain(cursor, name, &[], "int_type", "a valid integer").map(|()| None);
        }
        let literal = cursor.number()?;
        if literal.contains(['.', 'e', 'E']) {
            self.refuse(&[name], "int_type", "Input should be a valid integer");
            return Ok(None);
        }
        if literal.starts_with('-') {
            let msg = format!("Input should be greater than or equal to {least}");
            self.refuse(&[name], "greater_than_equal", msg);
            return Ok(None);
        }
        match literal.parse::<i64>().ok().and_then(|value| u64::try_from(value).ok()) {
            Some(value) if value < least => {
                let msg = format!("Input should be greater than or equal to {least}");
                self.refuse(&[name], "greater_than_equal", msg);
                Ok(None)
            }
            Some(value) => Ok(Some(value)),
            None => {
                self.refuse(&[name], "less_than_equal", "Input should be less than 9223372036854775808");
                Ok(None)
            }
        }
    }
}
