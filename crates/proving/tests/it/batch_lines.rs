//! The lines of batches: read as calls of their own, sent as they were read, and billed as the simulator bills them.

use crate::batches::{create, held, same, settled, spent, text, upload, uploaded};
use louver_domain::id::WorkspaceId;
use louver_domain::objects::ObjectKind;
use louver_domain::prices::{Prices, Terms};
use louver_domain::time::Clock;
use louver_domain::usage::{Tokens, Units};
use louver_proving::client::{Answer, request, send};
use louver_proving::form::Form;
use louver_proving::system::System;
use louver_store::ledger::verify::verify;
use louver_store::objects::{self, Shelf};
use serde_json::{Value, json};

const MODEL: &str = "mistral-small-latest";
const JOBS: &str = "/v1/batch/jobs";
const CHAT: &str = "/v1/chat/completions";
const OCR: &str = "/v1/ocr";

fn line(id: &str, body: Value) -> Value {
    json!({"custom_id": id, "body": body})
}

fn chat(id: &str, more: Value) -> Value {
    let mut body = json!({"model": MODEL, "max_tokens": 30, "messages": [{"role": "user", "content": "Say hello"}],
        "metadata": {"simulator": {"tokens": 20, "account": id}}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    line(id, body)
}

fn ocr(id: &str, document: Value, more: Value) -> Value {
    let mut body = json!({"model": "mistral-ocr-latest", "document": document});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    line(id, body)
}

fn pages(count: u64) -> Value {
    json!({"type": "document_url", "document_url": format!("https://example.com/a.pdf?pages={count}")})
}

fn job(endpoint: &str, lines: &[Value]) -> Value {
    json!({"endpoint": endpoint, "requests": lines})
}

/// What the simulator's books of batches come to at the prices of the price list and half of them, in dollars; each
/// account has one line.
fn billed(system: &System) -> f64 {
    let list = louver_store::models::builtin().unwrap();
    let books = system.simulator.books();
    let nanos: i64 = books
        .iter()
        .filter(|(account, _)| account.batch)
        .map(|(account, totals)| {
            let model = list.models.iter().find(|it| Some(it.model.id.as_str()) == account.model.as_deref());
            let worked = totals.worked;
            let tokens = Tokens { input: worked.input(), cached: worked.cached, output: worked.completion };
            let units = Units {
                pages: worked.pages,
                annotated_pages: worked.annotated_pages,
                audio_seconds: worked.audio_seconds,
                characters: worked.characters,
                tool_calls: 0,
            };
            let terms = Terms { priority: worked.priority, batch: true, regional: false };
            let prices = Prices::new(model.unwrap().prices.clone());
            prices.at(system.clock.now()).unwrap().1.cost(tokens, &units, terms).nanos()
        })
        .sum();
    nanos as f64 / 1e9
}

#[tokio::test]
async fn c15_every_kind_of_line_is_charged_as_the_simulator_bills_it() {
    let annotation = json!({"bbox_annotation_format": {"type": "json_object"}});
    let embedding = |id: &str| line(id, json!({"model": "mistral-embed", "input": ["a", "bc"]}));
    let jobs = [
        job(OCR, &[ocr("1", pages(7), json!({})), ocr("2", pages(9), json!({"pages": "0,2-4"}))]),
        job(OCR, &[ocr("1", pages(3), annotation)]),
        job("/v1/embeddings", &[embedding("1"), embedding("2")]),
        job("/v1/moderations", &[line("1", json!({"model": "mistral-moderation-2411", "input": "x"}))]),
        job(
            "/v1/chat/moderations",
            &[line(
                "1",
                json!({"model": "mistral-moderation-2603", "input": [{"role": "user", "content": "x"}]}),
            )],
        ),
        job(
            "/v1/fim/completions",
            &[line("1", json!({"model": "codestral-latest", "prompt": "fn", "max_tokens": 9}))],
        ),
        job(CHAT, &[chat("1", json!({})), chat("2", json!({"n": 3, "prompt_cache_key": "k"}))]),
        job(CHAT, &[chat("3", json!({"service_tier": "auto"})), chat("4", json!({}))]),
    ];
    for body in jobs {
        let (system, key, _) = held(json!({"monthly_budget_usd": 1000})).await;
        let allowed = json!({"limits": {"allowed_service_tiers": ["priority"]}});
        system.deed("PATCH", "/v1/gateway/organization", allowed).await;
        create(&system, &key, &body).await;
        let ahead = spent(&system).await;
        system.simulator.run_batches();
        settled(&system).await;
        let now = spent(&system).await;
        same(now, billed(&system));
        let free = body.to_string().contains("2603\"") && body["endpoint"] == "/v1/chat/moderations";
        assert!(free || now > 0.0, "{body}");
        assert!(now <= ahead, "{body}: {ahead} {now}");
        assert_eq!(verify(&system.store).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a8_guardrails_of_lines_are_checked_and_paid_for() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 1000})).await;
    let guarded = |id: &str, model: &str| {
        chat(id, json!({"guardrails": [{"moderation_llm_v1": {"model_name": model}}]}))
    };
    let (small, _) = system.key(json!({"allowed_models": ["mistral-small"]})).await;
    let lines = [guarded("1", "mistral-moderation-2411"), guarded("2", "mistral-moderation-2411")];
    assert_eq!(
        system.post(&small, JOBS, &job(CHAT, &lines)).await.verdict(),
        (403, "model_not_allowed".into())
    );
    let unknown = [guarded("1", "nope")];
    let refused = system.post(&key, JOBS, &job(CHAT, &unknown)).await;
    assert_eq!(refused.verdict(), (403, "model_not_allowed".into()));
    let mixed = system.post(&key, JOBS, &job(CHAT, &[lines[0].clone(), chat("3", json!({}))])).await;
    assert_eq!(mixed.verdict(), (422, "invalid_request".into()), "no line of an output says what guarded it");
    assert_eq!(system.simulator.batches().len(), 0);
    create(&system, &key, &job(CHAT, &lines)).await;
    system.simulator.run_batches();
    settled(&system).await;
    let read: u64 = system.simulator.books().values().map(|totals| totals.worked.input()).sum();
    assert!(read > 0);
    // A tenth of a dollar for a million tokens.
    same(spent(&system).await, billed(&system) + (read * 100) as f64 / 1e9);
    assert_eq!(verify(&system.store).await.unwrap(), []);
}

#[tokio::test]
async fn c15_what_documents_could_cost_is_set_aside() {
    // 2 dollars pay for 1000 pages at half the price of 4 dollars a thousand.
    for (lines, passes) in [
        (vec![ocr("1", pages(1), json!({}))], false),
        (
            vec![ocr("1", pages(1), json!({"pages": "0-600"})), ocr("2", pages(1), json!({"pages": [1]}))],
            true,
        ),
        (vec![ocr("1", pages(1), json!({"pages": "0-600"})), ocr("2", pages(1), json!({}))], false),
    ] {
        let (system, key, _) = held(json!({"monthly_budget_usd": 2})).await;
        let answer = system.post(&key, JOBS, &job(OCR, &lines)).await;
        let verdict = if passes { (200, String::new()) } else { (429, "budget_exhausted".to_owned()) };
        assert_eq!(answer.status.as_u16(), verdict.0, "{}", answer.text());
        assert_eq!(system.simulator.batches().len(), usize::from(passes));
    }
    // A document in a chat can fill the context of the model: 262,144 tokens at 75 nano-dollars.
    let (system, key, _) = held(json!({"monthly_budget_usd": 1})).await;
    let content = json!([{"type": "document_url", "document_url": "https://example.com/a.pdf"}]);
    let messages = json!({"messages": [{"role": "user", "content": content}]});
    create(&system, &key, &job(CHAT, &[chat("1", messages)])).await;
    let ahead = spent(&system).await;
    assert!(ahead >= 262_144.0 * 75.0 / 1e9, "{ahead}");
}

#[tokio::test]
async fn b5_what_was_read_of_a_file_is_what_is_sent() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 10})).await;
    let given = "{\"custom_id\": \"1\", \"body\": {\"model\": \"mistral-small-latest\", \"max_tokens\": 5, \
                 \"messages\": [{\"role\": \"user\", \"content\": \"h\u{e9}\"}], \"prompt_cache_key\": \"mine\"}}\r\n";
    // As long as needs several pieces of a spool, and its lines over their edges.
    let long = chat("2", json!({"messages": [{"role": "user", "content": "a ".repeat(200_000)}]}));
    let id = upload(&system, &key, &format!("{given}{long}\n")).await;
    let sent = String::from_utf8(system.simulator.file_content(&id).unwrap()).unwrap();
    let lines: Vec<&str> = sent.lines().collect();
    let pinned = "\"mistral-small-2603\",\"service_tier\":\"standard_only\"";
    let (head, tail) = lines[0].split_once("\"prompt_cache_key\": \"").unwrap();
    assert_eq!(
        head,
        given.split("\"prompt_cache_key").next().unwrap().replace("\"mistral-small-latest\"", pinned)
    );
    assert_eq!((tail.len(), tail.ends_with("\"}}")), (64 + 3, true), "{tail}");
    assert_eq!(lines[1], long.to_string().replace("\"mistral-small-latest\"", pinned));
    assert_eq!(lines.len(), 2);
    let known = known(&system, &id).await;
    assert_eq!((&known["bytes"], &known["content"]["lines"]), (&json!(sent.len()), &json!(2)));
    // The same bytes, as a file in which nobody looks for requests.
    let form = Form::default().field("purpose", "ocr").file("a.jsonl", sent.as_bytes());
    let plain = send(system.address, form.request("/v1/files", &key)).await.json();
    let plain = self::known(&system, plain["id"].as_str().unwrap()).await;
    assert_eq!((&plain["sha256"], &plain["content"]), (&known["sha256"], &Value::Null));
    assert_eq!(known["sha256"].as_str().map(str::len), Some(64));
    create(&system, &key, &json!({"endpoint": CHAT, "input_files": [id]})).await;
}

/// What the registry knows of a file.
async fn known(system: &System, id: &str) -> Value {
    let rules = louver_store::snapshot::load(&system.store).await.unwrap();
    let place = Shelf {
        organization_id: rules.organizations[0].id,
        workspace_id: WorkspaceId::parse(&system.workspace).unwrap(),
        kind: ObjectKind::File,
        parent: "",
    };
    let file = objects::find(&system.store, place, id).await.unwrap().unwrap();
    serde_json::from_str(&file.attributes).unwrap()
}

#[tokio::test]
async fn b5_a_file_with_one_bad_line_is_not_taken_in() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 10})).await;
    let (good, calls) = (chat("1", json!({})).to_string(), system.simulator.calls());
    let told = |answer: &Answer| (answer.status.as_u16(), answer.text().contains('3'));
    for third in [
        good.replace("\"model\"", "\"model\":\"mistral-large-2512\",\"model\""),
        good.replace("\"body\"", "\"\\u0062ody\":{},\"body\""),
        chat("3", json!({"models": ["mistral-large-2512"]})).to_string(),
        chat("3", json!({"max_tokens": "5"})).to_string(),
        chat("3", json!({"stream": true})).to_string(),
        chat("3", json!({"n": 1.0})).to_string(),
        chat("3", json!({"model": null})).to_string(),
        chat("3", json!({"model": ""})).to_string(),
        line("3", json!({"agent_id": "ag-1", "messages": []})).to_string(),
        line("3", json!({"inputs": "x", "model": MODEL})).to_string(),
        format!("\u{feff}{good}"),
        format!("{good} {good}"),
        good.clone(),
        "[]".into(),
        String::new(),
        "x".into(),
    ] {
        let second = chat("2", json!({}));
        let answer = uploaded(&system, &key, &format!("{good}\n{second}\n{third}\n")).await;
        assert_eq!(told(&answer), (422, true), "{third}: {}", answer.text());
        let inline = format!("{{\"endpoint\":\"{CHAT}\",\"requests\":[{good},{second},{third}]}}");
        let call = request("POST", JOBS, &key, Some(inline.as_bytes()));
        let answer = send(system.address, call).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{third}: {}", answer.text());
    }
    for model in ["nope", "Mistral-Small-2603", " mistral-small-2603", "mistral-small-2603\u{0}"] {
        let third = chat("3", json!({"model": model}));
        let answer = uploaded(&system, &key, &format!("{good}\n{}\n{third}\n", chat("2", json!({})))).await;
        assert_eq!(told(&answer), (403, true), "{model}: {}", answer.text());
    }
    let empty = uploaded(&system, &key, "").await;
    assert_eq!(empty.status, 422, "{}", empty.text());
    assert_eq!(system.simulator.calls(), calls, "nothing was sent");
    assert_eq!(system.get(&key, "/v1/files").await.json()["total"], 0);
    assert_eq!(spent(&system).await, 0.0);
}

#[tokio::test]
async fn b15_what_a_line_names_must_be_the_workspaces_own() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 1000})).await;
    let allowed = json!({"limits": {"allowed_tools": ["document_library", "connector"]}});
    system.deed("PATCH", "/v1/gateway/organization", allowed).await;
    let people = json!([{"email": "b@example.com", "first_name": "B", "last_name": "B"}]);
    let made = system.deed("POST", "/v1/admin/users", people).await;
    let body = json!({"name": "other", "admin_user_id": made["email_to_user_id"]["b@example.com"]});
    let other = system.deed("POST", "/v1/admin/workspaces", body).await;
    let (theirs, _) = system.key(json!({"workspace_id": other["uuid"]})).await;
    let foreign = upload(&system, &theirs, &text(&[chat("1", json!({}))])).await;
    let own = upload(&system, &key, &text(&[chat("1", json!({}))])).await;
    let read = |file: &str| ocr("1", json!({"type": "file", "file_id": file}), json!({}));
    let chunk = |file: &str| {
        let content = json!([{"type": "file", "file_id": file}]);
        chat("1", json!({"messages": [{"role": "user", "content": content}]}))
    };
    let unknown = "0198c0de-0000-7000-8000-000000000000";
    let absent = system.post(&key, JOBS, &job(OCR, &[read(unknown)])).await.verdict();
    assert_eq!(absent, (404, "not_found".to_owned()));
    for (endpoint, lines) in [(OCR, read(&foreign)), (CHAT, chunk(unknown)), (CHAT, chunk(&foreign))] {
        assert_eq!(
            system.post(&key, JOBS, &job(endpoint, std::slice::from_ref(&lines))).await.verdict(),
            absent,
            "{lines}"
        );
        // In a file, too, when a job names it.
        let file = upload(&system, &key, &text(&[lines])).await;
        let body = json!({"endpoint": endpoint, "input_files": [file]});
        assert_eq!(system.post(&key, JOBS, &body).await.verdict(), absent, "{endpoint}");
    }
    assert_eq!((system.simulator.batches().len(), spent(&system).await), (0, 0.0));
    create(&system, &key, &job(OCR, &[read(&own)])).await;
    for tool in [
        json!({"type": "document_library", "library_ids": [unknown]}),
        json!({"type": "connector", "connector_id": unknown}),
    ] {
        let refused = system.post(&key, JOBS, &job(CHAT, &[chat("1", json!({"tools": [tool]}))])).await;
        assert!([403, 404].contains(&refused.status.as_u16()), "{}", refused.text());
    }
    assert_eq!(system.simulator.batches().len(), 1);
}

#[tokio::test]
async fn b13_a_line_does_not_lead_to_louver_itself() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 1000})).await;
    let calls = system.simulator.calls();
    let own = json!({"document_url": format!("https://{}/v1/files/x/content", system.address)});
    let refusal = (422, "invalid_request".to_owned());
    let lines = [ocr("1", pages(1), json!({})), ocr("2", own, json!({}))];
    assert_eq!(system.post(&key, JOBS, &job(OCR, &lines)).await.verdict(), refusal);
    assert_eq!(uploaded(&system, &key, &text(&lines)).await.verdict(), refusal);
    for url in ["http://example.com/a.pdf", "file:///etc/passwd", "https://u@example.com/"] {
        let lines = [ocr("1", json!({"document_url": url}), json!({}))];
        assert_eq!(system.post(&key, JOBS, &job(OCR, &lines)).await.verdict(), refusal, "{url}");
        assert_eq!(uploaded(&system, &key, &text(&lines)).await.verdict(), refusal, "{url}");
    }
    assert_eq!(system.simulator.calls(), calls);
    assert_eq!(spent(&system).await, 0.0);
}

#[tokio::test]
async fn e8_a_batch_is_followed_with_the_credential_it_was_made_with() {
    let (system, key, _) = held(json!({"monthly_budget_usd": 1000})).await;
    let own = |name: &str| json!({"name": name, "key": format!("upstream-key-{name}"), "workspace_id": system.workspace});
    system.deed("POST", "/v1/gateway/upstreams", own("first")).await;
    let file = upload(&system, &key, &text(&[chat("1", json!({})), chat("2", json!({}))])).await;
    create(&system, &key, &json!({"endpoint": CHAT, "input_files": [file]})).await;
    // One more, which upstream knows nothing of the job by.
    system.deed("POST", "/v1/gateway/upstreams", own("second")).await;
    system.simulator.run_batches();
    settled(&system).await;
    same(spent(&system).await, billed(&system));
    assert!(spent(&system).await > 0.0);
    let books = system.simulator.books();
    assert!(books.keys().all(|it| it.bearer.as_deref() == Some("upstream-key-first")), "{books:?}");
    let job = system.get(&key, JOBS).await.json()["data"][0].clone();
    assert_eq!(job["status"], "SUCCESS", "{job}");
    let output = format!("/v1/files/{}/content", job["output_file"].as_str().unwrap());
    assert_eq!(system.get(&key, &output).await.text().lines().count(), 2);
}
