//! Logs: one line an event, to stderr, at the level that the settings name.

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is a level or a list such as `info,louver_gateway=debug`.
pub fn start(filter: &str) -> Result<(), String> {
    // The driver's notices are no news, unless the settings ask for them.
    let filter =
        EnvFilter::try_new(format!("sqlx=warn,{filter}")).map_err(|error| format!("log: {error}"))?;
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A second start in one process (tests) keeps the first.
    let _ = subscriber.try_init();
    Ok(())
}
