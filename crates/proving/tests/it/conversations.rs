//! Conversations: owned before anybody has their id, judged at every turn, and metered to the nano-dollar.

use crate::agents::{LARGE, NONE, Place, SMALL};
use http_body_util::BodyExt;
use louver_domain::id::WorkspaceId;
use louver_domain::objects::ObjectKind;
use louver_proving::client::{open, request};
use louver_proving::system::eventually;
use louver_store::objects::{self, Shelf};
use serde_json::{Value, json};

const START: &str = "/v1/conversations";

/// A short answer of a model without tools.
fn start(more: Value) -> Value {
    let mut body =
        json!({"model": "mistral-small-latest", "inputs": "Hello", "completion_args": {"max_tokens": 30}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

impl Place {
    async fn started(&self, more: Value) -> String {
        let answer = self.ours("POST", START, start(more)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["conversation_id"].as_str().unwrap().to_owned()
    }

    /// In nano-dollars what the simulator bills for all turns, whoever spoke.
    fn billed(&self) -> i64 {
        let prices = |model: &str| if model == SMALL { (150, 600) } else { (500, 1500) };
        let cost = |turn: &louver_simulator::Turn| {
            let (input, output) = prices(&turn.model);
            let tools = turn.billed.tool_calls.of("web_search") * 30_000_000;
            (turn.billed.input() * input + turn.billed.completion * output + tools) as i64
        };
        self.system.simulator.turns().iter().map(cost).sum()
    }

    /// How large a conversation of ours is held to be.
    async fn tokens(&self, id: &str) -> u64 {
        let organization = louver_store::organizations::list(&self.system.store).await.unwrap()[0].id;
        let shelf = Shelf {
            organization_id: organization,
            workspace_id: WorkspaceId::parse(&self.system.workspace).unwrap(),
            kind: ObjectKind::Conversation,
            parent: "",
        };
        objects::find(&self.system.store, shelf, id).await.unwrap().unwrap().tokens
    }
}

#[tokio::test]
async fn conversations_begin_go_on_and_begin_again_at_the_simulators_price() {
    let place = Place::budgeted().await;
    let id = place.started(json!({"name": "talk"})).await;
    assert_eq!(place.bodies()[0]["model"], SMALL);
    assert_eq!(place.spent().await, place.billed());
    let path = format!("{START}/{id}");
    let more = place.ours("POST", &path, json!({"inputs": "And then?"})).await;
    assert_eq!((more.status.as_u16(), &more.json()["conversation_id"]), (200, &json!(id)), "{}", more.text());
    assert_eq!(
        place.bodies().last().unwrap()["completion_args"]["max_tokens"],
        30,
        "what it was begun with holds"
    );
    assert_eq!(place.spent().await, place.billed());
    let history = place.ours("GET", &format!("{path}/history"), Value::Null).await.json();
    assert_eq!(history["entries"].as_array().unwrap().len(), 4);
    let messages = place.ours("GET", &format!("{path}/messages"), Value::Null).await.json();
    assert_eq!(messages["messages"].as_array().unwrap().len(), 4);
    let from = history["entries"][1]["id"].as_str().unwrap();
    // Lists are in the order of time.
    place.system.clock.advance(1);
    let again =
        place.ours("POST", &format!("{path}/restart"), json!({"from_entry_id": from, "inputs": "No."})).await;
    let second = again.json()["conversation_id"].as_str().unwrap_or_default().to_owned();
    assert_eq!(again.status, 200, "{}", again.text());
    assert_ne!(second, id);
    assert_eq!(place.spent().await, place.billed());
    let list = place.ours("GET", START, Value::Null).await.json();
    assert_eq!(
        (&list[0]["id"], &list[1]["id"], &list[1]["name"]),
        (&json!(second), &json!(id), &json!("talk"))
    );
    assert_eq!(
        place.ours("GET", &format!("{START}/{second}"), Value::Null).await.json()["id"],
        json!(second)
    );
    place.system.clock.advance(1);
    let odd = place.started(json!({"tools": null, "completion_args": null, "name": null})).await;
    let list = place.ours("GET", START, Value::Null).await.json();
    assert_eq!((&list[0]["id"], list[0].get("tools"), list[0].get("name")), (&json!(odd), None, None));
    assert_eq!(place.ours("DELETE", &format!("{START}/{odd}"), Value::Null).await.status, 204);
    let listed = async |query: String| place.ours("GET", &format!("{START}?{query}"), Value::Null).await;
    let none = listed(format!("page=0&page_size=100&metadata={NONE}")).await.json();
    assert_eq!(none.as_array().unwrap().len(), 2, "{none}");
    let other = listed("metadata=%7B%22team%22%3A%22nobody%22%7D".into()).await.json();
    assert_eq!(other, json!([]));
    assert_eq!(listed("metadata=x".into()).await.verdict(), (422, "invalid_request".into()));
    assert_eq!(place.ours("DELETE", &path, Value::Null).await.status, 204);
    place.refused("POST", &path, json!({"inputs": "x"}), (404, "not_found")).await;
    assert_eq!(place.ours("GET", START, Value::Null).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_streamed_conversation_is_owned_before_its_id_goes_out() {
    let place = Place::budgeted().await;
    let body = start(json!({"stream": true})).to_string();
    let mut answer =
        open(place.system.address, request("POST", START, &place.ours, Some(body.as_bytes()))).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let first = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.starts_with("event: conversation.response.started"), "{first}");
    let data: Value =
        serde_json::from_str(first.split("data: ").nth(1).unwrap().lines().next().unwrap()).unwrap();
    let id = data["conversation_id"].as_str().unwrap().to_owned();
    assert!(place.tokens(&id).await > 0, "it is there as soon as the client can know it");
    let mut rest = String::new();
    while let Some(frame) = answer.body_mut().frame().await {
        rest.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
    }
    assert!(rest.contains("conversation.response.done"), "{rest}");
    assert_eq!(place.spent().await, place.billed());
    let more = place.ours("POST", &format!("{START}/{id}"), json!({"inputs": "More", "stream": true})).await;
    assert!(more.text().contains("conversation.response.done"), "{}", more.text());
    assert_eq!(place.spent().await, place.billed());
}

#[tokio::test]
async fn b4_a_conversation_of_another_workspace_is_like_an_unknown_one() {
    let place = Place::new().await;
    let id = place.started(json!({})).await;
    let path = format!("{START}/{id}");
    let unknown = place.theirs("GET", &format!("{START}/conv_nobody"), Value::Null).await.json();
    place.sent();
    for (method, path, body) in [
        ("POST", path.clone(), json!({"inputs": "x"})),
        ("POST", format!("{path}/restart"), json!({"from_entry_id": "e", "inputs": "x"})),
        ("GET", path.clone(), Value::Null),
        ("GET", format!("{path}/history"), Value::Null),
        ("GET", format!("{path}/messages"), Value::Null),
        ("DELETE", path.clone(), Value::Null),
    ] {
        let answer = place.theirs(method, &path, body).await;
        assert_eq!(answer.verdict(), (404, "not_found".into()), "{method} {path}");
        assert_eq!(answer.json()["message"], unknown["message"]);
    }
    assert_eq!(place.sent(), Vec::<String>::new());
    assert_eq!(place.theirs("GET", START, Value::Null).await.json(), json!([]), "b14");
}

#[tokio::test]
async fn a_model_that_a_history_names_costs_nothing_and_must_be_allowed() {
    let place = Place::budgeted().await;
    let entry = |model: &str| {
        json!([{"type": "message.output", "role": "assistant", "content": "x", "model": model},
            {"type": "message.input", "role": "user", "content": "y"}])
    };
    place.started(json!({"inputs": entry(SMALL)})).await;
    assert_eq!(place.spent().await, place.billed());
    let body = start(json!({"inputs": entry("nobodys-model")}));
    place.refused("POST", START, body, (403, "model_not_allowed")).await;
}

#[tokio::test]
async fn b4_entries_carry_no_handoffs_and_nothing_that_is_not_known() {
    let place = Place::budgeted().await;
    let id = place.started(json!({})).await;
    let path = format!("{START}/{id}");
    let handoff = json!([{"type": "agent.handoff", "previous_agent_id": "a", "next_agent_id": "b"}]);
    for inputs in [
        handoff,
        json!([{"type": "message.output", "role": "assistant", "content": "x", "next_agent_id": "b"}]),
        json!([{"type": "unknown"}]),
        json!([{"type": 3}]),
        json!(["x"]),
        json!(3),
        json!({"role": "user"}),
        json!([{"role": "user", "content": 3}]),
    ] {
        place.refused("POST", START, start(json!({"inputs": inputs})), (422, "invalid_request")).await;
        place.refused("POST", &path, json!({"inputs": inputs}), (422, "invalid_request")).await;
    }
    for body in [
        json!({"inputs": "x", "model": LARGE}),
        json!({"inputs": "x", "agent_id": "ag_1"}),
        json!({"inputs": "x", "tools": []}),
        json!({"inputs": "x", "agent_version": 1}),
        json!({"inputs": "x", "completion_args": {"model": LARGE}}),
        json!({"inputs": "x", "completion_args": {"max_tokens": 4.0}}),
        json!({"inputs": "x", "stream": "true"}),
        json!({"inputs": "x", "store": 1}),
        json!({"inputs": "x", "handoff_execution": "nobody"}),
    ] {
        place.refused("POST", &path, body, (422, "invalid_request")).await;
    }
    for body in [
        json!({"inputs": "x"}),
        json!({"inputs": "x", "model": SMALL, "agent_id": "ag_1"}),
        json!({"inputs": "x", "model": SMALL, "agent_version": 1}),
        json!({"inputs": "x", "model": null}),
        json!({"model": SMALL}),
    ] {
        place.refused("POST", START, body, (422, "invalid_request")).await;
    }
    place.refused("POST", &format!("{path}/restart"), json!({"inputs": "x"}), (422, "invalid_request")).await;
    place.limit(json!({"allowed_models": [SMALL]})).await;
    let named = json!([{"type": "message.output", "role": "assistant", "content": "x", "model": LARGE}]);
    place.refused("POST", &path, json!({"inputs": named}), (403, "model_not_allowed")).await;
}

#[tokio::test]
async fn b4_the_rules_of_now_hold_for_conversations_of_before() {
    let place = Place::budgeted().await;
    let id = place.started(json!({"model": LARGE})).await;
    place.limit(json!({"allowed_models": [SMALL]})).await;
    let path = format!("{START}/{id}");
    place.refused("POST", &path, json!({"inputs": "x"}), (403, "model_not_allowed")).await;
    let restart = json!({"from_entry_id": "e", "inputs": "x"});
    place.refused("POST", &format!("{path}/restart"), restart, (403, "model_not_allowed")).await;
    // What was begun with an agent goes on with the version that it was begun with.
    let agent = place.agent(json!({})).await;
    let id = place.ours("POST", START, json!({"agent_id": agent, "inputs": "x"})).await.json();
    let path = format!("{START}/{}", id["conversation_id"].as_str().unwrap());
    place.limit(json!({"allowed_models": null})).await;
    assert_eq!(
        place.ours("PATCH", &format!("/v1/agents/{agent}"), json!({"model": LARGE})).await.status,
        200
    );
    place.limit(json!({"allowed_models": [SMALL]})).await;
    assert_eq!(place.ours("POST", &path, json!({"inputs": "y"})).await.status, 200);
    let history = place.ours("GET", &format!("{path}/history"), Value::Null).await.json();
    let from = history["entries"][1]["id"].clone();
    let dear = json!({"from_entry_id": from, "inputs": "x", "agent_version": 1});
    place.refused("POST", &format!("{path}/restart"), dear, (403, "model_not_allowed")).await;
    let unknown = json!({"from_entry_id": from, "inputs": "x", "agent_version": "nobody"});
    place.refused("POST", &format!("{path}/restart"), unknown, (404, "not_found")).await;
    let fine = json!({"from_entry_id": from, "inputs": "x", "agent_version": 0});
    assert_eq!(place.ours("POST", &format!("{path}/restart"), fine).await.status, 200);
}

#[tokio::test]
async fn b15_foreign_ids_in_entries_are_not_there() {
    let place = Place::new().await;
    let made = place.theirs("POST", "/v1/agents", json!({"model": SMALL, "name": "x"})).await.json();
    place.sent();
    let foreign =
        json!([{"type": "message.output", "role": "assistant", "content": "x", "agent_id": made["id"]}]);
    place.refused("POST", START, start(json!({"inputs": foreign})), (404, "not_found")).await;
    let file = json!([{"role": "user", "content": [{"type": "tool_file", "tool": "x", "file_id": "f-1"}]}]);
    place.refused("POST", START, start(json!({"inputs": file})), (404, "not_found")).await;
    let library = json!([{"type": "document_library", "library_ids": ["foreign"]}]);
    place.refused("POST", START, start(json!({"tools": library})), (404, "not_found")).await;
}

#[tokio::test]
async fn a_conversation_that_is_not_stored_is_nobodys() {
    let place = Place::budgeted().await;
    let answer = place.ours("POST", START, start(json!({"store": false}))).await;
    let id = answer.json()["conversation_id"].as_str().unwrap().to_owned();
    assert_eq!(place.spent().await, place.billed());
    place.refused("POST", &format!("{START}/{id}"), json!({"inputs": "x"}), (404, "not_found")).await;
    assert_eq!(place.ours("GET", START, Value::Null).await.json(), json!([]));
}

#[tokio::test]
async fn the_history_counts_and_what_was_not_used_comes_back() {
    let place = Place::budgeted().await;
    let id = place.started(json!({"inputs": "x".repeat(1000)})).await;
    place.spent().await;
    let path = format!("{START}/{id}");
    let grown = eventually(async || Some(place.tokens(&id).await).filter(|tokens| *tokens < 600)).await;
    let turn = place.system.simulator.turns()[0].billed;
    assert!(grown >= turn.completion, "{grown} {turn:?}");
    // A refused turn adds nothing.
    place.limit(json!({"monthly_budget_usd": 0})).await;
    place.refused("POST", &path, json!({"inputs": "More"}), (429, "budget_exhausted")).await;
    let after = eventually(async || Some(place.tokens(&id).await).filter(|tokens| *tokens <= grown)).await;
    assert_eq!(after, grown);
    // Nor does one that upstream refuses.
    place.limit(json!({"monthly_budget_usd": 1000})).await;
    place.system.clock.advance(2);
    let refusal = louver_simulator::Fault::Status { status: 400, retry_after: None, body: None };
    place.system.simulator.script(refusal);
    assert_eq!(place.ours("POST", &path, json!({"inputs": "More"})).await.status, 400);
    let after = eventually(async || Some(place.tokens(&id).await).filter(|tokens| *tokens <= grown)).await;
    assert_eq!(after, grown);
    // Whoever does not say what it used may have kept all of it.
    let silent = json!({"inputs": "More", "completion_args": {"max_tokens": 500},
        "metadata": {"simulator": {"fault": "no_usage"}}});
    assert_eq!(place.ours("POST", &path, silent).await.status, 200);
    place.spent().await;
    assert!(place.tokens(&id).await >= grown + 500);
}

#[tokio::test]
async fn a_turn_that_upstream_refuses_begins_no_conversation() {
    let place = Place::budgeted().await;
    for status in [400, 503] {
        let refusal = louver_simulator::Fault::Status { status, retry_after: None, body: None };
        place.system.simulator.script(refusal);
        assert_eq!(place.ours("POST", START, start(json!({}))).await.status, status);
    }
    assert_eq!(place.spent().await, 0);
    assert_eq!(place.ours("GET", START, Value::Null).await.json(), json!([]));
}

#[tokio::test]
async fn b18_a_client_that_leaves_early_leaves_its_conversation_owned() {
    let place = Place::budgeted().await;
    let body = start(json!({"metadata": {"simulator": {"fault": "delay", "ms": 1000}}}));
    place.system.post_and_leave(&place.ours, START, &body).await;
    let spent = eventually(async || Some(place.spent().await).filter(|spent| *spent > 0)).await;
    assert_eq!(spent, place.billed());
    let upstream = place.system.simulator.conversations();
    let list = place.ours("GET", START, Value::Null).await.json();
    assert_eq!(list[0]["id"], json!(upstream[0].id));
}

#[tokio::test]
async fn b18_a_crash_between_intention_and_confirmation_leaves_the_conversation_to_nobody() {
    let place = Place::budgeted().await;
    place.system.simulator.script(louver_simulator::Fault::ResetAfter { after: 0 });
    let answer = place.ours("POST", START, start(json!({}))).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(place.spent().await > 0, "it is charged at its bound");
    let upstream = place.system.simulator.conversations();
    assert_eq!(upstream.len(), 1, "upstream made it");
    let path = format!("{START}/{}", upstream[0].id);
    place.system.simulator.clear();
    place.refused("POST", &path, json!({"inputs": "x"}), (404, "not_found")).await;
    place.refused("GET", &path, Value::Null, (404, "not_found")).await;
    assert_eq!(place.ours("GET", START, Value::Null).await.json(), json!([]));
}

#[tokio::test]
async fn tools_of_a_conversation_are_charged_in_every_turn() {
    let place = Place::budgeted().await;
    let id = place.started(json!({"tools": [{"type": "web_search"}]})).await;
    let answer = place.ours("POST", &format!("{START}/{id}"), json!({"inputs": "Search"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(place.spent().await, place.billed());
    let streamed =
        place.ours("POST", &format!("{START}/{id}"), json!({"inputs": "Search", "stream": true})).await;
    assert_eq!(streamed.status, 200);
    assert_eq!(place.spent().await, place.billed());
}

#[tokio::test]
async fn the_length_of_an_open_answer_is_set_within_the_arguments() {
    let place = Place::budgeted().await;
    for (body, kept) in [
        (json!({"model": SMALL, "inputs": "x"}), Value::Null),
        (json!({"model": SMALL, "inputs": "x", "completion_args": {}}), Value::Null),
        (json!({"model": SMALL, "inputs": "x", "completion_args": null}), Value::Null),
        (json!({"completion_args": {"temperature": 0.5}, "inputs": "x", "model": SMALL}), json!(0.5)),
        (
            json!({"model": SMALL, "inputs": "x", "completion_args": {"max_tokens": null, "temperature": 1}}),
            json!(1),
        ),
    ] {
        place.system.simulator.clear();
        let answer = place.ours("POST", START, body.clone()).await;
        assert_eq!(answer.status, 200, "{body} {}", answer.text());
        let args = place.bodies()[0]["completion_args"].clone();
        assert!(args["max_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{body} {args}");
        assert_eq!(args["temperature"], kept, "{body}");
        // The next turn says it, too, with all that the conversation was begun with.
        let id = answer.json()["conversation_id"].as_str().unwrap().to_owned();
        place.system.simulator.clear();
        assert_eq!(place.ours("POST", &format!("{START}/{id}"), json!({})).await.status, 200);
        let args = place.bodies()[0]["completion_args"].clone();
        assert!(args["max_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{body} {args}");
        assert_eq!(args["temperature"], kept, "{body}");
    }
    assert_eq!(place.spent().await, place.billed());
}
