//! Hard budgets: never passed, spent to the last cent, back when their period turns.

use louver_proving::client::Answer;
use louver_proving::system::{Setup, System};
use serde_json::{Value, json};
use std::sync::Arc;

const MODEL: &str = "mistral-small-latest";

/// A chat of one short message: what it can cost is known from what a refusal says.
fn chat(max_tokens: u64) -> Value {
    json!({"model": MODEL, "max_tokens": max_tokens, "messages": [{"role": "user", "content": "Hello"}]})
}

/// The bound of [`chat`] in dollars.
async fn bound(system: &System, max_tokens: u64) -> f64 {
    let (key, _) = system.key(json!({"monthly_budget_usd": 0})).await;
    let refused = system.post(&key, "/v1/chat/completions", &chat(max_tokens)).await;
    assert_eq!(refused.verdict(), (429, "budget_exhausted".into()));
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    let could =
        message.split("could use ").nth(1).map(|rest| rest.split(' ').next().unwrap().parse().unwrap());
    could.unwrap_or_else(|| panic!("no bound in {message}"))
}

async fn call(system: &System, key: &str, max_tokens: u64) -> Answer {
    system.post(key, "/v1/chat/completions", &chat(max_tokens)).await
}

async fn limit_workspace(system: &System, limits: Value) {
    system.deed("PATCH", &format!("/v1/gateway/workspaces/{}/limits", system.workspace), limits).await;
}

#[tokio::test]
async fn of_fifty_at_once_a_budget_for_one_lets_one_pass() {
    for postgres in [false, true] {
        let system = Arc::new(System::with(Setup { postgres, ..Setup::default() }).await);
        let bound = bound(&system, 50).await;
        limit_workspace(&system, json!({"monthly_budget_usd": bound})).await;
        let (key, _) = system.key(json!({})).await;
        let calls = (0..50).map(|_| {
            let (system, key) = (system.clone(), key.clone());
            tokio::spawn(async move { call(&system, &key, 50).await.verdict() })
        });
        let mut verdicts = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            verdicts.push(call.await.unwrap());
        }
        let passed = verdicts.iter().filter(|(status, _)| *status == 200).count();
        assert_eq!(passed, 1, "{verdicts:?}");
        assert!(
            verdicts.iter().all(|(status, kind)| *status == 200 || kind.starts_with("budget_")),
            "{verdicts:?}"
        );
        assert_eq!(system.simulator.calls(), 1);
    }
}

#[tokio::test]
async fn each_budget_refuses_when_it_is_spent_and_is_back_at_its_turn() {
    for (window, name, ends) in [
        ("hour", "hourly_budget_usd", "2026-11-21T11:00:00Z"),
        ("day", "daily_budget_usd", "2026-11-22T00:00:00Z"),
        ("month", "monthly_budget_usd", "2026-12-01T00:00:00Z"),
    ] {
        let system = System::start().await;
        let bound = bound(&system, 10).await;
        limit_workspace(&system, json!({name: bound * 2.5})).await;
        let (key, _) = system.key(json!({})).await;
        let mut passed = 0;
        let refused = loop {
            let answer = call(&system, &key, 10).await;
            if answer.status != 200 {
                break answer;
            }
            passed += 1;
            assert!(passed < 100, "{window}: it must end");
        };
        assert!(passed >= 2, "{window}: {passed}");
        assert_eq!(refused.verdict(), (429, "budget_exhausted".into()), "{window}: {}", refused.text());
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        assert_eq!(refused.header("retry-after"), None);
        let limit = refused.json()["limit"].clone();
        assert_eq!((limit["scope"].as_str(), limit["window"].as_str()), (Some("workspace"), Some(window)));
        assert_eq!(limit["id"], system.workspace);
        assert_eq!(limit["resets_at"], ends);
        let (used, of) = (limit["used"].as_f64().unwrap(), limit["limit"].as_f64().unwrap());
        assert!(used <= of && used + bound > of, "{window}: {used} of {of}, the next one {bound}");
        assert_eq!(system.simulator.calls(), passed, "{window}: what is refused is not sent");
        let seconds = louver_domain::time::Timestamp::parse(ends).unwrap().seconds()
            - louver_domain::time::Timestamp::parse("2026-11-21T10:00:00Z").unwrap().seconds();
        system.clock.advance(seconds - 1);
        assert_eq!(call(&system, &key, 10).await.status, 429, "{window}: not a second before");
        system.clock.advance(1);
        assert_eq!(call(&system, &key, 10).await.status, 200, "{window}: back at its turn");
    }
}

#[tokio::test]
async fn an_open_ended_call_is_kept_short_rather_than_refused_when_a_budget_is_near() {
    let system = System::start().await;
    limit_workspace(&system, json!({"monthly_budget_usd": 0.01})).await;
    let (key, _) = system.key(json!({})).await;
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]});
    let answer = system.post(&key, "/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent: Value = serde_json::from_slice(&system.simulator.ledger()[0].body).unwrap();
    let most = sent["max_tokens"].as_u64().expect("a maximum is sent");
    // 0.01 USD pay for 16,666 tokens of output; one eighth of it, less the input.
    assert!((2000..=2083).contains(&most), "{most}");
}

#[tokio::test]
async fn daily_tokens_by_role_and_tokens_a_month_refuse_and_come_back() {
    let system = System::start().await;
    let made = system
        .deed(
            "POST",
            "/v1/admin/users",
            json!([{"email": "a@example.com", "first_name": "A", "last_name": "B"}]),
        )
        .await;
    let user = made["email_to_user_id"]["a@example.com"].as_str().unwrap().to_owned();
    system
        .deed(
            "POST",
            "/v1/gateway/roles",
            json!({"name": "intern", "allowed_models": ["*"], "daily_token_budget": 120}),
        )
        .await;
    let path = format!("/v1/gateway/workspaces/{}/members/{user}/model-role", system.workspace);
    system.deed("PUT", &path, json!({"role": "intern"})).await;
    let (key, _) = system.key(json!({"owner_user_id": user})).await;
    let refused = loop {
        let answer = call(&system, &key, 10).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(system.simulator.calls() < 20);
    };
    assert_eq!(refused.verdict(), (429, "token_budget_exhausted".into()), "{}", refused.text());
    let limit = refused.json()["limit"].clone();
    assert_eq!((limit["scope"].as_str(), limit["window"].as_str()), (Some("model_role"), Some("day")));
    assert_eq!(limit["limit"], 120);
    system.clock.advance(14 * 3600);
    assert_eq!(call(&system, &key, 10).await.status, 200, "back the next day");

    let (key, _) = system.key(json!({})).await;
    limit_workspace(&system, json!({"tokens_per_month": 1})).await;
    assert_eq!(call(&system, &key, 10).await.verdict(), (429, "token_budget_exhausted".into()));
}

#[tokio::test]
async fn a_limit_set_in_the_middle_of_a_period_counts_what_was_used_before() {
    for postgres in [false, true] {
        let mut system = System::with(Setup { postgres, ..Setup::default() }).await;
        let (key, _) = system.key(json!({})).await;
        for _ in 0..5 {
            assert_eq!(call(&system, &key, 10).await.status, 200);
        }
        // Everything is written when the node has stopped.
        system.restart().await;
        limit_workspace(&system, json!({"monthly_budget_usd": 0.000001})).await;
        let refused = call(&system, &key, 10).await;
        assert_eq!(refused.verdict(), (429, "budget_exhausted".into()), "{}", refused.text());
        let used = refused.json()["limit"]["used"].as_f64().unwrap();
        assert!(used > 0.000_001, "{used}");
        limit_workspace(&system, json!({"monthly_budget_usd": 1})).await;
        assert_eq!(call(&system, &key, 10).await.status, 200, "a raised limit holds at once");
    }
}

#[tokio::test]
async fn all_levels_are_charged_or_none() {
    let system = System::start().await;
    let bound = bound(&system, 10).await;
    system.deed("PATCH", "/v1/gateway/organization", json!({"limits": {"monthly_budget_usd": 1}})).await;
    limit_workspace(&system, json!({"daily_budget_usd": 1})).await;
    let (narrow, narrow_id) = system.key(json!({"monthly_budget_usd": bound / 2.0})).await;
    let (wide, _) = system.key(json!({})).await;
    for _ in 0..3 {
        let refused = call(&system, &narrow, 10).await;
        assert_eq!(refused.verdict(), (429, "budget_exhausted".into()));
        assert_eq!(refused.json()["limit"]["scope"], "key", "the narrowest speaks first");
    }
    assert_eq!(call(&system, &wide, 10).await.status, 200);
    let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
    let of = |scope: &str, window: &str| {
        let all = budgets["data"].as_array().unwrap();
        all.iter()
            .find(|b| b["scope"] == scope && b["window"] == window)
            .unwrap_or_else(|| panic!("{budgets}"))
            .clone()
    };
    let (organization, workspace) = (of("organization", "month"), of("workspace", "day"));
    assert_eq!(organization["spent"], workspace["spent"], "{budgets}");
    assert!(organization["spent"].as_f64().unwrap() > 0.0);
    assert_eq!(organization["reserved"], 0);
    let key =
        budgets["data"].as_array().unwrap().iter().find(|b| b["scope_id"] == narrow_id.as_str()).cloned();
    assert!(key.is_none_or(|key| key["spent"] == 0), "{budgets}");
}

#[tokio::test]
async fn a_lowered_limit_holds_from_its_commit_on() {
    let system = System::start().await;
    limit_workspace(&system, json!({"monthly_budget_usd": 10})).await;
    let (key, _) = system.key(json!({})).await;
    assert_eq!(call(&system, &key, 10).await.status, 200);
    limit_workspace(&system, json!({"monthly_budget_usd": 0.0000001})).await;
    assert_eq!(call(&system, &key, 10).await.verdict(), (429, "budget_exhausted".into()));
    limit_workspace(&system, json!({"monthly_budget_usd": null})).await;
    assert_eq!(call(&system, &key, 10).await.status, 200, "no limit, no refusal");
}

#[tokio::test]
async fn a_model_without_a_price_is_refused_under_a_budget_and_only_there() {
    let system = System::start().await;
    let mut catalogue = system.get(&system.admin_key, "/v1/gateway/models").await.json();
    let models = catalogue["data"].as_array_mut().unwrap();
    for model in models.iter_mut() {
        if model["family"] == "mistral-small" {
            model["prices"] = json!([]);
        }
    }
    let models = json!({"models": models});
    let put = system.admin("PUT", "/v1/gateway/models?force=true", Some(models)).await;
    assert!(put.status.is_success(), "{}", put.text());
    let (key, _) = system.key(json!({})).await;
    assert_eq!(call(&system, &key, 10).await.status, 200);
    limit_workspace(&system, json!({"monthly_budget_usd": 10})).await;
    assert_eq!(call(&system, &key, 10).await.verdict(), (403, "unbounded_cost".into()));
    limit_workspace(&system, json!({"monthly_budget_usd": 10, "mode": "shadow"})).await;
    assert_eq!(call(&system, &key, 10).await.status, 200, "a shadow refuses nothing");
}

#[tokio::test]
async fn at_the_end_nothing_is_leased_and_the_books_agree() {
    for postgres in [false, true] {
        let mut system = System::with(Setup { postgres, ..Setup::default() }).await;
        limit_workspace(
            &system,
            json!({"monthly_budget_usd": 10, "hourly_budget_usd": 5, "tokens_per_month": 100000}),
        )
        .await;
        let (key, id) = system.key(json!({})).await;
        system.deed("PATCH", &format!("/v1/gateway/keys/{id}/limits"), json!({"daily_budget_usd": 1})).await;
        for _ in 0..20 {
            assert_eq!(call(&system, &key, 10).await.status, 200);
        }
        system.stop().await;
        let at = louver_domain::time::Clock::now(&*system.clock);
        let standings = louver_store::ledger::standings::running(&system.store, at).await.unwrap();
        assert_eq!(standings.len(), 4);
        for standing in &standings {
            assert_eq!((standing.leased, standing.stranded), (0, 0), "{standing:?}");
            assert_eq!(standing.allocated, standing.spent, "{standing:?}");
        }
        assert_eq!(louver_store::ledger::verify::verify(&system.store).await.unwrap(), []);
    }
}

/// A vocabulary with every byte and the letter `a` up to 256 times: `a` repeated is counted far below its bytes.
fn vocabulary() -> Value {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let single = (0..=255_u8).map(|byte| vec![byte]);
    let merged = (1..=8).map(|power| vec![b'a'; 1 << power]);
    let vocab: Vec<Value> = single
        .chain(merged)
        .enumerate()
        .map(|(rank, bytes)| json!({"rank": rank, "token_bytes": encode(&bytes), "token_str": null}))
        .collect();
    json!({
        "config": {
            "pattern": louver_mistral::tokenizer::PATTERN,
            "num_vocab_tokens": vocab.len(),
            "default_vocab_size": vocab.len() + 10,
            "default_num_special_tokens": 10,
            "version": "v3",
        },
        "vocab": vocab,
    })
}

#[tokio::test]
async fn near_a_limit_input_is_counted_exactly_where_the_operator_gave_a_vocabulary() {
    let count = |config: &mut louver::config::Config| {
        let path = config.journal_dir.as_ref().unwrap().with_extension("json");
        std::fs::write(&path, vocabulary().to_string()).unwrap();
        config.tokenizer = Some((path, vec!["mistral-small".into()]));
    };
    let body = json!({"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": "a".repeat(4096)}]});
    for (change, status) in [(None, 429), (Some(count as fn(&mut _)), 200)] {
        let system = System::with(Setup { change, ..Setup::default() }).await;
        // 4,096 bytes could be as many tokens, for 0.0006 USD; they are 16.
        limit_workspace(&system, json!({"monthly_budget_usd": 0.0003})).await;
        let (key, _) = system.key(json!({})).await;
        let answer = system.post(&key, "/v1/chat/completions", &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}
