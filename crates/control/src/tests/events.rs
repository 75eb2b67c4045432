//! What each writing route leaves in the audit log: the event of its permission and what follows from it, with the
//! object before and after, and no secret.

use super::Answer;
use super::rights::estate::{At, Estate, Names};
use super::rights::requests;
use crate::operations;
use crate::routes::{Access, Operation};
use louver_domain::access::Action;
use serde_json::Value;

/// The events of each writing route, in order. `+`: only what is there after; `~`: before and after; `-`: only what was
/// there before; `!`: neither, since nothing changes. Whoever adds a route that writes says here what it leaves.
const EVENTS: [(&str, &str, &[&str]); 68] = [
    ("POST", "/v1/admin/api-keys", &["+ api_key.create"]),
    ("DELETE", "/v1/admin/api-keys/{key_id}", &["~ api_key.delete"]),
    ("POST", "/v1/admin/spend-limit", &["~ billing.monthly_limit.updated"]),
    ("POST", "/v1/admin/user-groups", &["+ user_group.create"]),
    ("POST", "/v1/admin/user-groups/provision-workspace", &["+ user_group.workspace.provision"]),
    ("PATCH", "/v1/admin/user-groups/{group_uuid}", &["~ user_group.update"]),
    ("DELETE", "/v1/admin/user-groups/{group_uuid}", &["- user_group.delete"]),
    ("POST", "/v1/admin/user-groups/{group_uuid}/members", &["+ user_group.member.add"]),
    ("DELETE", "/v1/admin/user-groups/{group_uuid}/members", &["- user_group.member.remove"]),
    ("PATCH", "/v1/admin/user-groups/{group_uuid}/nested", &["~ user_group.update"]),
    ("PATCH", "/v1/admin/user-groups/{group_uuid}/organization-role", &["~ user_group.update"]),
    // The group is there already: other roles.
    ("POST", "/v1/admin/user-groups/{group_uuid}/workspaces", &["~ user_group.workspace.update"]),
    (
        "PATCH",
        "/v1/admin/user-groups/{group_uuid}/workspaces/{workspace_uuid}",
        &["~ user_group.workspace.update"],
    ),
    (
        "DELETE",
        "/v1/admin/user-groups/{group_uuid}/workspaces/{workspace_uuid}",
        &["- user_group.workspace.deprovision"],
    ),
    ("POST", "/v1/admin/users", &["+ user.create"]),
    ("PATCH", "/v1/admin/users/{user_id}", &["~ user.organization.role.update"]),
    (
        "DELETE",
        "/v1/admin/users/{user_id}",
        &["- user.organization.delete", "~ api_key.disable", "~ admin_api_key.delete"],
    ),
    ("POST", "/v1/admin/users-invite", &["+ organization.invite.send"]),
    ("DELETE", "/v1/admin/users-invite/{invite_uuid}", &["- organization.invite.revoked"]),
    ("POST", "/v1/admin/workspaces", &["+ workspace.create", "+ workspace.member.add"]),
    ("PATCH", "/v1/admin/workspaces/{workspace_uuid}", &["~ workspace.update"]),
    ("DELETE", "/v1/admin/workspaces/{workspace_uuid}", &["~ workspace.delete"]),
    ("POST", "/v1/admin/workspaces/{workspace_uuid}/add-users", &["+ workspace.member.add"]),
    ("PATCH", "/v1/admin/workspaces/{workspace_uuid}/users", &["~ workspace.member.role.update"]),
    // Their key there stays: they belong through a group still.
    ("DELETE", "/v1/admin/workspaces/{workspace_uuid}/remove-users", &["- workspace.member.remove"]),
    ("POST", "/v1/api-keys", &["+ api_key.create"]),
    ("PATCH", "/v1/api-keys/{id}", &["~ api_key.update"]),
    ("DELETE", "/v1/api-keys/{id}", &["~ api_key.delete"]),
    ("POST", "/v1/api-keys/{id}/disable", &["~ api_key.disable"]),
    ("POST", "/v1/api-keys/{id}/enable", &["~ api_key.enable"]),
    ("POST", "/v1/api-keys/{id}/rotate", &["~ api_key.rotate"]),
    ("POST", "/v1/gateway/admin-keys/{id}/rotate", &["~ admin_api_key.rotate"]),
    ("POST", "/v1/gateway/keys/report-leak", &["~ api_key.leak.report"]),
    ("PUT", "/v1/gateway/keys/{id}/unused-exemption", &["~ api_key.unused_exemption.update"]),
    ("DELETE", "/v1/gateway/keys/{id}/unused-exemption", &["- api_key.unused_exemption.update"]),
    ("POST", "/v1/gateway/rotations", &["+ rotation.start"]),
    ("POST", "/v1/gateway/rotations/{id}/cancel", &["~ rotation.cancel"]),
    ("PUT", "/v1/gateway/rotation-policies", &["+ rotation.policy.update"]),
    ("POST", "/v1/gateway/alert-channels", &["+ alert_channel.create"]),
    ("PATCH", "/v1/gateway/alert-channels/{id}", &["~ alert_channel.update"]),
    ("DELETE", "/v1/gateway/alert-channels/{id}", &["- alert_channel.delete"]),
    ("POST", "/v1/gateway/alert-channels/{id}/test", &["! alert_channel.test"]),
    ("POST", "/v1/gateway/secret-destinations", &["+ secret_destination.create"]),
    ("PATCH", "/v1/gateway/secret-destinations/{id}", &["~ secret_destination.update"]),
    ("DELETE", "/v1/gateway/secret-destinations/{id}", &["- secret_destination.delete"]),
    ("POST", "/v1/gateway/secret-destinations/{id}/test", &["! secret_destination.test"]),
    ("POST", "/v1/gateway/budgets/release", &["+ budget.release_stranded"]),
    ("POST", "/v1/gateway/custom-roles", &["+ role.create"]),
    ("PATCH", "/v1/gateway/custom-roles/{role}", &["~ role.update"]),
    ("DELETE", "/v1/gateway/custom-roles/{role}", &["- role.delete"]),
    ("PATCH", "/v1/gateway/keys/{id}/limits", &["~ api_key.update"]),
    ("PUT", "/v1/gateway/models", &["~ model.update"]),
    ("POST", "/v1/gateway/models/sightings/{name}/dismiss", &["~ model.sighting.dismiss"]),
    ("POST", "/v1/gateway/objects", &["+ object.adopt"]),
    ("DELETE", "/v1/gateway/objects/{id}", &["- object.release"]),
    ("POST", "/v1/gateway/adjustments", &["+ usage.adjust"]),
    ("PATCH", "/v1/gateway/organization", &["~ api_key_policy.update", "~ organization.update"]),
    ("POST", "/v1/gateway/roles", &["+ model_role.create"]),
    ("PATCH", "/v1/gateway/roles/{name}", &["~ model_role.update"]),
    ("DELETE", "/v1/gateway/roles/{name}", &["- model_role.delete"]),
    ("POST", "/v1/gateway/roles/{name}/restore", &["~ model_role.update"]),
    ("POST", "/v1/gateway/service-accounts", &["+ service_account.create"]),
    ("PATCH", "/v1/gateway/service-accounts/{account}", &["~ service_account.update"]),
    ("DELETE", "/v1/gateway/service-accounts/{account}", &["- service_account.delete", "~ api_key.delete"]),
    ("POST", "/v1/gateway/upstreams", &["+ upstream.create"]),
    ("PATCH", "/v1/gateway/upstreams/{id}", &["~ upstream.update"]),
    ("DELETE", "/v1/gateway/upstreams/{id}", &["- upstream.delete"]),
    ("PATCH", "/v1/gateway/users/{user}/limits", &["~ user.limits.update"]),
];
/// More of them: three that are long, and one with a second deed.
const PLACED: [(&str, &str, &[&str]); 4] = [
    (
        "PATCH",
        "/v1/gateway/workspaces/{workspace}/limits",
        &["~ api_key_policy.update", "~ workspace.limits.update"],
    ),
    ("PUT", "/v1/gateway/workspaces/{workspace}/groups/{group}/model-role", &["~ model_role.assign"]),
    ("PUT", "/v1/gateway/workspaces/{workspace}/members/{user}/model-role", &["~ model_role.assign"]),
    (
        "PUT",
        "/v1/gateway/workspaces/{workspace}/service-accounts/{account}/model-role",
        &["~ model_role.assign"],
    ),
];
/// Routes that change nothing here, and why: they only ask; no directory is connected; no rotation waits for
/// another try, which `rotations.rs` tries; no budget is blocked, which `proving/tests/it/budgets.rs` tries.
const NOTHING: [(&str, &str); 5] = [
    ("POST", "/v1/gateway/explain"),
    ("POST", "/v1/gateway/simulate"),
    ("POST", "/v1/admin/scim/sync"),
    ("POST", "/v1/gateway/rotations/{id}/retry"),
    ("POST", "/v1/gateway/budgets/{id}/unblock"),
];
/// What must be done before there is something to do.
const BEFORE: [(&str, &str, &str, &str); 2] = [
    ("/v1/api-keys/{id}/enable", "POST", "/v1/api-keys/{id}/disable", ""),
    ("/v1/gateway/roles/{name}/restore", "PATCH", "/v1/gateway/roles/senior", r#"{"daily_token_budget": 7}"#),
];
/// What the requests of these tests tell and nobody may see again.
const SECRETS: [&str; 4] =
    ["canary-address", "canary-upstream-key", "canary-token", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];

async fn events(estate: &Estate) -> Vec<Value> {
    let answer = estate.house.get("/v1/gateway/audit?limit=1000").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut events = answer.json()["data"].as_array().unwrap().clone();
    events.reverse();
    events
}

async fn call(estate: &Estate, method: &str, path: &str, body: &str) -> Answer {
    let names = Names::new();
    // Only built-in roles can be restored.
    let named = path.replace("{name}/restore", "senior/restore");
    let filled = estate.fill(path, &named, At::Here, &names);
    // Its body leaves out what is in effect.
    let filled = if path == "/v1/gateway/models" { format!("{filled}?force=true") } else { filled };
    let answer = estate.house.call(method, &filled, &estate.fill(path, body, At::Here, &names)).await;
    assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
    answer
}

fn line(event: &Value) -> String {
    let mark = match (event["before"].is_null(), event["after"].is_null()) {
        (true, false) => "+",
        (false, false) => "~",
        (false, true) => "-",
        (true, true) => "!",
    };
    format!("{mark} {}", event["event"].as_str().unwrap())
}

/// No event tells a secret, be it of the request or one that the answer shows.
fn tell_nothing(events: &[Value], answer: &Answer) {
    let shown: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let made = ["key", "secret"].map(|field| shown[field].as_str().unwrap_or_default().to_owned());
    for event in events.iter().map(Value::to_string) {
        for secret in SECRETS.iter().copied().chain(made.iter().map(String::as_str)) {
            assert!(secret.is_empty() || !event.contains(secret), "{event}");
        }
    }
}

async fn leaves(operation: &Operation, action: Action, expected: &[&str]) {
    let estate = Estate::found().await;
    for (_, method, path, body) in BEFORE.iter().filter(|(path, ..)| *path == operation.path) {
        call(&estate, method, path, body).await;
    }
    let before = events(&estate).await.len();
    let (method, path) = (operation.method.as_str(), operation.path);
    let answer = call(&estate, method, path, requests::body(operation)).await;
    let left = events(&estate).await.split_off(before);
    assert_eq!(left.iter().map(line).collect::<Vec<_>>(), expected, "{method} {path}");
    // Which action it was follows from what the caller holds and from what was there.
    let permissions: Vec<&str> = left.iter().map(|event| event["permission"].as_str().unwrap()).collect();
    let own = [Some(action), action.wider()].into_iter().flatten().map(Action::as_str);
    let place_was_there = permissions == ["user_group.workspace.update"];
    assert!(own.into_iter().any(|own| permissions.contains(&own)) || place_was_there, "{method} {path}");
    for event in &left {
        assert_eq!((&event["outcome"], &event["address"]), (&"done".into(), &"192.0.2.7".into()), "{event}");
        assert!(event["target"]["id"].as_str().is_some_and(|id| !id.is_empty()), "{event}");
        assert!(event["request_id"].is_string(), "{event}");
        assert!(
            event["before"] != event["after"] || line(event).starts_with('!'),
            "{method} {path}: {event}"
        );
    }
    tell_nothing(&left, &answer);
}

#[tokio::test]
async fn each_writing_route_leaves_its_event_and_what_follows_from_it() {
    let rows: Vec<_> = EVENTS.iter().chain(&PLACED).collect();
    let mut met = 0;
    for operation in operations() {
        let Access::Admin(action) = operation.access else { continue };
        let (method, path) = (operation.method.as_str(), operation.path);
        if method == "GET" || NOTHING.contains(&(method, path)) {
            continue;
        }
        let row = rows.iter().find(|(of, at, _)| (*of, *at) == (method, path));
        let (_, _, expected) = row.unwrap_or_else(|| panic!("{method} {path}: which events does it leave?"));
        leaves(&operation, action, expected).await;
        met += 1;
    }
    assert_eq!(met, rows.len(), "a row is of no route any more");
}
