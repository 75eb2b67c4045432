//! `louver members`: people of the organization and of workspaces, their roles and their invitations.

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{End, Failure, finish};
use super::input;
use super::limits;
use super::lookup::{Found, INVITATION, MEMBER, WORKSPACE, bare};
use super::role_names;
use super::session::{Session, Shared};
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver members invite ada@example.com --workspace data-team
  louver members add ada@example.com --workspace data-team --role workspace_contributor
  louver members model-role ada@example.com senior --workspace data-team
  louver members remove ada@example.com --workspace data-team

Roles say what people may do here; model roles say which models they may call. `louver roles available` lists roles,
`louver roles list` lists model roles.";

/// Members: people of the organization and of its workspaces, and what they may do
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Members {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the people of the organization, or of a workspace
    List {
        /// Only of this workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: Option<String>,
    },
    /// Show one with the limits that stand on them
    Show {
        /// Mail address or id
        #[arg(value_name = "EMAIL|ID")]
        member: String,
    },
    /// Invite people by mail; they belong to it once they accept
    Invite {
        /// Mail addresses; - reads them from stdin, one a line
        #[arg(required = true, value_name = "EMAIL")]
        emails: Vec<String>,
        /// Roles in the organization; member when it is left out
        #[arg(long)]
        role: Vec<String>,
        /// Workspaces they come into, by name or id
        #[arg(long, value_name = "NAME|ID")]
        workspace: Vec<String>,
    },
    /// List the invitations that nobody has accepted yet
    Invitations,
    /// Take an invitation back
    Uninvite {
        /// Mail address, or the invitation's id
        #[arg(value_name = "EMAIL|ID")]
        invitation: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Make somebody a member without an invitation
    Create {
        /// Mail address
        email: String,
        /// First name
        #[arg(long, default_value = "")]
        first_name: String,
        /// Last name
        #[arg(long, default_value = "")]
        last_name: String,
        /// Roles in the organization; member when it is left out
        #[arg(long)]
        role: Vec<String>,
    },
    /// Add members to a workspace
    Add {
        /// Mail addresses or ids; - reads them from stdin, one a line
        #[arg(required = true, value_name = "EMAIL|ID")]
        members: Vec<String>,
        /// The workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: String,
        /// Roles in the workspace; workspace_contributor when it is left out
        #[arg(long)]
        role: Vec<String>,
    },
    /// Set the roles somebody has in the organization, or in a workspace
    Role {
        /// Mail address or id
        #[arg(value_name = "EMAIL|ID")]
        member: String,
        /// All the roles they have from then on
        #[arg(required = true)]
        roles: Vec<String>,
        /// In this workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: Option<String>,
    },
    /// Set the model role somebody has in a workspace
    ModelRole {
        /// Mail address or id
        #[arg(value_name = "EMAIL|ID")]
        member: String,
        /// The model role, or none
        role: String,
        /// The workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: String,
    },
    /// Remove somebody from a workspace, or from the organization with all their keys
    Remove {
        /// Mail address or id
        #[arg(value_name = "EMAIL|ID")]
        member: String,
        /// Only from this workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: Option<String>,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// Does what was asked.
pub(super) async fn run(command: &Members, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Members, environment: &Environment) -> Result<(), Failure> {
    let session = &command.shared.session(environment)?;
    match &command.action {
        Action::List { workspace: None } => list(session).await,
        Action::List { workspace: Some(workspace) } => {
            list_within(session, &WORKSPACE.find(session, workspace).await?).await
        }
        Action::Show { member } => show(session, member).await,
        Action::Invite { emails, role, workspace } => invite(session, emails, role, workspace).await,
        Action::Invitations => invitations(session).await,
        Action::Uninvite { invitation, confirm } => {
            let found = INVITATION.find(session, invitation).await?;
            confirm.ask(&format!("Take the invitation of {} back?", found.name))?;
            let path = format!("/v1/admin/users-invite/{}", segment(&found.id));
            let answer = session.delete(&path, None).await?;
            session.screen.done(&answer, format!("The invitation of {} is taken back.", found.name));
            Ok(())
        }
        Action::Create { email, first_name, last_name, role } => {
            let mut person = json!({"email": email, "first_name": first_name, "last_name": last_name});
            role_names::into(&mut person, role)?;
            let answer = session.post("/v1/admin/users", &json!([person])).await?;
            refuse_invalid(&answer, "invalid_emails")?;
            session.screen.done(&answer, format!("{email} is a member."));
            session
                .screen
                .say(format!("`louver members add {email} --workspace NAME` lets them into a workspace."));
            Ok(())
        }
        Action::Add { members, workspace, role } => add(session, members, workspace, role).await,
        Action::Role { member, roles, workspace } => {
            set_roles(session, member, roles, workspace.as_deref()).await
        }
        Action::ModelRole { member, role, workspace } => {
            let (workspace, found) = pair(session, workspace, member).await?;
            let answer = set_model_role(session, &workspace, "members", &found, role).await?;
            session
                .screen
                .done(&answer, format!("{} has the model role {role} in {}.", found.name, workspace.name));
            Ok(())
        }
        Action::Remove { member, workspace, confirm } => {
            remove(session, member, workspace.as_deref(), *confirm).await
        }
    }
}

async fn pair(session: &Session, workspace: &str, member: &str) -> Result<(Found, Found), Failure> {
    Ok((WORKSPACE.find(session, workspace).await?, MEMBER.find(session, member).await?))
}

/// Sets the model role of a member, a group or a service account of a workspace.
pub(super) async fn set_model_role(
    session: &Session,
    workspace: &Found,
    holders: &str,
    holder: &Found,
    role: &str,
) -> Result<Value, Failure> {
    let (workspace, holder) = (segment(&workspace.id), segment(&holder.id));
    let path = format!("/v1/gateway/workspaces/{workspace}/{holders}/{holder}/model-role");
    let role = if role == "none" { Value::Null } else { role.into() };
    session.put(&path, &json!({"role": role})).await
}

fn person(item: &Value) -> super::table::Cell {
    let name = text(item, "name");
    let whole = format!("{} {}", text(item, "first_name"), text(item, "last_name"));
    match (name, whole.trim()) {
        ("", "") => super::table::Cell::none(),
        ("", whole) => super::table::Cell::new(whole),
        (name, _) => super::table::Cell::new(name),
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let all = MEMBER.all(session).await?;
    let titles = ["EMAIL", "ID", "NAME", "ROLES", "MEMBER SINCE"];
    session.screen.list(&all, "There are no members.", &titles, |item| {
        vec![
            cells::name(item, "email"),
            cells::id(item, "id"),
            person(item),
            cells::plain(item, "role_names"),
            cells::ago(item, "created_at", session.now(), "-"),
        ]
    });
    Ok(())
}

/// Lists the members of a workspace.
pub(super) async fn list_within(session: &Session, workspace: &Found) -> Result<(), Failure> {
    let path = format!("/v1/gateway/workspaces/{}/members", segment(&workspace.id));
    let all = session.list(&path, "user_id").await?;
    let titles = ["EMAIL", "ID", "ROLES", "MODEL ROLE", "VIA GROUPS"];
    session.screen.list(&all, "It has no members.", &titles, |item| {
        vec![
            cells::name(item, "email"),
            cells::id(item, "user_id"),
            cells::plain(item, "role_names"),
            cells::plain(item, "model_role"),
            cells::plain(item, "via_groups"),
        ]
    });
    Ok(())
}

async fn show(session: &Session, member: &str) -> Result<(), Failure> {
    let found = MEMBER.find(session, member).await?;
    let item = session.get(&format!("/v1/gateway/users/{}", segment(&found.id))).await?;
    session.screen.one(&item, || {
        let mut rows = vec![
            ("Email", cells::name(&item, "email")),
            ("Id", cells::plain(&item, "id")),
            ("Name", person(&item)),
            ("Roles", cells::plain(&item, "role_names")),
            ("Member since", cells::moment(&item, "created_at", session.now(), "-")),
        ];
        rows.extend(limits::rows(item.get("limits").unwrap_or(&Value::Null)));
        rows
    });
    Ok(())
}

async fn invitations(session: &Session) -> Result<(), Failure> {
    let all = INVITATION.all(session).await?;
    let titles = ["EMAIL", "ID", "ROLES", "MAIL", "EXPIRES", "LINK"];
    session.screen.list(&all, "There are no open invitations.", &titles, |item| {
        vec![
            cells::name(item, "email"),
            cells::id(item, "id"),
            cells::plain(item, "role_names"),
            cells::state(text(item, "mail")),
            cells::ago(item, "expires_at", session.now(), "-"),
            cells::plain(item, "link"),
        ]
    });
    Ok(())
}

async fn invite(
    session: &Session,
    emails: &[String],
    roles: &[String],
    workspaces: &[String],
) -> Result<(), Failure> {
    let emails = input::names(emails)?;
    let mut ids = Vec::new();
    for workspace in workspaces {
        ids.push(bare(&WORKSPACE.find(session, workspace).await?.id));
    }
    let mut answers = Vec::new();
    for email in &emails {
        let mut body = json!({"email": email, "workspace_uuids": ids});
        role_names::into(&mut body, roles)?;
        let answer = session.post("/v1/admin/users-invite", &body).await?;
        refuse_invalid(&answer, "invalid_emails")?;
        if answer.get("already_members").and_then(Value::as_array).is_some_and(|some| !some.is_empty()) {
            session.screen.say(format!("{email} is a member already."));
        } else {
            session.screen.say(format!("{email} is invited."));
        }
        answers.push(answer);
    }
    if session.screen.json {
        session.screen.json(&Value::Array(answers));
    } else {
        session.screen.say("`louver members invitations` shows the links, too.");
    }
    Ok(())
}

/// What the API takes for no mail address it names in its answer.
fn refuse_invalid(answer: &Value, member: &str) -> Result<(), Failure> {
    let invalid = answer.get(member).and_then(Value::as_array).filter(|some| !some.is_empty());
    match invalid {
        Some(_) => Err(Failure::failed(format!("no mail address: {}", cells::plain(answer, member).text()))),
        None => Ok(()),
    }
}

async fn add(
    session: &Session,
    members: &[String],
    workspace: &str,
    roles: &[String],
) -> Result<(), Failure> {
    let workspace = WORKSPACE.find(session, workspace).await?;
    let mut all = Vec::new();
    for member in input::names(members)? {
        let found = MEMBER.find(session, &member).await?;
        let mut entry = json!({"user_uuid": bare(&found.id)});
        role_names::into(&mut entry, roles)?;
        all.push(entry);
    }
    let count = all.len();
    let path = format!("/v1/admin/workspaces/{}/add-users", segment(&workspace.id));
    let answer = session.post(&path, &json!({"members": all})).await?;
    let added = answer.get("added_members_count").and_then(Value::as_u64).unwrap_or_default();
    session.screen.done(&answer, format!("{added} of {count} are new members of {}.", workspace.name));
    Ok(())
}

async fn set_roles(
    session: &Session,
    member: &str,
    roles: &[String],
    workspace: Option<&str>,
) -> Result<(), Failure> {
    let found = MEMBER.find(session, member).await?;
    let mut body = json!({});
    role_names::into(&mut body, roles)?;
    let (answer, place) = match WORKSPACE.find_some(session, workspace).await? {
        None => {
            let path = format!("/v1/admin/users/{}", segment(&found.id));
            (session.patch(&path, &body).await?, "the organization".to_owned())
        }
        Some(workspace) => {
            let members = body.as_object_mut();
            members.and_then(|members| members.insert("user_uuid".into(), bare(&found.id).into()));
            let path = format!("/v1/admin/workspaces/{}/users", segment(&workspace.id));
            (session.patch(&path, &json!({"members": [body]})).await?, workspace.name)
        }
    };
    session.screen.done(&answer, format!("{} has in {place}: {}.", found.name, roles.join(", ")));
    Ok(())
}

async fn remove(
    session: &Session,
    member: &str,
    workspace: Option<&str>,
    confirm: Confirm,
) -> Result<(), Failure> {
    let found = MEMBER.find(session, member).await?;
    let Some(workspace) = WORKSPACE.find_some(session, workspace).await? else {
        confirm.ask(&format!("Remove {} from the organization, and revoke their keys?", found.name))?;
        let answer = session.delete(&format!("/v1/admin/users/{}", segment(&found.id)), None).await?;
        session.screen.done(&answer, format!("{} is not a member any more.", found.name));
        return Ok(());
    };
    confirm.ask(&format!("Remove {} from the workspace {}?", found.name, workspace.name))?;
    let path = format!("/v1/admin/workspaces/{}/remove-users", segment(&workspace.id));
    let body = json!({"members": [{"user_uuid": bare(&found.id)}]});
    let answer = session.delete(&path, Some(&body)).await?;
    if answer.get("deleted_members_count").and_then(Value::as_u64) == Some(0) {
        let told =
            Failure::new(End::NotThere, format!("{} is not a member of {}", found.name, workspace.name));
        return Err(told.hint(format!("`louver members list --workspace {}` shows who is.", workspace.name)));
    }
    session.screen.done(&answer, format!("{} is removed from {}.", found.name, workspace.name));
    Ok(())
}
