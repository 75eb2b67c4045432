//! When keys are rotated by themselves, and how: set on organization, workspace and key, the nearest that says something.

use crate::calendar::{Window, Zone};
use crate::id::{KeyId, OrganizationId, SecretDestinationId, WorkspaceId};
use crate::old_secrets::DEFAULT_OVERLAP_SECONDS;
use crate::rotations::{OnOldUse, Plan};
use crate::time::Timestamp;

const SECONDS_PER_DAY: i64 = 86_400;
const SECONDS_PER_HOUR: i64 = 3_600;
const SECONDS_PER_MINUTE: i64 = 60;
/// Seconds that readers of a destination are given when nothing else is said.
pub const DEFAULT_PROPAGATION_SECONDS: u32 = 60;
/// Days before a rotation that people are told when nothing else is said.
pub const DEFAULT_REMIND_DAYS: u32 = 7;
/// A rotation that was called off is not begun again by itself for so long.
pub const REST_SECONDS: i64 = SECONDS_PER_DAY;

/// Where a policy is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyScope {
    /// For all keys of the organization.
    Organization(OrganizationId),
    /// For the keys of a workspace.
    Workspace(WorkspaceId),
    /// For one key.
    Key(KeyId),
}

impl PolicyScope {
    /// As stored and shown.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Organization(_) => "organization",
            Self::Workspace(_) => "workspace",
            Self::Key(_) => "key",
        }
    }

    /// The 16 bytes of its id.
    pub const fn bytes(self) -> [u8; 16] {
        match self {
            Self::Organization(id) => id.bytes(),
            Self::Workspace(id) => id.bytes(),
            Self::Key(id) => id.bytes(),
        }
    }

    /// From its stored form.
    pub fn read(kind: &str, id: [u8; 16]) -> Option<Self> {
        match kind {
            "organization" => Some(Self::Organization(OrganizationId::from_bytes(id))),
            "workspace" => Some(Self::Workspace(WorkspaceId::from_bytes(id))),
            "key" => Some(Self::Key(KeyId::from_bytes(id))),
            _ => None,
        }
    }

    /// Its id as it is shown.
    pub fn shown_id(self) -> String {
        match self {
            Self::Organization(id) => id.to_string(),
            Self::Workspace(id) => id.to_string(),
            Self::Key(id) => id.to_string(),
        }
    }
}

/// The part of a day in which rotations begin: from a minute of the day until before another, over midnight too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayWindow {
    /// Minutes after midnight.
    pub start: u32,
    /// Minutes after midnight.
    pub end: u32,
}

/// Reads a time of the day, `HH:MM`, as minutes after midnight.
pub fn read_time_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<u32>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then(|| hours.saturating_mul(60).saturating_add(minutes))
}

/// Writes what [`read_time_of_day`] reads.
pub fn time_of_day(minutes: u32) -> String {
    format!("{:02}:{:02}", minutes.checked_div(60).unwrap_or(0), minutes.checked_rem(60).unwrap_or(0))
}

impl DayWindow {
    /// The first moment from `at` on that lies in it.
    fn next(self, zone: &Zone, at: Timestamp) -> Timestamp {
        let day = Window::Day.period(zone, at);
        let minute = |of: Timestamp, minutes: u32| {
            of.plus_seconds(i64::from(minutes).saturating_mul(SECONDS_PER_MINUTE))
        };
        let (start, end) = (minute(day.starts, self.start), minute(day.starts, self.end));
        let inside = match start <= end {
            true => start <= at && at < end,
            false => start <= at || at < end,
        };
        match inside {
            true => at,
            false if at < start => start,
            false => minute(day.ends, self.start),
        }
    }
}

/// What one scope says; `None` says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Days after which a secret is replaced.
    pub period_days: Option<u32>,
    /// Hours that both secrets work.
    pub overlap_hours: Option<u32>,
    /// Where the new secret goes.
    pub destinations: Option<Vec<SecretDestinationId>>,
    /// Seconds until who reads the destinations has read what was written.
    pub propagation_seconds: Option<u32>,
    /// What is done when the old secret is still used.
    pub on_old_use: Option<OnOldUse>,
    /// The part of a day in which rotations begin, in the workspace's time zone.
    pub window: Option<DayWindow>,
    /// A rotation begins up to so many hours early, each key at its own time.
    pub jitter_hours: Option<u32>,
    /// Days before that people are told.
    pub remind_days: Option<u32>,
}

impl Policy {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What holds where these are set, the nearest first.
    pub fn nearest<'a>(all: impl IntoIterator<Item = &'a Self> + Clone) -> Self {
        fn first<'a, T: Clone + 'a>(
            all: impl IntoIterator<Item = &'a Policy>,
            field: impl Fn(&'a Policy) -> &'a Option<T>,
        ) -> Option<T> {
            all.into_iter().find_map(|policy| field(policy).clone())
        }
        Self {
            period_days: first(all.clone(), |policy| &policy.period_days),
            overlap_hours: first(all.clone(), |policy| &policy.overlap_hours),
            destinations: first(all.clone(), |policy| &policy.destinations),
            propagation_seconds: first(all.clone(), |policy| &policy.propagation_seconds),
            on_old_use: first(all.clone(), |policy| &policy.on_old_use),
            window: first(all.clone(), |policy| &policy.window),
            jitter_hours: first(all.clone(), |policy| &policy.jitter_hours),
            remind_days: first(all, |policy| &policy.remind_days),
        }
    }

    /// The overlap in seconds.
    pub fn overlap_seconds(&self) -> i64 {
        let hours = |hours| i64::from(hours).saturating_mul(SECONDS_PER_HOUR);
        self.overlap_hours.map_or(DEFAULT_OVERLAP_SECONDS, hours)
    }

    /// How a rotation under it is done.
    pub fn plan(&self) -> Plan {
        let propagation = self.propagation_seconds.unwrap_or(DEFAULT_PROPAGATION_SECONDS);
        Plan {
            overlap_seconds: self.overlap_seconds(),
            propagation_seconds: i64::from(propagation),
            on_old_use: self.on_old_use.unwrap_or_default(),
            destinations: self.destinations.clone().unwrap_or_default(),
        }
    }

    /// When a secret that was made at `made` is due; `None` when nothing says a period. The jitter makes it earlier, and
    /// the window of the day later.
    pub fn due(&self, key: KeyId, made: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let period = i64::from(self.period_days?).saturating_mul(SECONDS_PER_DAY);
        let early = i64::from(self.jitter_hours.unwrap_or(0)).saturating_mul(SECONDS_PER_HOUR).min(period);
        let lot = share(key, early.saturating_add(1));
        let due = made.plus_seconds(period.saturating_sub(lot));
        Some(self.window.map_or(due, |window| window.next(zone, due)))
    }

    /// From when on people are told that it is due.
    pub fn reminds_from(&self, due: Timestamp) -> Timestamp {
        let days = i64::from(self.remind_days.unwrap_or(DEFAULT_REMIND_DAYS));
        due.plus_seconds(days.saturating_mul(SECONDS_PER_DAY).saturating_neg())
    }
}

/// A number below `whole` that follows from the key's id, evenly spread: its last eight bytes are random.
fn share(key: KeyId, whole: i64) -> i64 {
    let [.., a, b, c, d, e, f, g] = key.bytes();
    let number = i64::from_be_bytes([0, a, b, c, d, e, f, g]);
    number.checked_rem_euclid(whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_nearest_scope_that_says_something_wins_field_by_field() {
        let key = Policy { overlap_hours: Some(1), ..Policy::default() };
        let workspace = Policy { overlap_hours: Some(2), remind_days: Some(0), ..Policy::default() };
        let organization = Policy {
            period_days: Some(90),
            overlap_hours: Some(3),
            remind_days: Some(9),
            on_old_use: Some(OnOldUse::Cut),
            ..Policy::default()
        };
        let policy = Policy::nearest([&key, &workspace, &organization]);
        assert_eq!(
            (policy.period_days, policy.overlap_hours, policy.remind_days),
            (Some(90), Some(1), Some(0))
        );
        let plan = policy.plan();
        assert_eq!(
            (plan.overlap_seconds, plan.propagation_seconds, plan.on_old_use),
            (3_600, 60, OnOldUse::Cut)
        );
        assert!(Policy::nearest([]).is_empty() && !policy.is_empty());
        assert_eq!(Policy::default().plan().overlap_seconds, 86_400);
    }

    #[test]
    fn the_window_of_the_day_is_that_of_the_time_zone() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        let key = KeyId::from_bytes([7; 16]);
        let due = |start, end, made: &str| {
            let window = Some(DayWindow { start, end });
            let policy = Policy { period_days: Some(1), window, ..Policy::default() };
            policy.due(key, at(made), &paris).unwrap().rfc3339()
        };
        // 02:00 to 04:00 in Paris, which is an hour ahead of UTC in winter and two in summer.
        assert_eq!(due(120, 240, "2026-11-20T10:00:00Z"), "2026-11-22T01:00:00Z");
        assert_eq!(due(120, 240, "2026-11-20T00:30:00Z"), "2026-11-21T01:00:00Z");
        assert_eq!(due(120, 240, "2026-11-20T02:59:59Z"), "2026-11-21T02:59:59Z", "inside it is now");
        assert_eq!(due(120, 240, "2026-11-20T03:00:00Z"), "2026-11-22T01:00:00Z", "its end is outside");
        assert_eq!(due(120, 240, "2026-07-20T10:00:00Z"), "2026-07-22T00:00:00Z");
        // Over midnight: 22:00 to 04:00.
        assert_eq!(due(1_320, 240, "2026-11-20T22:30:00Z"), "2026-11-21T22:30:00Z");
        assert_eq!(due(1_320, 240, "2026-11-20T01:00:00Z"), "2026-11-21T01:00:00Z");
        assert_eq!(due(1_320, 240, "2026-11-20T10:00:00Z"), "2026-11-21T21:00:00Z");
    }

    #[test]
    fn times_of_the_day_are_read_in_one_way() {
        for (text, minutes) in [("00:00", 0), ("02:30", 150), ("23:59", 1_439)] {
            assert_eq!((read_time_of_day(text), time_of_day(minutes).as_str()), (Some(minutes), text));
        }
        for bad in ["", "24:00", "2:30", "02:60", "02:3", "+2:30", "02:30:00", "02.30", " 02:30", "٠٢:٣٠"]
        {
            assert_eq!(read_time_of_day(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn jitter_is_early_its_own_for_each_key_and_never_more(id: [u8; 16], jitter in 0..200u32) {
            let policy = Policy { period_days: Some(90), jitter_hours: Some(jitter), ..Policy::default() };
            let made = at("2026-01-01T00:00:00Z");
            let due = policy.due(KeyId::from_bytes(id), made, &Zone::default()).unwrap();
            let latest = made.plus_seconds(90 * 86_400);
            prop_assert!(due <= latest && due >= latest.plus_seconds(-i64::from(jitter) * 3_600));
            prop_assert_eq!(policy.due(KeyId::from_bytes(id), made, &Zone::default()), Some(due));
            prop_assert!(policy.reminds_from(due) == due.plus_seconds(-7 * 86_400));
        }

        #[test]
        fn with_a_window_it_is_never_before_the_due_time_and_within_two_days(
            start in 0..1_440u32, end in 0..1_440u32, seconds in 0..40_000_000i64,
        ) {
            let zone = Zone::parse("America/New_York").unwrap();
            let made = at("2026-01-01T00:00:00Z").plus_seconds(seconds);
            let plain = Policy { period_days: Some(1), ..Policy::default() };
            let bound = Policy { window: Some(DayWindow { start, end }), ..plain.clone() };
            let key = KeyId::from_bytes([1; 16]);
            let (due, later) = (plain.due(key, made, &zone).unwrap(), bound.due(key, made, &zone).unwrap());
            prop_assert!(due <= later && later <= due.plus_seconds(2 * 86_400));
        }
    }
}
