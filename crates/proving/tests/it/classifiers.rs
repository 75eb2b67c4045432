//! Texts and chats that are judged: tokens of input only, some of them free and none of them unlimited.

use crate::calls::{budgeted, cost, spent};
use louver_proving::system::{System, chat};
use louver_simulator::Fault;
use serde_json::{Value, json};

const PATHS: [&str; 2] = ["/v1/moderations", "/v1/chat/moderations"];
const PAID: &str = "mistral-moderation-2411";
const FREE: &str = "mistral-moderation-2603";

fn body(path: &str, model: &str) -> Value {
    let message = json!({"role": "user", "content": "Some words that are to be judged."});
    let input =
        if path.contains("chat") { json!([[message, message], [message]]) } else { json!(["one", "two"]) };
    json!({"model": model, "input": input})
}

#[tokio::test]
async fn input_is_charged_as_the_simulator_bills_it() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    for path in PATHS {
        for model in [PAID, FREE] {
            let answer = system.post(&key, path, &body(path, model)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    let one = json!({"model": PAID, "input": [{"role": "user", "content": "One chat."}]});
    assert_eq!(system.post(&key, PATHS[1], &one).await.status, 200);
    let spent = spent(&system).await;
    assert!(spent == cost(&system) && spent > 0, "{spent}");
}

#[tokio::test]
async fn c6_what_nobody_tells_is_charged_at_our_own_count() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    system.simulator.script(Fault::NoUsage);
    assert_eq!(system.post(&key, PATHS[0], &body(PATHS[0], FREE)).await.status, 200);
    assert_eq!(spent(&system).await, 0, "what is free stays free");
    system.simulator.script(Fault::NoUsage);
    assert_eq!(system.post(&key, PATHS[0], &body(PATHS[0], PAID)).await.status, 200);
    assert!(spent(&system).await >= cost(&system));
}

#[tokio::test]
async fn c14_what_is_free_still_counts() {
    let system = System::start().await;
    let (key, _) = system.key(json!({"tokens_per_minute": 100})).await;
    let long = json!({"model": FREE, "input": "word ".repeat(100)});
    assert_eq!(system.post(&key, PATHS[0], &long).await.verdict(), (429, "rate_limited".into()));
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"requests_per_minute": 1})).await;
    let (key, _) = system.key(json!({})).await;
    assert_eq!(system.post(&key, PATHS[0], &body(PATHS[0], FREE)).await.status, 200);
    assert_eq!(
        system.post(&key, PATHS[0], &body(PATHS[0], FREE)).await.verdict(),
        (429, "rate_limited".into())
    );
    assert_eq!(system.simulator.calls(), 1);
}

#[tokio::test]
async fn a5_a9_c3_the_bodies_are_read_strictly() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    for path in ["/v1/moderations", "/v1/chat/moderations", "/v1/classifications", "/v1/chat/classifications"]
    {
        let with = |name: &str, value: Value| {
            let mut body = body(path, FREE);
            body[name] = value;
            body
        };
        for body in [
            with("model", Value::Null),
            with("model", json!("")),
            with("models", json!([FREE])),
            with("input", Value::Null),
            with("input", json!(5)),
            with("input", json!([5])),
            json!({"model": FREE}),
            json!({"input": body(path, FREE)["input"]}),
        ] {
            assert_eq!(
                system.post(&key, path, &body).await.verdict(),
                (422, "invalid_request".into()),
                "{path} {body}"
            );
        }
    }
    let mixed = json!({"model": FREE, "input": [{"content": "x"}, [{"content": "x"}]]});
    assert_eq!(system.post(&key, PATHS[1], &mixed).await.verdict(), (422, "invalid_request".into()));
    // No model of the list classifies, and those that do belong to one workspace each.
    let classified = json!({"model": FREE, "input": {"messages": [{"role": "user", "content": "x"}]}});
    for (path, body) in [("/v1/classifications", body("", FREE)), ("/v1/chat/classifications", classified)] {
        assert_eq!(
            system.post(&key, path, &body).await.verdict(),
            (403, "model_not_allowed".into()),
            "{path}"
        );
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn a8_guardrails_are_judged_and_paid_like_calls_of_their_own() {
    let system = System::start().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": 10})).await;
    let (narrow, _) = system.key(json!({"allowed_models": ["mistral-small-latest"]})).await;
    let (key, _) = system.key(json!({})).await;
    let guarded = |guardrail: Value| {
        let mut body = chat("mistral-small-latest");
        body["guardrails"] = json!([guardrail]);
        body
    };
    for guardrail in [
        json!({"moderation_llm_v2": {}}),
        json!({"moderation_llm_v1": {"model_name": "mistral-moderation-2411"}}),
        json!({"moderation_llm_v2": {"model_name": "mistral-large-latest"}}),
    ] {
        let answer = system.post(&narrow, "/v1/chat/completions", &guarded(guardrail)).await;
        assert_eq!(answer.verdict(), (403, "model_not_allowed".into()));
    }
    let nested = guarded(json!({"moderation_llm_v2": {"models": ["x"]}}));
    assert_eq!(system.post(&key, "/v1/chat/completions", &nested).await.verdict().0, 422);
    assert_eq!(system.simulator.calls(), 0);
    let free = guarded(json!({"moderation_llm_v2": {}}));
    assert_eq!(system.post(&key, "/v1/chat/completions", &free).await.status, 200);
    assert_eq!(spent(&system).await, cost(&system));
    let paid = guarded(json!({"moderation_llm_v1": {}}));
    assert_eq!(system.post(&key, "/v1/chat/completions", &paid).await.status, 200);
    let read = system.simulator.ledger()[1].billed.prompt as i64;
    assert_eq!(spent(&system).await, cost(&system) + read * 100, "the guard read the same input");
    // A4 holds for guards, too: what goes upstream is the pinned id.
    let named = guarded(json!({"moderation_llm_v2": {"model_name": "mistral-small-latest"}}));
    assert_eq!(system.post(&key, "/v1/chat/completions", &named).await.status, 200);
    assert_eq!(system.simulator.ledger()[2].guardrails, ["mistral-small-2603"]);
}
