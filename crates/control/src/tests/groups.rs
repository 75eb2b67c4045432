//! Groups: made, nested, filled, given roles; nobody gives through them what they do not hold, or to themselves.

use super::members::{NOBODY, api_key, key_of, person, status, workspace};
use super::{House, house};
use louver_domain::access::{Action, Actor, decide};
use louver_domain::groups::Group;
use louver_domain::id::GroupId;
use louver_store::groups as store;
use serde_json::{Value, json};

const GROUPS: &str = "/v1/admin/user-groups";

async fn group(house: &House, name: &str, parents: &[&str]) -> String {
    house.pass_seconds(1);
    let body = json!({"name": name, "parent_group_ids": parents}).to_string();
    house.make(GROUPS, &body).await["uuid"].as_str().unwrap().to_owned()
}

/// The status of an admin request on a group.
async fn on(house: &House, who: &str, method: &str, path: &str, body: Value) -> u16 {
    house.call_as(who, method, &format!("{GROUPS}/{path}"), &body.to_string()).await.status.as_u16()
}

async fn done(house: &House, method: &str, path: &str, body: Value) {
    let answer = house.call(method, &format!("{GROUPS}/{path}"), &body.to_string()).await;
    assert!(matches!(answer.status.as_u16(), 201 | 204), "{method} {path} {body}: {}", answer.text);
    assert_eq!(answer.text, "");
}

async fn put_in(house: &House, group: &str, people: &[&str]) {
    done(house, "POST", &format!("{group}/members"), json!({"user_uuids": people})).await;
}

#[tokio::test]
async fn groups_their_members_and_nesting_answer_in_mistrals_shapes() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let top = house.make(GROUPS, r#"{"name":"Été","description":"d","target_type":"O"}"#).await;
    let id = top["uuid"].as_str().unwrap().to_owned();
    assert_eq!(
        top,
        json!({"uuid": id, "name": "Été", "description": "d", "externally_managed": false, "target_type": "O",
            "organization_role": null, "parent_group_ids": []})
    );
    let low = group(&house, "low", &[&id]).await;
    let list = house.get(&format!("{GROUPS}?search=ETE")).await.json();
    assert_eq!((&list["total"], &list["items"][0], &list["page_size"]), (&json!(1), &top, &json!(25)));
    assert_eq!(house.get(&format!("{GROUPS}/{low}")).await.json()["parent_group_ids"], json!([id]));
    let nested = house.get(&format!("{GROUPS}/{id}/nested")).await.json();
    assert_eq!(nested, json!({"children": [{"uuid": low, "name": "low"}]}));
    let patched =
        house.call("PATCH", &format!("{GROUPS}/{low}"), r#"{"name":"lower","parent_group_ids":[]}"#).await;
    assert_eq!((&patched.json()["name"], &patched.json()["parent_group_ids"]), (&json!("lower"), &json!([])));
    done(&house, "PATCH", &format!("{id}/nested"), json!({"child_group_uuids": [low, low]})).await;
    put_in(&house, &low, &[&ann, &ann]).await;
    let members = house.get(&format!("{GROUPS}/{low}/members?page=-3&page_size=0")).await.json();
    assert_eq!(
        members,
        json!({"total": 1, "page": 1, "page_size": 1,
            "members": [{"user_uuid": ann, "name": "ann", "email": "ann@example.org"}]})
    );
    done(&house, "DELETE", &format!("{low}/members"), json!({"user_uuids": [ann]})).await;
    done(&house, "DELETE", &low, json!({})).await;
    assert_eq!(house.get(&format!("{GROUPS}/{low}")).await.status, 404);
}

#[tokio::test]
async fn what_a_group_gives_answers_in_mistrals_shapes() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let (team, id) = (workspace(&house, "team", &ann).await, group(&house, "top", &[]).await);
    for (role, shown) in
        [("B", "c955f4e1-9477-43f0-8349-6fbc629fccc9"), ("member", "0d48f530-095c-43fe-8aea-6673bcacabe6")]
    {
        done(&house, "PATCH", &format!("{id}/organization-role"), json!({"organization_role": role})).await;
        assert_eq!(house.get(&format!("{GROUPS}/{id}")).await.json()["organization_role"], shown);
    }
    done(
        &house,
        "POST",
        &format!("{id}/workspaces"),
        json!({"workspace_uuid": team, "role_names": ["dev", "billing"]}),
    )
    .await;
    let places = house.get(&format!("{GROUPS}/{id}/workspaces")).await.json();
    let place = &places["items"][0];
    assert_eq!(
        (&places["total"], &place["workspace_name"], &place["role_name"]),
        (&json!(1), &json!("team"), &json!("dev"))
    );
    assert_eq!(
        (&place["roles"][1]["name"], &place["created"]),
        (&json!("billing"), &json!("2026-11-21T02:32:00Z"))
    );
    done(&house, "PATCH", &format!("{id}/workspaces/{team}"), json!({"roles": ["A"]})).await;
    done(&house, "PATCH", &format!("{id}/workspaces/{team}"), json!({})).await;
    let names = house.get(&format!("{GROUPS}/{id}/workspaces")).await.json()["items"][0]["roles"].clone();
    assert_eq!((names.as_array().unwrap().len(), &names[0]["name"]), (1, &json!("workspace_admin")));
    done(&house, "DELETE", &format!("{id}/workspaces/{team}"), json!({})).await;
    assert_eq!(on(&house, &house.admin, "DELETE", &format!("{id}/workspaces/{team}"), json!({})).await, 404);
    done(&house, "POST", "provision-workspace", json!({"user_group_uuid": id, "workspace_uuid": team})).await;
    let names = house.get(&format!("{GROUPS}/{id}/workspaces")).await.json()["items"][0]["role_name"].clone();
    assert_eq!(names, "workspace_contributor");
    put_in(&house, &id, &[&ann]).await;
    done(&house, "DELETE", &format!("{id}/members"), json!({"user_uuids": [ann]})).await;
    assert_eq!(on(&house, &house.admin, "PATCH", &id, json!({"description": ""})).await, 200);
    done(&house, "DELETE", &id, json!({})).await;
    let events: Vec<String> = house.audit().await.into_iter().map(|event| event.action).collect();
    for event in [
        "create",
        "update",
        "delete",
        "member.add",
        "member.remove",
        "workspace.provision",
        "workspace.update",
        "workspace.deprovision",
    ] {
        assert!(events.contains(&format!("user_group.{event}")), "{event}");
    }
}

#[tokio::test]
async fn the_groups_of_a_workspace_are_listed_with_their_model_roles() {
    let house = house().await;
    let [ann, ben] = [person(&house, "ann").await, person(&house, "ben").await];
    let team = workspace(&house, "team", &ann).await;
    let ids = [group(&house, "one", &[]).await, group(&house, "two", &[]).await];
    for (id, roles) in ids.iter().zip([json!(["dev"]), json!(["user", "billing"])]) {
        let place = json!({"workspace_uuid": team, "role_names": roles});
        done(&house, "POST", &format!("{id}/workspaces"), place).await;
    }
    group(&house, "nowhere", &[]).await;
    let path = format!("/v1/gateway/workspaces/{team}/groups");
    let given = house.call("PUT", &format!("{path}/{}/model-role", ids[0]), r#"{"role":"analyst"}"#).await;
    let list = house.get(&path).await.json();
    assert_eq!((&list["object"], &list["has_more"]), (&json!("list"), &json!(false)));
    assert_eq!(list["data"][0], given.json(), "as it was shown when it was given");
    assert_eq!(
        list["data"][0],
        json!({"object": "group_membership", "workspace_id": team, "group_id": ids[0], "name": "one",
            "roles": ["578584f1-4319-4c88-9948-38a5184483b6"], "role_names": ["dev"], "role": "analyst"})
    );
    let two = &list["data"][1];
    assert_eq!((&two["role_names"], &two["role"]), (&json!(["user", "billing"]), &json!(null)));
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let first = house.get(&format!("{path}?limit=1")).await.json();
    assert_eq!((&first["data"][0]["group_id"], &first["has_more"]), (&json!(ids[0]), &json!(true)));
    let rest = house.get(&format!("{path}?limit=1&after={}", ids[0])).await.json();
    assert_eq!((&rest["data"][0]["group_id"], &rest["has_more"]), (&json!(ids[1]), &json!(false)));
    assert_eq!(house.get(&format!("{path}?after=x")).await.status, 422);
    assert_eq!(house.get(&format!("{path}?page=1")).await.status, 422);
    let status = async |who: &str| house.call_as(who, "GET", &path, "").await.status.as_u16();
    assert_eq!(status(&key_of(&house, &ann).await).await, 200, "who administers the workspace");
    assert!(matches!(status(&key_of(&house, &ben).await).await, 403 | 404), "who is not in it");
    assert_eq!(house.get("/v1/gateway/workspaces/x/groups").await.status, 404);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_changes_nothing() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let (a, team) = (group(&house, "a", &[]).await, workspace(&house, "team", &ann).await);
    let b = group(&house, "b", &[&a]).await;
    let c = group(&house, "c", &[&b]).await;
    let root = house.admin.clone();
    for (method, path, body, status) in [
        ("PATCH", a.clone(), json!({"parent_group_ids": [a]}), 409),
        ("PATCH", a.clone(), json!({"parent_group_ids": [c]}), 409),
        ("PATCH", format!("{c}/nested"), json!({"child_group_uuids": [a]}), 409),
        ("PATCH", format!("{c}/nested"), json!({"child_group_uuids": [c]}), 409),
        ("PATCH", format!("{a}/nested"), json!({"child_group_uuids": [NOBODY]}), 404),
        ("PATCH", b.clone(), json!({"parent_group_ids": [NOBODY]}), 404),
        ("PATCH", b.clone(), json!({"name": "a"}), 409),
        ("PATCH", b.clone(), json!({"name": ""}), 422),
        ("PATCH", b.clone(), json!({"target_type": "X"}), 422),
        ("POST", format!("{a}/members"), json!({"user_uuids": [ann, NOBODY]}), 404),
        ("POST", format!("{a}/members"), json!({"user_uuids": ["ann"]}), 422),
        ("POST", format!("{NOBODY}/members"), json!({"user_uuids": []}), 404),
        ("POST", "x/members".into(), json!({"user_uuids": []}), 422),
        ("POST", format!("{a}/workspaces"), json!({"workspace_uuid": NOBODY}), 404),
        ("POST", format!("{a}/workspaces"), json!({"workspace_uuid": team, "roles": [NOBODY]}), 404),
        ("POST", format!("{a}/workspaces"), json!({"workspace_uuid": team, "roles": []}), 422),
        ("PATCH", format!("{a}/workspaces/{team}"), json!({"role": "M"}), 404),
        ("PATCH", format!("{a}/organization-role"), json!({"organization_role": "dev"}), 404),
        ("PATCH", format!("{a}/organization-role"), json!({"organization_role": null}), 422),
    ] {
        assert_eq!(on(&house, &root, method, &path, body.clone()).await, status, "{method} {path} {body}");
    }
    assert_eq!(house.call("POST", GROUPS, r#"{"name":"a"}"#).await.status, 409);
    assert_eq!(house.get(&format!("{GROUPS}?page_size=101")).await.status, 422);
    assert_eq!(house.get(&format!("{GROUPS}?page=99999999999999999999")).await.json()["items"], json!([]));
    assert_eq!(house.get(&format!("{GROUPS}/{a}/members")).await.json()["total"], 0);
    assert_eq!(house.get(&format!("{GROUPS}/{a}")).await.json()["parent_group_ids"], json!([]));
    let neighbour = house.neighbour().await;
    assert_eq!(on(&house, &neighbour, "GET", &a, json!("")).await, 404);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(on(&house, &root, method, "provision-workspace", json!({})).await, 405, "{method}");
    }
}

#[tokio::test]
async fn keys_go_with_the_belonging_and_stay_while_another_way_leads_there() {
    let house = house().await;
    let [ann, ben] = [person(&house, "ann").await, person(&house, "ben").await];
    let team = workspace(&house, "team", &ann).await;
    let top = group(&house, "top", &[]).await;
    let [low, other] = [group(&house, "low", &[&top]).await, group(&house, "other", &[]).await];
    let place = json!({"workspace_uuid": team});
    let again = async || {
        done(&house, "PATCH", &format!("{top}/nested"), json!({"child_group_uuids": [low]})).await;
        done(&house, "POST", &format!("{top}/workspaces"), place.clone()).await;
        put_in(&house, &low, &[&ben]).await;
        api_key(&house, &team, &ben).await
    };
    for (method, path, body) in [
        ("DELETE", format!("{low}/members"), json!({"user_uuids": [ben]})),
        ("PATCH", format!("{top}/nested"), json!({"child_group_uuids": []})),
        ("DELETE", format!("{top}/workspaces/{team}"), json!({})),
    ] {
        let key = again().await;
        assert_eq!(status(&house, &key).await, "active");
        done(&house, method, &path, body).await;
        assert_eq!(status(&house, &key).await, "disabled", "{method} {path}");
    }
    let key = again().await;
    let out = house.call("PATCH", &format!("{GROUPS}/{low}"), r#"{"parent_group_ids":[]}"#).await;
    assert_eq!((out.status.as_u16(), status(&house, &key).await.as_str()), (200, "disabled"));

    let key = again().await;
    done(&house, "POST", &format!("{other}/workspaces"), place.clone()).await;
    put_in(&house, &other, &[&ben]).await;
    let counted = house.get("/v1/admin/workspaces?search=team").await.json();
    assert_eq!(counted["items"][0]["members_count"], 2, "ann, and ben once though two groups lead there");
    let members = house.get(&format!("/v1/gateway/workspaces/{team}/members")).await.json();
    let ben_there = &members["data"][1];
    assert_eq!((&ben_there["roles"], &ben_there["via_groups"]), (&json!([]), &json!([top, other])));
    done(&house, "DELETE", &other, json!({})).await;
    assert_eq!(status(&house, &key).await, "active", "the way through low and top is left");
    done(&house, "DELETE", &low, json!({})).await;
    assert_eq!(status(&house, &key).await, "disabled");
}

#[tokio::test]
async fn the_last_organization_admin_stays_however_the_group_is_changed() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let top = group(&house, "admins", &[]).await;
    let low = group(&house, "low", &[&top]).await;
    done(&house, "PATCH", &format!("{top}/organization-role"), json!({"organization_role": "A"})).await;
    put_in(&house, &low, &[&ann]).await;
    let key = api_key(&house, &house.workspace.to_string(), &ann).await;
    let root = house.admin.clone();
    let ways = [
        ("PATCH", format!("{top}/organization-role"), json!({"organization_role": "M"})),
        ("PATCH", format!("{top}/nested"), json!({"child_group_uuids": []})),
        ("PATCH", low.clone(), json!({"parent_group_ids": []})),
        ("DELETE", format!("{low}/members"), json!({"user_uuids": [ann]})),
        ("DELETE", low.clone(), json!({})),
        ("DELETE", top.clone(), json!({})),
    ];
    for (method, path, body) in &ways {
        assert_eq!(on(&house, &root, method, path, body.clone()).await, 409, "{method} {path}");
    }
    assert_eq!(status(&house, &key).await, "active");
    let ben = person(&house, "ben").await;
    put_in(&house, &top, &[&ben]).await;
    done(&house, "DELETE", &low, json!({})).await;
    assert_eq!(status(&house, &key).await, "disabled", "as an admin ann belonged everywhere");
    assert_eq!(on(&house, &root, "DELETE", &top, json!({})).await, 409);
}

#[tokio::test]
async fn nobody_changes_their_own_rights_through_groups() {
    let house = house().await;
    let [ann, ben, cyd] =
        [person(&house, "ann").await, person(&house, "ben").await, person(&house, "cyd").await];
    let team = workspace(&house, "team", &cyd).await;
    let admins = group(&house, "admins", &[]).await;
    done(&house, "PATCH", &format!("{admins}/organization-role"), json!({"organization_role": "A"})).await;
    put_in(&house, &admins, &[&ann, &ben]).await;
    let (own, giving, idle) = (
        group(&house, "own", &[]).await,
        group(&house, "giving", &[]).await,
        group(&house, "idle", &[]).await,
    );
    put_in(&house, &own, &[&ann]).await;
    done(
        &house,
        "POST",
        &format!("{giving}/workspaces"),
        json!({"workspace_uuid": team, "role_names": ["dev"]}),
    )
    .await;
    let key = key_of(&house, &ann).await;
    for (method, path, body, wanted) in [
        ("POST", format!("{giving}/members"), json!({"user_uuids": [ann]}), 403),
        ("POST", format!("{giving}/members"), json!({"user_uuids": [cyd, ann]}), 403),
        ("DELETE", format!("{admins}/members"), json!({"user_uuids": [ann]}), 403),
        ("PATCH", format!("{giving}/nested"), json!({"child_group_uuids": [own]}), 403),
        ("PATCH", own.clone(), json!({"parent_group_ids": [giving]}), 403),
        ("PATCH", format!("{own}/organization-role"), json!({"organization_role": "B"}), 403),
        ("POST", format!("{own}/workspaces"), json!({"workspace_uuid": team}), 403),
        ("DELETE", admins.clone(), json!({}), 403),
        ("POST", format!("{idle}/members"), json!({"user_uuids": [ann]}), 403),
        ("DELETE", own.clone(), json!({}), 403),
        ("POST", format!("{idle}/members"), json!({"user_uuids": [ben]}), 204),
        ("POST", format!("{giving}/members"), json!({"user_uuids": [ben]}), 204),
        ("POST", format!("{admins}/workspaces"), json!({"workspace_uuid": team}), 403),
    ] {
        assert_eq!(on(&house, &key, method, &path, body.clone()).await, wanted, "{method} {path} {body}");
    }
    assert_eq!(
        on(&house, &house.admin, "POST", &format!("{idle}/members"), json!({"user_uuids": [ann]})).await,
        204
    );
    let role = format!("/v1/gateway/workspaces/{team}/groups");
    let put = async |who: &str, group: &str, role_name: &str| {
        let body = json!({"role": role_name}).to_string();
        house.call_as(who, "PUT", &format!("{role}/{group}/model-role"), &body).await.status.as_u16()
    };
    assert_eq!(put(&key, &giving, "analyst").await, 200);
    assert_eq!(put(&key, &idle, "analyst").await, 404, "the group has nothing in that workspace");
    assert_eq!(put(&key, &giving, "nonsense").await, 422);
    let deleted = house.call("DELETE", "/v1/gateway/roles/analyst", "").await;
    assert_eq!(deleted.status, 409);
    let of_ben = key_of(&house, &ben).await;
    assert_eq!(put(&of_ben, &giving, "senior").await, 403, "ben is in it");
}

#[tokio::test]
async fn a_group_that_a_directory_keeps_is_only_given_roles_here() {
    let house = house().await;
    let ann = person(&house, "ann").await;
    let id = GroupId::new(house.control.clock.now(), &*house.control.entropy);
    let kept = Group {
        id,
        organization_id: house.organization,
        name: "directory".into(),
        description: None,
        target: None,
        organization_role: None,
        externally_managed: true,
        created_at: house.control.clock.now(),
    };
    let permit = decide(&Actor::system(house.organization), Action::CreateGroup, house.organization).unwrap();
    let mut tx = house.control.store.begin().await.unwrap();
    store::insert(&mut tx, &permit, &kept).await.unwrap();
    tx.commit(&crate::actions::Deed::on(permit, id, "directory").event(&house.control, &house.system()))
        .await
        .unwrap();
    let root = house.admin.clone();
    for (method, path, body, status) in [
        ("PATCH", id.to_string(), json!({"name": "x"}), 403),
        ("DELETE", id.to_string(), json!({}), 403),
        ("POST", format!("{id}/members"), json!({"user_uuids": [ann]}), 403),
        ("DELETE", format!("{id}/members"), json!({"user_uuids": [ann]}), 403),
        ("PATCH", format!("{id}/nested"), json!({"child_group_uuids": []}), 403),
        ("POST", format!("{id}/workspaces"), json!({"workspace_uuid": house.workspace}), 201),
        ("PATCH", format!("{id}/organization-role"), json!({"organization_role": "M"}), 204),
    ] {
        assert_eq!(on(&house, &root, method, &path, body.clone()).await, status, "{method} {path} {body}");
    }
    assert_eq!(house.get(&format!("{GROUPS}/{id}")).await.json()["externally_managed"], true);
}
