//! A command at work: the Louver it speaks to, and the screen it answers on.

use super::failure::Failure;
use super::remote::Remote;
use super::screen::{Screen, Style};
use crate::client::Client;
use crate::clock::SystemClock;
use crate::config::Environment;
use clap::Args;
use http::Method;
use louver_domain::time::{Clock, Timestamp};
use serde_json::Value;

/// Where help lists what every such command takes.
pub(super) const HEADING: &str = "Where and how";

/// What every command that speaks to a running Louver is told.
#[derive(Args)]
pub(super) struct Shared {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    style: Style,
}

impl Shared {
    /// Begins; nothing is sent yet.
    pub(super) fn session(&self, environment: &Environment) -> Result<Session, Failure> {
        let client = self.remote.reach(environment)?;
        let screen = self.style.screen(environment, SystemClock::new().now());
        Ok(Session { client, screen })
    }
}

/// One command's connection and screen.
pub(super) struct Session {
    /// The connection.
    pub(super) client: Client,
    /// Where the command answers.
    pub(super) screen: Screen,
}

impl Session {
    /// The moment at which the command began.
    pub(super) const fn now(&self) -> Timestamp {
        self.screen.now
    }

    /// Reads.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.client.ask(Method::GET, path, None).await?)
    }

    /// Every item of a list that pages by `after`, which takes the member `id`.
    pub(super) async fn list(&self, path: &str, id: &str) -> Result<Vec<Value>, Failure> {
        Ok(self.client.list(path, id).await?)
    }

    /// Every item of a list that is never cut.
    pub(super) async fn whole(&self, path: &str) -> Result<Vec<Value>, Failure> {
        Ok(self.client.whole(path).await?)
    }

    /// Makes something, or does something to it.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        Ok(self.client.ask(Method::POST, path, Some(body)).await?)
    }

    /// Does something that needs no further word.
    pub(super) async fn act(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.client.ask(Method::POST, path, None).await?)
    }

    /// Changes something in part.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        Ok(self.client.ask(Method::PATCH, path, Some(body)).await?)
    }

    /// Sets something whole.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        Ok(self.client.ask(Method::PUT, path, Some(body)).await?)
    }

    /// Reads something, with the tag of its state.
    pub(super) async fn tagged(&self, path: &str) -> Result<(Value, Option<String>), Failure> {
        Ok(self.client.tagged(path).await?)
    }

    /// Sets something whole, unless it was changed since it had that tag.
    pub(super) async fn put_if(&self, path: &str, body: &Value, tag: Option<&str>) -> Result<Value, Failure> {
        Ok(self.client.put_if(path, body, tag).await?)
    }

    /// Takes something away.
    pub(super) async fn delete(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        Ok(self.client.ask(Method::DELETE, path, body).await?)
    }
}
