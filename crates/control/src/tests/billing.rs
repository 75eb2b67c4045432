//! Limits, usage and analytics in Mistral's shapes.

use super::{House, house};
use louver_domain::id::RoleId;
use louver_domain::roles::{Builtin, MEMBER, RoleLevel, WORKSPACE_CONTRIBUTOR};
use serde_json::json;

const SPEND: &str = "/v1/admin/spend-limit";
const UNLIMITED: u64 = 1_000_000_000_000;

fn billing_manager() -> RoleId {
    Builtin::named(RoleLevel::Organization, "billing_manager").unwrap().id()
}

async fn with_usage() -> House {
    let house = house().await;
    let key = house.make("/v1/api-keys", r#"{"name":"a"}"#).await["id"].as_str().unwrap().to_owned();
    for at in ["2026-11-19T10:00:00Z", "2026-11-19T12:00:00Z", "2026-11-20T00:30:00Z", "2026-10-31T23:30:00Z"]
    {
        house.used(house.workspace, &key, None, at).await;
    }
    house
}

#[tokio::test]
async fn the_monthly_limit_is_set_and_stands_against_what_was_spent() {
    let house = with_usage().await;
    let boss = house.somebody("boss@example.com", &[billing_manager()], &[]).await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[]).await;
    let shown = house.get_as(&boss, SPEND).await.json();
    assert_eq!(
        shown,
        json!({"limits": {
            "completion": {
                "no_monthly_limit": true, "monthly_limit_reached": false, "usage": 75.0, "vibe_usage": 0.0,
                "total_usage": 75.0, "usage_limit": null,
            },
            "last_payment_failure": false, "last_payment_failure_protection": null, "currency": "USD",
        }})
    );
    let set = async |body: &str| house.call_as(&boss.secret, "POST", SPEND, body).await;
    let limited = set(r#"{"amount":100}"#).await.json()["limits"]["completion"].clone();
    assert_eq!((&limited["usage_limit"], &limited["no_monthly_limit"]), (&json!(100.0), &json!(false)));
    assert_eq!(house.audit().await[0].action, "billing.monthly_limit.updated");
    assert_eq!(set(r#"{"amount":75}"#).await.json()["limits"]["completion"]["monthly_limit_reached"], true);
    assert_eq!(house.get("/v1/gateway/organization").await.json()["limits"]["monthly_budget_usd"], json!(75));
    let refused = set(r#"{"amount":-1}"#).await;
    assert_eq!((refused.status.as_u16(), refused.json()["detail"].is_string()), (409, true));
    for large in ["9000000000000000000", "18446744073709551615", "100000000000000000000000000000000"] {
        let answer = set(&format!("{{\"amount\":{large}}}")).await;
        let limit = answer.json()["limits"]["completion"]["usage_limit"].clone();
        assert_eq!((answer.status.as_u16(), limit), (200, json!(9_223_372_036.0)), "{large}");
    }
    assert_eq!(set(r#"{"amount":-100000000000000000000000000000000}"#).await.status, 409);
    for bad in ["{}", r#"{"amount":1.5}"#, r#"{"amount":"1"}"#, r#"{"amount":1,"x":1}"#, "[1,true]"] {
        assert_eq!(set(bad).await.status, 422, "{bad}");
    }
    let none = set(r#"{"amount":0,"no_monthly_limit":true}"#).await.json();
    assert_eq!(none["limits"]["completion"]["usage_limit"], json!(null));
    for (method, body) in [("GET", ""), ("POST", r#"{"amount":1}"#)] {
        assert_eq!(house.call_as(&ann.secret, method, SPEND, body).await.status, 403, "{method}");
    }
    // The month is that of the organization's time zone: 23:30 UTC on the last of October is November in Paris.
    let zone = r#"{"limits":{"timezone":"Europe/Paris"}}"#;
    assert_eq!(house.call("PATCH", "/v1/gateway/organization", zone).await.status, 200);
    assert_eq!(house.get(SPEND).await.json()["limits"]["completion"]["usage"], 100.0);
}

#[tokio::test]
async fn rates_are_shown_by_model() {
    let house = house().await;
    let open = house.get("/v1/admin/rate-limit").await.json();
    assert_eq!(open["requests_per_second"], UNLIMITED);
    let model = &open["tokens_limits_by_model"]["mistral-small-2603"];
    assert_eq!(*model, json!({"tokens_per_minute": UNLIMITED, "tokens_per_month": UNLIMITED}));
    let limits =
        r#"{"limits":{"requests_per_minute":90,"tokens_per_minute":7,"allowed_models":["mistral-small"]}}"#;
    assert_eq!(house.call("PATCH", "/v1/gateway/organization", limits).await.status, 200);
    let shown = house.get("/v1/admin/rate-limit").await.json();
    assert_eq!(shown["requests_per_second"], 2);
    let models = shown["tokens_limits_by_model"].as_object().unwrap();
    assert!(models.keys().all(|id| id.starts_with("mistral-small")) && !models.is_empty(), "{shown}");
    assert_eq!(models["mistral-small-2603"], json!({"tokens_per_minute": 7, "tokens_per_month": UNLIMITED}));
}

#[tokio::test]
async fn usage_of_a_month_is_filed_by_model() {
    let house = with_usage().await;
    let usage = house.get("/v1/admin/usage").await.json();
    assert_eq!(
        (&usage["start_date"], &usage["end_date"], &usage["date"]),
        (&json!("2026-11-01T00:00:00Z"), &json!("2026-12-01T00:00:00Z"), &json!("2026-11-21T02:31:58Z"))
    );
    assert_eq!((&usage["previous_month"], &usage["next_month"]), (&json!("2026-10"), &json!(null)));
    let model = &usage["chat"]["models"]["mistral-small-2603"];
    let input = model["input"].as_array().unwrap();
    assert_eq!(input.iter().map(|entry| entry["value"].as_u64().unwrap()).collect::<Vec<_>>(), [180, 90]);
    assert_eq!(input[0]["timestamp"], "2026-11-19T00:00:00Z");
    let cost: f64 = ["input", "cached", "output"]
        .iter()
        .flat_map(|group| model[group].as_array().unwrap())
        .map(|entry| entry["cost"].as_f64().unwrap())
        .sum();
    assert!((cost - 75.0).abs() < 1e-9, "{cost}");
    assert_eq!(usage["prices"].as_array().unwrap().len(), 3);
    assert_eq!((&usage["currency"], &usage["completion"]["models"]), (&json!("USD"), &json!({})));
    for query in ["month=10&year=2026", "month=10", "month=10&year=null&api_zone=global&workspace_id=null"] {
        let october = house.get(&format!("/v1/admin/usage?{query}")).await.json();
        assert_eq!(october["next_month"], "2026-11", "{query}");
        assert_eq!(october["chat"]["models"]["mistral-small-2603"]["output"][0]["value"], 50);
    }
    assert_eq!(house.get("/v1/admin/usage?month=05").await.json()["start_date"], "2026-05-01T00:00:00Z");
    assert_eq!(house.get("/v1/admin/usage?month=1&year=1").await.json()["previous_month"], json!(null));
    assert_eq!(house.get("/v1/admin/usage?month=12&year=9999").await.status, 200);
    let elsewhere = house.get("/v1/admin/usage?api_zone=eu").await.json();
    assert_eq!((&elsewhere["chat"]["models"], &elsewhere["prices"]), (&json!({}), &json!([])));
    let other = house.workspace("other", None).await;
    let empty = house.get(&format!("/v1/admin/usage?workspace_id={other}")).await.json();
    assert_eq!(empty["chat"]["models"], json!({}));
    for (query, status, message) in [
        ("month=13", 422, "expected a month from 1 to 12"),
        ("month=kitten", 422, "expected a month from 1 to 12"),
        ("year=kitten", 422, "expected a year"),
        ("year=0", 422, "expected a year"),
        ("month=", 422, "expected a month from 1 to 12"),
        ("workspace_id=x", 422, "expected a UUID"),
        ("workspace_id=", 422, "expected a UUID"),
        ("api_zone=", 422, "expected global, us or eu"),
        ("api_zone=mars", 422, "expected global, us or eu"),
        ("workspace_id=11111111-1111-4111-8111-111111111111", 404, ""),
    ] {
        let answer = house.get(&format!("/v1/admin/usage?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.json()["detail"][0]["msg"].as_str().unwrap_or_default(), message, "{query}");
    }
}

#[tokio::test]
async fn analytics_are_empty_but_for_the_tokens() {
    let house = with_usage().await;
    let base = "/v1/admin/analytics/vibe";
    let window = "start_time=1763500000&end_time=1795500000";
    for (path, list) in [
        ("work/usage/by_user_stats", "data"),
        ("work/usage/by_agent_stats", "data"),
        ("work/usage/by_time_stats", "data"),
        ("code/usage/by_organization", "next_edit_suggestions"),
        ("code/usage/by_workspace", "sessions"),
    ] {
        let shown = house.get(&format!("{base}/{path}?{window}")).await.json();
        assert_eq!((&shown["start_time"], &shown[list]), (&json!(1_763_500_000), &json!([])), "{path}");
        for odd in ["start_time=-100000000000000000000000&end_time=9", "start_time=9&end_time=-9"] {
            assert_eq!(house.get(&format!("{base}/{path}?{odd}")).await.status, 200, "{path} {odd}");
        }
        for bad in ["start_time=1", "end_time=1", "start_time=x&end_time=1", "start_time=1&end_time=2&z=1"] {
            assert_eq!(house.get(&format!("{base}/{path}?{bad}")).await.status, 422, "{path} {bad}");
        }
    }
    let by_time = format!("{base}/work/usage/by_time_stats?{window}&granularity=");
    for (granularity, status) in [("week", 200), ("null", 200), ("year", 422), ("", 422)] {
        assert_eq!(house.get(&format!("{by_time}{granularity}")).await.status, status);
    }
    let by_workspace = format!("{base}/code/usage/by_workspace?{window}");
    let shown = house.get(&by_workspace).await.json();
    assert_eq!(
        shown["consumed_tokens"][1],
        json!({
            "day": "2026-11-19", "model": "mistral-small-2603", "cached_tokens": 20, "input_tokens": 200,
            "output_tokens": 100,
        })
    );
    assert_eq!(shown["consumed_tokens"].as_array().unwrap().len(), 3);
    let own = house.get(&format!("{by_workspace}&workspace_id={}", house.workspace)).await.json();
    assert_eq!(own["consumed_tokens"], shown["consumed_tokens"]);
    let nowhere = house.get(&format!("{by_workspace}&workspace_id=kitten")).await.json();
    assert_eq!(nowhere["consumed_tokens"], json!([]));
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(house.workspace, WORKSPACE_CONTRIBUTOR)]).await;
    assert_eq!(
        house.get_as(&ann, &by_workspace).await.json()["consumed_tokens"],
        json!([]),
        "only what is hers"
    );
}

#[tokio::test]
async fn no_directory_is_connected() {
    let house = house().await;
    let path = "/v1/admin/scim/sync";
    for body in ["{}", r#"{"dry_run":false}"#] {
        let answer = house.call("POST", path, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["detail"].is_string()), (404, true), "{body}");
    }
    assert_eq!(house.call("POST", path, r#"{"dry_run":1}"#).await.status, 422);
    let run = house.get(&format!("{path}/6f9619ff-8b86-d011-b42d-00cf4fc964ff")).await;
    assert_eq!((run.status.as_u16(), run.json()["detail"].is_string()), (404, true));
}
