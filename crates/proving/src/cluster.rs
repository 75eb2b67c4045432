//! A PostgreSQL of one's own, which may be restarted under load: its files, its socket, no port.

use crate::program::succeed;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::Command;

/// A running server. Dropped, it is stopped and its files are gone.
pub struct Cluster {
    folder: TempDir,
    url: String,
}

/// Commits wait for the log, which a restart then finds in the page cache: no disk is waited for.
const OPTIONS: &str = "-c listen_addresses= -c fsync=off -c synchronous_commit=on -c max_connections=200";

impl Cluster {
    /// Starts a new one.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("louver-pg").tempdir().unwrap();
        if is_root() {
            succeed(Command::new("chown").arg("postgres").arg(folder.path())).await;
        }
        let socket = folder.path().display();
        let url = format!("postgres://postgres@localhost/postgres?host={socket}");
        let cluster = Self { folder, url };
        cluster.run("initdb", &["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"]).await;
        cluster.run("pg_ctl", &cluster.started(&["start"])).await;
        cluster
    }

    /// How its database is reached.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it as a crash would, and starts it again.
    pub async fn restart(&self) {
        self.run("pg_ctl", &self.started(&["restart", "-m", "immediate"])).await;
    }

    fn started(&self, arguments: &[&str]) -> Vec<String> {
        let folder = self.folder.path();
        let options = format!("-k {} {OPTIONS}", folder.display());
        let log = folder.join("log").display().to_string();
        let mut all: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        all.extend(["-w".into(), "-l".into(), log, "-o".into(), options]);
        all
    }

    async fn run(&self, tool: &str, arguments: &[impl AsRef<std::ffi::OsStr>]) {
        let mut command = as_postgres(&tools().join(tool));
        command.arg("-D").arg(self.folder.path().join("data")).args(arguments);
        // The server outlives the tool and must not hold its pipes.
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().await;
        assert!(status.unwrap().success(), "{tool} in {}", self.folder.path().display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = as_postgres(&tools().join("pg_ctl")).into_std();
        command.arg("-D").arg(self.folder.path().join("data")).args(["-m", "immediate", "stop"]);
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// PostgreSQL refuses to run as root; then it runs as its own user.
fn as_postgres(tool: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(tool);
        command.current_dir("/");
        return command;
    }
    Command::new(tool)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The newest PostgreSQL of the system's packages.
fn tools() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: run scripts/test");
    let newest = versions.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    newest.max().expect("PostgreSQL is installed: run scripts/test").1
}
