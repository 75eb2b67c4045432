//! A lost answer is got back by its idempotency key: on both engines, on two nodes, and fifty at once.

use crate::fixtures::{Fixture, permit};
use crate::store::open;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use louver_domain::access::Action;
use louver_domain::id::{OrganizationId, RequestId};
use louver_domain::time::Clock;
use louver_proving::client::{self, Answer, request, send};
use louver_proving::clock::ManualClock;
use louver_proving::system::{Setup, System, eventually};
use louver_store::idempotency::{self as store, Claim, Earlier, Kept, Run, State};
use louver_store::{Store, revision};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

contract! {
    one_of_fifty_gets_the_key
    what_a_deed_changed_is_known_when_all_else_is_lost
    an_answer_is_kept_for_its_time_and_swept_then
    a_holder_has_room_for_so_many_and_no_more
}

async fn fresh(url: &str) -> Store {
    let store = open(url).await;
    store.migrate().await.unwrap();
    store
}

fn run(f: &Fixture, key: u8, id: u8) -> Run {
    Run {
        organization_id: f.organization.id,
        holder: f.admin_key.id.bytes(),
        key_hash: [key; 32],
        id: RequestId::from_bytes([id; 16]),
    }
}

async fn earlier(store: &Store, run: &Run) -> Option<Earlier> {
    match store::claim(store, run, [0; 32]).await.unwrap() {
        Claim::Ours => None,
        Claim::Earlier(earlier) => Some(earlier),
        Claim::Full => panic!("there is room"),
    }
}

async fn one_of_fifty_gets_the_key(store: Store) {
    let f = Fixture::write(&store).await;
    let tasks: Vec<_> = (0..50)
        .map(|id| {
            let (store, run) = (store.clone(), run(&f, 1, id));
            tokio::spawn(async move { store::claim(&store, &run, [id; 32]).await.unwrap() })
        })
        .collect();
    let mut ours = vec![];
    let mut others = vec![];
    for (id, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Claim::Ours => ours.push(id),
            Claim::Earlier(earlier) => others.push(earlier),
            Claim::Full => panic!("there is room"),
        }
    }
    assert_eq!((ours.len(), others.len()), (1, 49));
    let winner = u8::try_from(ours[0]).unwrap();
    for earlier in others {
        assert_eq!((earlier.state, earlier.request_hash), (State::Running, [winner; 32]));
        assert_eq!(earlier.run_id, RequestId::from_bytes([winner; 16]));
    }
    // Others are others: by key, by holder, by organization.
    assert!(earlier_is_none(&store, run(&f, 2, 60)).await);
    assert!(earlier_is_none(&store, Run { holder: [9; 16], ..run(&f, 1, 61) }).await);
    let nowhere = Run { organization_id: OrganizationId::from_bytes([77; 16]), ..run(&f, 1, 62) };
    assert!(store::claim(&store, &nowhere, [0; 32]).await.is_err(), "of no organization");
}

/// One more of a holder, of which so many came before.
fn nth(f: &Fixture, number: u16) -> Run {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    Run { key_hash: bytes, id: RequestId::from_bytes(bytes[..16].try_into().unwrap()), ..run(f, 0, 0) }
}

async fn a_holder_has_room_for_so_many_and_no_more(store: Store) {
    let f = Fixture::write(&store).await;
    let most = u16::try_from(store::MOST_OF_HOLDER).unwrap();
    for number in 0..most {
        assert!(earlier_is_none(&store, nth(&f, number)).await, "{number}");
    }
    let further = store::claim(&store, &nth(&f, most), [0; 32]).await.unwrap();
    assert!(matches!(further, Claim::Full), "what runs makes no room: {further:?}");
    assert!(earlier(&store, &nth(&f, 5)).await.is_some(), "what is there is still found");
    let other = Run { holder: [9; 16], ..nth(&f, most) };
    assert!(earlier_is_none(&store, other).await, "each holder has room of their own");
    for number in [3, 4] {
        store::answered(&store, &nth(&f, number), None).await.unwrap();
    }
    assert!(earlier_is_none(&store, nth(&f, most)).await, "what was answered makes room");
    assert!(earlier_is_none(&store, nth(&f, most + 1)).await);
    let full = store::claim(&store, &nth(&f, most + 2), [0; 32]).await.unwrap();
    assert!(matches!(full, Claim::Full));
    assert!(earlier(&store, &nth(&f, 2)).await.is_some(), "what runs stays");
}

async fn earlier_is_none(store: &Store, run: Run) -> bool {
    earlier(store, &run).await.is_none()
}

async fn what_a_deed_changed_is_known_when_all_else_is_lost(store: Store) {
    let f = Fixture::write(&store).await;
    let change = async |run: &Run, commit: Option<u8>| -> bool {
        let mut tx = revision::begin_deed(&store).await.unwrap();
        let marked = store::mark_changed(&mut tx, run).await.unwrap();
        if let Some(byte) = commit {
            let permit = permit(f.organization.id, Action::CreateOwnApiKey);
            tx.commit(&f.event(permit, byte)).await.unwrap();
        }
        marked
    };
    let (first, second) = (run(&f, 1, 1), run(&f, 1, 2));
    assert!(!change(&first, None).await, "nobody has it");
    // A deed that does not commit has changed nothing: its refusal lets the key go.
    assert!(earlier_is_none(&store, first).await);
    assert!(change(&first, None).await);
    assert_eq!(earlier(&store, &second).await.unwrap().state, State::Running);
    store::let_go(&store, &second).await.unwrap();
    assert_eq!(earlier(&store, &second).await.unwrap().state, State::Running, "it is not the second's");
    store::let_go(&store, &first).await.unwrap();
    assert!(!change(&first, None).await, "it was let go");
    // One that commits is remembered, whatever is answered.
    assert!(earlier_is_none(&store, second).await);
    assert!(
        change(&second, Some(200)).await && change(&second, Some(201)).await,
        "in more than one deed too"
    );
    assert_eq!(earlier(&store, &first).await.unwrap().state, State::Changed);
    store::let_go(&store, &second).await.unwrap();
    assert_eq!(earlier(&store, &first).await.unwrap().state, State::Lost);
    assert!(!change(&first, None).await && !change(&second, None).await, "and nobody works on it");
}

async fn an_answer_is_kept_for_its_time_and_swept_then(store: Store) {
    let f = Fixture::write(&store).await;
    let (first, second) = (run(&f, 1, 1), run(&f, 1, 2));
    assert!(earlier_is_none(&store, first).await);
    let kept = || Some(Kept { rights_hash: [4; 32], sealed_answer: vec![5, 6] });
    store::answered(&store, &second, kept()).await.unwrap();
    assert_eq!(earlier(&store, &second).await.unwrap().state, State::Running, "it is not the second's");
    store::answered(&store, &first, kept()).await.unwrap();
    let found = earlier(&store, &second).await.unwrap();
    assert_eq!((found.state, found.rights_hash), (State::Answered, Some([4; 32])));
    assert_eq!((found.sealed_answer, found.age_seconds), (Some(vec![5, 6]), 0));
    // The store's clock stands still at `f.at`, whatever a node believes.
    assert_eq!(store::sweep(&store, f.at.plus_seconds(5_000_000)).await.unwrap(), 0);
    let clock = Arc::new(ManualClock::at("2026-11-21T02:31:58Z"));
    let store = store.by_clock(clock.clone());
    clock.advance(599);
    assert_eq!(store::sweep(&store, clock.now()).await.unwrap(), 0);
    assert!(earlier(&store, &second).await.is_some());
    clock.advance(1);
    assert_eq!(store::sweep(&store, clock.now()).await.unwrap(), 1);
    assert!(earlier_is_none(&store, second).await);
    // What has no answer stays in doubt for a day, by the time it began.
    clock.advance(store::DOUBTED_SECONDS - 1);
    assert_eq!(store::sweep(&store, clock.now()).await.unwrap(), 0);
    assert_eq!(earlier(&store, &first).await.unwrap().age_seconds, store::DOUBTED_SECONDS - 1);
    clock.advance(1);
    assert!(earlier_is_none(&store, first).await, "and is free then, swept or not");
}

/// Makes a key, with an idempotency key and as the admin of that key.
async fn ask(address: SocketAddr, admin: &str, key: &str, body: &Value) -> Answer {
    send(address, creation(admin, key, body)).await
}

fn creation(admin: &str, key: &str, body: &Value) -> Request<Full<Bytes>> {
    let mut creation = request("POST", "/v1/api-keys", admin, Some(body.to_string().as_bytes()));
    creation.headers_mut().insert("idempotency-key", key.parse().unwrap());
    creation
}

async fn keys(system: &System) -> usize {
    system.admin("GET", "/v1/api-keys?limit=1000", None).await.json()["data"].as_array().unwrap().len()
}

fn is_again(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// Repeats until the first request is done.
async fn answer_of(address: SocketAddr, admin: &str, key: &str, body: &Value) -> Answer {
    eventually(async || {
        let answer = ask(address, admin, key, body).await;
        if answer.status != 200 {
            assert_eq!(answer.verdict(), (409, "request_in_progress".into()), "{}", answer.text());
        }
        (answer.status == 200).then_some(answer)
    })
    .await
}

async fn a_lost_answer_comes_back(setup: Setup) {
    let system = System::with(setup).await;
    let (admin, body) = (system.admin_key.as_str(), json!({"name": "prod"}));
    // The answer's head is seen, and its body is thrown away: whoever asked has no secret.
    let lost = client::open(system.address, creation(admin, "deploy-17", &body)).await;
    assert_eq!((lost.status().as_u16(), lost.headers().get("idempotency-replayed")), (200, None));
    drop(lost);
    let second = system.second_node().await;
    let found = ask(second.address, admin, "deploy-17", &body).await;
    assert!(found.status == 200 && is_again(&found), "{}", found.text());
    assert_eq!(found.header("cache-control"), Some("no-store"));
    let secret = found.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(system.get(&secret, "/v1/models").await.status, 200, "it is the secret of a key that works");
    let once_more = ask(system.address, admin, "deploy-17", &body).await;
    assert_eq!((once_more.body.clone(), keys(&system).await), (found.body.clone(), 1));
    // Another admin's same key is another.
    let other = other_admin(&system).await;
    let theirs = ask(system.address, &other, "deploy-17", &body).await;
    assert!(theirs.status == 200 && !is_again(&theirs) && !theirs.text().contains(&secret));
    assert_eq!(keys(&system).await, 2);
    // A refusal is corrected under the same key.
    let refused = ask(system.address, admin, "deploy-18", &json!({"name": 1})).await;
    assert_eq!(refused.verdict(), (422, "invalid_request".into()));
    let corrected = ask(second.address, admin, "deploy-18", &body).await;
    assert!(corrected.status == 200 && !is_again(&corrected));
    let changed = ask(system.address, admin, "deploy-18", &json!({"name": "other"})).await;
    assert_eq!((changed.status.as_u16(), changed.json()["param"].as_str()), (422, Some("Idempotency-Key")));
    // Ten minutes after the answer it is a new request.
    system.clock.advance(599);
    assert_eq!(ask(system.address, admin, "deploy-17", &body).await.body, found.body);
    system.clock.advance(1);
    let new = ask(second.address, admin, "deploy-17", &body).await;
    assert!(new.status == 200 && !is_again(&new) && new.body != found.body);
    assert_eq!(keys(&system).await, 4);
    second.stop().await;
}

/// An admin key beside the first one.
async fn other_admin(system: &System) -> String {
    let control = louver_proving::system::offline(&system.store, &system.clock);
    let organizations = louver_store::organizations::list(&system.store).await.unwrap();
    let context = louver_control::context::Context::system(organizations[0].id, system.clock.now());
    let made = louver_control::actions::admin_keys::create(&control, &context, "second", None).await;
    made.unwrap().1.secret.expose().clone()
}

#[tokio::test]
async fn a_lost_answer_comes_back_on_sqlite() {
    a_lost_answer_comes_back(Setup::default()).await;
}

#[tokio::test]
async fn a_lost_answer_comes_back_on_a_server() {
    a_lost_answer_comes_back(Setup { postgres: true, ..Setup::default() }).await;
}

async fn fifty_at_once_make_one_key(setup: Setup) {
    let system = System::with(setup).await;
    let second = system.second_node().await;
    let (admin, body) = (system.admin_key.clone(), json!({"name": "prod"}));
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let address = if number % 2 == 0 { system.address } else { second.address };
            let (admin, body) = (admin.clone(), body.clone());
            tokio::spawn(async move { answer_of(address, &admin, "k", &body).await })
        })
        .collect();
    let mut firsts = 0;
    let mut bodies = vec![];
    for task in tasks {
        let answer = task.await.unwrap();
        firsts += usize::from(!is_again(&answer));
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!((firsts, bodies.len(), keys(&system).await), (1, 1, 1));
    second.stop().await;
}

#[tokio::test]
async fn fifty_at_once_make_one_key_on_sqlite() {
    fifty_at_once_make_one_key(Setup::default()).await;
}

#[tokio::test]
async fn fifty_at_once_make_one_key_on_a_server() {
    fifty_at_once_make_one_key(Setup { postgres: true, ..Setup::default() }).await;
}

/// A client that hangs up before any answer: the key is made at most once, and its secret is had by repeating.
#[tokio::test]
async fn a_client_that_leaves_can_come_back() {
    let system = System::start().await;
    let (admin, body) = (system.admin_key.as_str(), json!({"name": "prod"}));
    for number in 0..20 {
        let key = format!("leaves-{number}");
        let asked = tokio::spawn(client::try_open(system.address, creation(admin, &key, &body)));
        // Each leaves a little later than the one before.
        for _ in 0..number {
            tokio::task::yield_now().await;
        }
        asked.abort();
        let found = answer_of(system.address, admin, &key, &body).await;
        assert_eq!(answer_of(system.address, admin, &key, &body).await.body, found.body);
        assert_eq!(keys(&system).await, number + 1);
    }
}
