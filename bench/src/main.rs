//! The side-by-side benchmark of Louver: one program that is load generator, upstream and referee.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its table and its progress are its output")]

mod answers;
mod api;
mod client;
mod closed_loop;
mod contestant;
mod histogram;
mod http1;
mod litellm;
mod louver;
mod metric;
mod nginx;
mod notes;
mod open_loop;
mod options;
mod portkey;
mod probe;
mod process;
mod procfs;
mod prompts;
mod rounds;
mod stretch;
mod table;
mod upstream;

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Whatever went wrong, in words for the person who runs the benchmark.
type Fault = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("louver-bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the one-threaded runtime and goes to the subcommand named first.
fn start(arguments: &[String]) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (command, rest) = arguments.split_first().ok_or("say `upstream` or `run`; see bench/README.md")?;
    runtime.block_on(LocalSet::new().run_until(async {
        match command.as_str() {
            "upstream" => upstream::serve(rest).await,
            "run" => until_stopped(rest).await,
            other => Err(format!("unknown command {other:?}; say `upstream` or `run`").into()),
        }
    }))
}

/// Runs the benchmark; a signal drops it, and dropping it ends every process it started.
async fn until_stopped(arguments: &[String]) -> Result<(), Fault> {
    let options = options::Options::parse(arguments)?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        outcome = rounds::run(&options) => outcome,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}
