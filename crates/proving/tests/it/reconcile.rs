//! `louver reconcile`: the real program holds the ledger against the upstream's own report, and makes good what differs.

use louver_proving::client::{request, send};
use louver_proving::program;
use louver_proving::system::{Setup, System, UPSTREAM_KEY, chat, eventually};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

const UPSTREAM_ADMIN_KEY: &str = "upstream-admin-key";
/// The morning on which systems under test begin, in seconds.
const MORNING: i64 = 1_795_255_200;

async fn reporting() -> System {
    let upstream = |simulated: &mut louver_simulator::Config| {
        simulated.books = true;
        simulated.admin_key = Some(UPSTREAM_ADMIN_KEY.to_owned());
        simulated.now = Arc::new(|| MORNING);
    };
    System::with(Setup { upstream: Some(upstream), ..Setup::default() }).await
}

/// The exit code, and what was said.
async fn reconcile(system: &System, more: &[&str]) -> (Option<i32>, Value, String) {
    let mut command = program::command();
    let output = command
        .args(["reconcile", "--from", "2026-11-21", "--to", "2026-11-22", "--json"])
        .args(more)
        .env("LOUVER_URL", format!("http://{}", system.address))
        .env("LOUVER_ADMIN_KEY", &system.admin_key)
        .env("LOUVER_UPSTREAM_ADMIN_KEY", UPSTREAM_ADMIN_KEY)
        .env("LOUVER_UPSTREAM_ADMIN_URL", &system.config.upstream_url)
        .output()
        .await
        .unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), said, String::from_utf8(output.stderr).unwrap())
}

/// What the month's budget has spent, in dollars.
async fn spent(system: &System) -> f64 {
    let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
    budgets["data"][0]["spent"].as_f64().unwrap()
}

#[tokio::test]
async fn a_drift_is_found_posted_once_and_then_gone() {
    let system = reporting().await;
    let limits = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &limits, json!({"monthly_budget_usd": 10})).await;
    let (key, _) = system.key(json!({})).await;
    for _ in 0..2 {
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    }
    let same = eventually(async || {
        let (code, said, _) = reconcile(&system, &[]).await;
        (code == Some(0)).then_some(said)
    });
    let same = same.await;
    assert_eq!((&same["drift"], &same["settled"]), (&json!([]), &json!(true)), "{same}");

    // Somebody goes around Louver with the upstream's own key.
    let upstream: SocketAddr = system.config.upstream_url.trim_start_matches("http://").parse().unwrap();
    let body = chat("mistral-small-latest").to_string();
    let around = request("POST", "/v1/chat/completions", UPSTREAM_KEY, Some(body.as_bytes()));
    let usage = send(upstream, around).await.json()["usage"].clone();
    let (code, said, _) = reconcile(&system, &[]).await;
    assert_eq!((code, &said["settled"]), (Some(1), &json!(false)), "{said}");
    let drifts: Vec<(&Value, &Value)> = said["drift"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|drift| assert_eq!(drift["model"], "mistral-small-2603", "{drift}"))
        .map(|drift| (&drift["unit"], &drift["drift"]))
        .collect();
    let (input, output) = (&usage["prompt_tokens"], &usage["completion_tokens"]);
    assert_eq!(drifts, [(&json!("input_tokens"), input), (&json!("output_tokens"), output)]);

    // A day that is not over cannot be posted: nothing changes.
    let post = ["--post", "--yes", "--reason", "The bill"];
    let before = spent(&system).await;
    let (code, said, _) = reconcile(&system, &post).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said["posted"][0]["error"].as_str().unwrap().contains("day"), "{said}");
    assert_eq!(spent(&system).await, before);
    let (code, _, told) = reconcile(&system, &["--post"]).await;
    assert!(code == Some(2) && told.contains("--reason"), "{told}");

    system.clock.advance(24 * 60 * 60);
    let (code, said, told) = reconcile(&system, &post).await;
    assert_eq!((code, &said["posted"][0]["error"]), (Some(0), &Value::Null), "{said} {told}");
    // Input costs 150 nano-dollars a token, output 600.
    let cost = (input.as_f64().unwrap() * 150.0 + output.as_f64().unwrap() * 600.0) / 1e9;
    assert!((spent(&system).await - before - cost).abs() < 1e-12, "{} {before} {cost}", spent(&system).await);
    let (code, said, _) = reconcile(&system, &post).await;
    assert_eq!((code, &said["drift"], &said["posted"]), (Some(0), &json!([]), &json!([])), "{said}");
    let path = "/v1/gateway/adjustments?from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z";
    let posted = system.get(&system.admin_key, path).await.json();
    assert_eq!(posted["data"].as_array().unwrap().len(), 1, "{posted}");
    assert_eq!(posted["data"][0]["reason"], "reconciliation", "{posted}");
    let audit = system.get(&system.admin_key, "/v1/gateway/audit?limit=1000").await.json();
    let events = audit["data"].as_array().unwrap().iter().filter(|event| event["event"] == "usage.adjust");
    assert_eq!(events.count(), 1);
}

#[tokio::test]
async fn a_report_that_cannot_be_had_changes_nothing() {
    let system = System::start().await;
    let (code, said, told) = reconcile(&system, &[]).await;
    assert_eq!((code, said), (Some(2), Value::Null), "the simulator has no report without a key for it");
    assert!(told.starts_with("louver: "), "{told}");
}
