//! Asks before what cannot be undone; where nobody can be asked, nothing is done.

use super::failure::Failure;
use clap::Args;
use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

/// Whether to ask.
#[derive(Args, Clone, Copy)]
pub(super) struct Confirm {
    /// Do not ask; without a terminal nothing is done unless this is given
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Confirm {
    /// Goes on when a person agrees, or has said so before.
    pub(super) fn ask(self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() || !stderr().is_terminal() {
            return Err(Failure::usage(format!("not done, since nobody can be asked: {question}"))
                .hint("Give --yes to do it without being asked."));
        }
        asked(question, &mut stdin().lock(), &mut stderr().lock())
    }
}

fn asked(question: &str, from: &mut impl BufRead, to: &mut impl Write) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::failed(error.to_string());
    write!(to, "{} [y/N] ", crate::client::plain(question)).and_then(|()| to.flush()).map_err(unreadable)?;
    let mut line = String::new();
    from.read_line(&mut line).map_err(unreadable)?;
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::failed("nothing was done")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_goes_on() {
        for (answer, agreed) in
            [("y\n", true), ("YES\n", true), ("n\n", false), ("\n", false), ("", false), ("yo\n", false)]
        {
            let mut shown = Vec::new();
            assert_eq!(asked("Revoke it?", &mut answer.as_bytes(), &mut shown).is_ok(), agreed, "{answer:?}");
            assert_eq!(shown, b"Revoke it? [y/N] ");
        }
        assert!(Confirm { yes: true }.ask("Revoke it?").is_ok());
    }
}
