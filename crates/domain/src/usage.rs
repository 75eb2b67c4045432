//! What a call used and cost: the record each leaves behind.

use crate::endpoints::EndpointKind;
use crate::id::{KeyId, OrganizationId, RequestId, UserId, WorkspaceId};
use crate::money::Money;
use crate::settlement::{Bound, Why};
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
    /// Tokens.
    pub tokens: Tokens,
    /// Cost, at the price of that version.
    pub cost: Money,
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
    /// Why the charge is what it is.
    pub why: Why,
    /// Whether a limit in the shadow would have refused it.
    pub would_refuse: bool,
    /// Whether the record was made from the journal after the process died.
    pub recovered: bool,
    /// Whether the client left before the end.
    pub client_left: bool,
}
