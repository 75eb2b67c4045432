//! Conversations: their turns, their history, their events, and what they are billed.

use super::*;
use crate::{Fault, count_tokens};

async fn start(served: &Served, more: Value) -> Value {
    let mut body = json!({"model": "mistral-small-latest", "inputs": "one two"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let got = served.post("/v1/conversations", &body).await;
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

/// The events of a stream with their names.
fn named(text: &str) -> Vec<(String, Value)> {
    let event = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        (name, serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
    };
    text.split_terminator("\n\n").map(event).collect()
}

#[tokio::test]
async fn each_turn_reads_the_whole_history() {
    let served = serve(config(1)).await;
    let first = start(&served, json!({"instructions": "be brief"})).await;
    assert_eq!(first["object"], "conversation.response");
    let id = first["conversation_id"].as_str().unwrap().to_owned();
    let output = &first["outputs"][0];
    assert_eq!(
        (&output["type"], &output["model"]),
        (&json!("message.output"), &json!("mistral-small-latest"))
    );
    let said = output["content"].as_str().unwrap();
    let usage = &first["usage"];
    assert_eq!(usage["prompt_tokens"], count_tokens("be brief one two"));
    assert_eq!(usage["completion_tokens"], count_tokens(said));
    assert_eq!((&usage["connector_tokens"], &usage["connectors"]), (&Value::Null, &Value::Null));
    let path = format!("/v1/conversations/{id}");
    let second = served
        .post(&path, &json!({"inputs": [{"role": "user", "content": [{"type": "text", "text": "three"}]}]}))
        .await
        .json();
    assert_eq!(second["conversation_id"], id.as_str());
    let read = count_tokens("be brief one two three") + count_tokens(said);
    assert_eq!(second["usage"]["prompt_tokens"], read);
    let history = served.get(&format!("{path}/history")).await.json();
    let kinds: Vec<_> =
        history["entries"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message.input", "message.output", "message.input", "message.output"]);
    let messages = served.get(&format!("{path}/messages")).await.json();
    assert_eq!(messages["messages"].as_array().unwrap().len(), 4);
    let from = &history["entries"][1]["id"];
    let again = served
        .post(&format!("{path}/restart"), &json!({"inputs": "three", "from_entry_id": from}))
        .await
        .json();
    assert_ne!(again["conversation_id"], id.as_str());
    assert_eq!(again["usage"]["prompt_tokens"], read);
    assert_eq!(served.get("/v1/conversations").await.json().as_array().unwrap().len(), 2);
    assert_eq!(served.get(&path).await.json()["model"], "mistral-small-latest");
    assert_eq!(served.simulator.conversations()[0].object["entries"].as_array().unwrap().len(), 4);
    guarded(served.simulator.idle()).await;
    let entries = served.simulator.ledger();
    assert_eq!(entries[1].model.as_deref(), Some("mistral-small-latest"));
    assert_eq!(entries[1].billed.total, second["usage"]["total_tokens"].as_u64().unwrap());
    assert_eq!(served.call("DELETE", &path, &json!({})).await.status, 204);
    assert_eq!(served.post(&path, &json!({"inputs": "x"})).await.status, 404);
}

#[tokio::test]
async fn tools_run_and_are_counted() {
    let served = serve(Config { books: true, ..config(1) }).await;
    let tools = json!([{"type": "web_search"}, {"type": "code_interpreter"}]);
    let ran = start(&served, json!({"tools": tools})).await;
    let usage = &ran["usage"];
    let number = |name: &str| usage[name].as_u64().unwrap();
    assert_eq!(
        number("total_tokens"),
        number("prompt_tokens") + number("completion_tokens") + number("connector_tokens")
    );
    let calls = usage["connectors"].as_object().unwrap();
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["code_interpreter", "web_search"]);
    assert!(calls.values().all(|calls| (1..=3).contains(&calls.as_u64().unwrap())));
    let runs =
        ran["outputs"].as_array().unwrap().iter().filter(|output| output["type"] == "tool.execution").count();
    assert_eq!(runs as u64, calls.values().map(|calls| calls.as_u64().unwrap()).sum::<u64>());
    guarded(served.simulator.idle()).await;
    let billed = served.simulator.ledger()[0].billed;
    assert_eq!((billed.connector, billed.total), (number("connector_tokens"), number("total_tokens")));
    assert_eq!(billed.tool_calls.of("web_search"), calls["web_search"].as_u64().unwrap());
    assert_eq!(served.simulator.books().into_values().next().unwrap().worked, billed);
    let none = start(&served, json!({"tools": tools, "inputs": "use no tools please"})).await;
    assert_eq!((none["outputs"].as_array().unwrap().len(), &none["usage"]["connectors"]), (1, &Value::Null));
    let function = json!([{"type": "function", "function": {"name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
    let called = start(&served, json!({"tools": function, "completion_args": {"tool_choice": "any"}})).await;
    assert_eq!(
        (&called["outputs"][0]["type"], &called["outputs"][0]["name"]),
        (&json!("function.call"), &json!("weather"))
    );
}

#[tokio::test]
async fn agents_hand_over_and_each_model_is_billed_for_itself() {
    let served = serve(Config { books: true, ..config(1) }).await;
    let make = async |name: &str, model: &str, handoffs: Value| {
        let body = json!({"name": name, "model": model, "handoffs": handoffs});
        served.post("/v1/agents", &body).await.json()["id"].clone()
    };
    let dear = make("dear", "codestral-2404", Value::Null).await;
    let middle = make("middle", "mistral-small-2603", json!([dear])).await;
    let first = make("first", "mistral-small-2603", json!([middle])).await;
    served
        .call("PATCH", &format!("/v1/agents/{}", dear.as_str().unwrap()), &json!({"handoffs": [first]}))
        .await;
    let body = json!({"agent_id": first, "inputs": "go"});
    let got = served.post("/v1/conversations", &body).await.json();
    let outputs = got["outputs"].as_array().unwrap();
    let kinds: Vec<_> = outputs.iter().map(|output| output["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["message.output", "agent.handoff", "message.output", "agent.handoff", "message.output"]
    );
    assert_eq!((&outputs[4]["model"], &outputs[4]["agent_id"]), (&json!("codestral-2404"), &dear));
    assert_eq!((&outputs[3]["previous_agent_id"], &outputs[3]["next_agent_name"]), (&middle, &json!("dear")));
    guarded(served.simulator.idle()).await;
    let turns = served.simulator.turns();
    assert_eq!(
        turns.iter().map(|turn| turn.billed.total).sum::<u64>(),
        got["usage"]["total_tokens"].as_u64().unwrap()
    );
    let books = served.simulator.books();
    let of = |model: &str| {
        books
            .iter()
            .filter(|(account, _)| account.model.as_deref() == Some(model))
            .map(|(_, totals)| totals.billed.total)
            .sum::<u64>()
    };
    assert_eq!(of("codestral-2404"), turns[2].billed.total);
    assert_eq!(of("mistral-small-2603"), turns[0].billed.total + turns[1].billed.total);
    let streamed =
        served.post("/v1/conversations", &json!({"agent_id": first, "inputs": "go", "stream": true})).await;
    let events = named(streamed.text());
    for name in ["agent.handoff.started", "agent.handoff.done"] {
        assert_eq!(events.iter().filter(|(known, _)| known == name).count(), 2);
    }
    assert_eq!(events.last().unwrap().1["usage"], got["usage"]);
    let client = json!({"agent_id": first, "inputs": "go", "handoff_execution": "client"});
    let client = served.post("/v1/conversations", &client).await.json();
    assert_eq!(client["outputs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_turn_streams_with_named_events() {
    let served = serve(config(1)).await;
    let tools = json!([{"type": "web_search"}]);
    let body = json!({"model": "mistral-small-latest", "inputs": "one two", "tools": tools, "stream": true});
    let got = served.post("/v1/conversations", &body).await;
    assert_eq!(got.headers["content-type"], "text/event-stream; charset=utf-8");
    let events = named(got.text());
    assert!(events.iter().all(|(name, data)| data["type"] == name.as_str()));
    assert_eq!(events[0].0, "conversation.response.started");
    assert_eq!(
        (events[1].0.as_str(), events[2].0.as_str()),
        ("tool.execution.started", "tool.execution.done")
    );
    let said: String = events
        .iter()
        .filter(|(name, _)| name == "message.output.delta")
        .map(|(_, data)| data["content"].as_str().unwrap())
        .collect();
    let (name, done) = events.last().unwrap();
    assert_eq!(
        (name.as_str(), &done["usage"]["completion_tokens"]),
        ("conversation.response.done", &json!(count_tokens(&said)))
    );
    guarded(served.simulator.idle()).await;
    let billed = served.simulator.ledger()[0].billed;
    assert_eq!(json!(billed.total), done["usage"]["total_tokens"]);
    served.simulator.script(Fault::ErrorInStream { after: 4 });
    let broken = named(served.post("/v1/conversations", &body).await.text());
    assert_eq!(
        (broken.len(), broken[4].0.as_str(), &broken[4].1["code"]),
        (5, "conversation.response.error", &json!(3000))
    );
    served.simulator.script(Fault::NoUsage);
    let silent = named(served.post("/v1/conversations", &body).await.text());
    assert!(silent.last().unwrap().1.get("usage").is_none());
}

#[tokio::test]
async fn what_is_no_conversation_is_refused() {
    let served = serve(config(1)).await;
    for (body, status) in [
        (json!({"inputs": "x"}), 422),
        (json!({"inputs": "x", "model": "mistral-small-latest", "agent_id": "ag_1"}), 422),
        (json!({"inputs": "x", "agent_id": "ag_1"}), 404),
        (json!({"inputs": "x", "model": "unknown"}), 400),
        (json!({"inputs": "x", "model": "mistral-small-latest", "models": []}), 422),
        (json!({"inputs": [{"type": "strange"}], "model": "mistral-small-latest"}), 422),
        (json!({"inputs": "a ".repeat(10_001), "model": "mistral-small-latest"}), 400),
    ] {
        assert_eq!(served.post("/v1/conversations", &body).await.status, status);
    }
    let unstored = start(&served, json!({"store": "no"})).await;
    let path = format!("/v1/conversations/{}", unstored["conversation_id"].as_str().unwrap());
    assert_eq!(served.get(&path).await.status, 404);
    assert_eq!(served.get("/v1/conversations").await.json(), json!([]));
}
