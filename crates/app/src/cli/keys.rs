//! `louver keys`: everything about API keys.

mod audit;
mod create;
mod rotate;
mod secrets_folder;

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{Failure, finish};
use super::input;
use super::limits::{self, LimitFlags};
use super::lookup::{Found, KEY, MEMBER, WORKSPACE, bare, is_id};
use super::progress::Progress;
use super::session::{Session, Shared};
use super::table::Cell;
use super::workspaces;
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand, ValueEnum};
use create::Settings;
use serde_json::Value;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver keys create prod-backend --workspace prod-workspace --allowed-models mistral-small --expires-at 90d
  louver keys create ci --workspace prod-workspace --secret-only > ci.key
  louver keys list --unused-days 30
  louver keys list --unused-days 90 --json | jq -r '.[].id' | louver keys disable -
  louver keys rotate prod-backend --overlap 24h
  louver keys rotate --all --workspace prod-workspace --secrets-dir new-secrets
  louver keys revoke prod-backend

A key is named by its name, when only one has it, or by its id; --workspace says which of several is meant.";

/// API keys: list, make, change, rotate and revoke them
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Keys {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

/// Which keys.
#[derive(Args)]
struct Named {
    /// Names or ids; - reads them from stdin, one a line
    #[arg(required = true, value_name = "NAME|ID")]
    keys: Vec<String>,
    /// The workspace they are in, where names stand in several
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
}

/// Which key.
#[derive(Args)]
struct One {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    key: String,
    /// The workspace it is in, where its name stands in several
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Status {
    Active,
    Disabled,
    Revoked,
    Expired,
}

#[derive(Args)]
struct Filters {
    /// Only keys of this workspace
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
    /// Only keys of this very name
    #[arg(long)]
    name: Option<String>,
    /// Only keys with this in their name or description
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only keys of this status; those that were revoked are shown only when they are asked for
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Only keys that were not used in so many days
    #[arg(long, value_name = "DAYS")]
    unused_days: Option<u32>,
    /// Only keys that this member owns, by mail address or id
    #[arg(long, value_name = "EMAIL|ID")]
    owner: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// List the keys
    List(Filters),
    /// Show one with its limits
    Show(One),
    /// Make one; its secret is shown only then
    Create(create::Create),
    /// Change what it is called, what it may call and when it expires
    Update {
        #[command(flatten)]
        one: One,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Show its limits, or change those that are given
    Limits {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        limits: Box<LimitFlags>,
    },
    /// Refuse keys until they are enabled again
    Disable(Named),
    /// Accept disabled keys again
    Enable(Named),
    /// Revoke keys for good; the next call with one is refused
    Revoke {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Give keys new secrets while the old ones go on working for a time
    Rotate(rotate::Rotate),
    /// Show which secrets of a key work now, and who still uses the old one
    Secrets(One),
    /// Look all keys over: unused ones, such without an end, such that may do too much
    Audit(audit::Audit),
    /// Report a secret that was found somewhere: its key is disabled at once
    ReportLeak(audit::Leak),
    /// Leave a key out of the rule for unused keys for a time
    Exempt(audit::Exempt),
}

/// Does what was asked.
pub(super) async fn run(command: &Keys, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Keys, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    match &command.action {
        Action::List(filters) => list(&session, filters).await,
        Action::Show(one) => show(&session, one).await,
        Action::Create(create) => create::run(&session, create).await,
        Action::Update { one, name, settings } => {
            let mut body = settings.body(&session).await?;
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            if body.is_empty() {
                return Err(Failure::usage(
                    "say what to change; `louver keys update --help` shows what there is",
                ));
            }
            let found = one.find(&session).await?;
            let changed = session.patch(&path(&found.id, ""), &Value::Object(body)).await?;
            session.screen.done(&changed, format!("The key {} is changed.", found.name));
            Ok(())
        }
        Action::Limits { one, limits } => {
            let found = one.find(&session).await?;
            let (path, body) = (format!("/v1/gateway/keys/{}/limits", segment(&found.id)), limits.body());
            let now = match body.is_empty() {
                true => session.get(&path).await?,
                false => session.patch(&path, &Value::Object(body)).await?,
            };
            session.screen.one(&now, || limits::rows(&now));
            Ok(())
        }
        Action::Disable(named) => each(&session, Deed::Disable, named).await,
        Action::Enable(named) => each(&session, Deed::Enable, named).await,
        Action::Revoke { named, confirm } => revoke(&session, named, *confirm).await,
        Action::Rotate(rotate) => rotate::run(&session, rotate).await,
        Action::Secrets(one) => secrets(&session, one).await,
        Action::Audit(command) => audit::run(&session, command).await,
        Action::ReportLeak(command) => audit::report(&session, command).await,
        Action::Exempt(command) => audit::exempt(&session, command).await,
    }
}

impl One {
    async fn find(&self, session: &Session) -> Result<Found, Failure> {
        find(session, &self.key, self.workspace.as_deref()).await
    }
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/api-keys/{}{rest}", segment(id))
}

/// The key of that name or id, within that workspace where one is named.
pub(super) async fn find(session: &Session, wanted: &str, workspace: Option<&str>) -> Result<Found, Failure> {
    if is_id(wanted) {
        return Ok(Found { id: wanted.to_owned(), name: wanted.to_owned() });
    }
    let Some(workspace) = WORKSPACE.find_some(session, workspace).await? else {
        return KEY.find(session, wanted).await;
    };
    let within = format!("/v1/api-keys?workspace_id={}", segment(&workspace.id));
    KEY.choose(&session.list(&within, "id").await?, wanted)
}

/// Several keys, before anything is done to any of them.
async fn find_all(session: &Session, named: &Named) -> Result<Vec<Found>, Failure> {
    let wanted = input::names(&named.keys)?;
    if wanted.iter().all(|name| is_id(name)) {
        return Ok(wanted.into_iter().map(|id| Found { name: id.clone(), id }).collect());
    }
    let mut found = Vec::new();
    for name in wanted {
        found.push(find(session, &name, named.workspace.as_deref()).await?);
    }
    Ok(found)
}

/// The keys that filters leave.
async fn filtered(session: &Session, filters: &Filters) -> Result<Vec<Value>, Failure> {
    let workspace = WORKSPACE.find_some(session, filters.workspace.as_deref()).await?;
    let owner = MEMBER.find_some(session, filters.owner.as_deref()).await?;
    let status = filters.status.and_then(|status| status.to_possible_value());
    let query: Vec<String> = [
        workspace.map(|found| format!("workspace_id={}", segment(&found.id))),
        filters.name.as_deref().map(|name| format!("name={}", segment(name))),
        status.map(|status| format!("status={}", status.get_name())),
        filters.unused_days.map(|days| format!("unused_days={days}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let mut all = session.list(&format!("/v1/api-keys{mark}{}", query.join("&")), "id").await?;
    let part = filters.search.as_ref().map(|part| part.to_lowercase());
    all.retain(|key| {
        let holds = |part: &String| {
            ["name", "description"].iter().any(|name| text(key, name).to_lowercase().contains(part))
        };
        let owned = |found: &Found| bare(text(key, "owner_user_id")) == bare(&found.id);
        part.as_ref().is_none_or(holds)
            && owner.as_ref().is_none_or(owned)
            && (filters.status.is_some() || text(key, "status") != "revoked")
    });
    Ok(all)
}

async fn list(session: &Session, filters: &Filters) -> Result<(), Failure> {
    let all = filtered(session, filters).await?;
    let names = if session.screen.json { Default::default() } else { workspaces::names(session).await };
    let titles = ["NAME", "ID", "WORKSPACE", "STATUS", "SECRET", "LAST USED", "EXPIRES"];
    session.screen.list(&all, "There are no such keys.", &titles, |key| {
        vec![
            cells::name(key, "name"),
            cells::id(key, "id"),
            workspaces::cell(key, &names),
            cells::state(text(key, "status")),
            cells::plain(key, "hidden_key"),
            cells::ago(key, "last_used_at", session.now(), "never"),
            cells::ago(key, "expires_at", session.now(), "never"),
        ]
    });
    Ok(())
}

async fn show(session: &Session, one: &One) -> Result<(), Failure> {
    let key = session.get(&path(&one.find(session).await?.id, "")).await?;
    let (names, owner) = match session.screen.json {
        true => Default::default(),
        false => (workspaces::names(session).await, owner(session, &key).await),
    };
    let now = session.now();
    session.screen.one(&key, || {
        let mut rows = vec![
            ("Name", cells::name(&key, "name")),
            ("Id", cells::plain(&key, "id")),
            ("Status", cells::state(text(&key, "status"))),
            ("Secret", cells::plain(&key, "hidden_key")),
            ("Workspace", workspaces::cell(&key, &names)),
            ("Owner", Cell::new(owner)),
            ("Description", cells::plain(&key, "description")),
            ("Model role", cells::plain(&key, "role")),
            ("Addresses", cells::plain(&key, "allowed_cidrs")),
            ("Created", cells::moment(&key, "created_at", now, "")),
            ("Last used", cells::moment(&key, "last_used_at", now, "never")),
            ("Expires", cells::moment(&key, "expires_at", now, "never")),
        ];
        if key.get("canary") == Some(&Value::Bool(true)) {
            rows.push(("Canary", Cell::new("yes: it is refused, and its use raises an alarm")));
        }
        rows.extend(limits::rows(key.get("limits").unwrap_or(&Value::Null)));
        rows
    });
    Ok(())
}

/// Whose it is, by name where that may be seen.
async fn owner(session: &Session, key: &Value) -> String {
    for (member, kind, shown) in
        [("owner_user_id", &MEMBER, "email"), ("service_account_id", &super::lookup::ACCOUNT, "name")]
    {
        let id = text(key, member);
        if id.is_empty() {
            continue;
        }
        let all = kind.all(session).await.unwrap_or_default();
        let found = all.iter().find(|item| bare(text(item, "id")) == bare(id));
        let name = found.map_or(id, |item| text(item, shown));
        return format!("{} {name}", kind.noun);
    }
    "the workspace".to_owned()
}

/// What is done to keys.
#[derive(Clone, Copy)]
enum Deed {
    Disable,
    Enable,
    Revoke,
}

impl Deed {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Disable => ("Disabling", "disabled"),
            Self::Enable => ("Enabling", "enabled"),
            Self::Revoke => ("Revoking", "revoked"),
        }
    }

    async fn done(self, session: &Session, key: &Found) -> Result<Value, Failure> {
        match self {
            Self::Disable => session.act(&path(&key.id, "/disable")).await,
            Self::Enable => session.act(&path(&key.id, "/enable")).await,
            Self::Revoke => session.delete(&path(&key.id, ""), None).await,
        }
    }
}

async fn revoke(session: &Session, named: &Named, confirm: Confirm) -> Result<(), Failure> {
    let found = find_all(session, named).await?;
    let names: Vec<&str> = found.iter().map(|key| key.name.as_str()).collect();
    let what = match names.as_slice() {
        [one] => format!("the key {one}"),
        many => format!("{} keys ({})", many.len(), many.join(", ")),
    };
    confirm.ask(&format!("Revoke {what} for good?"))?;
    to_each(session, Deed::Revoke, &found).await
}

async fn each(session: &Session, deed: Deed, named: &Named) -> Result<(), Failure> {
    to_each(session, deed, &find_all(session, named).await?).await
}

/// Does it to each; one that fails does not keep the others back.
async fn to_each(session: &Session, deed: Deed, keys: &[Found]) -> Result<(), Failure> {
    let (doing, done) = deed.words();
    let (mut answers, mut failures) = (Vec::new(), Vec::new());
    let mut progress = Progress::new(doing, keys.len());
    for key in keys {
        progress.at(&key.name);
        match deed.done(session, key).await {
            Ok(answer) => {
                progress.clear();
                session.screen.say(format!("The key {} is {done}.", key.name));
                answers.push(answer);
            }
            Err(failure) => failures.push((key, failure)),
        }
        progress.step();
    }
    drop(progress);
    if session.screen.json {
        session.screen.json(&Value::Array(answers));
    }
    all_or_first(failures, keys.len(), done)
}

/// Nothing failed, or the one that did, or how many did.
fn all_or_first(failures: Vec<(&Found, Failure)>, of: usize, done: &str) -> Result<(), Failure> {
    let count = failures.len();
    let mut failures = failures.into_iter();
    let Some((first, failure)) = failures.next() else { return Ok(()) };
    if of == 1 {
        return Err(failure);
    }
    let told = Failure::new(failure.end(), format!("{count} of {of} keys were not {done}")).hint(format!(
        "{}: {}",
        first.name,
        failure.message()
    ));
    Err(failures.fold(told, |told, (key, failure)| told.hint(format!("{}: {}", key.name, failure.message()))))
}

async fn secrets(session: &Session, one: &One) -> Result<(), Failure> {
    let found = one.find(session).await?;
    let all = session.whole(&secrets_path(&found.id)).await?;
    let now = session.now();
    let titles = ["SECRET", "STATE", "MADE", "WORKS UNTIL", "LAST USED", "FROM", "CLIENT"];
    session.screen.list(&all, "No secret of that key works.", &titles, |secret| {
        let current = secret.get("current").and_then(Value::as_bool) == Some(true);
        vec![
            cells::name(secret, "hidden_key"),
            Cell::new(if current { "current" } else { "old" }),
            cells::ago(secret, "created_at", now, "-"),
            cells::ago(secret, "retires_at", now, if current { "-" } else { "it is retired" }),
            cells::ago(secret, "last_used_at", now, "never"),
            cells::plain(secret, "last_used_from"),
            cells::plain(secret, "last_used_client"),
        ]
    });
    Ok(())
}

fn secrets_path(id: &str) -> String {
    format!("/v1/gateway/keys/{}/secrets", segment(id))
}
