//! `louver rotation policies`: how often Louver rotates by itself, and how.

use crate::cli::cells;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::lookup::{DESTINATION, WORKSPACE, bare};
use crate::cli::session::Session;
use crate::cli::settings::{body, choice, count};
use crate::cli::table::Cell;
use crate::client::segment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// What a policy says. Each takes `none`; what no policy says comes from the level above.
#[derive(Args)]
pub(super) struct Settings {
    /// After how many days a secret is rotated
    #[arg(long, value_name = "N|none", value_parser = count)]
    period_days: Option<Value>,
    /// How many hours the old secret goes on working
    #[arg(long, value_name = "N|none", value_parser = count)]
    overlap_hours: Option<Value>,
    /// How many seconds a written secret gets to reach everybody who reads it
    #[arg(long, value_name = "N|none", value_parser = count)]
    propagation_seconds: Option<Value>,
    /// What happens when the old secret is still used near its end: hold keeps it and alarms, cut ends it
    #[arg(long, value_name = "hold|cut|none", value_parser = choice)]
    on_old_use: Option<Value>,
    /// Rotations begin from this time of the day on, such as 02:30, in the workspace's time zone
    #[arg(long, value_name = "HH:MM|none", value_parser = choice)]
    window_start: Option<Value>,
    /// And before this one
    #[arg(long, value_name = "HH:MM|none", value_parser = choice)]
    window_end: Option<Value>,
    /// Over how many hours the begins of rotations are spread
    #[arg(long, value_name = "N|none", value_parser = count)]
    jitter_hours: Option<Value>,
    /// How many days before people are reminded
    #[arg(long, value_name = "N|none", value_parser = count)]
    remind_days: Option<Value>,
    /// Where new secrets are written, by name or id; none takes them away
    #[arg(long, value_name = "NAME|ID|none")]
    destination: Vec<String>,
    /// More of the policy as a JSON object of a file, or - for stdin
    #[arg(long, value_name = "FILE")]
    json_body: Option<String>,
}

#[derive(Args)]
#[group(id = "scope", required = true, multiple = false)]
pub(super) struct Scope {
    /// For the whole organization
    #[arg(long)]
    organization: bool,
    /// For this workspace, by name or id
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
    /// For this key, by name or id
    #[arg(long, value_name = "NAME|ID")]
    key: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the policies that are set
    List,
    /// Set a policy for the organization, a workspace or a key; what is not named stays
    Set {
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

const PATH: &str = "/v1/gateway/rotation-policies";
/// The members of a policy that say where it stands.
const PLACE: [&str; 4] = ["object", "scope", "scope_id", "id"];

/// Does what was asked.
pub(super) async fn run(session: &Session, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List => {
            let all = session.list(PATH, "scope_id").await?;
            let nothing = "No policy is set: Louver rotates nothing by itself.";
            let names = if session.screen.json { Default::default() } else { named(session, &all).await };
            let titles = ["SCOPE", "OF", "EVERY", "OVERLAP", "STILL USED", "FROM", "UNTIL", "DESTINATIONS"];
            session.screen.list(&all, nothing, &titles, |policy| {
                let name = |id: &str| names.get(&bare(id)).cloned().unwrap_or_else(|| id.to_owned());
                let ids = policy.get("destinations").and_then(Value::as_array).into_iter().flatten();
                let destinations: Vec<String> = ids.filter_map(Value::as_str).map(name).collect();
                vec![
                    cells::name(policy, "scope"),
                    Cell::new(name(cells::text(policy, "scope_id"))),
                    cells::amount(policy, "period_days", "d"),
                    cells::amount(policy, "overlap_hours", "h"),
                    cells::plain(policy, "on_old_use"),
                    cells::plain(policy, "window_start"),
                    cells::plain(policy, "window_end"),
                    if destinations.is_empty() { Cell::none() } else { Cell::new(destinations.join(", ")) },
                ]
            });
            Ok(())
        }
        Action::Set { scope, settings } => set(session, scope, settings).await,
    }
}

/// Keys whose names are looked up; of more, the ids are shown.
const MOST_KEYS: usize = 50;

/// The names of what policies name by id, where they may be seen.
async fn named(session: &Session, policies: &[Value]) -> HashMap<String, String> {
    let mut names = HashMap::new();
    // There may be very many keys, and few with a policy of their own.
    let keys = policies.iter().filter(|policy| cells::text(policy, "scope") == "key").take(MOST_KEYS);
    for id in keys.map(|policy| cells::text(policy, "scope_id")) {
        if let Ok(key) = session.get(&format!("/v1/api-keys/{}", segment(id))).await {
            names.insert(bare(id), cells::text(&key, "name").to_owned());
        }
    }
    for kind in [&WORKSPACE, &DESTINATION] {
        let all = kind.all(session).await.unwrap_or_default();
        names.extend(
            all.iter().map(|item| (bare(cells::text(item, "id")), cells::text(item, "name").to_owned())),
        );
    }
    if let Ok(organization) = session.get("/v1/gateway/organization").await {
        let id = bare(cells::text(&organization, "id"));
        names.insert(id, cells::text(&organization, "name").to_owned());
    }
    names
}

async fn set(session: &Session, scope: &Scope, settings: &Settings) -> Result<(), Failure> {
    let given = given(session, settings).await?;
    if given.is_empty() {
        return Err(Failure::usage("say what to set, such as --period-days 90"));
    }
    let (scope, id) = place(session, scope).await?;
    // The API sets a policy whole: what is not named here stays as it is.
    let (there, tag) = session.tagged(&one(scope, &id)).await?;
    let mut body = there.as_object().cloned().unwrap_or_default();
    body.retain(|name, _| !PLACE.contains(&name.as_str()) && !name.ends_with("_at"));
    body.extend(given);
    body.insert("scope".into(), scope.into());
    body.insert("scope_id".into(), id.into());
    let answer = session.put_if(PATH, &Value::Object(body), tag.as_deref()).await?;
    let empty = answer.as_object().is_none_or(|members| {
        members.iter().all(|(name, value)| PLACE.contains(&name.as_str()) || value.is_null())
    });
    let now = if empty { "says nothing any more and is gone" } else { "is set" };
    session.screen.done(&answer, format!("The rotation policy of the {scope} {now}."));
    if cells::text(&answer, "period_days").is_empty()
        && answer.get("period_days").is_none_or(Value::is_null)
        && !empty
    {
        session.screen.say("It names no period itself: without one further out nothing is rotated by it.");
    }
    Ok(())
}

/// Where the policy of one scope is read.
fn one(scope: &str, id: &str) -> String {
    match scope {
        "organization" => format!("{PATH}/organization"),
        other => format!("{PATH}/{other}s/{}", segment(id)),
    }
}

async fn given(session: &Session, settings: &Settings) -> Result<Map<String, Value>, Failure> {
    let mut given = settings.json_body.as_deref().map(input::object).transpose()?.unwrap_or_default();
    given.extend(body(&[
        ("period_days", &settings.period_days),
        ("overlap_hours", &settings.overlap_hours),
        ("propagation_seconds", &settings.propagation_seconds),
        ("on_old_use", &settings.on_old_use),
        ("window_start", &settings.window_start),
        ("window_end", &settings.window_end),
        ("jitter_hours", &settings.jitter_hours),
        ("remind_days", &settings.remind_days),
    ]));
    if settings.destination.iter().any(|name| name == "none") {
        given.insert("destinations".into(), Value::Null);
    } else if !settings.destination.is_empty() {
        let mut ids = Vec::new();
        for name in &settings.destination {
            ids.push(DESTINATION.find(session, name).await?.id);
        }
        given.insert("destinations".into(), json!(ids));
    }
    Ok(given)
}

async fn place(session: &Session, scope: &Scope) -> Result<(&'static str, String), Failure> {
    if let Some(key) = &scope.key {
        return Ok(("key", crate::cli::keys::find(session, key, None).await?.id));
    }
    if let Some(workspace) = &scope.workspace {
        return Ok(("workspace", WORKSPACE.find(session, workspace).await?.id));
    }
    let organization = session.get("/v1/gateway/organization").await?;
    Ok(("organization", cells::text(&organization, "id").to_owned()))
}
