//! `louver budgets`: how much of each budget is spent, and what a person can make good.

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{Failure, finish};
use super::figures;
use super::lookup::BUDGET;
use super::session::{Session, Shared};
use super::table::{Cell, Look};
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver budgets list
  louver budgets list --scope workspace --json | jq '.[] | select(.state == \"exhausted\") | .name'
  louver limits set --workspace dev-workspace --monthly-budget-usd 100     more of a budget

A budget is no thing of its own: it follows from the limits of its level, and so does its id.";

/// Budgets: what is spent, reserved and left of each
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Budgets {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

/// Where a budget stands.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Scope {
    Organization,
    Workspace,
    User,
    ModelRole,
    Key,
}

/// Why nothing can be billed on a lease any more.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Fence {
    /// The machine does not exist any more
    MachineDestroyed,
    /// The upstream credential that the node had does not work any more
    CredentialRotated,
    /// The process has ended and cannot come back
    ProcessEnded,
}

#[derive(Subcommand)]
enum Action {
    /// List the budgets with what is spent of each
    List {
        /// Only budgets of this level
        #[arg(long, value_enum)]
        scope: Option<Scope>,
        /// Only budgets of the thing with this id
        #[arg(long, value_name = "ID", requires = "scope")]
        scope_id: Option<String>,
    },
    /// Show one
    Show {
        /// Its id, or the name of what it is of when that has one budget
        budget: String,
    },
    /// Let calls through again after a budget was blocked, since a call was billed more than it could cost
    Unblock {
        /// Its id
        budget: String,
    },
    /// Give back what nodes that are gone for good still hold
    Release {
        /// Only of this budget, by id; of all when it is left out
        budget: Option<String>,
        /// Why nothing can be billed on it any more
        #[arg(long, value_enum)]
        fence: Fence,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// Does what was asked.
pub(super) async fn run(command: &Budgets, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

async fn act(command: &Budgets, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    match &command.action {
        Action::List { scope, scope_id } => {
            let scope = scope.map(|scope| format!("?scope={}", word(scope))).unwrap_or_default();
            let id = scope_id.as_deref().map(|id| format!("&scope_id={}", segment(id))).unwrap_or_default();
            let all = session.list(&format!("/v1/gateway/budgets{scope}{id}"), "id").await?;
            list(&session, &all);
        }
        Action::Show { budget } => {
            let found = BUDGET.find(&session, budget).await?;
            show(&session, &session.get(&path(&found.id)).await?);
        }
        Action::Unblock { budget } => {
            let found = BUDGET.find(&session, budget).await?;
            let answer = session.act(&format!("{}/unblock", path(&found.id))).await?;
            session.screen.done(&answer, format!("The budget {} lets calls through again.", found.name));
        }
        Action::Release { budget, fence, confirm } => {
            confirm
                .ask("Give back what nodes that are gone still hold? A node that lives could bill on it.")?;
            let found = BUDGET.find_some(&session, budget.as_deref()).await?;
            let body = json!({"budget_id": found.map(|found| found.id), "fence": word(*fence)});
            let answer = session.post("/v1/gateway/budgets/release", &body).await?;
            let leases = answer.get("leases").and_then(Value::as_array).map_or(0, Vec::len);
            session.screen.done(&answer, format!("{leases} leases were given back."));
        }
    }
    Ok(())
}

fn path(id: &str) -> String {
    format!("/v1/gateway/budgets/{}", segment(id))
}

/// How much of a budget is spent, in per cent.
fn spent(budget: &Value) -> Cell {
    let number = |name: &str| budget.get(name).and_then(Value::as_f64);
    match (number("spent"), number("limit")) {
        (Some(spent), Some(limit)) if limit > 0.0 => {
            let percent = spent / limit * 100.0;
            let look = match percent {
                95.0.. => Look::Bad,
                80.0.. => Look::Warn,
                _ => Look::Plain,
            };
            Cell::new(format!("{percent:.0} %")).number().look(look)
        }
        _ => Cell::none(),
    }
}

fn list(session: &Session, all: &[Value]) {
    let titles = ["OF", "LEVEL", "PER", "LIMIT", "SPENT", "", "RESERVED", "LEFT", "RESETS", "STATE"];
    session.screen.list(all, "There are no budgets: `louver limits set` makes them.", &titles, |item| {
        let unit = text(item, "unit");
        vec![
            cells::name(item, "name"),
            cells::plain(item, "scope"),
            cells::plain(item, "window"),
            cells::amount(item, "limit", unit),
            cells::amount(item, "spent", unit),
            spent(item),
            cells::amount(item, "reserved", unit),
            cells::amount(item, "remaining", unit),
            cells::ago(item, "resets_at", session.now(), "never"),
            state(item),
        ]
    });
}

fn state(item: &Value) -> Cell {
    if text(item, "mode") == "shadow" { cells::state("shadow") } else { cells::state(text(item, "state")) }
}

fn show(session: &Session, item: &Value) {
    session.screen.one(item, || {
        let unit = text(item, "unit");
        let thresholds = item.get("thresholds").and_then(Value::as_array).into_iter().flatten();
        let thresholds = thresholds.map(|one| {
            let crossed = one.get("crossed").and_then(Value::as_bool) == Some(true);
            let percent = one.get("percent").map(|percent| figures::count(&percent.to_string()));
            format!("{} %{}", percent.unwrap_or_default(), if crossed { " (crossed)" } else { "" })
        });
        let thresholds: Vec<String> = thresholds.collect();
        vec![
            ("Of", cells::name(item, "name")),
            ("Id", cells::plain(item, "id")),
            ("Level", cells::plain(item, "scope")),
            ("Role", cells::plain(item, "role")),
            ("Per", cells::plain(item, "window")),
            ("Limit", cells::amount(item, "limit", unit)),
            ("Spent", cells::amount(item, "spent", unit)),
            ("Reserved", cells::amount(item, "reserved", unit)),
            ("Stranded", cells::amount(item, "stranded", unit)),
            ("Left", cells::amount(item, "remaining", unit)),
            ("Alerts at", Cell::new(thresholds.join(", "))),
            ("Resets", cells::moment(item, "resets_at", session.now(), "never")),
            ("State", state(item)),
        ]
    });
}
