//! `louver reconcile`: compares the ledger with the upstream's own usage report, and posts what lies between on command.

mod drift;
mod report;

use super::remote::Remote;
use crate::client::{Client, segment};
use crate::config::Environment;
use clap::Args;
use drift::{Cell, Drift, Sums, Unit};
use louver_domain::calendar::{Window, Zone};
use louver_domain::endpoints::{Billing, EndpointKind};
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use report::Report;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Compare the ledger with the upstream's own usage report.
#[derive(Args)]
pub(super) struct Reconcile {
    /// A month such as 2026-11
    #[arg(long, conflicts_with_all = ["from", "to"], required_unless_present = "from")]
    month: Option<String>,
    /// From that day on (UTC)
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// Until before that day (UTC)
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// Only this workspace of Louver, by name or id
    #[arg(long)]
    workspace: Option<String>,
    /// A TOML file whose section `[workspaces]` says which workspaces each upstream workspace serves; without it, all of
    /// Louver is compared with the whole report
    #[arg(long)]
    map: Option<PathBuf>,
    /// Print one JSON object, for scripts
    #[arg(long)]
    json: bool,
    /// Post what lies between as adjustments
    #[arg(long, requires = "reason")]
    post: bool,
    /// Why, for the audit log and the adjustments
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask before posting
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

const UPSTREAM: &str = "https://api.mistral.ai";
const DRIFT: u8 = 1;
const FAILED: u8 = 2;

/// Which upstream workspace serves which of ours.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    workspaces: BTreeMap<String, Served>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Served {
    One(String),
    Several(Vec<String>),
}

/// What is compared with one report.
struct Group {
    /// The upstream workspace; `None` is all of them.
    upstream: Option<String>,
    /// Our workspaces, id and name.
    ours: Vec<(String, String)>,
}

/// What came of one comparison.
struct Compared {
    group: Group,
    drifts: Vec<Drift>,
    unknown: BTreeSet<String>,
}

/// Compares, shows, and posts when told so: 0 without drift, 1 with some left, 2 when something failed.
pub(super) async fn run(command: &Reconcile, environment: &Environment) -> ExitCode {
    match reconcile(command, environment).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DRIFT),
        Err(error) => {
            eprintln!("louver: {error}");
            ExitCode::from(FAILED)
        }
    }
}

async fn reconcile(command: &Reconcile, environment: &Environment) -> Result<bool, String> {
    let (from, to) = span(command)?;
    let map = command.map.as_deref().map(read_map).transpose()?;
    let ours = command.remote.client(environment).map_err(|errors| errors.join("\n"))?;
    let theirs = upstream(environment)?;
    let groups = groups(&ours, map, command.workspace.as_deref()).await?;
    let names = names(&ours).await?;
    let ledger = ledger(&ours, from, to).await?;
    let mut all = Vec::new();
    for group in groups {
        let mut report = Report::default();
        for month in months(from, to) {
            let answer: Value = theirs.get(&path(&month, group.upstream.as_deref())).await.map_err(said)?;
            report.add(&answer, from, to, &names)?;
        }
        let mut own = Sums::new();
        for sums in group.ours.iter().filter_map(|(id, _)| ledger.get(id)) {
            for (cell, count) in sums {
                let sum = own.entry(cell.clone()).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        let drifts = drift::between(&own, &report.sums);
        all.push(Compared { group, drifts, unknown: report.unknown });
    }
    let mut posted = Vec::new();
    if !command.json {
        show(&all);
    }
    if command.post && agreed(command, &all)? {
        posted = post(command, &ours, &all).await;
    }
    Ok(finish(command, &all, &posted))
}

/// The days that are compared, whole ones in UTC.
fn span(command: &Reconcile) -> Result<(Timestamp, Timestamp), String> {
    let day = |text: &str| {
        let at = Timestamp::parse(text).filter(|at| text.len() == 10 && at.floor(Window::Day) == *at);
        at.ok_or_else(|| format!("{text:?} is no day such as 2026-11-21"))
    };
    if let Some(month) = &command.month {
        let first = Timestamp::parse(&format!("{month}-01")).filter(|_| month.len() == 7);
        let first = first.ok_or_else(|| format!("{month:?} is no month such as 2026-11"))?;
        let period = Window::Month.period(&Zone::default(), first);
        return Ok((period.starts, period.ends));
    }
    let (from, to) = (command.from.as_deref(), command.to.as_deref());
    let (from, to) = (day(from.unwrap_or_default())?, day(to.unwrap_or_default())?);
    if from < to { Ok((from, to)) } else { Err("--to must be after --from".into()) }
}

/// The first days of the months in `[from, to)`.
fn months(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let mut all = Vec::new();
    let mut first = from.floor(Window::Month);
    while first < to {
        all.push(first);
        first = Window::Month.period(&Zone::default(), first).ends;
    }
    all
}

fn path(month: &Timestamp, workspace: Option<&str>) -> String {
    let text = month.rfc3339();
    let part = |range| text.get(range).unwrap_or_default();
    let narrowed = workspace.map(|id| format!("&workspace_id={}", segment(id))).unwrap_or_default();
    format!("/v1/admin/usage?year={}&month={}{narrowed}", part(0..4), part(5..7))
}

fn read_map(path: &Path) -> Result<Map, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))
}

/// The upstream's admin API. Its key comes from the environment and is kept nowhere.
fn upstream(environment: &Environment) -> Result<Client, String> {
    let of = |name: &str| environment.get(name).filter(|value| !value.trim().is_empty());
    let key = of("LOUVER_UPSTREAM_ADMIN_KEY").ok_or_else(|| {
        "LOUVER_UPSTREAM_ADMIN_KEY is not set: it holds an admin key of the upstream".to_owned()
    })?;
    let url = of("LOUVER_UPSTREAM_ADMIN_URL").map_or(UPSTREAM, String::as_str);
    let client = Client::new(url, &Secret::new(key.trim().to_owned()));
    client.map_err(|error| error.replace("the address of Louver", "the address of the upstream"))
}

fn said(error: crate::client::ClientError) -> String {
    error.to_string()
}

/// What is compared with what.
async fn groups(ours: &Client, map: Option<Map>, only: Option<&str>) -> Result<Vec<Group>, String> {
    let listed = ours.list("/v1/gateway/workspaces", "id").await.map_err(said)?;
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let known: Vec<(String, String)> =
        listed.iter().map(|one| (text(one, "id"), text(one, "name"))).collect();
    let find = |wanted: &str| {
        let mut found = known.iter().filter(|(id, name)| id == wanted || name == wanted);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.clone()),
            (None, _) => Err(format!("Louver has no workspace {wanted:?}")),
            (Some(_), Some(_)) => Err(format!("several workspaces are called {wanted:?}: give its id")),
        }
    };
    let mut groups = Vec::new();
    let mut seen = BTreeSet::new();
    for (upstream, served) in map.unwrap_or_default().workspaces {
        let served = match served {
            Served::One(name) => vec![name],
            Served::Several(names) => names,
        };
        let served: Vec<(String, String)> = served.iter().map(|name| find(name)).collect::<Result<_, _>>()?;
        if let Some((_, name)) = served.iter().find(|(id, _)| !seen.insert(id.clone())) {
            return Err(format!("the map names the workspace {name:?} twice"));
        }
        groups.push(Group { upstream: Some(upstream), ours: served });
    }
    if groups.is_empty() {
        groups.push(Group { upstream: None, ours: known.clone() });
    }
    if let Some(wanted) = only {
        let (id, name) = find(wanted)?;
        groups.retain(|group| group.ours.iter().any(|(one, _)| *one == id));
        if groups.iter().all(|group| group.upstream.is_none() && group.ours.len() > 1) {
            return Err(format!("--map must say which upstream workspace serves {name:?} alone"));
        }
    }
    Ok(groups)
}

/// From every name of a model to its id.
async fn names(ours: &Client) -> Result<HashMap<String, String>, String> {
    let models = ours.whole("/v1/gateway/models").await.map_err(said)?;
    let mut names = HashMap::new();
    for model in &models {
        let Some(id) = model.get("id").and_then(Value::as_str) else { continue };
        for alias in model.get("aliases").and_then(Value::as_array).into_iter().flatten() {
            if let Some(alias) = alias.as_str() {
                names.entry(alias.to_owned()).or_insert_with(|| id.to_owned());
            }
        }
    }
    for id in models.iter().filter_map(|model| model.get("id").and_then(Value::as_str)) {
        names.insert(id.to_owned(), id.to_owned());
    }
    Ok(names)
}

/// What the ledger says, by workspace.
async fn ledger(ours: &Client, from: Timestamp, to: Timestamp) -> Result<HashMap<String, Sums>, String> {
    let (from, to) = (from.rfc3339(), to.rfc3339());
    let path = format!(
        "/v1/gateway/usage?granularity=day&group_by=workspace,model,endpoint&from={}&to={}",
        segment(&from),
        segment(&to)
    );
    let mut ledger: HashMap<String, Sums> = HashMap::new();
    for row in ours.whole(&path).await.map_err(said)? {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(workspace), Some(day)) = (text("workspace_id"), text("period")) else {
            return Err("the usage of Louver has a row without workspace and day".into());
        };
        let day = Timestamp::parse(&day).ok_or("the usage of Louver has a row without a day")?;
        let billing = text("endpoint").and_then(|name| EndpointKind::parse(&name)).map(EndpointKind::billing);
        let sums = ledger.entry(workspace).or_default();
        for unit in Unit::ALL {
            let count = row.get(unit.as_str()).and_then(Value::as_u64).unwrap_or(0);
            // What is billed by its seconds has tokens that nobody bills.
            let unbilled = billing == Some(Billing::AudioSeconds) && unit.is_tokens();
            if count == 0 || unbilled {
                continue;
            }
            let model = text("model").filter(|_| unit != Unit::ToolCalls);
            let sum = sums.entry(Cell { day, model, unit }).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    Ok(ledger)
}

fn label(group: &Group) -> String {
    let names: Vec<&str> = group.ours.iter().map(|(_, name)| name.as_str()).collect();
    match (&group.upstream, names.as_slice()) {
        (None, [_, _, ..]) => "(all)".to_owned(),
        (_, names) => names.join(", "),
    }
}

fn show(all: &[Compared]) {
    let drifts: Vec<(&Compared, &Drift)> =
        all.iter().flat_map(|one| one.drifts.iter().map(move |drift| (one, drift))).collect();
    if !drifts.is_empty() {
        println!(
            "{:<24} {:<10} {:<28} {:<20} {:>14} {:>14} {:>12}",
            "WORKSPACE", "DAY", "MODEL", "UNIT", "LEDGER", "REPORTED", "DRIFT"
        );
    }
    for (one, drift) in drifts {
        let model = drift.cell.model.as_deref().unwrap_or("(all)");
        println!(
            "{:<24} {:<10} {:<28} {:<20} {:>14} {:>14} {:>+12}",
            label(&one.group),
            drift.date(),
            model,
            drift.cell.unit.as_str(),
            drift.ledger,
            drift.reported,
            drift.more()
        );
    }
    for sentence in all.iter().flat_map(|one| &one.unknown) {
        println!("Not compared: {sentence}.");
    }
    if all.iter().all(|one| one.drifts.is_empty()) {
        println!("No drift.");
    }
}

/// Whether a person agrees to what will be posted.
fn agreed(command: &Reconcile, all: &[Compared]) -> Result<bool, String> {
    let count: usize = all.iter().map(|one| drift::corrections(&one.drifts).len()).sum();
    if command.yes || count == 0 {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err("--post needs --yes where nobody can be asked".into());
    }
    eprint!("Post adjustments for {count} days of models? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(matches!(line.trim(), "y" | "yes"))
}

/// What came of one correction.
struct Outcome {
    workspace: String,
    day: String,
    model: String,
    error: Option<String>,
}

/// Posts each correction; one that is refused does not keep the others back.
async fn post(command: &Reconcile, ours: &Client, all: &[Compared]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for one in all {
        for ((day, model), units) in drift::corrections(&one.drifts) {
            let error = match one.group.ours.as_slice() {
                [(id, _)] => {
                    let body = json!({
                        "workspace_id": id, "day": day, "model": model, "reported": units, "reason": command.reason,
                    });
                    ours.post::<Value>("/v1/gateway/adjustments", &body).await.err().map(said)
                }
                _ => Some("several workspaces share this report: nobody knows whose the drift is".to_owned()),
            };
            outcomes.push(Outcome { workspace: label(&one.group), day, model, error });
        }
    }
    outcomes
}

/// Tells how it ended, and whether nothing is left to do.
fn finish(command: &Reconcile, all: &[Compared], posted: &[Outcome]) -> bool {
    let failed = posted.iter().filter(|one| one.error.is_some()).count();
    let unposted = all.iter().flat_map(|one| &one.drifts).filter(|drift| drift.cell.model.is_none()).count();
    let known = all.iter().all(|one| one.unknown.is_empty());
    let drifts: usize = all.iter().map(|one| one.drifts.len()).sum();
    let made_good = drifts == 0 || (!posted.is_empty() && failed == 0 && unposted == 0);
    if command.json {
        let rows = all.iter().flat_map(|one| {
            let names: Vec<String> = one.group.ours.iter().map(|(_, name)| name.clone()).collect();
            one.drifts.iter().map(move |drift| drift.to_json(&names))
        });
        let outcomes = posted.iter().map(
            |one| json!({"workspace": one.workspace, "day": one.day, "model": one.model, "error": one.error}),
        );
        let unknown: BTreeSet<&String> = all.iter().flat_map(|one| &one.unknown).collect();
        let shown = json!({
            "drift": rows.collect::<Vec<_>>(), "not_compared": unknown, "posted": outcomes.collect::<Vec<_>>(),
            "settled": made_good && known,
        });
        println!("{shown}");
    } else {
        for one in posted {
            let what = format!("{} {} {}", one.workspace, one.day, one.model);
            match &one.error {
                None => println!("Posted: {what}"),
                Some(error) => println!("Not posted: {what}: {error}"),
            }
        }
    }
    made_good && known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_paths_are_those_of_the_span() {
        let at = |day: &str| Timestamp::parse(day).unwrap();
        let all = months(at("2026-11-30"), at("2027-01-02"));
        let paths: Vec<String> = all.iter().map(|month| path(month, None)).collect();
        assert_eq!(
            paths,
            [
                "/v1/admin/usage?year=2026&month=11",
                "/v1/admin/usage?year=2026&month=12",
                "/v1/admin/usage?year=2027&month=01",
            ]
        );
        assert_eq!(
            path(&at("2026-11-01"), Some("a b")),
            "/v1/admin/usage?year=2026&month=11&workspace_id=a%20b"
        );
        assert_eq!(months(at("2026-11-01"), at("2026-12-01")).len(), 1);
    }

    #[test]
    fn a_map_names_one_or_several_workspaces() {
        let map: Map = toml::from_str("[workspaces]\n\"a\" = \"dev\"\n\"b\" = [\"ml\", \"prod\"]\n").unwrap();
        assert_eq!(map.workspaces.len(), 2);
        assert!(toml::from_str::<Map>("[workspace]\na = \"b\"\n").is_err());
    }
}
