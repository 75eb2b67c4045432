//! What commands do to a receiver of alerts or of secrets, whichever it is: change it, switch it, delete it.

use super::cells::text;
use super::confirm::Confirm;
use super::failure::Failure;
use super::input;
use super::lookup::{Found, Kind};
use super::session::Session;
use crate::client::segment;
use serde_json::{Map, Value};

/// One kind of receiver.
pub(super) struct Receiver {
    /// How it is found.
    pub(super) kind: &'static Kind,
    /// What people call it.
    pub(super) noun: &'static str,
    /// Where the API has them.
    pub(super) path: &'static str,
    /// What is signed with a secret that Louver made.
    pub(super) signed: &'static str,
    /// The command that tries one.
    pub(super) test: &'static str,
}

impl Receiver {
    /// The path of one.
    pub(super) fn one(&self, found: &Found, rest: &str) -> String {
        format!("{}/{}{rest}", self.path, segment(&found.id))
    }

    /// Makes one; a secret that Louver made is shown.
    pub(super) async fn create(
        &self,
        session: &Session,
        name: &str,
        body: Map<String, Value>,
    ) -> Result<(), Failure> {
        let made = session.post(self.path, &Value::Object(body)).await?;
        let Self { noun, signed, test, .. } = self;
        session.screen.done(&made, format!("The {noun} {name} is there: {}", text(&made, "id")));
        if !text(&made, "secret").is_empty() {
            session.screen.say(format!("{signed} signed with this secret, shown only now:"));
            session.screen.say(format!("  {}", text(&made, "secret")));
        }
        session.screen.say(format!("`{test} {name}` tries it."));
        Ok(())
    }

    /// Changes one; `done` is what it is then.
    pub(super) async fn change(
        &self,
        session: &Session,
        wanted: &str,
        body: Map<String, Value>,
        done: &str,
    ) -> Result<(), Failure> {
        let found = self.kind.find(session, wanted).await?;
        let changed = session.patch(&self.one(&found, ""), &Value::Object(body)).await?;
        session.screen.done(&changed, format!("The {} {} is {done}.", self.noun, found.name));
        Ok(())
    }

    /// Lets it receive, or not.
    pub(super) async fn switch(&self, session: &Session, wanted: &str, on: bool) -> Result<(), Failure> {
        let body = Map::from_iter([("enabled".to_owned(), on.into())]);
        self.change(session, wanted, body, if on { "enabled" } else { "disabled" }).await
    }

    /// Deletes one; `hint` is what to look at where that is refused.
    pub(super) async fn delete(
        &self,
        session: &Session,
        wanted: &str,
        confirm: &Confirm,
        hint: Option<&str>,
    ) -> Result<(), Failure> {
        let found = self.kind.find(session, wanted).await?;
        confirm.ask(&format!("Delete the {} {} for good?", self.noun, found.name))?;
        let answer = session.delete(&self.one(&found, ""), None).await;
        let answer = answer.map_err(|failure| match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        })?;
        session.screen.done(&answer, format!("The {} {} is deleted.", self.noun, found.name));
        Ok(())
    }
}

/// Two files of one command line; stdin can be one of them.
pub(super) fn must_be_two(one: Option<&str>, other: Option<&str>, what: &str) -> Result<(), Failure> {
    match (one, other) {
        (Some(input::STDIN), Some(input::STDIN)) => {
            Err(Failure::usage(format!("stdin can be read once: give {what} in a file")))
        }
        _ => Ok(()),
    }
}
