//! A draft of limits is tried on past calls; set for real, it does to the same calls what it foretold.

use louver_proving::system::{System, eventually};
use serde_json::{Value, json};

const MODELS: [&str; 4] =
    ["mistral-small-latest", "mistral-large-latest", "mistral-small-latest", "mistral-small-latest"];

/// Four calls, a second apart; answers their statuses.
async fn calls(system: &System, key: &str) -> Vec<u16> {
    let mut statuses = vec![];
    for model in MODELS {
        statuses.push(system.chat(key, model).await.status.as_u16());
        system.clock.advance(1);
    }
    statuses
}

/// Waits until so many calls are written down.
async fn written(system: &System, calls: u64) {
    eventually(async || {
        let usage = system.admin("GET", "/v1/gateway/usage?granularity=month", None).await.json();
        let requests = usage["data"].as_array()?.first()?["requests"].as_u64()?;
        (requests == calls).then_some(())
    })
    .await;
}

async fn simulate(system: &System, draft: Value) -> Value {
    system.deed("POST", "/v1/gateway/simulate", draft).await
}

fn rules(found: &Value) -> Vec<(&str, &str, u64)> {
    let rules = found["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            (
                rule["scope"].as_str().unwrap(),
                rule["limit"].as_str().unwrap(),
                rule["requests"].as_u64().unwrap(),
            )
        })
        .collect()
}

async fn a_draft_foretells(system: &System) {
    let (key, id) = system.key(json!({})).await;
    assert_eq!(calls(system, &key).await, [200; 4]);
    written(system, 4).await;
    system.clock.advance(7 * 86_400);

    let nothing = simulate(system, json!({})).await;
    assert_eq!((&nothing["total"]["requests"], &nothing["rules"]), (&json!(4), &json!([])));
    assert!(nothing["total"]["cost_usd"].as_f64().unwrap() > 0.0);
    let limits = json!({"allowed_models": ["mistral-small"]});
    let workspace = system.workspace.clone();
    let draft = json!({"workspaces": {workspace: limits}, "keys": {id.clone(): {"requests_per_minute": 2}}});
    let found = simulate(system, draft).await;
    assert_eq!(found["refused"]["requests"], 2);
    let mut told = rules(&found);
    told.sort_unstable();
    assert_eq!(told, [("key", "requests_per_minute", 1), ("workspace", "allowed_models", 1)]);
    let of_key = found["rules"].as_array().unwrap().iter().find(|rule| rule["scope"] == "key").unwrap();
    assert_eq!(of_key["first"]["at"], "2026-11-21T10:00:03Z", "the refused model took no place");
    assert_eq!((&of_key["id"], &of_key["name"]), (&json!(id), &json!("test")));
    let short = simulate(system, json!({"days": 6})).await;
    assert_eq!(short["total"]["requests"], 0, "a week ago is more than six days");

    system.deed("PATCH", &format!("/v1/gateway/workspaces/{}/limits", system.workspace), limits).await;
    system.deed("PATCH", &format!("/v1/api-keys/{id}"), json!({"rate_limit_rpm": 2})).await;
    assert_eq!(calls(system, &key).await, [200, 403, 200, 429]);
}

#[tokio::test]
async fn a_draft_foretells_what_it_does() {
    a_draft_foretells(&System::start().await).await;
}
