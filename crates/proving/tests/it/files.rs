//! Files: whose they are, from before they are made; what nobody owns, nobody sees.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use louver_proving::client::{Answer, raw, request, send};
use louver_proving::form::{BOUNDARY, Form, body};
use louver_proving::system::{System, UPSTREAM_KEY, eventually};
use louver_simulator::Fault;
use serde_json::{Value, json};
use sqlx::{Connection, Row, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATH: &str = "/v1/files";

fn form() -> Form {
    Form::default().field("purpose", "ocr").file("a.pdf", b"%PDF-1.4 some pages")
}

/// A second workspace and a key in it, beside one of the default workspace.
async fn neighbours(system: &System) -> (String, String) {
    let people = json!([{"email": "ann@example.com", "first_name": "ann", "last_name": ""}]);
    let ann = system.deed("POST", "/v1/admin/users", people).await;
    let ann = ann["email_to_user_id"]["ann@example.com"].as_str().unwrap().to_owned();
    let team =
        system.deed("POST", "/v1/admin/workspaces", json!({"name": "team", "admin_user_id": ann})).await;
    let theirs = system.key(json!({"workspace_id": team["uuid"]})).await.0;
    (system.key(json!({})).await.0, theirs)
}

async fn upload(system: &System, key: &str, form: Form) -> Answer {
    send(system.address, form.request(PATH, key)).await
}

async fn uploaded(system: &System, key: &str) -> String {
    let answer = upload(system, key, form()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// The ids in a list of files.
async fn listed(system: &System, key: &str) -> Vec<String> {
    let list = system.get(key, PATH).await.json();
    let ids: Vec<String> =
        list["data"].as_array().unwrap().iter().map(|file| file["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(list["total"], ids.len(), "{list}");
    ids
}

/// The first column of what the database holds.
async fn rows(system: &System, sql: &'static str) -> Vec<String> {
    let mut connection = SqliteConnection::connect(&system.database_url).await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

#[tokio::test]
async fn a_file_is_taken_in_kept_by_its_workspace_and_shown_without_upstreams_ids() {
    let system = System::start().await;
    let (ours, _) = neighbours(&system).await;
    let made = upload(&system, &ours, form().field("expiry", "48")).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let file = made.json();
    assert_eq!(
        (&file["filename"], &file["purpose"], &file["bytes"]),
        (&json!("a.pdf"), &json!("ocr"), &json!(19))
    );
    let sent = system.simulator.ledger().pop().unwrap();
    let text = String::from_utf8_lossy(&sent.body).into_owned();
    assert!(!text.contains(BOUNDARY) && text.contains("name=\"visibility\"\r\n\r\nworkspace\r\n"), "{text}");
    let id = file["id"].as_str().unwrap();
    assert_eq!(listed(&system, &ours).await, [id]);
    let content = system.get(&ours, &format!("{PATH}/{id}/content")).await;
    assert_eq!(content.body.as_ref(), b"%PDF-1.4 some pages");
    let known: Value =
        serde_json::from_str(&rows(&system, "SELECT attributes FROM objects").await[0]).unwrap();
    let hash = "3084d03184c067d0e3ca8d7b5c66e4b3e74bc24768d4c5837b5beeb278aa94f4";
    assert_eq!((known["bytes"].as_u64(), known["sha256"].as_str()), (Some(19), Some(hash)));
    assert_eq!(known["shown"]["id"], id);
    let deleted = send(system.address, request("DELETE", &format!("{PATH}/{id}"), &ours, None)).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert!(listed(&system, &ours).await.is_empty());
    assert_eq!(system.get(&ours, &format!("{PATH}/{id}")).await.status, 404);
}

#[tokio::test]
async fn lists_of_files_take_several_values() {
    let system = System::start().await;
    let (ours, _) = neighbours(&system).await;
    let id = uploaded(&system, &ours).await;
    let list = async |query: &str| {
        let answer = system.get(&ours, &format!("{PATH}?{query}")).await;
        assert_eq!(answer.status, 200, "{query} {}", answer.text());
        answer.json()["data"].as_array().unwrap().iter().map(|file| file["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        list("source=upload&source=repository&sample_type=pretrain&sample_type=ocr_input").await,
        [id]
    );
    assert!(list("source=repository&source=mistral").await.is_empty());
    let twice = system.get(&ours, &format!("{PATH}?purpose=ocr&purpose=batch")).await;
    assert_eq!(twice.verdict(), (400, "invalid_request".into()));
}

/// Every way to a file, with the key of another workspace: the same answer as for one that never was.
async fn closed(system: &System, key: &str, id: &str) {
    let before = system.simulator.calls();
    let never = id.chars().rev().collect::<String>();
    for (method, tail) in [("GET", ""), ("GET", "/content"), ("GET", "/url"), ("DELETE", "")] {
        let of = |id: &str| format!("{PATH}/{id}{tail}");
        let theirs = send(system.address, request(method, &of(id), key, None)).await;
        let nobodys = send(system.address, request(method, &of(&never), key, None)).await;
        let plain = |answer: &Answer| {
            let mut value = answer.json();
            value["request_id"] = Value::Null;
            (answer.status, value)
        };
        assert_eq!(plain(&theirs), plain(&nobodys), "{method} {tail}");
        assert!(matches!(theirs.status.as_u16(), 403 | 404), "{method} {tail}: {}", theirs.text());
    }
    let call = Form::default().field("model", "voxtral-mini-latest").field("file_id", id);
    let heard = send(system.address, call.request("/v1/audio/transcriptions", key)).await;
    assert_eq!(heard.verdict(), (404, "not_found".into()), "{}", heard.text());
    assert!(listed(system, key).await.is_empty());
    assert_eq!(system.simulator.calls(), before, "upstream was asked");
}

#[tokio::test]
async fn b14_b15_e8_one_credential_for_two_workspaces_shows_neither_the_others() {
    let system = System::start().await;
    let (ours, theirs) = neighbours(&system).await;
    let id = uploaded(&system, &ours).await;
    closed(&system, &theirs, &id).await;
    let own = uploaded(&system, &theirs).await;
    assert_eq!((listed(&system, &ours).await, listed(&system, &theirs).await), (vec![id.clone()], vec![own]));
    assert_eq!(system.get(&ours, &format!("{PATH}/{id}")).await.status, 200, "it is still there");
    assert!(system.simulator.ledger().iter().all(|call| call.bearer.as_deref() == Some(UPSTREAM_KEY)));
}

#[tokio::test]
async fn b14_b15_e8_each_workspace_may_have_a_credential_of_its_own() {
    let system = System::start().await;
    let (ours, theirs) = neighbours(&system).await;
    let workspaces = rows(&system, "SELECT name FROM workspaces").await;
    assert_eq!(workspaces.len(), 2);
    let own = json!({"name": "ours", "key": "upstream-key-of-ours", "workspace_id": system.workspace});
    let first = uploaded(&system, &ours).await;
    system.deed("POST", "/v1/gateway/upstreams", own).await;
    let id = uploaded(&system, &ours).await;
    closed(&system, &theirs, &id).await;
    let call = Form::default().field("model", "voxtral-mini-latest").field("file_id", &id);
    let heard = send(system.address, call.request("/v1/audio/transcriptions", &ours)).await;
    assert_eq!(heard.status, 200, "{}", heard.text());
    let bearer = || system.simulator.ledger().pop().unwrap().bearer.unwrap();
    assert_eq!(bearer(), "upstream-key-of-ours", "what was made with a credential is asked for with it");
    // The first one was made with the settings' credential, which this workspace no longer uses.
    let old = system.get(&ours, &format!("{PATH}/{first}")).await;
    assert!(old.status == 502 || bearer() == UPSTREAM_KEY, "{}", old.text());
    uploaded(&system, &theirs).await;
    assert_eq!(bearer(), UPSTREAM_KEY);
}

#[tokio::test]
async fn a11_a12_b17_forms_that_are_odd_and_files_that_others_would_see() {
    let system = System::start().await;
    let (ours, _) = neighbours(&system).await;
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let with = |kind: &str, bytes: Vec<u8>| body(PATH, &ours, kind, bytes);
    let of = |form: Form| form.request(PATH, &ours);
    let mut query = of(form());
    *query.uri_mut() = format!("{PATH}?visibility=user").parse().unwrap();
    let mut compressed = of(form());
    compressed.headers_mut().insert("content-encoding", "br".parse().unwrap());
    let cases: Vec<(&str, Request<Full<Bytes>>, u16)> = vec![
        ("for a person upstream", of(form().field("visibility", "user")), 422),
        ("for everybody", of(form().field("visibility", "organization")), 422),
        ("twice", of(form().field("visibility", "workspace").field("visibility", "user")), 422),
        ("another purpose", of(form().field("purpose", "batch")), 422),
        ("an unknown purpose", of(Form::default().field("purpose", "x").file("a", b"x")), 422),
        ("an unknown field", of(form().field("workspace_id", "x")), 422),
        ("no number", of(form().field("expiry", "1.5")), 422),
        ("two files", of(form().file("b", b"x")), 422),
        ("no file", of(Form::default().field("purpose", "ocr")), 422),
        ("an empty name", of(Form::default().file("", b"x")), 422),
        ("a quote in a name", of(Form::default().file("a\\\"; name=\\\"purpose", b"x")), 400),
        ("a preamble", with(&kind, [b"x\r\n".to_vec(), form().bytes()].concat()), 400),
        ("an epilogue", with(&kind, [form().bytes(), b"x".to_vec()].concat()), 400),
        (
            "bare line feeds",
            with(&kind, String::from_utf8(form().bytes()).unwrap().replace("\r\n", "\n").into()),
            400,
        ),
        ("no end", with(&kind, form().bytes()[..100].to_vec()), 400),
        ("two boundaries", with(&format!("{kind}; boundary=b"), form().bytes()), 400),
        ("pairs", with("application/x-www-form-urlencoded", b"purpose=ocr&file=x".to_vec()), 415),
        ("JSON", with("application/json", b"{}".to_vec()), 415),
        ("a query", query, 400),
        ("compressed", compressed, 415),
    ];
    for (what, call, status) in cases {
        let answer = send(system.address, call).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
    }
    assert_eq!((system.simulator.calls(), rows(&system, "SELECT state FROM objects").await.len()), (0, 0));
    uploaded(&system, &ours).await;
}

#[tokio::test]
async fn b18_what_is_not_confirmed_is_seen_by_nobody() {
    let system = System::start().await;
    let (ours, _) = neighbours(&system).await;
    for (fault, status, left) in [
        (Fault::Status { status: 413, retry_after: None, body: None }, 413, 0),
        (Fault::EchoCredential, 502, 0),
        // It may have been made: the intent stays, for whoever cleans up.
        (Fault::Status { status: 500, retry_after: None, body: None }, 500, 1),
        (Fault::Garbage, 502, 2),
    ] {
        system.simulator.script(fault.clone());
        let answer = upload(&system, &ours, form()).await;
        assert_eq!(answer.status, status, "{fault:?}: {}", answer.text());
        assert!(!answer.text().contains(UPSTREAM_KEY));
        let states = rows(&system, "SELECT state FROM objects").await;
        assert_eq!((states.len(), states.iter().all(|state| state == "intended")), (left, true), "{fault:?}");
        assert!(listed(&system, &ours).await.is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn e6_a_key_that_is_revoked_or_rotated_while_its_file_comes_is_refused() {
    refused_in_the_middle("DELETE", "", None).await;
    refused_in_the_middle("POST", "/rotate", Some(json!({"overlap": "0s"}))).await;
}

async fn refused_in_the_middle(method: &str, path: &str, deed: Option<Value>) {
    let system = System::start().await;
    let (key, id) = system.key(json!({})).await;
    let bytes = form().bytes();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {key}\r\ncontent-type: \
         multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        bytes.len()
    );
    let mut stream = TcpStream::connect(system.address).await.unwrap();
    let (most, rest) = bytes.split_at(bytes.len() - 5);
    stream.write_all(&[head.as_bytes(), most].concat()).await.unwrap();
    // The key is known before anything of the body is read.
    eventually(async || {
        let shown = system.get(&system.admin_key, &format!("/v1/api-keys/{id}")).await.json();
        shown["last_used_at"].is_string().then_some(())
    })
    .await;
    let gone = system.admin(method, &format!("/v1/api-keys/{id}{path}"), deed).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    stream.write_all(rest).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn b18_who_hangs_up_has_sent_nothing_or_owns_what_was_made() {
    let system = System::start().await;
    let (ours, theirs) = neighbours(&system).await;
    let bytes = form().bytes();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {ours}\r\ncontent-type: \
         multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    let mut stream = TcpStream::connect(system.address).await.unwrap();
    stream.write_all(&[head.as_bytes(), &bytes[..bytes.len() - 5]].concat()).await.unwrap();
    drop(stream);
    system.simulator.script(Fault::Delay { ms: 200 });
    let mut stream = TcpStream::connect(system.address).await.unwrap();
    stream.write_all(&[head.as_bytes(), &bytes].concat()).await.unwrap();
    eventually(async || (system.simulator.calls() == 1).then_some(())).await;
    drop(stream);
    eventually(async || (listed(&system, &ours).await.len() == 1).then_some(())).await;
    assert!(listed(&system, &theirs).await.is_empty());
    assert_eq!(rows(&system, "SELECT state FROM objects").await, ["live"]);
}

#[tokio::test]
async fn the_key_and_its_rules_are_asked_before_the_body() {
    let system = System::start().await;
    let (elsewhere, _) = system.key(json!({"allowed_endpoints": ["chat.completions"]})).await;
    for (key, status) in [("lvr_nobody", 401), (elsewhere.as_str(), 403)] {
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: louver.test\r\nauthorization: Bearer {key}\r\ncontent-type: \
             multipart/form-data; boundary=b\r\ncontent-length: 100000000\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(system.address, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    assert_eq!(system.simulator.calls(), 0);
}

#[tokio::test]
async fn b16_signed_addresses_are_refused_by_default_and_cut_to_what_is_allowed() {
    let system = System::start().await;
    let (ours, theirs) = neighbours(&system).await;
    let id = uploaded(&system, &ours).await;
    let path = format!("{PATH}/{id}/url?expiry=168");
    let refused = system.get(&ours, &path).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    assert_eq!(system.simulator.calls(), 1, "nothing but the upload");
    let limits = json!({"limits": {"max_signed_url_hours": 2}});
    system.deed("PATCH", "/v1/gateway/organization", limits).await;
    assert!(system.get(&ours, &path).await.json()["url"].is_string());
    assert_eq!(system.simulator.ledger().pop().unwrap().target, format!("{PATH}/{id}/url?expiry=2"));
    assert_eq!(system.get(&theirs, &path).await.status, 404);
    // A model role narrows it, to nothing if it likes.
    for (hours, status) in [(1, 200), (0, 403)] {
        let name = format!("signs-{hours}");
        let role = json!({"name": name, "allowed_models": ["*"], "max_signed_url_hours": hours});
        system.deed("POST", "/v1/gateway/roles", role).await;
        let (key, _) = system.key(json!({"role": name})).await;
        assert_eq!(system.get(&key, &path).await.status, status);
    }
    assert_eq!(system.simulator.ledger().pop().unwrap().target, format!("{PATH}/{id}/url?expiry=1"));
}

#[tokio::test]
async fn a_large_file_passes_whole_and_leaves_nothing_behind() {
    let system = System::start().await;
    let (ours, _) = neighbours(&system).await;
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let made =
        upload(&system, &ours, Form::default().field("purpose", "ocr").file("large.pdf", &content)).await;
    assert_eq!(
        (made.status.as_u16(), made.json()["bytes"].as_u64()),
        (200, Some(3_000_000)),
        "{}",
        made.text()
    );
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(system.get(&ours, &format!("{PATH}/{id}/content")).await.body == content);
    assert_eq!(std::fs::read_dir(&system.config.spool_dir).unwrap().count(), 0);
}
