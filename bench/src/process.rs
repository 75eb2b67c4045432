//! Starts a process in a group of its own and ends that group when dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Fault;

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// A process this benchmark started, with all it started in turn.
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `command` with its output in `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self, Fault> {
        let output = File::create(log)?;
        command.stdout(output.try_clone()?);
        Self::spawn(name, command, output)
    }

    /// Starts `command`, whose stdout is read for one line within `patience`; the rest of its output goes to `log`.
    pub fn start_and_read(
        name: &str,
        command: &mut Command,
        log: &Path,
        patience: Duration,
    ) -> Result<(Self, String), Fault> {
        command.stdout(Stdio::piped());
        let mut process = Self::spawn(name, command, File::create(log)?)?;
        let stdout = process.child.stdout.take().ok_or("no stdout")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                // Read on after the first line, so that the process never blocks on a full pipe.
                let _first = sender.send(line);
            }
        });
        match receiver.recv_timeout(patience) {
            Ok(line) => Ok((process, line?)),
            Err(_) => Err(format!("{name} said nothing on stdout; see {}", log.display()).into()),
        }
    }

    fn spawn(name: &str, command: &mut Command, log: File) -> Result<Self, Fault> {
        let child = command.stdin(Stdio::null()).stderr(log).process_group(0).spawn();
        let child = child.map_err(|fault| format!("{name} does not start: {fault}"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// The process group, which is the id of its first process.
    pub fn group(&self) -> u32 {
        self.child.id()
    }

    /// An error where the process has ended.
    pub fn check_alive(&mut self) -> Result<(), Fault> {
        match self.child.try_wait()? {
            Some(status) => Err(format!("{} ended with {status}", self.name).into()),
            None => Ok(()),
        }
    }

    /// Asks the first process to end, waits, then kills what is left of the group.
    fn stop(&mut self) {
        signal("TERM", &self.group().to_string());
        let patience = Instant::now() + GRACE;
        while self.check_alive().is_ok() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        signal("KILL", &format!("-{}", self.group()));
        let _reaped = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

fn signal(name: &str, target: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill -s "$1" -- "$2" 2>/dev/null"#, "sh", name, target]);
    let _done = shell.stdin(Stdio::null()).status();
}
