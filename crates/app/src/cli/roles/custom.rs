//! `louver roles custom`: roles that are sets of permissions; and what permissions and roles there are.

use crate::cli::cells::{self, text};
use crate::cli::confirm::Confirm;
use crate::cli::failure::Failure;
use crate::cli::lookup::{Found, ROLE};
use crate::cli::session::Session;
use crate::cli::settings::{body, choice, names};
use crate::client::segment;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

/// Where a role holds.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Level {
    /// In the organization and all its workspaces
    Organization,
    /// In the workspace it is given in
    Workspace,
}

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the custom roles
    List,
    /// Show one with its permissions
    Show {
        /// Its name or id
        #[arg(value_name = "NAME|ID")]
        role: String,
    },
    /// Make one
    Create {
        /// Its name
        name: String,
        /// Where it holds
        #[arg(long, value_enum)]
        level: Level,
        /// Its permissions, separated by commas; `louver roles permissions` lists them
        #[arg(long, value_name = "PERMISSIONS", value_parser = names)]
        permissions: Value,
        /// What it is for
        #[arg(long, value_parser = choice)]
        description: Option<Value>,
    },
    /// Change one; what is not named stays
    Update {
        /// Its name or id
        #[arg(value_name = "NAME|ID")]
        role: String,
        /// The new name
        #[arg(long, value_parser = choice)]
        name: Option<Value>,
        /// All its permissions from then on, separated by commas
        #[arg(long, value_name = "PERMISSIONS", value_parser = names)]
        permissions: Option<Value>,
        /// What it is for
        #[arg(long, value_parser = choice)]
        description: Option<Value>,
    },
    /// Delete one for good; whoever has it loses it
    Delete {
        /// Its name or id
        #[arg(value_name = "NAME|ID")]
        role: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

const PATH: &str = "/v1/gateway/custom-roles";

fn path(found: &Found) -> String {
    format!("{PATH}/{}", segment(&found.id))
}

/// Does what was asked.
pub(super) async fn run(session: &Session, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List => {
            let all = ROLE.all(session).await?;
            let titles = ["NAME", "ID", "LEVEL", "PERMISSIONS", "DESCRIPTION"];
            session.screen.list(&all, "There are no custom roles.", &titles, |role| {
                vec![
                    cells::name(role, "name"),
                    cells::id(role, "id"),
                    cells::plain(role, "level"),
                    cells::plain(role, "permissions"),
                    cells::plain(role, "description"),
                ]
            });
        }
        Action::Show { role } => {
            let found = ROLE.find(session, role).await?;
            show(session, &session.get(&path(&found)).await?);
        }
        Action::Create { name, level, permissions, description } => {
            let level = match level {
                Level::Organization => "organization",
                Level::Workspace => "workspace",
            };
            let mut given = body(&[("description", description)]);
            given.extend([("name".to_owned(), json!(name)), ("level".to_owned(), json!(level))]);
            given.insert("permissions".into(), permissions.clone());
            let made = session.post(PATH, &Value::Object(given)).await?;
            session.screen.done(&made, format!("The role {name} is there: {}", text(&made, "id")));
        }
        Action::Update { role, name, permissions, description } => {
            let given = body(&[("name", name), ("permissions", permissions), ("description", description)]);
            if given.is_empty() {
                return Err(Failure::usage("say what to change: --name, --permissions or --description"));
            }
            let found = ROLE.find(session, role).await?;
            show(session, &session.patch(&path(&found), &Value::Object(given)).await?);
        }
        Action::Delete { role, confirm } => {
            let found = ROLE.find(session, role).await?;
            confirm.ask(&format!("Delete the role {} for good, and take it from everybody?", found.name))?;
            let answer = session.delete(&path(&found), None).await?;
            session.screen.done(&answer, format!("The role {} is deleted.", found.name));
        }
    }
    Ok(())
}

fn show(session: &Session, role: &Value) {
    session.screen.one(role, || {
        vec![
            ("Name", cells::name(role, "name")),
            ("Id", cells::plain(role, "id")),
            ("Level", cells::plain(role, "level")),
            ("Permissions", cells::plain(role, "permissions")),
            ("Description", cells::plain(role, "description")),
            ("Created", cells::moment(role, "created_at", session.now(), "-")),
        ]
    });
}

/// Lists the roles that can be given.
pub(super) async fn available(session: &Session) -> Result<(), Failure> {
    let answer = session.get("/v1/admin/roles").await?;
    if session.screen.json {
        session.screen.json(&answer);
        return Ok(());
    }
    let mut all = Vec::new();
    for (member, level) in [("organization_roles", "organization"), ("workspace_roles", "workspace")] {
        for role in answer.get(member).and_then(Value::as_array).into_iter().flatten() {
            let mut role = role.clone();
            if let Some(members) = role.as_object_mut() {
                members.insert("level".into(), level.into());
            }
            all.push(role);
        }
    }
    let titles = ["NAME", "LEVEL", "OWN", "DESCRIPTION"];
    session.screen.list(&all, "There are no roles.", &titles, |role| {
        vec![
            cells::name(role, "name"),
            cells::plain(role, "level"),
            cells::plain(role, "is_custom_role"),
            cells::plain(role, "description"),
        ]
    });
    Ok(())
}

/// Lists the permissions.
pub(super) async fn permissions(session: &Session) -> Result<(), Failure> {
    let all = session.whole("/v1/gateway/permissions").await?;
    let titles = ["PERMISSION", "LEVEL", "OF", "ROLES"];
    session.screen.list(&all, "There are no permissions.", &titles, |permission| {
        vec![
            cells::name(permission, "name"),
            cells::plain(permission, "level"),
            cells::plain(permission, "target"),
            cells::plain(permission, "roles"),
        ]
    });
    Ok(())
}
