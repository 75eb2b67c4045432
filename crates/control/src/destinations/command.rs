//! A command that the settings of the node name: the secret on its stdin, and nothing secret anywhere else.

use super::desk::Desk;
use super::trouble::DestinationError;
use super::{Delivered, Parcel};
use louver_domain::secret::Secret;
use louver_domain::secret_destinations::settings::Command as Settings;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

/// For all of it.
const LONGEST: Duration = Duration::from_secs(30);
/// Where the command finds programs. Nothing else of the environment of this process is handed on.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const UNNAMED: DestinationError =
    DestinationError::NotAllowed("the settings of this node name no such command (destination_commands)");
const NOT_STARTED: &str = "the command cannot be started";

pub(super) async fn write(
    desk: &Desk<'_>,
    settings: &Settings,
    location: &str,
    parcel: &Parcel<'_>,
) -> Result<Delivered, DestinationError> {
    let words = desk.control.destinations.commands.get(&settings.command).ok_or(UNNAMED)?;
    let (program, arguments) = words.split_first().ok_or(UNNAMED)?;
    let told = [
        ("PATH", PATH),
        ("LOUVER_KEY_ID", parcel.key),
        ("LOUVER_KEY_NAME", parcel.name),
        ("LOUVER_WORKSPACE", parcel.workspace),
        ("LOUVER_ROTATION_ID", parcel.rotation),
        ("LOUVER_LOCATION", location),
    ];
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(told.map(|(name, value)| (name, OsString::from(value))));
    let ended = run(command, parcel.secret, LONGEST).await?;
    if ended.success() { Ok(Delivered { version: None }) } else { Err(DestinationError::Ended(ended.code())) }
}

/// Runs it in a process group of its own, which does not outlive this call.
async fn run(
    mut command: Command,
    secret: &Secret<String>,
    longest: Duration,
) -> Result<ExitStatus, DestinationError> {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).kill_on_drop(true).current_dir("/");
    let started = command.spawn();
    let mut child = started.map_err(|error| DestinationError::File(NOT_STARTED, error.kind()))?;
    let _group = Group::of(&child);
    let work = async {
        if let Some(mut stdin) = child.stdin.take() {
            // Who does not read it may still end well.
            let _written = stdin.write_all(secret.expose().as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(longest, work).await {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => Err(DestinationError::File("the command cannot be waited for", error.kind())),
        Err(_) => Err(DestinationError::Ended(None)),
    }
}

/// A process group, killed when dropped: what the command left running must not hold the secret any longer.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error says that nobody of it is left.
            let _killed = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests;
