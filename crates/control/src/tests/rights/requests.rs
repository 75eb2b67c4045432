//! The body and the query of a request to each route that takes one: such that nothing but rights can refuse it.

use crate::openapi::told;
use crate::routes::Operation;

/// Method, path and body; names between braces stand for objects of the estate.
const BODIES: [(&str, &str, &str); 55] = [
    (
        "POST",
        "/v1/admin/api-keys",
        r#"{"name": "new", "user_id": "{owner}", "workspace_uuid": "{workspace}"}"#,
    ),
    ("POST", "/v1/admin/scim/sync", r#"{"dry_run": true}"#),
    ("POST", "/v1/admin/spend-limit", r#"{"amount": 1000, "no_monthly_limit": false}"#),
    ("POST", "/v1/admin/user-groups", r#"{"name": "new"}"#),
    (
        "POST",
        "/v1/admin/user-groups/provision-workspace",
        r#"{"user_group_uuid": "{child}", "workspace_uuid": "{workspace}"}"#,
    ),
    ("PATCH", "/v1/admin/user-groups/{group_uuid}", r#"{"name": "renamed"}"#),
    ("DELETE", "/v1/admin/user-groups/{group_uuid}/members", r#"{"user_uuids": ["{user}"]}"#),
    ("POST", "/v1/admin/user-groups/{group_uuid}/members", r#"{"user_uuids": ["{person}"]}"#),
    ("PATCH", "/v1/admin/user-groups/{group_uuid}/nested", r#"{"child_group_uuids": ["{child}"]}"#),
    ("PATCH", "/v1/admin/user-groups/{group_uuid}/organization-role", r#"{"organization_role": "B"}"#),
    (
        "POST",
        "/v1/admin/user-groups/{group_uuid}/workspaces",
        r#"{"workspace_uuid": "{workspace}", "roles": ["A"]}"#,
    ),
    ("PATCH", "/v1/admin/user-groups/{group_uuid}/workspaces/{workspace_uuid}", r#"{"roles": ["A"]}"#),
    ("POST", "/v1/admin/users", r#"[{"email": "new@example.com", "first_name": "N", "last_name": "W"}]"#),
    ("PATCH", "/v1/admin/users/{user_id}", r#"{"roles": ["B"]}"#),
    ("POST", "/v1/admin/users-invite", r#"{"email": "asked@example.com"}"#),
    (
        "POST",
        "/v1/admin/workspaces",
        r#"{"name": "new", "description": "", "icon": "", "add_all_org_members": false, "admin_user_id": "{person}"}"#,
    ),
    ("PATCH", "/v1/admin/workspaces/{workspace_uuid}", r#"{"description": "changed"}"#),
    (
        "POST",
        "/v1/admin/workspaces/{workspace_uuid}/add-users",
        r#"{"members": [{"user_uuid": "{person}"}]}"#,
    ),
    (
        "PATCH",
        "/v1/admin/workspaces/{workspace_uuid}/users",
        r#"{"members": [{"user_uuid": "{user}", "roles": ["A"]}]}"#,
    ),
    (
        "DELETE",
        "/v1/admin/workspaces/{workspace_uuid}/remove-users",
        r#"{"members": [{"user_uuid": "{user}"}]}"#,
    ),
    ("POST", "/v1/api-keys", r#"{"name": "new", "workspace_id": "{workspace}"}"#),
    ("PATCH", "/v1/api-keys/{id}", r#"{"name": "renamed"}"#),
    ("POST", "/v1/api-keys/{id}/rotate", r#"{"overlap": "1h"}"#),
    ("POST", "/v1/gateway/admin-keys/{id}/rotate", r#"{"overlap": "1h"}"#),
    ("POST", "/v1/gateway/rotations", r#"{"key_id": "{key}", "destinations": ["{destination}"]}"#),
    (
        "PUT",
        "/v1/gateway/rotation-policies",
        r#"{"scope": "workspace", "scope_id": "{workspace}", "period_days": 90}"#,
    ),
    (
        "POST",
        "/v1/gateway/alert-channels",
        r#"{"name": "new", "kind": "webhook", "url": "https://alerts.example.com/canary-address", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#,
    ),
    ("PATCH", "/v1/gateway/alert-channels/{id}", r#"{"url": "https://other.example.com/canary-address"}"#),
    ("POST", "/v1/gateway/budgets/release", r#"{"fence": "process_ended"}"#),
    (
        "POST",
        "/v1/gateway/custom-roles",
        r#"{"name": "new", "level": "workspace", "permissions": ["api_key.read"]}"#,
    ),
    ("PATCH", "/v1/gateway/custom-roles/{role}", r#"{"permissions": ["api_key.read", "api_key.create"]}"#),
    ("POST", "/v1/gateway/explain", r#"{"key_id": "{key}", "model": "mistral-small-latest"}"#),
    ("PATCH", "/v1/gateway/keys/{id}/limits", r#"{"requests_per_minute": 3}"#),
    ("POST", "/v1/gateway/keys/report-leak", r#"{"key": "{leaked}"}"#),
    (
        "PUT",
        "/v1/gateway/keys/{id}/unused-exemption",
        r#"{"reason": "yearly", "until": "2030-01-01T00:00:00Z"}"#,
    ),
    (
        "PUT",
        "/v1/gateway/models",
        r#"{"models": [{"id": "a", "family": "m", "name": "M", "context": 1000, "status": "active", "prices": [{"effective_from": "2026-01-01", "input_usd_per_mtok": 0.1, "cached_input_usd_per_mtok": 0.01, "output_usd_per_mtok": 0.3}]}]}"#,
    ),
    (
        "POST",
        "/v1/gateway/objects",
        r#"{"kind": "file", "upstream_id": "adopted", "workspace_id": "{workspace}"}"#,
    ),
    (
        "POST",
        "/v1/gateway/adjustments",
        r#"{"workspace_id": "{workspace}", "day": "2026-11-02", "model": "mistral-small-2603", "reported": {"input_tokens": 7}, "key_id": "{key}", "endpoint": "chat.completions", "reason": "the bill"}"#,
    ),
    ("PATCH", "/v1/gateway/organization", r#"{"limits": {"max_key_lifetime_days": 30}}"#),
    ("POST", "/v1/gateway/roles", r#"{"name": "new", "allowed_models": ["mistral-small"]}"#),
    ("PATCH", "/v1/gateway/roles/{name}", r#"{"daily_token_budget": 100}"#),
    (
        "POST",
        "/v1/gateway/secret-destinations",
        r#"{"name": "new", "kind": "vault", "workspace_id": "{workspace}", "settings": {"address": "http://127.0.0.1:1", "location": "x"}, "credentials": {"token": "canary-token-1"}}"#,
    ),
    (
        "PATCH",
        "/v1/gateway/secret-destinations/{id}",
        r#"{"name": "renamed", "credentials": {"token": "canary-token-2"}}"#,
    ),
    ("POST", "/v1/gateway/service-accounts", r#"{"name": "new", "workspace_id": "{workspace}"}"#),
    ("PATCH", "/v1/gateway/service-accounts/{account}", r#"{"name": "renamed"}"#),
    ("POST", "/v1/gateway/simulate", r#"{}"#),
    (
        "POST",
        "/v1/gateway/upstreams",
        r#"{"name": "new", "key": "canary-upstream-key-1", "workspace_id": "{workspace}"}"#,
    ),
    ("PATCH", "/v1/gateway/upstreams/{id}", r#"{"key": "canary-upstream-key-2"}"#),
    ("PATCH", "/v1/gateway/users/{user}/limits", r#"{"requests_per_minute": 3}"#),
    ("PUT", "/v1/gateway/workspaces/{workspace}/groups/{group}/model-role", r#"{"role": "senior"}"#),
    ("PATCH", "/v1/gateway/workspaces/{workspace}/limits", r#"{"max_key_lifetime_days": 20}"#),
    ("PUT", "/v1/gateway/workspaces/{workspace}/members/{user}/model-role", r#"{"role": "senior"}"#),
    (
        "PUT",
        "/v1/gateway/workspaces/{workspace}/service-accounts/{account}/model-role",
        r#"{"role": "senior"}"#,
    ),
    ("POST", "/invitations/{token}", ""),
    ("POST", "/v1/gateway/invitations/accept", ""),
];

/// Routes that write and read no body.
const BODILESS: [(&str, &str); 9] = [
    ("POST", "/v1/api-keys/{id}/disable"),
    ("POST", "/v1/api-keys/{id}/enable"),
    ("POST", "/v1/gateway/alert-channels/{id}/test"),
    ("POST", "/v1/gateway/budgets/{id}/unblock"),
    ("POST", "/v1/gateway/models/sightings/{name}/dismiss"),
    ("POST", "/v1/gateway/roles/{name}/restore"),
    ("POST", "/v1/gateway/rotations/{id}/cancel"),
    ("POST", "/v1/gateway/rotations/{id}/retry"),
    ("POST", "/v1/gateway/secret-destinations/{id}/test"),
];

/// The body for a route. Whoever adds a route that takes one writes one down above.
pub(crate) fn body(operation: &Operation) -> &'static str {
    let (method, path) = (operation.method.as_str(), operation.path);
    let found = BODIES.iter().find(|(of, at, _)| (*of, *at) == (method, path));
    let writes = matches!(method, "POST" | "PUT" | "PATCH") && !BODILESS.contains(&(method, path));
    match found {
        Some((_, _, body)) => body,
        None if writes || told(operation).body.is_some() => {
            panic!("{method} {path}: these tests have no body for it: write one down in rights/requests.rs")
        }
        None => "",
    }
}

/// A query with every parameter that the route must have.
pub(crate) fn query(operation: &Operation) -> String {
    let about = told(operation);
    let required = about.query.iter().filter(|parameter| parameter.required);
    let pairs: Vec<String> = required
        .map(|parameter| match parameter.name {
            "start_time" => "start_time=1790000000".to_owned(),
            "end_time" => "end_time=1790086400".to_owned(),
            other => panic!("{}: a value for {other} is wanted in rights/requests.rs", operation.path),
        })
        .collect();
    // Its body leaves out what is in effect.
    let pairs = match (operation.method.as_str(), operation.path) {
        ("PUT", "/v1/gateway/models") => vec!["force=true".to_owned()],
        _ => pairs,
    };
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Every row is of a route that is there.
pub(crate) fn check(operations: &[Operation]) {
    let known = |method: &str, path: &str| {
        operations.iter().any(|operation| (operation.method.as_str(), operation.path) == (method, path))
    };
    let rows = BODIES.iter().map(|(method, path, _)| (*method, *path)).chain(BODILESS);
    for (method, path) in rows {
        assert!(known(method, path), "{method} {path} is no route any more");
    }
}
