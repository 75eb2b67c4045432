//! Requests a minute on four levels: all or none, exact in any sliding minute, and told kindly.

use louver_proving::system::System;
use serde_json::{Value, json};

/// A limit at one level, set by an admin; answers the key to call with.
async fn limited(system: &System, level: &str, limit: u64) -> String {
    let limits = json!({"requests_per_minute": limit});
    let mut fields = json!({});
    match level {
        "organization" => {
            drop(system.deed("PATCH", "/v1/gateway/organization", json!({"limits": limits})).await)
        }
        "workspace" => {
            let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
            drop(system.deed("PATCH", &path, limits).await);
        }
        "user" => {
            let body = json!([{"email": "a@example.com", "first_name": "A", "last_name": "B"}]);
            let made = system.deed("POST", "/v1/admin/users", body).await;
            let id = made["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
            system.deed("PATCH", &format!("/v1/gateway/users/{id}/limits"), limits).await;
            let path = format!("/v1/gateway/workspaces/{}/members/{id}/model-role", system.workspace);
            system.deed("PUT", &path, json!({"role": null})).await;
            fields = json!({"owner_user_id": id});
        }
        _ => fields = json!({"rate_limit_rpm": limit}),
    }
    system.key(fields).await.0
}

#[tokio::test]
async fn each_level_refuses_the_one_too_many_and_says_which_and_when() {
    for level in ["organization", "workspace", "user", "key"] {
        let system = System::start().await;
        let key = limited(&system, level, 3).await;
        for left in [2, 1, 0] {
            let answer = system.chat(&key, "mistral-small-latest").await;
            assert_eq!(answer.status, 200, "{level}");
            assert_eq!(answer.header("x-ratelimit-limit-req-minute"), Some("3"), "{level}");
            assert_eq!(
                answer.header("x-ratelimit-remaining-req-minute"),
                Some(left.to_string().as_str()),
                "{level}"
            );
        }
        system.clock.advance(10);
        let answer = system.chat(&key, "mistral-small-latest").await;
        assert_eq!(answer.verdict(), (429, "rate_limited".into()), "{level}");
        assert_eq!(answer.header("retry-after"), Some("51"), "{level}");
        let limit = answer.json()["limit"].clone();
        assert_eq!(
            (limit["scope"].as_str(), limit["limit"].as_u64(), limit["used"].as_u64()),
            (Some(level), Some(3), Some(3))
        );
        assert_eq!(limit["resets_at"], "2026-11-21T10:01:01Z");
        assert_eq!(system.simulator.calls(), 3, "{level}");
        system.clock.advance(51);
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200, "{level}: back when it said");
    }
}

#[tokio::test]
async fn a_refusal_at_one_level_counts_at_none() {
    let system = System::start().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"requests_per_minute": 2})).await;
    let (narrow, _) = system.key(json!({"rate_limit_rpm": 1})).await;
    let (wide, _) = system.key(json!({})).await;
    assert_eq!(system.chat(&narrow, "mistral-small-latest").await.status, 200);
    for _ in 0..5 {
        assert_eq!(system.chat(&narrow, "mistral-small-latest").await.status, 429);
    }
    assert_eq!(
        system.chat(&wide, "mistral-small-latest").await.status,
        200,
        "the refusals took nothing of the workspace's"
    );
    assert_eq!(system.chat(&wide, "mistral-small-latest").await.status, 429);
}

#[tokio::test]
async fn of_many_at_once_exactly_the_limit_passes() {
    let system = System::start().await;
    let (key, _) = system.key(json!({"rate_limit_rpm": 10})).await;
    let system = std::sync::Arc::new(system);
    let calls = (0..50).map(|_| {
        let (system, key) = (system.clone(), key.clone());
        tokio::spawn(async move { system.chat(&key, "mistral-small-latest").await.status.as_u16() })
    });
    let mut statuses = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        statuses.push(call.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 10);
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 40);
    assert_eq!(system.simulator.calls(), 10);
}

#[tokio::test]
async fn a_shadow_limit_refuses_nothing() {
    let system = System::start().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"requests_per_minute": 1, "mode": "shadow"})).await;
    let (key, _) = system.key(json!({})).await;
    for _ in 0..3 {
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    }
}

#[tokio::test]
async fn a_changed_limit_forgets_nothing_and_a_child_cannot_widen_its_parent() {
    let system = System::start().await;
    let (key, id) = system.key(json!({"rate_limit_rpm": 5})).await;
    for _ in 0..3 {
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    }
    system.deed("PATCH", &format!("/v1/api-keys/{id}"), json!({"rate_limit_rpm": 3})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 429);
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"requests_per_minute": 60})).await;
    let answer = system.admin("POST", "/v1/api-keys", Some(json!({"name": "k", "rate_limit_rpm": 61}))).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["param"], "rate_limit_rpm");
    assert_eq!(answer.json()["detail"][0]["loc"], Value::from(vec!["body", "rate_limit_rpm"]));
}

#[tokio::test]
async fn requests_a_second_tokens_a_minute_and_calls_at_once_are_exact() {
    let system = System::start().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    let (key, _) = system.key(json!({})).await;

    system.deed("PATCH", &path, json!({"requests_per_second": 2})).await;
    for _ in 0..2 {
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    }
    let refused = system.chat(&key, "mistral-small-latest").await;
    assert_eq!(refused.verdict(), (429, "rate_limited".into()));
    assert_eq!(
        (&refused.json()["limit"]["window"], refused.header("retry-after")),
        (&json!("second"), Some("2"))
    );
    system.clock.advance(2);
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200, "back when it said");

    // A call may use its input's bound and its max_tokens; what it did not use is free again when it has ended.
    system.deed("PATCH", &path, json!({"requests_per_second": null, "tokens_per_minute": 300})).await;
    let body = json!({"model": "mistral-small-latest", "max_tokens": 200, "metadata": {"simulator": {"tokens": 5}},
        "messages": [{"role": "user", "content": "Hello"}]});
    let answer = system.post(&key, "/v1/chat/completions", &body).await;
    assert_eq!(answer.header("x-ratelimit-limit-tokens-minute"), Some("300"), "{}", answer.text());
    let reserved =
        300 - answer.header("x-ratelimit-remaining-tokens-minute").unwrap().parse::<u64>().unwrap();
    assert!((200..300).contains(&reserved), "{reserved}");
    assert_eq!(
        system.post(&key, "/v1/chat/completions", &body).await.status,
        200,
        "what was not used came back"
    );
    let wide = json!({"model": "mistral-small-latest", "max_tokens": 290, "messages": [{"role": "user", "content": "Hello"}]});
    let refused = system.post(&key, "/v1/chat/completions", &wide).await;
    assert_eq!(refused.verdict(), (429, "rate_limited".into()));
    assert!(refused.header("retry-after").is_none() || refused.header("x-should-retry").is_none());

    system.deed("PATCH", &path, json!({"tokens_per_minute": null, "max_concurrent_requests": 3})).await;
    let system = std::sync::Arc::new(system);
    let slow = json!({"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}],
        "metadata": {"simulator": {"fault": "delay", "ms": 300}}});
    let calls = (0..12).map(|_| {
        let (system, key, slow) = (system.clone(), key.clone(), slow.clone());
        tokio::spawn(async move { system.post(&key, "/v1/chat/completions", &slow).await.verdict() })
    });
    let mut passed = 0;
    for call in calls.collect::<Vec<_>>() {
        let (status, kind) = call.await.unwrap();
        assert!(status == 200 || kind == "rate_limited", "{status} {kind}");
        passed += u32::from(status == 200);
    }
    assert_eq!(passed, 3, "three at once, and the others were refused");
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200, "places are free again");
}

#[tokio::test]
async fn a_shadow_tells_what_it_would_have_refused() {
    let mut system = System::start().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system
        .deed(
            "PATCH",
            &path,
            json!({"requests_per_minute": 2, "monthly_budget_usd": 0.0000001, "mode": "shadow"}),
        )
        .await;
    let (key, _) = system.key(json!({})).await;
    for _ in 0..5 {
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    }
    system.restart().await;
    let usage = system.get(&system.admin_key, "/v1/gateway/usage").await.json();
    assert_eq!(usage["data"][0]["would_refuse_requests"], 5, "{usage}");
    let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
    assert_eq!(
        (&budgets["data"][0]["mode"], &budgets["data"][0]["state"]),
        (&json!("shadow"), &json!("exhausted"))
    );
}
