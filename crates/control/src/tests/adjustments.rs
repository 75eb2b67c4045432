//! Adjustments over HTTP: a day comes to what the report says, once, and never below nothing.

use super::{House, house};
use louver_domain::id::KeyId;
use serde_json::{Value, json};

const PATH: &str = "/v1/gateway/adjustments";

async fn used(house: &House) -> Value {
    let usage = house.get("/v1/gateway/usage?from=2026-11-19&to=2026-11-20&group_by=model").await.json();
    usage["data"][0].clone()
}

fn body(house: &House, reported: Value) -> String {
    json!({
        "workspace_id": house.workspace.to_string(), "day": "2026-11-19", "model": "mistral-small-2603",
        "reported": reported, "reason": "the bill of November",
    })
    .to_string()
}

async fn with_two_calls() -> House {
    let house = house().await;
    let key = house.make("/v1/api-keys", r#"{"name":"one"}"#).await["id"].as_str().unwrap().to_owned();
    for at in ["2026-11-19T10:10:00Z", "2026-11-19T12:50:00Z"] {
        super::usage::record(&house, &key, at, false).await;
    }
    house
}

#[tokio::test]
async fn a_day_comes_to_what_the_report_says_and_stays_there() {
    let house = with_two_calls().await;
    assert_eq!(used(&house).await["input_tokens"], 200);
    let report =
        json!({"input_tokens": 150, "cached_input_tokens": 0, "output_tokens": 110, "cost_usd": 0.00004});
    let posted = house.make(PATH, &body(&house, report.clone())).await;
    let sum = |name: &str| {
        posted["data"].as_array().unwrap().iter().map(|one| one[name].as_i64().unwrap()).sum::<i64>()
    };
    assert_eq!((sum("input_tokens"), sum("cached_input_tokens"), sum("output_tokens")), (-50, -20, 10));
    let now = used(&house).await;
    assert_eq!((&now["input_tokens"], &now["cached_input_tokens"]), (&json!(150), &json!(0)));
    assert_eq!((&now["output_tokens"], &now["cost_usd"]), (&json!(110), &json!(0.00004)));
    assert_eq!(now["requests"], 2, "no call is made or unmade");
    let events = house.audit().await.len();
    assert_eq!(house.make(PATH, &body(&house, report)).await["data"], json!([]), "it is there already");
    assert_eq!((used(&house).await, house.audit().await.len()), (now, events));
    assert_eq!(house.audit().await[0].action, "usage.adjust");

    let list = house.get("/v1/gateway/adjustments?from=2026-11-19&to=2026-11-20").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), posted["data"].as_array().unwrap().len());
    assert_eq!(
        (&list["data"][0]["reason"], &list["data"][0]["note"]),
        (&json!("reconciliation"), &json!("the bill of November"))
    );
    assert_eq!(house.get("/v1/gateway/adjustments?from=2026-11-20").await.json()["data"], json!([]));
    let first = house.get("/v1/gateway/adjustments?limit=1").await.json();
    let after = first["data"][0]["id"].as_str().unwrap();
    let rest = house.get(&format!("/v1/gateway/adjustments?after={after}")).await.json();
    assert_eq!(rest["data"].as_array().unwrap().len() + 1, list["data"].as_array().unwrap().len());
}

#[tokio::test]
async fn without_a_cost_the_difference_is_charged_at_the_price_of_the_day() {
    let house = with_two_calls().await;
    let before = used(&house).await["cost_usd"].as_f64().unwrap();
    house.make(PATH, &body(&house, json!({"output_tokens": 1_000_100}))).await;
    let price = house.get("/v1/gateway/models/mistral-small-2603").await.json();
    let price = price["prices"].as_array().unwrap().last().unwrap()["output_usd_per_mtok"].as_f64().unwrap();
    let now = used(&house).await["cost_usd"].as_f64().unwrap();
    assert!((now - before - price).abs() < 1e-9, "{now} - {before} is not {price}");
    house
        .make(PATH, &body(&house, json!({"input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0})))
        .await;
    assert_eq!(used(&house).await["total_tokens"], 0);
    assert!(used(&house).await["cost_usd"].as_f64().unwrap() >= 0.0);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let house = with_two_calls().await;
    let before = used(&house).await;
    let with = |change: Value| {
        let mut whole: Value = serde_json::from_str(&body(&house, json!({"output_tokens": 1}))).unwrap();
        whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        whole
    };
    for (change, param) in [
        (json!({"day": "2026-11-19T01:00:00Z"}), "day"),
        (json!({"day": "2026-11-21"}), "day"),
        (json!({"day": "2027-01-01"}), "day"),
        (json!({"reported": {}}), "reported"),
        (json!({"reported": {"pages": -1}}), "reported.pages"),
        (json!({"reported": {"tokens": 1}}), "reported.tokens"),
        (json!({"reported": {"cached_input_tokens": 201}}), "reported.cached_input_tokens"),
        (json!({"reported": {"input_tokens": 10}}), "reported.input_tokens"),
        (json!({"reported": {"pages": 2_000_000_000_000_000_u64}}), "reported"),
        (json!({"reason": " "}), "reason"),
        (json!({"workspace_id": KeyId::from_bytes([9; 16])}), "workspace_id"),
        (json!({"model": "codestral-2508"}), "key_id"),
        (
            json!({"model": "codestral-2508", "key_id": KeyId::from_bytes([9; 16]), "endpoint": "chat.completions"}),
            "key_id",
        ),
    ] {
        let answer = house.call("POST", PATH, &with(change.clone()).to_string()).await;
        assert_eq!(answer.refused(), (422, param.into()), "{change}: {}", answer.text);
    }
    assert_eq!(used(&house).await, before);
    assert_eq!(house.get(PATH).await.json()["data"], json!([]));
}
