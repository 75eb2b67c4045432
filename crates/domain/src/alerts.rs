//! Alerts: what a budget raises as it fills up, each thing once, and when it will be used up at this rate.
//!
//! "Once" means once for a budget, a period, a kind and a threshold, and again only under a higher limit than it was
//! raised under before: a raised limit arms its thresholds anew.

mod message;

pub use message::Message;

use crate::calendar::Window;
use crate::entropy::Entropy;
use crate::id::{AlertChannelId, AlertId, OrganizationId, UpstreamId};
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// How one budget stands now, in its current period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The budget.
    pub budget_id: [u8; 16],
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// What it bounds: `organization`, `workspace`, `user`, `key` or `model_role`.
    pub scope: String,
    /// The id (or name) of what it bounds.
    pub scope_id: String,
    /// The name of what it bounds, for people.
    pub name: String,
    /// `hour`, `day` or `month`.
    pub window: String,
    /// `usd` (amounts are nano-dollars) or `tokens`.
    pub unit: String,
    /// The start of the period.
    pub starts: Timestamp,
    /// The end of the period, itself outside of it.
    pub ends: Timestamp,
    /// The limit now.
    pub limit: i64,
    /// What was spent in the period.
    pub spent: i64,
    /// At how many per cent of the limit an alert is raised.
    pub thresholds: Vec<u8>,
    /// A bill came out above its bound.
    pub overrun: bool,
    /// A call was refused because of this budget.
    pub limit_reached: bool,
}

/// What an alert says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertKind {
    /// So many per cent of a budget are spent.
    Threshold,
    /// A call was refused because of a budget.
    LimitReached,
    /// A bill came out above its bound.
    Overrun,
    /// Upstream refused a credential of ours.
    UpstreamCredentialRejected,
    /// A name of a model stands for another one upstream than in the catalogue.
    ModelMoved,
    /// A key expires soon.
    KeyExpiring,
    /// Nobody uses a key: it is disabled soon, or, with the threshold 0, it was.
    KeyUnused,
    /// The secret of a key was found where it should not be.
    KeyLeaked,
    /// Somebody tried a key that is a bait.
    CanaryUsed,
    /// A key is to be rotated soon, or would be if its policy said where the new secret goes.
    RotationDue,
    /// A key was rotated.
    RotationDone,
    /// A rotation does not get on.
    RotationStuck,
    /// The old secret of a key that is being rotated is still used shortly before its end.
    OldSecretUsed,
    /// Somebody tries a channel out.
    Test,
}

impl AlertKind {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::LimitReached => "limit_reached",
            Self::Overrun => "overrun",
            Self::UpstreamCredentialRejected => "upstream_credential_rejected",
            Self::ModelMoved => "model_moved",
            Self::KeyExpiring => "key_expiring",
            Self::KeyUnused => "key_unused",
            Self::KeyLeaked => "key_leaked",
            Self::CanaryUsed => "canary_used",
            Self::RotationDue => "rotation_due",
            Self::RotationDone => "rotation_done",
            Self::RotationStuck => "rotation_stuck",
            Self::OldSecretUsed => "old_secret_used",
            Self::Test => "test",
        }
    }

    /// Whether a number says how near it is: per cent of a budget, or days that are left.
    pub const fn has_threshold(self) -> bool {
        matches!(self, Self::Threshold | Self::KeyExpiring | Self::KeyUnused)
    }

    /// Whether the owner of the key that it is about is told, besides the channels: of what they alone can put right in time.
    pub const fn is_for_the_owner(self) -> bool {
        matches!(self, Self::KeyExpiring | Self::KeyUnused | Self::RotationDue | Self::OldSecretUsed)
    }

    /// Reads what [`AlertKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Threshold,
            Self::LimitReached,
            Self::Overrun,
            Self::UpstreamCredentialRejected,
            Self::ModelMoved,
            Self::KeyExpiring,
            Self::KeyUnused,
            Self::KeyLeaked,
            Self::CanaryUsed,
            Self::RotationDue,
            Self::RotationDone,
            Self::RotationStuck,
            Self::OldSecretUsed,
            Self::Test,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
    }
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// What happened.
    pub kind: AlertKind,
    /// The per cent of a [`AlertKind::Threshold`]; of [`AlertKind::KeyExpiring`] and [`AlertKind::KeyUnused`] the days that
    /// are left at most.
    pub threshold: Option<u8>,
    /// A higher threshold was crossed at the same time: this one is recorded and not delivered.
    pub superseded: bool,
    /// The budget, the upstream credential or, for a test, the channel.
    pub subject_id: [u8; 16],
    /// What the subject bounds, as in [`Standing::scope`]; `upstream`, `model`, `api_key`,
    /// `admin_key` or `alert_channel` where it is no budget.
    pub scope: String,
    /// The id (or name) of that.
    pub scope_id: String,
    /// Its name for people.
    pub name: String,
    /// The start of the period that it is raised once in.
    pub starts: Timestamp,
    /// The end of that period.
    pub ends: Timestamp,
    /// The budget as it stood.
    pub budget: Option<BudgetState>,
}

/// The numbers of a budget when an alert was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// `hour`, `day` or `month`.
    pub window: String,
    /// `usd` (amounts are nano-dollars) or `tokens`.
    pub unit: String,
    /// The limit that it was raised under.
    pub limit: i64,
    /// What was spent.
    pub spent: i64,
    /// When the limit will be reached at the rate of the period so far; none when not within the period.
    pub forecast_at: Option<Timestamp>,
}

/// What is told of a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyAlert<'a> {
    /// What happened.
    pub kind: AlertKind,
    /// Whose key it is.
    pub organization_id: OrganizationId,
    /// `api_key` or `admin_key`.
    pub scope: &'a str,
    /// The key.
    pub id: [u8; 16],
    /// Its name for people, and what else they should read at once.
    pub name: &'a str,
    /// Days that are left at most.
    pub days: Option<u8>,
    /// What it is raised once for.
    pub starts: Timestamp,
    /// The end of that, or of the key.
    pub ends: Timestamp,
}

/// What makes two alerts the same, but for the limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Once {
    /// The budget or other subject.
    pub subject_id: [u8; 16],
    /// The budget's window, empty for other subjects.
    pub window: String,
    /// The budget's unit, empty for other subjects.
    pub unit: String,
    /// The start of the period.
    pub starts: Timestamp,
    /// The kind.
    pub kind: AlertKind,
    /// The per cent, zero for other kinds.
    pub threshold: u8,
}

impl Alert {
    /// What makes it the same as another.
    pub fn once(&self) -> Once {
        Once {
            subject_id: self.subject_id,
            window: self.budget.as_ref().map(|budget| budget.window.clone()).unwrap_or_default(),
            unit: self.budget.as_ref().map(|budget| budget.unit.clone()).unwrap_or_default(),
            starts: self.starts,
            kind: self.kind,
            threshold: self.threshold.unwrap_or(0),
        }
    }

    /// The limit that it was raised under, zero where there is none.
    pub fn limit(&self) -> i64 {
        self.budget.as_ref().map_or(0, |budget| budget.limit)
    }

    /// An upstream credential was refused by upstream: once a day (UTC) for each credential.
    pub fn upstream_credential_rejected(
        organization_id: OrganizationId,
        upstream: UpstreamId,
        name: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let starts = now.floor(Window::Day);
        Self {
            id: AlertId::new(now, entropy),
            organization_id,
            raised_at: now,
            kind: AlertKind::UpstreamCredentialRejected,
            threshold: None,
            superseded: false,
            subject_id: upstream.bytes(),
            scope: "upstream".into(),
            scope_id: upstream.to_string(),
            name: name.to_owned(),
            starts,
            ends: starts.plus_seconds(SECONDS_PER_DAY),
            budget: None,
        }
    }

    /// A name of a model moved upstream: once a day (UTC) for each organization and name.
    pub fn model_moved(
        organization_id: OrganizationId,
        name: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let starts = now.floor(Window::Day);
        Self {
            id: AlertId::new(now, entropy),
            organization_id,
            raised_at: now,
            kind: AlertKind::ModelMoved,
            threshold: None,
            superseded: false,
            subject_id: subject(&organization_id.bytes(), name.as_bytes()),
            scope: "model".into(),
            scope_id: name.to_owned(),
            name: name.to_owned(),
            starts,
            ends: starts.plus_seconds(SECONDS_PER_DAY),
            budget: None,
        }
    }

    /// What happens to a key, API key or admin key: once for each kind, threshold and start.
    pub fn of_key(about: KeyAlert<'_>, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let KeyAlert { kind, organization_id, scope, id, name, days, starts, ends } = about;
        Self {
            id: AlertId::new(now, entropy),
            organization_id,
            raised_at: now,
            kind,
            threshold: days,
            superseded: false,
            subject_id: id,
            scope: scope.into(),
            scope_id: uuid::Uuid::from_bytes(id).to_string(),
            name: name.to_owned(),
            starts,
            ends,
            budget: None,
        }
    }

    /// A test of a channel; each is a new one.
    pub fn test(
        organization_id: OrganizationId,
        channel: AlertChannelId,
        name: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let id = AlertId::new(now, entropy);
        Self {
            id,
            organization_id,
            raised_at: now,
            kind: AlertKind::Test,
            threshold: None,
            superseded: false,
            // Its own id, so that a channel can be tested twice in the same moment.
            subject_id: id.bytes(),
            scope: "alert_channel".into(),
            scope_id: channel.to_string(),
            name: name.to_owned(),
            starts: now,
            ends: now,
            budget: None,
        }
    }
}

const SECONDS_PER_DAY: i64 = 86_400;

/// One number for a name within an organization (FNV-1a of 128 bits): names are none of an enemy's choosing.
fn subject(organization: &[u8; 16], name: &[u8]) -> [u8; 16] {
    let start = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let fold = |sum: u128, byte: &u8| {
        (sum ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    };
    organization.iter().chain(name).fold(start, fold).to_be_bytes()
}

impl Standing {
    /// Every alert that is due as the budget stands, whether or not it was raised before; thresholds come in rising
    /// order, and all but the highest crossed one are superseded by it.
    pub fn alerts(&self, now: Timestamp, entropy: &dyn Entropy) -> Vec<Alert> {
        let crossed: BTreeSet<u8> =
            self.thresholds.iter().copied().filter(|per_cent| self.has_crossed(*per_cent)).collect();
        let highest = crossed.last().copied();
        let mut alerts: Vec<Alert> = crossed
            .into_iter()
            .map(|per_cent| Alert {
                superseded: Some(per_cent) != highest,
                ..self.alert(AlertKind::Threshold, Some(per_cent), now, entropy)
            })
            .collect();
        if self.limit_reached {
            alerts.push(self.alert(AlertKind::LimitReached, None, now, entropy));
        }
        if self.overrun {
            alerts.push(self.alert(AlertKind::Overrun, None, now, entropy));
        }
        alerts
    }

    /// Whether so many per cent of the limit are spent. A limit of nothing has no shares, and nought per cent is
    /// always spent: neither is worth an alert.
    fn has_crossed(&self, per_cent: u8) -> bool {
        let part = |amount: i64, by: i128| i128::from(amount).saturating_mul(by);
        self.limit > 0 && per_cent > 0 && part(self.spent, 100) >= part(self.limit, i128::from(per_cent))
    }

    fn alert(&self, kind: AlertKind, threshold: Option<u8>, now: Timestamp, entropy: &dyn Entropy) -> Alert {
        Alert {
            id: AlertId::new(now, entropy),
            organization_id: self.organization_id,
            raised_at: now,
            kind,
            threshold,
            superseded: false,
            subject_id: self.budget_id,
            scope: self.scope.clone(),
            scope_id: self.scope_id.clone(),
            name: self.name.clone(),
            starts: self.starts,
            ends: self.ends,
            budget: Some(BudgetState {
                window: self.window.clone(),
                unit: self.unit.clone(),
                limit: self.limit,
                spent: self.spent,
                forecast_at: self.forecast(now),
            }),
        }
    }

    /// When the limit will be reached if the rest of the period is like the period so far, rounded up to the
    /// microsecond. None when that is not before the period ends, when nothing was spent yet, and when the limit is
    /// reached already.
    pub fn forecast(&self, now: Timestamp) -> Option<Timestamp> {
        let elapsed = i128::from(now.micros().checked_sub(self.starts.micros())?);
        if elapsed <= 0 || self.spent <= 0 || self.spent >= self.limit {
            return None;
        }
        let spent = i128::from(self.spent);
        let needed = elapsed.checked_mul(i128::from(self.limit))?;
        let needed = needed.checked_add(spent.checked_sub(1)?)?.checked_div(spent)?;
        let at = i128::from(self.starts.micros()).checked_add(needed)?;
        let at = Timestamp::from_micros(i64::try_from(at).ok()?);
        (at < self.ends).then_some(at)
    }
}

#[cfg(test)]
mod tests;
