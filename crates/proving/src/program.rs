//! The real program as a child: started, waited for, signalled and killed, by its own id only.

use crate::client::{request, try_send};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// No start takes as long; only one that fails meets it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many of the last lines it said are kept.
const LINES: usize = 200;
/// How its line begins when it serves.
const SERVES: &str = "louver serves";

/// The program's file, built beside this one.
///
/// # Panics
/// When it is not there: that is a failure, not a reason to skip.
pub fn file() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("louver"));
    let found = beside.filter(|path| path.is_file()).last();
    found.unwrap_or_else(|| panic!("no louver beside {}: cargo build -p louver makes it", own.display()))
}

/// The program with an empty environment, ended when it is dropped.
pub fn command() -> Command {
    of(&file())
}

/// The same of a given file.
pub fn of(file: &Path) -> Command {
    let mut command = Command::new(file);
    piped(command.env_clear());
    command
}

/// A command whose output is read, ended when it is dropped.
pub fn piped(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true)
}

/// Runs a command to its end.
///
/// # Panics
/// When it fails.
pub async fn succeed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(status.success(), "{status}: {}{}", said(&stdout), said(&stderr));
    said(&stdout)
}

/// What a child said last.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<VecDeque<String>>>);

impl Said {
    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap();
        if lines.len() >= LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The last lines.
    pub fn text(&self) -> String {
        self.0.lock().unwrap().iter().map(|line| format!("  {line}\n")).collect()
    }

    /// How many of the last lines have this in them.
    pub fn count(&self, part: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }
}

/// A running `louver serve`.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it wrote to stderr.
    pub said: Said,
    /// What it wrote to stdout.
    pub printed: Said,
    /// From the start of the process until it said that it is ready.
    pub ready_in: Duration,
}

impl Program {
    /// Starts `command`, which serves, and waits until `/readyz` says that it is ready.
    pub async fn start(command: &mut Command) -> Result<Self, String> {
        let began = Instant::now();
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (said, serves) = listen_to(child.stderr.take().unwrap());
        let (printed, _) = listen_to(child.stdout.take().unwrap());
        let ready = async {
            let address = serves.await.map_err(|_| "it ended before it served".to_owned())?;
            while try_send(address, request("GET", "/readyz", "", None)).await?.status != 200 {
                tokio::task::yield_now().await;
            }
            Ok::<_, String>(address)
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        match ready.unwrap_or_else(|_| Err("it was not ready in time".into())) {
            Ok(address) => Ok(Self { child, address, said, printed, ready_in: began.elapsed() }),
            Err(why) => Err(format!("{why}:\n{}", said.text())),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    /// Starts `command` and kills it after a while, ready or not.
    pub async fn start_and_kill(command: &mut Command, after: Duration) {
        let mut child = command.spawn().unwrap();
        let _ = tokio::time::timeout(after, child.wait()).await;
        child.kill().await.unwrap();
    }

    /// Kills it as power would, and waits until it is gone.
    pub async fn kill(mut self) -> Said {
        self.child.kill().await.unwrap();
        self.said.clone()
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(mut self) -> Result<(), String> {
        self.signal("TERM").await;
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            other => Err(format!("it did not end in order: {other:?}\n{}", self.said.text())),
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it ends by itself.
    pub async fn end(&mut self) -> Option<ExitStatus> {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.ok().map(Result::unwrap)
    }

    /// Sends it a signal by its name.
    pub async fn signal(&self, name: &str) {
        succeed(Command::new("kill").args([format!("-{name}"), self.id().to_string()])).await;
    }

    /// Kibibytes of memory it has in use, and its open files; from `/proc`.
    pub fn weight(&self) -> Option<(u64, usize)> {
        let folder = PathBuf::from(format!("/proc/{}", self.id()));
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some((memory, std::fs::read_dir(folder.join("fd")).ok()?.count()))
    }
}

/// Keeps the last lines of a child's output, and tells the address in the line that says that it serves.
fn listen_to(output: impl AsyncRead + Unpin + Send + 'static) -> (Said, oneshot::Receiver<SocketAddr>) {
    let said = Said::default();
    let (tell, serves) = oneshot::channel();
    let mut tell = Some(tell);
    let kept = said.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(address) = address(&line).filter(|_| line.contains(SERVES))
                && let Some(tell) = tell.take()
            {
                let _ = tell.send(address);
            }
            kept.add(line);
        }
    });
    (said, serves)
}

fn address(line: &str) -> Option<SocketAddr> {
    line.split_once(" address=")?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_address_is_read_off_the_line() {
        let line =
            "2026-11-21T10:00:00Z  INFO louver: louver serves address=127.0.0.1:4242 admin_address=None";
        assert_eq!(super::address(line), "127.0.0.1:4242".parse().ok());
        assert_eq!(super::address("louver drains"), None);
    }
}
