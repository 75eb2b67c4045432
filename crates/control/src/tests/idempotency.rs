//! Repeated POSTs: carried out once, answered again, and when neither.

use super::{Answer, House, holds, house};
use axum::body::Body;
use http::Request;
use louver_domain::id::RequestId;
use louver_domain::keys::{KeyKind, read_public_id};
use louver_store::admin_keys;
use louver_store::idempotency::{self as store, Claim, Kept, Run};
use serde_json::json;

const KEYS: &str = "/v1/api-keys";
const NEW: &str = r#"{"name":"a"}"#;

fn request(house: &House, admin: &str, path: &str, key: &str, body: &str) -> Request<Body> {
    let request = house.request("POST", path).header("x-api-key", admin).header("idempotency-key", key);
    request.body(Body::from(body.to_owned())).unwrap()
}

impl House {
    async fn repeat(&self, key: &str, path: &str, body: &str) -> Answer {
        self.send(request(self, &self.admin, path, key, body)).await
    }

    async fn repeat_as(&self, admin: &str, key: &str, path: &str, body: &str) -> Answer {
        self.send(request(self, admin, path, key, body)).await
    }

    /// How many requests are remembered; they are forgotten with the answer.
    async fn rows(&self) -> u64 {
        self.pass_days(10);
        let rows = store::sweep(&self.control.store, self.control.clock.now()).await.unwrap();
        self.pass_days(-10);
        rows
    }
}

fn is_again(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

/// The status and the `type` of a refusal.
fn verdict(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["type"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_repeated_creation_gives_the_same_bytes_and_one_key() {
    let house = house().await;
    let first = house.repeat("k", KEYS, NEW).await;
    assert_eq!((first.status.as_u16(), is_again(&first)), (200, false), "{}", first.text);
    house.pass_seconds(599);
    let second = house.repeat("k", KEYS, NEW).await;
    assert_eq!((second.status.as_u16(), is_again(&second)), (200, true));
    assert_eq!(first.text, second.text);
    for header in ["content-type", "cache-control"] {
        assert_eq!(first.headers[header], second.headers[header]);
    }
    assert_eq!(second.headers["cache-control"], "no-store");
    assert_eq!(house.count_keys().await, 1);
    assert_eq!(house.audit().await.iter().filter(|event| event.action.contains("key")).count(), 2);
    let secret = first.json()["key"].as_str().unwrap().to_owned();
    assert!(!holds(&house.disk().await, &secret), "in clear");
    // Ten minutes after the answer it is a request like any other.
    house.pass_seconds(1);
    let third = house.repeat("k", KEYS, NEW).await;
    assert!(third.status == 200 && !is_again(&third) && third.text != first.text);
    assert_eq!(house.count_keys().await, 2);
}

#[tokio::test]
async fn without_the_header_nothing_is_written() {
    let house = house().await;
    for _ in 0..2 {
        house.make(KEYS, NEW).await;
    }
    assert_eq!((house.count_keys().await, house.rows().await), (2, 0));
}

#[tokio::test]
async fn the_header_is_one_visible_text() {
    let house = house().await;
    let long = "x".repeat(256);
    for bad in ["", " ", "a b", "a\tb", "\u{fc}", long.as_str()] {
        let answer = house.repeat(bad, KEYS, NEW).await;
        assert_eq!(answer.refused(), (422, "Idempotency-Key".into()), "{bad:?}");
        assert_eq!(answer.json()["detail"][0]["loc"], json!(["header", "Idempotency-Key"]));
    }
    let twice = house.request("POST", KEYS).header("x-api-key", &house.admin);
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "a");
    let answer = house.send(twice.body(Body::from(NEW)).unwrap()).await;
    assert_eq!(answer.refused(), (422, "Idempotency-Key".into()));
    assert_eq!((house.count_keys().await, house.rows().await), (0, 0));
    for good in ["x", &long[..255], "!~\"\\,;"] {
        assert_eq!(house.repeat(good, KEYS, NEW).await.status, 200, "{good}");
    }
    assert_eq!(house.count_keys().await, 3);
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let house = house().await;
    house.repeat("k", KEYS, NEW).await;
    let id = house.get(KEYS).await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    for (path, body) in [
        (KEYS, r#"{"name":"b"}"#),
        (KEYS, r#"{"name":"a" }"#),
        ("/v1/api-keys?x=1", NEW),
        (&format!("/v1/api-keys/{id}/disable"), NEW),
        ("/v1/gateway/custom-roles", NEW),
    ] {
        let answer = house.repeat("k", path, body).await;
        assert_eq!(answer.refused(), (422, "Idempotency-Key".into()), "{path} {body}");
        assert!(answer.text.contains("another request"), "{}", answer.text);
    }
    // In Mistral's shape too, where a fault names the header.
    let answer = house.repeat("k", "/v1/admin/workspaces", r#"{"name":"w"}"#).await;
    assert_eq!(answer.json()["detail"][0]["loc"], json!(["header", "Idempotency-Key"]));
    assert_eq!(house.count_keys().await, 1);
}

#[tokio::test]
async fn other_methods_do_not_heed_it() {
    let house = house().await;
    let key = house.make(KEYS, NEW).await["id"].as_str().unwrap().to_owned();
    let path = format!("{KEYS}/{key}");
    for name in ["b", "c"] {
        let request = house.request("PATCH", &path).header("x-api-key", &house.admin);
        let body = Body::from(json!({"name": name}).to_string());
        let answer = house.send(request.header("idempotency-key", "k").body(body).unwrap()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["name"]), (200, &json!(name)));
    }
    assert_eq!(house.rows().await, 0);
}

#[tokio::test]
async fn a_refusal_lets_the_key_go() {
    let house = house().await;
    for bad in ["{", r#"{"name":1}"#, r#"{"name":"a","role":"none"}"#, r#"{"nam":"a"}"#] {
        let answer = house.repeat("k", KEYS, bad).await;
        assert!(answer.status.is_client_error() && answer.json()["param"] != "Idempotency-Key", "{bad}");
    }
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(verdict(&house.repeat("k", KEYS, &large).await), (413, "request_too_large".into()));
    assert_eq!(house.rows().await, 0);
    let good = house.repeat("k", KEYS, NEW).await;
    assert_eq!((good.status.as_u16(), is_again(&good)), (200, false));
    assert!(is_again(&house.repeat("k", KEYS, NEW).await));
}

#[tokio::test]
async fn an_answer_is_for_its_holder_only() {
    let house = house().await;
    let (anna, other) =
        (house.person("anna@example.com", &["organization_admin"]).await, house.neighbour().await);
    let (one, two) = (house.key_of(&anna).await, house.key_of(&anna).await);
    let first = house.repeat("k", KEYS, NEW).await;
    let annas = house.repeat_as(&one, "k", KEYS, NEW).await;
    let theirs = house.repeat_as(&other, "k", KEYS, NEW).await;
    for answer in [&annas, &theirs] {
        assert_eq!((answer.status.as_u16(), is_again(answer)), (200, false));
        assert_ne!(answer.text, first.text);
    }
    let again = house.repeat_as(&two, "k", KEYS, NEW).await;
    assert!(is_again(&again) && again.text == annas.text, "another key of the same person");
    assert_eq!(house.repeat_as("lvr_nobody", "k", KEYS, NEW).await.status, 401);
}

#[tokio::test]
async fn who_may_do_other_things_now_is_not_answered_again() {
    let house = house().await;
    let anna = house.person("anna@example.com", &["organization_admin"]).await;
    let key = house.key_of(&anna).await;
    let first = house.repeat_as(&key, "k", KEYS, NEW).await;
    assert_eq!(first.status, 200, "{}", first.text);
    house.place(&house.workspace.to_string(), &anna).await;
    let again = house.repeat_as(&key, "k", KEYS, NEW).await;
    assert_eq!(verdict(&again), (409, "answer_not_kept".into()));
    assert!(again.text.contains("has changed since") && !again.text.contains("lvr_"), "{}", again.text);
    assert_eq!(house.count_keys().await, 1);
}

#[tokio::test]
async fn while_the_first_runs_the_others_are_told_so_and_leaving_ends_nothing() {
    let house = house().await;
    house.applied.send_replace(0);
    let mut commits = house.control.store.commits();
    commits.mark_unchanged();
    let first = request(&house, &house.admin, KEYS, "k", NEW);
    let call = tokio::spawn(tower::ServiceExt::oneshot(house.app.clone(), first));
    commits.changed().await.unwrap();
    let second = house.repeat("k", KEYS, NEW).await;
    assert_eq!(verdict(&second), (409, "request_in_progress".into()));
    assert_eq!(second.headers["retry-after"], "1");
    // The client leaves before its answer; the work goes on.
    call.abort();
    assert!(call.await.is_err());
    house.pass_seconds(121);
    let late = house.repeat("k", KEYS, NEW).await;
    assert_eq!(verdict(&late), (409, "answer_not_kept".into()), "it has committed: that much is known");
    house.applied.send_replace(i64::MAX);
    let again = loop {
        let answer = house.repeat("k", KEYS, NEW).await;
        if answer.status == 200 {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert!(is_again(&again) && again.json()["key"].as_str().unwrap().starts_with("lvr_"));
    assert_eq!(house.count_keys().await, 1);
}

#[tokio::test]
async fn what_came_of_a_dead_node_is_not_known_and_nothing_runs_twice() {
    let house = house().await;
    // A node that died right after it took the key: its row is all that is there.
    let run = row_of(&house, "dead").await;
    let claim = store::claim(&house.control.store, &run, hash_of(&house, NEW)).await.unwrap();
    assert!(matches!(claim, Claim::Ours));
    assert_eq!(verdict(&house.repeat("dead", KEYS, NEW).await), (409, "request_in_progress".into()));
    house.pass_seconds(121);
    let unknown = house.repeat("dead", KEYS, NEW).await;
    assert_eq!(verdict(&unknown), (409, "outcome_unknown".into()));
    assert!(unknown.text.contains("look at the lists"));
    house.pass_seconds(86_400 - 122);
    assert_eq!(verdict(&house.repeat("dead", KEYS, NEW).await), (409, "outcome_unknown".into()));
    assert_eq!(house.count_keys().await, 0);
    let answer = house.repeat("dead", KEYS, r#"{"name":"b"}"#).await;
    assert_eq!(answer.refused(), (422, "Idempotency-Key".into()));
    house.pass_seconds(1);
    assert_eq!(house.repeat("dead", KEYS, NEW).await.status, 200, "a day later it is forgotten");
}

#[tokio::test]
async fn an_answer_that_was_too_large_says_so() {
    let house = house().await;
    let run = row_of(&house, "k").await;
    store::claim(&house.control.store, &run, hash_of(&house, NEW)).await.unwrap();
    store::answered(&house.control.store, &run, None).await.unwrap();
    let answer = house.repeat("k", KEYS, NEW).await;
    assert_eq!(verdict(&answer), (409, "answer_not_kept".into()));
    assert!(answer.text.contains("1 MiB"), "{}", answer.text);
}

#[tokio::test]
async fn a_kept_answer_opens_only_in_its_place() {
    let house = house().await;
    let first = house.repeat("k", KEYS, NEW).await;
    let (from, to) = (row_of(&house, "k").await, row_of(&house, "other").await);
    let found = store::claim(&house.control.store, &from, [0; 32]).await.unwrap();
    let Claim::Earlier(earlier) = found else { panic!("it is there") };
    store::claim(&house.control.store, &to, hash_of(&house, NEW)).await.unwrap();
    let kept =
        Kept { rights_hash: earlier.rights_hash.unwrap(), sealed_answer: earlier.sealed_answer.unwrap() };
    store::answered(&house.control.store, &to, Some(kept)).await.unwrap();
    let answer = house.repeat("other", KEYS, NEW).await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text.contains(first.json()["key"].as_str().unwrap()));
}

#[tokio::test]
async fn a_holder_with_too_many_that_are_not_answered_is_told_so() {
    let house = house().await;
    let some = row_of(&house, "k").await;
    for number in 0..store::MOST_OF_HOLDER {
        let mut key_hash = [0; 32];
        key_hash[..8].copy_from_slice(&number.to_be_bytes());
        let run = Run { key_hash, ..some };
        assert!(matches!(store::claim(&house.control.store, &run, [0; 32]).await.unwrap(), Claim::Ours));
    }
    let answer = house.repeat("k", KEYS, NEW).await;
    assert_eq!(verdict(&answer), (429, "too_many_requests".into()), "{}", answer.text);
    assert_eq!(answer.headers["retry-after"], "60");
    let mistrals = house.repeat("k", "/v1/admin/user-groups", r#"{"name":"g"}"#).await;
    assert_eq!((mistrals.status.as_u16(), mistrals.json()["detail"].is_string()), (429, true));
    // Without a key nothing is remembered, and a day later nothing is in doubt.
    assert_eq!(house.call("POST", KEYS, NEW).await.status, 200);
    house.pass_days(2);
    store::sweep(&house.control.store, house.control.clock.now()).await.unwrap();
    store::sweep(&house.control.store, house.control.clock.now()).await.unwrap();
    assert_eq!(house.repeat("k", KEYS, NEW).await.status, 200);
}

#[tokio::test]
async fn every_post_of_admins_heeds_it_and_says_so() {
    let mut document = crate::openapi::Document::new();
    document.describe(&crate::operations());
    let document = document.finish("1");
    let mut heeding = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let told = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
            let by_admin = !operation["security"][0]["AdminKey"].is_null();
            assert_eq!(told, method == "post" && by_admin, "{method} {path}");
            if told {
                heeding += 1;
                assert!(
                    ["409", "422"].iter().all(|status| operation["responses"][status].is_object()),
                    "{path}"
                );
            }
        }
    }
    assert!(heeding > 20, "{heeding}");
    // And they do: a key that is none is refused everywhere, before the body is read.
    let house = house().await;
    for operation in crate::operations().iter().filter(|operation| operation.is_once()) {
        let path = operation.path.replace(['{', '}'], "");
        let answer = house.repeat("a b", &path, "{").await;
        assert!(answer.status == 422 && answer.text.contains("Idempotency-Key"), "{path}: {}", answer.text);
    }
}

/// A run of the house's admin key with an idempotency key.
async fn row_of(house: &House, key: &str) -> Run {
    let public_id = read_public_id(KeyKind::Admin, &house.admin).unwrap();
    let admin = admin_keys::find(&house.control.store, public_id).await.unwrap().unwrap();
    Run {
        organization_id: house.organization,
        holder: admin.id.bytes(),
        key_hash: house.control.pepper.fingerprint(&format!("idempotency key\n{key}")),
        id: RequestId::new(house.control.clock.now(), &*house.control.entropy),
    }
}

/// The hash of a creation of a key with that body.
fn hash_of(house: &House, body: &str) -> [u8; 32] {
    let (head, ()) = Request::builder().method("POST").uri(KEYS).body(()).unwrap().into_parts();
    crate::idempotency::hash(&house.control, &head, &body.to_owned().into())
}
