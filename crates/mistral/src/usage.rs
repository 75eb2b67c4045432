//! What a call cost in tokens: Mistral's `usage` object, found in an answer while it passes by.

mod capture;
mod stream;
mod walk;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use capture::Capture;
use stream::Lines;

/// More tokens than any one call can have; a larger number is a lie or a bug.
const MOST_TOKENS: u64 = 1_000_000_000;

/// What one call used, as it is to be charged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// All input: `max(prompt_tokens, total_tokens - completion_tokens)`, because
    /// audio and connector tokens stand outside `prompt_tokens`.
    pub input_tokens: u64,
    /// The part of the input that came from the cache; never above `input_tokens`.
    pub cached_tokens: u64,
    /// Output; 0 for embeddings.
    pub output_tokens: u64,
    /// The upstream's sum, or ours where it gives none.
    pub total_tokens: u64,
    /// Served at the priority price.
    pub priority: bool,
    /// Pages of a document that were read (`usage_info.pages_processed`).
    pub pages: u64,
    /// Seconds of audio that were heard.
    pub audio_seconds: u64,
    /// Calls of tools that the provider ran, by the tool's type.
    pub tool_calls: BTreeMap<String, u64>,
}

/// A usage that cannot be charged; the caller estimates instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUsage {
    /// Not an object of integers at least 0, or one that counts neither tokens nor pages.
    #[error("the usage is not an object of token counts")]
    Malformed,
    /// A count above 10^9.
    #[error("the usage counts more tokens than a call can have")]
    OutOfRange,
    /// The object is longer than 64 kB, or its stream event longer than 1 MB.
    #[error("the usage is too long to be read")]
    TooLong,
}

/// The three shapes in one: completions and conversations, responses (`input_tokens`), and pages (`usage_info`).
#[derive(Deserialize)]
struct Wire<'a> {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    prompt_token_details: Option<Details>,
    input_tokens_details: Option<Details>,
    num_cached_tokens: Option<u64>,
    pages_processed: Option<u64>,
    #[serde(default, deserialize_with = "begun_seconds")]
    prompt_audio_seconds: Option<u64>,
    connectors: Option<BTreeMap<String, u64>>,
    #[serde(borrow)]
    service_tier: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

/// Seconds, of which a begun one counts as one.
fn begun_seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let Some(seconds) = Option::<serde_json::Number>::deserialize(from)? else { return Ok(None) };
    let begun = seconds.as_f64().filter(|seconds| *seconds >= 0.0).map(f64::ceil);
    let whole = begun.and_then(|begun| format!("{begun:.0}").parse().ok());
    seconds.as_u64().or(whole).map(Some).ok_or_else(|| serde::de::Error::custom("seconds below zero"))
}

impl Wire<'_> {
    fn cached(&self) -> u64 {
        let nested = |details: &Option<Details>| details.as_ref().and_then(|details| details.cached_tokens);
        nested(&self.prompt_tokens_details)
            .or_else(|| nested(&self.prompt_token_details))
            .or_else(|| nested(&self.input_tokens_details))
            .or(self.num_cached_tokens)
            .unwrap_or_default()
    }
}

impl Usage {
    /// Reads a usage object.
    ///
    /// # Errors
    /// See [`BadUsage`]; unknown keys are no error.
    pub fn parse(object: &[u8]) -> Result<Self, BadUsage> {
        let wire: Wire<'_> = serde_json::from_slice(object).map_err(|_| BadUsage::Malformed)?;
        if object.trim_ascii_start().first() != Some(&b'{') {
            return Err(BadUsage::Malformed);
        }
        let said = wire.prompt_tokens.or(wire.input_tokens);
        let prompt = match (said, wire.pages_processed) {
            (Some(prompt), _) => prompt,
            // Pages are counted without tokens.
            (None, Some(_)) => 0,
            (None, None) => return Err(BadUsage::Malformed),
        };
        let output = wire.completion_tokens.or(wire.output_tokens).unwrap_or_default();
        let total = wire.total_tokens.unwrap_or_else(|| prompt.saturating_add(output));
        let cached = wire.cached();
        let (pages, audio) = (wire.pages_processed.unwrap_or(0), wire.prompt_audio_seconds.unwrap_or(0));
        let tool_calls = wire.connectors.unwrap_or_default();
        let all = [prompt, output, total, cached, pages, audio];
        if all.iter().chain(tool_calls.values()).any(|count| *count > MOST_TOKENS) {
            return Err(BadUsage::OutOfRange);
        }
        let input = prompt.max(total.saturating_sub(output));
        Ok(Self {
            input_tokens: input,
            cached_tokens: cached.min(input),
            output_tokens: output,
            total_tokens: total,
            priority: wire.service_tier.as_deref() == Some("priority"),
            pages,
            audio_seconds: audio,
            tool_calls,
        })
    }
}

/// What an answer said about its cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The last usage that was not null.
    pub usage: Option<Result<Usage, BadUsage>>,
    /// Two usages said different things.
    pub conflicting: bool,
    /// Streams only: UTF-8 bytes of generated text, thinking and tool arguments.
    pub text_bytes: u64,
    /// Streams only: `data:` lines, without the `[DONE]`.
    pub events: u64,
    /// Streams only: `data: [DONE]` was seen.
    pub done: bool,
    /// Conversations only: the models that spoke, each once.
    pub models: Vec<String>,
}

/// Watches an answer go by in chunks, cut anywhere, for its `usage`.
#[derive(Debug)]
pub struct UsageFinder {
    found: Found,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Whole(Capture),
    Stream(Lines),
}

impl UsageFinder {
    /// For a JSON answer. Costs one substring search a chunk, whatever the size.
    pub fn for_answer() -> Self {
        Self { found: Found::default(), mode: Mode::Whole(Capture::default()) }
    }

    /// For a stream of server-sent events, which is also counted in case it breaks off.
    pub fn for_stream() -> Self {
        Self { found: Found::default(), mode: Mode::Stream(Lines::default()) }
    }

    /// For the stream of a conversation: also who speaks is noted.
    pub fn for_conversation() -> Self {
        Self { found: Found::default(), mode: Mode::Stream(Lines::of_conversation()) }
    }

    /// For an answer of the responses endpoint: it repeats what the client sent, so that `usage` counts only where
    /// upstream writes it.
    pub fn for_response(stream: bool) -> Self {
        let mode = if stream {
            Mode::Stream(Lines::new(Capture::at_depth(2)))
        } else {
            Mode::Whole(Capture::at_depth(1))
        };
        Self { found: Found::default(), mode }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        match &mut self.mode {
            Mode::Whole(capture) => capture.feed(chunk, &mut self.found),
            Mode::Stream(lines) => lines.feed(chunk, &mut self.found),
        }
    }

    /// What has been seen so far, for a decision in flight. A line not yet ended does not count.
    pub const fn so_far(&self) -> &Found {
        &self.found
    }

    /// What was seen, with a last line that may be cut off.
    pub fn finish(mut self) -> Found {
        if let Mode::Stream(lines) = &mut self.mode {
            lines.end(&mut self.found);
        }
        self.found
    }
}

impl Found {
    fn note(&mut self, usage: Result<Usage, BadUsage>) {
        self.conflicting |= self.usage.as_ref().is_some_and(|earlier| *earlier != usage);
        self.usage = Some(usage);
    }
}
