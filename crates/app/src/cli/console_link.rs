//! `louver console-link`: a link that signs somebody in to the console once, made on the machine that holds the data.

use super::Place;
use crate::config::{Config, Environment};
use clap::Args;
use louver_control::Control;
use louver_control::actions::{sign_in_links, users};
use louver_control::context::Context;
use louver_domain::id::{OrganizationId, UserId};
use louver_domain::roles::ORGANIZATION_ADMIN;
use louver_domain::sign_in_links::TERMINAL_SECONDS;

/// Make a link that signs somebody in to the console, once, within 15 minutes.
#[derive(Args)]
pub(super) struct ConsoleLink {
    /// Whom it signs in, by mail address; without one: the first organization_admin, or whoever opens it where there is none
    #[arg(long)]
    email: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Works on the one organization of the installation.
pub(super) async fn run(command: ConsoleLink, environment: &Environment) -> Result<(), Vec<String>> {
    let config = command.place.config(environment)?;
    let control = super::offline(super::parts(&config).await?);
    let made = make(&control, command.email.as_deref()).await;
    control.store.close().await;
    let link = made.map_err(|error| vec![error])?;
    println!("{}", address(&base(&config), &link));
    Ok(())
}

async fn make(control: &Control, email: Option<&str>) -> Result<String, String> {
    let organizations = louver_store::organizations::list(&control.store).await.map_err(|e| e.to_string())?;
    let organization =
        organizations.first().ok_or("there is no organization yet: run `louver init` first")?;
    let user = match email {
        None => return first(control, organization.id).await,
        Some(email) => {
            let context = Context::system(organization.id, control.clock.now());
            users::by_email(control, &context, email).await.map_err(|e| e.to_string())?
        }
    };
    link(control, organization.id, Some(user.ok_or("nobody has that mail address")?.id)).await
}

/// The link of the first organization_admin by mail address; where there is none yet, of whoever opens it first.
pub(super) async fn first(control: &Control, organization: OrganizationId) -> Result<String, String> {
    let context = Context::system(organization, control.clock.now());
    let people = users::list(control, &context).await.map_err(|e| e.to_string())?;
    let admin = people.iter().find(|person| person.roles.contains(&ORGANIZATION_ADMIN));
    link(control, organization, admin.map(|person| person.id)).await
}

async fn link(
    control: &Control,
    organization: OrganizationId,
    user: Option<UserId>,
) -> Result<String, String> {
    let context = Context::system(organization, control.clock.now());
    let made = sign_in_links::make(control, &context, user, TERMINAL_SECONDS).await;
    Ok(made.map_err(|e| e.to_string())?.token.expose().clone())
}

/// The whole link.
pub(super) fn address(base: &str, token: &str) -> String {
    format!("{base}{}/link/{token}", louver_console::HOME)
}

/// Where people reach the console, as far as the settings tell.
pub(super) fn base(config: &Config) -> String {
    let listens = config.admin_listen.as_ref().unwrap_or(&config.listen);
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    config.public_url.clone().unwrap_or_else(|| format!("{scheme}://{listens}"))
}
