//! `louver rotation admin-keys`: which secrets of admin keys work, and new ones. `louver admin-key` makes admin keys.

use crate::cli::cells::{self, text};
use crate::cli::failure::Failure;
use crate::cli::figures;
use crate::cli::lookup::ADMIN_KEY;
use crate::cli::session::Session;
use crate::client::segment;
use clap::Subcommand;
use louver_domain::time::Timestamp;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the admin keys with their secrets that work
    List,
    /// Give an admin key a new secret, which is shown only then
    Rotate {
        /// Its name or id
        #[arg(value_name = "NAME|ID")]
        admin_key: String,
        /// How long the old secret goes on working, such as 24h
        #[arg(long, value_name = "SPAN", value_parser = figures::parse_span)]
        overlap: Option<String>,
        /// Print the secret and nothing else, for a pipe or a file
        #[arg(long, conflicts_with = "json")]
        secret_only: bool,
    },
}

/// Does what was asked.
pub(super) async fn run(session: &Session, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List => list(session).await,
        Action::Rotate { admin_key, overlap, secret_only } => {
            let found = ADMIN_KEY.find(session, admin_key).await?;
            let path = format!("/v1/gateway/admin-keys/{}/rotate", segment(&found.id));
            let body = overlap.as_ref().map_or_else(|| json!({}), |overlap| json!({"overlap": overlap}));
            let made = session.post(&path, &body).await?;
            if *secret_only {
                println!("{}", text(&made, "key"));
                return Ok(());
            }
            session
                .screen
                .done(&made, format!("The admin key {} has a new secret, shown only now:", found.name));
            session.screen.say(format!("  {}", text(&made, "key")));
            if let Some(until) = Timestamp::parse(text(&made, "old_key_expires_at")) {
                session
                    .screen
                    .say(format!("The old one works until {}.", figures::moment(until, session.now())));
            }
            Ok(())
        }
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let all = ADMIN_KEY.all(session).await?;
    let titles = ["NAME", "ID", "STATUS", "SECRETS THAT WORK", "CREATED", "EXPIRES"];
    session.screen.list(&all, "There are no admin keys.", &titles, |key| {
        let secrets = key.get("secrets").and_then(Value::as_array).into_iter().flatten();
        let hidden: Vec<&str> = secrets.map(|secret| text(secret, "hidden_key")).collect();
        vec![
            cells::name(key, "name"),
            cells::id(key, "id"),
            cells::state(text(key, "status")),
            cells::plain(&json!({"secrets": hidden}), "secrets"),
            cells::ago(key, "created_at", session.now(), "-"),
            cells::ago(key, "expires_at", session.now(), "never"),
        ]
    });
    Ok(())
}
