//! What the commands about rotation, destinations, leaks and exemptions ask, each to its method, path and body.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use louver_proving::program;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const KEY: &str = "key_01a1ffe661e274a0b89aff7e319bc921";
const ID: &str = "01a1ffe6-61e2-74a0-b89a-ff7e319bc921";

/// A request that was not only a question.
type Deed = (String, Value);

/// Answers everything: lists with one thing that has every name, deeds with what they said.
struct Recorder {
    address: SocketAddr,
    deeds: Arc<Mutex<Vec<Deed>>>,
}

impl Recorder {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let deeds = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&deeds);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let noted = Arc::clone(&noted);
                let answer = service_fn(move |request| answer(Arc::clone(&noted), request));
                let served =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(served);
            }
        });
        Self { address, deeds }
    }

    /// Runs a command and tells the deeds it asked for, and what it printed.
    async fn asked(&self, arguments: &[&str], stdin: &str) -> (Vec<Deed>, Value) {
        let mut command = program::command();
        command.args(arguments).arg("--json").stdin(Stdio::piped());
        command.env("LOUVER_URL", format!("http://{}", self.address)).env("LOUVER_ADMIN_KEY", "lva_x");
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (std::mem::take(&mut *self.deeds.lock().unwrap()), said)
    }
}

async fn answer(
    noted: Arc<Mutex<Vec<Deed>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let policy = json!({
        "object": "rotation_policy", "scope": "workspace", "scope_id": ID, "period_days": 30, "overlap_hours": 12,
    });
    let one = match path.as_str() {
        path if path.starts_with("/v1/gateway/rotation-policies") => policy,
        _ => {
            json!({"id": ID, "name": "it", "works": true, "state": "done", "kind": "api_key", "status": "disabled"})
        }
    };
    let told = match method.as_str() {
        "GET" if path.ends_with("/organization") || path.ends_with(ID) => one,
        "GET" => json!({"object": "list", "data": [one], "has_more": false}),
        _ => {
            noted.lock().unwrap().push((format!("{method} {path}{query}"), body));
            one
        }
    };
    Ok(Response::new(Full::from(told.to_string())))
}

#[tokio::test]
async fn each_command_asks_its_route() {
    let recorder = Recorder::start().await;
    let secret = "lvr_found-somewhere";
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.json");
    std::fs::write(&settings, r#"{"location": "l"}"#).unwrap();
    let settings = settings.to_str().unwrap();
    for (arguments, stdin, deed, body) in [
        (
            &["keys", "report-leak", "-"][..],
            secret,
            "POST /v1/gateway/keys/report-leak",
            json!({"key": secret}),
        ),
        (
            &["keys", "exempt", KEY, "--reason", "A backup", "--until", "2027-01-01"],
            "",
            &format!("PUT /v1/gateway/keys/{KEY}/unused-exemption"),
            json!({"reason": "A backup", "until": "2027-01-01T00:00:00Z"}),
        ),
        (
            &["keys", "exempt", KEY, "--end"],
            "",
            &format!("DELETE /v1/gateway/keys/{KEY}/unused-exemption"),
            Value::Null,
        ),
        (
            &["keys", "create", "bait", "--canary"],
            "",
            "POST /v1/api-keys",
            json!({"name": "bait", "canary": true}),
        ),
        (
            &["rotation", "start", "--key", KEY, "--destination", "it", "--overlap", "48h"],
            "",
            "POST /v1/gateway/rotations",
            json!({"key_id": KEY, "destinations": [ID], "overlap": "48h"}),
        ),
        (
            &["rotation", "start", "--upstream", "it", "--emergency", "--yes"],
            "",
            "POST /v1/gateway/rotations",
            json!({"upstream_id": ID, "emergency": true}),
        ),
        (
            &["rotation", "start", "--admin-key", "it"],
            "",
            "POST /v1/gateway/rotations",
            json!({"admin_key_id": ID}),
        ),
        (&["rotation", "retry", ID], "", &format!("POST /v1/gateway/rotations/{ID}/retry"), Value::Null),
        (
            &["rotation", "cancel", ID, "--yes"],
            "",
            &format!("POST /v1/gateway/rotations/{ID}/cancel"),
            Value::Null,
        ),
        (
            &[
                "rotation",
                "policies",
                "set",
                "--workspace",
                "it",
                "--period-days",
                "90",
                "--destination",
                "it",
            ],
            "",
            "PUT /v1/gateway/rotation-policies",
            json!({
                "scope": "workspace", "scope_id": ID, "period_days": 90, "overlap_hours": 12, "destinations": [ID],
            }),
        ),
        (
            &[
                "rotation",
                "policies",
                "set",
                "--organization",
                "--window-start",
                "02:00",
                "--window-end",
                "04:00",
            ],
            "",
            "PUT /v1/gateway/rotation-policies",
            json!({
                "scope": "organization", "scope_id": ID, "period_days": 30, "overlap_hours": 12,
                "window_start": "02:00", "window_end": "04:00",
            }),
        ),
        (
            &[
                "rotation",
                "destinations",
                "create",
                "v",
                "--kind",
                "vault",
                "--settings",
                settings,
                "--credentials",
                "-",
            ],
            r#"{"token": "t"}"#,
            "POST /v1/gateway/secret-destinations",
            json!({"name": "v", "kind": "vault", "settings": {"location": "l"}, "credentials": {"token": "t"}}),
        ),
        (
            &["rotation", "destinations", "test", "it"],
            "",
            &format!("POST /v1/gateway/secret-destinations/{ID}/test"),
            Value::Null,
        ),
        (
            &["rotation", "destinations", "delete", "it", "--yes"],
            "",
            &format!("DELETE /v1/gateway/secret-destinations/{ID}"),
            Value::Null,
        ),
        (
            &["rotation", "admin-keys", "rotate", "it", "--overlap", "1h"],
            "",
            &format!("POST /v1/gateway/admin-keys/{ID}/rotate"),
            json!({"overlap": "1h"}),
        ),
    ] {
        let (deeds, said) = recorder.asked(arguments, stdin).await;
        assert_eq!(deeds, [(deed.to_owned(), body)], "{arguments:?}");
        assert!(said.is_object() && !said.to_string().contains(secret), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn what_only_looks_changes_nothing() {
    let recorder = Recorder::start().await;
    for arguments in [
        &["rotation", "list", "--key", KEY, "--state", "live"][..],
        &["rotation", "show", ID],
        &["rotation", "policies", "list"],
        &["rotation", "destinations", "list"],
        &["rotation", "destinations", "show", "it"],
        &["rotation", "admin-keys", "list"],
        &["keys", "secrets", KEY],
        &["keys", "audit", "--finding", "unused,no_expiry", "--workspace", "it", "--all"],
    ] {
        let (deeds, said) = recorder.asked(arguments, "").await;
        assert_eq!(deeds, [], "{arguments:?}");
        assert!(said.to_string().contains(ID), "{arguments:?}: {said}");
    }
}
