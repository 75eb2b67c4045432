//! A key keeps its id while its secret changes: on one node and on two, up to the deadline and never after.

use crate::fixtures::{Fixture, permit};
use crate::store::open;
use louver_domain::access::Action;
use louver_domain::id::KeyId;
use louver_domain::keys::PublicId;
use louver_domain::old_secrets::{Fate, LastUse};
use louver_proving::client::{request, send};
use louver_proving::system::{Setup, System, eventually};
use louver_store::old_secrets::{self as store, Fresh, Of, Use};
use louver_store::{Store, keys, revision, snapshot};
use serde_json::{Value, json};

contract! {
    secrets_are_replaced_restored_and_retired
    a_use_is_written_to_the_secret_it_was_of
    what_is_due_is_swept_by_the_clock_of_the_store
    a_public_id_is_of_one_secret_only
}

async fn fresh(url: &str) -> Store {
    let store = open(url).await;
    store.migrate().await.unwrap();
    store
}

fn secret(letter: char) -> Fresh {
    let public_id = PublicId::parse(&letter.to_string().repeat(12)).unwrap();
    Fresh { public_id, fingerprint: [letter as u8; 32], last_four: letter.to_string().repeat(4) }
}

async fn replace(store: &Store, f: &Fixture, of: Of, letter: char, fate: Fate, seconds: i64) {
    let permit = permit(f.organization.id, Action::RotateApiKey);
    let mut tx = store.begin().await.unwrap();
    store::replace(&mut tx, &permit, of, &secret(letter), fate, f.at.plus_seconds(seconds)).await.unwrap();
    tx.commit(&f.event(permit, letter as u8)).await.unwrap();
}

/// The last fours of a key's secrets and the seconds until they are retired, the current one first.
async fn told(store: &Store, f: &Fixture, of: Of) -> Vec<(String, Option<i64>)> {
    let found = store::list(store, f.organization.id, of).await.unwrap().unwrap();
    let until = |end: Option<louver_domain::time::Timestamp>| end.map(|at| at.seconds() - f.at.seconds());
    let old = found.old.into_iter().map(|old| (old.last_four, until(old.retires_at)));
    std::iter::once((found.current.last_four, None)).chain(old).collect()
}

fn expected(all: &[(&str, Option<i64>)]) -> Vec<(String, Option<i64>)> {
    all.iter().map(|(name, end)| ((*name).to_owned(), *end)).collect()
}

async fn secrets_are_replaced_restored_and_retired(store: Store) {
    let f = Fixture::write(&store).await;
    for of in [Of::Api(f.key.id), Of::Admin(f.admin_key.id)] {
        let [b, c, d, e] = if matches!(of, Of::Api(_)) { ['b', 'c', 'd', 'e'] } else { ['B', 'C', 'D', 'E'] };
        let four = |letter: char| letter.to_string().repeat(4);
        let until = |seconds| Fate::Until(f.at.plus_seconds(seconds));
        replace(&store, &f, of, b, until(50), 1).await;
        assert_eq!(told(&store, &f, of).await, expected(&[(&four(b), None), ("wxyz", Some(50))]));
        replace(&store, &f, of, c, Fate::UntilTold, 2).await;
        let three = [(four(c), None), (four(b), None), ("wxyz".into(), Some(50))];
        assert_eq!(told(&store, &f, of).await, three);
        let permit = permit(f.organization.id, Action::RotateApiKey);
        // Back to the one before: its place is as it was.
        let mut tx = store.begin().await.unwrap();
        assert!(store::restore(&mut tx, &permit, of, secret(b).public_id).await.unwrap());
        assert!(!store::restore(&mut tx, &permit, of, secret(c).public_id).await.unwrap(), "it is gone");
        tx.commit(&f.event(permit, c as u8 + 100)).await.unwrap();
        assert_eq!(told(&store, &f, of).await, expected(&[(&four(b), None), ("wxyz", Some(50))]));
        replace(&store, &f, of, d, until(20), 3).await;
        let hastened = [(four(d), None), (four(b), Some(20)), ("wxyz".into(), Some(20))];
        assert_eq!(told(&store, &f, of).await, hastened);
        let mut tx = store.begin().await.unwrap();
        store::set_deadline(&mut tx, &permit, secret(b).public_id, Some(f.at.plus_seconds(90)))
            .await
            .unwrap();
        store::retire(&mut tx, &permit, f_public(&f, of)).await.unwrap();
        tx.commit(&f.event(permit, d as u8 + 100)).await.unwrap();
        assert_eq!(told(&store, &f, of).await, expected(&[(&four(d), None), (&four(b), Some(90))]));
        replace(&store, &f, of, e, Fate::Retired, 4).await;
        assert_eq!(told(&store, &f, of).await, expected(&[(&four(e), None)]));
    }
    let nobody = store::list(&store, f.organization.id, Of::Api(KeyId::from_bytes([9; 16]))).await.unwrap();
    assert!(nobody.is_none());
}

/// The public id that the fixture's key began with.
fn f_public(f: &Fixture, of: Of) -> PublicId {
    match of {
        Of::Api(_) => f.key.public_id,
        Of::Admin(_) => f.admin_key.public_id,
    }
}

async fn a_use_is_written_to_the_secret_it_was_of(store: Store) {
    let f = Fixture::write(&store).await;
    let of = Of::Api(f.key.id);
    let used = |public_id, seconds, client: &str| Use {
        key: of,
        public_id,
        last: LastUse {
            at: f.at.plus_seconds(seconds),
            address: Some("192.0.2.1".into()),
            client: Some(client.to_owned()),
        },
    };
    let (old, new) = (f.key.public_id, secret('b').public_id);
    let write = async |uses: &[Use]| store::save_last_used(&store, uses).await.unwrap();
    let clients = async || -> Vec<Option<String>> {
        let found = store::list(&store, f.organization.id, of).await.unwrap().unwrap();
        let all = std::iter::once(found.current).chain(found.old);
        all.map(|secret| secret.used.and_then(|used| used.client)).collect()
    };
    write(&[used(old, 9, "nine"), used(old, 5, "five")]).await;
    assert_eq!(clients().await, [Some("nine".into())]);
    replace(&store, &f, of, 'b', Fate::UntilTold, 10).await;
    assert_eq!(clients().await, [None, Some("nine".into())], "it goes with its secret");
    write(&[used(new, 12, "new"), used(old, 11, "old")]).await;
    assert_eq!(clients().await, [Some("new".into()), Some("old".into())]);
    let key = keys::get(&store, f.organization.id, f.key.id).await.unwrap().unwrap();
    assert_eq!(key.last_used_at, Some(f.at.plus_seconds(12)), "of the key it is the last of any");
    let before = revision::current(&store).await.unwrap();
    write(&[used(secret('z').public_id, 99, "unknown")]).await;
    assert_eq!(revision::current(&store).await.unwrap(), before, "it is no admin deed");
    assert_eq!(clients().await, [Some("new".into()), Some("old".into())]);
}

async fn what_is_due_is_swept_by_the_clock_of_the_store(store: Store) {
    let f = Fixture::write(&store).await;
    let of = Of::Api(f.key.id);
    replace(&store, &f, of, 'b', Fate::Until(f.at.plus_seconds(1)), 0).await;
    replace(&store, &f, of, 'c', Fate::UntilTold, 0).await;
    let before = revision::current(&store).await.unwrap();
    // The store's clock stands still at `f.at`, whatever a node believes.
    assert_eq!(store::sweep(&store, f.at.plus_seconds(500)).await.unwrap(), 0);
    assert_eq!(revision::current(&store).await.unwrap(), before);
    let permit = permit(f.organization.id, Action::RotateApiKey);
    let mut tx = store.begin().await.unwrap();
    store::set_deadline(&mut tx, &permit, f.key.public_id, Some(f.at)).await.unwrap();
    tx.commit(&f.event(permit, 200)).await.unwrap();
    assert_eq!(store::sweep(&store, f.at.plus_seconds(-500)).await.unwrap(), 1, "a late node learns of it");
    assert_eq!(revision::current(&store).await.unwrap(), before + 2);
    let rules = snapshot::load(&store).await.unwrap();
    assert_eq!(rules.old_secrets.len(), 1);
    assert_eq!(rules.old_secrets[0].1.public_id, secret('b').public_id);
    assert!(store::find(&store, f.key.public_id).await.unwrap().is_none());
    assert_eq!(store::sweep(&store, f.at).await.unwrap(), 0);
}

async fn a_public_id_is_of_one_secret_only(store: Store) {
    let f = Fixture::write(&store).await;
    let of = Of::Api(f.key.id);
    let permit = permit(f.organization.id, Action::RotateApiKey);
    let mut tx = store.begin().await.unwrap();
    let same = Fresh { public_id: f.key.public_id, ..secret('b') };
    store::replace(&mut tx, &permit, of, &same, Fate::UntilTold, f.at).await.unwrap();
    let again = store::replace(&mut tx, &permit, of, &secret('c'), Fate::UntilTold, f.at).await;
    assert!(again.is_err(), "two of that public id");
}

async fn ask(address: std::net::SocketAddr, key: &str) -> u16 {
    send(address, request("GET", "/v1/models", key, None)).await.status.as_u16()
}

/// Both secrets answer on both nodes until the deadline, and the old one on none from it on.
async fn both_work_until_the_deadline(setup: Setup) {
    let system = System::with(setup).await;
    let second = system.second_node().await;
    let (old, id) = system.key(json!({})).await;
    eventually(async || (ask(second.address, &old).await == 200).then_some(())).await;
    let path = format!("/v1/api-keys/{id}/rotate");
    let rotated = system.deed("POST", &path, json!({"overlap": "1h"})).await;
    let new = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!(rotated["old_key_expires_at"], "2026-11-21T11:00:00Z");
    assert_eq!(ask(system.address, &new).await, 200, "the next request after the answer");
    eventually(async || (ask(second.address, &new).await == 200).then_some(())).await;
    system.clock.advance_micros(3_600_000_000 - 1);
    for node in [system.address, second.address] {
        assert_eq!((ask(node, &old).await, ask(node, &new).await), (200, 200), "a microsecond before");
    }
    system.clock.advance_micros(1);
    for node in [system.address, second.address] {
        assert_eq!((ask(node, &old).await, ask(node, &new).await), (401, 200), "at the deadline");
    }
    // It is swept then: nothing of it stays.
    eventually(async || snapshot::load(&system.store).await.unwrap().old_secrets.is_empty().then_some(()))
        .await;
    assert_eq!(ask(second.address, &old).await, 401);
    // Without an overlap the old one is refused here with the answer, and elsewhere within two seconds.
    let last = system.deed("POST", &path, json!({"overlap": "0s"})).await;
    assert_eq!(ask(system.address, &new).await, 401);
    let within = std::time::Duration::from_secs(2);
    let gone = eventually(async || (ask(second.address, &new).await == 401).then_some(()));
    tokio::time::timeout(within, gone).await.expect("another node refuses it within 2 s");
    assert_eq!(ask(second.address, last["key"].as_str().unwrap()).await, 200);
    second.stop().await;
}

#[tokio::test]
async fn the_old_secret_answers_up_to_the_deadline_and_never_after() {
    both_work_until_the_deadline(Setup::default()).await;
}

#[tokio::test]
async fn so_it_is_on_a_server() {
    both_work_until_the_deadline(Setup { postgres: true, ..Setup::default() }).await;
}

#[tokio::test]
async fn revoking_ends_every_secret_of_a_key() {
    let system = System::start().await;
    let (old, id) = system.key(json!({})).await;
    let rotated = system.deed("POST", &format!("/v1/api-keys/{id}/rotate"), json!({})).await;
    let new = rotated["key"].as_str().unwrap().to_owned();
    assert_eq!((ask(system.address, &old).await, ask(system.address, &new).await), (200, 200));
    let path = format!("/v1/api-keys/{id}");
    system.deed("POST", &format!("{path}/disable"), json!({})).await;
    assert_eq!((ask(system.address, &old).await, ask(system.address, &new).await), (401, 401));
    system.deed("POST", &format!("{path}/enable"), json!({})).await;
    assert_eq!((ask(system.address, &old).await, ask(system.address, &new).await), (200, 200));
    assert_eq!(system.admin("DELETE", &path, None).await.status, 200);
    assert_eq!((ask(system.address, &old).await, ask(system.address, &new).await), (401, 401));
    assert!(snapshot::load(&system.store).await.unwrap().old_secrets.is_empty());
}

#[tokio::test]
async fn each_secret_is_shown_with_who_used_it_last() {
    let system = System::start().await;
    let (old, id) = system.key(json!({})).await;
    let rotated = system.deed("POST", &format!("/v1/api-keys/{id}/rotate"), json!({})).await;
    let new = rotated["key"].as_str().unwrap().to_owned();
    let say = async |key: &str, client: &'static str| {
        let mut call = request("GET", "/v1/models", key, None);
        call.headers_mut().insert("user-agent", http::HeaderValue::from_bytes(client.as_bytes()).unwrap());
        assert_eq!(send(system.address, call).await.status, 200);
    };
    system.clock.advance(2);
    say(&old, "forgotten-job/1.0").await;
    system.clock.advance(3);
    say(&new, "backend/2.0 \t\u{fc}").await;
    let path = format!("/v1/gateway/keys/{id}/secrets");
    let shown = eventually(async || -> Option<Value> {
        let list = system.admin("GET", &path, None).await.json();
        let both = (0..2).all(|place| list["data"][place]["last_used_at"].is_string());
        both.then(|| list["data"].clone())
    })
    .await;
    assert_eq!(shown[0]["current"], true);
    assert_eq!(shown[0]["last_used_at"], "2026-11-21T10:00:05Z");
    assert_eq!(shown[0]["last_used_client"], "backend/2.0 ???", "nothing that does harm");
    assert_eq!(shown[1]["last_used_at"], "2026-11-21T10:00:02Z");
    assert_eq!(
        (&shown[1]["last_used_client"], &shown[1]["last_used_from"]),
        (&json!("forgotten-job/1.0"), &json!("127.0.0.1"))
    );
    assert_eq!(shown.as_array().unwrap().len(), 2);
}
