//! `louver apply`: makes an organization what one file says, over the admin API.

pub(super) mod api;
mod execute;
pub(super) mod file;
pub(super) mod plan;
mod secrets;
pub(super) mod state;
pub(super) mod wanted;

use super::failure::Failure;
use super::remote::Remote;
use crate::config::Environment;
use api::Api;
use clap::Args;
use execute::Executor;
use plan::{Plan, Present};
use serde_json::json;
use state::Needs;
use std::path::PathBuf;
use wanted::Reading;

/// Make the organization what a file says.
#[derive(Args)]
pub(super) struct Apply {
    /// The file that says what is wanted
    #[arg(short, long)]
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove what the file's lists do not name
    #[arg(long)]
    prune: bool,
    /// Print the plan as one JSON object, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Reads, compares, shows, and does; nothing is written before everything that can be checked was.
pub(super) async fn run(command: &Apply, environment: &Environment) -> Result<(), Failure> {
    let reading = read(command, environment)?;
    let api = Api::new(command.remote.reach(environment)?);
    let state = state::read(&api, &Needs::of(&reading.wanted), false).await;
    let present = state?.present;
    let plan = plan::plan(&reading.wanted, &present, command.prune)?;
    let errors = execute::check_files(&plan, &reading.hidden);
    if !errors.is_empty() {
        return Err(errors.into());
    }
    if !command.json {
        show(&plan);
    }
    let (done, failed) = match command.dry_run {
        true => (0, None),
        false => execute_all(&api, &plan, &present, &reading).await,
    };
    if command.json {
        let mut shown = plan.to_json();
        if let Some(members) = shown.as_object_mut() {
            members.insert("dry_run".into(), command.dry_run.into());
            members.insert("done".into(), json!(done));
            members.insert("error".into(), json!(failed));
        }
        println!("{shown}");
    } else if failed.is_none() && done > 0 {
        println!("{done} of {} steps done.", plan.steps.len());
    }
    failed.map_or(Ok(()), |error| Err(Failure::failed(error)))
}

fn read(command: &Apply, environment: &Environment) -> Result<Reading, Vec<String>> {
    let shown = command.file.display();
    let text = std::fs::read_to_string(&command.file).map_err(|error| vec![format!("{shown}: {error}")])?;
    let file = file::read(&text).map_err(|error| vec![format!("{shown}: {error}")])?;
    let folder = command.file.parent().map(PathBuf::from).unwrap_or_default();
    let reading = wanted::read(&file, &folder, environment);
    reading.map_err(|errors| errors.into_iter().map(|error| format!("{shown}: {error}")).collect())
}

fn show(plan: &Plan) {
    for step in &plan.steps {
        println!("{step}");
    }
    if plan.steps.is_empty() {
        println!("No changes.");
    }
    if let Some(line) = plan.left_alone() {
        println!("{line}");
    }
}

/// How many steps were done, and what stopped the rest.
async fn execute_all(
    api: &Api,
    plan: &Plan,
    present: &Present,
    reading: &Reading,
) -> (usize, Option<String>) {
    let mut executor = Executor::new(api, present, &reading.hidden);
    for (done, step) in plan.steps.iter().enumerate() {
        if let Err(error) = executor.execute(step).await {
            let all = plan.steps.len();
            let done_before =
                format!("{done} of {all} steps were done before; applying again goes on from there");
            return (done, Some(format!("this step failed: {step}\n  {error}\n  {done_before}")));
        }
    }
    (plan.steps.len(), None)
}
