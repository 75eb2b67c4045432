//! Deliveries to real receivers on loopback: signed, tried again by a hand-moved clock, given up, never led astray.

use super::{House, house_with};
use crate::delivery::targets::AllowedTargets;
use crate::delivery::{Outbound, deliver_due};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::LOCATION;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use louver_domain::alerts::Standing;
use louver_domain::time::{Clock, Timestamp};
use louver_store::alerts;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a receiver does with a message.
#[derive(Clone, Copy)]
enum Manner {
    Status(u16),
    Redirect,
    Hang,
    Endless,
    Unfinished,
    Close,
}

/// A receiver of webhooks: what it heard, and how it answers next.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Request<String>>>>,
    manner: Arc<Mutex<Manner>>,
}

impl Receiver {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
            manner: Arc::new(Mutex::new(Manner::Status(204))),
        };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (own, tls) = (own.clone(), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| own.clone().take(request));
                    let server = hyper::server::conn::http1::Builder::new();
                    match tls {
                        None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            // A client that does not believe us ends the handshake.
                            if let Ok(stream) = tls.accept(stream).await {
                                drop(server.serve_connection(TokioIo::new(stream), service).await);
                            }
                        }
                    }
                });
            }
        });
        receiver
    }

    async fn take(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<axum::body::Body>, Box<dyn std::error::Error + Send + Sync>> {
        let (head, body) = request.into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
        self.heard.lock().unwrap().push(Request::from_parts(head, body));
        let manner = *self.manner.lock().unwrap();
        let answer = Response::builder();
        Ok(match manner {
            Manner::Status(status) => answer.status(status).body("receiver-canary".into())?,
            Manner::Redirect => {
                let here = format!("http://{}/inside", self.address);
                answer.status(307).header(LOCATION, here).body(axum::body::Body::empty())?
            }
            Manner::Hang => std::future::pending().await,
            Manner::Endless => answer.status(200).body(axum::body::Body::new(Endless))?,
            Manner::Unfinished => {
                answer.status(200).header("content-length", "5").body(axum::body::Body::new(Never))?
            }
            Manner::Close => return Err("closed".into()),
        })
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    fn last(&self) -> Request<String> {
        self.heard.lock().unwrap().last().unwrap().clone()
    }
}

/// A body that ends when nobody takes any more.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(bytes::Bytes::from_static(&[b'x'; 8192])))))
    }
}

/// A body of which nothing ever comes.
struct Never;

impl hyper::body::Body for Never {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn allowing(entries: &[String]) -> Outbound {
    believing(entries, Outbound::default().tls)
}

fn believing(entries: &[String], tls: Arc<rustls::ClientConfig>) -> Outbound {
    Outbound::new(None, AllowedTargets::parse(entries).unwrap(), tls)
}

async fn channel(house: &House, fields: Value) -> String {
    let made = house.make("/v1/gateway/alert-channels", &fields.to_string()).await;
    made["id"].as_str().unwrap().to_owned()
}

/// A house with one webhook to one receiver.
async fn wired() -> (House, Receiver, String) {
    wired_by(|outbound| outbound).await
}

async fn wired_by(change: fn(Outbound) -> Outbound) -> (House, Receiver, String) {
    let receiver = Receiver::start(None).await;
    let house = house_with(change(allowing(&[receiver.address.to_string()]))).await;
    let url = format!("http://{}/hook?token=url-canary", receiver.address);
    let id = channel(&house, json!({"name": "hook", "kind": "webhook", "url": url, "secret": SECRET})).await;
    (house, receiver, id)
}

async fn test(house: &House, channel: &str) -> Value {
    house.make(&format!("/v1/gateway/alert-channels/{channel}/test"), "").await
}

/// How the newest alert's one delivery is shown.
async fn newest(house: &House) -> Value {
    house.get("/v1/gateway/alerts?limit=1").await.json()["data"][0]["deliveries"][0].clone()
}

async fn deliver(house: &House) -> usize {
    deliver_due(&house.control).await.unwrap()
}

fn header(request: &Request<String>, name: &str) -> String {
    request.headers()[name].to_str().unwrap().to_owned()
}

/// Checks a message as Standard Webhooks tells receivers to.
fn verify(request: &Request<String>, now: Timestamp) {
    let (id, time) = (header(request, "webhook-id"), header(request, "webhook-timestamp"));
    assert_eq!(time.parse::<i64>().unwrap(), now.seconds());
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let signature = header(request, "webhook-signature");
    let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    let signed = format!("{id}.{time}.{}", request.body());
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn a_budgets_alert_arrives_signed_once() {
    let (house, receiver, _) = wired().await;
    let now = house.clock.now();
    let standing = Standing {
        budget_id: [5; 16],
        organization_id: house.organization,
        scope: "workspace".into(),
        scope_id: house.workspace.to_string(),
        name: "dev-workspace".into(),
        window: "month".into(),
        unit: "usd".into(),
        starts: Timestamp::parse("2026-11-01").unwrap(),
        ends: Timestamp::parse("2026-12-01").unwrap(),
        limit: 50_000_000_000,
        spent: 40_000_000_000,
        thresholds: vec![50, 80, 95],
        overrun: false,
        limit_reached: false,
    };
    for raised in [2, 0] {
        let entropy = &*house.control.entropy;
        let new = alerts::evaluate(&house.control.store, vec![standing.clone()], now, entropy).await.unwrap();
        assert_eq!(new, raised);
        assert_eq!(deliver(&house).await, raised / 2, "the highest alone");
    }
    assert_eq!(receiver.count(), 1);
    let message = receiver.last();
    verify(&message, now);
    assert_eq!(message.uri(), "/hook?token=url-canary");
    assert_eq!(header(&message, "content-type"), "application/json");
    let content: Value = serde_json::from_str(message.body()).unwrap();
    assert_eq!(
        (&content["type"], &content["timestamp"]),
        (&json!("budget.threshold"), &json!(now.rfc3339()))
    );
    let data = &content["data"];
    for (field, wanted) in [
        ("threshold", json!(80)),
        ("scope", json!("workspace")),
        ("name", json!("dev-workspace")),
        ("window", json!("month")),
        ("limit", json!(50)),
        ("spent", json!(40)),
        ("period_ends", json!("2026-12-01T00:00:00Z")),
        ("subject", json!("workspace dev-workspace: 80 % of its monthly budget")),
    ] {
        assert_eq!(data[field], wanted, "{field}");
    }
    let shown = house.get("/v1/gateway/alerts").await.json();
    let states: Vec<(&Value, &Value, usize)> = shown["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (&a["threshold"], &a["superseded"], a["deliveries"].as_array().unwrap().len()))
        .collect();
    assert!(states.contains(&(&json!(80), &json!(false), 1)), "{states:?}");
    assert!(states.contains(&(&json!(50), &json!(true), 0)), "{states:?}");
}

#[tokio::test]
async fn a_failing_receiver_is_tried_ever_later_with_one_id_and_given_up_after_a_day() {
    let (house, receiver, id) = wired().await;
    receiver.set(Manner::Status(500));
    let alert = test(&house, &id).await;
    let mut waits = vec![];
    while newest(&house).await["state"] == "pending" {
        assert_eq!(deliver(&house).await, 1);
        assert_eq!(deliver(&house).await, 0, "not before its time");
        let tried = house.clock.now();
        verify(&receiver.last(), tried);
        let shown = newest(&house).await;
        if let Some(next) = shown["next_attempt_at"].as_str() {
            let wait = Timestamp::parse(next).unwrap().seconds() - tried.seconds();
            waits.push(wait);
            assert_eq!(shown["last_error"], "the receiver answered with status 500");
            // The time is shown in whole seconds.
            house.pass_seconds(wait - 1);
            assert_eq!(deliver(&house).await, 0, "not a second before its time");
            house.pass_seconds(2);
        }
    }
    for (wait, wanted) in waits.iter().zip([5, 30, 120, 600, 1800, 3600, 3600]) {
        assert!((wanted..=wanted + wanted / 10 + 1).contains(wait), "{waits:?}");
    }
    assert!(waits.len() > 24, "{waits:?}");
    let shown = newest(&house).await;
    assert_eq!((&shown["state"], &shown["next_attempt_at"]), (&json!("failed"), &json!(null)));
    let ids: std::collections::BTreeSet<String> =
        receiver.heard.lock().unwrap().iter().map(|r| header(r, "webhook-id")).collect();
    let bodies: std::collections::BTreeSet<String> =
        receiver.heard.lock().unwrap().iter().map(|r| r.body().clone()).collect();
    assert_eq!((ids.len(), bodies.len()), (1, 1));
    let plain = alert["id"].as_str().unwrap().replace('-', "");
    assert!(ids.first().unwrap().contains(&plain));
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_it() {
    let (house, receiver, id) = wired().await;
    receiver.set(Manner::Status(503));
    test(&house, &id).await;
    deliver(&house).await;
    receiver.set(Manner::Status(200));
    house.pass_seconds(6);
    assert_eq!(deliver(&house).await, 1);
    let shown = newest(&house).await;
    assert_eq!(
        (&shown["state"], &shown["attempts"], &shown["last_error"], &shown["delivered_at"]),
        (&json!("delivered"), &json!(2), &json!(null), &json!(house.clock.now().rfc3339()))
    );
    house.pass_days(1);
    assert_eq!((deliver(&house).await, receiver.count()), (0, 2));
}

#[tokio::test]
async fn a_receiver_that_is_gone_disables_its_channel() {
    let (house, receiver, id) = wired().await;
    receiver.set(Manner::Status(410));
    test(&house, &id).await;
    deliver(&house).await;
    assert_eq!(newest(&house).await["state"], "failed");
    let path = format!("/v1/gateway/alert-channels/{id}");
    assert_eq!(house.get(&path).await.json()["enabled"], false);
    let event = &house.audit().await[0];
    assert_eq!((event.action.as_str(), event.actor_name.as_str()), ("alert_channel.update", "louver"));
}

#[tokio::test]
async fn redirects_floods_and_cut_connections_lead_nowhere() {
    let (house, receiver, id) = wired().await;
    for (manner, state, error) in [
        (Manner::Redirect, "pending", json!("the receiver answered with status 307")),
        (Manner::Close, "pending", json!("the receiver could not be reached")),
        (Manner::Status(404), "pending", json!("the receiver answered with status 404")),
        (Manner::Endless, "delivered", json!(null)),
        (Manner::Unfinished, "delivered", json!(null)),
    ] {
        receiver.set(manner);
        let before = receiver.count();
        test(&house, &id).await;
        assert_eq!(deliver(&house).await, 1);
        assert_eq!(receiver.count(), before + 1, "one request, none followed");
        let shown = newest(&house).await;
        assert_eq!((&shown["state"], &shown["last_error"]), (&json!(state), &error));
        house.pass_seconds(1);
    }
    let said = house.get("/v1/gateway/alerts").await.text;
    assert!(!said.contains("canary") && !said.contains("/hook"), "{said}");
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left() {
    let (house, receiver, id) = wired_by(|outbound| outbound.with_attempt(Duration::from_secs(1))).await;
    receiver.set(Manner::Hang);
    test(&house, &id).await;
    assert_eq!((deliver(&house).await, receiver.count()), (1, 1));
    let shown = newest(&house).await;
    assert_eq!(
        (&shown["attempts"], &shown["last_error"]),
        (&json!(1), &json!("the receiver could not be reached"))
    );
}

#[tokio::test]
async fn every_closed_door_is_the_same() {
    let receiver = Receiver::start(None).await;
    let port = receiver.address.port();
    // The names are allowed by their text, because there is some block; only the block itself may be reached.
    let house = house_with(allowing(&["192.0.2.0/24".into()])).await;
    for url in [
        format!("http://localhost:{port}/"),
        format!("https://localhost:{port}/"),
        "https://localhost/".into(),
        "https://does-not-exist.invalid/".into(),
        "http://does-not-exist.invalid:81/".into(),
    ] {
        let id = channel(&house, json!({"name": url.clone(), "kind": "slack", "url": url})).await;
        test(&house, &id).await;
        assert_eq!(deliver(&house).await, 1);
        let shown = newest(&house).await;
        assert_eq!(
            (&shown["state"], &shown["last_error"]),
            (&json!("pending"), &json!("the receiver could not be reached")),
            "{url}"
        );
        house.pass_seconds(1);
    }
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn an_allowance_that_was_taken_back_holds_at_the_next_attempt() {
    let (house, receiver, id) = wired().await;
    // The same database under other settings: the stored address is judged anew.
    let strict = Arc::new(crate::Control {
        in_hand: None,
        upstreams: None,
        store: house.control.store.clone(),
        clock: Arc::clone(&house.control.clock),
        entropy: Arc::clone(&house.control.entropy),
        pepper: Arc::clone(&house.control.pepper),
        master: Arc::clone(&house.control.master),
        applied: house.control.applied.clone(),
        outbound: Arc::default(),
        max_active_workspaces: 500,
        servers: Vec::new(),
        max_tool_calls: crate::DEFAULT_TOOL_CALLS,
        audit: Arc::default(),
        last_used: crate::last_used::LastUsed::default(),
        rotating: crate::rotating::Rotating::default(),
        destinations: crate::destinations::Bounds::default(),
        retention: crate::retention::Retention::default(),
        passwords: Default::default(),
        cookie: Default::default(),
    });
    test(&house, &id).await;
    assert_eq!(deliver_due(&strict).await.unwrap(), 1);
    assert_eq!((receiver.count(), &newest(&house).await["state"]), (0, &json!("pending")));
}

#[tokio::test]
async fn a_disabled_channel_is_only_tried_out() {
    let (house, receiver, id) = wired().await;
    let now = house.clock.now();
    let upstream = louver_domain::id::UpstreamId::from_bytes([9; 16]);
    let rejected = louver_domain::alerts::Alert::upstream_credential_rejected(
        house.organization,
        upstream,
        "main",
        now,
        &*house.control.entropy,
    );
    assert_eq!(alerts::raise(&house.control.store, &[rejected], now).await.unwrap(), 1);
    house.call("PATCH", &format!("/v1/gateway/alert-channels/{id}"), "{\"enabled\": false}").await;
    deliver(&house).await;
    let shown = newest(&house).await;
    assert_eq!(
        (&shown["state"], &shown["last_error"]),
        (&json!("failed"), &json!("the channel is disabled"))
    );
    assert_eq!(receiver.count(), 0);
    house.pass_seconds(1);
    test(&house, &id).await;
    deliver(&house).await;
    assert_eq!((receiver.count(), &newest(&house).await["state"]), (1, &json!("delivered")));
}

#[tokio::test]
async fn many_at_once_arrive_once_each() {
    let (house, receiver, id) = wired().await;
    for _ in 0..40 {
        test(&house, &id).await;
    }
    let (a, b) = tokio::join!(deliver(&house), deliver(&house));
    assert_eq!((a + b, receiver.count()), (40, 40));
}

/// A certificate for localhost, made by openssl, and its key.
fn certificate(folder: &std::path::Path) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is there: run scripts/test");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (CertificateDer::from_pem_file(&certificate).unwrap(), PrivateKeyDer::from_pem_file(&key).unwrap())
}

#[tokio::test]
async fn https_is_spoken_to_whom_is_believed_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let server = rustls::ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![certificate.clone()], key).unwrap();
    let receiver = Receiver::start(Some(TlsAcceptor::from(Arc::new(server)))).await;
    let port = receiver.address.port();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let trusting = Arc::new(trusting);
    let allowed = vec![format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    let (by_name, by_address) = (format!("https://localhost:{port}/"), format!("https://127.0.0.1:{port}/"));
    for (outbound, url, state) in [
        (believing(&allowed, Arc::clone(&trusting)), &by_name, "delivered"),
        (believing(&allowed, trusting), &by_address, "pending"),
        (believing(&allowed, Outbound::default().tls), &by_name, "pending"),
    ] {
        let house = house_with(outbound).await;
        let id = channel(&house, json!({"name": "tls", "kind": "slack", "url": url})).await;
        test(&house, &id).await;
        deliver(&house).await;
        assert_eq!(newest(&house).await["state"], state, "{url}");
    }
    assert_eq!(receiver.count(), 1);
}
