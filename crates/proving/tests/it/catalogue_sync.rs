//! The models that upstream lists: nothing new is ever allowed by itself, and an alias that moved is refused until somebody
//! has looked.

use crate::fixtures::{Fixture, permit};
use louver_domain::access::Action;
use louver_domain::model_sightings::{Compared, Finding, Sighting, SightingState};
use louver_domain::time::Timestamp;
use louver_proving::system::{Setup, System, eventually, serve_simulator};
use louver_simulator::Simulator;
use louver_store::{Store, model_sightings, revision, snapshot};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::oneshot::Sender;

contract! {
    sightings_are_taken_in_found_and_dismissed
}

async fn fresh(url: &str) -> Store {
    let store = crate::store::open(url).await;
    store.migrate().await.unwrap();
    store
}

fn sighting(name: &str, finding: Finding, state: SightingState) -> Sighting {
    Sighting {
        server: String::new(),
        name: name.into(),
        finding,
        billing_name: Some("bill".into()),
        same_as: None,
        first_seen: Timestamp::from_micros(1),
        last_seen: Timestamp::from_micros(2),
        state,
    }
}

async fn sightings_are_taken_in_found_and_dismissed(store: Store) {
    let f = Fixture::write(&store).await;
    let revision = revision::current(&store).await.unwrap();
    let known = sighting("small", Finding::Known, SightingState::Dismissed);
    let new = sighting("huge", Finding::New, SightingState::Quarantined);
    let elsewhere = Sighting { server: "eu".into(), ..new.clone() };
    let now = vec![known.clone(), new.clone()];
    let first = model_sightings::take_in(&store, "", |before| {
        assert_eq!(before, []);
        Compared { now: now.clone(), alarms: vec![] }
    });
    assert_eq!(first.await.unwrap(), []);
    let there = model_sightings::take_in(&store, "eu", |before| {
        assert_eq!(before, [], "each server has its own");
        Compared { now: vec![elsewhere.clone()], alarms: vec![] }
    });
    there.await.unwrap();
    assert_eq!(model_sightings::list(&store).await.unwrap(), [new.clone(), elsewhere.clone()]);
    assert_eq!(revision::current(&store).await.unwrap(), revision, "nothing that calls are judged by");
    let moved = Sighting {
        last_seen: Timestamp::from_micros(9),
        same_as: Some("other".into()),
        ..sighting("small", Finding::Moved, SightingState::Quarantined)
    };
    let later = model_sightings::take_in(&store, "", |before| {
        assert_eq!(before, [new.clone(), known.clone()]);
        Compared { now: vec![moved.clone()], alarms: vec![moved.clone()] }
    });
    assert_eq!(later.await.unwrap(), std::slice::from_ref(&moved));
    let rules = snapshot::load(&store).await.unwrap();
    assert_eq!(
        (rules.revision, rules.quarantined.as_slice()),
        (revision + 1, ["small".to_owned()].as_slice())
    );
    let permit = permit(f.organization.id, Action::DismissModelSighting);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(model_sightings::of_name(&mut tx, "small").await.unwrap(), [moved]);
    model_sightings::dismiss(&mut tx, &permit, "small").await.unwrap();
    tx.commit(&f.event(permit, 70)).await.unwrap();
    assert_eq!(snapshot::load(&store).await.unwrap().quarantined, Vec::<String>::new());
}

const ALIAS: &str = "mistral-small-latest";

/// A system with a further node that looks at once and again and again, at an upstream whose models a test has changed. That one serves
/// for as long as the sender is kept.
async fn looking(
    change: impl FnOnce(&mut louver_simulator::Config),
) -> (System, louver::serve::Node, String, Sender<()>) {
    let system = System::with(Setup::default()).await;
    let key = system.key(json!({})).await.0;
    let mut simulated = louver::example::simulated(3).unwrap();
    change(&mut simulated);
    let simulator = Simulator::new(simulated);
    let (address, stop) = serve_simulator(&simulator).await;
    let mut config = system.config.clone();
    config.upstream_url = format!("http://{address}");
    config.care.catalogue_sync = Some(Duration::from_millis(20));
    let node = system.second_node_with(&config).await;
    (system, node, key, stop)
}

async fn sightings(system: &System) -> Vec<Value> {
    let all = system.get(&system.admin_key, "/v1/gateway/models/sightings").await.json();
    all["data"].as_array().unwrap().clone()
}

fn of<'a>(all: &'a [Value], name: &str) -> Option<&'a Value> {
    all.iter().find(|sighting| sighting["name"] == name)
}

#[tokio::test]
async fn a4_a_new_name_is_shown_and_stays_refused() {
    let (system, node, key, _upstream) = looking(|simulated| {
        let model =
            louver_simulator::Model::new("mistral-huge-2699", 1000, &[louver_simulator::Endpoint::Chat]);
        simulated.models.push(model.alias("mistral-huge-latest"));
    })
    .await;
    let seen = eventually(async || of(&sightings(&system).await, "mistral-huge-latest").cloned()).await;
    assert_eq!((&seen["finding"], &seen["state"]), (&json!("new"), &json!("quarantined")));
    for name in ["mistral-huge-latest", "mistral-huge-2699"] {
        assert_eq!(system.chat(&key, name).await.verdict(), system.chat(&key, "nope").await.verdict());
    }
    let path = "/v1/gateway/models/sightings/mistral-huge-latest/dismiss";
    system.deed("POST", path, json!({})).await;
    assert_eq!(
        system.chat(&key, "mistral-huge-latest").await.verdict(),
        system.chat(&key, "nope").await.verdict()
    );
    assert_eq!(system.simulator.calls(), 0);
    node.stop().await;
}

#[tokio::test]
async fn a4_an_alias_that_moved_is_refused_until_somebody_has_looked() {
    let (system, node, key, _upstream) = looking(|simulated| {
        let small =
            simulated.models.iter_mut().find(|m| m.aliases.iter().any(|alias| alias == ALIAS)).unwrap();
        small.aliases.retain(|alias| alias != ALIAS);
        let large = simulated.models.iter_mut().find(|m| m.id.starts_with("mistral-large-")).unwrap();
        large.aliases.push(ALIAS.into());
    })
    .await;
    let unknown = system.chat(&key, "nope").await.verdict();
    let moved = eventually(async || of(&sightings(&system).await, ALIAS).cloned()).await;
    assert_eq!((&moved["finding"], &moved["state"]), (&json!("moved"), &json!("quarantined")));
    assert!(moved["same_as"].as_str().unwrap().starts_with("mistral-large-"), "{moved}");
    eventually(async || (system.chat(&key, ALIAS).await.verdict() == unknown).then_some(())).await;
    system.simulator.clear();
    assert_eq!(system.chat(&key, ALIAS).await.verdict(), unknown);
    let list = system.get(&key, "/v1/models").await.text();
    assert!(!list.contains(&format!("\"id\":\"{ALIAS}\"")), "{list}");
    assert_eq!(system.simulator.ledger().len(), 0);
    assert_eq!(system.chat(&key, "mistral-small-2603").await.status, 200, "the pinned id goes on");
    let alert = eventually(async || {
        let alerts = system.get(&system.admin_key, "/v1/gateway/alerts").await.json();
        alerts["data"].as_array().unwrap().iter().find(|alert| alert["kind"] == "model_moved").cloned()
    })
    .await;
    assert_eq!(alert["name"], ALIAS);
    system.deed("POST", &format!("/v1/gateway/models/sightings/{ALIAS}/dismiss"), json!({})).await;
    assert_eq!(system.chat(&key, ALIAS).await.status, 200);
    let sent: Value = serde_json::from_slice(&system.simulator.ledger().last().unwrap().body).unwrap();
    assert_eq!(sent["model"], "mistral-small-2603", "what goes upstream is pinned, as ever");
    let gone = system.admin("POST", "/v1/gateway/models/sightings/nope/dismiss", Some(json!({}))).await;
    assert_eq!(gone.status, 404);
    node.stop().await;
}
