//! The commands that speak to a running Louver: the real program, as a person and as a script would call it.

mod errors;
mod organization;
mod rotate;
mod rotation;

use louver_proving::program;
use louver_proving::system::System;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// A running Louver and a folder; commands run without a terminal.
pub(super) struct Shell {
    pub(super) system: System,
    pub(super) folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Run {
    /// What it printed; nothing went wrong.
    pub(super) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// The one JSON value on stdout.
    pub(super) fn json(self) -> Value {
        let text = self.well();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What it said when it ended with that code; stdout is empty.
    pub(super) fn badly(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        self.err
    }
}

impl Shell {
    pub(super) async fn start() -> Self {
        let system = System::start().await;
        let environment = vec![
            ("LOUVER_URL", format!("http://{}", system.address)),
            ("LOUVER_ADMIN_KEY", system.admin_key.clone()),
        ];
        Self { system, folder: tempfile::tempdir().unwrap(), environment }
    }

    /// The same with a variable set otherwise.
    pub(super) fn with(&mut self, name: &'static str, value: &str) {
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Run {
        self.fed(arguments, "").await
    }

    /// Runs it with a text on stdin.
    pub(super) async fn fed(&self, arguments: &[&str], text: &str) -> Run {
        let mut command = program::command();
        command.args(arguments).current_dir(self.folder.path()).envs(self.environment.clone());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that ends without reading is no fault of the test.
        let _ = stdin.write_all(text.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes somebody who can administer workspaces, and a workspace.
    pub(super) async fn workspace(&self, name: &str) {
        self.run(&["members", "create", "ada@example.com", "--first-name", "Ada"]).await.well();
        self.run(&["workspaces", "create", name, "--admin", "ada@example.com"]).await.well();
    }
}

/// The words of a line, as tables separate them.
pub(super) fn columns(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect()
}

#[tokio::test]
async fn a_key_lives_its_life_from_the_terminal() {
    let shell = Shell::start().await;
    shell.workspace("data").await;
    let made = shell
        .run(&[
            "keys",
            "create",
            "web",
            "--workspace",
            "data",
            "--models",
            "mistral-small",
            "--expires-at",
            "90d",
        ])
        .await
        .well();
    let secret = made.lines().last().unwrap().trim().to_owned();
    assert!(secret.starts_with("lvr_") && made.starts_with("The key web is made: key_"), "{made}");
    assert_eq!(shell.system.chat(&secret, "mistral-small-latest").await.status, 200);
    assert_eq!(
        shell.system.chat(&secret, "mistral-large-latest").await.verdict(),
        (403, "model_not_allowed".into())
    );

    let listed = shell.run(&["keys", "list", "--workspace", "data"]).await.well();
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(columns(lines[0]), ["NAME", "ID", "WORKSPACE", "STATUS", "SECRET", "LAST USED", "EXPIRES"]);
    let row = columns(lines[1]);
    assert_eq!((lines.len(), row[0], row[2], row[3]), (2, "web", "data", "active"), "{listed}");
    assert_eq!(lines[1].find("data"), lines[0].find("WORKSPACE"), "columns stand under their titles");
    assert!(!listed.contains(&secret) && !listed.contains('\u{1b}'), "{listed}");
    let coloured = shell.run(&["keys", "list", "--color", "always"]).await.well();
    assert!(coloured.contains("\u{1b}[32mactive\u{1b}[0m"), "{coloured}");

    let shown = shell.run(&["keys", "show", "web"]).await.well();
    assert!(
        shown.contains("Workspace:    data\n") && shown.contains("Models:       mistral-small\n"),
        "{shown}"
    );
    let changed =
        shell.run(&["keys", "update", "web", "--name", "site", "--rpm", "7", "--json"]).await.json();
    assert_eq!((&changed["name"], &changed["rate_limit_rpm"]), (&json!("site"), &json!(7)));
    let limits = shell.run(&["keys", "limits", "site", "--tokens-per-minute", "1_000_000"]).await.well();
    assert!(
        limits.contains("Per minute:         7 requests\nTokens per minute:  1,000,000 tokens\n"),
        "{limits}"
    );

    shell.run(&["keys", "disable", "site"]).await.well();
    assert_eq!(shell.system.chat(&secret, "mistral-small-latest").await.status, 401);
    shell.run(&["keys", "enable", "site"]).await.well();
    assert_eq!(shell.system.chat(&secret, "mistral-small-latest").await.status, 200);
    let told = shell.run(&["keys", "revoke", "site"]).await.badly(2);
    assert!(told.contains("Revoke the key site for good?") && told.contains("--yes"), "{told}");
    assert_eq!(shell.system.chat(&secret, "mistral-small-latest").await.status, 200, "nothing was done");
    assert_eq!(shell.run(&["keys", "revoke", "site", "--yes"]).await.well(), "The key site is revoked.\n");
    assert_eq!(shell.system.chat(&secret, "mistral-small-latest").await.status, 401);
}

#[tokio::test]
async fn scripts_get_json_and_secrets_alone_and_give_names_and_bodies_on_stdin() {
    let shell = Shell::start().await;
    let made = shell.run(&["keys", "create", "one", "--secret-only"]).await;
    assert!(made.err.starts_with("The key one is made: key_"), "{}", made.err);
    let secret = made.well();
    assert_eq!(shell.system.chat(secret.trim(), "mistral-small-latest").await.status, 200);
    assert_eq!(secret.lines().count(), 1);

    let body = json!({"name": "two", "rate_limit_rpm": 5, "monthly_budget_usd": 10}).to_string();
    let made = shell.fed(&["keys", "create", "--json-body", "-", "--rpm", "6", "--json"], &body).await.json();
    assert_eq!((&made["name"], &made["rate_limit_rpm"]), (&json!("two"), &json!(6)), "flags win");
    assert!(made["key"].as_str().unwrap().starts_with("lvr_"));

    let listed = shell.run(&["keys", "list", "--json"]).await.json();
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    let all = shell.run(&["keys", "list", "--search", "TW", "--json"]).await.json();
    assert_eq!(all[0]["name"], "two");
    assert_eq!(all.as_array().unwrap().len(), 1);

    let answers =
        shell.fed(&["keys", "disable", "-", "--json"], &format!("{}\n\n", ids.join("\n"))).await.json();
    assert_eq!(answers.as_array().unwrap().iter().filter(|key| key["status"] == "disabled").count(), 2);
    let listed = shell.run(&["--help"]).await.well();
    assert!(listed.contains("Exit codes:"));
    // One that fails does not keep the others back.
    let gone = "key_00000000000000000000000000000000";
    let told = shell.run(&["keys", "enable", gone, "one", "two"]).await;
    assert_eq!((told.code, told.out.lines().count()), (Some(3), 2), "{told:?}");
    assert!(told.err.contains("1 of 3 keys were not enabled"), "{}", told.err);

    let none = shell.run(&["keys", "list", "--status", "revoked", "--json"]).await.json();
    assert_eq!(none, json!([]));
    let none = shell.run(&["keys", "list", "--status", "revoked"]).await;
    assert_eq!((none.out.as_str(), none.err.as_str()), ("", "There are no such keys.\n"));
}

#[tokio::test]
async fn limits_budgets_usage_and_explanations_agree() {
    let shell = Shell::start().await;
    shell.workspace("data").await;
    let set = shell
        .run(&[
            "limits",
            "set",
            "--workspace",
            "data",
            "--requests-per-minute",
            "60",
            "--monthly-budget-usd",
            "50",
            "--allowed-models",
            "mistral-small,codestral",
        ])
        .await
        .well();
    assert!(set.contains("Per minute:        60 requests\nBudget per month:  50.00 USD\n"), "{set}");
    let secret = shell.run(&["keys", "create", "web", "--workspace", "data", "--secret-only"]).await.well();
    assert_eq!(shell.system.chat(secret.trim(), "mistral-small-latest").await.status, 200);

    let budgets = shell.run(&["budgets", "list", "--scope", "workspace", "--json"]).await.json();
    assert_eq!((&budgets[0]["name"], &budgets[0]["limit"]), (&json!("data"), &json!(50)));
    let table = shell.run(&["budgets", "list"]).await.well();
    assert!(table.contains("50.00 USD") && table.contains("active"), "{table}");
    let one = shell.run(&["budgets", "show", "data"]).await.well();
    assert!(one.contains("Alerts at:  50 %, 80 %, 95 %\n"), "{one}");

    let usage = louver_proving::system::eventually(async || {
        let rows = shell.run(&["usage", "--by", "key,model", "--json"]).await.json();
        (rows[0]["requests"] == 1).then_some(rows)
    });
    let usage = usage.await;
    assert_eq!((&usage[0]["key_name"], &usage[0]["period"]), (&json!("web"), &json!("2026-11-01T00:00:00Z")));
    let table = shell.run(&["usage", "--by", "workspace"]).await.well();
    assert!(table.starts_with("MONTH    WORKSPACE") && table.contains("2026-11  data"), "{table}");
    let csv = shell.run(&["usage", "--from", "2026-11-01", "--granularity", "day", "--csv"]).await.well();
    assert!(csv.starts_with("period,workspace_id,") && csv.contains("2026-11-21T00:00:00Z,"), "{csv}");
    let told = shell.run(&["usage", "--from", "soon"]).await.badly(2);
    assert!(told.contains("--from: \"soon\" is no time"), "{told}");

    let fine = ["explain", "--key", "web", "--model", "mistral-small-latest", "--exit-code"];
    assert!(shell.run(&fine).await.well().starts_with("The call would be let through.\n"));
    let refused =
        shell.run(&["explain", "--key", "web", "--model", "mistral-large-latest", "--exit-code"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.out.contains("403 model_not_allowed"), "{}", refused.out);
    let json =
        shell.run(&["explain", "--key", "web", "--model", "mistral-large-latest", "--json"]).await.json();
    assert_eq!(json["allowed"], false);

    let none =
        shell.run(&["limits", "set", "--workspace", "data", "--monthly-budget-usd", "none", "--json"]).await;
    assert_eq!(none.json()["monthly_budget_usd"], Value::Null);
    let organization = ["limits", "set", "--organization", "--requests-per-minute", "500", "--json"];
    assert_eq!(shell.run(&organization).await.json()["requests_per_minute"], 500);
    let member = ["limits", "set", "--member", "ada@example.com", "--daily-budget-usd", "2.5", "--json"];
    assert_eq!(shell.run(&member).await.json()["daily_budget_usd"], 2.5);
    let from_stdin = ["limits", "set", "--key", "web", "--json-body", "-", "--json"];
    assert_eq!(shell.fed(&from_stdin, r#"{"tokens_per_minute": 9}"#).await.json()["tokens_per_minute"], 9);
}
