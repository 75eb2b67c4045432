//! Which requests each step becomes, in Mistral's shapes and Louver's own.
#![allow(clippy::too_many_lines, reason = "the table is long")]

use super::super::plan::{Change, Found, Present, plan};
use super::super::state::{self, Needs};
use super::super::{file, wanted};
use super::*;
use crate::client::tests::{Scripted, Seen};
use crate::config::Environment;
use serde_json::json;

const ADMIN_ROLE: &str = "7bde5959-d676-47d2-b779-35b64323d278";
const KEYS_ROLE: &str = "0198f0a0-0000-7000-8000-000000000001";
const DEV_ROLE: &str = "578584f1-4319-4c88-9948-38a5184483b6";

/// A Louver whose every new thing has the id `new`.
fn answer((method, path, _): &Seen) -> (u16, Value) {
    match (method.as_str(), path.as_str()) {
        ("GET", "/v1/admin/roles") => (
            200,
            json!({
                "organization_roles": [{"name": "organization_admin", "uuid": ADMIN_ROLE}],
                "workspace_roles": [{"name": "dev", "uuid": DEV_ROLE}, {"name": "keys", "uuid": KEYS_ROLE}],
            }),
        ),
        ("POST", "/v1/admin/users") => {
            (200, json!({"invalid_emails": [], "email_to_user_id": {"ann@x.org": "ann"}}))
        }
        ("POST", _) => (200, json!({"id": "new", "uuid": "new", "name": "new"})),
        ("DELETE" | "PATCH", path) if path.starts_with("/v1/admin/") => (204, Value::Null),
        _ => (200, json!({})),
    }
}

fn step(action: Action, id: Id, after: Value) -> Step {
    let change = |(field, after): (&String, &Value)| Change {
        field: field.clone(),
        before: Value::Null,
        after: after.clone(),
    };
    Step { action, id, changes: after.as_object().unwrap().iter().map(change).collect() }
}

/// Method, path, body.
type Request = (&'static str, &'static str, Value);

/// What there is before the steps.
fn there() -> Present {
    let ids = [
        (Id::member("ann@x.org"), "ann"),
        (Id::workspace("dev"), "ws"),
        (Id::of(Noun::Group, "g"), "g1"),
        (Id::of(Noun::Group, "h"), "g2"),
        (Id::within(Noun::GroupMember, "g", "ann@x.org"), "ann"),
        (Id::within(Noun::WorkspaceMember, "dev", "ann@x.org"), "ann"),
        (Id::within(Noun::WorkspaceGroup, "dev", "g"), "g1"),
        (Id::within(Noun::ServiceAccount, "dev", "bot"), "sa"),
        (Id::of(Noun::Role, "r"), "role"),
        (Id::organization(), "org"),
        (Id::of(Noun::SecretDestination, "v"), "d1"),
    ];
    let found = |uuid: &str| Found { uuid: uuid.to_owned(), ..Found::default() };
    Present { items: ids.into_iter().map(|(id, uuid)| (id, found(uuid))).collect() }
}

#[tokio::test]
async fn each_step_is_the_requests_it_takes() {
    let server = Scripted::start(usize::MAX, answer).await;
    let api = Api::new(server.client());
    let hidden = BTreeMap::new();
    let of = Id::of;
    let within = Id::within;
    let member = |roles: &[&str]| json!({"members": [{"user_uuid": "ann", "roles": roles}]});
    use Action::{Create, Delete, Update};
    let table: Vec<(Step, Vec<Request>)> = vec![
        (
            step(
                Create,
                of(Noun::Role, "keys"),
                json!({"level": "workspace", "permissions": ["api_key.create"]}),
            ),
            vec![(
                "POST",
                "/v1/gateway/custom-roles",
                json!({"name": "keys", "level": "workspace", "permissions": ["api_key.create"]}),
            )],
        ),
        (
            step(
                Create,
                of(Noun::SecretDestination, "new"),
                json!({"kind": "file", "workspace": "dev", "settings": {"location": "/x"}, "enabled": false}),
            ),
            vec![(
                "POST",
                "/v1/gateway/secret-destinations",
                json!({"name": "new", "kind": "file", "workspace_id": "ws", "settings": {"location": "/x"}, "enabled": false}),
            )],
        ),
        (
            step(Update, of(Noun::SecretDestination, "v"), json!({"enabled": true})),
            vec![("PATCH", "/v1/gateway/secret-destinations/d1", json!({"enabled": true}))],
        ),
        (
            step(Delete, of(Noun::SecretDestination, "v"), json!({})),
            vec![("DELETE", "/v1/gateway/secret-destinations/d1", Value::Null)],
        ),
        (
            step(Update, Id::organization(), json!({"rotation": {"period_days": 90, "destinations": ["v"]}})),
            vec![(
                "PUT",
                "/v1/gateway/rotation-policies",
                json!({"scope": "organization", "scope_id": "org", "period_days": 90, "destinations": ["d1"]}),
            )],
        ),
        (
            step(Update, Id::workspace("dev"), json!({"rotation": null})),
            vec![("PUT", "/v1/gateway/rotation-policies", json!({"scope": "workspace", "scope_id": "ws"}))],
        ),
        (
            step(Update, of(Noun::Role, "r"), json!({"description": null})),
            vec![("PATCH", "/v1/gateway/custom-roles/role", json!({"description": ""}))],
        ),
        (
            step(Delete, of(Noun::Role, "r"), json!({})),
            vec![("DELETE", "/v1/gateway/custom-roles/role", Value::Null)],
        ),
        (
            step(
                Create,
                Id::member("ann@x.org"),
                json!({"name": "Ann B. Example", "roles": ["organization_admin"], "tokens_per_month": 5}),
            ),
            vec![
                ("GET", "/v1/admin/roles", Value::Null),
                (
                    "POST",
                    "/v1/admin/users",
                    json!([{"email": "ann@x.org", "first_name": "Ann", "last_name": "B. Example", "roles": [ADMIN_ROLE]}]),
                ),
                ("PATCH", "/v1/gateway/users/ann/limits", json!({"tokens_per_month": 5})),
            ],
        ),
        (
            step(Update, Id::member("ann@x.org"), json!({"roles": ["organization_admin"]})),
            vec![("PATCH", "/v1/admin/users/ann", json!({"roles": [ADMIN_ROLE]}))],
        ),
        (
            step(Delete, Id::member("ann@x.org"), json!({})),
            vec![("DELETE", "/v1/admin/users/ann", Value::Null)],
        ),
        (
            step(
                Create,
                Id::workspace("new one"),
                json!({"admin": "ann@x.org", "icon": "🚀", "mode": "shadow"}),
            ),
            vec![
                (
                    "POST",
                    "/v1/admin/workspaces",
                    json!({"name": "new one", "description": "", "icon": "🚀", "admin_user_id": "ann"}),
                ),
                ("PATCH", "/v1/gateway/workspaces/new/limits", json!({"mode": "shadow"})),
            ],
        ),
        (
            step(
                Update,
                Id::workspace("dev"),
                json!({"description": null, "icon": null, "requests_per_minute": 5}),
            ),
            vec![
                ("PATCH", "/v1/admin/workspaces/ws", json!({"description": "", "icon": ""})),
                ("PATCH", "/v1/gateway/workspaces/ws/limits", json!({"requests_per_minute": 5})),
            ],
        ),
        (
            step(Delete, Id::workspace("dev"), json!({})),
            vec![("DELETE", "/v1/admin/workspaces/ws", Value::Null)],
        ),
        (
            step(
                Create,
                of(Noun::Group, "i"),
                json!({"description": "d", "target_type": "W", "parents": ["g", "h"], "organization_role": "organization_admin"}),
            ),
            vec![
                (
                    "POST",
                    "/v1/admin/user-groups",
                    json!({"name": "i", "description": "d", "target_type": "W", "parent_group_ids": ["g1", "g2"]}),
                ),
                (
                    "PATCH",
                    "/v1/admin/user-groups/new/organization-role",
                    json!({"organization_role": ADMIN_ROLE}),
                ),
            ],
        ),
        (
            step(Update, of(Noun::Group, "h"), json!({"parents": []})),
            vec![("PATCH", "/v1/admin/user-groups/g2", json!({"parent_group_ids": []}))],
        ),
        (
            step(Delete, of(Noun::Group, "h"), json!({})),
            vec![("DELETE", "/v1/admin/user-groups/g2", Value::Null)],
        ),
        (
            step(Create, within(Noun::GroupMember, "h", "ann@x.org"), json!({})),
            vec![("POST", "/v1/admin/user-groups/g2/members", json!({"user_uuids": ["ann"]}))],
        ),
        (
            step(Delete, within(Noun::GroupMember, "g", "ann@x.org"), json!({})),
            vec![("DELETE", "/v1/admin/user-groups/g1/members", json!({"user_uuids": ["ann"]}))],
        ),
        (
            step(
                Create,
                within(Noun::WorkspaceMember, "dev", "ann@x.org"),
                json!({"roles": ["dev"], "model_role": "senior"}),
            ),
            vec![
                ("POST", "/v1/admin/workspaces/ws/add-users", member(&[DEV_ROLE])),
                ("PUT", "/v1/gateway/workspaces/ws/members/ann/model-role", json!({"role": "senior"})),
            ],
        ),
        (
            step(
                Update,
                within(Noun::WorkspaceMember, "dev", "ann@x.org"),
                json!({"roles": ["dev"], "model_role": null}),
            ),
            vec![
                ("PATCH", "/v1/admin/workspaces/ws/users", member(&[DEV_ROLE])),
                ("PUT", "/v1/gateway/workspaces/ws/members/ann/model-role", json!({"role": null})),
            ],
        ),
        (
            step(Delete, within(Noun::WorkspaceMember, "dev", "ann@x.org"), json!({})),
            vec![(
                "DELETE",
                "/v1/admin/workspaces/ws/remove-users",
                json!({"members": [{"user_uuid": "ann"}]}),
            )],
        ),
        (
            step(
                Create,
                within(Noun::WorkspaceGroup, "dev", "h"),
                json!({"roles": ["dev"], "model_role": "senior"}),
            ),
            vec![
                (
                    "POST",
                    "/v1/admin/user-groups/g2/workspaces",
                    json!({"workspace_uuid": "ws", "roles": [DEV_ROLE]}),
                ),
                ("PUT", "/v1/gateway/workspaces/ws/groups/g2/model-role", json!({"role": "senior"})),
            ],
        ),
        (
            step(Update, within(Noun::WorkspaceGroup, "dev", "g"), json!({"roles": ["dev"]})),
            vec![("PATCH", "/v1/admin/user-groups/g1/workspaces/ws", json!({"roles": [DEV_ROLE]}))],
        ),
        (
            step(Delete, within(Noun::WorkspaceGroup, "dev", "g"), json!({})),
            vec![("DELETE", "/v1/admin/user-groups/g1/workspaces/ws", Value::Null)],
        ),
        (
            step(
                Create,
                within(Noun::ServiceAccount, "dev", "ci"),
                json!({"role": "senior", "roles": ["dev"]}),
            ),
            vec![(
                "POST",
                "/v1/gateway/service-accounts",
                json!({"name": "ci", "workspace_id": "ws", "role": "senior", "roles": [DEV_ROLE]}),
            )],
        ),
        (
            step(Update, within(Noun::ServiceAccount, "dev", "bot"), json!({"role": null, "roles": ["dev"]})),
            vec![
                ("PATCH", "/v1/gateway/service-accounts/sa", json!({"roles": [DEV_ROLE]})),
                ("PUT", "/v1/gateway/workspaces/ws/service-accounts/sa/model-role", json!({"role": null})),
            ],
        ),
        (
            step(Delete, within(Noun::ServiceAccount, "dev", "bot"), json!({})),
            vec![("DELETE", "/v1/gateway/service-accounts/sa", Value::Null)],
        ),
    ];
    let mut known = Executor::new(&api, &there(), &hidden);
    // Roles are read once; each row but the first that needs them does without.
    for (step, requests) in table {
        known.execute(&step).await.unwrap();
        let requests: Vec<Seen> =
            requests.into_iter().map(|(method, path, body)| (method.into(), path.into(), body)).collect();
        assert_eq!(server.seen(), requests, "{step}");
        // Things taken away are wanted again by the next rows.
        known.uuids.extend(Executor::new(&api, &there(), &hidden).uuids);
    }
}

/// The lists of an organization with people in groups and workspaces.
fn lists((_, path, _): &Seen) -> (u16, Value) {
    let list = |data: Value| (200, json!({"object": "list", "data": data, "has_more": false}));
    match path.split('?').next().unwrap() {
        "/v1/gateway/users" => list(json!([
            {"id": "ann", "email": "Ann@x.org", "name": "Ann", "limits": {}, "role_names": ["organization_admin"]},
            {"id": "eve", "email": "eve@x.org", "name": null, "limits": {}, "role_names": ["organization_admin"]},
            {"id": "bob", "email": "bob@x.org", "name": null, "limits": {"tokens_per_month": 5}, "role_names": ["member"]},
        ])),
        "/v1/gateway/workspaces" => list(json!([
            {"id": "ws", "name": "dev", "description": null, "is_default": false, "limits": {}, "archived_at": null},
            {"id": "old", "name": "dev", "limits": {}, "is_default": false, "archived_at": "2026-01-01T00:00:00Z"},
        ])),
        "/v1/admin/user-groups" => (
            200,
            json!({"total": 2, "items": [
                {"uuid": "g1", "name": "g", "description": "", "parent_group_ids": [], "organization_role": "M"},
                {"uuid": "g2", "name": "h", "description": null, "parent_group_ids": ["g1"], "externally_managed": true,
                 "organization_role": ADMIN_ROLE},
            ]}),
        ),
        "/v1/admin/user-groups/g1/members" => (200, json!({"members": [{"user_uuid": "bob"}]})),
        "/v1/admin/user-groups/g2/members" => (200, json!({"members": []})),
        "/v1/gateway/workspaces/ws/members" => list(json!([
            {"user_id": "ann", "email": "ann@x.org", "role_names": ["workspace_admin"], "model_role": "senior", "via_groups": []},
            {"user_id": "bob", "email": "bob@x.org", "role_names": [], "model_role": null, "via_groups": ["g1"]},
        ])),
        "/v1/admin/user-groups/g1/workspaces" => (
            200,
            json!({"total": 2, "items": [
                {"roles": [{"name": "dev", "uuid": DEV_ROLE}], "workspace_uuid": "ws", "workspace_name": "dev"},
                {"roles": [{"name": "dev", "uuid": DEV_ROLE}], "workspace_uuid": "old", "workspace_name": "old"},
            ]}),
        ),
        "/v1/admin/user-groups/g2/workspaces" => (200, json!({"total": 0, "items": []})),
        "/v1/gateway/workspaces/ws/groups" => list(json!([{"group_id": "g1", "role": "analyst"}])),
        "/v1/gateway/custom-roles" => list(json!([
            {"id": "role", "name": "keys", "level": "workspace", "permissions": ["b", "a"], "description": ""},
        ])),
        "/v1/gateway/service-accounts" => list(json!([
            {"id": "sa", "name": "bot", "workspace_id": "ws", "role": null, "roles": [KEYS_ROLE]},
        ])),
        "/v1/gateway/me" => (200, json!({"object": "actor", "kind": "user", "id": "eve"})),
        _ => answer(&("GET".into(), path.clone(), Value::Null)),
    }
}

const FILE: &str = "
roles: [{name: keys, level: workspace, permissions: [a, b], description: null}]
members:
  - {email: ann@x.org, roles: [organization_admin]}
  - {email: bob@x.org, limits: {tokens_per_month: 5}}
  - {email: eve@x.org}
groups:
  - {name: g, description: null, organization_role: member, members: [bob@x.org]}
  - {name: h, parents: [g], organization_role: organization_admin, members: []}
workspaces:
  - name: dev
    members: [{email: ann@x.org, roles: [workspace_admin], model_role: senior}]
    groups: [{group: g, roles: [dev], model_role: analyst}]
service_accounts: [{name: bot, workspace: dev, roles: [keys]}]
";

#[tokio::test]
async fn what_is_there_is_read_as_files_say_it() {
    let server = Scripted::start(usize::MAX, lists).await;
    let api = Api::new(server.client());
    let file = file::read(FILE).unwrap();
    let reading =
        wanted::read(&file, Path::new(""), &Environment::new()).unwrap_or_else(|errors| panic!("{errors:?}"));
    let state = state::read(&api, &Needs::of(&reading.wanted), false).await.unwrap();
    assert_eq!(
        state.present.items.keys().collect::<Vec<_>>(),
        reading.wanted.items.keys().collect::<Vec<_>>()
    );
    let plan = plan(&reading.wanted, &state.present, true).unwrap();
    assert_eq!(plan, super::super::plan::Plan::default());

    let less = "members: [{email: ann@x.org}]\ngroups: [{name: g, members: []}]\nworkspaces: [{name: dev, groups: []}]\n";
    let reading = wanted::read(&file::read(less).unwrap(), Path::new(""), &Environment::new());
    let reading = reading.unwrap_or_else(|errors| panic!("{errors:?}"));
    let state = state::read(&api, &Needs::of(&reading.wanted), false).await.unwrap();
    let plan = super::super::plan::plan(&reading.wanted, &state.present, true).unwrap();
    let lines: Vec<String> = plan.steps.iter().map(Step::to_string).collect();
    // A directory keeps `h`; it is not ours to delete. The admin key is eve's own.
    assert_eq!(lines, ["- workspace group g in dev", "- group member bob@x.org in g", "- member bob@x.org"]);
    let asked = server.seen();
    assert!(!asked.iter().any(|(_, path, _)| path.contains("api-keys")), "only what the file needs is read");
}
