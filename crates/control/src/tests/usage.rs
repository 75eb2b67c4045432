//! Usage as JSON and CSV.

use super::{House, house};
use axum::body::Body;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, RequestId};
use louver_domain::money::Money;
use louver_domain::prices::Terms;
use louver_domain::settlement::{Bound, Charge, Why};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units, UsageRecord};
use louver_store::ledger::entries::{Entry, Holds, insert};
use serde_json::json;

pub(super) async fn record(house: &House, key: &str, at: &str, estimated: bool) {
    let record = UsageRecord {
        request_id: RequestId::new(house.control.clock.now(), &*house.control.entropy),
        at: Timestamp::parse(at).unwrap(),
        organization_id: house.organization,
        workspace_id: house.workspace,
        key_id: KeyId::parse(key).unwrap(),
        user_id: None,
        role: None,
        endpoint: EndpointKind::Chat,
        model_asked: "mistral-small-latest".into(),
        model: "mistral-small-2603".into(),
        charge: Charge {
            tokens: Tokens { input: 100, cached: 10, output: 50 },
            units: Units::default(),
            terms: Terms::default(),
            cost: Money::from_nanos(25_000),
            why: if estimated { Why::Unknown } else { Why::Metered },
        },
        price_version: 1,
        status: 200,
        first_byte_micros: 1,
        total_micros: 2,
        bound: Bound::default(),
        would_refuse: false,
        recovered: false,
        client_left: false,
    };
    insert(&house.control.store, &[Entry { record, epoch: 0, holds: Holds::new() }]).await.unwrap();
}

#[tokio::test]
async fn sums_are_kept_apart_as_asked() {
    let house = house().await;
    let key =
        house.make("/v1/api-keys", r#"{"name":"=cmd, \"x\""}"#).await["id"].as_str().unwrap().to_owned();
    for (at, estimated) in [
        ("2026-11-19T10:10:00Z", false),
        ("2026-11-19T10:50:00Z", true),
        ("2026-11-20T00:00:00Z", false),
        ("2026-10-31T23:59:59Z", false),
    ] {
        record(&house, &key, at, estimated).await;
    }
    let days = house.get("/v1/gateway/usage?group_by=key,user,model").await.json();
    assert_eq!(days["data"].as_array().unwrap().len(), 2, "this month, by day: {days}");
    assert_eq!(
        days["data"][0],
        json!({
            "period": "2026-11-19T00:00:00Z", "key_id": key, "key_name": "=cmd, \"x\"", "user_id": null, "user_email": null,
            "model": "mistral-small-2603", "requests": 2, "input_tokens": 200, "cached_input_tokens": 20,
            "output_tokens": 100, "total_tokens": 300, "cost_usd": 0.00005, "estimated_requests": 1,
            "would_refuse_requests": 0, "pages": 0, "annotated_pages": 0, "audio_seconds": 0, "characters": 0,
            "tool_calls": 0,
        })
    );
    let months = house.get("/v1/gateway/usage?granularity=month&from=2026-01-01&to=2027-01-01").await.json();
    assert_eq!(months["data"].as_array().unwrap().len(), 2);
    assert_eq!(months["data"][0]["period"], "2026-10-01T00:00:00Z");
    let part =
        house.get("/v1/gateway/usage?granularity=hour&from=2026-11-19T10:30:00Z&to=2026-11-20").await.json();
    assert_eq!(part["data"][0]["requests"], 2, "the hour that from lies in counts whole");
    assert_eq!(part["data"].as_array().unwrap().len(), 1, "to is not included");

    let request = house.request("GET", "/v1/gateway/usage?group_by=key").header("x-api-key", &house.admin);
    let csv = house.send(request.header("accept", "text/csv").body(Body::empty()).unwrap()).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.split("\r\n").collect();
    assert!(lines[0].starts_with("period,key_id,key_name,requests,"));
    assert_eq!(
        lines[1],
        format!("2026-11-19T00:00:00Z,{key},\"'=cmd, \"\"x\"\"\",2,200,20,100,300,0.00005,1,0,0,0,0,0,0")
    );

    for (query, param) in [
        ("from=yesterday", "from"),
        ("from=2026-11-20&to=2026-11-19", "to"),
        ("granularity=week", "granularity"),
        ("group_by=key,colour", "group_by"),
        ("granularity=hour&from=2000-01-01", "to"),
        ("by=key", "by"),
    ] {
        assert_eq!(
            house.get(&format!("/v1/gateway/usage?{query}")).await.refused(),
            (422, param.into()),
            "{query}"
        );
    }
}
