//! The exact count of input tokens, by the vocabulary that Mistral's models read with.
//!
//! The model of the count is `mistral_common`, Mistral's own library: every text
//! is cut into pieces by the vocabulary's pattern and each piece is encoded by
//! itself; schemas, tools and tool calls are written anew as Python writes JSON.
//! What the chat template adds is taken as [`Request::input_token_bound`] takes it.
//! Nothing in a text is a special token: `[INST]` in a prompt is six characters.
//!
//! Counting takes 10 to 50 µs per 1,000 bytes, so it is for the calls near a limit.

mod dump;
mod merges;
mod pieces;
mod tekken;
mod texts;

pub use pieces::PATTERN;

use crate::endpoints::Endpoint;
use crate::json;
use crate::request::Request;

use merges::Merger;
use pieces::{Classes, Pieces};
use tekken::Vocabulary;

pub(crate) use dump::EXPONENT_DIGITS;
pub use tekken::TokenizerError;

/// Longer texts are not counted: it would keep the thread for 10 ms, and for 60 with a text made to take long.
const LONGEST_TEXT: u64 = 256 << 10;

/// A vocabulary, ready to count with. It takes some 10 MB.
#[derive(Debug)]
pub struct Tokenizer {
    vocabulary: Vocabulary,
    classes: Classes,
}

impl Tokenizer {
    /// Reads a vocabulary from the bytes of a `tekken.json`, as Mistral publishes it beside its models.
    ///
    /// # Errors
    /// The file is not such a vocabulary, or cuts texts by a pattern that is not known here.
    pub fn from_tekken(bytes: &[u8]) -> Result<Self, TokenizerError> {
        Ok(Self { vocabulary: tekken::read(bytes)?, classes: Classes::new() })
    }

    /// The tokens of one text by itself, without any template.
    pub fn tokens(&self, text: &str) -> u64 {
        let mut merger = Merger::default();
        let pieces = Pieces::new(&self.classes, text);
        pieces.map(|piece| merger.tokens(&self.vocabulary, piece.as_bytes())).fold(0, u64::saturating_add)
    }

    /// The input tokens of `request` at most, never above [`Request::input_token_bound`].
    ///
    /// `body` must be the bytes that the request was read from. It holds for models that read with this
    /// vocabulary; older ones (a SentencePiece vocabulary: `mistral-large-2411`, `mistral-embed` and before)
    /// may take more tokens. `None` when it cannot be told: for other endpoints than chats and FIM, where the input is not
    /// all in the request (documents, sound, tools that the provider runs), and for more than 256 KiB of text.
    pub fn count(&self, request: &Request, body: &[u8]) -> Option<u64> {
        let all_said = matches!(request.endpoint, Endpoint::ChatCompletions | Endpoint::FimCompletions)
            && !request.fills_context
            && request.provider_tools.is_empty();
        if !all_said || request.text_bytes > LONGEST_TEXT {
            return None;
        }
        let tokens = json::scan(body, |cursor| texts::tokens(self, cursor)).ok()?;
        Some(request.with_overheads(tokens).min(request.input_token_bound()))
    }
}
