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

async fn act(command: &Whoami, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    let me = session.get("/v1/gateway/me").await?;
    let names = if session.screen.json { Default::default() } else { workspaces::names(&session).await };
    session.screen.one(&me, || {
        let of = |value: &Value| cells::plain(value, "permissions").text().to_owned();
        let permissions = me.get("permissions").unwrap_or(&Value::Null);
        let within = permissions.get("workspaces").and_then(Value::as_array).into_iter().flatten();
        let mut rows = vec![
            ("Kind", cells::plain(&me, "kind")),
            ("Name", cells::name(&me, "name")),
            ("Id", cells::plain(&me, "id")),
            ("Organization", cells::plain(&me, "organization_name")),
            ("May", cells::plain(permissions, "organization")),
        ];
        rows.extend(within.map(|workspace| {
            let id = super::lookup::bare(cells::text(workspace, "id"));
            let name = names.get(&id).cloned().unwrap_or(id);
            ("In workspace", Cell::new(format!("{name}: {}", of(workspace))))
        }));
        rows
    });
    Ok(())
}
