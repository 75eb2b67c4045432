//! What makes a chat cost more or less than its tokens: cache, tiers, audio, built-in tools, guardrails.

use super::*;
use crate::{Billed, ToolCalls};

fn cached(answer: &Value) -> u64 {
    answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap()
}

fn keyed(key: &str, words: usize, last: &str) -> Value {
    ask(json!({"prompt_cache_key": key, "messages": [
        {"role": "system", "content": "word ".repeat(words)}, {"role": "user", "content": last}]}))
}

#[tokio::test]
async fn the_same_beginning_is_cached() {
    let served = booking().await;
    let chat = |body: Value| {
        let served = &served;
        async move { cached(&served.chat(&body).await.json()) }
    };
    assert_eq!(chat(keyed("k", 200, "one")).await, 0);
    assert_eq!(chat(keyed("k", 200, "two")).await, 192);
    assert_eq!(chat(keyed("k", 128, "")).await, 128);
    assert_eq!(chat(keyed("other", 200, "one")).await, 0);
    assert_eq!(chat(keyed("k", 63, "word")).await, 0, "another role begins in the block");
    assert_eq!(chat(ask(json!({"messages": [{"role": "system", "content": "word ".repeat(200)}]}))).await, 0);
    let mut foreign = request("POST", "/v1/chat/completions", keyed("k", 200, "one").to_string());
    foreign.headers_mut().insert("authorization", "Bearer sk-other".parse().unwrap());
    assert_eq!(cached(&Got::from(served.send(foreign).await.unwrap()).await.json()), 0);
    let mut streamed = keyed("k", 200, "two");
    streamed["stream"] = json!(true);
    let events = served.chat(&streamed).await.events();
    assert_eq!(cached(events.last().unwrap()), 192);
    guarded(served.simulator.idle()).await;
    assert_eq!(served.simulator.ledger().pop().unwrap().billed.cached, 192);
    let books = served.simulator.books();
    let own: Vec<_> =
        books.iter().filter(|(account, _)| account.bearer.as_deref() == Some("sk-upstream")).collect();
    assert_eq!((own.len(), own[0].1.billed.cached), (1, 192 + 128 + 192));
    served.simulator.clear();
    assert_eq!(chat(keyed("k", 200, "one")).await, 0);
    let fim =
        json!({"model": "codestral-2404", "prompt": "a ".repeat(64), "suffix": "b", "prompt_cache_key": "k"});
    for expected in [0, 64] {
        assert_eq!(cached(&served.post("/v1/fim/completions", &fim).await.json()), expected);
    }
}

#[tokio::test]
async fn cached_tokens_that_are_steered_are_billed_so() {
    let served = serve(config(1)).await;
    let body = ask(json!({"metadata": {"simulator": {"cached_tokens": 70}},
        "messages": [{"role": "user", "content": "word ".repeat(100)}]}));
    assert_eq!(cached(&served.chat(&body).await.json()), 64);
    assert_eq!(served.last().await.billed.cached, 64);
}

#[tokio::test]
async fn the_priority_tier_is_told_and_booked_apart() {
    let served = booking().await;
    let tier = |more: Value| {
        let served = &served;
        async move { served.chat(&ask(more)).await.json()["usage"]["service_tier"].clone() }
    };
    assert_eq!(tier(json!({})).await, Value::Null);
    assert_eq!(tier(json!({"service_tier": null})).await, Value::Null);
    assert_eq!(tier(json!({"service_tier": "standard_only"})).await, "standard");
    assert_eq!(tier(json!({"service_tier": "auto"})).await, "priority");
    let busy = json!({"service_tier": "auto", "metadata": {"simulator": {"priority": false}}});
    assert_eq!(tier(busy).await, "standard");
    let events = served.chat(&ask(json!({"service_tier": "auto", "stream": true}))).await.events();
    assert_eq!(events.last().unwrap()["usage"]["service_tier"], "priority");
    let embed = json!({"model": "mistral-embed", "input": "a", "service_tier": "auto"});
    assert_eq!(served.post("/v1/embeddings", &embed).await.json()["usage"]["service_tier"], "priority");
    assert_eq!(served.chat(&ask(json!({"service_tier": "fast"}))).await.status, 422);
    guarded(served.simulator.idle()).await;
    let books = served.simulator.books();
    let calls = |priority| {
        let chats = books.iter().filter(|(account, _)| account.endpoint == Endpoint::Chat);
        let of_tier = chats.filter(|(account, _)| account.priority == priority);
        of_tier
            .map(|(account, totals)| {
                assert_eq!(totals.billed.priority, account.priority);
                totals.calls
            })
            .sum::<u64>()
    };
    assert_eq!((calls(false), calls(true)), (5, 2));
}

#[tokio::test]
async fn audio_counts_beside_the_prompt() {
    let served = serve(config(1)).await;
    let chat = |audio: Value| {
        let content = json!([{"type": "text", "text": "so"}, {"type": "input_audio", "input_audio": audio}]);
        ask(json!({"messages": [{"role": "user", "content": content}], "max_tokens": 2}))
    };
    for (audio, tokens) in [
        (json!("https://a.test/x.mp3?seconds=30"), 375),
        (json!({"data": "AAAA", "format": "mp3"}), 13),
        (json!("data:audio/mp3;base64,AAAA"), 13),
    ] {
        let usage = served.chat(&chat(audio)).await.json()["usage"].clone();
        assert_eq!(
            usage,
            json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": tokens + 3,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": tokens}, "prompt_audio_seconds": 0})
        );
        let billed = served.last().await.billed;
        assert_eq!(billed, Billed::new(1, 2).with_audio(tokens));
        assert_eq!(billed.input(), tokens + 1);
    }
}

#[tokio::test]
async fn built_in_tools_are_called_and_billed() {
    let served = booking().await;
    let tools = json!([{"type": "web_search"}, {"type": "connector", "connector_id": "c"},
        {"type": "document_library", "library_ids": []}, {"type": "connector", "connector_id": "d"}]);
    let body = ask(json!({"tools": tools, "metadata": {"simulator": {"tool_calls": 3}}}));
    let usage = served.chat(&body).await.json()["usage"].clone();
    assert_eq!(usage["connectors"], json!({"web_search": 3, "document_library": 3, "connector": 6}));
    let number = |name: &str| usage[name].as_u64().unwrap();
    assert!(number("connector_tokens") >= 12 * 100);
    assert_eq!(
        number("total_tokens"),
        number("prompt_tokens") + number("completion_tokens") + number("connector_tokens")
    );
    let (_, totals) = served.booked("mistral-small-latest").await;
    assert_eq!(totals.billed.total, number("total_tokens"));
    assert_eq!(totals.billed.connector, number("connector_tokens"));
    assert_eq!((totals.billed.tool_calls.of("connector"), totals.billed.tool_calls.of("web_search")), (6, 3));
    let mut streamed = body;
    streamed["stream"] = json!(true);
    assert_eq!(served.chat(&streamed).await.events().last().unwrap()["usage"], usage);
    let plain =
        served.chat(&ask(json!({"tools": [{"type": "function", "function": {"name": "f"}}]}))).await.json();
    assert!(plain["usage"].get("connectors").is_none());
    assert_eq!(served.last().await.billed.tool_calls, ToolCalls::default());
}

#[tokio::test]
async fn guardrails_are_noted() {
    let served = serve(config(1)).await;
    let guardrails = json!([{"block_on_error": true, "moderation_llm_v2": {"model_name": "mistral-medium-3-5"}},
        {"moderation_llm_v1": {}, "moderation_llm_v2": null}]);
    assert_eq!(served.chat(&ask(json!({"guardrails": guardrails}))).await.status, 200);
    assert_eq!(served.last().await.guardrails, ["mistral-medium-3-5", "mistral-moderation-2411"]);
}
