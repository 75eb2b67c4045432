//! The health of keys over HTTP: the audit and the mission's own line agree, unused keys end, leaks and baits are told.

use louver_proving::client::{request, send};
use louver_proving::system::{Setup, System, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DAY: i64 = 86_400;

fn names(list: &Value) -> BTreeSet<String> {
    list["data"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

async fn named(system: &System, name: &str, more: Value) -> (String, String) {
    let mut body = json!({"name": name});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    system.key(body).await
}

async fn shown(system: &System, id: &str) -> Value {
    system.get(&system.admin_key, &format!("/v1/api-keys/{id}")).await.json()
}

/// Uses a key, and waits until that is written down.
async fn used(system: &System, (key, id): &(String, String)) {
    let before = shown(system, id).await["last_used_at"].clone();
    assert_eq!(system.get(key, "/v1/models").await.status, 200);
    eventually(async || (shown(system, id).await["last_used_at"] != before).then_some(())).await;
}

async fn alerts(system: &System, kind: &str) -> Vec<Value> {
    let alerts = system.get(&system.admin_key, "/v1/gateway/alerts?limit=1000").await.json();
    alerts["data"].as_array().unwrap().iter().filter(|alert| alert["kind"] == kind).cloned().collect()
}

/// The names that the mission's line picks: `select(.last_used_at < (now - 2592000 | todate))`, as `jq` compares texts
/// and `null`, which is less than any text.
fn picked(keys: &Value, cutoff: &str) -> BTreeSet<String> {
    let unused = |key: &&Value| key["last_used_at"].as_str().is_none_or(|used| used < cutoff);
    let keys = keys["data"].as_array().unwrap().iter().filter(unused);
    keys.map(|key| key["name"].as_str().unwrap().to_owned()).collect()
}

async fn the_report_agrees(postgres: bool) {
    let system = System::with(Setup { postgres, ..Setup::default() }).await;
    let old = named(&system, "old", json!({})).await;
    named(&system, "never", json!({})).await;
    let busy = named(&system, "busy", json!({"allowed_models": ["mistral-small"]})).await;
    used(&system, &old).await;
    system.clock.advance(31 * DAY);
    used(&system, &busy).await;
    named(&system, "fresh", json!({"expires_at": "2027-06-01T00:00:00Z"})).await;
    let admin = &system.admin_key;
    let cutoff = louver_domain::time::Clock::now(&*system.clock).plus_seconds(-30 * DAY).rfc3339();
    let mission = picked(&system.get(admin, "/v1/api-keys").await.json(), &cutoff);
    let path = "/v1/gateway/keys/audit?unused_days=30&finding=unused&finding=never_used";
    let report = system.get(admin, path).await;
    assert_eq!(report.status, 200, "{}", report.text());
    let report = report.json();
    assert_eq!(names(&report), mission);
    assert_eq!(mission, ["fresh", "never", "old"].map(str::to_owned).into());
    let whole = system.get(admin, "/v1/gateway/keys/audit").await.json();
    let of = |name: &str| {
        whole["data"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap().clone()
    };
    assert_eq!(of("busy")["findings"], json!(["no_expiry"]));
    assert_eq!(of("old")["findings"], json!(["unused", "no_expiry", "too_broad"]));
    assert_eq!(of("fresh")["findings"], json!(["never_used", "too_broad"]));
    assert_eq!((&of("old")["age_days"], &of("old")["last_used_from"]), (&json!(31), &json!("127.0.0.1")));
    system.clock.advance(59 * DAY);
    let late = system.get(admin, "/v1/gateway/keys/audit?finding=rotation_due").await.json();
    assert_eq!(names(&late), ["busy", "never", "old"].map(str::to_owned).into());
    for bad in ["?finding=odd", "?unused_days=-1", "?unused_days=x", "?other=1", "?after=x"] {
        assert!(
            system.get(admin, &format!("/v1/gateway/keys/audit{bad}")).await.status.is_client_error(),
            "{bad}"
        );
    }
    let first = system.get(admin, "/v1/gateway/keys/audit?limit=1").await.json();
    assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (1, &json!(true)));
}

#[tokio::test]
async fn the_thirty_day_report_and_the_missions_audit_line_agree() {
    the_report_agrees(false).await;
}

#[tokio::test]
async fn so_do_they_on_postgres() {
    the_report_agrees(true).await;
}

#[tokio::test]
async fn what_nobody_uses_is_told_of_and_disabled_unless_it_is_exempt() {
    let system = System::start().await;
    let limits = format!("/v1/gateway/workspaces/{}/limits", system.workspace);
    let busy = named(&system, "busy", json!({})).await;
    let idle = named(&system, "idle", json!({})).await;
    let exempt = named(&system, "exempt", json!({})).await;
    let bait = named(&system, "bait", json!({"canary": true})).await;
    system.deed("PATCH", "/v1/gateway/organization", json!({"limits": {"max_key_idle_days": 60}})).await;
    system.deed("PATCH", &limits, json!({"max_key_idle_days": 40})).await;
    let path = format!("/v1/gateway/keys/{}/unused-exemption", exempt.1);
    let until = |text: &str| json!({"reason": "once a year", "until": text});
    for bad in [until("2020-01-01T00:00:00Z"), json!({"reason": " ", "until": "2027-06-01T00:00:00Z"})] {
        let body = bad.to_string();
        let answer =
            send(system.address, request("PUT", &path, &system.admin_key, Some(body.as_bytes()))).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
    system.deed("PUT", &path, until("2027-06-01T00:00:00Z")).await;
    system.clock.advance(34 * DAY);
    used(&system, &busy).await;
    let told =
        eventually(async || Some(alerts(&system, "key_unused").await).filter(|all| !all.is_empty())).await;
    assert_eq!((told.len(), &told[0]["name"], &told[0]["threshold"]), (1, &json!("idle"), &json!(7)));
    assert_eq!(shown(&system, &idle.1).await["status"], "active");
    system.clock.advance(6 * DAY);
    eventually(async || (shown(&system, &idle.1).await["status"] == "disabled").then_some(())).await;
    let refused = async |key: &str| system.get(key, "/v1/models").await.status == 401;
    eventually(async || refused(&idle.0).await.then_some(())).await;
    for (_, id) in [&busy, &exempt, &bait] {
        assert_eq!(shown(&system, id).await["status"], "active");
    }
    let events = system.get(&system.admin_key, "/v1/gateway/audit?limit=1000").await.json();
    let off = events["data"].as_array().unwrap().iter().filter(|event| event["event"] == "api_key.disable");
    assert_eq!(off.count(), 1);
    // Without its exemption it is as idle as the other.
    let lifted = send(system.address, request("DELETE", &path, &system.admin_key, None)).await;
    assert_eq!(lifted.status, 200, "{}", lifted.text());
    system.clock.advance(601);
    // Nobody was told of that one: a day passes first.
    let warned = async || {
        let all = alerts(&system, "key_unused").await;
        all.iter().any(|one| one["name"] == "exempt" && one["threshold"] == 1)
    };
    eventually(async || warned().await.then_some(())).await;
    assert_eq!(shown(&system, &exempt.1).await["status"], "active");
    used(&system, &busy).await;
    system.clock.advance(DAY);
    eventually(async || (shown(&system, &exempt.1).await["status"] == "disabled").then_some(())).await;
    let ended =
        async || alerts(&system, "key_unused").await.iter().filter(|one| one["threshold"] == 0).count();
    eventually(async || (ended().await == 2).then_some(())).await;
    // Who enables one means to use it: it is not disabled again with the next look.
    system.deed("POST", &format!("/v1/api-keys/{}/enable", idle.1), json!({})).await;
    system.clock.advance(DAY);
    used(&system, &busy).await;
    let soon = louver_domain::time::Clock::now(&*system.clock).plus_seconds(DAY / 2).rfc3339();
    named(&system, "soon", json!({"expires_at": soon})).await;
    system.clock.advance(601);
    // The look that tells of this one has looked at the others, too.
    eventually(async || alerts(&system, "key_expiring").await.into_iter().next()).await;
    assert_eq!(shown(&system, &idle.1).await["status"], "active");
    assert_eq!(ended().await, 2);
}

#[tokio::test]
async fn a_key_that_expires_is_told_of_a_week_and_a_day_before() {
    let system = System::start().await;
    let now = louver_domain::time::Clock::now(&*system.clock);
    let end = now.plus_seconds(10 * DAY).rfc3339();
    named(&system, "ends", json!({"expires_at": end})).await;
    let told = async |count: usize| {
        eventually(async || Some(alerts(&system, "key_expiring").await).filter(|all| all.len() == count))
            .await
    };
    system.clock.advance(4 * DAY);
    assert_eq!(told(1).await[0]["threshold"], 7);
    system.clock.advance(5 * DAY + 600);
    let both: BTreeSet<i64> =
        told(2).await.iter().map(|alert| alert["threshold"].as_i64().unwrap()).collect();
    assert_eq!(both, [1, 7].into());
}

#[tokio::test]
async fn a_secret_that_was_found_is_refused_from_the_answer_on() {
    let system = System::start().await;
    let (key, id) = named(&system, "spilt", json!({})).await;
    let rotated = system.deed("POST", &format!("/v1/api-keys/{id}/rotate"), json!({})).await;
    let new = rotated["key"].as_str().unwrap().to_owned();
    let report = async |key: &str| {
        let body = json!({"key": key}).to_string();
        let path = "/v1/gateway/keys/report-leak";
        send(system.address, request("POST", path, &system.admin_key, Some(body.as_bytes()))).await
    };
    // A key that nobody has, one with a typing error, and something else.
    let (other, other_id) = named(&system, "other", json!({})).await;
    assert_eq!(system.admin("DELETE", &format!("/v1/api-keys/{other_id}"), None).await.status, 200);
    let unknown = louver_proving::clock::SeededEntropy::new(99);
    let unknown =
        louver_domain::keys::mint(louver_domain::keys::KeyKind::Api, &unknown).secret.expose().clone();
    for (text, status) in [(unknown.as_str(), 404), (&key[..key.len() - 1], 422), ("sk-1234", 422)] {
        let answer = report(text).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(!answer.text().contains(text));
    }
    let gone = report(&other).await;
    assert_eq!(
        (gone.status.as_u16(), &gone.json()["status"]),
        (200, &json!("revoked")),
        "what is off stays off"
    );
    assert_eq!(system.get(&key, "/v1/models").await.status, 200);
    let answer = report(&key).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (200, &json!("disabled")),
        "{}",
        answer.text()
    );
    for secret in [&key, &new] {
        assert_eq!(system.get(secret, "/v1/models").await.status, 401);
    }
    let told = alerts(&system, "key_leaked").await;
    assert!(told.iter().any(|alert| alert["name"] == "spilt"), "{told:?}");
    // The admin key that asks is one, too.
    let answer = report(&system.admin_key).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["kind"]),
        (200, &json!("admin_key")),
        "{}",
        answer.text()
    );
    assert_eq!(system.get(&system.admin_key, "/v1/api-keys").await.status, 401);
}

#[tokio::test]
async fn a_bait_is_refused_like_any_wrong_key_and_tells_who_tried_it() {
    let system = System::start().await;
    let (bait, id) = named(&system, "bait", json!({"canary": true})).await;
    let (good, good_id) = named(&system, "good", json!({})).await;
    assert_eq!(system.admin("DELETE", &format!("/v1/api-keys/{good_id}"), None).await.status, 200);
    let (tried, wrong) = (system.get(&bait, "/v1/models").await, system.get(&good, "/v1/models").await);
    assert_eq!((tried.status.as_u16(), wrong.status.as_u16()), (401, 401));
    assert_eq!(tried.text().len(), wrong.text().len());
    let told = eventually(async || alerts(&system, "canary_used").await.into_iter().next()).await;
    assert_eq!(told["name"], "bait (from 127.0.0.1)");
    eventually(async || (!shown(&system, &id).await["last_used_at"].is_null()).then_some(())).await;
    assert_eq!(system.simulator.calls(), 0);
    assert_eq!(shown(&system, &id).await["canary"], true);
}
