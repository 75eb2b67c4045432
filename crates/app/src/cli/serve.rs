//! `louver serve`: a node in production.

use super::ConfigFile;
use crate::config::{self, Environment};
use crate::{serve, telemetry};

/// Runs until SIGTERM; refuses unsafe or incomplete settings, with every error at once.
pub(super) async fn run(command: &ConfigFile, environment: &Environment) -> Result<(), Vec<String>> {
    let config = config::load(command.config.as_deref(), environment)?;
    let errors = config::refuse_unsafe(&config);
    if !errors.is_empty() {
        return Err(errors);
    }
    telemetry::start(&config.log).map_err(|e| vec![e])?;
    let parts = super::parts(&config).await?;
    let organizations =
        louver_store::organizations::list(&parts.store).await.map_err(|e| vec![e.to_string()])?;
    if organizations.is_empty() {
        return Err(vec!["there is no organization yet: run `louver init` first".into()]);
    }
    let node = serve::start(&config, parts).await.map_err(|e| vec![e])?;
    tracing::info!(address = %node.address, admin_address = ?node.admin_address, "louver serves");
    let failed = tokio::select! {
        () = super::asked_to_stop() => false,
        () = node.failed() => true,
    };
    tracing::info!("louver drains");
    node.stop().await;
    if failed { Err(vec!["the journal failed; nothing more was sent".into()]) } else { Ok(()) }
}
