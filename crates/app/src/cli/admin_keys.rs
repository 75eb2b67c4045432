//! `louver admin-key`: admin keys, offline, on the machine that holds the data.

use super::Place;
use crate::config::Environment;
use clap::{Args, Subcommand};
use louver_control::Control;
use louver_control::actions::{admin_keys, users};
use louver_control::context::Context;
use louver_control::error::ControlError;
use louver_domain::id::{AdminKeyId, ServiceAccountId};
use louver_domain::keys::AdminHolder;

/// Make, list and revoke admin keys.
#[derive(Args)]
pub(super) struct AdminKey {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make an admin key and print it once
    Create {
        /// A name for people
        #[arg(long, default_value = "admin")]
        name: String,
        /// Whose key it is, by mail address: it carries that person's rights, as they are at each request
        #[arg(long, conflicts_with = "service_account")]
        user: Option<String>,
        /// The service account whose key it is, by id
        #[arg(long)]
        service_account: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List the admin keys, without their secrets
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Revoke an admin key for good
    Revoke {
        /// Its id, as `list` prints it
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Works on the one organization of the installation.
pub(super) async fn run(command: AdminKey, environment: &Environment) -> Result<(), Vec<String>> {
    let place = match &command.action {
        Action::Create { place, .. } | Action::List { place } | Action::Revoke { place, .. } => place,
    };
    let control = super::offline(super::parts(&place.config(environment)?).await?);
    let result = act(&control, &command.action).await;
    control.store.close().await;
    result.map_err(|error| vec![error])
}

async fn act(control: &Control, action: &Action) -> Result<(), String> {
    let organizations = louver_store::organizations::list(&control.store).await.map_err(|e| e.to_string())?;
    let organization =
        organizations.first().ok_or("there is no organization yet: run `louver init` first")?;
    let context = Context::system(organization.id, control.clock.now());
    match action {
        Action::Create { name, user, service_account, .. } => {
            let holder = holder(control, &context, user.as_deref(), service_account.as_deref()).await?;
            let made = admin_keys::create_for(control, &context, holder, name, None).await;
            let (key, minted) = made.map_err(|e| e.to_string())?;
            println!("{}  {}\nShown only now:\n  {}", key.id, key.name, minted.secret.expose());
        }
        Action::List { .. } => {
            for key in admin_keys::list(control, &context).await.map_err(|e| e.to_string())? {
                println!(
                    "{}  …{}  {}  {}  {}  {}",
                    key.id,
                    key.last_four,
                    key.status.as_str(),
                    key.created_at.rfc3339(),
                    written(control, &context, key.holder).await?,
                    key.name
                );
            }
        }
        Action::Revoke { id, .. } => {
            let id = AdminKeyId::parse(id).ok_or("that is not the id of an admin key")?;
            let key = admin_keys::revoke(control, &context, id).await.map_err(|e| e.to_string())?;
            println!("{} {} is revoked.", key.id, key.name);
        }
    }
    Ok(())
}

/// Whose a new key is; nobody's own where neither is named.
async fn holder(
    control: &Control,
    context: &Context,
    user: Option<&str>,
    account: Option<&str>,
) -> Result<AdminHolder, String> {
    if let Some(id) = account {
        let id = ServiceAccountId::parse(id).ok_or("that is not the id of a service account")?;
        return Ok(AdminHolder::ServiceAccount(id));
    }
    let Some(email) = user else { return Ok(AdminHolder::Organization) };
    let found = users::by_email(control, context, email).await.map_err(|e| e.to_string())?;
    let user = found.ok_or_else(|| format!("there is nobody of the mail address {email}"))?;
    Ok(AdminHolder::User(user.id))
}

/// The holder of a key for the terminal.
async fn written(control: &Control, context: &Context, holder: AdminHolder) -> Result<String, String> {
    match holder {
        AdminHolder::Organization => Ok("organization".into()),
        AdminHolder::User(id) => match users::get(control, context, id).await {
            Ok(user) => Ok(user.email),
            Err(ControlError::NotFound) => Ok(format!("{id} (removed)")),
            Err(error) => Err(error.to_string()),
        },
        AdminHolder::ServiceAccount(id) => Ok(format!("service account {id}")),
    }
}
