//! An explanation says what a call is answered: the same verdict, from one rule to the next.

use louver_proving::client::{Answer, open, request};
use louver_proving::system::{Setup, System, eventually};
use serde_json::{Value, json};

const MODEL: &str = "mistral-small-latest";
const CHAT: &str = "/v1/chat/completions";

/// What is set up for a call, and the call.
struct Situation {
    name: &'static str,
    /// Of the organization.
    organization: Value,
    /// Limits of the workspace.
    workspace: Value,
    /// Limits of the person who owns the key.
    user: Value,
    /// Fields of the key.
    key: Value,
    /// Calls that go through before.
    before: u64,
    model: &'static str,
    max_tokens: Option<u64>,
    /// Status and type of the answer.
    verdict: (u16, &'static str),
}

impl Situation {
    fn new(name: &'static str, status: u16, kind: &'static str) -> Self {
        Self {
            name,
            organization: json!({}),
            workspace: json!({}),
            user: json!({}),
            key: json!({}),
            before: 0,
            model: MODEL,
            max_tokens: Some(10),
            verdict: (status, kind),
        }
    }

    fn body(&self) -> Value {
        let mut body = json!({"model": self.model, "messages": [{"role": "user", "content": "Hello"}]});
        if let Some(max_tokens) = self.max_tokens {
            body["max_tokens"] = json!(max_tokens);
        }
        body
    }
}

fn situations() -> Vec<Situation> {
    let of = Situation::new;
    let shadow = json!({"requests_per_minute": 0, "monthly_budget_usd": 0.000_000_1, "mode": "shadow"});
    vec![
        of("nothing in the way", 200, ""),
        Situation {
            organization: json!({"billing_active": false}),
            ..of("billing", 402, "billing_inactive")
        },
        Situation {
            key: json!({"allowed_cidrs": ["10.0.0.0/8"]}),
            ..of("address", 403, "address_not_allowed")
        },
        Situation {
            key: json!({"allowed_endpoints": ["embeddings"]}),
            ..of("endpoint", 403, "endpoint_not_allowed")
        },
        Situation { model: "nope", ..of("unknown model", 403, "model_not_allowed") },
        Situation { model: "mistral-embed", ..of("model of another endpoint", 403, "model_not_allowed") },
        Situation {
            workspace: json!({"allowed_models": ["codestral"]}),
            ..of("model by workspace", 403, "model_not_allowed")
        },
        Situation {
            key: json!({"allowed_models": ["codestral"]}),
            ..of("model by key", 403, "model_not_allowed")
        },
        Situation {
            model: "mistral-large-latest",
            key: json!({"role": "analyst"}),
            ..of("model by role", 403, "model_not_allowed")
        },
        Situation {
            max_tokens: Some(501),
            key: json!({"role": "analyst"}),
            ..of("tokens per request", 403, "tokens_per_request_exceeded")
        },
        Situation {
            key: json!({"rate_limit_rpm": 2}),
            before: 2,
            ..of("requests a minute", 429, "rate_limited")
        },
        Situation {
            workspace: json!({"requests_per_second": 1}),
            before: 1,
            ..of("requests a second", 429, "rate_limited")
        },
        Situation { user: json!({"tokens_per_minute": 5}), ..of("tokens a minute", 429, "rate_limited") },
        Situation {
            organization: json!({"limits": {"max_concurrent_requests": 0}}),
            ..of("concurrency", 429, "rate_limited")
        },
        Situation {
            workspace: json!({"monthly_budget_usd": 0.000_000_1}),
            ..of("a budget in dollars", 429, "budget_exhausted")
        },
        Situation {
            user: json!({"tokens_per_month": 5}),
            ..of("a budget in tokens", 429, "token_budget_exhausted")
        },
        Situation {
            workspace: json!({"daily_budget_usd": 10}),
            before: 3,
            ..of("a budget that lasts", 200, "")
        },
        Situation {
            workspace: json!({"tokens_per_month": 100}),
            before: 1,
            ..of("a budget of which some is in hand and some at the store, and neither is enough", 200, "")
        },
        Situation { workspace: shadow, before: 1, ..of("limits in the shadow", 200, "") },
        Situation {
            max_tokens: None,
            workspace: json!({"tokens_per_month": 100}),
            ..of("an open answer, and too little for one", 429, "token_budget_exhausted")
        },
        Situation {
            max_tokens: None,
            workspace: json!({"monthly_budget_usd": 0.01}),
            ..of("an open answer that is kept short", 200, "")
        },
    ]
}

async fn person(system: &System) -> String {
    let body = json!([{"email": "a@example.com", "first_name": "A", "last_name": "B"}]);
    let made = system.deed("POST", "/v1/admin/users", body).await;
    let id = made["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
    let path = format!("/v1/gateway/workspaces/{}/members/{id}/model-role", system.workspace);
    system.deed("PUT", &path, json!({"role": null})).await;
    id
}

/// Explains a call from here. The bytes of the input are an upper bound of its tokens, here as in the gateway.
async fn explain(system: &System, id: &str, body: &Value) -> Value {
    let mut question =
        json!({"key_id": id, "model": body["model"], "input_tokens": 48, "address": "127.0.0.1"});
    if let Some(max_tokens) = body.get("max_tokens") {
        question["max_tokens"] = max_tokens.clone();
    }
    system.deed("POST", "/v1/gateway/explain", question).await
}

/// Holds an explanation against the answer of the same call.
fn agree(name: &str, explained: &Value, answer: &Answer) {
    let refused = explained["refusal"].clone();
    let said = answer.verdict();
    let told = match explained["allowed"] == true {
        true => (200, String::new()),
        false => (
            u16::try_from(refused["status"].as_u64().unwrap()).unwrap(),
            refused["type"].as_str().unwrap().to_owned(),
        ),
    };
    // The answer to a key that is not accepted names no type.
    let told = if said.0 == 401 { (told.0, said.1.clone()) } else { told };
    assert_eq!(told, said, "{name}: {explained:#} but {}", answer.text());
}

#[tokio::test]
async fn a_call_is_answered_as_explained() {
    for situation in situations() {
        let name = situation.name;
        let system = System::start().await;
        let user = person(&system).await;
        let mut fields = situation.key.clone();
        fields["owner_user_id"] = json!(user);
        let (key, id) = system.key(fields).await;
        let workspace = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
        system.deed("PATCH", "/v1/gateway/organization", situation.organization.clone()).await;
        system.deed("PATCH", &workspace, situation.workspace.clone()).await;
        system.deed("PATCH", &format!("/v1/gateway/users/{user}/limits"), situation.user.clone()).await;
        let body = situation.body();
        for _ in 0..situation.before {
            assert_eq!(system.post(&key, CHAT, &body).await.status, 200, "{name}");
        }
        let explained = explain(&system, &id, &body).await;
        assert_eq!(explain(&system, &id, &body).await, explained, "{name}: it spends nothing");
        assert_eq!(system.simulator.calls(), situation.before, "{name}");
        let answer = system.post(&key, CHAT, &body).await;
        agree(name, &explained, &answer);
        assert_eq!(answer.verdict(), (situation.verdict.0, situation.verdict.1.to_owned()), "{name}");
        if answer.status == 200 {
            let ledger = system.simulator.ledger();
            let sent: Value = serde_json::from_slice(&ledger.last().unwrap().body).unwrap();
            let (sent, told) = (sent["max_tokens"].as_u64(), explained["max_tokens_sent"].as_u64());
            let near = |sent: u64, told: u64| sent.abs_diff(told) <= 16;
            assert!(
                sent.zip(told).map_or(sent == told, |(sent, told)| near(sent, told)),
                "{name}: {told:?} {sent:?}"
            );
        } else {
            assert_eq!(explained["refusal"]["type"], situation.verdict.1, "{name}");
        }
        // What the call changed, the next explanation knows.
        let (explained, answer) = (explain(&system, &id, &body).await, system.post(&key, CHAT, &body).await);
        agree(name, &explained, &answer);
    }
}

#[tokio::test]
async fn keys_that_are_not_accepted_are_explained() {
    let system = System::start().await;
    let (key, id) = system.key(json!({"expires_at": "2026-11-21T10:00:10Z"})).await;
    let body = Situation::new("", 0, "").body();
    let both = async || (explain(&system, &id, &body).await, system.post(&key, CHAT, &body).await);
    let check = async |status: u16, detail: &str| {
        let (explained, answer) = both().await;
        assert_eq!(answer.status, status);
        agree(detail, &explained, &answer);
        assert_eq!(explained["rules"][0]["detail"], detail);
    };
    check(200, "the key is active").await;
    system.deed("POST", &format!("/v1/api-keys/{id}/disable"), json!({})).await;
    check(401, "the key is disabled").await;
    system.deed("POST", &format!("/v1/api-keys/{id}/enable"), json!({})).await;
    check(200, "the key is active").await;
    system.clock.advance(10);
    check(401, "the key is expired").await;
    system.deed("DELETE", &format!("/v1/api-keys/{id}"), json!({})).await;
    check(401, "the key is revoked").await;
}

#[tokio::test]
async fn what_calls_in_flight_hold_is_seen_and_a_model_without_a_price() {
    let system = System::start().await;
    let workspace = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    let (key, id) = system.key(json!({})).await;
    let slow = json!({"model": MODEL, "max_tokens": 1000, "stream": true,
        "messages": [{"role": "user", "content": "Hello"}],
        "metadata": {"simulator": {"chunks": 1000, "pace_ms": 100}}});
    let body =
        json!({"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": "Hello"}]});
    system.deed("PATCH", &workspace, json!({"tokens_per_month": 1500, "max_concurrent_requests": 2})).await;
    let flying = open(system.address, request("POST", CHAT, &key, Some(slow.to_string().as_bytes()))).await;
    assert_eq!(flying.status(), 200);
    let explained = explain(&system, &id, &body).await;
    assert_eq!(explained["refusal"]["type"], "budget_reserved", "{explained:#}");
    agree("reserved", &explained, &system.post(&key, CHAT, &body).await);
    let of = |explained: &Value, rule: &str| {
        let all = explained["rules"].as_array().unwrap();
        all.iter().find(|entry| entry["rule"] == rule).unwrap().clone()
    };
    assert!(of(&explained, "tokens_per_month")["reserved"].as_u64().unwrap() >= 1000, "{explained:#}");
    assert_eq!(of(&explained, "max_concurrent_requests")["used"], 1);
    system.deed("PATCH", &workspace, json!({"tokens_per_month": null, "max_concurrent_requests": 1})).await;
    let explained = explain(&system, &id, &body).await;
    agree("in flight", &explained, &system.post(&key, CHAT, &body).await);
    assert_eq!(explained["refusal"]["type"], "rate_limited");
    drop(flying);

    let mut catalogue = system.get(&system.admin_key, "/v1/gateway/models").await.json();
    let models = catalogue["data"].as_array_mut().unwrap();
    models
        .iter_mut()
        .filter(|model| model["family"] == "mistral-small")
        .for_each(|m| m["prices"] = json!([]));
    system.deed("PUT", "/v1/gateway/models?force=true", json!({"models": models})).await;
    system
        .deed("PATCH", &workspace, json!({"monthly_budget_usd": 10, "max_concurrent_requests": null}))
        .await;
    let explained = explain(&system, &id, &body).await;
    agree("no price", &explained, &system.post(&key, CHAT, &body).await);
    assert_eq!(explained["refusal"]["type"], "unbounded_cost");
}

#[tokio::test]
async fn what_was_used_while_there_was_no_limit_is_seen_before_the_next_call() {
    for postgres in [false, true] {
        let system = System::with(Setup { postgres, ..Setup::default() }).await;
        let workspace = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
        let (key, id) = system.key(json!({})).await;
        let body = Situation::new("", 0, "").body();
        system.deed("PATCH", &workspace, json!({"tokens_per_month": 1_000_000})).await;
        assert_eq!(system.post(&key, CHAT, &body).await.status, 200);
        system.deed("PATCH", &workspace, json!({"tokens_per_month": null})).await;
        for _ in 0..20 {
            assert_eq!(system.post(&key, CHAT, &body).await.status, 200);
        }
        eventually(async || {
            let usage = system.get(&system.admin_key, "/v1/gateway/usage").await.json();
            (usage["data"][0]["requests"] == 21).then_some(())
        })
        .await;
        system.deed("PATCH", &workspace, json!({"tokens_per_month": 150})).await;
        let explained = explain(&system, &id, &body).await;
        assert_eq!(explained["refusal"]["type"], "token_budget_exhausted", "{explained:#}");
        agree("limit set anew", &explained, &system.post(&key, CHAT, &body).await);
    }
}
