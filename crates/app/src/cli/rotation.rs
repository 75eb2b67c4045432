//! `louver rotation`: what runs, the policies by which Louver rotates by itself, and where new secrets are written.

mod admin_keys;
mod destinations;
mod policies;

use super::cells::{self, text};
use super::confirm::Confirm;
use super::failure::{Failure, finish};
use super::figures;
use super::lookup::{ADMIN_KEY, DESTINATION, UPSTREAM, WORKSPACE};
use super::session::{Session, Shared};
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver rotation destinations create vault --kind vault --settings vault.json --credentials -
  louver rotation destinations test vault
  louver rotation policies set --workspace prod-workspace --period-days 90 --destination vault
  louver rotation start --key prod-backend
  louver rotation start --upstream main
  louver rotation list

`louver keys rotate` gives the new secret to you; a rotation that Louver leads writes it to a destination, verifies it
there, and retires the old one by itself.";

/// Rotation of secrets: policies, what runs, and the destinations that secrets are written to
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Rotation {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

/// Whose secret is rotated.
#[derive(Args)]
#[group(id = "subject", required = true, multiple = false)]
struct Subject {
    /// An API key, by name or id
    #[arg(long, value_name = "NAME|ID")]
    key: Option<String>,
    /// An admin key, by name or id
    #[arg(long, value_name = "NAME|ID")]
    admin_key: Option<String>,
    /// An upstream credential, by name or id
    #[arg(long, value_name = "NAME|ID")]
    upstream: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// List the rotations
    List {
        /// Only of this key, by name or id
        #[arg(long, value_name = "NAME|ID")]
        key: Option<String>,
        /// Only of this upstream credential, by name or id
        #[arg(long, value_name = "NAME|ID", conflicts_with = "key")]
        upstream: Option<String>,
        /// Only of keys of this workspace
        #[arg(long, value_name = "NAME|ID")]
        workspace: Option<String>,
        /// Only those in this state, such as overlapping; live is all that go on
        #[arg(long)]
        state: Option<String>,
    },
    /// Show one, with its last error
    Show {
        /// Its id
        id: String,
    },
    /// Begin one; the new secret goes to the destinations and is never shown
    Start {
        #[command(flatten)]
        subject: Subject,
        /// Where the new secret is written, by name or id; what the policy says when it is left out
        #[arg(long, value_name = "NAME|ID")]
        destination: Vec<String>,
        /// How long the old secret goes on working, such as 24h
        #[arg(long, value_name = "SPAN", value_parser = figures::parse_span)]
        overlap: Option<String>,
        /// The old secret is known to others: retire it as soon as the new one is there
        #[arg(long)]
        emergency: bool,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Try the step that waits again now
    Retry {
        /// Its id
        id: String,
    },
    /// Cancel one and write the old secret back, while it works
    Cancel {
        /// Its id
        id: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// The policies by which Louver rotates by itself
    #[command(subcommand)]
    Policies(policies::Action),
    /// Where new secrets are written
    #[command(subcommand)]
    Destinations(destinations::Action),
    /// Admin keys: which secrets of them work, and a new one
    #[command(subcommand)]
    AdminKeys(admin_keys::Action),
}

const PATH: &str = "/v1/gateway/rotations";

fn path(id: &str, rest: &str) -> String {
    format!("{PATH}/{}{rest}", segment(id))
}

/// Does what was asked.
pub(super) async fn run(command: &Rotation, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Rotation, environment: &Environment) -> Result<(), Failure> {
    let session = &command.shared.session(environment)?;
    match &command.action {
        Action::List { key, upstream, workspace, state } => {
            let of = (key.as_deref(), upstream.as_deref());
            list(session, of, workspace.as_deref(), state.as_deref()).await
        }
        Action::Show { id } => {
            show(session, &session.get(&path(id, "")).await?);
            Ok(())
        }
        Action::Start { subject, destination, overlap, emergency, confirm } => {
            let mut body = subject.body(session).await?;
            if *emergency {
                confirm.ask(
                    "Rotate at once, without an overlap? Whoever uses the old secret is refused soon.",
                )?;
                body.insert("emergency".into(), true.into());
            }
            let mut ids = Vec::new();
            for name in destination {
                ids.push(DESTINATION.find(session, name).await?.id);
            }
            body.extend(Some(("destinations".to_owned(), ids.into())).filter(|_| !destination.is_empty()));
            body.extend(overlap.iter().map(|overlap| ("overlap".to_owned(), overlap.as_str().into())));
            let begun = session.post(PATH, &Value::Object(body)).await?;
            session.screen.done(&begun, format!("The rotation has begun: {}", text(&begun, "id")));
            session.screen.say(format!("`louver rotation show {}` shows how far it is.", text(&begun, "id")));
            Ok(())
        }
        Action::Retry { id } => {
            show(session, &session.act(&path(id, "/retry")).await?);
            Ok(())
        }
        Action::Cancel { id, confirm } => {
            confirm.ask(&format!("Cancel the rotation {id}, and write the old secret back?"))?;
            show(session, &session.act(&path(id, "/cancel")).await?);
            Ok(())
        }
        Action::Policies(action) => policies::run(session, action).await,
        Action::Destinations(action) => destinations::run(session, action).await,
        Action::AdminKeys(action) => admin_keys::run(session, action).await,
    }
}

impl Subject {
    async fn body(&self, session: &Session) -> Result<Map<String, Value>, Failure> {
        let (member, id) = match (&self.key, &self.admin_key, &self.upstream) {
            (Some(key), _, _) => ("key_id", super::keys::find(session, key, None).await?.id),
            (_, Some(key), _) => ("admin_key_id", ADMIN_KEY.find(session, key).await?.id),
            (_, _, Some(upstream)) => ("upstream_id", UPSTREAM.find(session, upstream).await?.id),
            (None, None, None) => {
                return Err(Failure::usage("name what to rotate: --key, --admin-key or --upstream"));
            }
        };
        Ok(Map::from_iter([(member.to_owned(), id.into())]))
    }
}

async fn list(
    session: &Session,
    (key, upstream): (Option<&str>, Option<&str>),
    workspace: Option<&str>,
    state: Option<&str>,
) -> Result<(), Failure> {
    let mut query = Vec::new();
    if let Some(key) = key {
        query.push(format!("key_id={}", segment(&super::keys::find(session, key, workspace).await?.id)));
    }
    if let Some(upstream) = upstream {
        query.push(format!("upstream_id={}", segment(&UPSTREAM.find(session, upstream).await?.id)));
    }
    if let Some(workspace) = WORKSPACE.find_some(session, workspace).await? {
        query.push(format!("workspace_id={}", segment(&workspace.id)));
    }
    query.extend(state.map(|state| format!("state={}", segment(state))));
    let mark = if query.is_empty() { "" } else { "?" };
    let all = session.list(&format!("{PATH}{mark}{}", query.join("&")), "id").await?;
    let now = session.now();
    let titles = [
        "ID",
        "OF",
        "KIND",
        "STATE",
        "BEGUN",
        "NEW SECRET USED",
        "OLD SECRET UNTIL",
        "TRIES",
        "NEXT TRY",
        "LAST ERROR",
    ];
    session.screen.list(&all, "There are no rotations.", &titles, |rotation| {
        vec![
            cells::id(rotation, "id"),
            cells::name(rotation, "name"),
            cells::plain(rotation, "subject"),
            cells::state(text(rotation, "state")),
            cells::ago(rotation, "created_at", now, "-"),
            cells::ago(rotation, "observed_at", now, "-"),
            cells::ago(rotation, "old_key_expires_at", now, "-"),
            cells::plain(rotation, "attempts"),
            cells::ago(rotation, "next_at", now, "-"),
            cells::plain(rotation, "last_error"),
        ]
    });
    Ok(())
}

fn show(session: &Session, rotation: &Value) {
    session.screen.one(rotation, || {
        let now = session.now();
        vec![
            ("Id", cells::plain(rotation, "id")),
            ("Of", cells::name(rotation, "name")),
            ("Kind", cells::plain(rotation, "subject")),
            ("State", cells::state(text(rotation, "state"))),
            ("Since", cells::moment(rotation, "state_since", now, "-")),
            ("Begun", cells::moment(rotation, "created_at", now, "-")),
            ("Begun by", cells::plain(rotation, "started_by")),
            ("Emergency", cells::plain(rotation, "emergency")),
            ("Tries", cells::plain(rotation, "attempts")),
            ("Next try", cells::moment(rotation, "next_at", now, "-")),
            ("Last error", cells::plain(rotation, "last_error")),
            ("New one verified", cells::moment(rotation, "verified_at", now, "not yet")),
            ("New one first used", cells::moment(rotation, "observed_at", now, "not seen")),
            (
                "Old one works until",
                cells::moment(rotation, "old_key_expires_at", now, "it is told otherwise"),
            ),
            ("Old one still used", cells::plain(rotation, "on_old_use")),
            ("Destinations", cells::plain(rotation, "destinations")),
        ]
    });
}
