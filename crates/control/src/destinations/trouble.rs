//! Why a destination did not take or give a secret: told to people, and whether it is worth another try.
//!
//! None of these holds a secret, or anything that a remote server wrote.

use crate::exchange::Unanswered;
use louver_domain::secret_destinations::Unfit;
use std::io;

/// Why not.
#[derive(Debug, PartialEq, Eq)]
pub enum DestinationError {
    /// It is disabled.
    Disabled,
    /// Its stored credentials do not open, or are not what its kind takes.
    Unreadable,
    /// No location can be made of the names.
    Unfit(Unfit),
    /// There was no answer.
    Unanswered(Unanswered),
    /// It answered with a status that means no.
    Answered(u16),
    /// It refused, for a reason that has a name.
    Refused(&'static str),
    /// It answered something that is not what its kind answers.
    Garbled,
    /// Others changed the same secret at the same time, again and again.
    Contended,
    /// It all took too long.
    TooLong,
    /// The settings of this node do not allow it.
    NotAllowed(&'static str),
    /// The file system said no to a step.
    File(&'static str, io::ErrorKind),
    /// A command ended with another code than 0, or by a signal.
    Ended(Option<i32>),
}

impl DestinationError {
    /// Whether the same may work later without anybody doing anything.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unanswered(Unanswered::NotAdmitted | Unanswered::Untrusted | Unanswered::TooLarge)
            | Self::Disabled
            | Self::Unreadable
            | Self::Unfit(_)
            | Self::Refused(_)
            | Self::NotAllowed(_) => false,
            Self::Unanswered(Unanswered::Unreachable | Unanswered::TooLate | Unanswered::Broken)
            | Self::Garbled
            | Self::Contended
            | Self::TooLong
            | Self::File(..)
            | Self::Ended(_) => true,
            Self::Answered(status) => matches!(status, 408 | 409 | 412 | 423 | 425 | 429 | 500..),
        }
    }

    /// For people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Disabled => "the destination is disabled".into(),
            Self::Unreadable => "the stored credentials cannot be used: give them again".into(),
            Self::Unfit(unfit) => unfit.sentence().into(),
            Self::Unanswered(unanswered) => of_unanswered(*unanswered).into(),
            Self::Answered(status) => {
                format!("the destination answered with status {status}: {}", meaning(*status))
            }
            Self::Refused(sentence) | Self::NotAllowed(sentence) => (*sentence).into(),
            Self::Garbled => "the destination answered something that is not what its kind answers".into(),
            Self::Contended => "others changed the same secret at the same time".into(),
            Self::TooLong => "it took too long".into(),
            Self::File(step, kind) => format!("{step}: {kind}"),
            Self::Ended(Some(code)) => format!("the command ended with code {code}"),
            Self::Ended(None) => "the command was ended by a signal, or ran too long".into(),
        }
    }
}

const fn of_unanswered(unanswered: Unanswered) -> &'static str {
    match unanswered {
        Unanswered::NotAdmitted | Unanswered::Unreachable => {
            "the destination could not be reached, or is none that the settings let in (destination_allowed_targets)"
        }
        Unanswered::Untrusted => "the destination shows no certificate that is trusted here",
        Unanswered::TooLate => "the destination did not answer in time",
        Unanswered::Broken => "the destination broke off, or does not speak HTTP",
        Unanswered::TooLarge => "the destination's answer is larger than is read",
    }
}

const fn meaning(status: u16) -> &'static str {
    match status {
        300..=399 => "it points elsewhere, and redirects are not followed",
        400 | 422 => "it does not understand what it was asked, or does not allow it",
        401 | 403 => "it does not accept the credentials, or they do not permit this",
        404 => "it does not know the place",
        405 | 501 => "it does not know the deed",
        409 | 412 => "it was changed by others at the same time",
        413 => "it is too large for it",
        429 => "it is asked too often",
        500..=599 => "it is in trouble",
        _ => "that means no",
    }
}

impl From<Unanswered> for DestinationError {
    fn from(unanswered: Unanswered) -> Self {
        Self::Unanswered(unanswered)
    }
}
