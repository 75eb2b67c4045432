//! Batch jobs run, by file and inline, and go wrong as they are told to.

use super::*;
use crate::{BatchFault, Config};

fn line(number: u64, more: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "one two"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"custom_id": number.to_string(), "body": body})
}

fn job(lines: u64) -> Value {
    let requests: Vec<_> = (0..lines).map(|number| line(number, json!({}))).collect();
    json!({"endpoint": "/v1/chat/completions", "model": "mistral-small-latest", "requests": requests})
}

async fn held() -> Served {
    serve(Config { books: true, hold_batches: true, ..config(1) }).await
}

/// The lines of a file.
fn lines(served: &Served, id: &Value) -> Vec<Value> {
    let content = served.simulator.file_content(id.as_str().unwrap()).unwrap();
    String::from_utf8(content).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is billed as of a batch.
fn billed(served: &Served) -> crate::Billed {
    let books = served.simulator.books();
    let mut all = books.into_iter().filter(|(account, _)| account.batch);
    all.next().map(|(_, totals)| totals.billed).unwrap_or_default()
}

#[tokio::test]
async fn a_job_by_file_runs_and_is_billed_as_a_batch() {
    let served = held().await;
    let text: String = [
        line(0, json!({})),
        line(1, json!({"model": "codestral-2404", "stream": true})),
        line(2, json!({"messages": "wrong"})),
        line(3, json!({"metadata": {"simulator": {"fault": "status", "status": 500}}})),
    ]
    .iter()
    .map(|line| format!("{line}\n"))
    .collect::<String>()
        + "no json\n";
    let file = served.upload("/v1/files", "in.jsonl", text.as_bytes(), &[("purpose", "batch")]).await.json();
    let body = json!({"endpoint": "/v1/chat/completions", "model": "mistral-small-latest",
        "input_files": [file["id"]], "metadata": {"team": "a"}, "timeout_hours": 2});
    let made = served.post("/v1/batch/jobs", &body).await.json();
    assert_eq!(
        (&made["object"], &made["status"], &made["total_requests"]),
        (&json!("batch"), &json!("QUEUED"), &json!(5))
    );
    let path = format!("/v1/batch/jobs/{}", made["id"].as_str().unwrap());
    assert_eq!(served.get(&path).await.json()["status"], "QUEUED");
    served.simulator.run_batches();
    let done = served.get(&path).await.json();
    assert_eq!((&done["status"], &done["completed_requests"]), (&json!("SUCCESS"), &json!(5)));
    assert_eq!((&done["succeeded_requests"], &done["failed_requests"]), (&json!(2), &json!(3)));
    let output = lines(&served, &done["output_file"]);
    assert_eq!((&output[0]["custom_id"], &output[0]["error"]), (&json!("0"), &Value::Null));
    assert_eq!(output[0]["response"]["status_code"], 200);
    assert_eq!(output[0]["response"]["body"]["model"], "mistral-small-latest");
    assert_eq!(output[1]["response"]["body"]["model"], "codestral-2404");
    let errors = lines(&served, &done["error_file"]);
    let statuses: Vec<_> =
        errors.iter().map(|line| line["response"]["status_code"].as_u64().unwrap()).collect();
    assert_eq!((statuses, &errors[1]["custom_id"]), (vec![422, 500, 400], &json!("3")));
    let books = served.simulator.books();
    let of = |model: &str| {
        books
            .iter()
            .find(|(account, _)| account.batch && account.model.as_deref() == Some(model))
            .unwrap()
            .1
            .billed
    };
    for (model, line) in [("mistral-small-latest", &output[0]), ("codestral-2404", &output[1])] {
        assert!(of(model).batch);
        assert_eq!(json!(of(model).total), line["response"]["body"]["usage"]["total_tokens"]);
    }
    let file = served.get(&format!("/v1/files/{}", done["output_file"].as_str().unwrap())).await.json();
    assert_eq!(
        (&file["sample_type"], &file["source"], &file["num_lines"]),
        (&json!("batch_result"), &json!("mistral"), &json!(2))
    );
    assert_eq!(
        served.get(&format!("{path}?inline=true")).await.json()["outputs"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_job_runs_by_itself_when_its_time_has_come() {
    let now = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(1_790_000_000));
    let clock = std::sync::Arc::clone(&now);
    let clock: crate::Clock = std::sync::Arc::new(move || clock.load(std::sync::atomic::Ordering::SeqCst));
    let served = serve(Config { batch_delay: Duration::from_secs(60), now: clock, ..config(1) }).await;
    served.post("/v1/batch/jobs", &job(3)).await;
    guarded(served.simulator.idle()).await;
    let status = async || {
        served.get("/v1/batch/jobs").await;
        guarded(served.simulator.idle()).await;
        served.simulator.batches()[0].object["status"].clone()
    };
    assert_eq!(status().await, "QUEUED");
    now.fetch_add(60, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(status().await, "SUCCESS");
    let prompt = serve(config(1)).await;
    prompt.post("/v1/batch/jobs", &job(3)).await;
    guarded(prompt.simulator.idle()).await;
    assert_eq!(prompt.simulator.batches()[0].object["status"], "SUCCESS");
}

#[tokio::test]
async fn a_job_is_cancelled_before_and_while_it_runs() {
    let served = held().await;
    let make =
        async || served.post("/v1/batch/jobs", &job(4)).await.json()["id"].as_str().unwrap().to_owned();
    let cancel = async |id: &str| served.post(&format!("/v1/batch/jobs/{id}/cancel"), &json!({})).await;
    let early = make().await;
    assert_eq!(cancel(&early).await.json()["status"], "CANCELLED");
    let late = make().await;
    served.simulator.run_batch_lines(2);
    let path = format!("/v1/batch/jobs/{late}");
    let running = served.get(&path).await.json();
    assert_eq!((&running["status"], &running["completed_requests"]), (&json!("RUNNING"), &json!(2)));
    assert_eq!(cancel(&late).await.json()["status"], "CANCELLATION_REQUESTED");
    served.simulator.run_batches();
    let over = served.get(&path).await.json();
    assert_eq!((&over["status"], &over["succeeded_requests"]), (&json!("CANCELLED"), &json!(2)));
    assert_eq!(lines(&served, &over["output_file"]).len(), 2);
    assert_eq!(cancel(&late).await.status, 409);
    let list = served.get("/v1/batch/jobs?status=CANCELLED&page_size=1").await.json();
    assert_eq!((&list["total"], list["data"].as_array().unwrap().len()), (&json!(2), 1));
    assert_eq!(served.get("/v1/batch/jobs?model=other").await.json()["total"], 0);
    assert_eq!(served.call("DELETE", &path, &json!({})).await.json()["deleted"], true);
}

#[tokio::test]
async fn scripted_faults_end_jobs_in_their_ways() {
    for (fault, status, succeeded) in [
        (BatchFault::Fail, "FAILED", 0),
        (BatchFault::FailHalf, "FAILED", 2),
        (BatchFault::TimeOut, "TIMEOUT_EXCEEDED", 2),
        (BatchFault::HalfDone, "SUCCESS", 2),
        (BatchFault::NoOutput, "SUCCESS", 4),
        (BatchFault::NoUsage, "SUCCESS", 4),
        (BatchFault::Stuck, "RUNNING", 0),
    ] {
        let served = held().await;
        served.simulator.script_batch(fault);
        served.post("/v1/batch/jobs", &job(4)).await;
        served.simulator.run_batches();
        let done = &served.simulator.batches()[0].object;
        assert_eq!(
            (&done["status"], &done["succeeded_requests"]),
            (&json!(status), &json!(succeeded)),
            "{fault:?}"
        );
        assert_eq!(billed(&served).total > 0, succeeded > 0, "{fault:?}");
        let output = done["output_file"].as_str().and_then(|id| served.simulator.file_content(id));
        assert_eq!(output.is_some(), succeeded > 0 && fault != BatchFault::NoOutput, "{fault:?}");
        if let Some(output) = output {
            let text = String::from_utf8(output).unwrap();
            assert_eq!(text.contains("\"usage\""), fault != BatchFault::NoUsage);
            assert_eq!(text.lines().count(), succeeded);
        }
    }
}

#[tokio::test]
async fn a_job_may_ask_for_its_fault_and_name_an_account() {
    let served = held().await;
    let mut body = job(2);
    body["metadata"] = json!({"simulator": r#"{"batch_fault": "no_usage", "account": "team"}"#});
    served.post("/v1/batch/jobs", &body).await;
    served.simulator.run_batches();
    let books = served.simulator.books();
    let (account, totals) = books.iter().find(|(account, _)| account.batch).unwrap();
    assert_eq!((account.name.as_deref(), totals.calls), (Some("team"), 2));
    assert!(
        lines(&served, &served.simulator.batches()[0].object["output_file"])[0]["response"]["body"]
            .get("usage")
            .is_none()
    );
}

#[tokio::test]
async fn jobs_reach_every_endpoint_they_may_name() {
    let served = held().await;
    let agent =
        served.post("/v1/agents", &json!({"model": "mistral-small-latest", "name": "a"})).await.json();
    for (endpoint, body) in [
        ("/v1/embeddings", json!({"model": "mistral-embed", "input": ["a", "b"]})),
        ("/v1/fim/completions", json!({"model": "codestral-2404", "prompt": "fn main() {"})),
        ("/v1/moderations", json!({"model": "mistral-moderation-2603", "input": "one two"})),
        (
            "/v1/ocr",
            json!({"model": "mistral-ocr-2512", "document": {"type": "document_url", "document_url": "https://x/a.pdf?pages=3"}}),
        ),
        (
            "/v1/audio/transcriptions",
            json!({"model": "voxtral-mini-2602", "file_url": "https://x/a.wav?seconds=9"}),
        ),
        ("/v1/conversations", json!({"agent_id": agent["id"], "inputs": "one", "store": false})),
    ] {
        let job = json!({"endpoint": endpoint, "requests": [{"custom_id": "a", "body": body}]});
        let id = served.post("/v1/batch/jobs", &job).await.json()["id"].as_str().unwrap().to_owned();
        served.simulator.run_batches();
        let done = served.get(&format!("/v1/batch/jobs/{id}")).await.json();
        assert_eq!(done["succeeded_requests"], 1, "{endpoint}");
        assert!(
            endpoint.contains("ocr")
                || lines(&served, &done["output_file"])[0]["response"]["body"]["usage"]["total_tokens"]
                    .as_u64()
                    .unwrap()
                    > 0
        );
    }
}

#[tokio::test]
async fn what_is_no_job_is_refused() {
    let served = held().await;
    let ocr = served.upload("/v1/files", "a.pdf", b"x", &[("purpose", "ocr")]).await.json();
    let chat = "/v1/chat/completions";
    for (body, status) in [
        (json!({"endpoint": chat}), 422),
        (json!({"endpoint": "/v1/models", "requests": [line(0, json!({}))]}), 422),
        (json!({"endpoint": chat, "input_files": ["no"]}), 404),
        (json!({"endpoint": chat, "input_files": [ocr["id"]]}), 422),
        (json!({"endpoint": chat, "requests": [line(0, json!({}))], "timeout_hours": 169}), 422),
        (json!({"endpoint": chat, "requests": vec![json!({}); 10_001]}), 422),
    ] {
        assert_eq!(served.post("/v1/batch/jobs", &body).await.status, status);
    }
    assert_eq!(served.get("/v1/batch/jobs/no").await.status, 404);
    assert!(served.simulator.batches().is_empty());
}
