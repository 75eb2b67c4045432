//! The audit log over HTTP: refusals are in it, nobody can forge who and whence, and it is read as Mistral's and as ours.

use super::openapi::{fields, printed};
use super::{House, holds, house};
use crate::auditing::keeper::Keeper;
use crate::auditing::sinks::Sink;
use crate::auditing::{Auditing, Settings, files};
use crate::openapi::shapes;
use crate::{Control, router};
use axum::body::Body;
use louver_domain::access::{Action, Actor, decide};
use louver_domain::audit::checkpoint::PublicKey;
use louver_domain::id::{AdminKeyId, UserId};
use louver_domain::keys::{AdminHolder, AdminKey, KeyKind, KeyStatus, mint};
use louver_domain::limits::Limits;
use louver_domain::roles::{MEMBER, WORKSPACE_ADMIN};
use louver_domain::users::User;
use louver_store::audit::verify::verify;
use louver_store::{admin_keys, users};
use serde_json::Value;
use std::sync::Arc;

/// An admin key of a person who is a member and no more.
async fn member(house: &House) -> String {
    let (control, now) = (&house.control, house.clock.0.load(std::sync::atomic::Ordering::Relaxed));
    let now = louver_domain::time::Timestamp::from_micros(now);
    let permit = decide(&Actor::system(house.organization), Action::CreateUser, house.organization).unwrap();
    let user = User {
        id: UserId::new(now, &*control.entropy),
        organization_id: house.organization,
        email: "member@example.com".into(),
        name: None,
        first_name: None,
        last_name: None,
        roles: vec![MEMBER],
        limits: Limits::default(),
        created_at: now,
        removed_at: None,
    };
    let minted = mint(KeyKind::Admin, &*control.entropy);
    let key = AdminKey {
        id: AdminKeyId::new(now, &*control.entropy),
        organization_id: house.organization,
        holder: AdminHolder::User(user.id),
        name: "of a member".into(),
        public_id: minted.public_id,
        fingerprint: control.pepper.fingerprint(minted.secret.expose()),
        last_four: minted.last_four.clone(),
        created_at: now,
        expires_at: None,
        status: KeyStatus::Active,
    };
    let mut tx = control.store.begin().await.unwrap();
    users::insert(&mut tx, &permit, &user).await.unwrap();
    admin_keys::insert(&mut tx, &permit, &key).await.unwrap();
    let deed = crate::actions::Deed::on(permit, user.id, "member");
    crate::actions::commit(control, &house.system(), tx, deed).await.unwrap();
    minted.secret.expose().clone()
}

async fn listed(house: &House, query: &str) -> Vec<Value> {
    let answer = house.get(&format!("/v1/gateway/audit{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json()["data"].as_array().unwrap().clone()
}

async fn mistrals(house: &House, query: &str) -> Vec<Value> {
    let answer = house.get(&format!("/v1/admin/audit-logs{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json().as_array().unwrap().clone()
}

fn key_of(house: &House) -> PublicKey {
    house.control.master.audit_key().unwrap().public()
}

async fn is_sound(house: &House) {
    for verdict in verify(&house.control.store, &key_of(house), &[]).await.unwrap() {
        assert_eq!(verdict.walked.findings, []);
    }
}

#[tokio::test]
async fn who_is_refused_leaves_an_event_and_many_leave_a_sum() {
    let house = house().await;
    let member = member(&house).await;
    let path = format!("/v1/gateway/workspaces/{}/limits", house.workspace);
    let answer = house.call_as(&member, "PATCH", &path, "{}").await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    let [event] = &listed(&house, "?outcome=refused").await[..] else { panic!("one event") };
    assert_eq!(event["event"], "admin.refused");
    assert_eq!(event["actor"]["type"], "HUMAN");
    assert_eq!(event["actor"]["name"], "member@example.com");
    assert_eq!(event["target"]["id"], house.workspace.to_string());
    assert_eq!(event["after"]["route"], "/v1/gateway/workspaces/{workspace}/limits");
    assert_eq!(event["after"]["method"], "PATCH");
    assert_eq!(event["after"]["permission"], "workspace.limits.update");
    assert_eq!(event["address"], "192.0.2.7");
    for _ in 0..30 {
        house.call_as(&member, "PATCH", &path, "{}").await;
    }
    assert_eq!(listed(&house, "?outcome=refused").await.len(), 20);
    house.pass_seconds(61);
    Keeper::default().round(&house.control, false).await.unwrap();
    let all = listed(&house, "?outcome=refused").await;
    assert_eq!((all.len(), &all[0]["after"]["more"]), (21, &11.into()));
    house.call_as(&member, "PATCH", &path, "{}").await;
    assert_eq!(listed(&house, "?outcome=refused").await.len(), 22, "a new minute");
    is_sound(&house).await;
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there_and_the_attempt_is_noted_in_ones_own_log() {
    let house = house().await;
    let theirs = house.neighbour().await;
    let key = house.make("/v1/api-keys", r#"{"name":"mine"}"#).await;
    let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(house.call_as(&theirs, "DELETE", &path, "").await.status, 404);
    assert!(listed(&house, "?outcome=refused").await.is_empty(), "not in the owner's log");
    let own = house.call_as(&theirs, "GET", "/v1/gateway/audit?outcome=refused", "").await.json();
    assert_eq!(own["data"][0]["target"]["id"], key["id"]);
    assert_eq!(own["data"][0]["after"]["permission"], "api_key.delete");
}

/// The event is written beside the request: it is waited for.
async fn refused(house: &House, number: usize) -> Vec<Value> {
    for _ in 0..10_000 {
        let found = listed(house, "?event=admin.refused").await;
        if found.len() >= number {
            return found;
        }
        tokio::task::yield_now().await;
    }
    panic!("{number} events do not come");
}

#[tokio::test]
async fn a_known_key_that_is_not_accepted_is_noted_without_its_secret() {
    let house = house().await;
    let minted =
        crate::actions::admin_keys::create(&house.control, &house.system(), "old", None).await.unwrap();
    let secret = minted.1.secret.expose().clone();
    crate::actions::admin_keys::revoke(&house.control, &house.system(), minted.0.id).await.unwrap();
    for _ in 0..3 {
        assert_eq!(house.call_as(&secret, "GET", "/v1/api-keys", "").await.status, 401);
    }
    let event = &refused(&house, 1).await[0];
    assert_eq!((&event["after"]["reason"], &event["actor"]["type"]), (&"revoked".into(), &"OTHER".into()));
    assert_eq!(event["target"]["id"], minted.0.id.to_string());
    let unknown = mint(KeyKind::Admin, &*house.control.entropy).secret.expose().clone();
    assert_eq!(house.call_as(&unknown, "GET", "/v1/api-keys", "").await.status, 401);
    house.pass_seconds(61);
    Keeper::default().round(&house.control, false).await.unwrap();
    let all = refused(&house, 2).await;
    assert_eq!((all.len(), &all[0]["after"]["more"]), (2, &2.into()));
    assert!(!holds(&house.disk().await, &secret));
}

#[tokio::test]
async fn who_and_whence_cannot_be_told_by_a_header_or_a_body() {
    let house = house().await;
    let request = house
        .request("POST", "/v1/api-keys")
        .header("authorization", format!("Bearer {}", house.admin))
        .header("x-forwarded-for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9")
        .header("x-real-ip", "203.0.113.9")
        .header("x-actor", "somebody")
        .header("x-request-id", "forged")
        .body(Body::from(r#"{"name":"a"}"#))
        .unwrap();
    assert_eq!(house.send(request).await.status, 200);
    let answer = house.call("POST", "/v1/api-keys", r#"{"name":"b","actor_id":"x"}"#).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let event = &listed(&house, "?event=api_key.create").await[0];
    assert_eq!((&event["address"], &event["actor"]["name"]), (&"192.0.2.7".into(), &"first".into()));
    assert_eq!(event["actor"]["identity"], "admin_key");
    assert!(!event.to_string().contains("203.0.113.9") && !event.to_string().contains("forged"));
}

#[tokio::test]
async fn the_log_is_read_as_mistrals() {
    let house = house().await;
    let member = member(&house).await;
    house.make("/v1/api-keys", r#"{"name":"a"}"#).await;
    house.pass_seconds(10);
    house.make("/v1/api-keys", r#"{"name":"b"}"#).await;
    house.call_as(&member, "POST", "/v1/api-keys", r#"{"name":"c"}"#).await;
    let all = mistrals(&house, "").await;
    assert_eq!(
        all[0]["event_type"], "api_key.create",
        "newest first; what Mistral has no name for is not here"
    );
    assert_eq!(all[0]["target_metadata"]["name"], "b");
    assert!(all.iter().all(|event| event["event_type"] != "admin.refused"));
    let names = ["api_key.create", "organization.create", "workspace.create", "admin_api_key.created"];
    for name in names {
        assert!(all.iter().any(|event| event["event_type"] == name), "{name}");
    }
    for part in ["actor_metadata", "event_metadata", "target_metadata"] {
        assert!(all.iter().all(|e| e[part].as_object().unwrap().values().all(Value::is_string)));
    }
    let keys =
        mistrals(&house, "?event_type=api_key.create&event_type=workspace.create&sort=ascending").await;
    assert_eq!(keys.len(), 3);
    assert!(keys.windows(2).all(|pair| pair[0]["created_at"].as_str() <= pair[1]["created_at"].as_str()));
    assert_eq!(mistrals(&house, "?target_type=API_KEY&actor_type=API_KEY").await.len(), 2);
    assert_eq!(mistrals(&house, "?target_type=API_KEY&actor_type=HUMAN").await.len(), 0);
    let at = keys[2]["created_at"].as_str().unwrap();
    assert_eq!(mistrals(&house, &format!("?event_type=api_key.create&before={at}")).await.len(), 1);
    assert_eq!(mistrals(&house, &format!("?event_type=api_key.create&after={at}")).await.len(), 0);
    for (query, number) in [
        ("?limit=0", 0),
        ("?limit=-1000000000000000000000000000000", 0),
        ("?limit=1", 1),
        ("?limit=1000000000000000000000000000000", all.len()),
        ("?actor_user_uuid=kitten", 0),
        (
            "?actor_user_uuid=null&event_type=null&actor_type=null&after=null&before=null&target_type=null",
            all.len(),
        ),
        ("?event_type=le_chat.conversation.deleted", 0),
        ("?after=9999-12-31T23:59:59-23:59", 0),
    ] {
        assert_eq!(mistrals(&house, query).await.len(), number, "{query}");
    }
    for query in [
        "?event_type=api_key.eat",
        "?sort=up",
        "?limit=x",
        "?after=yesterday",
        "?before=",
        "?event_type=",
        "?actor_type=ROBOT",
        "?page=1",
    ] {
        let answer = house.get(&format!("/v1/admin/audit-logs{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
        assert!(answer.json()["detail"][0]["loc"].is_array(), "{query}");
    }
    let answer = house.call_as(&member, "GET", "/v1/admin/audit-logs", "").await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn the_whole_log_is_read_in_pages_and_taken_out() {
    let house = house().await;
    for number in 0..5 {
        house.make("/v1/api-keys", &format!(r#"{{"name":"k{number}"}}"#)).await;
    }
    let whole = listed(&house, "?limit=1000").await;
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let answer = house.get(&format!("/v1/gateway/audit?limit=3{after}")).await.json();
        paged.extend(answer["data"].as_array().unwrap().clone());
        if answer["has_more"] == false {
            break;
        }
        after = format!("&after={}", paged.last().unwrap()["id"].as_str().unwrap());
    }
    assert_eq!(paged, whole);
    let key = whole[0]["target"]["id"].as_str().unwrap();
    assert_eq!(listed(&house, &format!("?target_id=key_{}", key.replace('-', ""))).await.len(), 1);
    for query in
        ["?event=api_key.eat", "?outcome=maybe", "?after=x", "?from=x", "?workspace_id=x", "?limit=0"]
    {
        assert_eq!(house.get(&format!("/v1/gateway/audit{query}")).await.status, 422, "{query}");
    }
    assert_eq!(house.get("/v1/gateway/audit/checkpoint").await.status, 404, "none is made yet");
    let export = house.get("/v1/gateway/audit/export").await;
    assert_eq!(
        (export.status.as_u16(), &export.headers["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    let check = |text: &str, part| files::export(text.as_bytes(), &key_of(&house), &[], part).unwrap();
    let checked = check(&export.text, false);
    assert_eq!((checked.findings, checked.records), (vec![], whole.len() as u64 + 1));
    assert_eq!(listed(&house, "?limit=1").await[0]["event"], "audit_log.export");
    let signed = house.get("/v1/gateway/audit/checkpoint").await.json();
    assert_eq!(signed["public_key"], key_of(&house).to_string());
    assert_eq!(signed.to_string(), export.text.lines().last().unwrap());

    let lines: Vec<&str> = export.text.lines().collect();
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat().join("\n");
    for at in 0..lines.len() {
        assert!(!check(&without(at), false).findings.is_empty(), "line {at} removed");
        assert!(!check(&lines[..at].join("\n"), false).findings.is_empty(), "cut after {at}");
    }
    assert_eq!(check(&without(2), true).findings, [], "a part may have gaps");
    let changed = export.text.replacen("\"actor_name\":\"first\"", "\"actor_name\":\"second\"", 1);
    for part in [true, false] {
        assert_eq!(check(&changed, part).findings.len(), 1, "{part}");
    }
    let filtered = house.get("/v1/gateway/audit/export?event=api_key.create").await;
    let checked = check(&filtered.text, true);
    assert_eq!((checked.findings, checked.records), (vec![], 5));
    is_sound(&house).await;
}

fn with_settings(house: House, settings: Settings) -> House {
    let Control { store, clock, entropy, pepper, master, applied, .. } = &*house.control;
    let control = Arc::new(Control {
        store: store.clone(),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        pepper: Arc::clone(pepper),
        master: Arc::clone(master),
        applied: applied.clone(),
        in_hand: None,
        upstreams: None,
        outbound: Arc::default(),
        max_active_workspaces: 500,
        servers: Vec::new(),
        max_tool_calls: crate::DEFAULT_TOOL_CALLS,
        audit: Arc::new(Auditing::new(settings)),
        last_used: crate::last_used::LastUsed::default(),
        rotating: crate::rotating::Rotating::default(),
        destinations: crate::destinations::Bounds::default(),
        retention: crate::retention::Retention::default(),
        passwords: Default::default(),
        cookie: Default::default(),
    });
    House { app: router(Arc::clone(&control)), control, ..house }
}

#[tokio::test]
async fn a_sink_that_fails_for_long_stops_changes_until_it_works() {
    let house = house().await;
    let folder = house.dir.path().join("logs");
    let path = folder.join("checkpoints.jsonl");
    let settings = Settings { sinks: vec![Sink::File(path.clone())], retention_days: None };
    let house = with_settings(house, settings);
    let mut keeper = Keeper::default();
    keeper.round(&house.control, false).await.unwrap();
    house.make("/v1/api-keys", r#"{"name":"a"}"#).await;
    house.pass_seconds(299);
    keeper.round(&house.control, false).await.unwrap();
    house.make("/v1/api-keys", r#"{"name":"b"}"#).await;
    house.pass_seconds(1);
    let keys = house.count_keys().await;
    let answer = house.call("POST", "/v1/api-keys", r#"{"name":"c"}"#).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["type"]), (503, &"audit_unavailable".into()));
    assert_eq!((house.count_keys().await, answer.headers.contains_key("retry-after")), (keys, true));
    assert!(!answer.text.contains("checkpoints.jsonl"), "no path of the machine is told");
    std::fs::create_dir(&folder).unwrap();
    keeper.round(&house.control, false).await.unwrap();
    house.make("/v1/api-keys", r#"{"name":"c"}"#).await;
    keeper.round(&house.control, true).await.unwrap();
    keeper.round(&house.control, true).await.unwrap();
    let (outside, unread) = files::checkpoints(std::fs::read(&path).unwrap().as_slice()).unwrap();
    assert_eq!((outside.len(), unread), (2, vec![]), "nothing is told twice");
    let verdicts = verify(&house.control.store, &key_of(&house), &outside).await.unwrap();
    assert_eq!(verdicts[0].walked.findings, []);
}

#[tokio::test]
async fn checkpoints_come_each_minute_and_old_records_are_cut_with_a_signature() {
    let house = with_settings(house().await, Settings { sinks: vec![], retention_days: Some(30) });
    let mut keeper = Keeper::default();
    let place = async |house: &House| {
        house.get("/v1/gateway/audit/checkpoint").await.json()["place"].as_u64().unwrap_or(0)
    };
    keeper.round(&house.control, false).await.unwrap();
    let first = place(&house).await;
    house.make("/v1/api-keys", r#"{"name":"a"}"#).await;
    house.pass_seconds(59);
    keeper.round(&house.control, false).await.unwrap();
    assert_eq!(place(&house).await, first);
    house.pass_seconds(1);
    keeper.round(&house.control, false).await.unwrap();
    assert_eq!(place(&house).await, first + 1);
    let checkpoint = house.get("/v1/gateway/audit/checkpoint").await.json();
    assert_eq!(fields::<shapes::AuditCheckpoint>(), printed(&checkpoint), "the mirror in the description");
    house.pass_days(29);
    house.make("/v1/api-keys", r#"{"name":"b"}"#).await;
    keeper.round(&house.control, false).await.unwrap();
    assert_eq!(listed(&house, "").await.last().unwrap()["place"], 1);
    house.pass_days(2);
    keeper.round(&house.control, false).await.unwrap();
    let left = listed(&house, "").await;
    assert_eq!(left.last().unwrap()["place"], first + 2);
    assert_eq!((&left[0]["event"], &left[0]["actor"]["type"]), (&"audit_log.cut".into(), &"OTHER".into()));
    let verdict = verify(&house.control.store, &key_of(&house), &[]).await.unwrap().remove(0);
    assert_eq!((verdict.walked.findings, verdict.begins_after), (vec![], first + 1));
    let export = house.get("/v1/gateway/audit/export").await;
    assert_eq!(files::export(export.text.as_bytes(), &key_of(&house), &[], false).unwrap().findings, []);
}

#[tokio::test]
async fn refusals_in_other_shapes_are_noted_and_no_part_of_a_key_with_them() {
    let house = house().await;
    let key = member(&house).await;
    let part = &house.admin[4..];
    for path in [format!("/v1/gateway/roles/lva%5F{part}"), format!("/v1/gateway/roles/{part}")] {
        assert_eq!(house.call_as(&key, "DELETE", &path, "").await.status, 403);
        assert!(!holds(&house.disk().await, &part[..20]), "{path}");
    }
    let mut count = listed(&house, "?outcome=refused").await.len();
    assert_eq!(count, 2);
    let other = house.workspace("other", None).await;
    let head = house.somebody("head@example.com", &[MEMBER], &[(other, WORKSPACE_ADMIN)]).await;
    let place = house.workspace;
    let body = serde_json::json!({"name": "x", "workspace_id": place}).to_string();
    for path in ["/v1/api-keys", "/v1/gateway/service-accounts"] {
        assert_eq!(house.call_as(&head.secret, "POST", path, &body).await.status, 422);
        count += 1;
        assert_eq!(listed(&house, "?outcome=refused").await.len(), count, "{path}");
    }
    let root = house.person("root@example.org", &["organization_admin"]).await;
    let path = format!("/v1/admin/users/{root}");
    assert_eq!(house.call("DELETE", &path, "").await.status, 409);
    let last = &listed(&house, "?outcome=refused").await[0];
    assert_eq!(last["target"]["id"], root.as_str(), "{last}");
}
