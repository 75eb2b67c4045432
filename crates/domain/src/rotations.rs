//! A managed rotation: its steps, when each is due, and what becomes of it; pure, so that every way through can be tried.
//!
//! The old secret has no end until the new one is written to every destination and was seen to work. Each step may be done
//! twice: who dies between a deed and its note does it again.

use crate::id::{
    AdminKeyId, KeyId, OrganizationId, RotationId, SecretDestinationId, UpstreamId, WorkspaceId,
};
use crate::keys::PublicId;
use crate::time::Timestamp;

/// What is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An API key.
    ApiKey(KeyId),
    /// An admin key.
    AdminKey(AdminKeyId),
    /// The key of an upstream credential, which upstream makes.
    Upstream(UpstreamId),
}

impl Subject {
    /// As stored and shown.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api_key",
            Self::AdminKey(_) => "admin_key",
            Self::Upstream(_) => "upstream",
        }
    }

    /// The 16 bytes of its id.
    pub const fn bytes(self) -> [u8; 16] {
        match self {
            Self::ApiKey(id) => id.bytes(),
            Self::AdminKey(id) => id.bytes(),
            Self::Upstream(id) => id.bytes(),
        }
    }

    /// From its stored form.
    pub fn read(kind: &str, id: [u8; 16]) -> Option<Self> {
        match kind {
            "api_key" => Some(Self::ApiKey(KeyId::from_bytes(id))),
            "admin_key" => Some(Self::AdminKey(AdminKeyId::from_bytes(id))),
            "upstream" => Some(Self::Upstream(UpstreamId::from_bytes(id))),
            _ => None,
        }
    }

    /// Its id as it is shown.
    pub fn shown_id(self) -> String {
        match self {
            Self::ApiKey(id) => id.to_string(),
            Self::AdminKey(id) => id.to_string(),
            Self::Upstream(id) => id.to_string(),
        }
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The key gets its new secret; the old one works until told otherwise.
    Creating,
    /// The new secret goes to the destinations.
    Writing,
    /// It is waited until everybody can have read it.
    Propagating,
    /// It is read back, and a call is made with it.
    Verifying,
    /// Both secrets work, and the first use of the new one is noted; shortly before the end it is looked whether the old one
    /// is still used.
    Overlapping,
    /// The old secret ends.
    Retiring,
    /// A call with the old secret must be refused.
    Checking,
    /// Over, and well.
    Done,
    /// It was called off: the old secret goes back to the destinations.
    Undoing,
    /// It is waited until everybody can have read that, and the new secret ends.
    Settling,
    /// Over, and everything is as it was.
    Cancelled,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Creating,
        Self::Writing,
        Self::Propagating,
        Self::Verifying,
        Self::Overlapping,
        Self::Retiring,
        Self::Checking,
        Self::Done,
        Self::Undoing,
        Self::Settling,
        Self::Cancelled,
    ];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Writing => "writing",
            Self::Propagating => "propagating",
            Self::Verifying => "verifying",
            Self::Overlapping => "overlapping",
            Self::Retiring => "retiring",
            Self::Checking => "checking",
            Self::Done => "done",
            Self::Undoing => "undoing",
            Self::Settling => "settling",
            Self::Cancelled => "cancelled",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }

    /// Whether something is still to be done.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Done | Self::Cancelled)
    }
}

/// What is done when the old secret is still used shortly before its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnOldUse {
    /// Its end moves on by another overlap, and somebody is told.
    #[default]
    Hold,
    /// It ends all the same, and somebody is told.
    Cut,
}

impl OnOldUse {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Cut => "cut",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hold, Self::Cut].into_iter().find(|one| one.as_str() == text)
    }
}

/// How a rotation is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How long both secrets work once the new one was seen to work; 0 is an emergency.
    pub overlap_seconds: i64,
    /// How long it takes until who reads the destinations has read what was written.
    pub propagation_seconds: i64,
    /// What is done when the old secret is still used.
    pub on_old_use: OnOldUse,
    /// Where the new secret goes.
    pub destinations: Vec<SecretDestinationId>,
}

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// What is to be done next.
    pub step: Step,
    /// Since when.
    pub since: Timestamp,
    /// When that is tried.
    pub next_at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Whether anything may have been written to a destination.
    pub written: bool,
    /// When the new secret was seen to work.
    pub verified_at: Option<Timestamp>,
    /// When somebody other than the try of a rotation was first seen to use the new secret.
    pub observed_at: Option<Timestamp>,
    /// When the old secret ends. Where it may be held it ends then only if nobody was seen to use it: [`State::hard_end`].
    pub ends_at: Option<Timestamp>,
    /// Whether it was looked if the old secret is used, before this end.
    pub looked: bool,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Worked,
    /// It is not; another try may help.
    Failed,
    /// Of [`Step::Overlapping`]: whether the old secret is still used, by [`State::is_old_used`].
    Looked {
        /// It is.
        in_use: bool,
    },
}

/// Seconds after which every node accepts a new secret, with room to spare: they learn of it within two.
pub const KNOWN_SECONDS: i64 = 5;
/// Seconds between tries: after the first, the second, …; the last stands for all later ones.
const BACK_OFF: [i64; 5] = [5, 30, 120, 600, 1_800];
/// The longest before the end that the use of the old secret is looked at.
const LONGEST_MARGIN_SECONDS: i64 = 3_600;
/// So many tries in vain are worth a word to people.
pub const STUCK_ATTEMPTS: u32 = 5;
/// Seconds in which every node takes another upstream key over, and says which one its calls have.
pub const UPSTREAM_SPREAD_SECONDS: i64 = 60;
/// An upstream key that was used within so many seconds may have a call under way: nodes tell of their calls every minute.
pub const UPSTREAM_QUIET_SECONDS: i64 = 90;

fn earlier(at: Timestamp, seconds: i64) -> Timestamp {
    at.plus_seconds(seconds.saturating_neg())
}

impl State {
    /// At the beginning.
    pub const fn begin(now: Timestamp) -> Self {
        Self {
            step: Step::Creating,
            since: now,
            next_at: now,
            attempts: 0,
            written: false,
            verified_at: None,
            observed_at: None,
            ends_at: None,
            looked: false,
        }
    }

    const fn to(self, step: Step, now: Timestamp, next_at: Timestamp) -> Self {
        Self { step, since: now, next_at, attempts: 0, ..self }
    }

    /// How it goes on after a step came out at `now`.
    #[must_use]
    pub fn after(self, plan: &Plan, outcome: Outcome, now: Timestamp) -> Self {
        if outcome == Outcome::Failed {
            return self.again(now);
        }
        let spread = now.plus_seconds(plan.propagation_seconds);
        match self.step {
            // Nobody may read a secret that some node does not know yet.
            Step::Creating => self.to(Step::Writing, now, now.plus_seconds(KNOWN_SECONDS)),
            Step::Writing => Self { written: true, ..self }.to(Step::Propagating, now, spread),
            Step::Propagating => self.to(Step::Verifying, now, now),
            Step::Verifying => self.verified(plan, now),
            Step::Overlapping => self.overlapping(plan, outcome, now),
            Step::Retiring => self.to(Step::Checking, now, now),
            Step::Checking => self.to(Step::Done, now, now),
            Step::Undoing => self.to(Step::Settling, now, if self.written { spread } else { now }),
            Step::Settling => self.to(Step::Cancelled, now, now),
            Step::Done | Step::Cancelled => self,
        }
    }

    fn again(self, now: Timestamp) -> Self {
        let place = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let wait = BACK_OFF.get(place).or(BACK_OFF.last()).copied().unwrap_or(LONGEST_MARGIN_SECONDS);
        Self { attempts: self.attempts.saturating_add(1), next_at: now.plus_seconds(wait), ..self }
    }

    fn verified(self, plan: &Plan, now: Timestamp) -> Self {
        if plan.overlap_seconds <= 0 {
            let ended = Self { verified_at: Some(now), ends_at: Some(now), looked: true, ..self };
            return ended.to(Step::Retiring, now, now);
        }
        // At a whole second, as people are told.
        let end = now.seconds().saturating_add(plan.overlap_seconds).saturating_mul(1_000_000);
        let end = Timestamp::from_micros(end);
        let verified = Self { verified_at: Some(now), ends_at: Some(end), ..self };
        verified.to(Step::Overlapping, now, earlier(end, margin(plan)))
    }

    fn overlapping(self, plan: &Plan, outcome: Outcome, now: Timestamp) -> Self {
        let Some(end) = self.ends_at else { return self.again(now) };
        let may_be_held = self.hard_end(plan).is_none();
        if may_be_held && outcome == (Outcome::Looked { in_use: true }) {
            // Who comes late gives a whole overlap all the same.
            let from = end.seconds().max(now.seconds());
            let end = from.saturating_add(plan.overlap_seconds).saturating_mul(1_000_000);
            let end = Timestamp::from_micros(end);
            return Self { ends_at: Some(end), next_at: earlier(end, margin(plan)), attempts: 0, ..self };
        }
        if now < end {
            return Self { looked: true, next_at: end, attempts: 0, ..self };
        }
        // The end of what could have been held is now, however late that is.
        let ends_at = if may_be_held { Some(now) } else { self.ends_at };
        Self { ends_at, looked: true, ..self }.to(Step::Retiring, now, now)
    }

    /// From when on the old secret is refused, whatever happens to this program. Where it may be held there is no such time
    /// before it was looked whether it is used: that look and the end are one decision.
    pub fn hard_end(&self, plan: &Plan) -> Option<Timestamp> {
        let waits = plan.on_old_use == OnOldUse::Hold && self.step == Step::Overlapping && !self.looked;
        if waits { None } else { self.ends_at }
    }

    /// Since when a use of the old secret says that somebody has not read the new one: the second half of the overlap, or, as
    /// long as nobody was seen to use the new one, all of it.
    pub fn watched_since(&self, plan: &Plan) -> Option<Timestamp> {
        let back = match self.observed_at {
            Some(_) => plan.overlap_seconds.checked_div(2).unwrap_or(0),
            None => plan.overlap_seconds,
        };
        self.ends_at.map(|end| earlier(end, back))
    }

    /// Whether a last use of the old secret says that.
    pub fn is_old_used(&self, plan: &Plan, used_at: Option<Timestamp>) -> bool {
        used_at.zip(self.watched_since(plan)).is_some_and(|(at, since)| at >= since)
    }

    /// The same, called off at `now`; `None` when the old secret is no more, or nobody knows it any more to write it back.
    pub fn called_off(self, plan: &Plan, now: Timestamp, old_is_known: bool) -> Option<Self> {
        let lives = self.hard_end(plan).is_none_or(|end| now < end);
        match self.step {
            Step::Creating => Some(self.to(Step::Cancelled, now, now)),
            Step::Writing | Step::Propagating | Step::Verifying | Step::Overlapping
                if lives && (old_is_known || !self.written) =>
            {
                Some(Self { ends_at: None, ..self }.to(Step::Undoing, now, now))
            }
            Step::Writing
            | Step::Propagating
            | Step::Verifying
            | Step::Overlapping
            | Step::Retiring
            | Step::Checking
            | Step::Done
            | Step::Undoing
            | Step::Settling
            | Step::Cancelled => None,
        }
    }

    /// The same where others make the secrets: the old one is known as soon as there is a new one, and a new one may be there
    /// that nobody knows of yet, which has to go.
    pub fn called_off_elsewhere(self, plan: &Plan, now: Timestamp) -> Option<Self> {
        if self.step == Step::Creating {
            return Some(self.to(Step::Undoing, now, now));
        }
        self.called_off(plan, now, true)
    }

    /// Ended without any more ado: its key is gone, or got another secret meanwhile.
    #[must_use]
    pub const fn given_up(self, now: Timestamp) -> Self {
        self.to(Step::Cancelled, now, now)
    }
}

/// How long before the end the use of the old secret is looked at: a tenth of the overlap, an hour at most. Every node must
/// learn in that time of what comes of it.
fn margin(plan: &Plan) -> i64 {
    let tenth = plan.overlap_seconds.checked_div(10).unwrap_or(0);
    tenth.clamp(KNOWN_SECONDS, LONGEST_MARGIN_SECONDS).min(plan.overlap_seconds)
}

/// A rotation as stored, without its sealed secrets.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Its id.
    pub id: RotationId,
    /// Whose it is.
    pub organization_id: OrganizationId,
    /// The workspace of the key, where it is in one.
    pub workspace_id: Option<WorkspaceId>,
    /// What is rotated.
    pub subject: Subject,
    /// The name of that when it began; places that are named after it stay where they are, however it is called later.
    pub name: String,
    /// The name of its workspace when it began; `admin` for an admin key.
    pub workspace: String,
    /// How.
    pub plan: Plan,
    /// How far it is.
    pub state: State,
    /// Whether it was begun without an overlap.
    pub emergency: bool,
    /// Who began it, by name.
    pub started_by: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The old secret, once there is a new one.
    pub old_public_id: Option<PublicId>,
    /// The new secret, once there is one.
    pub new_public_id: Option<PublicId>,
    /// What went wrong last, for people.
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod upstream_tests;
