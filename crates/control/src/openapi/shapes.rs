//! Schemas of what the domain prints and reads: mirrors, since the domain itself knows nothing of schemas.

use louver_domain::alert_channels::ChannelKind;
use louver_domain::endpoints::EndpointKind;
use louver_domain::key_hygiene::Finding as KeyFinding;
use louver_domain::limits::{KeyCreation, Mode, Region, ServiceTier, TOOLS};
use louver_domain::models::ModelStatus;
use louver_domain::roles::RoleLevel;
use louver_domain::secret_destinations::DestinationKind;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::borrow::Cow;

macro_rules! inline {
    ($($(#[$doc:meta])* $name:ident($generator:ident) $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

inline! {
    /// `Money`: dollars as a number. What comes in is never negative.
    Dollars(generator) if generator.contract().is_deserialize() {
        json_schema!({"type": "number", "minimum": 0})
    } else {
        json_schema!({"type": "number"})
    };
    /// `Timestamp`. A date comes in as its midnight in UTC.
    Time(_generator) json_schema!({"type": "string", "format": "date-time"});
    /// Typed ids. What goes out has hyphens; what comes in may have the prefixed form.
    Id(generator) if generator.contract().is_deserialize() {
        super::about::Kind::Id.schema().try_into().unwrap_or_default()
    } else {
        json_schema!({"type": "string", "format": "uuid"})
    };
    /// `Cidr`.
    Block(_generator) json_schema!({"type": "string", "examples": ["10.0.0.0/8", "2001:db8::/32"]});
    /// An IP address.
    Address(_generator) json_schema!({"type": "string", "examples": ["192.0.2.7", "2001:db8::1"]});
    /// `Secret`: goes in and never comes out.
    Hidden(_generator) json_schema!({"type": "string", "format": "password", "writeOnly": true});
}

macro_rules! words {
    ($($name:ident $component:literal $about:literal $all:expr;)*) => {$(
        #[doc = $about]
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $component.into()
            }

            fn schema_id() -> Cow<'static, str> {
                concat!(module_path!(), "::", $component).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "enum": $all.map(word), "description": $about})
            }
        }
    )*};
}

words! {
    Endpoint "Endpoint" "What a call asks for." EndpointKind::ALL;
    Tool "Tool" "A type of tools that the provider runs." TOOLS;
    Tier "AllowedServiceTier" "A tier of service beside the standard one." [ServiceTier::Priority];
    RegionOfCalls "Region" "Where the provider answers calls." [Region::Eu, Region::Us];
    CreationOfKeys "KeyCreation" "Who may create keys in a workspace." [KeyCreation::Admins, KeyCreation::Members];
    Finding "KeyFinding" "What an audit finds about a key." KeyFinding::ALL;
    LimitMode "LimitMode" "Calls beyond a limit are refused, or only counted." [Mode::Enforce, Mode::Shadow];
    StatusOfModel "ModelStatus" "Where a model is in its life."
        [ModelStatus::Active, ModelStatus::Deprecated, ModelStatus::Retired];
    LevelOfRole "RoleLevel" "Where a role or a permission is held: in the whole organization, or in one workspace."
        [RoleLevel::Organization, RoleLevel::Workspace];
    KindOfChannel "AlertChannelKind" "What an alert channel is."
        [ChannelKind::Webhook, ChannelKind::Slack, ChannelKind::Email];
    KindOfDestination "SecretDestinationKind" "What a destination of secrets is." DestinationKind::ALL;
}

/// A value as it is printed.
fn word<T: Serialize>(value: T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The limits of one level; `null` is no limit of its own.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Limits {
    /// Entries of the allow-list: ids, aliases, families, globs or `*`.
    allowed_models: Option<Vec<String>>,
    /// Calls in any second.
    requests_per_second: Option<u64>,
    /// Calls in any 60 seconds.
    requests_per_minute: Option<u64>,
    /// Tokens in any 60 seconds.
    tokens_per_minute: Option<u64>,
    /// Tokens in a calendar month.
    tokens_per_month: Option<u64>,
    /// Calls at the same time.
    max_concurrent_requests: Option<u64>,
    /// Dollars in an hour.
    hourly_budget_usd: Option<Dollars>,
    /// Dollars in a day.
    daily_budget_usd: Option<Dollars>,
    /// Dollars in a calendar month.
    monthly_budget_usd: Option<Dollars>,
    /// Endpoints that may be called.
    allowed_endpoints: Option<Vec<Endpoint>>,
    /// Types of tools that the provider runs which may be offered; on the organization `null` is none, below it what
    /// stands above.
    allowed_tools: Option<Vec<Tool>>,
    /// Tiers that may be asked for beside the standard one; `null` as in `allowed_tools`.
    allowed_service_tiers: Option<Vec<Tier>>,
    /// Hours that a signed URL, which works without a key, may live at most; `null` as in `allowed_tools`.
    max_signed_url_hours: Option<u32>,
    /// Where calls are answered; `null` is what stands above, and on the organization anywhere.
    region: Option<RegionOfCalls>,
    /// Models to try in this order when the one that was asked for cannot be had.
    fallback_models: Option<Vec<String>>,
    /// Per cent of a budget at which people are told; `null` is 50, 80 and 95.
    alert_thresholds: Option<Vec<u8>>,
    /// Days after which a new key of this level expires at the latest.
    max_key_lifetime_days: Option<u32>,
    /// Days without use after which a key of this level is disabled.
    max_key_idle_days: Option<u32>,
    /// Who may create keys.
    key_creation: Option<CreationOfKeys>,
    /// What happens at the limits; `null` is to enforce them.
    mode: Option<LimitMode>,
    /// The time zone that decides where a day or a month begins, by its IANA name; `null` is UTC.
    timezone: Option<String>,
}

/// A model of the catalogue with its prices.
#[derive(JsonSchema)]
#[schemars(rename = "Model")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct PricedModel {
    /// The pinned id: what goes upstream.
    id: String,
    /// Other names of the same model.
    aliases: Vec<String>,
    /// The name of its line, such as `mistral-small`.
    family: String,
    /// A name for people.
    name: String,
    /// Tokens of input and output together.
    context: u64,
    /// The endpoints that serve it.
    endpoints: Vec<Endpoint>,
    /// What it can do, by Mistral's names.
    capabilities: Vec<String>,
    /// Where it is in its life.
    status: StatusOfModel,
    /// When it ends, if that is known.
    deprecation: Option<Time>,
    /// What takes its place.
    replacement: Option<String>,
    /// The named upstream that serves it; absent is the first one, Mistral itself.
    #[schemars(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    /// The one workspace that may use it, as with fine-tuned models; absent is any.
    #[schemars(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<Id>,
    /// Its prices, in the order they take effect; none is a model without a price.
    prices: Vec<Price>,
}

/// A tool that the provider runs, with its prices.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct PricedTool {
    /// Its type, as in requests.
    r#type: Tool,
    /// Its prices, in the order they take effect.
    prices: Vec<ToolPrice>,
}

/// The price of one call of a tool, from a date on.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ToolPrice {
    /// From when on it holds.
    effective_from: Time,
    /// For one call.
    usd_per_call: Dollars,
}

/// The price of a model from a date on. What has no price cannot be called where a budget in dollars applies.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Price {
    /// From when on it holds.
    effective_from: Time,
    /// For a million input tokens.
    #[schemars(skip_serializing_if = "Option::is_none")]
    input_usd_per_mtok: Option<Dollars>,
    /// For a million input tokens that the provider had in its cache; without it they cost what others cost.
    #[schemars(skip_serializing_if = "Option::is_none")]
    cached_input_usd_per_mtok: Option<Dollars>,
    /// For a million output tokens.
    #[schemars(skip_serializing_if = "Option::is_none")]
    output_usd_per_mtok: Option<Dollars>,
    /// For a thousand pages.
    #[schemars(skip_serializing_if = "Option::is_none")]
    usd_per_1000_pages: Option<Dollars>,
    /// For a thousand pages that are annotated.
    #[schemars(skip_serializing_if = "Option::is_none")]
    usd_per_1000_annotated_pages: Option<Dollars>,
    /// For a minute of audio.
    #[schemars(skip_serializing_if = "Option::is_none")]
    usd_per_audio_minute: Option<Dollars>,
    /// For a million characters that are spoken.
    #[schemars(skip_serializing_if = "Option::is_none")]
    usd_per_mchar: Option<Dollars>,
    /// For each month that a fine-tuned model is kept.
    #[schemars(skip_serializing_if = "Option::is_none")]
    usd_per_month_kept: Option<Dollars>,
    /// What the priority tier costs of the price, in per cent.
    priority_percent: u32,
    /// What a batch costs of the price, in per cent.
    batch_percent: u32,
    /// What a regional endpoint costs of the price, in per cent.
    regional_percent: u32,
}

/// What is left of something that was deleted.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Deleted {
    /// What it was.
    id: String,
    /// Its kind, with `.deleted` after it.
    #[schemars(regex(pattern = r"^[a-z_]+\.deleted$"))]
    object: String,
    /// Always true.
    #[schemars(extend("const" = true))]
    deleted: bool,
}

/// What is left of a model role that was deleted.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct DeletedModelRole {
    /// Its name.
    name: String,
    /// Its kind, with `.deleted` after it.
    #[schemars(extend("const" = "model_role.deleted"))]
    object: String,
    /// Always true.
    #[schemars(extend("const" = true))]
    deleted: bool,
}

/// A signed word on how far the audit log goes, which can be checked without trust in the program.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct AuditCheckpoint {
    /// What it is.
    #[schemars(extend("const" = "audit.checkpoint"))]
    object: String,
    /// Whose log.
    organization_id: Id,
    /// The place of the last record that it covers.
    place: u64,
    /// The hash of that record, which covers all before it.
    hash: String,
    /// When it was signed.
    at: Time,
    /// The signature over the above.
    signature: String,
    /// The key that it was signed with.
    public_key: String,
}

/// A line of usage. What it was not grouped by is absent; what it was grouped by and is not known is `null`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct UsageRow {
    /// Where the period begins.
    #[schemars(skip_serializing_if = "Option::is_none")]
    period: Option<Time>,
    /// The workspace.
    #[schemars(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<Id>,
    /// Its name.
    #[schemars(skip_serializing_if = "Option::is_none")]
    workspace_name: Option<String>,
    /// The key.
    #[schemars(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// Its name.
    #[schemars(skip_serializing_if = "Option::is_none")]
    key_name: Option<String>,
    /// The person.
    #[schemars(skip_serializing_if = "Option::is_none")]
    user_id: Option<Id>,
    /// Their mail address.
    #[schemars(skip_serializing_if = "Option::is_none")]
    user_email: Option<String>,
    /// The model.
    #[schemars(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The model role.
    #[schemars(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// The endpoint.
    #[schemars(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// Calls.
    requests: u64,
    /// Tokens that went in.
    input_tokens: u64,
    /// Those of them that upstream had in its cache.
    cached_input_tokens: u64,
    /// Tokens that came out.
    output_tokens: u64,
    /// Both together.
    total_tokens: u64,
    /// What they cost.
    cost_usd: Dollars,
    /// Calls of which only the bound is known.
    estimated_requests: u64,
    /// Calls that limits in shadow mode would have refused.
    would_refuse_requests: u64,
    /// Pages that were read.
    pages: u64,
    /// Pages that were annotated.
    annotated_pages: u64,
    /// Seconds that were heard.
    audio_seconds: u64,
    /// Characters that were spoken.
    characters: u64,
    /// Calls of tools that the provider ran.
    tool_calls: u64,
}
