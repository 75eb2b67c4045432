//! What a prompt is made of: texts, attachments, audio, and how many tokens each counts for.

use serde_json::Value;

use crate::{
    audio,
    cache::Trail,
    token::{count, count_value},
};

/// An image or a document counts as no more tokens than this.
const ATTACHMENT: u64 = 256;

/// The amounts in a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    /// Tokens of texts and attachments.
    pub(crate) tokens: u64,
    /// Tokens of audio, which count beside them.
    pub(crate) audio: u64,
}

/// The amounts in a list of messages and in the tools beside it.
pub(crate) fn amounts(messages: &Value, tools: &Value, mut trail: Option<&mut Trail>) -> Amounts {
    let mut sum = Amounts::default();
    for message in messages.as_array().into_iter().flatten() {
        if let Some(trail) = &mut trail {
            trail.mark(message.get("role").unwrap_or(&Value::Null));
        }
        match message.get("content") {
            Some(text @ Value::String(_)) => sum.chunk(text, &mut trail),
            Some(Value::Array(chunks)) => chunks.iter().for_each(|chunk| sum.chunk(chunk, &mut trail)),
            _ => {}
        }
        if let Some(calls) = message.get("tool_calls").filter(|calls| !calls.is_null()) {
            sum.other(calls, count_value(calls), &mut trail);
        }
    }
    for tool in tools.as_array().into_iter().flatten() {
        sum.other(tool, count_value(tool), &mut trail);
    }
    sum
}

impl Amounts {
    fn chunk(&mut self, chunk: &Value, trail: &mut Option<&mut Trail>) {
        let text = chunk.as_str().or_else(|| chunk.get("text")?.as_str());
        match (text, chunk.get("input_audio")) {
            (Some(text), _) => {
                self.tokens = self.tokens.saturating_add(count(text));
                if let Some(trail) = trail {
                    trail.text(text);
                }
            }
            (None, Some(audio)) => self.audio = self.audio.saturating_add(audio::tokens(audio::heard(audio))),
            (None, None) => self.other(chunk, count_value(chunk).min(ATTACHMENT), trail),
        }
    }

    fn other(&mut self, value: &Value, tokens: u64, trail: &mut Option<&mut Trail>) {
        self.tokens = self.tokens.saturating_add(tokens);
        if let Some(trail) = trail {
            trail.value(value, tokens);
        }
    }
}
