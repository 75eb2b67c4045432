//! Commands: the secret on stdin alone, and nothing that outlives the call.

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).env_clear().env("PATH", PATH);
    command
}

fn secret() -> Secret<String> {
    Secret::new("lv-canary".to_owned())
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn how_it_ended_is_told() {
    assert!(run(shell("exit 0"), &secret(), SOON).await.unwrap().success());
    assert_eq!(run(shell("exit 3"), &secret(), SOON).await.unwrap().code(), Some(3));
    assert_eq!(run(shell("kill -9 $$"), &secret(), SOON).await.unwrap().code(), None);
    let missing = run(Command::new("/nowhere/to/be/found"), &secret(), SOON).await.unwrap_err();
    assert_eq!(missing, DestinationError::File(NOT_STARTED, std::io::ErrorKind::NotFound));
}

/// Runs a script beside a child that holds a fifo open, and answers how it ended once nobody holds it any more.
async fn with_child(then: &str, longest: Duration) -> Result<ExitStatus, DestinationError> {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let script = format!("sleep 600 > {0} & echo > {0}; {then}", fifo.display());
    let reader = tokio::task::spawn_blocking(move || std::fs::read_to_string(fifo).unwrap());
    let ended = run(shell(&script), &secret(), longest).await;
    assert_eq!(reader.await.unwrap(), "\n");
    ended
}

#[tokio::test]
async fn a_command_that_does_not_end_is_killed_with_all_it_started() {
    let ended = with_child("wait", Duration::from_secs(1)).await;
    assert_eq!(ended.err(), Some(DestinationError::Ended(None)));
}

#[tokio::test]
async fn what_it_left_running_ends_with_it() {
    assert!(with_child("exit 0", SOON).await.unwrap().success());
}
