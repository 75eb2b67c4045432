//! People: in Mistral's shapes and in our own, what they may do, and how they leave.

use super::{House, house};
use louver_domain::id::UserId;
use louver_store::audit::StoredEvent;
use louver_store::users as store;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

fn admin_role() -> &'static str {
    "7bde5959-d676-47d2-b779-35b64323d278"
}

async fn roles_of(house: &House, id: &str) -> Value {
    house.get(&format!("/v1/gateway/users/{id}")).await.json()["role_names"].clone()
}

fn events(log: &[StoredEvent]) -> Vec<&str> {
    log.iter().map(|event| event.action.as_str()).collect()
}

#[tokio::test]
async fn people_are_added_one_by_one() {
    let house = house().await;
    let body = json!([
        {"email": "Ann@example.org", "first_name": " Ann ", "last_name": "Lee", "roles": ["A"]},
        {"email": "nonsense", "first_name": "", "last_name": ""},
        {"email": "", "first_name": "", "last_name": ""},
        {"email": "bob@example.org", "first_name": "", "last_name": "", "role": "B", "subscription_types": ["CHAT"]},
        {"email": "ANN@example.org", "first_name": "again", "last_name": ""},
    ]);
    let made = house.make("/v1/admin/users", &body.to_string()).await;
    assert_eq!(made["invalid_emails"], json!(["nonsense", "", "ANN@example.org"]));
    let ann = made["email_to_user_id"]["ann@example.org"].as_str().unwrap();
    let shown = house.get(&format!("/v1/admin/users/{ann}")).await.json();
    assert_eq!(
        (&shown["name"], &shown["first_name"], &shown["last_name"], &shown["raw_roles"], &shown["raw_role"]),
        (&json!("Ann Lee"), &json!("Ann"), &json!("Lee"), &json!([admin_role()]), &json!(admin_role()))
    );
    assert_eq!((&shown["workspaces"], &shown["oid_id"]), (&json!([]), &Value::Null));
    let bob = made["email_to_user_id"]["bob@example.org"].as_str().unwrap();
    assert_eq!(roles_of(&house, bob).await, json!(["billing_manager"]));
    assert_eq!(house.get(&format!("/v1/admin/users/{bob}")).await.json()["name"], Value::Null);

    let again = house
        .make(
            "/v1/admin/users",
            &json!([{"email": "ann@example.org", "first_name": "", "last_name": ""}]).to_string(),
        )
        .await;
    assert_eq!(again, json!({"invalid_emails": ["ann@example.org"], "email_to_user_id": {}}));
    assert_eq!(house.make("/v1/admin/users", "[]").await["email_to_user_id"], json!({}));
    assert_eq!(house.audit().await.iter().filter(|event| event.action == "user.create").count(), 2);
    for (bad, status) in [
        (r#"[{"email":"c@example.org","first_name":"","last_name":"","roles":[]}]"#, 422),
        (
            r#"[{"email":"c@example.org","first_name":"","last_name":"","roles":["A"],"role_name":"AAA"}]"#,
            404,
        ),
        (
            r#"[{"email":"c@example.org","first_name":"","last_name":"","roles":["A"],"role_names":["member"]}]"#,
            422,
        ),
        (
            r#"[{"email":"c@example.org","first_name":"","last_name":"","role_names":["workspace_admin"]}]"#,
            404,
        ),
        (r#"[{"email":"c@example.org","first_name":""}]"#, 422),
        (r#"[{"email":"c@example.org","first_name":"","last_name":"","admin":true}]"#, 422),
        (r#"{"email":"c@example.org","first_name":"","last_name":""}"#, 422),
        (r#"[["c@example.org","",""]]"#, 422),
    ] {
        let answer = house.call("POST", "/v1/admin/users", bad).await;
        assert_eq!(answer.status, status, "{bad}: {}", answer.text);
    }
    let long = json!([{"email": "e".repeat(256), "first_name": "", "last_name": ""}]).to_string();
    assert_eq!(house.call("POST", "/v1/admin/users", &long).await.status, 422);
    let fault = r#"[{"email":"c@example.org","first_name":"a\nb","last_name":""}]"#;
    assert_eq!(house.call("POST", "/v1/admin/users", fault).await.status, 422);
}

#[tokio::test]
async fn members_and_invitations_are_one_list() {
    let house = house().await;
    for number in 0..5 {
        house.person(&format!("p{number}@example.org"), &["member"]).await;
    }
    house
        .make("/v1/admin/users-invite", r#"{"email":"x_1@example.org, x%2@example.org\nx3@example.org"}"#)
        .await;
    let page = |number: u32| {
        let house = &house;
        async move {
            let path = format!("/v1/admin/users?page_size=3&page={number}");
            let page = house.get(&path).await.json();
            let emails = |field: &str| -> Vec<String> {
                let all = page[field].as_array().unwrap();
                all.iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
            };
            assert_eq!(
                (&page["total"], &page["page"], &page["page_size"]),
                (&json!(8), &json!(number), &json!(3))
            );
            (emails("members"), emails("invites"))
        }
    };
    let mail = |name: &str| format!("{name}@example.org");
    assert_eq!(page(1).await, ([0, 1, 2].map(|n| mail(&format!("p{n}"))).to_vec(), vec![]));
    let second = page(2).await;
    assert_eq!((second.0, second.1.len()), ([3, 4].map(|n| mail(&format!("p{n}"))).to_vec(), 1));
    assert_eq!(page(3).await.1.len(), 2);
    assert_eq!(page(4).await, (vec![], vec![]));
    for (filter, total) in
        [("P3", 1), ("%25", 1), ("_", 1), ("%5C", 0), ("null", 8), ("", 8), ("x", 8), ("x3", 1)]
    {
        let found = house.get(&format!("/v1/admin/users?email={filter}")).await.json();
        assert_eq!(found["total"], total, "{filter}");
    }
    for (query, status) in [
        ("page=0", 422),
        ("page_size=0", 422),
        ("page_size=-1", 422),
        ("page=x", 422),
        ("page_size=1000000000", 200),
        ("page=274877906943", 200),
        ("page=99999999999999999999999999", 200),
        ("email=a&email=b", 422),
    ] {
        assert_eq!(house.get(&format!("/v1/admin/users?{query}")).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn our_own_list_is_paged_by_what_came_last() {
    let house = house().await;
    let mut ids = vec![];
    for number in 0..5 {
        ids.push(house.person(&format!("p{number}@example.org"), &["member"]).await);
    }
    let first = house.get("/v1/gateway/users?limit=3").await.json();
    assert_eq!((first["has_more"].as_bool(), first["data"].as_array().unwrap().len()), (Some(true), 3));
    assert_eq!(
        (&first["data"][0]["role_names"], &first["data"][0]["first_name"]),
        (&json!(["member"]), &json!("A"))
    );
    let rest = house.get(&format!("/v1/gateway/users?limit=3&after={}", ids[2])).await.json();
    let found: Vec<&str> =
        rest["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((rest["has_more"].as_bool(), found), (Some(false), vec![ids[3].as_str(), ids[4].as_str()]));
    for bad in ["x", &house.workspace.to_string()] {
        let refused = house.get(&format!("/v1/gateway/users?after={bad}")).await;
        assert_eq!(refused.refused(), (422, "after".into()));
    }
    assert_eq!(house.get("/v1/gateway/users/x").await.status, 404);
    assert_eq!(house.get(&format!("/v1/gateway/users/{}", house.workspace)).await.status, 404);
}

#[tokio::test]
async fn roles_are_replaced_and_nobody_gives_or_takes_what_he_does_not_hold() {
    let house = house().await;
    let ann = house.person("ann@example.org", &["organization_admin"]).await;
    let bob = house.person("bob@example.org", &["member"]).await;
    let path = |id: &str| format!("/v1/admin/users/{id}");
    let to = |names: &[&str]| json!({"role_names": names}).to_string();
    let changed = house.call("PATCH", &path(&bob), &to(&["billing_manager", "member", "member"])).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.json()["raw_roles"].as_array().unwrap().len(), 2);
    assert_eq!(roles_of(&house, &bob).await, json!(["billing_manager", "member"]));
    let log = house.audit().await;
    assert_eq!(
        (log[0].action.as_str(), log[0].target_id.as_str()),
        ("user.organization.role.update", bob.as_str())
    );
    assert!(log[0].before.as_ref().unwrap().contains("member"));
    for body in ["{}", r#"{"roles":null}"#, &to(&["billing_manager", "member"])] {
        assert_eq!(house.call("PATCH", &path(&bob), body).await.status, 200, "{body}");
    }
    assert_eq!(house.audit().await.len(), log.len(), "nothing was changed, so nothing is logged");

    // A role that may change people's roles, and hardly more.
    let role = json!({"name": "people", "level": "organization", "permissions": [
        "user.read", "user.organization.role.update", "user.organization.delete", "user.create"]});
    let role = house.make("/v1/gateway/custom-roles", &role.to_string()).await;
    let carl = house.person("carl@example.org", &["member"]).await;
    let body = json!({"roles": [role["id"]]}).to_string();
    assert_eq!(house.call("PATCH", &path(&carl), &body).await.status, 200);
    let carls = house.key_of(&carl).await;
    for (id, names, why) in [
        (&bob, &["organization_admin"][..], "gives what he does not hold"),
        (&bob, &["member"][..], "takes what he does not hold"),
        (&ann, &["people"][..], "takes an admin's rights"),
        (&carl, &["people", "member"][..], "his own rights"),
    ] {
        let refused = house.call_as(&carls, "PATCH", &path(id), &to(names)).await;
        assert_eq!(refused.status, 403, "{why}: {}", refused.text);
    }
    for id in [&ann, &bob, &carl] {
        assert_eq!(house.call_as(&carls, "DELETE", &path(id), "").await.status, 403);
    }
    let new = json!([{"email": "d@example.org", "first_name": "", "last_name": "", "roles": ["A"]}]);
    assert_eq!(house.call_as(&carls, "POST", "/v1/admin/users", &new.to_string()).await.status, 403);
    let anns = house.key_of(&ann).await;
    assert_eq!(house.call_as(&anns, "PATCH", &path(&ann), &to(&["member"])).await.status, 403, "one's own");
    assert_eq!(house.call_as(&anns, "DELETE", &path(&ann), "").await.status, 403, "oneself");
    assert_eq!(house.call_as(&anns, "PATCH", &path(&bob), &to(&["member"])).await.status, 200);
    let bobs = house.key_of(&bob).await;
    assert_eq!(
        house.call_as(&bobs, "GET", "/v1/admin/users", "").await.status,
        403,
        "a member sees no people"
    );
    assert_eq!(house.call_as(&bobs, "DELETE", &path(&ann), "").await.status, 403);
}

#[tokio::test]
async fn what_is_foreign_is_as_if_it_were_not_there() {
    let house = house().await;
    let theirs = house.neighbour().await;
    let ann = house.person("ann@example.org", &["member"]).await;
    let unknown = house.workspace.to_string();
    for (method, body) in [("GET", ""), ("PATCH", r#"{"roles":["M"]}"#), ("DELETE", "")] {
        let answers = [
            house.call_as(&theirs, method, &format!("/v1/admin/users/{ann}"), body).await,
            house.call_as(&theirs, method, &format!("/v1/admin/users/{unknown}"), body).await,
        ];
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.text), (404, &answers[1].text), "{method}");
        }
    }
    assert_eq!(house.call_as(&theirs, "GET", &format!("/v1/gateway/users/{ann}"), "").await.status, 404);
    let after = format!("/v1/gateway/users?after={ann}");
    assert_eq!(house.call_as(&theirs, "GET", &after, "").await.status, 422);
    assert_eq!(house.call("DELETE", "/v1/admin/users/no-id", "").await.status, 404);
}

#[tokio::test]
async fn who_leaves_leaves_nothing_that_works() {
    let house = house().await;
    let ann = house.person("ann@example.org", &["member"]).await;
    let membership = format!("/v1/gateway/workspaces/{}/members/{ann}/model-role", house.workspace);
    assert_eq!(house.call("PUT", &membership, r#"{"role":null}"#).await.status, 200);
    let places = house.get(&format!("/v1/admin/users/{ann}")).await.json()["workspaces"].clone();
    assert_eq!(
        (
            &places[0]["uuid"],
            &places[0]["name"],
            &places[0]["is_default"],
            places[0]["raw_roles"].as_array().unwrap().len()
        ),
        (&json!(house.workspace.to_string()), &json!("default"), &json!(true), 1)
    );
    let key = house.make("/v1/api-keys", &json!({"name": "hers", "owner_user_id": ann}).to_string()).await;
    let account = json!({"name": "ci", "workspace_id": house.workspace.to_string()}).to_string();
    let account = house.make("/v1/gateway/service-accounts", &account).await;
    let robot = json!({"name": "robot", "service_account_id": account["id"]}).to_string();
    let robot = house.make("/v1/api-keys", &robot).await;
    let limits = format!("/v1/gateway/users/{ann}/limits");
    assert_eq!(house.call("PATCH", &limits, r#"{"requests_per_minute":5}"#).await.status, 200);
    let own = house.key_of(&ann).await;
    assert_eq!(house.call_as(&own, "GET", "/v1/admin/roles", "").await.status, 200);

    let path = format!("/v1/admin/users/{ann}");
    let gone = house.call("DELETE", &path, "").await;
    assert_eq!(gone.json(), json!({"message": "Organization member deleted successfully"}));
    let log = house.audit().await;
    for event in ["user.organization.delete", "api_key.disable", "admin_api_key.delete"] {
        assert!(events(&log[..3]).contains(&event), "{event}: {:?}", events(&log[..3]));
    }
    assert_eq!(house.call_as(&own, "GET", "/v1/admin/roles", "").await.status, 401);
    let status = |id: &Value| format!("/v1/api-keys/{}", id.as_str().unwrap());
    assert_eq!(house.get(&status(&key["id"])).await.json()["status"], "disabled");
    assert_eq!(house.get(&status(&robot["id"])).await.json()["status"], "active");
    for (method, body) in [("GET", ""), ("PATCH", r#"{"roles":["M"]}"#), ("DELETE", "")] {
        assert_eq!(house.call(method, &path, body).await.status, 404, "{method} after DELETE");
    }
    assert_eq!(house.get("/v1/admin/users").await.json()["total"], 0);

    // The same person comes back: the same id, but nothing of what was.
    assert_eq!(house.person("ann@example.org", &["member"]).await, ann);
    let back = house.get(&format!("/v1/gateway/users/{ann}")).await.json();
    assert_eq!(back["limits"]["requests_per_minute"], Value::Null);
    assert_eq!(house.get(&path).await.json()["workspaces"], json!([]));
    assert_eq!(house.get(&status(&key["id"])).await.json()["status"], "disabled");
    assert_eq!(house.call_as(&own, "GET", "/v1/admin/roles", "").await.status, 401);
}

#[tokio::test]
async fn an_admin_who_is_one_no_more_keeps_only_the_keys_of_their_workspaces() {
    let house = house().await;
    house.person("root@example.org", &["organization_admin"]).await;
    let ann = house.person("ann@example.org", &["organization_admin"]).await;
    let key = house.make("/v1/api-keys", &json!({"name": "hers", "owner_user_id": ann}).to_string()).await;
    let shown = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
    let path = format!("/v1/admin/users/{ann}");
    let to = |names: &[&str]| json!({"role_names": names}).to_string();
    assert_eq!(house.call("PATCH", &path, &to(&["organization_admin", "member"])).await.status, 200);
    assert_eq!(house.get(&shown).await.json()["status"], "active");
    assert_eq!(house.call("PATCH", &path, &to(&["member"])).await.status, 200);
    assert_eq!(house.get(&shown).await.json()["status"], "disabled");
}

#[tokio::test]
async fn the_last_admin_stays_however_many_go_at_once() {
    let house = Arc::new(house().await);
    let mut leaving = JoinSet::new();
    let mut admins = vec![];
    for number in 0..6 {
        admins.push(house.person(&format!("a{number}@example.org"), &["organization_admin"]).await);
    }
    for (number, id) in admins.into_iter().enumerate() {
        let house = Arc::clone(&house);
        leaving.spawn(async move {
            let path = format!("/v1/admin/users/{id}");
            let (method, body) = if number % 2 == 0 { ("DELETE", "") } else { ("PATCH", r#"{"role":"M"}"#) };
            house.call(method, &path, body).await.status.as_u16()
        });
    }
    let mut statuses = leaving.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 409]);
    let left = house.get("/v1/gateway/users").await.json();
    let left = left["data"].as_array().unwrap();
    assert_eq!(left.iter().filter(|one| one["role_names"] == json!(["organization_admin"])).count(), 1);
}

#[tokio::test]
async fn keys_where_somebody_does_not_belong_end_with_any_change_of_their_roles() {
    let house = house().await;
    let ann = house.person("ann@example.org", &["member"]).await;
    let place = house.workspace.to_string();
    let stray = async || {
        house.place(&place, &ann).await;
        let body = json!({"name": "hers", "owner_user_id": ann}).to_string();
        let id = house.make("/v1/api-keys", &body).await["id"].as_str().unwrap().to_owned();
        let user = UserId::parse(&ann).unwrap();
        house
            .write(async |tx, permit| {
                assert!(store::delete_membership(tx, permit, house.workspace, user).await.unwrap());
            })
            .await;
        format!("/v1/api-keys/{id}")
    };
    let key = stray().await;
    let to = json!({"role_names": ["billing_manager"]}).to_string();
    assert_eq!(house.call("PATCH", &format!("/v1/admin/users/{ann}"), &to).await.status, 200);
    assert_eq!(house.get(&key).await.json()["status"], "disabled");
    let key = stray().await;
    let group = house.make("/v1/admin/user-groups", r#"{"name":"g"}"#).await;
    let group = format!("/v1/admin/user-groups/{}", group["uuid"].as_str().unwrap());
    let people = json!({"user_uuids": [ann]}).to_string();
    assert_eq!(house.call("POST", &format!("{group}/members"), &people).await.status, 204);
    let role = r#"{"organization_role":"B"}"#;
    assert_eq!(house.call("PATCH", &format!("{group}/organization-role"), role).await.status, 204);
    assert_eq!(house.call("DELETE", &format!("{group}/members"), &people).await.status, 204);
    assert_eq!(house.get(&key).await.json()["status"], "disabled");
}
