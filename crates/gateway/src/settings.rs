//! What the data plane is told at start, already checked by the program.

use http::HeaderValue;
use louver_domain::health;
use louver_domain::limits::Region;
use louver_mistral::tokenizer::Tokenizer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// Mistral's own: it serves the models that name no server, in its region.
    Mistral,
    /// Any that speaks the same API: it serves only the models that name it.
    Compatible,
}

/// A server that calls go to. Only the settings name one.
#[derive(Clone)]
pub struct UpstreamTarget {
    /// Its name; `None` is the first one, where calls go unless something else is said.
    pub name: Option<Arc<str>>,
    /// What it is.
    pub kind: ServerKind,
    /// Where it answers calls, if it says so.
    pub region: Option<Region>,
    /// Whether calls without a credential are sent too.
    pub keyless: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The `Host` header: host, and port when it is not the scheme's own.
    pub authority: HeaderValue,
    /// TLS towards upstream; `None` is plain HTTP (loopback and test setups).
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The credential for organizations that stored none: a whole `Authorization` value.
    pub default_credential: Option<HeaderValue>,
}

/// How long each part of a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a client's request head; also how long an idle connection is kept.
    pub head: Duration,
    /// Grace before the minimum rate of a request body is asked for.
    pub body_grace: Duration,
    /// For a connection to upstream, TLS included.
    pub connect: Duration,
    /// From the request until upstream's answer begins.
    pub first_byte: Duration,
    /// Between two pieces of upstream's answer.
    pub idle: Duration,
    /// For a whole call.
    pub total: Duration,
    /// For an answer to be read on whose client has left.
    pub client_left: Duration,
    /// For a client to take what is written to it.
    pub write: Duration,
    /// For running calls to finish when the program is told to stop.
    pub drain: Duration,
}

/// A vocabulary that counts input exactly, and the models that read with it.
#[derive(Clone)]
pub struct ExactInput {
    /// Mistral's tokenizer over the operator's vocabulary.
    pub tokenizer: Arc<Tokenizer>,
    /// Entries of an allow-list: ids, aliases, families, globs.
    pub models: Vec<String>,
}

/// What a call may bring along, and what is set aside for what it may set off.
#[derive(Clone, Copy, Debug)]
pub struct CallBounds {
    /// Bytes of a file in a form.
    pub upload_bytes: u64,
    /// Bytes of all files that are on their way at the same time.
    pub spool_bytes: u64,
    /// Pages of a document whose pages cannot be counted.
    pub document_pages: u64,
    /// Tokens that reading a document of a library takes.
    pub document_tokens: u64,
    /// Seconds of audio whose length is not known.
    pub audio_seconds: u64,
    /// Calls of tools that upstream makes by itself.
    pub tool_calls: u64,
    /// Lines of the batches of a workspace that are not settled.
    pub batch_lines: u64,
}

/// The data plane's settings.
#[derive(Clone)]
pub struct Settings {
    /// Where calls go: the first server, then those with names.
    pub servers: Arc<[UpstreamTarget]>,
    /// Further attempts at a call that provably was not worked on.
    pub retries: u32,
    /// How long each part may take.
    pub timeouts: Timeouts,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// The least bytes a second of a request body, after the grace.
    pub min_body_rate: u64,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Connections at the same time from one address.
    pub max_connections_per_address: usize,
    /// Threads that serve calls, each with its own event loop and upstream connections.
    pub worker_threads: usize,
    /// TLS towards clients; `None` is plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Usage records that may wait to be written; beyond it calls are refused rather than lost.
    pub usage_capacity: usize,
    /// The status of a refusal by a budget that is spent: 429 or 402.
    pub budget_refusal_status: u16,
    /// Counts input exactly where its bound does not fit a limit; `None` leaves it at the bound.
    pub exact_input: Option<ExactInput>,
    /// Where files are set aside on their way: a folder on a disk of this node.
    pub spool_dir: PathBuf,
    /// What a call may bring along and set off, where its request does not say.
    pub bounds: CallBounds,
    /// When credentials rest.
    pub health: health::Policy,
    /// The host under which people reach this installation, where that was set.
    pub public_host: Option<String>,
}
