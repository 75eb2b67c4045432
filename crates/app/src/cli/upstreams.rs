//! `louver upstreams`: the provider's keys that calls are made with.

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{Failure, finish};
use super::input;
use super::lookup::{Found, UPSTREAM, WORKSPACE, bare};
use super::session::{Session, Shared};
use super::workspaces;
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver upstreams create main --key-file - < mistral.key
  louver upstreams list
  louver upstreams update main --admin-key-file admin.key && louver rotation start --upstream main
  louver upstreams disable old && louver upstreams delete old

The provider's key is read from stdin or a file only: other programs can see arguments.";

/// Upstream credentials: the provider's keys that calls are made with
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Upstreams {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Args)]
struct One {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    upstream: String,
}

/// What Louver rotates the provider's key with.
#[derive(Args)]
struct Admin {
    /// The file with an admin key of the provider, or - for stdin: with it `louver rotation start --upstream` replaces the
    /// provider's key
    #[arg(long, value_name = "FILE")]
    admin_key_file: Option<String>,
    /// The provider's user that new keys are made for; whoever made the present one when it is left out
    #[arg(long, value_name = "ID")]
    admin_user_id: Option<String>,
}

impl Admin {
    /// Adds what was given to a body.
    fn add_to(&self, body: &mut Map<String, Value>) -> Result<(), Failure> {
        if let Some(file) = &self.admin_key_file {
            body.insert("admin_key".into(), input::secret(file)?.expose().as_str().into());
        }
        body.extend(self.admin_user_id.iter().map(|id| ("admin_user_id".to_owned(), id.as_str().into())));
        Ok(())
    }

    /// Stdin is read once.
    fn must_not_share_stdin(&self, key_file: Option<&str>) -> Result<(), Failure> {
        if key_file == Some("-") && self.admin_key_file.as_deref() == Some("-") {
            return Err(Failure::usage("stdin holds one key: read the other one from a file"));
        }
        Ok(())
    }
}

#[derive(Subcommand)]
enum Action {
    /// List them, with how each stands on the node that answers
    List,
    /// Store one
    Create {
        /// Its name
        name: String,
        /// The file with the provider's key, or - for stdin
        #[arg(long, value_name = "FILE")]
        key_file: String,
        /// The named upstream of the settings it is for; the first one when it is left out
        #[arg(long)]
        server: Option<String>,
        /// Only for calls of this workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: Option<String>,
        #[command(flatten)]
        admin: Admin,
    },
    /// Change its name, replace the provider's key, or say what it is rotated with
    Update {
        #[command(flatten)]
        one: One,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// The file with the provider's new key, or - for stdin
        #[arg(long, value_name = "FILE")]
        key_file: Option<String>,
        #[command(flatten)]
        admin: Admin,
        /// Take the admin key away: the provider's key is rotated by hand from then on
        #[arg(long, conflicts_with = "admin_key_file")]
        no_admin_key: bool,
    },
    /// Make no more calls with it
    Disable(One),
    /// Make calls with it again
    Enable(One),
    /// Delete it for good
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// Does what was asked.
pub(super) async fn run(command: &Upstreams, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Upstreams, environment: &Environment) -> Result<(), Failure> {
    let session = &command.shared.session(environment)?;
    match &command.action {
        Action::List => list(session).await,
        Action::Create { name, key_file, server, workspace, admin } => {
            admin.must_not_share_stdin(Some(key_file))?;
            let workspace = WORKSPACE.find_some(session, workspace.as_deref()).await?;
            let key = input::secret(key_file)?;
            let mut body = Map::from_iter([
                ("name".to_owned(), json!(name)),
                ("key".to_owned(), json!(key.expose())),
                ("server".to_owned(), json!(server)),
                ("workspace_id".to_owned(), json!(workspace.map(|found| bare(&found.id)))),
            ]);
            admin.add_to(&mut body)?;
            let made = session.post("/v1/gateway/upstreams", &Value::Object(body)).await?;
            session.screen.done(&made, format!("The upstream {name} is stored: {}", text(&made, "id")));
            Ok(())
        }
        Action::Update { one, name, key_file, admin, no_admin_key } => {
            admin.must_not_share_stdin(key_file.as_deref())?;
            let mut body = Map::new();
            admin.add_to(&mut body)?;
            body.extend(Some(("admin_key".to_owned(), Value::Null)).filter(|_| *no_admin_key));
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            if let Some(file) = key_file {
                body.insert("key".into(), input::secret(file)?.expose().as_str().into());
            }
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name, --key-file or --admin-key-file"));
            }
            change(session, one, Value::Object(body), "changed").await
        }
        Action::Disable(one) => change(session, one, json!({"enabled": false}), "disabled").await,
        Action::Enable(one) => change(session, one, json!({"enabled": true}), "enabled").await,
        Action::Delete { one, confirm } => {
            let found = UPSTREAM.find(session, &one.upstream).await?;
            confirm.ask(&format!("Delete the upstream {} for good?", found.name))?;
            let answer = session.delete(&path(&found), None).await?;
            session.screen.done(&answer, format!("The upstream {} is deleted.", found.name));
            Ok(())
        }
    }
}

fn path(found: &Found) -> String {
    format!("/v1/gateway/upstreams/{}", segment(&found.id))
}

async fn change(session: &Session, one: &One, body: Value, done: &str) -> Result<(), Failure> {
    let found = UPSTREAM.find(session, &one.upstream).await?;
    let changed = session.patch(&path(&found), &body).await?;
    session.screen.done(&changed, format!("The upstream {} is {done}.", found.name));
    Ok(())
}

async fn list(session: &Session) -> Result<(), Failure> {
    let all = UPSTREAM.all(session).await?;
    let names = if session.screen.json { Default::default() } else { workspaces::names(session).await };
    let nothing = "None is stored: calls are made with the key of the settings, where there is one.";
    let titles = [
        "NAME",
        "ID",
        "SERVER",
        "WORKSPACE",
        "STATE",
        "HEALTH",
        "CALLS NOW",
        "KEY USED",
        "ADMIN KEY",
        "LAST ERROR",
    ];
    session.screen.list(&all, nothing, &titles, |item| {
        vec![
            cells::name(item, "name"),
            cells::id(item, "id"),
            cells::plain(item, "server"),
            workspaces::cell(item, &names),
            cells::enabled(item),
            cells::state(match text(item, "state") {
                "closed" => "in use",
                "open" => "not in use",
                "half_open" => "on trial",
                other => other,
            }),
            cells::plain(item, "in_flight"),
            cells::ago(item, "key_last_used_at", session.now(), "not yet"),
            cells::plain(item, "has_admin_key"),
            cells::ago(item, "last_error_at", session.now(), "none"),
        ]
    });
    Ok(())
}
