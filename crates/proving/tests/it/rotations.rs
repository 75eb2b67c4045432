//! Managed rotations of the whole program: by a policy of 90 days, over restarts, on both engines; and their rows.

use crate::fixtures::{Fixture, permit};
use crate::store::open;
use louver::config::Config;
use louver_domain::access::{Action, Permit};
use louver_domain::id::{KeyId, RotationId, SecretDestinationId};
use louver_domain::keys::PublicId;
use louver_domain::old_secrets::LastUse;
use louver_domain::rotation_policies::{DayWindow, Policy, PolicyScope};
use louver_domain::rotations::{KNOWN_SECONDS, OnOldUse, Outcome, Plan, Rotation, State, Step, Subject};
use louver_domain::secret::Secret;
use louver_domain::time::{Clock, Timestamp};
use louver_domain::trials;
use louver_proving::client::{request, send};
use louver_proving::clock::ManualClock;
use louver_proving::system::{Setup, System, eventually};
use louver_store::old_secrets::{Of, Use, save_last_used};
use louver_store::rotations::{self as store, Claimed, Filter, LEASE_SECONDS};
use louver_store::seal::MasterKey;
use louver_store::{Store, StoreError, rotation_policies};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

contract! {
    one_rotation_of_a_subject_lives
    a_claim_is_one_nodes_until_it_ends
    the_first_use_of_a_new_secret_is_noted_and_stays
    what_is_over_keeps_no_secret
    policies_read_back_and_empty_ones_are_gone
}

async fn fresh(url: &str) -> Store {
    let store = open(url).await;
    store.migrate().await.unwrap();
    store
}

/// The store as it is at a time.
fn at(store: &Store, time: Timestamp) -> Store {
    store.clone().by_clock(Arc::new(ManualClock::at(&time.rfc3339())))
}

/// Claims what is due at a time by the store's clock, on a node whose own is wrong.
async fn claim(store: &Store, time: Timestamp) -> Option<Claimed> {
    store::claim(&at(store, time), time.plus_seconds(1_000)).await.unwrap()
}

fn rotation(f: &Fixture, number: u8) -> Rotation {
    Rotation {
        id: RotationId::from_bytes([number; 16]),
        organization_id: f.organization.id,
        workspace_id: Some(f.workspace.id),
        subject: Subject::ApiKey(f.key.id),
        name: "first".into(),
        workspace: "team".into(),
        plan: Plan {
            overlap_seconds: 3_600,
            propagation_seconds: 60,
            on_old_use: OnOldUse::Cut,
            destinations: vec![SecretDestinationId::from_bytes([8; 16])],
        },
        state: State::begin(f.at),
        emergency: false,
        started_by: "root".into(),
        created_at: f.at,
        old_public_id: None,
        new_public_id: None,
        last_error: None,
    }
}

fn start(f: &Fixture) -> Permit {
    permit(f.organization.id, Action::StartRotation)
}

async fn insert(store: &Store, f: &Fixture, number: u8) -> Result<(), StoreError> {
    let mut tx = store.begin().await.unwrap();
    store::insert(&mut tx, &start(f), &rotation(f, number)).await?;
    tx.commit(&f.event(start(f), number)).await.map(drop)
}

async fn one_rotation_of_a_subject_lives(store: Store) {
    let f = Fixture::write(&store).await;
    insert(&store, &f, 20).await.unwrap();
    assert!(matches!(insert(&store, &f, 21).await, Err(StoreError::Conflict)));
    let read =
        store::get(&store, f.organization.id, RotationId::from_bytes([20; 16])).await.unwrap().unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", rotation(&f, 20)));
    let mut tx = store.begin().await.unwrap();
    assert!(store::live(&mut tx, Subject::ApiKey(f.key.id)).await.unwrap().is_some());
    assert!(store::live(&mut tx, Subject::ApiKey(KeyId::from_bytes([9; 16]))).await.unwrap().is_none());
    let ended = read.state.given_up(f.at.plus_seconds(5));
    store::save(&mut tx, &read, &ended).await.unwrap();
    tx.commit(&f.event(start(&f), 30)).await.unwrap();
    insert(&store, &f, 22).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let called_off = store::called_off_at(&mut tx, Subject::ApiKey(f.key.id)).await.unwrap();
    assert_eq!(called_off, Some(f.at.plus_seconds(5)));
    drop(tx);
    let list = async |filter: Filter| -> Vec<u8> {
        let all = store::list(&store, f.organization.id, filter, 10).await.unwrap();
        all.iter().map(|one| one.id.bytes()[0]).collect()
    };
    let all = Filter::default();
    assert_eq!(list(all).await, [22, 20]);
    assert_eq!(list(Filter { live: true, ..all }).await, [22]);
    assert_eq!(list(Filter { step: Some(Step::Cancelled), ..all }).await, [20]);
    assert_eq!(list(Filter { after: Some(RotationId::from_bytes([22; 16])), ..all }).await, [20]);
    assert_eq!(
        list(Filter { subject: Some(f.key.id.bytes()), workspace: Some(f.workspace.id), ..all }).await.len(),
        2
    );
    assert!(list(Filter { subject: Some([3; 16]), ..all }).await.is_empty());
}

async fn a_claim_is_one_nodes_until_it_ends(store: Store) {
    let f = Fixture::write(&store).await;
    insert(&store, &f, 20).await.unwrap();
    assert!(claim(&store, f.at.plus_seconds(-1)).await.is_none(), "not due");
    let (one, two) = tokio::join!(claim(&store, f.at), claim(&store, f.at));
    let mut claims: Vec<_> = [one, two].into_iter().flatten().collect();
    assert_eq!(claims.len(), 1, "of two that look at the same time one gets it");
    let dead = claims.remove(0);
    assert!(claim(&store, f.at.plus_seconds(LEASE_SECONDS - 1)).await.is_none());
    let later = claim(&store, f.at.plus_seconds(LEASE_SECONDS)).await.unwrap();
    let next = later.rotation.state.after(&later.rotation.plan, Outcome::Worked, f.at);
    assert!(!dead.note(&store, &next, None).await.unwrap(), "what is late has no say");
    assert!(!dead.will_write(&store).await.unwrap());
    assert!(later.will_write(&store).await.unwrap());
    assert!(later.note(&store, &next, Some("why")).await.unwrap());
    assert!(!later.note(&store, &next, None).await.unwrap(), "a claim is good once");
    let read = store::get(&store, f.organization.id, dead.rotation.id).await.unwrap().unwrap();
    // What was written stays so, though who notes it began before.
    let next = State { written: true, ..next };
    assert_eq!((read.state, read.last_error.as_deref()), (next, Some("why")));
}

async fn the_first_use_of_a_new_secret_is_noted_and_stays(store: Store) {
    let f = Fixture::write(&store).await;
    insert(&store, &f, 20).await.unwrap();
    let claimed = claim(&store, f.at).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let old = PublicId::parse("abcdefABCDEZ").unwrap();
    claimed.keep_new(&mut tx, (old, f.key.public_id), vec![1]).await.unwrap();
    tx.commit(&f.event(start(&f), 30)).await.unwrap();
    assert_eq!(store::observe(&store).await.unwrap(), 0, "nobody has used it");
    for seconds in [10, 20] {
        let last = LastUse { at: f.at.plus_seconds(seconds), address: None, client: None };
        let used = Use { key: Of::Api(f.key.id), public_id: f.key.public_id, last };
        save_last_used(&store, &[used]).await.unwrap();
        assert_eq!(store::observe(&store).await.unwrap(), u64::from(seconds == 10));
    }
    // Who carries it on began before, and does not know.
    let next = claimed.rotation.state.after(&claimed.rotation.plan, Outcome::Worked, f.at);
    assert!(claimed.note(&store, &next, None).await.unwrap());
    let read = store::get(&store, f.organization.id, claimed.rotation.id).await.unwrap().unwrap();
    assert_eq!((read.state.step, read.state.observed_at), (Step::Writing, Some(f.at.plus_seconds(10))));
}

async fn what_is_over_keeps_no_secret(store: Store) {
    let f = Fixture::write(&store).await;
    insert(&store, &f, 20).await.unwrap();
    let claimed = claim(&store, f.at).await.unwrap();
    let ids = (f.key.public_id, PublicId::parse("abcdefABCDEZ").unwrap());
    let mut tx = store.begin().await.unwrap();
    claimed.keep_new(&mut tx, ids, vec![1, 2, 3]).await.unwrap();
    let state = State { step: Step::Writing, next_at: f.at, ..claimed.rotation.state };
    assert!(claimed.save(&mut tx, &state, None).await.unwrap());
    tx.commit(&f.event(start(&f), 30)).await.unwrap();
    let claimed = claim(&store, f.at).await.unwrap();
    assert_eq!((claimed.rotation.old_public_id, claimed.rotation.new_public_id), (Some(ids.0), Some(ids.1)));
    claimed.keep_old(&store, vec![4, 5]).await.unwrap();
    claimed.note(&store, &state, None).await.unwrap();
    let claimed = claim(&store, f.at).await.unwrap();
    assert_eq!(
        (claimed.sealed_old.as_deref(), claimed.sealed_new.as_deref()),
        (Some(&[4, 5][..]), Some(&[1, 2, 3][..]))
    );
    let mut tx = store.begin().await.unwrap();
    assert!(store::load(&mut tx, f.organization.id, claimed.rotation.id).await.unwrap().unwrap().1);
    claimed.forget_new(&mut tx).await.unwrap();
    assert!(claimed.save(&mut tx, &state, None).await.unwrap());
    tx.commit(&f.event(start(&f), 31)).await.unwrap();
    let claimed = claim(&store, f.at).await.unwrap();
    assert_eq!((claimed.sealed_old.is_some(), claimed.sealed_new.is_some()), (true, false));
    let done = State { step: Step::Done, ..claimed.rotation.state };
    claimed.note(&store, &done, None).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(!store::load(&mut tx, f.organization.id, claimed.rotation.id).await.unwrap().unwrap().1);
    drop(tx);
    assert!(claim(&store, f.at.plus_seconds(9_999)).await.is_none());
}

async fn policies_read_back_and_empty_ones_are_gone(store: Store) {
    let f = Fixture::write(&store).await;
    let whole = Policy {
        period_days: Some(90),
        overlap_hours: Some(24),
        destinations: Some(vec![SecretDestinationId::from_bytes([8; 16])]),
        propagation_seconds: Some(0),
        on_old_use: Some(OnOldUse::Hold),
        window: Some(DayWindow { start: 120, end: 0 }),
        jitter_hours: Some(3),
        remind_days: Some(0),
    };
    let part = Policy { overlap_hours: Some(1), ..Policy::default() };
    let scopes = [PolicyScope::Organization(f.organization.id), PolicyScope::Key(f.key.id)];
    let permit = permit(f.organization.id, Action::UpdateRotationPolicy);
    let mut tx = store.begin().await.unwrap();
    for (scope, policy) in scopes.iter().zip([&whole, &part]) {
        rotation_policies::save(&mut tx, &permit, *scope, &Policy::default()).await.unwrap();
        rotation_policies::save(&mut tx, &permit, *scope, policy).await.unwrap();
        assert_eq!(
            rotation_policies::load(&mut tx, f.organization.id, *scope).await.unwrap().as_ref(),
            Some(policy)
        );
    }
    tx.commit(&f.event(permit, 30)).await.unwrap();
    assert_eq!(rotation_policies::list(&store, f.organization.id).await.unwrap().len(), 2);
    assert_eq!(rotation_policies::all(&store).await.unwrap().len(), 2);
    let mut tx = store.begin().await.unwrap();
    rotation_policies::save(&mut tx, &permit, scopes[1], &Policy::default()).await.unwrap();
    assert!(rotation_policies::load(&mut tx, f.organization.id, scopes[1]).await.unwrap().is_none());
}

const DAY: i64 = 86_400;

/// Lets destinations be files beside the journal.
fn with_files(config: &mut Config) {
    let folder = config.journal_dir.as_ref().unwrap().parent().unwrap().join("keys");
    std::fs::create_dir_all(&folder).unwrap();
    config.destinations.folders = vec![folder];
}

/// A key whose secret lies in a file, and a policy that rotates it every 90 days.
struct Scene {
    system: System,
    file: PathBuf,
    first: String,
    id: String,
}

impl Scene {
    async fn new(postgres: bool) -> Self {
        let system = System::with(Setup { postgres, change: Some(with_files), ..Setup::default() }).await;
        let (first, id) = system.key(json!({"name": "backend"})).await;
        let file = system.config.destinations.folders[0].join("backend");
        std::fs::write(&file, &first).unwrap();
        let body = json!({"name": "file", "kind": "file", "settings": {"location": file.to_str().unwrap()}});
        let destination = system.deed("POST", "/v1/gateway/secret-destinations", body).await;
        let policy = json!({"scope": "organization", "period_days": 90, "overlap_hours": 24,
            "destinations": [destination["id"]]});
        system.deed("PUT", "/v1/gateway/rotation-policies", policy).await;
        Self { system, file, first, id }
    }

    fn delivered(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap()
    }

    async fn status(&self, key: &str) -> u16 {
        self.system.get(key, "/v1/models").await.status.as_u16()
    }

    async fn newest(&self) -> Value {
        self.system.admin("GET", "/v1/gateway/rotations?limit=1", None).await.json()["data"][0].clone()
    }

    /// Waits until the newest rotation is in that state, for the program by itself.
    async fn reaches(&self, state: &str) -> Value {
        let waited = eventually(async || Some(self.newest().await).filter(|one| one["state"] == state));
        match tokio::time::timeout(std::time::Duration::from_secs(15), waited).await {
            Ok(reached) => reached,
            Err(_) => panic!("not {state}: {}", self.newest().await),
        }
    }

    /// Waits until the new secret is there and these nodes know it, and lets the time pass that it is kept back for.
    async fn is_written(&self, nodes: &[SocketAddr]) {
        self.reaches("writing").await;
        self.is_known(nodes).await;
        assert_ne!(self.newest().await["state"], "propagating", "not before every node must know it");
        self.system.clock.advance(KNOWN_SECONDS);
        self.reaches("propagating").await;
    }

    /// Waits until these nodes know whatever was changed until now.
    async fn is_known(&self, nodes: &[SocketAddr]) {
        // Whoever knows a key that is younger knows that, too. It goes again, so that nothing is ever due for it.
        let (younger, id) = self.system.key(json!({"name": "younger"})).await;
        for node in nodes {
            let knows =
                async || send(*node, request("GET", "/v1/models", &younger, None)).await.status == 200;
            eventually(async || knows().await.then_some(())).await;
        }
        assert_eq!(self.system.admin("DELETE", &format!("/v1/api-keys/{id}"), None).await.status, 200);
    }

    /// Waits until it was looked whether the old secret is used: then the rotation waits for the very end.
    async fn is_looked_at(&self) {
        eventually(async || {
            let one = self.newest().await;
            (one["next_at"] == one["old_key_expires_at"]).then_some(())
        })
        .await;
    }
}

/// A client that reads its key from the file before each call. What it counts are calls, and those that failed.
async fn client(
    file: PathBuf,
    address: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    counts: Arc<[AtomicU64; 2]>,
) {
    while !stop.load(Ordering::SeqCst) {
        let key = std::fs::read_to_string(&file).unwrap();
        let answer = send(address, request("GET", "/v1/models", &key, None)).await;
        counts[0].fetch_add(1, Ordering::SeqCst);
        counts[1].fetch_add(u64::from(answer.status != 200), Ordering::SeqCst);
    }
}

async fn rotated_every_ninety_days(postgres: bool) {
    let scene = Scene::new(postgres).await;
    let system = &scene.system;
    let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new([AtomicU64::new(0), AtomicU64::new(0)]));
    let calls = client(scene.file.clone(), system.address, Arc::clone(&stop), Arc::clone(&counts));
    let calls = tokio::spawn(calls);
    system.clock.advance(89 * DAY);
    let told = eventually(async || {
        let all = system.admin("GET", "/v1/gateway/alerts", None).await.json();
        all["data"][0]["kind"].as_str().map(str::to_owned)
    });
    assert_eq!(told.await, "rotation_due");
    let mut before = scene.first.clone();
    for round in 0..2 {
        system.clock.advance(if round == 0 { DAY } else { 89 * DAY });
        scene.is_written(&[system.address]).await;
        let new = scene.delivered();
        assert_eq!((scene.status(&before).await, scene.status(&new).await), (200, 200), "round {round}");
        system.clock.advance(60);
        let end = scene.reaches("overlapping").await["old_key_expires_at"].clone();
        assert!(end.is_string());
        system.clock.advance(DAY - 3_600);
        scene.is_looked_at().await;
        scene.is_known(&[system.address]).await;
        system.clock.advance(3_599);
        assert_eq!(scene.status(&before).await, 200, "round {round}: the last second");
        system.clock.advance(1);
        assert_eq!(scene.status(&before).await, 401, "round {round}: never after");
        scene.reaches("done").await;
        before = new;
    }
    stop.store(true, Ordering::SeqCst);
    calls.await.unwrap();
    let [made, failed] = [&counts[0], &counts[1]].map(|count| count.load(Ordering::SeqCst));
    assert!(made > 20 && failed == 0, "{failed} of {made} calls failed");
    let shown = system.admin("GET", &format!("/v1/api-keys/{}", scene.id), None).await.json();
    assert_eq!((&shown["id"], &shown["status"]), (&json!(scene.id), &json!("active")), "the key is the same");
}

#[tokio::test]
async fn a_client_that_reads_its_key_from_the_destination_calls_without_a_failure() {
    rotated_every_ninety_days(false).await;
}

#[tokio::test]
async fn so_it_does_on_a_server() {
    rotated_every_ninety_days(true).await;
}

#[tokio::test]
async fn a_try_is_no_use_and_the_first_use_is_shown() {
    let scene = Scene::new(false).await;
    let system = &scene.system;
    system.clock.advance(90 * DAY);
    scene.is_written(&[system.address]).await;
    let new = scene.delivered();
    system.clock.advance(60);
    // It was tried with a call, which nobody counts.
    let tried = scene.reaches("overlapping").await;
    assert_eq!(tried["observed_at"], Value::Null);
    let used_at = async || {
        let secrets = system.admin("GET", &format!("/v1/gateway/keys/{}/secrets", scene.id), None).await;
        secrets.json()["data"][0]["last_used_at"].clone()
    };
    // What is used now is written down after what was used before.
    let (younger, id) = system.key(json!({"name": "younger"})).await;
    let written = async || {
        assert_eq!(scene.status(&younger).await, 200);
        let now = json!(system.clock.now().rfc3339());
        let path = format!("/v1/api-keys/{id}");
        eventually(async || {
            let shown = system.admin("GET", &path, None).await.json();
            (shown["last_used_at"] == now).then_some(())
        })
        .await;
    };
    let pepper = MasterKey::new(Secret::new([42; 32])).unwrap().pepper();
    let call = async |mark: &str| {
        let mut asked = request("GET", "/v1/models", &new, None);
        asked.headers_mut().insert(trials::HEADER, mark.parse().unwrap());
        assert_eq!(send(system.address, asked).await.status, 200);
        system.clock.advance(1);
        written().await;
    };
    written().await;
    assert_eq!(used_at().await, Value::Null);
    // Later than its own.
    system.clock.advance(1);
    let mark = trials::mark(&pepper, &new, system.clock.now());
    call(&mark).await;
    assert_eq!(used_at().await, Value::Null, "only this cluster makes such a mark");
    // Whoever saw it and brings it again, or makes one up, uses the key.
    call(&mark).await;
    let first = used_at().await;
    assert!(first.is_string(), "{first}");
    let shown =
        eventually(async || Some(scene.newest().await).filter(|one| !one["observed_at"].is_null())).await;
    assert_eq!((&shown["state"], &shown["observed_at"]), (&json!("overlapping"), &first));
    call(&trials::mark(&MasterKey::new(Secret::new([43; 32])).unwrap().pepper(), &new, system.clock.now()))
        .await;
    assert_ne!(used_at().await, first);
}

#[tokio::test]
async fn a_program_that_was_stopped_at_any_step_goes_on_where_it_was() {
    let mut scene = Scene::new(false).await;
    scene.system.clock.advance(90 * DAY);
    for (state, seconds) in [
        ("writing", KNOWN_SECONDS),
        ("propagating", 60),
        ("overlapping", DAY - 3_600),
        ("overlapping", 3_600),
        ("done", 0),
    ] {
        scene.reaches(state).await;
        assert_eq!(scene.status(&scene.delivered()).await, 200, "{state}");
        scene.system.stop().await;
        scene.system.clock.advance(seconds);
        scene.system.restart().await;
        if seconds == DAY - 3_600 {
            scene.is_looked_at().await;
        }
    }
    assert_eq!((scene.status(&scene.first).await, scene.status(&scene.delivered()).await), (401, 200));
}

#[tokio::test]
async fn several_nodes_rotate_a_key_once() {
    let scene = Scene::new(true).await;
    let second = scene.system.second_node().await;
    scene.system.clock.advance(90 * DAY);
    scene.is_written(&[scene.system.address, second.address]).await;
    let there = async |key: &str| send(second.address, request("GET", "/v1/models", key, None)).await.status;
    assert_eq!(there(&scene.delivered()).await, 200);
    scene.system.clock.advance(60);
    scene.reaches("overlapping").await;
    let all = scene.system.admin("GET", "/v1/gateway/rotations", None).await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 1, "{all}");
    assert_eq!(there(&scene.first).await, 200);
    scene.system.clock.advance(DAY - 3_600);
    scene.is_looked_at().await;
    scene.system.clock.advance(3_600);
    scene.reaches("done").await;
    // The clock jumps: what takes half a second of real time is waited for here.
    eventually(async || (there(&scene.first).await == 401).then_some(())).await;
    assert_eq!(there(&scene.delivered()).await, 200);
    second.stop().await;
}
