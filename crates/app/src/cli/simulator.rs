//! `louver simulator`: the simulated Mistral alone.

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
}

/// Runs until SIGTERM.
pub(super) async fn run(command: Simulator) -> Result<(), Vec<String>> {
    let wrong = |error: std::io::Error| vec![format!("cannot listen on {}: {error}", command.listen)];
    let listener = TcpListener::bind(&command.listen).await.map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?;
    let simulator = example::simulator(command.seed, false).map_err(|e| vec![e])?;
    println!("A simulated Mistral (no real model answers) listens on http://{address}");
    simulator.serve(listener, super::asked_to_stop()).await;
    Ok(())
}
