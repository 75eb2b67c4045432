//! Every fault, scripted or asked for by the request.

use super::*;
use crate::{Billed, End, Fault, Rule};

const PROMPT: u64 = 11;

#[tokio::test]
async fn status_with_retry_after_and_body() {
    let served = serve(config(1)).await;
    let got = served.chat(&steered(true, json!({"fault": "status", "status": 429, "retry_after": 7}))).await;
    assert_eq!((got.status, got.json()["code"].clone()), (StatusCode::TOO_MANY_REQUESTS, json!("1300")));
    assert_eq!(got.headers["retry-after"], "7");
    served.simulator.script(Fault::Status { status: 503, retry_after: None, body: Some(json!("<html>")) });
    let got = served.get("/v1/models").await;
    assert_eq!((got.status, got.text()), (StatusCode::SERVICE_UNAVAILABLE, "<html>"));
    assert_eq!(served.get("/v1/models").await.status, 200);
    assert!(served.simulator.ledger().iter().all(|entry| entry.billed == Billed::default()));
}

#[tokio::test]
async fn rules_wait_for_their_calls() {
    let served = serve(config(1)).await;
    let fault = |status| Fault::Status { status, retry_after: None, body: None };
    served.simulator.script(Rule::new(fault(500)).at(Endpoint::Embeddings));
    served.simulator.script(Rule::new(fault(503)).model("codestral-2404").times(2));
    assert_eq!(served.chat(&ask(json!({}))).await.status, 200);
    for status in [503, 503, 200] {
        assert_eq!(served.chat(&ask(json!({"model": "codestral-2404"}))).await.status, status);
    }
    assert_eq!(served.post("/v1/embeddings", &json!({})).await.status, 500);
    served.simulator.script(Rule::new(fault(502)).always());
    for _ in 0..3 {
        assert_eq!(served.chat(&ask(json!({}))).await.status, 502);
    }
    served.simulator.clear();
    assert_eq!(served.chat(&ask(json!({}))).await.status, 200);
}

#[tokio::test]
async fn misunderstood_directions_are_refused() {
    let served = serve(config(1)).await;
    for bad in
        [json!({"fault": "nope"}), json!({"fault": "delay"}), json!({"chunks": "x"}), json!(5), json!("x")]
    {
        let got = served.chat(&steered(false, bad.clone())).await;
        assert_eq!(
            (got.status, &got.json()["type"]),
            (StatusCode::BAD_REQUEST, &json!("simulator_directions")),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn delay_and_pace_still_answer() {
    let served = serve(config(1)).await;
    assert_eq!(served.chat(&steered(false, json!({"fault": "delay", "ms": 2}))).await.status, 200);
    let got = served.chat(&steered(true, json!({"pace_ms": 1, "chunks": 4, "tokens": 8}))).await;
    assert_eq!(got.events().len(), 6);
}

#[tokio::test]
async fn hang_never_answers() {
    let served = serve(config(1)).await;
    let socket = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
    let (mut sender, connection) = conn::http1::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let body = steered(false, json!({"fault": "hang"})).to_string();
    let pending = tokio::spawn(sender.send_request(request("POST", "/v1/chat/completions", body)));
    guarded(served.simulator.reached(1)).await;
    let entry = &served.simulator.ledger()[0];
    assert_eq!((entry.status, entry.end), (None, End::Open));
    assert!(!pending.is_finished());
    connection.abort();
    guarded(served.simulator.idle()).await;
    let entry = &served.simulator.ledger()[0];
    assert_eq!((entry.status, entry.end, entry.bytes_started), (None, End::Cut, false));
    assert_eq!(entry.billed, Billed::default());
}

#[tokio::test]
async fn hang_after_bills_what_was_generated() {
    let served = serve(config(1)).await;
    let body = steered(true, json!({"fault": "hang_after", "after": 4, "pace_ms": 1})).to_string();
    let mut response = served.send(request("POST", "/v1/chat/completions", body)).await.unwrap();
    let mut text = String::new();
    while text.matches("\n\n").count() < 4 {
        let frame = guarded(response.frame()).await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    assert_eq!(parse(&text).len(), 4);
    assert_eq!(served.simulator.ledger()[0].end, End::Open);
    drop(response);
    guarded(served.simulator.idle()).await;
    let entry = &served.simulator.ledger()[0];
    assert_eq!((entry.end, entry.bytes_started), (End::Cut, true));
    assert_eq!(entry.billed, Billed::new(PROMPT, 3));
}

#[tokio::test]
async fn reset_after_cuts_the_connection() {
    let served = serve(config(1)).await;
    for (after, events) in [(0, 0), (1, 1), (5, 5)] {
        let body = steered(true, json!({"fault": "reset_after", "after": after}));
        let response = served.send(request("POST", "/v1/chat/completions", body.to_string())).await.unwrap();
        let (text, proper) = until_cut(response).await;
        assert_eq!((parse(&text).len(), proper), (events, false));
        let (text, proper) = until_cut(served.send_2("/v1/chat/completions", &body).await.unwrap()).await;
        assert_eq!((parse(&text).len(), proper), (events, false));
    }
    guarded(served.simulator.idle()).await;
    let last = served.simulator.ledger().pop().unwrap();
    assert_eq!((last.end, last.billed.completion, last.status), (End::Broken, 4, Some(200)));
}

#[tokio::test]
async fn a_whole_answer_is_cut_in_the_middle() {
    let served = serve(config(1)).await;
    for (fault, after) in [("reset_after", 0), ("reset_after", 1), ("end_after", 1)] {
        let body = steered(false, json!({"fault": fault, "after": after})).to_string();
        let response = served.send(request("POST", "/v1/chat/completions", body)).await.unwrap();
        let promised: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let (text, proper) = until_cut(response).await;
        assert_eq!((text.len(), proper), (promised / 2 * after, false));
    }
}

#[tokio::test]
async fn end_after_ends_as_if_all_were_said() {
    let served = serve(config(1)).await;
    for after in [0, 6] {
        let body = steered(true, json!({"fault": "end_after", "after": after})).to_string();
        let response = served.send(request("POST", "/v1/chat/completions", body)).await.unwrap();
        let (text, proper) = until_cut(response).await;
        assert_eq!((parse(&text).len(), proper), (after, true));
    }
    guarded(served.simulator.idle()).await;
    assert!(served.simulator.ledger().iter().all(|entry| entry.end == End::Broken));
}

#[tokio::test]
async fn usage_is_missing_wrong_or_doubled() {
    let served = serve(config(1)).await;
    let none = json!({"fault": "no_usage"});
    assert!(served.chat(&steered(false, none.clone())).await.json().get("usage").is_none());
    let events = served.chat(&steered(true, none)).await.events();
    assert!(events.iter().all(|event| event.get("usage").is_none()));

    let wrong = json!({"fault": "wrong_usage", "prompt": -5, "completion": 9_000_000_000_i64, "total": 0});
    let whole = served.chat(&steered(false, wrong.clone())).await.json();
    assert_eq!(whole["usage"]["prompt_tokens"], -5);
    assert_eq!(whole["usage"]["completion_tokens"], 9_000_000_000_i64);
    let events = served.chat(&steered(true, wrong)).await.events();
    assert_eq!(events.last().unwrap()["usage"], whole["usage"]);
    assert_eq!(served.simulator.ledger().last().unwrap().billed.prompt, PROMPT);

    let two = json!({"fault": "two_usages", "tokens": 40});
    let whole = served.chat(&steered(false, two.clone())).await;
    assert_eq!(whole.text().matches(r#""usage":{"#).count(), 2);
    assert_eq!(whole.json()["usage"]["completion_tokens"], 40);
    let events = served.chat(&steered(true, two)).await.events();
    let said = events.iter().filter_map(|event| event["usage"]["completion_tokens"].as_u64());
    assert_eq!(said.collect::<Vec<_>>(), [20, 40]);
}

#[tokio::test]
async fn garbage_is_neither_json_nor_events() {
    let served = serve(config(1)).await;
    for (stream, media) in [(false, "application/json"), (true, "text/event-stream; charset=utf-8")] {
        let got = served.chat(&steered(stream, json!({"fault": "garbage"}))).await;
        assert_eq!((got.status, &got.headers["content-type"]), (StatusCode::OK, &media.parse().unwrap()));
        assert!(serde_json::from_slice::<Value>(&got.body).is_err());
        assert!(std::str::from_utf8(&got.body).is_err());
    }
}

#[tokio::test]
async fn an_error_comes_as_an_event() {
    let served = serve(config(1)).await;
    let fault = json!({"fault": "error_in_stream", "after": 3});
    let got = served.chat(&steered(true, fault.clone())).await;
    let events = parse(got.text());
    assert_eq!((got.status, events.len()), (StatusCode::OK, 4));
    assert_eq!((&events[3]["object"], &events[3]["code"]), (&json!("error"), &json!("3000")));
    let got = served.chat(&steered(false, fault)).await;
    assert_eq!((got.status, &got.json()), (StatusCode::OK, &events[3]));
}

#[tokio::test]
async fn heads_are_odd() {
    let served = serve(config(1)).await;
    let got = served.chat(&steered(false, json!({"fault": "redirect", "location": "/v1/models"}))).await;
    assert_eq!(
        (got.status, &got.headers["location"]),
        (StatusCode::TEMPORARY_REDIRECT, &"/v1/models".parse().unwrap())
    );
    let got = served.chat(&steered(false, json!({"fault": "redirect"}))).await;
    assert!(got.headers["location"].to_str().unwrap().contains(".invalid/"));
    let got = served.chat(&steered(true, json!({"fault": "big_header", "bytes": 20_000}))).await;
    assert_eq!((got.status, got.headers["x-simulated-big"].len()), (StatusCode::OK, 20_000));
    let got = served.chat(&steered(false, json!({"fault": "set_cookie"}))).await;
    assert!(got.headers["set-cookie"].to_str().unwrap().starts_with("simulated=1"));
    assert_eq!(got.json()["object"], "chat.completion");
    let got = served.chat(&steered(false, json!({"fault": "echo_credential"}))).await;
    assert_eq!((got.status, got.text().contains("sk-upstream")), (StatusCode::UNAUTHORIZED, true));
}
