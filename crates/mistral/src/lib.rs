//! Mistral's wire format, and nothing else: bytes in, types out.
//!
//! The law of this crate: it is the **only** crate of the workspace that knows
//! how Mistral's API looks on the wire (paths, request fields, answers, usage,
//! errors), and it knows nothing else. It does no IO, reads no clock, holds no
//! policy and depends on no other crate of the workspace.
//!
//! A request is read once, strictly ([`request::read`]); what leaves is the
//! client's own bytes with named ranges replaced ([`request::Request::rewrite`]),
//! so that the upstream can never read a document other than the one decided on.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod address;
pub mod admin;
pub mod audio;
pub mod batch;
pub mod conversations;
pub mod endpoints;
pub mod error;
pub mod forms;
pub mod json;
pub mod libraries;
pub mod models;
pub mod multipart;
pub mod pdf;
pub mod query;
pub mod realtime;
pub mod request;
pub mod tokenizer;
pub mod usage;
