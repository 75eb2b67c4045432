//! What a call is charged, whatever becomes of it: the truth where upstream tells it, the bound where nobody does.

use louver_proving::client::{open, request};
use louver_proving::system::{Setup, System, eventually};
use louver_simulator::Fault;
use serde_json::{Value, json};
use std::time::Duration;

const MODEL: &str = "mistral-small-latest";
const PATH: &str = "/v1/chat/completions";

fn chat(directions: Value) -> Value {
    json!({"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}],
        "metadata": {"simulator": directions}})
}

/// A system with a budget, and a key.
async fn budgeted(change: Option<fn(&mut louver::config::Config)>) -> (System, String) {
    let system = System::with(Setup { change, ..Setup::default() }).await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": 10})).await;
    let (key, _) = system.key(json!({})).await;
    (system, key)
}

/// The budget when nothing is in flight: dollars spent.
async fn spent(system: &System) -> f64 {
    eventually(async || {
        let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
        let budget = &budgets["data"][0];
        (budget["reserved"] == 0).then(|| budget["spent"].as_f64().unwrap())
    })
    .await
}

/// In dollars what the simulator would bill for all of its calls.
fn billed(system: &System) -> f64 {
    let (input, output) = system
        .simulator
        .ledger()
        .iter()
        .filter(|entry| entry.status.is_none_or(|status| status < 400))
        .fold((0, 0), |(input, output), entry| {
            (input + entry.billed.prompt, output + entry.billed.completion)
        });
    (input as f64 * 150.0 + output as f64 * 600.0) / 1e9
}

#[tokio::test]
async fn usage_that_upstream_tells_is_charged_to_the_nano_dollar() {
    let (system, key) = budgeted(None).await;
    for stream in [false, true] {
        let mut body = chat(json!({"tokens": 20}));
        body["stream"] = json!(stream);
        assert_eq!(system.post(&key, PATH, &body).await.status, 200);
    }
    let (spent, billed) = (spent(&system).await, billed(&system));
    assert!((spent - billed).abs() < 1e-12 && billed > 0.0, "{spent} {billed}");
}

/// What a call could cost in dollars, as its refusal says.
async fn bound(body: &Value) -> f64 {
    let system = System::start().await;
    let (key, _) = system.key(json!({"monthly_budget_usd": 0})).await;
    let refused = system.post(&key, PATH, body).await.json();
    let message = refused["message"].as_str().unwrap().to_owned();
    message.split("could use ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn c4_choices_multiply_what_is_reserved() {
    let mut body = chat(json!({"tokens": 20}));
    let one = bound(&body).await;
    body["n"] = json!(4);
    let four = bound(&body).await;
    // Three more of 50 tokens each, at 600 nano-dollars a token.
    assert!((four - one - 0.00009).abs() < 1e-12, "{one} {four}");
    let (system, key) = budgeted(None).await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": one})).await;
    let refused = system.post(&key, PATH, &body).await;
    assert_eq!(refused.verdict(), (429, "budget_exhausted".to_owned()), "{}", refused.text());
    assert_eq!(system.simulator.calls(), 0);
    body["n"] = json!(1);
    assert_eq!(system.post(&key, PATH, &body).await.status, 200);
}

#[tokio::test]
async fn what_nobody_tells_is_charged_at_the_bound() {
    let bound = bound(&chat(json!({"tokens": 20}))).await;
    for (name, fault) in [
        ("no usage", json!({"fault": "no_usage"})),
        ("two usages", json!({"fault": "two_usages"})),
        ("negative", json!({"fault": "wrong_usage", "prompt": -5, "completion": 5, "total": 0})),
        (
            "more than any call",
            json!({"fault": "wrong_usage", "prompt": 999_999_999, "completion": 5, "total": 999_999_999}),
        ),
        ("garbage", json!({"fault": "garbage"})),
        ("a reset in the middle", json!({"fault": "reset_after", "after": 3})),
    ] {
        for stream in [false, true] {
            let (system, key) = budgeted(None).await;
            let mut body = chat(fault.clone());
            body["stream"] = json!(stream);
            let call = request("POST", PATH, &key, Some(body.to_string().as_bytes()));
            let mut answer = open(system.address, call).await;
            while let Some(Ok(_)) = http_body_util::BodyExt::frame(answer.body_mut()).await {}
            let spent = spent(&system).await;
            let billed = billed(&system);
            // Half of a whole answer may hold the usage already. The directions make the body a little longer than the
            // one that the bound was read from.
            let told = name == "a reset in the middle" && (spent - billed).abs() < 1e-12;
            assert!(
                told || (spent >= bound && spent < bound * 1.5),
                "{name}, stream {stream}: {spent}, {bound}"
            );
            assert!(spent >= billed, "{name}");
        }
    }
}

#[tokio::test]
async fn what_upstream_refuses_or_never_gets_costs_nothing() {
    for status in [400, 422, 429, 500, 503] {
        let (system, key) = budgeted(None).await;
        system.simulator.script(Fault::Status { status, retry_after: None, body: None });
        assert_eq!(system.post(&key, PATH, &chat(json!({}))).await.status, status);
        assert_eq!(spent(&system).await, 0.0, "{status}");
    }
    // Nobody listens there.
    let (system, key) = budgeted(Some(|config| config.upstream_url = "http://127.0.0.1:1".into())).await;
    assert_eq!(system.post(&key, PATH, &chat(json!({}))).await.status, 502);
    assert_eq!(spent(&system).await, 0.0);
}

#[tokio::test]
async fn a_client_that_leaves_is_charged_the_truth_as_soon_as_upstream_has_ended() {
    for stream in [false, true] {
        let (system, key) = budgeted(None).await;
        let mut body = chat(json!({"tokens": 40, "pace_ms": 20}));
        body["stream"] = json!(stream);
        if stream {
            let call = request("POST", PATH, &key, Some(body.to_string().as_bytes()));
            let mut answer = open(system.address, call).await;
            http_body_util::BodyExt::frame(answer.body_mut()).await.unwrap().unwrap();
            drop(answer);
        } else {
            // Gone before the head is there.
            system.post_and_leave(&key, PATH, &body).await;
        }
        let spent = eventually(async || Some(spent(&system).await).filter(|spent| *spent > 0.0)).await;
        let billed = billed(&system);
        assert!((spent - billed).abs() < 1e-12, "stream {stream}: {spent} {billed}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_is_read_for_a_set_time_and_charged_at_the_bound() {
    let (system, key) =
        budgeted(Some(|config| config.timeouts.client_left = Duration::from_millis(200))).await;
    let mut body = chat(json!({"fault": "hang_after", "after": 5}));
    body["stream"] = json!(true);
    let call = request("POST", PATH, &key, Some(body.to_string().as_bytes()));
    let mut answer = open(system.address, call).await;
    http_body_util::BodyExt::frame(answer.body_mut()).await.unwrap().unwrap();
    drop(answer);
    let spent = eventually(async || Some(spent(&system).await).filter(|spent| *spent > 0.0)).await;
    assert!(spent >= 50.0 * 600.0 / 1e9 && spent >= billed(&system), "{spent}");
}

#[tokio::test]
async fn a_bill_above_the_bound_is_charged_whole_and_blocks_until_a_person_has_looked() {
    let (system, key) = budgeted(None).await;
    let over = json!({"fault": "wrong_usage", "prompt": 50_000, "completion": 50_000, "total": 100_000});
    assert_eq!(system.post(&key, PATH, &chat(over)).await.status, 200);
    assert!((spent(&system).await - (50_000.0 * 150.0 + 50_000.0 * 600.0) / 1e9).abs() < 1e-9);
    let refused = system.post(&key, PATH, &chat(json!({}))).await;
    assert_eq!(refused.verdict(), (429, "budget_exhausted".into()));
    assert!(refused.json()["message"].as_str().unwrap().contains("administrator"), "{}", refused.text());
    let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
    assert_eq!(budgets["data"][0]["state"], "blocked");
    let id = budgets["data"][0]["id"].as_str().unwrap().to_owned();
    let unblocked = system.deed("POST", &format!("/v1/gateway/budgets/{id}/unblock"), json!({})).await;
    assert_eq!(unblocked["state"], "active");
    system.clock.advance(1);
    assert_eq!(system.post(&key, PATH, &chat(json!({}))).await.status, 200);
}
