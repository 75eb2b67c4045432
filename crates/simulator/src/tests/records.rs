//! What the ledger keeps, and how a simulator is served.

use super::*;
use crate::{Billed, End};

#[tokio::test]
async fn an_entry_is_the_request_as_it_was_seen() {
    let served = serve(config(1)).await;
    let raw =
        r#"{ "messages":[{"role":"user","content":"a b"}], "model":"mistral-small-2603", "max_tokens": 2 }"#;
    let mut sent = request("POST", "/v1/chat/completions?trace=%20x", raw);
    sent.headers_mut().append("x-one", "1".parse().unwrap());
    sent.headers_mut().append("x-one", "2".parse().unwrap());
    Got::from(served.send(sent).await.unwrap()).await;
    guarded(served.simulator.idle()).await;
    let ledger = served.simulator.ledger();
    assert_eq!((ledger.len(), served.simulator.calls()), (1, 1));
    let entry = &ledger[0];
    assert_eq!((entry.number, entry.method.as_str()), (1, "POST"));
    assert_eq!(entry.target, "/v1/chat/completions?trace=%20x");
    assert_eq!(entry.body, raw);
    let names: Vec<_> = entry.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["host", "authorization", "content-type", "x-one", "x-one", "content-length"]);
    assert_eq!(entry.header("x-one"), Some("1"));
    assert_eq!(entry.bearer.as_deref(), Some("sk-upstream"));
    assert_eq!((entry.endpoint, entry.version), (Endpoint::Chat, http::Version::HTTP_11));
    assert_eq!(entry.model.as_deref(), Some("mistral-small-2603"));
    assert_eq!(
        (entry.stream, entry.status, entry.bytes_started, entry.end),
        (false, Some(200), true, End::Whole)
    );
    assert_eq!(entry.billed, Billed::new(2, 2));
    assert!(!format!("{entry:?}").contains("sk-upstream"));
}

#[tokio::test]
async fn a_finished_stream_is_billed_as_reported() {
    let served = serve(config(1)).await;
    let events = served.chat(&ask(json!({"stream": true}))).await.events();
    let usage = events.last().unwrap()["usage"].clone();
    guarded(served.simulator.idle()).await;
    let entry = served.simulator.ledger().pop().unwrap();
    assert_eq!(usage["total_tokens"], entry.billed.total);
    assert_eq!(usage["completion_tokens"], entry.billed.completion);
    assert_eq!((entry.stream, entry.end), (true, End::Whole));
}

#[tokio::test]
async fn refused_calls_are_kept_and_clear_forgets() {
    let served = serve(config(1)).await;
    served.get("/elsewhere").await;
    served.get("/v1/models/mistral-embed").await;
    guarded(served.simulator.idle()).await;
    let ledger = served.simulator.ledger();
    assert_eq!((ledger[0].endpoint, ledger[0].status), (Endpoint::Other, Some(404)));
    assert_eq!((ledger[1].endpoint, ledger[1].model.as_deref()), (Endpoint::Model, Some("mistral-embed")));
    served.simulator.clear();
    assert_eq!((served.simulator.ledger().len(), served.simulator.calls()), (0, 0));
}

#[tokio::test]
async fn a_silent_ledger_still_counts() {
    let served = serve(Config { record: false, ..config(1) }).await;
    served.chat(&ask(json!({}))).await;
    assert_eq!((served.simulator.ledger().len(), served.simulator.calls()), (0, 1));
}

#[tokio::test]
async fn connections_are_kept_and_http_2_is_spoken() {
    let served = serve(config(1)).await;
    let socket = TokioIo::new(TcpStream::connect(served.address).await.unwrap());
    let (mut sender, connection) = conn::http1::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    for stream in [true, false, true] {
        guarded(sender.ready()).await.unwrap();
        let sent = request("POST", "/v1/chat/completions", ask(json!({"stream": stream})).to_string());
        assert_eq!(Got::from(guarded(sender.send_request(sent)).await.unwrap()).await.status, 200);
    }
    let got =
        Got::from(served.send_2("/v1/chat/completions", &ask(json!({"stream": true}))).await.unwrap()).await;
    assert_eq!(got.events().last().unwrap()["choices"][0]["finish_reason"], "stop");
    let entry = served.simulator.ledger().pop().unwrap();
    assert_eq!((entry.version, entry.target.as_str()), (http::Version::HTTP_2, "/v1/chat/completions"));
}

#[tokio::test]
async fn shutdown_cuts_calls_under_way() {
    let served = serve(config(1)).await;
    let simulator = served.simulator.clone();
    let body = steered(true, json!({"fault": "hang_after", "after": 1}));
    let one = served.send(request("POST", "/v1/chat/completions", body.to_string())).await.unwrap();
    let two = served.send_2("/v1/chat/completions", &body).await.unwrap();
    drop(served);
    assert!(!until_cut(one).await.1);
    assert!(!until_cut(two).await.1);
    guarded(simulator.idle()).await;
    assert!(simulator.ledger().iter().all(|entry| entry.end == End::Cut));
}

#[tokio::test]
async fn the_books_keep_what_was_billed_apart_by_account() {
    let served = serve(Config { record: false, books: true, ..config(1) }).await;
    let directed = |account: &str, more: Value| {
        let mut directions = json!({"account": account, "tokens": 20});
        directions.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        directions
    };
    for (stream, more) in [
        (false, json!({})),
        (true, json!({"fault": "reset_after", "after": 8})),
        (false, json!({"fault": "garbage"})),
        (false, json!({"fault": "status", "status": 500})),
    ] {
        let body = steered(stream, directed("a", more)).to_string();
        let mut answer = served.send(request("POST", "/v1/chat/completions", body)).await.unwrap();
        while guarded(answer.frame()).await.is_some_and(|frame| frame.is_ok()) {}
    }
    served.chat(&steered(false, directed("b", json!({})))).await;
    let hung = steered(false, directed("b", json!({"fault": "hang"}))).to_string();
    let mut hung = std::pin::pin!(served.send(request("POST", "/v1/chat/completions", hung)));
    let received = async {
        while served.simulator.books().values().map(|totals| totals.calls).sum::<u64>() < 6 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = &mut hung => panic!("a call that hangs was answered"),
        () = guarded(received) => {}
    }
    let books = served.simulator.books();
    let prompt = 11;
    let totals = |name: &str| {
        let (account, totals) = books.iter().find(|(a, _)| a.name.as_deref() == Some(name)).unwrap();
        assert_eq!(account.bearer.as_deref(), Some("sk-upstream"));
        assert_eq!(account.model.as_deref(), Some("mistral-small-latest"));
        *totals
    };
    let a = totals("a");
    assert_eq!((a.calls, a.billed), (4, Billed::new(2 * prompt, 20 + 7)), "as far as it was delivered");
    assert_eq!(a.worked, Billed::new(3 * prompt, 3 * 20), "all but the refusal");
    let b = totals("b");
    assert_eq!((b.calls, b.billed, b.worked), (2, Billed::new(prompt, 20), Billed::new(2 * prompt, 40)));
    served.simulator.clear();
    assert!(served.simulator.books().is_empty());
}
