//! Two workspaces with one of everything in each, and the ids that stand for them in paths and bodies.

use super::super::{House, house};
use crate::actions::{admin_keys, model_sightings};
use louver_domain::id::{KeyId, UserId, WorkspaceId};
use louver_domain::keys::{KeyKind, mint};
use louver_domain::limits::KeyCreation;
use louver_domain::model_sightings::Listed;
use louver_domain::roles::{MEMBER, WORKSPACE_CONTRIBUTOR};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The id of nothing.
pub(crate) const NOTHING: &str = "018f0000-0000-7000-8000-00000000dead";
/// The name of nothing.
pub(crate) const NO_NAME: &str = "nonesuch";

/// What stands for each name between braces.
pub(crate) type Names = BTreeMap<&'static str, String>;

/// One organization with two workspaces.
pub(crate) struct Estate {
    pub(crate) house: House,
    /// In which those whose rights are tried have roles; in the other they have none.
    pub(crate) here: WorkspaceId,
    pub(crate) objects_here: Names,
    pub(crate) objects_there: Names,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// What belongs to the workspace in which roles are held, and to somebody else.
    Here,
    /// The same, being the asker's own.
    Own,
    /// What belongs to another workspace.
    There,
    /// Nothing that is there.
    Nowhere,
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value}")).to_owned()
}

impl Estate {
    pub(crate) async fn found() -> Self {
        let house = house().await;
        let here = house.workspace("here", Some(KeyCreation::Members)).await;
        let there = house.workspace("there", Some(KeyCreation::Members)).await;
        let shared = shared(&house).await;
        let mut objects = Vec::new();
        for (name, workspace) in [("here", here), ("there", there)] {
            let mut names = of_workspace(&house, name, workspace).await;
            names.extend(shared.clone());
            objects.push(names);
        }
        let objects_there = objects.pop().unwrap();
        let objects_here = objects.pop().unwrap();
        Self { house, here, objects_here, objects_there }
    }

    /// A key of a person, in the workspace in which roles are held.
    pub(crate) async fn key_of(&self, person: UserId) -> String {
        let body = json!({"name": "own", "workspace_id": self.here, "owner_user_id": person});
        key(&self.house, &body).await
    }

    /// A text with each name between braces replaced by what it stands for there. `own` is the asker's.
    pub(crate) fn fill(&self, path: &str, text: &str, at: At, own: &Names) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}').filter(|(name, _)| is_name(name)) else {
                filled.push_str(before);
                filled.push('{');
                rest = after;
                continue;
            };
            filled.push_str(before);
            filled.push_str(&self.object(kind(path, name), at, own));
            rest = after;
        }
        filled + rest
    }

    fn object(&self, kind: &str, at: At, own: &Names) -> String {
        let names = match at {
            At::Here | At::Own => &self.objects_here,
            At::There => &self.objects_there,
            At::Nowhere if kind == "leaked" => {
                return mint(KeyKind::Api, &*self.house.control.entropy).secret.expose().clone();
            }
            At::Nowhere if matches!(kind, "model_role" | "model" | "sighting") => return NO_NAME.to_owned(),
            At::Nowhere => return NOTHING.to_owned(),
        };
        let own = own.get(kind).filter(|_| at == At::Own);
        own.or_else(|| names.get(kind)).unwrap_or_else(|| panic!("the estate has no {kind}")).clone()
    }
}

/// Names are of small letters: what else stands between braces is JSON.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// What a parameter of that path names. Whoever adds a route with a parameter of another name says here what it names,
/// and lets the estate have one.
pub(crate) fn kind(path: &str, parameter: &str) -> &'static str {
    let of = |start: &str| path.starts_with(start);
    match parameter {
        "workspace" | "workspace_uuid" => "workspace",
        "user" | "user_id" => "member",
        "person" => "person",
        "owner" => "owner",
        "group" | "group_uuid" => "group",
        "child" => "child",
        "account" => "account",
        "role" => "custom_role",
        "name" if of("/v1/gateway/models/sightings") => "sighting",
        "name" => "model_role",
        "invite_uuid" => "invitation",
        "key" | "key_id" => "key",
        "leaked" => "leaked",
        "run_id" => "run",
        "id" if of("/v1/api-keys") || of("/v1/gateway/keys") => "key",
        "id" if of("/v1/gateway/admin-keys") => "admin_key",
        "id" if of("/v1/gateway/alert-channels") => "alert_channel",
        "id" if of("/v1/gateway/budgets") => "budget",
        "id" if of("/v1/gateway/models") => "model",
        "destination" => "destination",
        "id" if of("/v1/gateway/secret-destinations") => "destination",
        "id" if of("/v1/gateway/rotations") => "rotation",
        "id" if of("/v1/gateway/upstreams") => "upstream",
        "id" if of("/v1/gateway/objects") => "object",
        other => panic!("{path}: what {other} names is not known to these tests: say it in rights/estate.rs"),
    }
}

/// What belongs to the organization as a whole.
async fn shared(house: &House) -> Names {
    let person = house.somebody("somebody@example.com", &[MEMBER], &[]).await;
    let role = json!({"name": "keys", "level": "workspace", "permissions": ["api_key.read"]});
    let role = house.make("/v1/gateway/custom-roles", &role.to_string()).await;
    let model_role = json!({"name": "tester", "allowed_models": ["mistral-small"]});
    house.make("/v1/gateway/roles", &model_role.to_string()).await;
    house.make("/v1/admin/users-invite", r#"{"email": "guest@example.com"}"#).await;
    let invitations = house.get("/v1/gateway/invitations").await.json();
    let channel = json!({"name": "mail", "kind": "webhook", "url": "https://alerts.example.com/x"});
    let channel = house.make("/v1/gateway/alert-channels", &channel.to_string()).await;
    let upstream = json!({"name": "first", "key": "mistral-key-0123456789"});
    let upstream = house.make("/v1/gateway/upstreams", &upstream.to_string()).await;
    let seen = Listed { name: "mistral-huge-9".into(), aliases: vec![], billing_name: None };
    model_sightings::take_in(&house.control, "", true, &[seen]).await.unwrap();
    let object = json!({"kind": "file", "upstream_id": "kept", "workspace_id": house.workspace});
    let object = house.make("/v1/gateway/objects", &object.to_string()).await;
    let admin_key = admin_keys::create(&house.control, &house.system(), "rotated", None).await.unwrap().0;
    let names = [
        ("admin_key", admin_key.id.to_string()),
        ("person", person.id.to_string()),
        ("custom_role", text(&role, "id")),
        ("model_role", "tester".to_owned()),
        ("model", "mistral-small-latest".to_owned()),
        ("invitation", text(&invitations["data"][0], "id")),
        ("alert_channel", text(&channel, "id")),
        ("upstream", text(&upstream, "id")),
        ("sighting", "mistral-huge-9".to_owned()),
        ("object", text(&object, "id")),
        ("run", NOTHING.to_owned()),
    ];
    names.into()
}

/// What belongs to one workspace.
async fn of_workspace(house: &House, name: &str, workspace: WorkspaceId) -> Names {
    let place = [(workspace, WORKSPACE_CONTRIBUTOR)];
    let member = house.somebody(&format!("member@{name}.example.com"), &[MEMBER], &place).await;
    let groups = "/v1/admin/user-groups";
    let group =
        text(&house.make(groups, &json!({"name": format!("{name} group")}).to_string()).await, "uuid");
    let child =
        text(&house.make(groups, &json!({"name": format!("{name} child")}).to_string()).await, "uuid");
    for (path, body) in [
        (format!("{groups}/{group}/workspaces"), json!({"workspace_uuid": workspace.to_string()})),
        (format!("{groups}/{group}/members"), json!({"user_uuids": [member.id.to_string()]})),
    ] {
        let answer = house.call("POST", &path, &body.to_string()).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
    let account = json!({"name": "ci", "workspace_id": workspace});
    let account = text(&house.make("/v1/gateway/service-accounts", &account.to_string()).await, "id");
    for owner in [json!({"owner_user_id": member.id}), json!({"service_account_id": account})] {
        let mut body = json!({"name": "owned", "workspace_id": workspace});
        body.as_object_mut().unwrap().extend(owner.as_object().unwrap().clone());
        key(house, &body).await;
    }
    let limits = format!("/v1/gateway/workspaces/{workspace}/limits");
    let limited = house.call("PATCH", &limits, r#"{"monthly_budget_usd": 5}"#).await;
    assert_eq!(limited.status, 200, "{}", limited.text);
    let budgets = house.get("/v1/gateway/budgets").await.json();
    let mut budgets = budgets["data"].as_array().unwrap().iter();
    let budget = budgets.find(|budget| budget["scope_id"] == workspace.to_string()).unwrap();
    // Nobody listens there.
    let settings = json!({"address": "http://127.0.0.1:1", "location": "{id}"});
    let destination = json!({"name": format!("{name} vault"), "kind": "vault", "workspace_id": workspace,
        "settings": settings, "credentials": {"token": "canary-token-0"}});
    let destination = house.make("/v1/gateway/secret-destinations", &destination.to_string()).await;
    let exempt = key(house, &json!({"name": "a", "workspace_id": workspace})).await;
    let path = format!("/v1/gateway/keys/{exempt}/unused-exemption");
    let exempted = house.call("PUT", &path, r#"{"reason": "rare", "until": "2030-01-01T00:00:00Z"}"#).await;
    assert_eq!(exempted.status, 200, "{}", exempted.text);
    let leaked = json!({"name": "leaked", "workspace_id": workspace});
    let leaked = house.make("/v1/api-keys", &leaked.to_string()).await;
    let rotated = key(house, &json!({"name": "rotated", "workspace_id": workspace})).await;
    let elsewhere = json!({"name": format!("{name} other vault"), "kind": "vault", "workspace_id": workspace,
        "settings": settings, "credentials": {"token": "canary-token-0"}});
    let elsewhere = house.make("/v1/gateway/secret-destinations", &elsewhere.to_string()).await;
    let rotation = json!({"key_id": rotated, "destinations": [text(&elsewhere, "id")]});
    let rotation = house.make("/v1/gateway/rotations", &rotation.to_string()).await;
    let names = [
        ("leaked", text(&leaked, "key")),
        ("workspace", workspace.to_string()),
        ("rotation", text(&rotation, "id")),
        ("destination", text(&destination, "id")),
        ("member", member.id.to_string()),
        ("owner", member.id.to_string()),
        ("group", group),
        ("child", child),
        ("account", account),
        ("key", exempt),
        ("budget", text(budget, "id")),
    ];
    names.into()
}

/// Makes a key; its id as Mistral's API reads it.
async fn key(house: &House, body: &Value) -> String {
    let made = house.make("/v1/api-keys", &body.to_string()).await;
    KeyId::parse(&text(&made, "id")).unwrap().to_string()
}
