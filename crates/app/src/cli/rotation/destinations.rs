//! `louver rotation destinations`: where new secrets are written.

use crate::cli::cells::{self, text};
use crate::cli::confirm::Confirm;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::lookup::{DESTINATION, WORKSPACE, bare};
use crate::cli::receivers::{Receiver, must_be_two};
use crate::cli::session::Session;
use crate::cli::workspaces;
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
    #[command(after_help = KINDS)]
    Create {
        /// Its name
        name: String,
        /// What it is
        #[arg(long, value_parser = KIND_NAMES)]
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

const KIND_NAMES: [&str; 8] = ["vault", "aws", "kubernetes", "google", "azure", "file", "webhook", "command"];

const KINDS: &str = "\
What each kind is told (in brackets: what may be left out):
  kind        --settings                                              --credentials
  vault       address, location [mount, field, namespace,             token, or role_id and secret_id
              approle_mount, ca_certificate]
  aws         region, location [field, endpoint]                      access_key_id, secret_access_key [session_token]
  kubernetes  address, namespace, location [field, ca_certificate]    token
  google      project, location [endpoint, token_endpoint]            service_account, or token
  azure       address, tenant_id, client_id, location                 client_secret
              [token_endpoint]
  file        location                                                -
  webhook     url                                                     [secret]
  command     command [location]                                      -

`location` is where the secret lies: a text with {workspace}, {key} or {id} in it, such as louver/{workspace}/{id}.

Examples:
  echo '{\"address\": \"https://vault.example.com\", \"location\": \"louver/{id}\"}' > vault.json
  louver rotation destinations create vault --kind vault --settings vault.json --credentials - < approle.json
  louver rotation destinations test vault";

const RECEIVER: Receiver = Receiver {
    kind: &DESTINATION,
    noun: "destination",
    path: "/v1/gateway/secret-destinations",
    signed: "What is sent there is",
    test: "louver rotation destinations test",
};
const WHO_NAMES_IT: &str = "`louver rotation policies list` and `louver rotation list` show what names it.";

impl Settings {
    fn body(&self) -> Result<Map<String, Value>, Failure> {
        must_be_two(
            self.settings.as_deref(),
            self.credentials.as_deref(),
            "the settings or the credentials",
        )?;
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
            show(session, &session.get(&RECEIVER.one(&found, "")).await?);
        }
        Action::Create { name, kind, workspace, settings } => {
            if settings.settings.is_none() {
                return Err(Failure::usage(format!(
                    "a {kind} destination needs --settings: a JSON object of a file, or -"
                ))
                .hint("`louver rotation destinations create --help` lists what each kind is told."));
            }
            let mut body = settings.body()?;
            let workspace = WORKSPACE.find_some(session, workspace.as_deref()).await?;
            body.extend(workspace.map(|found| ("workspace_id".to_owned(), bare(&found.id).into())));
            body.insert("name".into(), name.as_str().into());
            body.insert("kind".into(), kind.as_str().into());
            RECEIVER.create(session, name, body).await?;
        }
        Action::Update { one, name, settings } => {
            let mut body = settings.body()?;
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name, --settings or --credentials"));
            }
            RECEIVER.change(session, &one.destination, body, "changed").await?;
        }
        Action::Disable(one) => RECEIVER.switch(session, &one.destination, false).await?,
        Action::Enable(one) => RECEIVER.switch(session, &one.destination, true).await?,
        Action::Test(one) => test(session, one).await?,
        Action::Delete { one, confirm } => {
            RECEIVER.delete(session, &one.destination, confirm, Some(WHO_NAMES_IT)).await?;
        }
    }
    Ok(())
}

/// A probe that did not come back is a failure, too.
async fn test(session: &Session, one: &One) -> Result<(), Failure> {
    let found = DESTINATION.find(session, &one.destination).await?;
    let answer = session.act(&RECEIVER.one(&found, "/test")).await?;
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
