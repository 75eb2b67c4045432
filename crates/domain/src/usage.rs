//! What a call used and cost: the record each leaves behind.

use crate::endpoints::EndpointKind;
use crate::id::{KeyId, OrganizationId, RequestId, UserId, WorkspaceId};
use crate::settlement::{Bound, Charge};
use crate::time::Timestamp;
use std::sync::Arc;

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read, cached ones included.
    pub input: u64,
    /// Of those, the ones that the provider had in its cache.
    pub cached: u64,
    /// Written.
    pub output: u64,
}

/// What one call used beside tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Pages read.
    pub pages: u64,
    /// Pages read and annotated, which are not among `pages`.
    pub annotated_pages: u64,
    /// Seconds of audio heard, begun ones as whole ones.
    pub audio_seconds: u64,
    /// Characters spoken.
    pub characters: u64,
    /// Calls of tools that the provider ran.
    pub tool_calls: u64,
}

impl Units {
    /// All of them, with their names.
    pub const fn named(&self) -> [(&'static str, u64); 5] {
        [
            ("pages", self.pages),
            ("annotated_pages", self.annotated_pages),
            ("audio_seconds", self.audio_seconds),
            ("characters", self.characters),
            ("tool_calls", self.tool_calls),
        ]
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            pages: self.pages.saturating_add(other.pages),
            annotated_pages: self.annotated_pages.saturating_add(other.annotated_pages),
            audio_seconds: self.audio_seconds.saturating_add(other.audio_seconds),
            characters: self.characters.saturating_add(other.characters),
            tool_calls: self.tool_calls.saturating_add(other.tool_calls),
        }
    }
}

/// The record of one call that went upstream.
#[derive(Clone, Debug)]
pub struct UsageRecord {
    /// The request.
    pub request_id: RequestId,
    /// When it was admitted.
    pub at: Timestamp,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The key.
    pub key_id: KeyId,
    /// The person who owns the key, if one does.
    pub user_id: Option<UserId>,
    /// The model role the call was judged by, if any.
    pub role: Option<Arc<str>>,
    /// The endpoint.
    pub endpoint: EndpointKind,
    /// The model as the client named it; the one that went upstream, where the journal told of the call.
    pub model_asked: String,
    /// The model that went upstream.
    pub model: Arc<str>,
    /// What it is charged, at the price of that version.
    pub charge: Charge,
    /// The version of the price; 0 when the model had none.
    pub price_version: u32,
    /// The status the client got.
    pub status: u16,
    /// Microseconds from admission to the first byte of the answer.
    pub first_byte_micros: u64,
    /// Microseconds from admission to the end of the answer.
    pub total_micros: u64,
    /// What it could have cost at most, when it was admitted.
    pub bound: Bound,
    /// Whether a limit in the shadow would have refused it.
    pub would_refuse: bool,
    /// Whether the record was made from the journal after the process died.
    pub recovered: bool,
    /// Whether the client left before the end.
    pub client_left: bool,
}
