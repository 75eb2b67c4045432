//! `louver init`: the first start of an installation.

use super::console_link;
use crate::clock::SystemEntropy;
use crate::config::{self, Environment};
use crate::master_key;
use clap::Args;
use louver_control::actions::setup;
use std::path::PathBuf;

/// First start: schema, organization, admin key.
#[derive(Args)]
pub(super) struct Init {
    /// The file with settings; the environment wins over it
    #[arg(long)]
    config: Option<PathBuf>,
    /// The organization's name
    #[arg(long, default_value = "My organization")]
    name: String,
}

/// Makes the organization and prints its first admin key and the way into the console, once.
pub(super) async fn run(command: &Init, environment: &Environment) -> Result<(), Vec<String>> {
    let one = |error: String| vec![error];
    let config = config::load(command.config.as_deref(), environment)?;
    master_key::read_or_create(&config.master_key_file, &SystemEntropy::new()).map_err(one)?;
    let control = super::offline(super::parts(&config).await?);
    let founded =
        setup::found(&control, &command.name, control.clock.now()).await.map_err(|e| vec![e.to_string()])?;
    println!("The organization {:?} is there: {}", command.name, founded.organization_id);
    println!("Its default workspace: {}", founded.default_workspace_id);
    println!("\nIts admin key, shown only now:\n  {}", founded.admin_key.secret.expose());
    let link = console_link::first(&control, founded.organization_id).await.map_err(one)?;
    println!(
        "\nThe console, for whoever opens it first within 15 minutes (`louver console-link` makes another):"
    );
    println!("  {}", console_link::address(&console_link::base(&config), &link));
    println!("\nKeep {} safe and backed up: without it no key works.", config.master_key_file.display());
    control.store.close().await;
    Ok(())
}
