//! `louver rotation destinations`: where new secrets are written.

use crate::cli::cells::{self, text};
use crate::cli::confirm::Confirm;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::lookup::{DESTINATION, Found, WORKSPACE, bare};
use crate::cli::session::Session;
use crate::cli::workspaces;
use crate::client::segment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

/// Which one.
#[derive(Args)]
pub(super) struct One {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    destination: String,
}

/// What a destination is told.
#[derive(Args)]
pub(super) struct Settings {
    /// Its settings as a JSON object of a file, or - for stdin; they hold no secrets
    #[arg(long, value_name = "FILE")]
    settings: Option<String>,
    /// What Louver shows there to be let in, as a JSON object of a file, or - for stdin; it is sealed
    #[arg(long, value_name = "FILE")]
    credentials: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the destinations
    List,
    /// Show one with its settings
    Show(One),
    /// Make one
    Create {
        /// Its name
        name: String,
        /// What it is: vault, aws, kubernetes, google, azure, file, webhook or command
        #[arg(long)]
        kind: String,
        /// Only for keys of this workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change its name, settings or credentials
    Update {
        #[command(flatten)]
        one: One,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Write nothing to it any more
    Disable(One),
    /// Write to it again
    Enable(One),
    /// Write a probe beside the real secrets, read it back, and say what happened
    Test(One),
    /// Delete it; what was written there stays
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        confirm: Confirm,
    },
}

const PATH: &str = "/v1/gateway/secret-destinations";

fn path(found: &Found, rest: &str) -> String {
    format!("{PATH}/{}{rest}", segment(&found.id))
}

impl Settings {
    fn body(&self) -> Result<Map<String, Value>, Failure> {
        if self.settings.as_deref() == Some("-") && self.credentials.as_deref() == Some("-") {
            return Err(Failure::usage(
                "stdin can be read once: give the settings or the credentials in a file",
            ));
        }
        let mut body = Map::new();
        for (member, file) in [("settings", &self.settings), ("credentials", &self.credentials)] {
            if let Some(file) = file {
                body.insert(member.to_owned(), Value::Object(input::object(file)?));
            }
        }
        Ok(body)
    }
}

/// Does what was asked.
pub(super) async fn run(session: &Session, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List => list(session).await?,
        Action::Show(one) => {
            let found = DESTINATION.find(session, &one.destination).await?;
            show(session, &session.get(&path(&found, "")).await?);
        }
        Action::Create { name, kind, workspace, settings } => {
            let mut body = settings.body()?;
            let workspace = WORKSPACE.find_some(session, workspace.as_deref()).await?;
            body.extend(workspace.map(|found| ("workspace_id".to_owned(), bare(&found.id).into())));
            body.insert("name".into(), name.as_str().into());
            body.insert("kind".into(), kind.as_str().into());
            let made = session.post(PATH, &Value::Object(body)).await?;
            let secret = text(&made, "secret");
            session.screen.done(&made, format!("The destination {name} is there: {}", text(&made, "id")));
            if !secret.is_empty() {
                session.screen.say("What is sent there is signed with this secret, shown only now:");
                session.screen.say(format!("  {secret}"));
            }
            session.screen.say(format!("`louver rotation destinations test {name}` tries it."));
        }
        Action::Update { one, name, settings } => {
            let mut body = settings.body()?;
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name, --settings or --credentials"));
            }
            change(session, one, body, "changed").await?;
        }
        Action::Disable(one) => {
            change(session, one, Map::from_iter([("enabled".to_owned(), false.into())]), "disabled").await?;
        }
        Action::Enable(one) => {
            change(session, one, Map::from_iter([("enabled".to_owned(), true.into())]), "enabled").await?;
        }
        Action::Test(one) => test(session, one).await?,
        Action::Delete { one, confirm } => {
            let found = DESTINATION.find(session, &one.destination).await?;
            confirm.ask(&format!("Delete the destination {}?", found.name))?;
            let answer = session.delete(&path(&found, ""), None).await?;
            session.screen.done(&answer, format!("The destination {} is deleted.", found.name));
        }
    }
    Ok(())
}

async fn change(session: &Session, one: &One, body: Map<String, Value>, done: &str) -> Result<(), Failure> {
    let found = DESTINATION.find(session, &one.destination).await?;
    let changed = session.patch(&path(&found, ""), &Value::Object(body)).await?;
    session.screen.done(&changed, format!("The destination {} is {done}.", found.name));
    Ok(())
}

/// A probe that did not come back is a failure, too.
async fn test(session: &Session, one: &One) -> Result<(), Failure> {
    let found = DESTINATION.find(session, &one.destination).await?;
    let answer = session.act(&path(&found, "/test")).await?;
    let works = answer.get("works").and_then(Value::as_bool) == Some(true);
    if session.screen.json {
        session.screen.json(&answer);
    } else {
        let none = Vec::new();
        let steps = answer.get("steps").and_then(Value::as_array).unwrap_or(&none);
        session.screen.list(steps, "Nothing was tried.", &["STEP", "OUTCOME", "WHY"], |step| {
            vec![cells::name(step, "step"), cells::state(text(step, "outcome")), cells::plain(step, "reason")]
        });
    }
    match works {
        true => session.screen.say(format!("The destination {} works.", found.name)),
        false => return Err(Failure::failed(format!("the destination {} does not work", found.name))),
    }
    Ok(())
}

async fn list(session: &Session) -> Result<(), Failure> {
    let all = DESTINATION.all(session).await?;
    let names = if session.screen.json { Default::default() } else { workspaces::names(session).await };
    let nothing = "There are no destinations: `louver rotation destinations create` makes one.";
    let titles = ["NAME", "ID", "KIND", "WORKSPACE", "STATE", "CREATED"];
    session.screen.list(&all, nothing, &titles, |item| {
        vec![
            cells::name(item, "name"),
            cells::id(item, "id"),
            cells::plain(item, "kind"),
            workspaces::cell(item, &names),
            cells::enabled(item),
            cells::ago(item, "created_at", session.now(), "-"),
        ]
    });
    Ok(())
}

fn show(session: &Session, item: &Value) {
    session.screen.one(item, || {
        vec![
            ("Name", cells::name(item, "name")),
            ("Id", cells::plain(item, "id")),
            ("Kind", cells::plain(item, "kind")),
            ("State", cells::enabled(item)),
            ("Settings", cells::plain(item, "settings")),
            ("Credentials", cells::plain(item, "credentials")),
            ("Created", cells::moment(item, "created_at", session.now(), "-")),
        ]
    });
}
