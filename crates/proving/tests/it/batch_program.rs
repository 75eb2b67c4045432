//! Batches with the real program: the memory that a large one takes, and deaths while they are settled.

use louver_proving::client::{request, try_send};
use louver_proving::form::Form;
use louver_proving::installation::{Database, Installation};
use louver_proving::program::Program;
use serde_json::{Value, json};
use std::time::Duration;

const MODEL: &str = "mistral-small-latest";
const PATH: &str = "/v1/batch/jobs";
/// Between two questions to a program that runs by its own clock.
const PAUSE: Duration = Duration::from_millis(50);

fn lines(from: usize, count: usize, padding: usize) -> Vec<Value> {
    let line = |id: usize| {
        json!({"custom_id": id.to_string(), "body": {"model": MODEL, "max_tokens": 600,
            "messages": [{"role": "user", "content": "a ".repeat(padding)}],
            "metadata": {"simulator": {"tokens": if padding > 0 { 500 } else { 9 }}}}})
    };
    (from..from + count).map(line).collect()
}

async fn post(program: &Program, key: &str, body: &Value) -> Value {
    let call = request("POST", PATH, key, Some(body.to_string().as_bytes()));
    let answer = try_send(program.address, call).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn inline(lines: Vec<Value>) -> Value {
    json!({"endpoint": "/v1/chat/completions", "requests": lines})
}

/// The nano-dollars that the simulator bills for batches.
fn billed(installation: &Installation) -> i64 {
    let books = installation.simulator.books();
    let batches = books.iter().filter(|(account, _)| account.batch);
    let nanos: u64 = batches
        .map(|(_, totals)| {
            assert_eq!(totals.worked.cached, 0);
            (totals.worked.input() * 150 + totals.worked.completion * 600) / 2
        })
        .sum();
    i64::try_from(nanos).unwrap()
}

/// Waits until the workspace's budget says that much, in nano-dollars. Only a test that fails meets the end of patience.
async fn spent(installation: &Installation, program: &Program, wanted: i64) {
    let rounds = async {
        let mut pause = tokio::time::interval(PAUSE);
        loop {
            pause.tick().await;
            let budgets = installation.admin(program).ask("/v1/gateway/budgets").await;
            let budget = &budgets["data"][0];
            let spent = budget["spent"].as_f64().unwrap_or(-1.0) * 1e9;
            if budget["reserved"] == 0 && (spent - wanted as f64).abs() < 0.5 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), rounds).await.expect("it is settled to the nano-dollar");
}

async fn budgeted(installation: &Installation, program: &Program) -> (String, String) {
    let admin = installation.admin(program);
    let limits = format!("/v1/gateway/workspaces/{}/limits", installation.workspace);
    admin.deed("PATCH", &limits, json!({"monthly_budget_usd": 1000})).await;
    admin.key("test", json!({})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_batches_are_settled_once_however_often_the_program_is_killed() {
    let installation = Installation::new(&Database::Sqlite).await;
    let mut program = installation.start(0).await.unwrap();
    let (key, _) = budgeted(&installation, &program).await;
    for round in 0..6_usize {
        post(&program, &key, &inline(lines(round * 100, 60, 0))).await;
        // Deaths spread over the second in which the job is looked at.
        let mut wait = tokio::time::interval(Duration::from_millis(1 + 230 * round as u64));
        wait.tick().await;
        wait.tick().await;
        program.kill().await;
        program = installation.start(0).await.unwrap();
    }
    let runs = async {
        let mut pause = tokio::time::interval(PAUSE);
        while installation.simulator.batches().iter().any(|job| job.object["status"] != "SUCCESS") {
            pause.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), runs).await.expect("the batches run");
    spent(&installation, &program, billed(&installation)).await;
    assert_eq!(installation.simulator.batches().len(), 6);
    program.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_ten_thousand_lines_goes_through_in_constant_memory() {
    let installation = Installation::new(&Database::Sqlite).await;
    // What is let go of goes back to the system at once, so that what is measured is what is held.
    installation.set("MIMALLOC_PURGE_DELAY", "0");
    let program = installation.start(0).await.unwrap();
    let (key, _) = budgeted(&installation, &program).await;
    let text = |count: usize, padding: usize| -> String {
        lines(0, count, padding).iter().map(|line| format!("{line}\n")).collect()
    };
    let by_file = async |text: &str| {
        let file = upload(&program, &key, text).await;
        let job = json!({"endpoint": "/v1/chat/completions", "input_files": [file]});
        assert_eq!(post(&program, &key, &job).await["status"], "QUEUED");
    };
    let settled = async |jobs: usize| {
        let runs = async {
            let mut pause = tokio::time::interval(PAUSE);
            loop {
                pause.tick().await;
                let all = installation.simulator.batches();
                if all.len() == jobs && all.iter().all(|job| job.object["status"] == "SUCCESS") {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(240), runs).await.expect("it runs");
        spent(&installation, &program, billed(&installation)).await;
    };
    let weighed = async |text: &str, jobs: usize| {
        let mut most = 0;
        tokio::select! {
            () = async {
                by_file(text).await;
                settled(jobs).await;
            } => {}
            () = async {
                let mut pause = tokio::time::interval(Duration::from_millis(5));
                loop {
                    pause.tick().await;
                    most = most.max(program.weight().unwrap().0);
                }
            } => {}
        }
        most
    };
    // Twice, since caches and threads are there from the first time on.
    let quarter = text(2_500, 6000);
    let quarter = weighed(&quarter, 1).await.max(weighed(&quarter, 2).await);
    let text = text(10_000, 6000);
    let whole = weighed(&text, 3).await;
    let output = installation.simulator.batches()[2].object["output_file"].as_str().unwrap().to_owned();
    let bytes = installation.simulator.file_content(&output).unwrap().len();
    assert!(text.len() > 110 << 20 && bytes > 15 << 20, "{} {bytes}", text.len());
    // One copy of what there is more of has 85 MB.
    assert!(whole < quarter + 40 * 1024, "{quarter} kB for a quarter of it, then {whole} kB");
    program.stop().await.unwrap();
}

/// Uploads a file of requests, and answers its id.
async fn upload(program: &Program, key: &str, text: &str) -> String {
    let form = Form::default().field("purpose", "batch").file("a.jsonl", text.as_bytes());
    let file = try_send(program.address, form.request("/v1/files", key)).await.unwrap();
    assert_eq!(file.status, 200, "{}", file.text());
    file.json()["id"].as_str().unwrap().to_owned()
}
