//! The short key API: the life of a key, and every rule that a key must keep.

use super::{holds, house};
use crate::actions::{keys, service_accounts, users, workspaces};
use louver_domain::limits::Limits;
use louver_domain::money::Money;
use louver_domain::old_secrets::LastUse;
use louver_store::keys::get;
use louver_store::old_secrets::{Of, Use, save_last_used};
use serde_json::json;

#[tokio::test]
async fn a_key_lives_and_its_secret_is_seen_once() {
    let house = house().await;
    let made = house
        .make(
            "/v1/api-keys",
            r#"{"name":"dev-team-small-only","allowed_models":["mistral-small-latest","codestral-latest"],"rate_limit_rpm":100}"#,
        )
        .await;
    let (id, secret) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(made["api_key"], made["key"]);
    assert!(id.starts_with("key_") && id.len() == 36 && secret.starts_with("lvr_"));
    assert_eq!(made["workspace_id"], house.workspace.prefixed());
    assert_eq!(made["allowed_models"], json!(["mistral-small-latest", "codestral-latest"]));
    assert_eq!(made["rate_limit_rpm"], 100);
    assert_eq!(made["created_at"], "2026-11-21T02:31:58Z");
    assert_eq!(made["object"], "api_key");
    assert_eq!(made["status"], "active");
    for null in
        ["description", "last_used_at", "expires_at", "role", "tokens_per_minute", "monthly_budget_usd"]
    {
        assert!(made.as_object().unwrap()[null].is_null(), "{null}");
    }

    let path = format!("/v1/api-keys/{id}");
    let shown = house.get(&path).await;
    assert_eq!(shown.status, 200);
    assert!(shown.json().get("key").is_none() && shown.json().get("api_key").is_none());
    let patch = r#"{"name":"renamed","description":"d","rate_limit_rpm":null,"monthly_budget_usd":12.5}"#;
    let changed = house.call("PATCH", &path, patch).await.json();
    assert_eq!(changed["name"], "renamed");
    assert_eq!(changed["rate_limit_rpm"], json!(null));
    assert_eq!(changed["monthly_budget_usd"], json!(12.5));
    assert_eq!(
        changed["allowed_models"],
        json!(["mistral-small-latest", "codestral-latest"]),
        "absent leaves"
    );
    assert_eq!(house.call("POST", &format!("{path}/disable"), "").await.json()["status"], "disabled");
    assert_eq!(house.call("POST", &format!("{path}/enable"), "").await.json()["status"], "active");
    for _ in 0..2 {
        let gone = house.call("DELETE", &path, "").await;
        assert_eq!(gone.status, 200);
        assert_eq!(gone.json(), json!({"id": id, "object": "api_key.deleted", "deleted": true}));
    }
    for (method, path) in
        [("PATCH", path.clone()), ("POST", format!("{path}/enable")), ("POST", format!("{path}/disable"))]
    {
        let answer = house.call(method, &path, r#"{"name":"x"}"#).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["type"].clone()),
            (409, json!("conflict")),
            "{method} {path}"
        );
    }
    let list = house.get("/v1/api-keys?status=revoked").await;
    assert_eq!(list.json()["data"][0]["status"], "revoked");
    assert!(!list.text.contains(secret));

    let actions: Vec<String> = house.audit().await.into_iter().rev().map(|event| event.action).collect();
    let tail = &actions[actions.len() - 5..];
    assert_eq!(
        tail,
        ["api_key.create", "api_key.update", "api_key.disable", "api_key.enable", "api_key.delete"]
    );
    let disk = house.disk().await;
    assert!(holds(&disk, "renamed"));
    assert!(!holds(&disk, secret) && !holds(&disk, &secret[17..]), "no secret on disk");
    assert!(!holds(&disk, &house.admin[17..]));
}

#[tokio::test]
async fn both_forms_of_ids_are_read_everywhere() {
    let house = house().await;
    for workspace in [house.workspace.to_string(), house.workspace.prefixed()] {
        let body = json!({"name": "a", "workspace_id": workspace}).to_string();
        let made = house.make("/v1/api-keys", &body).await;
        let hex = made["id"].as_str().unwrap().strip_prefix("key_").unwrap();
        let uuid = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
        assert_eq!(house.get(&format!("/v1/api-keys/{uuid}")).await.json()["id"], made["id"]);
        let list = house.get(&format!("/v1/api-keys?workspace_id={workspace}&after={uuid}")).await;
        assert_eq!(list.json()["data"], json!([]));
    }
    assert_eq!(
        house.get(&format!("/v1/api-keys?workspace_id={}", house.workspace)).await.json()["data"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn unused_keys_are_found_by_their_days() {
    let house = house().await;
    let old = house.make("/v1/api-keys", r#"{"name":"old"}"#).await;
    let used = house.make("/v1/api-keys", r#"{"name":"used"}"#).await;
    house.pass_days(20);
    let id = louver_domain::id::KeyId::parse(used["id"].as_str().unwrap()).unwrap();
    let key = get(&house.control.store, house.organization, id).await.unwrap().unwrap();
    let last = LastUse { at: house.control.clock.now(), address: None, client: None };
    let use_of_it = Use { key: Of::Api(id), public_id: key.public_id, last };
    save_last_used(&house.control.store, &[use_of_it]).await.unwrap();
    let names = async |query: &str| -> Vec<String> {
        let list = house.get(&format!("/v1/api-keys?{query}")).await.json();
        list["data"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names("unused_days=30").await.is_empty());
    house.pass_days(11);
    assert_eq!(names("unused_days=30").await, ["old"], "31 days and never used");
    assert_eq!(names("unused_days=10").await, ["old", "used"]);
    assert_eq!(names("unused_days=30&name=used").await, Vec::<String>::new());
    let shown = house.get(&format!("/v1/api-keys/{}", used["id"].as_str().unwrap())).await.json();
    assert_eq!(shown["last_used_at"], "2026-12-11T02:31:58Z");
    assert_eq!(old["last_used_at"], json!(null));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let house = house().await;
    let context = house.system();
    for number in 0..1005 {
        let new = keys::NewKey { name: format!("k{number}"), ..keys::NewKey::default() };
        keys::create(&house.control, &context, new).await.unwrap();
    }
    let first = house.get("/v1/api-keys?limit=1000").await.json();
    assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (1000, &json!(true)));
    let last = first["data"][999]["id"].as_str().unwrap();
    let rest = house.get(&format!("/v1/api-keys?limit=1000&after={last}")).await.json();
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["has_more"]), (5, &json!(false)));
    assert_eq!(house.get("/v1/api-keys").await.json()["data"].as_array().unwrap().len(), 100);
    for bad in [
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=1000000000",
        "limit=x",
        "limit=+5",
        "limit=",
        "limit=5&limit=5",
    ] {
        assert_eq!(house.get(&format!("/v1/api-keys?{bad}")).await.refused(), (422, "limit".into()), "{bad}");
    }
    for (bad, param) in [
        ("after=nonsense", "after"),
        ("workspace_id=1", "workspace_id"),
        ("status=gone", "status"),
        ("unused_days=-3", "unused_days"),
        ("unused_days=1.5", "unused_days"),
        ("page=2", "page"),
    ] {
        assert_eq!(house.get(&format!("/v1/api-keys?{bad}")).await.refused(), (422, param.into()), "{bad}");
    }
}

#[tokio::test]
async fn bodies_of_the_wrong_shape_name_the_field_and_make_nothing() {
    let house = house().await;
    for (body, param) in [
        ("{}", "name"),
        ("[]", ""),
        (r#"["positional"]"#, ""),
        (r#"{"name":null}"#, "name"),
        (r#"{"name":7}"#, "name"),
        (r#"{"name":""}"#, "name"),
        (r#"{"name":" a"}"#, "name"),
        (r#"{"name":"a\u202eb"}"#, "name"),
        (r#"{"name":"a\nb"}"#, "name"),
        (r#"{"name":"a","color":"red"}"#, "color"),
        (r#"{"name":"a","rate_limit_rpm":"100"}"#, "rate_limit_rpm"),
        (r#"{"name":"a","rate_limit_rpm":1.0}"#, "rate_limit_rpm"),
        (r#"{"name":"a","rate_limit_rpm":-1}"#, "rate_limit_rpm"),
        (r#"{"name":"a","rate_limit_rpm":true}"#, "rate_limit_rpm"),
        (r#"{"name":"a","rate_limit_rpm":1000000001}"#, "rate_limit_rpm"),
        (r#"{"name":"a","tokens_per_minute":1000000000001}"#, "tokens_per_minute"),
        (r#"{"name":"a","monthly_budget_usd":"50"}"#, "monthly_budget_usd"),
        (r#"{"name":"a","monthly_budget_usd":-1}"#, "monthly_budget_usd"),
        (r#"{"name":"a","monthly_budget_usd":1e300}"#, "monthly_budget_usd"),
        (r#"{"name":"a","monthly_budget_usd":0.0000000001}"#, "monthly_budget_usd"),
        (r#"{"name":"a","allowed_models":"mistral-small"}"#, "allowed_models"),
        (r#"{"name":"a","allowed_models":["mistral-small",1]}"#, "allowed_models"),
        (r#"{"name":"a","allowed_models":["mistral-small","gpt-4"]}"#, "allowed_models"),
        (r#"{"name":"a","allowed_models":[""]}"#, "allowed_models"),
        (r#"{"name":"a","workspace_id":"nope"}"#, "workspace_id"),
        (r#"{"name":"a","workspace_id":"ws_00000000000000000000000000000000"}"#, "workspace_id"),
        (r#"{"name":"a","role":"emperor"}"#, "role"),
        (r#"{"name":"a","expires_at":"2020-01-01T00:00:00Z"}"#, "expires_at"),
        (r#"{"name":"a","expires_at":"soon"}"#, "expires_at"),
        (r#"{"name":"a","expires_at":1}"#, "expires_at"),
        (r#"{"name":"a","allowed_endpoints":["chat"]}"#, "allowed_endpoints"),
        (r#"{"name":"a","allowed_endpoints":["models","models"]}"#, "allowed_endpoints"),
        (r#"{"name":"a","allowed_cidrs":["10.0.0.1/8"]}"#, "allowed_cidrs"),
        (r#"{"name":"a","owner_user_id":"00000000-0000-7000-8000-000000000000"}"#, "owner_user_id"),
        (r#"{"name":"a","service_account_id":"00000000-0000-7000-8000-000000000000"}"#, "service_account_id"),
    ] {
        let answer = house.call("POST", "/v1/api-keys", body).await;
        assert_eq!(answer.refused(), (422, param.into()), "{body}: {}", answer.text);
        let shown = answer.json();
        assert_eq!(shown["detail"][0]["loc"][0], "body", "{body}");
        assert_eq!(
            (&shown["object"], &shown["type"], &shown["code"]),
            (&json!("error"), &json!("invalid_request"), &json!("invalid_request"))
        );
    }
    let answer = house
        .call("POST", "/v1/api-keys", r#"{"name":"a","allowed_models":["mistral-small","gpt-4"]}"#)
        .await;
    assert_eq!(answer.json()["detail"][0]["loc"], json!(["body", "allowed_models", 1]));
    let answer = house.call("POST", "/v1/api-keys", r#"{"name":"a","rate_limit_rpm":"swordfish"}"#).await;
    assert!(!answer.text.contains("swordfish"), "values are not repeated: {}", answer.text);
    assert_eq!(house.count_keys().await, 0);
    let id = house.make("/v1/api-keys", r#"{"name":"a"}"#).await["id"].as_str().unwrap().to_owned();
    for (body, param) in [
        (r#"{"workspace_id":null}"#, "workspace_id"),
        (r#"{"name":null}"#, "name"),
        (r#"{"status":"active"}"#, "status"),
        (r#"{"allowed_models":["gpt-4"]}"#, "allowed_models"),
        (r#"{"expires_at":"2020-01-01"}"#, "expires_at"),
    ] {
        let answer = house.call("PATCH", &format!("/v1/api-keys/{id}"), body).await;
        assert_eq!(answer.refused(), (422, param.into()), "{body}");
    }
}

#[tokio::test]
async fn a_key_never_stands_above_its_parents() {
    let house = house().await;
    let usd = |text| Money::parse_usd(text);
    let limits = Limits { requests_per_minute: Some(60), monthly_budget_usd: usd("50"), ..Limits::default() };
    let new = workspaces::NewWorkspace { name: "dev".into(), limits, ..workspaces::NewWorkspace::default() };
    let workspace = workspaces::create(&house.control, &house.system(), new).await.unwrap();
    let limits = Limits { tokens_per_minute: Some(1000), ..Limits::default() };
    let new = users::NewUser { email: "ann@example.org".into(), limits, ..users::NewUser::default() };
    let ann = users::create(&house.control, &house.system(), vec![new]).await.unwrap()[0].id;
    house.place(&workspace.id.to_string(), &ann.to_string()).await;
    let patched =
        house.call("PATCH", "/v1/gateway/organization", r#"{"limits":{"monthly_budget_usd":100}}"#).await;
    assert_eq!(patched.status, 200);
    for (field, value, wanted) in [
        ("rate_limit_rpm", json!(61), 422),
        ("rate_limit_rpm", json!(60), 200),
        ("rate_limit_rpm", json!(0), 200),
        ("monthly_budget_usd", json!(50.000000001), 422),
        ("monthly_budget_usd", json!(50), 200),
        ("tokens_per_minute", json!(1001), 422),
    ] {
        let body = json!({"name": "a", "workspace_id": workspace.id, "owner_user_id": ann, field: value})
            .to_string();
        let answer = house.call("POST", "/v1/api-keys", &body).await;
        assert_eq!(answer.status, wanted, "{body}: {}", answer.text);
        if wanted == 422 {
            assert_eq!(answer.refused().1, field);
        }
    }
    let above = house.call("POST", "/v1/api-keys", r#"{"name":"a","monthly_budget_usd":101}"#).await;
    assert_eq!(above.refused(), (422, "monthly_budget_usd".into()), "the organization's limit holds too");

    // A lowered parent is allowed, and what was set before does not block other changes.
    let key = house
        .make(
            "/v1/api-keys",
            &json!({"name": "b", "workspace_id": workspace.id, "rate_limit_rpm": 60}).to_string(),
        )
        .await;
    let path = format!("/v1/gateway/workspaces/{}/limits", workspace.id);
    assert_eq!(house.call("PATCH", &path, r#"{"requests_per_minute":10}"#).await.status, 200);
    let key = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(house.call("PATCH", &key, r#"{"description":"kept"}"#).await.status, 200);
    assert_eq!(
        house.call("PATCH", &key, r#"{"rate_limit_rpm":11}"#).await.refused(),
        (422, "rate_limit_rpm".into())
    );
}

#[tokio::test]
async fn keys_have_one_owner_and_a_bounded_life() {
    let house = house().await;
    let new = users::NewUser { email: "Ann@example.org".into(), ..users::NewUser::default() };
    let ann = users::create(&house.control, &house.system(), vec![new]).await.unwrap()[0].id;
    house.place(&house.workspace.to_string(), &ann.to_string()).await;
    let account = |name: &str, workspace_id| service_accounts::NewServiceAccount {
        name: name.into(),
        workspace_id,
        role: Some("analyst".into()),
        roles: vec![],
    };
    let bot = service_accounts::create(&house.control, &house.system(), account("bot", house.workspace))
        .await
        .unwrap();
    let new = workspaces::NewWorkspace { name: "other".into(), ..workspaces::NewWorkspace::default() };
    let other = workspaces::create(&house.control, &house.system(), new).await.unwrap();
    let stranger =
        service_accounts::create(&house.control, &house.system(), account("bot", other.id)).await.unwrap();

    let both = json!({"name": "a", "owner_user_id": ann, "service_account_id": bot.id}).to_string();
    assert_eq!(house.call("POST", "/v1/api-keys", &both).await.refused(), (422, "service_account_id".into()));
    let foreign = json!({"name": "a", "service_account_id": stranger.id}).to_string();
    assert_eq!(
        house.call("POST", "/v1/api-keys", &foreign).await.refused(),
        (422, "service_account_id".into())
    );
    let own =
        house.make("/v1/api-keys", &json!({"name": "a", "service_account_id": bot.id}).to_string()).await;
    assert_eq!(own["service_account_id"], bot.id.to_string());

    house.call("PATCH", "/v1/gateway/organization", r#"{"limits":{"max_key_lifetime_days":90}}"#).await;
    let clamped = "2027-02-19T02:31:58Z";
    for (asked, given) in [
        (json!(null), clamped),
        (json!("2030-01-01T00:00:00Z"), clamped),
        (json!("2026-12-01T00:00:00+01:00"), "2026-11-30T23:00:00Z"),
    ] {
        let made = house
            .make(
                "/v1/api-keys",
                &json!({"name": "a", "owner_user_id": ann, "expires_at": asked}).to_string(),
            )
            .await;
        assert_eq!(made["expires_at"], given);
    }
    house.pass_days(91);
    let list = house.get("/v1/api-keys?status=expired").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
    assert_eq!(list["data"][0]["status"], "expired");
}
