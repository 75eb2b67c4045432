//! `louver keys audit`, `report-leak` and `exempt`: the hygiene of keys.

use super::{One, workspaces};
use crate::cli::cells::{self, text};
use crate::cli::failure::Failure;
use crate::cli::figures;
use crate::cli::input;
use crate::cli::lookup::WORKSPACE;
use crate::cli::session::Session;
use crate::cli::table::Look;
use crate::client::segment;
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub(super) struct Audit {
    /// After how many days without a call a key counts as unused
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    unused_days: u32,
    /// Only keys of this workspace
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
    /// Only keys with one of these findings, separated by commas: unused, never_used, no_expiry, owner_left,
    /// rotation_due, too_broad
    #[arg(long, value_delimiter = ',')]
    finding: Vec<String>,
    /// Show keys without a finding, too
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub(super) struct Leak {
    /// The file with the secret, or - for stdin; there is no argument for the secret itself, since others see those
    #[arg(value_name = "FILE")]
    file: String,
}

#[derive(Args)]
pub(super) struct Exempt {
    #[command(flatten)]
    one: One,
    /// Why
    #[arg(long, required_unless_present = "end")]
    reason: Option<String>,
    /// Until when: a time, a date, or for how long (90d)
    #[arg(long, value_name = "TIME", required_unless_present = "end")]
    until: Option<String>,
    /// End the exemption
    #[arg(long, conflicts_with_all = ["reason", "until"])]
    end: bool,
}

/// Looks all keys over.
pub(super) async fn run(session: &Session, command: &Audit) -> Result<(), Failure> {
    let mut path = format!("/v1/gateway/keys/audit?unused_days={}", command.unused_days);
    if let Some(workspace) = WORKSPACE.find_some(session, command.workspace.as_deref()).await? {
        path.push_str(&format!("&workspace_id={}", segment(&workspace.id)));
    }
    command.finding.iter().for_each(|finding| path.push_str(&format!("&finding={}", segment(finding))));
    let mut all = session.list(&path, "id").await?;
    let found =
        |key: &Value| key.get("findings").and_then(Value::as_array).is_some_and(|some| !some.is_empty());
    all.retain(|key| command.all || found(key));
    let names = if session.screen.json { Default::default() } else { workspaces::names(session).await };
    let now = session.now();
    let titles = ["NAME", "ID", "WORKSPACE", "AGE", "LAST USED", "FROM", "EXPIRES", "FINDINGS", "EXEMPT"];
    session.screen.list(&all, "Nothing was found.", &titles, |key| {
        let exempt = key.get("unused_exemption").unwrap_or(&Value::Null);
        vec![
            cells::name(key, "name"),
            cells::id(key, "id"),
            workspaces::cell(key, &names),
            cells::amount(key, "age_days", "d"),
            cells::ago(key, "last_used_at", now, "never"),
            cells::plain(key, "last_used_from"),
            cells::ago(key, "expires_at", now, "never"),
            cells::plain(key, "findings").look(Look::Warn),
            cells::ago(exempt, "until", now, "no"),
        ]
    });
    Ok(())
}

/// Reports a secret that was found.
pub(super) async fn report(session: &Session, command: &Leak) -> Result<(), Failure> {
    let secret = input::secret(&command.file)?;
    let answer = session.post("/v1/gateway/keys/report-leak", &json!({"key": secret.expose()})).await?;
    let (kind, name, status) = (text(&answer, "kind"), text(&answer, "name"), text(&answer, "status"));
    session.screen.done(&answer, format!("Reported: the {} {name} is {status}.", kind.replace('_', " ")));
    Ok(())
}

/// Sets or ends the exemption of a key.
pub(super) async fn exempt(session: &Session, command: &Exempt) -> Result<(), Failure> {
    let found = command.one.find(session).await?;
    let path = format!("/v1/gateway/keys/{}/unused-exemption", segment(&found.id));
    if command.end {
        let answer = session.delete(&path, None).await?;
        session.screen.done(&answer, format!("The key {} is exempt no more.", found.name));
        return Ok(());
    }
    let until = figures::until(command.until.as_deref().unwrap_or_default(), session.now());
    let until = until.map_err(|why| Failure::usage(format!("--until: {why}")))?;
    let answer = session.put(&path, &json!({"reason": command.reason, "until": until.rfc3339()})).await?;
    session.screen.done(&answer, format!("The key {} is exempt until {}.", found.name, until.rfc3339()));
    Ok(())
}
