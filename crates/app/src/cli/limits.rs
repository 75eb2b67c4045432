//! `louver limits`: what may be used, on the organization, a workspace, a member or a key.

use super::cells;
use super::failure::{Failure, finish};
use super::lookup::{KEY, MEMBER, WORKSPACE};
use super::session::{Session, Shared};
use super::settings::{choice, count, dollars, names};
use super::table::Cell;
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver limits show --workspace dev-workspace
  louver limits set --workspace dev-workspace --requests-per-minute 120 --monthly-budget-usd 50
  louver limits set --key prod-backend --allowed-models mistral-small,codestral
  louver limits set --organization --daily-budget-usd none

A limit below never widens one above: a key has at most what its workspace and the organization have.";

/// What may be used: rates, budgets and models of the organization, a workspace, a member or a key
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Limits {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the limits that stand on one level; the organization's when no level is named
    Show {
        #[command(flatten)]
        level: Level,
    },
    /// Change limits on one level; what is not named stays, and `none` takes a limit away
    Set {
        #[command(flatten)]
        level: Level,
        #[command(flatten)]
        limits: Box<LimitFlags>,
        /// More limits as a JSON object of a file, or - for stdin
        #[arg(long, value_name = "FILE")]
        json_body: Option<String>,
    },
}

/// Where limits stand.
#[derive(Args)]
struct Level {
    /// On the organization
    #[arg(long, group = "level")]
    organization: bool,
    /// On this workspace, by name or id; for a key: the workspace it is in
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
    /// On this member of the organization, by mail address or id
    #[arg(long, value_name = "EMAIL|ID", group = "level", conflicts_with = "workspace")]
    member: Option<String>,
    /// On this key, by name or id
    #[arg(long, value_name = "NAME|ID", group = "level")]
    key: Option<String>,
}

/// The limits that can be set; each takes `none`.
#[derive(Args)]
pub(super) struct LimitFlags {
    /// Models that may be called: ids, aliases, families, globs or *, separated by commas
    #[arg(long, value_name = "MODELS|none", value_parser = names)]
    allowed_models: Option<Value>,
    /// Calls in any second
    #[arg(long, value_name = "N|none", value_parser = count)]
    requests_per_second: Option<Value>,
    /// Calls in any 60 seconds
    #[arg(long, value_name = "N|none", value_parser = count)]
    requests_per_minute: Option<Value>,
    /// Tokens in any 60 seconds
    #[arg(long, value_name = "N|none", value_parser = count)]
    tokens_per_minute: Option<Value>,
    /// Tokens in a calendar month
    #[arg(long, value_name = "N|none", value_parser = count)]
    tokens_per_month: Option<Value>,
    /// Calls at the same time
    #[arg(long, value_name = "N|none", value_parser = count)]
    max_concurrent_requests: Option<Value>,
    /// Dollars in an hour
    #[arg(long, value_name = "USD|none", value_parser = dollars)]
    hourly_budget_usd: Option<Value>,
    /// Dollars in a day
    #[arg(long, value_name = "USD|none", value_parser = dollars)]
    daily_budget_usd: Option<Value>,
    /// Dollars in a calendar month
    #[arg(long, value_name = "USD|none", value_parser = dollars)]
    monthly_budget_usd: Option<Value>,
    /// Per cent of a budget at which people are told, separated by commas; none is 50,80,95
    #[arg(long, value_name = "PERCENT|none", value_parser = super::settings::counts)]
    alert_thresholds: Option<Value>,
    /// Endpoints that may be called, separated by commas
    #[arg(long, value_name = "ENDPOINTS|none", value_parser = names)]
    allowed_endpoints: Option<Value>,
    /// Types of tools of the provider that may be offered, separated by commas
    #[arg(long, value_name = "TOOLS|none", value_parser = names)]
    allowed_tools: Option<Value>,
    /// Tiers that may be asked for beside the standard one, separated by commas
    #[arg(long, value_name = "TIERS|none", value_parser = names)]
    allowed_service_tiers: Option<Value>,
    /// Hours that a signed URL may live at most
    #[arg(long, value_name = "N|none", value_parser = count)]
    max_signed_url_hours: Option<Value>,
    /// Models to try in this order when the one that was asked for cannot be had
    #[arg(long, value_name = "MODELS|none", value_parser = names)]
    fallback_models: Option<Value>,
    /// Where calls are answered: eu or us
    #[arg(long, value_name = "REGION|none", value_parser = choice)]
    region: Option<Value>,
    /// Days after which a new key expires at the latest
    #[arg(long, value_name = "N|none", value_parser = count)]
    max_key_lifetime_days: Option<Value>,
    /// Who may create keys: admins or members
    #[arg(long, value_name = "WHO|none", value_parser = choice)]
    key_creation: Option<Value>,
    /// What happens at the limits: enforce, or shadow to only write down what would have been refused
    #[arg(long, value_name = "MODE|none", value_parser = choice)]
    mode: Option<Value>,
    /// The time zone that decides where a day or a month begins, such as Europe/Paris
    #[arg(long, value_name = "ZONE|none", value_parser = choice)]
    timezone: Option<Value>,
}

impl LimitFlags {
    /// The members of a body, for those that were given.
    pub(super) fn body(&self) -> Map<String, Value> {
        let all = [
            ("allowed_models", &self.allowed_models),
            ("requests_per_second", &self.requests_per_second),
            ("requests_per_minute", &self.requests_per_minute),
            ("tokens_per_minute", &self.tokens_per_minute),
            ("tokens_per_month", &self.tokens_per_month),
            ("max_concurrent_requests", &self.max_concurrent_requests),
            ("hourly_budget_usd", &self.hourly_budget_usd),
            ("daily_budget_usd", &self.daily_budget_usd),
            ("monthly_budget_usd", &self.monthly_budget_usd),
            ("alert_thresholds", &self.alert_thresholds),
            ("allowed_endpoints", &self.allowed_endpoints),
            ("allowed_tools", &self.allowed_tools),
            ("allowed_service_tiers", &self.allowed_service_tiers),
            ("max_signed_url_hours", &self.max_signed_url_hours),
            ("fallback_models", &self.fallback_models),
            ("region", &self.region),
            ("max_key_lifetime_days", &self.max_key_lifetime_days),
            ("key_creation", &self.key_creation),
            ("mode", &self.mode),
            ("timezone", &self.timezone),
        ];
        super::settings::body(&all)
    }
}

/// Where the limits of a level are read and written, and what to call it.
struct Place {
    path: String,
    name: String,
    /// Whether they stand within another object.
    nested: bool,
}

impl Level {
    const fn is_named(&self) -> bool {
        self.organization || self.workspace.is_some() || self.member.is_some() || self.key.is_some()
    }

    async fn place(&self, session: &Session) -> Result<Place, Failure> {
        let place = |path: String, name: String| Place { path, name, nested: false };
        if let Some(key) = &self.key {
            let key = super::keys::find(session, key, self.workspace.as_deref()).await?;
            let path = format!("/v1/gateway/keys/{}/limits", segment(&key.id));
            return Ok(place(path, format!("{} {}", KEY.noun, key.name)));
        }
        if let Some(member) = &self.member {
            let member = MEMBER.find(session, member).await?;
            let path = format!("/v1/gateway/users/{}/limits", segment(&member.id));
            return Ok(place(path, format!("{} {}", MEMBER.noun, member.name)));
        }
        if let (Some(workspace), false) = (&self.workspace, self.organization) {
            let workspace = WORKSPACE.find(session, workspace).await?;
            let path = format!("/v1/gateway/workspaces/{}/limits", segment(&workspace.id));
            return Ok(place(path, format!("{} {}", WORKSPACE.noun, workspace.name)));
        }
        if self.workspace.is_some() {
            return Err(Failure::usage("--organization and --workspace are two levels: name one"));
        }
        Ok(Place { path: "/v1/gateway/organization".into(), name: "organization".into(), nested: true })
    }
}

/// Shows or changes.
pub(super) async fn run(command: &Limits, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

async fn act(command: &Limits, environment: &Environment) -> Result<(), Failure> {
    let session = command.shared.session(environment)?;
    match &command.action {
        Action::Show { level } => {
            let place = level.place(&session).await?;
            let found = within(session.get(&place.path).await?, &place);
            show(&session, &found, &place.name);
            Ok(())
        }
        Action::Set { level, limits, json_body } => {
            let mut body = json_body.as_deref().map(super::input::object).transpose()?.unwrap_or_default();
            body.extend(limits.body());
            if !level.is_named() {
                return Err(Failure::usage(
                    "name what to limit: --organization, --workspace, --member or --key",
                ));
            }
            if body.is_empty() {
                return Err(Failure::usage("name a limit to set, such as --requests-per-minute 60")
                    .hint("`louver limits set --help` shows all of them."));
            }
            let place = level.place(&session).await?;
            let body = if place.nested { json!({"limits": body}) } else { Value::Object(body) };
            let changed = within(session.patch(&place.path, &body).await?, &place);
            session.screen.say(format!("The limits of {} are set.", place.name));
            show(&session, &changed, &place.name);
            Ok(())
        }
    }
}

fn within(mut answer: Value, place: &Place) -> Value {
    match answer.get_mut("limits") {
        Some(limits) if place.nested => limits.take(),
        _ => answer,
    }
}

fn show(session: &Session, limits: &Value, name: &str) {
    let rows = rows(limits);
    if rows.is_empty() && !session.screen.json {
        session.screen.say(format!("No limits stand on {name} itself."));
        return;
    }
    session.screen.one(limits, || rows);
}

/// The limits that are set, with their units.
pub(super) fn rows(limits: &Value) -> Vec<(&'static str, Cell)> {
    let unit = |name: &str, unit: &str| match cells::plain(limits, name) {
        number if number == Cell::none() => number,
        number => Cell::new(format!("{} {unit}", number.text())),
    };
    let usd = |name: &str| cells::money(limits, name);
    let plain = |name: &str| cells::plain(limits, name);
    let all = [
        ("Models", plain("allowed_models")),
        ("Per second", unit("requests_per_second", "requests")),
        ("Per minute", unit("requests_per_minute", "requests")),
        ("Tokens per minute", unit("tokens_per_minute", "tokens")),
        ("Tokens per month", unit("tokens_per_month", "tokens")),
        ("At the same time", unit("max_concurrent_requests", "requests")),
        ("Budget per hour", usd("hourly_budget_usd")),
        ("Budget per day", usd("daily_budget_usd")),
        ("Budget per month", usd("monthly_budget_usd")),
        ("Alerts at", unit("alert_thresholds", "%")),
        ("Endpoints", plain("allowed_endpoints")),
        ("Tools", plain("allowed_tools")),
        ("Service tiers", plain("allowed_service_tiers")),
        ("Signed URLs live", unit("max_signed_url_hours", "hours")),
        ("Fallback models", plain("fallback_models")),
        ("Region", plain("region")),
        ("Keys live", unit("max_key_lifetime_days", "days")),
        ("Keys are created by", plain("key_creation")),
        ("Mode", plain("mode")),
        ("Time zone", plain("timezone")),
    ];
    all.into_iter().filter(|(_, cell)| *cell != Cell::none()).collect()
}
