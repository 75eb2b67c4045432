//! The amounts a provider would bill a call for, in every unit that has a price.

use serde::{Serialize, Serializer, ser::SerializeMap};

/// What a provider would bill for a call. Which of these units cost is the price list's to say: a transcription,
/// for one, reports tokens beside its seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Tokens of the prompt: its text, with what came from the cache.
    pub prompt: u64,
    /// Tokens of all choices, as far as they were generated before the stream was cut.
    pub completion: u64,
    /// All tokens: prompt, completion, audio and those of built-in tools.
    pub total: u64,
    /// Of the prompt's tokens those that came from the cache.
    pub cached: u64,
    /// Tokens of audio that was put in, beside the prompt's.
    pub audio: u64,
    /// Tokens that built-in tools put in, beside the prompt's.
    pub connector: u64,
    /// Calls of built-in tools.
    pub tool_calls: ToolCalls,
    /// Pages of documents that were read without annotation.
    pub pages: u64,
    /// Pages of documents that were read with annotation.
    pub annotated_pages: u64,
    /// Seconds of audio that were written down, each call's rounded up.
    pub audio_seconds: u64,
    /// Characters that were spoken.
    pub characters: u64,
    /// Whether it is billed at the price of the priority tier.
    pub priority: bool,
    /// Whether it is billed at the price of a batch.
    pub batch: bool,
}

impl Billed {
    /// Plain tokens.
    pub fn new(prompt: u64, completion: u64) -> Self {
        Self { prompt, completion, total: prompt.saturating_add(completion), ..Self::default() }
    }

    /// All tokens that are billed as input, cached ones among them.
    pub fn input(&self) -> u64 {
        self.total.saturating_sub(self.completion)
    }

    /// The same with tokens of audio.
    #[must_use]
    pub(crate) fn with_audio(mut self, tokens: u64) -> Self {
        self.audio = self.audio.saturating_add(tokens);
        self.total = self.total.saturating_add(tokens);
        self
    }

    /// The same with what built-in tools did.
    #[must_use]
    pub(crate) fn with_tools(mut self, calls: ToolCalls, tokens: u64) -> Self {
        self.tool_calls.add(calls);
        self.connector = self.connector.saturating_add(tokens);
        self.total = self.total.saturating_add(tokens);
        self
    }

    /// The same without the completion, as it stands before anything is said.
    #[must_use]
    pub(crate) fn unsaid(mut self) -> Self {
        self.total = self.input();
        self.completion = 0;
        self
    }

    /// Adds another amount.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { prompt, completion, total, cached, audio, connector, tool_calls, .. } = other;
        let amounts = [
            (&mut self.prompt, prompt),
            (&mut self.completion, completion),
            (&mut self.total, total),
            (&mut self.cached, cached),
            (&mut self.audio, audio),
            (&mut self.connector, connector),
            (&mut self.pages, other.pages),
            (&mut self.annotated_pages, other.annotated_pages),
            (&mut self.audio_seconds, other.audio_seconds),
            (&mut self.characters, other.characters),
        ];
        for (sum, amount) in amounts {
            *sum = sum.saturating_add(amount);
        }
        self.tool_calls.add(tool_calls);
        self.priority |= other.priority;
        self.batch |= other.batch;
    }
}

/// How often each built-in tool was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolCalls([u64; TOOLS.len()]);

/// The built-in tools, by the names they have in requests.
const TOOLS: [&str; 6] = [
    "web_search",
    "web_search_premium",
    "code_interpreter",
    "image_generation",
    "document_library",
    "connector",
];

impl ToolCalls {
    /// How often the tool of this name was called.
    pub fn of(&self, name: &str) -> u64 {
        self.iter().find(|(known, _)| *known == name).map_or(0, |(_, calls)| calls)
    }

    /// The tools that were called, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        TOOLS.into_iter().zip(self.0).filter(|(_, calls)| *calls > 0)
    }

    /// Whether no tool was called.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Counts calls of a tool; says whether there is such a tool.
    pub(crate) fn count(&mut self, name: &str, calls: u64) -> bool {
        let mut known = TOOLS.into_iter().zip(&mut self.0).filter(|(known, _)| *known == name);
        known.next().map(|(_, sum)| *sum = sum.saturating_add(calls)).is_some()
    }

    fn add(&mut self, other: Self) {
        for (sum, calls) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(calls);
        }
    }
}

impl Serialize for ToolCalls {
    /// A map from name to calls.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, calls) in self.iter() {
            map.serialize_entry(name, &calls)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_added() {
        let mut tool_calls = ToolCalls::default();
        assert!(tool_calls.count("web_search", 2) && !tool_calls.count("function", 1));
        let one = Billed {
            cached: 1,
            pages: 2,
            annotated_pages: 3,
            audio_seconds: 4,
            characters: 5,
            priority: true,
            batch: true,
            ..Billed::new(6, 7).with_audio(8).with_tools(tool_calls, 9)
        };
        assert_eq!((one.total, one.input()), (30, 23));
        let mut sum = Billed::default();
        sum.add(one);
        assert_eq!(sum, one);
        sum.add(one);
        assert_eq!((sum.total, sum.cached, sum.pages, sum.annotated_pages), (60, 2, 4, 6));
        assert_eq!((sum.audio_seconds, sum.characters, sum.tool_calls.of("web_search")), (8, 10, 4));
        assert_eq!(serde_json::to_string(&sum.tool_calls).unwrap(), r#"{"web_search":4}"#);
    }
}
