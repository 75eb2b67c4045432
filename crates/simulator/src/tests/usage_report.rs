//! The usage report adds up to what was billed.

use super::*;

#[tokio::test]
async fn the_report_sums_by_model_unit_and_day() {
    let served =
        serve(Config { admin_key: Some("admin-key".to_owned()), hold_batches: true, ..config(1) }).await;
    let first = served.chat(&ask(json!({}))).await.json();
    let second = served.chat(&ask(json!({"model": "mistral-small-2603", "stream": true}))).await.events();
    let used = |usage: &Value, name: &str| usage["usage"][name].as_u64().unwrap();
    let report = async |query: &str, name: &str, value: &str| {
        let mut sent = request("GET", &format!("/v1/admin/usage?{query}"), "");
        sent.headers_mut().remove("authorization");
        sent.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        Got::from(served.send(sent).await.unwrap()).await
    };
    guarded(served.simulator.idle()).await;
    let whole = report("month=09&year=2026", "x-api-key", "admin-key").await.json();
    let small = &whole["completion"]["models"]["mistral-small-2603"];
    for (group, name) in [("input", "prompt_tokens"), ("output", "completion_tokens")] {
        let leaf = &small[group][0];
        assert_eq!(leaf["value"], used(&first, name) + used(second.last().unwrap(), name));
        assert_eq!((&leaf["timestamp"], &leaf["batch"]), (&json!("2026-09-21T00:00:00Z"), &json!(false)));
    }
    assert_eq!(
        (&whole["start_date"], &whole["end_date"]),
        (&json!("2026-09-01T00:00:00Z"), &json!("2026-10-01T00:00:00Z"))
    );
    let body = json!({"model": "mistral-embed", "input": "a b"});
    let job = json!({"endpoint": "/v1/embeddings", "requests": [{"body": body}]});
    served.post("/v1/batch/jobs", &job).await;
    served.simulator.run_batches();
    served
        .post(
            "/v1/conversations",
            &json!({"model": "codestral-2404", "inputs": "x", "tools": [{"type": "web_search"}]}),
        )
        .await;
    let library =
        served.post("/v1/libraries", &json!({"name": "a"})).await.json()["id"].as_str().unwrap().to_owned();
    let document = served.upload(&format!("/v1/libraries/{library}/documents"), "a", b"x", &[]).await.json();
    guarded(served.simulator.idle()).await;
    let later = report("", "authorization", "Bearer admin-key").await.json();
    let embed = &later["completion"]["models"]["mistral-embed"]["input"][0];
    assert_eq!((&embed["value"], &embed["batch"]), (&json!(2), &json!(true)));
    assert!(later["connectors"]["models"]["web_search"]["calls"][0]["value"].as_u64().unwrap() > 0);
    assert_eq!(
        later["libraries_api"]["pages"]["models"]["libraries"]["pages"][0]["value"],
        document["number_of_pages"]
    );
    let workspace = embed["workspace_id"].as_str().unwrap();
    assert_eq!(report(&format!("workspace_id={workspace}"), "x-api-key", "admin-key").await.json(), later);
    let none = report("workspace_id=other", "x-api-key", "admin-key").await.json();
    assert_eq!(none["completion"]["models"], json!({}));
    assert_eq!(report("month=8", "x-api-key", "admin-key").await.json()["completion"]["models"], json!({}));
    assert_eq!(report("month=13", "x-api-key", "admin-key").await.status, 422);
    assert_eq!(report("", "x-api-key", "sk-upstream").await.status, 401);
    assert_eq!(report("", "authorization", "Bearer sk-upstream").await.status, 401);
    let without = serve(config(1)).await;
    assert_eq!(without.get("/v1/admin/usage").await.status, 404);
}
