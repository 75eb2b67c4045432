//! `louver doctor`: looks over an installation, whether it runs or not, and says what a person must do.

mod audit;
mod server;

use super::Place;
use super::remote::Remote;
use crate::clock::SystemClock;
use crate::config::{self, Config, Environment, NO_JOURNAL};
use crate::master_key;
use clap::Args;
use louver_domain::budgets::Unit;
use louver_domain::money::Money;
use louver_domain::organizations::Organization;
use louver_domain::time::{Clock, Timestamp};
use louver_store::ledger::unreturned::{self, Unreturned};
use louver_store::ledger::{standings, verify};
use louver_store::seal::{self, MasterKey};
use louver_store::{Store, StoreError, organizations, schema, upstreams};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Look over an installation.
#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    place: Place,
    /// Print one line of JSON, for scripts
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Doctor {
    /// Whether only the server was named: its data are on another machine then.
    fn is_far(&self, environment: &Environment) -> bool {
        let here = self.place.data_dir.is_some()
            || self.place.config.is_some()
            || environment.contains_key("LOUVER_DATABASE_URL");
        self.remote.is_named(environment) && !here
    }
}

/// A node that still holds something so long after a period's end is gone: no call lasts longer than a day.
const LONG_SECONDS: i64 = 86_400;

/// One finding.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    ok: bool,
    message: String,
}

/// The findings so far.
#[derive(Default)]
struct Report(Vec<Check>);

impl Report {
    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Check { check, ok: true, message: message.into() });
    }

    fn problem(&mut self, check: &'static str, message: impl Into<String>) {
        self.0.push(Check { check, ok: false, message: message.into() });
    }

    /// One problem for each, or the good word.
    fn all(&mut self, check: &'static str, problems: Vec<String>, good: impl Into<String>) {
        if problems.is_empty() {
            self.ok(check, good);
        }
        problems.into_iter().for_each(|problem| self.problem(check, problem));
    }

    fn problems(&self) -> usize {
        self.0.iter().filter(|check| !check.ok).count()
    }
}

/// Prints a line for each check; an error when a problem was found. Nothing of the installation is changed.
pub(super) async fn run(command: &Doctor, environment: &Environment) -> Result<(), Vec<String>> {
    let mut report = Report::default();
    let mut key = None;
    match command.is_far(environment) {
        true => report.ok("installation", "not looked at: --config or --data-dir says where it is"),
        false => key = examine(&command.place, environment, &mut report).await,
    }
    match command.remote.is_named(environment) {
        true => {
            let now = SystemClock::new().now();
            server::check(&command.remote, environment, key.as_deref(), now, &mut report).await;
        }
        false => report.ok("server", "not looked at: --url or LOUVER_URL says where it runs"),
    }
    let problems = report.problems();
    if command.json {
        let checks = &report.0;
        println!("{}", serde_json::json!({"object": "doctor", "ok": problems == 0, "checks": checks}));
    } else {
        for Check { check, ok, message } in &report.0 {
            println!("{}  {check}: {message}", if *ok { "ok     " } else { "problem" });
        }
    }
    match problems {
        0 => Ok(()),
        1 => Err(vec!["1 problem was found".into()]),
        many => Err(vec![format!("{many} problems were found")]),
    }
}

/// Looks at what lies on this machine. Answers the public key that comes from the master key.
async fn examine(place: &Place, environment: &Environment, report: &mut Report) -> Option<String> {
    let config = match place.settings(environment) {
        Ok(config) => config,
        Err(errors) => {
            report.all("settings", errors, "");
            return None;
        }
    };
    report.all("settings", config::refuse_unsafe(&config), "complete");
    check_journal(config.journal_dir.as_deref(), report);
    audit::check_sinks(&config.audit, report);
    let master = match master_key::read(&config.master_key_file) {
        Ok(master) => {
            report.ok("master key", format!("{} can be read", config.master_key_file.display()));
            Some(master)
        }
        Err(error) => {
            report.problem("master key", error);
            None
        }
    };
    let key = master.as_ref().and_then(|master| master.audit_key().ok()).map(|key| key.public().to_string());
    let clock = Arc::new(SystemClock::new());
    let Some(store) = open(&config, Arc::clone(&clock) as Arc<dyn Clock>, report).await else { return key };
    // `louver dev` gives its upstream a credential by itself.
    let needs_credential = place.data_dir.is_none() && config.upstream_key.is_none();
    if let Err(error) = examine_data(&store, master.as_ref(), needs_credential, clock.now(), report).await {
        report.problem("database", error.to_string());
    }
    store.close().await;
    key
}

/// Opens the database. A file that is not there is not made.
async fn open(config: &Config, clock: Arc<dyn Clock>, report: &mut Report) -> Option<Store> {
    let file = config.database_url.strip_prefix("sqlite:").map(|path| path.split('?').next().unwrap_or(path));
    if let Some(path) = file.filter(|path| !Path::new(path).exists()) {
        report.problem("database", format!("{path} is not there: run `louver init` first"));
        return None;
    }
    match Store::open(&config.database_url, clock).await {
        Ok(store) => Some(store),
        Err(error) => {
            report.problem("database", error.to_string());
            None
        }
    }
}

async fn examine_data(
    store: &Store,
    master: Option<&MasterKey>,
    needs_credential: bool,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), StoreError> {
    let steps = schema(store).await?;
    report.ok("database", "reachable");
    if steps.done != steps.known {
        let cure = if steps.done < steps.known { "run `louver migrate`" } else { "run a newer program" };
        let found = format!("it has {} steps, this program knows {}: {cure}", steps.done, steps.known);
        report.problem("schema", found);
        return Ok(());
    }
    report.ok("schema", "current");
    let organizations = organizations::list(store).await?;
    match organizations.is_empty() {
        true => report.problem("organization", "there is none yet: run `louver init`"),
        false => report.ok("organization", "there"),
    }
    check_credentials(store, &organizations, master, needs_credential, report).await?;
    check_books(store, report).await?;
    audit::check_log(store, master, now, report).await?;
    check_leases(store, now, report).await?;
    check_blocked(store, now, report).await
}

/// Each stored credential is opened: only the right master key can.
async fn check_credentials(
    store: &Store,
    organizations: &[Organization],
    master: Option<&MasterKey>,
    needed: bool,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut stored = Vec::new();
    for organization in organizations {
        stored.extend(upstreams::list(store, organization.id).await?);
    }
    if stored.is_empty() {
        match needed {
            true => report.problem("upstream credentials", "there is none, in the settings or stored"),
            false => report.ok("upstream credentials", "none is stored; the settings' is used"),
        }
        return Ok(());
    }
    let Some(master) = master else { return Ok(()) };
    let closed = stored.iter().filter(|upstream| {
        let place = seal::Place::upstream(upstream.id, upstream.organization_id);
        master.open(&place, &upstream.sealed_key).is_err()
    });
    let problems = closed.map(|upstream| {
        format!("{:?} does not open: the master key is another one, or the row was changed", upstream.name)
    });
    report.all(
        "upstream credentials",
        problems.collect(),
        format!("{} open with the master key", stored.len()),
    );
    Ok(())
}

async fn check_books(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    let disagreements = verify::verify(store).await?;
    let problems = disagreements.iter().map(|verify::Disagreement { rule, place, sides: (left, right) }| {
        format!("not so: {rule}; at {place}: {left} against {right}")
    });
    report.all("books", problems.collect(), "they agree");
    Ok(())
}

async fn check_leases(store: &Store, now: Timestamp, report: &mut Report) -> Result<(), StoreError> {
    let stranded = unreturned::stranded(store, now).await?;
    let problems = stranded.iter().map(|lease| {
        format!(
            "{}; when nothing can be billed on it any more, release it: POST /v1/gateway/budgets/release \
             {{\"budget_id\": \"{}\", \"fence\": \"machine_destroyed\", \"credential_rotated\" or \"process_ended\"}}",
            held(lease),
            lease.budget
        )
    });
    report.all("stranded leases", problems.collect(), "none");
    let forgotten = unreturned::forgotten(store, now.plus_seconds(LONG_SECONDS.saturating_neg())).await?;
    let problems = forgotten.iter().map(|lease| {
        format!("{}, long after its end: start that node again, so that its journal is settled", held(lease))
    });
    report.all("leases of nodes", problems.collect(), "none is held long after its period");
    Ok(())
}

fn held(lease: &Unreturned) -> String {
    let amount = match lease.kind.unit() {
        Unit::Usd => format!("{} USD", Money::from_nanos(lease.amount).usd()),
        Unit::Tokens => format!("{} tokens", lease.amount),
    };
    format!(
        "{amount} of budget {} ({}) in the period from {} to {} are out with node {}",
        lease.budget,
        lease.kind.as_str(),
        lease.period.starts.rfc3339(),
        lease.period.ends.rfc3339(),
        lease.node
    )
}

async fn check_blocked(store: &Store, now: Timestamp, report: &mut Report) -> Result<(), StoreError> {
    let running = standings::running(store, now).await?;
    let problems = running.iter().filter(|standing| standing.blocked).map(|standing| {
        format!(
            "{} was billed more for a call than it could cost: look at prices and models, then POST \
             /v1/gateway/budgets/{}/unblock",
            standing.budget, standing.budget
        )
    });
    report.all("blocked budgets", problems.collect(), "none");
    Ok(())
}

/// Writes and removes a file in the journal's folder, or where the folder will be made.
fn check_journal(folder: Option<&Path>, report: &mut Report) {
    let Some(folder) = folder else { return report.problem("journal", NO_JOURNAL) };
    if folder.exists() && !folder.is_dir() {
        return report.problem("journal", format!("{} is no folder", folder.display()));
    }
    let there = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let probe: PathBuf = there.join(format!(".louver-doctor-{}", std::process::id()));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe).and_then(|mut file| {
            file.write_all(b"?")?;
            file.sync_all()
        });
    let removed = if probe.exists() { fs::remove_file(&probe) } else { Ok(()) };
    match written.and(removed) {
        Ok(()) if there == folder => report.ok("journal", format!("{} can be written", folder.display())),
        Ok(()) => report.ok("journal", format!("{} will be made at the first start", folder.display())),
        Err(error) => report.problem("journal", format!("{}: {error}", folder.display())),
    }
}
