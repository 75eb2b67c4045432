//! Workspaces in Mistral's own shapes: made, found, named, archived, and never more than there may be.

use super::members::{NOBODY, key_of, person, workspace};
use super::{House, house};
use crate::Control;
use crate::actions::workspaces;
use crate::error::ControlError;
use serde_json::{Value, json};
use std::sync::Arc;

async fn listed(house: &House, query: &str) -> (u64, Vec<String>) {
    let list = house.get(&format!("/v1/admin/workspaces?{query}")).await.json();
    let names =
        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned());
    (list["total"].as_u64().unwrap(), names.collect())
}

#[tokio::test]
async fn a_workspace_is_made_with_its_admin_and_everybody_else() {
    let house = house().await;
    let [ann, _ben] = [person(&house, "ann").await, person(&house, "ben").await];
    let body = json!({"name": "Équipe", "description": "d", "icon": "❤\u{fe0f}", "admin_user_id": ann,
        "add_all_org_members": true});
    let made = house.make("/v1/admin/workspaces", &body.to_string()).await;
    let id = made["uuid"].as_str().unwrap();
    assert_eq!(
        made,
        json!({"uuid": id, "name": "Équipe", "description": "d", "icon": "❤\u{fe0f}", "members_count": 2,
            "spend_limit": {"value": null, "currency": "USD", "no_monthly_limit": true}, "is_default": false,
            "raw_roles": ["731eb2be-a74f-4070-b797-35bf7009e553"],
            "raw_role": "731eb2be-a74f-4070-b797-35bf7009e553"})
    );
    let members = house.get(&format!("/v1/gateway/workspaces/{id}/members")).await.json();
    let roles: Vec<&Value> =
        members["data"].as_array().unwrap().iter().map(|m| &m["role_names"][0]).collect();
    assert_eq!(roles, ["workspace_admin", "workspace_contributor"]);
    let events: Vec<String> = house.audit().await.into_iter().take(3).map(|event| event.action).collect();
    assert_eq!(events, ["workspace.member.add", "workspace.member.add", "workspace.create"]);
    assert_eq!(listed(&house, "search=EQUIPE").await, (1, vec!["Équipe".into()]));
    assert_eq!(listed(&house, "search=%25").await, (0, vec![]));
    assert_eq!(listed(&house, "page=99999999999999999999&page_size=99999999999").await, (2, vec![]));
    assert_eq!(listed(&house, "page_size=1&page=2").await, (2, vec!["Équipe".into()]));
    for bad in ["page=0", "page_size=0", "page=x", "is_archived=2", "is_archived=1", "unknown=1"] {
        assert_eq!(house.get(&format!("/v1/admin/workspaces?{bad}")).await.status, 422, "{bad}");
    }
    let limits = json!({"monthly_budget_usd": 12.5}).to_string();
    assert_eq!(
        house.call("PATCH", &format!("/v1/gateway/workspaces/{id}/limits"), &limits).await.status,
        200
    );
    let spend =
        house.get("/v1/admin/workspaces?search=equipe").await.json()["items"][0]["spend_limit"].clone();
    assert_eq!(spend, json!({"value": 12.5, "currency": "USD", "no_monthly_limit": false}));
}

#[tokio::test]
async fn what_does_not_fit_makes_nothing() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    workspace(&house, "team", &ann).await;
    for (body, status) in [
        (json!({"name": "x", "admin_user_id": NOBODY}), 404),
        (json!({"name": "team", "admin_user_id": ann}), 409),
        (json!({"name": "x", "admin_user_id": "ann"}), 422),
        (json!({"name": "x", "admin_user_id": ann, "icon": "abc"}), 422),
        (json!({"name": "x", "admin_user_id": ann, "icon": "\u{202e}"}), 422),
        (json!({"name": "x", "admin_user_id": ann, "icon": null}), 422),
        (json!({"name": "", "admin_user_id": ann}), 422),
        (json!({"name": "x".repeat(256), "admin_user_id": ann}), 422),
        (json!({"name": "x", "admin_user_id": ann, "description": "x".repeat(256)}), 422),
        (json!({"name": "x", "admin_user_id": ann, "add_all_org_members": 1}), 422),
        (json!({"name": "x", "admin_user_id": ann, "limits": {}}), 422),
        (json!({"name": "x"}), 422),
    ] {
        let answer = house.call("POST", "/v1/admin/workspaces", &body.to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
        assert_eq!(answer.json()["detail"].is_array(), status == 422, "{body}");
    }
    assert_eq!(listed(&house, "").await.0, 2);
}

#[tokio::test]
async fn a_workspace_is_renamed_and_archived_for_good() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let id = workspace(&house, "team", &ann).await;
    let path = format!("/v1/admin/workspaces/{id}");
    let patch = async |body: Value| house.call("PATCH", &path, &body.to_string()).await;
    let answer = patch(json!({"name": "crew", "icon": "🦊", "description": null})).await.json();
    assert_eq!(
        (&answer["name"], &answer["icon"], &answer["members_count"]),
        (&json!("crew"), &json!("🦊"), &json!(1))
    );
    assert_eq!(patch(json!({})).await.json()["icon"], "🦊");
    assert_eq!(patch(json!({"icon": ""})).await.json()["icon"], "");
    let bare = json!({"name": "bare", "admin_user_id": ann}).to_string();
    let bare = house.make("/v1/admin/workspaces", &bare).await;
    assert_eq!((&bare["description"], &bare["icon"]), (&json!(""), &json!("")), "as the document says");
    let bare = format!("/v1/admin/workspaces/{}", bare["uuid"].as_str().unwrap());
    assert_eq!(house.call("DELETE", &bare, "").await.status, 204);
    assert_eq!(patch(json!({"name": "default"})).await.status, 409);
    assert_eq!(patch(json!({"limits": {}})).await.status, 422);
    let default = format!("/v1/admin/workspaces/{}", house.workspace);
    assert_eq!(house.call("DELETE", &default, "").await.status, 409);
    let archived = house.call("DELETE", &path, "").await;
    assert_eq!((archived.status.as_u16(), archived.text.as_str()), (204, ""));
    let members = json!({"members": [{"user_uuid": ann}]});
    for (method, path, body) in [
        ("DELETE", path.clone(), json!({})),
        ("PATCH", path.clone(), json!({"name": "back"})),
        ("POST", format!("{path}/add-users"), members.clone()),
        ("PATCH", format!("{path}/users"), members.clone()),
        ("DELETE", format!("{path}/remove-users"), members),
        ("PATCH", format!("/v1/gateway/workspaces/{id}/limits"), json!({"requests_per_minute": 1})),
        ("PUT", format!("/v1/gateway/workspaces/{id}/members/{ann}/model-role"), json!({"role": "analyst"})),
    ] {
        assert_eq!(house.call(method, &path, &body.to_string()).await.status, 404, "{method} {path}");
    }
    assert_eq!(listed(&house, "").await, (1, vec!["default".into()]));
    assert_eq!(listed(&house, "is_archived=true").await.0, 3);
    let shown = house.get("/v1/gateway/workspaces").await.json()["data"].clone();
    assert!(shown.as_array().unwrap().iter().any(|w| w["name"] == "crew" && w["archived_at"].is_string()));
}

#[tokio::test]
async fn there_are_never_more_than_there_may_be() {
    let house = house().await;
    let few = Arc::new(Control {
        max_active_workspaces: 3,
        ..Control::offline(
            house.control.store.clone(),
            Arc::clone(&house.control.clock),
            Arc::clone(&house.control.entropy),
            Arc::clone(&house.control.pepper),
            Arc::clone(&house.control.master),
        )
    });
    let make = |n: u32| {
        let (few, context) = (Arc::clone(&few), house.system());
        tokio::spawn(async move {
            let new =
                workspaces::NewWorkspace { name: format!("w{n}"), ..workspaces::NewWorkspace::default() };
            workspaces::create(&few, &context, new).await
        })
    };
    let mut made = vec![];
    for task in (0..6).map(make).collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(workspace) => made.push(workspace.id),
            Err(error) => assert!(matches!(error, ControlError::Conflict(_)), "{error}"),
        }
    }
    assert_eq!(made.len(), 2, "beside the default one");
    workspaces::archive(&few, &house.system(), made[0]).await.unwrap();
    assert!(make(9).await.unwrap().is_ok(), "an archived one does not count");
}

#[tokio::test]
async fn a_change_of_limits_is_told_apart_in_the_audit_log() {
    let house = house().await;
    let path = format!("/v1/gateway/workspaces/{}/limits", house.workspace);
    let patch =
        json!({"monthly_budget_usd": 5, "requests_per_minute": 6, "max_key_lifetime_days": 7}).to_string();
    assert_eq!(house.call("PATCH", &path, &patch).await.status, 200);
    let newest = house.audit().await;
    let events: Vec<(&str, Option<&str>)> =
        newest.iter().take(4).map(|event| (event.action.as_str(), event.after.as_deref())).collect();
    assert_eq!(events[0].0, "workspace.limits.update");
    assert_eq!(events[1], ("api_key_policy.update", Some(r#"{"max_key_lifetime_days":7}"#)));
    assert_eq!(
        (events[2].0, events[3].0),
        ("rate_limit.rule.update", "billing.workspace_monthly_limit.updated")
    );
    let patch = json!({"limits": {"monthly_budget_usd": 50, "key_creation": "members"}}).to_string();
    assert_eq!(house.call("PATCH", "/v1/gateway/organization", &patch).await.status, 200);
    let newest = house.audit().await;
    let events: Vec<&str> = newest.iter().take(3).map(|event| event.action.as_str()).collect();
    assert_eq!(events, ["organization.update", "billing.monthly_limit.updated", "workspace.limits.update"]);
}

#[tokio::test]
async fn who_makes_a_workspace_may_administer_it_and_a_member_may_not_make_one() {
    let house = house().await;
    let [ann, ben] = [person(&house, "ann").await, person(&house, "ben").await];
    let group = house.make("/v1/admin/user-groups", r#"{"name":"admins"}"#).await["uuid"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/admin/user-groups/{group}");
    for (method, path, body) in [
        ("PATCH", format!("{path}/organization-role"), json!({"organization_role": "organization_admin"})),
        ("POST", format!("{path}/members"), json!({"user_uuids": [ann]})),
    ] {
        assert_eq!(house.call(method, &path, &body.to_string()).await.status, 204, "{path}");
    }
    let body = |name: &str, admin: &str| json!({"name": name, "admin_user_id": admin}).to_string();
    let (admin, member) = (key_of(&house, &ann).await, key_of(&house, &ben).await);
    let own = house.call_as(&admin, "POST", "/v1/admin/workspaces", &body("mine", &ann)).await;
    assert_eq!(own.status, 200, "{}", own.text);
    assert_eq!(house.call_as(&member, "POST", "/v1/admin/workspaces", &body("x", &ben)).await.status, 403);
}

#[tokio::test]
async fn names_that_differ_in_case_or_composition_only_are_taken() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let nouns = [
        ("/v1/admin/user-groups", json!({})),
        ("/v1/gateway/custom-roles", json!({"level": "workspace", "permissions": []})),
        ("/v1/admin/workspaces", json!({"admin_user_id": ann})),
    ];
    for (path, rest) in nouns {
        let make = async |name: &str| {
            let mut body = rest.clone();
            body["name"] = json!(name);
            house.call("POST", path, &body.to_string()).await
        };
        let made = make("E\u{301}quipe").await;
        assert!(made.status.is_success(), "{}", made.text);
        assert!(path.ends_with("workspaces") || made.json()["name"] == "Équipe", "{}", made.text);
        assert_eq!(make("éQUIPE").await.status, 409, "{path}");
        assert_eq!(make("Équipe\u{a0}B").await.status, 422, "{path}");
        assert!(make("Equipe").await.status.is_success(), "{path}");
    }
    let list = house.get("/v1/admin/workspaces?search=equipe").await.json();
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Équipe"), "{names:?}");
    let path = format!("/v1/admin/workspaces/{}", list["items"][0]["uuid"].as_str().unwrap());
    assert_eq!(house.call("PATCH", &path, r#"{"name":"DEFAULT"}"#).await.status, 409);
}
