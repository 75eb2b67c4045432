//! Several upstream servers: regions by policy, models of named servers, attempts and stand-ins, each charged by itself.

use louver::config::{Config, Server, ServerKind, UpstreamKey};
use louver_domain::limits::Region;
use louver_proving::client::{open, request};
use louver_proving::system::{Setup, System, UPSTREAM_KEY, chat, eventually, serve_simulator};
use louver_simulator::{Config as Simulated, Endpoint, Fault, Model, Rule, Simulator};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const SMALL: &str = "mistral-small-latest";
const ORGANIZATION: &str = "/v1/gateway/organization";
const SECOND_KEY: &str = "upstream-canary-of-the-second";
/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

struct Two {
    system: System,
    second: Simulator,
    _stop: oneshot::Sender<()>,
}

/// A system with a second server of that name.
async fn two(name: &str, kind: ServerKind, region: Option<Region>, change: Option<fn(&mut Config)>) -> Two {
    let mut simulated: Simulated = louver::example::simulated(2).unwrap();
    simulated.models.push(Model::new("lab-model-1", 8000, &[Endpoint::Chat]));
    let second = Simulator::new(simulated);
    let (address, stop) = serve_simulator(&second).await;
    let server = Server {
        name: name.into(),
        url: format!("http://{address}"),
        kind,
        region,
        key: Some(UpstreamKey::new(SECOND_KEY.into())),
        keyless: false,
    };
    let system = System::with(Setup { change, upstreams: vec![server], ..Setup::default() }).await;
    Two { system, second, _stop: stop }
}

async fn held_to_eu() -> (Two, String) {
    let two = two("eu", ServerKind::Mistral, Some(Region::Eu), None).await;
    two.system.deed("PATCH", ORGANIZATION, json!({"limits": {"region": "eu"}})).await;
    let key = two.system.key(json!({})).await.0;
    (two, key)
}

/// The budget of the organization's workspace when nothing is in flight: nano-dollars spent.
async fn spent(system: &System) -> i64 {
    eventually(async || {
        let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
        let budget = &budgets["data"][0];
        (budget["reserved"] == 0).then(|| (budget["spent"].as_f64().unwrap() * 1e9).round() as i64)
    })
    .await
}

async fn budget(system: &System, dollars: f64) {
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"monthly_budget_usd": dollars})).await;
}

/// What a simulator bills for its calls at the price of the small model.
fn billed(simulator: &Simulator) -> i64 {
    let of = |entry: &louver_simulator::Entry| entry.billed.prompt * 150 + entry.billed.completion * 600;
    simulator.ledger().iter().filter(|e| e.status == Some(200)).map(|entry| of(entry) as i64).sum()
}

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { status, retry_after, body: None }
}

#[tokio::test]
async fn e9_the_region_is_policy_and_never_the_clients() {
    let (Two { system, second, _stop }, key) = held_to_eu().await;
    budget(&system, 10.0).await;
    assert_eq!(system.chat(&key, SMALL).await.status, 200);
    assert_eq!((system.simulator.calls(), second.calls()), (0, 1));
    assert_eq!(second.ledger()[0].bearer.as_deref(), Some(SECOND_KEY), "each server gets its own key");
    assert_eq!(spent(&system).await, billed(&second) * 11 / 10, "regions cost a tenth more");
    for field in ["region", "server", "upstream"] {
        let mut body = chat(SMALL);
        body[field] = json!("us");
        assert_eq!(system.post(&key, "/v1/chat/completions", &body).await.status, 422, "{field}");
    }
    let mut call = request("POST", "/v1/chat/completions", &key, Some(chat(SMALL).to_string().as_bytes()));
    call.headers_mut().insert("x-region", "us".parse().unwrap());
    assert_eq!(open(system.address, call).await.status(), 200);
    assert_eq!((system.simulator.calls(), second.calls()), (0, 2));
}

#[tokio::test]
async fn e9_a_region_that_fails_or_is_missing_never_falls_back_to_the_world() {
    let (Two { system, second, _stop }, key) = held_to_eu().await;
    second.script(status(503, None));
    assert_eq!(system.chat(&key, SMALL).await.status, 503);
    system.deed("PATCH", ORGANIZATION, json!({"limits": {"region": "us"}})).await;
    let key = system.key(json!({})).await.0;
    budget(&system, 10.0).await;
    assert_eq!(system.chat(&key, SMALL).await.verdict(), (502, "upstream_error".into()));
    assert_eq!(spent(&system).await, 0);
    assert_eq!((system.simulator.calls(), second.calls()), (0, 1));
}

#[tokio::test]
async fn e9_what_a_region_does_not_have_is_refused_there() {
    let (Two { system, second, _stop }, key) = held_to_eu().await;
    let refused = (403, "region_not_available".to_owned());
    assert_eq!(system.get(&key, "/v1/files").await.verdict(), refused);
    assert_eq!(system.post(&key, "/v1/batch/jobs", &json!({})).await.verdict(), refused);
    assert_eq!(system.get(&key, "/v1/models").await.status, 200);
    assert_eq!((system.simulator.calls(), second.calls()), (0, 0));
}

#[tokio::test]
async fn a_named_server_serves_its_own_models_with_its_own_credentials() {
    let Two { system, second, _stop } = two("lab", ServerKind::Compatible, None, None).await;
    let model = json!({"id": "lab-model-1", "family": "lab", "name": "Lab", "context": 8000, "status": "active",
        "endpoints": ["chat.completions"], "upstream": "lab", "deprecation": null, "replacement": null,
        "prices": [{"effective_from": "2025-01-01T00:00:00Z", "input_usd_per_mtok": 1,
            "cached_input_usd_per_mtok": 1, "output_usd_per_mtok": 2}]});
    let small = json!({"id": "mistral-small-2603", "aliases": [SMALL], "family": "mistral-small", "name": "Small",
        "context": 8000, "status": "active", "endpoints": ["chat.completions"], "deprecation": null,
        "replacement": null, "upstream": null, "prices": []});
    let mut bad = model.clone();
    bad["upstream"] = json!("nowhere");
    let catalogue = json!({"models": [small, bad]});
    assert_eq!(system.admin("PUT", "/v1/gateway/models", Some(catalogue)).await.status, 422);
    system.deed("PUT", "/v1/gateway/models?force=true", json!({"models": [small, model]})).await;
    let key = system.key(json!({})).await.0;
    assert_eq!(system.chat(&key, SMALL).await.status, 200);
    assert_eq!((system.simulator.calls(), second.calls()), (1, 0));
    assert_eq!(system.chat(&key, "lab-model-1").await.status, 200);
    assert_eq!((system.simulator.calls(), second.calls()), (1, 1));
    let stored = |name: &str, server: Value| json!({"name": name, "key": format!("{name}-secret-key"), "server": server});
    let unknown = system.admin("POST", "/v1/gateway/upstreams", Some(stored("x", json!("nowhere")))).await;
    assert_eq!(unknown.status, 422);
    system.deed("POST", "/v1/gateway/upstreams", stored("global", json!(null))).await;
    let made = system.deed("POST", "/v1/gateway/upstreams", stored("lab", json!("lab"))).await;
    assert_eq!(made["server"], "lab");
    for (model, simulator, bearer) in
        [(SMALL, &system.simulator, "global-secret-key"), ("lab-model-1", &second, "lab-secret-key")]
    {
        assert_eq!(system.chat(&key, model).await.status, 200);
        assert_eq!(simulator.ledger().last().unwrap().bearer.as_deref(), Some(bearer), "{model}");
    }
}

#[tokio::test]
async fn a_server_may_want_no_key() {
    let simulator = Simulator::new(louver::example::simulated(2).unwrap());
    let (address, _stop) = serve_simulator(&simulator).await;
    let server = Server {
        name: "eu".into(),
        url: format!("http://{address}"),
        kind: ServerKind::Mistral,
        region: Some(Region::Eu),
        key: None,
        keyless: true,
    };
    let system = System::with(Setup { upstreams: vec![server.clone()], ..Setup::default() }).await;
    system.deed("PATCH", ORGANIZATION, json!({"limits": {"region": "eu"}})).await;
    let key = system.key(json!({})).await.0;
    system.chat(&key, SMALL).await;
    let sent = simulator.ledger();
    assert!(sent[0].headers.iter().all(|(name, _)| name != "authorization"), "{:?}", sent[0].headers);
    let strict = Server { keyless: false, ..server };
    let system = System::with(Setup { upstreams: vec![strict], ..Setup::default() }).await;
    system.deed("PATCH", ORGANIZATION, json!({"limits": {"region": "eu"}})).await;
    let key = system.key(json!({})).await.0;
    assert_eq!(system.chat(&key, SMALL).await.verdict(), (502, "upstream_error".into()));
    assert_eq!((simulator.calls(), system.simulator.calls()), (1, 0));
}

/// Two stored credentials and so many further attempts.
async fn with_retries(change: fn(&mut Config)) -> (System, String) {
    let system = System::with(Setup { change: Some(change), ..Setup::default() }).await;
    for name in ["first", "second"] {
        let body = json!({"name": name, "key": format!("{name}-upstream-secret")});
        system.deed("POST", "/v1/gateway/upstreams", body).await;
    }
    budget(&system, 10.0).await;
    let key = system.key(json!({})).await.0;
    (system, key)
}

#[tokio::test]
async fn c8_a_conversation_is_never_sent_twice() {
    let (system, key) = with_retries(|config| config.care.retries = 2).await;
    system.simulator.script(status(503, None));
    let body = json!({"model": SMALL, "inputs": "Hello"});
    assert_eq!(system.post(&key, "/v1/conversations", &body).await.status, 503);
    assert_eq!(system.simulator.calls(), 1);
    assert_eq!(system.post(&key, "/v1/conversations", &body).await.status, 200);
}

#[tokio::test]
async fn c8_what_was_not_worked_on_is_tried_again_with_another_credential_and_charged_once() {
    for refusal in [429, 503] {
        let (system, key) = with_retries(|config| config.care.retries = 2).await;
        system.simulator.script(status(refusal, Some(7)));
        let answer = system.chat(&key, SMALL).await;
        assert_eq!(answer.status, 200, "{refusal}");
        let sent = system.simulator.ledger();
        assert_eq!(sent.len(), 2);
        assert_ne!(sent[0].bearer, sent[1].bearer);
        assert_eq!(spent(&system).await, billed(&system.simulator));
        let records = eventually(async || {
            let usage = system.get(&system.admin_key, "/v1/gateway/usage").await.json();
            (usage["data"][0]["requests"] == 2).then_some(usage)
        })
        .await;
        assert_eq!(records["data"][0]["errors"].as_u64().unwrap_or(1), 1, "{records}");
    }
}

#[tokio::test]
async fn c8_what_may_have_been_worked_on_is_never_sent_again() {
    for fault in
        [status(500, None), status(502, None), Fault::Hang, Fault::ResetAfter { after: 0 }, status(400, None)]
    {
        let (system, key) = with_retries(|config| {
            config.care.retries = 2;
            config.timeouts.first_byte = std::time::Duration::from_millis(300);
        })
        .await;
        system.simulator.script(Rule::new(fault.clone()).times(5));
        let mut body = chat(SMALL);
        body["stream"] = json!(true);
        let call = request("POST", "/v1/chat/completions", &key, Some(body.to_string().as_bytes()));
        drop(open(system.address, call).await);
        assert_eq!(system.simulator.calls(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn c8_attempts_are_off_unless_set_and_end_with_what_upstream_said() {
    let (system, key) = with_retries(|_| ()).await;
    system.simulator.script(status(429, Some(7)));
    assert_eq!(system.chat(&key, SMALL).await.status, 429);
    assert_eq!(system.simulator.calls(), 1);
    let (system, key) = with_retries(|config| config.care.retries = 5).await;
    system.simulator.script(Rule::new(status(429, Some(7))).times(9));
    let answer = system.chat(&key, SMALL).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("7")));
    assert_eq!(system.simulator.calls(), 2, "no credential that was asked to pause is used again");
    assert_eq!(spent(&system).await, 0);
}

#[tokio::test]
async fn c8_each_attempt_needs_its_own_reservation() {
    let (system, key) = with_retries(|config| config.care.retries = 2).await;
    let path = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    system.deed("PATCH", &path, json!({"requests_per_minute": 1})).await;
    system.simulator.script(status(503, None));
    assert_eq!(system.chat(&key, SMALL).await.status, 503, "upstream's word stands, not that of the limit");
    assert_eq!(system.simulator.calls(), 1);
}

#[tokio::test]
async fn a_stand_in_answers_when_it_is_allowed_itself_and_says_so() {
    let system = System::start().await;
    let limits = json!({
        "fallback_models": ["codestral-embed-2505", "mistral-large-latest", "ministral-3b-latest"],
        "allowed_models": ["mistral-small", "codestral*", "ministral-*"],
    });
    system.deed("PATCH", ORGANIZATION, json!({"limits": limits})).await;
    budget(&system, 10.0).await;
    let key = system.key(json!({})).await.0;
    system.simulator.script(status(503, None));
    let answer = system.chat(&key, SMALL).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stood_in = answer.header("x-louver-model").unwrap().to_owned();
    assert!(
        stood_in.starts_with("ministral-3b-"),
        "{stood_in}: large is not allowed, and embeds do not chat"
    );
    assert_eq!(answer.json()["model"], json!(stood_in));
    assert_eq!(system.simulator.calls(), 2, "who is not allowed is not asked");
    let answer = system.chat(&key, SMALL).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-louver-model")), (200, None));
    system.simulator.script(status(500, None));
    assert_eq!(system.chat(&key, SMALL).await.status, 500, "it may have been worked on");
    let refused = system.chat(&key, "mistral-large-latest").await;
    assert_eq!(refused.status, 403, "a model that is not allowed has no stand-in");
    system.simulator.script(Rule::new(status(503, None)).times(2));
    let answer = system.chat(&key, SMALL).await;
    assert_eq!(answer.status, 503, "all that may answer were asked");
}

#[tokio::test]
async fn an_open_circuit_sends_nothing_until_a_trial_goes_well() {
    let system = System::with(Setup {
        change: Some(|config| {
            config.care.health.failures = 3;
            config.care.health.rest_micros = 5_000_000;
        }),
        ..Setup::default()
    })
    .await;
    let body = json!({"name": "only", "key": "only-upstream-secret"});
    system.deed("POST", "/v1/gateway/upstreams", body).await;
    let key = system.key(json!({})).await.0;
    let shown =
        async || system.get(&system.admin_key, "/v1/gateway/upstreams").await.json()["data"][0].clone();
    assert_eq!((&shown().await["state"], &shown().await["in_flight"]), (&json!("closed"), &json!(0)));
    system.simulator.script(Rule::new(status(500, None)).times(4));
    for _ in 0..3 {
        assert_eq!(system.chat(&key, SMALL).await.status, 500);
    }
    let answer = system.chat(&key, SMALL).await;
    assert_eq!(answer.verdict(), (503, "upstream_error".into()));
    assert!((1..=60).contains(&answer.header("retry-after").unwrap().parse::<u64>().unwrap()));
    assert_eq!(system.simulator.calls(), 3, "nothing was sent");
    let open = shown().await;
    assert_eq!(open["state"], "open");
    assert!(open["resting_until"].is_string() && open["last_error_at"].is_string(), "{open}");
    system.clock.advance(11);
    assert_eq!(system.chat(&key, SMALL).await.status, 500, "the trial goes out, and fails");
    assert_eq!(system.chat(&key, SMALL).await.status, 503);
    assert_eq!(system.simulator.calls(), 4);
    system.clock.advance(61);
    assert_eq!(system.chat(&key, SMALL).await.status, 200);
    assert_eq!(shown().await["state"], "closed");
}

#[tokio::test]
async fn f1_our_key_is_taken_out_of_what_upstream_says() {
    let system = System::start().await;
    let key = system.key(json!({})).await.0;
    for (code, text) in [
        (400, format!("bad key {UPSTREAM_KEY}!")),
        (500, format!("Bearer {UPSTREAM_KEY}")),
        (403, UPSTREAM_KEY.into()),
    ] {
        let body = json!({"message": text, "detail": [{"input": format!("x{UPSTREAM_KEY}{UPSTREAM_KEY}")}]});
        system.simulator.script(Fault::Status { status: code, retry_after: None, body: Some(body) });
        let answer = system.chat(&key, SMALL).await;
        assert_eq!(answer.status.as_u16(), code);
        assert!(!answer.text().contains(UPSTREAM_KEY), "{}", answer.text());
        assert!(answer.json()["message"].as_str().unwrap().contains("[redacted]"));
    }
}

#[tokio::test]
async fn d11_a_redirect_of_any_server_is_never_followed_with_its_key() {
    let (Two { system, second, _stop }, key) = held_to_eu().await;
    let (address, _stop_again) = serve_simulator(&system.simulator).await;
    second.script(Fault::Redirect { location: Some(format!("http://{address}/v1/chat/completions")) });
    assert_eq!(system.chat(&key, SMALL).await.verdict(), (502, "upstream_error".into()));
    assert_eq!((system.simulator.calls(), second.calls()), (0, 1));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_tried_again_and_charges_nothing() {
    let setup = Setup {
        change: Some(|config| {
            config.upstream_url = NOWHERE.into();
            config.care.retries = 3;
        }),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    budget(&system, 10.0).await;
    let key = system.key(json!({})).await.0;
    assert_eq!(system.chat(&key, SMALL).await.verdict(), (502, "upstream_error".into()));
    assert_eq!(spent(&system).await, 0);
    let requests = eventually(async || {
        let usage = system.get(&system.admin_key, "/v1/gateway/usage").await.json();
        (usage["data"][0]["requests"] == 4).then_some(())
    });
    requests.await;
}
