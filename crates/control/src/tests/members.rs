//! Members of workspaces: placed, given roles, taken out, listed; and who may do that.

use super::{House, house};
use louver_domain::access::{Action, Actor, decide};
use louver_domain::id::{AdminKeyId, ServiceAccountId, UserId};
use louver_domain::keys::{AdminHolder, AdminKey, KeyKind, KeyStatus, mint};
use louver_store::admin_keys;
use serde_json::{Value, json};

const ADMIN: &str = "731eb2be-a74f-4070-b797-35bf7009e553";
const CONTRIBUTOR: &str = "b23cd6e0-91cd-4a8a-9869-b30366bf3966";
const BILLING: &str = "d7ea77c5-9260-41d0-ab26-52b5add3ee56";
pub const NOBODY: &str = "0198f000-0000-7000-8000-000000000000";

/// An admin key that stands for somebody.
pub async fn key_for(house: &House, holder: AdminHolder) -> String {
    let minted = mint(KeyKind::Admin, &*house.control.entropy);
    let key = AdminKey {
        id: AdminKeyId::new(house.control.clock.now(), &*house.control.entropy),
        organization_id: house.organization,
        holder,
        name: "own".into(),
        public_id: minted.public_id,
        fingerprint: house.control.pepper.fingerprint(minted.secret.expose()),
        last_four: minted.last_four.clone(),
        created_at: house.control.clock.now(),
        expires_at: None,
        status: KeyStatus::Active,
    };
    let system = Actor::system(house.organization);
    let permit = decide(&system, Action::CreateAdminKey, house.organization).unwrap();
    let mut tx = house.control.store.begin().await.unwrap();
    admin_keys::insert(&mut tx, &permit, &key).await.unwrap();
    let deed = crate::actions::Deed::on(permit, key.id, &key.name);
    tx.commit(&deed.event(&house.control, &house.system())).await.unwrap();
    minted.secret.expose().clone()
}

/// An admin key that stands for a person.
pub async fn key_of(house: &House, user: &str) -> String {
    key_for(house, AdminHolder::User(UserId::parse(user).unwrap())).await
}

/// A person, by the first part of their mail address; made later than all before, so that ids sort by age.
pub async fn person(house: &House, name: &str) -> String {
    house.pass_seconds(1);
    let body = json!([{"email": format!("{name}@example.org"), "first_name": name, "last_name": ""}]);
    let made = house.make("/v1/admin/users", &body.to_string()).await;
    made["email_to_user_id"][format!("{name}@example.org")].as_str().unwrap().to_owned()
}

/// A workspace with that admin.
pub async fn workspace(house: &House, name: &str, admin: &str) -> String {
    let body = json!({"name": name, "admin_user_id": admin}).to_string();
    house.make("/v1/admin/workspaces", &body).await["uuid"].as_str().unwrap().to_owned()
}

/// An API key of a person in a workspace; answers its id.
pub async fn api_key(house: &House, workspace: &str, user: &str) -> String {
    let body = json!({"name": "k", "workspace_id": workspace, "owner_user_id": user}).to_string();
    house.make("/v1/api-keys", &body).await["id"].as_str().unwrap().to_owned()
}

/// How a key stands.
pub async fn status(house: &House, key: &str) -> String {
    house.get(&format!("/v1/api-keys/{key}")).await.json()["status"].as_str().unwrap().to_owned()
}

async fn answered(house: &House, who: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = house.call_as(who, method, path, &body.to_string()).await;
    let read = if answer.text.is_empty() { Value::Null } else { answer.json() };
    (answer.status.as_u16(), read)
}

async fn members(house: &House, workspace: &str) -> Vec<Value> {
    let list = house.get(&format!("/v1/gateway/workspaces/{workspace}/members")).await.json();
    list["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn members_are_added_changed_and_removed_and_counted() {
    let house = house().await;
    let [ann, ben, cyd] =
        [person(&house, "ann").await, person(&house, "ben").await, person(&house, "cyd").await];
    let team = workspace(&house, "team", &ann).await;
    let path = |rest: &str| format!("/v1/admin/workspaces/{team}/{rest}");
    let root = &house.admin;
    let both = json!({"members": [{"user_uuid": ben, "role_names": ["billing", "dev"]}, {"user_uuid": cyd}]});
    assert_eq!(
        answered(&house, root, "POST", &path("add-users"), both.clone()).await,
        (200, json!({"added_members_count": 2}))
    );
    assert_eq!(answered(&house, root, "POST", &path("add-users"), both).await.1["added_members_count"], 0);
    let list = members(&house, &team).await;
    let shown = |n: usize| (list[n]["user_id"].clone(), list[n]["role_names"].clone());
    assert_eq!(shown(0), (json!(ann), json!(["workspace_admin"])));
    assert_eq!(shown(1), (json!(ben), json!(["billing", "dev"])));
    assert_eq!(shown(2), (json!(cyd), json!(["workspace_contributor"])));
    assert_eq!((&list[2]["roles"], &list[2]["email"]), (&json!([CONTRIBUTOR]), &json!("cyd@example.org")));

    let dan = person(&house, "dan").await;
    let change = json!({"members": [
        {"user_uuid": ben, "roles": [BILLING]}, {"user_uuid": cyd}, {"user_uuid": dan, "role": "A"},
    ]});
    let counts = json!({"added_members_count": 1, "updated_members_count": 1});
    assert_eq!(answered(&house, root, "PATCH", &path("users"), change).await, (200, counts));
    assert_eq!(members(&house, &team).await[3]["roles"], json!([ADMIN]));

    let key = api_key(&house, &team, &ben).await;
    let gone = json!({"members": [{"user_uuid": ben}, {"user_uuid": NOBODY}, {"user_uuid": ben}]});
    assert_eq!(
        answered(&house, root, "DELETE", &path("remove-users"), gone).await,
        (200, json!({"deleted_members_count": 1, "not_deleted_members": [NOBODY]}))
    );
    assert_eq!(status(&house, &key).await, "disabled");
    let events: Vec<String> = house.audit().await.into_iter().take(2).map(|event| event.action).collect();
    assert_eq!(events, ["api_key.disable", "workspace.member.remove"]);
    let page = house.get(&format!("/v1/gateway/workspaces/{team}/members?limit=1&after={ann}")).await.json();
    assert_eq!((&page["data"][0]["user_id"], &page["has_more"]), (&json!(cyd), &json!(true)));
    for none in [json!({"members": null}), json!({}), json!({"members": []})] {
        assert_eq!(answered(&house, root, "POST", &path("add-users"), none).await.0, 200);
    }
}

#[tokio::test]
async fn what_names_nobody_is_404_and_changes_nothing() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let team = workspace(&house, "team", &ann).await;
    let ben = person(&house, "ben").await;
    let path = format!("/v1/admin/workspaces/{team}/add-users");
    let some = json!({"members": [{"user_uuid": ben}, {"user_uuid": NOBODY}]});
    assert_eq!(answered(&house, &house.admin, "POST", &path, some).await.0, 404);
    assert_eq!(members(&house, &team).await.len(), 1);
    for (body, status) in [
        (json!({"members": [{"user_uuid": ben, "roles": [NOBODY]}]}), 404),
        (json!({"members": [{"user_uuid": ben, "roles": []}]}), 422),
        (json!({"members": [{"user_uuid": ben, "roles": ["A"], "role_names": ["dev"]}]}), 422),
        (json!({"members": [{"user_uuid": "ben"}]}), 422),
        (json!({"members": [{"user_uuid": ben, "x": 1}]}), 422),
        (json!({"members": {}}), 422),
        (json!([]), 422),
    ] {
        let answer = answered(&house, &house.admin, "POST", &path, body.clone()).await;
        assert_eq!((answer.0, answer.1.get("detail").is_some()), (status, true), "{body}");
    }
    let foreign = house.neighbour().await;
    for (who, path, status) in [
        (&house.admin, format!("/v1/admin/workspaces/{NOBODY}/add-users"), 404),
        (&house.admin, "/v1/admin/workspaces/team/add-users".to_owned(), 422),
        (&foreign, path.clone(), 404),
    ] {
        let body = json!({"members": [{"user_uuid": ben}]});
        assert_eq!(answered(&house, who, "POST", &path, body).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn a_workspace_admin_rules_one_workspace_and_never_themselves() {
    let house = house().await;
    let [ann, ben] = [person(&house, "ann").await, person(&house, "ben").await];
    let (team, other) = (workspace(&house, "team", &ann).await, workspace(&house, "other", &ben).await);
    let key = key_of(&house, &ann).await;
    let place = |user: &str, role: &str| json!({"members": [{"user_uuid": user, "role_names": [role]}]});
    let add = |workspace: &str| format!("/v1/admin/workspaces/{workspace}/add-users");
    let change = format!("/v1/admin/workspaces/{team}/users");
    let remove = format!("/v1/admin/workspaces/{team}/remove-users");
    for (method, path, body, status) in [
        ("POST", add(&team), place(&ben, "workspace_admin"), 200),
        ("PATCH", change.clone(), place(&ben, "billing"), 200),
        ("POST", add(&other), place(&ann, "dev"), 404),
        ("POST", add(&house.workspace.to_string()), place(&ben, "dev"), 404),
        ("PATCH", change, place(&ann, "billing"), 403),
        ("DELETE", remove.clone(), json!({"members": [{"user_uuid": ann}]}), 403),
        ("PATCH", format!("/v1/admin/workspaces/{team}"), json!({"description": "mine"}), 200),
        ("DELETE", format!("/v1/admin/workspaces/{team}"), json!({}), 403),
        (
            "PUT",
            format!("/v1/gateway/workspaces/{team}/members/{ben}/model-role"),
            json!({"role": "analyst"}),
            200,
        ),
        (
            "PUT",
            format!("/v1/gateway/workspaces/{team}/members/{ann}/model-role"),
            json!({"role": null}),
            403,
        ),
        (
            "PUT",
            format!("/v1/gateway/workspaces/{other}/members/{ben}/model-role"),
            json!({"role": null}),
            404,
        ),
        ("DELETE", remove, json!({"members": [{"user_uuid": ben}]}), 200),
    ] {
        let answer = answered(&house, &key, method, &path, body).await;
        assert_eq!(answer.0, status, "{method} {path}: {}", answer.1);
    }
    let seen = house.call_as(&key, "GET", "/v1/admin/workspaces", "").await.json();
    assert_eq!((&seen["total"], &seen["items"][0]["name"]), (&json!(1), &json!("team")));
    let mine = house.call_as(&key, "GET", &format!("/v1/gateway/workspaces/{team}/members"), "").await;
    assert_eq!(mine.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        house.call_as(&key, "GET", &format!("/v1/gateway/workspaces/{other}/limits"), "").await.status,
        404
    );
    let contributor = key_of(&house, &ben).await;
    for path in
        [format!("/v1/gateway/workspaces/{team}/members"), format!("/v1/gateway/workspaces/{team}/limits")]
    {
        assert_eq!(
            house.call_as(&contributor, "GET", &path, "").await.status,
            404,
            "{path}: ben is out again"
        );
    }
}

#[tokio::test]
async fn service_accounts_are_changed_by_who_may_and_end_with_their_keys() {
    let house = house().await;
    let [ann, ben] = [person(&house, "ann").await, person(&house, "ben").await];
    let (team, other) = (workspace(&house, "team", &ann).await, workspace(&house, "other", &ben).await);
    let key = key_of(&house, &ann).await;
    let post = |name: &str, workspace: &str| json!({"name": name, "workspace_id": workspace});
    let path = "/v1/gateway/service-accounts";
    let (made, account) = answered(&house, &key, "POST", path, post("ci", &team)).await;
    assert_eq!(made, 200, "{account}");
    assert_eq!(
        answered(&house, &key, "POST", path, post("ci", &other)).await.0,
        422,
        "as if it were not there"
    );
    let foreign = house.make(path, &post("theirs", &other).to_string()).await;
    let one = |account: &Value| format!("{path}/{}", account["id"].as_str().unwrap());
    let (mine, theirs) = (one(&account), one(&foreign));
    let (status_now, patched) = answered(
        &house,
        &key,
        "PATCH",
        &mine,
        json!({"name": "ci2", "role": "analyst", "roles": ["billing", ADMIN]}),
    )
    .await;
    assert_eq!(status_now, 200, "{patched}");
    assert_eq!(
        (&patched["name"], &patched["role"], &patched["roles"]),
        (&json!("ci2"), &json!("analyst"), &json!([BILLING, ADMIN]))
    );
    let events: Vec<String> = house.audit().await.into_iter().take(3).map(|event| event.action).collect();
    assert_eq!(events, ["service_account.roles.set", "model_role.assign", "service_account.update"]);
    assert_eq!(house.call_as(&key, "GET", path, "").await.json()["data"].as_array().unwrap().len(), 1);
    for (method, path, body, wanted) in [
        ("GET", &mine, json!(""), 200),
        ("GET", &theirs, json!(""), 404),
        ("PATCH", &theirs, json!({"name": "x"}), 404),
        ("DELETE", &theirs, json!(""), 404),
        ("PATCH", &mine, json!({"roles": ["organization_admin"]}), 422),
        ("PATCH", &mine, json!({"role": "nonsense"}), 422),
        ("PATCH", &mine, json!({"name": null}), 422),
    ] {
        assert_eq!(
            answered(&house, &key, method, path, body.clone()).await.0,
            wanted,
            "{method} {path} {body}"
        );
    }
    let id = account["id"].as_str().unwrap();
    let body = json!({"name": "k", "workspace_id": team, "service_account_id": id}).to_string();
    let its_key = house.make("/v1/api-keys", &body).await["id"].as_str().unwrap().to_owned();
    let itself = key_for(&house, AdminHolder::ServiceAccount(ServiceAccountId::parse(id).unwrap())).await;
    assert_eq!(answered(&house, &itself, "PATCH", &mine, json!({"roles": ["dev"]})).await.0, 403);
    assert_eq!(answered(&house, &itself, "PATCH", &mine, json!({"role": null})).await.0, 403);
    assert_eq!(answered(&house, &itself, "DELETE", &mine, json!("")).await.0, 403);
    assert_eq!(answered(&house, &key, "DELETE", &mine, json!("")).await.0, 200);
    assert_eq!(status(&house, &its_key).await, "revoked");
    assert_eq!(house.call_as(&itself, "GET", path, "").await.status, 401);
    let kept = admin_keys::list(&house.control.store, house.organization).await.unwrap();
    let revoked = kept.iter().filter(|key| key.status == KeyStatus::Revoked).count();
    assert_eq!(revoked, 1, "its admin key, and no other");
    assert_eq!(answered(&house, &key, "GET", &mine, json!("")).await.0, 404);
    assert_eq!(
        answered(&house, &key, "POST", path, post("ci2", &team)).await.0,
        200,
        "the name is free again"
    );
}

#[tokio::test]
async fn a_new_service_account_gets_only_roles_that_its_maker_may_give() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let team = workspace(&house, "team", &ann).await;
    let path = "/v1/gateway/service-accounts";
    let post = |name: &str, roles: Value| json!({"name": name, "workspace_id": team, "roles": roles});
    let key = key_of(&house, &ann).await;
    let (made, account) = answered(&house, &key, "POST", path, post("ci", json!(["billing", ADMIN]))).await;
    assert_eq!((made, &account["roles"]), (200, &json!([BILLING, ADMIN])), "{account}");
    assert_eq!(house.audit().await[0].action, "service_account.create");
    assert_eq!(answered(&house, &key, "POST", path, post("a", json!(["organization_admin"]))).await.0, 422);
    assert_eq!(answered(&house, &key, "POST", path, post("a", json!(null))).await.0, 422);

    for (name, permissions) in [
        ("maker", json!(["workspace.read", "service_account.create"])),
        ("giver", json!(["workspace.read", "service_account.create", "service_account.roles.set"])),
    ] {
        let role = json!({"name": name, "level": "workspace", "permissions": permissions});
        house.make("/v1/gateway/custom-roles", &role.to_string()).await;
        let ben = person(&house, name).await;
        let members = json!({"members": [{"user_uuid": ben, "role_names": [name]}]});
        house.make(&format!("/v1/admin/workspaces/{team}/add-users"), &members.to_string()).await;
        let key = key_of(&house, &ben).await;
        assert_eq!(answered(&house, &key, "POST", path, post(name, json!([]))).await.0, 200);
        let (refused, why) = answered(&house, &key, "POST", path, post("b", json!([ADMIN]))).await;
        assert_eq!(refused, 403, "{name}: {why}");
    }
}
