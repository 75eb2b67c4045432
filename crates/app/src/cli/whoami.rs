//! `louver whoami`: whose admin key this is, and what it may do.

use super::cells;
use super::failure::{Failure, finish};
use super::session::Shared;
use super::table::Cell;
use super::workspaces;
use crate::config::Environment;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// Show whose admin key LOUVER_ADMIN_KEY is, and what it may do
#[derive(Args)]
pub(super) struct Whoami {
    #[command(flatten)]
    shared: Shared,
}

/// Shows it.
pub(super) async fn run(command: &Whoami, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

/// Permissions, a line for each thing that they are about: `api_key: create, read`.
fn may(permissions: Option<&Value>) -> Vec<String> {
    let mut about: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in permissions.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let (noun, deed) = name.split_once('.').unwrap_or((name, "all"));
        match about.iter_mut().find(|(other, _)| *other == noun) {
            Some((_, deeds)) => deeds.push(deed),
            None => about.push((noun, vec![deed])),
        }
    }
    if about.is_empty() {
        return vec!["nothing".to_owned()];
    }
    about.iter().map(|(noun, deeds)| format!("{noun}: {}", deeds.join(", "))).collect()
}

async fn act(command: &Whoami, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    let me = session.get("/v1/gateway/me").await?;
    let names = if session.screen.json { Default::default() } else { workspaces::names(&session).await };
    session.screen.one(&me, || {
        let permissions = me.get("permissions").unwrap_or(&Value::Null);
        let within = permissions.get("workspaces").and_then(Value::as_array).into_iter().flatten();
        let mut rows = vec![
            ("Kind", cells::plain(&me, "kind")),
            ("Name", cells::name(&me, "name")),
            ("Id", cells::plain(&me, "id")),
            ("Organization", cells::plain(&me, "organization_name")),
        ];
        rows.extend(may(permissions.get("organization")).into_iter().map(|line| ("May", Cell::new(line))));
        for workspace in within {
            let id = super::lookup::bare(cells::text(workspace, "id"));
            let name = names.get(&id).cloned().unwrap_or(id);
            let lines = may(workspace.get("permissions")).into_iter();
            rows.extend(lines.map(|line| ("In workspace", Cell::new(format!("{name}: {line}")))));
        }
        rows
    });
    Ok(())
}
