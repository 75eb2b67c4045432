//! `louver service-accounts`: programs that hold roles and keys as people do.

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{Failure, finish};
use super::lookup::{ACCOUNT, Found, WORKSPACE, bare};
use super::session::{Session, Shared};
use super::workspaces;
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver service-accounts create ci --workspace prod-workspace --model-role developer
  louver keys create ci-key --workspace prod-workspace --service-account ci";

/// Service accounts: programs that hold roles and keys as people do
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServiceAccounts {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List them
    List {
        /// Only of this workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: Option<String>,
    },
    /// Show one
    Show {
        /// Its name or id
        #[arg(value_name = "NAME|ID")]
        account: String,
    },
    /// Make one
    Create {
        /// Its name
        name: String,
        /// The workspace it belongs to
        #[arg(long, value_name = "NAME|ID")]
        workspace: String,
        /// Its model role, which says what models its keys may call
        #[arg(long)]
        model_role: Option<String>,
        /// Its roles in the workspace, which say what it may do here
        #[arg(long)]
        role: Vec<String>,
    },
    /// Change its name, its model role or its roles
    Update {
        /// Its name or id
        #[arg(value_name = "NAME|ID")]
        account: String,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// The new model role, or none
        #[arg(long)]
        model_role: Option<String>,
        /// All the roles it has from then on
        #[arg(long)]
        role: Vec<String>,
    },
    /// Delete it for good, with its keys
    Delete {
        /// Its name or id
        #[arg(value_name = "NAME|ID")]
        account: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// Does what was asked.
pub(super) async fn run(command: &ServiceAccounts, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

fn path(found: &Found) -> String {
    format!("/v1/gateway/service-accounts/{}", segment(&found.id))
}

fn role(name: &str) -> Value {
    if name == "none" { Value::Null } else { name.into() }
}

async fn act(command: &ServiceAccounts, environment: &Environment) -> Result<(), Failure> {
    let session = &command.shared.session(environment)?;
    match &command.action {
        Action::List { workspace } => list(session, workspace.as_deref()).await,
        Action::Show { account } => {
            let found = ACCOUNT.find(session, account).await?;
            let item = session.get(&path(&found)).await?;
            let names =
                if session.screen.json { Default::default() } else { workspaces::names(session).await };
            session.screen.one(&item, || {
                vec![
                    ("Name", cells::name(&item, "name")),
                    ("Id", cells::plain(&item, "id")),
                    ("Workspace", workspaces::cell(&item, &names)),
                    ("Model role", cells::plain(&item, "role")),
                    ("Roles", cells::plain(&item, "roles")),
                    ("Created", cells::moment(&item, "created_at", session.now(), "-")),
                ]
            });
            Ok(())
        }
        Action::Create { name, workspace, model_role, role: roles } => {
            let workspace = WORKSPACE.find(session, workspace).await?;
            let mut body = json!({"name": name, "workspace_id": bare(&workspace.id)});
            if let Some(members) = body.as_object_mut() {
                members.extend(model_role.iter().map(|name| ("role".to_owned(), role(name))));
                members
                    .extend(Some(("roles".to_owned(), roles.clone().into())).filter(|_| !roles.is_empty()));
            }
            let made = session.post("/v1/gateway/service-accounts", &body).await?;
            session.screen.done(&made, format!("The service account {name} is there: {}", text(&made, "id")));
            Ok(())
        }
        Action::Update { account, name, model_role, role: roles } => {
            let mut body = Map::new();
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            body.extend(model_role.iter().map(|name| ("role".to_owned(), role(name))));
            body.extend(Some(("roles".to_owned(), roles.clone().into())).filter(|_| !roles.is_empty()));
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name, --model-role or --role"));
            }
            let found = ACCOUNT.find(session, account).await?;
            let changed = session.patch(&path(&found), &Value::Object(body)).await?;
            session.screen.done(&changed, format!("The service account {} is changed.", found.name));
            Ok(())
        }
        Action::Delete { account, confirm } => {
            let found = ACCOUNT.find(session, account).await?;
            confirm.ask(&format!("Delete the service account {} for good, with its keys?", found.name))?;
            let answer = session.delete(&path(&found), None).await?;
            session.screen.done(&answer, format!("The service account {} is deleted.", found.name));
            Ok(())
        }
    }
}

async fn list(session: &Session, workspace: Option<&str>) -> Result<(), Failure> {
    let within = WORKSPACE.find_some(session, workspace).await?;
    let mut all = ACCOUNT.all(session).await?;
    all.retain(|item| {
        within.as_ref().is_none_or(|found| bare(text(item, "workspace_id")) == bare(&found.id))
    });
    let names = if session.screen.json { Default::default() } else { workspaces::names(session).await };
    let titles = ["NAME", "ID", "WORKSPACE", "MODEL ROLE", "CREATED"];
    session.screen.list(&all, "There are no service accounts.", &titles, |item| {
        vec![
            cells::name(item, "name"),
            cells::id(item, "id"),
            workspaces::cell(item, &names),
            cells::plain(item, "role"),
            cells::ago(item, "created_at", session.now(), "-"),
        ]
    });
    Ok(())
}
