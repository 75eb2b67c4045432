//! The admin types against what Mistral's document says of them.

mod answers;
mod golden;
mod requests;
mod schemas;
