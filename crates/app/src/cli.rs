//! The commands of the program, and what each does with the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands speak to the terminal")]

mod admin_keys;
mod alerts;
mod apply;
mod audit;
mod budgets;
mod cells;
mod confirm;
mod console_link;
mod dev;
mod doctor;
mod explain;
mod export;
mod failure;
mod figures;
mod groups;
mod help;
mod init;
mod input;
mod keys;
mod limits;
mod lookup;
mod members;
mod organization;
mod prices;
mod progress;
mod receivers;
mod reconcile;
mod remote;
mod role_names;
mod roles;
mod rotation;
mod screen;
mod serve;
mod service_accounts;
mod session;
mod settings;
mod simulator;
mod table;
mod upstreams;
mod usage;
mod whoami;
mod workspaces;

use crate::clock::{SystemClock, SystemEntropy};
use crate::config::{self, Config, Environment};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Enterprise access control for Mistral AI: keys, models, limits and usage in front of Mistral's API.
#[derive(Parser)]
#[command(name = "louver", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole product on this machine, with a simulated Mistral and an example organization
    Dev(dev::Dev),
    /// Run a node with its settings
    Serve(ConfigFile),
    /// First start: bring the schema up, create the organization, print its admin key once
    Init(init::Init),
    /// Run the simulated Mistral alone
    Simulator(simulator::Simulator),
    /// Make, list and revoke admin keys, offline
    AdminKey(admin_keys::AdminKey),
    /// Make a link that signs somebody in to the console, offline
    ConsoleLink(console_link::ConsoleLink),
    /// Prove the audit log, take it out, show its key
    Audit(audit::Audit),
    /// Bring the database's schema up to date
    Migrate(Place),
    /// Look over an installation, whether it runs or not, and say what a person must do
    Doctor(doctor::Doctor),
    /// Make the organization what a file says: a plan first, then its steps
    Apply(apply::Apply),
    /// Write what is there as a file for `louver apply`
    Export(export::Export),
    /// Show the price list, or replace it by a file
    Prices(prices::Prices),
    /// Compare the ledger with the upstream's own usage report, and post what lies between
    Reconcile(reconcile::Reconcile),
    /// API keys: list, make, change, rotate and revoke them
    Keys(keys::Keys),
    /// Workspaces: the teams and projects that keys, members and budgets belong to
    Workspaces(workspaces::Workspaces),
    /// Members: people of the organization and of its workspaces, and what they may do
    Members(members::Members),
    /// Groups of people, who get roles together
    Groups(groups::Groups),
    /// Service accounts: programs that hold roles and keys as people do
    ServiceAccounts(service_accounts::ServiceAccounts),
    /// Model roles, and the roles that say who may do what here
    Roles(roles::Roles),
    /// What may be used: rates, budgets and models of the organization, a workspace, a member or a key
    Limits(limits::Limits),
    /// Budgets: what is spent, reserved and left of each
    Budgets(budgets::Budgets),
    /// Usage: requests, tokens and cost over time
    Usage(usage::Usage),
    /// Alerts that were raised, and the channels that they go to
    Alerts(alerts::Alerts),
    /// Rotation of secrets: policies, what runs, and the destinations that secrets are written to
    Rotation(rotation::Rotation),
    /// Upstream credentials: the provider's keys that calls are made with
    Upstreams(upstreams::Upstreams),
    /// Explain whether a call would be let through, rule by rule; nothing is spent
    Explain(explain::Explain),
    /// The organization: its name, whether calls are let through at all, its limits
    Organization(organization::Organization),
    /// Show whose admin key LOUVER_ADMIN_KEY is, and what it may do
    Whoami(whoami::Whoami),
    /// Write completions for a shell
    Completions(help::Completions),
    /// Write the man pages
    Man(help::Man),
}

/// The tree of all commands, with its help.
fn tree() -> clap::Command {
    help::complete(Cli::command())
}

impl Cli {
    /// What the command line says. A wrong one, and a question for help, ends the program.
    pub fn read() -> Self {
        Self::from_arg_matches(&tree().get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// A file with settings.
#[derive(Args)]
struct ConfigFile {
    /// The file with settings; the environment wins over it
    #[arg(long)]
    config: Option<PathBuf>,
}

/// The installation that an offline command works on.
#[derive(Args)]
struct Place {
    /// The data directory of `louver dev`
    #[arg(long, conflicts_with = "config")]
    data_dir: Option<PathBuf>,
    /// The file with settings; the environment wins over it
    #[arg(long)]
    config: Option<PathBuf>,
}

const WHERE: &str = "this command works on the data itself: --data-dir names the folder of `louver dev`, and --config the \
                     settings that `louver serve` runs with";

impl Place {
    /// The settings of that installation; where nobody said which one, an error says how to.
    fn config(&self, environment: &Environment) -> Result<Config, Vec<String>> {
        self.settings(environment).map_err(|mut errors| {
            if self.data_dir.is_none() && self.config.is_none() {
                errors.push(WHERE.to_owned());
            }
            errors
        })
    }

    /// The same, with what is wrong with the settings and nothing else.
    fn settings(&self, environment: &Environment) -> Result<Config, Vec<String>> {
        match &self.data_dir {
            Some(folder) => dev::config(folder, None, environment),
            None => config::load(self.config.as_deref(), environment),
        }
    }
}

/// Runs the command; errors go to stderr, each on a line of its own.
pub fn run(cli: Cli) -> ExitCode {
    let environment: Environment = std::env::vars().collect();
    // Only one provider is in the program; a second call could only come from a test.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&[error.to_string()]),
    };
    runtime.block_on(async {
        let result = match cli.command {
            Command::Dev(command) => dev::run(command, &environment).await,
            Command::Serve(command) => serve::run(&command, &environment).await,
            Command::Init(command) => init::run(&command, &environment).await,
            Command::Simulator(command) => simulator::run(command).await,
            Command::AdminKey(command) => admin_keys::run(command, &environment).await,
            Command::ConsoleLink(command) => console_link::run(command, &environment).await,
            Command::Audit(command) => audit::run(command, &environment).await,
            Command::Migrate(place) => migrate(&place, &environment).await,
            Command::Doctor(command) => doctor::run(&command, &environment).await,
            Command::Apply(command) => return failure::finish(apply::run(&command, &environment).await),
            Command::Export(command) => return failure::finish(export::run(&command, &environment).await),
            Command::Prices(command) => return failure::finish(prices::run(&command, &environment).await),
            Command::Reconcile(command) => return reconcile::run(&command, &environment).await,
            Command::Keys(command) => return keys::run(&command, &environment).await,
            Command::Workspaces(command) => return workspaces::run(&command, &environment).await,
            Command::Members(command) => return members::run(&command, &environment).await,
            Command::Groups(command) => return groups::run(&command, &environment).await,
            Command::ServiceAccounts(command) => return service_accounts::run(&command, &environment).await,
            Command::Roles(command) => return roles::run(&command, &environment).await,
            Command::Limits(command) => return limits::run(&command, &environment).await,
            Command::Budgets(command) => return budgets::run(&command, &environment).await,
            Command::Usage(command) => return usage::run(&command, &environment).await,
            Command::Alerts(command) => return alerts::run(&command, &environment).await,
            Command::Rotation(command) => return rotation::run(&command, &environment).await,
            Command::Upstreams(command) => return upstreams::run(&command, &environment).await,
            Command::Explain(command) => return explain::run(&command, &environment).await,
            Command::Organization(command) => return organization::run(&command, &environment).await,
            Command::Whoami(command) => return whoami::run(&command, &environment).await,
            Command::Completions(command) => {
                help::completions(&command, tree());
                Ok(())
            }
            Command::Man(command) => return failure::finish(help::man(&command, tree())),
        };
        result.map_or_else(|errors| fail(&errors), |()| ExitCode::SUCCESS)
    })
}

fn fail(errors: &[String]) -> ExitCode {
    for error in errors {
        eprintln!("louver: {error}");
    }
    ExitCode::FAILURE
}

async fn migrate(place: &Place, environment: &Environment) -> Result<(), Vec<String>> {
    let config = place.config(environment)?;
    let clock = Arc::new(SystemClock::new());
    let store =
        louver_store::Store::open(&config.database_url, clock).await.map_err(|e| vec![e.to_string()])?;
    let steps = store.migrate().await.map_err(|e| vec![e.to_string()])?;
    println!(
        "{}",
        if steps == 0 { "The schema was up to date.".to_owned() } else { format!("{steps} step(s) done.") }
    );
    store.close().await;
    Ok(())
}

/// The parts of an installation, with the machine's clock and randomness.
async fn parts(config: &Config) -> Result<crate::serve::Parts, Vec<String>> {
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(SystemEntropy::new()));
    crate::serve::parts(config, clock, entropy).await.map_err(|error| vec![error])
}

/// The control plane of an installation whose gateway does not run in this process.
fn offline(parts: crate::serve::Parts) -> louver_control::Control {
    let pepper = Arc::new(parts.master.pepper());
    louver_control::Control::offline(parts.store, parts.clock, parts.entropy, pepper, parts.master)
}

/// Waits for SIGTERM or Ctrl-C.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
