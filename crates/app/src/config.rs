//! Settings: a TOML file, the environment over it, and every error at once.
//!
//! `louver.default.toml` at the root of the repository is their documentation; a test holds it against this file.

mod audit;
mod destinations;
mod public_url;
mod smtp;
mod upstreams;

pub use louver_gateway::ServerKind;
pub use smtp::Smtp;
pub use upstreams::{Care, Server, UpstreamKey};

use louver_control::actions::workspaces::DEFAULT_MAX_ACTIVE;
use louver_control::auditing;
use louver_control::delivery::targets::AllowedTargets;
use louver_control::destinations::Bounds;
use louver_control::openapi::Access;
use louver_control::retention::{DEFAULT_DAYS, Retention};
use louver_domain::limits::Region;
use louver_gateway::CallBounds;
use louver_store::journal::Durability;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings as given, before they are checked. Every field stands in `louver.default.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    listen: Option<String>,
    admin_listen: Option<String>,
    public_url: Option<String>,
    database_url: Option<String>,
    upstream_url: Option<String>,
    upstream_key: Option<String>,
    upstream_region: Option<String>,
    upstreams: upstreams::Files,
    retries: upstreams::Retries,
    breaker: upstreams::Breaker,
    catalogue_sync_seconds: Option<u32>,
    master_key_file: Option<PathBuf>,
    log: Option<String>,
    worker_threads: Option<usize>,
    max_body_bytes: Option<usize>,
    min_body_bytes_per_second: Option<u64>,
    max_connections: Option<usize>,
    max_connections_per_address: Option<usize>,
    usage_queue: Option<usize>,
    credential_rest_seconds: Option<u32>,
    max_upload_bytes: Option<u64>,
    max_document_pages: Option<u64>,
    max_document_tokens: Option<u64>,
    document_poll_seconds: Option<u64>,
    max_audio_seconds: Option<u64>,
    max_tool_calls: Option<u64>,
    max_pending_batch_lines: Option<u64>,
    batch_poll_seconds: Option<u64>,
    max_spool_bytes: Option<u64>,
    spool_dir: Option<PathBuf>,
    journal_dir: Option<PathBuf>,
    durability: Option<String>,
    budget_refusal_status: Option<u16>,
    max_active_workspaces: Option<u64>,
    openapi_access: Option<String>,
    webhook_allowed_targets: Vec<String>,
    destination_allowed_targets: Vec<String>,
    rotation_verify_url: Option<String>,
    alert_retention_days: Option<u32>,
    rotation_retention_days: Option<u32>,
    destination_folders: Vec<PathBuf>,
    destination_commands: BTreeMap<String, Vec<String>>,
    smtp: smtp::File,
    audit: audit::File,
    tokenizer: Tokenizer,
    tls: Tls,
    timeouts: TimeoutSeconds,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tokenizer {
    file: Option<PathBuf>,
    models: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tls {
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

/// Times in seconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TimeoutSeconds {
    head: Option<u64>,
    body_grace: Option<u64>,
    connect: Option<u64>,
    first_byte: Option<u64>,
    idle: Option<u64>,
    total: Option<u64>,
    client_left: Option<u64>,
    write: Option<u64>,
    drain: Option<u64>,
}

/// Settings that were checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the listener.
    pub listen: String,
    /// A second listener for the admin side, when it has one of its own.
    pub admin_listen: Option<String>,
    /// Where people reach the admin side, if not at its listener: links in mails begin with it.
    pub public_url: Option<String>,
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: String,
    /// Scheme, host and port of upstream.
    pub upstream_url: String,
    /// The credential for upstream, when it comes from the settings.
    pub upstream_key: Option<UpstreamKey>,
    /// Where the first upstream answers calls, if it says so.
    pub upstream_region: Option<Region>,
    /// Further upstreams, by name.
    pub upstreams: Vec<Server>,
    /// How trouble upstream is met.
    pub care: Care,
    /// The file with the master key.
    pub master_key_file: PathBuf,
    /// What is logged.
    pub log: String,
    /// Threads that serve calls.
    pub worker_threads: usize,
    /// The largest request body in bytes.
    pub max_body_bytes: usize,
    /// The least bytes a second of a request body.
    pub min_body_bytes_per_second: u64,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Connections at the same time from one address.
    pub max_connections_per_address: usize,
    /// Usage records that may wait to be written.
    pub usage_queue: usize,
    /// What a call may bring along and set off, where its request does not say.
    pub bounds: CallBounds,
    /// How often documents are looked for whose reading is not settled.
    pub document_poll: Duration,
    /// How often a batch that is not over is looked at.
    pub batch_poll: Duration,
    /// Where files are set aside on their way.
    pub spool_dir: PathBuf,
    /// Where the journal of calls is kept.
    pub journal_dir: Option<PathBuf>,
    /// Whether calls wait for the disk.
    pub durability: Durability,
    /// The status of a refusal by a budget that is spent: 429 or 402.
    pub budget_refusal_status: u16,
    /// How many workspaces an organization may have that are not archived.
    pub max_active_workspaces: u64,
    /// Who may read the description of the API; `None` is nobody.
    pub openapi_access: Option<Access>,
    /// Receivers of webhooks that need not be public: `host:port` or a block of addresses.
    pub webhook_allowed_targets: AllowedTargets,
    /// Where new secrets of keys are tried, if not at the node's own listeners.
    pub rotation_verify_url: Option<String>,
    /// What destinations of secrets may do on this node.
    pub destinations: Bounds,
    /// How long alerts and rotations that are over are kept.
    pub retention: Retention,
    /// The mail server for alerts and invitations.
    pub smtp: Option<Smtp>,
    /// Where checkpoints of the audit log go, and how far back it goes.
    pub audit: auditing::Settings,
    /// The vocabulary that counts input exactly, and the models that read with it.
    pub tokenizer: Option<(PathBuf, Vec<String>)>,
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How long each part of a call may take.
    pub timeouts: louver_gateway::Timeouts,
}

/// The environment, as an argument.
pub type Environment = BTreeMap<String, String>;

/// Variables that are not settings of the server.
const OF_THE_TERMINAL: [&str; 2] = ["LOUVER_URL", "LOUVER_ADMIN_KEY"];

/// Reads settings from a file (where there is one) and the environment. All errors come at once.
pub fn load(path: Option<&Path>, environment: &Environment) -> Result<Config, Vec<String>> {
    let mut errors = Vec::new();
    let mut file = path.map_or_else(File::default, |path| read_file(path, &mut errors));
    overlay(&mut file, environment, &mut errors);
    let config = check(file, environment, &mut errors);
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

fn read_file(path: &Path, errors: &mut Vec<String>) -> File {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let parsed = text.and_then(|text| toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display())));
    parsed.unwrap_or_else(|error| {
        errors.push(error);
        File::default()
    })
}

/// Lays the environment over the file. A variable of ours that is not known is an error: it may be a typing error of
/// one that matters.
fn overlay(file: &mut File, environment: &Environment, errors: &mut Vec<String>) {
    if let Some(key) = environment.get("MISTRAL_API_KEY").filter(|key| !key.is_empty()) {
        file.upstream_key = Some(key.clone());
    }
    for (name, value) in
        environment.iter().filter(|(name, value)| name.starts_with("LOUVER_") && !value.is_empty())
    {
        let value = value.clone();
        match name.as_str() {
            "LOUVER_LISTEN" => file.listen = Some(value),
            "LOUVER_ADMIN_LISTEN" => file.admin_listen = Some(value),
            "LOUVER_PUBLIC_URL" => file.public_url = Some(value),
            "LOUVER_ROTATION_VERIFY_URL" => file.rotation_verify_url = Some(value),
            "LOUVER_DATABASE_URL" => file.database_url = Some(value),
            "LOUVER_UPSTREAM_URL" => file.upstream_url = Some(value),
            "LOUVER_UPSTREAM_KEY" => file.upstream_key = Some(value),
            "LOUVER_MASTER_KEY_FILE" => file.master_key_file = Some(value.into()),
            "LOUVER_JOURNAL_DIR" => file.journal_dir = Some(value.into()),
            "LOUVER_SPOOL_DIR" => file.spool_dir = Some(value.into()),
            "LOUVER_DURABILITY" => file.durability = Some(value),
            "LOUVER_LOG" => file.log = Some(value),
            "LOUVER_AUDIT_CHECKPOINT_FILE" => file.audit.checkpoint_file = Some(value.into()),
            "LOUVER_AUDIT_CHECKPOINT_SYSLOG" => file.audit.checkpoint_syslog = Some(value),
            "LOUVER_AUDIT_RETENTION_DAYS" => match value.parse() {
                Ok(number) => file.audit.retention_days = Some(number),
                Err(_) => errors.push("LOUVER_AUDIT_RETENTION_DAYS must be a number".into()),
            },
            "LOUVER_TLS_CERTIFICATE_FILE" => file.tls.certificate_file = Some(value.into()),
            "LOUVER_TLS_KEY_FILE" => file.tls.key_file = Some(value.into()),
            "LOUVER_WORKER_THREADS" => match value.parse() {
                Ok(number) => file.worker_threads = Some(number),
                Err(_) => errors.push("LOUVER_WORKER_THREADS must be a number".into()),
            },
            "LOUVER_MAX_ACTIVE_WORKSPACES" => match value.parse() {
                Ok(number) => file.max_active_workspaces = Some(number),
                Err(_) => errors.push("LOUVER_MAX_ACTIVE_WORKSPACES must be a number".into()),
            },
            other if OF_THE_TERMINAL.contains(&other) => {}
            other => errors.push(format!("the environment variable {other} is not a setting of Louver")),
        }
    }
}

fn check(file: File, environment: &Environment, errors: &mut Vec<String>) -> Config {
    let timeouts = timeouts(&file.timeouts, errors);
    let bounds = call_bounds(&file);
    let destinations = destinations::check(&file, errors);
    let retention = retention(&file, errors);
    let database_url = database_url(file.database_url, errors);
    let journal_dir = journal_dir(file.journal_dir, &database_url);
    let upstream_url = file.upstream_url.unwrap_or_else(|| "https://api.mistral.ai".into());
    if let Err(error) = crate::upstream::Address::parse(&upstream_url) {
        errors.push(error);
    }
    let master_key_file = file.master_key_file.unwrap_or_else(|| {
        errors.push("master_key_file (LOUVER_MASTER_KEY_FILE) is not set".into());
        PathBuf::new()
    });
    let tls = tls_files(file.tls, errors);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let max_connections = at_least_one(file.max_connections, 10_000, "max_connections", errors);
    Config {
        listen: address(file.listen, "127.0.0.1:8080", "listen", errors),
        admin_listen: file.admin_listen.map(|a| address(Some(a), "", "admin_listen", errors)),
        public_url: public_url::check("public_url", file.public_url, errors),
        rotation_verify_url: public_url::check("rotation_verify_url", file.rotation_verify_url, errors),
        database_url,
        upstream_url,
        upstream_key: upstream_key(file.upstream_key, errors),
        upstream_region: upstreams::region(file.upstream_region.as_deref()).unwrap_or_else(|error| {
            errors.push(format!("upstream_{error}"));
            None
        }),
        upstreams: upstreams::servers(file.upstreams, environment, errors),
        care: upstreams::care(
            &file.retries,
            &file.breaker,
            file.credential_rest_seconds,
            file.catalogue_sync_seconds,
            errors,
        ),
        master_key_file,
        log: file.log.unwrap_or_else(|| "info".into()),
        worker_threads: at_least_one(file.worker_threads, cores, "worker_threads", errors),
        max_body_bytes: at_least_one(file.max_body_bytes, 32 * 1024 * 1024, "max_body_bytes", errors),
        min_body_bytes_per_second: file.min_body_bytes_per_second.unwrap_or(1024).max(1),
        max_connections,
        max_connections_per_address: at_least_one(
            file.max_connections_per_address,
            max_connections,
            "max_connections_per_address",
            errors,
        ),
        usage_queue: at_least_one(file.usage_queue, 65_536, "usage_queue", errors),
        bounds,
        document_poll: Duration::from_secs(file.document_poll_seconds.unwrap_or(10).max(1)),
        batch_poll: Duration::from_secs(file.batch_poll_seconds.unwrap_or(30).max(1)),
        spool_dir: file.spool_dir.unwrap_or_else(|| spool_dir(journal_dir.as_deref())),
        journal_dir,
        durability: durability(file.durability.as_deref(), errors),
        budget_refusal_status: budget_refusal_status(file.budget_refusal_status, errors),
        max_active_workspaces: max_active_workspaces(file.max_active_workspaces, errors),
        openapi_access: openapi_access(file.openapi_access.as_deref(), errors),
        webhook_allowed_targets: allowed_targets(&file.webhook_allowed_targets, errors),
        destinations,
        retention,
        smtp: smtp::check(file.smtp, errors),
        audit: audit::check(file.audit, errors),
        tokenizer: file.tokenizer.file.map(|path| (path, file.tokenizer.models)),
        tls,
        timeouts,
    }
}

fn retention(file: &File, errors: &mut Vec<String>) -> Retention {
    let mut days = |name: &str, given: Option<u32>| {
        if given == Some(0) {
            errors.push(format!("{name} must be at least 1"));
        }
        given.unwrap_or(DEFAULT_DAYS)
    };
    Retention {
        alert_days: days("alert_retention_days", file.alert_retention_days),
        rotation_days: days("rotation_retention_days", file.rotation_retention_days),
    }
}

fn at_least_one(value: Option<usize>, default: usize, name: &str, errors: &mut Vec<String>) -> usize {
    if value == Some(0) {
        errors.push(format!("{name} must be at least 1"));
    }
    value.unwrap_or(default)
}

fn database_url(given: Option<String>, errors: &mut Vec<String>) -> String {
    let Some(url) = given else {
        errors.push("database_url (LOUVER_DATABASE_URL) is not set".into());
        return String::new();
    };
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        errors.push("database_url must start with sqlite: or postgres://".into());
    }
    url
}

fn call_bounds(file: &File) -> CallBounds {
    CallBounds {
        upload_bytes: file.max_upload_bytes.unwrap_or(512 * 1024 * 1024),
        spool_bytes: file.max_spool_bytes.unwrap_or(16 * 1024 * 1024 * 1024),
        document_pages: file.max_document_pages.unwrap_or(1000),
        document_tokens: file.max_document_tokens.unwrap_or(1_000_000),
        audio_seconds: file.max_audio_seconds.unwrap_or(3 * 60 * 60),
        tool_calls: file.max_tool_calls.unwrap_or(16),
        batch_lines: file.max_pending_batch_lines.unwrap_or(1_000_000),
    }
}

fn tls_files(tls: Tls, errors: &mut Vec<String>) -> Option<(PathBuf, PathBuf)> {
    match (tls.certificate_file, tls.key_file) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            errors.push("tls.certificate_file and tls.key_file go together".into());
            None
        }
    }
}

/// Beside SQLite's file, if nothing else is named. A server's database is elsewhere: it must be named then.
fn journal_dir(named: Option<PathBuf>, database_url: &str) -> Option<PathBuf> {
    let beside = |path: &str| PathBuf::from(format!("{}-journal.d", path.split('?').next().unwrap_or(path)));
    named.or_else(|| database_url.strip_prefix("sqlite:").map(beside))
}

/// Beside the journal, if nothing else is named: the folder for passing files of the system may be memory.
fn spool_dir(journal: Option<&Path>) -> PathBuf {
    journal.map_or_else(std::env::temp_dir, |journal| journal.with_file_name("spool"))
}

fn durability(text: Option<&str>, errors: &mut Vec<String>) -> Durability {
    match text.unwrap_or("background") {
        "background" => Durability::Background,
        "fsync" => Durability::Fsync,
        other => {
            errors.push(format!("durability must be background or fsync, not {other:?}"));
            Durability::Background
        }
    }
}

fn budget_refusal_status(status: Option<u16>, errors: &mut Vec<String>) -> u16 {
    let status = status.unwrap_or(429);
    if ![402, 429].contains(&status) {
        errors.push("budget_refusal_status must be 429 or 402".into());
    }
    status
}

fn max_active_workspaces(number: Option<u64>, errors: &mut Vec<String>) -> u64 {
    let number = number.unwrap_or(DEFAULT_MAX_ACTIVE);
    if number == 0 {
        errors.push("max_active_workspaces must be at least 1".into());
    }
    number
}

fn openapi_access(text: Option<&str>, errors: &mut Vec<String>) -> Option<Access> {
    match text.unwrap_or("open") {
        "open" => Some(Access::Open),
        "admin" => Some(Access::Admin),
        "off" => None,
        other => {
            errors.push(format!("openapi_access must be open, admin or off, not {other:?}"));
            None
        }
    }
}

fn allowed_targets(entries: &[String], errors: &mut Vec<String>) -> AllowedTargets {
    AllowedTargets::parse(entries).unwrap_or_else(|error| {
        errors.push(format!("webhook_allowed_targets: {error}"));
        AllowedTargets::default()
    })
}

fn timeouts(t: &TimeoutSeconds, errors: &mut Vec<String>) -> louver_gateway::Timeouts {
    let mut seconds = |value: Option<u64>, default: u64, name: &str| {
        let value = value.unwrap_or(default);
        if value == 0 || value > 86_400 {
            errors.push(format!("timeouts.{name} must be from 1 to 86400 seconds"));
        }
        std::time::Duration::from_secs(value)
    };
    louver_gateway::Timeouts {
        head: seconds(t.head, 30, "head"),
        body_grace: seconds(t.body_grace, 10, "body_grace"),
        connect: seconds(t.connect, 10, "connect"),
        first_byte: seconds(t.first_byte, 300, "first_byte"),
        idle: seconds(t.idle, 120, "idle"),
        total: seconds(t.total, 900, "total"),
        client_left: seconds(t.client_left, 60, "client_left"),
        write: seconds(t.write, 30, "write"),
        drain: seconds(t.drain, 30, "drain"),
    }
}

fn upstream_key(key: Option<String>, errors: &mut Vec<String>) -> Option<UpstreamKey> {
    let key = key?;
    if !key.bytes().all(|b| b.is_ascii_graphic()) {
        errors.push("the upstream key must be visible ASCII characters only".into());
    }
    Some(UpstreamKey::new(key))
}

fn address(value: Option<String>, default: &str, name: &str, errors: &mut Vec<String>) -> String {
    let value = value.unwrap_or_else(|| default.to_owned());
    if value.parse::<std::net::SocketAddr>().is_err() {
        errors.push(format!("{name} must be an address and a port such as 127.0.0.1:8080, not {value:?}"));
    }
    value
}

/// What a node on a database server lacks when it is not told where its journal is.
pub const NO_JOURNAL: &str =
    "journal_dir (LOUVER_JOURNAL_DIR) is not set: a folder on a disk of this node is needed";

/// Refuses what is unsafe or missing in production: a public listener without TLS would send keys in clear.
pub fn refuse_unsafe(config: &Config) -> Vec<String> {
    let mut errors = Vec::new();
    if config.journal_dir.is_none() {
        errors.push(NO_JOURNAL.into());
    }
    let public =
        |address: &String| address.parse::<std::net::SocketAddr>().is_ok_and(|a| !a.ip().is_loopback());
    let open: Vec<&String> =
        std::iter::once(&config.listen).chain(&config.admin_listen).filter(|a| public(a)).collect();
    if config.tls.is_none() && !open.is_empty() {
        errors.push(format!(
            "{} is reachable from outside and has no TLS: set tls.certificate_file and tls.key_file, or listen on \
             127.0.0.1 behind a proxy that terminates TLS",
            open.iter().map(|a| a.as_str()).collect::<Vec<_>>().join(" and ")
        ));
    }
    errors
}

#[cfg(test)]
mod tests;
