//! The top-level fields of each endpoint; anything else is refused, as upstream does.

use super::chunks::Family;
use super::path::Path;
use super::speech::FORMATS;
use super::written::whole;
use super::{CacheKey, Reader, is_model_name};
use crate::endpoints::Endpoint;
use crate::json::{Cursor, Fault, Kind};

/// Tokens of the safety prompt, some 40 by Mistral's tokenizer, with room for a longer one.
const SAFE_PROMPT_TOKENS: u64 = 64;

/// Tokens of the system prompt of `prompt_mode` `reasoning`, some 120 as published, with room for a longer one.
const REASONING_PROMPT_TOKENS: u64 = 256;

/// What a field may hold; `null` means absent unless the field is required.
#[derive(Clone, Copy)]
enum Rule {
    Model,
    Messages,
    /// A text.
    Prompt,
    /// A text or a list of texts.
    Input,
    ModeratedChats,
    ClassifiedChats,
    Document,
    Pages,
    Annotation,
    Spoken,
    Voice,
    Items,
    Stream,
    MaxTokens,
    N,
    Tools(Family),
    Guardrails,
    Tier,
    CacheKey,
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
    /// Bytes in base 64, or an address of them.
    Bytes,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `false` or nothing.
    Off,
    /// Nothing.
    Nothing,
}

/// Mistral's documented fields.
fn rule(endpoint: Endpoint, name: &str) -> Option<Rule> {
    if name == "model" {
        return Some(Rule::Model);
    }
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::AgentsCompletions => chat(name).or_else(|| completion(name)),
        Endpoint::FimCompletions => fim(name).or_else(|| completion(name)),
        Endpoint::Embeddings => embeddings(name),
        Endpoint::Moderations | Endpoint::Classifications => classifier(name),
        Endpoint::ChatModerations => (name == "input").then_some(Rule::ModeratedChats),
        Endpoint::ChatClassifications => (name == "input").then_some(Rule::ClassifiedChats),
        Endpoint::Ocr => ocr(name),
        Endpoint::Speech => speech(name),
        Endpoint::Responses => counted(name).or_else(|| response(name)),
        Endpoint::CountResponseTokens => counted(name),
        _ => None,
    }
}

/// The field beside the model that an endpoint cannot do without.
pub(super) const fn required(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::AgentsCompletions => Some("messages"),
        Endpoint::FimCompletions => Some("prompt"),
        Endpoint::Ocr => Some("document"),
        Endpoint::Embeddings
        | Endpoint::Moderations
        | Endpoint::Classifications
        | Endpoint::ChatModerations
        | Endpoint::ChatClassifications
        | Endpoint::Speech
        | Endpoint::Responses
        | Endpoint::CountResponseTokens => Some("input"),
        _ => None,
    }
}

fn completion(name: &str) -> Option<Rule> {
    Some(match name {
        "stream" => Rule::Stream,
        "max_tokens" => Rule::MaxTokens,
        "temperature" | "top_p" => Rule::Number,
        "stop" => Rule::TextOrList,
        "random_seed" | "min_tokens" => Rule::Integer,
        "stream_options" | "metadata" => Rule::Object,
        "prompt_cache_key" => Rule::CacheKey,
        _ => return None,
    })
}

fn chat(name: &str) -> Option<Rule> {
    Some(match name {
        "messages" => Rule::Messages,
        "tools" => Rule::Tools(Family::Chat),
        "guardrails" => Rule::Guardrails,
        "n" => Rule::N,
        "service_tier" => Rule::Tier,
        "presence_penalty" | "frequency_penalty" | "repetition_penalty" => Rule::Number,
        "top_k" | "top_logprobs" | "top_prompt_logprobs" => Rule::Integer,
        "response_format" => Rule::Object,
        "prediction" => Rule::Prediction,
        "tool_choice" => Rule::TextOrObject,
        "parallel_tool_calls" | "logprobs" | "prompt_logprobs" => Rule::Bool,
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

fn classifier(name: &str) -> Option<Rule> {
    Some(match name {
        "input" => Rule::Input,
        "metadata" => Rule::Object,
        _ => return None,
    })
}

fn ocr(name: &str) -> Option<Rule> {
    Some(match name {
        "document" => Rule::Document,
        "pages" => Rule::Pages,
        "bbox_annotation_format" | "document_annotation_format" => Rule::Annotation,
        "document_annotation_prompt" => Rule::Text,
        "include_image_base64" | "extract_header" | "extract_footer" | "include_blocks" => Rule::Bool,
        "image_limit" | "image_min_size" => Rule::Integer,
        "table_format" => Rule::OneOf(&["markdown", "html"]),
        "confidence_scores_granularity" => Rule::OneOf(&["word", "page", "block"]),
        _ => return None,
    })
}

fn speech(name: &str) -> Option<Rule> {
    Some(match name {
        "input" => Rule::Spoken,
        "stream" => Rule::Stream,
        "metadata" | "phoneme_hints" => Rule::Object,
        "prompt_cache_key" => Rule::CacheKey,
        "voice_id" => Rule::Voice,
        "ref_audio" => Rule::Bytes,
        "expressiveness" => Rule::Number,
        "response_format" => Rule::OneOf(&FORMATS),
        _ => return None,
    })
}

/// What a response reads, and what is counted of it.
fn counted(name: &str) -> Option<Rule> {
    Some(match name {
        "input" => Rule::Items,
        "instructions" => Rule::Text,
        "tools" => Rule::Tools(Family::Responses),
        "tool_choice" => Rule::TextOrObject,
        "parallel_tool_calls" => Rule::Bool,
        "reasoning" | "text" => Rule::Object,
        "truncation" => Rule::OneOf(&["disabled"]),
        "previous_response_id" | "conversation" | "prompt" => Rule::Nothing,
        _ => return None,
    })
}

fn response(name: &str) -> Option<Rule> {
    Some(match name {
        "stream" => Rule::Stream,
        "store" | "background" => Rule::Off,
        "max_output_tokens" => Rule::MaxTokens,
        "temperature" | "top_p" => Rule::Number,
        "metadata" => Rule::Object,
        "prompt_cache_key" => Rule::CacheKey,
        "max_tool_calls" | "top_logprobs" => Rule::Integer,
        "moderation" => Rule::Nothing,
        _ => return None,
    })
}

impl Reader {
    pub(super) fn field(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Result<(), Fault> {
        let path = Path::field(name);
        self.content |= required(self.request.endpoint) == Some(name);
        match rule(self.request.endpoint, name) {
            Some(rule) => self.value(cursor, rule, &path),
            None => self.extra(cursor, &path),
        }
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, rule: Rule, path: &Path<'_>) -> Result<(), Fault> {
        match rule {
            Rule::Model => self.model(cursor),
            Rule::Messages => self.messages(cursor, path),
            Rule::Prompt => self.prompt(cursor, path),
            Rule::Input => self.input(cursor, path),
            Rule::ModeratedChats => self.moderated_chats(cursor, path),
            Rule::ClassifiedChats => self.classified_chats(cursor, path),
            Rule::Document => self.document_chunk(cursor, path),
            Rule::Pages => self.pages(cursor, path),
            Rule::Annotation => self.annotation(cursor, path),
            Rule::Spoken => self.spoken(cursor, path),
            Rule::Voice => self.voice(cursor, path),
            Rule::Items => self.items(cursor, path),
            Rule::Tools(family) => self.tools(cursor, family, path),
            Rule::Guardrails => self.guardrails(cursor),
            Rule::MaxTokens => self.max_tokens(cursor, path),
            Rule::N => self.answers(cursor, path),
            Rule::Tier => self.tier(cursor, path),
            Rule::CacheKey => self.cache_key(cursor, path),
            Rule::Prediction => self.prediction(cursor, path),
            Rule::Stream => {
                self.request.stream = self.boolean(cursor, path)?.unwrap_or_default();
                Ok(())
            }
            Rule::SafePrompt => {
                let asked = self.boolean(cursor, path)?.unwrap_or_default();
                self.adds(if asked { SAFE_PROMPT_TOKENS } else { 0 });
                Ok(())
            }
            Rule::PromptMode => {
                self.adds(if cursor.kind()? == Kind::Null { 0 } else { REASONING_PROMPT_TOKENS });
                self.text(cursor, path)
            }
            Rule::Integer => self.integer(cursor, path, 0).map(|_| ()),
            Rule::Bool => self.boolean(cursor, path).map(|_| ()),
            Rule::Number => self.plain(cursor, path, &[Kind::Number], "float_type", "a valid number"),
            Rule::Text => self.text(cursor, path),
            Rule::TextOrList => self.text_or_list(cursor, path),
            Rule::Object => whole(cursor, |cursor| {
                self.plain(cursor, path, &[Kind::Object], "dict_type", "a valid object")
            }),
            Rule::TextOrObject => whole(cursor, |cursor| {
                let kinds = [Kind::String, Kind::Object];
                self.plain(cursor, path, &kinds, "string_type", "a valid string or object")
            }),
            Rule::Bytes => self.bytes(cursor, path),
            Rule::OneOf(words) => self.one_of(cursor, path, words),
            Rule::Off => self.off(cursor, path),
            Rule::Nothing => self.nothing(cursor, path),
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

    fn prompt(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        self.request.messages = 1;
        if cursor.kind()? != Kind::String {
            self.refuse_at(path, "string_type", "Input should be a valid string");
        }
        cursor.skip()
    }

    fn input(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::String => {
                self.request.messages = 1;
                cursor.skip()
            }
            Kind::Array => self.strings(cursor, path).map(|count| self.request.messages = count),
            _ => {
                self.refuse_at(path, "string_type", "Input should be a valid string or list of strings");
                cursor.skip()
            }
        }
    }

    pub(super) fn max_tokens(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        cursor.kind()?;
        let start = cursor.offset();
        self.request.max_tokens = self.integer(cursor, path, 0)?;
        self.request.max_tokens_span = Some(start..cursor.offset());
        Ok(())
    }

    fn answers(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        let n = self.integer(cursor, path, 1)?.unwrap_or(1);
        if n > 128 {
            self.refuse_at(path, "less_than_equal", "Input should be less than or equal to 128");
        }
        self.request.n = n;
        Ok(())
    }

    fn tier(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        cursor.kind()?;
        let start = cursor.offset();
        match cursor.kind()? {
            Kind::String => match &*cursor.string()?.decoded() {
                "auto" => self.request.priority_tier = true,
                "standard_only" => {}
                _ => self.refuse_at(path, "literal_error", "Input should be 'auto' or 'standard_only'"),
            },
            _ => self.plain(cursor, path, &[], "literal_error", "'auto' or 'standard_only'")?,
        }
        self.request.tier_span = Some(start..cursor.offset());
        Ok(())
    }

    fn cache_key(&mut self, cursor: &mut Cursor<'_>, path: &Path<'_>) -> Result<(), Fault> {
        cursor.kind()?;
        let start = cursor.offset();
        let given = self.string(cursor, path)?;
        let span = start..cursor.offset();
        self.request.cache_key = given.map(|given| CacheKey { given, span, sent: None });
        Ok(())
    }
}
