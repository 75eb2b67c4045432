//! `louver keys rotate`: new secrets for one key, for several, or for all of a workspace; interrupted, it goes on.

use super::create::show_secret;
use super::secrets_folder::{Folder, Lies, Place};
use super::{filtered, find, path, secrets_path};
use crate::cli::cells::text;
use crate::cli::confirm::Confirm;
use crate::cli::failure::{End, Failure};
use crate::cli::figures;
use crate::cli::input;
use crate::cli::lookup::{DESTINATION, Found};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::client::segment;
use clap::Args;
use louver_domain::time::Timestamp;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const HELP: &str = "\
One key: its new secret is printed once.
Several keys or --all: new secrets go to files (--secrets-dir) or to secret destinations (--managed).

A run over several keys can be interrupted (Ctrl-C ends after the key at work) and started again: keys whose secret
lies in the folder, whose secret is younger than --older-than, or that are being rotated, are passed over. So no key is
rotated twice.";

#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct Rotate {
    /// Names or ids; - reads them from stdin, one a line
    #[arg(value_name = "NAME|ID", required_unless_present = "all", conflicts_with = "all")]
    keys: Vec<String>,
    /// All active keys, of the workspace where one is named
    #[arg(long)]
    all: bool,
    /// The workspace the keys are in
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
    /// How long the old secret goes on working, such as 24h; what the policy says when it is left out, 0s ends it at once
    #[arg(long, value_name = "SPAN", value_parser = figures::parse_span)]
    overlap: Option<String>,
    /// Pass over keys whose secret is younger; for several keys it is 1d when it is left out
    #[arg(long, value_name = "SPAN", value_parser = figures::parse_span)]
    older_than: Option<String>,
    /// Write each new secret to a file of its own in this folder, with mode 0600, before the next key is rotated
    #[arg(long, value_name = "DIR", conflicts_with = "managed")]
    secrets_dir: Option<PathBuf>,
    /// Let Louver rotate: it writes the new secrets to secret destinations, verifies them and retires the old ones
    #[arg(long)]
    managed: bool,
    /// Where Louver writes them, by name or id; what the policy says when it is left out
    #[arg(long, value_name = "NAME|ID", requires = "managed")]
    destination: Vec<String>,
    /// Print the secret of the one key and nothing else, for a pipe or a file
    #[arg(long, conflicts_with_all = ["all", "managed", "secrets_dir", "json"])]
    secret_only: bool,
    /// Show which keys would be rotated, and rotate none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: Confirm,
}

/// As far as the clocks of this machine and of the server may lie apart, in seconds.
const CLOCKS_DIFFER: i64 = 60;

/// What became of one key.
enum Outcome {
    Rotated(Map<String, Value>),
    /// It was passed over, and why.
    Left(String),
}

/// A run over several keys.
struct Run<'a> {
    session: &'a Session,
    command: &'a Rotate,
    folder: Option<Folder>,
    destinations: Vec<String>,
    /// Secrets that were made since then stay.
    young: Option<Timestamp>,
}

/// Rotates.
pub(super) async fn run(session: &Session, command: &Rotate) -> Result<(), Failure> {
    let keys = chosen(session, command).await?;
    let bulk = command.all || keys.len() > 1 || command.managed || command.secrets_dir.is_some();
    if bulk && !command.dry_run && !command.managed && command.secrets_dir.is_none() {
        return Err(Failure::usage("the new secrets of several keys must go somewhere")
            .hint("--secrets-dir DIR writes each to a file of its own.")
            .hint("--managed has Louver write them to secret destinations."));
    }
    if command.overlap.as_deref().and_then(figures::seconds) == Some(0) && !command.dry_run {
        command.confirm.ask("Rotate without an overlap? Whoever uses the old secret is refused at once.")?;
    }
    let usual = if bulk { Some("1d") } else { None };
    let span = command.older_than.as_deref().or(usual).and_then(figures::seconds);
    let young = match span {
        // The server's clock made those secrets.
        Some(span) => {
            let now = session.client.health("/healthz").await?.unwrap_or(session.now());
            Some(now.plus_seconds(span.saturating_neg()))
        }
        None => None,
    };
    let mut destinations = Vec::new();
    for name in &command.destination {
        destinations.push(DESTINATION.find(session, name).await?.id);
    }
    let folder = command.secrets_dir.as_deref().filter(|folder| !command.dry_run || folder.is_dir());
    let folder = folder.map(Folder::open).transpose()?;
    let run = Run { session, command, folder, destinations, young };
    match keys.as_slice() {
        [key] if !bulk && !command.dry_run => run.alone(key).await,
        keys => run.each(keys).await,
    }
}

async fn chosen(session: &Session, command: &Rotate) -> Result<Vec<Found>, Failure> {
    if command.all {
        let filters = super::Filters {
            workspace: command.workspace.clone(),
            name: None,
            search: None,
            status: Some(super::Status::Active),
            unused_days: None,
            owner: None,
        };
        let found =
            |key: &Value| Found { id: text(key, "id").to_owned(), name: text(key, "name").to_owned() };
        return Ok(filtered(session, &filters).await?.iter().map(found).collect());
    }
    let mut keys = Vec::new();
    for name in input::names(&command.keys)? {
        keys.push(find(session, &name, command.workspace.as_deref()).await?);
    }
    Ok(keys)
}

impl Run<'_> {
    /// One key, whose secret a person gets.
    async fn alone(&self, key: &Found) -> Result<(), Failure> {
        if let Some(why) = self.left(key).await? {
            return Err(Failure::failed(format!("the key {} was not rotated: {why}", key.name)));
        }
        let made = self.rotated(key).await?;
        show_secret(self.session, &made, "has a new secret", self.command.secret_only);
        if let Some(until) = Timestamp::parse(text(&made, "old_key_expires_at")) {
            let until = figures::moment(until, self.session.now());
            match self.command.secret_only {
                true => eprintln!("The old one works until {until}."),
                false => self.session.screen.say(format!("The old one works until {until}.")),
            }
        }
        Ok(())
    }

    /// The answer of an immediate rotation, which holds the secret.
    async fn rotated(&self, key: &Found) -> Result<Value, Failure> {
        let body =
            self.command.overlap.as_ref().map_or_else(|| json!({}), |overlap| json!({"overlap": overlap}));
        self.session.post(&path(&key.id, "/rotate"), &body).await
    }

    /// When its current secret was made.
    async fn made(&self, key: &Found) -> Result<Option<Timestamp>, Failure> {
        let secrets = self.session.whole(&secrets_path(&key.id)).await?;
        let current = secrets.iter().find(|secret| secret.get("current") == Some(&Value::Bool(true)));
        Ok(current.and_then(|secret| Timestamp::parse(text(secret, "created_at"))))
    }

    /// Why this key is passed over.
    async fn left(&self, key: &Found) -> Result<Option<String>, Failure> {
        let Some(young) = self.young else { return Ok(None) };
        let made = self.made(key).await?.filter(|made| *made > young);
        Ok(made.map(|made| format!("its secret is from {}", figures::moment(made, self.session.now()))))
    }

    /// An earlier run may have been cut off between its request and the answer: a key that has a new secret since then,
    /// which nobody got, is not rotated once more by itself.
    async fn refuse_lost(&self, key: &Found, place: &Place) -> Result<(), Failure> {
        let begun = place.begun_at().map(|at| at.plus_seconds(CLOCKS_DIFFER.saturating_neg()));
        match (begun, self.made(key).await?) {
            (Some(begun), Some(made)) if made >= begun => Err(Failure::failed(format!(
                "an earlier run was cut off while it rotated it, and did not get the new secret: rotate it alone with \
                 `louver keys rotate {}`, while the old one works",
                key.id
            ))),
            _ => Ok(()),
        }
    }

    async fn each(&self, keys: &[Found]) -> Result<(), Failure> {
        let stopped = stop_when_asked();
        let mut progress = Progress::new("Rotating", keys.len());
        let (mut rows, mut counts, mut failures) = (Vec::new(), (0_usize, 0_usize), Vec::new());
        for key in keys {
            if stopped.load(Ordering::SeqCst) {
                break;
            }
            progress.at(&key.name);
            let row = |result: &str| json!({"id": key.id, "name": key.name, "result": result});
            match self.one(key).await {
                Ok(Outcome::Rotated(more)) => {
                    counts.0 += 1;
                    rows.push(with(row(if self.command.dry_run { "would_rotate" } else { "rotated" }), more));
                }
                Ok(Outcome::Left(why)) => {
                    counts.1 += 1;
                    progress.note(&format!("{} is passed over: {why}", key.name));
                    rows.push(with(row("passed_over"), Map::from_iter([("reason".to_owned(), why.into())])));
                }
                Err(failure) => {
                    let why = failure.message().to_owned();
                    progress.note(&format!("{} failed: {why}", key.name));
                    rows.push(with(row("failed"), Map::from_iter([("error".to_owned(), why.into())])));
                    let unreached = failure.end() == End::Unreached;
                    failures.push(failure);
                    if unreached {
                        break;
                    }
                }
            }
            progress.step();
        }
        drop(progress);
        self.told(keys.len(), &rows, counts);
        self.ended(keys.len().saturating_sub(rows.len()), failures)
    }

    /// The sum of a run.
    fn told(&self, of: usize, rows: &[Value], (rotated, left): (usize, usize)) {
        if self.session.screen.json {
            return self.session.screen.json(&Value::Array(rows.to_vec()));
        }
        let verb = match (self.command.dry_run, self.command.managed) {
            (true, _) => "would be rotated",
            (false, true) => "are being rotated",
            (false, false) => "were rotated",
        };
        for row in rows.iter().filter(|_| self.command.dry_run) {
            self.session.screen.say(format!(
                "{}  {}  {}",
                text(row, "name"),
                text(row, "id"),
                text(row, "result")
            ));
        }
        self.session.screen.say(format!("{rotated} of {of} keys {verb}, {left} were passed over."));
        match &self.command.secrets_dir {
            Some(folder) if rotated > 0 && !self.command.dry_run => {
                self.session.screen.say(format!("Their secrets are in {}.", folder.display()));
            }
            _ if self.command.managed && rotated > 0 && !self.command.dry_run => {
                self.session.screen.say("`louver rotation list` shows how far they are.");
            }
            _ => {}
        }
    }

    fn ended(&self, untouched: usize, failures: Vec<Failure>) -> Result<(), Failure> {
        let again = "Run the same command again to go on; what is done is passed over.";
        match (failures.into_iter().next(), untouched) {
            (Some(first), _) => Err(Failure::new(first.end(), first.message()).hint(again)),
            (None, 0) => Ok(()),
            (None, _) => {
                Err(Failure::new(End::Interrupted, format!("stopped; {untouched} keys are left")).hint(again))
            }
        }
    }

    async fn one(&self, key: &Found) -> Result<Outcome, Failure> {
        let place = self.folder.as_ref().map(|folder| folder.place(&key.name, &key.id));
        let lies = place.as_ref().map_or(Lies::Nothing, Place::lies);
        if lies == Lies::Secret {
            return Ok(Outcome::Left("its new secret lies in the folder already".into()));
        }
        if let (Lies::Begun, Some(place)) = (lies, &place) {
            self.refuse_lost(key, place).await?;
        }
        if let Some(why) = self.left(key).await? {
            return Ok(Outcome::Left(why));
        }
        if self.command.managed {
            return self.begun(key).await;
        }
        match (self.command.dry_run, place) {
            (true, _) | (_, None) => Ok(Outcome::Rotated(Map::new())),
            (false, Some(place)) => self.kept(key, &place).await,
        }
    }

    /// Rotates a key, with room for its secret made before.
    async fn kept(&self, key: &Found, place: &Place) -> Result<Outcome, Failure> {
        let file = place.begin()?;
        let made = match self.rotated(key).await {
            Ok(made) => made,
            Err(failure) => {
                // Where nobody knows whether it was done, the part file says so to the next run.
                if failure.end() != End::Unreached {
                    place.give_up();
                }
                return Err(failure);
            }
        };
        if let Err(error) = place.finish(file, text(&made, "key")) {
            return Err(Failure::failed(format!(
                "its new secret could not be written ({error}): rotate it alone with `louver keys rotate {}`",
                key.id
            )));
        }
        let until = made.get("old_key_expires_at").cloned().unwrap_or_default();
        let file = place.path().display().to_string();
        Ok(Outcome::Rotated(Map::from_iter([
            ("file".to_owned(), file.into()),
            ("old_key_expires_at".to_owned(), until),
        ])))
    }

    /// Begins a managed rotation, unless one runs.
    async fn begun(&self, key: &Found) -> Result<Outcome, Failure> {
        let path = format!("/v1/gateway/rotations?key_id={}", segment(&key.id));
        let all = self.session.list(&path, "id").await?;
        if let Some(running) = all.iter().find(|one| !matches!(text(one, "state"), "done" | "cancelled")) {
            return Ok(Outcome::Left(format!("it is being rotated ({})", text(running, "state"))));
        }
        if self.command.dry_run {
            return Ok(Outcome::Rotated(Map::new()));
        }
        let mut body = json!({"key_id": key.id});
        let destinations = Some(&self.destinations).filter(|some| !some.is_empty()).map(|some| json!(some));
        for (name, value) in
            [("destinations", destinations), ("overlap", self.command.overlap.clone().map(Value::from))]
        {
            if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
                members.insert(name.to_owned(), value);
            }
        }
        let begun = self.session.post("/v1/gateway/rotations", &body).await?;
        let id = begun.get("id").cloned().unwrap_or_default();
        Ok(Outcome::Rotated(Map::from_iter([("rotation_id".to_owned(), id)])))
    }
}

fn with(mut row: Value, more: Map<String, Value>) -> Value {
    if let Some(members) = row.as_object_mut() {
        members.extend(more);
    }
    row
}

/// Says when a person asked to stop: the key at work is finished first, so that no secret is lost.
fn stop_when_asked() -> Arc<AtomicBool> {
    let stopped = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stopped);
    tokio::spawn(async move {
        crate::cli::asked_to_stop().await;
        seen.store(true, Ordering::SeqCst);
        eprintln!("\nlouver: stopping after this key");
    });
    stopped
}
