//! `louver alerts channels`: where alerts go.

use crate::cli::cells;
use crate::cli::confirm::Confirm;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::lookup::CHANNEL;
use crate::cli::receivers::{Receiver, must_be_two};
use crate::cli::session::Session;
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

const RECEIVER: Receiver = Receiver {
    kind: &CHANNEL,
    noun: "alert channel",
    path: "/v1/gateway/alert-channels",
    signed: "Requests are",
    test: "louver alerts channels test",
};

impl Settings {
    /// Said before anything is sent: who writes the address of a receiver after --url, which is the address of Louver, would
    /// send the admin key there.
    fn fit(&self, kind: Kind) -> Result<(), Failure> {
        match kind {
            Kind::Webhook | Kind::Slack if self.url_file.is_none() => {
                let name = kind.as_str();
                Err(Failure::usage(format!(
                    "a {name} channel needs --url-file: a file with its URL, or - for stdin"
                ))
                .hint("--url is the address of Louver.")
                .hint(format!("louver alerts channels create NAME --kind {name} --url-file - < url.txt")))
            }
            Kind::Email if self.to.is_empty() => {
                Err(Failure::usage("an email channel needs --to: the addresses, separated by commas"))
            }
            Kind::Webhook | Kind::Slack | Kind::Email => Ok(()),
        }
    }

    fn body(&self) -> Result<Map<String, Value>, Failure> {
        must_be_two(self.url_file.as_deref(), self.secret_file.as_deref(), "the URL or the secret")?;
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
            show(session, &session.get(&RECEIVER.one(&found, "")).await?);
        }
        Action::Create { name, kind, settings } => create(session, name, *kind, settings).await?,
        Action::Update { one, name, settings } => {
            let mut body = settings.body()?;
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name, --url-file, --to or --secret-file"));
            }
            RECEIVER.change(session, &one.channel, body, "changed").await?;
        }
        Action::Disable(one) => RECEIVER.switch(session, &one.channel, false).await?,
        Action::Enable(one) => RECEIVER.switch(session, &one.channel, true).await?,
        Action::Test(one) => {
            let found = CHANNEL.find(session, &one.channel).await?;
            let answer = session.act(&RECEIVER.one(&found, "/test")).await?;
            session.screen.done(&answer, format!("A test alert is on its way to {}.", found.name));
            session.screen.say("`louver alerts list` shows whether it arrived.");
        }
        Action::Delete { one, confirm } => RECEIVER.delete(session, &one.channel, confirm, None).await?,
    }
    Ok(())
}

async fn create(session: &Session, name: &str, kind: Kind, settings: &Settings) -> Result<(), Failure> {
    settings.fit(kind)?;
    let mut body = settings.body()?;
    body.insert("name".into(), name.into());
    body.insert("kind".into(), kind.as_str().into());
    RECEIVER.create(session, name, body).await
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
