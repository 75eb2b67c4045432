//! Models by organization ∩ workspace ∩ role ∩ key, and the model roles with their numbers.

use louver_proving::system::{System, chat};
use serde_json::{Value, json};

async fn user_with_role(system: &System, role: &str) -> String {
    let body = json!([{"email": format!("{role}@example.com"), "first_name": "A", "last_name": "B"}]);
    let made = system.deed("POST", "/v1/admin/users", body).await;
    let id =
        made["email_to_user_id"].as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
    let path = format!("/v1/gateway/workspaces/{}/members/{id}/model-role", system.workspace);
    system.deed("PUT", &path, json!({"role": role})).await;
    id
}

async fn models(system: &System, key: &str) -> Vec<String> {
    let list = system.get(key, "/v1/models").await.json();
    list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_level_narrows_and_none_widens() {
    let system = System::start().await;
    let (key, id) =
        system.key(json!({"allowed_models": ["mistral-small", "codestral", "mistral-large-latest"]})).await;
    let verdict = async |model: &str| system.chat(&key, model).await.status.as_u16();
    assert_eq!(
        (
            verdict("mistral-small-latest").await,
            verdict("codestral-2508").await,
            verdict("ministral-3b-2512").await
        ),
        (200, 200, 403)
    );
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"allowed_models": ["mistral-*", "ministral-*"]})).await;
    assert_eq!(
        (
            verdict("mistral-small-latest").await,
            verdict("codestral-2508").await,
            verdict("ministral-3b-2512").await
        ),
        (200, 403, 403)
    );
    system
        .deed(
            "PATCH",
            "/v1/gateway/organization",
            json!({"limits": {"allowed_models": ["mistral-large-2512"]}}),
        )
        .await;
    assert_eq!((verdict("mistral-small-latest").await, verdict("mistral-large-latest").await), (403, 200));
    system.deed("PATCH", &format!("/v1/api-keys/{id}"), json!({"role": "developer"})).await;
    assert_eq!(verdict("mistral-large-latest").await, 403, "the role has no large model");
    assert_eq!(models(&system, &key).await, Vec::<String>::new());
    system.deed("PATCH", "/v1/gateway/organization", json!({"limits": {"allowed_models": null}})).await;
    assert_eq!(models(&system, &key).await, ["mistral-small-2603", "mistral-small-latest"]);
}

#[tokio::test]
async fn the_built_in_roles_have_the_numbers_they_were_asked_for_with() {
    let system = System::start().await;
    let roles = system.admin("GET", "/v1/gateway/roles", None).await.json();
    let small = ["mistral-small-latest", "mistral-embed"];
    for (name, models, per_request, daily) in [
        ("analyst", json!(small), json!(500), json!(100_000)),
        (
            "developer",
            json!(["mistral-small-latest", "codestral-latest", "mistral-embed"]),
            json!(2000),
            json!(500_000),
        ),
        (
            "senior",
            json!(["mistral-small-latest", "mistral-large-latest", "codestral-latest", "mistral-embed"]),
            json!(4000),
            json!(1_000_000),
        ),
        ("admin", json!(["*"]), json!(8000), Value::Null),
    ] {
        let role = roles["data"].as_array().unwrap().iter().find(|r| r["name"] == name).unwrap();
        assert_eq!(role["allowed_models"], models, "{name}");
        assert_eq!(
            (&role["max_tokens_per_request"], &role["daily_token_budget"]),
            (&per_request, &daily),
            "{name}"
        );
    }
}

#[tokio::test]
async fn tokens_per_request_are_refused_or_injected() {
    let system = System::start().await;
    let user = user_with_role(&system, "analyst").await;
    let (key, _) = system.key(json!({"owner_user_id": user})).await;
    let mut body = chat("mistral-small-latest");
    body["max_tokens"] = json!(600);
    let answer = system.post(&key, "/v1/chat/completions", &body).await;
    assert_eq!(answer.verdict(), (403, "tokens_per_request_exceeded".into()));
    assert!(answer.text().contains("500") && answer.text().contains("analyst"), "{}", answer.text());
    body["max_tokens"] = json!(200);
    body["n"] = json!(3);
    assert_eq!(system.post(&key, "/v1/chat/completions", &body).await.status, 403, "n counts");
    assert_eq!(system.simulator.calls(), 0);
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    let sent: Value = serde_json::from_slice(&system.simulator.ledger()[0].body).unwrap();
    let injected = sent["max_tokens"].as_u64().unwrap();
    assert!((480..500).contains(&injected), "what the role leaves: {injected}");
    body["max_tokens"] = Value::Null;
    body["n"] = json!(1);
    assert_eq!(system.post(&key, "/v1/chat/completions", &body).await.status, 200);
    let sent: Value = serde_json::from_slice(&system.simulator.ledger()[1].body).unwrap();
    assert_eq!(sent["max_tokens"].as_u64(), Some(injected), "null is absent");
    let long = json!({"model": "mistral-embed", "input": "word ".repeat(1000)});
    assert_eq!(system.post(&key, "/v1/embeddings", &long).await.verdict().1, "tokens_per_request_exceeded");
}

#[tokio::test]
async fn roles_are_made_edited_given_to_service_owners_and_restored() {
    let system = System::start().await;
    system
        .deed(
            "POST",
            "/v1/gateway/roles",
            json!({"name": "tiny", "allowed_models": ["ministral-3b"], "max_tokens_per_request": 100}),
        )
        .await;
    let account = system
        .deed("POST", "/v1/gateway/service-accounts", json!({"name": "ci", "workspace_id": system.workspace}))
        .await;
    let account = account["id"].as_str().or(account["uuid"].as_str()).unwrap().to_owned();
    let (key, _) = system.key(json!({"service_account_id": account})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    let path = format!("/v1/gateway/workspaces/{}/service-accounts/{account}/model-role", system.workspace);
    system.deed("PUT", &path, json!({"role": "tiny"})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 403);
    assert_eq!(system.chat(&key, "ministral-3b-latest").await.status, 200);
    assert_eq!(system.admin("DELETE", "/v1/gateway/roles/tiny", None).await.status, 409, "somebody has it");
    system.deed("PATCH", "/v1/gateway/roles/tiny", json!({"allowed_models": ["codestral"]})).await;
    assert_eq!(system.chat(&key, "ministral-3b-latest").await.status, 403);
    system.deed("PUT", &path, json!({"role": null})).await;
    assert_eq!(system.admin("DELETE", "/v1/gateway/roles/tiny", None).await.status.as_u16() / 100, 2);
    system.deed("PATCH", "/v1/gateway/roles/analyst", json!({"max_tokens_per_request": 7})).await;
    assert_eq!(system.admin("DELETE", "/v1/gateway/roles/analyst", None).await.status, 409, "built in");
    let restored = system.deed("POST", "/v1/gateway/roles/analyst/restore", json!({})).await;
    assert_eq!(restored["max_tokens_per_request"], 500);
}

#[tokio::test]
async fn billing_and_the_catalogue_decide_too() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    system.deed("PATCH", "/v1/gateway/organization", json!({"billing_active": false})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.verdict(), (402, "billing_inactive".into()));
    system.deed("PATCH", "/v1/gateway/organization", json!({"billing_active": true})).await;
    let mut catalogue = system.admin("GET", "/v1/gateway/models", None).await.json()["data"].clone();
    for model in catalogue.as_array_mut().unwrap() {
        if model["id"] == "mistral-small-2603" {
            model["status"] = json!("retired");
        }
    }
    system.deed("PUT", "/v1/gateway/models", json!({"models": catalogue})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.verdict(), (403, "model_not_allowed".into()));
    assert_eq!(
        system.post(&key, "/v1/chat/completions", &chat("mistral-embed")).await.verdict().0,
        403,
        "a model only where it is served"
    );
}
