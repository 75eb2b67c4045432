//! Destinations against servers that answer as a test says, and look at what they are asked.

mod aws;
mod azure;
mod google;
mod kubernetes;
mod vault;
mod webhook;

use super::credentials::Credentials;
use super::*;
use crate::delivery::Outbound;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use louver_domain::entropy::Entropy;
use louver_domain::id::{OrganizationId, SecretDestinationId};
use louver_domain::time::Clock;
use louver_store::Store;
use louver_store::seal::MasterKey;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// The secret that is written.
const SECRET: &str = "lv-canary-secret";

/// What a fake server was asked.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: http::HeaderMap,
    body: String,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

type Says = (u16, Value);

/// A server on a port of its own that answers by a function of what it is asked, and remembers that.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    async fn start(answer: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, kept) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let asked = Asked {
                            line: format!("{} {}", head.method, head.uri),
                            headers: head.headers,
                            body: String::from_utf8(body.to_vec()).unwrap(),
                        };
                        let (status, said) = answer(&asked);
                        kept.lock().unwrap().push(asked);
                        let body = Full::new(bytes::Bytes::from(said.to_string()));
                        Ok::<_, std::convert::Infallible>(
                            Response::builder().status(status).body(body).unwrap(),
                        )
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::parse("2026-11-21T12:00:00Z").unwrap()
    }
    fn monotonic_micros(&self) -> i64 {
        0
    }
}

struct Counting(AtomicUsize);

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) {
        out.fill(u8::try_from(self.0.fetch_add(1, Ordering::Relaxed) % 256).unwrap());
    }
}

/// A control plane that lets destinations ask this machine.
async fn control() -> (tempfile::TempDir, Control) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/louver.db", folder.path().display());
    let store = Store::open(&url, Arc::new(Noon)).await.unwrap();
    let master = MasterKey::new(Secret::new([7; 32])).unwrap();
    let entropy = Arc::new(Counting(AtomicUsize::new(1)));
    let pepper = Arc::new(master.pepper());
    let mut control = Control::offline(store, Arc::new(Noon), entropy, pepper, Arc::new(master));
    control.destinations.allowed = AllowedTargets::parse(&["127.0.0.0/8".into()]).unwrap();
    control.outbound = Arc::new(Outbound::default());
    (folder, control)
}

/// An enabled destination with those settings and credentials.
fn destination(control: &Control, settings: Value, credentials: &[(&str, &str)]) -> SecretDestination {
    let mut destination = SecretDestination {
        id: SecretDestinationId::from_bytes([1; 16]),
        organization_id: OrganizationId::from_bytes([2; 16]),
        workspace_id: None,
        name: "destination".into(),
        settings: serde_json::from_value(settings).unwrap(),
        credential_names: vec![],
        sealed_credentials: None,
        enabled: true,
        created_at: Noon.now(),
    };
    let all = credentials.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned())));
    let credentials = Credentials::new(all.collect());
    credentials.seal(&control.master, &mut destination, &*control.entropy).unwrap();
    destination
}

const WHOSE: Whose<'static> = Whose { key: "key_01", name: "prod", workspace: "team" };

fn parcel(secret: &Secret<String>) -> Parcel<'_> {
    Parcel {
        key: WHOSE.key,
        name: WHOSE.name,
        workspace: WHOSE.workspace,
        rotation: "rot_01",
        secret,
        created_at: Noon.now(),
    }
}

async fn put(control: &Control, to: &SecretDestination) -> Result<Option<String>, DestinationError> {
    let secret = Secret::new(SECRET.to_owned());
    write(control, to, &parcel(&secret)).await.map(|delivered| delivered.version)
}

async fn get(control: &Control, from: &SecretDestination) -> Result<Option<String>, DestinationError> {
    read(control, from, &WHOSE).await.map(|secret| secret.map(|secret| secret.expose().clone()))
}

#[tokio::test]
async fn what_cannot_be_reached_said_or_opened_is_told_apart_without_a_secret() {
    let (_folder, control) = control().await;
    let settings = |url: &str, location: &str| serde_json::json!({"kind": "vault", "address": url, "location": location});
    let nobody = destination(&control, settings("http://127.0.0.1:1", "a"), &[("token", "t")]);
    let unreachable = put(&control, &nobody).await.unwrap_err();
    assert!(unreachable.is_retryable(), "{unreachable:?}");
    let outside = destination(&control, settings("http://192.0.2.1:8200", "a"), &[("token", "t")]);
    let refused = put(&control, &outside).await.unwrap_err();
    assert!(!refused.is_retryable());
    assert_eq!(refused.sentence(), unreachable.sentence(), "who asks learns nothing of the network");
    let disabled = SecretDestination { enabled: false, ..nobody.clone() };
    assert_eq!(put(&control, &disabled).await, Err(DestinationError::Disabled));
    let moved = SecretDestination { id: SecretDestinationId::from_bytes([9; 16]), ..nobody.clone() };
    assert_eq!(put(&control, &moved).await, Err(DestinationError::Unreadable));
    let named = destination(&control, settings("http://127.0.0.1:1", "{key}"), &[("token", "t")]);
    let secret = Secret::new(SECRET.to_owned());
    let unfit = write(&control, &named, &Parcel { name: "../x", ..parcel(&secret) }).await.err().unwrap();
    assert!(matches!(unfit, DestinationError::Unfit(_)) && !unfit.is_retryable());
}

#[test]
fn only_what_may_pass_is_tried_again() {
    for status in [408, 409, 412, 423, 429, 500, 502, 503, 504] {
        assert!(DestinationError::Answered(status).is_retryable(), "{status}");
    }
    for status in [301, 400, 401, 403, 404, 405, 413, 422] {
        assert!(!DestinationError::Answered(status).is_retryable(), "{status}");
    }
}
