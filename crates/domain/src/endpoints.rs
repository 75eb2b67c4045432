//! The endpoints that a key may be allowed, by name.

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
}

impl EndpointKind {
    /// Every endpoint.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Fim, Self::Embeddings, Self::Models];

    /// The name, as in allow-lists and usage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat.completions",
            Self::Fim => "fim.completions",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
        }
    }

    /// Its number in journals: its place in [`EndpointKind::ALL`], to which new ones are only appended.
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
