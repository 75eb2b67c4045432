//! `louver simulator`: the simulated Mistral alone.

use super::input;
use crate::example;
use clap::Args;
use tokio::net::TcpListener;

/// Run the simulated Mistral alone.
#[derive(Args)]
pub(super) struct Simulator {
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: String,
    /// The seed of its answers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Serve the admin API for API keys and the usage report, too, for whoever has the key of this file
    #[arg(long, value_name = "FILE")]
    admin_key_file: Option<String>,
    /// An API key that is there from the beginning, in a file; calls with keys that are not there are refused then
    #[arg(long, value_name = "FILE")]
    api_key_file: Vec<String>,
}

/// Runs until SIGTERM.
pub(super) async fn run(command: Simulator) -> Result<(), Vec<String>> {
    let wrong = |error: std::io::Error| vec![format!("cannot listen on {}: {error}", command.listen)];
    let listener = TcpListener::bind(&command.listen).await.map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    let read = |path: &String| match input::secret(path) {
        Ok(secret) => Ok(secret.expose().clone()),
        Err(failure) => Err(vec![failure.message().to_owned()]),
    };
    let keys = example::SimulatorKeys {
        admin: command.admin_key_file.as_ref().map(read).transpose()?,
        api: command.api_key_file.iter().map(read).collect::<Result<_, _>>()?,
    };
    let simulator = example::simulator(command.seed, false, keys).map_err(|e| vec![e])?;
    println!("A simulated Mistral (no real model answers) listens on http://{address}");
    simulator.serve(listener, super::asked_to_stop()).await;
    Ok(())
}
