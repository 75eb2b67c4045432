//! Keys are listed, made and deleted by the admin API, and calls are answered with those that are there.

use super::*;

const ADMIN: &str = "admin-key";

async fn strict() -> Served {
    let keys = vec!["first-key-0000000000".to_owned()];
    serve(Config { admin_key: Some(ADMIN.to_owned()), api_keys: keys, ..config(1) }).await
}

impl Served {
    async fn admin(&self, method: &str, path: &str, (header, value): (&str, &str), body: &Value) -> Got {
        let mut sent = request(method, path, if body.is_null() { String::new() } else { body.to_string() });
        sent.headers_mut().remove("authorization");
        sent.headers_mut().insert(http::HeaderName::try_from(header).unwrap(), value.parse().unwrap());
        Got::from(self.send(sent).await.unwrap()).await
    }

    async fn with_key(&self, key: &str) -> u16 {
        let mut sent = request("GET", "/v1/models", "");
        sent.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        self.send(sent).await.unwrap().status().as_u16()
    }
}

const X: (&str, &str) = ("x-api-key", ADMIN);
const PATH: &str = "/v1/admin/api-keys";

#[tokio::test]
async fn keys_are_made_taken_and_refused() {
    let served = strict().await;
    assert_eq!(served.with_key("first-key-0000000000").await, 200);
    assert_eq!(served.with_key("sk-upstream").await, 401, "nobody made it");
    let all = served.admin("GET", PATH, X, &Value::Null).await.json();
    let first = &all["keys"][0];
    assert_eq!((&first["hidden_key"], &first["key"]), (&json!("firs...0000"), &Value::Null));
    assert_eq!(first["last_used"], "2026-09-21");
    let new =
        json!({"name": "second", "workspace_uuid": first["workspace_id"], "user_id": first["created_by"]});
    let made = served.admin("POST", PATH, ("authorization", "Bearer admin-key"), &new).await;
    assert_eq!(made.status, 200);
    let made = made.json();
    let secret = made["key"].as_str().unwrap();
    assert_eq!((secret.len(), served.with_key(secret).await), (32, 200));
    let found = served.admin("GET", &format!("{PATH}?name=SECO"), X, &Value::Null).await.json();
    assert_eq!((found["keys"].as_array().unwrap().len(), &found["keys"][0]["key_id"]), (1, &made["key_id"]));
    let by_end = served.admin("GET", &format!("{PATH}?name=0000"), X, &Value::Null).await.json();
    assert_eq!(by_end["keys"][0]["key_id"], first["key_id"]);
    let second = served.admin("GET", &format!("{PATH}?limit=1&offset=1"), X, &Value::Null).await.json();
    assert_eq!(second["keys"][0]["key_id"], made["key_id"]);
    let path = format!("{PATH}/{}", first["key_id"].as_str().unwrap());
    let deleted = served.admin("DELETE", &path, X, &Value::Null).await;
    assert_eq!((deleted.status.as_u16(), deleted.json()["detail"].is_string()), (200, true));
    assert_eq!(served.with_key("first-key-0000000000").await, 401);
    assert_eq!(served.admin("DELETE", &path, X, &Value::Null).await.status, 404);
    assert_eq!(served.simulator.api_keys().len(), 2);
}

#[tokio::test]
async fn who_is_no_admin_and_what_is_no_key_is_refused() {
    let served = strict().await;
    for wrong in [("x-api-key", "first-key-0000000000"), ("authorization", "Bearer other"), ("x-api-key", "")]
    {
        assert_eq!(served.admin("GET", PATH, wrong, &Value::Null).await.status, 401);
    }
    let mut both = request("GET", PATH, "");
    both.headers_mut().insert("x-api-key", ADMIN.parse().unwrap());
    assert_eq!(served.send(both).await.unwrap().status(), 401, "two that differ");
    let nowhere = json!({"workspace_uuid": "00000000-0000-4000-8000-000000000000",
        "user_id": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(served.admin("POST", PATH, X, &nowhere).await.status, 404);
    assert_eq!(served.admin("POST", PATH, X, &json!({"workspace_uuid": "x"})).await.status, 422);
    assert_eq!(served.admin("DELETE", &format!("{PATH}/x"), X, &Value::Null).await.status, 422);
    assert_eq!(served.admin("PUT", PATH, X, &Value::Null).await.status, 405);
    let open = serve(config(1)).await;
    assert_eq!(open.admin("GET", PATH, X, &Value::Null).await.status, 404, "no admin key, no admin API");
    assert_eq!(open.with_key("whatever").await, 200);
}
