//! The program itself: its commands, its settings, and how it ends.

use http_body_util::BodyExt;
use louver_proving::client::{Answer, open, request, send};
use louver_proving::program;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) struct Dev {
    child: Child,
    pub(crate) said: Value,
    pub(crate) address: SocketAddr,
}

impl Dev {
    pub(crate) async fn start(folder: &Path) -> Self {
        let mut child = program::command()
            .args(["dev", "--listen", "127.0.0.1:0", "--json", "--data-dir"])
            .arg(folder)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("one line of JSON");
        let said: Value = serde_json::from_str(&line).unwrap();
        let address = said["api_url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        Self { child, said, address }
    }

    fn key(&self, workspace: &str, key: &str) -> String {
        self.said["workspaces"][workspace]["keys"][key].as_str().unwrap().to_owned()
    }

    async fn admin(&self, path: &str) -> Answer {
        send(self.address, request("GET", path, self.said["admin_key"].as_str().unwrap(), None)).await
    }

    /// Ends it in order.
    pub(crate) async fn end(&mut self) {
        self.signal("-TERM").await;
        assert!(self.child.wait().await.unwrap().success());
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
    }
}

fn body(stream: bool) -> Vec<u8> {
    json!({"model": "mistral-small-latest", "stream": stream, "messages": [{"role": "user", "content": "Hi"}],
           "metadata": {"simulator": {"chunks": 50, "pace_ms": 10}}})
    .to_string()
    .into_bytes()
}

#[tokio::test]
async fn dev_hands_out_the_example_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let mut dev = Dev::start(&data).await;
    let key = dev.key("dev-workspace", "dev-team-key");
    let models = send(dev.address, request("GET", "/v1/models", &key, None)).await.json().to_string();
    assert!(
        models.contains("codestral-latest")
            && models.contains("mistral-small-latest")
            && !models.contains("large"),
        "{models}"
    );
    assert!(dev.said["workspaces"]["ml-workspace"]["keys"]["ml-team-key"].is_string());
    assert!(dev.said["workspaces"]["prod-workspace"]["keys"]["prod-backend"].is_string());
    assert_eq!(dev.said["users"].as_object().unwrap().len(), 4);
    let limits = dev
        .admin(&format!(
            "/v1/gateway/workspaces/{}/limits",
            dev.said["workspaces"]["dev-workspace"]["uuid"].as_str().unwrap()
        ))
        .await
        .json();
    assert_eq!((&limits["requests_per_minute"], &limits["monthly_budget_usd"]), (&json!(60), &json!(50)));
    assert_eq!(limits["alert_thresholds"], json!([50, 80, 95]));
    dev.signal("-TERM").await;
    assert!(dev.child.wait().await.unwrap().success());
    let again = Dev::start(&data).await;
    assert_eq!(again.key("dev-workspace", "dev-team-key"), key);
    assert_eq!(send(again.address, request("GET", "/v1/models", &key, None)).await.status, 200);
}

#[tokio::test]
async fn sigterm_lets_streams_finish_and_loses_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(folder.path()).await;
    let key = dev.key("ml-workspace", "ml-team-key");
    let mut answer =
        open(dev.address, request("POST", "/v1/chat/completions", &key, Some(&body(true)))).await;
    let mut text = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
    dev.signal("-TERM").await;
    while let Some(frame) = answer.body_mut().frame().await {
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    assert!(String::from_utf8(text).unwrap().ends_with("data: [DONE]\n\n"), "the stream was finished");
    assert!(dev.child.wait().await.unwrap().success());
    let again = Dev::start(folder.path()).await;
    let usage = again.admin("/v1/gateway/usage").await.json();
    assert_eq!(
        (usage["data"][0]["requests"].as_u64(), usage["data"][0]["estimated_requests"].as_u64()),
        (Some(1), Some(0))
    );
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_written_and_starts_again_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let key = dev.key("ml-workspace", "ml-team-key");
    let before = louver_proving::system::eventually(async || {
        send(dev.address, request("POST", "/v1/chat/completions", &key, Some(&body(false)))).await;
        dev.admin("/v1/gateway/usage").await.json()["data"][0]["requests"].as_u64()
    })
    .await;
    dev.signal("-KILL").await;
    let again = Dev::start(folder.path()).await;
    let after = again.admin("/v1/gateway/usage").await.json()["data"][0]["requests"].as_u64().unwrap();
    assert!(after >= before, "{after} of {before}");
}

pub(crate) async fn run(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    program::command().envs(environment.iter().copied()).args(arguments).output().await.unwrap()
}

#[tokio::test]
async fn init_serve_admin_keys_and_migrate_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let url = louver_proving::database::postgres();
    let master = folder.path().join("master.key");
    let journal = folder.path().join("journal");
    let environment = [
        ("LOUVER_DATABASE_URL", url.as_str()),
        ("LOUVER_MASTER_KEY_FILE", master.to_str().unwrap()),
        ("LOUVER_JOURNAL_DIR", journal.to_str().unwrap()),
        ("LOUVER_LISTEN", "127.0.0.1:0"),
        ("LOUVER_ADMIN_LISTEN", "127.0.0.1:0"),
        ("LOUVER_PUBLIC_URL", "https://louver.example.com/gate/"),
        ("LOUVER_LOG", "trace"),
        ("MISTRAL_API_KEY", "k"),
    ];
    let text = |output: &Output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let migrated = run(&environment, &["migrate"]).await;
    assert!(migrated.status.success(), "{}", text(&migrated));
    let init = run(&environment, &["init", "--name", "Acme"]).await;
    assert!(init.status.success() && text(&init).contains("lva_"), "{}", text(&init));
    let again = run(&environment, &["init"]).await;
    assert!(!again.status.success() && text(&again).contains("organization already"), "{}", text(&again));
    let created = run(&environment, &["admin-key", "create", "--name", "second"]).await;
    assert!(text(&created).contains("lva_"), "{}", text(&created));
    let list = run(&environment, &["admin-key", "list"]).await;
    assert!(text(&list).contains("second") && !text(&list).contains("lva_"), "{}", text(&list));
    let id = text(&list)
        .lines()
        .find(|l| l.contains("second"))
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    assert!(run(&environment, &["admin-key", "revoke", &id]).await.status.success());
    assert!(text(&run(&environment, &["admin-key", "list"]).await).contains("revoked"));
    for (flag, holder, said) in [
        ("--user", "nobody@example.com", "there is nobody of the mail address"),
        ("--user", "no address", "mail address"),
        ("--service-account", "x", "not the id of a service account"),
        ("--service-account", &id, "the holder of the key is not there"),
    ] {
        let refused = run(&environment, &["admin-key", "create", flag, holder]).await;
        assert!(!refused.status.success() && text(&refused).contains(said), "{}", text(&refused));
    }
    let mut serve = program::command().envs(environment).arg("serve").spawn().unwrap();
    let mut lines = BufReader::new(serve.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    assert!(line.contains("louver serves"), "{line}");
    let port = |name: &str| {
        line.split(name)
            .nth(1)
            .unwrap()
            .split("127.0.0.1:")
            .nth(1)
            .unwrap()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    let data: SocketAddr = format!("127.0.0.1:{}", port(" address=")).parse().unwrap();
    let admin: SocketAddr = format!("127.0.0.1:{}", port(" admin_address=")).parse().unwrap();
    let key = text(&init).split_whitespace().find(|w| w.starts_with("lva_")).unwrap().to_owned();
    assert_eq!(
        send(data, request("GET", "/v1/api-keys", &key, None)).await.status,
        404,
        "not on the data listener"
    );
    assert_eq!(send(admin, request("GET", "/v1/api-keys", &key, None)).await.status, 200);
    assert_eq!(
        send(admin, request("GET", "/v1/models", &key, None)).await.status,
        404,
        "no calls on the admin listener"
    );
    assert_eq!(send(data, request("GET", "/healthz", "x", None)).await.status, 200);

    let ann = br#"[{"email":"Ann@example.com","first_name":"","last_name":"","role":"B"}]"#;
    assert_eq!(send(admin, request("POST", "/v1/admin/users", &key, Some(ann))).await.status, 200);
    let made = run(&environment, &["admin-key", "create", "--user", "ann@example.COM"]).await;
    let own = text(&made).split_whitespace().find(|w| w.starts_with("lva_")).unwrap().to_owned();
    let list = text(&run(&environment, &["admin-key", "list"]).await);
    assert!(list.contains("ann@example.com") && list.contains("organization"), "{list}");
    assert_eq!(send(admin, request("GET", "/v1/gateway/alerts", &own, None)).await.status, 200);
    assert_eq!(send(admin, request("GET", "/v1/admin/users", &own, None)).await.status, 403);
    let invited = Some(br#"{"email":"bob@example.com"}"#.as_slice());
    assert_eq!(send(admin, request("POST", "/v1/admin/users-invite", &key, invited)).await.status, 200);
    let listed = send(admin, request("GET", "/v1/gateway/invitations", &key, None)).await.json();
    let link = listed["data"][0]["link"].as_str().unwrap().to_owned();
    let path = link.strip_prefix("https://louver.example.com/gate").unwrap().to_owned();
    assert_eq!(send(data, request("GET", &path, "x", None)).await.status, 404, "not on the data listener");
    assert_eq!(send(admin, request("GET", &path, "x", None)).await.status, 200);
    serve.start_kill().unwrap();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
    }
    let token = path.rsplit('/').next().unwrap();
    assert!(!said.contains(token), "the link is in the log");
}

#[tokio::test]
async fn unsafe_and_incomplete_settings_are_refused_all_at_once() {
    let refused = run(&[("LOUVER_LISTEN", "0.0.0.0:0"), ("LOUVER_TYPO", "1")], &["serve"]).await;
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    for part in ["LOUVER_TYPO", "database_url", "master_key_file"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let master = folder.path().join("m");
    std::fs::write(&master, "0".repeat(64)).unwrap();
    let database = louver_proving::database::sqlite(folder.path());
    let whole =
        [("LOUVER_DATABASE_URL", database.as_str()), ("LOUVER_MASTER_KEY_FILE", master.to_str().unwrap())];
    let public = run(&[whole.as_slice(), &[("LOUVER_LISTEN", "0.0.0.0:0")]].concat(), &["serve"]).await;
    assert!(String::from_utf8_lossy(&public.stderr).contains("no TLS"), "{public:?}");
    let readable = run(&whole, &["serve"]).await;
    assert!(String::from_utf8_lossy(&readable.stderr).contains("chmod 600"), "{readable:?}");
}
