//! Keys that get new secrets: who may do that, what is told of it, and what never is.

use super::{House, holds, house};
use louver_domain::limits::KeyCreation;
use louver_domain::roles::{MEMBER, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};
use serde_json::{Value, json};

async fn a_key(house: &House) -> (String, String) {
    let made = house.make("/v1/api-keys", r#"{"name": "a"}"#).await;
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

async fn secrets(house: &House, id: &str) -> Vec<Value> {
    let answer = house.get(&format!("/v1/gateway/keys/{id}/secrets")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["data"].as_array().unwrap().clone()
}

impl House {
    /// What the holder of an API key is told of itself.
    pub(super) async fn me(&self, key: &str) -> u16 {
        self.call_as(key, "GET", "/v1/users/me", "").await.status.as_u16()
    }
}

#[tokio::test]
async fn a_key_keeps_its_id_and_both_secrets_work_until_the_deadline() {
    let house = house().await;
    let (id, first) = a_key(&house).await;
    let path = format!("/v1/api-keys/{id}/rotate");
    house.pass_seconds(5);
    let rotated = house.make(&path, r#"{"overlap": "1h"}"#).await;
    let second = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!((&rotated["id"], &rotated["api_key"]), (&json!(id), &json!(second)));
    assert_eq!(rotated["old_key_expires_at"], "2026-11-21T03:32:03Z");
    assert_eq!(rotated["created_at"], "2026-11-21T02:31:58Z", "the key is the same");
    assert!(first != second && second.starts_with("lvr_"));
    let shown = secrets(&house, &id).await;
    let told: Vec<_> =
        shown.iter().map(|one| (&one["current"], &one["retires_at"], &one["created_at"])).collect();
    assert_eq!(
        told,
        [
            (&json!(true), &Value::Null, &json!("2026-11-21T02:32:03Z")),
            (&json!(false), &json!("2026-11-21T03:32:03Z"), &json!("2026-11-21T02:31:58Z")),
        ]
    );
    assert_eq!(shown[1]["hidden_key"], format!("lvr_…{}", &first[first.len() - 4..]));
    house.pass_seconds(3_599);
    assert_eq!((house.me(&first).await, house.me(&second).await), (200, 200));
    house.pass_seconds(1);
    assert_eq!((house.me(&first).await, house.me(&second).await), (401, 200), "strictly before");
    assert_eq!(secrets(&house, &id).await.len(), 1);
    let disk = house.disk().await;
    assert!(!holds(&disk, &first) && !holds(&disk, &second));
}

#[tokio::test]
async fn deadlines_only_move_to_earlier_and_no_overlap_ends_all_at_once() {
    let house = house().await;
    let (id, first) = a_key(&house).await;
    let path = format!("/v1/api-keys/{id}/rotate");
    let ends = async || -> Vec<String> {
        let shown = secrets(&house, &id).await;
        shown.iter().skip(1).map(|one| one["retires_at"].as_str().unwrap().to_owned()).collect()
    };
    // No body at all is the overlap that is usual.
    house.make(&path, "").await;
    assert_eq!(ends().await, ["2026-11-22T02:31:58Z"]);
    house.pass_seconds(1);
    house.make(&path, r#"{"overlap": "30m"}"#).await;
    assert_eq!(ends().await, ["2026-11-21T03:01:59Z", "2026-11-21T03:01:59Z"]);
    house.pass_seconds(1);
    house.make(&path, r#"{"overlap": "2d"}"#).await;
    let later = ["2026-11-23T02:32:00Z", "2026-11-21T03:01:59Z", "2026-11-21T03:01:59Z"];
    assert_eq!(ends().await, later);
    assert_eq!(house.me(&first).await, 200);
    let last = house.make(&path, r#"{"overlap": "0s"}"#).await;
    assert_eq!(last["old_key_expires_at"], "2026-11-21T02:32:00Z");
    assert_eq!((house.me(&first).await, ends().await.len()), (401, 0));
    assert_eq!(house.me(last["key"].as_str().unwrap()).await, 200);
}

#[tokio::test]
async fn odd_overlaps_and_keys_that_are_over_are_refused_and_nothing_changes() {
    let house = house().await;
    let (id, first) = a_key(&house).await;
    let path = format!("/v1/api-keys/{id}/rotate");
    for bad in [
        r#"{"overlap": "31d"}"#,
        r#"{"overlap": "-1s"}"#,
        r#"{"overlap": "soon"}"#,
        r#"{"overlap": 24}"#,
        r#"{"overlap": ""}"#,
        r#"{"overlap": "1.5h"}"#,
    ] {
        assert_eq!(house.call("POST", &path, bad).await.refused(), (422, "overlap".into()), "{bad}");
    }
    assert_eq!(house.call("POST", &path, r#"{"overlpa": "1h"}"#).await.status, 422);
    assert_eq!(house.call("POST", &path, r#"{"overlap": "1h""#).await.status, 400);
    assert_eq!((secrets(&house, &id).await.len(), house.me(&first).await), (1, 200));
    let mut old = Vec::new();
    for _ in 0..8 {
        old.push(house.make(&path, "{}").await["key"].as_str().unwrap().to_owned());
    }
    let full = house.call("POST", &path, "").await;
    assert_eq!(full.status, 409, "{}", full.text);
    assert_eq!(house.call("DELETE", &format!("/v1/api-keys/{id}"), "").await.status, 200);
    for key in old.iter().chain([&first]) {
        assert_eq!(house.me(key).await, 401, "who revokes a key ends all its secrets");
    }
    assert_eq!(house.call("POST", &path, "").await.status, 409);
    assert!(secrets(&house, &id).await.is_empty());
    let short = house.make("/v1/api-keys", r#"{"name": "b", "expires_at": "2026-11-21T03:00:00Z"}"#).await;
    house.pass_seconds(3_600);
    let over = format!("/v1/api-keys/{}/rotate", short["id"].as_str().unwrap());
    assert_eq!(house.call("POST", &over, "").await.status, 409);
}

#[tokio::test]
async fn a_disabled_key_is_refused_with_each_of_its_secrets() {
    let house = house().await;
    let (id, first) = a_key(&house).await;
    let second =
        house.make(&format!("/v1/api-keys/{id}/rotate"), "").await["key"].as_str().unwrap().to_owned();
    house.make(&format!("/v1/api-keys/{id}/disable"), "").await;
    assert_eq!((house.me(&first).await, house.me(&second).await), (401, 401));
    assert!(secrets(&house, &id).await.is_empty());
    // Who repairs a leak: a new secret before it is enabled again, and the old ones are gone.
    let third = house.make(&format!("/v1/api-keys/{id}/rotate"), r#"{"overlap": "0s"}"#).await;
    house.make(&format!("/v1/api-keys/{id}/enable"), "").await;
    let third = third["key"].as_str().unwrap();
    assert_eq!((house.me(&first).await, house.me(&second).await, house.me(third).await), (401, 401, 200));
}

#[tokio::test]
async fn people_rotate_keys_of_their_own_and_admins_those_of_their_workspace() {
    let house = house().await;
    let open = house.workspace("open", Some(KeyCreation::Members)).await;
    let far = house.workspace("far", None).await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(open, WORKSPACE_CONTRIBUTOR)]).await;
    let bob = house.somebody("bob@example.com", &[MEMBER], &[(open, WORKSPACE_CONTRIBUTOR)]).await;
    let head = house.somebody("head@example.com", &[MEMBER], &[(open, WORKSPACE_ADMIN)]).await;
    let other = house.somebody("other@example.com", &[MEMBER], &[(far, WORKSPACE_ADMIN)]).await;
    let body = json!({"name": "mine", "workspace_id": open}).to_string();
    let made = house.call_as(&ann.secret, "POST", "/v1/api-keys", &body).await.json();
    let path = format!("/v1/api-keys/{}/rotate", made["id"].as_str().unwrap());
    for (who, status) in [(&ann, 200), (&bob, 403), (&head, 200), (&other, 404)] {
        let answer = house.call_as(&who.secret, "POST", &path, "").await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    assert_eq!(house.audit().await[0].actor_name, "head@example.com");
}

#[tokio::test]
async fn an_admin_key_gets_a_new_secret_from_whoever_holds_all_that_it_gives() {
    let house = house().await;
    let listed = house.get("/v1/gateway/admin-keys").await.json();
    house.pass_seconds(1);
    let ann = house.somebody("ann@example.com", &[MEMBER], &[]).await;
    let root = listed["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/gateway/admin-keys/{root}/rotate");
    assert_eq!(house.call_as(&ann.secret, "POST", &path, "").await.status, 403);
    // Somebody who may rotate admin keys and little else would get everything with the root key.
    let role = json!({"name": "rotators", "level": "organization", "permissions": ["admin_api_key.rotate"]});
    house.make("/v1/gateway/custom-roles", &role.to_string()).await;
    let eve = house.person("eve@example.com", &["rotators"]).await;
    let eve = house.key_of(&eve).await;
    let refused = house.call_as(&eve, "POST", &path, "").await;
    assert_eq!(refused.status, 403, "{}", refused.text);

    let old = house.admin.clone();
    let rotated = house.make(&path, r#"{"overlap": "1h"}"#).await;
    let new = rotated["key"].as_str().unwrap().to_owned();
    assert!(new.starts_with("lva_") && rotated["id"] == json!(root));
    for key in [&old, &new] {
        assert_eq!(house.call_as(key, "GET", "/v1/gateway/me", "").await.status, 200);
    }
    // A deed with the old secret works too, as long as it does.
    assert_eq!(house.call_as(&old, "POST", "/v1/api-keys", r#"{"name": "x"}"#).await.status, 200);
    house.pass_seconds(3_600);
    assert_eq!(house.call_as(&old, "GET", "/v1/gateway/me", "").await.status, 401);
    crate::last_used::write(&house.control).await;
    let listed = house.call_as(&new, "GET", "/v1/gateway/admin-keys", "").await.json();
    let shown = &listed["data"][0]["secrets"];
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(shown[0]["last_used_from"], "192.0.2.7");
    assert_eq!(shown[0]["last_used_at"], "2026-11-21T02:31:59Z");
    let event = house.audit().await.into_iter().find(|event| event.action == "admin_api_key.rotate").unwrap();
    assert!(!format!("{event:?}").contains(&new) && !format!("{event:?}").contains(&old));
}
