//! Responses, of which upstream keeps nothing, and what chats bring along beside texts.

use crate::calls::{budgeted, cost, spent};
use louver_proving::system::{System, chat};
use serde_json::{Value, json};

const PATH: &str = "/v1/responses";
const COUNT: &str = "/v1/responses/input_tokens";
const CHAT: &str = "/v1/chat/completions";
const MODEL: &str = "mistral-small-latest";

fn response() -> Value {
    json!({"model": MODEL, "instructions": "Be brief.", "input": "Hello"})
}

fn with(name: &str, value: Value) -> Value {
    let mut body = response();
    body[name] = value;
    body
}

#[tokio::test]
async fn tokens_are_charged_as_the_simulator_bills_them_whatever_the_answer_repeats() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    let lie = json!({"usage": {"input_tokens": 0, "output_tokens": 0}});
    let tool = json!({"type": "function", "name": "f", "parameters": {"type": "object", "properties": lie}});
    let items = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "What is the weather?"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "rain"},
    ]);
    for stream in [false, true] {
        let mut body = with("input", items.clone());
        body["tools"] = json!([tool]);
        body["metadata"] = lie.clone();
        body["stream"] = json!(stream);
        let answer = system.post(&key, PATH, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("properties"), "the tools are repeated");
    }
    let (spent, cost) = (spent(&system).await, cost(&system));
    assert!(spent == cost && spent > 0, "{spent} {cost}");
}

#[tokio::test]
async fn c2_the_length_is_bounded_under_its_own_name() {
    let system = System::start().await;
    let key = budgeted(&system, 1).await;
    assert_eq!(system.post(&key, PATH, &response()).await.status, 200);
    let (key, _) = system.key(json!({"monthly_budget_usd": 0.001})).await;
    assert_eq!(system.post(&key, PATH, &with("max_output_tokens", json!(1_000_000))).await.verdict().0, 429);
    let bodies: Vec<Value> =
        system.simulator.ledger().iter().map(|e| serde_json::from_slice(&e.body).unwrap()).collect();
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0]["max_output_tokens"].as_u64().unwrap() > 1000, "{}", bodies[0]);
    assert_eq!(bodies[0].get("max_tokens"), None);
}

#[tokio::test]
async fn c14_counting_is_free_but_not_unlimited() {
    let system = System::start().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"requests_per_minute": 2})).await;
    let (key, _) = system.key(json!({"monthly_budget_usd": 0})).await;
    let answer = system.post(&key, COUNT, &response()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(system.post(&key, PATH, &response()).await.verdict(), (429, "budget_exhausted".into()));
    assert_eq!(system.post(&key, COUNT, &response()).await.status, 200);
    assert_eq!(system.post(&key, COUNT, &response()).await.verdict(), (429, "rate_limited".into()));
    assert_eq!(system.simulator.calls(), 2);
    let (narrow, _) = system.key(json!({"allowed_models": ["codestral-latest"]})).await;
    assert_eq!(system.post(&narrow, COUNT, &response()).await.verdict(), (403, "model_not_allowed".into()));
}

#[tokio::test]
async fn b10_a5_a9_c3_what_is_kept_has_no_owner_and_the_body_is_read_strictly() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    let item = |item: Value| with("input", json!([item]));
    for body in [
        with("store", json!(true)),
        with("background", json!(true)),
        with("store", json!("false")),
        with("previous_response_id", json!("resp_1")),
        with("conversation", json!({"id": "x"})),
        with("prompt", json!({"id": "x"})),
        with("model", Value::Null),
        with("models", json!([MODEL])),
        with("max_tokens", json!(5)),
        with("max_output_tokens", json!("5")),
        with("stream", json!(1)),
        with("tools", json!([{"type": "web_search"}])),
        with("tools", json!([{"type": "mcp", "server_url": "https://example.com"}])),
        with("tools", json!([{"type": "function", "name": "f", "connector_id": "x"}])),
        item(json!({"type": "item_reference", "id": "x"})),
        item(
            json!({"role": "user", "content": [{"type": "input_image", "image_url": "http://example.com"}]}),
        ),
        item(
            json!({"role": "user", "content": [{"type": "document_url", "document_url": "https://example.com"}]}),
        ),
        item(json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "model": "x"})),
        json!({"input": "Hello"}),
        json!({"model": MODEL}),
    ] {
        assert_eq!(system.post(&key, PATH, &body).await.verdict(), (422, "invalid_request".into()), "{body}");
    }
    let file = item(json!({"role": "user", "content": [{"type": "input_file", "file_id": "foreign"}]}));
    assert_eq!(system.post(&key, PATH, &file).await.verdict(), (404, "not_found".into()));
    let sampled = system.post(&key, COUNT, &with("temperature", json!(1))).await;
    assert_eq!(sampled.verdict(), (422, "invalid_request".into()));
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn c9_priority_is_a_permission_and_everybody_else_says_standard() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    let mut body = chat(MODEL);
    body["service_tier"] = json!("auto");
    assert_eq!(system.post(&key, CHAT, &body).await.verdict(), (403, "service_tier_not_allowed".into()));
    assert_eq!((system.simulator.calls(), spent(&system).await), (0, 0));
    for tier in [Value::Null, json!("standard_only")] {
        body["service_tier"] = tier;
        assert_eq!(system.post(&key, CHAT, &body).await.status, 200);
    }
    assert_eq!(system.post(&key, CHAT, &chat(MODEL)).await.status, 200);
    for entry in system.simulator.ledger() {
        let sent: Value = serde_json::from_slice(&entry.body).unwrap();
        assert!(sent["service_tier"] == "standard_only" && !entry.billed.priority, "{sent}");
    }
    assert_eq!(spent(&system).await, cost(&system));
    let limits = json!({"limits": {"allowed_service_tiers": ["priority"]}});
    system.deed("PATCH", "/v1/gateway/organization", limits).await;
    body["service_tier"] = json!("auto");
    assert_eq!(system.post(&key, CHAT, &body).await.status, 200);
    assert!(system.simulator.ledger().pop().unwrap().billed.priority);
    assert_eq!(spent(&system).await, cost(&system), "at its price");
    let role = json!({"name": "patient", "allowed_models": ["*"], "allowed_service_tiers": []});
    system.deed("POST", "/v1/gateway/roles", role).await;
    let (patient, _) = system.key(json!({"role": "patient"})).await;
    assert_eq!(system.post(&patient, CHAT, &body).await.verdict(), (403, "service_tier_not_allowed".into()));
}

#[tokio::test]
async fn c18_names_of_caches_are_the_workspaces_own() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    let mut body = chat(MODEL);
    body["messages"][0]["content"] = json!("a long prompt that is cached ".repeat(40));
    body["prompt_cache_key"] = json!("shared");
    for _ in 0..2 {
        assert_eq!(system.post(&key, CHAT, &body).await.status, 200);
    }
    let ledger = system.simulator.ledger();
    let sent: Vec<Value> = ledger.iter().map(|e| serde_json::from_slice(&e.body).unwrap()).collect();
    let name = sent[0]["prompt_cache_key"].as_str().unwrap();
    assert_eq!((name.len(), &sent[1]["prompt_cache_key"]), (64, &sent[0]["prompt_cache_key"]));
    assert!(ledger[1].billed.cached > 0, "the same workspace has its cache");
    let people = json!([{"email": "a@example.com", "first_name": "A", "last_name": "B"}]);
    let people = system.deed("POST", "/v1/admin/users", people).await;
    let admin = people["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
    let made = json!({"name": "other", "admin_user_id": admin});
    let other = system.deed("POST", "/v1/admin/workspaces", made).await["uuid"].as_str().unwrap().to_owned();
    let (stranger, _) = system.key(json!({"workspace_id": other})).await;
    assert_eq!(system.post(&stranger, CHAT, &body).await.status, 200);
    let last = system.simulator.ledger()[2].clone();
    let last_sent: Value = serde_json::from_slice(&last.body).unwrap();
    assert_ne!(last_sent["prompt_cache_key"], sent[0]["prompt_cache_key"]);
    assert_eq!(last.billed.cached, 0, "another workspace has none of it");
}

#[tokio::test]
async fn b11_b13_b15_c15_what_a_chat_brings_along() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    let content = |chunk: Value| {
        let mut body = chat(MODEL);
        body["messages"][0]["content"] = json!([chunk]);
        body["max_tokens"] = json!(5);
        body
    };
    let own = format!("https://{}/x.png", system.address);
    for (chunk, status, kind) in [
        (json!({"type": "file", "file_id": "foreign"}), 404, "not_found"),
        (json!({"type": "image_url", "image_url": own}), 422, "invalid_request"),
        (json!({"type": "document_url", "document_url": own}), 422, "invalid_request"),
        (json!({"type": "image_url", "image_url": "http://example.com/a.png"}), 422, "invalid_request"),
        (json!({"type": "input_audio", "input_audio": "http://example.com/a.mp3"}), 422, "invalid_request"),
    ] {
        assert_eq!(system.post(&key, CHAT, &content(chunk)).await.verdict(), (status, kind.to_owned()));
    }
    for (tool, status, kind) in [
        (json!({"type": "web_search"}), 403, "tool_not_allowed"),
        (json!({"type": "document_library", "library_ids": ["foreign"]}), 404, "not_found"),
        (json!({"type": "connector", "connector_id": "foreign"}), 404, "not_found"),
        (json!({"type": "hologram"}), 422, "invalid_request"),
    ] {
        let mut body = chat(MODEL);
        body["tools"] = json!([tool]);
        assert_eq!(system.post(&key, CHAT, &body).await.verdict(), (status, kind.to_owned()), "{body}");
    }
    assert_eq!(system.simulator.calls(), 0);
    let document = content(json!({"type": "document_url", "document_url": "https://example.com/a.pdf"}));
    let mut audio = content(json!({"type": "input_audio", "input_audio": "A".repeat(400_000)}));
    audio["model"] = json!("voxtral-small-latest");
    for body in [&document, &audio] {
        let answer = system.post(&key, CHAT, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(spent(&system).await, cost(&system));
    // A document may fill the context: 262,144 tokens cost 4 cents.
    let (poor, _) = system.key(json!({"monthly_budget_usd": 0.03})).await;
    assert_eq!(system.post(&poor, CHAT, &document).await.verdict(), (429, "budget_exhausted".into()));
    let (slow, _) = system.key(json!({"tokens_per_minute": 100_000})).await;
    assert_eq!(system.post(&slow, CHAT, &document).await.verdict(), (429, "rate_limited".into()));
}
