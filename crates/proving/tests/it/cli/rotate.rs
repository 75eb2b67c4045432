//! `louver keys rotate` over many keys: broken off at any place, a second run goes on, and no key is rotated twice.
//!
//! What answers is a Louver of the test's own, since it must break off where the test says.

use super::{Run, Shell};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use louver_proving::program;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::Notify;

const OLD: &str = "2026-01-01T00:00:00Z";
/// Later than any test runs: a new secret is always the youngest.
const NEW: &str = "2100-01-01T00:00:00Z";

/// What happens to one rotation.
#[derive(Clone, Default)]
enum Fate {
    #[default]
    Answered,
    /// It is done, and the answer is lost.
    Lost,
    /// It is done, and every answer about it is lost.
    Gone,
    /// The answer waits.
    Held,
    Refused,
}

/// A Louver with a few keys, which counts.
#[derive(Default)]
struct Books {
    /// How often each key was rotated.
    rotated: Mutex<BTreeMap<String, usize>>,
    fates: Mutex<BTreeMap<String, Fate>>,
    /// The idempotency keys that came: what came before is answered and not done again.
    done: Mutex<BTreeSet<String>>,
    managed: Mutex<Vec<Value>>,
    asked: Notify,
    go: Notify,
}

impl Books {
    fn counts(&self) -> Vec<usize> {
        self.rotated.lock().unwrap().values().copied().collect()
    }

    fn fate(&self, key: &str, fate: Fate) {
        self.fates.lock().unwrap().insert(key.to_owned(), fate);
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let list = |data: Vec<Value>| json!({"object": "list", "data": data, "has_more": false});
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let body = match (method, parts.as_slice()) {
            (Method::GET, ["healthz"]) => json!({"status": "ok"}),
            (Method::GET, ["v1", "api-keys"]) => {
                let key =
                    |id: &String| json!({"id": id, "name": format!("name of {id}"), "status": "active"});
                list(self.rotated.lock().unwrap().keys().map(key).collect())
            }
            (Method::GET, ["v1", "gateway", "keys", id, "secrets"]) => {
                let made = if self.rotated.lock().unwrap()[*id] > 0 { NEW } else { OLD };
                list(vec![json!({"current": true, "created_at": made, "hidden_key": "lvr_…0000"})])
            }
            (Method::POST, ["v1", "api-keys", id, "rotate"]) => {
                let once = request.headers()["idempotency-key"].to_str().unwrap().to_owned();
                return self.rotate(id, once).await;
            }
            (Method::GET, ["v1", "gateway", "rotations"]) => {
                let query = request.uri().query().unwrap_or_default();
                let all = self.managed.lock().unwrap();
                let of = |one: &&Value| query.contains(one["key_id"].as_str().unwrap());
                list(all.iter().filter(of).cloned().collect())
            }
            (Method::POST, ["v1", "gateway", "rotations"]) => {
                let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
                let mut one: Value = serde_json::from_slice(&body).unwrap();
                one["id"] = json!("r");
                one["state"] = json!("creating");
                self.managed.lock().unwrap().push(one.clone());
                one
            }
            other => panic!("{other:?}"),
        };
        Ok(Response::new(Full::from(body.to_string())))
    }

    async fn rotate(&self, id: &str, once: String) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let fate = self.fates.lock().unwrap().remove(id).unwrap_or_default();
        if matches!(fate, Fate::Refused) {
            let mut refused = Response::new(Full::from(r#"{"message": "the key is disabled"}"#));
            *refused.status_mut() = StatusCode::CONFLICT;
            return Ok(refused);
        }
        if self.done.lock().unwrap().insert(once) {
            *self.rotated.lock().unwrap().get_mut(id).unwrap() += 1;
        }
        match fate {
            Fate::Lost => return Err(std::io::Error::other("the machine dies")),
            Fate::Gone => {
                self.fate(id, Fate::Gone);
                return Err(std::io::Error::other("the machine is dead"));
            }
            Fate::Held => {
                self.asked.notify_one();
                self.go.notified().await;
            }
            Fate::Answered | Fate::Refused => {}
        }
        let made = json!({"id": id, "key": format!("lvr_new_{id}"), "old_key_expires_at": NEW});
        Ok(Response::new(Full::from(made.to_string())))
    }
}

/// That Louver, served, and a folder for secrets.
struct Stage {
    books: Arc<Books>,
    address: SocketAddr,
    folder: TempDir,
}

impl Stage {
    async fn set(keys: usize) -> Self {
        let books = Arc::new(Books::default());
        for number in 1..=keys {
            books.rotated.lock().unwrap().insert(format!("key_{number:032}"), 0);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&books);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let served = Arc::clone(&served);
                let answer = service_fn(move |request| {
                    let served = Arc::clone(&served);
                    async move { served.answer(request).await }
                });
                let serve =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(serve);
            }
        });
        Self { books, address, folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = program::command();
        command.args(["keys", "rotate", "--all", "--json"]).args(more).current_dir(self.folder.path());
        command.env("LOUVER_URL", format!("http://{}", self.address)).env("LOUVER_ADMIN_KEY", "lva_x");
        command
    }

    async fn run(&self, more: &[&str]) -> Run {
        let output = self.command(more).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs it into the folder `new`.
    async fn kept(&self) -> Run {
        self.run(&["--secrets-dir", "new"]).await
    }

    /// The files of the folder.
    fn files(&self) -> Vec<String> {
        let folder = self.folder.path().join("new");
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut files: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
        files.sort();
        files
    }
}

fn id(number: usize) -> String {
    format!("key_{number:032}")
}

fn results(run: &Run) -> Vec<String> {
    let rows: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    rows.as_array().unwrap().iter().map(|row| row["result"].as_str().unwrap().to_owned()).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn every_key_is_rotated_once_however_often_it_is_run() {
    let stage = Stage::set(3).await;
    let dry = stage.run(&["--secrets-dir", "new", "--dry-run"]).await;
    assert_eq!(results(&dry), ["would_rotate"; 3]);
    assert_eq!(stage.books.counts(), [0; 3]);
    let first = stage.kept().await;
    assert_eq!((first.code, results(&first)), (Some(0), vec!["rotated".to_owned(); 3]), "{first:?}");
    assert!(!first.out.contains("lvr_new"), "{first:?}");
    let folder = stage.folder.path().join("new");
    assert_eq!(stage.files().len(), 3);
    for (number, file) in (1..).zip(stage.files()) {
        assert_eq!(std::fs::read_to_string(folder.join(&file)).unwrap(), format!("lvr_new_{}\n", id(number)));
        assert_eq!(mode(&folder.join(&file)), 0o600);
    }
    assert_eq!(mode(&folder), 0o700);
    let again = stage.run(&["--secrets-dir", "new", "--older-than", "0s"]).await;
    assert_eq!((again.code, results(&again)), (Some(0), vec!["passed_over".to_owned(); 3]), "{again:?}");
    let elsewhere = stage.run(&["--secrets-dir", "other"]).await;
    assert_eq!((elsewhere.code, results(&elsewhere)), (Some(0), vec!["passed_over".to_owned(); 3]));
    assert_eq!(stage.books.counts(), [1; 3]);
}

#[tokio::test]
async fn an_answer_that_was_lost_once_is_asked_for_again_and_no_key_is_rotated_twice() {
    let stage = Stage::set(4).await;
    for number in [1, 2, 4] {
        stage.books.fate(&id(number), Fate::Lost);
    }
    let run = stage.kept().await;
    assert_eq!((run.code, results(&run)), (Some(0), vec!["rotated".to_owned(); 4]), "{run:?}");
    assert_eq!((stage.books.counts(), stage.files().len()), (vec![1; 4], 4));
}

#[tokio::test]
async fn an_answer_that_is_lost_for_good_is_told() {
    let stage = Stage::set(4).await;
    stage.books.fate(&id(2), Fate::Gone);
    let broken = stage.kept().await;
    assert_eq!(
        (broken.code, results(&broken)),
        (Some(5), vec!["rotated".to_owned(), "failed".into()]),
        "{broken:?}"
    );
    assert!(broken.err.contains("Run the same command again to go on"), "{broken:?}");
    let part = format!("name_of_{}.{}.part", id(2), id(2));
    assert!(stage.files().contains(&part), "{:?}", stage.files());
    let again = stage.kept().await;
    assert_eq!(results(&again), ["passed_over", "failed", "rotated", "rotated"], "{again:?}");
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains(&format!("rotate it alone with `louver keys rotate {}`", id(2))), "{again:?}");
    // Whatever age is asked for, a lost secret is not replaced silently.
    let forced = stage.run(&["--secrets-dir", "new", "--older-than", "0s"]).await;
    assert_eq!(results(&forced), ["passed_over", "failed", "passed_over", "passed_over"], "{forced:?}");
    assert_eq!(stage.books.counts(), [1; 4]);
}

#[tokio::test]
async fn a_refusal_leaves_no_file_and_does_not_keep_the_others_back() {
    let stage = Stage::set(3).await;
    stage.books.fate(&id(2), Fate::Refused);
    let run = stage.kept().await;
    assert_eq!(
        (run.code, results(&run)),
        (Some(1), vec!["rotated".to_owned(), "failed".into(), "rotated".into()])
    );
    assert_eq!(stage.files().len(), 2, "{:?}", stage.files());
    assert_eq!(stage.kept().await.code, Some(0));
    assert_eq!(stage.books.counts(), [1; 3]);
}

#[tokio::test]
async fn ctrl_c_ends_after_the_key_at_work_and_the_next_run_goes_on() {
    let stage = Stage::set(4).await;
    stage.books.fate(&id(2), Fate::Held);
    let mut child = stage.command(&["--secrets-dir", "new"]).spawn().unwrap();
    stage.books.asked.notified().await;
    let process = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().await.unwrap().success());
    // It has heard the signal when it says so; only then the answer comes.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while lines.next_line().await.unwrap().expect("it goes on") != "louver: stopping after this key" {}
    stage.books.go.notify_one();
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert_eq!(stage.files().len(), 2, "the key at work was finished: {:?}", stage.files());
    assert_eq!(stage.books.counts(), [1, 1, 0, 0]);
    let rest = stage.kept().await;
    assert_eq!(results(&rest), ["passed_over", "passed_over", "rotated", "rotated"], "{rest:?}");
    assert_eq!((rest.code, stage.books.counts()), (Some(0), vec![1; 4]));
}

#[tokio::test]
async fn managed_rotations_pass_over_what_runs() {
    let stage = Stage::set(2).await;
    stage.books.managed.lock().unwrap().push(json!({"id": "q", "key_id": id(1), "state": "overlapping"}));
    let run = stage.run(&["--managed", "--overlap", "48h"]).await;
    assert_eq!(
        (run.code, results(&run)),
        (Some(0), vec!["passed_over".to_owned(), "rotated".into()]),
        "{run:?}"
    );
    let begun = stage.books.managed.lock().unwrap()[1].clone();
    assert_eq!((&begun["key_id"], &begun["overlap"]), (&json!(id(2)), &json!("48h")));
    let again = stage.run(&["--managed"]).await;
    assert_eq!(results(&again), ["passed_over", "passed_over"], "{again:?}");
    assert_eq!(stage.books.counts(), [0; 2], "no secret is asked for");
}

#[tokio::test]
async fn new_secrets_of_several_keys_must_go_somewhere() {
    let shell = Shell::start().await;
    let told = shell.run(&["keys", "rotate", "--all"]).await.badly(2);
    assert!(told.contains("--secrets-dir DIR") && told.contains("--managed"), "{told}");
    let told = shell.run(&["keys", "rotate"]).await.badly(2);
    assert!(told.contains("<NAME|ID>"), "{told}");
    let told = shell.run(&["keys", "rotate", "x", "--secret-only", "--json"]).await.badly(2);
    assert!(told.contains("cannot be used with"), "{told}");
}
