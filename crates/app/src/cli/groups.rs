//! `louver groups`: groups of people, who get roles together.

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{End, Failure, finish};
use super::input;
use super::lookup::{Found, GROUP, MEMBER, WORKSPACE, bare, is_id};
use super::members::set_model_role;
use super::role_names;
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
  louver groups create data-scientists
  louver groups add data-scientists ada@example.com bob@example.com
  louver groups workspace data-scientists --workspace data-team --role workspace_contributor
  louver groups model-role data-scientists senior --workspace data-team";

/// Groups of people, who get roles together
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Groups {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

/// Which group.
#[derive(Args)]
struct One {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    group: String,
}

#[derive(Subcommand)]
enum Action {
    /// List the groups
    List,
    /// Show one with its members and workspaces
    Show(One),
    /// Make one
    Create {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long)]
        description: Option<String>,
        /// Groups that it lies in, by name or id
        #[arg(long, value_name = "NAME|ID")]
        parent: Vec<String>,
    },
    /// Change its name or description
    Update {
        #[command(flatten)]
        one: One,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// The new description
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete one for good; its members lose what they had through it
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Add people to it
    Add {
        #[command(flatten)]
        one: One,
        /// Mail addresses or ids; - reads them from stdin, one a line
        #[arg(required = true, value_name = "EMAIL|ID")]
        members: Vec<String>,
    },
    /// Take people out of it
    Remove {
        #[command(flatten)]
        one: One,
        /// Mail addresses or ids; - reads them from stdin, one a line
        #[arg(required = true, value_name = "EMAIL|ID")]
        members: Vec<String>,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Set the groups that lie in it
    Nest {
        #[command(flatten)]
        one: One,
        /// All groups that lie in it from then on, by name or id; none empties it
        #[arg(required = true, value_name = "NAME|ID|none")]
        children: Vec<String>,
    },
    /// Set the role its members have in the organization
    Role {
        #[command(flatten)]
        one: One,
        /// The role, by name or id
        role: String,
    },
    /// Give it a place in a workspace, or set its roles there
    Workspace {
        #[command(flatten)]
        one: One,
        /// The workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: String,
        /// All its roles there
        #[arg(long)]
        role: Vec<String>,
    },
    /// Take its place in a workspace away
    Leave {
        #[command(flatten)]
        one: One,
        /// The workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Set the model role its members have in a workspace
    ModelRole {
        #[command(flatten)]
        one: One,
        /// The model role, or none
        role: String,
        /// The workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: String,
    },
}

const PATH: &str = "/v1/admin/user-groups";

fn path(found: &Found, rest: &str) -> String {
    format!("{PATH}/{}{rest}", segment(&found.id))
}

/// Does what was asked.
pub(super) async fn run(command: &Groups, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Groups, environment: &Environment) -> Result<(), Failure> {
    let session = &command.shared.session(environment)?;
    match &command.action {
        Action::List => list(session).await,
        Action::Show(one) => show(session, one).await,
        Action::Create { name, description, parent } => {
            create(session, name, description.as_deref(), parent).await
        }
        Action::Update { one, name, description } => {
            update(session, one, [("name", name), ("description", description)]).await
        }
        Action::Delete { one, confirm } => {
            let found = GROUP.find(session, &one.group).await?;
            confirm.ask(&format!("Delete the group {} for good?", found.name))?;
            let answer = session.delete(&path(&found, ""), None).await?;
            session.screen.done(&answer, format!("The group {} is deleted.", found.name));
            Ok(())
        }
        Action::Add { one, members } => {
            let (found, body) = people(session, one, members).await?;
            let answer = session.post(&path(&found, "/members"), &body).await?;
            session.screen.done(&answer, format!("They are in the group {}.", found.name));
            Ok(())
        }
        Action::Remove { one, members, confirm } => {
            let (found, body) = people(session, one, members).await?;
            let count = body.get("user_uuids").and_then(Value::as_array).map_or(0, Vec::len);
            confirm.ask(&format!("Take {count} people out of the group {}?", found.name))?;
            let answer = session.delete(&path(&found, "/members"), Some(&body)).await?;
            session.screen.done(&answer, format!("They are out of the group {}.", found.name));
            Ok(())
        }
        Action::Nest { one, children } => nest(session, one, children).await,
        Action::Role { one, role } => {
            let found = GROUP.find(session, &one.group).await?;
            let body = json!({"organization_role": organization_role(session, role).await?});
            let answer = session.patch(&path(&found, "/organization-role"), &body).await?;
            session.screen.done(&answer, format!("The group {} has the role {role}.", found.name));
            Ok(())
        }
        Action::Workspace { one, workspace, role } => place(session, one, workspace, role).await,
        Action::Leave { one, workspace, confirm } => {
            let (found, workspace) = pair(session, one, workspace).await?;
            confirm
                .ask(&format!("Take the group {} out of the workspace {}?", found.name, workspace.name))?;
            let rest = format!("/workspaces/{}", segment(&bare(&workspace.id)));
            let answer = session.delete(&path(&found, &rest), None).await?;
            session.screen.done(&answer, format!("The group {} is out of {}.", found.name, workspace.name));
            Ok(())
        }
        Action::ModelRole { one, role, workspace } => {
            let (found, workspace) = pair(session, one, workspace).await?;
            let answer = set_model_role(session, &workspace, "groups", &found, role).await?;
            let said = format!("The group {} has the model role {role} in {}.", found.name, workspace.name);
            session.screen.done(&answer, said);
            Ok(())
        }
    }
}

async fn create(
    session: &Session,
    name: &str,
    description: Option<&str>,
    parents: &[String],
) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for parent in parents {
        ids.push(GROUP.find(session, parent).await?.id);
    }
    let body = json!({"name": name, "description": description, "parent_group_ids": ids});
    let made = session.post(PATH, &body).await?;
    session.screen.done(&made, format!("The group {name} is there: {}", text(&made, "uuid")));
    Ok(())
}

async fn update(session: &Session, one: &One, fields: [(&str, &Option<String>); 2]) -> Result<(), Failure> {
    let given =
        fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value.clone()?.into())));
    let body: Map<String, Value> = given.collect();
    if body.is_empty() {
        return Err(Failure::usage("say what to change: --name or --description"));
    }
    let found = GROUP.find(session, &one.group).await?;
    let changed = session.patch(&path(&found, ""), &Value::Object(body)).await?;
    session.screen.done(&changed, format!("The group {} is changed.", found.name));
    Ok(())
}

/// The id of a role of the organization; this one path takes no names.
async fn organization_role(session: &Session, wanted: &str) -> Result<String, Failure> {
    if is_id(wanted) {
        return Ok(wanted.to_owned());
    }
    let roles = session.get("/v1/admin/roles").await?;
    let all = roles.get("organization_roles").and_then(Value::as_array).into_iter().flatten();
    let found = all.filter(|role| text(role, "name") == wanted).map(|role| text(role, "uuid")).next();
    found.map(str::to_owned).ok_or_else(|| {
        Failure::new(End::NotThere, format!("there is no role {wanted:?} of the organization"))
            .hint("`louver roles available` shows all of them.")
    })
}

async fn pair(session: &Session, one: &One, workspace: &str) -> Result<(Found, Found), Failure> {
    Ok((GROUP.find(session, &one.group).await?, WORKSPACE.find(session, workspace).await?))
}

async fn people(session: &Session, one: &One, members: &[String]) -> Result<(Found, Value), Failure> {
    let found = GROUP.find(session, &one.group).await?;
    let mut ids = Vec::new();
    for member in input::names(members)? {
        ids.push(bare(&MEMBER.find(session, &member).await?.id));
    }
    Ok((found, json!({"user_uuids": ids})))
}

async fn nest(session: &Session, one: &One, children: &[String]) -> Result<(), Failure> {
    let found = GROUP.find(session, &one.group).await?;
    let mut ids = Vec::new();
    for child in children.iter().filter(|child| *child != "none") {
        ids.push(GROUP.find(session, child).await?.id);
    }
    let answer = session.patch(&path(&found, "/nested"), &json!({"child_group_uuids": ids})).await?;
    session.screen.done(&answer, format!("{} groups lie in {}.", ids.len(), found.name));
    Ok(())
}

/// Puts a group into a workspace; where it is there already, its roles are set.
async fn place(session: &Session, one: &One, workspace: &str, roles: &[String]) -> Result<(), Failure> {
    let (found, workspace) = pair(session, one, workspace).await?;
    let id = bare(&workspace.id);
    let there = session.client.numbered(&path(&found, "/workspaces"), "items").await?;
    let is_there = there.iter().any(|item| bare(text(item, "workspace_uuid")) == id);
    let answer = if is_there {
        if roles.is_empty() {
            return Err(Failure::usage(format!(
                "{} is in {} already: say its roles",
                found.name, workspace.name
            )));
        }
        let mut body = json!({});
        role_names::into(&mut body, roles)?;
        session.patch(&path(&found, &format!("/workspaces/{}", segment(&id))), &body).await?
    } else {
        let mut body = json!({"workspace_uuid": id});
        role_names::into(&mut body, roles)?;
        session.post(&path(&found, "/workspaces"), &body).await?
    };
    session.screen.done(&answer, format!("The group {} has a place in {}.", found.name, workspace.name));
    Ok(())
}

/// The role of a group in the organization by name; the API says its id.
async fn organization_roles(session: &Session) -> HashMap<String, String> {
    let roles = session.get("/v1/admin/roles").await.unwrap_or_default();
    let all = roles.get("organization_roles").and_then(Value::as_array).into_iter().flatten();
    all.map(|role| (text(role, "uuid").to_owned(), text(role, "name").to_owned())).collect()
}

fn role_cell(group: &Value, names: &HashMap<String, String>) -> Cell {
    let name = names.get(text(group, "organization_role"));
    name.map_or_else(|| cells::plain(group, "organization_role"), Cell::new)
}

async fn list(session: &Session) -> Result<(), Failure> {
    let all = GROUP.all(session).await?;
    let roles = if session.screen.json { HashMap::new() } else { organization_roles(session).await };
    let titles = ["NAME", "ID", "ORGANIZATION ROLE", "FROM ELSEWHERE", "DESCRIPTION"];
    session.screen.list(&all, "There are no groups.", &titles, |group| {
        vec![
            cells::name(group, "name"),
            cells::id(group, "uuid"),
            role_cell(group, &roles),
            cells::plain(group, "externally_managed"),
            cells::plain(group, "description"),
        ]
    });
    Ok(())
}

async fn show(session: &Session, one: &One) -> Result<(), Failure> {
    let found = GROUP.find(session, &one.group).await?;
    let group = session.get(&path(&found, "")).await?;
    if session.screen.json {
        session.screen.json(&group);
        return Ok(());
    }
    let members = session.client.numbered(&path(&found, "/members"), "members").await?;
    let workspaces = session.client.numbered(&path(&found, "/workspaces"), "items").await?;
    let nested = session.get(&path(&found, "/nested")).await?;
    let roles = organization_roles(session).await;
    let named = |all: &[Value], names: [&str; 2]| {
        let name = |item: &Value| {
            names.iter().map(|name| text(item, name)).find(|some| !some.is_empty()).map(str::to_owned)
        };
        let names: Vec<String> = all.iter().filter_map(name).collect();
        cells::plain(&json!({"names": names}), "names")
    };
    let children: Vec<Value> = nested
        .as_object()
        .into_iter()
        .flat_map(Map::values)
        .filter_map(Value::as_array)
        .flatten()
        .cloned()
        .collect();
    session.screen.one(&group, || {
        vec![
            ("Name", cells::name(&group, "name")),
            ("Id", cells::plain(&group, "uuid")),
            ("Description", cells::plain(&group, "description")),
            ("Organization role", role_cell(&group, &roles)),
            ("From elsewhere", cells::plain(&group, "externally_managed")),
            ("Members", named(&members, ["email", "user_uuid"])),
            ("Groups in it", named(&children, ["name", "uuid"])),
            ("Workspaces", named(&workspaces, ["workspace_name", "workspace_uuid"])),
        ]
    });
    Ok(())
}
