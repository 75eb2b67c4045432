//! Keys as people with different roles see and make them.

use super::members::NOBODY;
use super::people::Person;
use super::{Answer, House, house};
use louver_domain::limits::KeyCreation;
use louver_domain::roles::{MEMBER, ORGANIZATION_ADMIN, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};
use louver_domain::time::Timestamp;
use louver_store::users;
use serde_json::json;

const KEYS: &str = "/v1/api-keys";

impl House {
    async fn post_as(&self, person: &Person, path: &str, body: serde_json::Value) -> Answer {
        self.call_as(&person.secret, "POST", path, &body.to_string()).await
    }
}

fn names(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let all = json["data"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    all.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn members_make_keys_of_their_own_where_they_may() {
    let house = house().await;
    let open = house.workspace("open", Some(KeyCreation::Members)).await;
    let closed = house.workspace("closed", Some(KeyCreation::Admins)).await;
    let silent = house.workspace("silent", None).await;
    let far = house.workspace("far", Some(KeyCreation::Members)).await;
    let places = [open, closed, silent].map(|id| (id, WORKSPACE_CONTRIBUTOR));
    let ann = house.somebody("ann@example.com", &[MEMBER], &places).await;
    let bob = house.somebody("bob@example.com", &[MEMBER], &[(open, WORKSPACE_CONTRIBUTOR)]).await;

    let made =
        house.post_as(&ann, KEYS, json!({"name": "mine", "workspace_id": open, "rate_limit_rpm": 10})).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(made.json()["owner_user_id"], json!(ann.id));
    let event = house.audit().await.remove(0);
    assert_eq!((event.action.as_str(), event.actor_name.as_str()), ("api_key.create", "ann@example.com"));
    for (body, status) in [
        (json!({"name": "x", "workspace_id": closed}), 403),
        (json!({"name": "x", "workspace_id": silent}), 403),
        (json!({"name": "x", "workspace_id": open, "owner_user_id": bob.id}), 403),
        (json!({"name": "x", "workspace_id": open, "owner_user_id": ann.id}), 200),
        (json!({"name": "x", "workspace_id": open, "service_account_id": ann.id}), 403),
        (json!({"name": "x", "workspace_id": open, "role": "analyst"}), 403),
        (json!({"name": "x", "workspace_id": open, "rate_limit_rpm": 61}), 422),
    ] {
        let answer = house.post_as(&ann, KEYS, body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    // A workspace that one cannot see is as one that is not there.
    let unseen = house.post_as(&ann, KEYS, json!({"name": "x", "workspace_id": far})).await;
    let unknown = house.post_as(&ann, KEYS, json!({"name": "x", "workspace_id": ann.id})).await;
    assert_eq!(
        (unseen.refused(), unknown.refused()),
        ((422, "workspace_id".into()), (422, "workspace_id".into()))
    );
    assert_eq!(unseen.json()["message"], unknown.json()["message"]);
}

#[tokio::test]
async fn owners_rename_disable_and_revoke_their_keys_and_no_more() {
    let house = house().await;
    let open = house.workspace("open", Some(KeyCreation::Members)).await;
    let far = house.workspace("far", None).await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(open, WORKSPACE_CONTRIBUTOR)]).await;
    let bob = house.somebody("bob@example.com", &[MEMBER], &[(open, WORKSPACE_CONTRIBUTOR)]).await;
    let made = house.post_as(&ann, KEYS, json!({"name": "mine", "workspace_id": open})).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{KEYS}/{id}");
    let patch =
        async |who: &Person, body: &str| house.call_as(&who.secret, "PATCH", &path, body).await.status;
    assert_eq!(patch(&ann, r#"{"name":"renamed","description":"d"}"#).await, 200);
    assert_eq!(house.audit().await[0].action, "api_key.update");
    for field in [
        r#""rate_limit_rpm":5"#,
        r#""tokens_per_minute":5"#,
        r#""monthly_budget_usd":1"#,
        r#""role":null"#,
        r#""expires_at":null"#,
        r#""allowed_models":["mistral-small"]"#,
        r#""allowed_endpoints":null"#,
        r#""allowed_cidrs":null"#,
    ] {
        assert_eq!(patch(&ann, &format!("{{{field}}}")).await, 403, "{field}");
    }
    let limits = format!("/v1/gateway/keys/{id}/limits");
    assert_eq!(house.get_as(&ann, &limits).await.status, 200);
    assert_eq!(house.call_as(&ann.secret, "PATCH", &limits, "{}").await.status, 403);
    // Whoever shares the workspace knows of it, and may not touch it.
    for (method, path) in
        [("GET", path.clone()), ("PATCH", path.clone()), ("DELETE", path.clone()), ("GET", limits)]
    {
        assert_eq!(
            house.call_as(&bob.secret, method, &path, r#"{"name":"b"}"#).await.status,
            403,
            "{method} {path}"
        );
    }
    let stranger = house.somebody("far@example.com", &[MEMBER], &[(far, WORKSPACE_CONTRIBUTOR)]).await;
    assert_eq!(house.get_as(&stranger, &path).await.status, 404);
    let explain = json!({"key_id": id, "model": "mistral-small-latest"});
    assert_eq!(house.post_as(&ann, "/v1/gateway/explain", explain.clone()).await.status, 200);
    assert_eq!(house.post_as(&bob, "/v1/gateway/explain", explain.clone()).await.status, 403);
    assert_eq!(house.post_as(&stranger, "/v1/gateway/explain", explain).await.status, 404);

    assert_eq!(house.post_as(&ann, &format!("{path}/disable"), json!({})).await.json()["status"], "disabled");
    assert_eq!(house.post_as(&ann, &format!("{path}/enable"), json!({})).await.status, 403);
    assert_eq!(house.call_as(&ann.secret, "DELETE", &path, "").await.status, 200);
}

#[tokio::test]
async fn lists_show_what_each_may_see() {
    let house = house().await;
    let (here, there) = (house.workspace("here", None).await, house.workspace("there", None).await);
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(here, WORKSPACE_CONTRIBUTOR)]).await;
    let head = house.somebody("head@example.com", &[MEMBER], &[(here, WORKSPACE_ADMIN)]).await;
    let both = [(here, WORKSPACE_ADMIN), (there, WORKSPACE_ADMIN)];
    let both = house.somebody("both@example.com", &[MEMBER], &both).await;
    let chief = house.somebody("chief@example.com", &[ORGANIZATION_ADMIN], &[]).await;
    for (name, workspace, owner) in [("a", here, Some(ann.id)), ("b", here, None), ("c", there, None)] {
        let key = house
            .make(KEYS, &json!({"name": name, "workspace_id": workspace, "owner_user_id": owner}).to_string())
            .await;
        house.pass_seconds(1);
        house.used(workspace, key["id"].as_str().unwrap(), owner, "2026-11-20T10:00:00Z").await;
    }
    let list = async |who: &Person, query: &str| house.get_as(who, &format!("{KEYS}{query}")).await;
    let of = |id| format!("?workspace_id={id}");
    assert_eq!(names(&list(&chief, "").await), ["a", "b", "c"]);
    assert_eq!(names(&list(&chief, &of(there)).await), ["c"]);
    assert_eq!(names(&list(&head, "").await), ["a", "b"]);
    assert_eq!(names(&list(&head, &of(there)).await), Vec::<String>::new());
    assert_eq!(list(&both, "").await.refused(), (422, "workspace_id".into()));
    assert_eq!(names(&list(&both, &of(there)).await), ["c"]);
    assert_eq!(names(&list(&ann, "").await), ["a"]);
    assert_eq!(names(&list(&ann, "?status=active&name=a").await), ["a"]);
    assert_eq!(names(&list(&ann, "?name=b").await), Vec::<String>::new());
    for (who, keys) in [(&chief, vec!["a", "b", "c"]), (&head, vec!["a", "b"]), (&ann, vec!["a"])] {
        let list = house.get_as(who, "/v1/admin/api-keys").await.json();
        let all = list["keys"].as_array().unwrap().iter();
        assert_eq!(all.map(|key| key["name"].as_str().unwrap()).collect::<Vec<_>>(), keys);
        let usage = house.get_as(who, "/v1/gateway/usage?group_by=key").await.json();
        let mut used: Vec<_> =
            usage["data"].as_array().unwrap().iter().map(|row| row["key_name"].as_str().unwrap()).collect();
        used.sort_unstable();
        assert_eq!(used, keys);
    }
    let one = house.get_as(&chief, &format!("/v1/gateway/usage?{}", &of(there)[1..])).await.json();
    assert_eq!(one["data"][0]["requests"], 1);
    assert_eq!(house.get_as(&both, "/v1/gateway/usage").await.refused(), (422, "workspace_id".into()));
}

#[tokio::test]
async fn a_key_is_enabled_only_for_an_owner_who_belongs() {
    let house = house().await;
    let here = house.workspace("here", None).await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(here, WORKSPACE_CONTRIBUTOR)]).await;
    let body = json!({"name": "a", "workspace_id": here, "owner_user_id": ann.id}).to_string();
    let id = house.make(KEYS, &body).await["id"].as_str().unwrap().to_owned();
    let turn = async |to: &str| house.call("POST", &format!("{KEYS}/{id}/{to}"), "").await;
    assert_eq!((turn("disable").await.status, turn("enable").await.status).1, 200);
    turn("disable").await;
    house
        .write(async |tx, permit| assert!(users::delete_membership(tx, permit, here, ann.id).await.unwrap()))
        .await;
    let refused = turn("enable").await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["message"].as_str().unwrap().contains("does not belong to its workspace"));
    let mut user = users::get(&house.control.store, house.organization, ann.id).await.unwrap().unwrap();
    user.roles = vec![ORGANIZATION_ADMIN];
    house.write(async |tx, permit| users::save(tx, permit, &user).await.unwrap()).await;
    assert_eq!(turn("enable").await.status, 200, "an organization admin reaches every workspace");
    turn("disable").await;
    user.removed_at = Some(Timestamp::from_micros(1));
    house.write(async |tx, permit| users::save(tx, permit, &user).await.unwrap()).await;
    assert_eq!(turn("enable").await.status, 409);
}

#[tokio::test]
async fn keys_are_made_only_for_who_belongs_to_their_workspace() {
    let house = house().await;
    let here = house.workspace("here", None).await;
    let head = house.somebody("head@example.com", &[MEMBER], &[(here, WORKSPACE_ADMIN)]).await;
    let far = house.somebody("far@example.com", &[MEMBER], &[]).await;
    let chief = house.somebody("chief@example.com", &[ORGANIZATION_ADMIN], &[]).await;
    let of = |owner: &str| json!({"name": "x", "workspace_id": here, "owner_user_id": owner});
    let unknown = house.post_as(&head, KEYS, of(NOBODY)).await;
    let stranger = house.post_as(&head, KEYS, of(&far.id.to_string())).await;
    assert_eq!(stranger.refused(), (422, "owner_user_id".into()));
    assert_eq!(stranger.json()["message"], unknown.json()["message"]);
    let noted = house.get("/v1/gateway/audit?outcome=refused").await.json();
    assert_eq!(noted["data"].as_array().map(Vec::len), Some(1), "{noted}");
    for own in [&head, &chief] {
        assert_eq!(house.post_as(&head, KEYS, of(&own.id.to_string())).await.status, 200);
    }
    for (owner, status) in [(NOBODY, 404), (&far.id.to_string(), 404), (&head.id.to_string(), 200)] {
        let body = json!({"name": "x", "workspace_uuid": here, "user_id": owner});
        assert_eq!(house.post_as(&head, "/v1/admin/api-keys", body).await.status, status, "{owner}");
    }
}

#[tokio::test]
async fn no_permission_widens_what_is_ones_own() {
    let house = house().await;
    let chief = house.somebody("chief@example.com", &[ORGANIZATION_ADMIN], &[]).await;
    let id = chief.id.to_string();
    let made = house.post_as(&chief, KEYS, json!({"name": "mine", "owner_user_id": id})).await.json();
    let key = format!("{KEYS}/{}", made["id"].as_str().unwrap());
    let role = format!("/v1/gateway/workspaces/{}/members/{id}/model-role", house.workspace);
    assert_eq!(house.call("PUT", &role, r#"{"role":"analyst"}"#).await.status, 200);
    assert_eq!(house.call("POST", &format!("{key}/disable"), "").await.status, 200);
    let limits = format!("/v1/gateway/keys/{}/limits", made["id"].as_str().unwrap());
    for (method, path, body) in [
        ("PATCH", key.clone(), r#"{"rate_limit_rpm":null}"#),
        ("PATCH", key.clone(), r#"{"role":"senior"}"#),
        ("PATCH", limits, r#"{"requests_per_minute":5}"#),
        ("POST", format!("{key}/enable"), ""),
        ("PATCH", format!("/v1/gateway/users/{id}/limits"), r#"{"requests_per_minute":null}"#),
        ("PATCH", "/v1/gateway/roles/analyst".into(), r#"{"max_tokens_per_request":null}"#),
        ("POST", "/v1/gateway/roles/analyst/restore".into(), ""),
    ] {
        let refused = house.call_as(&chief.secret, method, &path, body).await;
        assert_eq!(refused.status, 403, "{method} {path} {body}: {}", refused.text);
        assert!(refused.text.contains("nobody changes what they themselves may do"), "{}", refused.text);
        assert_eq!(house.call(method, &path, body).await.status, 200, "{method} {path} {body}");
    }
    assert_eq!(house.call_as(&chief.secret, "PATCH", &key, r#"{"name":"new"}"#).await.status, 200);
    house.make("/v1/gateway/roles", r#"{"name":"others","allowed_models":["*"]}"#).await;
    let others = house.call_as(&chief.secret, "PATCH", "/v1/gateway/roles/others", "{}").await;
    assert_eq!(others.status, 200, "{}", others.text);
}
