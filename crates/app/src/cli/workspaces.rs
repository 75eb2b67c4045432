//! `louver workspaces`: list, show, make, change and archive them.

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{Failure, finish};
use super::lookup::{MEMBER, WORKSPACE, bare};
use super::session::{Session, Shared};
use super::table::Cell;
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver workspaces create data-team --admin ada@example.com
  louver workspaces show data-team
  louver members add bob@example.com --workspace data-team
  louver limits set --workspace data-team --monthly-budget-usd 200";

/// Workspaces: the teams and projects that keys, members and budgets belong to
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Workspaces {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the workspaces
    List {
        /// Show those that were archived, too
        #[arg(long)]
        archived: bool,
    },
    /// Show one with its limits
    Show {
        /// Its name or id
        workspace: String,
    },
    /// Make one
    Create {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        /// A picture for it, such as one letter or an emoji
        #[arg(long, default_value = "")]
        icon: String,
        /// Who administers it, by mail address or id; you when it is left out
        #[arg(long, value_name = "EMAIL|ID")]
        admin: Option<String>,
        /// Add all members of the organization
        #[arg(long)]
        add_everybody: bool,
    },
    /// Change its name, description or icon
    Update {
        /// Its name or id
        workspace: String,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// The new description
        #[arg(long)]
        description: Option<String>,
        /// The new icon
        #[arg(long)]
        icon: Option<String>,
    },
    /// Archive one for good: its keys are refused from then on
    Archive {
        /// Its name or id
        workspace: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// List its members with their roles
    Members {
        /// Its name or id
        workspace: String,
    },
}

/// The names of all workspaces by their bare ids; none for who may not see them.
pub(super) async fn names(session: &Session) -> HashMap<String, String> {
    let all = WORKSPACE.all(session).await.unwrap_or_default();
    all.iter().map(|item| (bare(text(item, "id")), text(item, "name").to_owned())).collect()
}

/// The workspace that something is in, by name where that is known.
pub(super) fn cell(item: &Value, names: &HashMap<String, String>) -> Cell {
    let id = text(item, "workspace_id");
    match names.get(&bare(id)) {
        Some(name) => Cell::new(name),
        None => cells::plain(item, "workspace_id"),
    }
}

/// Does what was asked.
pub(super) async fn run(command: &Workspaces, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Workspaces, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    match &command.action {
        Action::List { archived } => list(&session, *archived).await,
        Action::Show { workspace } => show(&session, workspace).await,
        Action::Create { name, description, icon, admin, add_everybody } => {
            let admin = match admin {
                Some(admin) => MEMBER.find(&session, admin).await?.id,
                None => own_id(&session).await?,
            };
            let body = json!({
                "name": name, "description": description, "icon": icon, "admin_user_id": admin,
                "add_all_org_members": add_everybody,
            });
            let made = session.post("/v1/admin/workspaces", &body).await?;
            session.screen.done(&made, format!("The workspace {name} is there: {}", text(&made, "uuid")));
            session.screen.say(format!("`louver keys create KEY --workspace {name}` makes a key in it."));
            Ok(())
        }
        Action::Update { workspace, name, description, icon } => {
            let fields = [("name", name), ("description", description), ("icon", icon)];
            let given = fields
                .into_iter()
                .filter_map(|(field, value)| Some((field.to_owned(), value.clone()?.into())));
            let body: Map<String, Value> = given.collect();
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name, --description or --icon"));
            }
            let found = WORKSPACE.find(&session, workspace).await?;
            let changed = session.patch(&path(&found.id), &Value::Object(body)).await?;
            session.screen.done(&changed, format!("The workspace {} is changed.", found.name));
            Ok(())
        }
        Action::Archive { workspace, confirm } => {
            let found = WORKSPACE.find(&session, workspace).await?;
            let question = format!("Archive the workspace {} for good, and refuse all its keys?", found.name);
            confirm.ask(&question)?;
            let answer = session.delete(&path(&found.id), None).await?;
            session.screen.done(&answer, format!("The workspace {} is archived.", found.name));
            Ok(())
        }
        Action::Members { workspace } => {
            let found = WORKSPACE.find(&session, workspace).await?;
            super::members::list_within(&session, &found).await
        }
    }
}

fn path(id: &str) -> String {
    format!("/v1/admin/workspaces/{}", segment(id))
}

/// The person whose admin key this is: a workspace needs somebody who administers it.
async fn own_id(session: &Session) -> Result<String, Failure> {
    let me = session.get("/v1/gateway/me").await?;
    match text(&me, "kind") {
        "user" => Ok(text(&me, "id").to_owned()),
        _ => Err(Failure::usage(
            "this admin key is nobody's own: name who administers the workspace with --admin",
        )
        .hint("`louver members list` shows who there is.")),
    }
}

async fn list(session: &Session, archived: bool) -> Result<(), Failure> {
    let mut all = WORKSPACE.all(session).await?;
    all.retain(|item| archived || !item.get("archived_at").is_some_and(Value::is_string));
    let titles = ["NAME", "ID", "STATE", "PER MINUTE", "PER MONTH", "MODELS", "CREATED"];
    session.screen.list(&all, "There are no workspaces.", &titles, |item| {
        let limits = item.get("limits").unwrap_or(&Value::Null);
        vec![
            cells::name(item, "name"),
            cells::id(item, "id"),
            state(item),
            cells::plain(limits, "requests_per_minute"),
            cells::money(limits, "monthly_budget_usd"),
            cells::plain(limits, "allowed_models"),
            cells::ago(item, "created_at", session.now(), ""),
        ]
    });
    Ok(())
}

fn state(item: &Value) -> Cell {
    match (text(item, "archived_at"), item.get("is_default").and_then(Value::as_bool)) {
        ("", Some(true)) => cells::state("default"),
        ("", _) => cells::state("active"),
        _ => cells::state("archived"),
    }
}

async fn show(session: &Session, wanted: &str) -> Result<(), Failure> {
    let all = WORKSPACE.all(session).await?;
    let id = match super::lookup::is_id(wanted) {
        true => wanted.to_owned(),
        false => WORKSPACE.choose(&all, wanted)?.id,
    };
    let Some(item) = all.iter().find(|item| bare(text(item, "id")) == bare(&id)) else {
        return Err(WORKSPACE.missing(&all, wanted));
    };
    session.screen.one(item, || {
        let mut rows = vec![
            ("Name", cells::name(item, "name")),
            ("Id", cells::plain(item, "id")),
            ("State", state(item)),
            ("Description", cells::plain(item, "description")),
            ("Created", cells::moment(item, "created_at", session.now(), "")),
        ];
        rows.extend(super::limits::rows(item.get("limits").unwrap_or(&Value::Null)));
        rows
    });
    Ok(())
}
