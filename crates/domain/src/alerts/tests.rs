//! Which alerts a standing raises, and what it forecasts, in tables and properties.

use super::*;
use proptest::prelude::*;

pub(super) struct Fixed;
impl Entropy for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(super) fn standing(limit: i64, spent: i64) -> Standing {
    Standing {
        budget_id: [5; 16],
        organization_id: OrganizationId::from_bytes([1; 16]),
        scope: "workspace".into(),
        scope_id: "w".into(),
        name: "dev-workspace".into(),
        window: "month".into(),
        unit: "usd".into(),
        starts: at("2026-11-01"),
        ends: at("2026-12-01"),
        limit,
        spent,
        thresholds: vec![95, 50, 80, 80],
        overrun: false,
        limit_reached: false,
    }
}

fn raised(standing: &Standing) -> Vec<(AlertKind, u8, bool)> {
    let alerts = standing.alerts(at("2026-11-11"), &Fixed);
    alerts.iter().map(|alert| (alert.kind, alert.threshold.unwrap_or(0), alert.superseded)).collect()
}

#[test]
fn thresholds_are_crossed_exactly_and_only_the_highest_is_delivered() {
    let threshold = |per_cent, superseded| (AlertKind::Threshold, per_cent, superseded);
    for (limit, spent, wanted) in [
        (100, 49, vec![]),
        (100, 50, vec![threshold(50, false)]),
        (101, 50, vec![]),
        (101, 51, vec![threshold(50, false)]),
        (100, 80, vec![threshold(50, true), threshold(80, false)]),
        (100, 1_000, vec![threshold(50, true), threshold(80, true), threshold(95, false)]),
        (i64::MAX, i64::MAX, vec![threshold(50, true), threshold(80, true), threshold(95, false)]),
        (i64::MAX, i64::MAX / 2, vec![]),
        (1, 0, vec![]),
        (0, 0, vec![]),
        (0, 10, vec![]),
        (100, -100, vec![]),
    ] {
        assert_eq!(raised(&standing(limit, spent)), wanted, "{spent} of {limit}");
    }
}

#[test]
fn refusals_and_overruns_are_alerts_of_their_own() {
    let mut budget = standing(0, 0);
    budget.limit_reached = true;
    assert_eq!(raised(&budget), [(AlertKind::LimitReached, 0, false)]);
    budget = Standing { overrun: true, ..standing(100, 120) };
    budget.thresholds = vec![0, 100, 120];
    let wanted = [
        (AlertKind::Threshold, 100, true),
        (AlertKind::Threshold, 120, false),
        (AlertKind::Overrun, 0, false),
    ];
    assert_eq!(raised(&budget), wanted);
}

#[test]
fn the_forecast_is_the_rate_so_far() {
    for (limit, spent, now, wanted) in [
        // Half of it in ten days: the other half in ten more.
        (100, 50, "2026-11-11", Some("2026-11-21T00:00:00Z")),
        (100, 80, "2026-11-17", Some("2026-11-21T00:00:00Z")),
        (100, 33, "2026-11-11", None),
        (100, 34, "2026-11-11", Some("2026-11-30T09:52:56Z")),
        (100, 100, "2026-11-11", None),
        (100, 0, "2026-11-11", None),
        (100, 50, "2026-11-01", None),
        (100, 50, "2026-10-30", None),
        (i64::MAX, i64::MAX - 1, "2026-11-11", Some("2026-11-11T00:00:00Z")),
    ] {
        let forecast = standing(limit, spent).forecast(at(now)).map(Timestamp::rfc3339);
        assert_eq!(forecast.as_deref(), wanted, "{spent} of {limit} on {now}");
    }
}

#[test]
fn the_same_alert_differs_only_in_its_limit() {
    let now = at("2026-11-11");
    let of = |limit| standing(limit, 60).alerts(now, &Fixed).pop().unwrap();
    assert_eq!(of(100).once(), of(110).once());
    assert_eq!((of(100).limit(), of(110).limit()), (100, 110));
    let next = Standing { starts: at("2026-12-01"), ..standing(100, 60) };
    assert_ne!(next.alerts(now, &Fixed).pop().unwrap().once(), of(100).once());
    let (organization, upstream) = (OrganizationId::from_bytes([1; 16]), UpstreamId::from_bytes([2; 16]));
    let rejected = |at: Timestamp| {
        Alert::upstream_credential_rejected(organization, upstream, "main", at, &Fixed).once()
    };
    assert_eq!(rejected(at("2026-11-11")), rejected(at("2026-11-11T23:59:59Z")));
    assert_ne!(rejected(at("2026-11-11")), rejected(at("2026-11-12")));
}

#[test]
fn kinds_read_back() {
    for kind in [
        "threshold",
        "limit_reached",
        "overrun",
        "upstream_credential_rejected",
        "model_moved",
        "rotation_due",
        "rotation_done",
        "rotation_stuck",
        "old_secret_used",
        "test",
    ] {
        assert_eq!(AlertKind::parse(kind).unwrap().as_str(), kind);
    }
    assert_eq!(AlertKind::parse("Threshold"), None);
}

proptest! {
    #[test]
    fn more_spent_never_raises_less(limit: i64, spent: i64, more in 0..i64::MAX, thresholds: Vec<u8>) {
        let before = Standing { thresholds: thresholds.clone(), ..standing(limit, spent) };
        let after = Standing { thresholds, ..standing(limit, spent.saturating_add(more)) };
        let crossed = |standing: &Standing| raised(standing).into_iter().map(|(_, p, _)| p).collect::<Vec<_>>();
        prop_assert!(crossed(&after).starts_with(&crossed(&before)));
        prop_assert!(raised(&after).iter().filter(|(_, _, superseded)| !superseded).count() <= 1);
    }

    #[test]
    fn a_forecast_lies_between_now_and_the_end(limit: i64, spent: i64, seconds in 0..2_592_000i64) {
        let budget = standing(limit, spent);
        let now = budget.starts.plus_seconds(seconds);
        if let Some(forecast) = budget.forecast(now) {
            prop_assert!(now < forecast && forecast < budget.ends, "{forecast:?}");
        }
    }
}
