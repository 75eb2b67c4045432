//! A person's session in the console: how long it lives, and how long their word holds that it is still them.

use crate::id::{OrganizationId, SessionId, UserId};
use crate::keys::Fingerprint;
use crate::time::Timestamp;

/// A session ends that long after it began, whatever happens in it.
pub const LONGEST_SECONDS: i64 = 12 * 3600;

/// A session ends when nothing was asked in it for that long.
pub const IDLE_SECONDS: i64 = 30 * 60;

/// For that long after a password was given, what is sensitive needs none.
pub const CONFIRMED_SECONDS: i64 = 5 * 60;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is no secret.
    pub id: SessionId,
    /// The organization of the person.
    pub organization_id: OrganizationId,
    /// Who signed in.
    pub user_id: UserId,
    /// The fingerprint of the token that the browser holds.
    pub fingerprint: Fingerprint,
    /// When it began.
    pub created_at: Timestamp,
    /// When something was asked in it last; up to a minute behind.
    pub seen_at: Timestamp,
    /// When the person last gave their password in it, or came by a link.
    pub confirmed_at: Timestamp,
    /// Whether the second factor is still to be shown: until then nothing else can be done in it.
    pub needs_code: bool,
    /// The address it was opened from.
    pub address: Option<String>,
    /// What the browser called itself.
    pub client: Option<String>,
}

impl Session {
    /// From when on it is over, if nothing more is asked in it.
    pub fn ends_at(&self) -> Timestamp {
        let longest = self.created_at.plus_seconds(LONGEST_SECONDS);
        longest.min(self.seen_at.plus_seconds(IDLE_SECONDS))
    }

    /// Whether it is still good.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }
}

/// Whether a confirmation at that time still holds.
pub fn is_confirmed(confirmed_at: Timestamp, now: Timestamp) -> bool {
    now < confirmed_at.plus_seconds(CONFIRMED_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(seconds)
    }

    fn session(seen: i64) -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            organization_id: OrganizationId::from_bytes([2; 16]),
            user_id: UserId::from_bytes([3; 16]),
            fingerprint: [0; 32],
            created_at: at(0),
            seen_at: at(seen),
            confirmed_at: at(0),
            needs_code: false,
            address: None,
            client: None,
        }
    }

    #[test]
    fn a_session_ends_when_it_is_idle_or_old_and_strictly_at_its_end() {
        for (seen, now, alive) in [
            (0, 0, true),
            (0, IDLE_SECONDS - 1, true),
            (0, IDLE_SECONDS, false),
            (IDLE_SECONDS - 1, 2 * IDLE_SECONDS - 2, true),
            (LONGEST_SECONDS - 1, LONGEST_SECONDS - 1, true),
            (LONGEST_SECONDS - 1, LONGEST_SECONDS, false),
        ] {
            assert_eq!(session(seen).is_alive(at(now)), alive, "seen at {seen}, asked at {now}");
        }
    }

    #[test]
    fn a_confirmation_holds_for_five_minutes() {
        assert!(is_confirmed(at(0), at(299)));
        assert!(!is_confirmed(at(0), at(300)));
    }
}
