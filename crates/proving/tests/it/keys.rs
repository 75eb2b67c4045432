//! The life of a key over HTTP: made, shown once, narrowed, disabled, expired, revoked, on one node and on two.

use louver_proving::client::{request, send};
use louver_proving::system::{Setup, System, eventually};
use serde_json::json;

#[tokio::test]
async fn all_refused_keys_get_the_same_bytes() {
    let system = System::start().await;
    let (good, good_id) = system.key(json!({})).await;
    let (revoked, revoked_id) = system.key(json!({})).await;
    let (disabled, disabled_id) = system.key(json!({})).await;
    let (expired, _) = system.key(json!({"expires_at": "2026-11-21T10:00:30Z"})).await;
    assert_eq!(system.get(&expired, "/v1/models").await.status, 200);
    system.clock.advance(30);
    system.deed("POST", &format!("/v1/api-keys/{disabled_id}/disable"), json!({})).await;
    assert_eq!(system.admin("DELETE", &format!("/v1/api-keys/{revoked_id}"), None).await.status, 200);
    let mut wrong = good.clone();
    wrong.replace_range(20..21, if &good[20..21] == "a" { "b" } else { "a" });
    for path in ["/v1/models", "/v1/models/mistral-small-latest"] {
        for (what, key) in [
            ("revoked", &revoked),
            ("disabled", &disabled),
            ("expired", &expired),
            ("wrong", &wrong),
            ("empty", &String::new()),
            ("admin", &system.admin_key),
        ] {
            let answer = system.get(key, path).await;
            assert_eq!(
                (answer.status.as_u16(), answer.text().as_str()),
                (401, "{\"detail\":\"Unauthorized\"}"),
                "{what}"
            );
            let mut names: Vec<&str> = answer.headers.keys().map(|n| n.as_str()).collect();
            names.sort_unstable();
            assert_eq!(
                names,
                ["cache-control", "content-length", "content-type", "date", "x-request-id"],
                "{what}"
            );
        }
    }
    assert_eq!(system.simulator.calls(), 0);
    system.deed("POST", &format!("/v1/api-keys/{disabled_id}/enable"), json!({})).await;
    assert_eq!(system.get(&disabled, "/v1/models").await.status, 200, "enabled again at once");
    assert_eq!(system.get(&good, "/v1/models").await.status, 200);
    assert_eq!(
        system.admin("DELETE", &format!("/v1/api-keys/{good_id}"), None).await.json()["deleted"],
        true
    );
    assert_eq!(system.get(&good, "/v1/models").await.status, 401, "the next request after the answer");
}

async fn revoked_everywhere(setup: Setup) {
    let system = System::with(setup).await;
    let second = system.second_node().await;
    let (key, id) = system.key(json!({})).await;
    let ask = async || send(second.address, request("GET", "/v1/models", &key, None)).await.status.as_u16();
    eventually(async || (ask().await == 200).then_some(())).await;
    assert_eq!(system.admin("DELETE", &format!("/v1/api-keys/{id}"), None).await.status, 200);
    assert_eq!(system.get(&key, "/v1/models").await.status, 401);
    let within = tokio::time::timeout(
        std::time::Duration::from_secs(2),
        eventually(async || (ask().await == 401).then_some(())),
    );
    within.await.expect("another node refuses a revoked key within 2 s");
    second.stop().await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_here_and_within_two_seconds_elsewhere() {
    revoked_everywhere(Setup::default()).await;
}

#[tokio::test]
async fn so_it_is_on_postgres() {
    revoked_everywhere(Setup { postgres: true, ..Setup::default() }).await;
}

#[tokio::test]
async fn last_used_follows_use() {
    let system = System::start().await;
    let (key, id) = system.key(json!({})).await;
    let path = format!("/v1/api-keys/{id}");
    assert!(system.admin("GET", &path, None).await.json()["last_used_at"].is_null());
    system.clock.advance(5);
    assert_eq!(system.get(&key, "/v1/models").await.status, 200);
    let seen = eventually(async || {
        system.admin("GET", &path, None).await.json()["last_used_at"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(seen, "2026-11-21T10:00:05Z");
}

#[tokio::test]
async fn a_key_is_bound_to_its_endpoints_and_addresses() {
    let system = System::start().await;
    let (key, _) = system.key(json!({"allowed_endpoints": ["embeddings"]})).await;
    assert_eq!(
        system.chat(&key, "mistral-small-latest").await.verdict(),
        (403, "endpoint_not_allowed".into())
    );
    assert_eq!(system.get(&key, "/v1/models").await.verdict(), (403, "endpoint_not_allowed".into()));
    let body = json!({"model": "mistral-embed", "input": "a"});
    assert_eq!(system.post(&key, "/v1/embeddings", &body).await.status, 200);
    let (key, _) = system.key(json!({"allowed_cidrs": ["10.0.0.0/8"]})).await;
    assert_eq!(
        system.chat(&key, "mistral-small-latest").await.verdict(),
        (403, "address_not_allowed".into())
    );
    let (key, _) = system.key(json!({"allowed_cidrs": ["127.0.0.0/8"]})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
}

#[tokio::test]
async fn bodies_with_comments_are_400_with_line_and_column_and_make_nothing() {
    let system = System::start().await;
    let body = b"{\n\"name\": \"ml\",\n\"rate_limit_rpm\": 500 # HTTP 500 Internal Server Error\n}";
    let mut call = request("POST", "/v1/api-keys", &system.admin_key, Some(body));
    call.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let answer = send(system.address, call).await;
    assert_eq!(answer.verdict(), (400, "invalid_json".into()));
    assert_eq!((answer.json()["line"].as_u64(), answer.json()["column"].as_u64()), (Some(3), Some(23)));
    assert_eq!(system.admin("GET", "/v1/api-keys", None).await.json()["data"], json!([]));
}
