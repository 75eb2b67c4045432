//! `louver alerts channels`: where alerts go.

use crate::cli::cells::{self, text};
use crate::cli::confirm::Confirm;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::lookup::{CHANNEL, Found};
use crate::cli::session::Session;
use crate::client::segment;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

/// What a channel is.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// A signed request to an address of yours
    Webhook,
    /// A message in Slack, by an incoming webhook
    Slack,
    /// Mail
    Email,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Email => "email",
        }
    }
}

/// Where a channel leads.
#[derive(Args)]
pub(super) struct Settings {
    /// The file with the URL, or - for stdin; URLs of webhooks are secrets
    #[arg(long, value_name = "FILE")]
    url_file: Option<String>,
    /// The mail addresses, separated by commas
    #[arg(long, value_name = "EMAILS", value_delimiter = ',')]
    to: Vec<String>,
    /// The file with the secret that requests are signed with, or - for stdin; Louver makes one when it is left out
    #[arg(long, value_name = "FILE")]
    secret_file: Option<String>,
}

#[derive(Args)]
pub(super) struct One {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    channel: String,
}

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the channels
    List,
    /// Show one
    Show(One),
    /// Make one; a signing secret that Louver made is shown only then
    Create {
        /// Its name
        name: String,
        /// What it is
        #[arg(long, value_enum)]
        kind: Kind,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change its name or where it leads
    Update {
        #[command(flatten)]
        one: One,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Send nothing to it any more
    Disable(One),
    /// Send alerts to it again
    Enable(One),
    /// Send a test alert to it; `louver alerts list` shows what became of it
    Test(One),
    /// Delete it for good
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        confirm: Confirm,
    },
}

const PATH: &str = "/v1/gateway/alert-channels";

fn path(found: &Found, rest: &str) -> String {
    format!("{PATH}/{}{rest}", segment(&found.id))
}

impl Settings {
    fn body(&self) -> Result<Map<String, Value>, Failure> {
        if self.url_file.as_deref() == Some("-") && self.secret_file.as_deref() == Some("-") {
            return Err(Failure::usage("stdin can be read once: give the URL or the secret in a file"));
        }
        let mut body = Map::new();
        for (member, file) in [("url", &self.url_file), ("secret", &self.secret_file)] {
            if let Some(file) = file {
                body.insert(member.to_owned(), input::secret(file)?.expose().as_str().into());
            }
        }
        if !self.to.is_empty() {
            body.insert("to".into(), self.to.clone().into());
        }
        Ok(body)
    }
}

/// Does what was asked.
pub(super) async fn run(session: &Session, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List => list(session, &CHANNEL.all(session).await?),
        Action::Show(one) => {
            let found = CHANNEL.find(session, &one.channel).await?;
            show(session, &session.get(&path(&found, "")).await?);
        }
        Action::Create { name, kind, settings } => create(session, name, *kind, settings).await?,
        Action::Update { one, name, settings } => {
            let mut body = settings.body()?;
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name, --url-file, --to or --secret-file"));
            }
            change(session, one, body, "changed").await?;
        }
        Action::Disable(one) => {
            change(session, one, Map::from_iter([("enabled".to_owned(), false.into())]), "disabled").await?;
        }
        Action::Enable(one) => {
            change(session, one, Map::from_iter([("enabled".to_owned(), true.into())]), "enabled").await?;
        }
        Action::Test(one) => {
            let found = CHANNEL.find(session, &one.channel).await?;
            let answer = session.act(&path(&found, "/test")).await?;
            session.screen.done(&answer, format!("A test alert is on its way to {}.", found.name));
            session.screen.say("`louver alerts list` shows whether it arrived.");
        }
        Action::Delete { one, confirm } => {
            let found = CHANNEL.find(session, &one.channel).await?;
            confirm.ask(&format!("Delete the alert channel {} for good?", found.name))?;
            let answer = session.delete(&path(&found, ""), None).await?;
            session.screen.done(&answer, format!("The alert channel {} is deleted.", found.name));
        }
    }
    Ok(())
}

async fn create(session: &Session, name: &str, kind: Kind, settings: &Settings) -> Result<(), Failure> {
    let mut body = settings.body()?;
    body.insert("name".into(), name.into());
    body.insert("kind".into(), kind.as_str().into());
    let made = session.post(PATH, &Value::Object(body)).await?;
    session.screen.done(&made, format!("The alert channel {name} is there: {}", text(&made, "id")));
    if !text(&made, "secret").is_empty() {
        session.screen.say("Requests are signed with this secret, shown only now:");
        session.screen.say(format!("  {}", text(&made, "secret")));
    }
    Ok(())
}

async fn change(session: &Session, one: &One, body: Map<String, Value>, done: &str) -> Result<(), Failure> {
    let found = CHANNEL.find(session, &one.channel).await?;
    let changed = session.patch(&path(&found, ""), &Value::Object(body)).await?;
    session.screen.done(&changed, format!("The alert channel {} is {done}.", found.name));
    Ok(())
}

fn list(session: &Session, all: &[Value]) {
    let nothing = "There are no channels: nobody is told of alerts.";
    let titles = ["NAME", "ID", "KIND", "HOST", "TO", "STATE"];
    session.screen.list(all, nothing, &titles, |channel| {
        vec![
            cells::name(channel, "name"),
            cells::id(channel, "id"),
            cells::plain(channel, "kind"),
            cells::plain(channel, "host"),
            cells::plain(channel, "to"),
            cells::enabled(channel),
        ]
    });
}

fn show(session: &Session, channel: &Value) {
    session.screen.one(channel, || {
        vec![
            ("Name", cells::name(channel, "name")),
            ("Id", cells::plain(channel, "id")),
            ("Kind", cells::plain(channel, "kind")),
            ("Host", cells::plain(channel, "host")),
            ("To", cells::plain(channel, "to")),
            ("State", cells::enabled(channel)),
            ("Created", cells::moment(channel, "created_at", session.now(), "-")),
        ]
    });
}
