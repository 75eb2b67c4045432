//! Rotations of upstream keys: step by step, killed at any point, held up by an upstream that fails in each of its ways, held
//! because of use, and called off; against an upstream that speaks as much of Mistral's admin API as that needs.

use super::{House, holds, house};
use crate::rotating::{Rotating, UpstreamServer, carry_on};
use louver_domain::id::UpstreamId;
use louver_domain::rotations::KNOWN_SECONDS;
use louver_domain::secret::Secret;
use louver_store::seal::Place;
use louver_store::upstream_rotations::{UpstreamUse, save_uses};
use louver_store::upstreams;
use serde_json::{Value, json};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROTATIONS: &str = "/v1/gateway/rotations";
const UPSTREAMS: &str = "/v1/gateway/upstreams";
const FIRST: &str = "UpstreamKeyOfTheBeginning1";
const ADMIN: &str = "telltale-admin-key-of-upstream";
const WORKSPACE: &str = "00000000-0000-4000-8000-0000000000aa";
const USER: &str = "00000000-0000-4000-8000-0000000000bb";

/// An upstream: its keys by name, what it answers instead of doing what it should, and how often it was asked to make a key.
#[derive(Default)]
struct Upstream {
    keys: Vec<Key>,
    made: usize,
    /// The beginning of a request line, and the status that it is answered with; 0 does it and breaks off.
    faults: Vec<(&'static str, u16)>,
    /// It forgets to delete.
    forgetful: bool,
}

struct Key {
    id: String,
    name: String,
    secret: String,
    last_used: Option<&'static str>,
}

impl Upstream {
    fn has(&self, secret: &str) -> bool {
        self.keys.iter().any(|key| key.secret == secret)
    }

    fn add(&mut self, name: &str, secret: &str) -> usize {
        self.made += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.made);
        self.keys.push(Key { id, name: name.into(), secret: secret.into(), last_used: None });
        self.keys.len() - 1
    }

    fn shown(&self, at: usize, secret: bool) -> Value {
        let Key { id, name, secret: own, last_used } = &self.keys[at];
        json!({"key_id": id, "name": name, "hidden_key": format!("{}...{}", &own[..4], &own[own.len() - 4..]),
            "key": secret.then_some(own), "workspace_id": WORKSPACE, "created_by": USER, "last_used": last_used,
            "can_delete": true, "actions": {}})
    }

    fn answer(&mut self, line: &str, head: &str, body: &str) -> (u16, Value) {
        let header = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        let bearer = header("authorization: Bearer ");
        if line.starts_with("GET /v1/models ") {
            return (if self.has(&bearer) { 200 } else { 401 }, json!({}));
        }
        if bearer != ADMIN || header("x-api-key: ") != ADMIN {
            return (401, json!({"detail": "Unauthorized"}));
        }
        if line.starts_with("GET /v1/admin/api-keys?limit=100&offset=0 ") {
            let all: Vec<Value> = (0..self.keys.len()).map(|at| self.shown(at, false)).collect();
            return (200, json!({ "keys": all }));
        }
        if line.starts_with("POST /v1/admin/api-keys ") {
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!((&body["workspace_uuid"], &body["user_id"]), (&json!(WORKSPACE), &json!(USER)));
            let secret = format!("MadeByUpstreamForLouver{:04}", self.made);
            let at = self.add(body["name"].as_str().unwrap(), &secret);
            return (200, self.shown(at, true));
        }
        let id = line.strip_prefix("DELETE /v1/admin/api-keys/").unwrap().split(' ').next().unwrap();
        let before = self.keys.len();
        if !self.forgetful {
            self.keys.retain(|key| key.id != id);
        }
        let gone = self.forgetful || self.keys.len() < before;
        (if gone { 200 } else { 404 }, json!({"detail": "x"}))
    }
}

async fn served(upstream: Arc<Mutex<Upstream>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&upstream)));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, upstream: Arc<Mutex<Upstream>>) {
    let mut text = String::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(read) if read > 0 => text.push_str(&String::from_utf8_lossy(&part[..read])),
            _ => return,
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length.map_or(0, |length| length.parse().unwrap()) <= body.len() {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, said) = {
        let mut upstream = upstream.lock().unwrap();
        let fault =
            upstream.faults.iter().find(|(line, _)| head.starts_with(line)).map(|(_, status)| *status);
        match fault {
            Some(0) => {
                upstream.answer(head.lines().next().unwrap(), &head, &body);
                return;
            }
            Some(status) => (status, json!({"detail": "fault"})),
            None => upstream.answer(head.lines().next().unwrap(), &head, &body),
        }
    };
    let said = said.to_string();
    let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{said}", said.len());
    let _sent = stream.write_all(reply.as_bytes()).await;
}

struct Scene {
    house: House,
    upstream: Arc<Mutex<Upstream>>,
    id: String,
}

impl Scene {
    async fn new() -> Self {
        let house = house().await;
        let upstream = Arc::new(Mutex::new(Upstream::default()));
        upstream.lock().unwrap().add("first", FIRST);
        upstream.lock().unwrap().add("somebody's", "AnotherKeyOfSomebody12345");
        let url = served(Arc::clone(&upstream)).await;
        said(&house.control.rotating, url);
        let body = json!({"name": "main", "key": FIRST, "admin_key": ADMIN});
        let made = house.make(UPSTREAMS, &body.to_string()).await;
        assert_eq!((&made["has_admin_key"], &made["admin_user_id"]), (&json!(true), &Value::Null));
        Self { id: made["id"].as_str().unwrap().to_owned(), house, upstream }
    }

    async fn start(&self, more: Value) -> String {
        let mut body = json!({"upstream_id": self.id, "overlap": "10h"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.house.make(ROTATIONS, &body.to_string()).await;
        assert_eq!((&made["subject"], &made["subject_id"]), (&json!("upstream"), &json!(self.id)));
        format!("{ROTATIONS}/{}", made["id"].as_str().unwrap())
    }

    async fn state(&self, path: &str) -> Value {
        self.house.get(path).await.json()
    }

    /// The key that calls are made with.
    async fn key(&self) -> String {
        let id = UpstreamId::parse(&self.id).unwrap();
        let mut tx = self.house.control.store.begin().await.unwrap();
        let row = upstreams::load(&mut tx, self.house.organization, id).await.unwrap().unwrap();
        let place = Place::upstream(id, self.house.organization);
        self.house.control.master.open(&place, &row.sealed_key).unwrap().expose().clone()
    }

    async fn calls_work(&self) -> bool {
        let key = self.key().await;
        self.upstream.lock().unwrap().has(&key)
    }

    /// Carries on until nothing is due, and answers where it stands. No call fails meanwhile.
    async fn settle(&self, path: &str) -> String {
        loop {
            while carry_on(&self.house.control).await.unwrap() {
                assert!(self.calls_work().await, "at {}", self.state(path).await);
            }
            let state = self.state(path).await;
            if state["state"] != "writing" || state["attempts"] != 0 {
                return state["state"].as_str().unwrap().to_owned();
            }
            self.house.pass_seconds(KNOWN_SECONDS);
        }
    }

    async fn overlapping(&self, path: &str) {
        assert_eq!(self.settle(path).await, "propagating", "{}", self.state(path).await);
        self.house.pass_seconds(60);
        assert_eq!(self.settle(path).await, "overlapping", "{}", self.state(path).await);
    }

    /// Some node says that a call has this key now.
    async fn used(&self, key: &str) {
        let upstream = UpstreamId::parse(&self.id).unwrap();
        let fingerprint = self.house.control.pepper.fingerprint(key);
        let at = self.house.control.clock.now();
        save_uses(&self.house.control.store, &[UpstreamUse { upstream, fingerprint, at }]).await.unwrap();
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

    fn fault(&self, line: &'static str, status: u16) {
        self.upstream.lock().unwrap().faults = vec![(line, status)];
    }

    fn repair(&self) {
        self.upstream.lock().unwrap().faults.clear();
    }

    fn keys(&self) -> Vec<String> {
        self.upstream.lock().unwrap().keys.iter().map(|key| key.name.clone()).collect()
    }

    async fn error(&self, path: &str) -> String {
        self.state(path).await["last_error"].as_str().unwrap_or_default().to_owned()
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let answer = self.house.call(method, path, &body.to_string()).await;
        (answer.status.as_u16(), answer.text)
    }
}

fn said(rotating: &Rotating, url: String) {
    rotating.upstreams_are(vec![UpstreamServer {
        name: None,
        url,
        key: Some(Secret::new("of-the-settings".into())),
    }]);
}

#[tokio::test]
async fn a_rotation_goes_its_way_and_nothing_of_its_keys_is_shown() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    scene.overlapping(&path).await;
    let second = scene.key().await;
    assert!(second != FIRST && scene.keys().len() == 3, "both work");
    scene.used(FIRST).await;
    scene.house.pass_seconds(5);
    scene.used(&second).await;
    let listed = scene.house.get(UPSTREAMS).await.json()["data"][0].clone();
    let used = |name: &str| listed[name].as_str().unwrap().to_owned();
    assert!(used("old_key_last_used_at") < used("key_last_used_at"), "{listed}");
    scene.house.pass_seconds(32_400);
    assert_eq!(scene.settle(&path).await, "overlapping");
    scene.house.pass_seconds(3_594);
    assert_eq!(scene.settle(&path).await, "overlapping");
    assert!(scene.upstream.lock().unwrap().has(FIRST), "not before the end of the overlap");
    scene.house.pass_seconds(1);
    assert_eq!(scene.settle(&path).await, "done", "{}", scene.state(&path).await);
    assert!(!scene.upstream.lock().unwrap().has(FIRST) && scene.calls_work().await);
    assert_eq!(scene.keys().len(), 2);
    assert_eq!(scene.alerts().await, ["rotation_done"]);
    let disk = scene.house.disk().await;
    for secret in [FIRST, &second, ADMIN] {
        assert!(!holds(&disk, secret), "{secret} lies on the disk");
    }
    let shown = scene.house.get(UPSTREAMS).await.text + &scene.house.get(ROTATIONS).await.text;
    assert!(![FIRST, &second, ADMIN].iter().any(|secret| shown.contains(*secret)));
    // Once more, from the key that upstream made.
    let path = scene.start(json!({"emergency": true, "overlap": null})).await;
    assert_eq!(scene.settle(&path).await, "propagating");
    scene.house.pass_seconds(60);
    assert_eq!(scene.settle(&path).await, "done", "{}", scene.state(&path).await);
    assert!(!scene.upstream.lock().unwrap().has(&second) && scene.calls_work().await);
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

async fn killed_all_the_way(scene: &Scene, path: &str, end: &str) -> usize {
    let (mut killed, mut polls) = (0, 0);
    loop {
        let state = scene.state(path).await;
        if matches!(state["state"].as_str(), Some("done" | "cancelled")) {
            assert_eq!(state["state"], end, "{state}");
            return killed;
        }
        if killed_after(scene, polls).await {
            killed += 1;
            polls += 1;
            assert!(polls < 600, "a step that never ends: {state}");
        } else {
            polls = 0;
        }
        scene.house.pass_seconds(180);
        assert!(scene.calls_work().await, "killed at {state}");
    }
}

#[tokio::test]
async fn killed_at_any_point_it_comes_back_and_finishes() {
    let scene = Scene::new().await;
    let path = scene.start(json!({"overlap": "1h"})).await;
    assert!(killed_all_the_way(&scene, &path, "done").await > 30);
    // However many were made whose secrets were lost.
    assert_eq!(scene.keys().len(), 2, "{:?}", scene.keys());
    assert!(!scene.upstream.lock().unwrap().has(FIRST));
}

#[tokio::test]
async fn killed_while_it_is_called_off_it_finishes_too() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    scene.overlapping(&path).await;
    assert_eq!(scene.call("POST", &format!("{path}/cancel"), Value::Null).await.0, 200);
    assert!(killed_all_the_way(&scene, &path, "cancelled").await > 10);
    assert_eq!((scene.keys(), scene.key().await), (vec!["first".into(), "somebody's".into()], FIRST.into()));
}

#[tokio::test]
async fn what_upstream_does_wrong_holds_it_up_and_no_call_fails() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    for (line, status, says) in [
        ("GET /v1/admin", 401, "refuses the admin key"),
        ("GET /v1/admin", 500, "with 500"),
        ("POST /v1/admin", 422, "with 422"),
        ("POST /v1/admin", 0, "did not answer"),
        ("POST /v1/admin", 0, "did not answer"),
    ] {
        scene.fault(line, status);
        assert_eq!(scene.settle(&path).await, "creating");
        assert!(scene.error(&path).await.contains(says), "{line}: {}", scene.error(&path).await);
        scene.house.pass_seconds(1_800);
    }
    assert_eq!(scene.alerts().await, ["rotation_stuck"]);
    assert_eq!(scene.keys().len(), 3, "of the two that were made and cut off, one is left");
    scene.fault("GET /v1/models", 401);
    assert_eq!(scene.settle(&path).await, "writing", "not moved before upstream takes it");
    assert!(scene.error(&path).await.contains("refuses the new key"));
    assert_eq!((scene.key().await.as_str(), scene.keys().len()), (FIRST, 3), "and the strays are gone");
    scene.repair();
    scene.house.pass_seconds(1_800);
    scene.overlapping(&path).await;
    scene.house.pass_seconds(32_400);
    scene.settle(&path).await;
    scene.fault("DELETE /v1/admin", 500);
    scene.house.pass_seconds(3_600);
    assert_eq!(scene.settle(&path).await, "retiring");
    assert!(scene.error(&path).await.contains("with 500"));
    let late = scene.call("POST", &format!("{path}/cancel"), Value::Null).await;
    assert_eq!(late.0, 409, "{}", late.1);
    scene.repair();
    scene.upstream.lock().unwrap().forgetful = true;
    for _ in 0..6 {
        scene.house.pass_seconds(1_800);
        assert_eq!(scene.settle(&path).await, "checking");
    }
    assert!(scene.error(&path).await.contains("still accepts the old key"));
    assert_eq!(scene.alerts().await, ["rotation_stuck"], "told once for each rotation");
    scene.upstream.lock().unwrap().keys.retain(|key| key.secret != FIRST);
    scene.house.pass_seconds(1_800);
    assert_eq!(scene.settle(&path).await, "done");
}

#[tokio::test]
async fn a_list_that_does_not_name_the_one_key_holds_it_up() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    let twin = format!("{}different{}", &FIRST[..4], &FIRST[FIRST.len() - 4..]);
    scene.upstream.lock().unwrap().add("twin", &twin);
    assert_eq!(scene.settle(&path).await, "creating");
    assert!(scene.error(&path).await.starts_with("2 keys there look like"), "{}", scene.error(&path).await);
    let gone: Vec<Key> = std::mem::take(&mut scene.upstream.lock().unwrap().keys);
    scene.upstream.lock().unwrap().add("unknown", "SomethingElseEntirely0000");
    scene.house.pass_seconds(1_800);
    assert!(carry_on(&scene.house.control).await.unwrap());
    assert!(scene.error(&path).await.contains("lists no key like"), "{}", scene.error(&path).await);
    scene.upstream.lock().unwrap().keys = gone.into_iter().filter(|key| key.name == "first").collect();
    scene.house.pass_seconds(1_800);
    assert_eq!(scene.settle(&path).await, "propagating");
}

#[tokio::test]
async fn the_old_key_in_use_is_held_or_cut_and_deleted_when_no_call_has_it() {
    for policy in ["hold", "cut"] {
        let scene = Scene::new().await;
        let set = json!({"scope": "organization", "on_old_use": policy});
        assert_eq!(scene.call("PUT", "/v1/gateway/rotation-policies", set).await.0, 200);
        let path = scene.start(json!({})).await;
        scene.overlapping(&path).await;
        let end = scene.state(&path).await["old_key_expires_at"].clone();
        scene.house.pass_seconds(32_400);
        scene.used(FIRST).await;
        assert_eq!(scene.settle(&path).await, "overlapping");
        assert_eq!(scene.alerts().await, ["old_secret_used"]);
        let held = scene.state(&path).await["old_key_expires_at"] != end;
        assert_eq!(held, policy == "hold");
        if held {
            scene.house.pass_seconds(36_000);
            assert_eq!(scene.settle(&path).await, "overlapping");
        }
        // A long call has it to the very end.
        scene.house.pass_seconds(3_600);
        scene.used(FIRST).await;
        let state = scene.settle(&path).await;
        assert_eq!(state, if held { "retiring" } else { "done" });
        if held {
            assert!(scene.error(&path).await.contains("still under way"), "{}", scene.error(&path).await);
            assert!(scene.upstream.lock().unwrap().has(FIRST));
            scene.house.pass_seconds(100);
            assert_eq!(scene.settle(&path).await, "done");
        }
    }
}

#[tokio::test]
async fn who_uses_the_old_key_beside_louver_is_seen_by_the_day() {
    let scene = Scene::new().await;
    let path = scene.start(json!({"overlap": "48h"})).await;
    scene.overlapping(&path).await;
    // It is moved on the 21st.
    scene.upstream.lock().unwrap().keys[0].last_used = Some("2026-11-22");
    scene.house.pass_seconds(48 * 3_600 - 3_600);
    assert_eq!(scene.settle(&path).await, "overlapping");
    assert_eq!(scene.alerts().await, ["old_secret_used"]);
    scene.house.pass_seconds(48 * 3_600);
    assert_eq!(scene.settle(&path).await, "overlapping", "not since");
    scene.house.pass_seconds(3_600);
    assert_eq!(scene.settle(&path).await, "done");
}

#[tokio::test]
async fn called_off_it_leaves_everything_as_it_was() {
    for until in ["creating", "stray", "writing", "propagating", "overlapping"] {
        let scene = Scene::new().await;
        let path = scene.start(json!({})).await;
        match until {
            "stray" => {
                scene.fault("POST /v1/admin", 0);
                assert_eq!(scene.settle(&path).await, "creating");
                assert_eq!(scene.keys().len(), 3);
            }
            "writing" => assert!(carry_on(&scene.house.control).await.unwrap()),
            "propagating" => assert_eq!(scene.settle(&path).await, "propagating"),
            "overlapping" => scene.overlapping(&path).await,
            _ => {}
        }
        scene.repair();
        let second = scene.key().await;
        let cancelled = scene.call("POST", &format!("{path}/cancel"), Value::Null).await;
        assert_eq!(cancelled.0, 200, "{until}: {}", cancelled.1);
        // Who was at it has their time; then the calls move back, and every node takes that over.
        scene.house.pass_seconds(180);
        scene.settle(&path).await;
        assert_eq!(scene.key().await, FIRST, "{until}");
        if second != FIRST {
            scene.used(&second).await;
        }
        scene.house.pass_seconds(60);
        if second != FIRST {
            assert_eq!(scene.settle(&path).await, "settling", "{until}: a call has the new one");
            assert!(scene.upstream.lock().unwrap().has(&second));
            scene.house.pass_seconds(100);
        }
        assert_eq!(scene.settle(&path).await, "cancelled", "{until}: {}", scene.state(&path).await);
        assert_eq!(scene.keys(), ["first", "somebody's"], "{until}");
    }
}

#[tokio::test]
async fn called_off_without_an_admin_key_it_ends_and_says_what_is_left() {
    let scene = Scene::new().await;
    let path = scene.start(json!({})).await;
    scene.overlapping(&path).await;
    let mine = format!("{UPSTREAMS}/{}", scene.id);
    assert_eq!(scene.call("PATCH", &mine, json!({"admin_key": null})).await.0, 200);
    assert_eq!(scene.call("POST", &format!("{path}/cancel"), Value::Null).await.0, 200);
    assert_eq!(scene.settle(&path).await, "settling");
    assert_eq!(scene.key().await, FIRST);
    scene.house.pass_seconds(60);
    assert_eq!(scene.settle(&path).await, "cancelled");
    let said = scene.error(&path).await;
    assert!(scene.keys().iter().any(|name| name.starts_with("louver ") && said.contains(name)), "{said}");
}

#[tokio::test]
async fn what_cannot_be_rotated_is_refused_and_a_rotation_keeps_its_credential() {
    let scene = Scene::new().await;
    let bare =
        scene.house.make(UPSTREAMS, &json!({"name": "bare", "key": "another-key-0000"}).to_string()).await;
    let refused = scene.call("POST", ROTATIONS, json!({"upstream_id": bare["id"]})).await;
    assert!(refused.0 == 409 && refused.1.contains("admin_key"), "{}", refused.1);
    let two = json!({"upstream_id": scene.id, "key_id": scene.id});
    assert_eq!(scene.call("POST", ROTATIONS, two).await.0, 422);
    let file = json!({"name": "f", "kind": "file",
        "settings": {"location": scene.house.dir.path().join("keys/x").to_str().unwrap()}});
    let destination = scene.house.make("/v1/gateway/secret-destinations", &file.to_string()).await;
    let sent = json!({"upstream_id": scene.id, "destinations": [destination["id"]]});
    let answer = scene.house.call("POST", ROTATIONS, &sent.to_string()).await;
    assert_eq!(answer.refused(), (422, "destinations".into()));
    let unknown = json!({"upstream_id": "00000000-0000-7000-8000-000000000009"});
    assert_eq!(scene.call("POST", ROTATIONS, unknown).await.0, 404);
    for (field, value) in [("admin_key", json!("short")), ("admin_user_id", json!("no uuid"))] {
        let mut body = json!({"name": "x", "key": "some-key-of-mine"});
        body[field] = value;
        let answer = scene.house.call("POST", UPSTREAMS, &body.to_string()).await;
        assert_eq!(answer.refused(), (422, field.into()));
    }
    let path = scene.start(json!({})).await;
    let mine = format!("{UPSTREAMS}/{}", scene.id);
    assert_eq!(scene.call("PATCH", &mine, json!({"key": "another-key-0000"})).await.0, 409);
    assert_eq!(scene.call("DELETE", &mine, Value::Null).await.0, 409);
    assert_eq!(scene.call("PATCH", &mine, json!({"name": "renamed", "admin_key": ADMIN})).await.0, 200);
    assert_eq!(scene.call("POST", ROTATIONS, json!({"upstream_id": scene.id})).await.0, 409, "one at a time");
    let listed = scene.house.get(&format!("{ROTATIONS}?upstream_id={}", scene.id)).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    // Another credential of Louver's has the same key: then it is not deleted under it.
    scene.house.make(UPSTREAMS, &json!({"name": "same", "key": FIRST}).to_string()).await;
    scene.overlapping(&path).await;
    scene.house.pass_seconds(32_400);
    scene.settle(&path).await;
    scene.house.pass_seconds(3_600);
    assert_eq!(scene.settle(&path).await, "retiring");
    assert!(scene.error(&path).await.contains("another upstream credential"), "{}", scene.error(&path).await);
    assert!(scene.upstream.lock().unwrap().has(FIRST));
    // Here the rotation is past the point where a key by hand would be in its way.
    assert_eq!(scene.call("DELETE", &mine, Value::Null).await.0, 200);
    scene.house.pass_seconds(1_800);
    assert!(carry_on(&scene.house.control).await.unwrap());
    assert_eq!(scene.state(&path).await["state"], "cancelled");
    assert!(scene.error(&path).await.contains("the upstream credential is gone"));
}
