//! `louver organization`: its name, whether it is billed, and its limits.

use super::cells;
use super::failure::{Failure, finish};
use super::limits;
use super::session::{Session, Shared};
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use std::process::ExitCode;

/// The organization: its name, whether calls are let through at all, its limits
#[derive(Args)]
pub(super) struct Organization {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show it with its limits
    Show,
    /// Change its name, or stop and start all calls; `louver limits set --organization` changes limits
    Update {
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// Whether it is billed: with false every call is refused
        #[arg(long, value_name = "true|false")]
        billing_active: Option<bool>,
    },
}

const PATH: &str = "/v1/gateway/organization";

/// Does what was asked.
pub(super) async fn run(command: &Organization, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Organization, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    let organization = match &command.action {
        Action::Show => session.get(PATH).await?,
        Action::Update { name, billing_active } => {
            let mut body = Map::new();
            body.extend(name.iter().map(|name| ("name".to_owned(), name.as_str().into())));
            body.extend(billing_active.iter().map(|active| ("billing_active".to_owned(), (*active).into())));
            if body.is_empty() {
                return Err(Failure::usage("say what to change: --name or --billing-active"));
            }
            session.patch(PATH, &Value::Object(body)).await?
        }
    };
    show(&session, &organization);
    Ok(())
}

fn show(session: &Session, organization: &Value) {
    session.screen.one(organization, || {
        let mut rows = vec![
            ("Name", cells::name(organization, "name")),
            ("Id", cells::plain(organization, "id")),
            ("Billed", cells::plain(organization, "billing_active")),
            ("Created", cells::moment(organization, "created_at", session.now(), "-")),
        ];
        rows.extend(limits::rows(organization.get("limits").unwrap_or(&Value::Null)));
        rows
    });
}
