//! The program: the only crate that reads the environment, files, the real clock and real randomness.

mod admin_side;
pub mod boot;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod example;
pub mod jobs;
pub mod master_key;
pub mod openapi;
mod outbound;
pub mod serve;
pub mod telemetry;
pub mod upstream;
