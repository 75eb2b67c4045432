//! The audit log proves itself: each way of tampering with the database is found by `louver audit verify`, and located.

use crate::audit_chain::{by_hand, clear, jam};
use crate::program::run;
use louver_domain::access::{Action, Actor, decide};
use louver_domain::audit::{AuditEvent, Outcome};
use louver_domain::id::{EventId, OrganizationId};
use louver_domain::time::Timestamp;
use louver_proving::client::{request, send};
use louver_proving::clock::ManualClock;
use louver_proving::installation::{Database, Installation};
use louver_proving::program;
use louver_proving::system::{Setup, System, eventually};
use louver_store::Store;
use louver_store::audit::write;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A log as it was left, to be tampered with.
struct Left {
    folder: tempfile::TempDir,
    organization: OrganizationId,
    master: PathBuf,
    checkpoints: PathBuf,
    _installation: Installation,
}

impl Left {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = folder.path().join("checkpoints.jsonl");
        let variable = [("LOUVER_AUDIT_CHECKPOINT_FILE", checkpoints.to_str().unwrap())];
        let installation = Installation::of(&program::file(), &Database::Sqlite, &variable).await;
        let mut program = installation.start(0).await.unwrap();
        let admin = installation.admin(&program);
        for number in 0..6 {
            admin.key(&format!("key-{number}"), json!({})).await;
        }
        program.signal("TERM").await;
        assert!(program.end().await.is_some_and(|status| status.success()));
        let data = installation.data();
        by_hand(&format!("sqlite:{}", data.join("louver.db").display()), "PRAGMA wal_checkpoint(TRUNCATE)")
            .await;
        std::fs::copy(data.join("louver.db"), folder.path().join("louver.db")).unwrap();
        Self {
            organization: OrganizationId::parse(&installation.organization).unwrap(),
            master: data.join("master.key"),
            folder,
            checkpoints,
            _installation: installation,
        }
    }

    fn url(&self, file: &str) -> String {
        format!("sqlite:{}", self.folder.path().join(file).display())
    }

    async fn run(&self, file: &str, arguments: &[&str]) -> std::process::Output {
        let url = self.url(file);
        let environment = [
            ("LOUVER_DATABASE_URL", url.as_str()),
            ("LOUVER_MASTER_KEY_FILE", self.master.to_str().unwrap()),
        ];
        run(&environment, &[&["audit"], arguments].concat()).await
    }

    /// The faults that are found in a file, with their places.
    async fn verify(&self, file: &str, with_checkpoints: bool) -> Vec<(String, u64)> {
        let mut arguments = vec!["verify", "--json"];
        if with_checkpoints {
            arguments.extend(["--checkpoints", self.checkpoints.to_str().unwrap()]);
        }
        faults(&self.run(file, &arguments).await)
    }

    /// A copy on which that was done.
    async fn tampered(&self, sql: &'static str) -> &'static str {
        let file = "tampered.db";
        for old in ["tampered.db-wal", "tampered.db-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(old));
        }
        std::fs::copy(self.folder.path().join("louver.db"), self.folder.path().join(file)).unwrap();
        by_hand(&self.url(file), sql).await;
        file
    }
}

fn faults(output: &std::process::Output) -> Vec<(String, u64)> {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(said["ok"], output.status.success(), "{said}");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let found = said["organizations"].as_array().unwrap().iter();
    let found = found.flat_map(|one| one["findings"].as_array().unwrap());
    found.map(|f| (f["fault"].as_str().unwrap().to_owned(), f["place"].as_u64().unwrap())).collect()
}

fn fault(name: &str, place: u64) -> (String, u64) {
    (name.to_owned(), place)
}

#[tokio::test]
async fn every_tampering_is_found_and_located() {
    let left = Left::new().await;
    assert_eq!(left.verify("louver.db", true).await, []);
    let rows = {
        let store =
            Store::open(&left.url("louver.db"), Arc::new(ManualClock::at("2026-11-21T10:00:00Z"))).await;
        let store = store.unwrap();
        let head = louver_store::audit::checkpoints::heads(&store).await.unwrap().remove(0);
        store.close().await;
        head.place
    };
    assert!(rows >= 12, "{rows}");
    for (sql, found) in [
        ("UPDATE audit_events SET actor_name = 'somebody else' WHERE place = 5", fault("changed", 5)),
        ("UPDATE audit_events SET at = at - 1 WHERE place = 6", fault("changed", 6)),
        ("UPDATE audit_events SET after_state = NULL WHERE place = 7", fault("changed", 7)),
        ("UPDATE audit_events SET hash = x'00' WHERE place = 7", fault("unreadable", 7)),
        ("DELETE FROM audit_events WHERE place = 4", fault("missing", 4)),
        ("DELETE FROM audit_events WHERE place <= 2", fault("missing", 1)),
        (
            "UPDATE audit_events SET place = -1 WHERE place = 5; UPDATE audit_events SET place = 5 WHERE place = 6; \
             UPDATE audit_events SET place = 6 WHERE place = -1",
            fault("changed", 5),
        ),
        (
            "UPDATE audit_events SET place = -place WHERE place >= 5; \
             UPDATE audit_events SET place = 1 - place WHERE place < 0; \
             INSERT INTO audit_events SELECT organization_id, 5, randomblob(16), at, actor_kind, identity, actor_id, \
             actor_name, event, permission, target_type, target_id, target_name, workspace_id, outcome, before_state, \
             after_state, request_id, address, hash FROM audit_events WHERE place = 4",
            fault("changed", 5),
        ),
        (
            "INSERT INTO audit_cuts SELECT organization_id, place, hash, at, zeroblob(64) FROM audit_events \
             WHERE place = 3; DELETE FROM audit_events WHERE place <= 3",
            fault("bad_signature", 3),
        ),
        ("UPDATE audit_checkpoints SET at = at + 1", fault("bad_signature", rows)),
        ("DELETE FROM audit_heads", fault("wrong_end", rows)),
    ] {
        let file = left.tampered(sql).await;
        let all = left.verify(file, false).await;
        assert!(all.contains(&found), "{sql}: {all:?}");
    }
    let cut = left.tampered("DELETE FROM audit_events WHERE place > 9").await;
    assert_eq!(left.verify(cut, false).await, [fault("cut_tail", 10)]);
    let text = left.run(cut, &["verify"]).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.starts_with(&format!("cut_tail  organization {} place 10: ", left.organization)), "{text}");
}

/// Whoever can write to the database can also make its end fit, but for what was signed and kept elsewhere.
const FORGED_END: &str = "DELETE FROM audit_events WHERE place > 9; DELETE FROM audit_checkpoints; \
    UPDATE audit_heads SET place = 9, hash = (SELECT hash FROM audit_events WHERE place = 9)";

#[tokio::test]
async fn a_tail_that_was_cut_off_or_written_anew_is_found_by_what_was_kept_outside() {
    let left = Left::new().await;
    let file = left.tampered(FORGED_END).await;
    assert_eq!(left.verify(file, false).await, []);
    assert_eq!(left.verify(file, true).await, [fault("cut_tail", 10)]);
    let clock = Arc::new(ManualClock::at("2026-11-21T10:00:00Z"));
    let store = Store::open(&left.url(file), clock).await.unwrap();
    let actor = Actor::system(left.organization);
    let forged = |number: u8| AuditEvent {
        id: EventId::from_bytes([number; 16]),
        at: Timestamp::from_micros(1),
        actor: actor.clone(),
        permit: decide(&actor, Action::CreateRole, left.organization).unwrap(),
        outcome: Outcome::Done,
        workspace_id: None,
        target_id: "x".into(),
        target_name: "x".into(),
        before: None,
        after: None,
        request_id: None,
        address: None,
    };
    write(&store, &(0..20).map(forged).collect::<Vec<_>>()).await.unwrap();
    store.close().await;
    assert_eq!(left.verify(file, false).await, [], "it fits in itself");
    let found = left.verify(file, true).await;
    assert!(found.len() == 1 && found[0].0 == "rewritten" && found[0].1 > 9, "{found:?}");
    // A checkpoint that somebody without the key made is none.
    let text = std::fs::read_to_string(&left.checkpoints).unwrap();
    std::fs::write(&left.checkpoints, text.replacen("\"place\":", "\"place\":1", 1)).unwrap();
    let found = left.verify("louver.db", true).await;
    assert!(found.iter().any(|(fault, _)| fault == "bad_signature"), "{found:?}");
}

#[tokio::test]
async fn an_export_is_proved_with_the_public_key_alone() {
    let left = Left::new().await;
    let key = left.run("louver.db", &["public-key"]).await;
    let key = String::from_utf8(key.stdout).unwrap();
    let key = key.trim();
    let export = left.run("louver.db", &["export"]).await;
    assert!(export.status.success(), "{export:?}");
    let path = left.folder.path().join("export.jsonl");
    let text = String::from_utf8(export.stdout).unwrap();
    let check = async |text: &str, more: &[&str]| {
        std::fs::write(&path, text).unwrap();
        let arguments = ["audit", "verify", "--json", "--public-key", key, "--file", path.to_str().unwrap()];
        faults(&run(&[], &[arguments.as_slice(), more].concat()).await)
    };
    assert_eq!(check(&text, &[]).await, []);
    assert!(text.contains("\"event\":\"audit_log.export\""));
    let outside = ["--checkpoints", left.checkpoints.to_str().unwrap()];
    assert_eq!(check(&text, &outside).await, []);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(check(&lines[..lines.len() - 3].join("\n"), &[]).await.len(), 1);
    let gap = [&lines[..3], &lines[4..]].concat().join("\n");
    assert_eq!(check(&gap, &[]).await, [fault("missing", 4)]);
    assert_eq!(check(&gap, &["--partial"]).await, []);
    assert_eq!(check(&text.replacen("key-3", "key-4", 1), &["--partial"]).await.len(), 1);
    assert_eq!(left.verify("louver.db", true).await, [], "and the export is in the log");
    for wrong in [
        vec!["verify", "--public-key", "zz"],
        vec!["export", "--from", "x"],
        vec!["export", "--organization", "x"],
    ] {
        let output = left.run("louver.db", &wrong).await;
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    }
    let output = left.run("none.db", &["verify"]).await;
    assert!(!output.status.success() && !Path::new(&left.folder.path().join("none.db")).exists());
}

/// What stands in the log after what a person would call everything.
#[tokio::test]
async fn nothing_is_changed_that_cannot_be_written_down_and_calls_go_on() {
    for postgres in [false, true] {
        let system = System::with(Setup { postgres, ..Setup::default() }).await;
        let (key, _) = system.key(json!({})).await;
        jam(&system.database_url).await;
        let before = system.admin("GET", "/v1/api-keys", None).await.json();
        for (method, path, body) in [
            ("POST", "/v1/api-keys", json!({"name": "x"})),
            ("PATCH", "/v1/gateway/organization", json!({"name": "x"})),
            ("POST", "/v1/gateway/upstreams", json!({"name": "x", "key": "upstream-key-x"})),
        ] {
            let answer = system.admin(method, path, Some(body)).await;
            assert_eq!(answer.status, 503, "{method} {path}: {}", answer.text());
            assert!(answer.text().contains("nothing was changed"), "{}", answer.text());
        }
        let answer =
            send(system.address, request("GET", "/v1/gateway/audit/export", &system.admin_key, None)).await;
        assert_eq!(answer.status, 503, "what would have to be written down is not read either");
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
        let after = system.admin("GET", "/v1/api-keys", None).await.json();
        assert_eq!(before["data"].as_array().unwrap().len(), after["data"].as_array().unwrap().len());
        clear(&system.database_url).await;
        system.key(json!({})).await;
    }
}

/// A node signs by itself, without anybody who asks, and its stop leaves nothing unsigned.
#[tokio::test]
async fn a_node_signs_and_holds_no_secret_in_its_log() {
    let mut system = System::start().await;
    let stored = "upstream-canary-in-the-audit-log";
    let (key, id) = system.key(json!({"description": "d"})).await;
    system.deed("POST", "/v1/gateway/upstreams", json!({"name": "u", "key": stored})).await;
    system.admin("PATCH", &format!("/v1/api-keys/{id}"), Some(json!({"name": "renamed"}))).await;
    system.admin("GET", &format!("/v1/api-keys/{key}"), None).await;
    let wrong = format!("{}x", &system.admin_key[..system.admin_key.len() - 1]);
    send(system.address, request("GET", "/v1/api-keys", &wrong, None)).await;
    let signed = eventually(async || {
        let answer = system.admin("GET", "/v1/gateway/audit/checkpoint", None).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(signed["signature"].as_str().unwrap().len(), 128);
    let export = system.get(&system.admin_key, "/v1/gateway/audit/export").await.text();
    let listed = system.admin("GET", "/v1/gateway/audit?limit=1000", None).await.text();
    let mistral = system.admin("GET", "/v1/admin/audit-logs?limit=1000", None).await.text();
    for canary in [&key, &system.admin_key, &wrong, &stored.to_owned()] {
        let secret = canary.rsplit('_').next().unwrap();
        assert!(![&export, &listed, &mistral].iter().any(|text| text.contains(secret)), "{canary}");
    }
    assert!(export.contains("\"event\":\"upstream.create\""), "{export}");
    system.stop().await;
    let heads = louver_store::audit::checkpoints::heads(&system.store).await.unwrap();
    let newest =
        louver_store::audit::checkpoints::newest(&system.store, heads[0].organization_id).await.unwrap();
    assert_eq!(newest.unwrap().checkpoint.place, heads[0].place);
}
