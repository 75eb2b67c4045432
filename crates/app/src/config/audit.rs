//! The settings of the audit log. They come from the file and the environment only, never by an API.

use louver_control::auditing::Settings;
use louver_control::auditing::sinks::Sink;
use serde::Deserialize;
use std::path::PathBuf;

/// As given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) checkpoint_file: Option<PathBuf>,
    pub(super) checkpoint_syslog: Option<String>,
    pub(super) retention_days: Option<u32>,
}

/// Checks them.
pub(super) fn check(file: File, errors: &mut Vec<String>) -> Settings {
    let mut sinks: Vec<Sink> = file.checkpoint_file.map(Sink::File).into_iter().collect();
    if let Some(text) = &file.checkpoint_syslog {
        match Sink::syslog(text) {
            Some(sink) => sinks.push(sink),
            None => errors.push(format!(
                "audit.checkpoint_syslog must be a socket such as /dev/log, or udp://host:port, not {text:?}"
            )),
        }
    }
    if file.retention_days == Some(0) {
        errors.push("audit.retention_days must be at least 1".into());
    }
    Settings { sinks, retention_days: file.retention_days }
}
