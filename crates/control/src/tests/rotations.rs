//! Managed rotations: step by step, killed at any point, held up, called off; with a file as the destination, and a server
//! that lets calls in as the gateway would.

use super::{Hands, House, holds, house};
use crate::Control;
use crate::rotating::{Reached, carry_on, due};
use axum::body::Body;
use louver_domain::id::{AdminKeyId, KeyId};
use louver_domain::old_secrets::LastUse;
use louver_domain::rotations::KNOWN_SECONDS;
use louver_store::keys;
use louver_store::old_secrets::{Of, Use, list, save_last_used};
use louver_store::rotations::{LEASE_SECONDS, observe};
use serde_json::{Value, json};
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ROTATIONS: &str = "/v1/gateway/rotations";
const POLICIES: &str = "/v1/gateway/rotation-policies";

/// A house with a gateway, a key, and a file that has its secret.
struct Scene {
    house: Arc<House>,
    key: String,
    first: String,
    destination: String,
    file: PathBuf,
}

/// Serves what the gateway serves to whoever tries a secret: yes or no, by the very rows.
async fn serve(house: &Arc<House>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    house.control.rotating.reached_at(Reached { calls: url.clone(), admin: url });
    let house = Arc::clone(house);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let bearer = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
            let path = if head.starts_with("GET /v1/models ") { "/v1/users/me" } else { "/v1/gateway/me" };
            let mut asked = house.request("GET", path);
            asked = asked.header("authorization", format!("Bearer {}", bearer.unwrap_or_default()));
            if let Some(mark) = head.lines().find_map(|line| line.strip_prefix("louver-trial: ")) {
                asked = asked.header("louver-trial", mark);
            }
            let answer = house.send(asked.body(Body::empty()).unwrap()).await;
            let reply = format!("HTTP/1.1 {} X\r\ncontent-length: 0\r\n\r\n", answer.status.as_u16());
            let _sent = stream.write_all(reply.as_bytes()).await;
        }
    });
}

impl Scene {
    async fn new() -> Self {
        let house = Arc::new(house().await);
        serve(&house).await;
        let made = house.make("/v1/api-keys", r#"{"name": "backend"}"#).await;
        let file = house.dir.path().join("keys").join("backend");
        let settings = json!({"location": file.to_str().unwrap()});
        let body = json!({"name": "a file", "kind": "file", "settings": settings});
        let destination = house.make("/v1/gateway/secret-destinations", &body.to_string()).await;
        let first = made["key"].as_str().unwrap().to_owned();
        std::fs::write(&file, &first).unwrap();
        Self {
            key: made["id"].as_str().unwrap().to_owned(),
            first,
            destination: destination["id"].as_str().unwrap().to_owned(),
            file,
            house,
        }
    }

    /// Begins a rotation; its path.
    async fn start(&self, more: Value) -> String {
        let mut body = json!({"key_id": self.key, "destinations": [self.destination], "overlap": "10h"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.house.make(ROTATIONS, &body.to_string()).await;
        format!("{ROTATIONS}/{}", made["id"].as_str().unwrap())
    }

    fn delivered(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    async fn works(&self, key: &str) -> bool {
        self.house.call_as(key, "GET", "/v1/users/me", "").await.status == 200
    }

    async fn state(&self, path: &str) -> Value {
        self.house.get(path).await.json()
    }

    /// Carries on until nothing is due, also when every node knows the new secret.
    async fn carry_on(&self) {
        while carry_on(&self.house.control).await.unwrap() {}
        self.house.pass_seconds(KNOWN_SECONDS);
        while carry_on(&self.house.control).await.unwrap() {}
    }

    /// Carries on until nothing is due, and answers where it stands. The client, who reads the file, never fails.
    async fn settle(&self, path: &str) -> String {
        loop {
            while carry_on(&self.house.control).await.unwrap() {
                assert!(self.works(&self.delivered()).await, "at {}", self.state(path).await);
            }
            let state = self.state(path).await;
            if state["state"] != "writing" || state["attempts"] != 0 {
                return state["state"].as_str().unwrap().to_owned();
            }
            // Until every node knows the new secret nobody may read it.
            self.house.pass_seconds(KNOWN_SECONDS);
        }
    }

    /// To the overlap.
    async fn overlapping(&self, path: &str) {
        assert_eq!(self.settle(path).await, "propagating");
        self.house.pass_seconds(60);
        assert_eq!(self.settle(path).await, "overlapping", "{}", self.state(path).await);
    }

    /// Somebody used this secret now.
    async fn used(&self, secret: &str) {
        let id = KeyId::parse(&self.key).unwrap();
        let public_id =
            louver_domain::keys::read_public_id(louver_domain::keys::KeyKind::Api, secret).unwrap();
        let last = LastUse { at: self.house.control.clock.now(), address: None, client: None };
        save_last_used(&self.house.control.store, &[Use { key: Of::Api(id), public_id, last }])
            .await
            .unwrap();
    }

    async fn alerts(&self) -> Vec<String> {
        let all = self.house.get("/v1/gateway/alerts").await.json();
        all["data"]
            .as_array()
            .unwrap()
            .iter()
            .rev()
            .map(|one| one["kind"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn a_rotation_goes_its_way_and_the_old_secret_ends_at_its_deadline() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    scene.overlapping(&path).await;
    let second = scene.delivered();
    assert!(second != scene.first && scene.works(&scene.first).await && scene.works(&second).await);
    let shown = scene.state(&path).await;
    assert_eq!(shown["old_key_expires_at"], "2026-11-21T12:33:03Z");
    assert!(!shown.to_string().contains(&second));
    // Looked at once before the end, and not used: nothing is said.
    scene.house.pass_seconds(32_400);
    assert_eq!(scene.settle(&path).await, "overlapping");
    scene.house.pass_seconds(3_599);
    assert_eq!(scene.settle(&path).await, "overlapping");
    assert!(scene.works(&scene.first).await);
    scene.house.pass_seconds(1);
    assert!(!scene.works(&scene.first).await, "at the deadline, whoever carries on");
    assert_eq!(scene.settle(&path).await, "done");
    assert_eq!(scene.alerts().await, ["rotation_done"]);
    // The key is the same, and nothing of its secrets lies anywhere but where they belong.
    let id = KeyId::parse(&scene.key).unwrap();
    let key = keys::get(&scene.house.control.store, scene.house.organization, id).await.unwrap().unwrap();
    assert!(second.ends_with(&key.last_four));
    let events: Vec<String> = scene.house.audit().await.into_iter().map(|event| event.action).collect();
    let steps = events.iter().filter(|action| *action == "rotation.advance").count();
    assert_eq!(
        (steps, events.iter().filter(|action| *action == "rotation.start").count()),
        (5, 1),
        "{events:?}"
    );
    let disk = scene.house.disk().await;
    assert!(!holds(&disk, &scene.first) && !holds(&disk, &second));
    let again = scene.house.call("POST", &format!("{path}/cancel"), "").await;
    assert_eq!(again.status, 409, "{}", again.text);
}

/// Polls a step so often and drops it: a process that was killed there.
async fn killed_after(scene: &Scene, polls: usize) -> bool {
    let mut step = pin!(carry_on(&scene.house.control));
    let mut left = polls;
    poll_fn(|poller| {
        let Some(less) = left.checked_sub(1) else { return Poll::Ready(true) };
        left = less;
        step.as_mut().poll(poller).map(|_| false)
    })
    .await
}

#[tokio::test]
async fn killed_at_any_point_it_comes_back_and_finishes() {
    let scene = Scene::new().await;
    let path = scene.start(json!({"overlap": "1h"})).await;
    let (mut killed, mut polls) = (0, 0);
    loop {
        let state = scene.state(&path).await;
        if matches!(state["state"].as_str(), Some("done" | "cancelled")) {
            assert_eq!(state["state"], "done", "{state}");
            break;
        }
        // Each step is killed ever later, until one time it gets through.
        let step = state["state"].clone();
        if killed_after(&scene, polls).await {
            killed += 1;
            polls += 1;
            assert!(polls < 400, "a step that never ends: {step}");
            // The claim of the dead one ends.
            scene.house.pass_seconds(180);
        } else {
            polls = 0;
            scene.house.pass_seconds(180);
        }
        assert!(scene.works(&scene.delivered()).await, "killed at {step}");
    }
    assert!(killed > 30, "{killed}");
    assert!(!scene.works(&scene.first).await);
    assert_ne!(scene.delivered(), scene.first);
    assert_eq!(scene.alerts().await.last().map(String::as_str), Some("rotation_done"));
}

#[tokio::test]
async fn a_destination_that_is_down_holds_it_up_and_the_old_secret_works() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    let folder = scene.file.parent().unwrap().to_owned();
    let aside = folder.with_extension("aside");
    std::fs::rename(&folder, &aside).unwrap();
    for attempt in 1..=6 {
        scene.carry_on().await;
        let state = scene.state(&path).await;
        assert_eq!((&state["state"], &state["attempts"]), (&json!("writing"), &json!(attempt)));
        assert!(state["last_error"].as_str().unwrap().contains("destination a file"), "{state}");
        assert!(scene.works(&scene.first).await);
        scene.house.pass_seconds(1_800);
    }
    assert_eq!(scene.alerts().await, ["rotation_stuck"], "told once");
    std::fs::rename(&aside, &folder).unwrap();
    let retried = scene.house.call("POST", &format!("{path}/retry"), "").await;
    assert_eq!(retried.status, 200, "{}", retried.text);
    assert_eq!(scene.settle(&path).await, "propagating");
    assert_eq!(scene.house.call("POST", &format!("{path}/retry"), "").await.status, 409, "nothing waits");
    // Down when it is read back: the old one has no end yet.
    std::fs::rename(&folder, &aside).unwrap();
    scene.house.pass_seconds(60);
    while carry_on(&scene.house.control).await.unwrap() {}
    let state = scene.state(&path).await;
    assert_eq!((&state["state"], &state["old_key_expires_at"]), (&json!("verifying"), &Value::Null));
    std::fs::rename(&aside, &folder).unwrap();
    scene.house.pass_seconds(5);
    assert_eq!(scene.settle(&path).await, "overlapping");
}

#[tokio::test]
async fn called_off_it_leaves_everything_as_it_was() {
    for until in ["creating", "propagating", "overlapping"] {
        let scene = Scene::new().await;
        let path = scene.start(json!({})).await;
        match until {
            "propagating" => assert_eq!(scene.settle(&path).await, "propagating"),
            "overlapping" => scene.overlapping(&path).await,
            _ => {}
        }
        let second = scene.delivered();
        let cancelled = scene.house.call("POST", &format!("{path}/cancel"), "").await;
        assert_eq!(cancelled.status, 200, "{until}: {}", cancelled.text);
        scene.settle(&path).await;
        assert_eq!(scene.delivered(), scene.first, "{until}");
        // Who has read the new one in the meantime can use it until everybody has read the old one again.
        assert!(scene.works(&second).await, "{until}");
        scene.house.pass_seconds(60);
        assert_eq!(scene.settle(&path).await, "cancelled", "{until}: {}", scene.state(&path).await);
        assert!(scene.works(&scene.first).await, "{until}");
        assert_eq!(scene.works(&second).await, second == scene.first, "{until}");
        let secrets = scene.house.get(&format!("/v1/gateway/keys/{}/secrets", scene.key)).await.json();
        assert_eq!(secrets["data"].as_array().unwrap().len(), 1, "{until}: {secrets}");
        scene.house.pass_days(2);
        assert!(scene.works(&scene.first).await, "{until}: it has no deadline any more");
    }
}

#[tokio::test]
async fn called_off_while_the_new_secret_is_written_the_late_writer_does_no_harm() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    assert!(carry_on(&scene.house.control).await.unwrap());
    // Killed again and again, until it has written the new secret and not noted that.
    let mut polls = 0;
    while scene.delivered() == scene.first {
        if !killed_after(&scene, polls).await && polls > 0 {
            // It got through before the kill: then the writer is late by its word alone.
            break;
        }
        scene.house.pass_seconds(180);
        polls += 1;
    }
    let second = scene.delivered();
    // It may have been noted in the moment before it died.
    let writing = scene.state(&path).await["state"] == "writing";
    let cancelled = scene.house.call("POST", &format!("{path}/cancel"), "").await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    if writing {
        assert!(!carry_on(&scene.house.control).await.unwrap(), "whoever writes now has their time");
        scene.house.pass_seconds(180);
    }
    assert_eq!(scene.settle(&path).await, "settling");
    assert_eq!(scene.delivered(), scene.first);
    // It comes even later than that.
    std::fs::write(&scene.file, &second).unwrap();
    scene.house.pass_seconds(60);
    assert_eq!(scene.settle(&path).await, "settling");
    assert!(scene.works(&second).await);
    assert_eq!(scene.delivered(), scene.first);
    scene.house.pass_seconds(60);
    assert_eq!(scene.settle(&path).await, "cancelled");
    assert!(scene.works(&scene.first).await && !scene.works(&second).await);
}

#[tokio::test]
async fn an_old_secret_in_use_is_held_or_cut() {
    for policy in ["hold", "cut"] {
        let scene = Scene::new().await;
        let set = json!({"scope": "organization", "on_old_use": policy});
        assert_eq!(scene.house.call("PUT", POLICIES, &set.to_string()).await.status, 200);
        let path = scene.start(json!({})).await;
        scene.overlapping(&path).await;
        scene.house.pass_seconds(32_400);
        scene.used(&scene.first).await;
        assert_eq!(scene.settle(&path).await, "overlapping");
        assert_eq!(scene.alerts().await, ["old_secret_used"], "{policy}");
        let end = scene.state(&path).await["old_key_expires_at"].clone();
        scene.house.pass_seconds(3_600);
        if policy == "cut" {
            assert_eq!(end, "2026-11-21T12:33:03Z");
            assert!(!scene.works(&scene.first).await);
            assert_eq!(scene.settle(&path).await, "done");
            continue;
        }
        assert_eq!(end, "2026-11-21T22:33:03Z", "another overlap");
        assert!(scene.works(&scene.first).await);
        // Used no more, it ends then.
        scene.house.pass_seconds(32_400);
        assert_eq!(scene.settle(&path).await, "overlapping");
        scene.house.pass_seconds(3_600);
        assert!(!scene.works(&scene.first).await);
        assert_eq!(scene.settle(&path).await, "done");
    }
}

#[tokio::test]
async fn a_look_that_comes_late_decides_all_the_same() {
    for (policy, is_used) in [("hold", true), ("hold", false), ("cut", true)] {
        let scene = Scene::new().await;
        let set = json!({"scope": "organization", "on_old_use": policy});
        assert_eq!(scene.house.call("PUT", POLICIES, &set.to_string()).await.status, 200);
        let path = scene.start(json!({})).await;
        scene.overlapping(&path).await;
        // Nobody carries on until long after the end.
        scene.house.pass_seconds(30_000);
        if is_used {
            scene.used(&scene.first).await;
        }
        scene.house.pass_seconds(20_000);
        louver_store::old_secrets::sweep(&scene.house.control.store, scene.house.control.clock.now())
            .await
            .unwrap();
        assert_eq!(scene.works(&scene.first).await, policy == "hold", "{policy}: nobody has looked");
        if (policy, is_used) != ("hold", true) {
            assert_eq!(scene.settle(&path).await, "done", "{policy}");
            assert!(!scene.works(&scene.first).await);
            continue;
        }
        assert_eq!(scene.settle(&path).await, "overlapping");
        assert_eq!(scene.alerts().await, ["old_secret_used"]);
        // A whole overlap from then on.
        assert_eq!(scene.state(&path).await["old_key_expires_at"], "2026-11-22T02:26:23Z");
        scene.house.pass_seconds(32_400);
        assert_eq!(scene.settle(&path).await, "overlapping");
        scene.house.pass_seconds(3_599);
        assert!(scene.works(&scene.first).await);
        scene.house.pass_seconds(1);
        assert!(!scene.works(&scene.first).await, "once looked at it ends by itself");
        assert_eq!(scene.settle(&path).await, "done");
    }
}

#[tokio::test]
async fn while_nobody_was_seen_to_use_the_new_secret_any_use_of_the_old_one_counts() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    scene.overlapping(&path).await;
    let second = scene.delivered();
    assert_eq!(scene.state(&path).await["observed_at"], Value::Null);
    // Early in the overlap: whoever it was may have read the new one since, but nobody was seen to use that.
    scene.house.pass_seconds(3_600);
    scene.used(&scene.first).await;
    scene.house.pass_seconds(28_800);
    assert_eq!(scene.settle(&path).await, "overlapping");
    assert_eq!(scene.alerts().await, ["old_secret_used"]);
    assert_eq!(scene.state(&path).await["old_key_expires_at"], "2026-11-21T22:33:03Z");
    // Again as early, but now somebody uses the new one.
    scene.house.pass_seconds(7_200);
    scene.used(&scene.first).await;
    scene.used(&second).await;
    let at = scene.house.control.clock.now().rfc3339();
    assert_eq!(observe(&scene.house.control.store).await.unwrap(), 1);
    scene.house.pass_seconds(60);
    scene.used(&second).await;
    assert_eq!(observe(&scene.house.control.store).await.unwrap(), 0, "the first use is noted once");
    assert_eq!(scene.state(&path).await["observed_at"], at.as_str());
    scene.house.pass_seconds(28_740);
    assert_eq!(scene.settle(&path).await, "overlapping");
    scene.house.pass_seconds(3_600);
    assert_eq!(scene.settle(&path).await, "done");
    assert_eq!(scene.state(&path).await["observed_at"], at.as_str());
    assert_eq!(scene.alerts().await, ["old_secret_used", "rotation_done"]);
}

#[tokio::test]
async fn a_node_whose_clock_is_ahead_waits_as_long_as_the_others() {
    let scene = Scene::new().await;
    let control = &scene.house.control;
    let clock =
        Arc::new(Hands(AtomicI64::new(control.clock.now().plus_seconds(LEASE_SECONDS + 60).micros())));
    let parts = (Arc::clone(&control.entropy), Arc::clone(&control.pepper), Arc::clone(&control.master));
    let ahead = Control::offline(control.store.clone(), clock, parts.0, parts.1, parts.2);
    let ahead = Control { destinations: control.destinations.clone(), ..ahead };
    ahead.rotating.reached_at(control.rotating.reached().unwrap().clone());
    let path = scene.start(json!({})).await;
    // Killed in the middle, it is left alone for as long as the store says.
    assert!(killed_after(&scene, 10).await);
    assert!(!carry_on(&ahead).await.unwrap(), "the claim of another");
    scene.house.pass_seconds(LEASE_SECONDS);
    assert!(carry_on(&ahead).await.unwrap());
    assert_eq!(scene.state(&path).await["state"], "writing");
    assert!(!carry_on(&ahead).await.unwrap(), "not every node knows the new secret");
    scene.house.pass_seconds(KNOWN_SECONDS);
    assert!(carry_on(&ahead).await.unwrap());
    assert_eq!(scene.state(&path).await["state"], "propagating");
    scene.house.pass_seconds(59);
    assert!(!carry_on(&ahead).await.unwrap(), "whoever reads the destination has another second");
    scene.house.pass_seconds(1);
    // Whoever ends the wait, the next one begins by the store's clock, too.
    assert!(carry_on(&ahead).await.unwrap());
    assert!(carry_on(&ahead).await.unwrap());
    let state = scene.state(&path).await;
    assert_eq!((&state["state"], &state["next_at"]), (&json!("overlapping"), &json!("2026-11-21T11:36:03Z")));
}

#[tokio::test]
async fn an_emergency_ends_the_old_secret_once_the_new_one_works() {
    let scene = Scene::new().await;
    let body = json!({"key_id": scene.key, "destinations": [scene.destination], "emergency": true});
    let made = scene.house.make(ROTATIONS, &body.to_string()).await;
    let path = format!("{ROTATIONS}/{}", made["id"].as_str().unwrap());
    assert_eq!((&made["emergency"], &made["overlap_seconds"]), (&json!(true), &json!(0)));
    assert_eq!(scene.settle(&path).await, "propagating");
    assert!(scene.works(&scene.first).await);
    scene.house.pass_seconds(60);
    assert_eq!(scene.settle(&path).await, "done");
    assert!(!scene.works(&scene.first).await && scene.works(&scene.delivered()).await);
}

#[tokio::test]
async fn one_rotation_at_a_time_and_none_into_nowhere() {
    let scene = Scene::new().await;
    let house = &scene.house;
    let post = async |body: Value| house.call("POST", ROTATIONS, &body.to_string()).await;
    let nowhere = post(json!({"key_id": scene.key})).await;
    assert_eq!(nowhere.refused(), (422, "destinations".into()));
    for (body, field) in [
        (json!({}), "key_id"),
        (json!({"key_id": scene.key, "admin_key_id": house.workspace}), "key_id"),
        (json!({"key_id": scene.key, "destinations": [scene.key]}), "destinations"),
        (
            json!({"key_id": scene.key, "destinations": [scene.destination, scene.destination]}),
            "destinations",
        ),
        (json!({"key_id": scene.key, "destinations": [scene.destination], "overlap": "31d"}), "overlap"),
        (json!({"key_id": scene.key, "emergency": true, "overlap": "1h"}), "overlap"),
    ] {
        assert_eq!(post(body.clone()).await.refused(), (422, field.into()), "{body}");
    }
    let path = scene.start(json!({})).await;
    let again = post(json!({"key_id": scene.key, "destinations": [scene.destination]})).await;
    assert_eq!(again.status, 409, "{}", again.text);
    // By hand only without an overlap, which ends the managed one.
    scene.settle(&path).await;
    let rotate = format!("/v1/api-keys/{}/rotate", scene.key);
    assert_eq!(house.call("POST", &rotate, "").await.status, 409);
    let by_hand = house.make(&rotate, r#"{"overlap": "0s"}"#).await;
    let state = scene.state(&path).await;
    assert_eq!(state["state"], "cancelled", "{state}");
    assert!(scene.works(by_hand["key"].as_str().unwrap()).await && !scene.works(&scene.first).await);
    assert!(!carry_on(&house.control).await.unwrap());
    // A key that is revoked in the middle has nothing more to be rotated.
    let path = scene.start(json!({})).await;
    house.call("DELETE", &format!("/v1/api-keys/{}", scene.key), "").await;
    while carry_on(&house.control).await.unwrap() {}
    assert_eq!(scene.state(&path).await["last_error"], "the key was revoked");
}

#[tokio::test]
async fn the_place_of_another_key_is_not_written_over() {
    let scene = Scene::new().await;
    let other = scene.house.make("/v1/api-keys", r#"{"name": "backend"}"#).await;
    std::fs::write(&scene.file, other["key"].as_str().unwrap()).unwrap();
    let path = scene.start(json!({})).await;
    scene.carry_on().await;
    let state = scene.state(&path).await;
    assert_eq!(state["state"], "writing");
    assert!(state["last_error"].as_str().unwrap().contains("another key"), "{state}");
    assert_eq!(scene.delivered(), other["key"].as_str().unwrap());
    // Once that key is revoked its place is free.
    scene.house.call("DELETE", &format!("/v1/api-keys/{}", other["id"].as_str().unwrap()), "").await;
    scene.house.pass_seconds(5);
    scene.carry_on().await;
    assert_eq!(scene.state(&path).await["state"], "propagating");
    assert!(scene.works(&scene.delivered()).await);
    // What was there is not known as the key's own: nobody could put it back.
    let cancelled = scene.house.call("POST", &format!("{path}/cancel"), "").await;
    assert_eq!(cancelled.status, 409, "{}", cancelled.text);
}

#[tokio::test]
async fn an_admin_key_is_rotated_alike() {
    let scene = Scene::new().await;
    let listed = scene.house.get("/v1/gateway/admin-keys").await.json();
    let root = listed["data"][0]["id"].as_str().unwrap().to_owned();
    std::fs::write(&scene.file, &scene.house.admin).unwrap();
    let body = json!({"admin_key_id": root, "destinations": [scene.destination], "overlap": "1h"});
    let made = scene.house.make(ROTATIONS, &body.to_string()).await;
    assert_eq!(made["subject"], "admin_key");
    scene.carry_on().await;
    scene.house.pass_seconds(60);
    scene.carry_on().await;
    let new = scene.delivered();
    let path = format!("{ROTATIONS}/{}", made["id"].as_str().unwrap());
    let used = async || {
        crate::last_used::write(&scene.house.control).await;
        let of = Of::Admin(AdminKeyId::parse(&root).unwrap());
        let secrets = list(&scene.house.control.store, scene.house.organization, of).await.unwrap().unwrap();
        secrets.current.used
    };
    assert_eq!(used().await, None, "it was tried, and that is no use");
    let shown = scene.house.call_as(&new, "GET", &path, "").await.json();
    assert_eq!(shown["state"], "overlapping", "{shown}");
    assert!(used().await.is_some());
    for _ in 0..2 {
        scene.house.pass_seconds(3_300);
        scene.carry_on().await;
    }
    assert_eq!(scene.house.call_as(&new, "GET", &path, "").await.json()["state"], "done");
    assert_eq!(scene.house.get(&path).await.status, 401, "the old one");
}

#[tokio::test]
async fn policies_say_when_and_the_nearest_says_how() {
    let scene = Scene::new().await;
    let house = &scene.house;
    let put = async |body: Value| house.call("PUT", POLICIES, &body.to_string()).await;
    for (body, field) in [
        (json!({"scope": "group"}), "scope"),
        (json!({"scope": "workspace"}), "scope_id"),
        (json!({"scope": "key", "scope_id": house.workspace}), "scope_id"),
        (json!({"scope": "organization", "period_days": 0}), "period_days"),
        (json!({"scope": "organization", "overlap_hours": 721}), "overlap_hours"),
        (json!({"scope": "organization", "on_old_use": "kill"}), "on_old_use"),
        (json!({"scope": "organization", "window_start": "02:00"}), "window_end"),
        (json!({"scope": "organization", "window_start": "2:00", "window_end": "04:00"}), "window_start"),
        (json!({"scope": "organization", "window_start": "02:00", "window_end": "02:00"}), "window_end"),
        (json!({"scope": "organization", "destinations": [scene.key]}), "destinations"),
    ] {
        assert_eq!(put(body.clone()).await.refused(), (422, field.into()), "{body}");
    }
    let policy = json!({"scope": "organization", "period_days": 90, "remind_days": 5,
        "destinations": [scene.destination], "window_start": "03:00", "window_end": "04:00"});
    assert_eq!(put(policy).await.status, 200);
    assert_eq!(put(json!({"scope": "key", "scope_id": scene.key, "overlap_hours": 2})).await.status, 200);
    let listed = house.get(POLICIES).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed}");
    let live = async || house.get(&format!("{ROTATIONS}?state=live")).await.json()["data"].clone();
    house.pass_days(84);
    due::begin(&house.control, &mut due::Told::default()).await.unwrap();
    assert!(scene.alerts().await.is_empty());
    house.pass_seconds(86_400 + 1_800);
    due::begin(&house.control, &mut due::Told::default()).await.unwrap();
    assert_eq!((scene.alerts().await, live().await), (vec!["rotation_due".to_owned()], json!([])));
    house.pass_seconds(5 * 86_400 - 1_800);
    due::begin(&house.control, &mut due::Told::default()).await.unwrap();
    assert_eq!(live().await, json!([]), "its hour has not come: it is 02:31");
    house.pass_seconds(1_800);
    for _ in 0..2 {
        due::begin(&house.control, &mut due::Told::default()).await.unwrap();
    }
    let found = live().await;
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!((&found[0]["started_by"], &found[0]["overlap_seconds"]), (&json!("policy"), &json!(7_200)));
    // By hand the policy's overlap is the usual one, too; and who calls one off is left alone for a day.
    let path = format!("{ROTATIONS}/{}", found[0]["id"].as_str().unwrap());
    house.make(&format!("{path}/cancel"), "").await;
    due::begin(&house.control, &mut due::Told::default()).await.unwrap();
    assert_eq!(live().await, json!([]));
    house.pass_days(1);
    due::begin(&house.control, &mut due::Told::default()).await.unwrap();
    assert_eq!(live().await.as_array().unwrap().len(), 1);
    let gone = put(json!({"scope": "key", "scope_id": scene.key})).await;
    assert_eq!((gone.status.as_u16(), gone.json()["overlap_hours"].is_null()), (200, true));
    assert_eq!(house.get(POLICIES).await.json()["data"].as_array().unwrap().len(), 1);
}

impl Scene {
    /// A second file destination; its id and the file.
    async fn second_destination(&self) -> (String, PathBuf) {
        let file = self.file.with_file_name("second");
        let body =
            json!({"name": "another file", "kind": "file", "settings": {"location": file.to_str().unwrap()}});
        let made = self.house.make("/v1/gateway/secret-destinations", &body.to_string()).await;
        (made["id"].as_str().unwrap().to_owned(), file)
    }
}

#[tokio::test]
async fn called_off_when_one_of_two_was_written_that_one_gets_the_old_secret_back() {
    let scene = Scene::new().await;
    let (second, file) = scene.second_destination().await;
    // A folder stands where the file should be: it cannot be written.
    std::fs::create_dir(&file).unwrap();
    let path = scene.start(json!({"destinations": [scene.destination, second]})).await;
    scene.carry_on().await;
    assert_eq!(scene.state(&path).await["state"], "writing");
    let new = scene.delivered();
    assert_ne!(new, scene.first, "the first one has taken it");
    std::fs::remove_dir(&file).unwrap();
    let cancelled = scene.house.call("POST", &format!("{path}/cancel"), "").await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    scene.house.pass_seconds(180);
    scene.carry_on().await;
    assert_eq!(scene.delivered(), scene.first);
    assert!(scene.works(&new).await, "whoever has read it has time to read the old one");
    scene.house.pass_seconds(60);
    assert_eq!(scene.settle(&path).await, "cancelled");
    assert!(scene.works(&scene.first).await && !scene.works(&new).await);
}

#[tokio::test]
async fn no_destination_of_several_loses_the_secret_of_another_key() {
    let scene = Scene::new().await;
    let (second, file) = scene.second_destination().await;
    let other = scene.house.make("/v1/api-keys", r#"{"name": "other"}"#).await["key"].clone();
    std::fs::write(&file, other.as_str().unwrap()).unwrap();
    let path = scene.start(json!({"destinations": [scene.destination, second]})).await;
    for _ in 0..3 {
        scene.carry_on().await;
        let state = scene.state(&path).await;
        assert_eq!(state["state"], "writing", "{state}");
        assert!(state["last_error"].as_str().unwrap().contains("another key"), "{state}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), other.as_str().unwrap());
        scene.house.pass_seconds(1_800);
    }
}

#[tokio::test]
async fn places_stay_where_they_were_when_keys_are_renamed() {
    let scene = Scene::new().await;
    let folder = scene.file.parent().unwrap().to_owned();
    let location = folder.join("{workspace}-{key}");
    let body =
        json!({"name": "by name", "kind": "file", "settings": {"location": location.to_str().unwrap()}});
    let named = scene.house.make("/v1/gateway/secret-destinations", &body.to_string()).await;
    let path = scene.start(json!({"destinations": [named["id"], scene.destination]})).await;
    assert_eq!(scene.settle(&path).await, "propagating");
    let renamed = r#"{"name": "another-name"}"#;
    let answer = scene.house.call("PATCH", &format!("/v1/api-keys/{}", scene.key), renamed).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    scene.house.pass_seconds(60);
    assert_eq!(scene.settle(&path).await, "overlapping", "{}", scene.state(&path).await);
    let files: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("another-name"))
        .collect();
    assert_eq!(files, [""; 0]);
}

#[tokio::test]
async fn a_destination_that_is_written_to_or_named_stays() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    let destination = format!("/v1/gateway/secret-destinations/{}", scene.destination);
    assert_eq!(scene.house.call("DELETE", &destination, "").await.status, 409);
    scene.house.call("POST", &format!("{path}/cancel"), "").await;
    scene.carry_on().await;
    assert_eq!(scene.state(&path).await["state"], "cancelled");
    let policy = json!({"scope": "organization", "destinations": [scene.destination]});
    assert_eq!(scene.house.call("PUT", POLICIES, &policy.to_string()).await.status, 200);
    assert_eq!(scene.house.call("DELETE", &destination, "").await.status, 409);
    let nothing = json!({"scope": "organization", "destinations": null});
    assert_eq!(scene.house.call("PUT", POLICIES, &nothing.to_string()).await.status, 200);
    assert_eq!(scene.house.call("DELETE", &destination, "").await.status, 200);
}

#[tokio::test]
async fn a_bait_is_not_rotated() {
    let scene = Scene::new().await;
    let bait = scene.house.make("/v1/api-keys", r#"{"name": "bait", "canary": true}"#).await;
    let body = json!({"key_id": bait["id"], "destinations": [scene.destination]});
    assert_eq!(scene.house.call("POST", ROTATIONS, &body.to_string()).await.status, 409);
    let policy = json!({"scope": "organization", "period_days": 1, "destinations": [scene.destination]});
    assert_eq!(scene.house.call("PUT", POLICIES, &policy.to_string()).await.status, 200);
    scene.house.pass_days(2);
    due::begin(&scene.house.control, &mut due::Told::default()).await.unwrap();
    let all = scene.house.get(ROTATIONS).await.json();
    let names: Vec<&str> =
        all["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["backend"]);
}
