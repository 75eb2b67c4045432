//! Moderation and classification, of texts and of chats.

use super::*;
use crate::{Billed, count_tokens};

#[tokio::test]
async fn texts_are_moderated() {
    let served = booking().await;
    let body = json!({"model": "mistral-moderation-2603", "input": ["be calm", "so be it all"]});
    let answer = served.post("/v1/moderations", &body).await.json();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_ne!(results[0], results[1]);
    for (name, score) in results[0]["category_scores"].as_object().unwrap() {
        assert!((0.0..=1.0).contains(&score.as_f64().unwrap()));
        assert!(results[0]["categories"][name].is_boolean());
    }
    let tokens = count_tokens("be calm") + count_tokens("so be it all");
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens, "request_count": 2,
            "prompt_token_details": {"cached_tokens": 0}})
    );
    let (account, totals) = served.booked("mistral-moderation-2603").await;
    assert_eq!((account.endpoint, account.priority, account.batch), (Endpoint::Moderations, false, false));
    assert_eq!(
        (totals.calls, totals.billed, totals.worked),
        (1, Billed::new(tokens, 0), Billed::new(tokens, 0))
    );
    let one = json!({"model": "mistral-moderation-2603", "input": "be calm"});
    assert_eq!(served.post("/v1/moderations", &one).await.json()["results"][0], results[0]);
}

#[tokio::test]
async fn chats_are_moderated_and_classified() {
    let served = booking().await;
    let chat = json!([{"role": "user", "content": "so be it"}, {"role": "assistant", "content": "yes"}]);
    for (input, results) in [(chat.clone(), 1), (json!([chat, chat]), 2)] {
        let body = json!({"model": "mistral-moderation-2603", "input": input});
        let answer = served.post("/v1/chat/moderations", &body).await.json();
        assert_eq!(answer["results"].as_array().unwrap().len(), results);
        assert_eq!(answer["usage"]["total_tokens"], results * 4);
    }
    for (path, input) in [
        ("/v1/classifications", json!("so be it")),
        ("/v1/chat/classifications", json!({"messages": chat})),
        ("/v1/chat/classifications", json!([{"messages": chat}])),
    ] {
        let answer = served.post(path, &json!({"model": "mood", "input": input})).await.json();
        assert!(answer["results"][0]["simulated_mood"]["scores"]["calm"].is_number(), "{answer}");
    }
    guarded(served.simulator.idle()).await;
    let endpoints: Vec<Endpoint> =
        served.simulator.books().into_keys().map(|account| account.endpoint).collect();
    assert_eq!(
        endpoints,
        [Endpoint::ChatModerations, Endpoint::Classifications, Endpoint::ChatClassifications]
    );
}

#[tokio::test]
async fn wrong_inputs_are_refused() {
    let served = serve(config(1)).await;
    for (path, input) in [
        ("/v1/moderations", json!(5)),
        ("/v1/moderations", json!(["a", 5])),
        ("/v1/chat/moderations", json!("text")),
        ("/v1/chat/moderations", json!([{"role": "king", "content": "a"}])),
        ("/v1/chat/classifications", json!({})),
    ] {
        let model = if path.ends_with("moderations") { "mistral-moderation-2603" } else { "mood" };
        let got = served.post(path, &json!({"model": model, "input": input})).await;
        assert_eq!(got.status, 422, "{path} {input}");
        assert_eq!(got.json()["message"]["detail"][0]["loc"], json!(["body", "input"]));
    }
    let got = served.post("/v1/moderations", &json!({"model": "mood", "input": "a"})).await;
    assert_eq!((got.status, &got.json()["code"]), (StatusCode::BAD_REQUEST, &json!("1500")));
    let got = served.post("/v1/moderations", &json!({"model": "mood", "input": "a", "x": 1})).await;
    assert_eq!(got.json()["message"]["detail"][0]["type"], "extra_forbidden");
}
