//! The canary: known secrets go through everything, then nothing that Louver says or stores may hold them.

use louver_proving::client::{request, send};
use louver_proving::system::{System, UPSTREAM_KEY};
use serde_json::json;

#[tokio::test]
async fn no_secret_is_said_twice_or_stored() {
    let mut system = System::start().await;
    // An answer that holds a secret is kept for repetitions, sealed.
    let mut kept = request("POST", "/v1/api-keys", &system.admin_key, Some(br#"{"name":"repeated"}"#));
    kept.headers_mut().insert("idempotency-key", "idempotency-canary-of-a-client".parse().unwrap());
    let kept: Vec<String> = [send(system.address, kept.clone()).await, send(system.address, kept).await]
        .iter()
        .map(|answer| answer.json()["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kept[0], kept[1]);
    let prompt = "prompt-canary-of-a-client";
    let (stored, stored_admin) = ("stored-upstream-canary", "stored-upstream-admin-canary");
    let (key, id) = system.key(json!({"description": "d"})).await;
    system
        .deed("POST", "/v1/gateway/upstreams", json!({"name": "u", "key": stored, "admin_key": stored_admin}))
        .await;
    let (path, signer) = ("/webhook-path-canary", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let hook = json!({"name": "h", "kind": "webhook", "url": format!("https://hooks.invalid{path}"), "secret": signer});
    let channel = system.deed("POST", "/v1/gateway/alert-channels", hook).await;
    let test = format!("/v1/gateway/alert-channels/{}/test", channel["id"].as_str().unwrap());
    let body = json!({"model": "mistral-small-latest", "messages": [{"role": "user", "content": prompt}]});
    let mut said = vec![system.post(&key, "/v1/chat/completions", &body).await.text(), channel.to_string()];
    said.push(system.deed("POST", &test, json!({})).await.to_string());
    for path in [
        "/v1/api-keys",
        "/v1/gateway/upstreams",
        "/v1/gateway/organization",
        "/v1/gateway/usage?group_by=key",
        "/v1/gateway/roles",
        "/v1/gateway/alert-channels",
        "/v1/gateway/alerts",
    ] {
        said.push(system.admin("GET", path, None).await.text());
    }
    said.push(
        system.admin("PATCH", &format!("/v1/api-keys/{id}"), Some(json!({"name": "renamed"}))).await.text(),
    );
    said.push(system.post("lvr_wrong", "/v1/chat/completions", &body).await.text());
    said.push(system.admin("DELETE", &format!("/v1/api-keys/{id}"), None).await.text());
    let (folder, admin_key) =
        (system.database_url.trim_start_matches("sqlite:").to_owned(), system.admin_key.clone());
    system.stop().await;
    drop(system.store);
    let mut bytes = std::fs::read(&folder).unwrap();
    for more in ["-wal", "-shm"] {
        bytes.extend(std::fs::read(format!("{folder}{more}")).unwrap_or_default());
    }
    let repeated = ["idempotency-canary-of-a-client", kept[0].as_str()];
    for canary in [key.as_str(), admin_key.as_str(), UPSTREAM_KEY, stored, stored_admin, prompt, path, signer]
        .into_iter()
        .chain(repeated)
    {
        assert!(!said.iter().any(|text| text.contains(canary)), "said: {canary}");
        assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "stored: {canary}");
    }
}
