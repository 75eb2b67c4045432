//! How a command ends when it does not end well: what to say, what to do next, and the exit code.

use crate::client::ClientError;
use std::process::ExitCode;

/// What exit codes mean, for `--help` and the man pages.
pub(super) const CODES: &str = "\
Exit codes:
  0  done
  1  Louver refused it, or it failed
  2  the command line is wrong, or a question had to be asked where nobody can answer (give --yes)
  3  what was named is not there, or the name is not the name of one thing
  4  no admin key, a wrong one, or one without the permission
  5  Louver was not reached; what was asked may have been done all the same
  130  interrupted; running the same again goes on";

/// The ends that scripts can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Louver refused it, or it failed.
    Failed,
    /// The command line cannot be followed.
    Usage,
    /// What was named is not there.
    NotThere,
    /// Who asked may not.
    NotAllowed,
    /// Nobody answered.
    Unreached,
    /// A person stopped it.
    Interrupted,
}

impl End {
    const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotThere => 3,
            Self::NotAllowed => 4,
            Self::Unreached => 5,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command did not do what it was told, and what a person does next.
#[derive(Debug)]
pub(super) struct Failure {
    end: End,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    /// One of that end.
    pub(super) fn new(end: End, message: impl Into<String>) -> Self {
        Self { end, message: message.into(), hints: Vec::new() }
    }

    /// It failed.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(End::Failed, message)
    }

    /// The command line is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(End::Usage, message)
    }

    /// The same, with what to do next.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// How it ends.
    pub(super) const fn end(&self) -> End {
        self.end
    }

    /// What it says, without what to do next.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// All it says, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("louver: {}", self.message)];
        lines.extend(self.hints.iter().map(|hint| format!("  {hint}")));
        lines
    }
}

/// Several faults at once, each on a line of its own.
impl From<Vec<String>> for Failure {
    fn from(errors: Vec<String>) -> Self {
        Self::failed(errors.join("\nlouver: "))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let text = error.to_string();
        if error.unknown_path() {
            return Self::failed(text)
                .hint("This Louver does not know that yet: is it older than this program?");
        }
        match &error {
            ClientError::Unreachable(_) => Self::new(End::Unreached, text)
                .hint(
                    "Is `louver serve` or `louver dev` running there? --url or LOUVER_URL says where it is.",
                )
                .hint("`louver doctor` looks over the installation on its own machine."),
            ClientError::Unreadable(_) => Self::failed(text),
            ClientError::Refused(refusal) => match refusal.status {
                401 => Self::new(End::NotAllowed, text)
                    .hint("`louver admin-key create` makes an admin key, on the machine of the data."),
                403 => {
                    Self::new(End::NotAllowed, text).hint("`louver whoami` shows what this admin key may do.")
                }
                404 => Self::new(End::NotThere, text),
                412 => Self::failed(text)
                    .hint("Somebody changed it meanwhile: the same command works on what is there now."),
                _ => Self::failed(text),
            },
        }
    }
}

/// Says how it ended, and gives the exit code.
pub(super) fn finish(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    for line in failure.lines() {
        eprintln!("{line}");
    }
    ExitCode::from(failure.end.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Refusal;

    fn refused(status: u16, message: &str) -> Failure {
        let (what, message) = ("GET /x".to_owned(), message.to_owned());
        ClientError::Refused(Refusal { what, status, message, request_id: None }).into()
    }

    #[test]
    fn each_end_has_its_code_and_names_the_next_command() {
        for (failure, code, hint) in [
            (refused(401, "Unauthorized"), 4, "louver admin-key create"),
            (refused(403, "the permission api_key.create is missing"), 4, "louver whoami"),
            (refused(404, "not found"), 3, ""),
            (refused(404, "no Route matched with those values"), 1, "older than this program"),
            (refused(409, "there is one of that name"), 1, ""),
            (refused(412, "it has changed"), 1, "the same command"),
            (refused(503, "overloaded"), 1, ""),
            (ClientError::Unreachable("no connection".into()).into(), 5, "louver serve"),
            (ClientError::Unreadable("odd".into()).into(), 1, ""),
            (Failure::usage("give --yes"), 2, ""),
            (Failure::new(End::Interrupted, "stopped"), 130, ""),
        ] {
            let said = failure.lines().join("\n");
            assert_eq!(failure.end().code(), code, "{said}");
            assert!(said.starts_with("louver: ") && said.contains(hint), "{said}");
            assert!(CODES.contains(&format!("\n  {code}  ")), "{code} is not documented");
        }
    }
}
