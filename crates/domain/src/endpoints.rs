//! The endpoints that a key may be allowed, by name, and what each is billed by.

use serde::{Deserialize, Serialize};

/// What a call asks of Mistral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndpointKind {
    /// `POST /v1/chat/completions`
    #[serde(rename = "chat.completions")]
    Chat,
    /// `POST /v1/fim/completions`
    #[serde(rename = "fim.completions")]
    Fim,
    /// `POST /v1/embeddings`
    #[serde(rename = "embeddings")]
    Embeddings,
    /// `GET /v1/models` and `GET /v1/models/{id}`
    #[serde(rename = "models")]
    Models,
    /// `POST /v1/agents/completions`
    #[serde(rename = "agents.completions")]
    AgentsCompletions,
    /// `/v1/conversations` and what stands below it
    #[serde(rename = "conversations")]
    Conversations,
    /// `/v1/agents` and what stands below it, but for completions
    #[serde(rename = "agents")]
    Agents,
    /// `POST /v1/moderations`
    #[serde(rename = "moderations")]
    Moderations,
    /// `POST /v1/chat/moderations`
    #[serde(rename = "chat.moderations")]
    ChatModerations,
    /// `POST /v1/classifications`
    #[serde(rename = "classifications")]
    Classifications,
    /// `POST /v1/chat/classifications`
    #[serde(rename = "chat.classifications")]
    ChatClassifications,
    /// `POST /v1/ocr`
    #[serde(rename = "ocr")]
    Ocr,
    /// `POST /v1/audio/transcriptions`
    #[serde(rename = "audio.transcriptions")]
    Transcriptions,
    /// `GET /v1/audio/transcriptions/realtime`, a WebSocket
    #[serde(rename = "audio.transcriptions.realtime")]
    RealtimeTranscriptions,
    /// `POST /v1/audio/speech`
    #[serde(rename = "audio.speech")]
    Speech,
    /// `POST /v1/responses` and its token counter
    #[serde(rename = "responses")]
    Responses,
    /// `/v1/files` and what stands below it
    #[serde(rename = "files")]
    Files,
    /// `/v1/batch/jobs` and what stands below it
    #[serde(rename = "batch.jobs")]
    BatchJobs,
    /// `/v1/libraries` and what stands below it
    #[serde(rename = "libraries")]
    Libraries,
    /// `/v1/fine_tuning/models/{id}` and `DELETE /v1/models/{id}`
    #[serde(rename = "fine_tuning.models")]
    FineTunedModels,
}

/// What a provider counts to bill a call, beside the calls of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// Tokens of input and output.
    Tokens,
    /// Tokens of input: nothing is generated.
    InputTokens,
    /// Pages of a document.
    Pages,
    /// Seconds of audio.
    AudioSeconds,
    /// Characters of a text that is spoken.
    Characters,
    /// What is read of documents that are put into a library: tokens, pages, seconds.
    Documents,
    /// Nothing.
    Free,
}

impl EndpointKind {
    /// Every endpoint. New ones are only appended: the place is the number in journals.
    pub const ALL: [Self; 20] = [
        Self::Chat,
        Self::Fim,
        Self::Embeddings,
        Self::Models,
        Self::AgentsCompletions,
        Self::Conversations,
        Self::Agents,
        Self::Moderations,
        Self::ChatModerations,
        Self::Classifications,
        Self::ChatClassifications,
        Self::Ocr,
        Self::Transcriptions,
        Self::RealtimeTranscriptions,
        Self::Speech,
        Self::Responses,
        Self::Files,
        Self::BatchJobs,
        Self::Libraries,
        Self::FineTunedModels,
    ];

    /// The name, as in allow-lists and usage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat.completions",
            Self::Fim => "fim.completions",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::AgentsCompletions => "agents.completions",
            Self::Conversations => "conversations",
            Self::Agents => "agents",
            Self::Moderations => "moderations",
            Self::ChatModerations => "chat.moderations",
            Self::Classifications => "classifications",
            Self::ChatClassifications => "chat.classifications",
            Self::Ocr => "ocr",
            Self::Transcriptions => "audio.transcriptions",
            Self::RealtimeTranscriptions => "audio.transcriptions.realtime",
            Self::Speech => "audio.speech",
            Self::Responses => "responses",
            Self::Files => "files",
            Self::BatchJobs => "batch.jobs",
            Self::Libraries => "libraries",
            Self::FineTunedModels => "fine_tuning.models",
        }
    }

    /// What a call is billed by.
    pub const fn billing(self) -> Billing {
        match self {
            Self::Chat | Self::Fim | Self::AgentsCompletions | Self::Conversations | Self::Responses => {
                Billing::Tokens
            }
            Self::Embeddings
            | Self::Moderations
            | Self::ChatModerations
            | Self::Classifications
            | Self::ChatClassifications => Billing::InputTokens,
            Self::Ocr => Billing::Pages,
            Self::Transcriptions | Self::RealtimeTranscriptions => Billing::AudioSeconds,
            Self::Speech => Billing::Characters,
            Self::Libraries => Billing::Documents,
            // The calls of a batch are billed as calls of their own endpoints.
            Self::Models | Self::Agents | Self::Files | Self::BatchJobs | Self::FineTunedModels => {
                Billing::Free
            }
        }
    }

    /// Whether an answer is generated, whose length can be bounded.
    pub const fn generates(self) -> bool {
        matches!(self.billing(), Billing::Tokens)
    }

    /// Its number in journals: its place in [`EndpointKind::ALL`].
    pub fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|kind| *kind == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// From its number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// From its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_both_ways() {
        for kind in EndpointKind::ALL {
            assert_eq!(EndpointKind::parse(kind.as_str()), Some(kind));
            assert_eq!(EndpointKind::from_number(kind.number()), Some(kind));
        }
    }
}
