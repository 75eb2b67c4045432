//! `louver keys create`, and what a key can be told when it is made or changed.

use crate::cli::cells::text;
use crate::cli::failure::Failure;
use crate::cli::figures;
use crate::cli::input;
use crate::cli::lookup::{ACCOUNT, MEMBER, WORKSPACE};
use crate::cli::session::Session;
use crate::cli::settings::{body, choice, count, dollars, names};
use clap::Args;
use serde_json::{Map, Value};

#[derive(Args)]
pub(super) struct Create {
    /// Its name
    name: Option<String>,
    /// The workspace it belongs to; the default one when it is left out
    #[arg(long, value_name = "NAME|ID")]
    workspace: Option<String>,
    /// The member who owns it, by mail address or id
    #[arg(long, value_name = "EMAIL|ID", conflicts_with = "service_account")]
    owner: Option<String>,
    /// The service account that owns it, by name or id
    #[arg(long, value_name = "NAME|ID")]
    service_account: Option<String>,
    #[command(flatten)]
    settings: Box<Settings>,
    /// Make it a bait: it is refused, and its first use raises an alarm
    #[arg(long)]
    canary: bool,
    /// The whole request as a JSON object of a file, or - for stdin; flags win over it
    #[arg(long, value_name = "FILE")]
    json_body: Option<String>,
    /// Print the secret and nothing else, for a pipe or a file
    #[arg(long, conflicts_with = "json")]
    secret_only: bool,
}

/// What can be said of a key at any time. Each takes `none`.
#[derive(Args)]
pub(super) struct Settings {
    /// What it is for
    #[arg(long, value_name = "TEXT|none", value_parser = choice)]
    description: Option<Value>,
    /// Models it may call: ids, aliases, families, globs or *, separated by commas
    #[arg(long, visible_alias = "models", value_name = "MODELS|none", value_parser = names)]
    allowed_models: Option<Value>,
    /// Calls in any 60 seconds
    #[arg(long, visible_aliases = ["rpm", "requests-per-minute"], value_name = "N|none", value_parser = count)]
    rate_limit_rpm: Option<Value>,
    /// Tokens in any 60 seconds
    #[arg(long, visible_alias = "tpm", value_name = "N|none", value_parser = count)]
    tokens_per_minute: Option<Value>,
    /// Dollars in a calendar month
    #[arg(long, value_name = "USD|none", value_parser = dollars)]
    monthly_budget_usd: Option<Value>,
    /// Its model role; `louver roles list` shows them
    #[arg(long, value_name = "ROLE|none", value_parser = choice)]
    role: Option<Value>,
    /// When it expires: a time, a date, or in how long (90d)
    #[arg(long, value_name = "TIME|none", value_parser = choice)]
    expires_at: Option<Value>,
    /// Endpoints it may call, separated by commas
    #[arg(long, value_name = "ENDPOINTS|none", value_parser = names)]
    allowed_endpoints: Option<Value>,
    /// Types of tools of the provider that it may offer, separated by commas
    #[arg(long, value_name = "TOOLS|none", value_parser = names)]
    allowed_tools: Option<Value>,
    /// Addresses it may be used from, such as 10.0.0.0/8, separated by commas
    #[arg(long, value_name = "CIDRS|none", value_parser = names)]
    allowed_cidrs: Option<Value>,
}

impl Settings {
    /// The members of a body, for those that were given.
    pub(super) async fn body(&self, session: &Session) -> Result<Map<String, Value>, Failure> {
        let expires_at = match self.expires_at.as_ref().and_then(Value::as_str) {
            None => self.expires_at.clone(),
            Some(time) => {
                let at = figures::until(time, session.now());
                Some(at.map_err(|why| Failure::usage(format!("--expires-at: {why}")))?.rfc3339().into())
            }
        };
        Ok(body(&[
            ("description", &self.description),
            ("allowed_models", &self.allowed_models),
            ("rate_limit_rpm", &self.rate_limit_rpm),
            ("tokens_per_minute", &self.tokens_per_minute),
            ("monthly_budget_usd", &self.monthly_budget_usd),
            ("role", &self.role),
            ("expires_at", &expires_at),
            ("allowed_endpoints", &self.allowed_endpoints),
            ("allowed_tools", &self.allowed_tools),
            ("allowed_cidrs", &self.allowed_cidrs),
        ]))
    }
}

/// Makes it, and shows its secret once.
pub(super) async fn run(session: &Session, command: &Create) -> Result<(), Failure> {
    let mut body = command.json_body.as_deref().map(input::object).transpose()?.unwrap_or_default();
    body.extend(command.settings.body(session).await?);
    let named = [
        ("name", command.name.clone()),
        (
            "workspace_id",
            WORKSPACE.find_some(session, command.workspace.as_deref()).await?.map(|found| found.id),
        ),
        ("owner_user_id", MEMBER.find_some(session, command.owner.as_deref()).await?.map(|found| found.id)),
        (
            "service_account_id",
            ACCOUNT.find_some(session, command.service_account.as_deref()).await?.map(|found| found.id),
        ),
    ];
    body.extend(named.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?.into()))));
    if command.canary {
        body.insert("canary".into(), true.into());
    }
    if !body.contains_key("name") {
        return Err(Failure::usage("a key has a name: louver keys create NAME"));
    }
    let made = session.post("/v1/api-keys", &Value::Object(body)).await?;
    show_secret(session, &made, "is made", command.secret_only);
    Ok(())
}

/// Shows the one answer that holds a secret.
pub(super) fn show_secret(session: &Session, made: &Value, deed: &str, secret_only: bool) {
    let secret = text(made, "key");
    if secret_only {
        eprintln!("The key {} {deed}: {}", text(made, "name"), text(made, "id"));
        println!("{secret}");
        return;
    }
    session.screen.done(made, format!("The key {} {deed}: {}", text(made, "name"), text(made, "id")));
    session.screen.say("Its secret, shown only now:");
    session.screen.say(format!("  {secret}"));
}
