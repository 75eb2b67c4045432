//! What the endpoints answer when nothing goes wrong, and what they refuse.

use super::*;
use crate::count_tokens;

fn usage(value: &Value) -> (u64, u64, u64) {
    let of = |name: &str| value["usage"][name].as_u64().unwrap();
    (of("prompt_tokens"), of("completion_tokens"), of("total_tokens"))
}

fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

/// What the deltas of one choice say together.
fn said(events: &[Value], index: u64) -> String {
    let parts = events.iter().flat_map(|event| event["choices"].as_array().unwrap());
    let parts = parts.filter(|part| part["index"] == index);
    parts.map(|part| part["delta"]["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn chat_answers_whole() {
    let served = serve(config(1)).await;
    let got = served.chat(&ask(json!({}))).await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(got.headers["x-louver-simulator"], "true");
    assert_eq!(got.headers["server"], "louver-simulator");
    let answer = got.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "mistral-small-latest");
    assert_eq!(answer["created"], 1_790_000_000);
    assert_eq!(answer["id"].as_str().unwrap().len(), 32);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert!(content(&answer).starts_with("Simulated"));
    let (prompt, completion, total) = usage(&answer);
    assert_eq!(prompt, count_tokens("Tell me of the river and of the light."));
    assert_eq!(completion, count_tokens(content(&answer)));
    assert_eq!(total, prompt + completion);
    assert_eq!(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    assert!((12..=60).contains(&completion));
    assert_eq!(got.headers["x-ratelimit-tokens-query-cost"], total.to_string());
}

#[tokio::test]
async fn chat_streams_what_it_says_whole() {
    let served = serve(config(1)).await;
    let whole = served.chat(&ask(json!({}))).await.json();
    let got = served.chat(&ask(json!({"stream": true}))).await;
    assert_eq!(got.headers["content-type"], "text/event-stream; charset=utf-8");
    assert!(!got.headers.contains_key("content-length"));
    let events = got.events();
    assert!(events.iter().all(|event| event["object"] == "chat.completion.chunk"));
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(said(&events, 0), content(&whole));
    let (last, before) = events.split_last().unwrap();
    assert!(before.iter().all(|event| event.get("usage").is_none()));
    assert!(before.iter().all(|event| event["choices"][0]["finish_reason"].is_null()));
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["usage"], whole["usage"]);
    let deltas = before.iter().map(|event| event["choices"][0]["delta"]["content"].as_str().unwrap());
    assert_eq!(deltas.map(count_tokens).sum::<u64>(), usage(last).1);
}

#[tokio::test]
async fn several_choices_are_counted_together() {
    let served = serve(config(1)).await;
    let whole = served.chat(&ask(json!({"n": 3}))).await.json();
    let texts: Vec<_> =
        (0..3).map(|at| whole["choices"][at]["message"]["content"].as_str().unwrap().to_owned()).collect();
    assert_ne!(texts[0], texts[1]);
    assert_eq!(usage(&whole).1, texts.iter().map(|text| count_tokens(text)).sum::<u64>());
    let events = served.chat(&ask(json!({"n": 3, "stream": true}))).await.events();
    for (index, text) in (0..).zip(&texts) {
        assert_eq!(said(&events, index), *text);
    }
    assert_eq!(events.iter().filter(|event| event.get("usage").is_some()).count(), 1);
    assert_eq!(events.last().unwrap()["usage"], whole["usage"]);
}

#[tokio::test]
async fn length_is_bounded_and_steered() {
    let served = serve(config(1)).await;
    for limit in [0, 1, 7] {
        let answer = served.chat(&ask(json!({"max_tokens": limit}))).await.json();
        assert_eq!(usage(&answer).1, limit);
        assert_eq!(count_tokens(content(&answer)), limit);
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
    }
    let answer = served.chat(&steered(false, json!({"tokens": 500, "cached_tokens": 70}))).await.json();
    assert_eq!(usage(&answer).1, 500);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let events = served.chat(&steered(true, json!({"chunks": 90}))).await.events();
    assert_eq!(events.len(), 92);
    let events = served.chat(&steered(true, json!({"chunks": 3, "tokens": 100}))).await.events();
    assert_eq!(events.len(), 5);
    assert_eq!(usage(&events[4]).1, 100);
    let text = json!({"tokens": 5}).to_string();
    let answer = served.chat(&ask(json!({"metadata": {"simulator": text}, "stop": "answer"}))).await.json();
    assert_eq!(content(&answer), "Simulated");
    assert_eq!(usage(&answer).1, 3);
}

#[tokio::test]
async fn tools_are_called_when_they_must_be() {
    let served = serve(config(1)).await;
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]);
    for choice in
        [json!("any"), json!("required"), json!({"type": "function", "function": {"name": "weather"}})]
    {
        let body = ask(json!({"tools": tools, "tool_choice": choice}));
        let answer = served.chat(&body).await.json();
        let call = &answer["choices"][0]["message"]["tool_calls"][0];
        assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(call["function"]["name"], "weather");
        let arguments = call["function"]["arguments"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), json!({"city": "simulated"}));
        assert_eq!(usage(&answer).1, count_tokens("weather") + count_tokens(arguments));
        let body = ask(json!({"tools": tools, "tool_choice": choice, "stream": true}));
        let events = served.chat(&body).await.events();
        assert_eq!(events[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"], "weather");
        assert_eq!(events.last().unwrap()["usage"], answer["usage"]);
    }
    let answer = served.chat(&ask(json!({"tools": tools, "tool_choice": "auto"}))).await.json();
    assert!(answer["choices"][0]["message"]["tool_calls"].is_null());
}

#[tokio::test]
async fn json_is_json() {
    let served = serve(config(1)).await;
    let answer = served.chat(&ask(json!({"response_format": {"type": "json_object"}}))).await.json();
    let value: Value = serde_json::from_str(content(&answer)).unwrap();
    assert_eq!(value["simulated"], true);
    assert_eq!(usage(&answer).1, count_tokens(content(&answer)));
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema":
        {"type": "object", "properties": {"größe": {"type": "integer"}}}}});
    let answer = served.chat(&ask(json!({"response_format": format}))).await.json();
    assert_eq!(serde_json::from_str::<Value>(content(&answer)).unwrap(), json!({"größe": 1}));
}

#[tokio::test]
async fn fim_answers_whole_and_streamed() {
    let served = serve(config(1)).await;
    let body = json!({"prompt": "fn main() {", "suffix": "}"});
    let whole = served.post("/v1/fim/completions", &body).await.json();
    assert_eq!(whole["model"], "codestral-2404");
    assert_eq!(usage(&whole).0, count_tokens("fn main() {") + 1);
    let body = json!({"model": "codestral-2404", "prompt": "fn main() {", "suffix": "}", "stream": true});
    let events = served.post("/v1/fim/completions", &body).await.events();
    assert_eq!(said(&events, 0), content(&whole));
    assert_eq!(events.last().unwrap()["usage"], whole["usage"]);
}

#[tokio::test]
async fn embeddings_are_unit_vectors_of_their_texts() {
    let served = serve(config(1)).await;
    let embed = |more: Value| {
        let mut body = json!({"model": "mistral-embed", "input": ["one", "two two", "one"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let served = &served;
        async move { served.post("/v1/embeddings", &body).await.json() }
    };
    let answer = embed(json!({})).await;
    let data = answer["data"].as_array().unwrap();
    assert_eq!((data.len(), usage(&answer)), (3, (4, 0, 4)));
    assert_eq!(data[0]["embedding"], data[2]["embedding"]);
    assert_ne!(data[0]["embedding"], data[1]["embedding"]);
    let vector = data[0]["embedding"].as_array().unwrap();
    assert_eq!(vector.len(), 1024);
    let square: f64 = vector.iter().map(|part| part.as_f64().unwrap().powi(2)).sum();
    assert!((square - 1.0).abs() < 1e-3);
    let answer = embed(json!({"input": "one", "output_dimension": 8})).await;
    assert_eq!(answer["data"][0]["embedding"].as_array().unwrap().len(), 8);
    let answer = embed(json!({"input": "one", "output_dimension": 3, "encoding_format": "base64"})).await;
    assert_eq!(answer["data"][0]["embedding"].as_str().unwrap().len(), 16);
}

#[tokio::test]
async fn models_list_every_alias() {
    let served = serve(config(1)).await;
    let list = served.get("/v1/models").await.json();
    let ids: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|card| card["id"].as_str().unwrap()).collect();
    assert_eq!(ids[..4], ["mistral-small-2603", "mistral-small-latest", "codestral-2404", "mistral-embed"]);
    let card = served.get("/v1/models/mistral-small-latest").await.json();
    assert_eq!(card, list["data"][1]);
    assert_eq!(card["aliases"], json!(["mistral-small-2603"]));
    assert_eq!(card["capabilities"]["completion_chat"], true);
    assert_eq!(card["capabilities"]["completion_fim"], false);
    assert_eq!(served.get("/v1/models/nope").await.status, 404);
}

#[tokio::test]
async fn refusals_have_mistrals_shapes() {
    let served = serve(config(1)).await;
    let got = served.post("/v1/connectors", &json!({})).await;
    assert_eq!(
        (got.status, got.text()),
        (StatusCode::NOT_FOUND, r#"{"message":"no Route matched with those values"}"#)
    );
    let mut bare = request("GET", "/v1/models", "");
    bare.headers_mut().remove("authorization");
    let got = Got::from(served.send(bare).await.unwrap()).await;
    assert_eq!((got.status, got.text()), (StatusCode::UNAUTHORIZED, r#"{"detail":"Unauthorized"}"#));
    let got = served.chat(&ask(json!({"model": "gpt"}))).await;
    let expected = r#"{"object":"error","message":"Invalid model: gpt","type":"invalid_model","param":null,"code":"1500","raw_status_code":400}"#;
    assert_eq!((got.status, got.text()), (StatusCode::BAD_REQUEST, expected));
    assert_eq!(served.chat(&ask(json!({"model": "mistral-embed"}))).await.status, 400);
    let got = served.chat(&ask(json!({"max_completion_tokens": 8192}))).await;
    assert_eq!(got.status, 422);
    assert_eq!(
        got.json()["message"]["detail"],
        json!([{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"],
            "msg": "Extra inputs are not permitted", "input": 8192}])
    );
    let body = json!({"model": "mistral-embed", "input": "x", "user": "y"});
    let got = served.post("/v1/embeddings", &body).await.json();
    assert_eq!(got["message"]["detail"][0]["loc"], json!(["body", "EmbeddingRequest", "user"]));
    let got =
        served.chat(&ask(json!({"messages": [{"role": "user", "content": "a ".repeat(10_001)}]}))).await;
    assert_eq!((got.status, got.json()["code"].clone()), (StatusCode::BAD_REQUEST, json!("3051")));
    let body = json!({"model": "mistral-embed", "input": vec![""; 2049]});
    assert_eq!(served.post("/v1/embeddings", &body).await.json()["code"], "3210");
    for bad in [json!([]), json!({}), ask(json!({"stream": "maybe"})), ask(json!({"max_tokens": -1}))] {
        assert_eq!(served.chat(&bad).await.status, 422, "{bad}");
    }
    let got = served.send(request("POST", "/v1/chat/completions", "{")).await.unwrap();
    assert_eq!(got.status(), 422);
}

#[tokio::test]
async fn the_seed_makes_the_answer() {
    let (one, same, other) = (serve(config(1)).await, serve(config(1)).await, serve(config(2)).await);
    for body in [ask(json!({})), ask(json!({"stream": true, "n": 2}))] {
        let answer = one.chat(&body).await.body;
        assert_eq!(answer, same.chat(&body).await.body);
        assert_ne!(answer, other.chat(&body).await.body);
    }
    let again = one.chat(&ask(json!({}))).await.json();
    let before = same.chat(&ask(json!({"random_seed": 5}))).await.json();
    assert_ne!(content(&again), content(&before));
}

#[tokio::test]
async fn reads_as_leniently_as_upstream() {
    let served = serve(config(1)).await;
    let body = r#"{"model":"nope","stream":false,"messages":[{"role":"user","content":"a"}],"max_tokens":"3","stream":"yes","model":"mistral-small-2603"}"#;
    let got = Got::from(served.send(request("POST", "/v1/chat/completions", body)).await.unwrap()).await;
    assert_eq!(usage(got.events().last().unwrap()).1, 3);
    let entry = &served.simulator.ledger()[0];
    assert_eq!((entry.model.as_deref(), entry.stream), (Some("mistral-small-2603"), true));
}
