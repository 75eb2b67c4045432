//! The strict reading of one inference request, and its rewriting for the upstream.
//!
//! One pass over the body ([`crate::json`]) checks the whole document, every
//! top-level field against Mistral's schema without any coercion, and counts
//! what bounds the cost. An unknown field is refused as upstream refuses it: a
//! field that is not known here could name another model or another price.

mod agents;
mod chat;
mod conversations;
mod fields;
mod guardrails;
mod rewrite;
mod written;

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;

use crate::endpoints::Endpoint;
use crate::json::{self, Cursor, Fault, JsonError, Kind};

pub use agents::{AgentVersion, HandoffExecution, Pins, Turn};
pub use rewrite::splice;

/// No more findings than this are reported; the rest of the document is still checked.
const MAX_DETAILS: usize = 16;

/// Tokens an image costs at most: 55 rows of 55 patches (1540 x 1540 pixels in squares of 28) and the end of each
/// row, as Mistral's encoder writes it (`mistral_common`, `ImageEncoder`).
const TOKENS_PER_IMAGE: u64 = 55 * (55 + 1);

/// One finding about the shape of a body, in pydantic's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Path to the field, from `"body"`; array indexes are written in digits.
    pub loc: Vec<String>,
    /// One sentence for the caller.
    pub msg: Cow<'static, str>,
    /// Pydantic's name of the rule, `type` on the wire.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// Why a body cannot be a request; the first in this order wins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is not one unambiguous JSON value (400).
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is JSON of the wrong shape or type (422); never empty.
    #[error("the request has the wrong shape")]
    Shape(Vec<Detail>),
    /// A tool other than a function: built-in tools and connectors have no price (403).
    #[error("tools of the type {tool_type:?} are not allowed")]
    ToolNotAllowed {
        /// The type as sent, cut to 128 bytes.
        tool_type: String,
    },
    /// It names a file; no file is owned here (404).
    #[error("no such file")]
    FileNotFound,
}

/// A sound request: what it asks for and what bounds its cost. All ranges are byte ranges of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where it was sent.
    pub endpoint: Endpoint,
    /// The model as sent, unescaped; never empty.
    pub model: String,
    /// The name breaks `^[a-z0-9][a-z0-9._:-]{0,127}$`, so no model can have it: answer as for an unknown one.
    pub unnameable: bool,
    /// The JSON string literal of the model, with its quotes.
    pub model_span: Range<usize>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// `max_tokens`, unless absent or `null`.
    pub max_tokens: Option<u64>,
    /// The literal of `max_tokens`, also when it is `null`.
    pub max_tokens_span: Option<Range<usize>>,
    /// Number of answers, 1 to 128.
    pub n: u64,
    /// `service_tier` is `"auto"`: upstream may charge the priority price.
    pub priority_tier: bool,
    /// UTF-8 bytes of all string values, plus the JSON around them in schemas, tools and tool calls as upstream
    /// writes it; without the `data:` URLs of images.
    pub text_bytes: u64,
    /// Messages of a chat, inputs of embeddings, 1 for a fill-in-the-middle.
    pub messages: u64,
    /// Tools offered.
    pub tools: u64,
    /// Images shown.
    pub images: u64,
    /// Tokens at most of prompts of its own that upstream was asked to add.
    pub added_tokens: u64,
    /// Models that guardrails name, or use by default.
    pub nested_models: Vec<String>,
    /// Types of the tools that upstream would run by itself.
    pub provider_tools: Vec<String>,
    /// Objects that it names.
    pub references: Vec<Reference>,
    /// What it is billed by beside tokens, at most.
    pub quantities: Quantities,
    /// What it says of agents and conversations; `None` where the endpoint has neither.
    pub turn: Option<Box<Turn>>,
}

/// What a request is billed by beside tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantities {
    /// Pages to be read.
    pub pages: u64,
    /// Pages to be read and annotated.
    pub annotated_pages: u64,
    /// Seconds of audio.
    pub audio_seconds: u64,
    /// Characters to be spoken.
    pub characters: u64,
}

/// An object that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What it is.
    pub kind: ReferenceKind,
    /// Its id, as sent.
    pub id: String,
}

/// What a named object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceKind {
    /// A file.
    File,
    /// A library of documents.
    Library,
    /// An agent.
    Agent,
    /// A conversation.
    Conversation,
    /// A connector, or a voice, or whatever else no workspace owns here.
    Unowned,
}

impl Request {
    /// A request that says nothing yet.
    pub(crate) fn empty(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            model: String::new(),
            unnameable: false,
            model_span: 0..0,
            stream: false,
            max_tokens: None,
            max_tokens_span: None,
            n: 1,
            priority_tier: false,
            text_bytes: 0,
            messages: 0,
            tools: 0,
            images: 0,
            added_tokens: 0,
            nested_models: Vec::new(),
            provider_tools: Vec::new(),
            references: Vec::new(),
            quantities: Quantities::default(),
            turn: Turn::of(endpoint),
        }
    }

    /// What the input will likely cost in tokens: for rates and per-request limits, not for money.
    ///
    /// Mistral's tokenizer takes 3.0 (Chinese) to 4.4 (source code) bytes per token on
    /// average, 3.7 on prose; 4 is the round number callers expect. Templates add about
    /// 4 tokens a message; an image is taken at its largest.
    pub fn estimated_input_tokens(&self) -> u64 {
        self.weigh(self.text_bytes.div_ceil(4), 4)
    }

    /// What the input can cost in tokens at most: for reservations.
    ///
    /// The tokenizer is a byte-level BPE, so a text never has more tokens than bytes.
    pub fn input_token_bound(&self) -> u64 {
        self.with_overheads(self.text_bytes)
    }

    /// `text` tokens, with what a template adds at most.
    pub(crate) fn with_overheads(&self, text: u64) -> u64 {
        self.weigh(text, 16).saturating_add(self.added_tokens)
    }

    fn weigh(&self, text: u64, per_message: u64) -> u64 {
        text.saturating_add(self.messages.saturating_mul(per_message))
            .saturating_add(self.tools.saturating_mul(16))
            .saturating_add(self.images.saturating_mul(TOKENS_PER_IMAGE))
    }
}

/// Whether a model can have this name: `^[a-z0-9][a-z0-9._:-]{0,127}$`, byte by byte.
pub fn is_model_name(name: &str) -> bool {
    let lower = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(lower)
        && bytes.iter().all(|byte| lower(byte) || matches!(byte, b'.' | b'_' | b':' | b'-'))
}

/// Reads the body of a request to `endpoint`.
///
/// # Errors
/// See [`RequestError`]; a body that is not sound JSON is always [`RequestError::Json`].
pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<Request, RequestError> {
    let mut reader = Reader::new(endpoint);
    json::scan(body, |cursor| reader.document(cursor))?;
    reader.finish()
}

/// What has been read so far.
struct Reader {
    request: Request,
    details: Vec<Detail>,
    /// Type of the first tool that is not a function.
    tool: Option<String>,
    file: bool,
    /// Whether `messages`, `prompt` or `input` was there.
    content: bool,
}

impl Reader {
    fn new(endpoint: Endpoint) -> Self {
        let request = Request::empty(endpoint);
        Self { request, details: Vec::new(), tool: None, file: false, content: false }
    }

    fn document(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? == Kind::Object {
            self.begins(cursor.offset());
            cursor.object(|cursor, name| match self.request.turn {
                Some(_) => self.turn_field(cursor, name),
                None => self.field(cursor, name),
            })?;
            self.missing();
        } else {
            self.refuse(&[], "model_attributes_type", "Input should be an object");
            cursor.skip()?;
        }
        self.request.text_bytes = cursor.string_bytes();
        Ok(())
    }

    fn missing(&mut self) {
        if self.request.turn.is_some() {
            return self.turn_missing();
        }
        if self.request.model_span.is_empty() {
            self.refuse(&["model"], "missing", "Field required");
        }
        let content = match self.request.endpoint {
            Endpoint::ChatCompletions => "messages",
            Endpoint::FimCompletions => "prompt",
            Endpoint::Embeddings => "input",
            _ => return,
        };
        if !self.content {
            self.refuse(&[content], "missing", "Field required");
        }
    }

    fn finish(self) -> Result<Request, RequestError> {
        if !self.details.is_empty() {
            return Err(RequestError::Shape(self.details));
        }
        if let Some(tool_type) = self.tool {
            return Err(RequestError::ToolNotAllowed { tool_type });
        }
        if self.file {
            return Err(RequestError::FileNotFound);
        }
        Ok(self.request)
    }

    /// Notes a finding about the field at `path` (below `body`).
    fn refuse(&mut self, path: &[&str], kind: &'static str, msg: impl Into<Cow<'static, str>>) {
        if self.details.len() < MAX_DETAILS {
            let loc = std::iter::once("body").chain(path.iter().copied()).map(shortened).collect();
            self.details.push(Detail { loc, msg: msg.into(), kind });
        }
    }
}

/// At most 128 bytes of what a client wrote, for an error.
fn shortened(name: &str) -> String {
    name.get(..name.floor_char_boundary(128)).unwrap_or_default().to_owned()
}
