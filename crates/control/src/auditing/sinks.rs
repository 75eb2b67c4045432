//! Where checkpoints go besides the database: a file that only grows, or a syslog server.

use super::lines;
use louver_domain::audit::checkpoint::{PublicKey, Signed, Word};
use louver_domain::id::OrganizationId;
use louver_domain::time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{UdpSocket, UnixDatagram};

/// No sink may take longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Facility 13 (log audit), severity 5 (notice): RFC 5424, 6.2.1.
const PRIORITY: u8 = 13 * 8 + 5;

/// A place outside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Lines of JSON at the end of this file.
    File(PathBuf),
    /// Datagrams to this socket, such as `/dev/log`.
    Unix(PathBuf),
    /// Datagrams to this host and port.
    Udp(String),
}

impl Sink {
    /// Reads a syslog address: a path, or `udp://host:port`.
    pub fn syslog(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix("udp://") {
            let (host, port) = address.rsplit_once(':')?;
            let port: u16 = port.parse().ok()?;
            return (!host.is_empty() && port > 0).then(|| Self::Udp(address.to_owned()));
        }
        text.starts_with('/').then(|| Self::Unix(text.into()))
    }

    /// Writes a checkpoint; when this returns without an error, it is out of the program's hands.
    async fn write(&self, signed: &Signed, key: &PublicKey) -> Result<(), String> {
        let line = lines::checkpoint(Word::Checkpoint, signed, key).to_string();
        let written = async {
            match self {
                Self::File(path) => {
                    let path = path.clone();
                    let done = tokio::task::spawn_blocking(move || append(&path, &line)).await;
                    done.map_err(std::io::Error::other)?
                }
                Self::Unix(path) => {
                    let message = syslog(signed.checkpoint.at, &line);
                    UnixDatagram::unbound()?.send_to(message.as_bytes(), path).await.map(drop)
                }
                Self::Udp(address) => {
                    let message = syslog(signed.checkpoint.at, &line);
                    send(address, message.as_bytes()).await
                }
            }
        };
        match tokio::time::timeout(PATIENCE, written).await {
            Ok(done) => done.map_err(|error| format!("{self}: {error}")),
            Err(_) => Err(format!("{self}: it takes too long")),
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the checkpoint file {}", path.display()),
            Self::Unix(path) => write!(f, "the syslog socket {}", path.display()),
            Self::Udp(address) => write!(f, "the syslog server {address}"),
        }
    }
}

/// One line, on the disk before this returns. A line that an earlier process left unfinished is ended first.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let start = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{start}{line}\n").as_bytes())?;
    file.sync_all()
}

async fn send(address: &str, message: &[u8]) -> std::io::Result<()> {
    let mut failed = std::io::Error::other("the name leads nowhere");
    for target in tokio::net::lookup_host(address).await? {
        let own = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let sent = async { UdpSocket::bind(own).await?.send_to(message, target).await };
        match sent.await {
            Ok(_) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A message as RFC 5424 has it; the name of the machine and the process are left out.
fn syslog(at: Timestamp, line: &str) -> String {
    format!("<{PRIORITY}>1 {} - louver - audit.checkpoint - {line}", at.rfc3339_exact())
}

/// The sinks of a node, and how each does.
#[derive(Default)]
pub(crate) struct Sinks(Vec<(Sink, Mutex<Standing>)>);

#[derive(Default)]
struct Standing {
    told: HashMap<OrganizationId, u64>,
    failing: Option<(Timestamp, String)>,
}

impl Sinks {
    pub(crate) fn new(sinks: Vec<Sink>) -> Self {
        Self(sinks.into_iter().map(|sink| (sink, Mutex::default())).collect())
    }

    /// The sink that has failed longest: since when, and why.
    pub(crate) fn failing(&self) -> Option<(Timestamp, String)> {
        let standing = |(_, standing): &(Sink, Mutex<Standing>)| {
            standing.lock().unwrap_or_else(PoisonError::into_inner).failing.clone()
        };
        self.0.iter().filter_map(standing).min_by_key(|(since, _)| *since)
    }

    /// Tells each sink the checkpoints that it has not been told of.
    pub(crate) async fn tell(&self, newest: &[Signed], key: &PublicKey, now: Timestamp) {
        for (sink, standing) in &self.0 {
            for signed in newest {
                let Signed { checkpoint, .. } = signed;
                let told = |s: &Standing| s.told.get(&checkpoint.organization_id) >= Some(&checkpoint.place);
                if told(&standing.lock().unwrap_or_else(PoisonError::into_inner)) {
                    continue;
                }
                let written = sink.write(signed, key).await;
                let mut standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
                match written {
                    Ok(()) => {
                        standing.told.insert(checkpoint.organization_id, checkpoint.place);
                        standing.failing = None;
                    }
                    Err(error) => standing.fail(now, error),
                }
            }
        }
    }
}

impl Standing {
    /// It is said when it begins and when it is another failure, not each time.
    fn fail(&mut self, now: Timestamp, error: String) {
        if self.failing.as_ref().is_none_or(|(_, known)| *known != error) {
            tracing::error!(error, "a checkpoint of the audit log could not be handed out");
        }
        let since = self.failing.as_ref().map_or(now, |(since, _)| *since);
        self.failing = Some((since, error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_syslog_are_read() {
        assert_eq!(Sink::syslog("/dev/log"), Some(Sink::Unix("/dev/log".into())));
        assert_eq!(
            Sink::syslog("udp://logs.example.com:514"),
            Some(Sink::Udp("logs.example.com:514".into()))
        );
        assert_eq!(Sink::syslog("udp://[::1]:514"), Some(Sink::Udp("[::1]:514".into())));
        for wrong in ["", "dev/log", "udp://", "udp://host", "udp://:1", "udp://host:0", "tcp://host:1"] {
            assert_eq!(Sink::syslog(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_that_was_left_unfinished_is_ended() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints.jsonl");
        append(&path, "1").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "1\n2").unwrap();
        append(&path, "3").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
        assert!(append(&folder.path().join("none/x"), "1").is_err());
    }
}
