//! Starts the command that was asked for.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    louver::cli::run(louver::cli::Cli::parse())
}
