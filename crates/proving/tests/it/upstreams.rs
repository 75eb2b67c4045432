//! Upstream: its credentials, its failures, and that nothing of either leaks to a client.

use http_body_util::BodyExt;
use louver_proving::client::{open, request};
use louver_proving::system::{Setup, System, UPSTREAM_KEY, chat};
use louver_simulator::{Fault, Rule};
use serde_json::{Value, json};
use std::time::Duration;

async fn system() -> (System, String) {
    let system = System::start().await;
    let key = system.key(json!({})).await.0;
    (system, key)
}

fn status(status: u16) -> Fault {
    Fault::Status { status, retry_after: None, body: None }
}

#[tokio::test]
async fn upstreams_401_is_ours_to_solve_and_shows_nothing() {
    let (system, key) = system().await;
    system.simulator.script(Fault::EchoCredential);
    let answer = system.chat(&key, "mistral-small-latest").await;
    assert_eq!(answer.verdict(), (502, "upstream_credential_rejected".into()));
    assert!(!answer.text().contains(UPSTREAM_KEY));
}

#[tokio::test]
async fn upstreams_own_refusals_pass_with_their_body() {
    let (system, key) = system().await;
    let body = json!({"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "param": null, "code": "1300"});
    system.simulator.script(Fault::Status { status: 429, retry_after: Some(7), body: Some(body.clone()) });
    let answer = system.chat(&key, "mistral-small-latest").await;
    assert_eq!((answer.status.as_u16(), answer.json(), answer.header("retry-after")), (429, body, Some("7")));
    system.simulator.script(status(400));
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 400);
    system.simulator.script(status(503));
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 503);
}

#[tokio::test]
async fn redirects_cookies_and_big_headers_stop_here() {
    let (system, key) = system().await;
    system.simulator.script(Fault::Redirect { location: None });
    assert_eq!(system.chat(&key, "mistral-small-latest").await.verdict(), (502, "upstream_error".into()));
    assert_eq!(system.simulator.calls(), 1, "not followed");
    system.simulator.script(Fault::SetCookie);
    let answer = system.chat(&key, "mistral-small-latest").await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (200, None));
    system.simulator.script(Fault::BigHeader { bytes: 10_000 });
    let answer = system.chat(&key, "mistral-small-latest").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-simulated-big")), (200, None));
}

#[tokio::test]
async fn a_hanging_or_dead_upstream_is_504_or_502() {
    let setup = Setup {
        change: Some(|config| config.timeouts.first_byte = Duration::from_millis(200)),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    let (key, _) = system.key(json!({})).await;
    system.simulator.script(Fault::Hang);
    assert_eq!(system.chat(&key, "mistral-small-latest").await.verdict(), (504, "upstream_timeout".into()));
    let setup = Setup {
        change: Some(|config| config.upstream_url = "http://127.0.0.1:1".into()),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    let (key, _) = system.key(json!({})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.verdict(), (502, "upstream_error".into()));
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_and_never_ends_as_if_done() {
    let (system, key) = system().await;
    let mut body = chat("mistral-small-latest");
    body["stream"] = json!(true);
    for fault in [Fault::ResetAfter { after: 5 }, Fault::HangAfter { after: 5 }] {
        let setup = Setup {
            change: Some(|config| config.timeouts.idle = Duration::from_millis(100)),
            ..Setup::default()
        };
        let system = System::with(setup).await;
        let (key, _) = system.key(json!({})).await;
        system.simulator.script(fault);
        let call = request("POST", "/v1/chat/completions", &key, Some(body.to_string().as_bytes()));
        let mut answer = open(system.address, call).await;
        let (mut text, mut broke) = (String::new(), false);
        while let Some(frame) = answer.body_mut().frame().await {
            match frame {
                Ok(frame) => text.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap())),
                Err(_) => {
                    broke = true;
                    break;
                }
            }
        }
        assert!(broke, "the connection is cut");
        assert!(!text.contains("[DONE]"), "{text}");
        let last = text.trim_end().rsplit("data: ").next().unwrap();
        let event: Value = serde_json::from_str(last).unwrap();
        assert_eq!(
            (&event["type"], &event["error"]["type"]),
            (&json!("upstream_error"), &json!("upstream_error"))
        );
    }
    system.simulator.script(Fault::ErrorInStream { after: 3 });
    let call = request("POST", "/v1/chat/completions", &key, Some(body.to_string().as_bytes()));
    let answer = open(system.address, call).await;
    let text = String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert!(text.contains("\"object\":\"error\""), "upstream's own error event passes: {text}");
}

#[tokio::test]
async fn a_call_ends_after_its_total_time_even_while_pieces_come() {
    let setup = Setup {
        change: Some(|config| config.timeouts.total = Duration::from_millis(200)),
        ..Setup::default()
    };
    let system = System::with(setup).await;
    let (key, _) = system.key(json!({})).await;
    let mut body = chat("mistral-small-latest");
    body["stream"] = json!(true);
    body["metadata"] = json!({"simulator": {"chunks": 1000, "pace_ms": 20}});
    let call = request("POST", "/v1/chat/completions", &key, Some(body.to_string().as_bytes()));
    let mut answer = open(system.address, call).await;
    let mut text = String::new();
    while let Some(Ok(frame)) = answer.body_mut().frame().await {
        text.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap()));
    }
    assert!(text.contains("chat.completion.chunk") && text.contains("upstream_error"), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn unknown_absurd_and_double_usage_is_estimated_never_zero() {
    for fault in [
        Fault::NoUsage,
        Fault::WrongUsage { prompt: -5, completion: 7, total: 2 },
        Fault::WrongUsage { prompt: 1, completion: 9_000_000_000, total: 1 },
        Fault::TwoUsages,
        Fault::Garbage,
    ] {
        for stream in [false, true] {
            let (mut system, key) = system().await;
            system.simulator.script(fault.clone());
            let mut body = chat("mistral-small-latest");
            body["stream"] = json!(stream);
            system.post(&key, "/v1/chat/completions", &body).await;
            system.stop().await;
            let node = system.second_node().await;
            let answer = louver_proving::client::send(
                node.address,
                request("GET", "/v1/gateway/usage", &system.admin_key, None),
            )
            .await;
            let sums: Value = answer.json()["data"][0].clone();
            assert_eq!(
                (sums["requests"].as_u64(), sums["estimated_requests"].as_u64()),
                (Some(1), Some(1)),
                "{fault:?} {stream}: {sums}"
            );
            assert!(
                sums["output_tokens"].as_u64().unwrap() >= 1 && sums["input_tokens"].as_u64().unwrap() >= 1,
                "{fault:?} {stream}"
            );
        }
    }
}

#[tokio::test]
async fn stored_credentials_are_used_spread_and_set_aside() {
    let (system, key) = system().await;
    for name in ["first", "second"] {
        let body = json!({"name": name, "key": format!("{name}-upstream-secret")});
        let made = system.deed("POST", "/v1/gateway/upstreams", body).await;
        assert!(!made.to_string().contains("upstream-secret"), "{made}");
    }
    let bearer = || system.simulator.ledger().last().unwrap().bearer.clone().unwrap();
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    let taken = bearer();
    assert!(taken.ends_with("-upstream-secret"), "stored ones come before the settings'");
    system.simulator.script(status(503));
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 503);
    let failed = bearer();
    for _ in 0..4 {
        assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
        assert_ne!(bearer(), failed, "it rests");
    }
    system.clock.advance(6);
    let own = json!({"name": "own", "key": "workspace-upstream-secret", "workspace_id": system.workspace});
    let own = system.deed("POST", "/v1/gateway/upstreams", own).await["id"].as_str().unwrap().to_owned();
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    assert_eq!(bearer(), "workspace-upstream-secret", "a workspace's own comes first");
    system.deed("PATCH", &format!("/v1/gateway/upstreams/{own}"), json!({"enabled": false})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    assert_ne!(bearer(), "workspace-upstream-secret");
    let list = system.admin("GET", "/v1/gateway/upstreams", None).await.text();
    assert!(!list.contains("upstream-secret"), "{list}");
}

#[tokio::test]
async fn calls_at_once_spread_over_the_credentials() {
    let (system, key) = system().await;
    for name in ["first", "second"] {
        system
            .deed(
                "POST",
                "/v1/gateway/upstreams",
                json!({"name": name, "key": format!("{name}-upstream-secret")}),
            )
            .await;
    }
    system.simulator.script(Rule::new(Fault::Hang).times(2));
    let body = chat("mistral-small-latest").to_string();
    let call = || {
        let (address, request) =
            (system.address, request("POST", "/v1/chat/completions", &key, Some(body.as_bytes())));
        tokio::spawn(async move { open(address, request).await })
    };
    let first = call();
    system.simulator.reached(1).await;
    let second = call();
    system.simulator.reached(2).await;
    let ledger = system.simulator.ledger();
    assert_ne!(ledger[0].bearer, ledger[1].bearer, "the one with the least calls in flight");
    first.abort();
    second.abort();
}
