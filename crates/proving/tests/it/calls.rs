//! Calls go through, whole and streamed, and leave their usage.

use http_body_util::BodyExt;
use louver_domain::prices::{Prices, Terms};
use louver_domain::usage::{Tokens, Units};
use louver_proving::client::{open, request, send};
use louver_proving::system::eventually;
use louver_proving::system::{Setup, System, UPSTREAM_KEY, chat};
use serde_json::{Value, json};

/// A key in a workspace with so many dollars a month.
pub async fn budgeted(system: &System, dollars: u64) -> String {
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": dollars})).await;
    system.key(json!({})).await.0
}

/// The budget when nothing is in flight: nano-dollars spent.
pub async fn spent(system: &System) -> i64 {
    eventually(async || {
        let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
        let budget = &budgets["data"][0];
        (budget["reserved"] == 0).then(|| (budget["spent"].as_f64().unwrap() * 1e9).round() as i64)
    })
    .await
}

/// What the simulator's books come to at the prices of the price list, in nano-dollars.
pub fn cost(system: &System) -> i64 {
    let list = louver_store::models::builtin().unwrap();
    let now = louver_domain::time::Clock::now(&*system.clock);
    let of = |entry: &louver_simulator::Entry| {
        let model = list.models.iter().find(|m| Some(m.model.id.as_str()) == entry.model.as_deref()).unwrap();
        let prices = Prices::new(model.prices.clone());
        let billed = entry.billed;
        let tokens = Tokens { input: billed.input(), cached: billed.cached, output: billed.completion };
        let units = Units {
            pages: billed.pages,
            annotated_pages: billed.annotated_pages,
            audio_seconds: billed.audio_seconds,
            characters: billed.characters,
            tool_calls: 0,
        };
        let terms = Terms { priority: billed.priority, ..Terms::default() };
        prices.at(now).unwrap().1.cost(tokens, &units, terms).nanos()
    };
    let answered = |entry: &&louver_simulator::Entry| entry.status.is_none_or(|status| status < 400);
    system.simulator.ledger().iter().filter(answered).map(of).sum()
}

#[tokio::test]
async fn a_chat_goes_through_with_the_model_pinned_and_our_headers_only() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    let mut call = request(
        "POST",
        "/v1/chat/completions",
        &key,
        Some(chat("mistral-small-latest").to_string().as_bytes()),
    );
    for (name, value) in [
        ("x-forwarded-for", "1.2.3.4"),
        ("cookie", "a=b"),
        ("x-model", "mistral-large-latest"),
        ("accept-encoding", "gzip"),
        ("traceparent", "00-x"),
        ("connection", "authorization"),
    ] {
        call.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = send(system.address, call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["object"], "chat.completion");
    assert_eq!(answer.header("x-request-id").unwrap().len(), 36);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for gone in ["mistral-correlation-id", "server", "x-louver-simulator"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    let seen = &system.simulator.ledger()[0];
    assert_eq!(
        (seen.target.as_str(), seen.model.as_deref()),
        ("/v1/chat/completions", Some("mistral-small-2603"))
    );
    let mut names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "content-length", "content-type", "host", "user-agent"]);
    assert_eq!(seen.bearer.as_deref(), Some(UPSTREAM_KEY));
    let body = String::from_utf8(seen.body.to_vec()).unwrap();
    assert_eq!(
        body,
        chat("mistral-small-latest")
            .to_string()
            .replace("\"mistral-small-latest\"", "\"mistral-small-2603\",\"service_tier\":\"standard_only\"")
    );
}

#[tokio::test]
async fn a_stream_passes_as_it_comes_and_its_usage_is_recorded() {
    let mut system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    let mut body = chat("mistral-small-latest");
    body["stream"] = json!(true);
    body["metadata"] = json!({"simulator": {"chunks": 20, "pace_ms": 1}});
    let call = request("POST", "/v1/chat/completions", &key, Some(body.to_string().as_bytes()));
    let mut answer = open(system.address, call).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut frames, mut text) = (0, Vec::new());
    while let Some(frame) = answer.body_mut().frame().await {
        frames += 1;
        text.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(frames > 3, "the answer was held back: {frames} pieces");
    let billed = system.simulator.ledger()[0].billed;
    system.stop().await;
    let sums = usage(&system).await;
    assert_eq!(
        (sums["requests"].as_u64(), sums["input_tokens"].as_u64(), sums["output_tokens"].as_u64()),
        (Some(1), Some(billed.prompt), Some(billed.completion))
    );
    assert_eq!(sums["estimated_requests"], 0);
}

/// The sums of this month, read by a fresh node on the same database.
async fn usage(system: &System) -> Value {
    let node = system.second_node().await;
    let answer = send(node.address, request("GET", "/v1/gateway/usage", &system.admin_key, None)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"][0].clone()
}

#[tokio::test]
async fn every_endpoint_answers_in_mistrals_shape() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    let fim = json!({"model": "codestral-latest", "prompt": "def f(", "suffix": "return a"});
    assert_eq!(system.post(&key, "/v1/fim/completions", &fim).await.json()["object"], "chat.completion");
    let embeddings = json!({"model": "mistral-embed", "input": ["a", "b"]});
    let answer = system.post(&key, "/v1/embeddings", &embeddings).await.json();
    assert_eq!((answer["object"].as_str(), answer["data"].as_array().unwrap().len()), (Some("list"), 2));
    let list = system.get(&key, "/v1/models").await.json();
    assert!(list["data"].as_array().unwrap().iter().any(|m| m["id"] == "mistral-small-latest"));
    let one = system.get(&key, "/v1/models/mistral-small-latest").await.json();
    assert_eq!((one["id"].as_str(), one["object"].as_str()), (Some("mistral-small-latest"), Some("model")));
}

#[tokio::test]
async fn the_books_of_both_sides_agree() {
    let mut system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    for number in 0..40_u64 {
        let mut body = chat(if number % 2 == 0 { "mistral-small-latest" } else { "codestral-latest" });
        body["stream"] = json!(number % 3 == 0);
        body["metadata"] = json!({"simulator": {"tokens": 5 + number, "cached_tokens": 64}});
        assert_eq!(system.post(&key, "/v1/chat/completions", &body).await.status, 200);
    }
    let ledger = system.simulator.ledger();
    system.stop().await;
    let sums = usage(&system).await;
    let total =
        |pick: fn(&louver_simulator::Billed) -> u64| ledger.iter().map(|e| pick(&e.billed)).sum::<u64>();
    assert_eq!(sums["requests"], 40);
    assert_eq!(sums["input_tokens"].as_u64(), Some(total(|b| b.prompt)));
    assert_eq!(sums["output_tokens"].as_u64(), Some(total(|b| b.completion)));
    assert!(sums["cost_usd"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_client_that_leaves_is_charged_what_was_seen() {
    let change = |config: &mut louver::config::Config| {
        config.timeouts.client_left = std::time::Duration::from_millis(200);
    };
    let mut system = System::with(Setup { change: Some(change), ..Setup::default() }).await;
    let (key, _) = system.key(json!({})).await;
    let mut body = chat("mistral-small-latest");
    body["stream"] = json!(true);
    body["metadata"] = json!({"simulator": {"fault": "hang_after", "after": 10}});
    let call = request("POST", "/v1/chat/completions", &key, Some(body.to_string().as_bytes()));
    let mut answer = open(system.address, call).await;
    assert!(answer.body_mut().frame().await.is_some());
    drop(answer);
    system.simulator.idle().await;
    system.stop().await;
    let sums = usage(&system).await;
    assert_eq!((sums["requests"].as_u64(), sums["estimated_requests"].as_u64()), (Some(1), Some(1)));
    assert!(
        sums["output_tokens"].as_u64().unwrap() >= 10 && sums["input_tokens"].as_u64().unwrap() >= 1,
        "{sums}"
    );
}
