//! Batch jobs: judged by line, charged ahead at their worst, settled by what they used, whoever asks and whatever dies.

use louver_domain::id::{ObjectId, OrganizationId, WorkspaceId};
use louver_domain::objects::ObjectKind;
use louver_domain::time::{Clock, Timestamp};
use louver_proving::client::{Answer, request, send};
use louver_proving::form::Form;
use louver_proving::system::{Setup, System, UPSTREAM_KEY, eventually};
use louver_simulator::{BatchFault, Fault};
use louver_store::ledger::verify::verify;
use louver_store::objects::{self, Shelf};
use louver_store::snapshot;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const MODEL: &str = "mistral-small-latest";
const DEAR: &str = "mistral-medium-latest";
const PATH: &str = "/v1/batch/jobs";

/// A system whose batches run when the test says so, and a key of a workspace with a budget.
pub(crate) async fn held(limits: Value) -> (System, String, String) {
    start(limits, false, None).await
}

async fn start(
    limits: Value,
    postgres: bool,
    change: Option<fn(&mut louver::config::Config)>,
) -> (System, String, String) {
    let change = change.unwrap_or(|config| config.batch_poll = Duration::from_millis(20));
    let upstream = |config: &mut louver_simulator::Config| {
        config.hold_batches = true;
        config.books = true;
        config.now = Arc::new(|| Timestamp::parse("2026-11-21T10:00:00Z").unwrap().seconds());
    };
    let system =
        System::with(Setup { postgres, change: Some(change), upstream: Some(upstream), ..Setup::default() })
            .await;
    system.deed("PATCH", &format!("/v1/gateway/workspaces/{}/limits", system.workspace), limits).await;
    let (key, id) = system.key(json!({})).await;
    (system, key, id)
}

fn line(id: usize, model: &str, simulator: Value) -> Value {
    json!({"custom_id": id.to_string(), "body": {"model": model, "max_tokens": 50,
        "messages": [{"role": "user", "content": format!("Say {id}")}], "metadata": {"simulator": simulator}}})
}

fn lines(count: usize) -> Vec<Value> {
    (0..count).map(|id| line(id, MODEL, json!({"tokens": 20}))).collect()
}

fn inline(requests: Vec<Value>) -> Value {
    json!({"endpoint": "/v1/chat/completions", "model": MODEL, "requests": requests})
}

pub(crate) async fn create(system: &System, key: &str, body: &Value) -> Value {
    let answer = system.post(key, PATH, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The workspace's budget: dollars spent, when nothing is reserved.
pub(crate) async fn spent(system: &System) -> f64 {
    eventually(async || {
        let budgets = system.get(&system.admin_key, "/v1/gateway/budgets").await.json();
        let budget = &budgets["data"][0];
        (budget["reserved"] == 0).then(|| budget["spent"].as_f64().unwrap())
    })
    .await
}

/// Time goes on until all batches are settled.
pub(crate) async fn settled(system: &System) {
    eventually(async || {
        system.clock.advance(5);
        pending(system).await.is_empty().then_some(())
    })
    .await;
}

/// Jobs that are not settled.
async fn pending(system: &System) -> Vec<ObjectId> {
    let jobs = objects::unsettled(&system.store, ObjectKind::BatchJob).await.unwrap();
    jobs.into_iter().map(|object| object.id).collect()
}

/// In dollars what the simulator would bill for all lines that ran in batches.
fn billed(system: &System) -> f64 {
    let books = system.simulator.books();
    let nanos: u64 = books
        .iter()
        .filter(|(account, _)| account.batch)
        .map(|(account, totals)| {
            let dear = account.model.as_deref().is_some_and(|model| model.starts_with("mistral-medium"));
            let (input, output) = if dear { (DEAR_INPUT, DEAR_OUTPUT) } else { (150, 600) };
            assert_eq!(totals.worked.cached, 0);
            (totals.worked.input() * input + totals.worked.completion * output) / 2
        })
        .sum();
    nanos as f64 / 1e9
}

const DEAR_INPUT: u64 = 1_500;
const DEAR_OUTPUT: u64 = 7_500;

pub(crate) fn same(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-12, "{one} {other}");
}

async fn ids(system: &System) -> (OrganizationId, WorkspaceId) {
    let rules = snapshot::load(&system.store).await.unwrap();
    (rules.organizations[0].id, WorkspaceId::parse(&system.workspace).unwrap())
}

fn upstream(system: &System) -> SocketAddr {
    system.config.upstream_url.trim_start_matches("http://").parse().unwrap()
}

/// Uploads a file of requests.
pub(crate) async fn uploaded(system: &System, key: &str, text: &str) -> Answer {
    let form = Form::default().field("purpose", "batch").file("a.jsonl", text.as_bytes());
    send(system.address, form.request("/v1/files", key)).await
}

/// Uploads a file of requests that is sound, and answers its id.
pub(crate) async fn upload(system: &System, key: &str, text: &str) -> String {
    let file = uploaded(system, key, text).await;
    assert_eq!(file.status, 200, "{}", file.text());
    file.json()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn a_batch_is_charged_ahead_at_half_price_and_settled_though_nobody_downloads() {
    for postgres in [false, true] {
        let (system, key, _) = start(json!({"monthly_budget_usd": 100}), postgres, None).await;
        let job = create(&system, &key, &inline(lines(30))).await;
        assert_eq!((&job["status"], &job["metadata"]), (&json!("QUEUED"), &Value::Null));
        let ahead = spent(&system).await;
        // Thirty answers of fifty tokens at half of 600 nano-dollars, and what they read.
        assert!((30.0 * 50.0 * 300.0 / 1e9..0.005).contains(&ahead), "{ahead}");
        system.simulator.run_batches();
        settled(&system).await;
        let spent = spent(&system).await;
        same(spent, billed(&system));
        assert!(spent > 0.0 && spent < ahead);
        assert_eq!(verify(&system.store).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_batch_of_a_file_gives_its_output_to_its_workspace_alone() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
    let file = upload(&system, &key, &text(&lines(25))).await;
    let job =
        create(&system, &key, &json!({"endpoint": "/v1/chat/completions", "input_files": [file]})).await;
    system.simulator.run_batches();
    let path = format!("{PATH}/{}", job["id"].as_str().unwrap());
    let done = system.get(&key, &path).await.json();
    assert_eq!(done["status"], "SUCCESS", "{done}");
    let output = format!("/v1/files/{}/content", done["output_file"].as_str().unwrap());
    let got = system.get(&key, &output).await;
    assert_eq!((got.status.as_u16(), got.text().lines().count()), (200, 25));
    // Pinned, and nothing of upstream's own in what is shown.
    assert!(system.simulator.file_content(&file).unwrap().windows(18).any(|w| w == b"mistral-small-2603"));
    let listed = system.get(&key, &format!("{PATH}?status=SUCCESS&page_size=10")).await.json();
    assert_eq!((listed["total"].as_u64(), listed["data"].as_array().map(Vec::len)), (Some(1), Some(1)));
    let inline = system.get(&key, &format!("{path}?inline=true")).await.json();
    assert_eq!(inline["outputs"].as_array().map(Vec::len), Some(25));
    let files = system.get(&key, "/v1/files?source=mistral").await.json();
    assert!(files["total"].as_u64() >= Some(1), "{files}");
    settled(&system).await;
    same(spent(&system).await, billed(&system));
    // Another workspace sees none of it.
    let people = json!([{"email": "b@example.com", "first_name": "B", "last_name": "B"}]);
    let made = system.deed("POST", "/v1/admin/users", people).await;
    let body = json!({"name": "other", "admin_user_id": made["email_to_user_id"]["b@example.com"]});
    let other = system.deed("POST", "/v1/admin/workspaces", body).await;
    let (foreign, _) = system.key(json!({"workspace_id": other["uuid"]})).await;
    let unknown = system.get(&foreign, &format!("{PATH}/0198c0de-0000-7000-8000-000000000000")).await;
    for path in [path.clone(), format!("{path}/cancel")] {
        let method = if path.ends_with("cancel") { "POST" } else { "GET" };
        let refused = send(system.address, request(method, &path, &foreign, None)).await;
        assert_eq!(refused.verdict(), unknown.verdict(), "{path}");
        assert_eq!(refused.status, 404);
    }
    assert_eq!(system.get(&foreign, &output).await.status, 404);
    assert_eq!(system.get(&foreign, PATH).await.json()["total"], 0);
    let body = json!({"endpoint": "/v1/chat/completions", "input_files": [file]});
    assert_eq!(system.post(&foreign, PATH, &body).await.verdict(), (404, "not_found".into()));
}

#[tokio::test]
async fn b5_every_line_is_judged_and_not_the_job_alone() {
    let (system, free, _) = held(json!({"monthly_budget_usd": 10_000})).await;
    let (key, _) = system.key(json!({"allowed_models": ["mistral-small"]})).await;
    let mut all = lines(10_000);
    all[9_998] = line(9_998, DEAR, json!({}));
    let refusal = (403, "model_not_allowed".to_owned());
    assert_eq!(system.post(&key, PATH, &inline(all.clone())).await.verdict(), refusal, "inline");
    let refused = uploaded(&system, &key, &text(&all)).await;
    assert_eq!(refused.verdict(), refusal, "not even taken in");
    assert!(refused.text().contains("Line 9999:"), "{}", refused.text());
    let dear = upload(&system, &free, &text(&all)).await;
    let good = upload(&system, &key, &text(&lines(3))).await;
    let by = |files: Value| json!({"endpoint": "/v1/chat/completions", "input_files": files});
    for files in [json!([dear]), json!([good, dear])] {
        assert_eq!(system.post(&key, PATH, &by(files)).await.verdict(), refusal);
    }
    // A model of the line and another one of the job.
    let mut apart = inline(vec![line(0, DEAR, json!({}))]);
    assert_eq!(system.post(&free, PATH, &apart).await.status, 422);
    apart["model"] = Value::Null;
    apart["requests"][0]["body"].as_object_mut().unwrap().remove("model");
    assert_eq!(system.post(&free, PATH, &apart).await.status, 422, "no model at all");
    // A file that was not read here, and one that is upstream only.
    let strange = send(upstream(&system), request("GET", "/v1/files", UPSTREAM_KEY, None)).await.json();
    assert!(strange["data"].as_array().unwrap().len() >= 2);
    for id in ["0198c0de-0000-7000-8000-000000000000", "file-1"] {
        assert_eq!(system.post(&key, PATH, &by(json!([id]))).await.verdict(), (404, "not_found".into()));
    }
    let place = {
        let (organization_id, workspace_id) = ids(&system).await;
        Shelf { organization_id, workspace_id, kind: ObjectKind::File, parent: "" }
    };
    let object = objects::find(&system.store, place, &good).await.unwrap().unwrap();
    objects::describe(&system.store, &object, "{\"shown\":{}}", system.clock.now()).await.unwrap();
    assert_eq!(system.post(&key, PATH, &by(json!([good]))).await.status, 422, "not read as a batch's");
    assert_eq!(system.simulator.batches().len(), 0);
    assert_eq!(spent(&system).await, 0.0);
}

#[tokio::test]
async fn b6_many_jobs_at_once_never_pass_a_budget() {
    let bound = {
        let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
        create(&system, &key, &inline(lines(20))).await;
        spent(&system).await
    };
    let limit = (bound * 3.5 * 1e9).round() / 1e9;
    let (system, key, _) = held(json!({"monthly_budget_usd": limit, "tokens_per_minute": 100})).await;
    let system = Arc::new(system);
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (system, key) = (Arc::clone(&system), key.clone());
            tokio::spawn(async move { system.post(&key, PATH, &inline(lines(20))).await })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        let answer: Answer = task.await.unwrap();
        match answer.status.as_u16() {
            200 => made += 1,
            429 => {
                // What others hold until upstream has taken their jobs may still come back.
                let kind = answer.json()["type"].clone();
                assert!(["budget_exhausted", "budget_reserved"].contains(&kind.as_str().unwrap()), "{kind}");
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert_eq!((made, system.simulator.batches().len()), (3, 3));
    let ahead = spent(&system).await;
    assert!(ahead <= limit, "{ahead} {limit}");
    system.simulator.run_batches();
    settled(&system).await;
    same(spent(&system).await, billed(&system));
    // What came back can be used again.
    create(&system, &key, &inline(lines(20))).await;
    assert_eq!(verify(&system.store).await.unwrap(), []);
}

#[tokio::test]
async fn b6_the_lines_of_a_workspace_that_wait_are_limited() {
    let change = |config: &mut louver::config::Config| {
        config.batch_poll = Duration::from_millis(20);
        config.bounds.batch_lines = 25;
    };
    let (system, key, _) = start(json!({"monthly_budget_usd": 100}), false, Some(change)).await;
    create(&system, &key, &inline(lines(20))).await;
    let before = spent(&system).await;
    let refused = system.post(&key, PATH, &inline(lines(6))).await;
    assert_eq!(refused.verdict(), (429, "batch_lines_exceeded".into()));
    same(spent(&system).await, before);
    assert_eq!(system.simulator.batches().len(), 1);
    system.simulator.run_batches();
    settled(&system).await;
    create(&system, &key, &inline(lines(6))).await;
}

#[tokio::test]
async fn b7_the_endpoint_of_a_job_is_a_permission() {
    let (system, _, _) = held(json!({"monthly_budget_usd": 100})).await;
    let only = |endpoints: Value| json!({"allowed_endpoints": endpoints});
    let (chats, _) = system.key(only(json!(["chat.completions"]))).await;
    let (both, _) = system.key(only(json!(["chat.completions", "batch.jobs"]))).await;
    let refusal = (403, "endpoint_not_allowed".to_owned());
    assert_eq!(system.post(&chats, PATH, &inline(lines(1))).await.verdict(), refusal);
    let body = json!({"custom_id": "1", "body": {"model": "mistral-embed", "input": "x"}});
    let job = json!({"endpoint": "/v1/embeddings", "requests": [body]});
    assert_eq!(system.post(&both, PATH, &job).await.verdict(), refusal);
    for endpoint in ["/v1/conversations", "/v1/audio/transcriptions", "/v1/models", "/v1/batch/jobs"] {
        let mut job = inline(lines(1));
        job["endpoint"] = endpoint.into();
        assert_eq!(system.post(&both, PATH, &job).await.status, 422, "{endpoint}");
    }
    assert_eq!(system.simulator.batches().len(), 0);
    assert_eq!(spent(&system).await, 0.0);
    create(&system, &both, &inline(lines(1))).await;
}

#[tokio::test]
async fn tools_tiers_and_guardrails_in_lines_are_judged_as_in_calls() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
    let (small, _) = system.key(json!({"allowed_models": ["mistral-small"]})).await;
    for (who, field, value, kind) in [
        (&key, "service_tier", json!("auto"), "service_tier_not_allowed"),
        (&key, "tools", json!([{"type": "web_search"}]), "tool_not_allowed"),
        (
            &small,
            "guardrails",
            json!([{"moderation_llm_v2": {"model_name": "mistral-moderation-2603"}}]),
            "model_not_allowed",
        ),
    ] {
        let mut all = lines(3);
        all[2]["body"][field] = value;
        let refused = system.post(who, PATH, &inline(all)).await;
        assert_eq!(refused.verdict(), (403, kind.into()), "{field}");
    }
    assert_eq!(system.simulator.batches().len(), 0);
}

#[tokio::test]
async fn b14_lists_of_jobs_come_from_the_registry() {
    let (system, key, _) = held(json!({})).await;
    // Somebody else's, under the same credential of upstream.
    let strange = inline(lines(2)).to_string();
    send(upstream(&system), request("POST", PATH, UPSTREAM_KEY, Some(strange.as_bytes()))).await;
    let mut body = inline(lines(1));
    body["metadata"] = json!({"team": "a"});
    let first = create(&system, &key, &body).await;
    assert_eq!(first["metadata"], json!({"team": "a"}));
    system.clock.advance(60);
    let second = create(&system, &key, &inline(lines(1))).await;
    let list = async |query: &str| -> Vec<Value> {
        let answer = system.get(&key, &format!("{PATH}{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["data"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect()
    };
    assert_eq!(list("").await, [second["id"].clone(), first["id"].clone()]);
    assert_eq!(list("?page_size=1&page=1").await, [first["id"].clone()]);
    assert_eq!(list("?metadata=%7B%22team%22%3A%22a%22%7D").await, [first["id"].clone()]);
    assert_eq!(list("?created_after=2026-11-21T10%3A00%3A30Z").await, [second["id"].clone()]);
    assert_eq!(list("?status=FAILED").await, Vec::<Value>::new());
    assert_eq!(list("?created_by_me=true&model=mistral-small-2603").await.len(), 2);
    for bad in ["?page=x", "?metadata=1", "?created_after=now", "?created_by_me=1"] {
        assert_eq!(system.get(&key, &format!("{PATH}{bad}")).await.status, 422, "{bad}");
    }
    assert_eq!(system.get(&key, &format!("{PATH}?all=true")).await.status, 400);
}

#[tokio::test]
async fn whatever_becomes_of_a_batch_it_is_charged_what_ran() {
    for (fault, exact) in [
        (BatchFault::Fail, true),
        (BatchFault::FailHalf, true),
        (BatchFault::TimeOut, true),
        (BatchFault::HalfDone, true),
        (BatchFault::NoUsage, false),
        (BatchFault::NoOutput, false),
    ] {
        let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
        system.simulator.script_batch(fault);
        create(&system, &key, &inline(lines(10))).await;
        let ahead = spent(&system).await;
        system.simulator.run_batches();
        if fault == BatchFault::NoOutput {
            // Files of upstream come a little later than their jobs; a while is waited for one.
            eventually(async || {
                system.clock.advance(1);
                let known = &objects::unsettled(&system.store, ObjectKind::BatchJob).await.unwrap()[0];
                known.attributes.contains("SUCCESS").then_some(())
            })
            .await;
            same(spent(&system).await, ahead);
            system.clock.advance(3700);
        }
        settled(&system).await;
        let (spent, billed) = (spent(&system).await, billed(&system));
        match exact {
            true => same(spent, billed),
            false => assert!(spent >= billed && spent <= ahead, "{fault:?}: {billed} {spent} {ahead}"),
        }
        if fault == BatchFault::Fail {
            assert_eq!(spent, 0.0);
        }
        assert_eq!(verify(&system.store).await.unwrap(), [], "{fault:?}");
    }
}

#[tokio::test]
async fn a_cancelled_batch_is_charged_what_ran_until_then() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
    let job = create(&system, &key, &inline(lines(10))).await;
    system.simulator.run_batch_lines(4);
    let path = format!("{PATH}/{}/cancel", job["id"].as_str().unwrap());
    let cancelled = send(system.address, request("POST", &path, &key, None)).await;
    assert_eq!(cancelled.json()["status"], "CANCELLATION_REQUESTED", "{}", cancelled.text());
    system.simulator.run_batches();
    settled(&system).await;
    let spent = spent(&system).await;
    same(spent, billed(&system));
    assert!(spent > 0.0);
}

#[tokio::test]
async fn lines_that_fail_cost_nothing_and_models_may_differ() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
    let mut all = lines(6);
    all[1] = line(1, MODEL, json!({"fault": "status", "status": 500}));
    all[2] = line(2, MODEL, json!({"fault": "wrong_usage", "prompt": -1, "completion": 1, "total": 0}));
    all[4] = line(4, DEAR, json!({"tokens": 7}));
    let mut job = inline(all);
    job["model"] = Value::Null;
    create(&system, &key, &job).await;
    system.simulator.run_batches();
    settled(&system).await;
    // One line says nothing believable: it is charged at the worst of its batch.
    let (spent, billed) = (spent(&system).await, billed(&system));
    assert!(spent >= billed && spent < billed + 0.002, "{spent} {billed}");
    assert_eq!(verify(&system.store).await.unwrap(), []);
}

#[tokio::test]
async fn two_models_in_one_batch_are_billed_each_at_its_price() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
    let mut all = lines(6);
    all[4] = line(4, DEAR, json!({"tokens": 7}));
    let mut job = inline(all);
    job["model"] = Value::Null;
    create(&system, &key, &job).await;
    system.simulator.run_batches();
    settled(&system).await;
    same(spent(&system).await, billed(&system));
    assert_eq!(verify(&system.store).await.unwrap(), []);
}

#[tokio::test]
async fn f7_a_batch_is_settled_once_whoever_dies() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
    create(&system, &key, &inline(lines(10))).await;
    let [job] = pending(&system).await[..] else { panic!("one job") };
    system.simulator.run_batches();
    settled(&system).await;
    let spent_once = spent(&system).await;
    for _ in 0..3 {
        // As after a death between the adjustment and the note that the job is done.
        objects::put_back(&system.store, job, Some(system.clock.now())).await.unwrap();
        settled(&system).await;
        same(spent(&system).await, spent_once);
    }
    same(spent_once, billed(&system));
    assert_eq!(verify(&system.store).await.unwrap(), []);
}

#[tokio::test]
async fn two_nodes_settle_each_batch_once() {
    let (system, key, _) = start(json!({"monthly_budget_usd": 100}), true, None).await;
    let second = system.second_node().await;
    for _ in 0..6 {
        create(&system, &key, &inline(lines(5))).await;
    }
    system.simulator.run_batches();
    settled(&system).await;
    same(spent(&system).await, billed(&system));
    assert_eq!(verify(&system.store).await.unwrap(), []);
    second.stop().await;
}

#[tokio::test]
async fn b18_a_batch_that_nobody_saw_made_is_found_and_settled() {
    for fault in [Fault::ResetAfter { after: 0 }, Fault::Garbage] {
        let (mut system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
        system.simulator.script(fault.clone());
        let answer = system.post(&key, PATH, &inline(lines(5))).await;
        assert_eq!(answer.status, 502, "{fault:?}: {}", answer.text());
        assert_eq!(system.simulator.batches().len(), 1, "it is there all the same");
        let ahead = spent(&system).await;
        assert!(ahead > 0.0, "charged, since it may run");
        assert_eq!(system.get(&key, PATH).await.json()["total"], 0);
        let id = system.simulator.batches()[0].id.clone();
        assert_eq!(system.get(&key, &format!("{PATH}/{id}")).await.status, 404, "not its owner's yet");
        system.restart().await;
        system.clock.advance(16 * 60);
        eventually(async || {
            system.clock.advance(5);
            (system.get(&key, PATH).await.json()["total"] == 1).then_some(())
        })
        .await;
        system.simulator.run_batches();
        settled(&system).await;
        same(spent(&system).await, billed(&system));
        assert_eq!(verify(&system.store).await.unwrap(), []);
    }
}

#[tokio::test]
async fn b18_a_batch_that_upstream_never_made_gives_everything_back() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
    system.simulator.script(Fault::Status { status: 503, retry_after: None, body: None });
    assert_eq!(system.post(&key, PATH, &inline(lines(5))).await.status, 502);
    assert_eq!(system.simulator.batches().len(), 0);
    assert!(
        spent(&system).await > 0.0,
        "nobody knows what an upstream did that says no more than that it failed"
    );
    assert_eq!(pending(&system).await.len(), 1);
    system.clock.advance(16 * 60);
    settled(&system).await;
    assert_eq!(spent(&system).await, 0.0);
    assert_eq!(verify(&system.store).await.unwrap(), []);
}

#[tokio::test]
async fn what_upstream_refuses_is_never_charged() {
    for status in [400, 402, 422, 429] {
        let (system, key, _) = held(json!({"monthly_budget_usd": 100})).await;
        system.simulator.script(Fault::Status { status, retry_after: None, body: None });
        assert_eq!(system.post(&key, PATH, &inline(lines(5))).await.status, status);
        assert_eq!(spent(&system).await, 0.0, "{status}");
        assert_eq!(pending(&system).await, []);
    }
    let gone = |config: &mut louver::config::Config| config.upstream_url = "http://127.0.0.1:1".into();
    let (system, key, _) = start(json!({"monthly_budget_usd": 100}), false, Some(gone)).await;
    assert_eq!(system.post(&key, PATH, &inline(lines(5))).await.status, 502);
    assert_eq!((spent(&system).await, pending(&system).await), (0.0, vec![]));
}
