//! Custom roles: composed of permissions, given, changed by others only, deleted when nobody has them.

use super::{House, house};
use louver_domain::access::Action;
use louver_domain::id::RoleId;
use louver_domain::roles::{CustomRole, RoleLevel, WORKSPACE_CONTRIBUTOR};
use louver_store::custom_roles;
use serde_json::{Value, json};

const ROLES: &str = "/v1/gateway/custom-roles";

async fn made(house: &House, name: &str, level: &str, permissions: &[&str]) -> Value {
    let role = json!({"name": name, "level": level, "permissions": permissions}).to_string();
    house.make(ROLES, &role).await
}

#[tokio::test]
async fn a_role_is_made_read_changed_and_deleted() {
    let house = house().await;
    let body = json!({"name": "readers", "description": "d", "level": "organization",
        "permissions": ["usage.read", "audit_log.read", "usage.read"]});
    let role = house.make(ROLES, &body.to_string()).await;
    assert_eq!(
        (&role["object"], &role["level"], &role["permissions"]),
        (&json!("custom_role"), &json!("organization"), &json!(["usage.read", "audit_log.read"]))
    );
    let path = format!("{ROLES}/{}", role["id"].as_str().unwrap());
    assert_eq!(house.get(&path).await.json(), role);
    assert_eq!(house.get(ROLES).await.json()["data"], json!([role]));
    let listed = house.get("/v1/admin/roles").await.json();
    let custom =
        listed["organization_roles"].as_array().unwrap().iter().find(|one| one["is_custom_role"] == true);
    assert_eq!(custom.unwrap()["uuid"], role["id"]);
    let patch = r#"{"name":"watchers","description":"","permissions":["alert.read"]}"#;
    let changed = house.call("PATCH", &path, patch).await.json();
    assert_eq!((&changed["name"], &changed["permissions"]), (&json!("watchers"), &json!(["alert.read"])));
    assert_eq!(house.call("PATCH", &path, "{}").await.status, 200);
    assert_eq!(house.call("DELETE", &path, "").await.json()["deleted"], true);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(house.call(method, &path, "{}").await.status, 404, "{method}");
    }
    let log: Vec<String> = house.audit().await.into_iter().map(|event| event.action).collect();
    assert_eq!(log[..4], ["role.delete", "role.update", "role.update", "role.create"]);
}

#[tokio::test]
async fn what_makes_no_role_is_refused_by_name() {
    let house = house().await;
    made(&house, "taken", "workspace", &[]).await;
    for (name, level, permission, wanted, param) in [
        ("a", "organization", "usage.steal", 422, "permissions"),
        ("a", "organization", "organization.create", 422, "permissions"),
        ("a", "organization", "admin.refused", 422, "permissions"),
        ("a", "workspace", "user.create", 422, "permissions"),
        ("a", "planet", "usage.read", 422, "level"),
        ("", "organization", "usage.read", 422, "name"),
        ("731eb2be-a74f-4070-b797-35bf7009e553", "workspace", "usage.read", 422, "name"),
        ("731EB2BEA74F4070B79735BF7009E553", "workspace", "usage.read", 422, "name"),
        ("A", "workspace", "usage.read", 422, "name"),
        ("taken", "organization", "usage.read", 409, ""),
        ("member", "workspace", "usage.read", 409, ""),
        ("workspace_admin", "organization", "usage.read", 409, ""),
    ] {
        let body = json!({"name": name, "level": level, "permissions": [permission]}).to_string();
        let answer = house.call("POST", ROLES, &body).await;
        assert_eq!(answer.refused(), (wanted, param.into()), "{body}: {}", answer.text);
        assert_eq!(answer.text.contains(permission), param == "permissions", "{}", answer.text);
    }
    for bad in [
        "{}",
        r#"{"name":"a","level":"organization"}"#,
        r#"{"name":"a","level":"organization","permissions":[],"x":1}"#,
        "[]",
    ] {
        assert_eq!(house.call("POST", ROLES, bad).await.status, 422, "{bad}");
    }
    let role = made(&house, "ok", "workspace", &[]).await;
    let path = format!("{ROLES}/{}", role["id"].as_str().unwrap());
    for (bad, wanted) in [
        (r#"{"level":"organization"}"#, 422),
        (r#"{"name":null}"#, 422),
        (r#"{"name":"taken"}"#, 409),
        (r#"{"permissions":["user.create"]}"#, 422),
    ] {
        assert_eq!(house.call("PATCH", &path, bad).await.status, wanted, "{bad}");
    }
    let theirs = house.neighbour().await;
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(house.call_as(&theirs, method, &path, "{}").await.status, 404, "{method}");
    }
}

#[tokio::test]
async fn nobody_composes_more_than_he_holds_and_nobody_edits_his_own_role() {
    let house = house().await;
    let smith =
        made(&house, "smith", "organization", &["role.read", "role.create", "role.update", "usage.read"])
            .await;
    let other = made(&house, "other", "organization", &["audit_log.read"]).await;
    let ann = house.person("ann@example.org", &["smith"]).await;
    let anns = house.key_of(&ann).await;
    let path = |role: &Value| format!("{ROLES}/{}", role["id"].as_str().unwrap());
    let body = |permission: &str| json!({"permissions": [permission]}).to_string();
    let within = json!({"name": "hers", "level": "workspace", "permissions": ["usage.read"]}).to_string();
    assert_eq!(house.call_as(&anns, "POST", ROLES, &within).await.status, 200);
    let beyond = json!({"name": "more", "level": "workspace", "permissions": ["api_key.create"]}).to_string();
    for (method, path, body, why) in [
        ("POST", ROLES, &beyond, "what she does not hold"),
        ("PATCH", &path(&other), &body("usage.read"), "takes what she does not hold"),
        ("PATCH", &path(&smith), &body("usage.read"), "her own role"),
        ("DELETE", &path(&other), &String::new(), "no permission to delete"),
    ] {
        let answer = house.call_as(&anns, method, path, body).await;
        assert_eq!(answer.status, 403, "{why}: {}", answer.text);
    }
    let rename = r#"{"description":"for the auditors"}"#;
    assert_eq!(house.call_as(&anns, "PATCH", &path(&other), rename).await.status, 200);

    let refused = house.call("DELETE", &path(&smith), "").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert_eq!(house.call("DELETE", &format!("/v1/admin/users/{ann}"), "").await.status, 200);
    assert_eq!(house.call("DELETE", &path(&smith), "").await.status, 200, "nobody is left who has it");
    // Who comes back does not come back with a role that is gone.
    assert_eq!(house.person("ann@example.org", &["member"]).await, ann);
}

#[tokio::test]
async fn the_table_of_permissions_says_who_holds_them() {
    let house = house().await;
    let table = house.get("/v1/gateway/permissions").await.json();
    let row = |name: &str| {
        table["data"].as_array().unwrap().iter().find(|row| row["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(
        row("usage.read"),
        json!({"object": "permission", "name": "usage.read", "target": "USAGE", "level": "workspace", "own": true,
            "roles": ["billing_manager", "organization_admin", "billing", "workspace_admin", "observability_viewer"]})
    );
    assert_eq!(row("user.create")["roles"], json!(["organization_admin"]));
    assert_eq!(row("organization.create"), Value::Null, "no role can hold it");
    let ann = house.person("ann@example.org", &["member"]).await;
    let anns = house.key_of(&ann).await;
    assert_eq!(house.call_as(&anns, "GET", "/v1/gateway/permissions", "").await.status, 200);
    assert_eq!(house.call_as(&anns, "POST", ROLES, "{}").await.status, 403, "before the body is judged");
}

#[tokio::test]
async fn what_reads_as_an_id_is_one_whatever_an_old_role_is_called() {
    let house = house().await;
    let role = CustomRole {
        id: RoleId::from_bytes([7; 16]),
        name: WORKSPACE_CONTRIBUTOR.to_string(),
        description: String::new(),
        level: RoleLevel::Workspace,
        actions: [Action::CreateApiKey].into_iter().collect(),
        created_at: house.clock_now(),
    };
    house.write(async |tx, permit| custom_roles::insert(tx, permit, &role).await.unwrap()).await;
    let body = json!({"name": "bot", "workspace_id": house.workspace}).to_string();
    let bot = house.make("/v1/gateway/service-accounts", &body).await["id"].clone();
    let path = format!("/v1/gateway/service-accounts/{}", bot.as_str().unwrap());
    let asked = json!({"roles": [role.name]}).to_string();
    let given = house.call("PATCH", &path, &asked).await.json()["roles"].clone();
    assert_eq!(given, json!([WORKSPACE_CONTRIBUTOR.to_string()]));
}
