//! `louver doctor`: a sound installation passes, and each fault is named with its cure.

use crate::program::{Dev, run};
use crate::verify::break_by_hand;
use louver_proving::client::{request, send};
use louver_proving::system::eventually;
use serde_json::{Value, json};
use std::path::Path;

/// The checks, and whether the program ended well.
async fn doctor(environment: &[(&str, &str)], folder: Option<&Path>) -> (bool, Vec<Value>) {
    let mut arguments = vec!["doctor", "--json"];
    if let Some(folder) = folder {
        arguments.extend(["--data-dir", folder.to_str().unwrap()]);
    }
    let output = run(environment, &arguments).await;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(said["ok"], output.status.success(), "{said}");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    (output.status.success(), said["checks"].as_array().unwrap().clone())
}

/// The messages of the problems of that check.
fn problems(checks: &[Value], check: &str) -> Vec<String> {
    let of = checks.iter().filter(|found| found["check"] == check && found["ok"] == false);
    of.map(|found| found["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_sound_installation_passes_live_and_offline_and_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (good, checks) = doctor(&[], Some(&data)).await;
    assert!(!good && problems(&checks, "database")[0].contains("is not there"), "{checks:?}");
    assert!(!data.exists(), "nothing is made");

    let mut dev = Dev::start(&data).await;
    let key = dev.said["workspaces"]["dev-workspace"]["keys"]["dev-team-key"].as_str().unwrap();
    let body = json!({"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hi"}]});
    let call = request("POST", "/v1/chat/completions", key, Some(body.to_string().as_bytes()));
    assert_eq!(send(dev.address, call).await.status, 200);
    let admin = dev.said["admin_key"].as_str().unwrap();
    let upstream = json!({"name": "main", "key": "upstream-key-of-doctor"}).to_string();
    let stored =
        send(dev.address, request("POST", "/v1/gateway/upstreams", admin, Some(upstream.as_bytes()))).await;
    assert!(stored.status.is_success(), "{}", stored.text());
    let (good, checks) = doctor(&[], Some(&data)).await;
    assert!(good, "while it runs: {checks:?}");
    dev.end().await;
    let (good, checks) = doctor(&[], Some(&data)).await;
    assert!(good, "when it has ended: {checks:?}");
    for check in [
        "settings",
        "journal",
        "master key",
        "database",
        "schema",
        "organization",
        "upstream credentials",
        "audit log",
        "audit checkpoints",
        "audit sinks",
        "books",
        "stranded leases",
        "leases of nodes",
        "blocked budgets",
    ] {
        assert!(checks.iter().any(|found| found["check"] == check), "{check}");
    }

    let url = format!("sqlite:{}", data.join("louver.db").display());
    for (sql, check, part) in [
        ("UPDATE leases SET state = 'open', amount = amount + 5000000", "books", "what is given out"),
        ("UPDATE leases SET state = 'stranded'", "stranded leases", "POST /v1/gateway/budgets/release"),
        (
            "UPDATE leases SET state = 'open', starts = 1 WHERE id = (SELECT MIN(id) FROM leases)",
            "books",
            "every lease is of an account",
        ),
        ("UPDATE audit_events SET actor_name = 'x' WHERE place = 2", "audit log", "place 2 of"),
        ("UPDATE audit_checkpoints SET signature = x'00'", "audit log", "not signed"),
        ("UPDATE budget_periods SET blocked = 1", "blocked budgets", "unblock"),
        ("UPDATE budget_periods SET starts = 1, ends = 2", "books", "charged no more"),
        ("UPDATE leases SET state = 'open', starts = 1", "leases of nodes", "start that node again"),
        ("UPDATE upstreams SET sealed_key = x'00'", "upstream credentials", "\"main\" does not open"),
        ("DELETE FROM schema_steps WHERE step > 0", "schema", "louver migrate"),
    ] {
        break_by_hand(&url, sql).await;
        let (good, checks) = doctor(&[], Some(&data)).await;
        let found = problems(&checks, check);
        assert!(!good && found.iter().any(|problem| problem.contains(part)), "{sql}: {checks:?}");
    }
    let text = run(&[], &["doctor", "--data-dir", data.to_str().unwrap()]).await;
    let lines = String::from_utf8(text.stdout).unwrap();
    assert!(lines.lines().any(|line| line.starts_with("ok       settings: ")), "{lines}");
    assert!(lines.lines().any(|line| line.starts_with("problem  schema: ")), "{lines}");
    assert!(!text.status.success() && String::from_utf8_lossy(&text.stderr).contains("problem"));
}

#[tokio::test]
async fn incomplete_settings_a_foreign_master_key_and_a_new_database_are_problems() {
    let (good, checks) = doctor(&[("LOUVER_TYPO", "1")], None).await;
    let found = problems(&checks, "settings");
    assert!(!good && found.len() == 3, "{found:?}");
    let folder = tempfile::tempdir().unwrap();
    let url = louver_proving::database::postgres();
    let (master, other) = (folder.path().join("master.key"), folder.path().join("other.key"));
    let journal = folder.path().join("file");
    let environment = [
        ("LOUVER_DATABASE_URL", url.as_str()),
        ("LOUVER_MASTER_KEY_FILE", master.to_str().unwrap()),
        ("LOUVER_LISTEN", "0.0.0.0:0"),
    ];
    let (_, checks) = doctor(&environment, None).await;
    assert_eq!(problems(&checks, "settings").len(), 2, "no TLS, no journal: {checks:?}");
    assert_eq!(problems(&checks, "journal").len(), 1, "{checks:?}");
    assert!(problems(&checks, "master key")[0].contains("master.key"), "{checks:?}");
    assert!(problems(&checks, "schema")[0].contains("0 steps"), "{checks:?}");

    let environment = [
        ("LOUVER_DATABASE_URL", url.as_str()),
        ("LOUVER_MASTER_KEY_FILE", master.to_str().unwrap()),
        ("LOUVER_JOURNAL_DIR", journal.to_str().unwrap()),
    ];
    assert!(run(&environment, &["init"]).await.status.success());
    let (good, checks) = doctor(&environment, None).await;
    assert!(!good && problems(&checks, "upstream credentials").len() == 1, "{checks:?}");
    let with_key = [environment.as_slice(), &[("MISTRAL_API_KEY", "k")]].concat();
    let (good, checks) = doctor(&with_key, None).await;
    assert!(good, "{checks:?}");
    std::fs::write(&journal, "in the way").unwrap();
    let (good, checks) = doctor(&with_key, None).await;
    assert!(!good && problems(&checks, "journal").len() == 1, "{checks:?}");
    std::fs::write(&other, "0".repeat(64)).unwrap();
    let readable = [with_key.as_slice(), &[("LOUVER_MASTER_KEY_FILE", other.to_str().unwrap())]].concat();
    let (_, checks) = doctor(&readable, None).await;
    assert!(problems(&checks, "master key")[0].contains("chmod 600"), "{checks:?}");
}

#[tokio::test]
async fn a_running_server_is_looked_at_from_near_and_from_afar() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (folder.path().join("own"), folder.path().join("other"));
    let (mut here, mut there) = (Dev::start(&own).await, Dev::start(&other).await);
    let url = |dev: &Dev| format!("http://{}", dev.address);
    let key = |dev: &Dev| dev.said["admin_key"].as_str().unwrap().to_owned();
    let (url_here, key_here) = (url(&here), key(&here));
    let environment = [("LOUVER_URL", url_here.as_str()), ("LOUVER_ADMIN_KEY", key_here.as_str())];
    let (good, checks) = doctor(&environment, Some(&own)).await;
    assert!(good, "{checks:?}");
    for check in ["settings", "server", "clock", "admin key", "server's master key", "upstreams"] {
        assert!(checks.iter().any(|found| found["check"] == check), "{check}: {checks:?}");
    }
    let (good, checks) = doctor(&environment, None).await;
    assert!(good && !checks.iter().any(|found| found["check"] == "settings"), "from afar: {checks:?}");

    let (url_there, key_there) = (url(&there), key(&there));
    let foreign = [("LOUVER_URL", url_there.as_str()), ("LOUVER_ADMIN_KEY", key_there.as_str())];
    // The first checkpoint is signed soon after the start.
    let checks = eventually(async || {
        let (_, checks) = doctor(&foreign, Some(&own)).await;
        (!problems(&checks, "server's master key").is_empty()).then_some(checks)
    });
    assert_eq!(problems(&checks.await, "server's master key").len(), 1);
    let wrong = [("LOUVER_URL", url_here.as_str()), ("LOUVER_ADMIN_KEY", key_there.as_str())];
    let (good, checks) = doctor(&wrong, None).await;
    assert!(!good && problems(&checks, "admin key")[0].contains("louver admin-key create"), "{checks:?}");
    let (good, checks) = doctor(&[("LOUVER_URL", url_here.as_str())], None).await;
    assert!(!good && problems(&checks, "admin key")[0].contains("LOUVER_ADMIN_KEY is not set"), "{checks:?}");

    let upstream = json!({"name": "main", "key": "upstream-key-of-doctor"}).to_string();
    let made = request("POST", "/v1/gateway/upstreams", &key_here, Some(upstream.as_bytes()));
    let id = send(here.address, made).await.json()["id"].as_str().unwrap().to_owned();
    let off =
        request("PATCH", &format!("/v1/gateway/upstreams/{id}"), &key_here, Some(br#"{"enabled": false}"#));
    assert!(send(here.address, off).await.status.is_success());
    let (good, checks) = doctor(&environment, None).await;
    assert!(!good && problems(&checks, "upstreams")[0].contains("louver upstreams enable"), "{checks:?}");

    here.end().await;
    there.end().await;
    let (good, checks) = doctor(&environment, None).await;
    assert!(
        !good && problems(&checks, "server")[0].contains("is `louver serve` running there?"),
        "{checks:?}"
    );
}
