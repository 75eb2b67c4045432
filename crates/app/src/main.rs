//! Starts the command that was asked for.

use std::process::ExitCode;

/// Calls make and drop many small buffers on several threads, which this allocator does for less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    louver::cli::run(louver::cli::Cli::read())
}
