//! `louver alerts`: what was raised, whether people got it, and the channels it goes to.

mod channels;

use super::cells::{self, text};
use super::failure::{Failure, finish};
use super::session::{Session, Shared};
use super::table::Cell;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver alerts channels create ops --kind webhook --url-file - < webhook.url
  louver alerts channels create finance --kind email --to cfo@example.com
  louver alerts channels test ops
  louver alerts list";

/// Alerts that were raised, and the channels that they go to
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Alerts {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the alerts, the newest first, with what became of their deliveries
    List,
    /// The channels that alerts go to
    #[command(subcommand)]
    Channels(channels::Action),
}

/// Does what was asked.
pub(super) async fn run(command: &Alerts, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Alerts, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    match &command.action {
        Action::List => list(&session).await,
        Action::Channels(action) => channels::run(&session, action).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let all = session.list("/v1/gateway/alerts", "id").await?;
    let titles = ["RAISED", "KIND", "OF", "LEVEL", "AT", "SPENT", "LIMIT", "DELIVERED"];
    session.screen.list(&all, "No alert was raised.", &titles, |alert| {
        let unit = text(alert, "unit");
        vec![
            cells::ago(alert, "raised_at", session.now(), "-"),
            cells::plain(alert, "kind"),
            cells::name(alert, "name"),
            cells::plain(alert, "scope"),
            match cells::plain(alert, "threshold") {
                none if none == Cell::none() => none,
                percent => Cell::new(format!("{} %", percent.text())).number(),
            },
            cells::amount(alert, "spent", unit),
            cells::amount(alert, "limit", unit),
            deliveries(alert),
        ]
    });
    Ok(())
}

/// What became of the deliveries, by channel; the owner of a key stands there with the mail address.
fn deliveries(alert: &Value) -> Cell {
    let all = alert.get("deliveries").and_then(Value::as_array).into_iter().flatten();
    let name = |delivery| match text(delivery, "channel_name") {
        "" => text(delivery, "user_email"),
        name => name,
    };
    let each: Vec<String> =
        all.map(|delivery| format!("{}: {}", name(delivery), text(delivery, "state"))).collect();
    if each.is_empty() { Cell::none() } else { Cell::new(each.join(", ")) }
}
