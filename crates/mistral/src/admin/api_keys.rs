//! API keys: `/v1/admin/api-keys*`.

use super::values::{Date, Text, Time};
use super::words::words;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

words! {
    /// The product a key is for.
    APIKeyProduct {
        /// The API.
        Api = "API",
        /// The assistant for code.
        MistralCode = "Mistral Code",
        /// The agent.
        Vibe = "Vibe",
    }
}

words! {
    /// Why a key cannot be rotated.
    RotateUnavailableReason {
        /// Keys of this scope never can.
        UnsupportedScope = "unsupported_scope",
        /// The key has expired.
        KeyExpired = "key_expired",
        /// The caller may not.
        NotAllowed = "not_allowed",
    }
}

words! {
    /// Why a key cannot be deleted.
    DeleteUnavailableReason {
        /// The caller may not.
        NotAllowed = "not_allowed",
    }
}

/// Answers `GET /v1/admin/api-keys`; it has no total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct APIKeysExtendedOUT {
    /// The keys.
    pub keys: Vec<APIKeyExtendedOUT>,
}

/// One key in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct APIKeyExtendedOUT {
    /// The key with what every answer says of it.
    #[serde(flatten)]
    pub key: APIKeyOUT,
    /// The id of its workspace.
    pub workspace_id: Option<Uuid>,
    /// The name of its workspace.
    pub workspace_name: Option<String>,
    /// Who made it.
    pub created_by: Option<String>,
    /// The product it is for.
    pub product: Option<APIKeyProduct>,
    /// The day of its last use.
    pub last_used: Option<Date>,
    /// The caller may delete it.
    pub can_delete: Option<bool>,
}

/// Answers `POST /v1/admin/api-keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct APIKeyOUT {
    /// The key's id.
    pub key_id: Uuid,
    /// The key itself: once, when it is made; else `null`.
    pub key: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its first four characters, three dots, and its last four.
    pub hidden_key: String,
    /// When it was made.
    pub created_at: Option<Time>,
    /// The day it expires.
    pub expiration_date: Option<Date>,
    /// What the caller may do with it.
    pub actions: APIKeyActions,
}

/// What the caller may do with a key; `null` is not available, for no reason given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct APIKeyActions {
    /// Replace it by a new one.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Action<RotateUnavailableReason>>,
    /// Delete it.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub delete: Option<Action<DeleteUnavailableReason>>,
}

/// Whether the caller may do something, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Action<Reason> {
    /// It may.
    Available,
    /// It may not.
    Unavailable {
        /// Why.
        reason: Option<Reason>,
    },
}

/// Written by hand, because the document calls `status` optional, though it tells the two apart and is always
/// sent.
impl<Reason: JsonSchema> JsonSchema for Action<Reason> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Action_{}", Reason::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let reason = generator.subschema_for::<Option<Reason>>();
        json_schema!({ "oneOf": [
            {
                "type": "object",
                "properties": { "status": { "type": "string", "const": "available" } },
                "required": ["status"],
            },
            {
                "type": "object",
                "properties": { "status": { "type": "string", "const": "unavailable" }, "reason": reason },
                "required": ["status"],
            },
        ] })
    }
}

/// The body of `POST /v1/admin/api-keys`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminCreateAPIKeyIN {
    /// Its name.
    #[schemars(length(min = 1))]
    pub name: Option<Text<255>>,
    /// The day it shall expire.
    pub expiration: Option<Date>,
    /// The id of the workspace it is for.
    pub workspace_uuid: Uuid,
    /// The id of the user it is for.
    pub user_id: Uuid,
}

/// Answers `DELETE /v1/admin/api-keys/{key_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeleteAPIKeyOUT {
    /// What happened.
    pub detail: String,
}
