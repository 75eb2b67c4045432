//! The gateway's own resources: limits, roles, models, upstream credentials, service accounts.

use super::{holds, house};
use crate::actions::{users, workspaces};
use axum::body::Body;
use serde_json::json;

#[tokio::test]
async fn limits_are_merged_checked_and_guarded_by_tags() {
    let house = house().await;
    let first = house.get("/v1/gateway/organization").await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let limits = first.json()["limits"].clone();
    assert_eq!(limits.as_object().unwrap().len(), 21, "every field is there");
    assert!(limits.as_object().unwrap().values().all(serde_json::Value::is_null));

    let patch = async |tag: &str, body: &str| {
        let request = house.request("PATCH", "/v1/gateway/organization").header("x-api-key", &house.admin);
        house.send(request.header("if-match", tag).body(Body::from(body.to_owned())).unwrap()).await
    };
    let body = r#"{"billing_active":false,"limits":{"monthly_budget_usd":1000,"requests_per_minute":600}}"#;
    let changed = patch(&tag, body).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.headers["etag"].to_str().unwrap(), tag);
    let stale = patch(&tag, body).await;
    assert_eq!((stale.status.as_u16(), stale.json()["type"].clone()), (412, json!("precondition_failed")));
    assert_eq!(patch("*", r#"{"limits":{"requests_per_minute":null}}"#).await.status, 200);
    let now = house.get("/v1/gateway/organization").await.json();
    assert_eq!((&now["billing_active"], &now["limits"]["monthly_budget_usd"]), (&json!(false), &json!(1000)));
    assert_eq!(now["limits"]["requests_per_minute"], json!(null));

    let path = format!("/v1/gateway/workspaces/{}/limits", house.workspace);
    for (body, param) in [
        (r#"{"monthly_budget_usd":1000.5}"#, "monthly_budget_usd"),
        (r#"{"requests_per_minute":1000000000001}"#, "requests_per_minute"),
        (r#"{"alert_thresholds":[0]}"#, "alert_thresholds"),
        (r#"{"alert_thresholds":[50,50]}"#, "alert_thresholds"),
        (r#"{"alert_thresholds":[80,50]}"#, "alert_thresholds"),
        (r#"{"alert_thresholds":[101]}"#, "alert_thresholds"),
        (r#"{"alert_thresholds":[300]}"#, "alert_thresholds"),
        (r#"{"timezone":"Europe/Atlantis"}"#, "timezone"),
        (r#"{"mode":"off"}"#, "mode"),
        (r#"{"key_creation":"all"}"#, "key_creation"),
        (r#"{"max_key_lifetime_days":0}"#, "max_key_lifetime_days"),
        (r#"{"max_key_idle_days":0}"#, "max_key_idle_days"),
        (r#"{"allowed_models":["nope"]}"#, "allowed_models"),
        (r#"{"rpm":1}"#, "rpm"),
    ] {
        assert_eq!(house.call("PATCH", &path, body).await.refused(), (422, param.into()), "{body}");
    }
    let answer = house.call("PATCH", "/v1/gateway/organization", r#"{"limits":{"mode":"off"}}"#).await;
    assert_eq!(answer.refused(), (422, "limits.mode".into()));
    assert_eq!(answer.json()["detail"][0]["loc"], json!(["body", "limits", "mode"]));
    assert_eq!(house.call("PATCH", "/v1/gateway/organization", r#"{"limits":[["*"]]}"#).await.status, 422);
    assert_eq!(house.call("PATCH", "/v1/gateway/organization", r#"{"limits":null}"#).await.status, 422);
    let body = r#"{"allowed_models":["mistral-small","codestral"],"monthly_budget_usd":50,"timezone":"UTC","mode":"shadow"}"#;
    let set = house.call("PATCH", &path, body).await.json();
    assert_eq!((&set["monthly_budget_usd"], &set["mode"]), (&json!(50), &json!("shadow")));
    assert_eq!(house.get(&path).await.json(), set);
    let list = house.get("/v1/gateway/workspaces").await.json();
    assert_eq!(list["data"][0]["limits"], set);
    assert_eq!(list["data"][0]["id"], house.workspace.to_string());
    let newest = &house.audit().await[0];
    assert_eq!(newest.action, "workspace.limits.update");
    assert!(newest.before.as_ref().unwrap().contains("\"monthly_budget_usd\":null"));
    assert!(newest.after.as_ref().unwrap().contains("\"monthly_budget_usd\":50"));
}

#[tokio::test]
async fn people_get_limits_and_roles() {
    let house = house().await;
    let new = users::NewUser {
        email: "ann@example.org".into(),
        memberships: vec![(house.workspace, Some("developer".into()))],
        ..users::NewUser::default()
    };
    let ann = users::create(&house.control, &house.system(), vec![new]).await.unwrap()[0].id;
    house.call("PATCH", "/v1/gateway/organization", r#"{"limits":{"tokens_per_month":1000}}"#).await;
    let path = format!("/v1/gateway/users/{ann}/limits");
    assert_eq!(
        house.call("PATCH", &path, r#"{"tokens_per_month":1001}"#).await.refused(),
        (422, "tokens_per_month".into())
    );
    assert_eq!(
        house.call("PATCH", &path, r#"{"tokens_per_month":999}"#).await.json()["tokens_per_month"],
        999
    );
    assert_eq!(house.get("/v1/gateway/users").await.json()["data"][0]["limits"]["tokens_per_month"], 999);

    let path = format!("/v1/gateway/workspaces/{}/members/{ann}/model-role", house.workspace);
    for (body, wanted) in [
        (r#"{"role":"senior"}"#, 200),
        (r#"{"role":"emperor"}"#, 422),
        ("{}", 422),
        (r#"{"role":7}"#, 422),
        (r#"{"role":null}"#, 200),
    ] {
        assert_eq!(house.call("PUT", &path, body).await.status, wanted, "{body}");
    }
    let unknown =
        format!("/v1/gateway/workspaces/{}/members/{}/model-role", house.workspace, house.workspace);
    assert_eq!(house.call("PUT", &unknown, r#"{"role":null}"#).await.status, 404);
    let events = house.audit().await;
    assert!(events[0].before.as_ref().unwrap().contains("senior"));

    let body = json!({"name": "bot", "workspace_id": house.workspace, "role": "analyst"}).to_string();
    let bot = house.make("/v1/gateway/service-accounts", &body).await;
    assert_eq!(house.call("POST", "/v1/gateway/service-accounts", &body).await.status, 409);
    let path = format!(
        "/v1/gateway/workspaces/{}/service-accounts/{}/model-role",
        house.workspace,
        bot["id"].as_str().unwrap()
    );
    assert_eq!(house.call("PUT", &path, r#"{"role":"admin"}"#).await.json()["role"], "admin");
    assert_eq!(house.get("/v1/gateway/service-accounts").await.json()["data"][0]["role"], "admin");
}

#[tokio::test]
async fn roles_are_made_changed_restored_and_deleted_when_unheld() {
    let house = house().await;
    let body = r#"{"name":"intern","allowed_models":["mistral-small"],"max_tokens_per_request":100}"#;
    let made = house.make("/v1/gateway/roles", body).await;
    assert_eq!((&made["builtin"], &made["daily_token_budget"]), (&json!(false), &json!(null)));
    assert_eq!(house.call("POST", "/v1/gateway/roles", body).await.status, 409);
    for name in ["", "Big", "-x", "a b", &"a".repeat(65)] {
        let body = json!({"name": name, "allowed_models": []}).to_string();
        assert_eq!(
            house.call("POST", "/v1/gateway/roles", &body).await.refused(),
            (422, "name".into()),
            "{name}"
        );
    }
    let body = r#"{"name":"x","allowed_models":["gpt-4"]}"#;
    assert_eq!(house.call("POST", "/v1/gateway/roles", body).await.refused(), (422, "allowed_models".into()));
    let names: Vec<_> = house.get("/v1/gateway/roles").await.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].clone())
        .collect();
    assert_eq!(names, ["admin", "analyst", "developer", "senior", "intern"]);
    let rest = house.get("/v1/gateway/roles?limit=1&after=developer").await.json();
    assert_eq!((&rest["data"][0]["name"], &rest["has_more"]), (&json!("senior"), &json!(true)));

    let key = house.make("/v1/api-keys", r#"{"name":"a","role":"intern"}"#).await;
    let held = house.call("DELETE", "/v1/gateway/roles/intern", "").await;
    assert_eq!(held.status, 409);
    assert!(held.json()["message"].as_str().unwrap().starts_with("1 "));
    house.call("DELETE", &format!("/v1/api-keys/{}", key["id"].as_str().unwrap()), "").await;
    assert_eq!(house.call("DELETE", "/v1/gateway/roles/intern", "").await.status, 200);
    assert_eq!(house.get("/v1/gateway/roles/intern").await.status, 404);

    let original = house.get("/v1/gateway/roles/analyst").await.json();
    let patch = r#"{"max_tokens_per_request":null,"daily_token_budget":1,"allowed_models":["*"]}"#;
    let changed = house.call("PATCH", "/v1/gateway/roles/analyst", patch).await.json();
    assert_eq!(changed["max_tokens_per_request"], json!(null));
    assert_eq!(house.call("DELETE", "/v1/gateway/roles/analyst", "").await.status, 409);
    assert_eq!(house.call("POST", "/v1/gateway/roles/analyst/restore", "").await.json(), original);
    assert_eq!(house.call("POST", "/v1/gateway/roles/nobody/restore", "").await.status, 404);
}

#[tokio::test]
async fn the_catalogue_is_replaced_as_a_whole() {
    let house = house().await;
    let list = house.get("/v1/gateway/models").await.json();
    assert!(list["data"].as_array().unwrap().len() > 5);
    let again = house.call("PUT", "/v1/gateway/models", &json!({"models": list["data"]}).to_string()).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(house.get("/v1/gateway/models").await.json(), list, "what is shown can be sent back");
    assert_eq!(house.get("/v1/gateway/models/codestral-latest").await.json()["family"], "codestral");
    assert_eq!(house.get("/v1/gateway/models/nope").await.status, 404);

    let price = json!({"effective_from": "2026-01-01", "input_usd_per_mtok": 0.1, "cached_input_usd_per_mtok": 0.01, "output_usd_per_mtok": 0.3});
    let model = |id: &str, aliases: &[&str], prices: serde_json::Value| json!({"id": id, "aliases": aliases, "family": "m", "name": "M", "context": 1000, "status": "active", "prices": prices});
    let mut negative = price.clone();
    negative["input_usd_per_mtok"] = json!(-0.1);
    let mut extra = model("a", &[], json!([]));
    extra["colour"] = json!("red");
    for (models, param) in [
        (json!([]), "models"),
        (json!([model("A", &[], json!([]))]), "models.id"),
        (json!([model("a", &["a"], json!([]))]), "models.aliases"),
        (json!([model("a", &[], json!([])), model("b", &["a"], json!([]))]), "models.aliases"),
        (json!([model("a", &[], json!([price, price]))]), "models.prices.effective_from"),
        (json!([model("a", &[], json!([negative]))]), "models.prices.input_usd_per_mtok"),
        (json!([extra]), "models.colour"),
        (json!([["a"]]), "models"),
    ] {
        let answer = house.call("PUT", "/v1/gateway/models", &json!({"models": models}).to_string()).await;
        assert_eq!(answer.refused(), (422, param.into()), "{models}: {}", answer.text);
    }
    assert_eq!(house.get("/v1/gateway/models").await.json(), list);
    let one = house
        .call(
            "PUT",
            "/v1/gateway/models?force=true",
            &json!({"models": [model("a", &["b"], json!([price]))]}).to_string(),
        )
        .await;
    assert_eq!(one.status, 200, "{}", one.text);
    assert_eq!(house.audit().await[0].action, "model.update");
}

#[tokio::test]
async fn upstream_keys_go_in_and_never_come_out() {
    let house = house().await;
    let (first, second) = ("mistral-key-0123456789", "another-key-9876543210");
    let made = house.make("/v1/gateway/upstreams", &json!({"name": "prod", "key": first}).to_string()).await;
    let path = format!("/v1/gateway/upstreams/{}", made["id"].as_str().unwrap());
    let changed = house.call("PATCH", &path, &json!({"key": second, "enabled": false}).to_string()).await;
    assert_eq!(changed.json()["enabled"], false);
    let list = house.get("/v1/gateway/upstreams").await;
    for text in [made.to_string(), changed.text, list.text] {
        assert!(!text.contains(&first[..8]) && !text.contains(&second[..8]), "{text}");
    }
    let body = json!({"name": "prod", "key": first}).to_string();
    assert_eq!(house.call("POST", "/v1/gateway/upstreams", &body).await.status, 409);
    for key in [
        json!("short"),
        json!("has a space in it"),
        json!("é".repeat(10)),
        json!("x".repeat(513)),
        json!([first]),
        json!(null),
    ] {
        let answer =
            house.call("POST", "/v1/gateway/upstreams", &json!({"name": "b", "key": key}).to_string()).await;
        assert_eq!(answer.refused(), (422, "key".into()));
        assert!(!answer.text.contains(first));
    }
    assert_eq!(house.call("DELETE", &path, "").await.status, 200);
    assert_eq!(house.call("DELETE", &path, "").await.status, 404);
    let events = house.audit().await;
    let actions: Vec<&str> = events.iter().take(3).map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["upstream.delete", "upstream.update", "upstream.create"]);
    let disk = house.disk().await;
    assert!(!holds(&disk, first) && !holds(&disk, second));
}

#[tokio::test]
async fn names_of_workspaces_are_taken_once() {
    let house = house().await;
    let new = || workspaces::NewWorkspace { name: "default".into(), ..workspaces::NewWorkspace::default() };
    let again = workspaces::create(&house.control, &house.system(), new()).await;
    assert!(matches!(again, Err(crate::error::ControlError::Conflict(_))));
}
