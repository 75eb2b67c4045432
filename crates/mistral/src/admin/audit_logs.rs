//! The audit log: `/v1/admin/audit-logs`, and the names of all that can stand in it.

mod event_types;

use super::values::Time;
use super::words::words;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

pub use event_types::EVENT_TYPES;

words! {
    /// Who acted.
    ActorType {
        /// A user.
        Human = "HUMAN",
        /// A key.
        ApiKey = "API_KEY",
        /// Anything else, such as the system itself.
        Other = "OTHER",
    }
}

/// The kinds of actors.
pub const ACTOR_TYPES: &[&str] = ActorType::WORDS;

/// The kinds of things that are acted upon.
pub const TARGET_TYPES: &[&str] = &[
    "USER",
    "USER_GROUP",
    "ORGANIZATION",
    "WORKSPACE",
    "API_KEY",
    "ADMIN_API_KEY",
    "API_KEY_POLICY",
    "SERVICE_ACCOUNT",
    "AGENT",
    "SKILL",
    "PROMPT",
    "KNOWLEDGE_BASE",
    "CUSTOM_VOICE",
    "DATASET",
    "FINE_TUNING_JOB",
    "BATCH_JOB",
    "DATA_CAPTURE_EXTRACT_JOB",
    "LE_CHAT_CONVERSATION",
    "LE_CHAT_MEMORIES",
    "LE_CHAT_FLASH_ANSWERS",
    "LE_CHAT_LOCALISATION",
    "LE_CHAT_DATA",
    "INVOICE",
    "WALLET",
    "MONTHLY_LIMIT",
    "WORKSPACE_MONTHLY_LIMIT",
    "SHARED_BUDGET",
    "AUTO_RECHARGE",
    "PAYMENT_METHOD",
    "SUBSCRIPTION",
    "BILLING_INFO",
    "LIBRARY",
    "LIBRARY_DOCUMENT",
    "INTEGRATION",
    "CONNECTORS_GATEWAY",
    "CONNECTORS_DEBUGGER",
    "FEATURE_PERMISSION",
    "SECRET_STORE_ENTRY",
    "CRAWLER_CONFIG",
    "SHARED_RESOURCE",
    "RATE_LIMIT_RULE",
    "APP",
    "DEPLOYMENT",
    "DOMAIN",
    "PERSISTENT_VOLUME",
    "SECRET",
    "SERVICE",
    "TRUSTED_ISSUER",
];

/// One of [`EVENT_TYPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AuditLogEventType(&'static str);

impl AuditLogEventType {
    /// The one of that name; Mistral has no others.
    pub fn of(name: &str) -> Option<Self> {
        EVENT_TYPES.iter().find(|known| **known == name).map(|known| Self(known))
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl JsonSchema for AuditLogEventType {
    fn schema_name() -> Cow<'static, str> {
        "AuditLogEventType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": EVENT_TYPES })
    }
}

/// One of [`TARGET_TYPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TargetType(&'static str);

impl TargetType {
    /// The one of that name; Mistral has no others.
    pub fn of(name: &str) -> Option<Self> {
        TARGET_TYPES.iter().find(|known| **known == name).map(|known| Self(known))
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl JsonSchema for TargetType {
    fn schema_name() -> Cow<'static, str> {
        "TargetType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": TARGET_TYPES })
    }
}

/// One of the list that answers `GET /v1/admin/audit-logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditLogOut {
    /// When it happened.
    pub created_at: Time,
    /// Who acted.
    pub actor_type: ActorType,
    /// More about the actor.
    pub actor_metadata: BTreeMap<String, String>,
    /// What happened.
    pub event_type: AuditLogEventType,
    /// More about what happened.
    pub event_metadata: BTreeMap<String, String>,
    /// What was acted upon.
    pub target_type: TargetType,
    /// More about what was acted upon.
    pub target_metadata: BTreeMap<String, String>,
    /// The entry's id.
    pub log_id: i64,
    /// The id of the organization.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub organization_uuid: Option<Uuid>,
    /// The id of the workspace.
    #[schemars(skip_serializing_if = "Option::is_none")]
    pub workspace_uuid: Option<Uuid>,
}
