//! The responses endpoints.

use super::*;
use crate::{Billed, count_tokens};

fn respond(more: Value) -> Value {
    let mut body = json!({"model": "mistral-small-2603", "input": "Tell me of the river."});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_response_is_whole() {
    let served = booking().await;
    let more = json!({"instructions": "Be brief.", "store": true, "metadata": {"simulator": {"tokens": 20}}});
    let answer = served.post("/v1/responses", &respond(more)).await.json();
    assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")));
    let text = answer["output"][0]["content"][0]["text"].as_str().unwrap();
    assert_eq!(count_tokens(text), 20);
    let prompt = count_tokens("Tell me of the river.") + count_tokens("Be brief.");
    assert_eq!(
        answer["usage"],
        json!({"input_tokens": prompt, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": prompt + 20})
    );
    let (account, totals) = served.booked("mistral-small-2603").await;
    assert_eq!((account.endpoint, totals.billed), (Endpoint::Responses, Billed::new(prompt, 20)));
}

#[tokio::test]
async fn a_response_is_streamed() {
    let served = serve(config(1)).await;
    let whole = served.post("/v1/responses", &respond(json!({}))).await.json();
    let got = served.post("/v1/responses", &respond(json!({"stream": true}))).await;
    let events = named(got.text());
    for (number, (_, event)) in (0_u64..).zip(&events) {
        assert_eq!(event["sequence_number"], number);
    }
    assert_eq!(events[0].0, "response.created");
    assert!(events[0].1["response"].get("usage").is_none());
    let deltas = events.iter().filter(|event| event.0 == "response.output_text.delta");
    let said: String = deltas.map(|event| event.1["delta"].as_str().unwrap()).collect();
    assert_eq!(whole["output"][0]["content"][0]["text"], said);
    let (name, last) = events.last().unwrap();
    assert_eq!(name, "response.completed");
    assert_eq!(last["response"]["usage"], whole["usage"]);
    assert_eq!(whole["usage"]["output_tokens"], served.last().await.billed.completion);
}

#[tokio::test]
async fn a_response_is_bounded_calls_functions_and_goes_on_unseen() {
    let served = serve(config(1)).await;
    let got = served.post("/v1/responses", &respond(json!({"stream": true, "max_output_tokens": "3"}))).await;
    let events = named(got.text());
    let (name, last) = events.last().unwrap();
    assert_eq!(
        (name.as_str(), &last["response"]["usage"]["output_tokens"]),
        ("response.incomplete", &json!(3))
    );
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");

    let tools = json!([{"type": "function", "name": "weather", "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}}}]);
    for choice in [json!("required"), json!({"type": "function", "name": "weather"})] {
        let more = json!({"tools": tools, "tool_choice": choice});
        let answer = served.post("/v1/responses", &respond(more.clone())).await.json();
        assert_eq!(answer["output"][0]["type"], "function_call");
        assert_eq!(answer["output"][0]["arguments"], r#"{"city":"simulated"}"#);
        let streamed = joined(more, json!({"stream": true}));
        let events = named(served.post("/v1/responses", &respond(streamed)).await.text());
        assert!(events.iter().any(|event| event.0 == "response.function_call_arguments.delta"));
    }
    let hidden = served.post("/v1/responses", &respond(json!({"background": "yes"}))).await.json();
    assert_eq!((&hidden["status"], hidden.get("usage")), (&json!("queued"), None));
    assert!(served.last().await.billed.completion > 0);
}

fn joined(mut one: Value, other: Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

#[tokio::test]
async fn input_is_counted_for_nothing() {
    let served = booking().await;
    let input = json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "one two"}]},
        {"type": "function_call_output", "call_id": "c", "output": "three"}]);
    let got = served.post("/v1/responses/input_tokens", &respond(json!({"input": input}))).await.json();
    assert_eq!(got["object"], "response.input_tokens");
    assert!(got["input_tokens"].as_u64().unwrap() > 4);
    let (account, totals) = served.booked("mistral-small-2603").await;
    assert_eq!((account.endpoint, totals.billed), (Endpoint::ResponseTokens, Billed::default()));
    let whole = served.post("/v1/responses", &respond(json!({"input": input}))).await.json();
    assert_eq!(whole["usage"]["input_tokens"], got["input_tokens"]);
}

#[tokio::test]
async fn what_responses_do_not_know_is_refused() {
    let served = serve(config(1)).await;
    for bad in [
        json!({"input": 5}),
        json!({"tools": [{"type": "web_search"}]}),
        json!({"model": null}),
        json!({"background": "maybe"}),
    ] {
        assert_eq!(served.post("/v1/responses", &respond(bad.clone())).await.status, 422, "{bad}");
    }
    let got = served.post("/v1/responses", &respond(json!({"model": "mistral-embed"}))).await;
    assert_eq!(got.json()["code"], "1500");
    let got = served.post("/v1/responses/input_tokens", &respond(json!({"model": "mistral-embed"}))).await;
    assert_eq!(got.json()["code"], "1500");
}
