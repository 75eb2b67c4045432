//! Alerts: the contract of their store on both engines, and the way of a test message through a whole system.

use crate::fixtures::{Fixture, permit};
use louver_domain::access::Action;
use louver_domain::alert_channels::ChannelKind;
use louver_domain::alerts::{Alert, AlertKind, Standing};
use louver_domain::deliveries::{DeliveryState, Next, Receiver};
use louver_domain::id::{AlertChannelId, AlertId, OrganizationId};
use louver_domain::time::Timestamp;
use louver_proving::clock::SeededEntropy;
use louver_proving::system::{Setup, System, eventually};
use louver_store::alert_channels::{self, AlertChannel};
use louver_store::deliveries::{self, LEASE_SECONDS};
use louver_store::{Store, StoreError, alerts};
use serde_json::json;

contract! {
    channels_read_back_as_written_and_are_changed
    each_threshold_is_raised_once_for_budget_period_and_limit
    a_raised_limit_arms_its_thresholds_anew_and_a_lowered_one_does_not
    nodes_that_race_raise_once_and_send_once
    a_claim_is_a_lease
    superseded_alerts_and_disabled_channels_get_no_deliveries
    alerts_are_listed_newest_first_within_their_organization
    what_is_no_budget_reads_back
    the_owner_of_a_key_is_a_receiver_beside_the_channels
}

struct Place {
    store: Store,
    other: Store,
    f: Fixture,
    entropy: SeededEntropy,
}

async fn fresh(url: &str) -> Place {
    let store = crate::store::open(url).await;
    store.migrate().await.unwrap();
    let f = Fixture::write(&store).await;
    Place { store, other: crate::store::open(url).await, f, entropy: SeededEntropy::new(7) }
}

const NOW: &str = "2026-11-21T10:00:00Z";

fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

impl Place {
    fn standing(&self, limit: i64, spent: i64) -> Standing {
        Standing {
            budget_id: [5; 16],
            organization_id: self.f.organization.id,
            scope: "workspace".into(),
            scope_id: self.f.workspace.id.to_string(),
            name: "dev".into(),
            window: "month".into(),
            unit: "usd".into(),
            starts: Timestamp::parse("2026-11-01").unwrap(),
            ends: Timestamp::parse("2026-12-01").unwrap(),
            limit,
            spent,
            thresholds: vec![50, 80, 95],
            overrun: false,
            limit_reached: false,
        }
    }

    fn channel(&self, number: u8, kind: ChannelKind) -> AlertChannel {
        AlertChannel {
            id: AlertChannelId::from_bytes([number; 16]),
            organization_id: self.f.organization.id,
            name: format!("channel {number}"),
            kind,
            destination: "example.com".into(),
            sealed_target: Some(vec![1, 2, 3]),
            enabled: true,
            created_at: self.f.at,
        }
    }

    async fn add(&self, channel: &AlertChannel) {
        let permit = permit(self.f.organization.id, Action::CreateAlertChannel);
        let mut tx = self.store.begin().await.unwrap();
        alert_channels::insert(&mut tx, &permit, channel).await.unwrap();
        tx.commit(&self.f.event(permit, 100 + channel.id.bytes()[0])).await.unwrap();
    }

    async fn evaluate(&self, standing: &Standing) -> usize {
        alerts::evaluate(&self.store, vec![standing.clone()], now(), &self.entropy).await.unwrap()
    }

    async fn list(&self) -> Vec<Alert> {
        alerts::list(&self.store, self.f.organization.id, None, 1000).await.unwrap()
    }

    async fn deliveries(&self, alert: AlertId) -> Vec<deliveries::Delivery> {
        let id = self.f.organization.id;
        let mut all = deliveries::list(&self.store, id, alert, alert).await.unwrap();
        all.remove(&alert).unwrap_or_default()
    }
}

async fn channels_read_back_as_written_and_are_changed(place: Place) {
    let organization = place.f.organization.id;
    let mut channel = place.channel(1, ChannelKind::Webhook);
    let mail = AlertChannel { sealed_target: None, ..place.channel(2, ChannelKind::Email) };
    place.add(&channel).await;
    place.add(&mail).await;
    let shown = format!("{:?}", alert_channels::list(&place.store, organization).await.unwrap());
    assert_eq!(shown, format!("{:?}", [&channel, &mail]));
    let change = permit(organization, Action::UpdateAlertChannel);
    let mut tx = place.store.begin().await.unwrap();
    let twin = AlertChannel { id: AlertChannelId::from_bytes([9; 16]), ..channel.clone() };
    assert!(matches!(alert_channels::insert(&mut tx, &change, &twin).await, Err(StoreError::Conflict)));
    drop(tx);
    channel = AlertChannel {
        name: "renamed".into(),
        destination: "other.example".into(),
        sealed_target: Some(vec![4]),
        enabled: false,
        ..channel
    };
    let mut tx = place.store.begin().await.unwrap();
    alert_channels::save(&mut tx, &change, &channel).await.unwrap();
    let loaded = alert_channels::load(&mut tx, organization, channel.id).await.unwrap().unwrap();
    assert_eq!(format!("{loaded:?}"), format!("{channel:?}"));
    tx.commit(&place.f.event(change, 50)).await.unwrap();
    let foreign = OrganizationId::from_bytes([9; 16]);
    assert!(alert_channels::get(&place.store, foreign, channel.id).await.unwrap().is_none());
    // Gone with everything that was to be sent there.
    assert_eq!(place.evaluate(&place.standing(100, 60)).await, 1);
    let alert = place.list().await[0].id;
    assert_eq!(place.deliveries(alert).await.len(), 1, "the disabled one gets none");
    let mut tx = place.store.begin().await.unwrap();
    alert_channels::delete(&mut tx, &permit(foreign, Action::DeleteAlertChannel), mail.id).await.unwrap();
    alert_channels::delete(&mut tx, &permit(organization, Action::DeleteAlertChannel), mail.id)
        .await
        .unwrap();
    tx.commit(&place.f.event(change, 51)).await.unwrap();
    assert!(alert_channels::get(&place.store, organization, mail.id).await.unwrap().is_none());
    assert!(place.deliveries(alert).await.is_empty());
    assert_eq!(place.list().await.len(), 1);
}

async fn each_threshold_is_raised_once_for_budget_period_and_limit(place: Place) {
    assert_eq!(place.evaluate(&place.standing(100, 49)).await, 0);
    assert_eq!(place.evaluate(&place.standing(100, 50)).await, 1);
    assert_eq!(place.evaluate(&place.standing(100, 60)).await, 0);
    assert_eq!(place.evaluate(&place.standing(100, 99)).await, 2);
    assert_eq!(place.evaluate(&place.standing(100, 1_000)).await, 0);
    let all = Standing { limit_reached: true, overrun: true, ..place.standing(100, 1_000) };
    assert_eq!(place.evaluate(&all).await, 2);
    assert_eq!(place.evaluate(&all).await, 0);
    let next = Standing {
        starts: Timestamp::parse("2026-12-01").unwrap(),
        ends: Timestamp::parse("2027-01-01").unwrap(),
        ..place.standing(100, 50)
    };
    assert_eq!(place.evaluate(&next).await, 1, "a new period");
    let other = Standing { budget_id: [6; 16], ..place.standing(100, 50) };
    assert_eq!(place.evaluate(&other).await, 1, "another budget");
    let daily = Standing { window: "day".into(), ..place.standing(100, 50) };
    assert_eq!(place.evaluate(&daily).await, 1, "the same budget's other window");
    assert_eq!(alerts::evaluate(&place.store, vec![], now(), &place.entropy).await.unwrap(), 0);
}

async fn a_raised_limit_arms_its_thresholds_anew_and_a_lowered_one_does_not(place: Place) {
    assert_eq!(place.evaluate(&place.standing(100, 85)).await, 2);
    assert_eq!(place.evaluate(&place.standing(200, 85)).await, 0, "not crossed any more");
    assert_eq!(place.evaluate(&place.standing(200, 120)).await, 1, "fifty again");
    assert_eq!(place.evaluate(&place.standing(200, 165)).await, 1, "eighty again");
    assert_eq!(place.evaluate(&place.standing(100, 165)).await, 1, "ninety-five for the first time");
    assert_eq!(place.evaluate(&place.standing(150, 165)).await, 1, "only ninety-five was not raised above");
    let limits: Vec<(u8, i64)> =
        place.list().await.iter().map(|alert| (alert.threshold.unwrap(), alert.limit())).collect();
    let mut sorted = limits.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [(50, 100), (50, 200), (80, 100), (80, 200), (95, 100), (95, 150)]);
    // The same for a node that still sees an older limit.
    let late = place.standing(120, 119).alerts(now(), &place.entropy);
    assert_eq!(alerts::raise(&place.other, &late, now()).await.unwrap(), 0);
}

async fn nodes_that_race_raise_once_and_send_once(place: Place) {
    for number in 1..=3 {
        place.add(&place.channel(number, ChannelKind::Webhook)).await;
    }
    let standing = Standing { limit_reached: true, ..place.standing(100, 96) };
    let (ours, theirs) = (SeededEntropy::new(1), SeededEntropy::new(2));
    let (a, b) = tokio::join!(
        async {
            let due = standing.alerts(now(), &ours);
            alerts::raise(&place.store, &due, now()).await.unwrap()
        },
        async {
            let due = standing.alerts(now(), &theirs);
            alerts::raise(&place.other, &due, now()).await.unwrap()
        }
    );
    assert_eq!(a + b, 4, "three thresholds and the limit, once each");
    assert_eq!(place.list().await.len(), 4);
    // Many looks at the same moment, over connections that are there already.
    let mut claimed = vec![];
    for round in 0..10u8 {
        let at = now().plus_seconds(i64::from(round) * LEASE_SECONDS);
        let look = |store| deliveries::claim(store, at, 100);
        let (a, b, c, d) =
            tokio::join!(look(&place.store), look(&place.other), look(&place.store), look(&place.other));
        claimed.clear();
        for found in [a, b, c, d] {
            claimed.extend(found.unwrap().into_iter().map(|c| (c.alert.id, c.receiver.bytes())));
        }
        assert_eq!(
            claimed.len(),
            6,
            "the highest threshold and the limit, on three channels, in round {round}"
        );
        claimed.sort_unstable();
        claimed.dedup();
        assert_eq!(claimed.len(), 6, "each once");
    }
}

async fn a_claim_is_a_lease(place: Place) {
    place.add(&place.channel(1, ChannelKind::Webhook)).await;
    place.evaluate(&place.standing(100, 50)).await;
    let alert = place.list().await[0].clone();
    assert!(deliveries::claim(&place.store, now().plus_seconds(-1), 9).await.unwrap().is_empty(), "not due");
    let first = deliveries::claim(&place.store, now(), 9).await.unwrap().remove(0);
    assert_eq!((&first.alert, first.attempt), (&alert, 1));
    assert!(
        deliveries::claim(&place.other, now().plus_seconds(LEASE_SECONDS - 1), 9).await.unwrap().is_empty()
    );
    // The node died: another takes it.
    let later = now().plus_seconds(LEASE_SECONDS);
    let second = deliveries::claim(&place.other, later, 9).await.unwrap().remove(0);
    assert_eq!(second.attempt, 2);
    // It was not dead: a failure that comes late says nothing, …
    let failed = |at| Next { state: DeliveryState::Failed, at };
    deliveries::finish(&place.store, &first, failed(later), Some("late")).await.unwrap();
    assert_eq!(place.deliveries(alert.id).await[0].state, DeliveryState::Pending);
    let again = Next { state: DeliveryState::Pending, at: later.plus_seconds(5) };
    deliveries::finish(&place.other, &second, again, Some("no answer")).await.unwrap();
    let shown = place.deliveries(alert.id).await.remove(0);
    assert_eq!(
        (shown.state, shown.attempts, shown.next_at, shown.last_error.as_deref(), shown.delivered_at),
        (DeliveryState::Pending, 2, Some(again.at), Some("no answer"), None)
    );
    // … and a success that comes late is one.
    let taken = Next { state: DeliveryState::Delivered, at: later };
    deliveries::finish(&place.store, &first, taken, None).await.unwrap();
    let shown = place.deliveries(alert.id).await.remove(0);
    assert_eq!(
        (shown.state, shown.next_at, shown.last_error, shown.delivered_at),
        (DeliveryState::Delivered, None, None, Some(later))
    );
    deliveries::finish(&place.other, &second, failed(later), Some("later still")).await.unwrap();
    assert_eq!(place.deliveries(alert.id).await[0].state, DeliveryState::Delivered);
    assert!(deliveries::claim(&place.store, now().plus_seconds(1_000_000), 9).await.unwrap().is_empty());
}

async fn superseded_alerts_and_disabled_channels_get_no_deliveries(place: Place) {
    place.add(&place.channel(1, ChannelKind::Slack)).await;
    place.add(&AlertChannel { enabled: false, ..place.channel(2, ChannelKind::Slack) }).await;
    assert_eq!(place.evaluate(&place.standing(100, 96)).await, 3);
    for alert in place.list().await {
        let wanted = usize::from(alert.threshold == Some(95));
        assert_eq!((alert.superseded, place.deliveries(alert.id).await.len()), (wanted == 0, wanted));
    }
    // A test goes to its channel alone, even when that is disabled.
    let organization = place.f.organization.id;
    let channel = AlertChannelId::from_bytes([2; 16]);
    let test = Alert::test(organization, channel, "two", now(), &place.entropy);
    let permit = permit(organization, Action::TestAlertChannel);
    let mut tx = place.store.begin().await.unwrap();
    alerts::raise_to(&mut tx, &permit, &test, channel).await.unwrap();
    tx.commit(&place.f.event(permit, 60)).await.unwrap();
    let sent = place.deliveries(test.id).await;
    assert_eq!(sent.iter().map(|d| d.receiver).collect::<Vec<_>>(), [Receiver::Channel(channel)]);
}

async fn alerts_are_listed_newest_first_within_their_organization(place: Place) {
    for (minute, spent) in [(0, 50), (1, 80), (2, 95)] {
        let at = now().plus_seconds(minute * 60);
        let standing = place.standing(100, spent);
        assert_eq!(alerts::evaluate(&place.store, vec![standing], at, &place.entropy).await.unwrap(), 1);
    }
    let thresholds = |alerts: &[Alert]| alerts.iter().map(|a| a.threshold.unwrap()).collect::<Vec<_>>();
    let page = alerts::list(&place.store, place.f.organization.id, None, 2).await.unwrap();
    assert_eq!(thresholds(&page), [95, 80]);
    let rest = alerts::list(&place.store, place.f.organization.id, Some(page[1].id), 2).await.unwrap();
    assert_eq!(thresholds(&rest), [50]);
    let written = place.standing(100, 50).alerts(now(), &place.entropy).remove(0);
    assert_eq!(rest[0], Alert { id: rest[0].id, ..written }, "as it was written");
    let foreign = OrganizationId::from_bytes([9; 16]);
    assert!(alerts::list(&place.store, foreign, None, 9).await.unwrap().is_empty());
}

async fn what_is_no_budget_reads_back(place: Place) {
    let rejected = |at| {
        let upstream = &place.f.upstream;
        Alert::upstream_credential_rejected(
            upstream.organization_id,
            upstream.id,
            &upstream.name,
            at,
            &place.entropy,
        )
    };
    let first = rejected(now());
    for (alert, wanted) in
        [(first.clone(), 1), (rejected(now().plus_seconds(60)), 0), (rejected(now().plus_seconds(86_400)), 1)]
    {
        assert_eq!(alerts::raise(&place.store, &[alert], now()).await.unwrap(), wanted);
    }
    let all = place.list().await;
    assert_eq!((all.len(), &all[1]), (2, &first));
    assert_eq!(all[0].kind, AlertKind::UpstreamCredentialRejected);
}

async fn the_owner_of_a_key_is_a_receiver_beside_the_channels(place: Place) {
    let channel = place.channel(1, ChannelKind::Webhook);
    place.add(&channel).await;
    let alert = Alert::model_moved(place.f.organization.id, "m", now(), &place.entropy);
    let owner = Some(place.f.user.id);
    assert!(alerts::raise_to_owner(&place.store, &alert, owner, now()).await.unwrap());
    assert!(!alerts::raise_to_owner(&place.other, &alert, owner, now()).await.unwrap(), "told once");
    let both = [Receiver::Channel(channel.id), Receiver::Owner(place.f.user.id)];
    let mut claimed = deliveries::claim(&place.store, now(), 9).await.unwrap();
    claimed.sort_by_key(|claimed| claimed.receiver.bytes() == place.f.user.id.bytes());
    assert_eq!(claimed.iter().map(|claimed| claimed.receiver).collect::<Vec<_>>(), both);
    let taken = Next { state: DeliveryState::Delivered, at: now() };
    deliveries::finish(&place.store, &claimed[1], taken, None).await.unwrap();
    let shown = |all: &[deliveries::Delivery]| -> Vec<_> {
        let mut all: Vec<_> = all.iter().map(|one| (one.name.clone(), one.kind, one.state)).collect();
        all.sort_by_key(|one| one.0 == place.f.user.email);
        all
    };
    let mailed = (place.f.user.email.clone(), ChannelKind::Email, DeliveryState::Delivered);
    let waits = (channel.name.clone(), ChannelKind::Webhook, DeliveryState::Pending);
    assert_eq!(shown(&place.deliveries(alert.id).await), [waits, mailed.clone()]);
    // The channel goes with what was to be sent there; what went to the owner stays.
    let mut tx = place.store.begin().await.unwrap();
    let delete = permit(place.f.organization.id, Action::DeleteAlertChannel);
    alert_channels::delete(&mut tx, &delete, channel.id).await.unwrap();
    tx.commit(&place.f.event(delete, 51)).await.unwrap();
    assert_eq!(shown(&place.deliveries(alert.id).await), [mailed]);
}

/// A receiver of webhooks that takes everything, and what it was sent.
async fn receiver() -> (std::net::SocketAddr, tokio::sync::mpsc::UnboundedReceiver<http::Request<String>>) {
    use http_body_util::BodyExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (said, heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let said = said.clone();
            let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let said = said.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
                    said.send(http::Request::from_parts(head, body)).unwrap();
                    Ok::<_, hyper::Error>(http::Response::new(String::new()))
                }
            });
            let io = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
        }
    });
    (address, heard)
}

#[tokio::test]
async fn two_nodes_send_each_alert_once_and_on_their_own() {
    let setup = Setup {
        postgres: true,
        change: Some(|config| {
            config.webhook_allowed_targets =
                louver_control::delivery::targets::AllowedTargets::parse(&["127.0.0.0/8".into()]).unwrap();
        }),
        ..Setup::default()
    };
    let mut system = System::with(setup).await;
    let second = system.second_node().await;
    let (address, mut heard) = receiver().await;
    let body =
        json!({"name": "ops", "kind": "slack", "url": format!("http://{address}/services/secret-path")});
    let made = system.deed("POST", "/v1/gateway/alert-channels", body).await;
    let path = format!("/v1/gateway/alert-channels/{}/test", made["id"].as_str().unwrap());
    let mut sent = vec![];
    for _ in 0..5 {
        sent.push(system.deed("POST", &path, json!({})).await["id"].clone());
    }
    for _ in 0..5 {
        let message = heard.recv().await.unwrap();
        assert_eq!((message.uri().path(), message.method().as_str()), ("/services/secret-path", "POST"));
        assert!(message.body().contains("test of the alert channel ops"), "{}", message.body());
    }
    let shown = eventually(|| async {
        let list = system.admin("GET", "/v1/gateway/alerts", None).await.json();
        let all = list["data"].as_array().unwrap().clone();
        all.iter().all(|alert| alert["deliveries"][0]["state"] == "delivered").then_some(all)
    })
    .await;
    assert_eq!(shown.len(), 5);
    for alert in &shown {
        assert!(sent.contains(&alert["id"]) && alert["deliveries"][0]["attempts"] == 1, "{alert}");
    }
    second.stop().await;
    system.stop().await;
    assert!(heard.try_recv().is_err(), "none is sent twice");
}

/// The next message that a receiver heard; only a test that fails meets the end of patience.
async fn next(heard: &mut tokio::sync::mpsc::UnboundedReceiver<http::Request<String>>) -> String {
    let message = tokio::time::timeout(std::time::Duration::from_secs(20), heard.recv()).await;
    message.expect("a message in time").unwrap().into_body()
}

/// A system with a receiver of its alerts, limits on its workspace, and a key.
async fn wired(
    change: serde_json::Value,
) -> (System, tokio::sync::mpsc::UnboundedReceiver<http::Request<String>>, String) {
    let setup = Setup {
        change: Some(|config| {
            config.webhook_allowed_targets =
                louver_control::delivery::targets::AllowedTargets::parse(&["127.0.0.0/8".into()]).unwrap();
        }),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    let (address, heard) = receiver().await;
    let body = json!({"name": "ops", "kind": "slack", "url": format!("http://{address}/hook")});
    system.deed("POST", "/v1/gateway/alert-channels", body).await;
    system.deed("PATCH", &format!("/v1/gateway/workspaces/{}/limits", system.workspace), change).await;
    let (key, _) = system.key(json!({})).await;
    (system, heard, key)
}

#[tokio::test]
async fn what_calls_spend_is_told_once_each_and_again_under_a_higher_limit() {
    // A call costs its 10 tokens of output at 600 nano-dollars, and a little input.
    let (system, mut heard, key) = wired(json!({"monthly_budget_usd": 0.0001})).await;
    let body = json!({"model": "mistral-small-latest", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}],
        "metadata": {"simulator": {"tokens": 10}}});
    let mut told = Vec::new();
    let mut last = 200;
    for _ in 0..40 {
        last = system.post(&key, "/v1/chat/completions", &body).await.status.as_u16();
        if last != 200 {
            break;
        }
    }
    assert_eq!(last, 429);
    while told.len() < 2 {
        told.push(next(&mut heard).await);
    }
    told.sort();
    assert!(
        told.iter().any(|text| text.contains("95 %")) || told.iter().any(|text| text.contains("80 %")),
        "{told:?}"
    );
    assert!(told.iter().any(|text| text.contains("refused")), "{told:?}");
    let list = system.get(&system.admin_key, "/v1/gateway/alerts").await.json();
    let kinds: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["kind"].clone(), a["threshold"].clone()))
        .collect();
    let mut once = kinds.clone();
    once.dedup();
    assert_eq!(once.len(), kinds.len(), "{list}");

    system
        .deed(
            "PATCH",
            &format!("/v1/gateway/workspaces/{}/limits", system.workspace),
            json!({"monthly_budget_usd": 0.00015}),
        )
        .await;
    let text = next(&mut heard).await;
    assert!(text.contains("50 %") || text.contains("80 %"), "armed anew: {text}");
}

#[tokio::test]
async fn a_rejected_upstream_credential_and_an_overrun_are_told() {
    let (system, mut heard, key) = wired(json!({"monthly_budget_usd": 10})).await;
    system.simulator.script(louver_simulator::Fault::EchoCredential);
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 502);
    let text = next(&mut heard).await;
    assert!(text.to_lowercase().contains("credential"), "{text}");
    let over = json!({"model": "mistral-small-latest", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}],
        "metadata": {"simulator": {"fault": "wrong_usage", "prompt": 20_000, "completion": 20_000, "total": 40_000}}});
    assert_eq!(system.post(&key, "/v1/chat/completions", &over).await.status, 200);
    let text = next(&mut heard).await;
    assert!(text.contains("overrun"), "{text}");
}
