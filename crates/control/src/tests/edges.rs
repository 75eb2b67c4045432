//! The edges: credentials, documents, sizes, paths, conditions, neighbours, and the wait for the gateway.

use super::{House, house};
use axum::body::Body;
use http::Request;
use serde_json::json;

async fn status_with(house: &House, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = house.request("GET", "/v1/api-keys");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = house.send(request.body(Body::empty()).unwrap()).await;
    (answer.status.as_u16(), answer.text)
}

#[tokio::test]
async fn only_one_sound_credential_opens() {
    let house = house().await;
    let key = house.admin.as_str();
    let (bearer, small) = (format!("Bearer {key}"), format!("bEaReR {key}"));
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("authorization", small.as_str())],
        vec![("x-api-key", key)],
        vec![("authorization", bearer.as_str()), ("x-api-key", key)],
    ] {
        assert_eq!(status_with(&house, &headers).await.0, 200, "{headers:?}");
    }
    let api = house.make("/v1/api-keys", r#"{"name":"a"}"#).await["key"].as_str().unwrap().to_owned();
    let minted = louver_domain::keys::mint(louver_domain::keys::KeyKind::Admin, &*house.control.entropy);
    let unknown = format!("Bearer {}", minted.secret.expose());
    let (two, typo) = (format!("Bearer  {key}"), format!("Bearer {}x", &key[..key.len() - 1]));
    let (basic, api_bearer, spaced) =
        (format!("Basic {key}"), format!("Bearer {api}"), format!("Bearer {key} "));
    for headers in [
        vec![],
        vec![("authorization", key)],
        vec![("authorization", two.as_str())],
        vec![("authorization", spaced.as_str())],
        vec![("authorization", basic.as_str())],
        vec![("authorization", typo.as_str())],
        vec![("authorization", unknown.as_str())],
        vec![("authorization", api_bearer.as_str())],
        vec![("authorization", "Bearer ")],
        vec![("authorization", bearer.as_str()), ("authorization", bearer.as_str())],
        vec![("x-api-key", key), ("x-api-key", key)],
        vec![("x-api-key", api.as_str()), ("authorization", bearer.as_str())],
        vec![("x-api-key", key), ("authorization", typo.as_str())],
        vec![("x-api-key", key), ("authorization", "Basic x")],
        vec![("x-api-key", ""), ("authorization", bearer.as_str())],
    ] {
        assert_eq!(
            status_with(&house, &headers).await,
            (401, r#"{"detail":"Unauthorized"}"#.into()),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn revoked_and_expired_admin_keys_do_not_open() {
    use crate::actions::admin_keys;
    let house = house().await;
    let end = house.control.clock.now().plus_seconds(86_400);
    let (_, short) = admin_keys::create(&house.control, &house.system(), "short", Some(end)).await.unwrap();
    let (long_key, long) = admin_keys::create(&house.control, &house.system(), "long", None).await.unwrap();
    for minted in [&short, &long] {
        assert_eq!(house.call_as(minted.secret.expose(), "GET", "/v1/api-keys", "").await.status, 200);
    }
    house.pass_days(1);
    admin_keys::revoke(&house.control, &house.system(), long_key.id).await.unwrap();
    for minted in [&short, &long] {
        let answer = house.call_as(minted.secret.expose(), "GET", "/v1/api-keys", "").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (401, r#"{"detail":"Unauthorized"}"#));
    }
    assert_eq!(admin_keys::list(&house.control, &house.system()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn documents_that_are_not_one_json_value_are_placed_and_make_nothing() {
    let house = house().await;
    let body =
        "{\n\"name\": \"ml-team-full-access\",\n\"rate_limit_rpm\": 500 # HTTP 500 Internal Server Error\n}";
    let answer = house.call("POST", "/v1/api-keys", body).await;
    let shown = answer.json();
    assert_eq!(
        (answer.status.as_u16(), &shown["type"], &shown["code"]),
        (400, &json!("invalid_json"), &json!("invalid_json"))
    );
    assert_eq!((&shown["line"], &shown["column"], &shown["param"]), (&json!(3), &json!(23), &json!(null)));
    assert!(shown["message"].as_str().unwrap().ends_with("at line 3, column 23"), "{}", answer.text);
    assert_eq!(shown["detail"], shown["message"]);
    assert_eq!(shown["raw_status_code"], 400);
    for (body, kind) in [
        ("", "invalid_json"),
        (r#"{"name":"a"} {"#, "invalid_json"),
        (r#"{"name":"a","n\u0061me":"b"}"#, "duplicate_key"),
        ("\u{feff}{}", "invalid_encoding"),
        (&"[".repeat(100), "too_deep"),
    ] {
        let answer = house.call("POST", "/v1/api-keys", body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["type"].clone()), (400, json!(kind)), "{body}");
    }
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(1024 * 1024));
    let answer = house.call("POST", "/v1/api-keys", &large).await;
    assert_eq!((answer.status.as_u16(), answer.json()["type"].clone()), (413, json!("request_too_large")));
    assert_eq!(house.count_keys().await, 0);
}

#[tokio::test]
async fn the_body_is_not_read_before_the_credential_is_known() {
    let house = house().await;
    let answer = house.call_as("nobody", "POST", "/v1/api-keys", "# no JSON").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn keys_in_the_query_are_refused_without_echo() {
    let house = house().await;
    for query in [
        format!("name={}", house.admin),
        house.admin.clone(),
        format!("x={}", house.admin.replace('_', "%5F")),
    ] {
        let answer = house.get(&format!("/v1/api-keys?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.json()["type"].clone()), (400, json!("key_in_query")));
        assert!(!answer.text.contains(&house.admin[4..16]));
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let house = house().await;
    for path in ["/v1/api-keys/", "/v1/gateway/nothing", "/v1/admin/nothing", "/v1/gateway"] {
        let answer = house.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (404, json!({"message": "no Route matched with those values"}))
        );
    }
    let answer = house.call("PUT", "/v1/api-keys", "").await;
    assert_eq!(answer.status, 405);
    let mut allowed: Vec<&str> = answer.headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    assert_eq!(answer.json()["type"], "method_not_allowed");
    for id in ["nonsense", "key_00000000000000000000000000000000", "%ff", "..%2f"] {
        let answer = house.get(&format!("/v1/api-keys/{id}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["type"].clone()),
            (404, json!("not_found")),
            "{id}"
        );
    }
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(house.get("/v1/api-keys").await.headers["cache-control"], "no-store");
    assert_eq!(house.call_as("x", "GET", "/v1/api-keys", "").await.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn neighbours_see_and_touch_nothing() {
    let house = house().await;
    let key = house.make("/v1/api-keys", r#"{"name":"mine"}"#).await;
    let key = key["id"].as_str().unwrap();
    let upstream = house.make("/v1/gateway/upstreams", r#"{"name":"u","key":"abcdefgh12345678"}"#).await;
    let upstream = upstream["id"].as_str().unwrap();
    let theirs = house.neighbour().await;
    let before = house.audit().await.len();
    let workspace = house.workspace;
    for (method, path, body) in [
        ("GET", format!("/v1/api-keys/{key}"), ""),
        ("PATCH", format!("/v1/api-keys/{key}"), r#"{"name":"stolen"}"#),
        ("DELETE", format!("/v1/api-keys/{key}"), ""),
        ("POST", format!("/v1/api-keys/{key}/disable"), ""),
        ("GET", format!("/v1/gateway/workspaces/{workspace}/limits"), ""),
        ("PATCH", format!("/v1/gateway/workspaces/{workspace}/limits"), r#"{"mode":"shadow"}"#),
        ("PATCH", format!("/v1/gateway/upstreams/{upstream}"), r#"{"enabled":false}"#),
        ("DELETE", format!("/v1/gateway/upstreams/{upstream}"), ""),
    ] {
        let answer = house.call_as(&theirs, method, &path, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["type"].clone()),
            (404, json!("not_found")),
            "{method} {path}"
        );
        if path.contains("/api-keys/") {
            let unknown = house.call(method, &path.replace(&key[8..], &"0".repeat(28)), body).await;
            assert_eq!(unknown.json()["message"], answer.json()["message"], "foreign and unknown look alike");
        }
    }
    for path in ["/v1/api-keys", "/v1/gateway/upstreams", "/v1/gateway/users", "/v1/gateway/usage"] {
        assert_eq!(house.call_as(&theirs, "GET", path, "").await.json()["data"], json!([]), "{path}");
    }
    let foreign = json!({"name": "a", "workspace_id": workspace}).to_string();
    let answer = house.call_as(&theirs, "POST", "/v1/api-keys", &foreign).await;
    assert_eq!(answer.refused(), (422, "workspace_id".into()));
    assert_eq!(house.audit().await.len(), before);
    assert_eq!(house.get(&format!("/v1/api-keys/{key}")).await.json()["name"], "mine");
}

#[tokio::test]
async fn an_answer_waits_for_the_gateway_beside_it() {
    let house = house().await;
    house.applied.send_replace(0);
    let mut commits = house.control.store.commits();
    commits.mark_unchanged();
    let request = house.request("POST", "/v1/api-keys").header("x-api-key", &house.admin);
    let request: Request<Body> = request.body(Body::from(r#"{"name":"a"}"#)).unwrap();
    let call = tokio::spawn(tower::ServiceExt::oneshot(house.app.clone(), request));
    commits.changed().await.unwrap();
    let revision = *commits.borrow();
    assert!(!call.is_finished(), "committed, and not answered yet");
    house.applied.send_replace(revision);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn there_is_one_founding() {
    use crate::error::ControlError;
    let house = house().await;
    let again = crate::actions::setup::found(&house.control, "Again", house.control.clock.now()).await;
    assert!(matches!(again, Err(ControlError::Conflict(_))));
    let events: Vec<String> = house.audit().await.into_iter().rev().map(|event| event.action).collect();
    assert_eq!(events[..2], ["organization.create", "workspace.create"]);
    assert_eq!(events.iter().filter(|action| *action == "model_role.create").count(), 4);
    assert_eq!(events[events.len() - 2..], ["model.update", "admin_api_key.created"]);
}
