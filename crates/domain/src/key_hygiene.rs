//! The health of keys: what an audit finds about one, and when a key that nobody uses is disabled.

use crate::keys::{ApiKey, KeyStatus};
use crate::time::Timestamp;
use serde::Serialize;

/// Days without use after which a report names a key, when nothing else is said.
pub const UNUSED_DAYS: u32 = 30;
/// Days after which a secret is old, where no rotation policy says something else.
pub const ROTATION_DAYS: u32 = 90;
/// Days before the end of a key that people are told, the first time and the last.
pub const REMINDERS: [u32; 2] = [7, 1];

const SECONDS_PER_DAY: i64 = 86_400;

/// What an audit finds about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It was used, and not for long.
    Unused,
    /// It was never used, however young it is.
    NeverUsed,
    /// It has no end.
    NoExpiry,
    /// Its owner does not belong to its workspace any more.
    OwnerLeft,
    /// Its secret is older than its policy wants.
    RotationDue,
    /// Nothing of its own narrows what it may do: no models, no endpoints, no addresses, no budget and no rates.
    TooBroad,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Unused, Self::NeverUsed, Self::NoExpiry, Self::OwnerLeft, Self::RotationDue, Self::TooBroad];

    /// As shown and asked for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::NeverUsed => "never_used",
            Self::NoExpiry => "no_expiry",
            Self::OwnerLeft => "owner_left",
            Self::RotationDue => "rotation_due",
            Self::TooBroad => "too_broad",
        }
    }

    /// Reads what [`Finding::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| finding.as_str() == text)
    }
}

/// What is known of a key besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// When its current secret was made.
    pub secret_created_at: Timestamp,
    /// Whether its owner does not belong to its workspace any more.
    pub owner_left: bool,
    /// Days after which its secret is to be replaced.
    pub rotation_days: u32,
    /// Days without use after which it counts as unused.
    pub unused_days: u32,
}

/// What an audit finds about a key at `now`.
pub fn findings(key: &ApiKey, facts: Facts, now: Timestamp) -> Vec<Finding> {
    let idle_since = days_before(now, facts.unused_days);
    let finds = |finding: &Finding| match finding {
        Finding::Unused => key.last_used_at.is_some_and(|used| used < idle_since),
        Finding::NeverUsed => key.last_used_at.is_none(),
        Finding::NoExpiry => key.expires_at.is_none(),
        Finding::OwnerLeft => facts.owner_left,
        Finding::RotationDue => facts.secret_created_at <= days_before(now, facts.rotation_days),
        Finding::TooBroad => is_broad(key),
    };
    Finding::ALL.into_iter().filter(finds).collect()
}

fn is_broad(key: &ApiKey) -> bool {
    let limits = &key.limits;
    let any_model =
        limits.allowed_models.as_ref().is_none_or(|models| models.iter().any(|entry| entry == "*"));
    any_model
        && limits.allowed_endpoints.is_none()
        && key.allowed_cidrs.is_none()
        && limits.numbers().iter().all(|(_, number)| number.is_none())
}

/// Why a key stays although nobody uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
    /// Who said so, by name.
    pub by: String,
}

/// When a key ends by itself, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It expires.
    Expires(Timestamp),
    /// Nobody uses it: it is disabled.
    Idle(Timestamp),
}

impl End {
    /// When.
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Expires(at) | Self::Idle(at) => at,
        }
    }

    /// The reminder that is due at `now`, as days before the end; none when it is too early or too late.
    pub fn reminder(self, now: Timestamp) -> Option<u32> {
        let due = |days: &&u32| days_before(self.at(), **days) <= now;
        REMINDERS.iter().rev().find(due).copied().filter(|_| now < self.at())
    }
}

/// The ends that an active key comes to if nothing happens: it expires, or it is disabled after `idle_days` without use.
pub fn ends(key: &ApiKey, idle_days: Option<u32>, exemption: Option<&Exemption>) -> Vec<End> {
    if key.status != KeyStatus::Active {
        return Vec::new();
    }
    let idle = idle_days.map(|days| {
        // Whoever enabled it means to use it.
        let since = [Some(key.created_at), key.last_used_at, key.enabled_at].into_iter().flatten().max();
        let end = days_after(since.unwrap_or(key.created_at), days);
        End::Idle(exemption.map_or(end, |exemption| end.max(exemption.until)))
    });
    key.expires_at.map(End::Expires).into_iter().chain(idle).collect()
}

fn days_before(at: Timestamp, days: u32) -> Timestamp {
    at.plus_seconds(i64::from(days).saturating_mul(SECONDS_PER_DAY).saturating_neg())
}

fn days_after(at: Timestamp, days: u32) -> Timestamp {
    at.plus_seconds(i64::from(days).saturating_mul(SECONDS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{KeyId, OrganizationId, WorkspaceId};
    use crate::keys::{Owner, PublicId};
    use crate::limits::Limits;

    const DAY: i64 = 86_400;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_micros(day * DAY * 1_000_000)
    }

    /// Made on day 100.
    fn key() -> ApiKey {
        ApiKey {
            id: KeyId::from_bytes([1; 16]),
            organization_id: OrganizationId::from_bytes([2; 16]),
            workspace_id: WorkspaceId::from_bytes([3; 16]),
            owner: Owner::Workspace,
            name: "key".into(),
            description: None,
            public_id: PublicId::parse("abcdefABCDEF").unwrap(),
            fingerprint: [0; 32],
            last_four: "abcd".into(),
            limits: Limits { requests_per_minute: Some(60), ..Limits::default() },
            role: None,
            allowed_cidrs: None,
            created_at: at(100),
            expires_at: Some(at(1000)),
            last_used_at: Some(at(105)),
            status: KeyStatus::Active,
            created_by: None,
            enabled_at: None,
            canary: false,
        }
    }

    fn found(key: &ApiKey, now: Timestamp) -> Vec<&'static str> {
        let facts = Facts {
            secret_created_at: key.created_at,
            owner_left: false,
            rotation_days: 90,
            unused_days: 30,
        };
        findings(key, facts, now).into_iter().map(Finding::as_str).collect()
    }

    #[test]
    fn each_finding_has_its_edge() {
        assert_eq!(found(&key(), at(135)), [""; 0], "thirty days are not more than thirty");
        assert_eq!(found(&key(), at(135).plus_seconds(1)), ["unused"]);
        assert_eq!(found(&ApiKey { last_used_at: None, ..key() }, at(100)), ["never_used"]);
        assert_eq!(found(&ApiKey { expires_at: None, ..key() }, at(106)), ["no_expiry"]);
        assert_eq!(found(&ApiKey { last_used_at: Some(at(190)), ..key() }, at(190)), ["rotation_due"]);
        assert_eq!(found(&ApiKey { last_used_at: Some(at(189)), ..key() }, at(189)), [""; 0]);
        let broad = ApiKey { limits: Limits::default(), ..key() };
        assert_eq!(found(&broad, at(106)), ["too_broad"]);
        let all =
            Limits { allowed_models: Some(vec!["mistral-embed".into(), "*".into()]), ..Limits::default() };
        assert_eq!(found(&ApiKey { limits: all, ..key() }, at(106)), ["too_broad"]);
        let some = Limits { allowed_models: Some(vec!["mistral-embed".into()]), ..Limits::default() };
        assert_eq!(found(&ApiKey { limits: some, ..key() }, at(106)), [""; 0]);
        let facts =
            Facts { secret_created_at: at(106), owner_left: true, rotation_days: 90, unused_days: 30 };
        assert_eq!(findings(&key(), facts, at(106)), [Finding::OwnerLeft]);
        for finding in Finding::ALL {
            assert_eq!(Finding::parse(finding.as_str()), Some(finding));
        }
    }

    #[test]
    fn a_key_ends_when_it_expires_or_when_nobody_uses_it() {
        assert_eq!(ends(&key(), None, None), [End::Expires(at(1000))]);
        assert_eq!(ends(&key(), Some(60), None), [End::Expires(at(1000)), End::Idle(at(165))]);
        let never = ApiKey { last_used_at: None, expires_at: None, ..key() };
        assert_eq!(ends(&never, Some(60), None), [End::Idle(at(160))]);
        assert_eq!(
            ends(&ApiKey { enabled_at: Some(at(300)), ..never.clone() }, Some(60), None),
            [End::Idle(at(360))]
        );
        let exempt = |day| Exemption { reason: "yearly".into(), until: at(day), by: "ann".into() };
        assert_eq!(ends(&never, Some(60), Some(&exempt(300))), [End::Idle(at(300))]);
        assert_eq!(ends(&never, Some(60), Some(&exempt(150))), [End::Idle(at(160))], "it ended before");
        assert_eq!(ends(&ApiKey { status: KeyStatus::Disabled, ..key() }, Some(60), None), []);
    }

    #[test]
    fn people_are_told_a_week_and_a_day_before() {
        let end = End::Expires(at(100));
        for (day, reminder) in
            [(92, None), (93, Some(7)), (98, Some(7)), (99, Some(1)), (100, None), (101, None)]
        {
            assert_eq!(end.reminder(at(day)), reminder, "{day}");
        }
    }
}
