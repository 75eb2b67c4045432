//! The health of one upstream credential: when it rests, and when its circuit is open. Pure, on a clock handed in.
//!
//! A refusal for its rate (429) lets it rest for as long as upstream says. A failure lets it rest for longer each time.
//! Too many failures in a row within a window open the circuit: nothing is sent until the rest is over, then one call is
//! let through; what becomes of it closes the circuit or opens it anew. Times are monotonic microseconds.

use crate::id::UpstreamId;
use crate::time::Timestamp;

/// What the operator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The first rest after a failure, and after a 429 that names no time.
    pub rest_micros: i64,
    /// The longest rest, whatever upstream asks for.
    pub longest_rest_micros: i64,
    /// Failures in a row that open the circuit; 0 is never.
    pub failures: u32,
    /// How close together they must come.
    pub window_micros: i64,
    /// How long a call that was let through as a trial may take before another one is.
    pub trial_micros: i64,
}

impl Policy {
    /// The rest after the `failures`-th failure in a row: doubled each time, bounded, and half of it drawn by lot, so that
    /// many nodes do not come back at once.
    fn rest(&self, failures: u32, lot: u64) -> i64 {
        let factor = 1_i64.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(i64::MAX);
        let whole = self.rest_micros.saturating_mul(factor).clamp(0, self.longest_rest_micros.max(0));
        let half = whole.checked_div(2).unwrap_or(0);
        let drawn = u64::try_from(half).ok().and_then(|half| lot.checked_rem(half.saturating_add(1)));
        whole.saturating_sub(half).saturating_add(drawn.and_then(|d| i64::try_from(d).ok()).unwrap_or(0))
    }
}

/// Whether calls go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// They do.
    Closed,
    /// None does.
    Open,
    /// One is let through as a trial.
    HalfOpen,
}

/// What a call may do with the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may be used.
    Free,
    /// It rests: another one is better, but upstream may be asked.
    Rests,
    /// It may not be used until then.
    Never {
        /// When the circuit lets a trial through.
        until_micros: i64,
    },
}

/// How upstream answered a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It works.
    Well,
    /// 429, with the time that upstream asks for.
    Limited {
        /// From now on.
        retry_after_micros: Option<i64>,
    },
    /// 5xx, or no answer; with the time that upstream asks for.
    Failed {
        /// From now on.
        retry_after_micros: Option<i64>,
    },
}

/// The health of one credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    circuit: Circuit,
    resting_until: i64,
    /// Failures in a row, and when the first of them was.
    failures: u32,
    first_failure: i64,
    /// How often the circuit opened since it was last closed.
    openings: u32,
    /// When the trial began.
    trial_since: i64,
    last_error: Option<i64>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            circuit: Circuit::Closed,
            resting_until: i64::MIN,
            failures: 0,
            first_failure: i64::MIN,
            openings: 0,
            trial_since: i64::MIN,
            last_error: None,
        }
    }
}

impl Health {
    /// What a call may do now. Nothing is taken.
    pub const fn leave(&self, policy: &Policy, now: i64) -> Leave {
        let rests = now < self.resting_until;
        match self.circuit {
            Circuit::Closed if rests => Leave::Rests,
            Circuit::Closed => Leave::Free,
            Circuit::Open if rests => Leave::Never { until_micros: self.resting_until },
            Circuit::Open => Leave::Free,
            Circuit::HalfOpen => {
                let end = self.trial_since.saturating_add(policy.trial_micros);
                if now < end { Leave::Never { until_micros: end } } else { Leave::Free }
            }
        }
    }

    /// A call takes it: behind an open circuit that is the trial.
    pub const fn take(&mut self, now: i64) {
        match self.circuit {
            Circuit::Closed => {}
            Circuit::Open | Circuit::HalfOpen => {
                self.circuit = Circuit::HalfOpen;
                self.trial_since = now;
            }
        }
    }

    /// A call that was taken was not sent after all: the next one is the trial.
    pub const fn untake(&mut self) {
        if matches!(self.circuit, Circuit::HalfOpen) {
            self.circuit = Circuit::Open;
        }
    }

    /// Upstream answered, or did not. `lot` is any random number.
    pub fn note(&mut self, policy: &Policy, sign: Sign, now: i64, lot: u64) {
        match sign {
            // An answer that was on its way when the circuit opened says nothing of now.
            Sign::Well if self.circuit == Circuit::Open => {}
            Sign::Well => {
                let last_error = self.last_error;
                let resting_until = self.resting_until;
                *self = Self { last_error, resting_until, ..Self::default() };
            }
            Sign::Limited { retry_after_micros } => {
                self.last_error = Some(now);
                self.rest(policy, retry_after_micros, 1, now, lot);
                // Upstream is there: it only asks for less.
                if self.circuit == Circuit::HalfOpen {
                    self.circuit = Circuit::Closed;
                    (self.failures, self.openings) = (0, 0);
                }
            }
            Sign::Failed { retry_after_micros } => self.fail(policy, retry_after_micros, now, lot),
        }
    }

    fn fail(&mut self, policy: &Policy, asked: Option<i64>, now: i64, lot: u64) {
        self.last_error = Some(now);
        if self.failures == 0 || now.saturating_sub(self.first_failure) > policy.window_micros {
            (self.failures, self.first_failure) = (0, now);
        }
        self.failures = self.failures.saturating_add(1);
        let full = policy.failures > 0 && self.failures >= policy.failures;
        match self.circuit {
            Circuit::Closed if !full => self.rest(policy, asked, self.failures, now, lot),
            Circuit::Closed | Circuit::HalfOpen => {
                self.circuit = Circuit::Open;
                self.openings = self.openings.saturating_add(1);
                self.rest(policy, asked, self.openings, now, lot);
            }
            // A call from before the circuit opened.
            Circuit::Open => {}
        }
    }

    fn rest(&mut self, policy: &Policy, asked: Option<i64>, failures: u32, now: i64, lot: u64) {
        let drawn = || policy.rest(failures, lot);
        let rest = asked.map_or_else(drawn, |asked| asked.clamp(0, policy.longest_rest_micros.max(0)));
        self.resting_until = self.resting_until.max(now.saturating_add(rest));
    }

    /// Whether there is nothing to look at: it may be used, and no failure is remembered.
    pub fn is_clean(&self, now: i64) -> bool {
        self.circuit == Circuit::Closed && self.failures == 0 && now >= self.resting_until
    }

    /// As it is shown: the circuit as the next call meets it.
    pub fn shown(&self, now: i64) -> (Shown, Option<i64>, Option<i64>) {
        let rests = now < self.resting_until;
        let state = match self.circuit {
            Circuit::Closed if rests => Shown::Resting,
            Circuit::Closed => Shown::Closed,
            Circuit::Open if rests => Shown::Open,
            Circuit::Open | Circuit::HalfOpen => Shown::HalfOpen,
        };
        (state, rests.then_some(self.resting_until), self.last_error)
    }
}

/// The state that people are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// In use.
    Closed,
    /// In use only where no other one is.
    Resting,
    /// Not in use.
    Open,
    /// On trial.
    HalfOpen,
}

impl Shown {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Resting => "resting",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How a credential stands on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: Shown,
    /// Until when it rests.
    pub resting_until: Option<Timestamp>,
    /// When upstream last failed with it.
    pub last_error_at: Option<Timestamp>,
    /// Calls under way with it.
    pub in_flight: u64,
}

/// What the data plane of this process knows of credentials: the control plane cannot see it otherwise.
pub trait Watch: Send + Sync {
    /// How a stored credential stands; `None` before the data plane has taken it over.
    fn of(&self, credential: UpstreamId) -> Option<Standing>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn policy() -> Policy {
        Policy {
            rest_micros: 4 * SECOND,
            longest_rest_micros: 60 * SECOND,
            failures: 3,
            window_micros: 30 * SECOND,
            trial_micros: 10 * SECOND,
        }
    }

    const FAILED: Sign = Sign::Failed { retry_after_micros: None };

    fn after(signs: &[(i64, Sign)]) -> Health {
        let mut health = Health::default();
        for (second, sign) in signs {
            health.note(&policy(), *sign, second * SECOND, u64::MAX);
        }
        health
    }

    fn at(health: &Health, second: i64) -> Leave {
        health.leave(&policy(), second * SECOND)
    }

    #[test]
    fn a_429_rests_for_as_long_as_upstream_says_but_not_for_ever() {
        let limited =
            |seconds: Option<i64>| Sign::Limited { retry_after_micros: seconds.map(|s| s * SECOND) };
        let health = after(&[(0, limited(Some(7)))]);
        assert_eq!((at(&health, 6), at(&health, 7)), (Leave::Rests, Leave::Free));
        let health = after(&[(0, limited(Some(100_000)))]);
        assert_eq!((at(&health, 59), at(&health, 60)), (Leave::Rests, Leave::Free));
        let health = after(&[(0, limited(Some(-5)))]);
        assert_eq!(at(&health, 0), Leave::Free);
        let many: Vec<_> = (0..50).map(|second| (second, limited(None))).collect();
        let health = after(&many);
        assert_eq!(at(&health, 49), Leave::Rests, "however often: a 429 opens no circuit");
        assert_eq!(at(&health, 53), Leave::Free, "nor does its rest grow");
    }

    #[test]
    fn rests_after_failures_double_within_bounds_and_are_drawn_by_lot() {
        let policy = policy();
        for (failures, whole) in [(1, 4), (2, 8), (3, 16), (4, 32), (5, 60), (6, 60), (u32::MAX, 60)] {
            let rests: Vec<i64> =
                [0, 1, 12_345_678_901, u64::MAX].map(|lot| policy.rest(failures, lot)).into();
            assert!(
                rests.iter().all(|rest| (whole * SECOND / 2..=whole * SECOND).contains(rest)),
                "{rests:?}"
            );
            assert_ne!(rests[0], rests[2], "not all nodes come back at once");
        }
        assert_eq!(Policy { rest_micros: 0, ..policy }.rest(9, 5), 0);
        assert_eq!(Policy { longest_rest_micros: -1, ..policy }.rest(9, 5), 0);
    }

    #[test]
    fn failures_in_a_row_open_the_circuit_and_others_do_not() {
        let health = after(&[(0, FAILED), (1, FAILED)]);
        assert!(matches!(at(&health, 1), Leave::Rests));
        let health = after(&[(0, FAILED), (1, FAILED), (2, FAILED)]);
        assert!(matches!(at(&health, 2), Leave::Never { .. }));
        let health = after(&[(0, FAILED), (1, FAILED), (2, Sign::Well), (3, FAILED)]);
        assert!(matches!(at(&health, 3), Leave::Rests), "a success ends the row");
        let health = after(&[(0, FAILED), (40, FAILED), (80, FAILED)]);
        assert!(matches!(at(&health, 80), Leave::Rests), "too far apart");
        let mut never = Health::default();
        for second in 0..99 {
            never.note(&Policy { failures: 0, ..policy() }, FAILED, second, 0);
        }
        assert_eq!(never.circuit, Circuit::Closed);
    }

    #[test]
    fn an_open_circuit_lets_one_call_through_and_believes_it() {
        let mut health = after(&[(0, FAILED), (0, FAILED), (0, FAILED)]);
        let Leave::Never { until_micros } = at(&health, 0) else { panic!("open") };
        assert_eq!(health.shown(0).0, Shown::Open);
        assert_eq!(health.leave(&policy(), until_micros), Leave::Free);
        health.note(&policy(), Sign::Well, SECOND, 0);
        assert_eq!(health.circuit, Circuit::Open, "an answer from before says nothing");
        health.take(until_micros);
        assert_eq!(health.shown(until_micros).0, Shown::HalfOpen);
        assert!(matches!(health.leave(&policy(), until_micros), Leave::Never { .. }), "one at a time");
        let lost = until_micros + 10 * SECOND;
        assert_eq!(health.leave(&policy(), lost), Leave::Free, "a trial that never ends is given up");
        let mut unsent = health;
        unsent.untake();
        assert_eq!(unsent.leave(&policy(), until_micros), Leave::Free);
        let mut failed = health;
        failed.note(&policy(), FAILED, until_micros, u64::MAX);
        let Leave::Never { until_micros: next } = failed.leave(&policy(), until_micros) else { panic!() };
        assert!(next > until_micros + 3 * SECOND, "it rests for longer");
        let mut limited = health;
        limited.note(&policy(), Sign::Limited { retry_after_micros: None }, until_micros, 0);
        assert_eq!(limited.leave(&policy(), until_micros), Leave::Rests, "upstream is there again");
        health.note(&policy(), Sign::Well, until_micros, 0);
        assert_eq!(health.leave(&policy(), until_micros), Leave::Free);
        assert!(health.is_clean(until_micros) && health.shown(until_micros).2 == Some(0));
    }

    #[test]
    fn nothing_overflows_at_the_ends_of_time() {
        let mut health = Health::default();
        for now in [i64::MIN, -1, 0, i64::MAX] {
            for sign in [FAILED, Sign::Limited { retry_after_micros: Some(i64::MAX) }, Sign::Well] {
                health.note(&policy(), sign, now, u64::MAX);
                health.take(now);
                let _ = (health.leave(&policy(), now), health.shown(now), health.is_clean(now));
            }
        }
    }
}
