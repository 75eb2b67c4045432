//! `louver roles`: model roles, which say what may be called, and custom roles, which say who may do what here.

mod custom;

use super::cells;
use super::confirm::Confirm;
use super::failure::{End, Failure, finish};
use super::session::{Session, Shared};
use super::settings::{body, count, names};
use crate::client::segment;
use crate::config::Environment;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  louver roles create tester --allowed-models mistral-small-latest --max-tokens-per-request 500
  louver roles update analyst --daily-token-budget 50000
  louver roles restore analyst
  louver members model-role ada@example.com tester --workspace data-team
  louver roles custom create auditor --level organization --permissions audit_log.read,usage.read";

/// Model roles, and the roles that say who may do what here
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Roles {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the model roles
    List,
    /// Show a model role
    Show {
        /// Its name
        name: String,
    },
    /// Make a model role
    Create {
        /// Its name
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change a model role; what is not named stays
    Update {
        /// Its name
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Give a built-in model role its first content again
    Restore {
        /// Its name
        name: String,
    },
    /// Delete a model role that is not built in
    Delete {
        /// Its name
        name: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// List all roles that people can have in the organization and in workspaces
    Available,
    /// List all permissions, with the roles that have each
    Permissions,
    /// Custom roles: sets of permissions of your own
    #[command(subcommand)]
    Custom(custom::Action),
}

/// What a model role says. Each takes `none`.
#[derive(Args)]
struct Settings {
    /// Models that may be called: ids, aliases, families, globs or *, separated by commas
    #[arg(long, visible_alias = "models", value_name = "MODELS", value_parser = names)]
    allowed_models: Option<Value>,
    /// Tokens in and out that one call may use
    #[arg(long, value_name = "N|none", value_parser = count)]
    max_tokens_per_request: Option<Value>,
    /// Tokens that each holder may use in a day
    #[arg(long, value_name = "N|none", value_parser = count)]
    daily_token_budget: Option<Value>,
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
}

impl Settings {
    fn body(&self) -> serde_json::Map<String, Value> {
        body(&[
            ("allowed_models", &self.allowed_models),
            ("max_tokens_per_request", &self.max_tokens_per_request),
            ("daily_token_budget", &self.daily_token_budget),
            ("allowed_endpoints", &self.allowed_endpoints),
            ("allowed_tools", &self.allowed_tools),
            ("allowed_service_tiers", &self.allowed_service_tiers),
            ("max_signed_url_hours", &self.max_signed_url_hours),
        ])
    }
}

const PATH: &str = "/v1/gateway/roles";

fn path(name: &str) -> String {
    format!("{PATH}/{}", segment(name))
}

/// Does what was asked.
pub(super) async fn run(command: &Roles, environment: &Environment) -> ExitCode {
    finish(act(command, environment).await)
}

/// What is not there is told with where to look.
fn helped(failure: Failure) -> Failure {
    match failure.end() {
        End::NotThere => failure.hint("`louver roles list` shows the model roles."),
        End::Failed | End::Usage | End::NotAllowed | End::Unreached | End::Interrupted => failure,
    }
}

async fn act(command: &Roles, environment: &Environment) -> Result<(), Failure> {
    let session = &command.shared.session(environment)?;
    match &command.action {
        Action::List => list(session).await,
        Action::Show { name } => {
            show(session, &session.get(&path(name)).await.map_err(helped)?);
            Ok(())
        }
        Action::Create { name, settings } => {
            let mut body = settings.body();
            body.insert("name".into(), name.as_str().into());
            let made = session.post(PATH, &Value::Object(body)).await?;
            session.screen.done(&made, format!("The model role {name} is there."));
            Ok(())
        }
        Action::Update { name, settings } => {
            let body = settings.body();
            if body.is_empty() {
                return Err(Failure::usage(
                    "say what to change; `louver roles update --help` shows what there is",
                ));
            }
            show(session, &session.patch(&path(name), &Value::Object(body)).await.map_err(helped)?);
            Ok(())
        }
        Action::Restore { name } => {
            show(session, &session.act(&format!("{}/restore", path(name))).await.map_err(helped)?);
            Ok(())
        }
        Action::Delete { name, confirm } => {
            confirm.ask(&format!("Delete the model role {name} for good?"))?;
            let answer = session.delete(&path(name), None).await.map_err(helped)?;
            session.screen.done(&answer, format!("The model role {name} is deleted."));
            Ok(())
        }
        Action::Available => custom::available(session).await,
        Action::Permissions => custom::permissions(session).await,
        Action::Custom(action) => custom::run(session, action).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let all = session.list(PATH, "name").await?;
    let titles = ["NAME", "MODELS", "TOKENS PER REQUEST", "TOKENS PER DAY", "BUILT IN"];
    session.screen.list(&all, "There are no model roles.", &titles, |role| {
        vec![
            cells::name(role, "name"),
            cells::plain(role, "allowed_models"),
            cells::plain(role, "max_tokens_per_request"),
            cells::plain(role, "daily_token_budget"),
            cells::plain(role, "builtin"),
        ]
    });
    Ok(())
}

fn show(session: &Session, role: &Value) {
    session.screen.one(role, || {
        vec![
            ("Name", cells::name(role, "name")),
            ("Models", cells::plain(role, "allowed_models")),
            ("Tokens per request", cells::plain(role, "max_tokens_per_request")),
            ("Tokens per day", cells::plain(role, "daily_token_budget")),
            ("Endpoints", cells::plain(role, "allowed_endpoints")),
            ("Tools", cells::plain(role, "allowed_tools")),
            ("Service tiers", cells::plain(role, "allowed_service_tiers")),
            ("Signed URLs live, hours", cells::plain(role, "max_signed_url_hours")),
            ("Built in", cells::plain(role, "builtin")),
        ]
    });
}
