//! Texts that are spoken: every character is charged, whatever upstream tells.

use crate::calls::{budgeted, cost, spent};
use louver_proving::client::{open, request};
use louver_proving::system::System;
use louver_simulator::Fault;
use serde_json::{Value, json};

const PATH: &str = "/v1/audio/speech";

fn speech(input: &str) -> Value {
    json!({"model": "voxtral-mini-tts-latest", "input": input, "response_format": "mp3"})
}

#[tokio::test]
async fn c15_characters_are_charged_as_the_simulator_bills_them() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    for (input, stream) in [("Hello", false), ("Grüße, 世界 🌍", false), ("Hello again", true)] {
        let mut body = speech(input);
        body["stream"] = json!(stream);
        let answer = system.post(&key, PATH, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.text().contains("speech.audio.done"), stream);
    }
    // 16 dollars for a million characters.
    assert_eq!(spent(&system).await, (5 + 11 + 11) * 16_000);
    assert_eq!(spent(&system).await, cost(&system));
}

#[tokio::test]
async fn c5_c6_c7_a_text_that_was_taken_is_charged_and_one_that_was_refused_is_not() {
    let system = System::start().await;
    let key = budgeted(&system, 10).await;
    system.simulator.script(Fault::Status { status: 422, retry_after: None, body: None });
    assert_eq!(system.post(&key, PATH, &speech("Hello")).await.status, 422);
    assert_eq!(spent(&system).await, 0);
    let mut body = speech("Hello");
    body["stream"] = json!(true);
    body["metadata"] = json!({"simulator": {"fault": "reset_after", "after": 1}});
    let call = request("POST", PATH, &key, Some(body.to_string().as_bytes()));
    let mut answer = open(system.address, call).await;
    while let Some(Ok(_)) = http_body_util::BodyExt::frame(answer.body_mut()).await {}
    assert_eq!(spent(&system).await, 5 * 16_000);
}

#[tokio::test]
async fn c15_a_text_that_the_budget_cannot_pay_is_not_sent() {
    let system = System::start().await;
    let key = budgeted(&system, 1).await;
    let answer = system.post(&key, PATH, &speech(&"a".repeat(62_501))).await;
    assert_eq!(answer.verdict(), (429, "budget_exhausted".into()));
    assert_eq!(system.simulator.calls(), 0);
    assert_eq!(system.post(&key, PATH, &speech(&"a".repeat(62_500))).await.status, 200);
    assert_eq!(spent(&system).await, 1_000_000_000);
}

#[tokio::test]
async fn a5_a9_c3_the_body_is_read_strictly_though_upstream_lets_more_pass() {
    let system = System::start().await;
    let (key, _) = system.key(json!({})).await;
    let with = |name: &str, value: Value| {
        let mut body = speech("Hello");
        body[name] = value;
        body
    };
    for body in [
        json!({"input": "Hello"}),
        with("model", Value::Null),
        with("model", json!("")),
        with("model", json!(["voxtral-mini-tts-latest"])),
        with("route", json!("x")),
        with("fallback_models", json!(["x"])),
        with("conversation_history", json!([])),
        with("stream", json!("true")),
        with("input", json!(["Hello"])),
        with("input", Value::Null),
        with("response_format", json!("ogg")),
        with("ref_audio", json!("http://example.com/a.wav")),
        with("ref_audio", json!({"file_id": "x"})),
    ] {
        assert_eq!(system.post(&key, PATH, &body).await.verdict(), (422, "invalid_request".into()), "{body}");
    }
    let voice = system.post(&key, PATH, &with("voice_id", json!("somebody"))).await;
    assert_eq!(voice.verdict(), (404, "not_found".into()), "voices have no owner here");
    assert_eq!(system.simulator.calls(), 0);
    assert_eq!(system.post(&key, PATH, &with("ref_audio", json!("UklGRg=="))).await.status, 200);
}
