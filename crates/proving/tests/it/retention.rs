//! What is over goes by its age, and nothing that lives: on both engines.

use crate::fixtures::{Fixture, permit};
use crate::store::open;
use louver_domain::access::Action;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::alerts::Standing;
use louver_domain::deliveries::{DeliveryState, Next};
use louver_domain::id::{AlertChannelId, KeyId, RotationId, SecretDestinationId};
use louver_domain::rotations::{OnOldUse, Plan, Rotation, State, Step, Subject};
use louver_domain::time::Timestamp;
use louver_proving::clock::SeededEntropy;
use louver_store::alert_channels::{self, AlertChannel};
use louver_store::retention::{AT_ONCE, prune_alerts, prune_rotations};
use louver_store::{Store, alerts, deliveries, rotations};

contract! {
    alerts_go_with_their_deliveries_once_they_are_old_and_over
    rotations_that_have_ended_go_and_those_that_live_stay
}

const DAY: i64 = 86_400;

async fn fresh(url: &str) -> Store {
    let store = open(url).await;
    store.migrate().await.unwrap();
    store
}

/// An alert on a budget of its own, raised so many days ago, in a period that ends so many days from now.
async fn raise(store: &Store, f: &Fixture, number: u8, days_ago: i64, ends_in: i64) {
    let raised = f.at.plus_seconds(-days_ago * DAY);
    let standing = Standing {
        budget_id: [number; 16],
        organization_id: f.organization.id,
        scope: "workspace".into(),
        scope_id: f.workspace.id.to_string(),
        name: format!("budget {number}"),
        window: "month".into(),
        unit: "usd".into(),
        starts: raised.plus_seconds(-DAY),
        ends: f.at.plus_seconds(ends_in * DAY),
        limit: 100,
        spent: 60,
        thresholds: vec![50],
        overrun: false,
        limit_reached: false,
    };
    let entropy = SeededEntropy::new(u64::from(number));
    assert_eq!(alerts::evaluate(store, vec![standing], raised, &entropy).await.unwrap(), 1);
}

async fn add_channel(store: &Store, f: &Fixture) {
    let channel = AlertChannel {
        id: AlertChannelId::from_bytes([7; 16]),
        organization_id: f.organization.id,
        name: "ops".into(),
        kind: ChannelKind::Slack,
        destination: "example.com".into(),
        sealed_target: Some(vec![1]),
        enabled: true,
        created_at: f.at,
    };
    let permit = permit(f.organization.id, Action::CreateAlertChannel);
    let mut tx = store.begin().await.unwrap();
    alert_channels::insert(&mut tx, &permit, &channel).await.unwrap();
    tx.commit(&f.event(permit, 100)).await.unwrap();
}

/// Ends the delivery that is due first; which alert it was of.
async fn deliver(store: &Store, now: Timestamp) -> String {
    let claimed = deliveries::claim(store, now, 1).await.unwrap().remove(0);
    let done = Next { state: DeliveryState::Delivered, at: now };
    deliveries::finish(store, &claimed, done, None).await.unwrap();
    claimed.alert.name
}

async fn names(store: &Store, f: &Fixture) -> Vec<String> {
    let all = alerts::list(store, f.organization.id, None, 1000).await.unwrap();
    let mut names: Vec<String> = all.into_iter().map(|alert| alert.name).collect();
    names.sort();
    names
}

async fn alerts_go_with_their_deliveries_once_they_are_old_and_over(store: Store) {
    let f = Fixture::write(&store).await;
    add_channel(&store, &f).await;
    // Old and delivered; old with a period that runs; young; old and still to be delivered.
    for (number, days_ago, ends_in) in [(1, 500, -470), (2, 500, 3), (3, 399, -398), (4, 450, -440)] {
        raise(&store, &f, number, days_ago, ends_in).await;
    }
    let mut delivered = Vec::new();
    for _ in 0..3 {
        delivered.push(deliver(&store, f.at.plus_seconds(-399 * DAY)).await);
    }
    delivered.sort();
    let waiting = ["budget 1", "budget 2", "budget 3", "budget 4"].map(str::to_owned);
    let waiting = waiting.into_iter().find(|name| !delivered.contains(name)).unwrap();
    assert_eq!(prune_alerts(&store, f.at, 501 * DAY).await.unwrap(), 0);
    // The node's own clock does not decide.
    assert_eq!(prune_alerts(&store, f.at.plus_seconds(9_000 * DAY), 501 * DAY).await.unwrap(), 0);
    let gone = prune_alerts(&store, f.at, 400 * DAY).await.unwrap();
    let left = names(&store, &f).await;
    let may_go = ["budget 1", "budget 4"].map(str::to_owned);
    let stays = |name: &String| !may_go.contains(name) || *name == waiting;
    assert_eq!(gone, 2 - u64::from(may_go.contains(&waiting)));
    assert!(
        left.iter().all(stays)
            && left.contains(&"budget 2".to_owned())
            && left.contains(&"budget 3".to_owned()),
        "{left:?}"
    );
    // Once it is delivered it goes as well, and what was told once of a period that runs is not told again.
    deliver(&store, f.at).await;
    prune_alerts(&store, f.at, 400 * DAY).await.unwrap();
    assert_eq!(names(&store, &f).await, ["budget 2", "budget 3"]);
    assert_eq!(prune_alerts(&store, f.at, 400 * DAY).await.unwrap(), 0);
}

fn rotation(f: &Fixture, number: u16, state: State) -> Rotation {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    Rotation {
        id: RotationId::from_bytes(id),
        organization_id: f.organization.id,
        workspace_id: Some(f.workspace.id),
        subject: Subject::ApiKey(KeyId::from_bytes(id)),
        name: "first".into(),
        workspace: "team".into(),
        plan: Plan {
            overlap_seconds: 3_600,
            propagation_seconds: 60,
            on_old_use: OnOldUse::Cut,
            destinations: vec![SecretDestinationId::from_bytes([8; 16])],
        },
        state,
        emergency: false,
        started_by: "root".into(),
        created_at: f.at,
        old_public_id: None,
        new_public_id: None,
        last_error: None,
    }
}

async fn rotations_that_have_ended_go_and_those_that_live_stay(store: Store) {
    let f = Fixture::write(&store).await;
    let permit = permit(f.organization.id, Action::StartRotation);
    let old = f.at.plus_seconds(-401 * DAY);
    let mut tx = store.begin().await.unwrap();
    let many = u16::try_from(AT_ONCE).unwrap() + 3;
    for number in 0..many {
        let begun = rotation(&f, number, State::begin(old));
        rotations::insert(&mut tx, &permit, &begun).await.unwrap();
        // The first one lives, the second one ended lately.
        let since = if number == 1 { f.at } else { old };
        let step = if number % 2 == 0 { Step::Done } else { Step::Cancelled };
        if number > 0 {
            rotations::save(&mut tx, &begun, &State { step, since, ..begun.state }).await.unwrap();
        }
    }
    tx.commit(&f.event(permit, 100)).await.unwrap();
    assert_eq!(prune_rotations(&store, f.at, 402 * DAY).await.unwrap(), 0);
    assert_eq!(prune_rotations(&store, f.at, 400 * DAY).await.unwrap(), 500);
    assert_eq!(prune_rotations(&store, f.at, 400 * DAY).await.unwrap(), 1);
    assert_eq!(prune_rotations(&store, f.at, 400 * DAY).await.unwrap(), 0);
    let all = rotations::list(&store, f.organization.id, rotations::Filter::default(), 10).await.unwrap();
    let mut states: Vec<Step> = all.into_iter().map(|rotation| rotation.state.step).collect();
    states.sort_by_key(|step| step.is_live());
    assert_eq!(states, [Step::Cancelled, Step::Creating]);
}
