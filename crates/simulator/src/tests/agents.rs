//! Agents, their versions and aliases, and completions by them.

use super::*;

async fn agent(served: &Served, more: Value) -> Value {
    let mut body = json!({"model": "mistral-small-latest", "name": "one"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let got = served.post("/v1/agents", &body).await;
    assert_eq!(got.status, 200);
    got.json()
}

#[tokio::test]
async fn each_change_is_a_version_and_aliases_name_versions() {
    let served = serve(config(1)).await;
    let made = agent(&served, json!({"instructions": "Be brief."})).await;
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("ag_"));
    assert_eq!(
        (&made["object"], &made["version"], &made["versions"]),
        (&json!("agent"), &json!(0), &json!([0]))
    );
    assert_eq!(made["created_at"], "2026-09-21T14:13:20Z");
    let path = format!("/v1/agents/{id}");
    let changed = served.call("PATCH", &path, &json!({"model": "codestral-2404"})).await.json();
    assert_eq!((&changed["version"], &changed["instructions"]), (&json!(1), &json!("Be brief.")));
    assert_eq!(served.get(&path).await.json()["model"], "codestral-2404");
    assert_eq!(served.get(&format!("{path}?agent_version=0")).await.json()["model"], "mistral-small-latest");
    assert_eq!(served.get(&format!("{path}/versions/0")).await.json()["version"], 0);
    let versions = served.get(&format!("{path}/versions")).await.json();
    assert_eq!((&versions[0]["version"], &versions[1]["version"]), (&json!(1), &json!(0)));
    let named = served.call("PUT", &format!("{path}/aliases?alias=old&version=0"), &json!({})).await.json();
    assert_eq!((&named["alias"], &named["version"]), (&json!("old"), &json!(0)));
    assert_eq!(served.get(&format!("{path}?agent_version=old")).await.json()["version"], 0);
    assert_eq!(served.get(&format!("{path}/aliases")).await.json()[0]["alias"], "old");
    let back = served.call("PATCH", &format!("{path}/version?version=0"), &json!({})).await.json();
    assert_eq!((&back["version"], &back["versions"]), (&json!(0), &json!([0, 1])));
    assert_eq!(served.call("DELETE", &format!("{path}/aliases?alias=old"), &json!({})).await.status, 204);
    for missing in
        [format!("{path}?agent_version=old"), format!("{path}/versions/7"), "/v1/agents/ag_no".to_owned()]
    {
        assert_eq!(served.get(&missing).await.status, 404, "{missing}");
    }
    assert_eq!(served.simulator.agents()[0].object["version"], 0);
    assert_eq!(served.call("DELETE", &path, &json!({})).await.status, 204);
    assert_eq!(served.get("/v1/agents").await.json(), json!([]));
}

#[tokio::test]
async fn agents_are_listed_in_pages_and_checked_when_made() {
    let served = serve(config(1)).await;
    for name in ["a", "b", "c"] {
        agent(&served, json!({"name": name})).await;
    }
    let page = served.get("/v1/agents?page=1&page_size=2").await.json();
    assert_eq!((page.as_array().unwrap().len(), &page[0]["name"]), (1, &json!("a")));
    let first = served.get("/v1/agents/pages?page_size=2").await.json();
    assert_eq!((first["data"].as_array().unwrap().len(), &first["data"][0]["name"]), (2, &json!("c")));
    let next = first["next_page_token"].as_str().unwrap();
    let last = served.get(&format!("/v1/agents/pages?page_size=2&page_token={next}")).await.json();
    assert_eq!((&last["data"][0]["name"], &last["next_page_token"]), (&json!("a"), &Value::Null));
    assert_eq!(served.get("/v1/agents?name=b").await.json().as_array().unwrap().len(), 1);
    assert_eq!(served.post("/v1/agents", &json!({"model": "m"})).await.status, 422);
    assert_eq!(served.post("/v1/agents", &json!({"model": 5, "name": "a"})).await.status, 422);
    assert_eq!(served.post("/v1/agents", &json!([])).await.status, 422);
}

#[tokio::test]
async fn a_completion_has_the_agents_model_and_instructions() {
    let served = serve(Config { books: true, ..config(1) }).await;
    let made =
        agent(&served, json!({"instructions": "one two three", "completion_args": {"max_tokens": 5}})).await;
    let ask = json!({"agent_id": made["id"], "messages": [{"role": "user", "content": "four five"}]});
    let got = served.post("/v1/agents/completions", &ask).await.json();
    assert_eq!(got["model"], "mistral-small-latest");
    assert_eq!(got["usage"]["prompt_tokens"], crate::count_tokens("one two three four five"));
    assert_eq!(got["usage"]["completion_tokens"], 5);
    let mut streamed = ask.clone();
    streamed["stream"] = json!("yes");
    let events = served.post("/v1/agents/completions", &streamed).await.events();
    assert_eq!(events.last().unwrap()["usage"], got["usage"]);
    guarded(served.simulator.idle()).await;
    let entry = served.simulator.ledger().pop().unwrap();
    assert_eq!((entry.model.as_deref(), entry.stream), (Some("mistral-small-latest"), true));
    assert_eq!(entry.billed.total, got["usage"]["total_tokens"].as_u64().unwrap());
    let billed: Vec<_> = served
        .simulator
        .books()
        .into_iter()
        .filter(|(account, _)| {
            account.model.as_deref() == Some("mistral-small-latest")
                && account.endpoint == Endpoint::Stored(crate::Noun::AgentCompletions)
        })
        .collect();
    assert_eq!(billed[0].1.billed.total, 2 * entry.billed.total);
    for wrong in [json!({"agent_id": "ag_no", "messages": []}), json!({"messages": []})] {
        assert!(served.post("/v1/agents/completions", &wrong).await.status.is_client_error());
    }
}
