//! Rotations of upstream keys by the whole program: clients call all the time, nodes are stopped at each step, and the
//! simulator's books show that the calls moved.

use crate::fixtures::{Fixture, permit};
use crate::store::open as open_store;
use http_body_util::BodyExt;
use louver::config::Config;
use louver_domain::access::Action;
use louver_domain::id::UpstreamId;
use louver_domain::rotations::KNOWN_SECONDS;
use louver_domain::time::Timestamp;
use louver_proving::client::{open, request, send};
use louver_proving::system::{Setup, System, UPSTREAM_KEY, chat, eventually};
use louver_simulator::{Endpoint, Fault, Rule};
use louver_store::upstream_rotations::{UpstreamUse, forget_uses, last_used, save_uses};
use louver_store::{Store, upstreams};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

contract! {
    uses_of_upstream_keys_are_kept_apart_and_never_go_back
}

const FIRST: &str = "UpstreamKeyOfTheBeginning1";
const ADMIN: &str = "admin-canary-of-upstream";
const MODEL: &str = "mistral-small-latest";
const OVERLAP: i64 = 3_600;

async fn fresh(url: &str) -> Store {
    let store = open_store(url).await;
    store.migrate().await.unwrap();
    store
}

async fn uses_of_upstream_keys_are_kept_apart_and_never_go_back(store: Store) {
    let f = Fixture::write(&store).await;
    let one = |key: u8, seconds: i64| UpstreamUse {
        upstream: f.upstream.id,
        fingerprint: [key; 32],
        at: f.at.plus_seconds(seconds),
    };
    let gone = UpstreamUse { upstream: UpstreamId::from_bytes([77; 16]), ..one(1, 1) };
    save_uses(&store, &[]).await.unwrap();
    save_uses(&store, &[one(2, 9), one(1, 5), gone]).await.unwrap();
    save_uses(&store, &[one(1, 4), one(2, 10)]).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let mut told = Vec::new();
    for (upstream, key) in [(f.upstream.id, 1), (f.upstream.id, 2), (f.upstream.id, 3), (gone.upstream, 1)] {
        told.push(last_used(&mut tx, upstream, &[key; 32]).await.unwrap());
    }
    let at = |seconds: i64| -> Option<Timestamp> { Some(f.at.plus_seconds(seconds)) };
    assert_eq!(told, [at(5), at(10), None, None]);
    forget_uses(&mut tx, f.upstream.id, &[1; 32]).await.unwrap();
    assert_eq!(last_used(&mut tx, f.upstream.id, &[1; 32]).await.unwrap(), None);
    // With the credential all of it goes; and what can be changed of one is written.
    let permit = permit(f.organization.id, Action::UpdateUpstream);
    let changed = upstreams::Upstream { sealed_admin_key: None, admin_user_id: None, ..f.upstream.clone() };
    upstreams::save(&mut tx, &permit, &changed).await.unwrap();
    let read = upstreams::load(&mut tx, f.organization.id, f.upstream.id).await.unwrap().unwrap();
    assert_eq!(format!("{read:?}"), format!("{changed:?}"));
    upstreams::delete(&mut tx, &permit, f.upstream.id).await.unwrap();
    assert_eq!(last_used(&mut tx, f.upstream.id, &[2; 32]).await.unwrap(), None);
}

fn with_admin_api(config: &mut louver_simulator::Config) {
    // The day of a key's last use counts, and the clock of the nodes stands on this one.
    let day = Timestamp::parse("2026-11-21T10:00:00Z").unwrap().seconds();
    config.now = Arc::new(move || day);
    config.admin_key = Some(ADMIN.into());
    config.api_keys = vec![FIRST.into(), UPSTREAM_KEY.into()];
}

fn impatient(config: &mut Config) {
    config.timeouts.client_left = Duration::from_millis(100);
}

struct Scene {
    system: System,
    key: String,
    upstream: Value,
}

impl Scene {
    async fn new(postgres: bool) -> Self {
        let setup =
            Setup { postgres, upstream: Some(with_admin_api), change: Some(impatient), ..Setup::default() };
        let system = System::with(setup).await;
        let key = system.key(json!({})).await.0;
        let body = json!({"name": "main", "key": FIRST, "admin_key": ADMIN});
        let upstream = system.deed("POST", "/v1/gateway/upstreams", body).await["id"].clone();
        assert_eq!(system.chat(&key, MODEL).await.status, 200);
        Self { system, key, upstream }
    }

    async fn start(&self) {
        let body = json!({"upstream_id": self.upstream, "overlap": "1h"});
        self.system.deed("POST", "/v1/gateway/rotations", body).await;
    }

    async fn newest(&self) -> Value {
        self.system.admin("GET", "/v1/gateway/rotations?limit=1", None).await.json()["data"][0].clone()
    }

    async fn reaches(&self, state: &str) -> Value {
        let waited = eventually(async || Some(self.newest().await).filter(|one| one["state"] == state));
        match tokio::time::timeout(Duration::from_secs(20), waited).await {
            Ok(reached) => reached,
            Err(_) => panic!("not {state}: {}", self.newest().await),
        }
    }

    /// Lets time pass until the rotation is over.
    async fn is_over(&self) {
        eventually(async || {
            self.system.clock.advance(60);
            (self.newest().await["state"] == "done").then_some(())
        })
        .await;
    }

    /// The keys of upstream that calls have had so far, of those that were answered.
    fn answered_with(&self, from: usize) -> Vec<String> {
        let calls = self.system.simulator.ledger().into_iter().skip(from);
        let calls = calls.filter(|call| call.endpoint == Endpoint::Chat);
        let mut keys: Vec<String> = calls
            .map(|call| {
                assert_eq!(call.status.unwrap_or(200), 200, "a call was refused upstream");
                call.bearer.unwrap()
            })
            .collect();
        keys.dedup();
        keys.sort();
        keys.dedup();
        keys
    }

    fn live_keys(&self) -> Vec<String> {
        let all = self.system.simulator.api_keys().into_iter().filter(|key| !key.deleted);
        all.map(|key| key.secret).collect()
    }
}

/// A client that calls without a pause. What it counts are calls, and those that failed.
async fn client(address: SocketAddr, key: String, stop: Arc<AtomicBool>, counts: Arc<[AtomicU64; 2]>) {
    let body = chat(MODEL).to_string();
    while !stop.load(Ordering::SeqCst) {
        let answer =
            send(address, request("POST", "/v1/chat/completions", &key, Some(body.as_bytes()))).await;
        counts[0].fetch_add(1, Ordering::SeqCst);
        counts[1].fetch_add(u64::from(answer.status != 200), Ordering::SeqCst);
    }
}

async fn rotated_while_clients_call(postgres: bool) {
    let scene = Scene::new(postgres).await;
    let system = &scene.system;
    let second = if postgres { Some(system.second_node().await) } else { None };
    let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new([AtomicU64::new(0), AtomicU64::new(0)]));
    let nodes = std::iter::once(system.address).chain(second.as_ref().map(|node| node.address));
    let clients: Vec<_> = nodes
        .map(|node| tokio::spawn(client(node, scene.key.clone(), Arc::clone(&stop), Arc::clone(&counts))))
        .collect();
    scene.start().await;
    scene.reaches("writing").await;
    assert_eq!(scene.answered_with(0), [FIRST], "a key was made, and calls have not moved");
    system.clock.advance(KNOWN_SECONDS);
    scene.reaches("propagating").await;
    // Every node takes it over by itself; from then on no call has the old key.
    let moved = eventually(async || {
        let before = system.simulator.ledger().len();
        let made = counts[0].load(Ordering::SeqCst);
        eventually(async || (counts[0].load(Ordering::SeqCst) > made + 20).then_some(())).await;
        let keys = scene.answered_with(before);
        (keys.len() == 1 && keys[0] != FIRST).then(|| keys[0].clone())
    });
    let new = moved.await;
    system.clock.advance(60);
    scene.reaches("overlapping").await;
    assert!(scene.live_keys().contains(&FIRST.to_owned()) && scene.live_keys().contains(&new));
    scene.is_over().await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let [made, failed] = [&counts[0], &counts[1]].map(|count| count.load(Ordering::SeqCst));
    assert!(made > 40 && failed == 0, "{failed} of {made} calls failed");
    assert_eq!(scene.live_keys(), [UPSTREAM_KEY.to_owned(), new.clone()]);
    let before = system.simulator.ledger().len();
    assert_eq!(system.chat(&scene.key, MODEL).await.status, 200);
    assert_eq!(scene.answered_with(before), [new]);
    if let Some(second) = second {
        second.stop().await;
    }
}

#[tokio::test]
async fn clients_that_call_all_the_time_see_no_failure_and_the_calls_move() {
    rotated_while_clients_call(false).await;
}

#[tokio::test]
async fn so_it_is_with_two_nodes_on_a_server() {
    rotated_while_clients_call(true).await;
}

#[tokio::test]
async fn a_call_under_way_with_the_old_key_holds_it() {
    let scene = Scene::new(false).await;
    let system = &scene.system;
    system.simulator.script(Rule::new(Fault::HangAfter { after: 2 }).at(Endpoint::Chat));
    let mut body = chat(MODEL);
    body["stream"] = json!(true);
    let call = request("POST", "/v1/chat/completions", &scene.key, Some(body.to_string().as_bytes()));
    let mut long = open(system.address, call).await;
    assert!(long.body_mut().frame().await.is_some(), "it has begun");
    scene.start().await;
    scene.reaches("writing").await;
    system.clock.advance(KNOWN_SECONDS);
    scene.reaches("propagating").await;
    system.clock.advance(60);
    let end = scene.reaches("overlapping").await["old_key_expires_at"].clone();
    system.clock.advance(OVERLAP / 2 + 60);
    // The node says again that it has a call with the old key, before it is looked.
    let upstream = UpstreamId::parse(scene.upstream.as_str().unwrap()).unwrap();
    let old = louver_proving::system::offline(&system.store, &system.clock).pepper.fingerprint(FIRST);
    let now = louver_domain::time::Clock::now(&*system.clock);
    eventually(async || {
        let mut tx = system.store.begin().await.unwrap();
        let used = last_used(&mut tx, upstream, &old).await.unwrap();
        used.filter(|at| *at >= now).map(drop)
    })
    .await;
    system.clock.advance(OVERLAP / 2 - 60 - OVERLAP / 10);
    eventually(async || (scene.newest().await["old_key_expires_at"] != end).then_some(())).await;
    let alerts = system.admin("GET", "/v1/gateway/alerts", None).await.json();
    assert_eq!(alerts["data"][0]["kind"], "old_secret_used", "{alerts}");
    assert!(scene.live_keys().contains(&FIRST.to_owned()));
    drop(long);
    scene.is_over().await;
    assert!(!scene.live_keys().contains(&FIRST.to_owned()));
}

#[tokio::test]
async fn a_program_that_was_stopped_at_any_step_goes_on_where_it_was() {
    let mut scene = Scene::new(false).await;
    scene.start().await;
    let margin = OVERLAP / 10;
    for (state, seconds) in [
        ("writing", KNOWN_SECONDS),
        ("propagating", 60),
        ("overlapping", OVERLAP - margin),
        ("overlapping", margin),
        ("done", 0),
    ] {
        scene.reaches(state).await;
        assert_eq!(scene.system.chat(&scene.key, MODEL).await.status, 200, "{state}");
        scene.system.stop().await;
        scene.system.clock.advance(seconds);
        scene.system.restart().await;
        if seconds == OVERLAP - margin {
            eventually(async || {
                let one = scene.newest().await;
                (one["next_at"] == one["old_key_expires_at"]).then_some(())
            })
            .await;
        }
    }
    assert!(!scene.live_keys().contains(&FIRST.to_owned()));
    assert_eq!(scene.system.chat(&scene.key, MODEL).await.status, 200);
}
