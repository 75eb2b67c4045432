//! The strict reading of one inference request, and its rewriting for the upstream.
//!
//! One pass over the body ([`crate::json`]) checks the whole document, every
//! top-level field against Mistral's schema without any coercion, and counts
//! what bounds the cost. An unknown field is refused as upstream refuses it: a
//! field that is not known here could name another model or another price.

mod agents;
mod chat;
mod chunks;
mod classifiers;
mod conversations;
mod fields;
mod guardrails;
mod ocr;
mod path;
mod responses;
mod rewrite;
mod speech;
mod tools;
mod urls;
mod values;
mod written;

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;

use crate::endpoints::Endpoint;
use crate::json::{self, Cursor, Fault, JsonError, Kind};

pub use agents::{AgentVersion, HandoffExecution, Pins, Turn};
use path::Path;

pub use ocr::Document;
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
    /// `max_tokens`, or what the endpoint calls it, unless absent or `null`.
    pub max_tokens: Option<u64>,
    /// The literal of it, also when it is `null`.
    pub max_tokens_span: Option<Range<usize>>,
    /// Number of answers, 1 to 128.
    pub n: u64,
    /// `service_tier` is `"auto"`: upstream may charge the priority price.
    pub priority_tier: bool,
    /// The literal of `service_tier`.
    pub tier_span: Option<Range<usize>>,
    /// `prompt_cache_key`, unless absent or `null`.
    pub cache_key: Option<CacheKey>,
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
    /// Where guardrails name them.
    pub named_guards: Vec<NamedGuard>,
    /// Models that entries of a history name: they are asked for, and none of them runs for it.
    pub mentioned_models: Vec<String>,
    /// Types of the tools that upstream would run by itself.
    pub provider_tools: Vec<String>,
    /// Objects that it names.
    pub references: Vec<Reference>,
    /// Hosts of the addresses that it names, in small letters.
    pub hosts: Vec<String>,
    /// It brings documents or sound, which can have as many tokens as the model's context holds.
    pub fills_context: bool,
    /// The document that is to be read.
    pub document: Option<Document>,
    /// What it is billed by beside tokens and pages, at most.
    pub quantities: Quantities,
    /// What it says of agents and conversations; `None` where the endpoint has neither.
    pub turn: Option<Box<Turn>>,
}

/// The name that a client gave to what upstream may keep of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    /// As sent.
    pub given: String,
    /// Its literal.
    pub span: Range<usize>,
    /// What goes upstream instead; `None` is nothing.
    pub sent: Option<String>,
}

/// The model that a guardrail names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedGuard {
    /// As sent.
    pub given: String,
    /// Its literal.
    pub span: Range<usize>,
    /// The pinned id that goes upstream instead; `None` until it is known.
    pub sent: Option<String>,
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
            tier_span: None,
            cache_key: None,
            text_bytes: 0,
            messages: 0,
            tools: 0,
            images: 0,
            added_tokens: 0,
            nested_models: Vec::new(),
            named_guards: Vec::new(),
            mentioned_models: Vec::new(),
            provider_tools: Vec::new(),
            references: Vec::new(),
            hosts: Vec::new(),
            fills_context: false,
            document: None,
            quantities: Quantities::default(),
            turn: Turn::of(endpoint),
        }
    }

    /// What it is billed by beside tokens, at most, where a document that cannot be seen has `unseen_pages`.
    pub fn quantities_at_most(&self, unseen_pages: u64) -> Quantities {
        let Some(document) = self.document else { return self.quantities };
        let pages = document.bound(unseen_pages);
        let (pages, annotated_pages) = if document.annotated { (0, pages) } else { (pages, 0) };
        Quantities { pages, annotated_pages, ..self.quantities }
    }

    /// Puts the pinned id of each model that a guardrail names in its place: a name that moves upstream moves nobody here.
    pub fn pin_guards(&mut self, pinned: impl Fn(&str) -> Option<String>) {
        for guard in &mut self.named_guards {
            guard.sent = pinned(&guard.given);
        }
    }

    /// Puts the client's name of its cached prompts into a name of its own, which no other workspace can take.
    /// A name that nobody renames does not go upstream.
    pub fn rename_cache_key(&mut self, rename: impl FnOnce(&str) -> String) {
        if let Some(key) = &mut self.cache_key {
            key.sent = Some(rename(&key.given));
        }
    }

    /// What the input will likely cost in tokens: for rates and per-request limits, not for money.
    ///
    /// Mistral's tokenizer takes 3.0 (Chinese) to 4.4 (source code) bytes per token on
    /// average, 3.7 on prose; 4 is the round number callers expect. Templates add about
    /// 4 tokens a message; an image is taken at its largest.
    ///
    /// What is billed by pages or characters has no tokens.
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
    /// Whether the field was there that the endpoint cannot do without.
    content: bool,
}

impl Reader {
    fn new(endpoint: Endpoint) -> Self {
        Self { request: Request::empty(endpoint), details: Vec::new(), content: false }
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
        // What is billed by pages or characters has no tokens.
        let by_tokens = !matches!(self.request.endpoint, Endpoint::Ocr | Endpoint::Speech);
        self.request.text_bytes = if by_tokens { cursor.string_bytes() } else { 0 };
        Ok(())
    }

    fn missing(&mut self) {
        if self.request.turn.is_some() {
            return self.turn_missing();
        }
        if self.request.model_span.is_empty() {
            self.refuse(&["model"], "missing", "Field required");
        }
        if let Some(name) = fields::required(self.request.endpoint).filter(|_| !self.content) {
            self.refuse(&[name], "missing", "Field required");
        }
    }

    fn finish(self) -> Result<Request, RequestError> {
        if !self.details.is_empty() {
            return Err(RequestError::Shape(self.details));
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

impl Reader {
    /// Notes a finding about the value at `path`.
    fn refuse_at(&mut self, path: &Path<'_>, kind: &'static str, msg: impl Into<Cow<'static, str>>) {
        if self.details.len() < MAX_DETAILS {
            let loc = std::iter::once("body".to_owned()).chain(path.steps()).collect();
            self.details.push(Detail { loc, msg: msg.into(), kind });
        }
    }
}

/// At most 128 bytes of what a client wrote, for an error.
fn shortened(name: &str) -> String {
    name.get(..name.floor_char_boundary(128)).unwrap_or_default().to_owned()
}
