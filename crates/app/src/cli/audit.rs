//! `louver audit`: proves the audit log, takes it out, and shows the key to check it with; offline.

mod report;

use super::Place;
use crate::clock::SystemClock;
use crate::config::{Config, Environment};
use crate::master_key;
use clap::{Args, Subcommand};
use louver_control::actions::audit as actions;
use louver_control::auditing::files;
use louver_control::auditing::sinks::Sink;
use louver_control::context::Context;
use louver_domain::audit::checkpoint::{PublicKey, Signed};
use louver_domain::id::OrganizationId;
use louver_domain::time::Timestamp;
use louver_store::audit::query::Filter;
use louver_store::audit::verify;
use louver_store::{Store, organizations, schema};
use report::Report;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prove the audit log, take it out, show its key.
#[derive(Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Walk the log of each organization, or an exported file, and tell every fault
    Verify(Verify),
    /// Write the log of the organization to stdout as lines of JSON
    Export(Export),
    /// Print the key that the checkpoints are checked with: keep it where you keep them
    PublicKey {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
struct Verify {
    #[command(flatten)]
    place: Place,
    /// The file that a sink wrote checkpoints to: finds a tail that was written anew or cut off. Without it, the file of
    /// the settings is taken
    #[arg(long)]
    checkpoints: Option<PathBuf>,
    /// The key to check signatures with, 64 hexadecimal digits; else it is made from the master key
    #[arg(long)]
    public_key: Option<String>,
    /// An exported file to check in place of the database
    #[arg(long)]
    file: Option<PathBuf>,
    /// The file holds only a part, such as a filtered export: gaps are no fault
    #[arg(long, requires = "file")]
    partial: bool,
    /// Print one line of JSON, for scripts
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Export {
    #[command(flatten)]
    place: Place,
    /// The id of the organization, where there are several
    #[arg(long)]
    organization: Option<String>,
    /// Not before this time or date
    #[arg(long)]
    from: Option<String>,
    /// Before this time or date
    #[arg(long)]
    to: Option<String>,
}

/// Runs the command; faults that are found are an error.
pub(super) async fn run(command: Audit, environment: &Environment) -> Result<(), Vec<String>> {
    match command.action {
        Action::Verify(command) => verify(&command, environment).await,
        Action::Export(command) => export(&command, environment).await.map_err(|error| vec![error]),
        Action::PublicKey { place } => {
            println!("{}", key_of(&place.config(environment)?).map_err(|error| vec![error])?);
            Ok(())
        }
    }
}

fn key_of(config: &Config) -> Result<PublicKey, String> {
    let master = master_key::read(&config.master_key_file)?;
    Ok(master.audit_key().map_err(|error| error.to_string())?.public())
}

/// The key that was given, or the installation's.
fn key(command: &Verify, environment: &Environment) -> Result<PublicKey, Vec<String>> {
    match &command.public_key {
        Some(text) => PublicKey::parse(text).ok_or(vec!["a public key has 64 hexadecimal digits".into()]),
        None => key_of(&command.place.config(environment)?).map_err(|error| vec![error]),
    }
}

async fn verify(command: &Verify, environment: &Environment) -> Result<(), Vec<String>> {
    let key = key(command, environment)?;
    let mut report = Report::default();
    let outside = match checkpoints_of(command, environment)? {
        Some(path) => kept_outside(&path, &mut report).map_err(|error| vec![error])?,
        None => vec![],
    };
    match &command.file {
        Some(path) => {
            let checked =
                files::export(open(path).map_err(|error| vec![error])?, &key, &outside, command.partial);
            let checked = checked.map_err(|error| vec![format!("{}: {error}", path.display())])?;
            report.file(checked);
        }
        None => walk(&command.place.config(environment)?, &key, &outside, &mut report)
            .await
            .map_err(|error| vec![error])?,
    }
    report.print(command.json);
    match report.findings() {
        0 => Ok(()),
        1 => Err(vec!["1 fault was found".into()]),
        many => Err(vec![format!("{many} faults were found")]),
    }
}

/// The file that was named, else the one that the settings have checkpoints written to, where it is there.
fn checkpoints_of(command: &Verify, environment: &Environment) -> Result<Option<PathBuf>, Vec<String>> {
    if command.checkpoints.is_some() || command.file.is_some() {
        return Ok(command.checkpoints.clone());
    }
    let sinks = command.place.config(environment)?.audit.sinks;
    let files = sinks.into_iter().filter_map(|sink| match sink {
        Sink::File(path) => Some(path),
        Sink::Unix(_) | Sink::Udp(_) => None,
    });
    Ok(files.into_iter().find(|path| path.exists()))
}

fn open(path: &Path) -> Result<BufReader<File>, String> {
    File::open(path).map(BufReader::new).map_err(|error| format!("{}: {error}", path.display()))
}

fn kept_outside(path: &Path, report: &mut Report) -> Result<Vec<Signed>, String> {
    let (outside, unread) =
        files::checkpoints(open(path)?).map_err(|error| format!("{}: {error}", path.display()))?;
    for number in unread {
        report.unreadable(format!("line {number} of {} holds no checkpoint", path.display()));
    }
    if outside.is_empty() {
        report.unreadable(format!("{} holds no checkpoint at all", path.display()));
    }
    Ok(outside)
}

async fn walk(
    config: &Config,
    key: &PublicKey,
    outside: &[Signed],
    report: &mut Report,
) -> Result<(), String> {
    let store = opened(config).await?;
    let result = verify::verify(&store, key, outside).await;
    store.close().await;
    result.map_err(|error| error.to_string())?.into_iter().for_each(|verdict| report.chain(verdict));
    Ok(())
}

/// The database as it is: nothing is made or brought up to date.
async fn opened(config: &Config) -> Result<Store, String> {
    let file = config.database_url.strip_prefix("sqlite:").map(|path| path.split('?').next().unwrap_or(path));
    if let Some(path) = file.filter(|path| !Path::new(path).exists()) {
        return Err(format!("{path} is not there"));
    }
    let store = Store::open(&config.database_url, Arc::new(SystemClock::new())).await;
    let store = store.map_err(|error| error.to_string())?;
    let steps = schema(&store).await.map_err(|error| error.to_string())?;
    match steps.done == steps.known {
        true => Ok(store),
        false => Err("the schema of the database is not this program's: run `louver migrate`".into()),
    }
}

async fn export(command: &Export, environment: &Environment) -> Result<(), String> {
    let time = |text: &Option<String>, name: &str| match text.as_deref().map(Timestamp::parse) {
        None => Ok(None),
        Some(Some(time)) => Ok(Some(time)),
        Some(None) => Err(format!("--{name} takes an RFC 3339 time or a date")),
    };
    let (from, to) = (time(&command.from, "from")?, time(&command.to, "to")?);
    let config = command.place.config(environment).map_err(|errors| errors.join("; "))?;
    opened(&config).await?.close().await;
    let control = super::offline(super::parts(&config).await.map_err(|errors| errors.join("; "))?);
    let organization = organization(&control.store, command.organization.as_deref()).await;
    let result = async {
        let context = Context::system(organization?, control.clock.now());
        let filter = Filter { from, to, ..Filter::default() };
        let mut export = actions::export(&control, &context, filter).await.map_err(|e| e.to_string())?;
        let mut out = std::io::stdout().lock();
        while let Some(text) = export.next().await.map_err(|e| e.to_string())? {
            out.write_all(text.as_bytes()).map_err(|e| e.to_string())?;
        }
        out.flush().map_err(|e| e.to_string())
    };
    let result = result.await;
    control.store.close().await;
    result
}

async fn organization(store: &Store, named: Option<&str>) -> Result<OrganizationId, String> {
    let all = organizations::list(store).await.map_err(|error| error.to_string())?;
    match (named, all.as_slice()) {
        (Some(text), all) => {
            let id = OrganizationId::parse(text).filter(|id| all.iter().any(|known| known.id == *id));
            id.ok_or_else(|| format!("there is no organization {text}"))
        }
        (None, [only]) => Ok(only.id),
        (None, []) => Err("there is no organization yet: run `louver init` first".into()),
        (None, _) => Err("there are several organizations: name one with --organization".into()),
    }
}
