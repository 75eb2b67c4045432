//! What an API key may know of itself.

use super::{Answer, House, house};
use axum::body::Body;
use louver_domain::access::Action;
use louver_domain::roles::{MEMBER, WORKSPACE_CONTRIBUTOR};
use louver_domain::time::Timestamp;
use louver_store::workspaces;
use serde_json::json;

const ME: &str = "/v1/users/me";

impl House {
    async fn ask(&self, secret: &str, path: &str) -> Answer {
        let request = self.request("GET", path).header("x-api-key", secret);
        self.send(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn a_key_tells_whose_it_is_and_where() {
    let house = house().await;
    let other = house.workspace("other", None).await;
    let gone = house.workspace("gone", None).await;
    let places = [house.workspace, other, gone].map(|id| (id, WORKSPACE_CONTRIBUTOR));
    let ann = house.somebody("ann@example.com", &[MEMBER], &places).await;
    let mine =
        house.make("/v1/api-keys", &json!({"name": "mine", "owner_user_id": ann.id}).to_string()).await;
    let mut left = workspaces::get(&house.control.store, house.organization, gone).await.unwrap().unwrap();
    left.archived_at = Some(Timestamp::from_micros(1));
    house.write(async |tx, permit| workspaces::save(tx, permit, &left).await.unwrap()).await;

    let secret = mine["key"].as_str().unwrap();
    let me = house.ask(secret, ME).await.json();
    assert_eq!(me["id"], json!(ann.id));
    assert_eq!(
        (&me["email"], &me["first_name"], &me["last_name"]),
        (&json!("ann@example.com"), &json!("Ann"), &json!("Lee"))
    );
    assert_eq!(
        (&me["workspace"]["id"], &me["organization"]["name"]),
        (&json!(house.workspace), &json!("Example"))
    );
    assert_eq!(me["api_key"]["name"], "mine");
    let organizations = house.ask(secret, "/v1/users/me/organizations").await.json();
    assert_eq!(organizations, json!({"organizations": [{"id": house.organization, "name": "Example"}]}));
    let list = async |query: &str| {
        let answer = house.ask(secret, &format!("/v1/users/me/workspaces?{query}")).await;
        answer.json()["workspaces"].as_array().map_or(answer.status.as_u16().into(), Vec::len)
    };
    assert_eq!(list("").await, 1, "none but the one it lives in");
    assert_eq!(list("limit=1").await, 1);
    assert_eq!(list("limit=100&offset=1").await, 0);
    assert_eq!(list("offset=100000000000000000000000").await, 0);
    assert_eq!(list(&format!("organization_id={}", house.organization)).await, 1);
    assert_eq!(list("organization_id=null").await, 1);
    assert_eq!(list(&format!("organization_id={other}")).await, 0);
    for bad in
        ["limit=0", "limit=101", "limit=x", "offset=-1", "organization_id=x", "organization_id=", "page=1"]
    {
        assert_eq!(list(bad).await, 422, "{bad}");
    }

    let bare = house.make("/v1/api-keys", r#"{"name":"bare"}"#).await;
    let me = house.ask(bare["key"].as_str().unwrap(), ME).await.json();
    assert_eq!((&me["id"], &me["email"]), (&me["api_key"]["id"], &json!(null)));
    let account = json!({"name": "robot", "workspace_id": other}).to_string();
    let account = house.make("/v1/gateway/service-accounts", &account).await;
    let body = json!({"name": "r", "workspace_id": other, "service_account_id": account["id"]}).to_string();
    let robot = house.make("/v1/api-keys", &body).await;
    let me = house.ask(robot["key"].as_str().unwrap(), ME).await.json();
    assert_eq!((&me["id"], &me["first_name"], &me["email"]), (&account["id"], &json!("robot"), &json!(null)));
}

#[tokio::test]
async fn only_an_accepted_api_key_is_answered() {
    let house = house().await;
    let key = house.make("/v1/api-keys", r#"{"name":"a","expires_at":"2026-11-22"}"#).await;
    let (id, secret) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
    let both = |bearer: &str, plain: &str| {
        let request = house.request("GET", ME).header("authorization", format!("Bearer {bearer}"));
        request.header("x-api-key", plain).body(Body::empty()).unwrap()
    };
    assert_eq!(house.call_as(secret, "GET", ME, "").await.status, 200);
    assert_eq!(house.send(both(secret, secret)).await.status, 200);
    assert_eq!(house.ask(secret, "/v1/admin/api-keys").await.status, 401, "not on the admin side");
    let mut refused = vec![
        house.send(both(secret, &house.admin)).await,
        house.ask(&house.admin, ME).await,
        house.ask("nonsense", ME).await,
        house.send(house.request("GET", ME).body(Body::empty()).unwrap()).await,
    ];
    let mut wrong = secret.to_owned();
    wrong.replace_range(20..21, if &secret[20..21] == "a" { "b" } else { "a" });
    refused.push(house.ask(&wrong, ME).await);
    house.call("POST", &format!("/v1/api-keys/{id}/disable"), "").await;
    refused.push(house.ask(secret, "/v1/users/me/workspaces?limit=0").await);
    house.call("POST", &format!("/v1/api-keys/{id}/enable"), "").await;
    assert_eq!(house.ask(secret, ME).await.status, 200);
    house.pass_days(1);
    refused.push(house.ask(secret, ME).await);
    for answer in refused {
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (401, r#"{"detail":"Unauthorized"}"#));
    }

    let far = house.make("/v1/api-keys", r#"{"name":"a","allowed_cidrs":["198.51.100.0/24"]}"#).await;
    let answer = house.ask(far["key"].as_str().unwrap(), ME).await;
    assert_eq!((answer.status.as_u16(), answer.json()["detail"].is_string()), (403, true));
    let near = house.make("/v1/api-keys", r#"{"name":"a","allowed_cidrs":["192.0.2.0/24"]}"#).await;
    let near = near["key"].as_str().unwrap();
    assert_eq!(house.ask(near, ME).await.status, 200);
    let (store, organization) = (&house.control.store, house.organization);
    let mut workspace = workspaces::get(store, organization, house.workspace).await.unwrap().unwrap();
    workspace.archived_at = Some(Timestamp::from_micros(1));
    house.write(async |tx, permit| workspaces::save(tx, permit, &workspace).await.unwrap()).await;
    assert_eq!(house.ask(near, ME).await.status, 403);
}

#[tokio::test]
async fn whoever_holds_an_admin_key_learns_who_they_are_and_what_they_may_do() {
    let house = house().await;
    let key = house.get("/v1/gateway/me").await.json();
    assert_eq!(
        (&key["object"], &key["kind"], &key["name"]),
        (&json!("actor"), &json!("admin_key"), &json!("first"))
    );
    assert_eq!(
        (&key["organization_name"], &key["permissions"]["workspaces"]),
        (&json!("Example"), &json!([]))
    );
    let all = key["permissions"]["organization"].as_array().unwrap();
    let held = Action::ALL.iter().filter(|action| action.can_be_held()).map(|action| json!(action.as_str()));
    assert_eq!(*all, held.collect::<Vec<_>>());

    let person =
        house.somebody("ann@example.com", &[MEMBER], &[(house.workspace, WORKSPACE_CONTRIBUTOR)]).await;
    let ann = house.get_as(&person, "/v1/gateway/me").await.json();
    assert_eq!(
        (&ann["kind"], &ann["id"], &ann["name"]),
        (&json!("user"), &json!(person.id.to_string()), &json!("ann@example.com"))
    );
    assert_eq!(
        ann["permissions"]["organization"],
        json!(["organization.read", "role.read", "model_role.read", "model.read"])
    );
    assert_eq!(ann["permissions"]["workspaces"][0]["id"], house.workspace.to_string());
    let here = ann["permissions"]["workspaces"][0]["permissions"].to_string();
    assert!(
        here.contains("api_key.create_own")
            && here.contains("model.read")
            && !here.contains("\"api_key.create\"")
    );
    let nobody = house.call_as("lva_nobody", "GET", "/v1/gateway/me", "").await;
    assert_eq!(nobody.status, 401);
    let somewhere = house.get("/v1/gateway/me?id=1").await;
    assert_eq!(somewhere.status, 422);
}
