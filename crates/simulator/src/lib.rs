//! A simulated Mistral upstream: answers made from a seed, faults on demand and a ledger of all it was asked.
//!
//! It reads requests leniently, as a Python service would (of a key given twice the last one counts, `"5"`
//! passes for `5` and `"yes"` for `true`), and shares no code with the gateway, so that its ledger shows what
//! a real upstream would have understood. Wherever it can be met it says that it is a simulator: every answer
//! carries `x-louver-simulator: true` and `server: louver-simulator`, and its prose begins with `Simulated`.
//!
//! # The token rule
//!
//! A text has one token per started four bytes of each of its words, words being parted by ASCII whitespace.
//! So a text never has more tokens than bytes, and a text cut between two tokens has the sum of its parts.
//!
//! # Other units
//!
//! Pages of inline PDFs are counted, an image has one; what lies at an address has as many as the address says
//! (`?pages=7`), or a few. Audio lasts as long as its WAV header says, or a second each started 32,000 bytes; what
//! lies at an address as long as that says (`?seconds=90`). A second of audio counts as twelve and a half tokens.
//! Spoken text is billed in Unicode scalar values.
//!
//! # Steering one request: `metadata.simulator`
//!
//! A request's `metadata.simulator` object may hold a fault (see [`Fault`]) and settings (see [`Directions`]):
//! `{"fault": "status", "status": 503, "retry_after": 2}`, `{"pace_ms": 20, "chunks": 50}`. Its `account` is a name to
//! keep the call's bill under (see [`Account`]).
//!
//! # Stored objects
//!
//! Files, batches, agents, conversations, libraries and fine-tuned models are kept in memory (large files in files
//! without names), for one organization that all credentials are of, or for each credential apart
//! ([`Config::separate`]). They carry the ids of an organization, a workspace and a user, as upstream's do.
//!
//! Batches run by themselves, or when a test says so ([`Config::hold_batches`]); their lines are billed in the books
//! as of a batch when they run. A job's `metadata.simulator` may hold a `batch_fault` (see [`BatchFault`]).
//!
//! In a conversation each built-in tool runs one to three times, unless the user's newest message says `no tools`,
//! and an agent hands over to its first handoff that has not spoken, unless it says `no handoff`. A call is billed
//! for the first model that speaks; those that are handed over to have a bill of their own in the books, at once and
//! in full, however much of the answer is delivered.

mod audio;
mod billed;
mod body;
mod books;
mod builtin;
mod cache;
mod completion;
mod config;
mod document;
mod embedding;
mod fault;
mod form;
mod ledger;
mod lenient;
mod listing;
mod moderation;
mod ocr;
mod prompt;
mod prose;
mod realtime;
mod received;
mod refusal;
mod reply;
mod request;
mod responses;
mod route;
mod sample;
mod serve;
mod simulator;
mod speech;
mod stored;
mod stream;
mod token;
mod transcription;
mod usage;
mod wire;
mod work;

pub use billed::{Billed, ToolCalls};
pub use body::Answer;
pub use books::{Account, Totals};
pub use config::{Clock, Config, Model, Tuned};
pub use fault::{Directions, Fault, Rule};
pub use ledger::{End, Entry};
pub use route::Endpoint;
pub use simulator::Simulator;
pub use stored::{ApiKey, BatchFault, Held, Noun, Turn};
pub use token::count as count_tokens;

#[cfg(test)]
mod tests;
