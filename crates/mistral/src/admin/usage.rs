//! What the organization has used and what it cost: `/v1/admin/usage`.
//!
//! Mistral's document leaves the innermost objects open. Here each is a [`UsageEntry`], filed under its model
//! and then under its billing group (`input`, `cached`, `output`, …); entries keep the order they were given in.

mod price;

use super::values::{Amount, Time};
use super::words::words;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

pub use price::{PriceData, UnitPrice};

words! {
    /// Where in the world calls are answered.
    ApiZone {
        /// Anywhere.
        Global = "global",
        /// The United States.
        Us = "us",
        /// The European Union.
        Eu = "eu",
    }
}

words! {
    /// The tier a call is served on.
    ServiceTier {
        /// The usual one.
        Standard = "standard",
        /// The faster one.
        Priority = "priority",
    }
}

words! {
    /// What a bill counts.
    LagoEventType {
        /// Tokens.
        ApiTokens = "api_tokens",
        /// Pages that were read.
        ApiPages = "api_pages",
        /// Seconds that were heard.
        ApiAudioSeconds = "api_audio_seconds",
        /// Characters that were spoken.
        ApiAudioCharacters = "api_audio_characters",
        /// Calls of connectors.
        ApiConnectors = "api_connectors",
        /// Tokens of libraries.
        ApiLibrariesTokens = "api_libraries_tokens",
        /// Pages of libraries.
        ApiLibrariesPages = "api_libraries_pages",
        /// Audio of libraries.
        ApiLibrariesAudio = "api_libraries_audio",
        /// Tokens of deployments.
        DeploymentTokens = "deployment_tokens",
        /// Hours of GPUs.
        GpuHour = "gpu_hour",
        /// Reserved instances.
        ReservedInstance = "reserved_instance",
        /// Tokens of the agent.
        VibeTokens = "vibe_tokens",
        /// Calls of connectors by the agent.
        VibeConnectors = "vibe_connectors",
        /// Pages the agent read.
        VibePages = "vibe_pages",
        /// Seconds the agent heard.
        VibeAudioSeconds = "vibe_audio_seconds",
        /// Characters the agent spoke.
        VibeAudioCharacters = "vibe_audio_characters",
    }
}

/// The parts of the answer that calls of a gateway can fall into; the others stay empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageKind {
    /// Tokens of chats.
    Chat,
    /// Tokens of all other calls.
    Completion,
    /// Pages that were read.
    Ocr,
    /// Calls of connectors.
    Connectors,
    /// Seconds that were heard.
    Audio,
    /// Characters that were spoken.
    AudioCharacters,
}

impl UsageKind {
    /// What is counted.
    pub const fn event_type(self) -> LagoEventType {
        match self {
            Self::Chat | Self::Completion => LagoEventType::ApiTokens,
            Self::Ocr => LagoEventType::ApiPages,
            Self::Connectors => LagoEventType::ApiConnectors,
            Self::Audio => LagoEventType::ApiAudioSeconds,
            Self::AudioCharacters => LagoEventType::ApiAudioCharacters,
        }
    }
}

/// A sum over a span of time, to be filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// Which part it belongs to.
    pub kind: UsageKind,
    /// The model.
    pub model: String,
    /// The billing group: `input`, `cached`, `output`, …
    pub group: String,
    /// Where the span of time begins.
    pub timestamp: Time,
    /// Where the calls were answered.
    pub api_zone: ApiZone,
    /// The tier they were served on.
    pub service_tier: ServiceTier,
    /// How many units were used.
    pub value: u64,
    /// How many of them had a price.
    pub value_paid: u64,
    /// What they cost.
    pub cost: Amount,
}

/// A sum of one model and billing group over a span of time. `event_type`, `billing_metric`, `billing_group`,
/// `api_zone` and `service_tier` together find its price in `prices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UsageEntry {
    /// Where the span of time begins.
    pub timestamp: Time,
    /// What is counted.
    pub event_type: LagoEventType,
    /// The model.
    pub billing_metric: String,
    /// The billing group: `input`, `cached`, `output`, …
    pub billing_group: String,
    /// Where the calls were answered.
    pub api_zone: ApiZone,
    /// The tier they were served on.
    pub service_tier: ServiceTier,
    /// How many units were used.
    pub value: u64,
    /// How many of them had a price.
    pub value_paid: u64,
    /// What they cost, in the answer's currency.
    pub cost: Amount,
}

/// Entries by model and billing group.
pub type UsageByModel = BTreeMap<String, BTreeMap<String, Vec<UsageEntry>>>;

/// Usage by model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BasicModelUsageDataJSON {
    /// Entries by model and billing group.
    pub models: UsageByModel,
}

impl BasicModelUsageDataJSON {
    fn file(&mut self, sum: UsageSum) {
        let entry = UsageEntry {
            timestamp: sum.timestamp,
            event_type: sum.kind.event_type(),
            billing_metric: sum.model.clone(),
            billing_group: sum.group.clone(),
            api_zone: sum.api_zone,
            service_tier: sum.service_tier,
            value: sum.value,
            value_paid: sum.value_paid,
            cost: sum.cost,
        };
        self.models.entry(sum.model).or_default().entry(sum.group).or_default().push(entry);
    }
}

/// Usage of libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LibrariesAPIUsageDataJSON {
    /// Pages.
    pub pages: BasicModelUsageDataJSON,
    /// Tokens.
    pub tokens: BasicModelUsageDataJSON,
    /// Seconds of audio.
    pub audio_seconds: BasicModelUsageDataJSON,
}

/// Usage of fine-tuning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FineTuningDataJSON {
    /// Training.
    pub training: UsageByModel,
    /// Models that are kept.
    pub storage: BTreeMap<String, i64>,
}

/// Usage of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VibeCodeUsageDataJSON {
    /// Tokens.
    pub completion: BasicModelUsageDataJSON,
    /// Pages that were read.
    pub ocr: BasicModelUsageDataJSON,
    /// Calls of connectors.
    pub connectors: BasicModelUsageDataJSON,
    /// Seconds that were heard.
    pub audio: BasicModelUsageDataJSON,
    /// Characters that were spoken.
    pub audio_characters: BasicModelUsageDataJSON,
}

/// The month that is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsagePeriod {
    /// A moment in the month.
    pub date: Time,
    /// The month before, if there is something to tell of it.
    pub previous_month: Option<String>,
    /// The month after, if it has begun.
    pub next_month: Option<String>,
    /// Where it begins.
    pub start_date: Time,
    /// Where it ends.
    pub end_date: Time,
}

/// Answers `GET /v1/admin/usage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UsageOUTJSON {
    /// Tokens of calls other than chats.
    pub completion: BasicModelUsageDataJSON,
    /// Pages that were read.
    pub ocr: BasicModelUsageDataJSON,
    /// Calls of connectors.
    pub connectors: BasicModelUsageDataJSON,
    /// Libraries.
    pub libraries_api: LibrariesAPIUsageDataJSON,
    /// Fine-tuning.
    pub fine_tuning: FineTuningDataJSON,
    /// Seconds that were heard.
    pub audio: BasicModelUsageDataJSON,
    /// Characters that were spoken.
    pub audio_characters: BasicModelUsageDataJSON,
    /// Always 0, as at Mistral.
    pub vibe_usage: Amount,
    /// The agent.
    pub vibe_code: VibeCodeUsageDataJSON,
    /// Tokens of chats.
    pub chat: BasicModelUsageDataJSON,
    /// A moment in the month.
    pub date: Time,
    /// The month before, if there is something to tell of it.
    pub previous_month: Option<String>,
    /// The month after, if it has begun.
    pub next_month: Option<String>,
    /// Where it begins.
    pub start_date: Time,
    /// Where it ends.
    pub end_date: Time,
    /// The currency of all amounts.
    pub currency: Option<String>,
    /// Its symbol.
    pub currency_symbol: Option<String>,
    /// The prices of what was used.
    pub prices: Option<Vec<PriceData>>,
}

impl UsageOUTJSON {
    /// Files sums in US dollars; what a gateway does not see stays empty.
    pub fn of(period: UsagePeriod, sums: impl IntoIterator<Item = UsageSum>, prices: Vec<PriceData>) -> Self {
        let mut usage = Self::empty(period, prices);
        for sum in sums {
            usage.part(sum.kind).file(sum);
        }
        usage
    }

    fn empty(period: UsagePeriod, prices: Vec<PriceData>) -> Self {
        Self {
            completion: BasicModelUsageDataJSON::default(),
            ocr: BasicModelUsageDataJSON::default(),
            connectors: BasicModelUsageDataJSON::default(),
            libraries_api: LibrariesAPIUsageDataJSON::default(),
            fine_tuning: FineTuningDataJSON::default(),
            audio: BasicModelUsageDataJSON::default(),
            audio_characters: BasicModelUsageDataJSON::default(),
            vibe_usage: Amount::default(),
            vibe_code: VibeCodeUsageDataJSON::default(),
            chat: BasicModelUsageDataJSON::default(),
            date: period.date,
            previous_month: period.previous_month,
            next_month: period.next_month,
            start_date: period.start_date,
            end_date: period.end_date,
            currency: Some("USD".to_owned()),
            currency_symbol: Some("$".to_owned()),
            prices: Some(prices),
        }
    }

    const fn part(&mut self, kind: UsageKind) -> &mut BasicModelUsageDataJSON {
        match kind {
            UsageKind::Chat => &mut self.chat,
            UsageKind::Completion => &mut self.completion,
            UsageKind::Ocr => &mut self.ocr,
            UsageKind::Connectors => &mut self.connectors,
            UsageKind::Audio => &mut self.audio,
            UsageKind::AudioCharacters => &mut self.audio_characters,
        }
    }
}
