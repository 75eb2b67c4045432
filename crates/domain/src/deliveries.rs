//! The life of a delivery: tried, tried again ever later, delivered or given up after a day.

use crate::id::{AlertChannelId, UserId};
use crate::time::Timestamp;

/// Who gets an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// An alert channel.
    Channel(AlertChannelId),
    /// The owner of the key that it is about, by mail.
    Owner(UserId),
}

impl Receiver {
    /// The 16 bytes of its id.
    pub const fn bytes(self) -> [u8; 16] {
        match self {
            Self::Channel(id) => id.bytes(),
            Self::Owner(id) => id.bytes(),
        }
    }

    /// The channel that it is.
    pub const fn channel(self) -> Option<AlertChannelId> {
        match self {
            Self::Channel(id) => Some(id),
            Self::Owner(_) => None,
        }
    }

    /// The person that it is.
    pub const fn owner(self) -> Option<UserId> {
        match self {
            Self::Channel(_) => None,
            Self::Owner(id) => Some(id),
        }
    }
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried when its time has come.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`DeliveryState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|state| state.as_str() == text)
    }
}

/// How an attempt came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Taken,
    /// It did not work; it may later.
    NotNow,
    /// The receiver wants no more, or there is no receiver: it will never work.
    Never,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its state.
    pub state: DeliveryState,
    /// When it is tried again, while it is pending; else the time of the attempt.
    pub at: Timestamp,
}

/// Seconds between attempts: after the first, the second, …; the last stands for all later ones.
const BACK_OFF: [i64; 6] = [5, 30, 120, 600, 1_800, 3_600];
/// What is not delivered by then is given up.
const PATIENCE_SECONDS: i64 = 86_400;

/// What becomes of a delivery that exists since `since`, after its attempt number `attempts` (from 1) came out at
/// `now`. `jitter` is a random byte: it makes each wait up to a tenth longer, so that what failed together is not
/// tried together.
pub fn after(attempts: u32, since: Timestamp, outcome: Outcome, now: Timestamp, jitter: u8) -> Next {
    let ended = |state| Next { state, at: now };
    match outcome {
        Outcome::Taken => ended(DeliveryState::Delivered),
        Outcome::Never => ended(DeliveryState::Failed),
        Outcome::NotNow => {
            let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
            let seconds = BACK_OFF.get(place).or(BACK_OFF.last()).copied().unwrap_or(PATIENCE_SECONDS);
            // A tenth of the wait is 100,000 microseconds for each of its seconds; 255 parts make it whole.
            let more = seconds.saturating_mul(100_000).saturating_mul(i64::from(jitter)).checked_div(255);
            let at = now.plus_seconds(seconds).micros().saturating_add(more.unwrap_or(0));
            let at = Timestamp::from_micros(at);
            if at > since.plus_seconds(PATIENCE_SECONDS) {
                return ended(DeliveryState::Failed);
            }
            Next { state: DeliveryState::Pending, at }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SINCE: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    #[test]
    fn waits_grow_to_an_hour_and_end_after_a_day() {
        let (mut now, mut waits) = (SINCE, vec![]);
        for attempt in 1.. {
            let next = after(attempt, SINCE, Outcome::NotNow, now, 0);
            if next.state == DeliveryState::Failed {
                assert_eq!(next.at, now);
                break;
            }
            waits.push(next.at.seconds() - now.seconds());
            now = next.at;
        }
        assert_eq!(waits[..8], [5, 30, 120, 600, 1_800, 3_600, 3_600, 3_600]);
        assert!(now.seconds() - SINCE.seconds() <= 86_400 && waits.len() == 28, "{}", waits.len());
    }

    #[test]
    fn jitter_adds_up_to_a_tenth() {
        let wait = |jitter| after(2, SINCE, Outcome::NotNow, SINCE, jitter).at.micros() - SINCE.micros();
        assert_eq!((wait(0), wait(255)), (30_000_000, 33_000_000));
        assert!(wait(0) < wait(1) && wait(254) < wait(255));
    }

    #[test]
    fn what_ended_has_ended() {
        for (outcome, state) in
            [(Outcome::Taken, DeliveryState::Delivered), (Outcome::Never, DeliveryState::Failed)]
        {
            assert_eq!(after(1, SINCE, outcome, SINCE, 9), Next { state, at: SINCE });
        }
        for state in ["pending", "delivered", "failed"] {
            assert_eq!(DeliveryState::parse(state).unwrap().as_str(), state);
        }
        assert_eq!(DeliveryState::parse("superseded"), None);
    }

    proptest! {
        #[test]
        fn nothing_is_tried_at_once_or_after_a_day(attempts: u32, late in 0..200_000i64, jitter: u8) {
            let now = SINCE.plus_seconds(late);
            let next = after(attempts, SINCE, Outcome::NotNow, now, jitter);
            match next.state {
                DeliveryState::Pending => prop_assert!(
                    next.at >= now.plus_seconds(5) && next.at <= SINCE.plus_seconds(86_400)
                ),
                DeliveryState::Failed => prop_assert!(late > 86_400 - 3_961),
                DeliveryState::Delivered => prop_assert!(false),
            }
        }
    }
}
